"""The ladder of one scenario as a page's pieces, one below the other: drawings, folded runs that open, and where verdicts failed.

All drawings share one axis of time and one set of columns, so that they read as one picture. It does not judge.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from netlab.check.result import ScenarioResult
from netlab.check.verdicts import Verdict
from netlab.report.evidence import failing
from netlab.report.graph_cards import rectangle
from netlab.report.graph_style import icon
from netlab.report.html.drawing import Scene, depths
from netlab.report.html.folding import Fold, folded, is_marked
from netlab.report.html.happenings import Happenings, happenings_of
from netlab.report.html.hops import columns
from netlab.report.html.lanes import Lane, lanes_of
from netlab.report.html.placing import ROW, Columns, axis_of, columns_of
from netlab.report.html.shapes import safe, text_at
from netlab.timeline.observations import Packet, StepBegan
from netlab.timeline.streams import SeenPacket, describe, packets_of
from netlab.timeline.timeline import Timeline

__all__ = ["Ladder", "Piece", "ladder_of"]

_HOSTS = 16
_HEAD = 58.0
_OMITTED = '<p class="omitted">What is folded here is left out, so that this file stays below 2 MB; --json has it.</p>'


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A drawing; with ``inside``, one that opens and shows that; with ``failed``, the number of a verdict that failed here (from
    0) instead of both."""

    svg: str = ""
    inside: str = ""
    failed: int = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Ladder:
    """The pieces from top to bottom, the states that they show, and in words what they do not show."""

    pieces: tuple[Piece, ...]
    states: tuple[str, ...]
    left_out: tuple[str, ...]
    width: float

    @property
    def failed(self) -> tuple[int, ...]:
        """The numbers of the verdicts that are marked in it."""
        return tuple(piece.failed for piece in self.pieces if piece.failed >= 0)

    @property
    def size(self) -> int:
        """About how many bytes it has."""
        return sum(len(piece.svg) + len(piece.inside) for piece in self.pieces)


def ladder_of(result: ScenarioResult, room: int) -> Ladder | None:
    """The ladder of a scenario; None where nothing happened. What is folded takes ``room`` bytes at most, the rest is left out."""
    timeline = result.timeline
    marks: dict[int, list[int]] = {}
    for number, verdict in enumerate(result.verdicts):
        at = _where(verdict, timeline)
        if at is not None:
            marks.setdefault(at, []).append(number)
    happenings = happenings_of(timeline, marked=marks)
    if not happenings.shown:
        return None
    lanes, crowded = lanes_of(happenings)
    names = list(columns(timeline, happenings.hops.hops, _hosts(happenings)))
    shown = _shown(names, happenings)
    several = {name: 1 + max((lane.slot for lane in lanes if lane.host == name), default=-1) for name in shown}
    talking = {one.host for one in happenings.shown if one.kind != "packet"}
    places = columns_of(shown, several, talking)
    pieces = tuple(_pieces(happenings, places, lanes, marks, timeline, room))
    states = tuple(dict.fromkeys(span.state for lane in lanes for span in lane.spans if span.state))
    return Ladder(pieces=pieces, states=states, left_out=tuple(_left_out(happenings, names, crowded)), width=places.width)


def _where(verdict: Verdict, timeline: Timeline) -> int | None:
    """The observation at which a verdict failed; of a step that expects packets the one that is not as expected, if it is known."""
    at = failing(verdict, timeline)
    if at is None or not isinstance(timeline.observations[at], StepBegan):
        return at
    judged = {seen.index: describe(seen, timeline.nodes) for seen in _packets(verdict, timeline)}
    wrong = [index for mismatch in verdict.mismatches for index, told in judged.items() if told == mismatch.actual]
    return wrong[0] if wrong else at


def _packets(verdict: Verdict, timeline: Timeline) -> list[SeenPacket]:
    evidence = {index for index in verdict.evidence if isinstance(timeline.observations[index], Packet)}
    return [seen for seen in packets_of(timeline.observations) if seen.index in evidence] if evidence else []


