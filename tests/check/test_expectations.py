"""Expectations on hand-written timelines: each kind met, unmet, and lacking its evidence."""

from typing import Any

import pytest

from netlab.check.expectations import evaluate
from netlab.check.findings import Finding, Window
from netlab.check.view import View
from netlab.scenario.spec import Expectation
from netlab.timeline.observations import (
    Counters,
    DescriptorTable,
    KernelMemory,
    ListedInodes,
    Named,
    PacketDropped,
    SocketCounts,
    SocketEntry,
    SocketState,
    SocketTable,
    SocketTimer,
    SourceReport,
    TcpInfo,
)
from netlab.timeline.timeline import Timeline, merge

CLIENT, SERVER = ("10.0.0.1", 4000), ("10.0.0.2", 8080)
SOURCES = tuple(
    SourceReport(name=name, available=True)
    for name in ("packets", "sock_diag", "descriptors", "states", "memory", "events", "samples")
)


def entry(state: str, inode: int = 77, **fields: Any) -> SocketEntry:
    return SocketEntry(protocol="tcp", state=state, local=CLIENT, remote=SERVER, inode=inode, cookie=5, **fields)


def table(time: int, *entries: SocketEntry) -> SocketTable:
    return SocketTable(time=time, began=time, host="client", entries=entries)


NAMED = Named(time=1, host="client", process="client", name="c", fd=3, inode=77)


def judged(expect: Expectation, *seen: Any, sources: tuple[SourceReport, ...] = SOURCES, ended: int = 100) -> list[Finding]:
    timeline = Timeline(observations=merge(seen), sources=sources)
    window = Window(began=10, ended=ended, packets_began=10, packets_until=ended)
    return evaluate(expect, View(timeline), window, final=True)


def outcome(found: list[Finding]) -> list[tuple[str, str, str, str]]:
    return [(one.field, one.status, one.expected, one.actual) for one in found]


def test_a_state_that_held_at_some_instant_of_the_window_is_met() -> None:
    found = judged(
        Expectation(states={"client.c": "SYN-SENT"}), NAMED, table(20, entry("SYN_SENT")), table(30, entry("ESTABLISHED"))
    )
    assert outcome(found) == [("state of client.c", "met", "SYN-SENT", "SYN-SENT")]


def test_a_state_before_the_window_counts_only_if_it_still_held() -> None:
    found = judged(Expectation(states={"client.c": "SYN-SENT"}), NAMED, table(5, entry("SYN_SENT")), table(9, entry("ESTABLISHED")))
    assert outcome(found) == [("state of client.c", "unmet", "SYN-SENT", "ESTABLISHED")]


def test_states_must_hold_together() -> None:
    other = Named(time=1, host="client", process="client", name="d", fd=4, inode=78)
    found = judged(
        Expectation(states={"client.c": "SYN-SENT", "client.d": "SYN-SENT"}),
        NAMED,
        other,
        table(20, entry("SYN_SENT")),
        table(30, entry("ESTABLISHED"), entry("SYN_SENT", inode=78)),
    )
    assert [one.status for one in found] == ["unmet"]


def test_time_wait_is_found_by_the_addresses_that_the_socket_had() -> None:
    before, after = table(5, entry("ESTABLISHED")), table(20, entry("TIME_WAIT", 0))
    found = judged(Expectation(states={"client.c": "TIME-WAIT"}), NAMED, before, after)
    assert outcome(found) == [("state of client.c", "met", "TIME-WAIT", "TIME-WAIT")]


def test_a_socket_in_no_table_is_closed() -> None:
    found = judged(Expectation(states={"client.c": "CLOSED"}), NAMED, table(20))
    assert outcome(found) == [("state of client.c", "met", "CLOSED", "CLOSED")]


def test_a_name_newer_than_the_last_table_kept_is_judged_by_that_table() -> None:
    late = Named(time=50, host="client", process="client", name="c", fd=3, inode=77)
    found = judged(Expectation(states={"client.c": "CLOSED"}), table(5), late)
    assert outcome(found) == [("state of client.c", "met", "CLOSED", "CLOSED")]


def test_a_name_that_stands_for_no_socket_yet_is_not_closed() -> None:
    found = judged(Expectation(states={"client.c": "CLOSED"}), table(5))
    assert outcome(found) == [("state of client.c", "unmet", "CLOSED", "no such socket")]
    late = Named(time=50, host="client", process="client", name="c", fd=3, inode=77)
    found = judged(Expectation(states={"client.c": "CLOSED"}), late, table(60, entry("ESTABLISHED")))
    assert outcome(found) == [("state of client.c", "unmet", "CLOSED", "ESTABLISHED")]


