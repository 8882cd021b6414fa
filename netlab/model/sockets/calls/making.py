"""socket() and socketpair(): which families, types and protocols there are, and what a new socket is."""

from collections.abc import Iterable

import msgspec

from netlab.model.sockets.calls.descriptors import table_full
from netlab.model.sockets.objects import Address, Connection, Family, Kind, Socket, Type, Unknown
from netlab.model.sockets.outcomes import NewDescriptor, Outcome
from netlab.model.sockets.rules import NOTHING, Rule, fails, gives, unmodelled
from netlab.model.sockets.situation import Situation
from netlab.notation.constants import constant
from netlab.notation.values import BadPointer

_V6ONLY = (constant("IPPROTO_IPV6"), constant("IPV6_V6ONLY"))
_CLOEXEC, _NONBLOCK = constant("SOCK_CLOEXEC"), constant("SOCK_NONBLOCK")
_FLAGS = _CLOEXEC | _NONBLOCK
_KINDS_OF_SOCKET = 0xF  # SOCK_TYPE_MASK in include/linux/net.h
_MOST_TYPES = 11  # SOCK_MAX, likewise
_FAMILIES: dict[int, Family] = {constant("AF_INET"): "inet", constant("AF_INET6"): "inet6", constant("AF_UNIX"): "unix"}
_TYPES: dict[int, Type] = {
    constant("SOCK_STREAM"): "stream", constant("SOCK_DGRAM"): "dgram", constant("SOCK_SEQPACKET"): "seqpacket",
    constant("SOCK_RAW"): "raw",
}  # fmt: skip
_UNIX_KINDS: dict[Type, Kind] = {"stream": "unix-stream", "dgram": "unix-dgram", "seqpacket": "unix-seqpacket", "raw": "unix-dgram"}
_IP, _TCP, _UDP, _ICMP = 0, constant("IPPROTO_TCP"), constant("IPPROTO_UDP"), constant("IPPROTO_ICMP")
_ICMPV6, _SCTP = constant("IPPROTO_ICMPV6"), constant("IPPROTO_SCTP")
_MPTCP, _UDPLITE = constant("IPPROTO_MPTCP"), constant("IPPROTO_UDPLITE")
_L2TP = 115  # include/uapi/linux/l2tp.h
_PACKET = 10  # SOCK_PACKET, which socket(2) calls obsolete
_MOST_PROTOCOLS = 263  # IPPROTO_MAX in include/uapi/linux/in.h, since MPTCP


def _type(s: Situation) -> int:
    return s.number("type") & _KINDS_OF_SOCKET


def _flags(s: Situation) -> int:
    return s.number("type") & ~_KINDS_OF_SOCKET


def _family(s: Situation) -> Family:
    return _FAMILIES.get(s.number("domain"), "other")


def _internet(s: Situation) -> bool:
    return _family(s) in ("inet", "inet6")


def _unknown_flags(s: Situation) -> bool:
    return bool(_flags(s) & ~_FLAGS)


def _family_out_of_range(s: Situation) -> bool:
    return not 0 <= s.number("domain") < constant("AF_MAX")


def _unspecified(s: Situation) -> bool:
    return s.number("domain") == 0


def _of_packets(s: Situation) -> bool:
    return s.number("domain") == constant("AF_PACKET")


def _packets_without_right(s: Situation) -> bool:
    return _of_packets(s) and s.process.uid != 0


def _type_of_packets(s: Situation) -> bool:
    return _of_packets(s) and _type(s) not in (constant("SOCK_DGRAM"), constant("SOCK_RAW"), _PACKET)


def _other_family(s: Situation) -> bool:
    return _family(s) == "other"


def _no_type(s: Situation) -> bool:
    return _type(s) >= _MOST_TYPES


def _protocol_of_unix(s: Situation) -> bool:
    return _family(s) == "unix" and s.number("protocol") not in (0, constant("AF_UNIX"))


def _type_of_unix(s: Situation) -> bool:
    return _family(s) == "unix" and _TYPES.get(_type(s)) is None


def _protocol_number(s: Situation) -> bool:
    return _internet(s) and not 0 <= s.number("protocol") < _MOST_PROTOCOLS


def _type_of_internet(s: Situation) -> bool:
    return _internet(s) and _type(s) not in (
        constant("SOCK_STREAM"),
        constant("SOCK_DGRAM"),
        constant("SOCK_RAW"),
        constant("SOCK_SEQPACKET"),
    )


def _special(s: Situation) -> bool:
    """Protocols that a kernel may have or not, and groups that may use ping sockets (ping_group_range)."""
    return bool(_special_errors(s))


