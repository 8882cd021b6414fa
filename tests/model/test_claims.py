"""The documented model's claims: each loads, holds on this machine, and is refuted by a timeline in which one thing went wrong."""

import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

import msgspec
import pytest

from netlab.check.judge import judge
from netlab.check.result import ScenarioResult
from netlab.files import shipped_claims
from netlab.observe.tier import Tier, probe
from netlab.run import run_scenario
from netlab.scenario.spec import ExpectStep, Scenario
from netlab.timeline.observations import (
    AnyObservation,
    CallReturned,
    Counters,
    KernelMemory,
    ListedInodes,
    Named,
    Observation,
    Packet,
    SocketEntry,
    SocketTable,
    StepEnded,
)
from netlab.timeline.streams import SeenPacket, flags_text, packets_of
from netlab.timeline.timeline import Timeline

CLAIMS: Mapping[str, Scenario] = {scenario.name: scenario for scenario in shipped_claims()[0]}
FIRST = (
    "socket-sends-nothing", "connect-starts-handshake", "order-memory-then-fd", "memory-at-creation", "fd-may-be-0",
    "fd-per-process", "shutdown-does-not-release", "tools-see-sockets", "tcp-no-send-before", "udp-receives-at-once",
    "connect-without-accept", "backlog-overflow-drop", "final-ack-lost", "refused-rst", "half-open-reconnect",
    "simultaneous-open", "simultaneous-close", "half-close-data", "timewait-active-only", "reuseaddr-timewait",
    "close-unread-rst", "scm-rights-in-flight", "udp-unconnected-no-error", "zero-window-probe", "rst-exact-seq",
)  # fmt: skip
DEVIATIONS = {"shutdown-does-not-release", "tcp-no-send-before", "udp-receives-at-once", "zero-window-probe"}
NEED_MEMORY = {"order-memory-then-fd", "memory-at-creation", "shutdown-does-not-release"}

Mutation = Callable[[Timeline], Timeline]
Seen = TypeVar("Seen", bound=Observation)


@pytest.fixture(scope="session")
def tier() -> Tier:
    return probe()


@pytest.fixture(scope="session")
def ran() -> Callable[[str], ScenarioResult]:
    """Each claim's run, made when first asked for."""
    results: dict[str, ScenarioResult] = {}

    def result(claim: str) -> ScenarioResult:
        if claim not in results:
            results[claim] = run_scenario(CLAIMS[claim])
        return results[claim]

    return result


def counts_memory(tier: Tier) -> bool:
    return tier.letter == "A" and tier.has("memory")


def test_the_first_claims_are_there() -> None:
    assert set(FIRST) <= set(CLAIMS)


@pytest.mark.parametrize("name", CLAIMS)
def test_a_claim_says_what_it_rests_on(name: str) -> None:
    claim = CLAIMS[name].claim
    assert claim is not None
    assert claim.statement
    assert claim.group
    assert claim.sources
    assert all(source.strip() for source in claim.sources)
    assert claim.from_notes == any(source.startswith("the notes, ") for source in claim.sources)


def test_ids_are_unique() -> None:
    names = [scenario.name for scenario in shipped_claims()[0]]
    assert len(names) == len(set(names))


def test_only_these_need_memory_to_be_counted() -> None:
    asked = {name for name in FIRST if any(isinstance(step, ExpectStep) and step.expect.memory for step in CLAIMS[name].steps)}
    assert asked == NEED_MEMORY


@pytest.mark.netns
@pytest.mark.parametrize("name", FIRST)
def test_a_claim_holds(name: str, ran: Callable[[str], ScenarioResult], tier: Tier) -> None:
    verdict = ran(name).verdicts[0]
    if name in NEED_MEMORY and not counts_memory(tier):
        assert (verdict.outcome, verdict.conformance, verdict.mismatches) == ("INCONCLUSIVE", "", ())
        assert "memory: " in verdict.reason
        return
    assert (verdict.outcome, verdict.mismatches, verdict.reason) == ("PASS", (), "")
    assert verdict.conformance == ("known-deviation" if name in DEVIATIONS else "as-documented")


# What could go wrong, one thing a claim. Each mutation gives the timeline as it would have been recorded then.


def replaced(timeline: Timeline, kind: type[Seen], change: Callable[[Seen], Seen | None]) -> Timeline:
    """The timeline with every observation of a kind changed, or left out where the change gives None."""

    def observations() -> Iterator[AnyObservation]:
        for observation in timeline.observations:
            kept: Observation | None = change(observation) if isinstance(observation, kind) else observation
            if kept is not None:
                yield kept  # type: ignore[misc]  # a change keeps the kind

    return msgspec.structs.replace(timeline, observations=tuple(observations()))


