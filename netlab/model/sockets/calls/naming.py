"""bind(): which names a socket may have, of TCP, UDP and raw sockets; with what unix_naming.py and asking_names.py have of names.

The order is Linux': the address's length, its memory, its family, whether it is ours, whether the port is anybody's, whether the
socket has a name already, and last whether the name is free. Ports and names that others have are in ports.py and names.py.
"""

from collections.abc import Iterable
from ipaddress import ip_address

import msgspec

from netlab.model.sockets.addresses import (
    INET,
    INET6,
    UNIX,
    address_found,
    is_unknown,
    length_in,
    length_out_of_range,
    not_readable,
    packed,
)
from netlab.model.sockets.calls.asking_names import TOLD
from netlab.model.sockets.calls.unix_naming import UNIX_BIND
from netlab.model.sockets.objects import Address, Socket
from netlab.model.sockets.outcomes import Outcome
from netlab.model.sockets.ports import ephemeral, in_use, is_mapped, only_v6, plain, port_left, unprivileged
from netlab.model.sockets.rules import SOCKETS, Rule, fails, gives, unmodelled
from netlab.model.sockets.situation import Situation
from netlab.model.sockets.world import Host, World
from netlab.notation.constants import constant
from netlab.notation.sockaddr import INET_LENGTH

_SHORTEST_INET6 = 24  # SIN6_LEN_RFC2133: without sin6_scope_id
_FREE = tuple(
    (constant(level), constant(name))
    for level, name in (
        ("IPPROTO_IP", "IP_FREEBIND"), ("IPPROTO_IP", "IP_TRANSPARENT"),
        ("IPPROTO_IPV6", "IPV6_FREEBIND"), ("IPPROTO_IPV6", "IPV6_TRANSPARENT"),
    )
)  # fmt: skip
_REUSES = tuple((constant("SOL_SOCKET"), constant(name)) for name in ("SO_REUSEADDR", "SO_REUSEPORT"))
_NO_PORT = (constant("IPPROTO_IP"), constant("IP_BIND_ADDRESS_NO_PORT"))
_DEVICES = tuple((constant("SOL_SOCKET"), constant(name)) for name in ("SO_BINDTODEVICE", "SO_BINDTOIFINDEX"))
_V6ONLY = (constant("IPPROTO_IPV6"), constant("IPV6_V6ONLY"))
_PORTS = ("tcp", "udp")
_LOOPBACK4_IPV6 = "127.0.0.6"


def _inet(s: Situation) -> bool:
    return s.socket.family == "inet"


def _inet6(s: Situation) -> bool:
    return s.socket.family == "inet6"


def _too_short(s: Situation) -> bool:
    return length_in(s) < (INET_LENGTH if _inet(s) else _SHORTEST_INET6)


def _other_family(s: Situation) -> bool:
    address = address_found(s)
    if _inet6(s):
        return address.family != INET6
    # Programs that leave sin_family at 0 have always been let through (__inet_bind() in net/ipv4/af_inet.c).
    return address.family != INET and not (address.family == 0 and address.host == "0.0.0.0")


def _raw_address(s: Situation) -> Address:
    """The address as raw_bind() reads it: as IPv4's, whatever family it says it is of."""
    address = address_found(s)
    if _inet6(s) or address.family == INET:
        return address
    if address.family != UNIX:
        return Address(INET, "0.0.0.0")
    raw = packed(address, s.world).ljust(INET_LENGTH, b"\0")
    return Address(INET, str(ip_address(raw[4:8])))


def _raw_not_ours(s: Situation) -> bool:
    if _inet6(s):
        return _not_ours6(s)
    return not _set_free(s, 4) and not is_ours(s.host, _raw_address(s).host)


def _raw_mapped(s: Situation) -> bool:
    return _inet6(s) and is_mapped(address_found(s).host)


def _raw_other_family(s: Situation) -> bool:
    return _inet6(s) and address_found(s).family != INET6


