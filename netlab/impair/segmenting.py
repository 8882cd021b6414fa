"""Makes packets of what a sender with offloads leaves to its device: one large segment, and checksums that are not finished. Pure.

What comes with a frame says what is left to do: a virtio_net_hdr (packet(7), PACKET_VNET_HDR; VIRTIO 1.2, section 5.1.6).
"""

import struct

__all__ = ["NOTHING_LEFT", "singles", "tagged"]

_HEAD = struct.Struct("=BBHHHH")
NOTHING_LEFT = bytes(_HEAD.size)
"""What comes with a packet of which nothing is left to do."""
_NEEDS_CHECKSUM = 1
_TCP_4, _UDP, _TCP_6, _UDP_L4, _ECN = 1, 3, 4, 5, 0x80
_FIN_PUSH, _CWR = 0x09, 0x80
_TCP, _UDP_PROTOCOL = 6, 17
_VLAN = 4


def singles(head: bytes, frame: bytes) -> list[bytes]:
    """The packets that a device would send for a frame, each whole. ``head`` is its virtio_net_hdr.

    A frame that cannot be what its head says is left as it is.
    """
    flags, kind, _, size, start, offset = _HEAD.unpack(head)
    if not flags & _NEEDS_CHECKSUM or start + offset + 2 > len(frame):
        return [frame]
    kind &= ~_ECN
    if kind in (_TCP_4, _TCP_6) and size and start + 20 <= len(frame):
        return _segments(frame, start, start + (frame[start + 12] >> 4) * 4, size, _TCP)
    if kind == _UDP_L4 and size:
        return _segments(frame, start, start + 8, size, _UDP_PROTOCOL)
    made = bytearray(frame)
    # The sender has put the sum of the pseudo-header where the checksum goes.
    struct.pack_into("!H", made, start + offset, _checksum(frame[start:], zero=offset == 6))
    return [bytes(made)]


def tagged(head: bytes) -> bytes:
    """What comes with a frame that had a VLAN tag put in again: all that it points at lies further back."""
    flags, kind, length, size, start, offset = _HEAD.unpack(head)
    if not flags & _NEEDS_CHECKSUM:
        return head
    return _HEAD.pack(flags, kind, length + _VLAN if length else 0, size, start + _VLAN, offset)


def _segments(frame: bytes, transport: int, payload: int, size: int, protocol: int) -> list[bytes]:
    network = transport - 20 if frame[transport - 20] == 0x45 and frame[12:14] != b"\x86\xdd" else 14
    while network == 14 and frame[12:14] == b"\x81\x00" and network + _VLAN < transport:
        network += _VLAN
    four = frame[network] >> 4 == 4
    found = []
    for n, at in enumerate(range(payload, len(frame), size)):
        made = bytearray(frame[:payload] + frame[at : at + size])
        length = len(made) - transport
        if four:
            (identification,) = struct.unpack_from("!H", frame, network + 4)
            struct.pack_into("!HH", made, network + 2, len(made) - network, identification + n & 0xFFFF)
            struct.pack_into("!H", made, network + 10, 0)
            struct.pack_into("!H", made, network + 10, _checksum(made[network:transport]))
            addresses = made[network + 12 : network + 20]
        else:
            struct.pack_into("!H", made, network + 4, len(made) - network - 40)
            addresses = made[network + 8 : network + 40]
        if protocol == _TCP:
            (number,) = struct.unpack_from("!I", frame, transport + 4)
            struct.pack_into("!I", made, transport + 4, number + at - payload & 0xFFFFFFFF)
            if at + size < len(frame):
                made[transport + 13] &= ~_FIN_PUSH & 0xFF
            if n:
                made[transport + 13] &= ~_CWR & 0xFF
            place = transport + 16
        else:
            struct.pack_into("!H", made, transport + 4, length)
            place = transport + 6
        struct.pack_into("!H", made, place, 0)
        pseudo = bytes(addresses) + struct.pack("!II", length, protocol)
        struct.pack_into("!H", made, place, _checksum(pseudo + made[transport:], zero=protocol == _UDP_PROTOCOL))
        found.append(bytes(made))
    return found


def _checksum(data: bytes | bytearray, *, zero: bool = False) -> int:
    """The Internet checksum (RFC 1071); with ``zero`` 0 is written as 0xffff, as UDP does (RFC 768)."""
    # 2**16 is 1 modulo 0xffff, so the sum of all 16-bit words is the number that they make together, modulo 0xffff.
    number = int.from_bytes(bytes(data) + b"\0" * (len(data) & 1), "big")
    total = number % 0xFFFF
    if not total and number:
        total = 0xFFFF
    return (~total & 0xFFFF) or (0xFFFF if zero else 0)