def returns(call: str, nth: int, *, result: int, errno: str = "") -> Mutation:
    """The nth call (from 1) of a name gives something else."""

    def mutate(timeline: Timeline) -> Timeline:
        count = 0

        def change(returned: CallReturned) -> CallReturned:
            nonlocal count
            count += returned.call == call
            wrong = returned.call == call and count == nth
            return msgspec.structs.replace(returned, result=result, errno=errno, out=None) if wrong else returned

        return replaced(timeline, CallReturned, change)

    return mutate


def entries(host: str, change: Callable[[SocketEntry], SocketEntry | None]) -> Mutation:
    """The kernel's tables of a host list something else."""

    def changed(table: SocketTable) -> SocketTable:
        if table.host != host:
            return table
        kept = tuple(entry for entry in map(change, table.entries) if entry is not None)
        return msgspec.structs.replace(table, entries=kept)

    return lambda timeline: replaced(timeline, SocketTable, changed)


def state(host: str, old: str, new: str) -> Mutation:
    """A host's sockets are in another state."""

    def change(entry: SocketEntry) -> SocketEntry:
        return msgspec.structs.replace(entry, state=new) if entry.state == old else entry

    return entries(host, change)


def sent(host: str, flags: str, nth: int, change: Callable[[Packet, SeenPacket], Packet | None]) -> Mutation:
    """The nth segment (from 1) with these flags that a host sends is another one, or none, wherever it was seen."""

    def mutate(timeline: Timeline) -> Timeline:
        seen = {one.index: one for one in packets_of(timeline.observations)}
        matching = [
            one.packet.data
            for one in seen.values()
            if (one.packet.host, one.packet.direction) == (host, "out") and one.headers.protocol == "tcp"
            if flags_text(one.headers.flags) == flags
        ]
        chosen = matching[nth - 1]
        by_data = {one.packet.data: one for one in seen.values()}
        return replaced(timeline, Packet, lambda packet: change(packet, by_data[packet.data]) if packet.data == chosen else packet)

    return mutate


def lost(host: str, flags: str, nth: int = 1) -> Mutation:
    return sent(host, flags, nth, lambda packet, seen: None)


_ETHERNET, _IPV4, _SEQUENCE, _FLAGS = 14, 20, 4, 13
_BITS = {"F": 1, "S": 2, "R": 4, "P": 8, ".": 16}


def other_flags(host: str, flags: str, wrong: str, nth: int = 1) -> Mutation:
    at, value = _ETHERNET + _IPV4 + _FLAGS, sum(_BITS[letter] for letter in wrong)
    return sent(host, flags, nth, lambda packet, seen: written(packet, at, bytes([value])))


def later_sequence(host: str, flags: str, nth: int) -> Mutation:
    at = _ETHERNET + _IPV4 + _SEQUENCE

    def change(packet: Packet, seen: SeenPacket) -> Packet:
        assert seen.headers.seq is not None
        return written(packet, at, struct.pack("!I", (seen.headers.seq + 1) % 2**32))

    return sent(host, flags, nth, change)


def written(packet: Packet, at: int, data: bytes) -> Packet:
    return msgspec.structs.replace(packet, data=packet.data[:at] + data + packet.data[at + len(data) :])


def stray_arp(timeline: Timeline) -> Timeline:
    """An ARP request leaves the client while the last step goes on."""
    address, hardware = bytes([10, 0, 0, 1]), bytes(6)
    body = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + hardware + address + hardware + address
    frame = b"\xff" * 6 + hardware + struct.pack("!H", 0x0806) + body
    before = max(index for index, seen in enumerate(timeline.observations) if isinstance(seen, StepEnded))
    time = timeline.observations[before].time
    stray = Packet(time=time, host="client", interface="eth0", direction="out", data=frame, length=len(frame))
    observations = (*timeline.observations[:before], stray, *timeline.observations[before:])
    return msgspec.structs.replace(timeline, observations=observations)


def one_inode(name: str) -> Mutation:
    """Every process's socket of this name is one and the same."""

    def mutate(timeline: Timeline) -> Timeline:
        first = next(seen.inode for seen in timeline.observations if isinstance(seen, Named) and seen.name == name)
        return replaced(timeline, Named, lambda named: msgspec.structs.replace(named, inode=first) if named.name == name else named)

    return mutate


