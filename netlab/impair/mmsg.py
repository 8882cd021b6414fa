"""Moves many frames through AF_PACKET sockets by one system call: recvmmsg(2) and sendmmsg(2), over buffers that are made once.

What came in can go out from where it lies, never having been an object of Python's. It does not know what frames are for.
"""

import ctypes
import errno
import mmap
import os
import socket
import struct
from collections.abc import Sequence

from netlab.impair.segmenting import NOTHING_LEFT, tagged

__all__ = ["AT_ONCE", "LARGEST_FRAME", "PACKET_AUXDATA", "SOL_PACKET", "SO_TIMESTAMPNS", "Batch"]

SOL_PACKET, PACKET_AUXDATA = 263, 8
SO_TIMESTAMPNS = 35
TP_STATUS_VLAN_VALID, TP_STATUS_VLAN_TPID_VALID = 1 << 4, 1 << 6
AT_ONCE = 64
"""The most frames of a batch."""
LARGEST_FRAME = 1 << 17

_MSG_DONTWAIT, _MSG_TRUNC = int(socket.MSG_DONTWAIT), int(socket.MSG_TRUNC)  # an enumeration's members take far longer
# struct mmsghdr: name, namelen, iov, iovlen, control, controllen, flags, and the length of what was moved; all as 8-byte words.
_MMSGHDR = struct.Struct("=QQQQQQQQ")
_IOV_LENGTH, _CONTROL_LENGTH, _FLAGS, _LENGTH, _WORDS = 3, 5, 6, 7, 8
# What the kernel tells of a frame: when it came (SO_TIMESTAMPNS), then its VLAN tag (PACKET_AUXDATA), in this order.
_CONTROL = struct.Struct("=QiiqqQiiIIIHHHH4x")
_STATUS = 12  # of its 4-byte words
_STRIDE = LARGEST_FRAME + 4096 + 320  # no two frames begin at the same place of a cache
# Where an Ethernet frame has the second byte of its type, and the flags of TCP in IPv4 and in IPv6 (without options).
_KIND, _FLAGS_4, _FLAGS_6 = 13, 47, 67
_IP = b"\x00\xdd"
_HEADERS = 256
_SYN = bytes(byte & 2 for byte in range(256))
_libc = ctypes.CDLL(None, use_errno=True)
_recvmmsg, _sendmmsg = _libc.recvmmsg, _libc.sendmmsg
for _function in (_recvmmsg, _sendmmsg):
    _function.restype = ctypes.c_int
_recvmmsg.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int, ctypes.c_void_p)
_sendmmsg.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int)


