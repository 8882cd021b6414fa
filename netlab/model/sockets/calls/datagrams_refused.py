"""Where a datagram of UDP goes, and the guards of what is refused on the way: addresses, routes, sizes, errors that wait.

It knows no order and no outcome; calls/datagrams.py has the rules.
"""

from netlab.model.sockets.addresses import INET, INET6, address_in, length_in, pointed
from netlab.model.sockets.calls.datagrams_connecting import (
    from_foreign,
    from_group,
    from_somewhere,
    group_unknown,
    inet6,
    leaves_loopback,
    strange_way,
)
from netlab.model.sockets.messages import pending_error, size
from netlab.model.sockets.objects import Address
from netlab.model.sockets.options.values import buffer_size, given
from netlab.model.sockets.ports import is_mapped, plain
from netlab.model.sockets.routes import destination, is_broadcast, is_group, is_link_local, reached
from netlab.model.sockets.situation import Situation
from netlab.model.sockets.udp import (
    only_v6,
    own_address,
    source_of,
)
from netlab.notation.constants import constant
from netlab.notation.values import BadPointer

_LONGEST4, _LONGEST6, _OVERFLOW = 65507, 65527, 0xFFFF
"""65535 less the headers of IPv4 and UDP (RFC 791, RFC 768); less UDP's alone over IPv6 (RFC 8200)."""
_SURELY_ONE_PACKET = 1200
_SHORT4, _SHORT6 = 16, 24
_UNSPEC = constant("AF_UNSPEC")
_BROADCAST = (constant("SOL_SOCKET"), constant("SO_BROADCAST"))


def named(s: Situation) -> bool:
    """Whether the call names an address."""
    value = pointed(s)
    if (
        s.call.name not in ("sendto", "sendmsg")
        or value is None
        or value == "NONE"
        or (isinstance(value, BadPointer) and value.null)
    ):
        return False
    return s.call.name == "sendto" or length_in(s) > 0


def named_family(s: Situation) -> int | None:
    """The family of the address that the call names, None without one."""
    return address_in(s).family if named(s) else None


def corked(s: Situation) -> tuple[bytes, Address] | None:
    """What is kept back, and where it goes; None for nothing."""
    found: tuple[bytes, Address] | None = s.socket.note.get("cork")
    return found


def peer_of(s: Situation) -> Address | None:
    """The peer of a connected socket."""
    return s.socket.remote if s.socket.state == "ESTABLISHED" else None


def over_ipv4(s: Situation) -> bool:
    """Whether the datagram goes by IPv4: by the socket, or by an address in the mapped form."""
    if not inet6(s):
        return True
    cork = corked(s)
    if cork is not None and (":" not in cork[1].host or not named(s)):
        return ":" not in cork[1].host
    family = named_family(s)
    if family is None:
        peer = peer_of(s)
        return peer is not None and is_mapped(peer.host)
    if family == _UNSPEC:
        return False
    if family == INET:
        return True
    address = address_in(s)
    return is_mapped(address.host) or (address.host == "::" and s.socket.local is not None and is_mapped(s.socket.local.host))


def target(s: Situation) -> Address | None:
    """Where the datagram goes, as a plain address; None where nobody said."""
    cork = corked(s)
    if cork is not None:
        return cork[1]
    family = named_family(s)
    if family is None or (family == _UNSPEC and inet6(s)):
        peer = peer_of(s)
        return None if peer is None else Address(INET, plain(peer.host), peer.port)
    address = address_in(s)
    host = plain(address.host) or "0.0.0.0"
    if host == "::" and over_ipv4(s):
        host = "127.0.0.1"
    return Address(
        INET if "." in host and ":" not in host else INET6, destination(host, own_address(s.host, s.socket, 4)), address.port
    )


def short6(s: Situation) -> bool:
    """Whether the address is too short for IPv6."""
    if not (inet6(s) and named(s)):
        return False
    return length_in(s) < 2 or (named_family(s) == INET6 and length_in(s) < _SHORT6)


def family6(s: Situation) -> bool:
    """Whether a socket of IPv6 is given an address of another family."""
    return inet6(s) and named_family(s) not in (None, INET, INET6, _UNSPEC)


def nowhere6(s: Situation) -> bool:
    """Whether a socket of IPv6 has nowhere to send to."""
    return inet6(s) and named_family(s) in (None, _UNSPEC) and corked(s) is None and peer_of(s) is None


def v4_refused(s: Situation) -> bool:
    """Whether a socket of IPv6 alone would send by IPv4."""
    return inet6(s) and over_ipv4(s) and only_v6(s.socket)


def too_long_for_any(s: Situation) -> bool:
    """Whether it is more than a length of 16 bits can say."""
    return over_ipv4(s) and size(s) > _OVERFLOW


def urgent_over_ipv4(s: Situation) -> bool:
    """Whether urgent data would go by IPv4."""
    return over_ipv4(s) and s.flag("MSG_OOB")


def free4(s: Situation) -> bool:
    """Whether it goes by IPv4, and nothing is kept back."""
    return over_ipv4(s) and corked(s) is None


def short4(s: Situation) -> bool:
    """Whether the address is too short for IPv4."""
    # A mapped address was made one of IPv4 by now, of the right length.
    return free4(s) and named(s) and (not inet6(s) or named_family(s) != INET6) and length_in(s) < _SHORT4


def family4(s: Situation) -> bool:
    """Whether a socket of IPv4 is given an address of another family."""
    return not inet6(s) and corked(s) is None and named_family(s) not in (None, INET, _UNSPEC)


def named_connected(s: Situation) -> bool:
    """Whether a connected socket is told to send to an address."""
    return named(s) and s.socket.state == "ESTABLISHED"