def unlisted(name: str) -> Mutation:
    """A socket is in no /proc/net table."""

    def mutate(timeline: Timeline) -> Timeline:
        inode = next(seen.inode for seen in timeline.observations if isinstance(seen, Named) and seen.name == name)

        def change(listed: ListedInodes) -> ListedInodes:
            tables = {table: tuple(one for one in inodes if one != inode) for table, inodes in listed.tables.items()}
            return msgspec.structs.replace(listed, tables=tables)

        return replaced(timeline, ListedInodes, change)

    return mutate


def uncounted(name: str) -> Mutation:
    """A counter of the kernel stays at zero."""
    return lambda timeline: replaced(
        timeline, Counters, lambda seen: msgspec.structs.replace(seen, counts={**seen.counts, name: 0})
    )


def fewer_allocated(timeline: Timeline) -> Timeline:
    """The last of the sockets took no memory."""

    def change(memory: KernelMemory) -> KernelMemory:
        caches = {cache: {what: max(0, number - 1) for what, number in seen.items()} for cache, seen in memory.caches.items()}
        return msgspec.structs.replace(memory, caches=caches)

    return replaced(timeline, KernelMemory, change)


def unsent(entry: SocketEntry) -> SocketEntry:
    return msgspec.structs.replace(entry, send_queue=1000) if entry.state == "ESTABLISHED" else entry


def gone(entry: SocketEntry) -> SocketEntry | None:
    return None if entry.state == "TIME_WAIT" else entry


@dataclass(frozen=True, kw_only=True)
class Wrong:
    """What went wrong, in words, and the first field that must be found to differ: its name, what it should be, what it was."""

    what: str
    mutation: Mutation
    field: str
    expected: str
    actual: str


