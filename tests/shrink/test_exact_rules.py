"""Decisions become rules that name the same packets with nothing left to chance, and clauses that a person would say."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from link_frames import BACK, LINK, NODES, THERE, datagram, opening, rule, segment
from networks import two_hosts

from netlab.errors import Place
from netlab.impair.rules import LinkRules
from netlab.scenario.load import load_scenarios
from netlab.shrink.clauses import joined
from netlab.shrink.exact import Exact, exact, exact_text
from netlab.shrink.impairments import with_rules
from netlab.shrink.written import written
from netlab.timeline.observations import AnyObservation, Decision, Packet
from netlab.timeline.timeline import Timeline
from netlab.topology.spec import Link, Rule
from netlab.units import Duration

Frames = Sequence[tuple[bytes, int]]
ENDS = (("client", "eth0"), ("server", "eth0"))


@dataclass(frozen=True)
class Ran:
    """What rules did to frames: the decisions, as the wire notes them, and the places of the frames that they were about."""

    decisions: tuple[Decision, ...]
    hit: tuple[int, ...]
    timeline: Timeline
    link: Link
    rules: tuple[Rule, ...]

    def exact(self, *, by_byte: bool = True) -> tuple[Exact, ...]:
        return exact(self.decisions, self.timeline, [self.link], self.rules, by_byte=by_byte)


def ran(frames: Frames, *rules: tuple[tuple[str, str], tuple[Rule, ...]], seed: int = 0) -> Ran:
    def standing(side: int, of: tuple[Rule, ...]) -> tuple[Rule, ...]:
        return tuple(replace(one, place=Place("x", 1 + side, 1 + index)) for index, one in enumerate(of))

    placed = [(way, standing(side, of)) for side, (way, of) in enumerate(rules)]
    link = two_hosts(*placed).links[0]
    decider = LinkRules(link, NODES, seed=seed)
    seen: list[AnyObservation] = []
    hit: list[int] = []
    for at, (data, direction) in enumerate(frames):
        host, interface = ENDS[direction]
        seen.append(Packet(time=10 * at, host=host, interface=interface, direction="out", data=data, length=len(data)))
        ruling = decider.ruling(data, direction)
        if ruling is not None:
            hit.append(at)
            seen.append(ruling.decision(ruling.rule.action, time=10 * at + 5))
    decisions = tuple(one for one in seen if isinstance(one, Decision))
    every = tuple(one for _, of in placed for one in of)
    return Ran(decisions, tuple(hit), Timeline(observations=tuple(seen), nodes=NODES), link, every)


def loaded(found: Sequence[Exact], folder: Path) -> dict[tuple[str, str], tuple[Rule, ...]]:
    """The rules, by way of a file."""
    data: dict[str, Any] = {
        "topology": {
            "nodes": {"client": {}, "server": {}},
            "links": [{"endpoints": ["client", "server"], "subnets": ["10.0.0.0/24"]}],
        },
        "steps": [{"client": "close(7) -> EBADF"}],
    }
    barriers = {one.rule["barrier"]: None for one in found if "barrier" in one.rule}
    data["steps"] = [*({"release": name} for name in barriers), *data["steps"]]
    file = folder / "exact.yaml"
    file.write_text(written(with_rules(data, [(one.direction, one.link, one.rule) for one in found])))
    (scenario,) = load_scenarios(file)
    return dict(scenario.topology.links[0].impair)


def closed() -> list[tuple[bytes, int]]:
    """A connection with three segments of data, of which the second is sent again, and two ends."""
    return [
        *opening(),
        (segment("PA", 1001, 70001, b"abcde"), 0),
        (segment("A", 70001, 1006, back=True), 1),
        (segment("PA", 1006, 70001, b"fghij"), 0),
        (segment("PA", 1006, 70001, b"fghij"), 0),
        (segment("PA", 1011, 70001, b"klmno"), 0),
        (segment("A", 70001, 1016, back=True), 1),
        (segment("FA", 1016, 70001), 0),
        (segment("FA", 70001, 1017, back=True), 1),
        (segment("A", 1017, 70002), 0),
    ]


def retried() -> list[tuple[bytes, int]]:
    """A connection whose SYN-ACK is sent three times."""
    syn, syn_ack, ack = opening()
    return [syn, syn_ack, syn, syn_ack, syn_ack, ack]


def asked() -> list[tuple[bytes, int]]:
    return [(datagram(b"ask"), 0), (datagram(b"answer", back=True), 1)] * 3


NTH = "nth"
CASES: list[tuple[str, Frames, tuple[str, str], Rule, dict[str, Any], str]] = [
    ("a SYN", closed(), THERE, rule("S"), {"match": "S", NTH: 1, "action": "drop"}, "the SYN is lost"),
    (
        "the second SYN-ACK", retried(), BACK, rule("tcp", "drop", 2), {"match": "S.", NTH: 2, "action": "drop"},
        "the 2nd SYN-ACK is lost",
    ),
    (
        "the last ACK of the handshake", closed(), THERE, rule("tcp", "drop", 2),
        {"match": ". ack 1 len 0", NTH: 1, "action": "drop"}, "the final ACK of the handshake is lost",
    ),
    (
        "data", closed(), THERE, rule("tcp", "drop", 3), {"match": "tcp", "byte": 0, "action": "drop"},
        "the client's 1st data segment is lost",
    ),
    (
        "data again", closed(), THERE, rule("tcp", "drop", 5), {"match": "tcp seq 6 len 5", NTH: 2, "action": "drop"},
        "the client's retransmission of data is lost",
    ),
    (
        "data that the FIN overtakes", closed(), THERE, rule("tcp", "reorder", 6, by=1),
        {"match": "tcp", "byte": 10, "action": "reorder", "by": 1}, "the client's FIN overtakes its last data",
    ),
    (
        "a FIN", closed(), BACK, rule("F.", "delay", delay=Duration.parse("300ms")),
        {"match": "F.", NTH: 1, "action": "delay", "delay": "300ms"}, "the server's FIN is late by 300ms",
    ),
    (
        "an acknowledgement", closed(), BACK, rule(".", "duplicate", 2, copies=2),
        {"match": ". ack 16 len 0", NTH: 1, "action": "duplicate", "copies": 2}, "the server's 2nd ACK arrives 3 times",
    ),
    (
        "a datagram", asked(), BACK, rule("udp", "drop", 2), {"match": "udp", NTH: 2, "action": "drop"},
        "the server's 2nd datagram is lost",
    ),
    (
        "a packet that waits", closed(), THERE, rule("S", "hold", barrier="syns"),
        {"match": "S", NTH: 1, "action": "hold", "barrier": "syns"}, "the SYN is held until syns is released",
    ),
    (
        "a mark", closed(), THERE, rule("tcp", "mark", 3), {"match": "tcp", "byte": 0, "action": "mark", "mark": "ce"},
        "the client's 1st data segment is marked CE",
    ),
    (
        "a forged reset", closed(), BACK, rule("S.", "reset", 1, toward="sender"),
        {"match": "S.", NTH: 1, "action": "reset", "toward": "sender"},
        "the SYN-ACK is followed by a forged RST to the sender",
    ),
    (
        "an ICMP error", closed(), THERE, rule("tcp", "icmp", 3, icmp="fragmentation-needed", mtu=1280),
        {"match": "tcp", "byte": 0, "action": "icmp", "icmp": "fragmentation-needed", "mtu": 1280},
        "the client's 1st data segment is answered by the ICMP error fragmentation-needed",
    ),
    (
        "a cut", asked(), THERE, rule("udp", "truncate", 3, length=29),
        {"match": "udp", NTH: 3, "action": "truncate", "length": 29}, "the client's 3rd datagram is cut to 29 bytes",
    ),
    (
        "a bit", closed(), THERE, rule("F.", "corrupt", field="tcp.checksum", value=0),
        {"match": "F.", NTH: 1, "action": "corrupt", "field": "tcp.checksum", "value": 0},
        "the client's FIN is corrupted (tcp.checksum)",
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("frames", "way", "decides", "wanted", "said"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_a_decision_as_a_rule_and_in_words(
    frames: Frames, way: tuple[str, str], decides: Rule, wanted: dict[str, Any], said: str, tmp_path: Path
) -> None:
    before = ran(frames, (way, (decides,)))
    (found,) = before.exact()
    assert (found.direction, found.link, found.rule, str(found.said)) == ("->".join(way), 0, wanted, said)
    assert ran(frames, *loaded([found], tmp_path).items()).hit == before.hit


@given(
    st.integers(0, 10**6),
    st.sampled_from([closed(), retried(), asked(), [*closed(), *retried()], [*opening(), *closed()[3:], *asked()]]),
    st.booleans(),
)
def test_rules_made_of_chance_hit_the_same_packets_in_any_case(seed: int, frames: Frames, by_byte: bool) -> None:
    chance = (THERE, (rule("...", chance=0.3),)), (BACK, (rule("tcp", "duplicate", chance=0.2), rule("...", chance=0.2)))
    before = ran(frames, *chance, seed=seed)
    found = before.exact(by_byte=by_byte)
    assert len(found) == len(before.decisions)
    rules: dict[tuple[str, str], list[Rule]] = {THERE: [], BACK: []}
    for one in found:
        which = {"byte": one.rule.get("byte")} if "byte" in one.rule else {}
        nth = [one.rule[NTH]] if NTH in one.rule else []
        rules[THERE if one.direction == "client->server" else BACK].append(
            rule(one.rule["match"], one.rule["action"], *nth, **which)
        )
    again = ran(frames, *((way, tuple(of)) for way, of in rules.items()))
    assert again.hit == before.hit
    assert [one.action for one in again.decisions] == [one.action for one in before.decisions]


def test_data_of_several_connections_is_counted_not_named_by_byte() -> None:
    frames = [*closed(), *opening(5001), (segment("PA", 1001, 70001, b"abcde", port=5001), 0)]
    before = ran(frames, (THERE, (rule("tcp seq 1 len 5", "drop", 2),)))
    (found,) = before.exact()
    assert found.rule == {"match": "tcp seq 1 len 5", "nth": 2, "action": "drop"}


def test_what_became_of_a_packet_later_is_no_decision_about_one() -> None:
    before = ran(closed(), (THERE, (rule("S"),)))
    (decision,) = before.decisions
    later = [Decision(time=9, host="", link=LINK, rule="S", action=action, occurrence=1) for action in ("release", "heal")]
    both = replace(before, decisions=(decision, *later))
    assert len(both.exact()) == 1


def test_a_decision_about_a_packet_that_nobody_saw_keeps_its_pattern() -> None:
    before = ran(closed(), (THERE, (rule("F.", "drop", 1),)))
    blind = replace(before, timeline=Timeline(nodes=NODES))
    (found,) = blind.exact()
    assert (found.rule, str(found.said)) == ({"match": "F.", "nth": 1, "action": "drop"}, "the 1st packet F. is lost")


def test_it_keeps_its_filter_too() -> None:
    before = ran(closed(), (THERE, (rule("...", "drop", 2, filter="tcp port 80"),)))
    (found,) = replace(before, timeline=Timeline(nodes=NODES)).exact()
    assert found.rule == {"match": "...", "filter": "tcp port 80", "nth": 2, "action": "drop"}
    assert str(found.said) == "the 2nd packet filter tcp port 80 is lost"


def test_what_became_of_several_is_said_once() -> None:
    before = ran(retried(), (BACK, (rule("S.", "drop", 2, 3),)), (THERE, (rule("S", "duplicate", 1),)))
    assert joined(one.said for one in before.exact()) == [
        "the 1st SYN arrives twice",
        "the 2nd and 3rd SYN-ACKs are both lost",
    ]


@pytest.mark.parametrize(
    ("ns", "text"), [(0, "0ns"), (1, "1ns"), (1500, "1500ns"), (2_000, "2us"), (300_000_000, "300ms"), (2 * 10**9, "2s")]
)
def test_a_duration_loses_nothing(ns: int, text: str) -> None:
    assert exact_text(Duration(ns)) == text
    assert Duration.parse(text).ns == ns