def mixed(s: Situation) -> bool:
    """Whether what is kept back goes by IPv6, and this by IPv4."""
    cork = corked(s)
    return cork is not None and ":" in cork[1].host and named(s) and over_ipv4(s)


def port_zero(s: Situation) -> bool:
    """Whether it would go to port 0."""
    peer = peer_of(s)
    if inet6(s) and peer is not None and not named(s) and over_ipv4(s) and corked(s) is None:
        # The peer's address is passed on as one of IPv4 that the call named.
        return peer.port == 0
    if not named(s) or corked(s) is not None or (inet6(s) and named_family(s) == _UNSPEC):
        return False
    return address_in(s).port == 0


def nowhere4(s: Situation) -> bool:
    """Whether a socket of IPv4 has nowhere to send to."""
    return not inet6(s) and not named(s) and corked(s) is None and peer_of(s) is None


def from_mapped(s: Situation) -> bool:
    """Whether a socket with an address of IPv4 would send by IPv6."""
    local = s.socket.local
    return inet6(s) and not over_ipv4(s) and corked(s) is None and local is not None and is_mapped(local.host)


def hard_route(s: Situation) -> bool:
    """Groups and link-local addresses, where there is more than the loopback to send by; a source that nobody knows."""
    where = target(s)
    if where is None or corked(s) is not None:
        return False
    if strange_way(s):
        return True
    if is_group(where.host) or where.host == "255.255.255.255":
        return group_unknown(s, where.host)
    if is_link_local(where.host) and len(s.host.interfaces) > 1:
        return True
    return reached(s.host, where.host) and source_of(s.world, s.socket, where.host) is None


def sent_from_group(s: Situation) -> bool:
    """Whether it would come from a group."""
    where = target(s)
    return where is not None and corked(s) is None and not strange_way(s) and over_ipv4(s) and from_group(s, where.host)


def sent_from_foreign(s: Situation) -> bool:
    """Whether it would come from an address that is none of this host's."""
    where = target(s)
    return where is not None and corked(s) is None and not strange_way(s) and over_ipv4(s) and from_foreign(s, where.host)


def unreachable(s: Situation) -> bool:
    """Whether there is no route."""
    where = target(s)
    if where is None or corked(s) is not None:
        return False
    if inet6(s) and not over_ipv4(s) and ":" not in where.host:
        # AF_UNSPEC means the peer, whose mapped address is then looked for by IPv6.
        return True
    if is_group(where.host) or is_link_local(where.host):
        return not from_somewhere(s, where.host)
    if where.host == "255.255.255.255":
        return not from_somewhere(s, where.host)
    return not is_broadcast(s.host, where.host) and not reached(s.host, where.host)


def broadcast_refused(s: Situation) -> bool | None:
    """Whether it would go to all, and the socket may not send so."""
    # A connected socket has its route, and nobody looks again, unless it was forgotten.
    again = bool(s.socket.note.get("rerouted"))
    where = target(s) if named(s) or again else None
    if where is None or corked(s) is not None or s.socket.options.get(_BROADCAST):
        return False
    if not is_broadcast(s.host, where.host):
        return False
    return True if named(s) else None


def from_loopback(s: Situation) -> bool:
    """Whether it would leave the host from the loopback's address."""
    where = target(s)
    return where is not None and corked(s) is None and leaves_loopback(s, where.host)


def too_long(s: Situation) -> bool:
    """Whether it is longer than IP can carry."""
    cork = corked(s)
    total = size(s) + (len(cork[0]) if cork is not None else 0)
    return total > (_LONGEST4 if over_ipv4(s) else _LONGEST6)


def not_fragmented(s: Situation) -> bool:
    """Whether the path's MTU may be too small and no fragments are allowed; or the size is not one to be sure of."""
    never = any(
        given(s.socket, level, name, 1) in (2, 3, 5)
        for level, name in (("IPPROTO_IP", "IP_MTU_DISCOVER"), ("IPPROTO_IPV6", "IPV6_MTU_DISCOVER"))
    ) or given(s.socket, "IPPROTO_IPV6", "IPV6_DONTFRAG")
    small = (buffer_size(s.socket, "SO_SNDBUF") or 212992) // 2 < size(s)
    return small or bool(never and size(s) > 1200)


def looks_back(s: Situation) -> bool | None:
    """Whether the call looks for errors, and whether sending was shut down: where data is only added to what is kept back and fits
    into the same packet, it does not (__ip_append_data() in net/ipv4/ip_output.c)."""
    cork = corked(s)
    if cork is None:
        return True
    return False if len(cork[0]) + size(s) < _SURELY_ONE_PACKET else None


def sending_shut(s: Situation) -> bool | None:
    """Whether the call finds that sending was shut down."""
    return s.socket.shut_write and looks_back(s)


def error_waits(s: Situation) -> bool | None:
    """Whether the call finds an error that came back."""
    return pending_error(s) and looks_back(s)


def goes_astray(s: Situation) -> bool:
    """Whether a connected socket would send by IPv4 to where it sent what it had kept back."""
    return bool(s.socket.note.get("astray")) and not named(s) and corked(s) is None and over_ipv4(s)


def segmented(s: Situation) -> bool:
    """Whether the kernel cuts what is sent into several datagrams (UDP_SEGMENT)."""
    return bool(given(s.socket, "IPPROTO_UDP", "UDP_SEGMENT"))


def controlled(s: Situation) -> bool:
    """Whether control messages come with it: what IP makes of them is not modelled."""
    value = s.args.get("control")
    return s.call.name == "sendmsg" and value is not None and value != "NONE" and not isinstance(value, BadPointer)
