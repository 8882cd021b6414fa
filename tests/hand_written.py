"""Timelines written by hand: two hosts on a wire, with real frames made by scapy."""

from collections.abc import Iterable
from typing import Any

from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether

from netlab.timeline.observations import Packet
from netlab.timeline.timeline import Node, Timeline

ADDRESSES = {"client": "10.0.0.1", "server": "10.0.0.2"}
NODES = {
    "client": Node(kind="host", addresses={"eth0": ("10.0.0.1", "fd00::1")}),
    "server": Node(kind="host", addresses={"eth0": ("10.0.0.2", "fd00::2"), "eth1": ("10.0.1.2",)}),
}
MS = 1_000_000


def frame(payload: Any, target_mac: str = "02:00:00:00:00:02") -> bytes:
    return bytes(Ether(src="02:00:00:00:00:01", dst=target_mac) / payload)


def segment(
    source: str,
    target: str,
    flags: str,
    seq: int,
    ack: int = 0,
    data: bytes = b"",
    ports: tuple[int, int] = (40000, 80),
    **more: Any,
) -> bytes:
    """A TCP segment between nodes or addresses; flags as scapy spells them ("SA")."""
    ends = ADDRESSES.get(source, source), ADDRESSES.get(target, target)
    ip = (IPv6 if ":" in ends[0] else IP)(src=ends[0], dst=ends[1])
    return frame(ip / TCP(sport=ports[0], dport=ports[1], flags=flags, seq=seq, ack=ack, **more) / data)


def sent(time: int, host: str, data: bytes, direction: str = "out", interface: str = "eth0", checksum_valid: bool = True) -> Packet:
    return Packet(
        time=time, host=host, interface=interface, direction=direction, data=data, length=len(data), checksum_valid=checksum_valid
    )


def delivered(
    time: int, source: str, target: str, flags: str, seq: int, ack: int = 0, data: bytes = b"", **more: Any
) -> list[Packet]:
    """One segment as both its sender and its receiver saw it."""
    forward = source == "client"
    bytes_sent = segment(source, target, flags, seq, ack, data, ports=(40000, 80) if forward else (80, 40000), **more)
    return [sent(time, source, bytes_sent), sent(time + 10, target, bytes_sent, "in")]


def timeline(*packets: Iterable[Packet], **more: Any) -> Timeline:
    observations = [packet for some in packets for packet in some]
    return Timeline(observations=tuple(sorted(observations, key=lambda one: one.time)), nodes=NODES, **more)


CLIENT_ISN, SERVER_ISN = 2**32 - 2, 5_000


def handshake(start: int = 0) -> list[Packet]:
    """SYN, SYN-ACK, ACK, a millisecond apart; the client's numbers wrap."""
    options = [("MSS", 1460), ("SAckOK", b""), ("Timestamp", (7, 0)), ("NOP", None), ("WScale", 7)]
    return [
        *delivered(start + MS, "client", "server", "S", CLIENT_ISN, window=64240, options=options),
        *delivered(start + 2 * MS, "server", "client", "SA", SERVER_ISN, CLIENT_ISN + 1, window=65160, options=options),
        *delivered(start + 3 * MS, "client", "server", "A", CLIENT_ISN + 1, SERVER_ISN + 1, window=502),
    ]