def _privileged(s: Situation) -> bool:
    return 0 < address_found(s).port < unprivileged(s.host) and s.process.uid != 0


def _privileged_inet(s: Situation) -> bool:
    return _inet(s) and _privileged(s)


def _privileged_inet6(s: Situation) -> bool:
    return _inet6(s) and _privileged(s)


def _stream_multicast(s: Situation) -> bool:
    return _inet6(s) and s.socket.type == "stream" and ip_address(address_found(s).host).is_multicast


def is_ours(host: Host, address: str) -> bool:
    """Whether bind() takes an IPv4 address: ours, the wildcard, a group, a broadcast (inet_addr_valid_or_nonlocal())."""
    if address == "0.0.0.0" or host.owns(address):
        return True
    number = ip_address(address)
    if number.is_multicast or address == "255.255.255.255":
        return True
    return any(number == network.broadcast_address for network in host.networks if network.version == 4)


def _set_free(s: Situation, version: int) -> bool:
    return any(s.socket.options.get(key) for key in _FREE) or s.host.sysctls.get(f"net.ipv{version}.ip_nonlocal_bind") == "1"


def _not_ours(s: Situation) -> bool:
    """Of IPv4."""
    return _inet(s) and not _set_free(s, 4) and not is_ours(s.host, address_found(s).host)


def _not_ours6(s: Situation) -> bool:
    if not _inet6(s):
        return False
    host = address_found(s).host
    if is_mapped(host):
        return not _set_free(s, 4) and not is_ours(s.host, plain(host))
    index = s.socket.options.get(_DEVICES[1], 0)
    # An address of the host's own scope is its interface's alone (ipv6_chk_addr() in net/ipv6/addrconf.c).
    elsewhere = host == "::1" and bool(index) and index != s.host.interfaces.get("lo")
    return host != "::" and not ip_address(host).is_multicast and not _set_free(s, 6) and (elsewhere or not s.host.owns(host))


def _link_local(s: Situation) -> bool:
    if not _inet6(s):
        return False
    number = ip_address(address_found(s).host)
    return number.is_link_local or (number.is_multicast and number.packed[1] & 0xF in (1, 2))


def _without_scope(s: Situation) -> bool:
    return _link_local(s) and not address_found(s).scope and not any(s.socket.options.get(key) for key in _DEVICES)


def _no_such_interface(s: Situation) -> bool:
    gone = _link_local(s) and address_found(s).scope != 0 and address_found(s).scope not in s.host.interfaces.values()
    return gone or _bound_to_nothing(s)


def _bound_to_nothing(s: Situation) -> bool:
    """Whether the socket is bound to an interface that is not there (SO_BINDTOIFINDEX takes any number)."""
    host = address_found(s).host
    index = s.socket.options.get(_DEVICES[1], 0)
    return _inet6(s) and host != "::" and not is_mapped(host) and bool(index) and index not in s.host.interfaces.values()


def _link_local_unknown(s: Situation) -> bool:
    return _link_local(s) and not s.host.owns(address_found(s).host) and not ip_address(address_found(s).host).is_multicast


def _mapped_refused(s: Situation) -> bool:
    return _inet6(s) and is_mapped(address_found(s).host) and only_v6(s.socket)


def _has_port(s: Situation) -> bool:
    one = s.socket
    return one.state != "CLOSED" or (one.local is not None and one.local.port != 0 and not one.note.get("released"))


def _connected(s: Situation) -> bool:
    return s.socket.state != "CLOSED"


def _port_taken(s: Situation) -> bool | None:
    address = address_found(s)
    if address.port:
        local = msgspec.structs.replace(address, family=s.socket.domain)
        return in_use(s.world, s.socket_id, s.socket, local, uid=s.process.uid)
    if s.socket.options.get(_NO_PORT):
        return False
    left = port_left(s.world, s.socket_id, s.socket, msgspec.structs.replace(address, family=s.socket.domain))
    return None if left is None else not left


