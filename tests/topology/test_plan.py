from netlab.document import Document
from netlab.topology.load import load_topology, parse_topology
from netlab.topology.plan import Plan, plan


def planned(text: str) -> Plan:
    return plan(parse_topology(Document.parse(text, "f.yaml")))


def routes(text: str) -> dict[str, list[str]]:
    return {
        node.name: [f"{route.name} via {route.via} on {route.interface}" for route in node.routes] for node in planned(text).nodes
    }


def test_the_plan_of_a_line_of_routers_as_a_whole() -> None:
    lines = plan(load_topology("routed")).lines()
    assert [line for line in lines if "sysctl" not in line and ": name " not in line] == [
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
    assert len(planned(text).node("r0").routes) == 2 * 68


def test_a_link_with_rules_has_a_namespace_in_its_middle() -> None:
    text = "nodes: {a: {}, b: {}}\nlinks:\n  - endpoints: [a, b]\n    impair: {a->b: [{match: S, action: drop}]}\n"
    text += "  - endpoints: [a, b]\n"
    made = planned(text)
    assert [wire.middle for wire in made.wires] == ["middle of a:eth0-b:eth0", None]
    assert "wire a:eth0 - b:eth0, mtu 1500 through middle of a:eth0-b:eth0" in made.lines()


def test_names_stand_for_the_addresses_on_a_shared_link_first() -> None:
    text = "nodes: {a: {}, r: {kind: router}, b: {}, p: {kind: peer}}\nlinks:\n"
    text += "".join(f"  - {{endpoints: [{ends}], subnets: [10.0.{i}.0/24]}}\n" for i, ends in enumerate(("a, r", "r, b", "b, p")))
    made = planned(text)
    assert made.node("b").hosts == (
        ("r", "10.0.1.1"), ("b", "10.0.1.2"), ("b", "10.0.2.1"), ("p", "10.0.2.2"), ("a", "10.0.0.1"), ("r", "10.0.0.2"),
    )  # fmt: skip
    assert made.node("p").hosts == ()
