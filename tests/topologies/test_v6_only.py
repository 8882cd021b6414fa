"""v6-only: neighbour discovery and no ARP, names that are IPv6 addresses, link-local reach, and nowhere to go for IPv4."""

import sys
from ipaddress import IPv6Address

import pytest
from topologies_help import (
    PORT,
    hop_counts,
    hosts,
    route,
    shipped,
    sightings,
    tcp_exchange,
    udp_exchange,
    udp_socket,
    watched,
    who_saw,
)

from netlab.api import Lab
from netlab.timeline.headers import decode

pytestmark = pytest.mark.netns
SOLICITATION, ADVERTISEMENT = 135, 136


def test_all_three_reach_each_other() -> None:
    with shipped("v6-only") as lab:
        assert hop_counts(lab, hosts(lab), hosts(lab), 6) == {
            ("a", "b"): 0,
            ("b", "a"): 0,
            ("a", "far"): 1,
            ("b", "far"): 1,
            ("far", "a"): 1,
            ("far", "b"): 1,
        }
        assert tcp_exchange(lab, "a", "far", 6) == "fd00:0:0:1::1"
        assert route(lab, "b", "far", 6) == ["router", "far"]


def test_neighbours_are_found_by_neighbour_discovery_and_never_by_arp() -> None:
    with shipped("v6-only") as lab:
        with watched(lab) as seen:
            udp_exchange(lab, "a", "b", 6)
            udp_exchange(lab, "a", "far", 6)
        assert who_saw(seen, protocol="icmp6", type=SOLICITATION) >= {"a", "b", "router", "far", "switch"}
        assert who_saw(seen, protocol="icmp6", type=ADVERTISEMENT) >= {"a", "b", "router", "far", "switch"}
        assert {decode(one.data).version for one in sightings(seen) if one.interface != "lo"} == {6}
        assert who_saw(seen, protocol="arp") == set()


def test_every_name_is_an_ipv6_address() -> None:
    with shipped("v6-only") as lab:
        program = "import socket; print([sorted({f[4][0] for f in socket.getaddrinfo(n, 80)}) for n in ('a', 'b', 'far')])"
        told = lab["a"].run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        assert told.stdout == "[['fd00:0:0:1::1'], ['fd00:0:0:1::2'], ['fd00:0:0:2::2']]\n"


def test_link_local_addresses_reach_as_far_as_the_switch() -> None:
    with shipped("v6-only") as lab, udp_socket(lab, "b", 6, PORT) as beside, udp_socket(lab, "a", 6) as sending:
        scope = lab["a"].interfaces["eth0"].index
        with watched(lab) as seen:
            for to in (link_local(lab, "b"), "ff02::1"):
                sending.sendto(b"near", (to, PORT, 0, scope))
                data, source = beside.recvfrom(16)
                assert (data, source[0].partition("%")[0]) == (b"near", link_local(lab, "a"))
        assert who_saw(seen, protocol="udp", target="ff02::1") == {"a", "switch", "b", "router"}


def link_local(lab: Lab, name: str) -> str:
    """The link-local address that a node's kernel made of its MAC address (RFC 4291, appendix A)."""
    mac = bytes.fromhex(lab[name].interfaces["eth0"].hardware.replace(":", ""))
    return str(IPv6Address(b"\xfe\x80" + bytes(6) + bytes((mac[0] ^ 2,)) + mac[1:3] + b"\xff\xfe" + mac[3:]))


def test_an_ipv4_packet_has_nowhere_to_go() -> None:
    with shipped("v6-only") as lab, udp_socket(lab, "a") as lost:
        assert [node.name for node in lab.nodes.values() if any("." in each for each in sum(node.addresses.values(), ()))] == []
        with pytest.raises(OSError, match="Network is unreachable"):
            lost.sendto(b"lost", ("10.0.0.1", PORT))
