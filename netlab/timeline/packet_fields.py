"""One packet against one pattern: every field that differs.

It knows nothing of order or of counts: that is the matcher's business.
"""

import re
from collections.abc import Mapping
from ipaddress import ip_address
from typing import NamedTuple

import msgspec

from netlab.notation.packets import PacketPattern
from netlab.timeline.headers import Headers
from netlab.timeline.streams import SeenPacket, flags_text, has, options_text, owner
from netlab.timeline.timeline import Node


class Difference(NamedTuple):
    """A field, what it should have been, and what it was."""

    field: str
    expected: str
    actual: str


_BLOCK = re.compile(r"(\d+):(\d+)")
_ALIASES = {"len": "length", "win": "window", "urg": "urgent"}
_FIELDS = frozenset(
    {
        "length", "window", "urgent", "ttl", "tos", "id", "df", "mf", "mtu", "type", "code", "sport", "dport", "fragment",
        "version", "ethertype",
    }
)  # fmt: skip
_RELATIVE = frozenset({"seq", "ack"})


class Endpoint(msgspec.Struct, frozen=True):
    """An end of a packet as a pattern writes it, taken apart: ``name`` is a node or an address, or "" when only a port is given."""

    name: str = ""
    interface: str = ""
    port: int | None = None


def endpoint(text: str, nodes: Mapping[str, Node]) -> Endpoint:
    """Take apart ``node``, ``node.interface``, ``node:port``, ``node.interface:port``, ``10.0.0.1``, ``[fd00::1]:80``."""
    bracketed = re.fullmatch(r"\[([^]]+)\](?::(\d+))?", text)
    if bracketed:
        return Endpoint(_canonical(bracketed[1]), port=int(bracketed[2]) if bracketed[2] else None)
    name, port = text, None
    if text not in nodes and text.count(":") == 1 and text.rpartition(":")[2].isdigit():
        name, port = text.rpartition(":")[0], int(text.rpartition(":")[2])
    if name in nodes or _canonical(name) != "":
        return Endpoint(_canonical(name) or name, port=port)
    node, dot, interface = name.rpartition(".")
    return Endpoint(node, interface, port) if dot else Endpoint(name, port=port)


def _canonical(text: str) -> str:
    try:
        return str(ip_address(text))
    except ValueError:
        return ""


def at_end(seen: SeenPacket, end: Endpoint, nodes: Mapping[str, Node], *, sending: bool) -> bool:
    """Whether the packet's source (``sending``) or target is this end."""
    headers = seen.headers
    address, port = (headers.source, headers.sport) if sending else (headers.target, headers.dport)
    if end.port is not None and end.port != port:
        return False
    if end.name in ("", "*") or end.name == address:
        return True
    node = nodes.get(end.name)
    if node is None:
        return False
    if any(has(own, address) for name, own in node.addresses.items() if end.interface in ("", name)):
        return True
    # Link-local, loopback and spoofed addresses belong to no node: the frame itself tells where it was sent, or where it came.
    here = seen.packet.host == end.name and end.interface in ("", seen.packet.interface)
    passing = seen.packet.direction == ("out" if sending else "in") or seen.packet.interface == "lo"
    return here and passing and not owner(address, nodes)


def differences(
    pattern: PacketPattern, seen: SeenPacket, nodes: Mapping[str, Node], *, since: int | None = None, slack: int = 0
) -> tuple[Difference, ...]:
    """Every field of the packet that is not as the pattern says. ``since`` is the time of the packet matched before."""
    if pattern.any:
        return ()
    headers = seen.headers
    found: list[Difference] = []
    for field, text, sending in (("source", pattern.source, True), ("target", pattern.target, False)):
        end = endpoint(text, nodes)
        if not at_end(seen, end, nodes, sending=sending):
            unknown = end.name not in ("", "*") and end.name not in nodes and not _canonical(end.name)
            found.append(Difference(field, f"{text} (no such node)" if unknown else text, _end_text(headers, nodes, end, sending)))
    protocol = pattern.protocol or ("tcp" if pattern.flags is not None or pattern.options else "")
    if protocol and headers.protocol != protocol:
        return (*found, Difference("protocol", protocol, headers.protocol))
    if pattern.flags is not None and headers.flags != pattern.flags:
        found.append(Difference("flags", flags_text(pattern.flags), flags_text(headers.flags)))
    found += _options(pattern, seen)
    for field, expected in pattern.fields:
        actual = field_value(seen, field)
        if actual != expected and not (field in ("checksum", "ip_checksum") and not seen.packet.checksum_valid):
            found.append(Difference(field, str(expected), "none" if actual is None else str(actual)))
    if pattern.data is not None and headers.payload != pattern.data:
        found.append(Difference("data", repr(pattern.data), repr(headers.payload)))
    if since is not None:
        found += _times(pattern, seen.packet.time - since, slack)
    return tuple(found)