def _without_address(s: Situation) -> Iterable[Outcome]:
    """A socket that had an address loses it where the port is refused (__inet_bind() takes it back)."""
    local, world = s.socket.local, s.world
    if local is not None:
        wildcard = msgspec.structs.replace(local, host="::" if _inet6(s) else "0.0.0.0", scope=0)
        world = world.with_object(s.socket_id, msgspec.structs.replace(s.socket, local=wildcard))
    yield Outcome(kind="fails", errno="EADDRINUSE", world=world)


def with_name(world: World, number: int, one: Socket, address: Address) -> World:
    """The socket ``number`` with a local address, for whose port 0 the kernel chooses one."""
    world = world.copy()
    port = address.port
    if not port and one.kind != "raw" and not one.options.get(_NO_PORT):
        port = -world.fresh()
        # Where there is one port to choose, it is that.
        choice = ephemeral(world.hosts[one.host])
        if len(choice) == 1:
            port = choice[0]
    local = Address(one.domain, address.host, port, scope=address.scope)
    chosen = {name for name, fixed in (("address", address.host not in ("0.0.0.0", "::")), ("port", address.port)) if fixed}
    note = {name: value for name, value in one.note.items() if name != "released"}
    if one.kind == "udp" and any(one.options.get(key) for key in _REUSES):
        note["since"] = world.fresh()
    world.objects[number] = msgspec.structs.replace(one, local=local, chosen=frozenset(chosen), note=note)
    return world


def _bound(s: Situation) -> Iterable[Outcome]:
    one, host = s.socket, address_found(s).host
    if _inet6(s) and host != "::" and not is_mapped(host):
        # From now on, even when the address is gone again (__inet6_bind() in net/ipv6/af_inet6.c).
        one = msgspec.structs.replace(one, options={**one.options, _V6ONLY: 1})
    yield Outcome(kind="returns", world=with_name(s.world, s.socket_id, one, address_found(s)))


def _bound_raw(s: Situation) -> Iterable[Outcome]:
    # A raw socket's "port" is its protocol, whatever bind() was given (raw_bind() in net/ipv4/raw.c).
    one = s.socket
    # connect() to AF_UNSPEC takes even that away, and nothing brings it back.
    port = one.protocol if one.local is None else one.local.port
    address = msgspec.structs.replace(_raw_address(s), port=port)
    if _inet6(s):
        # By IPv4 it sends from a loopback address that stands for "one of IPv6" (LOOPBACK4_IPV6 in net/ipv6/raw.c).
        one = msgspec.structs.replace(one, note={**one.note, "inet_saddr": _LOOPBACK4_IPV6 if address.host != "::" else ""})
    yield Outcome(kind="returns", world=with_name(s.world, s.socket_id, one, address))


_AF_INET = "__inet_bind() in net/ipv4/af_inet.c"
_AF_INET6 = "__inet6_bind() in net/ipv6/af_inet6.c"
_POSIX = "POSIX.1-2024 bind()"

