from ipaddress import ip_interface, ip_network
from typing import Any

import pytest
from written import ends, errors, topology

from netlab.errors import Place
from netlab.notation.parse import parse_packet
from netlab.topology.spec import Endpoint, Link, Rule, Shape
from netlab.units import Duration, milliseconds

TWO = "nodes: {a: {}, b: {}}\nlinks:\n"
SHAPED = {"delay": Duration(0), "jitter": Duration(0)}


def test_a_link_with_every_key() -> None:
    (link,) = topology(
        TWO + "  - endpoints: [a:wan, b]\n"
        "    subnets: [10.1.0.0/24]\n"
        "    addresses: {a: 10.1.0.7}\n"
        "    mtu: 1400\n"
        '    mac: {a: "02:00:00:00:00:0A"}\n'
        "    state: down\n"
        "    offloads: [rx, gro]\n"
        "    impair:\n"
        "      a->b: [{match: S, action: drop}, {delay: 10ms, jitter: 1ms}]\n"
        "      b->a: {delay: 1ms, loss: 0.1%, duplicate: 0.2%, corrupt: 0.3%, reorder: 1%, rate: 10mbit, limit: 100, seed: 7}\n"
    ).links
    assert link == Link(
        endpoints=(
            Endpoint(node="a", interface="wan", addresses=(ip_interface("10.1.0.7/24"),), hardware="02:00:00:00:00:0a"),
            Endpoint(node="b", interface="eth0", addresses=(ip_interface("10.1.0.1/24"),)),
        ),
        subnets=(ip_network("10.1.0.0/24"),),
        mtu=1400,
        up=False,
        offloads=frozenset({"rx", "gro"}),
        impair=((("a", "b"), (Rule(match=parse_packet("S"), action="drop", place=Place("f.yaml", 11, 14)),)),),
        shapes=(
            (("a", "b"), Shape(delay=milliseconds(10), jitter=milliseconds(1), place=Place("f.yaml", 11, 40))),
            (
                ("b", "a"),
                Shape(
                    delay=milliseconds(1),
                    jitter=Duration(0),
                    loss=0.001,
                    duplicate=0.002,
                    corrupt=0.003,
                    reorder=0.01,
                    rate=10_000_000,
                    limit=100,
                    seed=7,
                    place=Place("f.yaml", 12, 13),
                ),
            ),
        ),
        place=Place("f.yaml", 3, 5),
    )


def test_a_link_of_which_nothing_is_said() -> None:
    (link,) = topology(TWO + "  - endpoints: [a, b]\n").links
    assert (link.mtu, link.up, link.offloads, link.impair, link.shapes) == (1500, True, frozenset(), (), ())
    assert [(end.hardware, end.port, end.subinterfaces) for end in link.endpoints] == [("", None, ())] * 2


def test_several_links_between_the_same_nodes() -> None:
    text = TWO + "  - endpoints: [a, b]\n  - endpoints: ['a:eth0', b]\n  - endpoints: [b, a]\n    addresses: {a: 10.9.0.1/24}\n"
    assert ends(text) == {
        "a:eth1": "10.0.0.1/24 fd00::1/64", "b:eth0": "10.0.0.2/24 fd00::2/64",
        "a:eth0": "10.0.1.1/24 fd00:0:0:1::1/64", "b:eth1": "10.0.1.2/24 fd00:0:0:1::2/64",
        "b:eth2": "10.9.0.2/24", "a:eth2": "10.9.0.1/24",
    }  # fmt: skip
    assert [link.name for link in topology(text).links] == ["a:eth1-b:eth0", "a:eth0-b:eth1", "b:eth2-a:eth2"]


@pytest.mark.parametrize(
    ("written", "kept"),
    [("all", "tx rx sg tso gso gro"), ("gro", "gro"), ("[sg, gso]", "sg gso"), ("[rx, gro]", "rx gro"), ("[]", "")],
)
def test_offloads_that_stay_on(written: str, kept: str) -> None:
    assert topology(TWO + f"  - {{endpoints: [a, b], offloads: {written}}}\n").links[0].offloads == set(kept.split())


@pytest.mark.parametrize(
    ("impair", "shapes"),
    [
        ("{a->b: {delay: 1.5ms}}", {("a", "b"): {"delay": Duration(1_500_000)}}),
        ("{both: {loss: 100%}}", {("a", "b"): {"loss": 1.0}, ("b", "a"): {"loss": 1.0}}),
        ("{b->a: [{rate: 1.5gbit, limit: 1}]}", {("b", "a"): {"rate": 1_500_000_000, "limit": 1}}),
        ("{a->b: {corrupt: 0.7%, seed: 18446744073709551615}}", {("a", "b"): {"corrupt": 0.007, "seed": 2**64 - 1}}),
        (
            "{a->b: {delay: 60min, jitter: 60min}}",
            {("a", "b"): {"delay": Duration(3600 * 10**9), "jitter": Duration(3600 * 10**9)}},
        ),
        ("{a->b: {match: S, action: drop}}", {}),
        ("{a->b: []}", {}),
    ],
)
def test_quantities(impair: str, shapes: dict[tuple[str, str], Any]) -> None:
    (link,) = topology(TWO + f"  - {{endpoints: [a, b], impair: {impair}}}\n").links
    place = link.shapes[0][1].place if link.shapes else link.place
    assert dict(link.shapes) == {way: Shape(**{**SHAPED, **kept}, place=place) for way, kept in shapes.items()}


