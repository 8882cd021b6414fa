"""What is known of one end of a connection from what it has sent, and of what the other end let it send.

Numbers are unwrapped: they count from the SYN's (0; the first byte is 1), or from the first number seen, and never wrap. It
refuses to know the rules.
"""

from collections import deque
from dataclasses import dataclass, field

from netlab.model.wire.segment import Options, Segment, ahead
from netlab.model.wire.sent import Sent
from netlab.timeline.observations import Address

_SPACE = 1 << 32
SENSIBLE = 1 << 30
"""No window reaches further (RFC 7323 §2.2): a number that far off is no progress of a connection."""
_STEPS = 4


@dataclass(slots=True)
class Mark:
    """An instant at which an end sent something: what tells that a later segment of it was sent after that."""

    segment: Segment
    answered: int | None
    edge: int | None
    stamp: int | None
    told: bool = False


@dataclass(slots=True)
class Half:
    """One end. ``own``: its own interface was watched, so that what it sends is seen in the order of sending.

    ``next`` is behind the highest number that it sent, ``acked`` the highest number acknowledged to it, ``edge`` the right edge of
    the window that it was offered at most; None where that cannot be known. ``scale`` is the shift count of its own windows.
    """

    address: Address
    own: bool = False
    base: int | None = None
    synchronized: bool = False
    first: Segment | None = None
    syns: list[Segment] = field(default_factory=list)
    offered: Options | None = None
    scale: int | None = None
    next: int = 0
    believed: int = 0
    acked: int | None = None
    edge: int | None = None
    fin: int | None = None
    fin_after: int | None = None
    reset: Mark | None = None
    strange_syn: Mark | None = None
    sent: Sent = field(default_factory=Sent)
    data: int = 0
    segments: int = 0
    again: int = 0
    settled: int | None = None
    rounds: int = 0
    # Of what it acknowledges: the highest number, and of the segments with a lower one the furthest timestamp and window edge.
    acks: int | None = None
    stamp: int | None = None
    stamp_before: int | None = None
    offers: int | None = None
    offers_before: int | None = None
    stamp_most: int | None = None
    steps: deque[int] = field(default_factory=lambda: deque(maxlen=_STEPS))
    zero_stamp: bool = False
    window_zero: int = 0
    blind: bool = False

    def unwrapped(self, raw: int) -> int:
        """A number of this end's space as it counts here."""
        assert self.base is not None
        near = self.next
        return near + ahead(raw, (self.base + near) % _SPACE)

    def shown(self, number: int) -> int:
        """A number as Wireshark shows it: counted from the SYN where that was seen, else as it stands in the segment."""
        return number if self.synchronized else ((self.base or 0) + number) % _SPACE

    @property
    def reached(self) -> int:
        """Behind the highest number that it must have sent, by its own segments or by an acknowledgement that may be believed."""
        return max(self.next, self.believed)

    def note_ack(self, segment: Segment) -> None:
        """Fold in what a segment acknowledges, and when it was sent by its timestamp, in the order of the acknowledgements.

        An acknowledgement never goes back at its sender: of two segments the one with the higher number was sent later.
        """
        ack, stamp = segment.ack, segment.stamps[0] if segment.stamps else None
        if ack is None:
            return
        if self.acks is None or ack > self.acks:
            self.stamp_before = later(self.stamp_before, self.stamp)
            self.acks, self.stamp = ack, stamp
            if self.offers is not None:
                self.offers_before = self.offers if self.offers_before is None else max(self.offers_before, self.offers)
            self.offers = None
        elif ack == self.acks:
            self.stamp = later(self.stamp, stamp)

    def mark(self, segment: Segment, peer: "Half") -> Mark:
        """This instant, at which the end sent a segment."""
        return Mark(
            segment=segment,
            answered=peer.reached if peer.segments else None,
            edge=self.edge,
            stamp=segment.stamps[0] if segment.stamps else None,
        )

    def is_after(self, mark: Mark, segment: Segment) -> bool:
        """Whether it is certain that this end sent a segment after a mark, however segments overtook each other on their way."""
        if self.own:
            return True
        if segment.ack is not None and mark.answered is not None and segment.ack > mark.answered:
            return True
        if segment.length and mark.edge is not None and segment.end > mark.edge:
            return True
        return bool(segment.stamps and mark.stamp is not None and ahead(segment.stamps[0], mark.stamp) > 0)


def later(one: int | None, other: int | None) -> int | None:
    """The later of two timestamps."""
    if one is None or other is None:
        return one if other is None else other
    return one if ahead(one, other) >= 0 else other
