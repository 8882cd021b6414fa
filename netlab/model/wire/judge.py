"""What each TCP connection in a stream of packets at one place did, and where a sender broke the rules.

All that is known is what passed there, in the order in which it did. Segments may have been lost, delayed, doubled or overtaken by
others before that place and behind it: nobody is blamed for what any of this explains. It refuses to know how packets are captured.
"""

from collections.abc import Collection, Iterable, Iterator

from netlab.model.wire.connection import Live
from netlab.model.wire.found import Connection, Finding, Undecided
from netlab.model.wire.half import Half
from netlab.model.wire.rules import RULES
from netlab.model.wire.segment import Segment, ahead, checksum_wrong, segment_of
from netlab.model.wire.states import states
from netlab.model.wire.story import name, story
from netlab.timeline.observations import Address, Packet

__all__ = ["Connection", "Finding", "follow"]

_Key = tuple[str, int, str, int]


def follow(packets: Iterable[Packet], *, own: Collection[str] = (), complete: bool = False, dropped: int = 0) -> list[Connection]:
    """The connections among the packets, in the order of their first segment.

    ``own`` are addresses whose segments are seen where they are sent, in the order of sending; ``complete`` says that all that came
    there was seen too. ``dropped`` is how many packets the capture is known to have lost.
    """
    fold = _Fold(frozenset(own), complete and not dropped, dropped)
    for index, packet in enumerate(packets):
        segment = segment_of(index, packet)
        if segment is not None:
            fold.feed(segment)
    return fold.finished()


