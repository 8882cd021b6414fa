"""When each packet of a link leaves it: the arithmetic of delay, jitter, rate and queue, and the list of what is to leave when.
Pure: it reads no clock and sends nothing.

Quantities mean what they mean to netem (tc-netem(8), net/sched/sch_netem.c), so that the wire and the kernel do the same:

- ``jitter`` is uniform, and lets packets overtake each other where it is longer than the gaps between them.
- ``rate`` counts frames with their Ethernet header; a packet is transmitted when its delay is over and the packet before it has
  been transmitted.
- ``limit`` counts packets that wait, those delayed included: one that finds so many is dropped (1000 where it is not said).
"""

import heapq
from typing import Generic, TypeVar

from netlab.impair.ruling import draw
from netlab.topology.spec import Shape

__all__ = ["LIMIT", "Line", "Schedule"]

LIMIT = 1000
"""Packets that may wait where a shape does not say: netem's own."""
_SECOND = 1_000_000_000
_Item = TypeVar("_Item")


class Line:
    """One direction of a link with quantities: what it still transmits, and how much waits for it.

    The jitter of the nth packet is drawn from the shape's seed, or ``seed`` (the run's) where it has none: the same in every run.
    """

    def __init__(self, shape: Shape, *, seed: int = 0, link: str = "", direction: str = "") -> None:
        self.shape = shape
        self.dropped = 0
        self._seed = seed if shape.seed is None else shape.seed
        self._link, self._direction = link, direction
        self._limit = shape.limit or LIMIT
        self._passed = 0
        self._free = self._latest = 0
        self._departures: list[int] = []

    @property
    def limit(self) -> int:
        """How many packets may wait."""
        return self._limit

    @property
    def at_once(self) -> bool:
        """Whether it neither delays nor queues packets."""
        return not (self.shape.delay.ns or self.shape.jitter.ns or self.shape.rate)

    def departure(self, at: int, size: int, *, extra: int = 0, overtakes: bool = False) -> int | None:
        """When a frame of ``size`` bytes that came at the time ``at`` (ns) leaves; None: the queue was full, it is dropped.

        ``extra`` is further delay of this one frame, in ns. One that ``overtakes`` is not delayed, and waits for none before it.
        """
        waiting = self._departures
        while waiting and waiting[0] <= at:
            heapq.heappop(waiting)
        if len(waiting) >= self._limit:
            self.dropped += 1
            return None
        number, self._passed = self._passed, self._passed + 1
        leaves = at + extra
        if not overtakes:
            leaves += self._delay(number)
            if not self.shape.jitter.ns and not extra:
                leaves = self._latest = max(leaves, self._latest)  # stamps of neighbours may differ in the wrong sense
            if self.shape.rate:
                leaves = self._free = max(leaves, self._free) + size * 8 * _SECOND // self.shape.rate
        heapq.heappush(waiting, leaves)
        return leaves

    def _delay(self, number: int) -> int:
        delay, jitter = self.shape.delay.ns, self.shape.jitter.ns
        if jitter:
            share = draw(self._seed, self._link, self._direction, 0, str(number), "jitter")
            delay += round((2 * share - 1) * jitter)
        return max(0, delay)


class Schedule(Generic[_Item]):
    """What is to be done when. Things of the same time keep the order in which they were put in."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, _Item]] = []
        self._count = 0

    def __len__(self) -> int:
        return len(self._heap)

    def put(self, at: int, item: _Item) -> None:
        """Note something for a time (ns)."""
        self._count += 1
        heapq.heappush(self._heap, (at, self._count, item))

    @property
    def next(self) -> int | None:
        """The time of the earliest; None where there is none."""
        return self._heap[0][0] if self._heap else None

    def due(self, now: int) -> list[_Item]:
        """Take out all whose time has come, the earliest first."""
        found = []
        while self._heap and self._heap[0][0] <= now:
            found.append(heapq.heappop(self._heap)[2])
        return found
