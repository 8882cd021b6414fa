"""Frames between a client and a server, and rules of the link between them, for tests of what decides about frames."""

import struct
from dataclasses import replace
from typing import Any

from networks import HERE, two_hosts
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.l2 import Ether

from netlab.impair.rules import LinkRules
from netlab.impair.script import Script
from netlab.notation.parse import parse_packet
from netlab.timeline.timeline import Node
from netlab.topology.spec import Rule

NODES = {
    "client": Node(kind="host", addresses={"eth0": ("10.0.0.1", "fd00::1")}),
    "server": Node(kind="host", addresses={"eth0": ("10.0.0.2", "fd00::2")}),
}
THERE, BACK = ("client", "server"), ("server", "client")
LINK = "client:eth0-server:eth0"


def frame(**fields: object) -> Ether:
    """With both hardware addresses given, or scapy would go and ask the network for them."""
    return Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02", **fields)


def rule(pattern: str, action: str = "drop", *nth: int, **fields: Any) -> Rule:
    return replace(Rule(match=parse_packet(pattern), action=action, occurrences=frozenset(nth), place=HERE), **fields)


def rules(*wanted: tuple[tuple[str, str], tuple[Rule, ...]], seed: int = 0, script: Script | None = None) -> LinkRules:
    return LinkRules(two_hosts(*wanted).links[0], NODES, seed=seed, script=script)


def _ends(back: bool, port: int, server: int) -> tuple[IP, dict[str, int]]:
    if back:
        return IP(src="10.0.0.2", dst="10.0.0.1"), {"sport": server, "dport": port}
    return IP(src="10.0.0.1", dst="10.0.0.2"), {"sport": port, "dport": server}


def segment(
    flags: str, seq: int = 0, ack: int = 0, data: bytes = b"", back: bool = False, port: int = 5000, server: int = 80, **fields: Any
) -> bytes:
    ip, ports = _ends(back, port, server)
    return bytes(frame() / ip / TCP(flags=flags, seq=seq % 2**32, ack=ack % 2**32, **ports, **fields) / data)


def numbered(one: bytes, seq: int, ack: int) -> bytes:
    """A segment with other numbers, made in no time; its checksum is wrong then."""
    return one[:38] + struct.pack("!II", seq % 2**32, ack % 2**32) + one[46:]


def datagram(data: bytes = b"", back: bool = False, port: int = 5000, server: int = 53) -> bytes:
    ip, ports = _ends(back, port, server)
    return bytes(frame() / ip / UDP(**ports) / data)


def opening(port: int = 5000, first: int = 1000, second: int = 70000, mss: int = 1448) -> list[tuple[bytes, int]]:
    """The three segments that open a connection, with the direction of each."""
    options = [("MSS", mss)]
    return [
        (segment("S", first, port=port, options=options), 0),
        (segment("SA", second, first + 1, back=True, port=port, options=options), 1),
        (segment("A", first + 1, second + 1, port=port), 0),
    ]


def acts(decider: LinkRules, *frames: bytes, direction: int = 0) -> list[tuple[str, int] | None]:
    rulings = [decider.ruling(frame, direction) for frame in frames]
    return [None if ruling is None else (ruling.rule.action, ruling.occurrence) for ruling in rulings]
