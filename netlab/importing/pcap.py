"""A capture as a topology and a scenario that reproduce it: which side a real stack plays, and which a peer driven by hand.

It refuses to know about files of scenarios, and touches no kernel.
"""

from collections.abc import Sequence
from ipaddress import ip_address

from netlab.errors import Place, Problem, SpecError
from netlab.importing.datagrams import Datagrams
from netlab.importing.hosts import Cast, cast
from netlab.importing.playing import Playing
from netlab.importing.script import Script
from netlab.importing.segments import Connection, Datagram, Told, told
from netlab.importing.sides import Side, written_at_once
from netlab.importing.written import Host, Imported
from netlab.timeline.observations import Packet

BOTH = "both"
_USUAL, _LARGEST = 1500, 65535
_MANY = 10
# A tail loss probe (RFC 8985 §7) goes out when a peer that waits for its next step is a few ms late.
_PATIENT = (("net.ipv4.tcp_early_retrans", "0"),)


def from_capture(packets: Sequence[Packet], name: str, file: str, real: Sequence[str] = ()) -> Imported:
    """What reproduces a capture. ``real``: the addresses that real stacks have, or ``both``; by default the servers, and all hosts
    where that is as exact, or datagrams or much data pass. Raises SpecError when nothing in it can be reproduced."""
    found = told(packets)
    if not found.connections and not any(isinstance(one, Datagram) for one in found.events):
        raise SpecError(
            Problem(Place(file, 1, 1), _nothing(found), "capture from before the connection opens, so that its SYN is there")
        )
    who = cast(found.events, found.connections)
    chosen = _chosen(found, who, real, file)
    mtu = _mtu(found.connections)
    script = Script()
    sides = {one: _sides(one, who, chosen, alone=len(found.connections) == 1) for one in found.connections}
    playable = {one: both for one, both in sides.items() if any(side.real for side in both)}
    events = [one for one in found.events if not hasattr(one, "connection") or one.connection in playable]
    datagrams = Datagrams(events, who, script, mtu)
    playing = Playing(script, playable, datagrams, mtu)
    playing.listen()
    datagrams.open()
    for event in events:
        playing.play(event)
    playing.finish(events[-1] if events else None)
    left = [f"connection {one.number}: neither side is a real stack" for one in found.connections if one not in playable]
    left += [
        f"the pace of connection {one.number}: of so much data at once, a peer's acknowledgements may come before what they name"
        for one, both in playable.items()
        if _is_large(one) and not all(side.real for side in both)
    ]
    return Imported(
        name=name,
        about=(_about(file, len(packets), found), *who.told),
        hosts=tuple(_host(one, who, chosen) for one in dict.fromkeys(who.names.values())),
        subnets=who.subnets,
        mtu=mtu,
        steps=tuple(script.steps),
        notes=(*found.notes, *playing.notes, *datagrams.notes, *left),
    )


def _nothing(found: Told) -> str:
    return "there is nothing in it that can be reproduced" + "".join(f"; {note}" for note in found.notes)


def _about(file: str, count: int, found: Told) -> str:
    datagrams = sum(isinstance(one, Datagram) for one in found.events)
    parts = [f"{len(found.connections)} TCP connection{'s' * (len(found.connections) != 1)}"] if found.connections else []
    parts += [f"{datagrams} datagram{'s' * (datagrams != 1)}"] if datagrams else []
    return f"{' and '.join(parts)}, as in the capture {file.rpartition('/')[2]} of {count} packets."


def _chosen(found: Told, who: Cast, real: Sequence[str], file: str) -> frozenset[str]:
    """The hosts that real stacks play."""
    every = frozenset(who.names.values())
    if real:
        if BOTH in real:
            return every
        wanted = {ip_address(one) for one in real}
        known = {ip_address(address) for address, _ in who.names}
        if unknown := sorted(str(one) for one in wanted - known):
            there = ", ".join(sorted({address for address, _ in who.names}))
            raise SpecError(Problem(Place(file, 1, 1), f"no host in it has the address {unknown[0]}", f"there are {there}"))
        names = frozenset(name for (address, _), name in who.names.items() if ip_address(address) in wanted)
    else:
        if all(_is_plain(one) and _is_large(one) for one in found.connections if _is_large(one)) and any(
            map(_is_large, found.connections)
        ):
            return every
        names = frozenset(who.of(one.server, True) for one in found.connections)
    spoken = {name for one in found.events if isinstance(one, Datagram) for name in _both(one, who)}
    return names | spoken


def _both(datagram: Datagram, who: Cast) -> list[str]:
    ends = sorted((datagram.source, datagram.target), key=lambda end: -end[1])
    return [who.of(end, server) for end, server in zip(ends, (False, True), strict=True)]


def _is_plain(connection: Connection) -> bool:
    return connection.is_orderly()


def _is_large(connection: Connection) -> bool:
    """Whether so much is written at once that acknowledgements decide when it goes: a peer's fixed ones would not."""
    done: set[int] = set()
    for one in connection.segments:
        if one.length and one.number not in done:
            group = written_at_once(one)
            done |= {each.number for each in group}
            if sum(each.length for each in group) > _MANY * connection.payload_size():
                return True
    return False


def _mtu(connections: Sequence[Connection]) -> int:
    """The largest that the SYNs speak of, or the usual one."""
    told_by = [
        int(value) + (60 if ":" in one.client[0] else 40)
        for one in connections
        for segment in one.segments
        for name, value in segment.headers.options
        if name == "mss" and "S" in segment.flags
    ]
    return min(max([*told_by, 576 if told_by else _USUAL]), _LARGEST)


def _sides(connection: Connection, who: Cast, chosen: frozenset[str], *, alone: bool) -> tuple[Side, Side]:
    made = []
    for letter, end, server in (("c", connection.client, False), ("a", connection.server, True)):
        host = who.of(end, server)
        name = letter if alone else f"{letter}{connection.number}"
        made.append(Side(host=host, endpoint=f"{host}:{end[1]}", real=host in chosen, socket=name))
    return made[0], made[1]


def _host(name: str, who: Cast, chosen: frozenset[str]) -> Host:
    peers = len(chosen) < len(set(who.names.values()))
    real = name in chosen
    return Host(name=name, addresses=(who.addresses[name],), peer=not real, sysctls=_PATIENT if real and peers else ())
