from collections import deque
from ipaddress import ip_address, ip_network
from itertools import pairwise

import pytest
from drawn import addresses, line, nat, node, route, topology, vrf, wire
from hypothesis import given
from hypothesis import strategies as st

from netlab.topology.networks import Network
from netlab.topology.planned import RoutePlan
from netlab.topology.planning.routes import routes_of
from netlab.topology.segments import attachments_of
from netlab.topology.spec import Node, Topology


def computed(network: Topology) -> dict[str, tuple[RoutePlan, ...]]:
    return routes_of(network.nodes, attachments_of(network))


def routes(network: Topology) -> dict[str, list[str]]:
    return {
        name: [
            (f"{each.name} via {each.via} on {each.interface}" if each.via else f"{each.kind} {each.name}")
            + f" table {each.table}" * bool(each.table)
            for each in found
        ]
        for name, found in computed(network).items()
        if found
    }


def pairs(ring: str) -> list[tuple[str, str]]:
    return list(pairwise([*ring, ring[0]]))


ANYCAST = addresses("10.99.0.1/32")
HOME = [
    wire("client:eth0 192.168.0.2/24 fd00:a::2/64", "home:eth0 192.168.0.1/24 fd00:a::1/64"),
    wire("home:eth1 10.0.0.2/24 fd00:b::2/64", "isp:eth0 10.0.0.1/24 fd00:b::1/64"),
    wire("isp:eth1 10.0.1.1/24 fd00:c::1/64", "server:eth0 10.0.1.2/24 fd00:c::2/64"),
]
HOME_NODES: list[str | Node] = ["client", node("home:nat", nat=nat("eth1")), "isp:router", "server"]


def test_a_host_goes_to_the_first_router_on_its_segments_in_both_families() -> None:
    network = topology(
        ["x:router", "s:switch", "h", "friend", "r:router"],
        [
            wire("h:eth0 10.9.0.1/24", "friend:eth0 10.9.0.2/24"),
            wire("h:eth1 10.0.0.2/24 fd00::2/64", "s:eth0"),
            wire("s:eth1", "x:eth0 10.0.0.1/24 fd00::1/64"),
            wire("r:eth0 10.0.0.3/24 fd00::3/64", "s:eth2"),
        ],
    )
    via_x = (
        RoutePlan(destination=ip_network("0.0.0.0/0"), via=ip_address("10.0.0.1"), interface="eth1"),
        RoutePlan(destination=ip_network("::/0"), via=ip_address("fd00::1"), interface="eth1"),
    )
    assert computed(network) == {"h": via_x, "friend": (), "x": (), "r": ()}


def test_hosts_on_one_segment_share_the_values_of_their_routes() -> None:
    links = [wire("r:eth0 10.0.0.1/24", "s:eth0")]
    links += [wire(f"h{n}:eth0 10.0.0.{n}/24", f"s:eth{n}") for n in (2, 3)]
    found = computed(topology(["s:switch", "r:router", "h2", "h3"], links))
    assert found["h2"][0] is found["h3"][0]


def test_a_router_takes_the_shortest_way_around_a_ring_and_of_two_alike_the_first() -> None:
    links = [wire(f"{a}:{b}0 10.0.{n}.1/24", f"{b}:{a}0 10.0.{n}.2/24") for n, (a, b) in enumerate(pairs("abcd"))]
    assert routes(topology([f"{name}:router" for name in "abcd"], links)) == {
        "a": ["10.0.1.0/24 via 10.0.0.2 on b0", "10.0.2.0/24 via 10.0.3.1 on d0"],
        "b": ["10.0.2.0/24 via 10.0.1.2 on c0", "10.0.3.0/24 via 10.0.0.1 on a0"],
        "c": ["10.0.0.0/24 via 10.0.1.1 on b0", "10.0.3.0/24 via 10.0.2.2 on d0"],
        "d": ["10.0.0.0/24 via 10.0.3.2 on a0", "10.0.1.0/24 via 10.0.2.1 on c0"],
    }


