"""vxlan-overlay: one subnet within, UDP without."""

import socket
import threading

import pytest
from topologies_help import BOTH, PORT, address, path, shipped, sightings, tcp_exchange, tcp_listener, who_saw

from netlab.api import Seen
from netlab.timeline.headers import Headers, decode

pytestmark = pytest.mark.netns

VNI = 42
ETHERNET, VXLAN = 14, 8
DISCOVERY = {4: {"protocol": "arp", "type": 1}, 6: {"protocol": "icmp6", "type": 135}}  # who has it?


@pytest.mark.parametrize("family", BOTH)
def test_members_are_neighbours_within_and_a_router_apart_without(family: int) -> None:
    with shipped("vxlan-overlay") as lab:
        inner = {name: address(lab[name], family, "blue") for name in "abc"}
        for near, far in (("a", "b"), ("b", "c"), ("c", "a")):
            assert tcp_exchange(lab, near, far, family, to=inner[far]) == inner[near]
            assert path(lab, near, inner[far]) == [inner[far]]
        outer = address(lab["b"], family, "eth0")
        assert path(lab, "a", outer) == [address(lab["core"], family, "eth0"), outer]


def below(seen: Seen) -> list[Headers]:
    """The IP packets that came to the router below, but for what it says to its own neighbours."""
    found = [decode(packet.data) for packet in sightings(seen) if packet.host == "core" and packet.direction == "in"]
    return [headers for headers in found if headers.is_ip and not headers.nd and not headers.mld]


@pytest.mark.parametrize("family", BOTH)
def test_below_there_is_only_udp_between_outer_addresses(family: int) -> None:
    with shipped("vxlan-overlay") as lab:
        with lab.observe() as seen:
            tcp_exchange(lab, "a", "b", family, to=address(lab["b"], family, "blue"))
        outer = {address(lab[name], 4, "eth0") for name in "abc"}
        inner = {name: address(lab[name], family, "blue") for name in "ab"}
        assert who_saw(seen, protocol="tcp", source=inner["a"]) == {"a", "b"}
    carrying = below(seen)
    assert {(headers.version, headers.protocol, headers.dport) for headers in carrying} == {(4, "udp", 4789)}
    assert {headers.source for headers in carrying} | {headers.target for headers in carrying} <= outer
    # RFC 7348, section 5: flags with the I bit, 24 reserved bits, the network's number, 8 reserved bits
    assert {headers.payload[:VXLAN] for headers in carrying} == {bytes.fromhex("08000000") + VNI.to_bytes(3, "big") + b"\0"}
    frames = [decode(headers.payload[VXLAN:]) for headers in carrying]
    assert {(frame.source, frame.target) for frame in frames if frame.protocol == "tcp"} == {
        (inner["a"], inner["b"]),
        (inner["b"], inner["a"]),
    }


@pytest.mark.parametrize("family", BOTH)
def test_who_is_asked_for_within_is_asked_of_every_member(family: int) -> None:
    with shipped("vxlan-overlay") as lab:
        with lab.observe() as seen:
            tcp_exchange(lab, "a", "b", family, to=address(lab["b"], family, "blue"))
        asking = address(lab["a"], family, "blue")
        asked = who_saw(seen, source=asking, **DISCOVERY[family])
    copies = [headers for headers in below(seen) if decode(headers.payload[VXLAN:]).source == asking]
    first = [headers.target for headers in copies if decode(headers.payload[VXLAN:]).protocol == DISCOVERY[family]["protocol"]][:2]
    assert asked == {"a", "b", "c"}
    assert set(first) == {address(lab[name], 4, "eth0") for name in "bc"}


@pytest.mark.parametrize("family", BOTH)
def test_full_segments_fill_the_packets_below_and_are_not_fragmented(family: int) -> None:
    data = bytes(50_000)
    with (
        shipped("vxlan-overlay") as lab,
        tcp_listener(lab, "b", family) as listener,
        lab["a"].socket(listener.family, socket.SOCK_STREAM) as client,
    ):
        client.settimeout(5)
        with lab.observe() as seen:
            client.connect((address(lab["b"], family, "blue"), PORT))
            sender = threading.Thread(target=client.sendall, args=(data,))
            sender.start()
            with listener.accept()[0] as server:
                found = 0
                while found < len(data):
                    found += len(server.recv(1 << 16))
            sender.join()
    carrying = [packet for packet in sightings(seen, protocol="udp", dport=4789) if packet.host == "core"]
    assert max(packet.length for packet in carrying) == 1500 + ETHERNET
    assert {decode(packet.data).fragment for packet in carrying} == {None}