def _special_errors(s: Situation) -> tuple[str, ...]:
    """The errnos with which a kernel without such a protocol, or that does not let this group use it, refuses it."""
    if not _internet(s):
        return ()
    if _type(s) == _PACKET:
        return ("ESOCKTNOSUPPORT", "EPERM") if s.process.uid else ("ESOCKTNOSUPPORT",)
    kind, protocol = _TYPES.get(_type(s), "other"), s.number("protocol")
    if kind == "seqpacket":
        return ("ESOCKTNOSUPPORT", "EPROTONOSUPPORT")
    if kind == "dgram" and protocol == (_ICMP if _family(s) == "inet" else _ICMPV6):
        return ("EACCES", "EPROTONOSUPPORT")
    if (kind == "stream" and protocol in (_SCTP, _MPTCP)) or (kind == "dgram" and protocol in (_UDPLITE, _L2TP)):
        return ("EPROTONOSUPPORT", "ENOPROTOOPT")
    return ()


def _perhaps(s: Situation) -> Iterable[Outcome]:
    for errno in _special_errors(s):
        yield Outcome(kind="fails", errno=errno, world=s.world)
    if _TYPES.get(_type(s)) == "seqpacket" and s.number("protocol") not in (0, _SCTP):
        return
    if s.call.name == "socket":
        yield _unknown_socket(s, "sockets of this protocol are not modelled")
    else:
        yield Outcome(kind="fails", errno="EOPNOTSUPP", world=s.world)


def _packets(s: Situation) -> Iterable[Outcome]:
    if s.call.name != "socket":
        yield Outcome(kind="fails", errno="EOPNOTSUPP", world=s.world)
        return
    full = _table_full(s)
    if full is not False:
        yield Outcome(kind="fails", errno="EMFILE", world=s.world)
    if full is not True:
        yield _unknown_socket(s, "packet sockets are not modelled")


def _unknown_socket(s: Situation, why: str) -> Outcome:
    world, _ = s.world.opened(s.process_name, Unknown(why=why), flags=_status(s), cloexec=bool(s.number("type") & _CLOEXEC))
    return Outcome(kind="returns", value=NewDescriptor(s.descriptor_free), world=world)


def _protocol_of_internet(s: Situation) -> bool:
    if not _internet(s):
        return False
    fitting = {constant("SOCK_STREAM"): (_IP, _TCP), constant("SOCK_DGRAM"): (_IP, _UDP)}
    if _type(s) == constant("SOCK_RAW"):
        return s.number("protocol") == 0
    return s.number("protocol") not in fitting.get(_type(s), ())


def _raw_without_right(s: Situation) -> bool:
    return _internet(s) and _type(s) == constant("SOCK_RAW") and s.process.uid != 0


def _no_two(s: Situation) -> bool | None:
    return s.process.beyond(s.process.lowest_free(s.process.lowest_free() + 1))


def _pair_unwritable(s: Situation) -> bool:
    return isinstance(s.args.get("pair"), BadPointer)


def _table_full(s: Situation) -> bool | None:
    return table_full(s)


def make_socket(s: Situation) -> Socket:
    """The socket that socket() or socketpair() makes, once everything about it has been found right."""
    family, type_ = _family(s), _TYPES[_type(s)]
    protocol = s.number("protocol")
    host, note = s.process.host, {"uid": s.process.uid} if s.process.uid else {}
    if family == "unix":
        # SOCK_RAW is taken for SOCK_DGRAM (unix(7) does not say; unix_create() in net/unix/af_unix.c).
        made = "dgram" if type_ == "raw" else type_
        return Socket(host=host, family=family, type=made, protocol=0, kind=_UNIX_KINDS[type_], note=note)
    only = family == "inet6" and s.world.hosts[host].sysctls.get("net.ipv6.bindv6only") == "1"
    options = {_V6ONLY: 1} if only else {}
    if type_ == "raw":
        # Its protocol stands where others have their port (inet_create() in net/ipv4/af_inet.c).
        local = Address(s.number("domain"), "0.0.0.0" if family == "inet" else "::", protocol)
        return Socket(host=host, family=family, type=type_, protocol=protocol, kind="raw", local=local, options=options, note=note)
    if type_ == "stream":
        return Socket(host=host, family=family, type=type_, protocol=_TCP, kind="tcp", options=options, note=note)
    return Socket(host=host, family=family, type=type_, protocol=_UDP, kind="udp", options=options, note=note)


def _status(s: Situation) -> int:
    return constant("O_RDWR") | (constant("O_NONBLOCK") if s.number("type") & _NONBLOCK else 0)


def _made(s: Situation) -> Iterable[Outcome]:
    world, _ = s.world.opened(s.process_name, make_socket(s), flags=_status(s), cloexec=bool(s.number("type") & _CLOEXEC))
    yield Outcome(kind="returns", value=NewDescriptor(s.descriptor_free), world=world)


def _paired(s: Situation) -> Iterable[Outcome]:
    flags = _status(s)
    cloexec = bool(s.number("type") & _CLOEXEC)
    world, one = s.world.opened(s.process_name, make_socket(s), flags=flags, cloexec=cloexec)
    world, other = world.opened(s.process_name, make_socket(s), flags=flags, cloexec=cloexec)
    table = world.processes[s.process_name].table
    ids = [world.descriptions[table[fd].description].object for fd in (one, other)]
    connection = world.fresh()
    world.connections[connection] = Connection(ends=(ids[0], ids[1]))
    for number, peer in ((ids[0], ids[1]), (ids[1], ids[0])):
        world.objects[number] = _joined(make_socket(s), connection, peer)
    yield Outcome(kind="returns", value=0, world=world, note=(one, other))


