"""Packs what a lab has few of: VLANs, VRFs, VXLANs, routing rules; and words what the kernel refused: the one home of pyroute2.

pyroute2 takes 0.4 ms a message and 0.4 s to import; a lab that has none of these never pays for it. It sends nothing.
"""

import struct
from collections.abc import Callable, Iterator
from typing import Any

from netlab.lab import messages
from netlab.topology.planned import NodePlan, RulePlan, VrfDevice, VxlanDevice

_ROUTE_KINDS = {number: kind for kind, number in messages.ROUTE_KINDS.items() if kind != "unicast"}


def vrf(device: VrfDevice) -> bytes:
    """A VRF device (ip-link(8), type vrf)."""
    (made,) = _packed("link", "add", ifname=device.name, index=device.index, kind="vrf", vrf_table=device.table)
    return made


def devices(node: NodePlan) -> list[bytes]:
    """A node's VLAN and VXLAN devices, its bridge ports' VLANs, and its routing rules."""
    made: list[bytes] = []
    for vlan in node.vlan_devices:
        fields = {"ifname": vlan.name, "index": vlan.index, "kind": "vlan", "link": vlan.parent, "vlan_id": vlan.vlan}
        made += _packed("link", "add", **fields)
    for vxlan in node.vxlan_devices:
        made += _vxlan(vxlan)
    for interface in node.interfaces:
        if interface.port is not None:
            made += [messages.port_vlan(interface.index, vlan, untagged=False) for vlan in interface.port.trunk]
            if interface.port.access:
                made.append(messages.port_vlan(interface.index, interface.port.access, untagged=True))
    for rule in node.rules:
        made += _packed("rule", "add", **_rule(rule))
    return made


def _vxlan(device: VxlanDevice) -> list[bytes]:
    fields = {
        "ifname": device.name,
        "index": device.index,
        "address": device.hardware,
        "mtu": device.mtu,
        "kind": "vxlan",
        "vxlan_id": device.vni,
        "vxlan_port": device.port,
        "vxlan_local" if device.local.version == 4 else "vxlan_local6": str(device.local),
    }
    return [*_packed("link", "add", **fields), *(messages.flooded(device.index, remote) for remote in device.remotes)]


def _rule(rule: RulePlan) -> dict[str, Any]:
    fields: dict[str, Any] = {"family": 2 if rule.family == 4 else 10, "table": rule.table, "priority": rule.priority}
    for name, network in (("src", rule.source), ("dst", rule.destination)):
        if network is not None:
            fields |= {name: str(network.network_address), f"{name}_len": network.prefixlen}
    if rule.interface:
        fields["iifname"] = rule.interface
    if rule.mark is not None:
        fields["fwmark"] = rule.mark
    return fields


def described(message: bytes, name: Callable[[int], str] = "interface {}".format) -> str:
    """A message that the kernel refused, in words: "address 10.0.0.1/24 on eth0". ``name`` gives an interface's, by its index."""
    from pyroute2.netlink.rtnl.marshal import MarshalRtnl

    try:
        (parsed,) = MarshalRtnl().parse(message)
    except Exception:  # noqa: BLE001 - what the library cannot read is still told, by its number
        return f"message of type {struct.unpack_from('=H', message, 4)[0]}"
    kind = parsed["header"]["type"]
    if kind == messages.RTM_NEWLINK:
        info = parsed.get_attr("IFLA_LINKINFO")
        return f"{info.get_attr('IFLA_INFO_KIND')} {parsed.get_attr('IFLA_IFNAME')}" if info else _set(parsed, name)
    if kind == messages.RTM_SETLINK:
        return f"VLAN {parsed.get_nested('IFLA_AF_SPEC', 'IFLA_BRIDGE_VLAN_INFO')['vid']} on {name(parsed['index'])}"
    if kind == messages.RTM_NEWADDR:
        return f"address {parsed.get_attr('IFA_ADDRESS')}/{parsed['prefixlen']} on {name(parsed['index'])}"
    if kind == messages.RTM_NEWROUTE:
        return _route(parsed, name)
    if kind == messages.RTM_NEWNEIGH:
        return f"neighbour {parsed.get_attr('NDA_DST')} on {name(parsed['ifindex'])}"
    if kind == messages.RTM_NEWRULE:
        return f"rule {parsed.get_attr('FRA_PRIORITY')} to table {parsed.get_attr('FRA_TABLE')}"
    return f"message of type {kind}"


def _set(parsed: Any, name: Callable[[int], str]) -> str:
    master = parsed.get_attr("IFLA_MASTER")
    return f"{name(parsed['index'])}{f' into {name(master)}' if master else ''}{' up' if parsed['flags'] else ''}"


def _route(parsed: Any, name: Callable[[int], str]) -> str:
    destination, index = parsed.get_attr("RTA_DST"), parsed.get_attr("RTA_OIF")
    via = parsed.get_attr("RTA_GATEWAY") or (parsed.get_attr("RTA_VIA") or {}).get("addr")
    words = [_ROUTE_KINDS.get(parsed["type"], ""), f"{destination}/{parsed['dst_len']}" if destination else "default"]
    words += [f"via {via}"] if via else []
    words += [f"on {name(index)}"] if index else []
    return " ".join(["route", *filter(None, words)])


def _packed(thing: str, command: str, **fields: Any) -> list[bytes]:
    """The messages that pyroute2 makes of a request, 0.5 ms each."""
    from pyroute2 import IPBatch

    batch = IPBatch()
    try:
        getattr(batch, thing)(command, **fields)
        return list(_messages(bytes(batch.batch)))
    finally:
        batch.close()


def _messages(data: bytes) -> Iterator[bytes]:
    """Each message of many, asking for no acknowledgement (lab/build.py asks for one a send)."""
    offset = 0
    while offset < len(data):
        (length,) = struct.unpack_from("=I", data, offset)
        message = bytearray(data[offset : offset + ((length + 3) & ~3)])
        (flags,) = struct.unpack_from("=H", message, 6)
        struct.pack_into("=HII", message, 6, flags & ~0x4, 0, 0)
        yield bytes(message)
        offset += len(message)
