"""Packs the rtnetlink messages of which a lab has many: interfaces up, addresses, routes, neighbours (rtnetlink(7)).

By hand, since a library's 0.4 ms a message would be most of the time that a large lab takes. It sends nothing; what a lab has few
of, kernel.py packs.
"""

import struct
from ipaddress import IPv4Address

from netlab.topology.networks import Address, Interface, Network

RTM_NEWLINK, RTM_SETLINK, RTM_NEWADDR, RTM_NEWROUTE, RTM_NEWNEIGH, RTM_NEWRULE = 16, 19, 20, 24, 28, 32
_REQUEST, _CREATE, _NEW = 0x1, 0x401, 0x601  # NLM_F_REQUEST, with NLM_F_CREATE, and with NLM_F_EXCL
_APPEND = 0xC01  # with NLM_F_CREATE and NLM_F_APPEND
_IFF_UP = 1
_NODAD = 0x02  # IFA_F_NODAD: usable at once, without duplicate address detection
_AF = {4: 2, 6: 10}
AF_BRIDGE = 7
_PERMANENT, _NO_ARP, _SELF = 0x80, 0x40, 0x02  # NUD_PERMANENT, NUD_NOARP, NTF_SELF
_TABLE_MAIN, _PROTOCOL_STATIC = 254, 4
ROUTE_KINDS = {"unicast": 1, "blackhole": 6, "unreachable": 7, "prohibit": 8}
_UP = struct.Struct("=IHHIIBxHiII")
_MASTER = struct.Struct("=IHHIIBxHiIIHHI")
_ADDRESS = struct.Struct("=IHHIIBBBBI")
_ROUTE = struct.Struct("=IHHIIBBBBBBBBI")
_ROUTE4 = struct.Struct("=IHHIIBBBBBBBBIHH4sHH4sHHI")
_ROUTE6 = struct.Struct("=IHHIIBBBBBBBBIHH16sHH16sHHI")
_NEIGHBOUR = struct.Struct("=IHHIIBxxxiHBB")


def _attribute(kind: int, data: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(data), kind) + data + b"\0" * (-len(data) & 3)


def up(index: int, master: int = 0, *, up: bool = True) -> bytes:
    """Set an interface up, as a bridge's or VRF's when ``master`` (an index) is given; with ``up`` False only the latter."""
    flags = _IFF_UP if up else 0
    if master:
        return _MASTER.pack(40, RTM_NEWLINK, _REQUEST, 0, 0, 0, 0, index, flags, flags, 8, 10, master)  # IFLA_MASTER
    return _UP.pack(32, RTM_NEWLINK, _REQUEST, 0, 0, 0, 0, index, flags, flags)


def down(index: int) -> bytes:
    """Set an interface down: the kernel forgets its IPv6 addresses, the routes that lead there, and its neighbours."""
    return _UP.pack(32, RTM_NEWLINK, _REQUEST, 0, 0, 0, 0, index, 0, _IFF_UP)


def mtu(index: int, value: int) -> bytes:
    """Set an interface's MTU, in bytes of IP packet."""
    return _UP.pack(40, RTM_NEWLINK, _REQUEST, 0, 0, 0, 0, index, 0, 0) + struct.pack("=HHI", 8, 4, value)  # IFLA_MTU


def address(wanted: Interface, index: int) -> bytes:
    """An address of an interface; IPv6 without duplicate address detection."""
    packed = wanted.ip.packed
    prefix = wanted.network.prefixlen
    if wanted.version == 4:
        head = _ADDRESS.pack(40, RTM_NEWADDR, _NEW, 0, 0, 2, prefix, 0, 0, index)
        return head + b"\x08\0\x02\0" + packed + b"\x08\0\x01\0" + packed  # IFA_LOCAL, IFA_ADDRESS
    return _ADDRESS.pack(44, RTM_NEWADDR, _NEW, 0, 0, 10, prefix, _NODAD, 0, index) + b"\x14\0\x01\0" + packed


def plain_route(destination: Network, via: Address, index: int) -> bytes:
    """A route through a gateway of the same family and an interface: what a large network has thousands of."""
    version, prefix = destination.version, destination.prefixlen
    pack, length = (_ROUTE4.pack, 52) if version == 4 else (_ROUTE6.pack, 76)
    head = (length, RTM_NEWROUTE, _NEW, 0, 0, _AF[version], prefix, 0, 0, _TABLE_MAIN, _PROTOCOL_STATIC, 0, 1, 0)
    size = length // 2 - 18  # of an address with the header of its attribute
    return pack(
        *head, size, 1, destination.network_address.packed, size, 5, via.packed, 8, 4, index
    )  # RTA_DST, RTA_GATEWAY, RTA_OIF


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
        ROUTE_KINDS[kind],
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


def flooded(index: int, remote: Address) -> bytes:
    """A VXLAN device's frames to unknown or many go to this address too (bridge(8), fdb append)."""
    body = _attribute(2, bytes(6)) + _attribute(1, remote.packed)  # NDA_LLADDR, NDA_DST
    head = (28 + len(body), RTM_NEWNEIGH, _APPEND, 0, 0, AF_BRIDGE, index, _PERMANENT | _NO_ARP, _SELF, 0)
    return _NEIGHBOUR.pack(*head) + body


def port_vlan(index: int, vlan: int, *, untagged: bool) -> bytes:
    """A VLAN of a bridge's port; untagged, it is also that of the frames without a tag that come in there (bridge(8), vlan add)."""
    flags = 0x2 | 0x4 if untagged else 0  # BRIDGE_VLAN_INFO_PVID, BRIDGE_VLAN_INFO_UNTAGGED
    body = _attribute(26, _attribute(2, struct.pack("=HH", flags, vlan)))  # IFLA_AF_SPEC, IFLA_BRIDGE_VLAN_INFO
    return _UP.pack(32 + len(body), RTM_SETLINK, _REQUEST, 0, 0, AF_BRIDGE, 0, index, 0, 0) + body


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
