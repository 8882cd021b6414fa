"""What was found of a stream of packets: connections, what each did, and where a sender broke a rule. Types only."""

from collections.abc import Sequence
from typing import Self

import msgspec

from netlab.model.wire.rules import Rule
from netlab.timeline.observations import Address


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One breach of a rule: the packet, by its place in the input, who sent it, what it is and what it should have been.

    ``also`` is a later packet, by which it shows; -1 where there is none. ``more`` counts further breaches of the same rule by the
    same sender, which are not told one by one.
    """

    rule: Rule
    index: int
    sender: Address
    says: str
    also: int = -1
    more: int = 0


class Undecided(msgspec.Struct, frozen=True, kw_only=True):
    """What cannot be judged, in words, and the packet that it is about, by its place in the input; -1 for none of them."""

    says: str
    index: int = -1


class Connection(msgspec.Struct, frozen=True, kw_only=True):
    """One TCP connection between two ends, the first of which opened it, or was seen first where that was not seen.

    ``first`` and ``last`` are the places of its first and last segment in the input. ``states`` are, for each end, those of
    RFC 9293 that it may be in at the end. ``undecided`` is what could not be judged, because the capture did not have it;
    ``notes`` say what else is worth knowing.
    """

    ends: tuple[Address, Address]
    first: int
    last: int
    segments: int
    story: tuple[str, ...]
    states: tuple[frozenset[str], frozenset[str]]
    findings: tuple[Finding, ...]
    undecided: tuple[Undecided, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def broken(self) -> tuple[Finding, ...]:
        """The findings that are somebody's fault: those of rules that say "must"."""
        return tuple(one for one in self.findings if one.rule.level == "must")

    def placed(self, places: Sequence[int]) -> Self:
        """The same with indices of another sequence: ``places`` has, for each packet of the input, its index there."""
        moved = tuple(
            msgspec.structs.replace(one, index=places[one.index], also=places[one.also] if one.also >= 0 else -1)
            for one in self.findings
        )
        left = tuple(msgspec.structs.replace(one, index=places[one.index]) if one.index >= 0 else one for one in self.undecided)
        ends = places[self.first], places[self.last]
        return msgspec.structs.replace(self, first=ends[0], last=ends[1], findings=moved, undecided=left)