def test_a_path_is_the_whole_history() -> None:
    steps = [("CLOSE", "SYN_SENT"), ("SYN_SENT", "ESTABLISHED")]
    seen = [
        SocketState(time=20 + at, host="client", source="tracepoint", old=old, new=new, local=CLIENT, remote=SERVER, inode=77)
        for at, (old, new) in enumerate(steps)
    ]
    whole = ("CLOSED", "SYN-SENT", "ESTABLISHED")
    assert judged(Expectation(path={"client.c": whole}), NAMED, *seen)[0].status == "met"
    found = judged(Expectation(path={"client.c": whole[:2]}), NAMED, *seen)
    assert outcome(found) == [("path of client.c", "unmet", "CLOSED -> SYN-SENT", "CLOSED -> SYN-SENT -> ESTABLISHED")]


def test_what_two_sources_tell_of_an_accepted_socket_is_one_transition() -> None:
    steps = [("LISTEN", "SYN_RECV"), ("LISTEN", "SYN_RECV"), ("SYN_RECV", "ESTABLISHED")]
    seen = [
        SocketState(time=20 + at, host="client", source=source, old=old, new=new, local=CLIENT, remote=SERVER, inode=77)
        for at, (source, (old, new)) in enumerate(zip(("timer", "tracepoint", "tracepoint"), steps, strict=True))
    ]
    whole = ("CLOSED", "LISTEN", "SYN-RECEIVED", "ESTABLISHED")
    assert judged(Expectation(path={"client.c": whole}), NAMED, *seen)[0].status == "met"


def test_descriptors_by_number_and_by_change() -> None:
    before = DescriptorTable(time=5, host="client", process="client", table={0: "/dev/null"})
    after = DescriptorTable(time=20, host="client", process="client", table={0: "/dev/null", 3: "socket:[77]"})
    for wanted, status in (({3: "socket", 4: "closed"}, "met"), ({3: "closed"}, "unmet"), ("+1", "met"), ("unchanged", "unmet")):
        assert {one.status for one in judged(Expectation(fds={"client": wanted}), before, after)} == {status}, wanted


def test_counts_are_changes_since_the_run_began() -> None:
    seen = [SocketCounts(time=time, host="client", counts={"sockets used": count}) for time, count in ((1, 4), (20, 6))]
    assert judged(Expectation(sockets={"client": {"used": 2}}), *seen)[0].status == "met"
    for change, status in (("<=2", "met"), (">=3", "unmet")):
        assert judged(Expectation(sockets={"client": {"used": change}}), *seen)[0].status == status, change
    assert outcome(judged(Expectation(sockets={"client": {"used": 1}}), *seen)) == [("used of client", "unmet", "+1", "+2")]
    rising = [Counters(time=time, host="client", counts={"ListenDrops": count}) for time, count in ((1, 0), (20, 3))]
    for wanted, status in ((">=1", "met"), ("+3", "met"), ("0", "unmet"), ("<3", "unmet")):
        assert judged(Expectation(counters={"client": {"ListenDrops": wanted}}), *rising)[0].status == status, wanted
    found = judged(Expectation(counters={"client": {"NoSuchCount": "0"}}), *rising)
    assert outcome(found) == [("NoSuchCount of client", "lacking", "0", "this kernel has no such count")]


def test_drops_are_counted_by_the_kernel_s_reason() -> None:
    seen = [PacketDropped(time=time, host="server", reason="NO_SOCKET") for time in (1, 20, 999)]
    other = PacketDropped(time=20, host="server", reason="TCP_CSUM")
    for wanted, status in (("+2", "met"), ("2", "met"), (">=1", "met"), ("+3", "unmet"), ("0", "unmet")):
        found = judged(Expectation(drops={"server": {"NO_SOCKET": wanted}}), *seen, other)
        assert [one.status for one in found] == [status], wanted
    assert outcome(judged(Expectation(drops={"client": {"NO_SOCKET": "1"}}), *seen)) == [
        ("drops of client, NO_SOCKET", "unmet", "1", "+0")
    ]


def test_tcp_info_is_the_last_sample_of_that_socket() -> None:
    samples = [
        TcpInfo(time=time, host="client", local=CLIENT, remote=SERVER, info={"rto": rto}, inode=inode)
        for time, rto, inode in ((20, 200000, 77), (30, 400000, 77), (40, 9, 78), (999, 1, 77))
    ]
    for wanted, status in (("400000", "met"), (">200000", "met"), ("<400000", "unmet")):
        found = judged(Expectation(tcp_info={"client.c": {"rto": wanted}}), NAMED, *samples)
        assert [one.status for one in found] == [status], wanted
    unknown = judged(Expectation(tcp_info={"client.c": {"rtp": "1"}}), NAMED, *samples)
    assert outcome(unknown) == [("rtp of client.c", "lacking", "1", "this kernel's tcp_info has no such member")]
    assert outcome(judged(Expectation(tcp_info={"client.c": {"rto": "1"}}), NAMED)) == [
        ("rto of client.c", "unmet", "1", "it is in no table")
    ]


