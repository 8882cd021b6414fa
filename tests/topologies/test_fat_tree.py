"""fat-tree: all 16 hosts reach each other over 1, 3 or 5 switches, and every one of the 20 switches has work."""

import pytest
from topologies_help import BOTH, PORT, address, hop_counts, hosts, route, shipped, sightings, tcp_exchange, watched

pytestmark = pytest.mark.netns


def place(host: str) -> tuple[int, int]:
    """A host's pod, and its edge switch within."""
    number = int(host[1:]) - 1
    return number // 4 + 1, number % 4 // 2 + 1


def switches_between(one: str, other: str) -> int:
    if place(one) == place(other):
        return 1
    return 3 if place(one)[0] == place(other)[0] else 5


def test_twenty_switches_and_sixteen_hosts_whose_addresses_say_where_they_are() -> None:
    with shipped("fat-tree") as lab:
        assert hosts(lab) == [f"h{number}" for number in range(1, 17)]
        assert sum(node.kind == "router" for node in lab.nodes.values()) == 20
        for host in hosts(lab):
            pod, edge = place(host)
            assert address(lab[host], 4).startswith(f"10.{pod}.{edge}.")
            assert address(lab[host], 6).startswith(f"fd00:{pod}:{edge}:")


def test_every_host_reaches_every_other_over_as_many_switches_as_must_be() -> None:
    with shipped("fat-tree") as lab:
        for family in BOTH:
            expected = {(one, other): switches_between(one, other) for one in hosts(lab) for other in hosts(lab) if one != other}
            assert hop_counts(lab, hosts(lab), hosts(lab), family) == expected
            assert len(expected) == 240
        tcp_exchange(lab, "h1", "h16", 4)
        tcp_exchange(lab, "h16", "h1", 6)


def test_the_way_leads_up_as_far_as_it_must_and_down_again() -> None:
    with shipped("fat-tree") as lab:
        assert route(lab, "h1", "h2") == ["p1-edge1", "h2"]
        assert [name[:-1] for name in route(lab, "h1", "h3")[:-1]] == ["p1-edge", "p1-agg", "p1-edge"]
        assert [name[:-1] for name in route(lab, "h1", "h16", 6)[:-1]] == ["p1-edge", "p1-agg", "core", "p4-agg", "p4-edge"]


def test_what_all_hosts_send_is_spread_over_all_switches() -> None:
    with shipped("fat-tree") as lab:
        with watched(lab) as seen:
            hop_counts(lab, hosts(lab), hosts(lab))
        passed: dict[str, int] = {}
        for packet in sightings(seen, protocol="udp", dport=PORT):
            if packet.direction == "out" and lab[packet.host].kind == "router":
                passed[packet.host] = passed.get(packet.host, 0) + 1
        cores = [passed[f"core{number}"] for number in range(1, 5)]
        above = [passed[f"p{pod}-agg{number}"] for pod in range(1, 5) for number in (1, 2)]
        assert len(passed) == 20
        assert sum(cores) == 16 * 12, "what goes between pods passes one core switch each"
        assert cores == [48] * 4
        assert above == [52] * 8
