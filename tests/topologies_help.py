"""What tests of the shipped topologies ask of a running lab: who reaches whom, over which routers, and who saw a packet.

Every answer comes from real traffic. What does not arrive is an OSError (TimeoutError, or what the kernel reports).
"""

import socket
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from icmp_errors import next_error, tell_errors

from netlab.api import Lab, LabNode, Observation, Seen
from netlab.timeline.headers import decode
from netlab.timeline.observations import Packet
from netlab.topology.load import load_topology

SHIPPED = Path(__file__).parent.parent / "topologies"
BOTH = (4, 6)
PORT = 5001
WITHIN = 5.0

_FAMILY = {4: socket.AF_INET, 6: socket.AF_INET6}
_ANY = {4: "0.0.0.0", 6: "::"}
_IP_RECVTTL = 12
_TTL = {4: (socket.IPPROTO_IP, socket.IP_TTL), 6: (socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS)}
_TELL_TTL = {4: (socket.IPPROTO_IP, _IP_RECVTTL), 6: (socket.IPPROTO_IPV6, socket.IPV6_RECVHOPLIMIT)}
_TOLD_TTL = {(socket.IPPROTO_IP, socket.IP_TTL), (socket.IPPROTO_IPV6, socket.IPV6_HOPLIMIT)}
_SILENT_PORT = 33434


def shipped(name: str, **settings: object) -> Lab:
    """The lab of a shipped topology; enter it to build it."""
    return Lab(load_topology(SHIPPED / f"{name}.yaml", {key: str(value) for key, value in settings.items()}))


def watched(lab: Lab) -> Observation:
    """Every packet of the lab until the block is left; no socket states, which would cost a second at their first use."""
    return lab.observe(states=False)


def hosts(lab: Lab) -> list[str]:
    """The names of the lab's hosts, in the file's order."""
    return [name for name, node in lab.nodes.items() if node.kind == "host"]


def address(node: LabNode, family: int = 4, interface: str = "") -> str:
    """The first address that a node has in a family, on any interface or on this one."""
    for name, texts in node.addresses.items():
        for text in texts:
            if ip_address(text).version == family and interface in ("", name):
                return text
    raise LookupError(f"{node.name} has no IPv{family} address {interface}")


def udp_socket(lab: Lab, node: str, family: int = 4, port: int = 0, bound: str = "") -> socket.socket:
    """A UDP socket in a node, bound to a port (0: any) of every address or of this one, which gives up after ``WITHIN``."""
    made = lab[node].socket(_FAMILY[family], socket.SOCK_DGRAM)
    made.settimeout(WITHIN)
    if family == 6:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    made.bind((bound or _ANY[family], port))
    return made


def tcp_listener(lab: Lab, node: str, family: int = 4, port: int = PORT, bound: str = "") -> socket.socket:
    """A listening TCP socket in a node, which gives up after ``WITHIN``."""
    made = lab[node].socket(_FAMILY[family])
    made.settimeout(WITHIN)
    if family == 6:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind((bound or _ANY[family], port))
    made.listen(512)
    return made


def tcp_exchange(lab: Lab, client: str, server: str, family: int = 4, *, to: str = "", port: int = PORT) -> str:
    """Connect, send bytes there and back; gives the client's address as the server sees it. ``to``: another address to connect to,
    where the server does not own the one that the client uses."""
    with tcp_listener(lab, server, family, port) as listener, lab[client].socket(_FAMILY[family]) as near:
        near.settimeout(WITHIN)
        near.connect((to or address(lab[server], family), port))
        far, source = listener.accept()
        with far:
            far.settimeout(WITHIN)
            near.sendall(b"there")
            assert far.recv(16) == b"there"
            far.sendall(b"back")
            assert near.recv(16) == b"back"
    return str(source[0])


def udp_exchange(lab: Lab, client: str, server: str, family: int = 4, *, to: str = "", port: int = PORT) -> str:
    """Send a datagram and have it answered; gives the client's address as the server sees it. ``to`` as for ``tcp_exchange``."""
    with udp_socket(lab, server, family, port) as far, udp_socket(lab, client, family) as near:
        near.connect((to or address(lab[server], family), port))
        near.send(b"there")
        data, source = far.recvfrom(16)
        assert data == b"there"
        far.sendto(b"back", source)
        assert near.recv(16) == b"back"
    return str(source[0])


def hop_counts(lab: Lab, sources: Iterable[str], targets: Iterable[str], family: int = 4) -> dict[tuple[str, str], int]:
    """Each source sends each target a datagram: by how much its TTL or hop limit has fallen on arrival, for every pair.

    All are sent at once, so hundreds of pairs take little time. TimeoutError names the pairs of which nothing has arrived.
    """
    to = list(targets)
    return hop_counts_of(lab, [(source, target) for source in sources for target in to if source != target], family)


