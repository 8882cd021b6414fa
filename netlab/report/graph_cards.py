"""Draws the boxes of a graph as cards, or as the ends of spokes, with as much on them as the picture has room for.

It does not know where a card stands.
"""

import html
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum

from netlab.report.graph import Box, Graph, Row, count
from netlab.report.graph_style import icon, text_width
from netlab.report.layout import Spot

__all__ = ["Card", "Detail", "card_of", "detail_of", "draw_card", "escaped", "line_of_text", "rectangle"]

_ROWS = 10
_LINE = 15.0


class Detail(IntEnum):
    """How much a picture says beside names: the fewer boxes, the more."""

    NAMES = 0
    ADDRESSES = 1
    SUBNETS = 2
    EVERYTHING = 3


def detail_of(graph: Graph) -> Detail:
    """As much as a picture of so many boxes and lines has room for."""
    boxes, lines = len(graph.boxes), len(graph.lines)
    if boxes <= 8 and lines <= 12:
        return Detail.EVERYTHING
    if boxes <= 24 and lines <= 32:
        return Detail.SUBNETS
    return Detail.ADDRESSES if boxes <= 80 else Detail.NAMES


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A box as it is drawn: the lines under its name, its rows as (interface, address), and its size."""

    box: Box
    detail: Detail
    under: tuple[str, ...]
    rows: tuple[tuple[str, str], ...]
    width: float
    height: float

    @property
    def tells_addresses(self) -> bool:
        """Whether the addresses of all its interfaces stand on it."""
        return self.detail is Detail.EVERYTHING or (self.detail is Detail.SUBNETS and len(self.box.tied) < 2)

    @property
    def spoke(self) -> str:
        """What stands at the end of a spoke, after the name."""
        return _address(self.box)

    @property
    def reach(self) -> float:
        """The length of that, with the name."""
        address = text_width(self.spoke, 11, mono=True) + 8 if self.spoke else 0.0
        return 14 + text_width(self.box.name, 12, bold=True) + address


_ICON = {Detail.NAMES: 18.0, Detail.ADDRESSES: 26.0, Detail.SUBNETS: 32.0, Detail.EVERYTHING: 32.0}
_NAME = {Detail.NAMES: 11.0, Detail.ADDRESSES: 12.5, Detail.SUBNETS: 14.0, Detail.EVERYTHING: 14.0}
_PAD = {Detail.NAMES: 4.0, Detail.ADDRESSES: 7.0, Detail.SUBNETS: 10.0, Detail.EVERYTHING: 10.0}


def card_of(box: Box, detail: Detail) -> Card:
    """The card of a box in a picture of this detail."""
    rows = _rows(box, detail)
    under: tuple[str, ...] = ()
    if detail >= Detail.SUBNETS:
        under = box.notes
    elif detail is Detail.ADDRESSES and (address := _address(box)):
        under = (address,)
    beside = [text_width(box.name, _NAME[detail], bold=True)]
    beside += [text_width(each, 11, mono=detail is Detail.ADDRESSES) for each in under]
    pad, picture = _PAD[detail], _ICON[detail]
    head = max(picture, _NAME[detail] + 4 + 14 * len(under))
    widths = [picture + 8 + max(beside), *(_second(rows) + text_width(address, 11, mono=True) for _, address in rows)]
    body = 9 + _LINE * len(rows) if rows else 0.0
    return Card(box=box, detail=detail, under=under, rows=rows, width=max(widths) + 2 * pad, height=head + body + 2 * pad)


def _rows(box: Box, detail: Detail) -> tuple[tuple[str, str], ...]:
    if detail < Detail.SUBNETS:
        return ()
    beside_lines = detail is Detail.SUBNETS and len(box.tied) > 1 and box.kind != "switch"
    lines = [line for row in box.told if not (row.tied and beside_lines) for line in _row(row)]
    left = len(lines) - _ROWS
    return (*lines[:_ROWS], *([("", f"and {count(left, 'address')[:-1]}es")] if left > 1 else lines[_ROWS:]))


def _row(row: Row) -> Iterator[tuple[str, str]]:
    names = [row.name, *[""] * (len(row.addresses) - 1)]
    yield from zip(names, row.addresses, strict=True)


def _second(rows: Sequence[tuple[str, str]]) -> float:
    """Where the column of addresses begins."""
    widest = max((text_width(name, 11) for name, _ in rows), default=0.0)
    return widest + 10 if widest else 0.0


def _address(box: Box) -> str:
    """The address that stands for a box: the first, where it has one interface only, or a switch's first subnet."""
    if len(box.tied) != 1:
        return ""
    first = box.tied[0].addresses[0]
    return first if box.kind == "switch" else first.partition("/")[0]