WRONG: Mapping[str, Wrong] = {
    "socket-sends-nothing": Wrong(
        what="a packet leaves the host",
        mutation=stray_arp,
        field="packet 1",
        expected="no packets",
        actual="client > client arp type 1",
    ),
    "order-memory-then-fd": Wrong(
        what="the descriptor is asked for before the family is looked at",
        mutation=returns("socket", 1, result=-1, errno="EMFILE"),
        field="errno",
        expected="EAFNOSUPPORT",
        actual="-1 EMFILE",
    ),
    "memory-at-creation": Wrong(
        what="one socket took no memory",
        mutation=fewer_allocated,
        field="TCP objects allocated by host",
        expected="100",
        actual="99",
    ),
    "fd-may-be-0": Wrong(
        what="socket() leaves the standard descriptors alone",
        mutation=returns("socket", 1, result=3),
        field="return",
        expected="0",
        actual="3",
    ),
    "fd-per-process": Wrong(
        what="the same number is the same socket",
        mutation=one_inode("a"),
        field="host/p.a, host/q.a",
        expected="distinct sockets",
        actual="host/p.a is inode",
    ),
    "scm-rights-in-flight": Wrong(
        what="the connection ends when its only descriptor is in flight",
        mutation=state("server", "ESTABLISHED", "CLOSE_WAIT"),
        field="state of server.a",
        expected="ESTABLISHED",
        actual="CLOSE-WAIT",
    ),
    "tools-see-sockets": Wrong(
        what="/proc/net does not list a bound UDP socket",
        mutation=unlisted("u"),
        field="listing of host.u",
        expected="in /proc/net and in sock_diag",
        actual="in sock_diag",
    ),
    "tcp-no-send-before": Wrong(
        what="recv() waits for data on a socket that was never connected",
        mutation=returns("recv", 1, result=-1, errno="EAGAIN"),
        field="errno",
        expected="ENOTCONN",
        actual="-1 EAGAIN",
    ),
    "udp-receives-at-once": Wrong(
        what="a fresh socket receives a datagram",
        mutation=returns("recv", 1, result=5),
        field="return",
        expected="EAGAIN",
        actual="5",
    ),
    "udp-unconnected-no-error": Wrong(
        what="the second sendto() is told of the first's refusal",
        mutation=returns("sendto", 2, result=-1, errno="ECONNREFUSED"),
        field="return",
        expected="1",
        actual="-1 ECONNREFUSED",
    ),
    "reuseaddr-timewait": Wrong(
        what="a port in TIME-WAIT can be bound without the option",
        mutation=returns("bind", 2, result=0),
        field="return",
        expected="EADDRINUSE",
        actual="0",
    ),
    "zero-window-probe": Wrong(
        what="the second probe has a sequence number that was not acknowledged",
        mutation=later_sequence("host", ".", 3),
        field="packet 2",
        expected="host > peer . seq 0 len 0",
        actual="host > peer . seq 1",
    ),
    "connect-starts-handshake": Wrong(
        what="the third segment is never sent",
        mutation=lost("client", "."),
        field="pattern 3",
        expected="client > server . seq 1 ack 1 len 0",
        actual="none",
    ),
    "connect-without-accept": Wrong(
        what="what was sent waits for accept() to be acknowledged",
        mutation=entries("client", unsent),
        field="send queue of client.c",
        expected="0",
        actual="1000",
    ),
    "backlog-overflow-drop": Wrong(
        what="the queue does not overflow",
        mutation=uncounted("ListenOverflows"),
        field="ListenOverflows of server",
        expected=">=1",
        actual="+0",
    ),
    "final-ack-lost": Wrong(
        what="the server is ESTABLISHED without the final ACK",
        mutation=state("server", "SYN_RECV", "ESTABLISHED"),
        field="state of server:8080",
        expected="SYN-RECEIVED",
        actual="ESTABLISHED",
    ),
    "refused-rst": Wrong(
        what="the reset acknowledges nothing",
        mutation=other_flags("server", "R.", "R"),
        field="packet 2",
        expected="server > client R. seq 0 ack 1 win 0 len 0",
        actual="server > client R seq 0",
    ),
    "half-open-reconnect": Wrong(
        what="the opener does not reset the old connection",
        mutation=lost("client", "R"),
        field="packet 3",
        expected="client:5000 > server:8080 R len 0",
        actual="client > server S seq 0",
    ),
    "simultaneous-open": Wrong(
        what="one side answers the crossing SYN with a bare ACK",
        mutation=other_flags("server", "S.", "."),
        field="packet",
        expected="server:5000 > client:5000 S. seq 0 ack 1",
        actual="server > client . seq 0",
    ),
    "rst-exact-seq": Wrong(
        what="an inexact reset draws no challenge",
        mutation=lost("host", ".", 2),
        field="pattern 2",
        expected="host > peer . seq 1 ack 1 len 0",
        actual="none",
    ),
    "shutdown-does-not-release": Wrong(
        what="shutdown() closes the descriptor",
        mutation=returns("getsockopt", 1, result=-1, errno="EBADF"),
        field="return",
        expected="0",
        actual="-1 EBADF",
    ),
    "simultaneous-close": Wrong(
        what="a FIN in FIN-WAIT-1 leads elsewhere than to CLOSING",
        mutation=state("client", "CLOSING", "FIN_WAIT2"),
        field="state of client.c",
        expected="CLOSING",
        actual="FIN-WAIT-2",
    ),
    "half-close-data": Wrong(
        what="what comes after the own FIN is not received",
        mutation=returns("recv", 3, result=0),
        field="return",
        expected="10000",
        actual="0",
    ),
    "timewait-active-only": Wrong(
        what="the side that closes first forgets the connection",
        mutation=entries("client", gone),
        field="state of client.c",
        expected="TIME-WAIT",
        actual="CLOSED",
    ),
    "close-unread-rst": Wrong(
        what="close() with unread data sends FIN",
        mutation=other_flags("server", "R.", "F."),
        field="packet 1",
        expected="server > client R. seq 1",
        actual="server > client F. seq 1",
    ),
}


def test_every_claim_has_a_wrong_timeline() -> None:
    assert set(WRONG) == set(FIRST)


@pytest.mark.netns
@pytest.mark.parametrize("name", WRONG)
def test_a_claim_is_refuted_when_something_goes_wrong(name: str, ran: Callable[[str], ScenarioResult], tier: Tier) -> None:
    if name == "memory-at-creation" and not counts_memory(tier):
        pytest.skip("; ".join(f"{lack.name}: {lack.reason}" for lack in tier.lacking))
    wrong, timeline = WRONG[name], ran(name).timeline
    mutated = wrong.mutation(timeline)
    assert mutated != timeline
    verdict = judge(CLAIMS[name], mutated)[0]
    assert (verdict.id, verdict.outcome, verdict.conformance) == (name, "FAIL", "surprise")
    first = verdict.mismatches[0]
    assert first.field.startswith(wrong.field)
    assert first.expected.startswith(wrong.expected)
    assert first.actual.startswith(wrong.actual)
    assert first.place
    assert first.step