def hop_counts_of(lab: Lab, pairs: Sequence[tuple[str, str]], family: int = 4) -> dict[tuple[str, str], int]:
    """As ``hop_counts``, for these pairs of a source and a target."""
    found: dict[tuple[str, str], int] = {}
    missing: dict[str, set[str]] = {}
    with ExitStack() as stack:
        receiving = {name: stack.enter_context(udp_socket(lab, name, family, PORT)) for name in dict.fromkeys(b for _, b in pairs)}
        sending = {name: stack.enter_context(udp_socket(lab, name, family)) for name in dict.fromkeys(a for a, _ in pairs)}
        for receiver in receiving.values():
            receiver.setsockopt(*_TELL_TTL[family], 1)
        for source, target in pairs:
            initial = sending[source].getsockopt(*_TTL[family])
            sending[source].sendto(f"{source} {initial}".encode(), (address(lab[target], family), PORT))
            missing.setdefault(target, set()).add(source)
        deadline = time.monotonic() + WITHIN
        for target, awaited in missing.items():
            while awaited:
                receiving[target].settimeout(max(0.001, deadline - time.monotonic()))
                try:
                    source, fallen = _datagram(receiving[target])
                except TimeoutError:
                    break
                awaited.discard(source)
                found[source, target] = fallen
    lost = [f"{source} -> {target}" for target, awaited in missing.items() for source in sorted(awaited)]
    if lost:
        raise TimeoutError(f"IPv{family}: of {len(pairs)} datagrams {len(lost)} did not arrive: {', '.join(lost[:20])}")
    return found


def hops(lab: Lab, source: str, target: str, family: int = 4) -> int:
    """By how much the TTL or hop limit of a datagram has fallen when it arrives."""
    return hop_counts(lab, [source], [target], family)[source, target]


def _datagram(receiver: socket.socket) -> tuple[str, int]:
    """The next datagram of ``hop_counts``: its source, and by how much its TTL has fallen since it was sent."""
    data, controls, _, _ = receiver.recvmsg(256, 256)
    source, initial = data.decode().split()
    (remaining,) = (int.from_bytes(value, "little") for level, kind, value in controls if (level, kind) in _TOLD_TTL)
    return source, int(initial) - remaining


def path(lab: Lab, source: str, to: str, *, bound: str = "", most: int = 30) -> list[str]:
    """Who answers for datagrams with growing TTL (hop limit): the routers' addresses, in order, then ``to``'s own.

    As traceroute(8) does it, by the ICMP errors in the socket's error queue (IP_RECVERR, ip(7)). A router tells one sender no more
    than a few errors in a row (icmp_ratelimit), so this is for a few paths of a lab; ``hop_counts`` is for many.
    """
    family = ip_address(to).version
    answered: list[str] = []
    with udp_socket(lab, source, family, bound=bound) as probing:
        tell_errors(probing, family)
        while len(answered) < most and to not in answered:
            probing.setsockopt(*_TTL[family], len(answered) + 1)
            probing.sendto(b"who", (to, _SILENT_PORT))
            try:
                answered.append(next_error(probing, family).sender)
            except TimeoutError:
                raise TimeoutError(f"{source} to {to}: nobody answers after {answered}") from None
    return answered


def owners(lab: Lab, addresses: Iterable[str]) -> list[str]:
    """The names of the nodes that have these addresses."""
    names = {text: name for name, node in lab.nodes.items() for texts in node.addresses.values() for text in texts}
    return [names[text] for text in addresses]


def route(lab: Lab, source: str, target: str, family: int = 4) -> list[str]:
    """The names of the nodes on the path between two hosts, without the first: ["r1", "r2", "server"]."""
    return owners(lab, path(lab, source, address(lab[target], family)))


def computed(lab: Lab, source: str, target: str, family: int = 4) -> list[str] | None:
    """The nodes on the path by the plan alone, without the first: at each, the most specific route of the main table is taken.

    None where the plan has no path, or where it is not for routes alone to say whether there is one: a firewall, a nat or VRFs are
    in the way, or several nodes have the address.
    """
    to = ip_address(address(lab[target], family))
    if sum(str(to) in texts for node in lab.nodes.values() for texts in node.addresses.values()) > 1:
        return None
    here = lab[source]
    way: list[str] = []
    while here.name != target and len(way) < len(lab.nodes):
        if here.plan.nft or here.plan.vrf_devices:
            return None
        fitting = [one for one in here.plan.routes if to in one.destination and one.table in (0, 254)]
        best = max(fitting, key=lambda one: (one.destination.prefixlen, -one.metric), default=None)
        if any(to in one.network for interface in here.interfaces.values() for one in interface.addresses):
            next_one = target
        elif best is None or best.via is None:
            return None
        else:
            (next_one,) = owners(lab, [str(best.via)])
        here = lab[next_one]
        way.append(here.name)
    return way if here.name == target and not here.plan.nft else None


def sightings(seen: Seen, **fields: Any) -> Iterator[Packet]:
    """Every time that a packet with these header fields (``protocol="udp", dport=5001``) came in or went out at an interface."""
    for packet in seen.timeline.observations:
        if isinstance(packet, Packet):
            headers = decode(packet.data)
            if all(getattr(headers, name) == value for name, value in fields.items()):
                yield packet


def who_saw(seen: Seen, **fields: Any) -> set[str]:
    """The names of the nodes at which a packet with these header fields was."""
    assert seen.lost == 0, "a packet that was not seen may have been lost"
    return {packet.host for packet in sightings(seen, **fields)}