def test_each_family_goes_its_own_way() -> None:
    links = [
        wire("a:b0 10.0.0.1/24 fd00:1::1/64", "b:a0 10.0.0.2/24 fd00:1::2/64"),
        wire("b:c0 fd00:2::1/64", "c:b0 fd00:2::2/64"),
        wire("a:d0 10.0.1.1/24", "d:a0 10.0.1.2/24"),
        wire("d:c0 10.0.2.1/24", "c:d0 10.0.2.2/24"),
        wire("c:h0 10.0.3.1/24 fd00:3::1/64", "h:eth0 10.0.3.2/24 fd00:3::2/64"),
    ]
    assert routes(topology(["a:router", "b:router", "c:router", "d:router", "h"], links))["a"] == [
        "10.0.2.0/24 via 10.0.1.2 on d0",
        "10.0.3.0/24 via 10.0.1.2 on d0",
        "fd00:2::/64 via fd00:1::2 on b0",
        "fd00:3::/64 via fd00:1::2 on b0",
    ]


def test_nobody_outside_a_nat_has_a_route_to_what_lies_behind_it() -> None:
    assert routes(topology(HOME_NODES, HOME)) == {
        "client": ["default via 192.168.0.1 on eth0", "default via fd00:a::1 on eth0"],
        "home": ["default via 10.0.0.1 on eth1", "default via fd00:b::1 on eth1"],
        "server": ["default via 10.0.1.1 on eth0", "default via fd00:c::1 on eth0"],
    }


def test_a_router_behind_a_nat_knows_the_whole_outside_and_the_nat_knows_what_is_behind_that_router() -> None:
    links = [
        wire("h:eth0 10.1.0.2/24", "r:eth0 10.1.0.1/24"),
        wire("r:eth1 10.1.1.2/24", "home:eth0 10.1.1.1/24"),
        wire("home:eth1 10.0.0.2/24", "isp:eth0 10.0.0.1/24"),
        wire("isp:eth1 10.0.1.1/24", "server:eth0 10.0.1.2/24"),
    ]
    nodes: list[str | Node] = ["h", "r:router", node("home:nat", nat=nat("eth1")), "isp:router", "server"]
    assert routes(topology(nodes, links)) == {
        "h": ["default via 10.1.0.1 on eth0"],
        "r": ["10.0.0.0/24 via 10.1.1.1 on eth1", "10.0.1.0/24 via 10.1.1.1 on eth1"],
        "home": ["default via 10.0.0.1 on eth1", "10.1.0.0/24 via 10.1.1.2 on eth0"],
        "server": ["default via 10.0.1.1 on eth0"],
    }


def test_a_nat_behind_a_nat_goes_out_through_it() -> None:
    links = [
        wire("h:eth0 192.168.0.2/24", "home:eth0 192.168.0.1/24"),
        wire("home:eth1 100.64.0.2/24", "carrier:eth0 100.64.0.1/24"),
        wire("carrier:eth1 10.0.0.1/24", "server:eth0 10.0.0.2/24"),
    ]
    nodes: list[str | Node] = ["h", node("home:nat", nat=nat("eth1")), node("carrier:nat", nat=nat("eth1")), "server"]
    assert routes(topology(nodes, links)) == {
        "h": ["default via 192.168.0.1 on eth0"],
        "home": ["default via 100.64.0.1 on eth1"],
    }


def test_two_nats_side_by_side_each_go_out_by_their_own_side() -> None:
    links = [
        wire("s:eth0", "n1:eth0 10.1.0.1/24"),
        wire("s:eth1", "n2:eth0 10.1.0.2/24"),
        wire("n1:eth1 10.2.0.2/24", "isp1:eth0 10.2.0.1/24"),
        wire("n2:eth1 10.3.0.2/24", "isp2:eth0 10.3.0.1/24"),
        wire("isp1:eth1 10.4.0.1/24", "isp2:eth1 10.4.0.2/24"),
    ]
    nodes: list[str | Node] = [
        "s:switch",
        node("n1:nat", nat=nat("eth1")),
        node("n2:nat", nat=nat("eth1")),
        "isp1:router",
        "isp2:router",
    ]
    assert routes(topology(nodes, links)) == {
        # 10.3.0.0/24 is nearer through n2 than through isp1
        "n1": ["default via 10.2.0.1 on eth1", "10.3.0.0/24 via 10.1.0.2 on eth0"],
        "n2": ["default via 10.3.0.1 on eth1", "10.2.0.0/24 via 10.1.0.1 on eth0"],
        "isp1": ["10.3.0.0/24 via 10.4.0.2 on eth1"],
        "isp2": ["10.2.0.0/24 via 10.4.0.1 on eth1"],
    }


