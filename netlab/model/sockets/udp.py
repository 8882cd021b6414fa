"""UDP: who gets a datagram, what its sender is told when nobody does, which names sockets have by then. It judges no call.

Sockets are looked for as Linux does (udp4_lib_lookup2() in net/ipv4/udp.c): the most specific one gets a datagram, a connected one
only from its peer; a group's or a broadcast's goes to all that it fits.
"""

from ipaddress import IPv4Address
from sys import byteorder
from typing import Any

import msgspec

from netlab.model.sockets.addresses import INET, INET6
from netlab.model.sockets.arguments import local_name
from netlab.model.sockets.messages import truesize
from netlab.model.sockets.objects import Address, Datagram, Socket, Unknown
from netlab.model.sockets.options.values import buffer_size, given
from netlab.model.sockets.ports import is_mapped, plain
from netlab.model.sockets.ports import only_v6 as set_v6_only
from netlab.model.sockets.routes import LOOPBACK, is_broadcast, is_group, source_for, version
from netlab.model.sockets.world import Host, World
from netlab.notation.constants import constant

ANY = {INET: "0.0.0.0", INET6: "::"}
_ANYWHERE = ("0.0.0.0", "::")
_RECEIVE_BUFFER = 212992
"""net.core.rmem_default where nobody changed it (socket(7)): less than this is never full."""
_APART = {4: "inet_saddr", 6: "inet6_saddr"}
_HOPS = 64
"""net.ipv4.ip_default_ttl's default: enough for any way (ip(7))."""
_MULTICAST_IF = (constant("IPPROTO_IP"), constant("IP_MULTICAST_IF"))
_JOINED = (constant("IPPROTO_IP"), constant("IP_ADD_MEMBERSHIP"))
_EVERY_GROUP = (constant("IPPROTO_IP"), constant("IP_MULTICAST_ALL"))
_RECEIVES_ERRORS = {4: ("IPPROTO_IP", "IP_RECVERR"), 6: ("IPPROTO_IPV6", "IPV6_RECVERR")}
_QUOTED = {4: 576 - 20 - 8 - 20 - 8, 6: 1280 - 40 - 8 - 40 - 8}
"""How much data an ICMP error repeats: a packet of 576 bytes (RFC 1812 4.3.2.3) or 1280 (RFC 4443 2.4) less all headers."""
_MOST_ERRORS = 8
"""So many surely fit into a receive buffer."""
_ALL_HOSTS = "224.0.0.1"  # RFC 1112 4: every host is in it
_DEVICE = (constant("SOL_SOCKET"), constant("SO_BINDTODEVICE"))
_INDEX = (constant("SOL_SOCKET"), constant("SO_BINDTOIFINDEX"))


def only_v6(one: Socket) -> bool:
    """Whether it has to do with IPv6 alone: IPV6_V6ONLY, which bind() to an address of IPv6 sets, too."""
    return one.family == "inet6" and set_v6_only(one)


def has_port(one: Socket) -> bool:
    """Whether it has a port by now."""
    return one.local is not None and one.local.port != 0


def with_port(world: World, number: int) -> World:
    """The world in which socket ``number`` has a port: the kernel chooses one for a socket that sends or connects without
    (inet_autobind() in net/ipv4/af_inet.c)."""
    one = world.objects[number]
    if not isinstance(one, Socket) or has_port(one) or one.kind != "udp":
        return world
    world = world.copy()
    local = one.local or Address(one.domain, ANY[one.domain])
    note = {name: value for name, value in one.note.items() if name != "since"}
    world.objects[number] = msgspec.structs.replace(one, local=msgspec.structs.replace(local, port=-world.fresh()), note=note)
    return world


def as_seen_by(one: Socket, host: str, port: int) -> Address:
    """An address of either version as a socket writes it: of IPv4 in the mapped form where it is one of IPv6 (RFC 3493 3.7)."""
    if one.family == "inet6" and version(host) == 4:
        return Address(INET6, f"::ffff:{host}", port)
    return Address(one.domain, host, port)


def sends_from_nothing(host: Host, one: Socket) -> bool:
    """Whether a socket is bound to what it may receive for and not send from, a group or a broadcast: then its source is chosen as
    if it were not bound (__inet_bind() in net/ipv4/af_inet.c). A mapped address of such a kind is its source all the same."""
    local = one.local.host if one.local is not None else ""
    return bool(local) and not is_mapped(local) and local not in _ANYWHERE and (is_group(local) or is_broadcast(host, local))


