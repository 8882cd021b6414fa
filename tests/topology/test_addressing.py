from ipaddress import ip_interface, ip_network
from typing import Any

import pytest
from written import ends, errors, topology

from netlab.topology.reading.pools import Pool

TWO = "nodes: {a: {}, b: {}}\nlinks:\n"
LAN = "nodes: {a: {}, b: {}, c: {}, s: {kind: switch}}\nlinks:\n"


def test_a_duplicate_address_may_be_meant() -> None:
    text = LAN + "  - {endpoints: [a, s], addresses: {a: 10.0.0.5/24}}\n"
    text += "  - {endpoints: [b, s], addresses: {b: 10.0.0.5}, allow_duplicate: true}\n  - {endpoints: [c, s]}\n"
    assert ends(text) == {
        "a:eth0": "10.0.0.5/24",
        "s:eth0": "",
        "b:eth0": "10.0.0.5/24",
        "s:eth1": "",
        "c:eth0": "10.0.0.1/24",
        "s:eth2": "",
    }


@pytest.mark.parametrize(("who", "meant"), [("a", True), ("b", True), ("c", False)])
def test_either_link_may_say_that_a_duplicate_is_meant(who: str, meant: bool) -> None:
    text = LAN + "".join(
        f"  - {{endpoints: [{name}, s], addresses: {{{name}: {address}}}, allow_duplicate: {str(name == who).lower()}}}\n"
        for name, address in (("a", "10.0.0.5/24"), ("b", "10.0.0.5"), ("c", "10.0.0.6"))
    )
    told = "4:40: 10.0.0.5 is the address of a already; choose another, or allow_duplicate: true on the link if it is meant"
    assert bool(topology(text)) if meant else errors(text) == [told]


def test_one_link_that_allows_a_duplicate_does_not_speak_for_two_others() -> None:
    text = LAN + "  - {endpoints: [a, s], addresses: {a: 10.0.0.5/24}, allow_duplicate: true}\n"
    text += "  - {endpoints: [b, s], addresses: {b: 10.0.0.5}}\n  - {endpoints: [c, s], addresses: {c: 10.0.0.5}}\n"
    assert errors(text) == [
        "5:40: 10.0.0.5 is the address of b already; choose another, or allow_duplicate: true on the link if it is meant"
    ]


def test_one_interface_has_an_address_once_whatever_is_allowed() -> None:
    text = TWO + "  - {endpoints: [a, b], addresses: {a: [10.0.0.5/24, 10.0.0.5]}, allow_duplicate: true}\n"
    assert errors(text) == ["3:54: 10.0.0.5 is given to a twice; remove one of the two"]


def test_subnets_may_be_used_again_behind_two_nats_when_that_is_meant() -> None:
    text = "nodes: {a: {}, x: {kind: nat}, y: {kind: nat}, b: {}}\nlinks:\n  - {endpoints: [a, x], subnets: [192.168.1.0/24]}\n"
    text += "  - {endpoints: [x, y]}\n  - {endpoints: [b, y], subnets: [192.168.1.0/24]}\n"
    assert errors(text) == [
        "5:34: the link b-y: 192.168.1.0/24 overlaps 192.168.1.0/24 of the link a-x in line 3; choose another, or "
        "allow_duplicate: true on the link if it is meant"
    ]
    meant = ends(text.replace("[b, y],", "[b, y], allow_duplicate: true,"))
    assert (meant["a:eth0"], meant["b:eth0"]) == ("192.168.1.1/24", "192.168.1.1/24")


def test_addresses_of_loopbacks_are_kept_and_anycast_is_one_address_on_several() -> None:
    text = "nodes: {a: {loopback: [10.99.0.1/32, 'fd99::1/128']}, b: {kind: router, loopback: 10.99.0.1}, c: {}}\nlinks:\n"
    read = topology(text + "  - {endpoints: [a, b]}\n  - {endpoints: [b, c]}\n")
    assert {node.name: node.loopback for node in read.nodes} == {
        "a": (ip_interface("10.99.0.1/32"), ip_interface("fd99::1/128")),
        "b": (ip_interface("10.99.0.1/32"),),
        "c": (),
    }


