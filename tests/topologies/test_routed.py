"""routed: packets are forwarded twice, so that TTLs fall, routes matter, and routers can be asked."""

import errno

import pytest
from icmp_errors import next_error, tell_errors
from topologies_help import (
    BOTH,
    PORT,
    address,
    hop_counts,
    hops,
    path,
    route,
    shipped,
    sightings,
    tcp_exchange,
    udp_exchange,
    udp_socket,
    watched,
    who_saw,
)

from netlab.timeline.headers import decode

pytestmark = pytest.mark.netns


def test_client_and_server_reach_each_other_over_two_routers() -> None:
    with shipped("routed") as lab:
        for family in BOTH:
            assert tcp_exchange(lab, "client", "server", family) == address(lab["client"], family)
            assert udp_exchange(lab, "server", "client", family) == address(lab["server"], family)
            assert route(lab, "client", "server", family) == ["r1", "r2", "server"]
            assert route(lab, "server", "client", family) == ["r2", "r1", "client"]


def test_each_router_takes_one_from_the_ttl() -> None:
    with shipped("routed") as lab:
        for family in BOTH:
            assert hop_counts(lab, ["client"], ["r1", "r2", "server"], family) == {
                ("client", "r1"): 0,
                ("client", "r2"): 1,
                ("client", "server"): 2,
            }
        with watched(lab) as seen:
            udp_exchange(lab, "client", "server")
        there = {one.host: decode(one.data).ttl for one in sightings(seen, dport=PORT) if one.direction == "out"}
        assert there == {"client": 64, "r1": 63, "r2": 62}
        assert who_saw(seen, sport=PORT) == {"client", "r1", "r2", "server"}


def test_routers_can_be_asked() -> None:
    with shipped("routed") as lab:
        assert path(lab, "client", "10.0.3.2") == ["10.0.1.2", "10.0.2.2", "10.0.3.2"]
        assert path(lab, "client", "fd00:0:0:3::2") == ["fd00:0:0:1::2", "fd00:0:0:2::2", "fd00:0:0:3::2"]
        assert hops(lab, "r1", "server") == 1


def test_where_no_route_leads_a_router_says_so() -> None:
    with shipped("routed") as lab, udp_socket(lab, "client") as lost:
        tell_errors(lost, 4)
        lost.sendto(b"lost", ("192.0.2.1", PORT))  # TEST-NET-1: the client's default route leads to r1, which has none
        told = next_error(lost, 4)
        assert (told.errno, told.sender) == (errno.ENETUNREACH, "10.0.1.2")