def own_address(host: Host, one: Socket, family: int) -> str:
    """The plain address of version 4 or 6 that a socket sends from, as bind() or connect() gave it; "" without one.

    It is kept apart from the socket's name (``inet_saddr``, ``inet6_saddr``) where a socket of IPv6 is connected by both versions,
    one after the other, and where it is bound to a group.
    """
    local = plain(one.local.host) if one.local is not None else ""
    if local and local not in _ANYWHERE and version(local) == family and not sends_from_nothing(host, one):
        return local
    apart: str = one.note.get(_APART[family], "")
    return apart


def source_of(world: World, one: Socket, target: str) -> str | None:
    """The plain address that a socket sends to another one from; None where it is not known."""
    host = world.hosts[one.host]
    own = own_address(host, one, version(target))
    by = one.options.get(_MULTICAST_IF)
    if not own and by and version(target) == 4 and is_group(target):
        # The loopback's address is none that inet_select_addr() chooses.
        return str(IPv4Address(by[0].to_bytes(4, byteorder)))
    return own or source_for(host, target)


def fits(world: World, one: Socket, source: Address, target: Address) -> int:
    """How well a socket fits a datagram: the more the better, 0 for not at all. Both addresses are plain."""
    if one.local is None or world.same_port(one.local.port, target.port) is not True:
        return 0
    local, v4 = one.local.host, version(target.host) == 4
    if v4 and only_v6(one):
        return 0
    score = 1
    if local == "0.0.0.0" or (local == "::ffff:0.0.0.0" and v4) or (local == "::" and (not v4 or one.family == "inet6")):
        # Sockets with the address itself are looked for first.
        pass
    elif plain(local) != target.host:
        return 0
    else:
        score += 100
    if one.family == "inet6" and not v4 and local == "0.0.0.0":
        return 0
    if one.family == "inet" and not v4:
        return 0
    score += 2 if v4 == (one.family == "inet") else 1
    if one.state == "ESTABLISHED" and one.remote is not None:
        if plain(one.remote.host) != source.host:
            return 0
        score += 4
        if one.remote.port:
            if world.same_port(one.remote.port, source.port) is not True:
                return 0
            score += 4
    return score


def receivers(world: World, host: str, source: Address, target: Address) -> list[int]:
    """The sockets of a host that a datagram to one address may be given to: one, or several that fit alike."""
    best, found = 0, []
    for number, one in world.objects.items():
        if not isinstance(one, Socket) or one.kind != "udp" or one.host != host:
            continue
        score = fits(world, one, source, target)
        if score > best:
            best, found = score, [number]
        elif score and score == best:
            found.append(number)
    return found


def _room(one: Socket) -> int:
    return buffer_size(one, "SO_RCVBUF") or _RECEIVE_BUFFER


def enqueued(one: Socket, message: Datagram) -> Socket | None:
    """The socket with one message more; None where its buffer is certainly full. Near the limit the message may be lost."""
    bounds = [truesize(waiting.size) for waiting in one.queue]
    least, most = sum(low for low, _ in bounds), sum(high for _, high in bounds) + truesize(message.size)[1]
    if least > _room(one):
        return None
    if most > _room(one) * 3 // 4 and one.queue:
        message = msgspec.structs.replace(message, certain=False, doubtful=True)
    return msgspec.structs.replace(one, queue=(*one.queue, message))


def bound_to_device(one: Socket) -> Any:
    """Whether it takes packets of one interface alone."""
    return one.options.get(_DEVICE) or one.options.get(_INDEX)


def delivered(world: World, sender: int, source: Address, target: Address, data: bytes) -> list[World]:
    """The worlds after a datagram was sent, by who may have got it. The addresses are plain, ``source`` the sender's."""
    one = world.objects[sender]
    assert isinstance(one, Socket)
    host = world.hosts[one.host]
    if is_group(target.host) or is_broadcast(host, target.host):
        return [_to_group(world, one.host, source, target, data) or _to_all(world, source, target, data)]
    owner = world.owner(target.host, one.host)
    if not owner:
        return [_told(world, sender, target, ("EHOSTUNREACH", "ENETUNREACH"))]
    prompt = world.prompt(one.host, owner)
    expires = owner != one.host and _may_expire(one)
    if expires and _wants_errors(one, target):
        world = _told(world, sender, target, ("EHOSTUNREACH",))
    found = receivers(world, owner, source, target)
    if not found:
        return [_refused(world, sender, target, data) if prompt else _told(world, sender, target, ("ECONNREFUSED",))]
    after = [world] if expires else []
    for number in found:
        receiver = world.objects[number]
        assert isinstance(receiver, Socket)
        if given(receiver, "IPPROTO_UDP", "UDP_ENCAP"):
            after.append(world.with_object(number, Unknown(why="what UDP_ENCAP takes out of what comes is not modelled")))
            continue
        doubtful = bool(bound_to_device(receiver))
        came_from = as_seen_by(receiver, source.host, source.port)
        message = Datagram(size=len(data), data=data, source=came_from, certain=prompt and not doubtful, doubtful=doubtful)
        queued = enqueued(receiver, message)
        after.append(world if queued is None else world.with_object(number, queued))
    return after


