"""Turns a plan into a program: all messages packed, every namespace a number. It asks nothing of the kernel."""

import struct
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from netlab.lab import messages
from netlab.topology.pins import sysctls_of
from netlab.topology.planned import BRIDGE, InterfacePlan, NodePlan, Plan, VlanDevice, VxlanDevice, WireEnd, WirePlan

NEAR, FAR = "near", "far"
"""The interfaces of a namespace in the middle of a wire, towards the wire's first and second end."""

NEAR_INDEX, FAR_INDEX = 3, 2  # a wire's first end has an even index and its second an odd one: never the same at both ends
_MIDDLE_BRIDGE = 4
_SOLICITED = bytes.fromhex("ff0200000000000000000001ff")
_LOOPBACK_UP = messages.up(1)
# ethtool's short names, and what the kernel calls them. With them on, segments reach 64 KB and every checksum looks wrong.
_FEATURES = {
    "tx": ("tx-checksum-ipv4", "tx-checksum-ipv6", "tx-checksum-ip-generic", "tx-checksum-sctp"),
    "rx": ("rx-checksum",),
    "sg": ("tx-scatter-gather", "tx-scatter-gather-fraglist"),
    "tso": ("tx-tcp-segmentation", "tx-tcp6-segmentation", "tx-tcp-ecn-segmentation", "tx-tcp-mangleid-segmentation"),
    "gso": ("tx-generic-segmentation", "tx-udp-segmentation"),
    "gro": ("rx-gro",),
}


@dataclass(slots=True)
class Program:
    """What lab/build.py carries out, as it wants it; ``middles`` has the number of each middle's namespace, by its link."""

    plan: Plan
    sysctls: list[tuple[tuple[str, str], ...]] = field(default_factory=list)
    spaces: list[tuple[int, list[bytes], list[bytes]]] = field(default_factory=list)
    wires: list[tuple[int, str, int, bytes, int, str, int, bytes, int]] = field(default_factory=list)
    offloads: list[tuple[int, str, tuple[str, ...], tuple[str, ...]]] = field(default_factory=list)
    late: list[tuple[int, tuple[tuple[str, str], ...]]] = field(default_factory=list)
    ready: list[tuple[int, tuple[int, ...]]] = field(default_factory=list)
    last: list[tuple[int, tuple[bytes, ...]]] = field(default_factory=list)
    groups: list[tuple[int, tuple[bytes, ...]]] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    middles: dict[str, int] = field(default_factory=dict)

    def plain(self) -> dict[str, Any]:
        """The part that is carried out, as a mapping."""
        return {name: getattr(self, name) for name in ("sysctls", "spaces", "wires", "offloads", "late", "ready", "last", "groups")}

    def interface(self, number: int, index: int) -> str:
        """What an interface of a namespace is called."""
        names = {1: "lo"}
        if number >= len(self.plan.nodes):
            names |= {NEAR_INDEX: NEAR, FAR_INDEX: FAR, _MIDDLE_BRIDGE: BRIDGE}
        elif number >= 0:
            node = self.plan.nodes[number]
            names |= {node.bridge_index: BRIDGE} if node.bridge else {}
            for devices in (node.interfaces, node.vlan_devices, node.vrf_devices, node.vxlan_devices):
                names |= {device.index: device.name for device in devices}
        return names.get(index, f"interface {index}")


