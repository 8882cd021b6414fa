"""Which TCP segments came for a connection, and which of them can have changed its state. Pure: packets as a node's interfaces saw
them; whether a segment was right is not asked.

A segment is stamped before TCP looks at it: what caused a change has come before it.
"""

from bisect import bisect_right
from collections.abc import Iterable

from netlab.timeline.headers import Headers, decode
from netlab.timeline.observations import Address, AnyObservation, Packet

_SPACE = 1 << 32
Ends = tuple[str, Address, Address]
"""A node, its own address and port, and the other side's."""


class Arrivals:
    """The segments that came in, by connection. The packets are read when first asked."""

    def __init__(self, observations: Iterable[AnyObservation]) -> None:
        """``observations`` are in the order of time."""
        self._observations = observations
        self._segments: dict[Ends, list[tuple[int, Headers]]] | None = None

    def did_both(self, ends: Ends, first: int, second: int) -> bool:
        """Whether one segment brought both changes, at ``first`` the acknowledgement of our FIN, at ``second`` the peer's FIN.

        That is so where nothing came in between, and the first segment with the latest acknowledgement carries a FIN. False where
        it cannot be told, because no packets were seen.
        """
        before = self._until(ends, first)
        if not before or self._until(ends, second) != before:
            return False
        latest = before[-1].ack
        return "F" in next(one.flags for one in before if one.ack == latest)

    def returned_to_listen(self, ends: Ends, since: int, until: int) -> bool:
        """Whether a half-open connection of a listener, begun at ``since``, ended at ``until`` by a RST at RCV.NXT exactly, or by
        another SYN than its own (RFC 9293 §3.10.7.4, second and fourth check)."""
        opened = self._until(ends, since)
        came = self._until(ends, until)
        if not opened or "S" not in opened[-1].flags or len(came) == len(opened):
            return False
        initial, last = opened[-1].seq, came[-1]
        assert initial is not None
        if last.seq is None or "R" not in last.flags:
            return "S" in last.flags and last.seq != initial
        # What a SYN carries is received with TCP Fast Open only.
        return (last.seq - initial) % _SPACE in (1, 1 + opened[-1].length)

    def reopened(self, ends: Ends, ended: int, began: int) -> bool:
        """Whether the SYN that made a half-open connection at ``began`` had come before TIME-WAIT was over at ``ended``."""
        before = self._until(ends, ended)
        return bool(before) and "S" in before[-1].flags and self._until(ends, began) == before

    def _until(self, ends: Ends, time: int) -> list[Headers]:
        if self._segments is None:
            self._segments = self._read()
        came = self._segments.get(ends, [])
        return [headers for _, headers in came[: bisect_right(came, time, key=lambda one: one[0])]]

    def _read(self) -> dict[Ends, list[tuple[int, Headers]]]:
        found: dict[Ends, list[tuple[int, Headers]]] = {}
        for seen in self._observations:
            if not isinstance(seen, Packet) or seen.direction != "in":
                continue
            headers = decode(seen.data)
            if headers.protocol == "tcp" and headers.sport is not None and headers.dport is not None and headers.seq is not None:
                ends = (seen.host, (headers.target, headers.dport), (headers.source, headers.sport))
                found.setdefault(ends, []).append((seen.time, headers))
        return found