class _Fold:
    """All connections, by their ends; the latest of each pair of ends is the one that goes on."""

    def __init__(self, own: frozenset[str], complete: bool, dropped: int) -> None:
        self._own, self._complete, self._dropped = own, complete, dropped
        self._all: list[Live] = []
        self._latest: dict[_Key, tuple[Live, int]] = {}
        self._reopening: dict[_Key, list[Segment]] = {}
        self._wrong: dict[str, list[tuple[Live, int, Segment]]] = {}
        self._right: dict[str, int] = {}

    def feed(self, segment: Segment) -> None:
        """Give a segment to its connection."""
        headers = segment.headers
        assert headers.sport is not None
        assert headers.dport is not None
        key = headers.source, headers.sport, headers.target, headers.dport
        if key[:2] == key[2:]:
            return  # A socket connected to itself: both ends are one, and nothing tells who speaks.
        found = self._latest.get(key)
        if checksum_wrong(segment):
            live, number = found or self._begin(key)
            self._wrong.setdefault(headers.source, []).append((live, number, segment))
            if live.first < 0:
                live.first = live.last = segment.index
            return
        self._right[headers.source] = self._right.get(headers.source, 0) + 1
        if found is None:
            found = self._begin(key)
        elif segment.syn and not segment.rst and self._is_other(found, segment):
            if not found[0].over:
                self._reopening[key] = [*self._reopening.get(key, ())[-3:], segment]
                found[0].feed(segment, found[1])
                return
            found = self._begin(key)
        elif self._reopening:
            found = self._adopted(key, segment) or found
        if found[0].is_another(segment, found[1]):
            found = self._begin(key)
        live, number = _of_before(found, segment)
        live.feed(segment, number)

    def _begin(self, key: _Key) -> tuple[Live, int]:
        ends: tuple[Address, Address] = (key[0], key[1]), (key[2], key[3])
        one, other = (Half(address=end, own=end[0] in self._own) for end in ends)
        before = self._latest.get(key)
        live = Live(one, other, self._complete, before[0] if before is not None else None)
        self._all.append(live)
        if live.before is not None:
            live.before.before = None
        self._latest[key] = live, 0
        self._latest[key[2], key[3], key[0], key[1]] = live, 1
        return live, 0

    @staticmethod
    def _is_other(found: tuple[Live, int], segment: Segment) -> bool:
        """Whether a SYN has another number than the connection's, so that it may open a new one."""
        live, number = found
        me, peer = live.halves[number], live.halves[1 - number]
        if me.base is None or (me.synchronized and segment.raw_seq == me.base):
            return False
        if not me.synchronized and segment.raw_seq == (me.base - 1) % (1 << 32):
            return False
        if not segment.has_ack:
            return True
        # A SYN-ACK opens nothing: it answers a SYN, or it may be old.
        return live.over and bool(me.segments) and not (peer.synchronized and not me.synchronized) and not peer.syns

    def _adopted(self, key: _Key, segment: Segment) -> tuple[Live, int] | None:
        """The new connection of a SYN within one, once the other end goes along with it."""
        other = key[2], key[3], key[0], key[1]
        pending = self._reopening.get(other)
        if not pending or not segment.has_ack or not (segment.syn or segment.rst):
            return None
        for syn in pending:
            if 1 <= ahead(segment.raw_ack, syn.raw_seq) <= 1 + syn.length:
                del self._reopening[other]
                before = self._latest[other][0].halves[self._latest[other][1]]
                before.strange_syn = None
                live, _ = self._begin(other)
                live.feed(syn, 0)
                return live, 1
        return None

    def finished(self) -> list[Connection]:
        """All of them, as values."""
        left = self._checksums()
        return [self._finished(live, left) for live in self._all]

    def _checksums(self) -> set[str]:
        """Tell of wrong checksums; gives the senders whose checksums are all wrong, and so made by a device behind this place."""
        left = set()
        for sender, found in self._wrong.items():
            if len(found) > 2 and not self._right.get(sender):
                left.add(sender)
                continue
            for live, number, segment in found:
                live.breach(
                    "checksum", segment, "its checksum is wrong: it was changed on its way, or made wrong", live.halves[number]
                )
        return left

    def _finished(self, live: Live, left: set[str]) -> Connection:
        breaches = live.finish()
        undecided = list(self._unseen(live))
        if self._dropped and breaches:
            undecided.append(Undecided(says=f"the capture lost {self._dropped} packets"))
        unsure, findings = bool(undecided), []
        undecided += [
            Undecided(says=f"{name(one.me.address)}: {one.says}, unless the capture missed why", index=one.segment.index)
            for one in live.doubts
        ]
        for breach in breaches:
            rule = RULES[f"wire.{breach.rule}"]
            if unsure and rule.rests_on_absence:
                told = f"{rule.id}: {name(breach.me.address)}: {breach.says}, unless the capture missed why"
                undecided.append(Undecided(says=told, index=breach.segment.index))
                continue
            findings.append(
                Finding(
                    rule=rule,
                    index=breach.segment.index,
                    sender=breach.me.address,
                    says=breach.says,
                    also=breach.also.index if breach.also is not None else -1,
                    more=live.untold(breach),
                )
            )
        one, other = live.halves
        notes = [
            f"the checksums of {sender} are left to a device, and were not judged"
            for sender in sorted(left & {one.address[0], other.address[0]})
        ]
        if live.cut:
            notes.append(f"{live.cut} of its segments are cut short in the capture: their checksums and payloads were not judged")
        return Connection(
            ends=(one.address, other.address),
            first=live.first,
            last=live.last,
            segments=one.segments + other.segments,
            story=tuple(story(live)),
            states=(states(one, other), states(other, one)),
            findings=tuple(sorted(findings, key=lambda finding: finding.index)),
            undecided=tuple(undecided),
            notes=tuple(notes),
        )

    @staticmethod
    def _unseen(live: Live) -> Iterator[Undecided]:
        """What of a connection the capture missed, as the rest of it shows."""
        missed = live.missed()
        for me, lost in missed:
            first = next((claim.mark.segment.index for claim in live.claims.open if claim.peer is me), -1)
            says = f"the capture missed {lost} bytes that {name(me.address)} sent, which the other end acknowledged"
            yield Undecided(says=says, index=first)
        if not missed:
            for claim in live.claims.open:
                yield Undecided(says=f"{claim.says}: the capture missed that", index=claim.mark.segment.index)


def _of_before(found: tuple[Live, int], segment: Segment) -> tuple[Live, int]:
    """Whose a segment is, if its sender has not gone along with a new SYN: in TIME-WAIT it may answer for the connection before."""
    live, number = found
    me, peer, before = live.halves[number], live.halves[1 - number], live.before
    if before is None or me.syns or segment.syn or not peer.synchronized:
        return found
    refuses = segment.rst and 1 <= ahead(segment.raw_ack, peer.base or 0) <= 1 + peer.next
    return found if refuses else (before, 0 if before.halves[0].address == me.address else 1)
