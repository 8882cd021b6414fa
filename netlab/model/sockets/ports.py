"""Ports: whether a socket may have a local address beside those that others have, and which ports the kernel may choose.

It knows TCP's and UDP's sockets alike, and no call: bind(), listen() and connect() ask.
"""

from netlab.model.sockets.objects import Address, Socket, Unknown
from netlab.model.sockets.world import EPHEMERAL, Host, World
from netlab.notation.constants import constant

_INET, _INET6 = constant("AF_INET"), constant("AF_INET6")
_SOCKET, _IPV6 = constant("SOL_SOCKET"), constant("IPPROTO_IPV6")
_REUSEADDR, _REUSEPORT = (_SOCKET, constant("SO_REUSEADDR")), (_SOCKET, constant("SO_REUSEPORT"))
_V6ONLY, _DEVICE = (_IPV6, constant("IPV6_V6ONLY")), (_SOCKET, constant("SO_BINDTODEVICE"))
_INDEX = (_SOCKET, constant("SO_BINDTOIFINDEX"))
_LINGER2 = (constant("IPPROTO_TCP"), constant("TCP_LINGER2"))
_MAPPED = "::ffff:"
_ANY = "*"
_STAND_IN = "one of IPv4"
UNPRIVILEGED = 1024
"""net.ipv4.ip_unprivileged_port_start's default (ip(7))."""


def plain(host: str) -> str:
    """The IPv4 address that a v4-mapped IPv6 address stands for (RFC 4291 2.5.5.2); any other as it is."""
    return host.removeprefix(_MAPPED) if host.startswith(_MAPPED) and "." in host else host


def is_mapped(host: str) -> bool:
    """Whether an IPv6 address stands for one of IPv4."""
    return plain(host) != host


def covered(address: Address, *, only_v6: bool, bound: bool = True) -> tuple[str, str]:
    """Which IPv4 and which IPv6 addresses a local address takes: one, "*" for all, "" for none (ipv6(7), IPV6_V6ONLY).

    An IPv6 address that connect() chose, and not bind(), stands in the way of IPv4's wildcard, too (LOOPBACK4_IPV6 in net/ipv6/).
    """
    if address.family == _INET:
        return _ANY if address.host == "0.0.0.0" else address.host, ""
    if is_mapped(address.host):
        return _ANY if plain(address.host) == "0.0.0.0" else plain(address.host), ""
    if address.host == "::":
        return "" if only_v6 else _ANY, _ANY
    return "" if bound or only_v6 else _STAND_IN, address.host


def only_v6(one: Socket) -> bool:
    """Whether IPV6_V6ONLY is set; the setting net.ipv6.bindv6only is its default."""
    return bool(one.options.get(_V6ONLY, 0))


def _overlap(one: Socket, wanted: Address, other: Socket) -> bool:
    """Whether the address that a socket wants and the one that another has are one, ports aside."""
    assert other.local is not None
    there = covered(other.local, only_v6=only_v6(other), bound="address" in other.chosen)
    pairs = zip(covered(wanted, only_v6=only_v6(one)), there, strict=True)
    return any(a and b and (a == b or _ANY in (a, b)) for a, b in pairs)


def in_use(world: World, number: int, one: Socket, local: Address, *, uid: int = 0) -> bool | None:
    """Whether another socket of its kind keeps socket ``number`` from having this address and port; None where a port's number is
    not known, or a socket (inet_bind_conflict() in net/ipv4/inet_connection_sock.c, udp_lib_lport_inuse() in net/ipv4/udp.c).

    UDP asks only the first socket that SO_REUSEADDR does not let pass, the one that was bound last; of IPv6 with SO_REUSEPORT the
    first one (sk_add_node_rcu() in include/net/sock.h).
    """
    doubt, perhaps_shared = False, False
    asked: list[tuple[Socket, bool]] = []
    for other_number, other in world.objects.items():
        doubt = doubt or isinstance(other, Unknown)
        if not isinstance(other, Socket) or other.kind != one.kind or other_number == number or other.host != one.host:
            continue
        if other.local is None or other.local.port == 0 or other.note.get("released"):
            continue
        same = world.same_port(local.port, other.local.port)
        if same is False or _apart(one, other) or not _overlap(one, local, other):
            continue
        refuses = not _together(one, other, uid)
        if same and not _leaving(world, other_number, other):
            asked.append((other, refuses))
        elif refuses:
            doubt = True
        else:
            perhaps_shared = one.kind == "udp"
    answers = {refuses for _, refuses in asked}
    if one.kind == "udp" and len(answers) > 1:
        return None if doubt or perhaps_shared else _last_bound(asked)
    if True in answers:
        return None if perhaps_shared else True
    return None if doubt else False


