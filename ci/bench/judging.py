"""Part: what judging costs: a call by the oracle, a packet by TCP's rules, beside reading the same from JSON or from its bytes."""

import json
import statistics
import struct
import time
from collections.abc import Callable, Iterator
from ipaddress import ip_network

import msgspec

from ci.bench.settings import NETLAB, Settings
from ci.bench.table import Row
from netlab.model.sockets.beginning import with_process
from netlab.model.sockets.oracle import Oracle
from netlab.model.sockets.outcomes import Seen, candidates
from netlab.model.sockets.world import Host, World
from netlab.model.wire.judge import follow
from netlab.notation.calls import Call, CallText
from netlab.notation.parse import parse_step
from netlab.timeline.headers import decode
from netlab.timeline.observations import CallReturned, Packet

PART = "judging"
ROUNDS_OF_CALLS, PACKETS = 20, 20_000
MOST_US = 50
OPENING = ("server: s = socket(AF_INET, SOCK_STREAM, 0)", "server: bind(s, 0.0.0.0:8080)", "server: listen(s, 8)")
CALLS = (
    "client: c = socket(AF_INET, SOCK_STREAM, 0)",
    "client: connect(c, 10.0.0.2:8080)",
    "server: a = accept(s)",
    'client: send(c, "hello") ',
    "server: recv(a, buf(5))",
    "server: poll(a, POLLIN, 0)",
    "client: setsockopt(c, IPPROTO_TCP, TCP_NODELAY, 1)",
    "client: getsockopt(c, SOL_SOCKET, SO_ERROR)",
    "client: getpeername(c)",
    "client: shutdown(c, SHUT_WR)",
    "server: recv(a, buf(5))",
    "server: close(a)",
    "client: close(c)",
    "client: u = socket(AF_INET, SOCK_DGRAM, 0)",
    'client: sendto(u, "x", 0, 10.0.0.2:9000)',
    "client: close(u)",
)
"""An ordinary connection between two hosts, and a datagram, again and again."""


def part(settings: Settings) -> Iterator[Row]:
    """The medians of several turns."""
    frames = [_frame(number) for number in range(PACKETS)]
    judged: list[float] = []
    read: list[float] = []
    followed: list[float] = []
    decoded: list[float] = []
    for _ in range(settings.rounds):
        one, other = _calls()
        judged.append(one)
        read.append(other)
        followed.append(_timed(lambda: follow(frames)) / len(frames))
        decoded.append(_timed(lambda: [decode(frame.data) for frame in frames]) / len(frames))
    yield _row("the start or the return of a call", judged, "reading it as JSON", read)
    yield _row("a packet, by TCP's rules", followed, "decoding its headers", decoded)


def _row(what: str, values: list[float], against: str, reference: list[float]) -> Row:
    value = statistics.median(values)
    return Row(
        part=PART,
        what=f"{what}; {against}: {statistics.median(reference):.1f} us",
        who=NETLAB,
        value=value,
        unit="us",
        reference=statistics.median(reference),
        most=MOST_US,
    )


def _timed(done: Callable[[], object]) -> float:
    """Processor time in us."""
    began = time.process_time_ns()
    done()
    return (time.process_time_ns() - began) / 1000


def _calls() -> tuple[float, float]:
    """What judging an observation took, and what reading it as JSON takes, in us."""
    oracle = _oracle()
    for text in OPENING:
        _made(oracle, text)
    texts = [text for _ in range(ROUNDS_OF_CALLS) for text in CALLS]
    took = sum(_made(oracle, text) for text in texts) / (2 * len(texts))
    written = [
        json.dumps({"kind": "return", "time": 1, "id": 7, "process": "client", "call": "recv", "result": 5, "out": '"hello"'})
        for _ in texts
    ]
    return took, _timed(lambda: [msgspec.convert(json.loads(one), CallReturned) for one in written]) / len(written)


def _frame(number: int) -> Packet:
    """A segment of an open connection: a hundred bytes one way, or the acknowledgement of them."""
    sent, answers = divmod(number, 2)
    ends = (2, 1) if answers else (1, 2)
    ports = (80, 40000) if answers else (40000, 80)
    numbers = (77, 1100 + 100 * sent) if answers else (1000 + 100 * sent, 77)
    data = b"" if answers else bytes(100)
    tcp = struct.pack("!HHIIHHHH", *ports, *numbers, 5 << 12 | (0x10 if answers else 0x18), 502, 0, 0)
    addresses = bytes((10, 0, 0, ends[0], 10, 0, 0, ends[1]))
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 40 + len(data), sent & 0xFFFF, 0x4000, 64, 6, 0) + addresses
    frame = bytes.fromhex("0200000000020200000000010800") + ip + tcp + data
    return Packet(
        time=1_700_000_000_000_000_000 + number * 4000, host="", interface="eth0", direction="in", data=frame, length=len(frame),
        checksum_valid=False,
    )  # fmt: skip


def _oracle() -> Oracle:
    hosts = {
        name: Host(name=name, addresses=("127.0.0.1", "::1", ip), networks=(ip_network("10.0.0.0/24"),))
        for name, ip in (("client", "10.0.0.1"), ("server", "10.0.0.2"))
    }
    world = World(hosts=hosts, certain=False)
    for name in hosts:
        world = with_process(world, name, name)
    return Oracle(world)


def _made(oracle: Oracle, text: str) -> float:
    """Make a call, let it give the first thing that is allowed, and tell what judging its two observations took, in us."""
    process, _, said = text.partition(": ")
    call = _call(said)
    outcomes = [one.outcome for one in oracle.allowed(process, call) or () if one.outcome.kind == "returns"]
    seen = Seen(result=candidates(outcomes[0].value)[0], partial=True)
    began = time.process_time_ns()
    step = oracle.returned(oracle.start(process, call), seen)
    took = (time.process_time_ns() - began) / 1000
    assert step.inconsistency is None
    assert step.judged
    return took


def _call(text: str) -> Call:
    said = parse_step(text)
    assert isinstance(said, CallText)
    return said.call