def _joined(one: Socket, connection: int, peer: int) -> Socket:
    return msgspec.structs.replace(one, state="ESTABLISHED", connection=connection, peer=peer)


def _flags_known(call: str) -> Rule:
    return fails(
        f"{call}.unknown-flags",
        "EINVAL",
        _unknown_flags,
        "the type has bits that are no flags",
        f"{call}(2) EINVAL",
        kinds=(NOTHING,),
    )


def _of_families(call: str) -> tuple[Rule, ...]:
    posix = f"POSIX.1-2024 {call}()"
    return (
        fails(f"{call}.no-family", "EAFNOSUPPORT", _family_out_of_range, "there is no such address family", f"{posix} EAFNOSUPPORT",
              kinds=(NOTHING,)),
        fails(f"{call}.no-type", "EINVAL", _no_type, "the type is out of range",
              "socket(2) EINVAL; __sock_create() in net/socket.c", kinds=(NOTHING,)),
        fails(f"{call}.unspecified-family", "EAFNOSUPPORT", _unspecified, "AF_UNSPEC is no family to make sockets of",
              f"{posix} EAFNOSUPPORT", kinds=(NOTHING,)),
        fails(f"{call}.packet-needs-privilege", "EPERM", _packets_without_right, "packet sockets need CAP_NET_RAW",
              "packet(7) EPERM", kinds=(NOTHING,)),
        fails(f"{call}.packet-type", "ESOCKTNOSUPPORT", _type_of_packets, "AF_PACKET has no such type",
              "packet_create() in net/packet/af_packet.c", kinds=(NOTHING,)),
        gives(f"{call}.packet", _packets, "what comes of packet sockets is not modelled", "packet(7)", when=_of_packets,
              kinds=(NOTHING,)),
        unmodelled(f"{call}.other-family", _other_family, "only AF_INET, AF_INET6 and AF_UNIX are modelled", kinds=(NOTHING,)),
        fails(f"{call}.unix-protocol", "EPROTONOSUPPORT", _protocol_of_unix, "AF_UNIX has no such protocol",
              f"{posix} EPROTONOSUPPORT", kinds=(NOTHING,)),
        fails(f"{call}.unix-type", "ESOCKTNOSUPPORT", _type_of_unix, "AF_UNIX has no such type", "unix(7) ESOCKTNOSUPPORT",
              kinds=(NOTHING,)),
        fails(f"{call}.protocol-number", "EINVAL", _protocol_number, "the protocol's number is out of range",
              "socket(2) EINVAL; inet_create() in net/ipv4/af_inet.c", kinds=(NOTHING,)),
        gives(f"{call}.special", _perhaps, "a kernel may have SCTP, MPTCP, UDP-Lite, and let this group ping, or not",
              f"{posix} EPROTONOSUPPORT; icmp(7)", when=_special, kinds=(NOTHING,)),
        fails(f"{call}.type", "ESOCKTNOSUPPORT", _type_of_internet, "the family has no such type", "ip(7) ESOCKTNOSUPPORT",
              kinds=(NOTHING,)),
        fails(f"{call}.protocol", "EPROTONOSUPPORT", _protocol_of_internet, "the type has no such protocol",
              f"{posix} EPROTONOSUPPORT", kinds=(NOTHING,)),
        fails(f"{call}.raw-needs-privilege", "EPERM", _raw_without_right, "raw sockets need CAP_NET_RAW", "raw(7) EPERM",
              kinds=(NOTHING,)),
    )  # fmt: skip


RULES: tuple[Rule, ...] = (
    _flags_known("socket"),
    *_of_families("socket"),
    fails("socket.table-full", "EMFILE", _table_full, "the process has as many descriptors as RLIMIT_NOFILE allows",
          "POSIX.1-2024 socket() EMFILE", kinds=(NOTHING,)),
    gives("socket.made", _made, "a new socket, the lowest free descriptor; nothing is sent", "POSIX.1-2024 socket()",
          kinds=(NOTHING,)),
    _flags_known("socketpair"),
    fails("socketpair.table-full", "EMFILE", _no_two, "no two descriptors are free", "POSIX.1-2024 socketpair() EMFILE",
          kinds=(NOTHING,), note="Linux takes the two numbers before it looks at the family"),
    fails("socketpair.pair", "EFAULT", _pair_unwritable, "the two numbers cannot be written", "socketpair(2) EFAULT",
          kinds=(NOTHING,)),
    *_of_families("socketpair"),
    fails("socketpair.no-pairs", "EOPNOTSUPP", _internet, "the protocol has no pairs", "POSIX.1-2024 socketpair() EOPNOTSUPP",
          kinds=(NOTHING,), note="the sockets are made before the protocol refuses: inet has sock_no_socketpair()"),
    gives("socketpair.made", _paired, "two sockets connected to each other", "POSIX.1-2024 socketpair()", kinds=(NOTHING,)),
)  # fmt: skip
