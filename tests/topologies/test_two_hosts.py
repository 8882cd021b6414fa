"""two-hosts: the smallest network that has a sender and a receiver."""

import pytest
from topologies_help import (
    BOTH,
    PORT,
    address,
    hops,
    hosts,
    route,
    shipped,
    sightings,
    tcp_exchange,
    udp_exchange,
    watched,
    who_saw,
)

pytestmark = pytest.mark.netns


def test_each_of_the_two_sends_and_receives_in_both_families() -> None:
    with shipped("two-hosts") as lab:
        assert hosts(lab) == list(lab.nodes) == ["client", "server"]
        for family in BOTH:
            for one, other in (("client", "server"), ("server", "client")):
                assert tcp_exchange(lab, one, other, family) == address(lab[one], family)
                assert udp_exchange(lab, one, other, family) == address(lab[one], family)


def test_they_are_on_one_wire_with_nothing_between() -> None:
    with shipped("two-hosts") as lab:
        assert {name: list(node.interfaces) for name, node in lab.nodes.items()} == {"client": ["eth0"], "server": ["eth0"]}
        for family in BOTH:
            assert hops(lab, "client", "server", family) == 0
            assert route(lab, "client", "server", family) == ["server"]


def test_what_one_sends_the_other_receives_as_it_was_sent() -> None:
    with shipped("two-hosts") as lab:
        with watched(lab) as seen:
            udp_exchange(lab, "client", "server")
        assert who_saw(seen, protocol="udp", dport=PORT) == {"client", "server"}
        for source, target in (("client", "server"), ("server", "client")):
            packets = list(sightings(seen, protocol="udp", source=address(lab[source])))
            assert {(one.host, one.direction) for one in packets} == {(source, "out"), (target, "in")}
            assert packets[0].data == packets[1].data
