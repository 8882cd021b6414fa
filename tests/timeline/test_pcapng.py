"""pcapng written and read back; other readers agree; files of others are read; damaged ones are refused with their place."""

import io
import shutil
import struct
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hand_written import handshake, segment, sent
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.l2 import Ether
from scapy.utils import PcapNgReader, PcapReader, PcapWriter, RawPcapNgReader, RawPcapNgWriter

from netlab.errors import SpecError
from netlab.timeline.observations import Packet
from netlab.timeline.pcapng import Writer, write
from netlab.timeline.pcapng_read import Capture, read, read_bytes

NOW = 1_700_000_000_123_456_789


def written(packets: list[Packet], **more: Any) -> bytes:
    stream = io.BytesIO()
    write(stream, packets, **more)
    return stream.getvalue()


def a_capture() -> list[Packet]:
    return [*handshake(NOW), sent(NOW + 9, "client", segment("client", "server", "S", 1), checksum_valid=False)]


COMMENTS = {0: ("first", "second: it – has more"), 3: ("FAIL: flags",), 6: ("about a checksum",)}


def test_round_trip_with_comments_and_losses() -> None:
    data = written(a_capture(), comments=COMMENTS, section_comment="netlab run", dropped=7)
    assert read_bytes(data) == Capture(packets=tuple(a_capture()), comments=COMMENTS, section_comments=("netlab run",), dropped=7)
    assert read_bytes(written([])) == Capture(packets=())
    assert read_bytes(written([], dropped=3)) == Capture(packets=(), dropped=3)


@settings(max_examples=50, deadline=None)
@given(
    packets=st.lists(
        st.builds(
            Packet,
            time=st.integers(0, 2**63),
            host=st.sampled_from(("client", "server", "")),
            interface=st.sampled_from(("eth0", "eth1")),
            direction=st.sampled_from(("in", "out", "")),
            data=st.binary(max_size=70),
            length=st.integers(70, 2**32 - 1),
            checksum_valid=st.booleans(),
        ),
        max_size=5,
    ),
    comments=st.dictionaries(st.integers(0, 0), st.lists(st.text(max_size=9), min_size=1, max_size=3).map(tuple), max_size=1),
)
def test_any_packets_come_back(packets: list[Packet], comments: dict[int, tuple[str, ...]]) -> None:
    comments = comments if packets else {}
    assert read_bytes(written(packets, comments=comments)) == Capture(packets=tuple(packets), comments=comments)


def test_an_endless_comment_is_cut_at_a_character() -> None:
    data = written([sent(1, "client", bytes(14))], comments={0: ("é" * 40_000,)})
    assert read_bytes(data).comments == {0: ("é" * 32_767,)}


def test_scapy_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "a.pcapng"
    path.write_bytes(written(a_capture(), comments=COMMENTS))
    with RawPcapNgReader(str(path)) as raw:
        assert [data for data, _ in raw] == [packet.data for packet in a_capture()]
    with PcapNgReader(str(path)) as reader:
        packets = list(reader)
    assert [bytes(packet) for packet in packets] == [packet.data for packet in a_capture()]
    assert [round(packet.time * 10**9) for packet in packets] == [packet.time for packet in a_capture()]
    assert packets[0].sniffed_on == "client:eth0"
    assert packets[0].comments == [b"first", "second: it – has more".encode()]
    assert [packet.direction for packet in packets[:2]] == [2, 1]


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed: apt-get install tshark")
def test_tshark_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "a.pcapng"
    path.write_bytes(written(a_capture(), comments=COMMENTS, section_comment="netlab run", dropped=7))
    fields = ("frame.time_epoch", "frame.interface_name", "frame.packet_flags_direction", "frame.comment", "tcp.flags.str")
    command = [
        "tshark",
        "-r",
        str(path),
        "-T",
        "fields",
        "-E",
        "separator=|",
        *(word for field in fields for word in ("-e", field)),
    ]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    rows = [line.split("|") for line in lines]
    assert [row[0] for row in rows] == [f"{packet.time // 10**9}.{packet.time % 10**9:09d}" for packet in a_capture()]
    assert [row[1] for row in rows] == [f"{packet.host}:eth0" for packet in a_capture()]
    assert rows[0][3] == "first,second: it – has more"
    assert [int(row[2], 0) for row in rows] == [{"in": 1, "out": 2}[packet.direction] for packet in a_capture()]


