from ipaddress import ip_address

from drawn import addresses, line, nat, node, star, topology, wire

from netlab.topology.planning.hosts_file import hosts_of
from netlab.topology.segments import attachments_of
from netlab.topology.spec import Node, Topology


def hosts(network: Topology) -> dict[str, tuple[tuple[str, str], ...]]:
    return hosts_of(network.nodes, attachments_of(network))


ROUTED = [wire("a:eth0 10.0.0.1/24", "r:eth0 10.0.0.2/24"), wire("r:eth1 10.0.1.1/24", "b:eth0 10.0.1.2/24")]


def test_names_stand_for_the_addresses_on_a_shared_segment_first() -> None:
    found = hosts(topology(["a", "r:router", "b", "p:peer"], [*ROUTED, wire("b:eth1 10.0.2.1/24", "p:eth0 10.0.2.2/24")]))
    assert found["a"] == (
        ("a", "10.0.0.1"), ("r", "10.0.0.2"), ("r", "10.0.1.1"), ("b", "10.0.1.2"), ("b", "10.0.2.1"), ("p", "10.0.2.2"),
    )  # fmt: skip
    assert found["b"] == (
        ("r", "10.0.1.1"), ("b", "10.0.1.2"), ("b", "10.0.2.1"), ("p", "10.0.2.2"), ("a", "10.0.0.1"), ("r", "10.0.0.2"),
    )  # fmt: skip
    assert sorted(found) == ["a", "b", "r"]


def test_a_nodes_own_names_come_before_all_others() -> None:
    own = (("printer.example", ip_address("10.0.0.77")), ("b", ip_address("fd00::7")))
    found = hosts(topology([node("a", names=own), "r:router", "b"], ROUTED))
    assert found["a"] == (
        ("printer.example", "10.0.0.77"), ("b", "fd00::7"),
        ("a", "10.0.0.1"), ("r", "10.0.0.2"), ("r", "10.0.1.1"), ("b", "10.0.1.2"),
    )  # fmt: skip


def test_those_on_the_same_segments_share_one_tuple() -> None:
    links = [*star(3).links, wire("h4:eth0 10.0.0.4/16 fd00::4/64", "s:eth3")]
    nodes: list[str | Node] = [
        "s:switch",
        "h1",
        "h2",
        node("h3", names=(("x", ip_address("10.0.0.9")),)),
        node("h4", loopback=addresses("10.9.9.9/32")),
    ]
    found = hosts(topology(nodes, links))
    assert found["h1"] is found["h2"] is found["h4"]
    assert found["h3"] == (("x", "10.0.0.9"), *found["h1"])
    assert found["h1"][-2:] == (("h4", "fd00::4"), ("h4", "10.9.9.9"))


def test_a_nat_is_known_by_its_outside_first_but_inside_by_its_inside() -> None:
    links = [wire("h:eth0 192.168.0.2/24", "n:eth0 192.168.0.1/24"), *[wire("n:eth1 10.0.0.1/24", "r:eth0 10.0.0.2/24")]]
    links.append(wire("r:eth1 10.0.1.1/24", "x:eth0 10.0.1.2/24"))
    found = hosts(topology(["h", node("n:nat", nat=nat("eth1")), "r:router", "x"], links))
    first = {name: next(address for other, address in entries if other == "n") for name, entries in found.items()}
    assert first == {"h": "192.168.0.1", "n": "10.0.0.1", "r": "10.0.0.1", "x": "10.0.0.1"}


def test_everyone_in_a_long_line_knows_every_address_once() -> None:
    found = hosts(line(20))
    every = sorted(found["r0"])
    assert len(set(every)) == len(every) == 2 * 2 * 19
    assert all(sorted(entries) == every for entries in found.values())
    assert found["r7"][:4] == (("r6", "10.0.6.1"), ("r6", "fd00:0:0:6::1"), ("r7", "10.0.6.2"), ("r7", "fd00:0:0:6::2"))