def _may_expire(one: Socket) -> bool:
    """Whether a router on the way may drop what it sends (RFC 791 3.2, IP_TTL in ip(7))."""
    hops = (given(one, "IPPROTO_IP", "IP_TTL"), given(one, "IPPROTO_IPV6", "IPV6_UNICAST_HOPS"))
    return any(isinstance(number, int) and 0 < number < _HOPS for number in hops)


def _wants_errors(one: Socket, target: Address) -> bool:
    """Whether it asked for all errors by the target's version of IP: only such a one is told of ICMP "time exceeded" (RFC 1122
    3.2.2.4; ip(7), IP_RECVERR)."""
    asked = ("IPPROTO_IP", "IP_RECVERR") if version(target.host) == 4 else ("IPPROTO_IPV6", "IPV6_RECVERR")
    return bool(given(one, *asked))


def _to_all(world: World, source: Address, target: Address, data: bytes) -> World:
    """A datagram to a group or a broadcast may have come to whoever has its port."""
    world = world.copy()
    for number, one in tuple(world.objects.items()):
        if not isinstance(one, Socket) or one.kind != "udp" or one.local is None:
            continue
        if world.same_port(one.local.port, target.port) is not True:
            continue
        came_from = as_seen_by(one, source.host, source.port)
        message = Datagram(size=len(data), data=data, source=came_from, certain=False, doubtful=True)
        queued = enqueued(one, message)
        if queued is not None:
            world.objects[number] = queued
    return world


def _to_group(world: World, name: str, source: Address, target: Address, data: bytes) -> World | None:
    """A datagram to a group, where the loopback is all there is to send by: it is for everybody who has the port, if somebody is in
    the group (ip_check_mc_rcu(), ip_mc_sf_allow() in net/ipv4/igmp.c). None where it may have gone elsewhere."""
    if len(world.hosts[name].interfaces) != 1 or version(target.host) != 4 or not is_group(target.host):
        return None
    here = [(number, one) for number, one in world.objects.items() if isinstance(one, Socket) and one.host == name]
    if any(isinstance(one, Unknown) for one in world.objects.values()):
        return None
    inside = {number for number, one in here if any(group == target.host for group, _ in one.options.get(_JOINED, ()))}
    if not inside and target.host != _ALL_HOSTS:
        return world
    after = world.copy()
    for number, one in here:
        everything = one.options.get(_EVERY_GROUP, int(one.family == "inet"))
        if one.kind != "udp" or not fits(world, one, source, target) or not (number in inside or everything):
            continue
        message = Datagram(
            size=len(data),
            data=data,
            source=as_seen_by(one, source.host, source.port),
            certain=not bound_to_device(one),
            doubtful=bool(bound_to_device(one)),
        )
        queued = enqueued(one, message)
        if queued is not None:
            after.objects[number] = queued
    return after


def listens_to_errors(one: Socket, target: Address, world: World) -> bool:
    """Whether an ICMP error about a datagram to an address is told to its sender: to one that is connected there, or to nobody and
    asked for all (ip(7), IP_RECVERR)."""
    own = plain(one.local.host) if one.local is not None else ""
    if ":" in own and own != "::" and version(target.host) == 4:
        # The error is looked up by addresses of IPv4, and the socket's is none.
        return False
    if one.state != "ESTABLISHED" or one.remote is None:
        return _wants_errors(one, target)
    # Whose error it is, is looked up as for a datagram from there (__udp4_lib_err(), __udp6_lib_err()).
    if plain(one.remote.host) != target.host:
        return False
    # A peer at port 0 stands for all of them.
    return one.remote.port == 0 or world.same_port(one.remote.port, target.port) is True


