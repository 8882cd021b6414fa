"""Packs what a lab has few of: VLANs, VRFs, VXLANs, routing rules; and words what the kernel refused: the one home of pyroute2.

pyroute2 takes 0.4 ms a message and 0.4 s to import; a lab that has none of these never pays for it. It sends nothing.
"""

import struct
from collections.abc import Iterator
from typing import Any

from netlab.lab import messages
from netlab.topology.planned import NodePlan, RulePlan, VrfDevice, VxlanDevice

_EVERYONE = "00:00:00:00:00:00"
_TAGGED, _PVID_UNTAGGED = 0, 0x2 | 0x4  # BRIDGE_VLAN_INFO_PVID, BRIDGE_VLAN_INFO_UNTAGGED


def vrf(device: VrfDevice) -> bytes:
    """A VRF device (ip-link(8), type vrf)."""
    (made,) = _packed("link", "add", ifname=device.name, index=device.index, kind="vrf", vrf_table=device.table)
    return made


def devices(node: NodePlan) -> list[bytes]:
    """A node's VLAN and VXLAN devices with their addresses, its bridge ports' VLANs, and its routing rules."""
    made: list[bytes] = []
    for vlan in node.vlan_devices:
        fields = {"ifname": vlan.name, "index": vlan.index, "kind": "vlan", "link": vlan.parent, "vlan_id": vlan.vlan}
        made += _packed("link", "add", **fields)
        made += [messages.address(address, vlan.index) for address in vlan.addresses]
        made.append(messages.up(vlan.index))
    for vxlan in node.vxlan_devices:
        made += _vxlan(vxlan)
        made += [messages.address(address, vxlan.index) for address in vxlan.addresses]
        made.append(messages.up(vxlan.index))
    for interface in node.interfaces:
        if interface.port is not None:
            vlans = [(vid, _TAGGED) for vid in interface.port.trunk]
            vlans += [(interface.port.access, _PVID_UNTAGGED)] if interface.port.access else []
            for vid, flags in vlans:
                made += _packed("vlan_filter", "add", index=interface.index, vlan_info={"vid": vid, "flags": flags})
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
    made = _packed("link", "add", **fields)
    for remote in device.remotes:
        made += _packed("fdb", "append", ifindex=device.index, lladdr=_EVERYONE, dst=str(remote))
    return made


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


def described(message: bytes) -> str:
    """A message that the kernel refused, in words: "address 10.0.0.1/24 on interface 2"."""
    from pyroute2.netlink.rtnl.marshal import MarshalRtnl

    try:
        (parsed,) = MarshalRtnl().parse(message)
    except Exception:  # noqa: BLE001 - what the library cannot read is still told, by its number
        return f"message of type {struct.unpack_from('=H', message, 4)[0]}"
    kind = parsed["header"]["type"]
    if kind == messages.RTM_NEWLINK:
        name, info = parsed.get_attr("IFLA_IFNAME"), parsed.get_attr("IFLA_LINKINFO")
        return f"{info.get_attr('IFLA_INFO_KIND')} {name}" if info else f"interface {name or parsed['index']} up"
    if kind == messages.RTM_NEWADDR:
        return f"address {parsed.get_attr('IFA_ADDRESS')}/{parsed['prefixlen']} on interface {parsed['index']}"
    if kind == messages.RTM_NEWROUTE:
        destination = parsed.get_attr("RTA_DST")
        where = f"{destination}/{parsed['dst_len']}" if destination else "default"
        via = parsed.get_attr("RTA_GATEWAY")
        return f"route {where}{f' via {via}' if via else ''} on interface {parsed.get_attr('RTA_OIF')}"
    if kind == messages.RTM_NEWNEIGH:
        return f"neighbour {parsed.get_attr('NDA_DST')} on interface {parsed['ifindex']}"
    return str(parsed["header"].get("type")) + f" {dict(parsed['attrs'])}"


def _packed(thing: str, command: str, **fields: Any) -> list[bytes]:
    """The messages that pyroute2 makes of a request."""
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
