"""Decides every device of every node: its name, index, MAC address, addresses and master. It knows nothing of routes."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field

from netlab.topology.networks import Address
from netlab.topology.planned import BRIDGE, InterfacePlan, VlanDevice, VrfDevice, VxlanDevice, WireEnd
from netlab.topology.segments import Attachment, knows_vlans
from netlab.topology.spec import Endpoint, Link, Overlay, Topology

BRIDGE_INDEX = 1 << 20
"""The ifindex of a switch's bridge, above all others."""

_WIRES, _OVERLAYS = 0x00, 0x01
_SPARE = range(0x02, 0x100)

Masters = dict[tuple[str, str], str]
"""The bridge or VRF device of a node's interface, where it has one."""


@dataclass(slots=True)
class Devices:
    """What one node has; ``vlans`` says that its bridge knows VLANs."""

    interfaces: list[InterfacePlan] = field(default_factory=list)
    vlan: list[VlanDevice] = field(default_factory=list)
    vrf: list[VrfDevice] = field(default_factory=list)
    vxlan: list[VxlanDevice] = field(default_factory=list)
    vlans: bool = False

    @property
    def next_index(self) -> int:
        """The index of the next device that is made after all interfaces."""
        return 2 * (len(self.interfaces) + 1) + len(self.vlan) + len(self.vrf) + len(self.vxlan)

    def indices(self) -> dict[str, int]:
        """The index of every device that has addresses, by its name."""
        every: tuple[InterfacePlan | VlanDevice | VxlanDevice, ...] = (*self.interfaces, *self.vlan, *self.vxlan)
        return {device.name: device.index for device in every}

    def hardware(self) -> dict[str, str]:
        """The MAC address of every device that has addresses, by its name; a VLAN's is that of the interface below it."""
        every: tuple[InterfacePlan | VxlanDevice, ...] = (*self.interfaces, *self.vxlan)
        below = {device.index: device.hardware for device in every}
        return {device.name: device.hardware for device in every} | {vlan.name: below[vlan.parent] for vlan in self.vlan}


def devices_of(
    topology: Topology, attachments: Mapping[str, Sequence[Attachment]]
) -> tuple[dict[str, Devices], list[tuple[WireEnd, WireEnd]]]:
    """Every node's devices, by its name, and the two ends of every link, in their order."""
    nodes = {node.name: Devices() for node in topology.nodes}
    masters: Masters = {(node.name, name): vrf.name for node in topology.nodes for vrf in node.vrfs for name in vrf.interfaces}
    switches = {node.name for node in topology.nodes if node.kind == "switch"}
    ends = [end for link in topology.links for end in link.endpoints]
    members = [end for overlay in topology.overlays for end in overlay.endpoints]
    chosen = {end.hardware.lower() for end in (*ends, *members) if end.hardware}
    masters |= {(end.node, end.interface): BRIDGE for end in ends if end.node in switches}
    wires = _wires(topology.links, nodes, masters, chosen)
    for end in ends:
        if end.subinterfaces:
            _vlan_devices(end, nodes[end.node], masters)
    for node in topology.nodes:
        devices = nodes[node.name]
        for vrf in node.vrfs:
            devices.vrf.append(VrfDevice(name=vrf.name, index=devices.next_index, table=vrf.table))
    inner = {(end.node, end.interface) for end in members}
    for number, overlay in enumerate(topology.overlays):
        outer = _outer(overlay, attachments, inner)
        for place, end in enumerate(overlay.endpoints):
            devices = nodes[end.node]
            devices.vxlan.append(
                VxlanDevice(
                    name=end.interface,
                    index=devices.next_index,
                    hardware=end.hardware or _free(_OVERLAYS, number << 16 | place, chosen),
                    vni=overlay.vni,
                    port=overlay.port,
                    local=outer[place],
                    remotes=(*outer[:place], *outer[place + 1 :]),
                    mtu=overlay.mtu,
                    addresses=end.addresses,
                    master=masters.get((end.node, end.interface), ""),
                )
            )
    return nodes, wires


def assigned(number: int, side: int) -> str:
    """The MAC address that an end of a link has when none is chosen: from the link's number and 0 or 1."""
    return _hardware(_WIRES, number << 8 | side)


def _wires(links: Sequence[Link], nodes: dict[str, Devices], masters: Masters, chosen: set[str]) -> list[tuple[WireEnd, WireEnd]]:
    wires = []
    for number, link in enumerate(links):
        ends = []
        for side, end in enumerate(link.endpoints):
            devices = nodes[end.node]
            planned = InterfacePlan(
                name=end.interface,
                index=2 * (len(devices.interfaces) + 1) + side,
                hardware=end.hardware or _free(_WIRES, number << 8 | side, chosen),
                mtu=link.mtu,
                addresses=end.addresses,
                up=link.up,
                offloads=link.offloads,
                master=masters.get((end.node, end.interface), ""),
                port=end.port,
            )
            devices.interfaces.append(planned)
            devices.vlans = devices.vlans or knows_vlans(end)
            ends.append(WireEnd(node=end.node, interface=planned))
        wires.append((ends[0], ends[1]))
    return wires


def _vlan_devices(end: Endpoint, devices: Devices, masters: Masters) -> None:
    parent = next(one.index for one in devices.interfaces if one.name == end.interface)
    for each in end.subinterfaces:
        devices.vlan.append(
            VlanDevice(
                name=each.name,
                index=devices.next_index,
                parent=parent,
                vlan=each.vlan,
                addresses=each.addresses,
                master=masters.get((end.node, each.name), ""),
            )
        )


def _outer(overlay: Overlay, attachments: Mapping[str, Sequence[Attachment]], inner: Container[tuple[str, str]]) -> list[Address]:
    """The address from which each member sends: on a segment that all are on, if there is one, else its first."""
    usable = [
        [one for one in attachments[end.node] if one.address.version == overlay.family and (one.node, one.interface) not in inner]
        for end in overlay.endpoints
    ]
    common = set.intersection(*({one.segment for one in each} for each in usable))
    return [next((one for one in each if one.segment in common), each[0]).address.ip for each in usable]


def _hardware(prefix: int, number: int) -> str:
    return f"02:{prefix:02x}:" + number.to_bytes(4).hex(":")


def _free(prefix: int, number: int, chosen: set[str]) -> str:
    """A locally administered address (IEEE 802, bit 2 of the first byte), another one where somebody chose that for himself."""
    for each in (prefix, *_SPARE):
        hardware = _hardware(each, number)
        if hardware not in chosen:
            return hardware
    raise ValueError("every assignable MAC address of this interface is chosen for another one")
