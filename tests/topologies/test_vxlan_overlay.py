"""vxlan-overlay: one subnet within, UDP without."""

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
from topologies_help import BOTH, PORT, address, path, shipped, sightings, tcp_exchange, tcp_listener, who_saw

from netlab.api import Lab, Seen
from netlab.errors import HostError
from netlab.timeline.headers import Headers, decode

pytestmark = pytest.mark.netns

VNI = 42
ETHERNET, VXLAN = 14, 8
DISCOVERY = {4: {"protocol": "arp", "type": 1}, 6: {"protocol": "icmp6", "type": 135}}  # who has it?


@contextmanager
def overlay() -> Iterator[Lab]:
    with ExitStack() as stack:
        try:
            lab = stack.enter_context(shipped("vxlan-overlay"))
        except HostError as lacking:
            pytest.skip(f"no VXLAN here: {str(lacking).splitlines()[0]}")
        yield lab


@pytest.mark.parametrize("family", BOTH)
def test_members_are_neighbours_within_and_a_router_apart_without(family: int) -> None:
    with overlay() as lab:
        inner = {name: address(lab[name], family, "blue") for name in "abc"}
        for near, far in (("a", "b"), ("b", "c"), ("c", "a")):
            assert tcp_exchange(lab, near, far, family, to=inner[far]) == inner[near]
            assert path(lab, near, inner[far]) == [inner[far]]
        outer = address(lab["b"], family, "eth0")
        assert path(lab, "a", outer) == [address(lab["core"], family, "eth0"), outer]


@pytest.mark.parametrize("family", BOTH)
def test_below_there_is_only_udp_and_who_is_asked_for_within_is_asked_of_every_member(family: int) -> None:
    with overlay() as lab:
        outer = {name: address(lab[name], 4, "eth0") for name in "abc"}
        inner = {name: address(lab[name], family, "blue") for name in "abc"}
        with lab.observe() as seen:
            tcp_exchange(lab, "a", "b", family, to=inner["b"])
        assert who_saw(seen, protocol="tcp", source=inner["a"]) == {"a", "b"}
        assert who_saw(seen, source=inner["a"], **DISCOVERY[family]) == {"a", "b", "c"}
    carrying = below(seen)
    assert {(headers.version, headers.protocol, headers.dport) for headers in carrying} == {(4, "udp", 4789)}
    # RFC 7348, section 5: flags with the I bit, 24 reserved bits, the network's number, 8 reserved bits
    assert {headers.payload[:VXLAN] for headers in carrying} == {bytes.fromhex("08000000") + VNI.to_bytes(3, "big") + b"\0"}
    frames = [(headers, decode(headers.payload[VXLAN:])) for headers in carrying]
    connection = {(headers.source, headers.target, frame.source) for headers, frame in frames if frame.protocol == "tcp"}
    assert connection == {(outer["a"], outer["b"], inner["a"]), (outer["b"], outer["a"], inner["b"])}
    asked = {headers.target for headers, frame in frames if matches(frame, source=inner["a"], **DISCOVERY[family])}
    assert asked == {outer["b"], outer["c"]}


def below(seen: Seen) -> list[Headers]:
    """The IP packets that came to the router below, but for what its neighbours say to itself."""
    found = [decode(packet.data) for packet in sightings(seen) if packet.host == "core" and packet.direction == "in"]
    return [headers for headers in found if headers.is_ip and not headers.nd and not headers.mld]


def matches(headers: Headers, **fields: object) -> bool:
    return all(getattr(headers, name) == value for name, value in fields.items())


@pytest.mark.parametrize("family", BOTH)
def test_full_segments_fill_the_packets_below_and_are_not_fragmented(family: int) -> None:
    data = bytes(50_000)
    with (
        overlay() as lab,
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
