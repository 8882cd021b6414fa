"""Draws a topology as one SVG: no script, nothing fetched, light and dark as the reader's page is.

What is shown is worked out by graph.py, where it stands by layout.py; here it gets its lines, labels, title and legend.
"""

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import replace

from netlab.report.graph import Graph, Group, Line, Port, graph_of
from netlab.report.graph_cards import Card, Detail, card_of, detail_of, draw_card, escaped, line_of_text, rectangle
from netlab.report.graph_edges import Canvas, Curve, Rect, curve_between
from netlab.report.graph_style import KINDS, STYLE, icon, text_width
from netlab.report.layout import Item, Spot, Tie, arrange
from netlab.topology.spec import Topology

__all__ = ["svg", "svg_of"]

_MARGIN = 28.0
_NARROWEST = 640.0
_LABEL = 13.0
_LINE_WIDTH = 38
_PROSE = 130
_GROUND = ("host", "peer")


def svg(topology: Topology) -> str:
    """The picture, as a document of its own."""
    return svg_of(graph_of(topology))


def svg_of(graph: Graph) -> str:
    """The picture of what a graph shows, as a document of its own."""
    return "".join(_Picture(graph).document())


class _Picture:
    """One picture while it is drawn."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._detail = detail_of(graph)
        self._cards = _even(graph, [card_of(box, self._detail) for box in graph.boxes])
        self._number = {box.name: i for i, box in enumerate(graph.boxes)}
        self._labels = [self._label(line) for line in graph.lines]
        self._chips = [(self._chip(line.a), self._chip(line.b)) for line in graph.lines]
        items = [
            Item(width=card.width, height=card.height, reach=card.reach, ground=card.box.kind in _GROUND) for card in self._cards
        ]
        ties = [self._tie(line, label, chips) for line, label, chips in zip(graph.lines, self._labels, self._chips, strict=True)]
        self._spots = arrange(items, ties)
        self._rects = [self._rect(card, spot) for card, spot in zip(self._cards, self._spots, strict=True)]
        self._canvas = Canvas(rect for rect in self._rects if rect is not None)
        self._curves = self._ways()
        for i, curve in enumerate(self._curves):
            self._canvas.pass_through(i, curve)

    def _label(self, line: Line) -> list[str]:
        if self._detail is Detail.NAMES:
            return []
        said = [*line.subnets] if self._detail >= Detail.SUBNETS else []
        return said + [part for note in line.notes for part in textwrap.wrap(note, _LINE_WIDTH)]

    def _chip(self, port: Port) -> str:
        card = self._cards[self._number[port.node]]
        words = [port.vlans] if port.vlans else []
        several = sum(row.tied for row in card.box.rows) > 1
        if card.box.kind != "switch" and several:
            words.append(port.interface)
            words += [] if card.tells_addresses else [host for host in port.hosts if _says_more(host, port.hosts)]
        return " ".join(words) if self._detail >= Detail.SUBNETS else ""

    def _tie(self, line: Line, label: Sequence[str], chips: tuple[str, str]) -> Tie:
        wide, high = _size(label)
        sides = [_chip_size(chip) for chip in chips if chip]
        wide += sum(width + 8 for width, _ in sides)
        high += sum(height + 6 for _, height in sides)
        return Tie(a=self._number[line.a.node], b=self._number[line.b.node], width=wide, height=high)

    @staticmethod
    def _rect(card: Card, spot: Spot) -> Rect | None:
        return Rect(spot.x, spot.y, card.width, card.height) if spot.angle is None else None

    def _ways(self) -> list[Curve]:
        """The lines' ways; several between the same two nodes beside each other."""
        bundles: dict[tuple[int, int], list[int]] = {}
        ends = [(self._number[line.a.node], self._number[line.b.node]) for line in self._graph.lines]
        for i, (a, b) in enumerate(ends):
            bundles.setdefault((min(a, b), max(a, b)), []).append(i)
        curves: list[Curve] = []
        for i, (a, b) in enumerate(ends):
            bundle = bundles[min(a, b), max(a, b)]
            apart = max([_size(self._labels[each])[1] + 12 for each in bundle] + [26.0])
            bend = apart * (bundle.index(i) - (len(bundle) - 1) / 2) * (1 if a < b else -1)
            curves.append(curve_between(self._spots[a][:2], self._spots[b][:2], bend))
        return curves

    def document(self) -> Iterator[str]:
        """The document, piece by piece."""
        lines, words = self._draw_lines()
        clouds, tunnels = self._draw_groups()
        cards = [draw_card(card, spot) for card, spot in zip(self._cards, self._spots, strict=True)]
        left, top, right, bottom = self._extent()
        intent = _filled(self._graph.intent, int(max(right - left, _NARROWEST) / 7.2))
        head = 34.0 + 19 * len(intent) + 18
        legend = list(self._legend())
        width = max(
            right - left, *(text_width(text, 13) for text in intent), text_width(self._graph.name, 20, bold=True), _NARROWEST
        )
        rows = _flowed(legend, width)
        height = head + (bottom - top) + 26 + 26 * len(rows)
        page = (width + 2 * _MARGIN, height + 2 * _MARGIN)
        yield (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {page[0]:.0f} {page[1]:.0f}" width="{page[0]:.0f}" '
            f'height="{page[1]:.0f}" role="img" aria-labelledby="netlab-title netlab-desc">\n'
            f'<title id="netlab-title">{escaped(self._graph.name)}</title>\n'
            f'<desc id="netlab-desc">{escaped(" ".join([*intent, self._graph.summary]))}</desc>\n'
            f"<style>{STYLE}</style>\n"
            f'<rect class="page" width="100%" height="100%"/>\n'
        )
        yield line_of_text(self._graph.name, _MARGIN, _MARGIN + 18, "name title") + "\n"
        for i, text in enumerate(intent):
            yield line_of_text(text, _MARGIN, _MARGIN + 42 + 19 * i, "mute intent") + "\n"
        x, y = _MARGIN + (width - (right - left)) / 2 - left, _MARGIN + head - top
        yield f'<g transform="translate({x:.1f} {y:.1f})">\n'
        for part in (*lines, *tunnels, *cards, *words, *clouds):
            yield part + "\n"
        yield "</g>\n"
        base = _MARGIN + head + (bottom - top) + 26
        for i, row in enumerate(rows):
            at = _MARGIN
            for drawn, text, wide in row:
                yield f'<g transform="translate({at:.1f} {base + 26 * i:.1f})">{drawn}{line_of_text(text, 30, 14, "mute")}</g>\n'
                at += wide
        yield "</svg>\n"

    def _extent(self) -> tuple[float, float, float, float]:
        taken = self._canvas.taken
        edges = [(r.x - r.width / 2, r.y - r.height / 2, r.x + r.width / 2, r.y + r.height / 2) for r in taken]
        for card, spot in zip(self._cards, self._spots, strict=True):
            if spot.angle is not None:
                x, y = spot.pointing(card.reach)
                edges.append((min(x, spot.x) - 8, min(y, spot.y) - 8, max(x, spot.x) + 8, max(y, spot.y) + 8))
        left, top, right, bottom = zip(*edges, strict=True)
        return min(left), min(top), max(right), max(bottom)

    def _draw_lines(self) -> tuple[list[str], list[str]]:
        """The lines, and their labels."""
        lines, words = [], []
        thin = " thin" if self._detail is Detail.NAMES else ""
        parts = []
        for i, (line, curve) in enumerate(zip(self._graph.lines, self._curves, strict=True)):
            style = f"wire{thin}" + (" impaired" if line.impaired else "") + ("" if line.up else " down")
            d = curve.path
            said = escaped(_told(line))
            lines.append(f'<g><title>{said}</title><path class="{style}" d="{d}"/><path class="hit" d="{d}"/></g>')
            part = curve.visible(self._rects[self._number[line.a.node]], self._rects[self._number[line.b.node]])
            parts.append(part)
            for port, chip, way in ((line.a, self._chips[i][0], part), (line.b, self._chips[i][1], part[::-1])):
                words += [self._draw_chip(curve, way, self._rects[self._number[port.node]], chip)] if chip else []
        for i, (line, curve, label) in enumerate(zip(self._graph.lines, self._curves, self._labels, strict=True)):
            if label:
                rect = self._canvas.along(curve, parts[i], *_size(label), i)
                words.append(_draw_pill(rect, label, "pill bad" if line.impaired else "pill", len(line.subnets)))
        return lines, words

    def _draw_chip(self, curve: Curve, way: tuple[float, float], card: Rect | None, text: str) -> str:
        """A port's words, on its line, as near to its card as they can be."""
        width, height = _chip_size(text)
        places = [Rect(*curve.at(way[0] + (way[1] - way[0]) * step / 80), width, height) for step in range(1, 41)]
        wider = [Rect(place.x, place.y, width + 6, height + 6) for place in places]
        clear = next(
            (place for place, wide in zip(places, wider, strict=True) if card is None or not wide.overlap(card)), places[-1]
        )
        self._canvas.take(clear)
        return _box("chip", clear, 0) + line_of_text(text, clear.x, clear.y + 3.6, "mute", size=10.5, middle=True)

    def _draw_groups(self) -> tuple[list[str], list[str]]:
        """The overlays: what they are called, and the dashed lines to their members."""
        clouds, tunnels = [], []
        for group in self._graph.groups:
            points = [self._spots[self._number[port.node]] for port in group.ports]
            label = [group.name, *group.notes] if self._detail >= Detail.SUBNETS else [group.name, group.notes[0]]
            width, height = _size(label)
            rect = self._canvas.near([point[:2] for point in points], width, height)
            clouds.append(_draw_cloud(rect, label, group))
            for port, point in zip(group.ports, points, strict=True):
                said = escaped(f"{group.name}: {port.node} {', '.join(port.addresses)}")
                d = curve_between((rect.x, rect.y), point[:2]).path
                tunnels.append(f'<g><title>{said}</title><path class="overlay" d="{d}"/><path class="hit" d="{d}"/></g>')
        return clouds, tunnels

    def _legend(self) -> Iterator[tuple[str, str]]:
        kinds = {box.kind for box in self._graph.boxes}
        yield from ((icon(kind, 0, 0, 20), words) for kind, words in KINDS.items() if kind in kinds)
        if any(line.impaired for line in self._graph.lines):
            yield '<path class="wire impaired" d="M0 10H24"/>', "link with impairments"
        if not all(line.up for line in self._graph.lines):
            yield '<path class="wire down" d="M0 10H24"/>', "link that is down"
        if self._graph.groups:
            yield '<path class="overlay" d="M0 10H24"/>', "overlay"


