"""What one end has sent of its stream: which ranges, and the bytes of the latest of them, to hold a retransmission against.

Ranges are kept whole, one for all that follows on. Bytes are kept of the latest MEMORY bytes seen; what is older is not compared.
It refuses to know who received any of it.
"""

from bisect import bisect_right

MEMORY = 1 << 20
"""Bytes of each direction of a connection that are kept."""


class Sent:
    """One direction's ranges [start, end), in unwrapped sequence numbers."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        # Chunks by their start. `_order` has them as they came, so that the oldest is forgotten first.
        self._chunks: dict[int, bytes] = {}
        self._order: list[int] = []
        self._keys: list[int] = []
        self._kept = self._oldest = 0

    def add(self, start: int, end: int) -> int:
        """A range was sent; gives how many of its bytes were sent before."""
        starts, ends = self._starts, self._ends
        if not ends or start > ends[-1]:
            starts.append(start)
            ends.append(end)
            return 0
        if start == ends[-1]:
            ends[-1] = end
            return 0
        first = bisect_right(ends, start - 1)
        last, known = first, 0
        low, high = start, end
        while last < len(starts) and starts[last] <= end:
            known += max(0, min(ends[last], end) - max(starts[last], start))
            low, high = min(low, starts[last]), max(high, ends[last])
            last += 1
        starts[first:last], ends[first:last] = [low], [high]
        return known

    @property
    def end(self) -> int | None:
        """Behind the highest number that was sent; None while nothing was."""
        return self._ends[-1] if self._ends else None

    def holes(self, start: int, end: int) -> list[tuple[int, int]]:
        """What of a range was never seen, between and around what was."""
        found, at = [], start
        for low, high in zip(self._starts, self._ends, strict=True):
            if low >= end:
                break
            if low > at:
                found.append((at, min(low, end)))
            at = max(at, high)
        return [*found, (at, end)] if at < end else found

    def keep(self, start: int, data: bytes) -> None:
        """Remember bytes that were sent for the first time."""
        if not data:
            return
        if start in self._chunks and len(self._chunks[start]) >= len(data):
            return
        if start not in self._chunks:
            if not self._keys or start > self._keys[-1]:
                self._keys.append(start)
            else:
                self._keys.insert(bisect_right(self._keys, start), start)
        self._kept += len(data) - len(self._chunks.get(start, b""))
        self._chunks[start] = data
        self._order.append(start)
        while self._kept > MEMORY:
            self._forget()

    def differs(self, start: int, data: bytes) -> int | None:
        """The first number at which bytes are not those that were sent before; None where all that is known of agree."""
        keys, end = self._keys, start + len(data)
        # A chunk that begins further back than the longest packet cannot reach here.
        at = bisect_right(keys, start - 65536)
        while at < len(keys) and keys[at] < end:
            known = self._chunks[keys[at]]
            low, high = max(start, keys[at]), min(end, keys[at] + len(known))
            if low < high and known[low - keys[at] : high - keys[at]] != data[low - start : high - start]:
                return next(number for number in range(low, high) if known[number - keys[at]] != data[number - start])
            at += 1
        return None

    def _forget(self) -> None:
        start = self._order[self._oldest]
        self._oldest += 1
        if self._oldest > 4096:
            del self._order[: self._oldest]
            self._oldest = 0
        data = self._chunks.pop(start, None)
        if data is not None:
            self._kept -= len(data)
            del self._keys[bisect_right(self._keys, start) - 1]
