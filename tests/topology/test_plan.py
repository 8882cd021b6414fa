from ipaddress import ip_address, ip_network

import pytest
from drawn import HERE, addresses, end, nat, node, star, topology, wire

from netlab.document import Document
from netlab.notation.packets import PacketPattern
from netlab.topology.load import load_topology, parse_topology
from netlab.topology.pins import names_interface, sysctls_of
from netlab.topology.plan import plan
from netlab.topology.planned import InterfacePlan, NodePlan, Plan, RoutePlan, RulePlan, WireEnd, WirePlan
from netlab.topology.planning.plan_lines import lines
from netlab.topology.spec import Command, File, PolicyRule, Port, Rule, Shape
from netlab.units import milliseconds


def planned(text: str) -> Plan:
    return plan(parse_topology(Document.parse(text, "f.yaml")))


def routes(text: str) -> dict[str, list[str]]:
    return {
        node.name: [f"{route.name} via {route.via} on {route.interface}" for route in node.routes] for node in planned(text).nodes
    }


def test_the_plan_of_a_line_of_routers_as_a_whole() -> None:
    steps = lines(plan(load_topology("routed")))
    assert [line for line in steps if "sysctl" not in line and ": name " not in line] == [
        "namespace client (host)",
        "namespace r1 (router)",
        "namespace r2 (router)",
        "namespace server (host)",
        "wire client:eth0 - r1:eth0, mtu 1500",
        "wire r1:eth1 - r2:eth0, mtu 1500",
        "wire r2:eth1 - server:eth0, mtu 1500",
        "client: address 10.0.1.1/24 on eth0",
        "client: address fd00:0:0:1::1/64 on eth0",
        "r1: address 10.0.1.2/24 on eth0",
        "r1: address fd00:0:0:1::2/64 on eth0",
        "r1: address 10.0.2.1/24 on eth1",
        "r1: address fd00:0:0:2::1/64 on eth1",
        "r2: address 10.0.2.2/24 on eth0",
        "r2: address fd00:0:0:2::2/64 on eth0",
        "r2: address 10.0.3.1/24 on eth1",
        "r2: address fd00:0:0:3::1/64 on eth1",
        "server: address 10.0.3.2/24 on eth0",
        "server: address fd00:0:0:3::2/64 on eth0",
        "client: route default via 10.0.1.2 on eth0",
        "client: route default via fd00:0:0:1::2 on eth0",
        "r1: route 10.0.3.0/24 via 10.0.2.2 on eth1",
        "r1: route fd00:0:0:3::/64 via fd00:0:0:2::2 on eth1",
        "r2: route 10.0.1.0/24 via 10.0.2.1 on eth0",
        "r2: route fd00:0:0:1::/64 via fd00:0:0:2::1 on eth0",
        "server: route default via 10.0.3.1 on eth0",
        "server: route default via fd00:0:0:3::1 on eth0",
    ]


def test_a_router_takes_the_shortest_way_around_a_ring() -> None:
    text = "nodes: {a: {kind: router}, b: {kind: router}, c: {kind: router}, d: {kind: router}, h: {}}\nlinks:\n"
    text += "".join(
        f"  - endpoints: [{one}, {two}]\n    subnets: [10.0.{i}.0/24]\n"
        for i, (one, two) in enumerate((("a", "b"), ("b", "c"), ("c", "d"), ("d", "a"), ("d", "h")))
    )
    assert routes(text)["a"] == [
        "10.0.1.0/24 via 10.0.0.2 on eth0",
        "10.0.2.0/24 via 10.0.3.1 on eth1",
        "10.0.4.0/24 via 10.0.3.1 on eth1",
    ]
    assert routes(text)["h"] == ["default via 10.0.4.1 on eth0"]


def test_each_family_goes_only_where_it_has_subnets() -> None:
    text = "nodes: {a: {kind: router}, b: {kind: router}, h: {}}\nlinks:\n"
    text += "  - {endpoints: [a, b], subnets: ['fd00:1::/64']}\n  - {endpoints: [b, h], subnets: [10.0.0.0/24, 'fd00:2::/64']}\n"
    assert routes(text) == {
        "a": ["fd00:2::/64 via fd00:1::2 on eth0"],
        "b": [],
        "h": ["default via 10.0.0.1 on eth0", "default via fd00:2::1 on eth0"],
    }


def test_a_host_reaches_a_router_through_a_switch_and_does_not_forward_itself() -> None:
    text = "nodes: {h: {}, s: {kind: switch}, r: {kind: router}, x: {}, y: {}}\nlinks:\n"
    text += "  - endpoints: [h, s]\n  - endpoints: [s, r]\n  - endpoints: [r, x]\n  - endpoints: [x, y]\n"
    assert routes(text) == {
        "h": ["default via 10.0.0.2 on eth0", "default via fd00::2 on eth0"],
        "s": [],
        "r": [],
        "x": ["default via 10.0.1.1 on eth0", "default via fd00:0:0:1::1 on eth0"],
        "y": [],
    }


