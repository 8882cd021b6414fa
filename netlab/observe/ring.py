"""A ring of captured frames that the kernel fills and this process reads, block by block, with no system call a frame (packet(7)).

TPACKET_V3 of Documentation/networking/packet_mmap.rst. The kernel hands a block over when it is full, or ``RETIRE_MS`` after its
last one: so what came a moment ago may not be here yet, and whoever ends a capture must see a frame that he sent last. Taking
blocks is apart from reading the frames in them, so that taking is quick while traffic runs. It knows of no header but the kernel's.
"""

import fcntl
import mmap
import socket
import struct
from collections.abc import Iterator

SOL_PACKET, PACKET_RX_RING, PACKET_STATISTICS, PACKET_VERSION = 263, 5, 6, 10
TPACKET_V3 = 2
PACKET_OUTGOING = 4
TP_STATUS_USER, TP_STATUS_CSUMNOTREADY, TP_STATUS_VLAN_VALID, TP_STATUS_VLAN_TPID_VALID = 1, 1 << 3, 1 << 4, 1 << 6
BLOCK = 1 << 17
"""Bytes a block: the largest frame (64 KiB and its headers) fits in one, and nothing longer than a block is kept whole."""
RETIRE_MS = 4
"""After so many milliseconds a block that holds anything is handed over: a jiffy on kernels of 250 Hz, which round it up (until
Linux 6.18), and at 250,000 frames a second about the time in which it is full anyway."""

_LEAST_BLOCKS = 2
_FRAME = 2048  # no slots in version 3, but the request must divide a block into some
_SIOCGIFNAME = 0x8910
_REQUEST = struct.Struct("=7I")
_STATUS = struct.Struct("=I")
_BLOCK_HEAD = struct.Struct("=III")  # frames, offset of the first, bytes used
# struct tpacket3_hdr (48 bytes), then struct sockaddr_ll: next, seconds, nanoseconds, captured, length, status, mac, vlan tci, vlan
# tpid, protocol, interface, kind
_HEAD = struct.Struct("=6IH2x4xIH10x2xHi2xB")
_ETH_P_8021Q = 0x8100


Frame = tuple[int, int, bool, bytes, int, bool]
"""When it passed (ns), the interface's index, whether it went out, its bytes, its length on the wire, and whether its checksums are
there (they are not where TP_STATUS_CSUMNOTREADY says that a device was to fill them in)."""


class Ring:
    """The receive ring of an AF_PACKET socket. Closing the socket gives its memory back."""

    def __init__(self, made: socket.socket, size: int) -> None:
        """``size`` in bytes is rounded down to whole blocks, of which there are at least two. The kernel takes the socket away from
        traffic meanwhile, and forgets what it had received. Raises OSError where the kernel has no rings or no memory."""
        self._blocks = max(size // BLOCK, _LEAST_BLOCKS)
        whole = self._blocks * BLOCK
        made.setsockopt(SOL_PACKET, PACKET_VERSION, TPACKET_V3)
        request = _REQUEST.pack(BLOCK, self._blocks, _FRAME, whole // _FRAME, RETIRE_MS, 0, 0)
        made.setsockopt(SOL_PACKET, PACKET_RX_RING, request)
        self._map = mmap.mmap(made.fileno(), whole, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
        self._next = 0

    def take(self) -> list[bytes]:
        """Copies of the blocks that the kernel has handed over, in order; they are given back to it at once."""
        ring, taken = self._map, []
        for _ in range(self._blocks):
            at = self._next * BLOCK
            if not _STATUS.unpack_from(ring, at + 8)[0] & TP_STATUS_USER:
                break
            _, _, used = _BLOCK_HEAD.unpack_from(ring, at + 12)
            taken.append(ring[at : at + used])
            _STATUS.pack_into(ring, at + 8, 0)
            self._next = (self._next + 1) % self._blocks
        return taken

    def close(self) -> None:
        """Let the memory go; the socket stays open."""
        self._map.close()


def frames_of(block: bytes) -> Iterator[Frame]:
    """The frames in a block that was taken, in order. A VLAN tag that the kernel has taken out is put back."""
    count, at, _ = _BLOCK_HEAD.unpack_from(block, 12)
    unpack = _HEAD.unpack_from
    for _ in range(count):
        following, seconds, part, captured, length, status, mac, tci, tpid, _, interface, kind = unpack(block, at)
        data = block[at + mac : at + mac + captured]
        if status & TP_STATUS_VLAN_VALID:
            data, length = tagged(data, status, tci, tpid), length + 4
        yield (
            seconds * 1_000_000_000 + part, interface, kind == PACKET_OUTGOING, data, length, not status & TP_STATUS_CSUMNOTREADY,
        )  # fmt: skip
        at += following


def tagged(data: bytes, status: int, tci: int, tpid: int) -> bytes:
    """A frame with the VLAN tag that the kernel keeps beside it (``TP_STATUS_VLAN_VALID``) in its place again."""
    return data[:12] + struct.pack(">HH", tpid if status & TP_STATUS_VLAN_TPID_VALID else _ETH_P_8021Q, tci & 0xFFFF) + data[12:]


def interface_name(made: socket.socket, index: int) -> str:
    """The name of an interface in the socket's namespace (netdevice(7)); "if7" for one that has gone."""
    try:
        answer = fcntl.ioctl(made, _SIOCGIFNAME, struct.pack("=16si20x", b"", index))
    except OSError:
        return f"if{index}"
    return answer[:16].partition(b"\0")[0].decode("utf-8", "replace")