def test_the_same_subnet_behind_two_nats_is_two_segments() -> None:
    links = [wire("isp:eth0 10.0.0.1/24", "s:eth0")]
    for n in (1, 2):
        links += [wire(f"h{n}:eth0 192.168.1.2/24", f"n{n}:eth0 192.168.1.1/24"), wire(f"n{n}:eth1 10.0.0.{n + 1}/24", f"s:eth{n}")]
    network = topology(["isp:router", "s:switch", "h1", "h2", *(node(f"n{n}:nat", nat=nat("eth1")) for n in (1, 2))], links)
    assert routes(network) == {
        "h1": ["default via 192.168.1.1 on eth0"],
        "h2": ["default via 192.168.1.1 on eth0"],
        "n1": ["default via 10.0.0.1 on eth1"],
        "n2": ["default via 10.0.0.1 on eth1"],
    }


def test_a_nat_is_no_way_to_anywhere_for_those_on_its_outside() -> None:
    links = [wire("h:eth0 10.0.0.1/24", "n:eth1 10.0.0.2/24"), wire("n:eth0 10.1.0.1/24", "i:eth0 10.1.0.2/24")]
    assert routes(topology(["h", node("n:nat", nat=nat("eth1")), "i"], links)) == {"i": ["default via 10.1.0.1 on eth0"]}


def test_a_vrf_is_computed_for_by_itself_in_its_own_table() -> None:
    links = [
        wire("red:eth0 10.1.0.2/24", "pe:eth0 10.1.0.1/24"),
        wire("blue:eth0 10.1.0.2/24", "pe:eth1 10.1.0.1/24"),
        wire("pe:eth2 10.2.0.1/24", "core:eth0 10.2.0.2/24"),
        wire("core:eth1 10.3.0.1/24", "far:eth0 10.3.0.2/24"),
        wire("pe:eth3 10.4.0.1/24", "free:eth0 10.4.0.2/24"),
    ]
    pe = node("pe:router", vrfs=(vrf("r", 10, "eth0", "eth2"), vrf("b", 20, "eth1")))
    assert routes(topology([pe, "red", "blue", "core:router", "far", "free"], links)) == {
        "pe": [
            "10.3.0.0/24 via 10.2.0.2 on eth2 table 10",
            *2 * ["unreachable default table 10"],
            *2 * ["unreachable default table 20"],
        ],
        "core": ["10.1.0.0/24 via 10.2.0.1 on eth0"],
        "red": ["default via 10.1.0.1 on eth0"],
        "blue": ["default via 10.1.0.1 on eth0"],
        "far": ["default via 10.3.0.1 on eth0"],
        "free": ["default via 10.4.0.1 on eth0"],
    }


def test_a_host_with_a_vrf_has_a_default_route_in_each_table() -> None:
    links = [wire("h:eth0 10.0.0.2/24", "a:eth0 10.0.0.1/24"), wire("h:eth1 10.1.0.2/24", "b:eth0 10.1.0.1/24")]
    assert routes(topology([node("h", vrfs=(vrf("red", 10, "eth1"),)), "a:router", "b:router"], links))["h"] == [
        "default via 10.0.0.1 on eth0",
        "default via 10.1.0.1 on eth1 table 10",
        *2 * ["unreachable default table 10"],
    ]


