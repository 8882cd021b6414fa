"""Packs the rtnetlink messages of which a lab has many: interfaces up, addresses, routes, neighbours (rtnetlink(7)).

By hand, since a library's 0.4 ms a message would be most of the time that a large lab takes. It sends nothing; what a lab has few
of, kernel.py packs.
"""

import struct
from ipaddress import IPv4Address

from netlab.topology.networks import Address, Interface, Network

RTM_NEWLINK, RTM_NEWADDR, RTM_NEWROUTE, RTM_NEWNEIGH = 16, 20, 24, 28
_REQUEST, _CREATE, _NEW = 0x1, 0x401, 0x601  # NLM_F_REQUEST, with NLM_F_CREATE, and with NLM_F_EXCL
_IFF_UP = 1
_NODAD = 0x02  # IFA_F_NODAD: usable at once, without duplicate address detection
_AF = {4: 2, 6: 10}
_PERMANENT = 0x80  # NUD_PERMANENT
_TABLE_MAIN, _PROTOCOL_STATIC = 254, 4
_KINDS = {"unicast": 1, "blackhole": 6, "unreachable": 7, "prohibit": 8}
_UP = struct.Struct("=IHHIIBxHiII")
_MASTER = struct.Struct("=IHHIIBxHiIIHHI")
_ADDRESS = struct.Struct("=IHHIIBBBBI")
_ROUTE = struct.Struct("=IHHIIBBBBBBBBI")
_NEIGHBOUR = struct.Struct("=IHHIIBxxxiHBB")


def _attribute(kind: int, data: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(data), kind) + data + b"\0" * (-len(data) & 3)


def up(index: int, master: int = 0, *, up: bool = True) -> bytes:
    """Set an interface up, as a bridge's or VRF's when ``master`` (an index) is given; with ``up`` False only the latter."""
    flags = _IFF_UP if up else 0
    if master:
        return _MASTER.pack(40, RTM_NEWLINK, _REQUEST, 0, 0, 0, 0, index, flags, flags, 8, 10, master)  # IFLA_MASTER
    return _UP.pack(32, RTM_NEWLINK, _REQUEST, 0, 0, 0, 0, index, flags, flags)


def address(wanted: Interface, index: int) -> bytes:
    """An address of an interface; IPv6 without duplicate address detection."""
    packed = wanted.ip.packed
    prefix = wanted.network.prefixlen
    if wanted.version == 4:
        head = _ADDRESS.pack(40, RTM_NEWADDR, _NEW, 0, 0, 2, prefix, 0, 0, index)
        return head + b"\x08\0\x02\0" + packed + b"\x08\0\x01\0" + packed  # IFA_LOCAL, IFA_ADDRESS
    return _ADDRESS.pack(44, RTM_NEWADDR, _NEW, 0, 0, 10, prefix, _NODAD, 0, index) + b"\x14\0\x01\0" + packed


def route(
    destination: Network,
    via: Address | None = None,
    index: int = 0,
    *,
    kind: str = "unicast",
    metric: int = 0,
    table: int = 0,
    source: Address | None = None,
    mtu: int = 0,
) -> bytes:
    """A route; ``index`` is its interface's, 0 leaves that to the gateway."""
    version = destination.version
    table = table or _TABLE_MAIN
    body = b""
    if destination.prefixlen:
        body = _attribute(1, destination.network_address.packed)  # RTA_DST
    if via is not None:
        # an IPv6 gateway of an IPv4 route is RTA_VIA (RFC 5549), with its family before it
        body += _attribute(5, via.packed) if via.version == version else _attribute(18, struct.pack("=H", 10) + via.packed)
    if index:
        body += struct.pack("=HHI", 8, 4, index)  # RTA_OIF
    if metric:
        body += struct.pack("=HHI", 8, 6, metric)  # RTA_PRIORITY
    if source is not None:
        body += _attribute(7, source.packed)  # RTA_PREFSRC
    if mtu:
        body += _attribute(8, struct.pack("=HHI", 8, 2, mtu))  # RTA_METRICS, RTAX_MTU
    if table > 255:
        body += struct.pack("=HHI", 8, 15, table)  # RTA_TABLE
    scope = 253 if version == 4 and via is None and kind == "unicast" else 0  # RT_SCOPE_LINK for what is on the link
    small = table if table < 256 else 252  # RT_TABLE_COMPAT
    head = _ROUTE.pack(
        28 + len(body),
        RTM_NEWROUTE,
        _NEW,
        0,
        0,
        _AF[version],
        destination.prefixlen,
        0,
        0,
        small,
        _PROTOCOL_STATIC,
        scope,
        _KINDS[kind],
        0,
    )
    return head + body


def neighbour(whose: Address, hardware: bytes, index: int) -> bytes:
    """A permanent neighbour on an interface: never asked for, never forgotten, not counted against the kernel's limit."""
    packed = whose.packed
    tail = b"\x0a\0\x02\0" + hardware + b"\0\0"  # NDA_LLADDR
    if isinstance(whose, IPv4Address):
        return _NEIGHBOUR.pack(48, RTM_NEWNEIGH, _CREATE, 0, 0, 2, index, _PERMANENT, 0, 1) + b"\x08\0\x01\0" + packed + tail
    return _NEIGHBOUR.pack(60, RTM_NEWNEIGH, _CREATE, 0, 0, 10, index, _PERMANENT, 0, 1) + b"\x14\0\x01\0" + packed + tail


def bridge(name: str, index: int, *, stp: bool, vlan_filtering: bool) -> bytes:
    """A bridge: without spanning tree it forwards at once; without multicast snooping a group reaches every port."""
    data = struct.pack("=HHI", 8, 5, int(stp))  # IFLA_BR_STP_STATE
    data += struct.pack("=HHB3x", 5, 23, 0)  # IFLA_BR_MCAST_SNOOPING
    if vlan_filtering:
        data += struct.pack("=HHB3x", 5, 7, 1)  # IFLA_BR_VLAN_FILTERING
        data += struct.pack("=HHH2x", 6, 39, 0)  # IFLA_BR_VLAN_DEFAULT_PVID: a port is in no VLAN that it was not given
    info = _attribute(1, b"bridge") + _attribute(2, data)
    body = _attribute(3, name.encode() + b"\0") + _attribute(18, info)  # IFLA_IFNAME, IFLA_LINKINFO
    return _UP.pack(32 + len(body), RTM_NEWLINK, _NEW, 0, 0, 0, 0, index, 0, 0) + body
