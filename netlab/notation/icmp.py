"""The types and codes of ICMP, and of IGMP, by the names that tcpdump's readers use, as tables. It does not know packets."""

from collections.abc import Mapping
from types import MappingProxyType

# IANA "ICMP Parameters": name -> (type, {name: code})
_ICMP: dict[str, tuple[int, dict[str, int]]] = {
    "echo-reply": (0, {}),
    "unreachable": (
        3,
        {
            "net": 0, "host": 1, "protocol": 2, "port": 3, "need-frag": 4, "source-route": 5, "net-unknown": 6, "host-unknown": 7,
            "net-prohibited": 9, "host-prohibited": 10, "admin-prohibited": 13,
        },
    ),
    "redirect": (5, {"net": 0, "host": 1, "tos-net": 2, "tos-host": 3}),
    "echo-request": (8, {}),
    "router-advertisement": (9, {}),
    "router-solicitation": (10, {}),
    "time-exceeded": (11, {"in-transit": 0, "reassembly": 1}),
    "parameter-problem": (12, {"pointer": 0, "option": 1, "length": 2}),
}  # fmt: skip

# IANA "ICMPv6 Parameters"
_ICMP6: dict[str, tuple[int, dict[str, int]]] = {
    "unreachable": (
        1,
        {
            "no-route": 0, "admin-prohibited": 1, "beyond-scope": 2, "address": 3, "port": 4, "source-policy": 5, "reject-route": 6,
        },
    ),
    "packet-too-big": (2, {}),
    "time-exceeded": (3, {"in-transit": 0, "reassembly": 1}),
    "parameter-problem": (4, {"header": 0, "next-header": 1, "option": 2}),
    "echo-request": (128, {}),
    "echo-reply": (129, {}),
    "mld-query": (130, {}),
    "mld-report": (131, {}),
    "mld-done": (132, {}),
    "router-solicitation": (133, {}),
    "router-advertisement": (134, {}),
    "neighbour-solicitation": (135, {}),
    "neighbour-advertisement": (136, {}),
    "redirect": (137, {}),
    "mld2-report": (143, {}),
}  # fmt: skip

# IANA "Internet Group Management Protocol (IGMP) Type Numbers"
_IGMP: dict[str, tuple[int, dict[str, int]]] = {
    "query": (0x11, {}),
    "v1-report": (0x12, {}),
    "v2-report": (0x16, {}),
    "leave": (0x17, {}),
    "v3-report": (0x22, {}),
}

_ARP: dict[str, tuple[int, dict[str, int]]] = {"request": (1, {}), "reply": (2, {})}

KINDS: Mapping[str, Mapping[str, tuple[int, Mapping[str, int]]]] = MappingProxyType(
    {"icmp": _ICMP, "icmp6": _ICMP6, "igmp": _IGMP, "arp": _ARP}
)
"""Protocol -> name -> (type, or ARP's operation; codes by name)."""

ALIASES: Mapping[str, str] = MappingProxyType(
    {
        "exceeded": "time-exceeded", "parameter": "parameter-problem", "too-big": "packet-too-big", "echo": "echo-request",
        "neighbor-solicitation": "neighbour-solicitation", "neighbor-advertisement": "neighbour-advertisement",
    }
)  # fmt: skip
"""Other spellings of the same types."""

ERRORS: Mapping[str, tuple[tuple[int, int], tuple[int, int] | None]] = MappingProxyType(
    {
        "net-unreachable": ((3, 0), (1, 0)),
        "host-unreachable": ((3, 1), (1, 3)),
        "protocol-unreachable": ((3, 2), (4, 1)),
        "port-unreachable": ((3, 3), (1, 4)),
        "fragmentation-needed": ((3, 4), (2, 0)),
        "admin-prohibited": ((3, 13), (1, 1)),
        "time-exceeded": ((11, 0), (3, 0)),
    }
)
"""What a rule may answer a packet with: name -> (type, code) by ICMP (RFC 792, 1191, 1812) and by ICMPv6 (RFC 4443)."""
