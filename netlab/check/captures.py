"""A capture file judged: each connection in it, at each interface by itself, held against TCP's rules; and that as verdicts.

It refuses to know how a file is read, and how verdicts are told.
"""

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from netlab.check.verdicts import Verdict
from netlab.model.wire.found import Connection, Finding
from netlab.model.wire.judge import follow
from netlab.model.wire.story import name
from netlab.timeline.observations import Packet

NOTHING = "wire"
CONNECTION = "wire.connection"
"""The verdict about a connection as a whole; each breach of a rule has one of its own, by the rule's id."""


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """A connection as one interface of a capture saw it; its indices are places in the file, from 0."""

    interface: str
    connection: Connection

    @property
    def sound(self) -> bool:
        """Whether there is nothing to tell but its story."""
        return not self.connection.findings and not self.connection.undecided


def connections(packets: Sequence[Packet], dropped: int = 0) -> list[Seen]:
    """The connections of a file, in the order in which they began. One that passed two interfaces is told of each: they may differ.

    ``dropped`` is how many packets the capture says that it lost.
    """
    places: dict[tuple[str, str], list[int]] = {}
    for index, packet in enumerate(packets):
        places.setdefault((packet.host, packet.interface), []).append(index)
    found = [
        Seen(interface=":".join(filter(None, key)), connection=connection.placed(some))
        for key, some in places.items()
        for connection in follow((packets[index] for index in some), dropped=dropped)
    ]
    return sorted(found, key=lambda seen: seen.connection.first)


def verdicts(found: Iterable[Seen]) -> tuple[Verdict, ...]:
    """A verdict a connection, and one for each breach, and for each thing that could not be judged."""
    made = tuple(one for seen in found for one in _verdicts(seen.connection))
    if made:
        return made
    return (Verdict(id=NOTHING, outcome="INCONCLUSIVE", reason="there is no TCP segment in it that could be followed"),)


def _verdicts(one: Connection) -> Iterator[Verdict]:
    ends = " and ".join(map(name, one.ends))
    states = "; ".join(f"{name(end)} {' or '.join(sorted(some))}" for end, some in zip(one.ends, one.states, strict=True))
    yield Verdict(
        id=CONNECTION,
        outcome="FAIL" if one.broken else "INCONCLUSIVE" if one.undecided else "PASS",
        statement=f"{ends}: {'; '.join(one.story)}",
        reason=f"in the end: {states}",
        evidence=tuple(sorted({one.first, one.last})),
    )
    for finding in one.findings:
        yield Verdict(
            id=finding.rule.id,
            outcome="FAIL" if finding.rule.level == "must" else "PASS",
            statement=finding.rule.says,
            source=finding.rule.source,
            reason=said(finding),
            rule=finding.rule.id,
            evidence=(finding.index,),
        )
    for left in one.undecided:
        evidence = (left.index,) if left.index >= 0 else ()
        reason = f"packet {left.index + 1}: {left.says}" if evidence else left.says
        yield Verdict(id=CONNECTION, outcome="INCONCLUSIVE", statement=ends, reason=reason, evidence=evidence)


def said(finding: Finding) -> str:
    """A finding in a sentence, with the packet's number as tcpdump and Wireshark count."""
    more = f" (and {finding.more} more like it)" if finding.more else ""
    also = f", as packet {finding.also + 1} shows" if finding.also >= 0 else ""
    return f"packet {finding.index + 1}, sent by {name(finding.sender)}: {finding.says}{also}{more}"
