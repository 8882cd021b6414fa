"""Reads the VLANs of switches' ports: untagged in one, tagged in several. It does not know which segments they make."""

from collections.abc import Mapping

from netlab.errors import Place, Problem
from netlab.topology.reading.cabling import Cable
from netlab.topology.schema.node import NodeFile
from netlab.topology.spec import Port
from netlab.validate import named

_LONGEST_NAME = 15


def read_ports(cable: Cable, nodes: Mapping[str, NodeFile], problems: list[Problem]) -> None:
    """Fill in the ports of a cable whose nodes are known; a VLAN switch of which nothing is said does as the one opposite."""
    known = [side for side in (0, 1) if nodes[cable.nodes[side]].vlans]
    if not known and not cable.file.vlans:
        return
    for side, name in enumerate(cable.nodes):
        if name in cable.file.vlans and side not in known:
            place = cable.file.place("vlans", name, key=True)
            if nodes[name].kind == "switch":
                problems.append(
                    Problem(place, f"{name} is a switch without VLANs", f"give {name} its vlans: {{10: {{}}, 20: {{}}}}")
                )
            else:
                message = f"VLANs are those of a switch's port, and {name} is a {nodes[name].kind}"
                problems.append(Problem(place, message, "write those of the switch opposite"))
    written = cable.file.node.child("vlans")
    broken = written is not None and (written.fields or {}).keys() != cable.file.vlans.keys()
    for side in known:
        name, opposite = cable.nodes[side], cable.nodes[1 - side]
        said = name if name in cable.file.vlans else opposite if 1 - side in known and opposite in cable.file.vlans else ""
        if not said and not broken:
            message = f"{name} has VLANs, and which of them this port carries is not said"
            first = next(iter(nodes[name].vlans))
            fix = f"add vlans: {{{name}: {first}}}, or {{{name}: [{named(map(str, nodes[name].vlans))}]}} for tagged frames"
            problems.append(Problem(cable.file.place("endpoints", side), message, fix))
        cable.ports[side] = _port(cable, name, said, nodes, problems) if said else Port()
    if len(known) == 2:
        _both(cable, problems)
    else:
        for side in known:
            _opposite(cable, side, nodes[cable.nodes[1 - side]].kind, problems)


def _port(cable: Cable, name: str, said: str, nodes: Mapping[str, NodeFile], problems: list[Problem]) -> Port:
    file, vlans = cable.file.vlans[said], nodes[name].vlans
    at = cable.file.node.at("vlans", said)
    every = [(file.access, at.place("access"))] if file.access is not None else []
    every += [(vlan, at.place("trunk", i)) for i, vlan in enumerate(file.trunk)]
    if not every and (at.data in (None, [], {}) or file.model_fields_set == {"access"}):
        problems.append(Problem(at.place(), f"this port of {name} carries no VLAN", f"its VLANs are {named(map(str, vlans))}"))
    places: dict[int, Place] = {}
    for vlan, place in every:
        if vlan in places:
            what = "untagged and tagged" if vlan == file.access else "written twice"
            problems.append(Problem(place, f"VLAN {vlan} is {what} on this port", "remove one of the two"))
        elif vlan not in vlans:
            have = named(map(str, vlans))
            problems.append(Problem(place, f"{name} has no VLAN {vlan}", f"its VLANs are {have}; add it to its vlans:"))
        places[vlan] = place
    kept = [vlan for vlan in places if vlan in vlans]
    access = file.access if file.access in kept else None
    return Port(access=access or 0, trunk=tuple(vlan for vlan in kept if vlan != access))


def _both(cable: Cable, problems: list[Problem]) -> None:
    one, other = (port or Port() for port in cable.ports)
    if one == Port() or other == Port() or (one.access and other.access) or set(one.trunk) & set(other.trunk):
        return
    message = f"{cable.nodes[0]} and {cable.nodes[1]} have no frames in common on this link"
    fix = "make both ends untagged, or give both a VLAN that is tagged on the other, too"
    problems.append(Problem(cable.file.place("vlans"), message, fix))


def _opposite(cable: Cable, side: int, kind: str, problems: list[Problem]) -> None:
    port, name, opposite = cable.ports[side], cable.nodes[side], cable.nodes[1 - side]
    if port is None or not port.trunk:
        return
    if kind in ("switch", "peer"):
        what = (
            "is a switch without VLANs, which would pass tags on" if kind == "switch" else "is a peer, which has no VLAN interfaces"
        )
        problems.append(Problem(cable.file.place("vlans", name), f"{opposite} {what}", f"make this port untagged: {name}: 10"))
        cable.ports[side] = Port(access=port.access)
    longest = f"{cable.interfaces[1 - side]}.{max(port.trunk)}"
    if kind not in ("switch", "peer") and len(longest) > _LONGEST_NAME:
        message = f"the VLAN's interface would be called {longest}, and a name has at most {_LONGEST_NAME} characters"
        problems.append(Problem(cable.file.place("endpoints", 1 - side), message, "give the interface a shorter name"))