def test_what_is_assigned_leaves_loopbacks_alone() -> None:
    text = "nodes: {a: {loopback: [10.0.0.1, 10.1.1.1]}, b: {loopback: 'fd00::1'}, c: {}}\nlinks:\n"
    text += "  - {endpoints: [a, b]}\n  - {endpoints: [b, c], subnets: [10.1.1.0/24]}\n"
    assert ends(text) == {
        "a:eth0": "10.0.1.1/24 fd00:0:0:1::1/64", "b:eth0": "10.0.1.2/24 fd00:0:0:1::2/64",
        "b:eth1": "10.1.1.2/24", "c:eth0": "10.1.1.3/24",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("nodes", "told"),
    [
        ("a: {loopback: [10.9.0.1, 10.9.0.1]}, b: {}", ["1:34: 10.9.0.1 is given to a twice; remove one of the two"]),
        ("a: {loopback: 127.0.0.2}, b: {}", ["1:23: 127.0.0.2/32 cannot be used on lo: 127.0.0.0/8 is loopback"]),
        ("a: {loopback: here}, b: {}", ['1:23: "here" is no address; write for example 10.99.0.1/32']),
        ("a: {loopback: 'fd00::1%eth0'}, b: {}", ['1:23: "fd00::1%eth0" is no address; write for example 10.99.0.1/32']),
        ("a: {loopback: 5}, b: {}", ["1:23: 5 (a number) is no address; write for example 10.99.0.1/32"]),
        ("a: {loopback: 10.9.0.1/16}, b: {loopback: 10.9.0.2/16}", []),
        ("a: {loopback: 10.5.0.1/16}, b: {}", [
            "3:34: the link a-b: 10.5.5.0/24 overlaps 10.5.0.0/16 of the loopback of a in line 1; choose another, or "
            "allow_duplicate: true on the link if it is meant",
        ]),
        ("a: {}, b: {loopback: 10.5.5.5}", []),
    ],
)  # fmt: skip
def test_loopbacks(nodes: str, told: list[str]) -> None:
    text = f"nodes: {{{nodes}}}\nlinks:\n  - {{endpoints: [a, b], subnets: [10.5.5.0/24]}}\n"
    if told:
        assert errors(text) == told
    else:
        assert topology(text)


def test_chosen_addresses_that_say_their_subnets_must_agree() -> None:
    text = TWO + "  - {endpoints: [a, b], addresses: {a: 10.0.0.5/24, b: 10.0.0.6/16}}\n"
    assert errors(text) == [
        "3:5: 10.0.0.0/16 overlaps another of the same link; choose another",
        "3:56: 10.0.0.6/16 has another prefix length than its subnet 10.0.0.0/24; write 10.0.0.6/24",
    ]


def test_addresses_are_not_chosen_from_very_many_subnets() -> None:
    text = TWO + f"  - {{endpoints: [a, b], addresses: {{a: [{', '.join(f'10.0.{i}.1/24' for i in range(17))}]}}}}\n"
    assert errors(text) == [
        "3:5: the link a-b: the addresses chosen here are of 17 subnets, and 16 are allowed; choose them from fewer subnets",
        "3:255: 10.0.16.1/24 is in no subnet of the link a-b; they are: 10.0.0.0/24, 10.0.1.0/24, 10.0.2.0/24, 10.0.3.0/24, "
        "10.0.4.0/24, 10.0.5.0/24, 10.0.6.0/24, 10.0.7.0/24, 10.0.8.0/24, 10.0.9.0/24, 10.0.10.0/24, 10.0.11.0/24, ...",
    ]


def test_a_segment_may_have_several_subnets() -> None:
    text = TWO + "  - {endpoints: [a, b], subnets: [10.0.0.0/24, 10.0.1.0/24], addresses: {b: 10.0.1.1}}\n"
    assert ends(text) == {"a:eth0": "10.0.0.1/24 10.0.1.2/24", "b:eth0": "10.0.0.2/24 10.0.1.1/24"}


@pytest.mark.parametrize(
    ("family", "taken", "count", "subnets"),
    [
        (4, [], 2, ["10.0.0.0/24", "10.0.1.0/24"]),
        (6, [], 2, ["fd00::/64", "fd00:0:0:1::/64"]),
        (4, [], 255, ["10.0.0.0/23", "10.0.2.0/23"]),
        (4, ["10.0.0.128/25", "10.0.2.0/23"], 2, ["10.0.1.0/24", "10.0.4.0/24"]),
        (4, ["10.0.0.0/8", "10.0.5.0/24"], 2, ["172.16.0.0/24", "172.16.1.0/24"]),
        (4, ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/11"], 2, ["100.96.0.0/24", "100.96.1.0/24"]),
        (4, ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"], 2, [None, None]),
        (4, [], 2**24, [None, None]),
        (6, ["fd00::/8"], 2, [None, None]),
    ],
)
def test_subnets_are_counted_off_around_those_that_are_taken(family: int, taken: list[str], count: int, subnets: list[Any]) -> None:
    pool = Pool(family, [ip_network(each) for each in taken])
    assert [pool.take(count), pool.take(count)] == [each and ip_network(each) for each in subnets]


def test_when_nothing_is_left_to_assign() -> None:
    text = (
        TWO
        + "  - {endpoints: [a, b], subnets: [10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, 100.64.0.0/10]}\n  - {endpoints: [b, a]}\n"
    )
    assert errors(text) == [
        "4:5: the link b-a: no IPv4 subnet with 2 addresses is left to assign; give its subnets, or smaller ones elsewhere"
    ]
