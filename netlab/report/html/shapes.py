"""The smallest parts of a drawing: a line of text, an arrow; text made safe, and cut to the room that there is.

It knows no ladder.
"""

from netlab.report.graph_cards import escaped
from netlab.report.lines import printable

__all__ = ["LETTER", "arrow", "cut", "cut_call", "length", "safe", "text_at"]

LETTER = 6.65
"""About how wide a letter of the fixed font is, in pixels."""

_RESULT = 24


def safe(text: str) -> str:
    """Any text as XML holds it, without characters that act on who reads it."""
    return escaped(printable(text))


def cut(text: str, width: float) -> str:
    """As much of a text as has room in so many pixels of the fixed font."""
    room = max(int(width / LETTER), 4)
    return text if len(text) <= room else text[: room - 1] + "…"


def arrow(x1: float, y1: float, x2: float, y2: float, style: str) -> str:
    """A line with a tip at its end."""
    length = max(((x2 - x1) ** 2 + (y2 - y1) ** 2) ** 0.5, 1.0)
    ux, uy = (x2 - x1) / length, (y2 - y1) / length
    ax, ay = x2 - ux * 9 - uy * 4, y2 - uy * 9 + ux * 4
    bx, by = x2 - ux * 9 + uy * 4, y2 - uy * 9 - ux * 4
    return (
        f'<path class="{style}" d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}"/>'
        f'<path class="tip" d="M{x2:.1f} {y2:.1f}L{ax:.1f} {ay:.1f}L{bx:.1f} {by:.1f}z"/>'
    )


def text_at(style: str, x: float, y: float, text: str, *, told: str = "", anchor: str = "") -> str:
    """One line of text from x on, or around or up to it (``anchor``); what was ``told`` in full is its tooltip."""
    title = f"<title>{safe(told)}</title>" if told and told != text else ""
    side = f' text-anchor="{anchor}"' if anchor else ""
    return f'<text class="{style}" x="{x:.1f}" y="{y:.1f}"{side}>{title}{safe(text)}</text>'


def cut_call(text: str, width: float) -> str:
    """A call with what it gave, which is cut last."""
    call, gave, result = text.rpartition(") = ")
    if len(text) * LETTER <= width or not gave or len(result) > _RESULT:
        return cut(text, width)
    return cut(call, width - (len(gave) + len(result)) * LETTER) + gave + result


def length(ns: int) -> str:
    """A time in words: "24.1 ms", "1.03 s"."""
    return f"{ns / 1e9:.3g} s" if ns >= 1_000_000_000 else f"{ns / 1e6:.3g} ms"
