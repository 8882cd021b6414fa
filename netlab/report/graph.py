"""Works out what a picture of a topology shows: boxes with their interfaces, lines with what is said of them, overlays.

Everything is in words already; who draws it, as text, DOT, mermaid or SVG, needs to know nothing of topologies. It refuses to know
where anything stands on a page.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from netlab.notation.packets import PacketPattern
from netlab.notation.printing import print_packet
from netlab.report.lines import printable
from netlab.topology.networks import Interface
from netlab.topology.printed import print_rule
from netlab.topology.segments import domains_of
from netlab.topology.spec import Endpoint, Link, Nat, Node, Overlay, Rule, Shape, Topology

__all__ = ["Box", "Graph", "Group", "Line", "Port", "Row", "count", "graph_of"]

USUAL_MTU = 1500
_ANY = PacketPattern(any=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """An interface of a box, and its addresses; of a switch, a VLAN ("" : all there is) and the subnets on it. ``tied`` says
    whether a line ends there."""

    name: str
    addresses: tuple[str, ...] = ()
    tied: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A node. ``rows`` are its interfaces in the order of its links; ``notes`` say what else it is told to do."""

    name: str
    kind: str
    rows: tuple[Row, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def told(self) -> list[Row]:
        """Its rows that have addresses."""
        return [row for row in self.rows if row.addresses]

    @property
    def tied(self) -> list[Row]:
        """Those of them where a line ends."""
        return [row for row in self.told if row.tied]


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """Where a line ends: a box and its interface. ``hosts`` are the addresses without what their subnets have in common (".1",
    "::1"), and ``vlans`` is what the port does with VLANs."""

    node: str
    interface: str
    addresses: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    vlans: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A link. ``subnets`` are its own (none where it is part of a switch's segment, whose box has them); ``notes`` say what is
    unusual; ``impaired`` and ``up`` decide how it is drawn."""

    a: Port
    b: Port
    subnets: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    impaired: bool = False
    up: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """An overlay: its members' ports, and what is said of it."""

    name: str
    ports: tuple[Port, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """What a picture shows."""

    name: str
    intent: str
    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]
    groups: tuple[Group, ...] = ()

    @property
    def summary(self) -> str:
        """How much of what there is: "2 hosts, 1 switch; 2 links"."""
        kinds = dict.fromkeys(box.kind for box in self.boxes)
        boxes = ", ".join(count(sum(box.kind == kind for box in self.boxes), kind) for kind in kinds)
        told = f"{boxes}; {count(len(self.lines), 'link')}"
        return told + (f", {count(len(self.groups), 'overlay')}" if self.groups else "")


def count(number: int, noun: str) -> str:
    """ "1 switch", "2 switches"."""
    return f"{number} {noun}" + ("" if number == 1 else "es" if noun.endswith("ch") else "s")


def graph_of(topology: Topology) -> Graph:
    """What a picture of this topology shows."""
    kinds = {node.name: node.kind for node in topology.nodes}
    rows = _rows(topology)
    return Graph(
        name=printable(topology.name),
        intent="\n".join(map(printable, topology.intent.splitlines())),
        boxes=tuple(
            Box(name=node.name, kind=node.kind, rows=tuple(rows[node.name]), notes=tuple(_node(node))) for node in topology.nodes
        ),
        lines=tuple(_line(link, kinds) for link in topology.links),
        groups=tuple(_group(overlay) for overlay in topology.overlays),
    )


def _rows(topology: Topology) -> dict[str, list[Row]]:
    rows: dict[str, list[Row]] = {node.name: [] for node in topology.nodes}
    for end in (end for link in topology.links for end in link.endpoints):
        rows[end.node].append(Row(name=end.interface, addresses=_texts(end.addresses), tied=True))
        rows[end.node] += [Row(name=each.name, addresses=_texts(each.addresses)) for each in end.subinterfaces]
    for end in (end for overlay in topology.overlays for end in overlay.endpoints):
        rows[end.node].append(Row(name=end.interface, addresses=_texts(end.addresses)))
    for node in topology.nodes:
        rows[node.name] += [Row(name="lo", addresses=_texts(node.loopback))] if node.loopback else []
    return rows | _segments(topology)


def _segments(topology: Topology) -> dict[str, list[Row]]:
    """The rows of switches: one for all, or one for each VLAN."""
    switches = {node.name for node in topology.nodes if node.kind == "switch"}
    domains = domains_of(topology)
    subnets: dict[int, dict[str, None]] = {}
    for end in (end for link in topology.links for end in link.endpoints if end.node not in switches):
        for name, addresses in ((end.interface, end.addresses), *((each.name, each.addresses) for each in end.subinterfaces)):
            subnets.setdefault(domains[end.node, name], {}).update((str(address.network), None) for address in addresses)
    found: dict[str, list[Row]] = {name: [] for name in switches}
    for (name, vlan), domain in sorted(((key, domain) for key, domain in domains.items() if key[0] in switches), key=str):
        if name in found and domain in subnets:
            found[name].append(Row(name=f"vlan {vlan}" if vlan else "", addresses=tuple(subnets[domain]), tied=True))
    return found


def _node(node: Node) -> Iterator[str]:
    if node.nat is not None:
        yield from _nat(node.nat)
    if node.stp:
        yield "spanning tree"
    if node.firewall:
        yield "firewall"
    for vrf in node.vrfs:
        yield f"VRF {vrf.name}: {', '.join(vrf.interfaces)}"
    programs = [command.argv[0] for command in node.start if command.background or command.ready is not None]
    if programs:
        yield printable(f"runs {', '.join(programs)}")


def _nat(nat: Nat) -> Iterator[str]:
    yield f"{nat.behaviour.replace('-cone', ' cone')} NAT on {', '.join(nat.outside)}"
    for forward in nat.forwards:
        to = f"[{forward.to}]" if forward.to.version == 6 else str(forward.to)
        yield f"{forward.protocol} {forward.port} → {to}:{forward.to_port}"


def _line(link: Link, kinds: dict[str, str]) -> Line:
    a, b = link.endpoints
    words = tuple(_impairments(link))
    notes = [] if link.up else ["down"]
    notes += [f"mtu {link.mtu}"] if link.mtu != USUAL_MTU else []
    notes += [f"offloads {', '.join(sorted(link.offloads))}"] if link.offloads else []
    own = "switch" not in (kinds[a.node], kinds[b.node])
    subnets = tuple(str(subnet) for subnet in link.subnets) if own else ()
    return Line(a=_port(a), b=_port(b), subnets=subnets, notes=(*notes, *words), impaired=bool(words), up=link.up)


def _port(end: Endpoint) -> Port:
    vlans = ""
    if end.port is not None and end.port.trunk:
        vlans = f"trunk {', '.join(map(str, end.port.trunk))}" + (f", untagged {end.port.access}" if end.port.access else "")
    elif end.port is not None and end.port.access:
        vlans = f"vlan {end.port.access}"
    hosts = tuple(map(_host, end.addresses))
    return Port(node=end.node, interface=end.interface, addresses=_texts(end.addresses), hosts=hosts, vlans=vlans)


def _texts(addresses: Sequence[Interface]) -> tuple[str, ...]:
    return tuple(map(str, addresses))


def _host(address: Interface) -> str:
    """The address without its subnet's part: ".7" of 10.0.0.7/24, "::7" of fd00::7/64."""
    if address.version == 4:
        octets = str(address.ip).split(".")
        return "." + ".".join(octets[min(address.network.prefixlen // 8, 3) :])
    number = int(address.ip) & int(address.network.hostmask)
    return str(type(address.ip)(number)) if number else "::0"


def _impairments(link: Link) -> Iterator[str]:
    a, b = (end.node for end in link.endpoints)
    rules, shapes = dict(link.impair), dict(link.shapes)
    ways = {(one, other): _quantities(shapes.get((one, other)), rules.get((one, other), ())) for one, other in ((a, b), (b, a))}
    if ways[a, b] and ways[a, b] == ways[b, a]:
        yield f"both ways: {ways[a, b]}"
    else:
        yield from (f"{one} → {other}: {words}" for (one, other), words in ways.items() if words)
    if len([shape for shape in shapes.values() if shape.delay.ns]) == len(ways):
        yield f"round trip {link.round_trip}"


def _quantities(shape: Shape | None, rules: Sequence[Rule]) -> str:
    words = [] if shape is None else [*_shape(shape)]
    return ", ".join([*words, *map(_rule, rules)])


def _shape(shape: Shape) -> Iterator[str]:
    if shape.delay.ns or shape.jitter.ns:
        yield f"delay {shape.delay}" + (f" ± {shape.jitter}" if shape.jitter.ns else "")
    chances = (("lost", shape.loss), ("duplicated", shape.duplicate), ("corrupted", shape.corrupt), ("reordered", shape.reorder))
    yield from (f"{100 * chance:.6g}% {word}" for word, chance in chances if chance)
    if shape.rate:
        yield _rate(shape.rate)
    if shape.limit:
        yield f"queue of {count(shape.limit, 'packet')}"


def _rate(bits: int) -> str:
    for unit, size in (("Gbit/s", 10**9), ("Mbit/s", 10**6), ("kbit/s", 10**3)):
        if bits >= size:
            return f"{bits / size:.6g} {unit}"
    return f"{bits} bit/s"


def _rule(rule: Rule) -> str:
    """The simplest rules as a sentence, others in the words of a file."""
    which = f" number {', '.join(map(str, sorted(rule.occurrences)))}" if rule.occurrences else ""
    what = "every packet" if rule.match.any else print_packet(rule.match)
    rest = replace(rule, match=_ANY, action="drop", occurrences=frozenset(), barrier="")
    if rule.action not in ("drop", "hold") or rest != Rule(match=_ANY, action="drop", place=rule.place):
        return print_rule(rule)
    return f"drops {what}{which}" if rule.action == "drop" else f"holds {what}{which} at {rule.barrier}"


def _group(overlay: Overlay) -> Group:
    notes = [f"VXLAN {overlay.vni}", *map(str, overlay.subnets), f"mtu {overlay.mtu}"]
    notes += [f"UDP port {overlay.port}"] if overlay.port != 4789 else []
    notes += ["over IPv6"] if overlay.family == 6 else []
    return Group(name=overlay.name, ports=tuple(map(_port, overlay.endpoints)), notes=tuple(notes))
