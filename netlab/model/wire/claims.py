"""Acknowledgements of what was not seen to be sent: which are a sender's fault, and which only show that the capture missed it.

An outsider cannot tell at once. A sender is at fault where it contradicts itself later, where it acknowledges what comes after the
other end's FIN, or where an end's own interface was watched and nothing was lost there.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from netlab.model.wire.checks import Step
from netlab.model.wire.half import SENSIBLE, Half, Mark
from netlab.model.wire.segment import Segment, ahead

_KEPT = 3
_CONTRADICTIONS = 10
"""So many lower acknowledgements, of data that passed since, are more than segments that were overtaken."""


@dataclass(slots=True)
class Claim:
    """``number`` was acknowledged, or ``left`` to ``number`` selectively, when the other end had sent up to ``seen``."""

    rule: str
    me: Half
    peer: Half
    mark: Mark
    number: int
    seen: int
    says: str
    left: int | None = None
    lower: set[int] = field(default_factory=set)


class Claims:
    """The open ones of a connection: what nobody contradicted, the capture missed."""

    def __init__(self) -> None:
        self.open: list[Claim] = []

    def acknowledged(self, step: Step) -> Iterator[tuple[str, Segment, str]]:
        """Fold in what a segment acknowledges; gives what is certain to be a fault: rule, segment and sentence."""
        one, me, peer = step.segment, step.me, step.peer
        if self.open:
            yield from self._contradicted(step)
        if one.ack is None or peer.base is None or not (peer.segments or peer.synchronized):
            return
        numbers: list[tuple[str, int, int | None]] = []
        if one.ack > peer.reached:
            numbers.append(("ack-of-unsent", one.ack, None))
        for low, high in one.options.blocks:
            if (at := peer.unwrapped(high)) > max(peer.reached, one.ack):
                numbers.append(("sack-outside", at, peer.unwrapped(low)))
        for rule, number, left in numbers:
            word = "acknowledges" if left is None else f"has a SACK block from {peer.shown(left)}"
            says = f"it {word} up to {peer.shown(number)}; the other end was seen to send up to {peer.shown(peer.reached)}"
            if step.unsent:
                yield rule, one, says
                continue
            alike = sum(claim.me is me and claim.rule == rule for claim in self.open)
            if (peer.synchronized or peer.settled is not None) and alike < _KEPT:
                self.open.append(Claim(rule, me, peer, me.mark(one, peer), number, peer.reached, says, left))
            if left is None and number < peer.reached + SENSIBLE:
                peer.believed = number

    def _contradicted(self, step: Step) -> Iterator[tuple[str, Segment, str]]:
        one, me = step.segment, step.me
        for claim in [claim for claim in self.open if claim.me is me and claim.left is None]:
            if one.ack is None or one.ack >= claim.number:
                continue
            stamps = one.stamps is not None and claim.mark.stamp is not None
            older = one.stamps is not None and claim.mark.stamp is not None and ahead(one.stamps[0], claim.mark.stamp) < 0
            if one.ack > claim.seen and not older:
                claim.lower.add(one.ack)
            if (stamps or me.own) and me.is_after(Mark(claim.mark.segment, None, None, claim.mark.stamp), one):
                contradicts = True
            else:
                contradicts = len(claim.lower) >= _CONTRADICTIONS
            if contradicts:
                self.open.remove(claim)
                if claim.peer.believed == claim.number:
                    claim.peer.believed = claim.seen
                # It counts for nothing: what it acknowledges now does.
                claim.peer.acked = one.ack if claim.peer.acked == claim.number else claim.peer.acked
                if me.acks == claim.number:
                    me.acks, me.offers, me.offers_before = one.ack, None, None
                yield claim.rule, claim.mark.segment, f"{claim.says}, and it acknowledged less later"

    def finish(self) -> list[Claim]:
        """At the end: those that go beyond the other end's FIN, after which there was nothing to acknowledge; they are closed."""
        beyond = [claim for claim in self.open if claim.peer.fin is not None and claim.number > claim.peer.fin + 1]
        self.open = [claim for claim in self.open if claim not in beyond]
        return beyond
