"""The ring: what it holds is read exactly, what it has no room for is counted, and a quiet tap goes over to it without a gap."""

import ctypes
import os
import re
import socket
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from networks import one_host, two_hosts

from netlab.lab.lab import Lab
from netlab.observe import procfs
from netlab.observe.packets import Capture
from netlab.observe.ring import BLOCK, PACKET_STATISTICS, SOL_PACKET, Ring, frames_of, interface_name, tagged
from netlab.observe.taps import dropped

TESTS = Path(__file__).parent.parent


def block(*frames: tuple[bytes, int, int, int]) -> bytes:
    """A block of frames: bytes, status, VLAN tag, kind of packet."""
    laid = b""
    for data, status, tag, kind in frames:
        head = struct.pack("=IIIIHH", 7, len(data), len(data) + 100, status, 82, 96) + struct.pack("=IIH10x", 0, tag, 0x88A8)
        link = struct.pack("=HHiHBB8x", 17, 0x0300, 3, 1, kind, 6)
        body = (head + link).ljust(74, b"\0") + data
        following = len(body) + 8 + -len(body) % 8
        laid += (struct.pack("=II", following, 5) + body).ljust(following, b"\0")
    return struct.pack("=IIIII28x", 1, 0, 1, len(frames), 48) + laid


def test_a_block_is_read_frame_by_frame() -> None:
    frames = [(bytes(range(20)), 1, 0, 0), (b"second-frame", 1 | 8, 0, 4), (bytes(range(14)), 1 | 16 | 64, 0x0005, 0)]
    assert list(frames_of(block(*frames))) == [
        (5_000_000_007, 3, False, bytes(range(20)), 120, True),
        (5_000_000_007, 3, True, b"second-frame", 112, False),
        (5_000_000_007, 3, False, bytes(range(12)) + b"\x88\xa8\x00\x05" + bytes((12, 13)), 118, True),
    ]
    assert list(frames_of(block())) == []


def test_a_tag_without_its_protocol_is_an_ordinary_one() -> None:
    assert tagged(bytes(12) + b"\x08\x00", 16, 7, 0) == bytes(12) + b"\x81\x00\x00\x07\x08\x00"


class _Part(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class _Message(ctypes.Structure):
    """struct mmsghdr, see sendmmsg(2)."""

    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_uint),
        ("parts", ctypes.c_void_p),
        ("parts_count", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_long),
        ("sent", ctypes.c_uint),
    )


class Burst:
    """Numbered datagrams, a thousand a system call: quicker than any reader that shares this interpreter."""

    COUNT = 1000

    def __init__(self, sender: socket.socket) -> None:
        self._fd, self._send = sender.fileno(), ctypes.CDLL(None, use_errno=True).sendmmsg
        self._data = ctypes.create_string_buffer(8 * self.COUNT)
        self._parts, self._messages = (_Part * self.COUNT)(), (_Message * self.COUNT)()
        for number, (part, message) in enumerate(zip(self._parts, self._messages, strict=True)):
            part.base, part.length = ctypes.addressof(self._data) + 8 * number, 8
            message.parts, message.parts_count = ctypes.addressof(part), 1

    def send(self, first: int) -> int:
        """Send the numbers from ``first`` on; gives the first one that was not sent."""
        struct.pack_into(f">{self.COUNT}Q", self._data, 0, *range(first, first + self.COUNT))
        sent = self._send(self._fd, self._messages, self.COUNT, 0)
        if sent < 0:
            raise OSError(ctypes.get_errno(), "sendmmsg")
        return first + int(sent)