def block(order: str, kind: int, body: bytes) -> bytes:
    total = struct.pack(order + "I", len(body) + 12)
    return struct.pack(order + "I", kind) + total + body + total


@pytest.mark.parametrize("order", ["<", ">"])
def test_files_of_others_are_read(order: str) -> None:
    """Either byte order, microseconds by default, no options, a simple packet, a block nobody knows, a second section."""
    section = block(order, 0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1))
    named = block(order, 1, struct.pack(order + "HHIHH8s", 1, 0, 0, 2, 4, b"eth7\0\0\0\0"))
    binary = block(order, 1, struct.pack(order + "HHIHHB3xI", 1, 0, 0, 9, 1, 0x80 | 10, 0))
    raw = block(order, 1, struct.pack(order + "HHI", 101, 0, 0))
    unknown = block(order, 0x0BAD, b"\0" * 8)
    frame = bytes(range(14)) + b"xy"

    def packet(number: int, ticks: int, data: bytes) -> bytes:
        return block(order, 6, struct.pack(order + "IIIII", number, ticks >> 32, ticks & 0xFFFFFFFF, len(data), 99) + data)

    simple = block(order, 3, struct.pack(order + "I", 16) + frame)
    first = section + named + binary + raw + unknown + packet(0, 1_700_000_000_000_001, frame) + packet(1, 512, frame)
    data = first + packet(2, 0, b"\x60" + bytes(39)) + simple + section + named + packet(0, 5, frame)
    found = read_bytes(data).packets
    assert [one.time for one in found] == [1_700_000_000_000_001_000, 500_000_000, 0, 0, 5_000]
    assert [one.interface for one in found] == ["eth7", "", "", "eth7", "eth7"]
    assert [one.data for one in found] == [frame, frame, bytes(12) + b"\x86\xdd\x60" + bytes(39), frame, frame]
    assert [one.length for one in found] == [99, 99, 113, 16, 99]
    assert {one.direction for one in found} == {""}


def test_scapys_and_classic_files_are_read(tmp_path: Path) -> None:
    frames = [packet.data for packet in handshake()]
    with RawPcapNgWriter(str(tmp_path / "s.pcapng")) as writer:
        for data in frames:
            writer.write(Ether(data))
    assert [packet.data for packet in read(tmp_path / "s.pcapng").packets] == frames
    for nano, order in ((False, "<"), (True, ">")):
        path = tmp_path / f"{nano}.pcap"
        with PcapWriter(str(path), linktype=1, nano=nano, endianness=order) as classic:
            classic.write_header(None)
            for number, data in enumerate(frames):
                classic.write_packet(data, sec=5, usec=number)
        found = read(path).packets
        assert [packet.data for packet in found] == frames
        assert [packet.time for packet in found] == [5 * 10**9 + number * (1 if nano else 1000) for number in range(len(frames))]
        with PcapReader(str(path)) as reader:
            assert [bytes(packet) for packet in reader] == frames


