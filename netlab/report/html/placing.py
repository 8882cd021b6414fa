"""Where on a ladder everything stands: a column a host, a row for each thing that is said, and one axis of time down the page.

Between two rows the axis is even; a long time takes more room than a short one, though not in proportion: microseconds and
seconds stand on one page. It does not know how anything is drawn.
"""

import math
from bisect import bisect_right
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from netlab.report.html.folding import Fold, Part

__all__ = ["Axis", "Column", "Columns", "Row", "axis_of", "columns_of"]

ROW = 24.0
_TOP = 8.0
GUTTER = 88.0
LANE = 17.0
_TEXT = 272.0
_ALONE = 640.0
_WIRES = {2: 392.0, 3: 310.0}
_SHORTEST = 256.0
_LANES = 6
_BEYOND = 80.0
_PAUSE = 5_000_000
"""From so many ns on, a time in which nothing happens takes room of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A part of the ladder with its middle and the time before it in which nothing happened (ns), where that is shown."""

    part: Part
    y: float
    pause: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """The rows from ``top`` to ``bottom``, and where any time stands."""

    rows: tuple[Row, ...]
    top: float
    bottom: float
    _times: tuple[int, ...]
    _places: tuple[float, ...]

    def y(self, time: int) -> float:
        """Where a time stands, in between the rows around it; one before the first or after the last is out of sight."""
        at = bisect_right(self._times, time)
        if at == 0:
            return self.top - _BEYOND
        if at == len(self._times):
            return self.bottom + _BEYOND if time > self._times[-1] else self._places[-1]
        before, after = self._times[at - 1], self._times[at]
        share = (time - before) / (after - before)
        return self._places[at - 1] + share * (self._places[at] - self._places[at - 1])


def axis_of(parts: Iterable[Part], *, top: float = 0.0, end: int | None = None) -> Axis:
    """Place the rows one below the other; ``end`` is the last time (ns) that is to be on the axis."""
    rows: list[Row] = []
    anchors: list[tuple[int, float]] = []
    y, last = top + _TOP, None
    for part in parts:
        first, until = _times(part)
        pause = 0 if last is None else first - last
        room = _room(pause)
        y += room
        middle = y + ROW / 2
        rows.append(Row(part=part, y=middle, pause=pause if room else 0))
        if isinstance(part, Fold):
            anchors += [(first, middle - ROW / 4), (until, middle + ROW / 4)]
        else:
            anchors.append((first, middle))
        y += ROW
        last = until
    if end is not None and anchors and end > max(time for time, _ in anchors):
        anchors.append((end, y + _TOP - 2))
    times, places = _increasing(anchors)
    return Axis(rows=tuple(rows), top=top, bottom=y + _TOP, _times=times, _places=places)


def _times(part: Part) -> tuple[int, int]:
    return (part.inside[0].time, part.inside[-1].time) if isinstance(part, Fold) else (part.time, part.time)


def _room(pause: int) -> float:
    """More for ten times as long, not ten times as much."""
    return 0.0 if pause < _PAUSE else min(14.0 * math.log10(pause / _PAUSE * 10), 46.0)


def _increasing(anchors: Sequence[tuple[int, float]]) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """The anchors, of several at one time the last."""
    kept: dict[int, float] = {}
    for time, place in anchors:
        kept[time] = place
    ordered = sorted(kept.items())
    return tuple(time for time, _ in ordered), tuple(place for _, place in ordered)


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A host: where its line of life is, on which side of it lanes and words stand (-1 left, 1 right), and their places."""

    name: str
    x: float
    side: int
    lanes: int
    text: float
    width: float

    def lane(self, slot: int) -> float:
        """The middle of a lane."""
        return self.x + self.side * (18 + LANE * slot + LANE / 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """All columns from left to right, and the width of the whole."""

    by_name: Mapping[str, Column]
    width: float

    @property
    def middle(self) -> float:
        """The middle between the first and the last line of life."""
        xs = [column.x for column in self.by_name.values()]
        return (min(xs) + max(xs)) / 2 if xs else self.width / 2


def columns_of(names: Sequence[str], lanes: Mapping[str, int], talking: Collection[str]) -> Columns:
    """The columns of these hosts, with so many lanes each: the first has its words on the left, all others on the right.

    Those that are ``talking`` have words of their own, for which the wire on their right has to be longer.
    """
    found: dict[str, Column] = {}
    wire = _WIRES.get(len(names), _SHORTEST)
    x = GUTTER
    for at, name in enumerate(names):
        several = min(lanes.get(name, 0), _LANES)
        wide = 18 + LANE * several + 8
        last = at == len(names) - 1
        if at == 0 and not last:
            life = x + _TEXT + wide
            found[name] = Column(name=name, x=life, side=-1, lanes=several, text=x, width=_TEXT)
            x = life + wire
            continue
        width = _TEXT if not last else _ALONE if at == 0 else _TEXT + 20
        life = x + (12 if at == 0 else 0)
        found[name] = Column(name=name, x=life, side=1, lanes=several, text=life + wide, width=width)
        x = life + (wide + width if last or name in talking else wire)
    return Columns(by_name=found, width=max(x, GUTTER + _ALONE) + 8)
