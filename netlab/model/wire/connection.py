"""One connection as it is followed: a segment is held against the rules, then folded in.

It refuses to know which segments are of this connection, and what is told of it in the end.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Self

from netlab.model.wire import opening
from netlab.model.wire.checks import ALL, CARRYING, OPENING, RESETTING, SELECTIVE, Guard, Step, goes_on
from netlab.model.wire.claims import Claims
from netlab.model.wire.half import SENSIBLE, Half, later
from netlab.model.wire.segment import Segment, ahead, left_to_device

_TOLD = 3
_FAR = 1 << 26
_ROUNDS = 4
_DOUBTFUL = frozenset({"beyond-window", "data-too-early"})
"""Rules that seem to be broken where the capture missed no more than an acknowledgement without data, which nothing else shows."""
_LONGEST_FRAME = 1522  # of a link with an MTU of 1500, two VLAN tags included


class Breach(NamedTuple):
    """A rule's name without "wire.", the segment, what it did in words, who sent it, and another segment that shows it."""

    rule: str
    segment: Segment
    says: str
    me: Half
    also: Segment | None = None


class Live:
    """A connection of two ends, the first of which is who spoke first. ``before`` is the one that its SYN came after, if any."""

    def __init__(self, one: Half, other: Half, complete: bool, before: Self | None = None) -> None:
        self.halves = one, other
        self.before = before
        self.complete = complete
        self.agreed = opening.Agreed()
        self.claims = Claims()
        self.breaches: list[Breach] = []
        self.doubts: list[Breach] = []
        self.more: dict[tuple[str, int], int] = {}
        self.first = self.last = -1
        self.cut = 0
        self._over: dict[int, list[Segment]] = {0: [], 1: []}
        self._largest = [0, 0]
        self._devices = [False, False]

    @property
    def over(self) -> bool:
        """Whether it has ended, as far as can be seen: a new SYN begins another one."""
        one, other = self.halves
        reset = one.reset is not None or other.reset is not None
        return reset or (one.fin is not None and other.fin is not None) or not (one.segments and other.segments)

    def breach(self, rule: str, segment: Segment, says: str, me: Half, also: Segment | None = None) -> None:
        """Note a breach; of many of one rule and sender the first few."""
        key = rule, 0 if me is self.halves[0] else 1
        self.more[key] = self.more.get(key, 0) + 1
        if self.more[key] <= _TOLD:
            self.breaches.append(Breach(rule, segment, says, me, also))

    def feed(self, segment: Segment, number: int) -> None:
        """Fold in a segment that end ``number`` sent."""
        me, peer = self.halves[number], self.halves[1 - number]
        if self.first < 0:
            self.first = segment.index
        self.last = segment.index
        self.cut += segment.cut
        if segment.headers.malformed and not segment.cut:
            self.breach("malformed", segment, f"its header makes no sense: {segment.headers.malformed}", me)
        if segment.syn and segment.rst:
            self.breach("flags", segment, "it has SYN and RST, of which only one can be meant", me)
            return
        if segment.syn:
            self._number_syn(segment, me, peer)
        elif me.base is None:
            me.base = segment.raw_seq
        if me.first is None:
            me.first = segment
        segment.seq = me.unwrapped(segment.raw_seq)
        segment.end = segment.seq + segment.length + segment.syn
        if segment.has_ack:
            if peer.base is None:
                peer.base = segment.raw_ack
            segment.ack = peer.unwrapped(segment.raw_ack)
        step = Step(segment, me, peer, self.agreed, self.complete)
        if segment.rst:
            self._hold(RESETTING, step)
            self._reset(step)
        elif segment.syn and segment.seq != 0:
            self._strange_syn(step)
        else:
            self._judge(step)
            self._fold(step, number)
        me.segments += 1

    def _hold(self, guards: Iterable[tuple[str, Guard]], step: Step) -> None:
        for rule, guard in guards:
            if says := guard(step):
                if rule in _DOUBTFUL and not step.watched:
                    if sum(one.rule == rule and one.me is step.me for one in self.doubts) < _TOLD:
                        self.doubts.append(Breach(rule, step.segment, says, step.me))
                else:
                    self.breach(rule, step.segment, says, step.me)

    def _judge(self, step: Step) -> None:
        segment = step.segment
        if segment.syn:
            self._hold(OPENING, step)
        else:
            self._hold(ALL, step)
            self._aftermath(step)
            if segment.options.blocks:
                self._hold(SELECTIVE, step)
            if segment.length:
                self._hold(CARRYING, step)
        for rule, which, says in self.claims.acknowledged(step):
            self.breach(rule, which, says, step.me)

    def _aftermath(self, step: Step) -> None:
        """Hold a segment against a SYN or an RST of the same end that does not go with it: those are at fault, then."""
        me = step.me
        if me.strange_syn is not None and goes_on(step, me.strange_syn):
            me.strange_syn.told = True
            says = f"it sent SYN with number {me.strange_syn.segment.raw_seq} in the connection, and went on with that"
            self.breach("syn-inside", me.strange_syn.segment, says, me, step.segment)
        if me.reset is not None and goes_on(step, me.reset):
            me.reset.told = True
            self.breach("after-reset", me.reset.segment, "it reset the connection, and went on with it", me, step.segment)

    def _number_syn(self, segment: Segment, me: Half, peer: Half) -> None:
        if me.base is None or (segment.has_ack and me.synchronized and not me.acked and not me.data and not me.fin):
            # Another SYN-ACK for the same SYN may have another number: one of SYN cookies, a minute later.
            me.base, me.synchronized = segment.raw_seq, True
        elif not me.synchronized and segment.raw_seq == (me.base - 1) % (1 << 32) and not me.data:
            # Seen after an acknowledgement of it: what was counted from the first byte counts from the SYN now.
            me.base, me.synchronized, me.next, me.believed = segment.raw_seq, True, me.next + 1, me.believed + 1
            me.acked = None if me.acked is None else me.acked + 1
            me.blind, me.edge = True, None
            peer.acks, peer.offers, peer.offers_before = None if peer.acks is None else peer.acks + 1, None, None

    def _reset(self, step: Step) -> None:
        segment, me, peer = step.segment, step.me, step.peer
        # Before it is established an end may answer something old with a reset, and stay (RFC 9293 §3.10.7.3, §3.10.7.4).
        opened = me.data or me.fin is not None or (me.acks or 0) > 1 or not me.syns
        if me.reset is None and (opened or (peer.syns and not me.synchronized)):
            me.reset = me.mark(segment, peer)

    def _strange_syn(self, step: Step) -> None:
        segment, me, peer = step.segment, step.me, step.peer
        # In the connection's own numbers, or watched where it left; any other may be old, and late.
        if me.strange_syn is None and (me.own or (segment.has_ack and segment.seq == me.next and segment.length)):
            me.strange_syn = me.mark(segment, peer)
        if segment.length and segment.seq == me.next:
            self._send(me, segment.seq, segment.seq + segment.length, segment.payload)

    def _fold(self, step: Step, number: int) -> None:
        segment, me, peer = step.segment, step.me, step.peer
        if segment.syn:
            opening.offer(me, peer, segment, self.agreed)
        self._stamp(me, segment)
        if segment.ack is not None:
            me.note_ack(segment)
            self._offer_window(segment, me, peer)
            if segment.ack <= peer.reached and (peer.acked is None or segment.ack > peer.acked):
                peer.acked = segment.ack
                if peer.settled is None and peer.segments and 0 < segment.ack == peer.next:
                    # What was on its way when the capture began may end at any hole: a few times all was acknowledged.
                    peer.rounds += 1
                    peer.settled = segment.ack if peer.rounds >= _ROUNDS else None
        elif segment.syn and not peer.blind:
            peer.edge = max(peer.edge or 0, 1 + segment.window)
        if segment.length:
            self._size(step, number)
        if segment.syn:
            self._send(me, 0, segment.end, b"")
            me.sent.keep(1, segment.payload)
            me.data = max(me.data, segment.length)
        elif segment.length:
            self._send(me, segment.seq, segment.end, segment.payload)
        if segment.fin and (me.fin is None):
            me.fin, me.fin_after = segment.end, segment.ack
            me.sent.add(segment.end, segment.end + 1)
            me.next = max(me.next, segment.end + 1)
        elif not segment.length and me.next < segment.seq < me.next + SENSIBLE and not me.synchronized:
            me.next = segment.seq

    def _stamp(self, me: Half, segment: Segment) -> None:
        if segment.stamps is None:
            return
        stamp = segment.stamps[0]
        me.stamp_most = later(me.stamp_most, stamp)
        me.zero_stamp = me.zero_stamp or not stamp
        if segment.length and segment.seq == me.next and (not me.steps or later(me.steps[-1], stamp) != me.steps[-1]):
            me.steps.append(stamp)

    def _offer_window(self, segment: Segment, me: Half, peer: Half) -> None:
        assert segment.ack is not None
        if segment.syn:
            edge = segment.ack + segment.window
        elif me.scale is None:
            peer.blind, peer.edge = True, None
            return
        else:
            edge = segment.ack + (segment.window << me.scale)
            if not segment.window:
                me.window_zero += 1
        if not peer.blind:
            peer.edge = edge if peer.edge is None else max(peer.edge, edge)
        if segment.ack == me.acks and not segment.syn:
            me.offers = edge if me.offers is None else max(me.offers, edge)

    def _send(self, me: Half, start: int, end: int, payload: bytes) -> None:
        if end >= me.next + SENSIBLE or (me.edge is not None and start > me.edge and start > me.next):
            return  # nobody takes it (RFC 9293 §3.4): it is no progress of the stream
        known = me.sent.add(start, end)
        keep_alive = end - start <= 1 and start == me.next - 1
        if known and not keep_alive:
            me.again += 1
        if not known or (known < end - start and not keep_alive):
            me.sent.keep(start, payload)
        me.next = max(me.next, end)
        me.data = max(me.data, 0) + (end - start - known if start > 0 or not me.synchronized else 0)

    def _size(self, step: Step, number: int) -> None:
        segment, peer = step.segment, step.peer
        self._largest[number] = max(self._largest[number], segment.packet.length)
        most = opening.most_payload(peer, segment.headers.version)
        if most is None or segment.syn or segment.length + segment.options.size <= most:
            return
        if not segment.packet.checksum_valid or left_to_device(segment):
            self._devices[number] = True
        self._over[number].append(segment)

    def is_another(self, segment: Segment, number: int) -> bool:
        """Whether both numbers of a segment are so far off that it is of another connection, whose SYN the capture missed."""
        me, peer = self.halves[number], self.halves[1 - number]
        if self.complete or me.base is None or peer.base is None or not segment.has_ack or segment.syn or segment.rst:
            return False
        return (
            abs(ahead(segment.raw_seq, me.base + me.reached)) > _FAR
            and abs(ahead(segment.raw_ack, peer.base + peer.reached)) > _FAR
        )

    def finish(self) -> list[Breach]:
        """At the end: every breach that is told of. Data beyond the window and beyond the FIN had no place anywhere."""
        for claim in self.claims.finish():
            self.breach(claim.rule, claim.mark.segment, f"{claim.says}, whose FIN came before that", claim.me)
        for doubt in [*self.doubts]:
            if doubt.rule == "beyond-window" and doubt.me.fin is not None and doubt.segment.end > doubt.me.fin:
                self.doubts.remove(doubt)
                self.breach(*doubt)
        self._oversized()
        return self.breaches

    def untold(self, breach: Breach) -> int:
        """How many more breaches of the same rule and sender there were, where this is the last that is told of."""
        alike = [one for one in self.breaches if one.rule == breach.rule and one.me is breach.me]
        count = self.more[breach.rule, 0 if breach.me is self.halves[0] else 1]
        return count - len(alike) if alike[-1] is breach else 0

    def _oversized(self) -> None:
        """Judge what was larger than the MSS, once it is known whether devices split segments here."""
        for number, found in self._over.items():
            me, peer = self.halves[number], self.halves[1 - number]
            if not found or self._devices[number] or (self._largest[number] > _LONGEST_FRAME and not (self.complete and me.own)):
                continue
            most = opening.most_payload(peer, found[0].headers.version) or 0
            for one in found:
                if one.length % max(1, most - one.options.size):
                    said = (
                        f"it carries {one.length} bytes and {one.options.size} of options; the other end announced an MSS of {most}"
                    )
                    self.breach("mss", one, said, me)

    def missed(self) -> Sequence[tuple[Half, int]]:
        """Of each end, how many bytes were acknowledged that never passed: the capture missed them."""
        found = []
        for me in self.halves:
            if me.base is None or me.acked is None or not me.segments:
                continue
            start = 1 if me.synchronized else me.settled
            if start is None:
                continue
            lost = sum(high - low for low, high in me.sent.holes(start, max(me.acked, start)))
            if lost:
                found.append((me, lost))
        return found
