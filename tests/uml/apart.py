"""Who is kept apart from whom by VLANs on a switch and by VRFs on a router: the shipped topologies vlan and vrf, tried out.

Each function gives what happened as a value that JSON can carry out of a guest.
"""

import socket
import struct
from typing import Any

from icmp_errors import next_error, tell_errors
from topologies_help import BOTH, PORT, address, hop_counts, path, shipped, sightings, tcp_exchange, udp_socket, who_saw

from netlab.api import Lab

SOL_PACKET, PACKET_AUXDATA = 263, 8
AUXDATA = struct.Struct("=IIIHHHH")  # packet(7): status, length, captured, link and network header, tag, the tag's protocol
EXPERIMENTAL = 0x88B6  # IEEE 802, local experimental ethertype 2


def vlan() -> dict[str, Any]:
    """The topology vlan: a10 and b10 are in one VLAN, a20 and b20 in the other."""
    with shipped("vlan") as lab:
        return {
            "routers between": {
                f"{a} {b} IPv{family}": count
                for family in BOTH
                for (a, b), count in hop_counts(lab, ["a10", "a20"], ["b10", "b20"], family).items()
            },
            "router's answer": [path(lab, "a10", address(lab["b20"], family))[0] for family in BOTH],
            "connections from": [tcp_exchange(lab, "a10", "b20", family) for family in BOTH],
            "hear a broadcast of a10": _broadcast(lab),
            "tags on the trunk": {name: _tag(lab, name) for name in ("a10", "b20")},
            "see a frame of a10 with the tag 20": _foreign_tag(lab),
        }


def _broadcast(lab: Lab) -> list[str]:
    with udp_socket(lab, "a10") as sending, lab.observe() as seen:
        sending.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        sending.sendto(b"everyone", ("10.0.10.255", PORT))
        _settle(lab)
    found = sightings(seen, protocol="udp", payload=b"everyone")
    return sorted(f"{packet.host}:{packet.interface}" for packet in found if packet.host != "switch" and packet.direction == "in")


def _foreign_tag(lab: Lab) -> list[str]:
    """A host that tags its frames by itself must not get into another VLAN that way."""
    header = bytes.fromhex("ff" * 6 + lab["a10"].interfaces["eth0"].hardware.replace(":", ""))
    with lab["a10"].space.packet_socket("eth0") as sending, lab.observe() as seen:
        for kind in (struct.pack(">HHH", 0x8100, 20, EXPERIMENTAL), struct.pack(">H", EXPERIMENTAL)):
            sending.send(header + kind + b"tagged" * (len(kind) > 2) + bytes(46))
        _settle(lab)
    found = {packet.host: packet.data for packet in sightings(seen, ethertype=EXPERIMENTAL) if packet.direction == "in"}
    assert {"b10", "router"} <= found.keys(), "the frame without a tag came through"
    return sorted(name for name, data in found.items() if b"tagged" in data and name != "switch")


def _settle(lab: Lab) -> None:
    """Datagrams between all, over every link: what has not come before them was not underway."""
    names = ("a10", "b10", "a20", "b20")
    hop_counts(lab, names, names)


def _tag(lab: Lab, name: str) -> int:
    """The VLAN in the tag of a host's datagram to the router, where it comes in."""
    vlan_of = "eth0.10" if name.endswith("10") else "eth0.20"
    router = lab["router"]
    with udp_socket(lab, name) as sending, router.space.packet_socket("eth0", ignore_outgoing=True) as seeing:
        seeing.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        seeing.settimeout(5)
        sending.sendto(f"from {name}".encode(), (address(router, 4, vlan_of), PORT))
        while True:
            data, controls, _, _ = seeing.recvmsg(2000, 100)
            if data.endswith(f"from {name}".encode()):
                (value,) = (value for level, kind, value in controls if (level, kind) == (SOL_PACKET, PACKET_AUXDATA))
                return int(AUXDATA.unpack_from(value)[5]) & 0xFFF


def vrf() -> dict[str, Any]:
    """The topology vrf: red1 and red2 are one customer, blue1 and blue2 the other."""
    found: dict[str, Any] = {}
    with shipped("vrf") as lab:
        for family in BOTH:
            one, other = address(lab["red1"], family), address(lab["blue1"], family)
            found[f"IPv{family}"] = {
                "red1 and blue1 have the same address": one == other,
                "routers between": [
                    hop_counts(lab, [f"{who}1"], [f"{who}2"], family)[f"{who}1", f"{who}2"] for who in ("red", "blue")
                ],
                "connections from": [tcp_exchange(lab, f"{who}1", f"{who}2", family) == one for who in ("red", "blue")],
                "see what red2 and blue2 send to that address": _to_the_same(lab, one, family),
                "red1 to blue2": _refusal(lab, "red1", address(lab["blue2"], family), family),
                "blue1 to red2": _refusal(lab, "blue1", address(lab["red2"], family), family),
            }
    return found


def _to_the_same(lab: Lab, to: str, family: int) -> dict[str, list[str]]:
    with (
        udp_socket(lab, "red1", family, PORT) as red,
        udp_socket(lab, "blue1", family, PORT) as blue,
        udp_socket(lab, "red2", family) as from_red,
        udp_socket(lab, "blue2", family) as from_blue,
        lab.observe() as seen,
    ):
        from_red.sendto(b"red", (to, PORT))
        from_blue.sendto(b"blue", (to, PORT))
        assert (red.recv(16), blue.recv(16)) == (b"red", b"blue")
    return {word: sorted(who_saw(seen, protocol="udp", payload=word.encode())) for word in ("red", "blue")}


def _refusal(lab: Lab, name: str, to: str, family: int) -> list[Any]:
    """The ICMP error that a datagram draws: errno, type, code and whether it came from the router's nearest address."""
    with udp_socket(lab, name, family) as asking:
        tell_errors(asking, family)
        asking.sendto(b"is there a way?", (to, PORT))
        told = next_error(asking, family)
    nearest = address(lab["router"], family, {"red1": "eth0", "blue1": "eth2"}[name])
    return [told.errno, told.type, told.code, told.sender == nearest]