def _refused(world: World, sender: int, target: Address, data: bytes) -> World:
    """ICMP port unreachable has come back (RFC 1122 4.1.3.3), with the beginning of what was sent (icmp_send(), icmpv6_send())."""
    one = world.objects[sender]
    assert isinstance(one, Socket)
    if not listens_to_errors(one, target, world):
        return world
    version_of = version(target.host)
    kept: tuple[tuple[bytes, Address], ...] | None = one.note.get("errors", ())
    if given(one, *_RECEIVES_ERRORS[version_of]) and kept is not None:
        kept = (*kept, (data[: _QUOTED[version_of]], target)) if len(kept) < _MOST_ERRORS else None
    return world.with_object(sender, msgspec.structs.replace(one, error="ECONNREFUSED", note={**one.note, "errors": kept}))


def _told(world: World, sender: int, target: Address, errors: tuple[str, ...]) -> World:
    """ICMP may come back with one of these."""
    one = world.objects[sender]
    assert isinstance(one, Socket)
    if not listens_to_errors(one, target, world):
        return world
    coming = (*one.note.get("coming", ()), errors)[-4:]
    note = {**one.note, "coming": coming} | ({"errors": None} if _wants_errors(one, target) else {})
    return world.with_object(sender, msgspec.structs.replace(one, note=note))


def disconnected(world: World, number: int) -> World:
    """connect() to AF_UNSPEC: no peer, no interface, and of the socket's name what bind() chose (__udp_disconnect() in
    net/ipv4/udp.c)."""
    one = world.objects[number]
    assert isinstance(one, Socket)
    local = one.local
    # raw_bind() locks neither the address nor the "port", which is the protocol.
    kept = "address" in one.chosen and one.kind == "udp"
    if local is not None:
        host = local.host if kept else ANY[one.domain]
        port = local.port if "port" in one.chosen and one.kind == "udp" else 0
        keeps = port or host != ANY[one.domain] or one.kind == "raw"
        local = Address(one.domain, host, port, scope=local.scope if kept else 0) if keeps else None
    note = {name: value for name, value in one.note.items() if kept or name not in _APART.values()}
    options = {key: value for key, value in one.options.items() if key not in (_DEVICE, _INDEX)}
    new = msgspec.structs.replace(one, state="CLOSED", remote=None, local=local, options=options, note=note)
    return world.with_object(number, new)


def connected(world: World, number: int, host: str, port: int) -> World:
    """The socket's peer is this plain address from now on, and it sends from where the route says, if bind() did not choose
    (ip4_datagram_connect() in net/ipv4/datagram.c, ip6_datagram_connect() in net/ipv6/datagram.c)."""
    one = world.objects[number]
    assert isinstance(one, Socket)
    source = source_of(world, one, host) or LOOPBACK[version(host)]
    remote = as_seen_by(one, host, port)
    local = one.local or local_name(one)
    if plain(local.host) in _ANYWHERE:
        local = msgspec.structs.replace(local, host=as_seen_by(one, source, 0).host)
    note = {name: value for name, value in one.note.items() if name not in ("astray", "rerouted")}
    if sends_from_nothing(world.hosts[one.host], one) or (version(plain(local.host)) == 6 and version(host) == 4):
        note = {**note, _APART[version(host)]: source}
    return world.with_object(number, msgspec.structs.replace(one, state="ESTABLISHED", remote=remote, local=local, note=note))


def arrived(world: World, number: int) -> tuple[World, ...]:
    """The worlds by what of that which is under way to a UDP socket has come: nothing more, an error, everything."""
    one = world.objects[number]
    assert isinstance(one, Socket)
    worlds = [world]
    coming: tuple[tuple[str, ...], ...] = one.note.get("coming", ())
    if coming:
        first, rest = coming[0], coming[1:]
        note = {name: value for name, value in one.note.items() if name != "coming"} | ({"coming": rest} if rest else {})
        worlds += [world.with_object(number, msgspec.structs.replace(one, error=error, note=note)) for error in first]
    if any(not message.certain for message in one.queue):
        last = worlds[-1].objects[number]
        assert isinstance(last, Socket)
        queue = tuple(message if message.certain else msgspec.structs.replace(message, certain=True) for message in last.queue)
        worlds.append(worlds[-1].with_object(number, msgspec.structs.replace(last, queue=queue)))
    return tuple(worlds)


def takeable(queue: tuple[Datagram, ...]) -> list[int]:
    """Which messages of a queue a receive may give: the first certain one, and those before it that may have come, of each sender
    the first that is sure to come, and what is doubtful before that."""
    found: list[int] = []
    senders: list[Address | None] = []
    for index, message in enumerate(queue):
        if message.certain:
            return [*found, index]
        if message.source in senders:
            continue
        found.append(index)
        if not message.doubtful:
            senders.append(message.source)
    return found
