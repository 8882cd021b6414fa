"""Raw sockets: what they refuse, where they connect to, what they send and receive. Who gets a copy is in raw_copies.py.

What a raw socket receives is modelled only where no other socket of IP sends packets of its protocol.
"""

from collections.abc import Callable, Iterable

from netlab.model.sockets.addresses import INET, INET6, address_in, length_in
from netlab.model.sockets.calls.datagrams_connecting import (
    EVERYBODY,
    ROUTE,
    accept_errors,
    connect_rules,
    from_foreign,
    from_somewhere,
    group_unknown,
    inet6,
    leaves_loopback,
    shutdown_rules,
    strange_way,
    unsupported,
)
from netlab.model.sockets.calls.datagrams_received import receiving
from netlab.model.sockets.calls.datagrams_refused import named
from netlab.model.sockets.messages import RECEIVES, SENDS, content, parts, sayable, size, unreadable
from netlab.model.sockets.objects import Address, Object, Unknown
from netlab.model.sockets.options.values import given
from netlab.model.sockets.outcomes import Outcome
from netlab.model.sockets.ports import is_mapped, plain
from netlab.model.sockets.raw_copies import copied, followed, unsure, untold
from netlab.model.sockets.routes import destination, is_broadcast, is_group, is_link_local, reached
from netlab.model.sockets.rules import Rule, fails, gives, unmodelled
from netlab.model.sockets.situation import Situation
from netlab.model.sockets.udp import arrived, own_address, source_of
from netlab.notation.constants import constant
from netlab.notation.values import BadPointer

_KINDS = ("raw",)
_RAW4, _RAW6 = "raw_sendmsg() in net/ipv4/raw.c", "rawv6_sendmsg() in net/ipv6/raw.c"
_HEADER, _HEADER6 = 20, 40
_HDRINCL = (constant("IPPROTO_IP"), constant("IP_HDRINCL"))
_CHECKSUM = (constant("IPPROTO_IPV6"), constant("IPV6_CHECKSUM"))
_TYPE_AND_CODE = 2
_OVERFLOW = 0xFFFF
_RAW, _ICMP = constant("IPPROTO_RAW"), (constant("IPPROTO_ICMP"), constant("IPPROTO_ICMPV6"))
_ECHOES, _ECHOES6 = (0, 8), (128, 129)
"""Echo and echo reply: RFC 792, RFC 4443 4."""
_UNSPEC = constant("AF_UNSPEC")
_BROADCAST = (constant("SOL_SOCKET"), constant("SO_BROADCAST"))


def _connect_other_family(s: Situation) -> bool:
    return inet6(s) and length_in(s) >= 2 and address_in(s).family not in (INET6, _UNSPEC)


def _too_long(s: Situation) -> bool:
    # rawv6_sendmsg() looks at the length last.
    return not inet6(s) and size(s) > _OVERFLOW


def _named(s: Situation) -> bool:
    """An address of no length at all is none to IPv4: raw_sendmsg() looks at msg_namelen, rawv6_sendmsg() at the pointer."""
    return named(s) and (inet6(s) or length_in(s) > 0)


def _urgent(s: Situation) -> bool:
    return s.flag("MSG_OOB")


def _short(s: Situation) -> bool:
    return _named(s) and length_in(s) < (24 if inet6(s) else 16)


def _family(s: Situation) -> bool:
    if not _named(s):
        return False
    family = address_in(s).family
    return family not in (0, INET6 if inet6(s) else INET)


def _port_is_no_protocol(s: Situation) -> bool:
    """sin6_port may say the protocol, and no other."""
    return inet6(s) and _named(s) and address_in(s).port not in (0, s.socket.protocol)


def _nowhere(s: Situation) -> bool:
    return not _named(s) and s.socket.state != "ESTABLISHED"


def _host(s: Situation) -> str:
    if _named(s):
        return destination(plain(address_in(s).host), own_address(s.host, s.socket, 4))
    remote = s.socket.remote
    assert remote is not None
    return plain(remote.host)


def _peer_is_mapped(s: Situation) -> bool:
    """connect() takes a peer of IPv4, and sending looks for a way to its mapped address by IPv6."""
    return inet6(s) and not _named(s) and s.socket.remote is not None and is_mapped(s.socket.remote.host)


def _hard(s: Situation) -> bool:
    """What is not modelled: control messages, headers of the caller's own, groups, packets that the kernel answers."""
    host = _host(s)
    if host == EVERYBODY and group_unknown(s, host):
        return True
    mapped = inet6(s) and _named(s) and is_mapped(address_in(s).host)
    return strange_way(s) or mapped or s.args.get("control") is not None or is_group(host) or is_link_local(host)


