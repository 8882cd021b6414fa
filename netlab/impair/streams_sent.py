"""Which bytes of one direction's stream have passed, how often each, and at which chance is asked, however the stream is cut.

Bytes count from 0. What matters is that a byte passes, not that it arrives: what is dropped here has passed. It knows no packets.
"""

from bisect import bisect_left, bisect_right
from operator import itemgetter

__all__ = ["StreamSent"]

_BUCKET = 1 << 17
_TURNS = 4096
_MOST_HOLES = 4096
_START = itemgetter(0)


class StreamSent:
    """What one direction of a connection has sent. ``high`` is the first byte that has not passed yet, ``acked`` the first that
    was not acknowledged by what has passed the other way."""

    __slots__ = ("_again", "_base", "_holes", "_turns", "acked", "high")

    def __init__(self) -> None:
        self.high = self.acked = 0
        self._base: int | None = None
        self._holes: list[tuple[int, int]] = []
        self._again: dict[int, list[tuple[int, int]]] = {}
        self._turns: list[int] = []

    def offset(self, number: int, relative: bool) -> int:
        """The byte that a sequence number means (32 bits, which wrap round): relative to the first byte, else to the first seen."""
        if not relative:
            if self._base is None:
                self._base = number
            number -= self._base
        return self.high + ((number - self.high + (1 << 31)) & 0xFFFFFFFF) - (1 << 31)

    def acknowledge(self, number: int, relative: bool) -> None:
        """An acknowledgement of all before this number passes."""
        if relative or self._base is not None:
            self.acked = max(self.acked, self.offset(number, relative))

    def send(self, start: int, end: int) -> bool:
        """These bytes pass; whether some of them are beyond all that have."""
        high = self.high
        if start >= high:
            if start > high:
                self._holes.append((high, start))
                if len(self._holes) > _MOST_HOLES:  # what is sent on several paths leaves one for each segment
                    del self._holes[: _MOST_HOLES // 2]
            self.high = end
            return True
        self._repeat(start, min(end, high))
        self.high = max(high, end)
        return end > high

    def sent(self, byte: int) -> int:
        """How often a byte has passed."""
        if byte >= self.high:
            return 0
        if self._holes:
            before = bisect_right(self._holes, byte, key=_START)
            if before and byte < self._holes[before - 1][1]:
                return 0
        if not self._again:
            return 1
        return 1 + sum(start <= byte < end for start, end in self._again.get(byte // _BUCKET, ()))

    def turn(self, byte: int) -> None:
        """With this byte the direction speaks after the other one did."""
        self._turns.append(byte)
        if len(self._turns) > _TURNS:
            del self._turns[: _TURNS // 2]

    def points(self, start: int, end: int, unit: int) -> list[int]:
        """The bytes among these at which chance is asked: each with which the direction began to speak, and all multiples of a full
        segment's size that are no nearer than that behind one of these.

        So a full segment has just one wherever it begins, whatever its neighbours: one or none where it is shorter.
        """
        turns = self._turns
        points = turns[bisect_left(turns, start) : bisect_left(turns, end)] if turns else []
        for fixed in range(-(-start // unit) * unit, end, unit):
            before = bisect_right(turns, fixed)
            if not before or fixed - turns[before - 1] >= unit:
                points.append(fixed)
        return points if len(points) < 2 else sorted(points)

    def _repeat(self, start: int, end: int) -> None:
        """Bytes below the highest pass: for the first time in holes, again elsewhere."""
        again = [(start, end)]
        left: list[tuple[int, int]] = []
        for low, high in self._holes:
            if high <= start or end <= low:
                left.append((low, high))
                continue
            left += [(a, b) for a, b in ((low, start), (end, high)) if a < b]
            again = [(a, b) for one, two in again for a, b in ((one, min(two, low)), (max(one, high), two)) if a < b]
        self._holes = left
        for a, b in again:
            for bucket in range(a // _BUCKET, (b - 1) // _BUCKET + 1):
                self._again.setdefault(bucket, []).append((a, b))
