from ipaddress import ip_interface, ip_network

import pytest
from written import ends, errors, topology

from netlab.topology.spec import Endpoint, Port, Subinterface

VLANS = "nodes: {h: {}, g: {}, r: {kind: router}, p: {kind: switch}, q: {kind: peer}, s: {kind: switch, vlans: {10: {}, 20: {}}},\n"
VLANS += "  t: {kind: switch, vlans: {10: {}, 30: {}}}}\nlinks:\n"


def test_loops_of_switches_need_the_spanning_tree_protocol() -> None:
    text = "nodes: {s: {kind: switch}, t: {kind: switch}, u: {kind: switch}}\nlinks:\n"
    text += "  - endpoints: [s, t]\n  - endpoints: [t, u]\n  - endpoints: [u, s]\n"
    assert errors(text) == [
        "5:16: this link closes a loop of switches, in which a broadcast would go round for ever; "
        "add stp: true to u or s, or state: down to the link"
    ]
    assert topology(text.replace("t: {kind: switch}", "t: {kind: switch, stp: true}"))
    assert topology(text.replace("[u, s]\n", "[u, s]\n    state: down\n"))
    vlans = text.replace("kind: switch}", "kind: switch, vlans: {1: {}, 2: {}}}")
    vlans = vlans.replace("[s, t]", "[s, t]\n    vlans: {s: 1}").replace("[t, u]", "[t, u]\n    vlans: {t: 1}")
    assert topology(vlans.replace("[u, s]", "[u, s]\n    vlans: {u: [2]}"))
    assert len(errors(vlans.replace("[u, s]", "[u, s]\n    vlans: {u: {access: 1, trunk: [2]}}"))) == 1


def test_each_vlan_is_a_segment_and_trunks_join_them() -> None:
    text = (
        "nodes:\n"
        "  s1: {kind: switch, vlans: {10: {subnets: [10.10.0.0/24]}, 20: {}}}\n"
        "  s2: {kind: switch, vlans: {10: {}, 20: {}}}\n"
        "  a: {}\n  b: {}\n  c: {}\n  r: {kind: router}\n  plain: {kind: switch}\n"
        "links:\n"
        "  - {endpoints: [a, s1], vlans: {s1: 10}}\n"
        "  - {endpoints: [b, s2], vlans: {s2: 20}, subnets: [10.20.0.0/24]}\n"
        "  - {endpoints: [s1, s2], vlans: {s1: [10, 20]}}\n"
        "  - {endpoints: ['r:lan', s1], vlans: {s1: [20, 10]}, addresses: {r: [10.10.0.254, 10.20.0.254]}}\n"
        "  - {endpoints: [plain, s2], vlans: {s2: 10}}\n"
        "  - {endpoints: [plain, c]}\n"
    )
    assert ends(text) == {
        "a:eth0": "10.10.0.1/24", "s1:eth0": "", "b:eth0": "10.20.0.1/24", "s2:eth0": "", "s1:eth1": "", "s2:eth1": "",
        "r:lan": "", "r:lan.20": "10.20.0.254/24", "r:lan.10": "10.10.0.254/24", "s1:eth2": "",
        "plain:eth0": "", "s2:eth2": "", "plain:eth1": "", "c:eth0": "10.10.0.2/24",
    }  # fmt: skip
    links = topology(text).links
    assert [end.port for link in links for end in link.endpoints] == [
        None, Port(access=10), None, Port(access=20), Port(trunk=(10, 20)), Port(trunk=(10, 20)),
        None, Port(trunk=(20, 10)), None, Port(access=10), None, None,
    ]  # fmt: skip
    ten, twenty = ip_network("10.10.0.0/24"), ip_network("10.20.0.0/24")
    assert [link.subnets for link in links] == [(ten,), (twenty,), (ten, twenty), (twenty, ten), (ten,), (ten,)]


def test_a_port_may_be_untagged_in_one_vlan_and_tagged_in_others() -> None:
    (link,) = topology(VLANS + "  - {endpoints: [h, s], vlans: {s: {access: 10, trunk: [20]}}}\n").links
    assert link.endpoints == (
        Endpoint(
            node="h",
            interface="eth0",
            addresses=(ip_interface("10.0.0.1/24"), ip_interface("fd00::1/64")),
            subinterfaces=(
                Subinterface(name="eth0.20", vlan=20, addresses=(ip_interface("10.0.1.1/24"), ip_interface("fd00:0:0:1::1/64"))),
            ),
        ),
        Endpoint(node="s", interface="eth0", port=Port(access=10, trunk=(20,))),
    )


def test_untagged_ports_of_two_switches_join_their_vlans_whatever_their_numbers() -> None:
    text = VLANS + "  - {endpoints: [s, t], vlans: {s: 20, t: 30}}\n  - {endpoints: [h, s], vlans: {s: 20}}\n"
    text += "  - {endpoints: [g, t], vlans: {t: 30}}\n"
    assert (ends(text)["h:eth0"], ends(text)["g:eth0"]) == ("10.0.0.1/24 fd00::1/64", "10.0.0.2/24 fd00::2/64")