def program_of(plan: Plan) -> Program:
    """The program of a plan: the nodes' namespaces in the plan's order, then those in the middle of wires."""
    made = Program(plan)
    sets: dict[tuple[tuple[str, str], ...], int] = {}
    numbers: dict[str, int] = {}

    def space(
        name: str,
        sysctls: tuple[tuple[str, str], ...],
        first: list[bytes],
        later: list[bytes],
        ready: Sequence[int],
        last: Sequence[bytes] = (),
    ) -> int:
        number = len(made.spaces)
        if sysctls not in sets:
            sets[sysctls] = len(made.sysctls)
            made.sysctls.append(sysctls)
        made.spaces.append((sets[sysctls], first, later))
        made.names.append(name)
        if ready:
            made.ready.append((number, tuple(ready)))
        if last:
            made.last.append((number, tuple(last)))
        return number

    off_and_on: dict[frozenset[str], tuple[tuple[str, ...], tuple[str, ...]]] = {}
    for node in plan.nodes:
        numbers[node.name] = number = space(node.name, node.sysctls, *_node(node))
        if groups := solicited(node):
            made.groups.append((number, groups))
        if node.late_sysctls:
            made.late.append((number, node.late_sysctls))
        for interface in node.interfaces:
            if interface.offloads not in off_and_on:
                off_and_on[interface.offloads] = _features(interface.offloads)
            made.offloads.append((number, interface.name, *off_and_on[interface.offloads]))
    silent = tuple(sysctls_of("peer").items())
    for wire in plan.wires:
        if wire.middle is None:
            made.wires.append((*_end(wire.a, numbers), *_end(wire.b, numbers), wire.mtu))
            continue
        made.middles[wire.link] = middle = space(wire.middle, silent, *_middle(wire))
        made.wires.append((*_end(wire.a, numbers), middle, NEAR, NEAR_INDEX, b"", wire.mtu))
        made.wires.append((middle, FAR, FAR_INDEX, b"", *_end(wire.b, numbers), wire.mtu))
        # Segments that a sender leaves whole pass a program whole; receive offloads would make them larger than what came.
        kept = wire.a.interface.offloads - {"rx", "gro"} if wire.user_space else frozenset[str]()
        made.offloads += [(middle, name, *_features(kept)) for name in (NEAR, FAR)]
    return made


def restoring(node: NodePlan) -> list[bytes]:
    """The messages that give a node all its addresses, routes and permanent neighbours: what is there already the kernel refuses
    with EEXIST."""
    first, later, _, last = _node(node)
    return [message for message in (*first, *later, *last) if _is_lost(message)]


def _is_lost(message: bytes) -> bool:
    """Whether what a message made goes away when an interface goes down. A VXLAN's table of frames to many does not."""
    (kind,) = struct.unpack_from("=H", message, 4)
    return kind in (messages.RTM_NEWADDR, messages.RTM_NEWROUTE, messages.RTM_NEWNEIGH) and message[16] != messages.AF_BRIDGE


def _end(end: WireEnd, numbers: dict[str, int]) -> tuple[int, str, int, bytes]:
    interface = end.interface
    return numbers[end.node], interface.name, interface.index, bytes.fromhex(interface.hardware.replace(":", ""))


