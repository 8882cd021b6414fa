from ipaddress import ip_address

import pytest
from drawn import addresses, end, node, overlay, topology, vlan, vrf, wire

from netlab.topology.planned import InterfacePlan, VlanDevice, VrfDevice, VxlanDevice, WireEnd
from netlab.topology.planning.devices import Devices, assigned, devices_of
from netlab.topology.segments import attachments_of
from netlab.topology.spec import Port, Topology


def devices(network: Topology) -> tuple[dict[str, Devices], list[tuple[WireEnd, WireEnd]]]:
    return devices_of(network, attachments_of(network))


def test_every_device_of_a_node_as_a_whole() -> None:
    links = [
        wire(
            end("a:eth0 10.0.0.1/24", subinterfaces=(vlan("eth0.10", "10.1.0.1/24"), vlan("eth0.20"))),
            end("s:eth0", port=Port(access=5, trunk=(10, 20))),
            mtu=9000,
            offloads=frozenset({"tx"}),
        ),
        wire("b:eth0 10.2.0.2/24", "a:eth1 10.2.0.1/24", up=False),
    ]
    blue = overlay("blue", 42, end("a:blue 10.7.0.1/24"), end("b:blue"), end("c:blue"), port=8472)
    links.append(wire("c:eth0 10.0.0.3/24", end("s:eth1", port=Port(access=5))))
    links.append(wire("b:eth1 10.0.0.2/24", end("s:eth2", port=Port(access=5))))
    a = node("a:router", vrfs=(vrf("red", 10, "eth1", "eth0.20", "blue"),))
    made, wires = devices(topology([a, "b", "c", "s:switch"], links, blue))
    eth0 = InterfacePlan(
        name="eth0",
        index=2,
        hardware="02:00:00:00:00:00",
        mtu=9000,
        addresses=addresses("10.0.0.1/24"),
        offloads=frozenset({"tx"}),
    )
    eth1 = InterfacePlan(
        name="eth1", index=5, hardware="02:00:00:00:01:01", mtu=1500, addresses=addresses("10.2.0.1/24"), up=False, master="red"
    )
    assert made["a"] == Devices(
        interfaces=[eth0, eth1],
        vlan=[
            VlanDevice(name="eth0.10", index=6, parent=2, vlan=10, addresses=addresses("10.1.0.1/24")),
            VlanDevice(name="eth0.20", index=7, parent=2, vlan=20, addresses=(), master="red"),
        ],
        vrf=[VrfDevice(name="red", index=8, table=10)],
        vxlan=[
            VxlanDevice(
                name="blue",
                index=9,
                hardware="02:01:00:00:00:00",
                vni=42,
                port=8472,
                local=ip_address("10.0.0.1"),
                remotes=(ip_address("10.0.0.2"), ip_address("10.0.0.3")),
                mtu=1450,
                addresses=addresses("10.7.0.1/24"),
                master="red",
            )
        ],
    )
    assert (made["s"].vlans, [(each.index, each.master, each.port) for each in made["s"].interfaces]) == (
        True,
        [(3, "br0", Port(access=5, trunk=(10, 20))), (5, "br0", Port(access=5)), (7, "br0", Port(access=5))],
    )
    assert wires[1] == (WireEnd(node="b", interface=made["b"].interfaces[0]), WireEnd(node="a", interface=eth1))
    assert made["a"].indices() == {"eth0": 2, "eth1": 5, "eth0.10": 6, "eth0.20": 7, "blue": 9}
    assert made["a"].hardware() == {
        "eth0": "02:00:00:00:00:00",
        "eth1": "02:00:00:00:01:01",
        "eth0.10": "02:00:00:00:00:00",
        "eth0.20": "02:00:00:00:00:00",
        "blue": "02:01:00:00:00:00",
    }


def test_the_two_ends_of_a_wire_never_have_the_same_index() -> None:
    links = [wire(f"{a}:{n}", f"{b}:{n}") for n, (a, b) in enumerate(["ab", "ba", "ac", "cb", "bc"])]  # type: ignore[str-unpack]
    made, wires = devices(topology(["a", "b", "c"], links))
    assert [(a.interface.index % 2, b.interface.index % 2) for a, b in wires] == [(0, 1)] * 5
    for each in made.values():
        indices = [interface.index for interface in each.interfaces]
        assert sorted(set(indices)) == indices
        assert each.next_index > max(indices)


def test_a_chosen_mac_address_is_nobody_elses() -> None:
    links = [wire("a:eth0", end("b:eth0", hardware="02:00:00:00:01:00")), wire("a:eth1", "b:eth1")]
    made, _ = devices(topology(["a", "b"], links))
    assert [each.hardware for each in (*made["a"].interfaces, *made["b"].interfaces)] == [
        "02:00:00:00:00:00",
        "02:02:00:00:01:00",
        "02:00:00:00:01:00",
        "02:00:00:00:01:01",
    ]


@pytest.mark.parametrize(("number", "side", "hardware"), [(0, 0, "02:00:00:00:00:00"), (66051, 1, "02:00:01:02:03:01")])
def test_an_assigned_mac_address_comes_from_the_links_number_and_side(number: int, side: int, hardware: str) -> None:
    assert assigned(number, side) == hardware


def test_an_overlay_sends_between_addresses_on_a_segment_that_all_are_on() -> None:
    links = [
        wire("a:eth0 10.1.0.1/24", "x:eth0 10.1.0.2/24"),
        wire("a:eth1 10.0.0.1/24 fd00::1/64", "s:eth0"),
        wire("b:eth0 10.0.0.2/24 fd00::2/64", "s:eth1"),
    ]
    blue = overlay("blue", 1, end("a:blue 10.7.0.1/24"), end("b:blue 10.7.0.2/24"))
    green = overlay("green", 2, end("a:green"), end("b:green"), family=6)
    made, _ = devices(topology(["a", "b", "x", "s:switch"], links, blue, green))
    assert [(str(each.local), [str(one) for one in each.remotes]) for name in "ab" for each in made[name].vxlan] == [
        ("10.0.0.1", ["10.0.0.2"]),
        ("fd00::1", ["fd00::2"]),
        ("10.0.0.2", ["10.0.0.1"]),
        ("fd00::2", ["fd00::1"]),
    ]


def test_an_overlay_across_routers_sends_from_each_members_first_address() -> None:
    links = [wire("a:eth0 10.0.0.1/24", "r:eth0 10.0.0.2/24"), wire("r:eth1 10.1.0.2/24", "b:eth0 10.1.0.1/24")]
    ends = (end("a:blue 10.7.0.1/24"), end("b:blue 10.7.0.2/24"))
    made, _ = devices(topology(["a", "b", "r:router"], links, overlay("blue", 1, *ends)))
    assert [str(made[name].vxlan[0].local) for name in "ab"] == ["10.0.0.1", "10.1.0.1"]
