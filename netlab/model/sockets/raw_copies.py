"""Raw IP: which raw sockets get a copy of a packet that a raw socket sends, and of which it is known what they have got.

It judges no call. A raw socket gets every packet of its protocol that comes to its host, whoever sent it: what sockets of UDP and
of TCP send is not followed here, nor what ICMP says.
"""

from collections.abc import Mapping

import msgspec

from netlab.model.sockets.objects import Address, Datagram, Socket, Unknown
from netlab.model.sockets.ports import plain
from netlab.model.sockets.udp import bound_to_device, enqueued
from netlab.model.sockets.world import World
from netlab.notation.constants import constant

_HEADER = 20
_ICMP, _ICMPV6 = constant("IPPROTO_ICMP"), constant("IPPROTO_ICMPV6")
_TCP, _UDP = constant("IPPROTO_TCP"), constant("IPPROTO_UDP")
_RIVALS: Mapping[int, str] = {_TCP: "tcp"}
_ANYWHERE = ("0.0.0.0", "::")
_UDP_HEADER = 8
_ALL_ONES = 0xFFFF
_LEAST_TCP = 20  # RFC 9293 3.1
_CHECKSUM = (constant("IPPROTO_IPV6"), constant("IPV6_CHECKSUM"))


def unsure(world: World, one: Socket) -> bool:
    """Whether a raw socket may have packets that the model has not seen being sent."""
    if one.note.get("sent") or one.protocol == _ICMPV6:
        # ICMPv6 is spoken by kernels that nobody asked to (RFC 4861, RFC 3810).
        return True
    return any(isinstance(other, Unknown) or (isinstance(other, Socket) and _leaks(one, other)) for other in world.objects.values())


def _leaks(one: Socket, other: Socket) -> bool:
    """Whether another socket may have sent, or made a kernel send, what a raw socket got. What sockets of UDP send on its own host
    is at once there, and has marked it (untold())."""
    if other.kind == "udp":
        return one.protocol in (_ICMP, _UDP) and other.host != one.host
    if one.protocol == _ICMP and other.family in ("inet", "inet6") and other.protocol != _ICMP:
        return True
    if other.kind == "raw":
        return other.protocol == one.protocol and bool(other.note.get("sent"))
    return other.kind == _RIVALS.get(one.protocol)


def followed(protocol: int, data: bytes) -> bool:
    """Whether it is known what the receiving host makes of a packet besides: nothing. A packet of UDP or TCP that is too short for
    its header, or for the length that it says, is dropped (__udp4_lib_rcv() in net/ipv4/udp.c, tcp_v4_rcv() in
    net/ipv4/tcp_ipv4.c), and so is one of ICMP whose checksum is wrong (icmp_rcv() in net/ipv4/icmp.c)."""
    if protocol == _ICMPV6:
        return False
    if protocol == _ICMP:
        return _checksum(data) != _ALL_ONES
    if protocol == _TCP:
        return len(data) < _LEAST_TCP
    if protocol == _UDP and len(data) >= _UDP_HEADER:
        return not _UDP_HEADER <= int.from_bytes(data[4:6], "big") <= len(data)
    return True


def _checksum(data: bytes) -> int:
    """The ones' complement sum of 16-bit words (RFC 1071): all ones where the checksum among them is right."""
    total = sum(int.from_bytes(data[at : at + 2].ljust(2, b"\0"), "big") for at in range(0, len(data), 2))
    while total > _ALL_ONES:
        total = (total & _ALL_ONES) + (total >> 16)
    return total


def copied(world: World, sender: int, source: str, target: Address, data: bytes) -> World:
    """The world after a packet of a raw socket has come to its host: who has its protocol there gets a copy, over IPv4 with the
    header (raw_v4_match() in net/ipv4/raw.c, raw_v6_match() in net/ipv6/raw.c). ``source`` and ``target`` are plain."""
    one = world.objects[sender]
    assert isinstance(one, Socket)
    owner = world.owner(target.host, one.host)
    six = ":" in target.host
    after = world.copy()
    for number, other in tuple(world.objects.items()):
        if not isinstance(other, Socket) or other.kind != "raw" or other.host != owner or other.protocol != one.protocol:
            continue
        if (other.family == "inet6") != six or not _matches(other, source, target.host):
            continue
        doubtful = bool(bound_to_device(other)) or other.options.get(_CHECKSUM, -1) >= 0
        message = Datagram(
            size=len(data) + (0 if six else _HEADER),
            data=data if six else None,
            source=Address(other.domain, source, 0),
            certain=world.prompt(one.host, owner) and not doubtful,
            doubtful=doubtful,
        )
        queued = enqueued(other, message)
        if queued is not None:
            after.objects[number] = queued
    return after


def _matches(one: Socket, source: str, target: str) -> bool:
    local = plain(one.local.host) if one.local is not None else ""
    remote = plain(one.remote.host) if one.state == "ESTABLISHED" and one.remote is not None else ""
    return local in ("", *_ANYWHERE, target) and remote in ("", *_ANYWHERE, source)


def untold(world: World, protocol: int) -> World:
    """The world in which every raw socket of a protocol may have got a packet, and every one of ICMP what a kernel says of it."""
    seen = [
        (number, one)
        for number, one in world.objects.items()
        if isinstance(one, Socket) and one.kind == "raw" and one.protocol in (protocol, _ICMP) and not one.note.get("sent")
    ]
    if not seen:
        return world
    world = world.copy()
    for number, one in seen:
        world.objects[number] = msgspec.structs.replace(one, note={**one.note, "sent": True})
    return world