def test_a_rule_alone_stands_for_a_list_of_one() -> None:
    (link,) = topology(TWO + "  - {endpoints: [a, b], impair: {a->b: {match: S, action: drop, nth: 2}}}\n").links
    assert [(way, [(rule.match.text, rule.occurrences) for rule in rules]) for way, rules in link.impair] == [
        (("a", "b"), [("S", frozenset({2}))])
    ]


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ("impair: {a->b: 5}", ["3:40: this must be quantities such as {delay: 10ms}, or a list of rules, not 5 (a number)"]),
        ("impair: {a->b: }", ["3:40: this must be quantities such as {delay: 10ms}, or a list of rules, not nothing"]),
        ("impair: {a->b: [S]}", ['3:41: this must be a rule or quantities such as {delay: 10ms}, not "S"']),
        ("impair: {a->b: {}}", ["3:40: no quantity is given here; write for example {delay: 10ms, loss: 0.1%}"]),
        (
            "impair: {a->b: {match: S, action: drop, delay: 1ms}}",
            ["3:65: delay belongs to action: delay, and this action is drop; leave delay out, or write action: delay"],
        ),
        ("impair: {a->b: {delai: 1ms}}", ['3:41: unknown key "delai"; did you mean "delay"?']),
        ("impair: {a->b: [{match: S, actoin: drop}]}", [
            '3:41: the key "action" is missing; add "action:"', '3:52: unknown key "actoin"; did you mean "action"?',
        ]),
        ("impair: {a->b: {delay: 10}}", [
            "3:48: this must be a duration, not 10 (a number); write a number with its unit, such as 200ms",
        ]),
        ("impair: {a->b: {delay: soon}}", [
            '3:48: "soon" is no duration; write a number with its unit (ns, us, ms, s, min), such as 200ms',
        ]),
        ("impair: {a->b: {delay: 61min}}", ["3:48: 61min is too long: it must be at most 60min"]),
        ("impair: {a->b: {loss: 0.001}}", [
            "3:47: this must be a percentage, not 0.001 (a number); write it with its sign, such as 0.1%",
        ]),
        ("impair: {a->b: {loss: some}}", ['3:47: "some" is no percentage; write a number with its sign, such as 0.1%']),
        ("impair: {a->b: {loss: 101%}}", ["3:47: 101% is too large: it must be at most 100%"]),
        ("impair: {a->b: {rate: 10}}", [
            "3:47: this must be a rate, not 10 (a number); write a number with its unit, such as 10mbit",
        ]),
        ("impair: {a->b: {rate: 64kbps}}", [
            '3:47: "64kbps" is no rate; write a number with its unit (bit, kbit, mbit, gbit: a second, by powers of ten), '
            "such as 10mbit",
        ]),
        ("impair: {a->b: {rate: 7bit}}", ["3:47: 7bit is too slow; a rate is from 8bit to 1000gbit"]),
        ("impair: {a->b: {rate: 1001gbit}}", ["3:47: 1001gbit is too fast; a rate is from 8bit to 1000gbit"]),
        ("impair: {a->b: {delay: 1ms, limit: 0}}", ["3:60: 0 is too small: it must be at least 1"]),
        ("impair: {a->b: {loss: 1%, seed: -1}}", ["3:57: -1 is too small: it must be at least 0"]),
        ("impair: {a->b: {loss: 1%, seed: 18446744073709551616}}", [
            "3:57: 18446744073709551616 is too large: it must be at most 18446744073709551615",
        ]),
        ("impair: {a->b: {delay: 1ms, seed: 1}}", [
            "3:53: a seed is for what is random, and nothing here is; leave it out, or add one of jitter, loss, duplicate, "
            "corrupt, reorder",
        ]),
        ("impair: {a->b: {jitter: 1ms}}", ["3:49: a delay that is not there cannot vary; give a delay at least as long"]),
        ("impair: {a->b: {delay: 1ms, jitter: 2ms}}", [
            "3:61: a delay varies by at most 1ms, so not by 2ms; give a delay at least as long",
        ]),
        ("impair: {a->b: {reorder: 1%}}", ["3:50: packets overtake others only while those are delayed; add delay: 10ms"]),
        ("impair: {a->b: [{delay: 1ms}, {loss: 1%}]}", [
            "3:55: quantities are in line 3 already; write them as one mapping",
        ]),
        ("impair: {both: {delay: 1ms}, a->b: {loss: 1%}}", [
            "3:60: a->b has quantities in line 3 already; write those of one direction as one mapping",
        ]),
        ("state: dwn", ['3:32: "dwn" is none of up, down; did you mean "down"?']),
        ("state: true", ["3:32: true (a truth value) is none of up, down"]),
        ("offloads: [tcp]", ['3:36: "tcp" is none of tx, rx, sg, tso, gso, gro']),
        ("offloads: [tso, gso]", [
            "3:36: the kernel leaves tso off without tx and sg; add tx, sg", "3:41: the kernel leaves gso off without sg; add sg",
        ]),
        ("mac: {a: '01:00:00:00:00:01'}", [
            "3:34: 01:00:00:00:00:01 is a multicast address, which no interface has; make its first byte even, such as 02",
        ]),
        ("mac: {a: 0:0}", ['3:34: "0:0" is no MAC address; write for example 02:00:00:00:00:01']),
        ("mac: {a: 00:00:00:00:00:00}", ["3:34: 00:00:00:00:00:00 stands for no interface; write for example 02:00:00:00:00:01"]),
        ("mac: {c: 02:00:00:00:00:01}", ["3:31: c is not on this link; its nodes are a and b"]),
        ("mac: {a: 02:00:00:00:00:01, b: 02:00:00:00:00:01}", [
            "3:56: 02:00:00:00:00:01 is the MAC address of a already, in line 3; the link a-b needs different ones: choose another",
        ]),
        ("vlans: {a: 10}", ["3:33: VLANs are those of a switch's port, and a is a host; write those of the switch opposite"]),
        ("allow_duplicate: 1", ["3:42: this must be true or false, not 1 (a number)"]),
        ("mtu: 67", ["3:30: 67 is too small: it must be at least 68"]),
        ("mtu: 1279, addresses: {a: 'fd00::1/64'}", [
            "3:30: IPv6 needs an mtu of at least 1280, and the link a-b has an IPv6 subnet; raise the mtu, or give IPv4 subnets "
            "only",
        ]),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_link(keys: str, told: list[str]) -> None:
    assert errors(TWO + f"  - {{endpoints: [a, b], {keys}}}\n") == told