def test_sysctls_are_pinned_and_the_topology_may_ask_for_others() -> None:
    made = planned(
        "nodes: {h: {sysctls: {net.ipv4.tcp_congestion_control: cubic}}, r: {kind: router}, p: {kind: peer}, s: {kind: switch}}\n"
    )
    pinned = {node.name: dict(node.sysctls) for node in made.nodes}
    assert pinned["p"] == pinned["s"] == {"net.ipv6.conf.all.disable_ipv6": "1", "net.ipv6.conf.default.disable_ipv6": "1"}
    assert pinned["r"] == pinned["h"] | {
        "net.ipv4.tcp_congestion_control": "reno",
        "net.ipv4.ip_forward": "1",
        "net.ipv6.conf.all.forwarding": "1",
        "net.ipv6.conf.default.forwarding": "1",
    }
    assert pinned["h"]["net.ipv4.tcp_congestion_control"] == "cubic"
    assert pinned["h"]["net.ipv4.ip_forward"] == "0"
    assert [(node.forwarding, node.bridge) for node in made.nodes] == [(False, False), (True, False), (False, False), (False, True)]


def test_a_long_line_of_routers_needs_a_larger_ttl() -> None:
    text = "nodes:\n" + "".join(f"  r{i}: {{kind: router}}\n" for i in range(70))
    text += "links:\n" + "".join(f"  - endpoints: [r{i}, r{i + 1}]\n" for i in range(69))
    assert dict(planned(text).node("r0").sysctls)["net.ipv4.ip_default_ttl"] == "255"
    assert len(planned(text).node("r0").routes) == 2 * 8  # 68 subnets, aggregated


def test_a_link_with_rules_has_a_namespace_in_its_middle() -> None:
    text = "nodes: {a: {}, b: {}}\nlinks:\n  - endpoints: [a, b]\n    impair: {a->b: [{match: S, action: drop}]}\n"
    text += "  - endpoints: [a, b]\n"
    made = planned(text)
    assert [wire.middle for wire in made.wires] == ["middle of a:eth0-b:eth0", None]
    assert "wire a:eth0 - b:eth0, mtu 1500 through middle of a:eth0-b:eth0" in lines(made)


def test_a_plan_as_a_whole() -> None:
    four, six = addresses("10.0.0.1/24", "fd00::1/64"), addresses("10.0.0.2/24", "fd00::2/64")
    a = InterfacePlan(name="eth0", index=2, hardware="02:00:00:00:00:00", mtu=1500, addresses=four)
    b = InterfacePlan(name="eth0", index=3, hardware="02:00:00:00:00:01", mtu=1500, addresses=six)
    pinned = tuple(sysctls_of("host", 1).items())
    hosts = (("a", "10.0.0.1"), ("a", "fd00::1"), ("r", "10.0.0.2"), ("r", "fd00::2"))
    network = topology(["a", "r:router"], [wire("a:eth0 10.0.0.1/24 fd00::1/64", "r:eth0 10.0.0.2/24 fd00::2/64")])
    assert plan(network) == Plan(
        nodes=(
            NodePlan(
                name="a",
                kind="host",
                forwarding=False,
                bridge=False,
                interfaces=(a,),
                routes=(
                    RoutePlan(destination=ip_network("0.0.0.0/0"), via=ip_address("10.0.0.2"), interface="eth0"),
                    RoutePlan(destination=ip_network("::/0"), via=ip_address("fd00::2"), interface="eth0"),
                ),
                sysctls=pinned,
                hosts=hosts,
            ),
            NodePlan(
                name="r",
                kind="router",
                forwarding=True,
                bridge=False,
                interfaces=(b,),
                sysctls=tuple(sysctls_of("router", 1).items()),
                hosts=hosts,
            ),
        ),
        wires=(WirePlan(link="a:eth0-r:eth0", a=WireEnd(node="a", interface=a), b=WireEnd(node="r", interface=b), mtu=1500),),
    )


