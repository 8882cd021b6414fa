"""Which of the model's rules timelines took: of each kind how many, and why the others were not.

It judges nothing, and it does not guess: where what was seen may have been either of two rules, neither counts as taken. A further
kind of rules is a further row of ``KINDS``.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType

import msgspec

from netlab.check import oracle
from netlab.check.verdicts import Verdict
from netlab.model.rfc_states import RfcTransition, rfc_connections
from netlab.model.sockets.tables import all_rules
from netlab.model.tcp import LINUX_ARCS, STATES, TRANSITIONS, UNREACHED, Transition, transition
from netlab.timeline.headers import decode
from netlab.timeline.observations import AnyObservation, CallStarted, Packet, SocketState, SystemCall
from netlab.timeline.timeline import Timeline

NOT_SEEN = "nothing that was run took it, as far as could be told"


class Covered(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of rules: ``taken`` has the ids of those that were taken, ``untaken`` those that were not, each with the reason."""

    kind: str
    taken: tuple[str, ...]
    untaken: dict[str, str]

    @property
    def told(self) -> str:
        """How many of how many: "TCP transitions: 38 of 47 taken"."""
        return f"{self.kind}: {len(self.taken)} of {len(self.taken) + len(self.untaken)} taken"


Judged = tuple[Timeline, tuple[Verdict, ...]]
"""A timeline and the verdicts about it."""
Taken = Callable[[Judged], Iterable[str]]
"""The ids of the rules that a timeline shows to have been taken."""


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of rules: the ids of all of them, which a timeline took, and why some never are."""

    name: str
    rules: Callable[[], Iterable[str]]
    taken: Taken
    unreached: Mapping[str, str]


def edges() -> tuple[Transition, ...]:
    """The arcs of RFC 9293's table that lead from one state to another: the others are no change of state that a probe reports."""
    return tuple(row for state in STATES for row in TRANSITIONS[state] if row.next != row.state)


def tcp_transitions(timeline: Timeline) -> Iterable[str]:
    """The arcs that the kernel's single transitions were, by the states and, where several have those, by what caused them."""
    if timeline.source("states").lost:
        return
    for connection in rfc_connections(timeline.observations):
        for one in connection.transitions:
            if one.single and one.rows:
                found = _told_apart(one, timeline.observations)
                if len(found) == 1:
                    yield found[0].id


def explained(judged: Judged) -> Iterable[str]:
    """The rules of the sockets API by which the oracle explained the calls."""
    return (rule for verdict in judged[1] if verdict.id == oracle.ID for rule in verdict.explained)


def covered(judged: Sequence[Judged]) -> tuple[Covered, ...]:
    """Of each kind what these timelines took."""
    made = []
    for kind in KINDS:
        taken = {identity for one in judged for identity in kind.taken(one)}
        rules = tuple(kind.rules())
        made.append(
            Covered(
                kind=kind.name,
                taken=tuple(identity for identity in rules if identity in taken),
                untaken={identity: kind.unreached.get(identity, NOT_SEEN) for identity in rules if identity not in taken},
            )
        )
    return tuple(made)


KINDS: tuple[Kind, ...] = (
    Kind(
        name="TCP transitions",
        rules=lambda: [row.id for row in edges()],
        taken=lambda judged: tcp_transitions(judged[0]),
        unreached=UNREACHED,
    ),
    Kind(
        name="rules of the sockets API",
        rules=lambda: [rule.id for rule in all_rules().values() if rule.category != "unmodelled"],
        taken=explained,
        unreached={},
    ),
)
"""All kinds, in the order in which they are told."""


_EVENTS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "linux.syn-sent.no-port": frozenset({"call"}),
        "linux.syn-received.no-child": frozenset({"segment", "call", "exit"}),
        "linux.established.unaccepted": frozenset({"call", "exit"}),
        "linux.close-wait.unaccepted": frozenset({"call", "exit"}),
        "linux.fin-wait-2.timeout": frozenset({"timer"}),
        "linux.fin-wait-2.linger2": frozenset({"call"}),
        "linux.fin-wait-2.minisock": frozenset(),  # joined to what follows it, in rfc_states
        "linux.closing.minisock": frozenset(),
        "linux.orphan.data": frozenset({"segment"}),
        "linux.orphan.data-2": frozenset({"segment"}),
        "linux.time-wait.taken": frozenset({"segment", "call"}),
    }
)
"""What causes the kernel's own arcs. The RFC's name their event themselves."""
_ALWAYS_WITHOUT_DESCRIPTOR = frozenset({name for name in _EVENTS if name.endswith((".unaccepted", ".no-child"))})


def _told_apart(one: RfcTransition, observations: Sequence[AnyObservation]) -> list[Transition]:
    """The arcs that a transition may have been, the kernel's own among them."""
    seen = observations[one.observed[-1]]
    assert isinstance(seen, SocketState)
    by = observations[seen.caused_by] if 0 <= seen.caused_by < len(observations) else None
    found = [*one.rows, *_artefacts(one.old, one.new)]
    if len(found) > 1 and seen.cause:
        found = [row for row in found if seen.cause in _causes(row)]
    if len(found) > 1 and isinstance(by, Packet):
        flags = decode(by.data).flags
        found = [row for row in found if _carries(row, flags)]
    if len(found) > 1 and seen.cause == "call":
        unheld = seen.inode == 0
        found = [row for row in found if (row.id in _ALWAYS_WITHOUT_DESCRIPTOR) == unheld] or found
    if len(found) > 1 and isinstance(by, CallStarted | SystemCall):
        # connect() to no address is the RFC's ABORT in every state (tcp_disconnect()), close() only where there is no CLOSE.
        wanted = "ABORT" if by.call == "connect" else "CLOSE"
        found = [row for row in found if row.event == wanted] or found
    if len(found) > 1 and seen.source == "timer":
        found = [row for row in found if row.event != "user timeout"]  # a minisock has nothing to send again
    return found


def _causes(row: Transition) -> frozenset[str]:
    """What may be seen to cause an arc."""
    if row.id in _EVENTS:
        return _EVENTS[row.id]
    if row.event.startswith("rcv"):
        return frozenset({"icmp" if "ICMP" in row.event else "segment"})
    if row.event.isupper() or row.event.endswith("OPEN"):
        return frozenset({"call", "exit"})
    return frozenset({"timer"})


def _artefacts(old: str, new: str) -> list[Transition]:
    """What Linux has besides between two of the RFC's states."""
    ids = {identity for arc in LINUX_ARCS for identity in arc.stands_for if identity.startswith("linux.")}
    return [row for row in map(transition, sorted(ids)) if (row.state, row.next) == (old, new)]


def _carries(row: Transition, flags: frozenset[str]) -> bool:
    """Whether a segment with these flags may be the one that an arc's event names; the kernel's own arcs do not name one."""
    if not row.event.startswith("rcv"):
        return True
    named = row.event.removeprefix("rcv ").partition(" ")[0].split(",")
    return ("RST" in named) == ("R" in flags) and ("SYN" in named) == ("S" in flags)
