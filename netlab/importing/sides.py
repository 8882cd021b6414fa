"""What has come of one side of a captured connection so far: what it sent, what the other has not read, what became of its socket.

It refuses to know how that is written as steps.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from netlab.importing.segments import Connection, Segment


@dataclass(slots=True, eq=False)
class Side:
    """One side: its host in the lab, ``endpoint`` as patterns name it, whether a real stack plays it, its socket's name."""

    host: str
    endpoint: str
    real: bool
    socket: str
    opened: bool = False
    opening: str = ""
    closed: bool = False
    half_closed: bool = False
    sent: int = 0
    handed: int = 1
    ended: bool = False
    end_of_file: bool = False
    unread: bytes = b""
    unread_size: int = 0
    early: list[Segment] = field(default_factory=list)
    arrived: int = 1

    def take(self, segment: Segment) -> None:
        """A segment of the other side's: what is in order can be read, what came too early waits."""
        self.early.append(segment)
        moved = True
        while moved:
            moved = False
            for one in sorted(self.early, key=lambda each: each.seq):
                if one.seq <= self.arrived:
                    self.early.remove(one)
                    fresh = one.seq + one.length - self.arrived
                    if fresh > 0:
                        self.unread += one.headers.payload[one.length - fresh :]
                        self.unread_size += fresh
                        self.arrived += fresh
                        moved = True
                    self.end_of_file = self.end_of_file or ("F" in one.flags and one.seq + one.length == self.arrived)


def written_at_once(first: Segment) -> list[Segment]:
    """The segments that one write is likely to have made: full ones up to the first that is not, unless the other side spoke."""
    connection, from_client = first.connection, first.from_client
    size, found, reached = connection.payload_size(), list[Segment](), first.seq
    for one in connection.segments[connection.segments.index(first) :]:
        if one.from_client != from_client:
            if one.length:
                break
            continue
        if not one.length or one.seq > reached:
            break
        if one.seq + one.length <= reached:
            continue  # sent again
        found.append(one)
        reached = one.seq + one.length
        if one.length % size:
            break
    return found


def pieces(segment: Segment) -> Iterator[tuple[int, int]]:
    """Its bytes as segments of the size that the connection allows: where offloads were on, a capture has larger ones."""
    size = segment.connection.payload_size()
    for at in range(0, segment.length, size):
        yield segment.seq + at, min(size, segment.length - at)


def writes(connection: Connection, from_client: bool) -> int:
    """How many segments of this direction carry data."""
    return sum(one.length > 0 for one in connection.segments if one.from_client == from_client)
