"""Says a plan in words, one step a line, for people. It decides nothing."""

from collections.abc import Iterator, Sequence

from netlab.topology.planned import BRIDGE, InterfacePlan, NodePlan, Plan, RoutePlan, RulePlan, VlanDevice, VxlanDevice, WirePlan
from netlab.topology.planning.devices import assigned
from netlab.topology.spec import Command, Port, Shape

_FEW = 8


def lines(plan: Plan) -> list[str]:
    """All steps, in the order in which they are made."""
    found = [f"namespace {node.name} ({node.kind})" for node in plan.nodes]
    found += [f"namespace {wire.middle} ({_purpose(wire)})" for wire in plan.wires if wire.middle is not None]
    for node in plan.nodes:
        found += [f"{node.name}: sysctl {key} = {value}" for key, value in node.sysctls]
        found += [f"{node.name}: bridge{_bridge(node)}"] if node.bridge else []
        found += [f"{node.name}: VRF {vrf.name}, table {vrf.table}" for vrf in node.vrf_devices]
    for number, wire in enumerate(plan.wires):
        found += _wire(number, wire)
    for part in (_devices, _addresses, _late, _routing, _neighbours, _programs):
        for node in plan.nodes:
            found += [f"{node.name}: {step}" for step in part(node)]
    return found


def _purpose(wire: WirePlan) -> str:
    return " and ".join(["rules"] * wire.user_space + ["queueing disciplines"] * any(wire.shapes))


def _bridge(node: NodePlan) -> str:
    return ", VLAN filtering" * node.vlans + ", STP" * node.stp


def _wire(number: int, wire: WirePlan) -> Iterator[str]:
    a, b = (f"{end.node}:{end.interface.name}" for end in (wire.a, wire.b))
    state = "" if wire.a.interface.up else ", down"
    offloads = f", offloads {', '.join(sorted(wire.a.interface.offloads))}" if wire.a.interface.offloads else ""
    through = f" through {wire.middle}" if wire.middle is not None else ""
    yield f"wire {a} - {b}, mtu {wire.mtu}{state}{offloads}{through}"
    for (one, other), shape in zip(((a, b), (b, a)), wire.shapes, strict=True):
        if shape is not None:
            yield f"{wire.middle}: from {one} to {other}: {_shape(shape)}"
    for side, end in enumerate((wire.a, wire.b)):
        if end.interface.hardware != assigned(number, side):
            yield f"{end.node}: MAC address {end.interface.hardware} of {end.interface.name}"


def _shape(shape: Shape) -> str:
    quantities = [f"{name} {value}" for name, value in (("delay", shape.delay), ("jitter", shape.jitter)) if value.ns]
    chances = (
        ("loss", shape.loss),
        ("duplicate", shape.duplicate),
        ("corrupt", shape.corrupt),
        ("reorder", shape.reorder),
    )
    quantities += [f"{name} {100 * value:.6g}%" for name, value in chances if value]
    quantities += [f"rate {_rate(shape.rate)}"] if shape.rate else []
    quantities += [f"limit {shape.limit} packets"] if shape.limit else []
    quantities += [f"seed {shape.seed}"] if shape.seed is not None else []
    return ", ".join(quantities) or "nothing"


def _rate(bits: int) -> str:
    for unit, size in (("gbit", 10**9), ("mbit", 10**6), ("kbit", 10**3)):
        if bits >= size:
            return f"{bits / size:.6g}{unit}"
    return f"{bits}bit"


def _devices(node: NodePlan) -> Iterator[str]:
    parents = {interface.index: interface.name for interface in node.interfaces}
    for interface in node.interfaces:
        if interface.port is not None and (interface.port.access or interface.port.trunk):
            yield f"port {interface.name} {_port(interface.port)}"
    for vlan in node.vlan_devices:
        yield f"VLAN {vlan.vlan} on {parents[vlan.parent]} as {vlan.name}"
    for vxlan in node.vxlan_devices:
        remotes = ", ".join(map(str, vxlan.remotes))
        yield f"VXLAN {vxlan.name}, vni {vxlan.vni}, port {vxlan.port}, mtu {vxlan.mtu}, from {vxlan.local} to {remotes}"
    for device in _addressed(node):
        if device.master not in ("", BRIDGE):
            yield f"{device.name} belongs to VRF {device.master}"


