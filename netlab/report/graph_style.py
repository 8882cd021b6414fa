"""What a drawn topology looks like: the shapes of the kinds of nodes, the colours for light and dark pages, the widths of texts.

It does not know what is drawn where.
"""

__all__ = ["COLOURS", "KINDS", "STYLE", "icon", "text_width"]

_FONT = "system-ui, -apple-system, 'Segoe UI', 'Helvetica Neue', 'DejaVu Sans', Arial, sans-serif"
_MONO = "ui-monospace, 'SF Mono', Menlo, Consolas, 'DejaVu Sans Mono', monospace"

KINDS = {
    "host": "host",
    "router": "router: forwards",
    "switch": "switch: one segment",
    "nat": "nat: forwards and translates",
    "peer": "peer: no kernel stack",
}
"""The kinds, in the legend's order, and the legend's words."""

_SHAPES = {
    "host": (
        '<rect x="3" y="5" width="26" height="17.5" rx="2.5"/><path d="M13 22.5h6l1 4h-8z"/>'
        '<rect x="9" y="26" width="14" height="2" rx="1"/>',
        '<rect x="6" y="8" width="20" height="11.5" rx="1" class="screen"/>',
    ),
    "router": (
        '<circle cx="16" cy="16" r="14"/>',
        '<path d="M18.5 16h7.5m-3-3 3 3-3 3M13.5 16H6m3-3-3 3 3 3"/>'
        '<path d="M16 5.5V13m-2.8-2.8L16 13l2.8-2.8M16 26.5V19m-2.8 2.8L16 19l2.8 2.8"/>',
    ),
    "switch": (
        '<rect x="1.5" y="7" width="29" height="18" rx="4"/>',
        '<path d="M7 13h15m-3.2-3.2L22 13l-3.2 3.2M25 19H10m3.2-3.2L10 19l3.2 3.2"/>',
    ),
    "nat": (
        '<path d="M16 1.5 29 9v14l-13 7.5L3 23V9z"/>',
        '<path d="M16 7.5v3m0 3v5m0 3v3" /><path d="M7.5 12H22m-3-3 3 3-3 3M24.5 20H10m3-3-3 3 3 3"/>',
    ),
    "peer": (
        '<path d="M16 1.5 30.5 16 16 30.5 1.5 16z"/>',
        '<path d="M11 21l1.2-4.600 7.300-7.300 3.400 3.400-7.300 7.300zM17.5 11.100l3.400 3.400"/>',
    ),
}
COLOURS = {"host": "#2563eb", "router": "#7c3aed", "switch": "#0d8f83", "nat": "#c2620a", "peer": "#d02a5b"}
"""The colour of each kind, on light pages."""

_DARK = {"host": "#5b8def", "router": "#9d75f2", "switch": "#2aa79b", "nat": "#dd8130", "peer": "#e75f87"}


def icon(kind: str, x: float, y: float, size: float) -> str:
    """The shape of a kind, in a square of this size whose upper left corner is at x, y."""
    body, sign = _SHAPES[kind]
    return (
        f'<g class="icon k-{kind}" transform="translate({x:.1f} {y:.1f}) scale({size / 32:.4g})">'
        f'<g class="body">{body}</g><g class="sign">{sign}</g></g>'
    )


def _colours(page: str, card: str, edge: str, ink: str, mute: str, wire: str, bad: str, off: str, blue: str) -> str:
    return (
        f".page{{fill:{page}}}.card{{fill:{card};stroke:{edge}}}.rule{{stroke:{edge}}}.name,.ink{{fill:{ink}}}.mute{{fill:{mute}}}"
        f".wire{{stroke:{wire}}}.impaired{{stroke:{bad}}}.down{{stroke:{off}}}.pill{{fill:{page};stroke:{edge}}}"
        f".pill.bad{{stroke:{bad}}}.warn{{fill:{bad}}}.chip{{fill:{page}}}.overlay{{stroke:{blue}}}.cloud{{fill:{page};stroke:{blue}}}"
        f".tunnel{{fill:{blue}}}.screen{{fill:{card}}}"
    )


def _kinds(colours: dict[str, str]) -> str:
    return "".join(f".k-{kind} .body{{fill:{colour}}}" for kind, colour in colours.items())


STYLE = (
    f"text{{font-family:{_FONT};font-size:12px}}.mono{{font-family:{_MONO};font-size:11px}}.title{{font-size:20px;font-weight:700}}"
    ".intent{font-size:13px}.name{font-weight:600}.card,.pill,.cloud,.rule{stroke-width:1}.wire,.overlay{fill:none;stroke-width:1.8}"
    ".thin{stroke-width:1.1}.impaired{stroke-width:2.4}.down{stroke-dasharray:2 5;stroke-linecap:round}"
    ".overlay{stroke-width:2;stroke-dasharray:8 5}.cloud{stroke-dasharray:6 4}.hit{fill:none;stroke:transparent;stroke-width:14}"
    ".sign{fill:none;stroke:#fff;stroke-width:2;stroke-linecap:round;stroke-linejoin:round}.sign .screen{stroke:none}"
    + _colours("#fbfcfe", "#ffffff", "#d3dae4", "#17212f", "#58677a", "#8a99ad", "#c2410c", "#b4232c", "#8b3fd9")
    + _kinds(COLOURS)
    + "@media (prefers-color-scheme:dark){"
    + _colours("#0e1522", "#18212f", "#344256", "#e8edf4", "#9aa9bc", "#66778f", "#f0883e", "#f2777a", "#b98af5")
    + _kinds(_DARK)
    + "}"
)
"""The style sheet of a picture."""

_NARROW, _WIDE = frozenset("iljtfrI.,:;|!'()[] -"), frozenset("mwMWGOQ@%→±—<>=+~#")


def text_width(text: str, size: float, *, mono: bool = False, bold: bool = False) -> float:
    """About how wide a text is; rather more than less, since the page's reader may have another font."""
    if mono:
        return len(text) * size * 0.61
    units = sum(0.40 if letter in _NARROW else 0.95 if letter in _WIDE else 0.70 if letter.isupper() else 0.61 for letter in text)
    return units * size * (1.15 if bold else 1.0)