def field_value(seen: SeenPacket, field: str) -> int | None:
    """A field by the notation's name; seq and ack are relative, checksum is 1 when right and 0 when wrong; None if it has none."""
    headers = seen.headers
    name = _ALIASES.get(field, field)
    if name in _RELATIVE:
        return seen.numbers.seq if name == "seq" else seen.numbers.ack
    if name in ("checksum", "ip_checksum"):
        right: bool | None = getattr(headers, name)
        return None if right is None else int(right)
    if name == "op":
        return headers.type if headers.protocol == "arp" else None
    value: int | None = getattr(headers, name) if name in _FIELDS else None
    return value


def attribute(field: str) -> str:
    """The attribute of Headers, or of Numbers, that has a field by the notation's name; "" where none just has it."""
    name = _ALIASES.get(field, field)
    return name if name in _FIELDS or name in _RELATIVE else ""


def _end_text(headers: Headers, nodes: Mapping[str, Node], wanted: Endpoint, sending: bool) -> str:
    address, port = (headers.source, headers.sport) if sending else (headers.target, headers.dport)
    name = owner(address, nodes)
    same_node = name == wanted.name and wanted.interface
    text = (f"{name} ({address})" if same_node else name) or address or "none"
    return f"{text}:{port}" if wanted.port is not None and port is not None else text


def _options(pattern: PacketPattern, seen: SeenPacket) -> list[Difference]:
    there = [(name, _value(name, value, seen)) for name, value in seen.headers.options]
    left = list(there)
    for name, value in pattern.options:
        wanted = _value(name, value)
        fits = next((option for option in left if option[0] == name and _fits(value, wanted, option[1])), None)
        if fits is None:
            values = [option[1] for option in there if option[0] == name]
            return [
                Difference(
                    f"option {name}", wanted or "present", ",".join(filter(None, values)) or ("too few" if values else "absent")
                )
            ]
        left.remove(fits)
    if pattern.options_only and any(name not in ("nop", "eol") for name, _ in left):
        return [Difference("options", f"only <{options_text(pattern.options)}>", f"<{options_text(there)}>")]
    return []


def _fits(written: str, wanted: str, actual: str) -> bool:
    if written.startswith("ecr "):  # of the two timestamps only the one that is echoed (TSecr, RFC 7323 §3.2)
        return actual.partition("/")[2] == wanted
    return wanted in ("", actual)


def _value(name: str, text: str, seen: SeenPacket | None = None) -> str:
    """An option's value as it is compared: tcpdump's words dropped, and a packet's SACK blocks relative as its ack is."""
    if name == "TS":
        return "/".join(re.findall(r"\d+", text))
    if name != "sack":
        return text
    shift = 0
    if seen is not None and seen.numbers.ack is not None and seen.headers.ack is not None:
        shift = seen.headers.ack - seen.numbers.ack
    blocks = ((int(left) - shift, int(right) - shift) for left, right in _BLOCK.findall(text))
    return ",".join(f"{left % 2**32}:{right % 2**32}" for left, right in blocks)


def _times(pattern: PacketPattern, elapsed: int, slack: int) -> list[Difference]:
    holds = {
        "<": lambda limit: elapsed < limit + slack,
        "<=": lambda limit: elapsed <= limit + slack,
        ">": lambda limit: elapsed > limit,
        ">=": lambda limit: elapsed >= limit,
    }
    late = (bound for bound in pattern.after if not holds[bound.relation](bound.limit.ns))
    return [Difference("after", f"{bound.relation}{bound.limit}", f"{elapsed / 1e6:.3f}ms") for bound in late]