def _own_header(s: Situation) -> bool:
    """Whether what is sent begins with a header of IP: IP_HDRINCL, which IPPROTO_RAW has set from the beginning (raw(7))."""
    return bool(s.socket.options.get(_HDRINCL, s.socket.protocol == _RAW))


def _short_header(s: Situation) -> bool:
    return _own_header(s) and size(s) < (_HEADER6 if inet6(s) else _HEADER)


def _checksum_outside(s: Situation) -> bool:
    # ICMPv6's checksum is after its type and code, whatever is asked for.
    offset = s.socket.options.get(_CHECKSUM, _TYPE_AND_CODE if s.socket.protocol == _ICMP[1] else -1)
    return inet6(s) and offset >= 0 and size(s) - 1 <= offset


def _answered(s: Situation) -> bool:
    """Whether it may be an error of ICMP, of which the kernel tells other sockets."""
    if s.socket.protocol not in _ICMP:
        return False
    echoes = _ECHOES6 if s.socket.protocol == _ICMP[1] else _ECHOES
    return not content(s)[:1] or content(s)[0] not in echoes


def _unreachable(s: Situation) -> bool:
    host = _host(s)
    if _peer_is_mapped(s):
        return not s.host.reaches(f"::ffff:{host}")
    if host == EVERYBODY:
        return not from_somewhere(s, host)
    return not is_broadcast(s.host, host) and not reached(s.host, host)


def _from_foreign(s: Situation) -> bool:
    return not inet6(s) and from_foreign(s, _host(s))


def _from_mapped(s: Situation) -> bool:
    local = s.socket.local
    return inet6(s) and local is not None and is_mapped(local.host)


def _from_loopback(s: Situation) -> bool:
    return leaves_loopback(s, _host(s))


def _no_header(s: Situation) -> bool:
    there = size(s) >= _TYPE_AND_CODE and not isinstance(parts(s)[0], BadPointer)
    return s.socket.protocol == _ICMP[inet6(s)] and not _own_header(s) and not there


def _broadcast(s: Situation) -> bool:
    return is_broadcast(s.host, _host(s)) and not s.socket.options.get(_BROADCAST)


def _does_not_fit(s: Situation) -> bool:
    return size(s) + (0 if inet6(s) else _HEADER) > _OVERFLOW


def _large(s: Situation) -> bool:
    return size(s) > 1200


def _others(s: Situation) -> bool:
    return unsure(s.world, s.socket)


def _takes_itself(s: Situation) -> bool:
    """Whether the socket gets the packet that it sends, so that nobody complains of the protocol: it goes to the address that the
    socket has, and from there."""
    local, host = s.socket.local, _host(s)
    if not s.host.owns(host):
        return False
    if local is None or local.host in ("0.0.0.0", "::"):
        return s.socket.state != "ESTABLISHED"
    return plain(local.host) == host and (s.socket.remote is None or plain(s.socket.remote.host) == host)


def _sending(s: Situation) -> Iterable[Outcome]:
    """Over IPv6 with a checksum that the kernel writes, what is sent is not what was given."""
    world, data, host = s.world, content(s), _host(s)
    source = source_of(world, s.socket, host)
    known = s.world.owner(host, s.process.host) and source is not None and followed(s.socket.protocol, data)
    if known and source is not None and s.socket.options.get(_CHECKSUM, -1) < 0:
        world = copied(world, s.socket_id, source, Address(s.socket.domain, host), data)
    else:
        world = untold(world, s.socket.protocol)
    one: Object = world.objects[s.socket_id]
    asked = given(s.socket, "IPPROTO_IP", "IP_RECVERR") or given(s.socket, "IPPROTO_IPV6", "IPV6_RECVERR")
    if (s.socket.state == "ESTABLISHED" or asked) and not _takes_itself(s):
        one = Unknown(why="what ICMP says of a raw socket's packets is not modelled")
    yield Outcome(kind="returns", value=size(s), world=world.with_object(s.socket_id, one))


