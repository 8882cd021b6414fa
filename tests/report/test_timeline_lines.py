from typing import Any

import pytest
from results import CLIENT, SERVER, segment

from netlab.report.lines import Lines, printable
from netlab.timeline.observations import (
    AnyObservation,
    CallReturned,
    CallStarted,
    Counters,
    Decision,
    DescriptorSeen,
    DescriptorTable,
    KernelMemory,
    ListedInodes,
    Named,
    Packet,
    PacketDropped,
    ProcessExecuted,
    ProcessExited,
    ProcessForked,
    ProgramEnded,
    Reset,
    Retransmission,
    SignalDelivered,
    SocketCounts,
    SocketDestroyed,
    SocketEntry,
    SocketError,
    SocketMemory,
    SocketState,
    SocketTable,
    SocketTimer,
    StepBegan,
    StepEnded,
    SystemCall,
    TcpInfo,
)
from netlab.timeline.streams import packets_of
from netlab.timeline.timeline import Node, Timeline

NODES = {
    "client": Node(kind="host", addresses={"eth0": (CLIENT, "fd00::1")}),
    "server": Node(kind="host", addresses={"eth0": (SERVER,)}),
}
ENTRY = SocketEntry(protocol="tcp", state="LISTEN", local=(SERVER, 80), remote=("0.0.0.0", 0), inode=5)

ENDS: dict[str, Any] = {"local": (CLIENT, 1), "remote": (SERVER, 2)}
ENDS_SHOWN = [
    "client:1 > server:2 S", "server:2 > client:1 S.", "client:1 > server:2 .", "client:1 > server:2 S", "server:2 > client:1 .",
    "client:1 > server:2 S", "server:2 > client:1 S.",
]  # fmt: skip
PROCESS: dict[str, Any] = {"host": "h", "pid": 7, "tid": 7, "program": "curl"}