class Batch:
    """Room for AT_ONCE frames of up to LARGEST_FRAME bytes; memory is taken only where frames have been.

    The sockets that it receives from have PACKET_AUXDATA and SO_TIMESTAMPNS on. Only one thread at a time may use it.
    """

    def __init__(self) -> None:
        self._room = mmap.mmap(-1, AT_ONCE * _STRIDE)
        self._frames = memoryview(self._room)
        base = ctypes.addressof(ctypes.c_char.from_buffer(self._room))
        self._hints = {
            head: [self._frames[at + head :: _STRIDE] for at in (_KIND, _FLAGS_4, _FLAGS_6)] for head in (0, len(NOTHING_LEFT))
        }
        self._control = bytearray(AT_ONCE * _CONTROL.size)
        self._in, self._in_vectors = bytearray(AT_ONCE * _MMSGHDR.size), bytearray(AT_ONCE * 16)
        self._out, self._out_vectors = bytearray(AT_ONCE * _MMSGHDR.size), bytearray(AT_ONCE * 16)
        control, in_vectors, out_vectors = (_address(each) for each in (self._control, self._in_vectors, self._out_vectors))
        for n in range(AT_ONCE):
            for vectors in (self._in_vectors, self._out_vectors):
                struct.pack_into("=QQ", vectors, n * 16, base + n * _STRIDE, LARGEST_FRAME)
            at = n * _MMSGHDR.size
            _MMSGHDR.pack_into(self._in, at, 0, 0, in_vectors + n * 16, 1, control + n * _CONTROL.size, _CONTROL.size, 0, 0)
            _MMSGHDR.pack_into(self._out, at, 0, 0, out_vectors + n * 16, 1, 0, 0, 0, 0)
        self._in_at, self._out_at = _address(self._in), _address(self._out)
        words = memoryview(self._in).cast("Q")
        self._lengths, self._flags = words[_LENGTH::_WORDS], words[_FLAGS::_WORDS]
        self._control_lengths = words[_CONTROL_LENGTH::_WORDS]
        self._statuses = memoryview(self._control).cast("I")[_STATUS :: _CONTROL.size // 4]
        self._full_control = memoryview(struct.pack("=Q", _CONTROL.size) * AT_ONCE).cast("Q")
        self._out_lengths = memoryview(self._out_vectors).cast("Q")[1::2]

    def receive(self, fd: int) -> int:
        """Take what has come, AT_ONCE at most: gives how many; 0 when nothing has. Raises OSError."""
        self._control_lengths[:] = self._full_control
        count = _recvmmsg(fd, self._in_at, AT_ONCE, _MSG_DONTWAIT, None)
        if count >= 0:
            return int(count)
        number = ctypes.get_errno()
        if number in (errno.EAGAIN, errno.EINTR):
            return 0
        raise OSError(number, os.strerror(number))

    def plain(self, count: int) -> bool:
        """Whether the first ``count`` frames received lie here as they were sent: whole, and with no VLAN tag taken out."""
        tagged = any(status & TP_STATUS_VLAN_VALID for status in set(self._statuses[:count].tolist()))
        return not tagged and not any(flags & _MSG_TRUNC for flags in set(self._flags[:count].tolist()))

    def opening(self, count: int, head: int = 0) -> list[bytes]:
        """The headers of all those among the first ``count`` frames received that open a TCP connection, and of few others: told by
        two bytes of each."""
        kind_bytes, flags_4, flags_6 = self._hints[head]
        found = bytes(flags_4[:count]).translate(_SYN), bytes(flags_6[:count]).translate(_SYN)
        if b"\2" not in found[0] and b"\2" not in found[1]:
            return []
        kinds = bytes(kind_bytes[:count])
        starts = [n * _STRIDE + head for n, kind in enumerate(kinds) if kind in _IP and found[kind != _IP[0]][n]]
        return [bytes(self._frames[at : at + _HEADERS]) for at in starts]

    def send_on(self, fd: int, count: int) -> tuple[int, int]:
        """Send the first ``count`` frames received, as they lie here. Gives how many went, and the errno of the one that did
        not."""
        self._out_lengths[:count] = self._lengths[:count]
        return self._send(fd, count)

    def frames(self, count: int, head: int = 0) -> list[tuple[int, bytes]]:
        """The first ``count`` frames received, each with its time (CLOCK_REALTIME ns); ``head`` bytes precede each frame.

        On its way to AF_PACKET the kernel takes the outer VLAN tag out (packet(7)): here it is in again. A frame that was too long
        for the room is left out.
        """
        found: list[tuple[int, bytes]] = []
        told = _CONTROL.iter_unpack(memoryview(self._control)[: count * _CONTROL.size])
        for n, (_, _, _, seconds, nanoseconds, _, _, _, status, _, _, _, _, tag, kind) in enumerate(told):
            if self._flags[n] & _MSG_TRUNC:
                continue
            at = n * _STRIDE
            frame = bytes(self._frames[at : at + self._lengths[n]])
            if status & TP_STATUS_VLAN_VALID:
                outer = kind if status & TP_STATUS_VLAN_TPID_VALID else 0x8100
                prefix = tagged(frame[:head]) if head else b""
                frame = prefix + frame[head : head + 12] + struct.pack("!HH", outer, tag) + frame[head + 12 :]
            found.append((seconds * 1_000_000_000 + nanoseconds, frame))
        return found

    def send(self, fd: int, frames: Sequence[bytes]) -> tuple[int, int]:
        """Send frames, AT_ONCE at most; gives how many went, and the errno of the one that did not (0: none)."""
        for n, frame in enumerate(frames):
            at, size = n * _STRIDE, len(frame)
            self._frames[at : at + size] = frame
            self._out_lengths[n] = size
        return self._send(fd, len(frames))

    def _send(self, fd: int, count: int) -> tuple[int, int]:
        gone = 0
        while gone < count:
            sent = _sendmmsg(fd, self._out_at + gone * _MMSGHDR.size, count - gone, _MSG_DONTWAIT)
            if sent < 0:
                number = ctypes.get_errno()
                if number != errno.EINTR:
                    return gone, number
            else:
                gone += sent
        return gone, 0


def _address(memory: bytearray) -> int:
    return ctypes.addressof(ctypes.c_char.from_buffer(memory))