def test_a_timer_is_the_last_that_was_seen_of_that_socket() -> None:
    def timer(time: int, kind: str, left: int, cookie: int = 5) -> SocketTimer:
        return SocketTimer(time=time, host="client", local=CLIENT, remote=SERVER, timer=kind, repeats=2, left=left, cookie=cookie)

    def asked(**wanted: str) -> list[tuple[str, str, str, str]]:
        seen = (timer(20, "on", 200), timer(30, "keepalive", 9000), timer(40, "persist", 1, 6), timer(999, "none", 0))
        return outcome(judged(Expectation(timers={"client.c": wanted}), NAMED, table(20, entry("ESTABLISHED")), *seen))

    assert asked(timer="keepalive") == [("timer of client.c", "met", "keepalive", "keepalive")]
    assert asked(timer="on", left=">=9000", repeats="<2") == [
        ("timer of client.c", "unmet", "on", "keepalive"),
        ("left of the timer of client.c", "met", ">=9000", "9000"),
        ("repeats of the timer of client.c", "unmet", "<2", "2"),
    ]
    assert outcome(judged(Expectation(timers={"client.c": {"timer": "none"}}), NAMED, table(20))) == [
        ("timer of client.c", "unmet", "none", "it is in no table")
    ]


def test_listed_means_both_in_proc_and_in_sock_diag() -> None:
    shown = ListedInodes(time=20, host="client", tables={"tcp": (77,)})
    hidden = ListedInodes(time=20, host="client", tables={"tcp": ()})
    yes, no = Expectation(listed={"client.c": True}), Expectation(listed={"client.c": False})
    assert judged(yes, NAMED, shown, table(20, entry("LISTEN")))[0].status == "met"
    assert judged(yes, NAMED, shown, table(20))[0].status == "unmet"
    assert judged(no, NAMED, hidden, table(20))[0].status == "met"
    assert judged(no, NAMED, hidden, table(20, entry("LISTEN")))[0].status == "unmet"


def test_queues_and_kernel_memory() -> None:
    expect = Expectation(queue={"client.c": {"send": 0, "receive": 10}})
    assert {one.status for one in judged(expect, NAMED, table(20, entry("ESTABLISHED", receive_queue=10)))} == {"met"}
    taken = KernelMemory(time=20, host="client", process="client", caches={"TCP": {"allocated": 2, "live": 1}})
    found = judged(Expectation(memory={"client": {"TCP": {"allocated": 2, "live": 0}}}), taken)
    assert [one.status for one in found] == ["met", "unmet"]


def test_the_size_of_an_objects_cache() -> None:
    taken = KernelMemory(time=20, host="client", process="client", caches={}, sizes={"TCP": 2368})
    wanted: dict[str, dict[str, int | str]] = {"TCP": {"size": ">=1024", "live": "<=0"}, "UDP": {"size": 1344}}
    found = judged(Expectation(memory={"client": wanted}), taken)
    assert [(one.field, one.status, one.actual) for one in found] == [
        ("size of TCP", "met", "2368"),
        ("TCP objects live by client", "met", "0"),
        ("size of UDP", "lacking", "/proc/slabinfo has no such cache"),
    ]


def test_sockets_are_compared_by_the_kernels_object() -> None:
    twin = Named(time=2, host="client", process="client/p", name="c", fd=3, inode=77)
    other = Named(time=2, host="client", process="client/q", name="c", fd=3, inode=78)
    assert judged(Expectation(same=("client.c", "client/p.c")), NAMED, twin)[0].status == "met"
    assert judged(Expectation(distinct=("client.c", "client/q.c")), NAMED, other)[0].status == "met"
    assert judged(Expectation(distinct=("client.c", "client/p.c")), NAMED, twin)[0].status == "unmet"


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (SourceReport(name="states", available=False, reason="it needs root with BPF"), "it needs root with BPF"),
        (SourceReport(name="states", available=True, lost=3), "the source states lost 3 observations"),
    ],
)
def test_without_its_evidence_nothing_is_met(source: SourceReport, reason: str) -> None:
    found = judged(Expectation(path={"client.c": ("CLOSED",)}), NAMED, sources=(source,))
    assert outcome(found) == [("path", "lacking", "{'client.c': ('CLOSED',)}", reason)]
