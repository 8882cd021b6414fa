"""Which engine carries a link's impairments out: what they need against what the machine has, and why."""

from typing import Any

import pytest
from networks import HERE

from netlab.impair.engines import BESIDE, NETEM, NFT, TBF, WIRE, Engine, Way, engine_for
from netlab.notation.parse import parse_packet
from netlab.topology.spec import Rule, Shape
from netlab.units import milliseconds

NO_NETEM = {NETEM: "no netem"}
NEITHER = {NETEM: "no netem", TBF: "no tbf"}
NO_NFT = {NFT: "no nftables"}


def rule(pattern: str, *nth: int, action: str = "drop", **fields: Any) -> Rule:
    return Rule(match=parse_packet(pattern), action=action, occurrences=frozenset(nth), place=HERE, **fields)


def shape(*, delay: float = 0, jitter: float = 0, **quantities: Any) -> Shape:
    return Shape(delay=milliseconds(delay), jitter=milliseconds(jitter), place=HERE, **quantities)


def chosen(*rules: Rule, shapes: tuple[Shape, ...] = (), **asked: Any) -> Engine:
    return engine_for([Way(rules=rules), *(Way(shape=one) for one in shapes)], **asked)


@pytest.mark.parametrize(
    ("wanted", "engine"),
    [
        (shape(delay=10), NETEM),
        (shape(delay=10, rate=1_000_000, limit=5), NETEM),
        (shape(rate=1_000_000), NETEM),
        (shape(delay=10, jitter=1), WIRE),
        (shape(loss=0.1), WIRE),
        (shape(delay=1, reorder=0.1), WIRE),
    ],
)
def test_a_discipline_has_the_quantities_that_are_the_same_in_every_run(wanted: Shape, engine: str) -> None:
    for asked in ({}, {"recorded": False}, {"seeded": False}):
        assert chosen(shapes=(wanted,), **asked).name == engine
    assert chosen(shapes=(wanted,), recorded=False, seeded=False).name == NETEM


def test_what_the_kernel_lacks_is_the_wires_and_a_rate_is_tbfs() -> None:
    delay, rate = shape(delay=10), shape(rate=1_000_000, limit=9)
    assert chosen(shapes=(rate,), lacking=NO_NETEM) == Engine(name=TBF, why="a rate alone; no netem")
    assert chosen(shapes=(rate, delay), lacking=NO_NETEM) == Engine(name=WIRE, why="no netem")
    assert chosen(shapes=(rate,), lacking=NEITHER) == Engine(name=WIRE, why="no netem")
    assert chosen(rule("S", 1), shapes=(rate,)) == Engine(name=WIRE, why="quantities beside rules")


@pytest.mark.parametrize(
    "beside",
    [
        rule("S", 1),
        rule("S.", action="delay"),
        rule("client > server:80 S", chance=0.5),
        rule("udp", every=3),
        rule("client > server:53 udp", action="duplicate"),
        rule("icmp", action="corrupt"),
        rule("icmp6 type 135"),
        rule("arp", 1),
        rule("S", action="hold", barrier="b"),
    ],
)
def test_beside_the_wire_the_kernel_forwards_what_no_rule_means(beside: Rule) -> None:
    assert chosen(beside).name == BESIDE
    assert chosen(beside, rule("udp", 1)).name == BESIDE
    assert chosen(beside, lacking=NO_NFT) == Engine(name=WIRE, why="no nftables")
    assert chosen(beside, rule("P.", 1)).name == WIRE


@pytest.mark.parametrize(
    "meant",
    [
        rule("...", 1),
        rule("tcp", every=2),
        rule("P.", chance=0.1),
        rule("F.", 1),
        rule("R", 1),
        rule(".", byte=1000),
        rule("client > server", 1),
        rule("client:5000 > *", 1),
        rule("...", 1, filter="udp port 53"),
        rule("ttl 64", 1),
    ],
)
def test_a_rule_that_may_mean_a_segment_needs_the_wire_for_all(meant: Rule) -> None:
    assert chosen(meant) == Engine(name=WIRE, why=f"{meant.match.text} may be a TCP segment of an open connection")


def test_what_is_overtaken_needs_the_wire_for_all() -> None:
    assert chosen(rule("S", 1, action="reorder")).why == "S: what is to overtake it must be seen"


@pytest.mark.parametrize("counting", [rule("..."), rule("tcp", every=100), rule("P.", first=5), rule("server > *:80 tcp")])
def test_the_kernel_drops_alone_where_single_packets_need_not_be_told(counting: Rule) -> None:
    assert chosen(counting, recorded=False).name == NFT
    assert chosen(counting).name == WIRE
    assert chosen(counting, recorded=False, whole=True).name == WIRE
    assert chosen(counting, recorded=False, lacking=NO_NFT) == Engine(name=WIRE, why="no nftables")
    assert chosen(counting, rule("P.", 3), recorded=False).name == WIRE  # a few packets are told one by one
    assert chosen(counting, rule("P.", last=3), recorded=False).name == WIRE
    assert chosen(counting, rule("P.", action="mark"), recorded=False).name == WIRE


def test_chance_is_the_kernels_only_where_no_seed_decides_it() -> None:
    assert chosen(rule("tcp", chance=0.1), recorded=False).name == WIRE
    assert chosen(rule("tcp", chance=0.1), recorded=False, seeded=False).name == NFT
    assert chosen(rule("tcp", chance=0.1, seed=1), recorded=False, seeded=False).name == WIRE


def test_without_rules_the_wire_waits_for_what_is_said_later() -> None:
    assert chosen() == Engine(name=WIRE, why="what is to be done to its packets is said while it runs")
    assert str(chosen(lacking=NO_NFT)) == "wire: no nftables"