def _port(port: Port) -> str:
    ways = [f"untagged in VLAN {port.access}"] if port.access else []
    ways += [f"tagged in VLAN {', '.join(map(str, port.trunk))}"] if port.trunk else []
    return ", ".join(ways)


def _addresses(node: NodePlan) -> Iterator[str]:
    verb = "answers for" if node.kind == "peer" else "address"
    for device in _addressed(node):
        for address in device.addresses:
            yield f"{verb} {address} on {device.name}"
    for address in node.loopback:
        yield f"address {address} on lo"


def _late(node: NodePlan) -> Iterator[str]:
    for key, value in node.late_sysctls:
        yield f"sysctl {key} = {value}"


def _routing(node: NodePlan) -> Iterator[str]:
    for route in node.routes:
        yield _route(route)
    for rule in node.rules:
        yield _rule(rule)


def _route(route: RoutePlan) -> str:
    words = ["route", *([route.kind] if route.kind != "unicast" else []), route.name]
    words += [f"via {route.via}"] if route.via is not None else []
    words += [f"on {route.interface}"] if route.interface else []
    words += [f"{name} {value}" for name, value in (("metric", route.metric), ("table", route.table), ("mtu", route.mtu)) if value]
    words += [f"source {route.source}"] if route.source is not None else []
    return " ".join(words)


def _rule(rule: RulePlan) -> str:
    words = [f"rule {rule.priority}: IPv{rule.family}"]
    words += [f"from {rule.source}"] if rule.source is not None else []
    words += [f"to {rule.destination}"] if rule.destination is not None else []
    words += [f"in {rule.interface}"] if rule.interface else []
    words += [f"mark {rule.mark}"] if rule.mark is not None else []
    return " ".join([*words, f"table {rule.table}"])


def _neighbours(node: NodePlan) -> Iterator[str]:
    if len(node.neighbours) > _FEW:
        yield f"{len(node.neighbours)} permanent neighbours"
        return
    names = _names(node)
    for each in node.neighbours:
        yield f"permanent neighbour {each.address} is {each.hardware} on {names[each.index]}"


def _addressed(node: NodePlan) -> tuple[InterfacePlan | VlanDevice | VxlanDevice, ...]:
    return (*node.interfaces, *node.vlan_devices, *node.vxlan_devices)


def _names(node: NodePlan) -> dict[int, str]:
    return {device.index: device.name for device in _addressed(node)}


def _programs(node: NodePlan) -> Iterator[str]:
    if node.nft:
        yield f"nftables ruleset, {_count(node.nft.splitlines(), 'line')}"
    for file in node.files:
        yield f"file {file.path}, mode {file.mode:04o}, {_count(file.text.encode(), 'byte')}"
    for name, address in node.hosts:
        yield f"name {name} is {address}"
    for line in (node.resolv or "").splitlines():
        yield f"resolv.conf {line}"
    for key, value in node.env:
        yield f"environment {key}={value}"
    for command in node.start:
        yield f"start {_command(command)}"


def _count(things: Sequence[object], name: str) -> str:
    return f"{len(things)} {name}" + "s" * (len(things) != 1)


def _command(command: Command) -> str:
    text = " ".join(command.argv)
    if command.ready is not None:
        sign = f"{command.ready.protocol} port {command.ready.port}" if command.ready.port else f"log line {command.ready.log!r}"
        return f"{text}, ready with {sign} within {command.ready.within}"
    return f"{text}, in the background" if command.background else f"{text}, to its end within {command.within}"
