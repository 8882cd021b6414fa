"""The live view: what is shown of a watch, how repetitions fold, and how a terminal is written to."""

import io
import re
from typing import Any

import pytest
from hand_written import ADDRESSES, NODES, delivered, frame, segment, sent
from scapy.layers.inet6 import ICMPv6ND_NS, IPv6

from netlab.report.live import Live, LiveLine, LiveView
from netlab.timeline.observations import (
    AnyObservation,
    PacketDropped,
    ProcessExecuted,
    ProcessExited,
    ProcessForked,
    Reset,
    SignalDelivered,
    SocketState,
    SystemCall,
    TcpInfo,
)

SECOND = 1_000_000_000
BEGAN = 100 * SECOND
LOCAL, REMOTE = (ADDRESSES["server"], 80), (ADDRESSES["client"], 40000)


def call(at: int, name: str = "recvfrom", **more: Any) -> SystemCall:
    given = {"host": "server", "pid": 7, "tid": 7, "program": "echo", "source": "bpf", "fd": 4, "inode": 99, "result": 5, **more}
    return SystemCall(time=BEGAN + at, began=BEGAN + at - 1000, call=name, **given)


def state(at: int, old: str, new: str, remote: tuple[str, int] = REMOTE) -> SocketState:
    return SocketState(time=BEGAN + at, host="server", source="tracepoint", old=old, new=new, local=LOCAL, remote=remote)


def view() -> LiveView:
    return LiveView({address: name for name, address in ADDRESSES.items()}, BEGAN, "server")


def shown(*observations: AnyObservation, now: int | None = None) -> list[LiveLine]:
    last = observations[-1].time if now is None else BEGAN + now
    return list(view().lines(observations, last))


def test_each_kind_of_event_has_its_line() -> None:
    where: dict[str, Any] = {"host": "server", "pid": 7, "program": "echo"}
    lines = shown(
        ProcessExecuted(time=BEGAN + 1, path="/bin/echo", **where),
        call(2_000, "accept4", fd=3, made=100, result=4),
        call(3_000, "connect", result=-1, errno="ECONNREFUSED", arguments={"address": ["10.0.0.1", 9]}),
        call(4_000, result=-1, errno="EAGAIN"),
        state(5_000, "LISTEN", "SYN_RECV"),
        Reset(time=BEGAN + 6_000, host="server", direction="sent", local=LOCAL, remote=REMOTE, state="ESTABLISHED"),
        PacketDropped(time=BEGAN + 7_000, host="server", reason="NO_SOCKET", interface="eth0"),
        ProcessForked(time=BEGAN + 8_000, host="server", parent=7, pid=8, tid=8, program="echo"),
        SignalDelivered(time=BEGAN + 9_000, tid=7, signal="SIGPIPE", **where),
        ProcessExited(time=BEGAN + 10_000, status=-13, **where),
    )
    assert [(line.time, line.kind, line.text) for line in lines] == [
        (1, "process", "echo[7] executes /bin/echo"),
        (2_000, "call", "echo[7] accept4(3) = 4, 0.001 ms"),
        (3_000, "failed", "echo[7] connect(4, address 10.0.0.1:9) = -1 ECONNREFUSED, 0.001 ms"),
        (4_000, "call", "echo[7] recvfrom(4) = -1 EAGAIN, 0.001 ms"),
        (5_000, "state", "LISTEN -> SYN_RECV  server:80 to client:40000"),
        (6_000, "trouble", "reset sent in ESTABLISHED server:80 to client:40000"),
        (7_000, "trouble", "eth0 dropped a packet: NO_SOCKET"),
        (8_000, "process", "echo[7] made process 8"),
        (9_000, "process", "echo[7] gets SIGPIPE, and has no handler for it"),
        (10_000, "process", "echo[7] ended by signal 13"),
    ]
    assert {line.host for line in lines} == {"server"}


def test_a_packet_is_shown_once_as_the_watched_node_sees_it() -> None:
    lines = shown(*delivered(BEGAN + 1000, "client", "server", "S", 7000))
    assert [(line.kind, line.host) for line in lines] == [("packet", "server")]
    assert lines[0].text.startswith("eth0 in  client:40000 > server:80 S seq 0 ")