def _even(graph: Graph, cards: list[Card]) -> list[Card]:
    """The cards, those of one kind at the same box as wide as the widest of them."""
    ties: dict[str, list[str]] = {}
    for line in graph.lines:
        ties.setdefault(line.a.node, []).append(line.b.node)
        ties.setdefault(line.b.node, []).append(line.a.node)
    groups = [(ties[card.box.name][0], card.box.kind) if len(ties.get(card.box.name, ())) == 1 else None for card in cards]
    widest: dict[tuple[str, str], float] = {}
    for group, card in zip(groups, cards, strict=True):
        if group is not None:
            widest[group] = max(widest.get(group, 0.0), card.width)
    return [replace(card, width=widest[group]) if group is not None else card for group, card in zip(groups, cards, strict=True)]


def _says_more(host: str, hosts: Sequence[str]) -> bool:
    """Whether an address's own part is not that of the other family, too (".7" and "::7")."""
    return host.startswith(".") or host.replace("::", ".") not in hosts


def _filled(text: str, columns: int) -> list[str]:
    """The text in lines of so many columns; a blank line ends a paragraph."""
    paragraphs = [" ".join(part.split()) for part in text.split("\n\n")]
    lines = [line for part in paragraphs for line in (*textwrap.wrap(part, min(columns, _PROSE), break_on_hyphens=False), "")]
    return lines[:-1]