KINDS: tuple[tuple[AnyObservation, str], ...] = (
    (StepBegan(time=0, index=0, text="client: close(c)"), "step 1: client: close(c)"),
    (StepEnded(time=0, index=0), "step 1 ended"),
    (CallStarted(time=0, host="h", id=1, process="h/p", call="close", text="close(c)", step=0), "h/p: close(c)"),
    (CallReturned(time=0, host="h", id=1, process="h", call="recv", result=-1, errno="EAGAIN"), "recv() = -1 EAGAIN"),
    (CallReturned(time=0, host="h", id=1, process="h", call="getsockopt", result=0, out=7), "getsockopt() = 0 out 7"),
    (CallReturned(time=0, host="h", id=1, process="h", call="send", result=-1, signal="SIGPIPE"), "send() = ended by SIGPIPE"),
    (Named(time=0, host="h", process="h", name="c", fd=3), "c is descriptor 3"),
    (ProgramEnded(time=0, host="h", argv=("cat", "x"), step=0, status=1, stderr="no\n"), "cat x: exit status 1, stderr 'no\\n'"),
    (ProgramEnded(time=0, host="h", argv=("sleep", "9"), step=0, status=-9), "sleep 9: ended by signal 9"),
    (
        SocketState(
            time=0, host="client", source="timer", old="FIN_WAIT2", new="TIME_WAIT", local=("fd00::1", 1), remote=("fd00::9", 2)
        ),
        "FIN_WAIT2 -> TIME_WAIT  client:1 to [fd00::9]:2 (timer)",
    ),
    (SocketTable(time=0, host="server", began=0, entries=(ENTRY,)), "sockets: tcp LISTEN server:80"),
    (SocketTable(time=0, host="server", began=0, entries=()), "sockets: none"),
    (DescriptorTable(time=0, host="h", process="h", table={3: "socket:[5]"}), "h descriptors: 3 socket:[5]"),
    (SocketCounts(time=0, host="h", counts={"used": 2, "inuse": 0}), "socket counts: used 2"),
    (Counters(time=0, host="h", counts={}), "counters: all 0"),
    (ListedInodes(time=0, host="h", tables={"tcp": (5, 6), "udp": ()}), "/proc/net lists: tcp 2"),
    (
        KernelMemory(time=0, host="h", process="h", caches={"TCP": {"allocated": 2, "live": 1}}),
        "h kernel memory: TCP (allocated 2, live 1)",
    ),
    (
        Decision(time=0, link="l", rule="S drop", action="drop", occurrence=2, packet="a > b S"),
        "link l: drop a > b S (match 2 of rule 'S drop')",
    ),
    (
        SocketState(time=0, host="client", source="tracepoint", old="CLOSE", new="SYN_SENT", **ENDS, cause="call", caused_by=3),
        "CLOSE -> SYN_SENT  client:1 to server:2 (tracepoint, by a call)",
    ),
    (
        Reset(time=0, host="client", direction="sent", state="ESTABLISHED", reason="ABORT_ON_DATA", **ENDS),
        "reset sent in ESTABLISHED client:1 to server:2: ABORT_ON_DATA",
    ),
    (Retransmission(time=0, host="client", what="SYN-ACK", **ENDS), "retransmitted SYN-ACK on client:1 to server:2"),
    (SocketError(time=0, host="client", errno="ECONNREFUSED", **ENDS), "error ECONNREFUSED on client:1 to server:2"),
    (
        SocketDestroyed(time=0, host="client", protocol="tcp", state="CLOSE", **ENDS),
        "tcp socket destroyed in CLOSE client:1 to server:2",
    ),
    (SocketMemory(time=0, host="client", memory={"rmem_alloc": 4}, **ENDS), "socket memory client:1 to server:2: rmem_alloc 4"),
    (
        SocketTimer(time=0, host="client", timer="on", repeats=2, left=700, **ENDS),
        "timer on client:1 to server:2: 700 ms left, gone off 2 times",
    ),
    (TcpInfo(time=0, host="client", info={"rto": 200000}, **ENDS), "tcp_info client:1 to server:2: rto 200000"),
    (
        PacketDropped(time=0, host="client", reason="NO_SOCKET", place="tcp_v4_rcv"),
        "kernel dropped a packet: NO_SOCKET at tcp_v4_rcv",
    ),
    (
        PacketDropped(
            time=0,
            host="client",
            reason="NO_SOCKET",
            interface="eth0",
            data=segment(CLIENT, SERVER, 1, 2, 0x12, 0)[14:],
        ),
        "eth0 dropped client:1 > server:2 tcp .S: NO_SOCKET",
    ),
    (
        SystemCall(
            **PROCESS,
            call="connect",
            source="bpf",
            began=0,
            time=2_500_000,
            fd=3,
            arguments={"address": ["10.0.0.2", 80]},
            result=-1,
            errno="EINPROGRESS",
        ),
        "curl[7] connect(3, address 10.0.0.2:80) = -1 EINPROGRESS, 2.500 ms",
    ),
    (
        SystemCall(**PROCESS, call="recv", source="bpf", began=0, time=0, fd=3, arguments={"flags": ["A", "B"]}, returned=False),
        "curl[7] recv(3, flags A|B) did not return",
    ),
    (ProcessForked(time=0, host="h", parent=7, pid=8, tid=8, program="sh"), "sh[7] made process 8"),
    (ProcessForked(time=0, host="h", parent=7, pid=7, tid=9, program="sh", thread=True), "sh[7] made thread 9"),
    (ProcessExecuted(time=0, host="h", pid=7, program="sh", path="/bin/curl"), "sh[7] executes /bin/curl"),
    (ProcessExited(time=0, host="h", pid=7, program="sh", status=1), "sh[7] exit status 1"),
    (ProcessExited(time=0, host="h", pid=7, program="sh", status=-13), "sh[7] ended by signal 13"),
    (SignalDelivered(**PROCESS, time=0, signal="SIGPIPE"), "curl[7] gets SIGPIPE, and has no handler for it"),
    (
        DescriptorSeen(time=0, host="h", pid=7, program="sh", fd=3, target="socket:[5]", close_on_exec=True),
        "sh[7] has descriptor 3 open: socket:[5], close-on-exec",
    ),
)


@pytest.mark.parametrize(("observation", "line"), KINDS, ids=[type(observation).__name__ for observation, _ in KINDS])
def test_every_kind_has_its_line(observation: AnyObservation, line: str) -> None:
    assert Lines(Timeline(observations=(observation,), nodes=NODES)).line(0) == line


def sent(*frames: bytes) -> tuple[Packet, ...]:
    return tuple(
        Packet(time=time, host="client", interface="eth0", direction="out", data=frame, length=len(frame), checksum_valid=False)
        for time, frame in enumerate(frames)
    )


def packets(*frames: bytes) -> list[str]:
    seen = sent(*frames)
    lines = Lines(Timeline(observations=seen, nodes=NODES))
    return [lines.line(index).removeprefix("eth0 out ") for index in range(len(seen))]


def test_sequence_numbers_count_from_each_connections_own_syn_also_when_its_ports_are_used_again() -> None:
    assert packets(
        segment(CLIENT, SERVER, 1, 2, 0x02, 0xFFFFFFFF),
        segment(SERVER, CLIENT, 2, 1, 0x12, 500, 0),
        segment(CLIENT, SERVER, 1, 2, 0x10, 0, 501),
        segment(CLIENT, SERVER, 1, 2, 0x02, 9000),
        segment(CLIENT, SERVER, 1, 2, 0x11, 9001, 500),
    ) == [
        "client:1 > server:2 S seq 0 win 65535",
        "server:2 > client:1 S. seq 0 ack 1 win 65535",
        "client:1 > server:2 . seq 1 ack 1 win 65535",
        "client:1 > server:2 S seq 0 win 65535",
        "client:1 > server:2 F. seq 1 ack 500 win 65535",  # of the new connection no SYN of the server's was seen
    ]