def _last_bound(asked: list[tuple[Socket, bool]]) -> bool | None:
    """What the socket says that was bound last; None where that is not known."""
    if any("since" not in other.note or other.family != "inet" for other, _ in asked):
        return None
    return max(asked, key=lambda pair: pair[0].note["since"])[1]


def _leaving(world: World, number: int, one: Socket) -> bool:
    """Whether a connection may be gone, its port free: acknowledged to the end, reset, or given up (tcp(7), TCP_LINGER2)."""
    connection = world.connections.get(one.connection)
    if connection is None:
        return False
    incoming = connection.flows[1 if connection.ends[0] == number else 0]
    in_vain = one.state.startswith("FIN-WAIT") and incoming.sent > incoming.arrived
    given_up = one.state.startswith("FIN-WAIT") and one.note.get("orphan") and one.options.get(_LINGER2)
    return bool(one.state == "LAST-ACK" or in_vain or incoming.end == "rst" or given_up)


def _apart(one: Socket, other: Socket) -> bool:
    """Whether two sockets are not in each other's way: of different interfaces, or both with SO_REUSEADDR (socket(7))."""
    devices = [a.options.get(_DEVICE) or a.options.get(_INDEX) for a in (one, other)]
    if all(devices) and devices[0] != devices[1]:
        return True
    return bool(one.options.get(_REUSEADDR) and other.options.get(_REUSEADDR) and other.state != "LISTEN")


def _together(one: Socket, other: Socket, uid: int) -> bool:
    """Whether two sockets share an address and port, both with SO_REUSEPORT and of one user (socket(7))."""
    both = one.options.get(_REUSEPORT) and other.options.get(_REUSEPORT)
    return bool(both and (other.state == "TIME-WAIT" or other.note.get("uid", 0) == uid))


def ephemeral(host: Host) -> range:
    """The ports that the kernel chooses from in a host (ip(7), ip_local_port_range)."""
    written = host.sysctls.get("net.ipv4.ip_local_port_range", "").split()
    return range(int(written[0]), int(written[1]) + 1) if len(written) == 2 and all(map(str.isdigit, written)) else EPHEMERAL


def unprivileged(host: Host) -> int:
    """The first port that needs no CAP_NET_BIND_SERVICE."""
    written = host.sysctls.get("net.ipv4.ip_unprivileged_port_start", "")
    return int(written) if written.isdigit() else UNPRIVILEGED


def port_left(world: World, number: int, one: Socket, local: Address) -> bool | None:
    """Whether the kernel finds a port for socket ``number``, which wants none in particular; None where that is not sure.

    What it looks at is how many sockets have a port that it could choose; bind() shares none of them (ip(7)).
    """
    host = world.hosts[one.host]
    choice = ephemeral(host)
    taken, unsure = 0, bool(host.sysctls.get("net.ipv4.ip_local_reserved_ports", ""))
    if len(choice) > len(world.objects) and not unsure:
        return True
    seen: set[int] = set()
    for other_number, other in world.objects.items():
        if not isinstance(other, Socket) or other.kind != one.kind or other_number == number or other.host != one.host:
            continue
        if other.local is None or other.local.port == 0 or other.note.get("released"):
            continue
        port = world.port(other.local.port)
        if port in seen or (port >= 0 and port not in choice):
            continue
        if not _overlap(one, local, other):
            unsure = True
            continue
        seen.add(port)
        unsure = unsure or port < 0
        taken += 1
    if taken < len(choice) and not unsure:
        return True
    return None if unsure else False