def test_given_routes_come_last_and_take_the_place_of_computed_ones() -> None:
    given = (
        route("0.0.0.0/0", "192.168.0.9", metric=5),
        route("::/0", kind="unreachable", metric=1024),
        route("10.0.0.0/8", interface="eth0", source="192.168.0.2", mtu=1400, table=254),
        route("0.0.0.0/0", "192.168.0.8", table=100),
    )
    plans = computed(topology([node("client", routes=given), *HOME_NODES[1:]], HOME))["client"]
    assert plans == (
        RoutePlan(destination=ip_network("0.0.0.0/0"), via=ip_address("192.168.0.1"), interface="eth0"),
        RoutePlan(destination=ip_network("0.0.0.0/0"), via=ip_address("192.168.0.9"), metric=5),
        RoutePlan(destination=ip_network("::/0"), kind="unreachable", metric=1024),
        RoutePlan(destination=ip_network("10.0.0.0/8"), interface="eth0", source=ip_address("192.168.0.2"), mtu=1400, table=254),
        RoutePlan(destination=ip_network("0.0.0.0/0"), via=ip_address("192.168.0.8"), table=100),
    )


def test_the_main_tables_number_is_the_main_table() -> None:
    given = (route("0.0.0.0/0", "192.168.0.9", table=254), route("::/0", "fd00:a::9"))
    assert routes(topology([node("client", routes=given), *HOME_NODES[1:]], HOME))["client"] == [
        "default via 192.168.0.9 on  table 254",
        "default via fd00:a::9 on ",
    ]


def test_without_auto_only_given_routes_are_there_and_others_still_go_through() -> None:
    nodes: list[str | Node] = ["client", HOME_NODES[1], node("isp:router", auto_routes=False), node("server", auto_routes=False)]
    assert routes(topology(nodes, HOME)) == {
        "client": ["default via 192.168.0.1 on eth0", "default via fd00:a::1 on eth0"],
        "home": ["default via 10.0.0.1 on eth1", "default via fd00:b::1 on eth1"],
    }


def test_no_way_leads_over_a_link_that_is_down() -> None:
    links = [wire(f"{a}:{b}0 10.0.{n}.1/24", f"{b}:{a}0 10.0.{n}.2/24", up=n != 0) for n, (a, b) in enumerate(pairs("abc"))]
    assert routes(topology([f"{name}:router" for name in "abc"], links)) == {
        "a": ["10.0.1.0/24 via 10.0.2.1 on c0"],
        "b": ["10.0.2.0/24 via 10.0.1.2 on c0"],
    }


def test_loopback_addresses_are_reached_through_their_node_and_those_of_several_at_the_nearest() -> None:
    links = [
        wire("near:eth0 10.0.0.2/24", "a:eth0 10.0.0.1/24"),
        wire("a:eth1 10.0.1.1/24", "b:eth0 10.0.1.2/24"),
        wire("b:eth1 10.0.2.1/24", "far:eth0 10.0.2.2/24"),
    ]
    assert routes(topology([node("near", loopback=ANYCAST), "a:router", "b:router", node("far", loopback=ANYCAST)], links)) == {
        "near": ["default via 10.0.0.1 on eth0"],
        "far": ["default via 10.0.2.1 on eth0"],
        "a": ["10.0.2.0/24 via 10.0.1.2 on eth1", "10.99.0.1/32 via 10.0.0.2 on eth0"],
        "b": ["10.0.0.0/24 via 10.0.1.1 on eth0", "10.99.0.1/32 via 10.0.2.2 on eth1"],
    }


def test_a_host_with_a_loopback_address_is_not_passed() -> None:
    links = [
        wire("a:eth0 10.0.0.1/24", "h:eth0 10.0.0.2/24"),
        wire("h:eth1 10.0.1.2/24", "b:eth0 10.0.1.1/24"),
        wire("b:eth1 10.0.2.1/24", "x:eth0 10.0.2.2/24"),
    ]
    assert routes(topology(["a:router", node("h", loopback=ANYCAST), "b:router", "x"], links)) == {
        "a": ["10.99.0.1/32 via 10.0.0.2 on eth0"],
        "h": ["default via 10.0.0.1 on eth0"],
        "b": ["10.99.0.1/32 via 10.0.1.2 on eth0"],
        "x": ["default via 10.0.2.1 on eth0"],
    }