def _sending_rules(call: str) -> tuple[Rule, ...]:
    posix = f"POSIX.1-2024 {call}()"

    def refused(what: str, errno: str, when: Callable[[Situation], bool], says: str, source: str) -> Rule:
        return fails(f"{call}.raw-{what}", errno, when, says, source, kinds=_KINDS)

    return (
        refused("too-long", "EMSGSIZE", _too_long, "no packet has more than 65535 bytes", f"{posix} EMSGSIZE; {_RAW4}"),
        refused("urgent", "EOPNOTSUPP", _urgent, "raw IP has no urgent data", f"raw(7) EOPNOTSUPP; {_RAW4}"),
        refused("short", "EINVAL", _short, "the address is shorter than the family's", f"raw(7) EINVAL; {_RAW4}"),
        refused("family", "EAFNOSUPPORT", _family, "the address is of another family", f"{posix} EAFNOSUPPORT; {_RAW6}"),
        refused("port", "EINVAL", _port_is_no_protocol, "the port is neither 0 nor the protocol", _RAW6),
        refused("nowhere", "EDESTADDRREQ", _nowhere, "nobody said where to", f"{posix} EDESTADDRREQ"),
        unmodelled(f"{call}.raw-hard", _hard, "groups, own headers and control messages are not modelled", kinds=_KINDS),
        refused("no-header", "EFAULT", _no_header, "the type and code of ICMP are read first, and are not there",
                "raw_probe_proto_opt() in net/ipv4/raw.c"),
        refused("from-foreign", "ENETUNREACH", _from_foreign, "from an address of nobody's nothing is sent", ROUTE),
        refused("unreachable", "ENETUNREACH", _unreachable, "there is no route", f"{posix} ENETUNREACH"),
        refused("from-mapped", "EAFNOSUPPORT", _from_mapped, "from an address of IPv4 nothing goes by IPv6",
                "ip6_dst_lookup_tail() in net/ipv6/ip6_output.c"),
        refused("from-loopback", "EINVAL", _from_loopback, "from the loopback's address nothing leaves the host",
                "__mkroute_output() in net/ipv4/route.c"),
        refused("broadcast", "EACCES", _broadcast, "a broadcast needs SO_BROADCAST", "raw(7) EACCES"),
        refused("does-not-fit", "EMSGSIZE", _does_not_fit, "no packet is longer: over IPv4 with its header, over IPv6 without",
                "raw(7) EMSGSIZE; RFC 791; RFC 8200 3; __ip6_append_data() in net/ipv6/ip6_output.c"),
        refused("short-header", "EINVAL", _short_header, "what is sent with a header of its own is shorter than that",
                "raw_send_hdrinc() in net/ipv4/raw.c, rawv6_send_hdrinc() in net/ipv6/raw.c"),
        unmodelled(f"{call}.raw-own-header", _own_header, "what a packet with its own header does is not modelled", kinds=_KINDS),
        refused("unreadable", "EFAULT", unreadable, "the data cannot be read", "raw(7) EFAULT"),
        refused("checksum-outside", "EINVAL", _checksum_outside, "the checksum would stand outside of the packet",
                "rawv6_push_pending_frames() in net/ipv6/raw.c; IPV6_CHECKSUM in RFC 3542 3.1"),
        unmodelled(f"{call}.raw-large", _large, "whether a large packet fits into the path is not modelled", kinds=_KINDS),
        unmodelled(f"{call}.raw-answered", _answered, "what the kernel makes of ICMP but echoes is not modelled",
                   kinds=_KINDS),
        gives(f"{call}.raw-sent", _sending, "the packet is sent", f"{posix}; raw(7)", kinds=_KINDS),
    )  # fmt: skip


_NOT_MODELLED = ("raw-error-refused", "raw-error-no-host", "raw-error-no-network")
"""What comes of ICMP: of none such the model knows that it is there."""
ARRIVES = {"raw": arrived}


def _receiving_rules(call: str) -> tuple[Rule, ...]:
    return (
        fails(f"{call}.raw-urgent", "EOPNOTSUPP", _urgent, "raw IP has no urgent data", "raw_recvmsg() in net/ipv4/raw.c",
              kinds=_KINDS),
        unmodelled(f"{call}.raw-packets", _others, "which packets a raw socket gets is not modelled", kinds=_KINDS),
        *(rule for rule in receiving(call, _KINDS, "raw") if rule.id.partition(".")[2] not in _NOT_MODELLED),
    )  # fmt: skip


_NEVER = ("connect.raw-only-v6", "connect.raw-mapped", "connect.raw-from-group")
"""A raw socket of IPv6 takes no address of IPv4 to connect to but a mapped one, and none to bind to; it cannot have IPV6_V6ONLY."""
_ADDRESSED = "raw-short raw-family raw-port raw-from-foreign raw-from-mapped raw-from-loopback"
RULES: tuple[Rule, ...] = (
    *(rule for call in SENDS for rule in sayable(call, _sending_rules(call), address=_ADDRESSED, flags="raw-urgent")),
    *(rule for call in RECEIVES for rule in sayable(call, _receiving_rules(call), flags="raw-urgent")),
    fails(
        "connect.raw-other-family",
        "EAFNOSUPPORT",
        _connect_other_family,
        "a raw socket of IPv6 takes no other address",
        "ip6_datagram_connect_v6_only() in net/ipv6/datagram.c",
        kinds=_KINDS,
    ),
    *(rule for rule in connect_rules(_KINDS, "raw") if rule.id not in _NEVER),
    *shutdown_rules(_KINDS, "raw"),
    *accept_errors("raw", _KINDS),
    *(unsupported(call, "raw", _KINDS) for call in ("listen", "accept", "accept4")),
)
