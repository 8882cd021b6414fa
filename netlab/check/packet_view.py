"""Which of a timeline's packets an expectation looks at: each once, at its sender, at its receiver, or at one interface.

It knows nothing of patterns but whether they name what is otherwise not counted: ARP, neighbour discovery and MLD.
"""

from collections.abc import Iterable, Mapping
from ipaddress import ip_address

from netlab.notation.packets import PacketPattern
from netlab.scenario.spec import PacketsExpected
from netlab.timeline.headers import Headers
from netlab.timeline.streams import SeenPacket, owner
from netlab.timeline.timeline import Node


def view(expected: PacketsExpected, seen: Iterable[SeenPacket], nodes: Mapping[str, Node]) -> tuple[SeenPacket, ...]:
    """The packets that count for this expectation, in their order."""
    return tuple(
        one for one in seen if _counts(one.headers, expected.including, expected.patterns) and _in_view(expected, one, nodes)
    )


def _in_view(expected: PacketsExpected, seen: SeenPacket, nodes: Mapping[str, Node]) -> bool:
    packet = seen.packet
    if expected.at:
        return f"{packet.host}:{packet.interface}" == expected.at
    if packet.interface == "lo":
        # AF_PACKET sees a loopback packet twice; the one that comes in stands for both ends.
        return packet.direction == "in"
    if packet.direction != ("in" if expected.arrived else "out") or packet.host not in nodes:
        return False
    return (_received if expected.arrived else _sent)(seen.headers, packet.host, nodes)


def _sent(headers: Headers, host: str, nodes: Mapping[str, Node]) -> bool:
    kind = nodes[host].kind
    if kind == "peer" or headers.protocol == "arp":
        return kind != "switch"  # a peer forwards nothing, and only a switch passes ARP on
    owned_by = owner(headers.source, nodes)
    if owned_by:
        return owned_by == host
    # Nobody's address: link-local and unspecified ones are not forwarded; a spoofed one counts where nothing is forwarded.
    return kind == "host" or (kind != "switch" and _stays_on_link(headers.source))


def _received(headers: Headers, host: str, nodes: Mapping[str, Node]) -> bool:
    kind = nodes[host].kind
    if kind in ("peer", "switch"):
        return kind == "peer"
    group = bool(int(headers.target_mac[:2], 16) & 1) if headers.target_mac else False
    return group or headers.protocol == "arp" or owner(headers.target, nodes) == host or _stays_on_link(headers.target)


def _stays_on_link(text: str) -> bool:
    address = ip_address(text or "0.0.0.0")
    return address.is_link_local or address.is_unspecified


def _counts(headers: Headers, including: frozenset[str], patterns: tuple[PacketPattern, ...]) -> bool:
    if headers.protocol == "arp":
        return "arp" in including or any(pattern.protocol == "arp" for pattern in patterns)
    if headers.nd or headers.mld:
        named = any(pattern.protocol == "icmp6" and ("type", headers.type) in pattern.fields for pattern in patterns)
        return named or ("nd" if headers.nd else "mld") in including
    return headers.is_ip
