from drawn import addresses, end, node, overlay, topology, vlan, wire

from netlab.topology.segments import attachments_of, domains_of
from netlab.topology.spec import Port, Topology


def together(network: Topology) -> set[frozenset[str]]:
    """The broadcast domains, each as the interfaces of nodes that are in it."""
    switches = {each.name for each in network.nodes if each.kind == "switch"}
    found: dict[int, set[str]] = {}
    for (name, interface), domain in domains_of(network).items():
        if name not in switches:
            found.setdefault(domain, set()).add(f"{name}:{interface}")
    return {frozenset(names) for names in found.values()}


def groups(*texts: str) -> set[frozenset[str]]:
    return {frozenset(text.split()) for text in texts}


def test_switches_that_are_joined_are_one_domain_and_a_link_between_two_nodes_is_another() -> None:
    links = [wire("a:eth0", "s:eth0"), wire("t:eth0", "s:eth1"), wire("t:eth1", "b:eth0"), wire("a:eth1", "b:eth1")]
    assert together(topology(["a", "b", "s:switch", "t:switch"], links)) == groups("a:eth0 b:eth0", "a:eth1 b:eth1")


def test_a_link_that_is_down_joins_nothing() -> None:
    assert together(topology(["a", "b"], [wire("a:eth0", "b:eth0", up=False)])) == groups("a:eth0", "b:eth0")


def test_each_vlan_is_a_domain_across_a_trunk_between_switches_and_to_a_router() -> None:
    links = [
        wire("a:eth0", end("s:eth0", port=Port(access=10))),
        wire("b:eth0", end("s:eth1", port=Port(access=20))),
        wire(end("s:eth2", port=Port(trunk=(10, 20))), end("t:eth0", port=Port(access=30, trunk=(10, 20)))),
        wire("c:eth0", end("t:eth1", port=Port(access=10))),
        wire("d:eth0", end("t:eth2", port=Port(access=30))),
        wire(end("r:eth0", subinterfaces=(vlan("eth0.10"), vlan("eth0.20"))), end("t:eth3", port=Port(access=30, trunk=(10, 20)))),
    ]
    assert together(topology(["a", "b", "c", "d", "r:router", "s:switch", "t:switch"], links)) == groups(
        "a:eth0 c:eth0 r:eth0.10", "b:eth0 r:eth0.20", "d:eth0 r:eth0"
    )


def test_untagged_frames_join_the_vlans_of_two_ports_whatever_their_numbers() -> None:
    links = [
        wire("a:eth0", end("s:eth0", port=Port(access=10))),
        wire(end("s:eth1", port=Port(access=10)), end("t:eth0", port=Port(access=77))),
        wire("b:eth0", end("t:eth1", port=Port(access=77))),
        wire("c:eth0", end("t:eth2", port=Port(access=10))),
    ]
    assert together(topology(["a", "b", "c", "s:switch", "t:switch"], links)) == groups("a:eth0 b:eth0", "c:eth0")


def test_a_switch_without_vlans_passes_tags_on() -> None:
    links = [
        wire("a:eth0", end("s:eth0", port=Port(access=10))),
        wire(end("s:eth1", port=Port(trunk=(10,))), "plain:eth0"),
        wire("plain:eth1", end("r:eth0", subinterfaces=(vlan("eth0.10"),))),
        wire("plain:eth2", "b:eth0"),
    ]
    assert together(topology(["a", "b", "r:router", "s:switch", "plain:switch"], links)) == groups(
        "a:eth0 r:eth0.10", "b:eth0 r:eth0"
    )


def test_frames_without_a_tag_end_at_a_port_that_has_only_tagged_ones() -> None:
    links = [wire(f"{name}:eth0", end(f"s:{name}", port=Port(trunk=(10,)))) for name in "ab"]
    assert together(topology(["a", "b", "s:switch"], links)) == groups("a:eth0", "b:eth0")


def test_an_overlay_is_a_domain_of_its_own() -> None:
    network = topology(["a", "b"], [wire("a:eth0", "b:eth0")], overlay("blue", 42, end("a:blue"), end("b:blue")))
    assert together(network) == groups("a:eth0 b:eth0", "a:blue b:blue")


def test_attachments_are_in_the_order_of_links_then_overlays_then_lo_and_a_subnet_used_twice_is_two_segments() -> None:
    links = [
        wire(end("a:eth0 10.0.0.1/24 fd00::1/64", subinterfaces=(vlan("eth0.5", "10.5.0.1/24"),)), "b:eth0 10.0.0.2/24 fd00::2/64"),
        wire("a:eth1 10.0.0.1/24", "c:eth0 10.0.0.2/24", up=False),
    ]
    blue = overlay("blue", 42, end("a:blue 10.7.0.1/24"), end("b:blue 10.7.0.2/24"))
    found = attachments_of(topology([node("a", loopback=addresses("10.9.0.1/32")), "b", "c", "s:switch"], links, blue))
    assert {name: [(each.interface, str(each.address), each.up) for each in own] for name, own in found.items()} == {
        "a": [
            ("eth0", "10.0.0.1/24", True),
            ("eth0", "fd00::1/64", True),
            ("eth0.5", "10.5.0.1/24", True),
            ("eth1", "10.0.0.1/24", False),
            ("blue", "10.7.0.1/24", True),
            ("lo", "10.9.0.1/32", True),
        ],
        "b": [("eth0", "10.0.0.2/24", True), ("eth0", "fd00::2/64", True), ("blue", "10.7.0.2/24", True)],
        "c": [("eth0", "10.0.0.2/24", False)],
    }
    at = {(name, str(each.address), each.interface): each.segment for name, own in found.items() for each in own}
    assert at["a", "10.0.0.1/24", "eth0"] == at["b", "10.0.0.2/24", "eth0"] != at["a", "10.0.0.1/24", "eth1"]
    assert at["a", "10.7.0.1/24", "blue"] == at["b", "10.7.0.2/24", "blue"]
    assert len(set(at.values())) == 7
