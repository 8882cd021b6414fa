from ipaddress import ip_address

from drawn import addresses, end, nat, node, star, topology, vlan, wire

from netlab.topology.planned import NeighbourPlan
from netlab.topology.planning.devices import devices_of
from netlab.topology.planning.neighbours import neighbours_of
from netlab.topology.segments import attachments_of
from netlab.topology.spec import Node, Port, Topology


def neighbours(network: Topology) -> dict[str, tuple[NeighbourPlan, ...]]:
    attachments = attachments_of(network)
    devices, _ = devices_of(network, attachments)
    return neighbours_of(network, attachments, devices)


def known(network: Topology) -> dict[str, list[str]]:
    return {name: [str(each.address) for each in found] for name, found in neighbours(network).items()}


def lan(*nodes: str) -> list[str]:
    return ["s:switch", *nodes]


LINKS = [
    wire("a:eth0 10.0.0.1/24 fd00::1/64", "s:eth0"),
    wire("b:eth0 10.0.0.2/24 fd00::2/64", "s:eth1"),
    wire("s:eth2", "p:eth0 10.0.0.3/24 fd00::3/64"),
    wire("a:eth1 10.1.0.1/24", "c:eth0 10.1.0.2/24"),
]


def test_all_know_each_other_on_every_segment_but_a_peer_needs_nobody() -> None:
    assert neighbours(topology(lan("a", "b", "c", "p:peer"), LINKS, neighbours="all")) == {
        "a": (
            NeighbourPlan(address=ip_address("10.0.0.2"), hardware="02:00:00:00:01:00", index=2),
            NeighbourPlan(address=ip_address("10.0.0.3"), hardware="02:00:00:00:02:01", index=2),
            NeighbourPlan(address=ip_address("fd00::2"), hardware="02:00:00:00:01:00", index=2),
            NeighbourPlan(address=ip_address("fd00::3"), hardware="02:00:00:00:02:01", index=2),
            NeighbourPlan(address=ip_address("10.1.0.2"), hardware="02:00:00:00:03:01", index=4),
        ),
        "b": (
            NeighbourPlan(address=ip_address("10.0.0.1"), hardware="02:00:00:00:00:00", index=2),
            NeighbourPlan(address=ip_address("10.0.0.3"), hardware="02:00:00:00:02:01", index=2),
            NeighbourPlan(address=ip_address("fd00::1"), hardware="02:00:00:00:00:00", index=2),
            NeighbourPlan(address=ip_address("fd00::3"), hardware="02:00:00:00:02:01", index=2),
        ),
        "c": (NeighbourPlan(address=ip_address("10.1.0.1"), hardware="02:00:00:00:03:00", index=3),),
    }


def test_the_kernel_finds_its_neighbours_itself_where_that_is_asked_or_few() -> None:
    assert neighbours(topology(lan("a", "b", "c", "p:peer"), LINKS, neighbours="kernel")) == {}
    assert neighbours(topology(lan("a", "b", "c", "p:peer"), LINKS)) == {}
    assert neighbours(star(100, neighbours="kernel")) == {}


def test_named_nodes_and_those_on_their_segments_know_each_other() -> None:
    assert known(topology(lan("a", "b", "c", "p:peer"), LINKS, neighbours=("b",))) == {
        "a": ["10.0.0.2", "fd00::2"],
        "b": ["10.0.0.1", "10.0.0.3", "fd00::1", "fd00::3"],
    }


def test_in_a_large_segment_the_first_and_last_two_know_everyone_and_everyone_knows_them() -> None:
    found = known(star(40))
    hubs, every = (1, 2, 39, 40), range(1, 41)
    for n in every:
        others = [other for other in (every if n in hubs else hubs) if other != n]
        assert found[f"h{n}"] == [f"10.0.0.{other}" for other in others] + [f"fd00::{other:x}" for other in others]


def test_a_large_segments_routers_and_nats_are_known_as_well() -> None:
    network = star(40)
    routers = [
        wire("r:eth0 10.0.1.1/16 fd00::101/64", "s:eth40"),
        wire("n:eth0 10.0.1.2/16 fd00::102/64", "s:eth41"),
        wire("r:eth1 10.9.0.1/24", "x:eth0 10.9.0.2/24"),
    ]
    nodes: list[str | Node] = [*network.nodes, "r:router", node("n:nat", nat=nat("eth0")), "x"]
    found = known(topology(nodes, [*network.links, *routers]))
    assert found["h7"][:6] == ["10.0.0.1", "10.0.0.2", "10.0.0.39", "10.0.0.40", "10.0.1.1", "10.0.1.2"]
    assert len(found["h7"]) == 12
    assert len(found["r"]) == len(found["n"]) == 2 * 41
    assert "x" not in found


def test_small_segments_beside_a_large_one_are_the_kernels() -> None:
    network = star(40)
    links = [*network.links, wire("h1:eth1 10.9.0.1/24", "x:eth0 10.9.0.2/24")]
    found = neighbours(topology([*network.nodes, "x"], links))
    assert len(found) == 40
    assert {each.index for each in found["h1"]} == {2}


def test_thirty_two_are_few_and_thirty_three_are_many() -> None:
    assert not neighbours(star(32))
    assert neighbours(star(33))


def test_hosts_on_one_segment_share_the_values() -> None:
    found = neighbours(star(40))
    assert all(one is other for one, other in zip(found["h5"], found["h6"], strict=True))


def test_each_vlan_is_a_segment_and_its_device_has_the_neighbours() -> None:
    links = [
        wire(
            end("r:eth0", subinterfaces=(vlan("eth0.10", "10.1.0.1/24"), vlan("eth0.20", "10.2.0.1/24"))),
            end("s:eth0", port=Port(trunk=(10, 20))),
        ),
        wire("a:eth0 10.1.0.2/24", end("s:eth1", port=Port(access=10))),
        wire("b:eth0 10.2.0.2/24", end("s:eth2", port=Port(access=20))),
    ]
    assert neighbours(topology(["s:switch", "r:router", "a", "b"], links, neighbours="all")) == {
        "r": (
            NeighbourPlan(address=ip_address("10.1.0.2"), hardware="02:00:00:00:01:00", index=4),
            NeighbourPlan(address=ip_address("10.2.0.2"), hardware="02:00:00:00:02:00", index=5),
        ),
        "a": (NeighbourPlan(address=ip_address("10.1.0.1"), hardware="02:00:00:00:00:00", index=2),),
        "b": (NeighbourPlan(address=ip_address("10.2.0.1"), hardware="02:00:00:00:00:00", index=2),),
    }


def test_an_address_that_two_have_is_left_to_the_kernel() -> None:
    links = [wire("a:eth0 10.0.0.1/24", "s:eth0"), wire("b:eth0 10.0.0.2/24", "s:eth1"), wire("c:eth0 10.0.0.2/24", "s:eth2")]
    assert known(topology(["s:switch", "a", "b", "c"], links, neighbours="all")) == {"a": [], "b": ["10.0.0.1"], "c": ["10.0.0.1"]}


def test_loopback_addresses_and_those_on_a_link_that_is_down_are_nobodys_neighbours() -> None:
    links = [wire("a:eth0 10.0.0.1/24", "b:eth0 10.0.0.2/24", up=False), wire("a:eth1 10.1.0.1/24", "b:eth1 10.1.0.2/24")]
    lo = {"loopback": addresses("10.9.0.1/32")}
    assert known(topology([node("a", **lo), node("b", **lo)], links, neighbours="all")) == {"a": ["10.1.0.2"], "b": ["10.1.0.1"]}
