from ipaddress import ip_interface, ip_network

import pytest
from written import ends, errors, topology

from netlab.errors import Place
from netlab.topology.spec import Endpoint, Overlay

NODES = "nodes: {a: {}, b: {kind: router}, c: {kind: nat, nat: {outside: eth0}}, s: {kind: switch}, p: {kind: peer},\n"
NODES += "  alone: {}}\nlinks:\n"
NODES += (
    "  - {endpoints: [a, s], mtu: 1400}\n  - {endpoints: [b, s]}\n  - {endpoints: [c, s]}\n  - {endpoints: [p, s]}\noverlays:\n"
)


def overlay(keys: str) -> Overlay:
    (found,) = topology(NODES + f"  - {{{keys}}}\n").overlays
    return found


def test_an_overlay_with_every_key() -> None:
    keys = "name: blue, kind: vxlan, vni: 42, port: 8472, nodes: [b, a], over: 6, subnets: [192.168.0.0/24]"
    assert overlay(f"{keys}, addresses: {{a: 192.168.0.9}}, mtu: 1300") == Overlay(
        name="blue",
        vni=42,
        port=8472,
        family=6,
        endpoints=(
            Endpoint(node="b", interface="blue", addresses=(ip_interface("192.168.0.1/24"),)),
            Endpoint(node="a", interface="blue", addresses=(ip_interface("192.168.0.9/24"),)),
        ),
        subnets=(ip_network("192.168.0.0/24"),),
        mtu=1300,
        place=Place("f.yaml", 9, 5),
    )


def test_an_overlay_of_which_little_is_said_is_assigned_subnets_like_a_link() -> None:
    assert overlay("name: blue, vni: 42, nodes: [a, b, c]") == Overlay(
        name="blue",
        vni=42,
        endpoints=tuple(
            Endpoint(node=name, interface="blue", addresses=(ip_interface(f"10.0.1.{i}/24"), ip_interface(f"fd00:0:0:1::{i}/64")))
            for i, name in enumerate("abc", 1)
        ),
        subnets=(ip_network("10.0.1.0/24"), ip_network("fd00:0:0:1::/64")),
        mtu=1350,
        place=Place("f.yaml", 9, 5),
    )


@pytest.mark.parametrize(
    ("keys", "mtu", "families"),
    [
        ("nodes: [b, c]", 1450, {4, 6}),
        ("nodes: [b, c], over: 6", 1430, {4, 6}),
        ("nodes: [a, c], over: 6", 1330, {4, 6}),
        ("nodes: [a, c], mtu: 1279", 1279, {4}),
        ("nodes: [a, c], mtu: 9000", 9000, {4, 6}),
    ],
)
def test_the_mtu_is_what_the_links_of_the_members_leave(keys: str, mtu: int, families: set[int]) -> None:
    found = overlay(f"name: blue, vni: 1, {keys}")
    assert (found.mtu, {subnet.version for subnet in found.subnets}) == (mtu, families)


def test_overlays_that_share_members_have_networks_of_their_own() -> None:
    text = NODES + "  - {name: blue, vni: 1, nodes: [a, b]}\n  - {name: red, vni: 2, nodes: [b, a], addresses: {a: 10.9.0.1/24}}\n"
    text += "  - {name: green, vni: 1, nodes: [a, b], over: 6}\n  - {name: grey, vni: 1, port: 4790, nodes: [a, b]}\n"
    found = ends(text)
    assert {name: found[name] for name in found if "eth" not in name} == {
        "a:blue": "10.0.1.1/24 fd00:0:0:1::1/64", "b:blue": "10.0.1.2/24 fd00:0:0:1::2/64",
        "b:red": "10.9.0.2/24", "a:red": "10.9.0.1/24",
        "a:green": "10.0.2.1/24 fd00:0:0:2::1/64", "b:green": "10.0.2.2/24 fd00:0:0:2::2/64",
        "a:grey": "10.0.3.1/24 fd00:0:0:3::1/64", "b:grey": "10.0.3.2/24 fd00:0:0:3::2/64",
    }  # fmt: skip