def _hosts(happenings: Happenings) -> list[str]:
    return list(dict.fromkeys(one.host for one in happenings.shown if one.host))


def _shown(names: list[str], happenings: Happenings) -> list[str]:
    """So many hosts as there is room for, those that do something themselves first, in the order of all."""
    if len(names) <= _HOSTS:
        return names
    doing = {one.host for one in happenings.shown if one.kind != "packet"}
    first = sorted(names, key=lambda name: name not in doing)[:_HOSTS]
    return [name for name in names if name in first]


def _left_out(happenings: Happenings, names: list[str], crowded: int) -> Iterator[str]:
    if happenings.hops.housekeeping:
        yield f"{happenings.hops.housekeeping} packets of ARP, neighbour discovery and MLD"
    if len(names) > _HOSTS:
        yield f"{len(names) - _HOSTS} more nodes"
    if crowded:
        yield f"the lanes of {crowded} more sockets"


def _pieces(
    happenings: Happenings,
    places: Columns,
    lanes: Sequence[Lane],
    marks: Mapping[int, Sequence[int]],
    timeline: Timeline,
    room: int,
) -> Iterator[Piece]:
    parts = folded(happenings.shown, marks)
    calls = depths(one for one in happenings.shown if one.kind == "call")
    axis = axis_of(parts, top=_HEAD, end=happenings.end)
    scene = Scene(
        axis=axis,
        columns=places,
        lanes=lanes,
        calls=calls,
        marked=frozenset(marks),
        start=happenings.start,
        end=happenings.end,
    )
    yield Piece(svg=_head(places, timeline))
    top = _HEAD
    for row in axis.rows:
        low = row.y + ROW / 2
        if isinstance(row.part, Fold):
            high = row.y - ROW / 2
            if high > top:
                yield Piece(svg=scene.svg(top, high, "what happened, in the order of time"))
            inside = _inside(scene, row.part) if room > 0 else _OMITTED
            if len(inside) > room:
                room, inside = 0, _OMITTED
            room -= len(inside)
            yield Piece(svg=scene.svg(high, low, row.part.text), inside=inside)
            top = low
        elif is_marked(row.part, scene.marked):
            yield Piece(svg=scene.svg(top, low, "what happened until a verdict failed"))
            top = low
            for index in dict.fromkeys((row.part.index, *row.part.covers)):
                yield from (Piece(failed=number) for number in marks.get(index, ()))
    if axis.rows[-1].y > top:
        yield Piece(svg=scene.svg(top, axis.bottom, "what happened, in the order of time"))


def _inside(scene: Scene, fold: Fold) -> str:
    """What is folded, drawn in full between the same lines."""
    axis = axis_of(fold.inside)
    unfolded = replace(scene, axis=axis)
    return unfolded.svg(0.0, axis.bottom, f"unfolded: {fold.text}")


def _head(places: Columns, timeline: Timeline) -> str:
    """The hosts' names over their lines of life."""
    body = []
    for column in places.by_name.values():
        node = timeline.nodes.get(column.name)
        wide = max(len(column.name) * 8.6 + 52, 84.0)
        left = column.x - wide / 2
        body.append(f'<path class="life" d="M{column.x:.1f} 44V{_HEAD:g}"/>')
        addresses = "" if node is None else ", ".join(one for own in node.addresses.values() for one in own)
        body.append(f"<g><title>{safe(f'{column.name} {addresses}'.strip())}</title>")
        body.append(rectangle("box", left, 10, wide, 34, 8))
        body.append(icon(node.kind if node is not None else "host", left + 9, 17, 20))
        body.append(text_at("host", left + 37, 31.5, column.name) + "</g>")
    label = f"a ladder of {', '.join(places.by_name)}"
    return (
        f'<svg class="ladder" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {places.width:.0f} {_HEAD:g}" '
        f'width="{places.width:.0f}" height="{_HEAD:g}" role="img" aria-label="{safe(label)}">{"".join(body)}</svg>'
    )