def draw_card(card: Card, spot: Spot) -> str:
    """The card, or the end of a spoke, as a group with its tooltip."""
    body = (
        _spoke(card, spot, spot.angle) if spot.angle is not None else _card(card, spot.x - card.width / 2, spot.y - card.height / 2)
    )
    return f"<g><title>{escaped(_tooltip(card.box))}</title>{body}</g>"


def _card(card: Card, x: float, y: float) -> str:
    pad, picture, name = _PAD[card.detail], _ICON[card.detail], _NAME[card.detail]
    head = max(picture, name + 4 + 14 * len(card.under))
    left = x + pad + picture + 8
    base = y + pad + (head - 14 * len(card.under)) / 2 + name * 0.36
    parts = [
        rectangle("card", x, y, card.width, card.height, min(9.0, pad + 1)),
        icon(card.box.kind, x + pad, y + pad + (head - picture) / 2, picture),
        line_of_text(card.box.name, left, base, "name", size=name),
    ]
    style = "mute mono" if card.detail is Detail.ADDRESSES else "mute"
    parts += [line_of_text(each, left, base + 14 * (i + 1), style, size=11) for i, each in enumerate(card.under)]
    if card.rows:
        rule = y + pad + head + 6
        parts.append(f'<path class="rule" d="M{x + pad:.1f} {rule:.1f}H{x + card.width - pad:.1f}"/>')
        for i, (interface, address) in enumerate(card.rows):
            below = rule + 13 + _LINE * i
            parts += [line_of_text(interface, x + pad, below, "mute", size=11)] if interface else []
            parts.append(line_of_text(address, x + pad + _second(card.rows), below, "ink mono", size=11))
    return "".join(parts)


def _spoke(card: Card, spot: Spot, angle: float) -> str:
    """An icon, and the name along the spoke, never upside down."""
    left = math.cos(angle) < -1e-9
    degrees = math.remainder(math.degrees(angle) + 180 * left, 360)
    words = [("name", card.box.name), *([("mute mono", card.spoke)] if card.spoke else [])]
    if left:
        words.reverse()
    spans = [f'<tspan class="{style}"{_AFTER * (i > 0)}>{escaped(text)}</tspan>' for i, (style, text) in enumerate(words)]
    at = f'x="{-13 if left else 13}" y="4"' + ' text-anchor="end"' * left
    turned = f"translate({spot.x:.1f} {spot.y:.1f}) rotate({degrees:.2f})"
    return icon(card.box.kind, spot.x - 7, spot.y - 7, 14) + f'<text transform="{turned}" {at}>{"".join(spans)}</text>'


_AFTER = ' dx="8"'


def line_of_text(text: str, x: float, y: float, style: str, *, size: float = 0.0, middle: bool = False) -> str:
    """One line of text, from x on or around x; of the style sheet's size, if none is given."""
    more = (' text-anchor="middle"' if middle else "") + (f' style="font-size:{size:g}px"' if size else "")
    return f'<text class="{style}" x="{x:.1f}" y="{y:.1f}"{more}>{escaped(text)}</text>'


def rectangle(style: str, x: float, y: float, width: float, height: float, radius: float) -> str:
    """A rectangle, from its upper left corner."""
    size = f'width="{width:.1f}" height="{height:.1f}" rx="{radius:g}"'
    return f'<rect class="{style}" x="{x:.1f}" y="{y:.1f}" {size}/>'


def _tooltip(box: Box) -> str:
    """Everything that is known of a box."""
    rows = [f"{row.name}  {', '.join(row.addresses)}".strip() for row in box.rows]
    return "\n".join([f"{box.name} ({box.kind})", *rows, *box.notes])


def escaped(text: str) -> str:
    """Text as XML holds it."""
    return html.escape(text, quote=True)