def test_an_address_on_a_vlans_interface_carries_an_overlay() -> None:
    text = "nodes: {a: {}, b: {}, s: {kind: switch, vlans: {10: {}}}}\nlinks:\n"
    text += "  - {endpoints: [a, s], vlans: {s: [10]}}\n  - {endpoints: [b, s], vlans: {s: 10}}\n"
    assert ends(text + "overlays: [{name: blue, vni: 1, nodes: [a, b]}]\n")["b:blue"] == "10.0.1.2/24 fd00:0:0:1::2/64"


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ("vni: 1, nodes: [a, b]", ['9:5: the key "name" is missing; add "name:"']),
        ("name: blue, vni: 0, nodes: [a, b]", ["9:23: 0 is too small: it must be at least 1"]),
        ("name: blue, vni: 16777216, nodes: [a, b]", ["9:23: 16777216 is too large: it must be at most 16777215"]),
        ("name: blue, vni: 1, nodes: [a]", ["9:33: too few: 1, at least 2 wanted"]),
        ("name: blue, vni: 1, kind: gre, nodes: [a, b]", ['9:32: "gre" is none of vxlan']),
        ("name: blue, vni: 1, over: 5, nodes: [a, b]", ["9:32: 5 (a number) is none of 4, 6"]),
        ("name: blue, vni: 1, port: 65536, nodes: [a, b]", ["9:32: 65536 is too large: it must be at most 65535"]),
        ("name: blue, vni: 1, nodes: [a, b], mtu: 67", ["9:46: 67 is too small: it must be at least 68"]),
        ("name: blue/1, vni: 1, nodes: [a, b]", [
            '9:12: "blue/1" is no name for an interface; letters, digits, - and _, at most 15 in all, and not lo, br0, '
            "all or default",
        ]),
        ("name: eth0, vni: 1, nodes: [a, b]", [
            "9:12: a has an interface eth0 already; an overlay's name is that of an interface: choose another",
            "9:12: b has an interface eth0 already; an overlay's name is that of an interface: choose another",
        ]),
        ("name: blue, vni: 1, nodes: [a, d]", ['9:37: no node "d"; the nodes are a, alone, b, c, p, s']),
        ("name: blue, vni: 1, nodes: [a, b, a]", ["9:40: a is named twice; remove one of the two"]),
        ("name: blue, vni: 1, nodes: [a, b, s, p]", [
            "9:40: s is a switch, which cannot be in an overlay; its members are hosts and routers",
            "9:43: p is a peer, which cannot be in an overlay; its members are hosts and routers",
        ]),
        ("name: blue, vni: 1, nodes: [a, alone]", [
            "9:37: alone has no IPv4 address on a link, from which to send blue's packets; link it to others",
        ]),
        ("name: blue, vni: 1, nodes: [a, b], addresses: {c: 10.9.0.1/24}", [
            "9:53: c is not in this overlay; its members are a, b",
        ]),
        ("name: blue, vni: 1, nodes: [a, b], addresses: {a: 10.9.0.1/24, b: 10.9.0.1}", [
            "9:72: 10.9.0.1 is the address of a already; choose another",
        ]),
        ("name: blue, vni: 1, nodes: [a, b], subnets: [10.0.0.0/16]", None),
        ("name: blue, vni: 1, nodes: [a, b], subnets: [10.5.0.0/30], mtu: 1279, addresses: {a: 10.6.0.1}", [
            "9:91: 10.6.0.1 is in no subnet of the overlay blue; they are: 10.5.0.0/30",
        ]),
        ("name: blue, vni: 1, nodes: [a, b], subnets: ['fd01::/64'], mtu: 1279", [
            "9:70: IPv6 needs an mtu of at least 1280, and the overlay blue has an IPv6 subnet; raise the mtu, or give IPv4 "
            "subnets only",
        ]),
    ],
)  # fmt: skip
def test_what_is_wrong_with_an_overlay(keys: str, told: list[str] | None) -> None:
    if told is None:
        assert topology(NODES + f"  - {{{keys}}}\n")
    else:
        assert errors(NODES + f"  - {{{keys}}}\n") == told


def test_two_overlays_of_one_node_differ_in_name_and_in_number() -> None:
    text = NODES + "  - {name: blue, vni: 1, nodes: [a, b]}\n  - {name: blue, vni: 2, nodes: [b, c]}\n"
    assert errors(text + "  - {name: red, vni: 1, nodes: [a, c]}\n") == [
        "10:12: b has an overlay blue already; an overlay's name is that of an interface: choose another",
        "11:22: a is in blue with vni 1 and port 4789 already, in line 9; choose another vni",
    ]


def test_an_overlay_does_not_overlap_what_it_travels_over() -> None:
    text = NODES.replace("[b, s]", "[b, s], subnets: [10.7.0.0/24]")
    assert errors(text + "  - {name: blue, vni: 1, nodes: [a, b], subnets: [10.7.0.0/16]}\n") == [
        "9:50: the overlay blue: 10.7.0.0/16 overlaps 10.7.0.0/24 of the segment of s in line 5; choose another"
    ]


def test_links_too_small_for_an_overlay() -> None:
    text = "nodes: {a: {}, b: {}}\nlinks: [{endpoints: [a, b], mtu: 100}]\noverlays: [{name: blue, vni: 1, nodes: [a, b]}]\n"
    assert errors(text) == [
        "3:40: the links of blue's members leave an mtu of 50, and at least 68 are needed; raise the mtu of their links"
    ]
