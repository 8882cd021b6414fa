"""Read the head that every BPF record about a socket begins with. Refuses to know what comes after it."""

import ipaddress
import socket
import struct
from typing import NamedTuple

from netlab.observe.socket_programs import HEAD
from netlab.timeline.observations import Address

_HEAD = struct.Struct(f"={HEAD}")


class Head(NamedTuple):
    """``time`` by the probes' clock, ``sock`` the kernel's address of the (mini)socket, ``space`` its namespace's cookie."""

    time: int
    sock: int
    cookie: int
    inode: int
    space: int
    local: Address
    remote: Address


def read_head(record: bytes, bound: int) -> Head:
    """The head, with IPv4 in a dual-stack IPv6 socket as IPv4. ``bound`` is a port in network order that goes before the head's."""
    time, sock, cookie, inode, space, local, remote, family, number, peer = _HEAD.unpack_from(record)
    return Head(
        time=time,
        sock=sock,
        cookie=cookie,
        inode=inode,
        space=space,
        local=(_address(family, local), socket.ntohs(bound) or number),
        remote=(_address(family, remote), socket.ntohs(peer)),
    )


def _address(family: int, packed: bytes) -> str:
    if family != socket.AF_INET6:
        return socket.inet_ntop(socket.AF_INET, packed[:4])
    address = ipaddress.IPv6Address(packed)
    return str(address.ipv4_mapped or address)