_BIND = (
    unmodelled("bind.unknown-address", is_unknown, "what address is meant is not known", kinds=SOCKETS),
    fails("bind.length", "EINVAL", length_out_of_range, "no address has such a length", "bind(2) EINVAL; move_addr_to_kernel()",
          kinds=SOCKETS),
    fails("bind.pointer", "EFAULT", not_readable, "the address cannot be read", "bind(2) EFAULT", kinds=SOCKETS),
    # TCP and UDP
    fails("bind.short", "EINVAL", _too_short, "the address is shorter than the family's", "POSIX.1-2024 bind() EINVAL; bind(2)",
          kinds=("tcp", "udp", "raw")),
    fails("bind.family", "EAFNOSUPPORT", _other_family, "the address is of another family", f"{_POSIX} EAFNOSUPPORT; {_AF_INET}",
          kinds=_PORTS, note="AF_UNSPEC is taken for AF_INET where the address is INADDR_ANY"),
    fails("bind.stream-group", "EINVAL", _stream_multicast, "a stream cannot be bound to a group", _AF_INET6, kinds=_PORTS),
    fails("bind.privileged6", "EACCES", _privileged_inet6, "the port is privileged and the process is not",
          f"{_POSIX} EACCES; ip(7)",
          kinds=_PORTS),
    fails("bind.named6", "EINVAL", lambda s: _inet6(s) and _has_port(s), "the socket has a port already", f"{_POSIX} EINVAL",
          kinds=_PORTS),
    fails("bind.mapped-refused", "EINVAL", _mapped_refused, "IPV6_V6ONLY is set, the address is v4-mapped", f"ipv6(7); {_AF_INET6}",
          kinds=_PORTS),
    fails("bind.scope", "EINVAL", _without_scope, "a link-local address needs a scope", f"ipv6(7) EINVAL; {_AF_INET6}",
          kinds=_PORTS),
    fails("bind.interface", "ENODEV", _no_such_interface, "the scope is no interface", f"ipv6(7) ENODEV; {_AF_INET6}",
          kinds=_PORTS),
    unmodelled("bind.link-local", _link_local_unknown, "which link-local addresses an interface made itself is not modelled",
               kinds=_PORTS),
    fails("bind.not-ours", "EADDRNOTAVAIL", _not_ours, "the address is none of this host's", f"{_POSIX} EADDRNOTAVAIL; ip(7)",
          kinds=("tcp", "udp")),
    fails("bind.not-ours6", "EADDRNOTAVAIL", _not_ours6, "the address is none of this host's", f"{_POSIX} EADDRNOTAVAIL; ipv6(7)",
          kinds=_PORTS),
    fails("bind.privileged", "EACCES", _privileged_inet, "the port is privileged and the process is not", f"{_POSIX} EACCES; ip(7)",
          kinds=_PORTS),
    fails("bind.named", "EINVAL", _has_port, "the socket has a port already", f"{_POSIX} EINVAL", kinds=_PORTS),
    fails("bind.in-use", "EADDRINUSE", _port_taken, "another socket has this address and port, or no port is left",
          f"{_POSIX} EADDRINUSE; socket(7) SO_REUSEADDR, SO_REUSEPORT", kinds=_PORTS, gives=_without_address),
    gives("bind.bound", _bound, "the socket has this address; for port 0 the kernel chooses one", f"{_POSIX}; ip(7)", kinds=_PORTS),
    # Raw sockets
    fails("bind.raw-family", "EINVAL", _raw_other_family, "the address is of another family", "rawv6_bind() in net/ipv6/raw.c",
          kinds=("raw",), note="IPv4's raw_bind() does not look at the family"),
    fails("bind.raw-mapped", "EADDRNOTAVAIL", _raw_mapped, "raw IPv6 sockets have no v4-mapped addresses",
          "rawv6_bind() in net/ipv6/raw.c",
          kinds=("raw",)),
    fails("bind.raw-connected", "EINVAL", _connected, "the socket is connected", "raw_bind() in net/ipv4/raw.c", kinds=("raw",)),
    fails("bind.raw-scope", "EINVAL", _without_scope, "a link-local address needs a scope", "rawv6_bind() in net/ipv6/raw.c",
          kinds=("raw",)),
    fails("bind.raw-interface", "ENODEV", _no_such_interface, "the scope is no interface", "rawv6_bind() in net/ipv6/raw.c",
          kinds=("raw",)),
    unmodelled("bind.raw-link-local", _link_local_unknown, "which link-local addresses an interface made itself is not modelled",
               kinds=("raw",)),
    fails("bind.raw-not-ours", "EADDRNOTAVAIL", _raw_not_ours, "the address is none of this host's",
          "raw(7); raw_bind() in net/ipv4/raw.c", kinds=("raw",)),
    gives("bind.raw-bound", _bound_raw, "the socket has this address", "raw(7)", kinds=("raw",)),
)  # fmt: skip

RULES: tuple[Rule, ...] = (
    *_BIND,
    *UNIX_BIND,
    *TOLD,
)
