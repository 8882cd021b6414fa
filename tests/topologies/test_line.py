"""line: every router takes one from the TTL, there and back, and reports a packet whose TTL does not reach."""

import pytest
from topologies_help import BOTH, PORT, hop_counts, route, shipped, sightings, tcp_exchange, udp_exchange, watched

from netlab.timeline.headers import decode

pytestmark = pytest.mark.netns


@pytest.mark.parametrize(("routers", "family"), [(5, 4), (5, 6), (1, 6), (17, 4)])
def test_every_router_takes_one_from_the_ttl_there_and_back(routers: int, family: int) -> None:
    with shipped("line", routers=routers) as lab:
        every = [f"r{number}" for number in range(1, routers + 1)]
        ends = ["client", "server"]
        found = hop_counts(lab, ends, [*ends, *every], family)
        there = {("client", name): number for number, name in enumerate(every)}
        back = {("server", name): number for number, name in enumerate(reversed(every))}
        assert found == {**there, **back, ("client", "server"): routers, ("server", "client"): routers}


@pytest.mark.parametrize("family", BOTH)
def test_the_router_at_which_a_packet_ends_reports_it(family: int) -> None:
    with shipped("line") as lab:
        assert route(lab, "client", "server", family) == ["r1", "r2", "r3", "r4", "r5", "server"]
        assert route(lab, "server", "client", family) == ["r5", "r4", "r3", "r2", "r1", "client"]


def test_a_packet_has_a_lower_ttl_on_each_wire() -> None:
    with shipped("line") as lab:
        with watched(lab) as seen:
            udp_exchange(lab, "client", "server", 6)
        there = {one.host: decode(one.data).ttl for one in sightings(seen, dport=PORT) if one.direction == "out"}
        assert there == {"client": 64, "r1": 63, "r2": 62, "r3": 61, "r4": 60, "r5": 59}
        back = {one.host: decode(one.data).ttl for one in sightings(seen, sport=PORT) if one.direction == "out"}
        assert back == {"server": 64, "r5": 63, "r4": 62, "r3": 61, "r2": 60, "r1": 59}


def test_a_line_too_long_for_a_ttl_of_64_is_crossed_all_the_same() -> None:
    with shipped("line", routers=70) as lab:
        for family in BOTH:
            assert hop_counts(lab, ["client"], ["server"], family) == {("client", "server"): 70}
            tcp_exchange(lab, "client", "server", family)