def test_what_is_shown_is_what_is_judged() -> None:
    """An old SYN inside a connection: who answers it counts as before, and only what goes along with a new one counts anew."""
    seen = [
        segment(CLIENT, SERVER, 1, 2, 0x02, 5000),
        segment(SERVER, CLIENT, 2, 1, 0x12, 900, 5001),
        segment(CLIENT, SERVER, 1, 2, 0x10, 5001, 901),
        segment(CLIENT, SERVER, 1, 2, 0x02, 4000),
        segment(SERVER, CLIENT, 2, 1, 0x10, 901, 5001),
        segment(CLIENT, SERVER, 1, 2, 0x02, 8000),
        segment(SERVER, CLIENT, 2, 1, 0x12, 70, 8001),
    ]
    judged = [one.numbers for one in packets_of(sent(*seen))]
    assert packets(*seen) == [
        f"{ends} seq {numbers.seq}{'' if numbers.ack is None else f' ack {numbers.ack}'} win 65535"
        for ends, numbers in zip(ENDS_SHOWN, judged, strict=True)
    ]
    assert [(one.seq, one.ack) for one in judged[3:]] == [(0, None), (1, 1), (0, None), (0, 1)]


def test_without_a_syn_they_are_absolute_and_foreign_addresses_stay_as_they_are() -> None:
    assert packets(segment("192.0.2.1", SERVER, 1, 2, 0x10, 77, 88)) == ["192.0.2.1:1 > server:2 . seq 77 ack 88 win 65535"]


def test_a_senseless_frame_is_still_told() -> None:
    assert packets(b"\x00" * 5) == ["ethertype 0x0000 other len 0 malformed (ethernet: 14 bytes are due, 5 are there)"]


def test_a_wrong_checksum_is_told_where_it_may_be_judged() -> None:
    frame = segment(CLIENT, SERVER, 1, 2, 0x10, 77, 88)
    seen = Packet(time=0, host="client", interface="eth0", direction="in", data=frame, length=len(frame))
    assert Lines(Timeline(observations=(seen,), nodes=NODES)).line(0).endswith(" BAD CHECKSUM")


def test_printable_keeps_letters_of_all_scripts_and_escapes_what_acts() -> None:
    assert printable("é→\n\x1b[0m\u202e") == "é→\\n\\x1b[0m\\u202e"


def test_a_sockets_events_carry_its_name_and_a_transition_its_cause() -> None:
    call: dict[str, Any] = {"host": "client", "process": "client", "id": 1, "call": "close"}
    closed: dict[str, Any] = {"source": "tracepoint", "old": "ESTABLISHED", "new": "FIN_WAIT1", "inode": 5, **ENDS}
    frame = segment(SERVER, CLIENT, 2, 1, 0x11, 9)
    process = {**PROCESS, "host": "client"}
    seen = (
        Named(time=0, host="client", process="client", name="c", fd=3, inode=5),
        CallStarted(time=1, text="close(c)", step=0, **call),
        Packet(time=2, host="client", interface="eth0", direction="in", data=frame, length=len(frame), checksum_valid=False),
        SocketState(time=3, host="client", cause="call", caused_by=1, **closed),
        SocketState(time=4, host="client", cause="segment", caused_by=2, **closed),
        SocketState(time=5, host="client", cause="icmp", caused_by=2, **closed),
        Reset(time=6, host="client", direction="sent", inode=5, **ENDS),
        SystemCall(**process, time=7, call="socket", source="bpf", began=7, result=4, made=8),
        SystemCall(**process, time=8, call="read", source="bpf", began=8, fd=3, inode=5),
        SocketState(time=9, host="client", **{**closed, "inode": 8, "remote": (SERVER, 3)}),
    )
    lines = Lines(Timeline(observations=seen, nodes=NODES))
    moved = "ESTABLISHED -> FIN_WAIT1  client:1 to server:2"
    assert [lines.line(index) for index in range(3, len(seen))] == [
        f"client.c: {moved} (tracepoint, by close())",
        f"client.c: {moved} (tracepoint, by the segment F.)",
        f"client.c: {moved} (tracepoint, by an ICMP error)",
        "client.c: reset sent on client:1 to server:2",
        "curl[7] socket() = 4, 0.000 ms",
        "curl[7] read(3<client.c>) = 0, 0.000 ms",
        "curl[7] fd 4: ESTABLISHED -> FIN_WAIT1  client:1 to server:3 (tracepoint)",
    ]