def test_damaged_files_are_refused_with_the_byte(tmp_path: Path) -> None:
    whole = written([sent(1, "client", bytes(14))])
    section = whole[:40]
    length = struct.unpack_from("<I", whole, 4)[0]
    wrong = {
        b"": r"a:1:1: byte 0: neither pcapng nor pcap; write one with",
        b"\x7fELF" + bytes(20): r"byte 0: neither pcapng",
        whole[:-2]: r"byte \d+: a block of \d+ bytes, \d+ are left",
        whole[: length + 5]: rf"a:1:{length + 1}: byte {length}: the file ends inside a block's header",
        section[:8] + bytes(4) + section[12:]: r"byte 8: no byte-order magic",
        whole[: length + 4] + b"\x07\0\0\0" + whole[length + 8 :]: r"a block cannot have a length of 7",
        whole[:length] + block("<", 6, bytes(24)): r"a packet of interface 0, 0 are described",
        whole[:length] + block("<", 6, bytes(4)): r"a block of kind 6 is too short",
        whole[:length] + block("<", 1, b"\x09\0\0\0\0\0\0\0") + block("<", 6, bytes(24)): r"link type 9 .* tcpdump -i eth0",
        b"\xd4\xc3\xb2\xa1" + bytes(16) + b"\1\0\0\0" + bytes(5): r"byte 24: the file ends inside a packet's header",
    }
    for data, message in wrong.items():
        with pytest.raises(SpecError, match=message):
            read_bytes(data, "a")
    with pytest.raises(SpecError, match="cannot be read: No such file"):
        read(tmp_path / "none")


@settings(max_examples=200, deadline=None)
@given(at=st.integers(0, 400), value=st.integers(0, 255), size=st.integers(0, 500))
def test_no_damage_is_a_bug_of_ours(at: int, value: int, size: int) -> None:
    whole = bytearray(written(a_capture()[:3], comments={0: ("x",)}))
    whole[at] = value
    try:
        read_bytes(bytes(whole[:size]))
    except SpecError:
        return


def test_a_file_in_the_making_can_be_read_after_every_flush() -> None:
    stream = io.BytesIO()
    writer = Writer(stream)
    packets = [
        Packet(time=number, host="h", interface=f"eth{number % 2}", direction="out", data=bytes([number]), length=1)
        for number in range(3)
    ]
    writer.flush()
    assert read_bytes(stream.getvalue()).packets == ()
    for number, packet in enumerate(packets, 1):
        writer.add(packet)
        assert len(read_bytes(stream.getvalue()).packets) == number - 1
        writer.flush()
        assert read_bytes(stream.getvalue()).packets == tuple(packets[:number])
    writer.finish(dropped=5)
    assert read_bytes(stream.getvalue()).dropped == 5
    whole = io.BytesIO()
    write(whole, packets, dropped=5)
    assert whole.getvalue() == stream.getvalue()


def test_damage_amid_many_alike_is_refused_with_the_byte() -> None:
    """Packets that are as most are go a quicker way, which must leave what is damaged to the one that says where."""
    packets = [Packet(time=NOW + n, host="h", interface="eth0", direction="in", data=bytes(21), length=21) for n in range(9)]
    whole = written(packets)
    assert read_bytes(whole).packets == tuple(packets)
    size = len(whole) - len(written(packets[:-1]))
    start = whole.index(struct.pack("<II", 6, size)) + 4 * size
    assert struct.unpack_from("<I", whole, start)[0] == 6
    wrong = {
        whole[: start + 4] + b"\x07" + whole[start + 5 :]: rf"a:1:{start + 1}: .*a block cannot have a length of 7",
        whole[: start + 8] + b"\x09" + whole[start + 9 :]: rf"a:1:{start + 1}: .*a packet of interface 9, 1 are described",
        whole[: start + 20] + b"\xff" + whole[start + 21 :]: rf"a:1:{start + 1}: .*a packet of 255 bytes in a block",
        whole[: start + size - 4]
        + b"\0"
        + whole[start + size - 3 :]: rf"byte {start + size - 4}: the block's length is not repeated",
        whole[: start + size - 1]: rf"a:1:{start + 1}: .*a block of {size} bytes, {size - 1} are left",
    }
    for data, message in wrong.items():
        with pytest.raises(SpecError, match=message):
            read_bytes(data, "a")
