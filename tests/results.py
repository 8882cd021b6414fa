"""Results written by hand, for the tests of the reports: what happened in them is a timeline that a kernel could have given."""

import struct
from socket import AF_INET, inet_pton

import msgspec

from netlab.check.covered import Covered
from netlab.check.result import HostFacts, RunResult, ScenarioResult
from netlab.check.verdicts import Mismatch, Verdict
from netlab.timeline.observations import (
    CallReturned,
    CallStarted,
    Named,
    Packet,
    SocketState,
    SourceReport,
    StepBegan,
    StepEnded,
)
from netlab.timeline.timeline import Node, Timeline

START = 1_700_000_000_000_000_000
MS = 1_000_000
CLIENT, SERVER = "10.0.0.1", "10.0.0.2"
HOST = HostFacts(kernel="6.18.44", tier="A", capabilities={"bpf": "yes"}, pinned={"net.core.rmem_max": "212992"})


def segment(source: str, target: str, sport: int, dport: int, flags: int, seq: int, ack: int = 0, options: bytes = b"") -> bytes:
    """An Ethernet frame with a TCP segment that carries nothing; its checksums are left 0."""
    tcp = struct.pack("!HHIIBBHHH", sport, dport, seq, ack, (20 + len(options)) // 4 << 4, flags, 65535, 0, 0) + options
    addresses = inet_pton(AF_INET, source) + inet_pton(AF_INET, target)
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp), 0, 0, 64, 6, 0) + addresses
    return bytes(12) + b"\x08\x00" + ip + tcp


SYN = segment(CLIENT, SERVER, 40000, 8080, 0x02, 7000, options=bytes.fromhex("020405b4"))
RST = segment(SERVER, CLIENT, 8080, 40000, 0x14, 0, 7001)


def refused_timeline() -> Timeline:
    """A connect that a RST answers."""
    remote = (SERVER, 8080)
    observations = (
        StepBegan(time=START, index=0, text="client: c = socket(AF_INET, SOCK_STREAM, 0)"),
        CallStarted(
            time=START + MS, host="client", id=1, process="client", call="socket", text="socket(AF_INET, SOCK_STREAM, 0)", step=0
        ),
        CallReturned(time=START + 2 * MS, host="client", id=1, process="client", call="socket", result=3),
        Named(time=START + 2 * MS, host="client", process="client", name="c", fd=3, inode=77),
        StepEnded(time=START + 3 * MS, index=0),
        StepBegan(time=START + 4 * MS, index=1, text="client: connect(c, server:8080)"),
        CallStarted(
            time=START + 5 * MS, host="client", id=2, process="client", call="connect", text="connect(c, server:8080)", step=1
        ),
        Packet(
            time=START + 6 * MS, host="client", interface="eth0", direction="out", data=SYN, length=len(SYN), checksum_valid=False
        ),
        Packet(
            time=START + 7 * MS, host="server", interface="eth0", direction="out", data=RST, length=len(RST), checksum_valid=False
        ),
        SocketState(
            time=START + 8 * MS,
            host="client",
            source="tracepoint",
            old="SYN_SENT",
            new="CLOSE",
            local=(CLIENT, 40000),
            remote=remote,
        ),
        CallReturned(time=START + 9 * MS, host="client", id=2, process="client", call="connect", result=-1, errno="ECONNREFUSED"),
        StepEnded(time=START + 10 * MS, index=1),
    )
    return Timeline(
        observations=observations,
        sources=(
            SourceReport(name="packets", available=True, seen=2),
            SourceReport(name="memory", available=False, reason="needs root with BPF and BTF"),
        ),
        nodes={
            "client": Node(kind="host", addresses={"eth0": (CLIENT,)}),
            "server": Node(kind="host", addresses={"eth0": (SERVER,)}),
        },
        slack=50_000,
    )


PASSED = ScenarioResult(
    file="claims/handshake.yaml",
    name="refused",
    group="handshake",
    verdicts=(
        Verdict(
            id="refused", outcome="PASS", conformance="as-documented", statement="A RST refuses.", evidence=(1, 2, 6, 7, 8, 9, 10)
        ),
        Verdict(id="tcp-transitions", outcome="PASS", conformance="as-documented", evidence=(9,)),
    ),
    timeline=refused_timeline(),
    elapsed=0.5,
)
DEVIATES = ScenarioResult(
    file="claims/handshake.yaml",
    name="differs",
    group="handshake",
    verdicts=(
        Verdict(
            id="differs",
            outcome="PASS",
            conformance="known-deviation",
            statement="listen() twice fails.",
            source="RFC 9293 §3.9.1",
            evidence=(1, 2),
        ),
    ),
    timeline=refused_timeline(),
    elapsed=0.25,
)
FAILED = ScenarioResult(
    file="refused.scenario.yaml",
    name="connects",
    verdicts=(
        Verdict(
            id="connects",
            outcome="FAIL",
            conformance="surprise",
            statement="A connection opens.",
            source="RFC 9293 §3.5",
            reason="result: expected success, got ECONNREFUSED",
            rule="connect.established",
            mismatches=(
                Mismatch(
                    field="result",
                    expected="success",
                    actual="ECONNREFUSED",
                    place="refused.scenario.yaml:4:5",
                    step="client: connect(c, server:8080)",
                ),
            ),
            evidence=(1, 2, 6, 10),
            slice=(1, 2, 3, 5, 6, 7, 8, 9, 10),
        ),
    ),
    timeline=refused_timeline(),
    elapsed=1.0,
)
UNDECIDED = ScenarioResult(
    file="memory.scenario.yaml",
    name="memory",
    verdicts=(Verdict(id="memory", outcome="INCONCLUSIVE", statement="A socket takes memory.", reason="memory: not seen"),),
    timeline=refused_timeline(),
    elapsed=0.25,
)


AGAIN = msgspec.structs.replace(PASSED, name="again", played_again=("states lost 1 event", "packets lost 7 events"))
COVERED = Covered(kind="TCP transitions", taken=("tcp.a",), untaken={"tcp.b": "nobody | nothing"})


def result(*scenarios: ScenarioResult) -> RunResult:
    not_tested = ({"id": "origin", "statement": "It came from BSD.", "reason": "history cannot be run"},)
    return RunResult(netlab="0.1.0", host=HOST, scenarios=scenarios, not_tested=not_tested)


EVERYTHING = result(PASSED, DEVIATES, FAILED, UNDECIDED)
