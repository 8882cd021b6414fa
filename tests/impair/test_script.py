"""What a replay prescribes is done to the same packets, whatever ports and cuts the kernel chooses this time; nothing else is."""

import pytest
from link_frames import BACK, LINK, THERE, datagram, opening, rule, rules, segment
from networks import HERE

from netlab.errors import Place
from netlab.impair.ruling import Ruling
from netlab.impair.script import Script
from netlab.timeline.observations import Decision


def decision(
    key: str, action: str = "drop", *, direction: str = "client->server", place: str = str(HERE), **fields: object
) -> Decision:
    said = {"link": LINK, "rule": "?", "occurrence": 1, **fields}
    return Decision(time=0, action=action, key=key, direction=direction, place=place, **said)  # type: ignore[arg-type]


def recorded(ruling: Ruling) -> Decision:
    """As the wire records it."""
    return ruling.decision(ruling.rule.action, time=0)


def bulk(port: int, first: int, cut: int, size: int = 100_000) -> list[tuple[bytes, int]]:
    segments = [(at, min(cut, size - at)) for at in range(0, size, cut)]
    return [
        *opening(port, first),
        *((segment("A", first + 1 + at, 70001, bytes(length), port=port), 0) for at, length in segments),
        (segment("FA", first + 1 + size, 70001, port=port), 0),
    ]


def test_what_was_decided_is_decided_again_whatever_the_ports_and_the_cuts() -> None:
    wanted = (rule("tcp len 1000", chance=0.1), rule("F.", "delay", 1), rule("tcp", "duplicate", byte=50_123))
    first = rules((THERE, wanted), (BACK, (rule("S.", "hold", barrier="b"),)), seed=4)
    rulings = [ruling for one, direction in bulk(5000, 1000, 1000) if (ruling := first.ruling(one, direction)) is not None]
    for ruling in rulings:
        ruling.value("delay", lambda: 12345)
    decisions = [recorded(ruling) for ruling in rulings]
    assert {one.action for one in decisions} == {"drop", "delay", "duplicate", "hold"}

    everything = [*wanted, rule("S.", "hold", barrier="b")]
    for port, start, cut in ((5000, 1000, 1000), (41234, 2**32 - 5000, 1000), (5001, 7, 777)):
        again = rules((THERE, wanted), (BACK, ()), seed=99, script=Script.of(decisions, everything))
        assert again.barriers == {"b"}
        assert not again.idle(0)
        found = [ruling for one, direction in bulk(port, start, cut) if (ruling := again.ruling(one, direction)) is not None]
        assert [recorded(one).key for one in found] == [one.key for one in decisions], cut
        assert [(one.rule.action, one.occurrence, one.values) for one in found] == [
            (one.action, one.occurrence, one.values) for one in decisions
        ]
        assert (again.idle(0), again.idle(1)) == (True, True), "all is done"


def test_what_a_rule_that_came_later_decided_is_decided_again() -> None:
    frames = [*(one for one, _ in opening()), datagram(), segment("PA", 1001, 70001, b"hello"), datagram(), datagram()]
    late, later = rule("udp", "drop", 1), 5
    first = rules()
    for one in frames[:later]:
        first.note(one)
    first.add(0, [late])
    found = [ruling for one in frames[later:] if (ruling := first.ruling(one, 0)) is not None]
    assert [one.key for one in found] == ["client>server:53 #1 datagram 2"]

    again = rules(script=Script.of([recorded(found[0])], [late]))
    assert [again.ruling(one, 0) is not None for one in frames] == [number == later for number in range(len(frames))]


def test_a_rule_is_not_asked() -> None:
    decider = rules((THERE, (rule("udp"),)), script=Script.of([decision("client>server:53 #1 datagram 2")], [rule("udp")]))
    assert [decider.ruling(datagram(), 0) is not None for _ in range(3)] == [False, True, False]
    decider.add(0, [rule("udp")])
    assert decider.ruling(datagram(), 0) is None