def test_mac_addresses_are_unique_in_a_segment_and_not_beyond() -> None:
    text = "nodes: {a: {}, b: {}, s: {kind: switch}}\nlinks:\n"
    text += "  - {endpoints: [a, s], mac: {a: 02:00:00:00:00:01}}\n  - {endpoints: [b, s], mac: {b: 02:00:00:00:00:01}}\n"
    assert errors(text) == [
        "4:34: 02:00:00:00:00:01 is the MAC address of a already, in line 3; the segment of s needs different ones: choose another"
    ]
    apart = TWO + "  - {endpoints: [a, b], mac: {a: 02:00:00:00:00:01}}\n  - {endpoints: [a, b], mac: {b: 02:00:00:00:00:01}}\n"
    assert [end.hardware for link in topology(apart).links for end in link.endpoints] == [
        "02:00:00:00:00:01", "", "", "02:00:00:00:00:01",
    ]  # fmt: skip


def test_a_switch_has_no_more_links_than_the_kernels_bridge_takes() -> None:
    head = "nodes:\n  s: {kind: switch}\n" + "".join(f"  h{i}: {{}}\n" for i in range(1024)) + "links:\n"
    text = head + "".join(f"  - endpoints: [h{i}, s]\n" for i in range(1023))
    assert ends(text)["h1022:eth0"] == "10.0.3.255/21 fd00::3ff/64"
    assert errors(text + "  - endpoints: [h1023, s]\n") == [
        "2051:16: s has more than 1,023 links, and the kernel's bridge takes no more; use a second switch, and join the two"
    ]


@pytest.mark.parametrize(
    ("written", "kept"),
    [("auto", "auto"), ("kernel", "kernel"), ("all", "all"), ("[b, a, b]", ("b", "a"))],
)
def test_permanent_neighbours(written: str, kept: str | tuple[str, ...]) -> None:
    assert topology(f"neighbours: {written}\n" + TWO + "  - endpoints: [a, b]\n").neighbours == kept


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("al", '1:13: "al" is none of auto, kernel, all; did you mean "all"?'),
        ("server", '1:13: "server" is none of auto, kernel, all; nodes are written as a list: [server]'),
        ("[]", "1:13: no node is named here; write neighbours: kernel"),
        ("5", "1:13: this must be auto, kernel, all or a list of nodes, not 5 (a number)"),
        ("[5]", "1:13: this must be auto, kernel, all or a list of nodes, not a list"),
        ("[s]", "1:14: s is a switch, which has no addresses; leave it out"),
        ("[c]", '1:14: no node "c"; the nodes are a, s'),
    ],
)
def test_what_is_wrong_with_neighbours(written: str, told: str) -> None:
    assert errors(f"neighbours: {written}\nnodes: {{a: {{}}, s: {{kind: switch}}}}\nlinks: [{{endpoints: [a, s]}}]\n") == [told]