def test_what_every_network_is_full_of_and_what_is_no_socket_is_not_shown() -> None:
    solicitation = frame(IPv6(src="fd00::1", dst="ff02::1:ff00:2") / ICMPv6ND_NS(tgt="fd00::2"))
    assert not shown(
        sent(BEGAN + 1, "server", solicitation, "in"),
        call(2, "read", inode=0),
        ProcessForked(time=BEGAN + 3, host="server", parent=7, pid=7, tid=9, program="echo", thread=True),
        TcpInfo(time=BEGAN + 4, host="server", local=LOCAL, remote=REMOTE, info={"rtt": 7}),
    )


def test_repetitions_are_folded_and_told_when_their_second_is_over() -> None:
    tested = view()
    calls = [call(number * 1000) for number in range(1, 121)]
    first = list(tested.lines([*calls, call(121_000, "close", result=0)], BEGAN + 122_000))
    assert [line.text.split(",")[0] for line in first] == ["echo[7] recvfrom(4) = 5"] * 3 + ["echo[7] close(4) = 0"]
    assert not list(tested.lines([], BEGAN + SECOND // 2))
    over = list(tested.lines([], BEGAN + 2 * SECOND))
    assert [(line.text, line.kind) for line in over] == [("echo[7] recvfrom(4) x 117 more", "more")]
    again = list(tested.lines([call(3 * SECOND)], BEGAN + 3 * SECOND))
    assert [line.kind for line in again] == ["call"]


def test_packets_of_many_connections_to_one_service_are_alike() -> None:
    tested = view()
    ports = range(40000, 40010)
    syns = [sent(BEGAN + port, "server", segment("client", "server", "S", 7, ports=(port, 80)), "in") for port in ports]
    assert len(list(tested.lines(syns, BEGAN + 50_000))) == 3
    assert [line.text for line in tested.end(BEGAN + 60_000)] == ["eth0 in tcp S to port 80 x 7 more"]


def test_calls_on_other_descriptors_and_failures_are_not_alike() -> None:
    lines = shown(*(call(number * 10, fd=number % 4) for number in range(8)), call(100, errno="EPIPE", result=-1))
    assert len(lines) == 9


def test_what_is_too_much_for_anyone_is_counted() -> None:
    tested = view()
    many = [state(number * 1000, "CLOSE", f"NEVER_{number}") for number in range(1, 101)]
    lines = list(tested.lines(many, BEGAN + 1_000_000))
    assert len(lines) == 60
    assert [line.text for line in tested.end(BEGAN + 2_000_000)] == ["more than can be shown: state 40"]


def test_the_end_tells_what_is_still_folded() -> None:
    tested = view()
    list(tested.lines([call(number * 1000) for number in range(1, 6)], BEGAN + 6000))
    assert [(line.time, line.text) for line in tested.end(BEGAN + 7000)] == [(7000, "echo[7] recvfrom(4) x 2 more")]
    assert not list(tested.end(BEGAN + 8000))


def test_what_others_say_comes_at_its_time_with_its_control_characters_escaped() -> None:
    tested = view()
    tested.said("client", ["one\x1b[31m", "two"], BEGAN + 5000)
    lines = list(tested.lines([call(4000), call(6000)], BEGAN + 6000))
    assert [(line.host, line.text) for line in lines if line.kind == "said"] == [("client", "| one\\x1b[31m"), ("client", "| two")]
    assert [line.kind for line in lines] == ["call", "said", "said", "call"]


def test_a_stream_that_is_no_terminal_gets_plain_whole_lines() -> None:
    stream = io.StringIO()
    live = Live(stream, "server")
    live.begin(BEGAN, NODES)
    live.take([state(5_000_000, "CLOSE", "LISTEN")], BEGAN + 6_000_000)
    live.end()
    assert stream.getvalue() == "  0.005000 server  CLOSE -> LISTEN  server:80 to client:40000\n"


@pytest.mark.parametrize(("color", "escaped"), [(True, True), (False, False)], ids=["coloured", "NO_COLOR"])
def test_a_terminal_gets_colours_unless_forbidden_and_rows_cut_to_its_width(
    monkeypatch: pytest.MonkeyPatch, color: bool, escaped: bool
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.delenv("NO_COLOR", raising=False)
    if not color:
        monkeypatch.setenv("NO_COLOR", "1")
    stream = Terminal()
    live = Live(stream, "server")
    live.begin(BEGAN, NODES)
    live.take(delivered(BEGAN + 1000, "client", "server", "S", 7000, options=[("MSS", 1460)] * 9), BEGAN + 2000)
    written = stream.getvalue()
    assert ("\x1b[34m" in written) is escaped
    (row,) = written.splitlines()
    plain = re.sub(r"\x1b\[[0-9;]*m", "", row)
    assert (len(plain), plain[-1]) == (60, "…")