def test_what_a_node_is_given_goes_into_its_plan() -> None:
    asked = node(
        "a",
        loopback=addresses("10.9.0.1/32"),
        rules=(PolicyRule(family=4, priority=7, table=100, source=ip_network("10.0.0.0/24"), interface="lo", mark=3, place=HERE),),
        firewall="table inet filter { }\n",
        firewall_place=HERE,
        resolv="nameserver 10.0.0.1\n",
        env=(("LANG", "C"),),
        files=(File(path="/etc/motd", text="hello", place=HERE),),
        start=(Command(argv=("true",), within=milliseconds(500), place=HERE),),
    )
    found = plan(topology([asked], [])).nodes[0]
    assert found == NodePlan(
        name="a",
        kind="host",
        forwarding=False,
        bridge=False,
        loopback=asked.loopback,
        rules=(RulePlan(family=4, priority=7, table=100, source=ip_network("10.0.0.0/24"), interface="lo", mark=3),),
        sysctls=tuple(sysctls_of("host").items()),
        hosts=(("a", "10.9.0.1"),),
        resolv=asked.resolv,
        env=asked.env,
        files=asked.files,
        start=asked.start,
        nft="table inet filter { }\n",
        nft_place=HERE,
    )


def test_a_switch_is_a_bridge_and_may_speak_stp_and_know_vlans() -> None:
    links = [wire("a:eth0", end("v:eth0", port=Port(access=10))), wire("a:eth1", "s:eth0")]
    made = plan(topology(["a", "v:switch", node("s:switch", stp=True)], links))
    assert [(each.bridge, each.bridge_index, each.stp, each.vlans) for each in made.nodes] == [
        (False, 0, False, False),
        (True, 1 << 20, False, True),
        (True, 1 << 20, True, False),
    ]


def test_a_nat_forwards_and_has_a_ruleset() -> None:
    links = [wire("h:eth0 10.1.0.2/24", "n:eth0 10.1.0.1/24"), wire("n:eth1 10.0.0.1/24", "i:eth0 10.0.0.2/24")]
    found = plan(topology(["h", node("n:nat", nat=nat("eth1")), "i"], links)).node("n")
    assert (found.forwarding, dict(found.sysctls)) == (True, sysctls_of("router"))
    assert "masquerade" in found.nft
    assert "eth1" in found.nft


def test_sysctls_that_name_an_interface_are_set_late() -> None:
    asked = (("net.ipv4.conf.eth0.rp_filter", "1"), ("net.ipv4.ip_forward", "1"), ("net.ipv6.neigh.eth0.retrans_time_ms", "50"))
    found = plan(topology([node("a", sysctls=asked), "b"], [wire("a:eth0", "b:eth0")])).node("a")
    assert found.late_sysctls == (asked[0], asked[2])
    assert dict(found.sysctls) == sysctls_of("host") | {"net.ipv4.ip_forward": "1"}


@pytest.mark.parametrize(
    ("key", "late"),
    [
        ("net.ipv4.conf.eth0.rp_filter", True),
        ("net/ipv4/conf/eth0.10/rp_filter", True),
        ("net.ipv6.neigh.eth0.gc_stale_time", True),
        ("net.ipv4.conf.all.rp_filter", False),
        ("net.ipv6.conf.default.accept_ra", False),
        ("net.ipv4.conf.lo.forwarding", False),
        ("net.ipv4.tcp_congestion_control", False),
        ("net.ipv4.conf", False),
    ],
)
def test_a_sysctl_names_an_interface_or_not(key: str, late: bool) -> None:
    assert names_interface(key) is late


def test_a_wire_has_a_middle_for_its_rules_and_for_its_quantities_and_only_rules_need_user_space() -> None:
    rules = ((("a", "b"), (Rule(match=PacketPattern(flags=frozenset("S")), action="drop", place=HERE),)),)
    slow, fast = (Shape(delay=milliseconds(delay), jitter=milliseconds(0), place=HERE) for delay in (20, 10))
    links = [
        wire("a:e0", "b:e0"),
        wire("a:e1", "b:e1", impair=rules),
        wire("a:e2", "b:e2", shapes=((("b", "a"), slow), (("a", "b"), fast))),
        wire("b:e3", "a:e3", shapes=((("a", "b"), fast),)),
        wire("a:e4", "b:e4", impair=rules, shapes=((("a", "b"), fast),)),
        wire("a:e5", "b:e5", impair=((("a", "b"), ()),)),
    ]
    made = plan(topology(["a", "b"], links))
    assert [(wire.middle, wire.user_space, wire.shapes) for wire in made.wires] == [
        (None, False, (None, None)),
        ("middle of a:e1-b:e1", True, (None, None)),
        ("middle of a:e2-b:e2", False, (fast, slow)),
        ("middle of b:e3-a:e3", False, (None, fast)),
        ("middle of a:e4-b:e4", True, (fast, None)),
        (None, False, (None, None)),
    ]


def test_a_star_of_a_thousand_shares_what_its_hosts_have_in_common() -> None:
    made = plan(star(1000))
    first, last = made.node("h3"), made.node("h998")
    assert first.hosts is last.hosts
    assert first.sysctls is last.sysctls
    assert (len(first.hosts), len(first.neighbours), len(made.node("h1").neighbours)) == (2000, 8, 2 * 999)