def test_a_loopback_address_is_reached_where_its_family_is() -> None:
    links = [
        wire("a:eth0 10.0.0.1/24 fd00::1/64", "s:eth0"),
        wire("h:eth0 10.0.0.2/24", "s:eth1"),
        wire("a:eth1 10.1.0.1/24 fd01::1/64", "t:eth0"),
        wire("h:eth1 fd01::2/64", "t:eth1"),
    ]
    h = node("h", loopback=addresses("10.99.0.1/32", "fd99::1/128"))
    assert routes(topology(["a:router", h, "s:switch", "t:switch"], links))["a"] == [
        "10.99.0.1/32 via 10.0.0.2 on eth0",
        "fd99::1/128 via fd01::2 on eth1",
    ]


def test_one_family_may_have_an_address_twice_where_the_other_has_two() -> None:
    near, far = (node(name, loopback=addresses(f"10.99.0.{n}/32", "fd99::1/128")) for n, name in enumerate(["near", "far"], 1))
    links = [
        wire("near:eth0 10.0.0.2/24 fd00::2/64", "a:eth0 10.0.0.1/24 fd00::1/64"),
        wire("a:eth1 10.0.1.1/24 fd01::1/64", "b:eth0 10.0.1.2/24 fd01::2/64"),
        wire("b:eth1 10.0.2.1/24 fd02::1/64", "far:eth0 10.0.2.2/24 fd02::2/64"),
    ]
    assert routes(topology([near, far, "a:router", "b:router"], links))["a"] == [
        "10.0.2.0/24 via 10.0.1.2 on eth1",
        "10.99.0.1/32 via 10.0.0.2 on eth0",
        "10.99.0.2/32 via 10.0.1.2 on eth1",
        "fd02::/64 via fd01::2 on eth1",
        "fd99::1/128 via fd00::2 on eth0",
    ]


def test_of_a_gateways_addresses_on_one_segment_the_first_is_used() -> None:
    links = [
        wire("a:eth0 10.0.0.1/24", "s:eth0"),
        wire("b:eth0 10.0.0.2/24 10.0.0.3/24", "s:eth1"),
        wire("b:eth1 10.0.0.4/24", "s:eth2"),
        wire("b:eth2 10.1.0.1/24", "h:eth0 10.1.0.2/24"),
    ]
    assert routes(topology(["a:router", "b:router", "h", "s:switch"], links))["a"] == ["10.1.0.0/24 via 10.0.0.2 on eth0"]


def test_a_nat_with_both_sides_on_one_segment_does_not_go_out_through_itself() -> None:
    links = [wire("n:eth0 10.0.0.1/24", "s:eth0"), wire("n:eth1 10.0.0.2/24", "s:eth1"), wire("h:eth0 10.0.0.3/24", "s:eth2")]
    assert routes(topology([node("n:nat", nat=nat("eth1")), "h", "s:switch"], links)) == {"h": ["default via 10.0.0.1 on eth0"]}