def test_several_bytes_in_one_packet_are_one_decision() -> None:
    script = Script.of([decision(f"client>server:80 #1 data {byte} 1") for byte in (0, 5, 20)], [rule("tcp")])
    decider = rules(script=script)
    for one, direction in opening():
        decider.ruling(one, direction)
    frames = [segment("PA", 1001, 70001, bytes(10)), segment("PA", 1001, 70001, bytes(10)), segment("PA", 1011, 70001, bytes(90))]
    assert [decider.ruling(one, 0) is not None for one in frames] == [True, False, True]
    assert decider.idle(0)


def test_other_links_and_directions_are_not_meant() -> None:
    key = "client>server:53 #1 datagram 1"
    other = Script.of([decision(key, link="other"), decision(key, direction="server->client")], [rule("udp")])
    decider = rules(script=other)
    assert decider.ruling(datagram(), 0) is None
    ruling = decider.ruling(datagram(back=True), 1)
    assert ruling is not None
    assert (ruling.direction, ruling.link) == ("server->client", LINK)


def test_what_was_held_is_not_held_behind_a_barrier_that_is_gone() -> None:
    script = Script.of([decision("client>server:80 #1 S 1", "hold", barrier="b")], [rule("S", "hold", barrier="b")])
    assert rules(script=script).ruling(segment("S"), 0, {"b"}) is None
    held = rules(script=script).ruling(segment("S"), 0)
    assert held is not None
    assert held.rule.barrier == "b"


def test_what_was_held_is_held_at_the_barrier_that_is_told_where_rules_share_a_place() -> None:
    script = Script.of([decision("client>server:80 #1 S 1", "hold", barrier="b")], [rule("S", "hold", barrier="other")])
    decider = rules(script=script)
    held = decider.ruling(segment("S"), 0)
    assert held is not None
    assert (held.rule.barrier, set(decider.barriers)) == ("b", {"b"})


def test_a_release_is_no_decision_of_its_own_and_rules_are_told_apart_by_place_and_action() -> None:
    here, there = Place("a.yaml", 3, 5), Place("a.yaml", 9, 5)
    both = [rule("udp", "delay", place=here), rule("udp", "drop", place=here), rule("udp", "drop", place=there)]
    key = "client>server:53 #1 datagram 1"
    script = Script.of([decision(key, place="a.yaml:3:5"), decision(key, "release", place="a.yaml:9:5")], both)
    ruling = rules(script=script).ruling(datagram(), 0)
    assert ruling is not None
    assert ruling.rule is both[1]


def test_what_quantities_did_needs_no_rule() -> None:
    script = Script.of(
        [decision("client>server:53 #1 datagram 1", "corrupt", place="n.yaml:4:7", rule="corrupt 1%", values={"bit": 9})], []
    )
    ruling = rules(script=script).ruling(datagram(), 0)
    assert ruling is not None
    assert (ruling.rule.action, ruling.text, ruling.rule.place) == ("corrupt", "corrupt 1%", Place("n.yaml", 4, 7))
    assert ruling.value("bit", lambda: 0) == 9


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (decision(""), "names no packet"),
        (decision("client>server:80 #1 data five 1"), "names no packet"),
        (decision("client>server:80 #1 data 5"), "names no packet"),
        (decision("client>server:53 #1 datagram 1", place="gone.yaml:1:1"), "no rule at gone.yaml:1:1 decides to drop"),
        (decision("client>server:53 #1 datagram 1", place="", rule="loss 1%", action="delay"), "no rule decides to delay"),
        (decision("client>server:53 #1 datagram 1", "delay", place="gone.yaml:1:1"), "no rule at gone.yaml:1:1 decides to delay"),
    ],
)
def test_what_cannot_be_repeated_says_why(wrong: Decision, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Script.of([wrong], [rule("udp")])