@pytest.mark.netns
def test_what_a_full_ring_has_no_room_for_is_counted() -> None:
    with Lab(one_host()) as lab, lab.nodes["host"].space.packet_socket() as made:
        ring = Ring(made, 0)
        with lab["host"].socket(kind=socket.SOCK_DGRAM) as sender:
            for _ in range(3 * BLOCK // 4096):  # each is seen twice on loopback: three times what its two blocks hold
                sender.sendto(bytes(4000), ("127.0.0.1", 9))
        packets, lost = struct.unpack_from("=II", made.getsockopt(SOL_PACKET, PACKET_STATISTICS, 12))
        there = [frame for taken in ring.take() for frame in frames_of(taken)]
        assert lost > 0
        assert len(there) == packets - lost
        assert {interface_name(made, frame[1]) for frame in there} == {"lo"}
        assert interface_name(made, 4711) == "if4711"
        assert ring.take() == []
        assert dropped(made) == 0
        ring.close()


@pytest.mark.netns
def test_the_longest_frames_are_whole() -> None:
    with Lab(one_host()) as lab:
        seen = Capture({"host": lab.nodes["host"].space.packet_socket()}, ring=True)
        seen.start()
        payload = os.urandom(65000)
        with lab["host"].socket(kind=socket.SOCK_DGRAM) as sender:
            sender.sendto(payload, ("127.0.0.1", 9))
        datagram = seen.stop()[0]
        assert (datagram.length, datagram.data[42:] == payload) == (65042, True)


@pytest.mark.netns
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may have a queue that is long enough while the ring is made")
def test_a_tap_that_falls_behind_goes_over_to_a_ring_and_has_every_packet_once() -> None:
    with Lab(two_hosts()) as lab, lab["server"].popen(["sleep", "60"]) as program:
        seen = Capture(
            {"server": lab.nodes["server"].space.packet_socket()},
            32 << 20,
            again=lambda name: lab.nodes[name].space.packet_socket(),
        )
        seen.start()
        before = procfs.socket_counts("server", program.pid).counts["sockets used"]
        assert seen.loud == frozenset()
        sent = 0
        with lab["client"].socket(kind=socket.SOCK_DGRAM) as sender, lab["server"].socket(kind=socket.SOCK_DGRAM) as receiver:
            receiver.bind(("10.0.0.2", 9))
            sender.connect(("10.0.0.2", 9))
            burst = Burst(sender)
            while not seen.loud and sent < 2_000_000:
                sent = burst.send(sent)
            assert seen.loud == {"server"}
            with seen.undisturbed("server"):  # once this is given the queue has been shut and its socket closed
                assert procfs.socket_counts("server", program.pid).counts["sockets used"] == before + 1  # the receiver
            by_ring = sent
            sent = burst.send(sent)
            seen.settle()
        packets = [packet for packet in seen.stop() if packet.data[12:14] == b"\x08\x00" and packet.direction == "in"]
        program.kill()
        numbers = {int.from_bytes(packet.data[42:50], "big") for packet in packets}
        assert len(numbers) == len(packets)
        assert numbers <= set(range(sent))
        # A machine so busy that the reader does not run for long enough loses some, and says of how many.
        assert sent - len(numbers) <= seen.report().lost
        assert {(packet.interface, packet.checksum_valid) for packet in packets} == {("eth0", True)}
        assert set(range(by_ring, sent)) <= numbers


@pytest.mark.netns
@pytest.mark.timeout(120)
@pytest.mark.skipif(os.geteuid() != 0, reason="all tests run without root here")
def test_rings_need_no_root() -> None:
    options = ["-q", "-W", "error", "-p", "no:cacheprovider", "-p", "no:xdist", "--rootdir", str(TESTS.parent)]
    command = [sys.executable, str(TESTS / "unprivileged.py"), sys.executable, "-m", "pytest", *options]
    files = [str(TESTS / "observe" / name) for name in ("test_capture.py", "test_packet_ring.py")]
    done = subprocess.run([*command, *files], capture_output=True, text=True, check=False, cwd=TESTS.parent)
    assert done.returncode == 0, done.stdout + done.stderr
    counted = re.search(r"(\d+) passed", done.stdout)
    assert counted is not None
    assert int(counted[1]) > 8