def _flowed(legend: Sequence[tuple[str, str]], width: float) -> list[list[tuple[str, str, float]]]:
    rows: list[list[tuple[str, str, float]]] = [[]]
    taken = 0.0
    for drawn, text in legend:
        wide = 30 + text_width(text, 12) + 24
        if taken and taken + wide > width + 24:
            rows.append([])
            taken = 0.0
        rows[-1].append((drawn, text, wide))
        taken += wide
    return rows


def _size(label: Sequence[str]) -> tuple[float, float]:
    if not label:
        return 0.0, 0.0
    return max(text_width(text, 11, mono="/" in text) for text in label) + 14, _LABEL * len(label) + 7


def _chip_size(text: str) -> tuple[float, float]:
    return text_width(text, 10.5) + 6, 14.0


def _draw_pill(rect: Rect, label: Sequence[str], style: str, subnets: int) -> str:
    styles = ["mute mono" if i < subnets else "warn" for i in range(len(label))]
    return _box(style, rect, 7) + _written(rect, label, styles)


def _draw_cloud(rect: Rect, label: Sequence[str], group: Group) -> str:
    styles = ["tunnel" if i == 0 else "mute" for i in range(len(label))]
    said = escaped(", ".join([group.name, *group.notes]))
    return f"<g><title>{said}</title>{_box('cloud', rect, 12)}{_written(rect, label, styles)}</g>"


def _box(style: str, rect: Rect, radius: float) -> str:
    return rectangle(style, rect.x - rect.width / 2, rect.y - rect.height / 2, rect.width, rect.height, radius)


def _written(rect: Rect, label: Sequence[str], styles: Sequence[str]) -> str:
    top = rect.y - rect.height / 2 + 14
    lines = enumerate(zip(label, styles, strict=True))
    return "".join(line_of_text(text, rect.x, top + _LABEL * i, style, size=11, middle=True) for i, (text, style) in lines)


def _told(line: Line) -> str:
    ends = [
        f"{port.node}:{port.interface}  {', '.join([*port.addresses, *([port.vlans] if port.vlans else [])])}".rstrip()
        for port in (line.a, line.b)
    ]
    return "\n".join([*ends, *line.notes])