def _features(kept: frozenset[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The features that go off, and those that are to be on: generic receive offload, for one, is not at first."""
    off = tuple(name for short, names in _FEATURES.items() if short not in kept for name in names)
    return off, tuple(name for short, names in _FEATURES.items() if short in kept for name in names)


def _middle(wire: WirePlan) -> tuple[list[bytes], list[bytes], Sequence[int]]:
    """The namespace in a wire's middle: the kernel bridges its two interfaces, or a program forwards between them."""
    ends = ((wire.a, NEAR_INDEX), (wire.b, FAR_INDEX))
    ready = [index for end, index in ends if end.interface.up]  # else there is no carrier
    if wire.user_space:
        return [], [messages.up(NEAR_INDEX), messages.up(FAR_INDEX)], ready
    first = [messages.bridge(BRIDGE, _MIDDLE_BRIDGE, stp=False, vlan_filtering=False)]
    later = [messages.up(_MIDDLE_BRIDGE), *(messages.up(index, _MIDDLE_BRIDGE) for index in (NEAR_INDEX, FAR_INDEX))]
    return first, later, ready


def _node(node: NodePlan) -> tuple[list[bytes], list[bytes], Sequence[int], list[bytes]]:
    """A node's messages before its wires are there and after, the interfaces to wait for, and the messages when these are ready.

    The last are for what rides on other interfaces: a VXLAN that is up sends at once, and what it sends too early is lost.
    """
    first: list[bytes] = []
    later = [_LOOPBACK_UP]
    last: list[bytes] = []
    masters: dict[str, int] = {}
    if node.bridge:
        first.append(messages.bridge(BRIDGE, node.bridge_index, stp=node.stp, vlan_filtering=node.vlans))
        later.append(messages.up(node.bridge_index))
        masters[BRIDGE] = node.bridge_index
    if node.vrf_devices:
        from netlab.lab import kernel

        for vrf in node.vrf_devices:
            masters[vrf.name] = vrf.index
            first.append(kernel.vrf(vrf))
            later.append(messages.up(vrf.index))
    silent = node.kind in ("switch", "peer")
    later += [messages.address(address, 1) for address in node.loopback]
    for interface in node.interfaces:
        later += _interface(interface, masters.get(interface.master, 0), silent)
    ready = [interface.index for interface in node.interfaces if interface.up]
    if node.vlan_devices or node.vxlan_devices or node.rules or any(each.port for each in node.interfaces):
        from netlab.lab import kernel

        up = set(ready)
        ready += [vlan.index for vlan in node.vlan_devices if vlan.parent in up]  # a VXLAN device has no carrier to wait for
        later += kernel.devices(node)
        for vlan in node.vlan_devices:
            later += _device(vlan, masters.get(vlan.master, 0), up=vlan.parent in up)
        for vxlan in node.vxlan_devices:
            last += _device(vxlan, masters.get(vxlan.master, 0))
    index = {"": 0, "lo": 1} | {interface.name: interface.index for interface in node.interfaces}
    for device in (node.vlan_devices, node.vxlan_devices, node.vrf_devices):
        index |= {one.name: one.index for one in device}
    riding = {index[vxlan.name] for vxlan in node.vxlan_devices}
    for route in node.routes:
        on, via, plain = index[route.interface], route.via, not (route.metric or route.table or route.source or route.mtu)
        if plain and via is not None and via.version == route.destination.version:
            message = messages.plain_route(route.destination, via, on)
        else:
            message = messages.route(
                route.destination,
                via,
                on,
                kind=route.kind,
                metric=route.metric,
                table=route.table,
                source=route.source,
                mtu=route.mtu,
            )
        (last if on in riding else later).append(message)
    for one in node.neighbours:
        message = messages.neighbour(one.address, bytes.fromhex(one.hardware.replace(":", "")), one.index)
        (last if one.index in riding else later).append(message)
    return first, later, ready, last


def solicited(node: NodePlan) -> tuple[bytes, ...]:
    """The groups in which a node's IPv6 addresses are asked for (RFC 4291, section 2.7.1), each after its interface's index."""
    if node.kind in ("switch", "peer"):
        return ()
    devices: list[InterfacePlan | VlanDevice | VxlanDevice] = [interface for interface in node.interfaces if interface.up]
    return tuple(
        one.index.to_bytes(4, sys.byteorder) + _SOLICITED + address.packed[13:]
        for one in (*devices, *node.vlan_devices, *node.vxlan_devices)
        for address in one.addresses
        if address.version == 6
    )


def _interface(interface: InterfacePlan, master: int, silent: bool) -> list[bytes]:
    """Into its bridge or VRF, with its addresses where it has a stack to use them, and up."""
    if silent:
        return [messages.up(interface.index, master, up=interface.up)]
    return _device(interface, master, up=interface.up)


def _device(device: InterfacePlan | VlanDevice | VxlanDevice, master: int, *, up: bool = True) -> list[bytes]:
    """Into its VRF first, since entering that takes IPv6 addresses away, then the addresses, then up."""
    made = [messages.up(device.index, master, up=False)] if master else []
    made += [messages.address(address, device.index) for address in device.addresses]
    return [*made, messages.up(device.index)] if up else made
