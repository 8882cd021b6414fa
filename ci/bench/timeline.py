"""Part: packets of a file into the timeline, against scapy's rdpcap; events merged into one order."""

import random
import struct
import time
from collections.abc import Iterator
from pathlib import Path

from ci.bench.measure import Samples
from ci.bench.settings import NETLAB, Settings
from ci.bench.table import Row
from netlab.timeline.headers import decode
from netlab.timeline.observations import AnyObservation, Packet, SocketState
from netlab.timeline.pcapng import write
from netlab.timeline.pcapng_read import read
from netlab.timeline.streams import packets_of
from netlab.timeline.timeline import merge

PART = "into the timeline"
PACKETS, SCAPYS = 100_000, 3_000
TIMES = 50
MOST_MERGE_MS = 2000
RDPCAP = "rdpcap, one"
START = 1_700_000_000_000_000_000
EVENTS, SOURCES = 100_000, 4


def part(settings: Settings) -> Iterator[Row]:
    """Times a packet, of TCP segments with timestamps and a hundred bytes; and the time to merge what four sources saw."""
    from scapy.layers import inet, l2  # noqa: F401 - without these layers rdpcap would dissect nothing
    from scapy.utils import rdpcap

    ours, scapys = settings.folder / "packets.pcapng", settings.folder / "few.pcapng"
    _written(ours, PACKETS)
    _written(scapys, SCAPYS)
    fields, numbered, theirs, merged = Samples(), Samples(), Samples(), Samples()
    sources = _sources()
    for number in range(settings.rounds + 1):
        began = time.perf_counter()
        packets = read(ours).packets
        found = [decode(packet.data) for packet in packets]
        entered = time.perf_counter()
        seen = packets_of(packets)
        known = time.perf_counter()
        dissected = rdpcap(str(scapys))
        read_by_scapy = time.perf_counter()
        timeline = merge(*sources)
        done = time.perf_counter()
        if (len(found), len(seen), len(dissected), len(timeline)) != (PACKETS, PACKETS, SCAPYS, EVENTS):
            raise RuntimeError("not every packet was read")
        if number:
            fields.values.append((entered - began) / PACKETS * 1e6)
            numbered.values.append((known - entered) / PACKETS * 1e6)
            theirs.values.append((read_by_scapy - known) / SCAPYS * 1e6)
            merged.values.append((done - read_by_scapy) * 1e3)
    yield Row(
        part=PART,
        what=f"{TIMES} packets of a file, header fields included",
        who=NETLAB,
        value=TIMES * fields.median,
        unit="us",
        against=RDPCAP,
        reference=theirs.median,
        most=1.0,
    )
    yield Row(part=PART, what="a packet, header fields included", who=NETLAB, value=fields.median, unit="us")
    yield Row(part=PART, what="its relative numbers, by every node", who=NETLAB, value=numbered.median, unit="us")
    yield Row(part=PART, what=f"{EVENTS:,} events merged", who=NETLAB, value=merged.median, unit="ms", most=MOST_MERGE_MS)


def _written(path: Path, count: int) -> None:
    packets = (
        Packet(
            time=START + number * 4000,
            host="client",
            interface="eth0",
            direction="out" if number % 2 else "in",
            data=frame,
            length=len(frame),
        )
        for number in range(count)
        for frame in (_segment(number),)
    )
    with path.open("wb") as file:
        write(file, packets)


def _segment(number: int) -> bytes:
    """A TCP segment of one of fifty connections, with timestamps."""
    data = bytes(100)
    options = struct.pack("!BBBBII", 1, 1, 8, 10, number, number + 1)
    tcp = struct.pack("!HHIIHHHH", 40000 + number % 50, 80, 1000 + 100 * number, 77, 8 << 12 | 0x18, 502, 0, 0) + options
    addresses = bytes((10, 0, 0, 1, 10, 0, 0, 2))
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp) + len(data), number & 0xFFFF, 0x4000, 64, 6, 0) + addresses
    return bytes.fromhex("0200000000020200000000010800") + ip + tcp + data


def _sources() -> list[list[AnyObservation]]:
    """What four sources saw at the same time: each in its own order, packets and states."""
    chance = random.Random(7)
    sources: list[list[AnyObservation]] = []
    for source in range(SOURCES):
        times = sorted(START + chance.randrange(10**9) for _ in range(EVENTS // SOURCES))
        sources.append([_packet(at) if source % 2 else _state(at) for at in times])
    return sources


def _packet(at: int) -> Packet:
    return Packet(time=at, host="client", interface="eth0", direction="in", data=b"", length=0)


def _state(at: int) -> SocketState:
    local, remote = ("10.0.0.1", 40000), ("10.0.0.2", 80)
    return SocketState(time=at, host="client", source="tracepoint", old="SYN_SENT", new="ESTABLISHED", local=local, remote=remote)