@pytest.mark.parametrize(
    ("link", "told"),
    [
        ("endpoints: [h, s]", [
            "4:21: s has VLANs, and which of them this port carries is not said; add vlans: {s: 10}, or {s: [10, 20]} "
            "for tagged frames",
        ]),
        ("endpoints: [s, t]", [
            "4:18: s has VLANs, and which of them this port carries is not said; add vlans: {s: 10}, or {s: [10, 20]} "
            "for tagged frames",
            "4:21: t has VLANs, and which of them this port carries is not said; add vlans: {t: 10}, or {t: [10, 30]} "
            "for tagged frames",
        ]),
        ("endpoints: [h, s], vlans: {s: 11}", ["4:36: s has no VLAN 11; its VLANs are 10, 20; add it to its vlans:"]),
        ("endpoints: [s, t], vlans: {s: [10, 20]}", ["4:41: t has no VLAN 20; its VLANs are 10, 30; add it to its vlans:"]),
        ("endpoints: [h, s], vlans: {s: []}", ["4:36: this port of s carries no VLAN; its VLANs are 10, 20"]),
        ("endpoints: [h, s], vlans: {s: }", ["4:36: this port of s carries no VLAN; its VLANs are 10, 20"]),
        ("endpoints: [h, s], vlans: {s: [10, 10]}", ["4:41: VLAN 10 is written twice on this port; remove one of the two"]),
        ("endpoints: [h, s], vlans: {s: {access: 10, trunk: [10]}}", [
            "4:57: VLAN 10 is untagged and tagged on this port; remove one of the two",
        ]),
        ("endpoints: [h, s], vlans: {s: ten}", ['4:36: this must be a whole number, not "ten"']),
        ("endpoints: [h, s], vlans: {s: [0, 4095]}", [
            "4:37: 0 is too small: it must be at least 1", "4:40: 4095 is too large: it must be at most 4094",
        ]),
        ("endpoints: [h, s], vlans: {s: {acces: 10}}", ['4:37: unknown key "acces"; did you mean "access"?']),
        ("endpoints: [h, p], vlans: {p: 10}", ["4:33: p is a switch without VLANs; give p its vlans: {10: {}, 20: {}}"]),
        ("endpoints: [p, s], vlans: {s: [10]}", [
            "4:36: p is a switch without VLANs, which would pass tags on; make this port untagged: s: 10",
        ]),
        ("endpoints: [q, s], vlans: {s: [10]}", [
            "4:36: q is a peer, which has no VLAN interfaces; make this port untagged: s: 10",
        ]),
        ("endpoints: [s, t], vlans: {s: 10, t: [30]}", [
            "4:32: s and t have no frames in common on this link; make both ends untagged, or give both a VLAN that is tagged on "
            "the other, too",
        ]),
        ("endpoints: [h, s], vlans: {s: [10, 20]}, subnets: [10.0.0.0/24]", [
            "4:47: this link carries VLAN 10 of s, VLAN 20 of s, so whose subnets these are is not said; "
            "give them on the switch: vlans: {10: {subnets: [...]}}",
        ]),
        ("endpoints: [h, s], vlans: {s: [10, 20]}, addresses: {h: 10.9.0.1/24}", [
            "4:62: 10.9.0.1/24 is in no subnet of VLAN 10 of s or VLAN 20 of s; "
            "they are: 10.0.0.0/24, fd00::/64, 10.0.1.0/24, fd00:0:0:1::/64",
        ]),
        ("endpoints: ['h:a-long-name', s], vlans: {s: [10, 20]}", None),
        ("endpoints: ['h:a-longer-name', s], vlans: {s: [10, 20]}", [
            "4:18: the VLAN's interface would be called a-longer-name.20, and a name has at most 15 characters; "
            "give the interface a shorter name",
        ]),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_ports_vlans(link: str, told: list[str] | None) -> None:
    if told is None:
        assert topology(VLANS + f"  - {{{link}}}\n")
    else:
        assert errors(VLANS + f"  - {{{link}}}\n") == told


def test_vlans_that_are_joined_have_the_same_subnets() -> None:
    text = "nodes:\n  s: {kind: switch, vlans: {10: {subnets: [10.1.0.0/24]}}}\n"
    text += "  t: {kind: switch, vlans: {10: {subnets: [10.2.0.0/24]}}}\nlinks:\n  - {endpoints: [s, t], vlans: {s: [10]}}\n"
    assert errors(text) == ["3:43: VLAN 10 of s is one segment, with 10.1.0.0/24 in line 2; here it is 10.2.0.0/24; give them once"]
