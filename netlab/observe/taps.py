"""Where frames are listened to: an AF_PACKET socket's own queue, or its ring. Each turns what it reads into Packet observations.

A queue is read frame by frame, at once: right where little happens. A ring (ring.py) keeps up with any traffic of a veth pair,
costs its memory whether it is used or not, and delivers a few milliseconds later. Which of the two, and when, is for packets.py to
say.
"""

import ctypes
import socket
import struct
import time
from dataclasses import dataclass, field

from netlab.observe.ring import (
    PACKET_OUTGOING,
    PACKET_STATISTICS,
    SOL_PACKET,
    TP_STATUS_CSUMNOTREADY,
    TP_STATUS_VLAN_VALID,
    Ring,
    frames_of,
    interface_name,
    tagged,
)
from netlab.timeline.observations import Packet

ETH_P_CANARY = 0x88B5
LOOPBACK = "lo"
LARGEST_FRAME = 1 << 17
PACKET_AUXDATA = 8
SO_TIMESTAMPNS, SO_RCVBUFFORCE, SO_ATTACH_FILTER = 35, 33, 26
NEVER = 1 << 63
_CANARY = ETH_P_CANARY.to_bytes(2, "big")
_ANCILLARY = 256
_BATCH = 256
_AUXDATA = struct.Struct("=III4xHH")  # status, length, captured, vlan tci, vlan tpid


@dataclass(slots=True, eq=False, kw_only=True)
class Queue:
    """A node's socket, read frame by frame. Frames stamped at ``until`` (ns) or later are another's to deliver. ``full`` counts how
    many batches in a row were full: how long it has been behind."""

    node: str
    socket: socket.socket
    canary: bytes
    until: int = NEVER
    full: int = 0

    def prepare(self, buffer: int) -> None:
        """Have room for frames, and stamps on them."""
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.socket.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        self.resize(buffer)

    def resize(self, buffer: int) -> None:
        """Have room for ``buffer`` bytes of frames and of what the kernel keeps with each; an unprivileged user gets at most
        net.core.rmem_max."""
        try:
            self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, buffer // 2)
        except PermissionError:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer // 2)

    def read(self, packets: list[Packet], heard: list[bytes]) -> None:
        """Read what there is, up to a batch, since other taps are waiting too."""
        canary = self.canary
        for _ in range(_BATCH):
            try:
                data, ancillary, _, address = self.socket.recvmsg(LARGEST_FRAME, _ANCILLARY)
            except BlockingIOError:
                self.full = 0
                return
            interface, protocol, kind = address[0], address[1], address[2]
            if protocol == ETH_P_CANARY and data[14:30] == canary:
                heard.append(data[30:35])
                continue
            if interface == LOOPBACK and kind == PACKET_OUTGOING:
                continue  # loopback shows each packet twice
            stamp, length, ready = 0, len(data), True
            for level, name, value in ancillary:
                if level == socket.SOL_SOCKET and name == SO_TIMESTAMPNS:
                    stamp = nanoseconds(value)
                elif level == SOL_PACKET and name == PACKET_AUXDATA:
                    status, length, _, tci, tpid = _AUXDATA.unpack_from(value)
                    ready = not status & TP_STATUS_CSUMNOTREADY
                    if status & TP_STATUS_VLAN_VALID:
                        data, length = tagged(data, status, tci, tpid), length + 4
            if stamp >= self.until:
                continue
            packets.append(
                Packet(
                    time=stamp or time.time_ns(),
                    host=self.node,
                    interface=interface,
                    direction="out" if kind == PACKET_OUTGOING else "in",
                    data=data,
                    length=length,
                    checksum_valid=ready and interface != LOOPBACK,
                )
            )
        self.full += 1

    def stamped(self, sent: int) -> int:
        """Throw away what there is; the latest stamp of it from before ``sent`` (ns), 0 if there is none."""
        found = 0
        while True:
            try:
                ancillary = self.socket.recvmsg(LARGEST_FRAME, _ANCILLARY)[1]
            except BlockingIOError:
                return found
            for level, name, value in ancillary:
                if (level, name) == (socket.SOL_SOCKET, SO_TIMESTAMPNS):
                    stamp = nanoseconds(value)
                    found = max(found, stamp if stamp < sent else 0)

    def shut(self) -> None:
        """Let nothing more in: a filter that accepts no frame. What is in the queue stays and can be read."""
        nothing = ctypes.create_string_buffer(struct.pack("=HBBI", 0x06, 0, 0, 0))  # return 0 bytes (bpf(4) of BSD)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("@HP", 1, ctypes.addressof(nothing)))

    def dropped(self) -> int:
        """How many frames the kernel had no room for since this was last asked: asking sets its counter back to zero."""
        return dropped(self.socket)


@dataclass(slots=True, eq=False, kw_only=True)
class Loud:
    """A node's socket with a ring. Frames stamped before ``since`` (ns) are another's to deliver."""

    node: str
    socket: socket.socket
    ring: Ring
    canary: bytes
    since: int = 0
    names: dict[int, str] = field(default_factory=dict)

    def read(self, block: bytes, packets: list[Packet], heard: list[bytes]) -> None:
        """The packets of a block that was taken from the ring."""
        node, names, canary, since = self.node, self.names, self.canary, self.since
        for stamp, index, outgoing, data, length, ready in frames_of(block):
            name = names.get(index)
            if name is None:
                name = names[index] = interface_name(self.socket, index)
            if name == LOOPBACK:
                if data[12:14] == _CANARY and data[14:30] == canary:
                    heard.append(data[30:35])
                    continue
                if outgoing:
                    continue
                ready = False
            if stamp >= since:
                packets.append(
                    Packet(
                        time=stamp,
                        host=node,
                        interface=name,
                        direction="out" if outgoing else "in",
                        data=data,
                        length=length,
                        checksum_valid=ready,
                    )
                )

    def dropped(self) -> int:
        """How many frames found no block free since this was last asked."""
        return dropped(self.socket)


def dropped(made: socket.socket) -> int:
    """The kernel's count of frames that it had no room for (PACKET_STATISTICS), which begins anew."""
    # struct tpacket_stats, or tpacket_stats_v3 with how often the queue froze, which says nothing more
    return int(struct.unpack_from("=I", made.getsockopt(SOL_PACKET, PACKET_STATISTICS, 12), 4)[0])


def nanoseconds(stamp: bytes) -> int:
    """A struct timespec as ns."""
    seconds, part = struct.unpack_from("=qq", stamp)
    return int(seconds * 1_000_000_000 + part)