class Walks:
    """Packets on their way through a network, router by router, as each one's kernel would send them."""

    def __init__(self, network: Topology) -> None:
        self.own = attachments_of(network)
        self.owners = {one.address.ip: one.node for every in self.own.values() for one in every}
        self.subnets = {one.address.network for every in self.own.values() for one in every}
        self.connected = {name: {one.address.network for one in every} for name, every in self.own.items()}
        self.tables = computed(network)

    def passed(self, source: str, to: Network) -> int | None:
        """How many routers a packet has come through when it is on a subnet, None if there was no route."""
        here = source
        for passed in range(len(self.own)):
            if to in self.connected[here]:
                return passed
            fitting = [each for each in self.tables.get(here, ()) if each.destination.version == to.version and covers(each, to)]
            best = max(fitting, key=lambda each: each.destination.prefixlen, default=None)
            if best is None or best.via is None:
                return None
            here = self.owners[best.via]
        raise AssertionError(f"a packet from {source} to {to} goes round in circles")

    def distances(self, source: str, family: int) -> dict[Network, int]:
        """How many routers lie between, on a shortest way to each subnet."""
        on: dict[int, set[str]] = {}
        for every in self.own.values():
            for one in every:
                if one.address.version == family:
                    on.setdefault(one.segment, set()).add(one.node)
        near, queue = {source: 0}, deque([source])
        found: dict[Network, int] = {}
        while queue:
            here = queue.popleft()
            for one in self.own[here]:
                if one.address.version == family:
                    found.setdefault(one.address.network, near[here])
                    for other in on[one.segment] - near.keys():
                        near[other] = near[here] + 1
                        queue.append(other)
        return found


def covers(route: RoutePlan, to: Network) -> bool:
    return int(route.destination.network_address) <= int(to.network_address) <= int(route.destination.broadcast_address)


def check_all(network: Topology) -> None:
    walks = Walks(network)
    for source in walks.own:
        shortest = walks.distances(source, 4) | walks.distances(source, 6)
        passed = {subnet: walks.passed(source, subnet) for subnet in walks.subnets}
        assert passed == {subnet: shortest.get(subnet) for subnet in walks.subnets}, source


@given(
    st.integers(2, 6).flatmap(
        lambda count: st.tuples(
            st.just(count),
            st.lists(st.tuples(st.sets(st.integers(0, count - 1), min_size=1, max_size=3), st.integers(1, 3)), max_size=9),
        )
    )
)
def test_everything_is_reached_on_a_shortest_way_without_circles(drawn: tuple[int, list[tuple[set[int], int]]]) -> None:
    count, segments = drawn
    links = []
    for n, (members, families) in enumerate(segments):
        for at in sorted(members):
            four = f" 10.0.{n}.{at + 1}/24" * bool(families & 1)
            links.append(wire(f"r{at}:eth{n}{four}" + f" fd00:0:0:{n}::{at + 1}/64" * bool(families & 2), f"s{n}:eth{at}"))
    check_all(topology([*(f"r{n}:router" for n in range(count)), *(f"s{n}:switch" for n in range(len(segments)))], links))


def test_large_tables_are_aggregated_and_lead_everything_the_same_way() -> None:
    width, height = 6, 7
    pairs = [((x, y), (x + 1, y)) for y in range(height) for x in range(width - 1)]
    pairs += [((x, y), (x, y + 1)) for y in range(height - 1) for x in range(width)]
    links = [
        wire(f"r{a[0]}{a[1]}:to{b[0]}{b[1]} 10.{n}.0.1/16", f"r{b[0]}{b[1]}:to{a[0]}{a[1]} 10.{n}.0.2/16")
        for n, (a, b) in enumerate(pairs)
    ]
    network = topology([f"r{x}{y}:router" for x in range(width) for y in range(height)], links)
    assert len(links) > 32
    assert max(len(found) for found in computed(network).values()) < 64
    check_all(network)


@pytest.mark.parametrize(("routers", "routes_of_the_first"), [(34, 2 * 32), (35, 2 * 6)])
def test_there_is_a_route_for_each_subnet_until_these_are_more_than_32(routers: int, routes_of_the_first: int) -> None:
    assert len(computed(line(routers))["r0"]) == routes_of_the_first


def test_a_given_route_keeps_its_rank_among_aggregated_ones() -> None:
    network = line(100)
    given = (route("10.0.64.0/22", kind="blackhole"),)
    nodes = (node("r0:router", routes=given), *network.nodes[1:])
    found = routes_of(nodes, attachments_of(network))["r0"]
    inside = [each.name for each in found if each.destination.version == 4 and each.destination.overlaps(given[0].destination)]
    assert inside == ["10.0.64.0/24", "10.0.65.0/24", "10.0.66.0/24", "10.0.67.0/24", "10.0.64.0/22"]
