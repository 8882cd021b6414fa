"""Raw sockets: what they refuse, where they connect to, that they send. What they receive is not modelled.

A raw socket gets a copy of every packet of its protocol that comes to the host, whoever sent it: that there is none is certain only
where there is no other socket of IP.
"""

from collections.abc import Callable, Iterable

import msgspec

from netlab.model.sockets.addresses import INET, INET6, address_in, length_in
from netlab.model.sockets.calls.datagrams_connecting import (
    EVERYBODY,
    accept_errors,
    connect_rules,
    from_somewhere,
    group_unknown,
    inet6,
    leaves_loopback,
    shutdown_rules,
    unsupported,
)
from netlab.model.sockets.calls.datagrams_received import receiving
from netlab.model.sockets.calls.datagrams_refused import named
from netlab.model.sockets.messages import RECEIVES, SENDS, sayable, size, unreadable
from netlab.model.sockets.objects import Object, Socket, Unknown
from netlab.model.sockets.options.values import given
from netlab.model.sockets.outcomes import Outcome
from netlab.model.sockets.ports import is_mapped, plain
from netlab.model.sockets.routes import destination, is_broadcast, is_group, is_link_local, reached
from netlab.model.sockets.rules import Rule, fails, gives, unmodelled
from netlab.model.sockets.situation import Situation
from netlab.notation.constants import constant

_KINDS = ("raw",)
_RAW4, _RAW6 = "raw_sendmsg() in net/ipv4/raw.c", "rawv6_sendmsg() in net/ipv6/raw.c"
_HEADER = 20
_TYPE_AND_CODE = 2
_OVERFLOW = 0xFFFF
_RAW, _ICMP = constant("IPPROTO_RAW"), (constant("IPPROTO_ICMP"), constant("IPPROTO_ICMPV6"))
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
        return destination(plain(address_in(s).host))
    remote = s.socket.remote
    assert remote is not None
    return plain(remote.host)


def _hard(s: Situation) -> bool:
    """What is not modelled: control messages, headers of the caller's own, groups, packets that the kernel answers."""
    options = any(
        s.socket.options.get((constant(level), constant(name)))
        for level, name in (("IPPROTO_IP", "IP_HDRINCL"), ("IPPROTO_IPV6", "IPV6_CHECKSUM"))
    )
    own = s.socket.protocol == _RAW
    host = _host(s)
    if host == EVERYBODY and group_unknown(s, host):
        return True
    mapped = inet6(s) and _named(s) and is_mapped(address_in(s).host)
    return options or own or mapped or s.args.get("control") is not None or is_group(host) or is_link_local(host)


def _answered(s: Situation) -> bool:
    return s.socket.protocol in _ICMP


def _unreachable(s: Situation) -> bool:
    host = _host(s)
    if host == EVERYBODY:
        return not from_somewhere(s, host)
    return not is_broadcast(s.host, host) and not reached(s.host, host)


def _from_loopback(s: Situation) -> bool:
    return leaves_loopback(s, _host(s))


def _no_header(s: Situation) -> bool:
    return s.socket.protocol == _ICMP[inet6(s)] and size(s) < _TYPE_AND_CODE


def _broadcast(s: Situation) -> bool:
    return is_broadcast(s.host, _host(s)) and not s.socket.options.get(_BROADCAST)


def _does_not_fit(s: Situation) -> bool:
    return size(s) + (0 if inet6(s) else _HEADER) > _OVERFLOW


def _large(s: Situation) -> bool:
    return size(s) > 1200


def _others(s: Situation) -> bool:
    """Whether another socket of IP is there, or a packet may have come otherwise."""
    if s.socket.note.get("sent") or s.socket.protocol in _ICMP:
        return True
    return any(
        isinstance(one, Socket) and one.family in ("inet", "inet6") and number != s.socket_id
        for number, one in s.world.objects.items()
    )


def _sending(s: Situation) -> Iterable[Outcome]:
    one: Object = msgspec.structs.replace(s.socket, note={**s.socket.note, "sent": True})
    asked = given(s.socket, "IPPROTO_IP", "IP_RECVERR") or given(s.socket, "IPPROTO_IPV6", "IPV6_RECVERR")
    # On one's own host this socket takes the packet, so nobody complains of the protocol.
    if (s.socket.state == "ESTABLISHED" or asked) and not s.host.owns(_host(s)):
        one = Unknown(why="what ICMP says of a raw socket's packets is not modelled")
    yield Outcome(kind="returns", value=size(s), world=s.world.with_object(s.socket_id, one))


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
        refused("unreachable", "ENETUNREACH", _unreachable, "there is no route", f"{posix} ENETUNREACH"),
        refused("from-loopback", "EINVAL", _from_loopback, "from the loopback's address nothing leaves the host",
                "__mkroute_output() in net/ipv4/route.c"),
        refused("broadcast", "EACCES", _broadcast, "a broadcast needs SO_BROADCAST", "raw(7) EACCES"),
        refused("does-not-fit", "EMSGSIZE", _does_not_fit, "no packet is longer: over IPv4 with its header, over IPv6 without",
                "raw(7) EMSGSIZE; RFC 791; RFC 8200 3; __ip6_append_data() in net/ipv6/ip6_output.c"),
        refused("unreadable", "EFAULT", unreadable, "the data cannot be read", "raw(7) EFAULT"),
        unmodelled(f"{call}.raw-large", _large, "whether a large packet fits into the path is not modelled", kinds=_KINDS),
        unmodelled(f"{call}.raw-answered", _answered, "what the kernel answers to ICMP is not modelled", kinds=_KINDS),
        gives(f"{call}.raw-sent", _sending, "the packet is sent", f"{posix}; raw(7)", kinds=_KINDS),
    )  # fmt: skip


_NOT_MODELLED = ("raw-error-refused", "raw-error-no-host", "raw-error-no-network", "raw-unwritable", "raw-datagram")
"""What comes of packets and of ICMP: of none such the model knows that it is there."""


def _receiving_rules(call: str) -> tuple[Rule, ...]:
    return (
        fails(f"{call}.raw-urgent", "EOPNOTSUPP", _urgent, "raw IP has no urgent data", "raw_recvmsg() in net/ipv4/raw.c",
              kinds=_KINDS),
        unmodelled(f"{call}.raw-packets", _others, "which packets a raw socket gets is not modelled", kinds=_KINDS),
        *(rule for rule in receiving(call, _KINDS, "raw") if rule.id.partition(".")[2] not in _NOT_MODELLED),
    )  # fmt: skip


_NEVER = ("connect.raw-only-v6", "connect.raw-from-mapped")
"""A raw socket of IPv6 takes no address of IPv4, neither to connect to nor to bind to."""
_ADDRESSED = "raw-short raw-family raw-port raw-unreachable raw-from-loopback"
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
