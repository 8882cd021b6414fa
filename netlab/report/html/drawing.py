"""Draws a part of a ladder as SVG: the hosts' lines of life, sockets' lanes, calls as bars, packets as arrows, and the words.

Nothing in it is a script or a style of its own: it has classes, and the page's style sheet says what they look like. It does not
know what any of it means.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from netlab.report.html.folding import Fold, is_marked
from netlab.report.html.happening import Happening
from netlab.report.html.hops import Hop
from netlab.report.html.lanes import Lane
from netlab.report.html.palette import state_class
from netlab.report.html.placing import GUTTER, LANE, ROW, Axis, Column, Columns, Row
from netlab.report.html.shapes import LETTER, arrow, cut, cut_call, length, safe, text_at

__all__ = ["Scene", "depths"]

_BAR = 7.0
_TEXT_MARGIN = 200.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One axis with its columns, and all that stands on it. ``start`` is the timeline's first time, in ns; ``end`` its last."""

    axis: Axis
    columns: Columns
    lanes: Sequence[Lane]
    calls: Sequence[tuple[Happening, int]]
    marked: frozenset[int]
    start: int
    end: int

    def svg(self, top: float, bottom: float, label: str) -> str:
        """What is between two heights, as an SVG of its own."""
        width, height = self.columns.width, bottom - top
        body = "".join(self._body(top, bottom))
        return (
            f'<svg class="ladder" xmlns="http://www.w3.org/2000/svg" viewBox="0 {top:.1f} {width:.0f} {height:.1f}" '
            f'width="{width:.0f}" height="{height:.1f}" role="img" aria-label="{safe(label)}">{body}</svg>'
        )

    def _body(self, top: float, bottom: float) -> Iterator[str]:
        rows = [row for row in self.axis.rows if top - ROW <= row.y <= bottom + ROW]
        inside = [row for row in rows if top <= row.y <= bottom]
        for row in inside:
            yield from self._ground(row)
        for column in self.columns.by_name.values():
            yield f'<path class="life" d="M{column.x:.1f} {top:.1f}V{bottom:.1f}"/>'
        for lane in self.lanes:
            yield from self._lane(lane, top, bottom)
        for call, depth in self.calls:
            yield from self._bar(call, depth, top, bottom)
        for row in self.axis.rows:
            if isinstance(row.part, Happening) and row.part.kind == "packet":
                yield from self._packet(row.part, row.y, top, bottom)
        for row in inside:
            yield from self._row(row)

    def _ground(self, row: Row) -> Iterator[str]:
        part = row.part
        if isinstance(part, Happening) and is_marked(part, self.marked):
            yield f'<rect class="marked" x="0" y="{row.y - ROW / 2:.1f}" width="{self.columns.width:.0f}" height="{ROW:g}"/>'
        if row.pause:
            y = row.y - ROW / 2 - 3
            yield f'<path class="pause" d="M{GUTTER:.0f} {y:.1f}H{self.columns.width:.0f}"/>'
            yield text_at("quiet", GUTTER - 14, y + 3.5, f"+ {length(row.pause)}", anchor="end")

    def _lane(self, lane: Lane, top: float, bottom: float) -> Iterator[str]:
        column = self.columns.by_name.get(lane.host)
        if column is None:
            return
        x = column.lane(lane.slot)
        first = self.axis.y(lane.began)
        last = self.axis.bottom if lane.until is None else self.axis.y(lane.until)
        if last < top or first > bottom or self._outside(lane.began, lane.until):
            return
        yield f"<g><title>{safe(lane.told)}</title>"
        for span in lane.spans:
            a, b = self.axis.y(span.began), self.axis.bottom if span.until is None else self.axis.y(span.until)
            if b < top or a > bottom or b - a < 0.5:
                continue
            style = state_class(span.state)
            yield f'<rect class="{style}" x="{x - LANE / 2 + 1:.1f}" y="{a:.1f}" width="{LANE - 2:g}" height="{b - a:.1f}" rx="2"/>'
            yield from self._upright(span.state, style, x, max(a, top), min(b, bottom))
        if lane.name and top <= first <= bottom and len(lane.name) <= 3:
            yield text_at("lane", x, first - 4, lane.name, anchor="middle")
        if lane.closed is not None and self.axis.top < self.axis.y(lane.closed) < self.axis.bottom:
            y = self.axis.y(lane.closed)
            yield f'<path class="closed" d="M{x - 5:.1f} {y - 4:.1f}l10 8m0 -8l-10 8"/>'
        yield "</g>"

    def _outside(self, began: int, until: int | None) -> bool:
        """Whether something is over before this axis begins, or begins after it."""
        times = [row.part.inside[-1].time if isinstance(row.part, Fold) else row.part.time for row in self.axis.rows[-1:]]
        return bool(times) and began > times[0] and self.axis.y(began) >= self.axis.bottom

    @staticmethod
    def _upright(state: str, style: str, x: float, top: float, bottom: float) -> Iterator[str]:
        """A state's name along its lane, again where the lane is long."""
        room = len(state) * 6.6 + 10
        if not state or bottom - top < room:
            return
        every = max(room * 2, 420.0)
        times = max(int((bottom - top) / every), 1)
        for number in range(times):
            y = top + (bottom - top) * (number + 0.5) / times
            yield f'<text class="{style} upright" transform="translate({x + 3.4:.1f} {y:.1f}) rotate(-90)">{safe(state)}</text>'

    def _bar(self, call: Happening, depth: int, top: float, bottom: float) -> Iterator[str]:
        column = self.columns.by_name.get(call.host)
        if column is None:
            return
        first = self.axis.y(call.time)
        last = self.axis.bottom if call.until is None else self.axis.y(call.until)
        if last < top or first > bottom or (first >= self.axis.bottom) or (call.until is not None and last <= self.axis.top):
            return
        style = "bar" if call.until is not None else "bar never"
        x = column.x - _BAR / 2 + column.side * 5 * depth
        yield (
            f'<rect class="{style}" x="{x:.1f}" y="{first - 3:.1f}" width="{_BAR:g}" height="{max(last - first, 0) + 6:.1f}" '
            f'rx="2"><title>{safe(call.told)}</title></rect>'
        )

    def _packet(self, part: Happening, y: float, top: float, bottom: float) -> Iterator[str]:
        hop = part.hop
        if hop is None:
            return
        source, target = self.columns.by_name.get(hop.source), self.columns.by_name.get(hop.target)
        if source is None and target is None:
            return
        arrivals = hop.arrived if hop.sent is not None else hop.arrived[:1]
        ends = [(self.columns.by_name.get(host), self.axis.y(time)) for time, host in arrivals]
        until = max([y, *(at for _, at in ends)])
        lost = self._lost(hop) if not ends else None
        if max(until, lost or 0) < top or y > bottom:
            return
        yield f'<g class="packet{" bad" if not ends else ""}"><title>{safe(part.told)}</title>'
        if hop.sent is None:
            assert target is not None
            yield arrow(self._between(source, target), self._arrival(y), target.x, y, "half")
        elif source is None:
            pass
        elif source is target:
            yield f'<path class="shaft" d="M{source.x:.1f} {y - 4:.1f}h{source.side * -20}v8"/>'
            yield arrow(source.x - source.side * 20, y + 4, source.x, y + 4, "shaft")
        elif not ends:
            x, end = self._between(source, target), lost if lost is not None else y + 5
            yield f'<path class="shaft" d="M{source.x:.1f} {y:.1f}L{x:.1f} {end:.1f}"/>'
            cross = f"M{x - 5:.1f} {end - 5:.1f}l10 10m0 -10l-10 10"
            yield f'<path class="cross" d="{cross}"/>' if hop.dropped else text_at("gone", x, end + 4, "?", anchor="middle")
        for column, at in ends if hop.sent is not None and source is not None and source is not target else ():
            if column is not None and column is not source:
                yield arrow(source.x if source else 0.0, y, column.x, max(at, y + 2), "shaft")
        yield "</g>"

    def _lost(self, hop: Hop) -> float | None:
        """Where its way ended: at the decision about it."""
        for row in self.axis.rows:
            if isinstance(row.part, Happening) and row.part.index in hop.decisions:
                return row.y
        return None

    def _between(self, source: Column | None, target: Column | None) -> float:
        if source is None or target is None:
            known = source or target
            return (self.columns.middle if known is None else (known.x + self.columns.middle) / 2) if known else 0.0
        return source.x + (target.x - source.x) * 0.56

    @staticmethod
    def _arrival(y: float) -> float:
        return y - 5

    def _row(self, row: Row) -> Iterator[str]:
        part = row.part
        if isinstance(part, Fold):
            yield from self._fold(row, part)
            return
        yield text_at("time", GUTTER - 14, row.y + 4, f"{(part.time - self.start) / 1e6:.3f}", anchor="end")
        if part.kind == "step":
            number = f"step {part.step}: "
            words = cut(number + part.text, self.columns.width - GUTTER - 10)
            wide = len(words) * LETTER + 16
            yield f'<rect class="step" x="{GUTTER - 8:.1f}" y="{row.y - 10:.1f}" width="{wide:.1f}" height="20" rx="4"/>'
            yield text_at("step-text", GUTTER, row.y + 4, words, told=part.told)
        elif part.kind == "packet":
            yield from self._label(part, row.y)
        elif part.kind == "decision":
            yield from self._decision(part, row.y)
        elif part.host in self.columns.by_name:
            yield from self._words(part, row.y, self.columns.by_name[part.host])
        else:
            yield text_at("says", GUTTER, row.y + 4, cut(part.text, self.columns.width - GUTTER - 10), told=part.told)

    def _fold(self, row: Row, part: Fold) -> Iterator[str]:
        yield text_at("time", GUTTER - 14, row.y + 4, f"{(part.inside[0].time - self.start) / 1e6:.3f}", anchor="end")
        words = cut(part.text, self.columns.width - GUTTER - 60)
        wide = len(words) * LETTER + 44
        x = max(self.columns.middle - wide / 2, GUTTER)
        yield f'<rect class="fold" x="{x:.1f}" y="{row.y - 10:.1f}" width="{wide:.1f}" height="20" rx="10"/>'
        yield f'<path class="sign" d="M{x + 13:.1f} {row.y - 4:.1f}l5 4l-5 4"/>'
        yield text_at("folded", x + 28, row.y + 4, words, told=part.text)

    def _label(self, part: Happening, y: float) -> Iterator[str]:
        hop = part.hop
        if hop is None:
            return
        source, target = self.columns.by_name.get(hop.source), self.columns.by_name.get(hop.target)
        if hop.sent is None and source is not None and target is not None and source is not target:
            x, right = self._between(source, target), target.x > source.x
            words = cut(part.text, abs(target.x - x) - 16)
            yield text_at("label", x, y - 9, words, told=part.told, anchor="" if right else "end")
            return
        if hop.sent is None or source is None or (target is source):
            column = source or target
            if column is not None:
                yield from self._words(part, y, column)
            return
        right = target is None or target.x > source.x
        room = abs((target.x if target else self.columns.middle) - source.x) - 24
        x = source.x + (13 if right else -13)
        yield text_at("label", x, y - 3.5, cut(part.text, room), told=part.told, anchor="" if right else "end")

    def _decision(self, part: Happening, y: float) -> Iterator[str]:
        """What was decided: beside the cross of what was dropped, else beside the line of life of who had sent it."""
        hop = part.hop
        source = self.columns.by_name.get(hop.source) if hop else None
        target = self.columns.by_name.get(hop.target) if hop else None
        x, right = self.columns.middle, True
        if source is not None and target is not None and source is not target:
            right = target.x > source.x
            x = source.x + (12 if right else -12)
            if part.tone == "bad" or (hop is not None and not hop.arrived):
                x, right = self._between(source, target) + 12, True
        words = cut(part.text, max(self.columns.width - x - 20 if right else x - GUTTER, 200))
        wide = len(words) * LETTER + 12
        left = x if right else x - wide
        yield f'<rect class="decided" x="{left:.1f}" y="{y - 9:.1f}" width="{wide:.1f}" height="18" rx="4"/>'
        yield text_at("decision", left + 6, y + 4, words, told=part.told)

    def _words(self, part: Happening, y: float, column: Column) -> Iterator[str]:
        """A host's own words beside its lanes: a call with its step's number, a state as a coloured label, an event."""
        x, room = column.text, column.width
        if part.kind == "state":
            name = f"{part.text} " if part.text else ""
            label = part.state
            wide = len(label) * LETTER + 12
            style = state_class(part.state)
            yield text_at("says mute", x, y + 4, cut(name, room - wide), told=part.told)
            at = x + len(cut(name, room - wide)) * LETTER + (4 if name else 0)
            yield f'<rect class="{style}" x="{at:.1f}" y="{y - 9:.1f}" width="{wide:.1f}" height="18" rx="9"/>'
            yield text_at(f"pill {style}", at + 6, y + 4, label, told=part.told)
            return
        style = {"call": "says call", "return": "says", "packet": "label"}.get(part.kind, "says mute")
        style += " bad" if part.tone == "bad" else ""
        style += " over" if column.side > 0 and column.x + column.width < self.columns.width - _TEXT_MARGIN else ""
        yield text_at(style, x, y + 4, cut_call(part.text, room) if part.kind == "call" else cut(part.text, room), told=part.told)


def depths(calls: Iterable[Happening]) -> tuple[tuple[Happening, int], ...]:
    """The calls, and how many of the same host were under way when each began."""
    under: dict[str, list[tuple[int, int | None]]] = {}
    found = []
    for call in calls:
        running = [one for one in under.get(call.host, []) if one[1] is None or one[1] > call.time]
        depth = next(at for at in range(len(running) + 1) if at not in [one[0] for one in running])
        under[call.host] = [*running, (depth, call.until)]
        found.append((call, depth))
    return tuple(found)
