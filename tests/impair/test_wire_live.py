"""What links do is changed while frames pass: from then on, in that direction, until it is healed."""

import socket
from contextlib import closing
from dataclasses import replace

import pytest
from networks import HERE
from wired import THERE, Numbered, decided, numbered, numbers, quantities, wired

from netlab.impair.wire import Wire
from netlab.notation.parse import parse_packet
from netlab.topology.spec import Rule
from netlab.units import milliseconds

pytestmark = pytest.mark.netns

MS = 1_000_000
LOST = Rule(match=parse_packet("udp"), action="drop", place=HERE)


def passes(sender: Numbered, wire: Wire, first: int) -> tuple[list[int], list[str]]:
    """Which of ten datagrams arrive, and the rules that others fell to."""
    sender.send(*range(first, first + 10))
    came, decisions = sender.all(wire, 10)
    return sorted(numbers(came)), [one.rule for one in decisions]


def test_a_rule_acts_until_it_is_healed_and_again_when_it_is_given_again() -> None:
    with wired() as (lab, wire), numbered(lab) as sender:
        assert passes(sender, wire, 0) == ([*range(10)], [])
        wire.impair(THERE, [replace(LOST, occurrences=frozenset({1, 3}))])
        assert passes(sender, wire, 10)[1] == ["udp", "udp"]
        assert passes(sender, wire, 20)[1] == []  # it counts on
        wire.impair(THERE, [LOST])
        assert passes(sender, wire, 30) == ([], ["udp"] * 10)
        wire.heal(THERE)
        assert passes(sender, wire, 40) == ([*range(40, 50)], [])
        wire.impair(THERE, [replace(LOST, occurrences=frozenset({1}))])
        assert passes(sender, wire, 50)[1] == ["udp"]


def test_the_topologys_own_rules_stay_when_others_are_healed() -> None:
    own = replace(LOST, every=2)
    with wired(own) as (lab, wire), numbered(lab) as sender:
        assert len(passes(sender, wire, 0)[0]) == 5
        wire.impair(THERE, [LOST])
        assert passes(sender, wire, 10)[0] == []
        wire.heal()
        assert len(passes(sender, wire, 20)[0]) == 5


def test_quantities_stand_in_place_of_those_before_and_heal_gives_them_back() -> None:
    with wired(shape=quantities(delay=100)) as (lab, wire), numbered(lab) as sender:
        sender.send(1)
        sender.arrive(1)
        wire.impair(THERE, shape=quantities(loss=1.0))
        assert passes(sender, wire, 10) == ([], ["loss 100%"] * 10)
        wire.impair(THERE, shape=quantities(duplicate=1.0))
        assert passes(sender, wire, 20)[1] == ["duplicate 100%"] * 10
        wire.heal(THERE)
        sender.departed(21)
        sender.send(2)
        ((left,), (came,)) = sender.departed(1), sender.arrive(1)
        assert came.stamp - left.stamp >= 100 * MS


def test_what_comes_later_overtakes_a_packet_that_a_rule_delays() -> None:
    late = Rule(match=parse_packet("udp"), action="delay", occurrences=frozenset({1}), delay=milliseconds(600), place=HERE)
    with wired() as (lab, wire), numbered(lab) as sender:
        sender.send(0)
        sender.arrive(1)
        wire.impair(THERE, [late])
        sender.send(1, 2)
        came = sender.arrive(2)
        assert numbers(came) == [2, 1]
        assert came[1].stamp - sender.departed(2)[1].stamp >= 600 * MS
        assert [(one.action, one.occurrence) for one in wire.drain()] == [("delay", 1)]


def test_packets_overtake_and_not_what_asks_for_neighbours() -> None:
    overtaken = Rule(match=parse_packet("udp"), action="reorder", occurrences=frozenset({1}), by=2, place=HERE)
    with wired() as (lab, wire), numbered(lab) as sender, closing(lab["client"].space.packet_socket("eth0")) as raw:
        sender.send(0)
        sender.arrive(1)
        wire.impair(THERE, [overtaken])
        sender.send(1)
        assert [one.action for one in decided(wire, 1)] == ["reorder"]
        raw.send(b"\xff" * 6 + bytes(6) + b"\x08\x06" + bytes(28))
        sender.send(2, 3)
        came = numbers(sender.arrive(3))
        assert (came[-1], sorted(came)) == (1, [1, 2, 3])


def test_a_barrier_of_a_later_rule_is_known_and_released() -> None:
    held = Rule(match=parse_packet("udp"), action="hold", barrier="later", place=HERE)
    with wired() as (lab, wire), numbered(lab) as sender:
        with pytest.raises(ValueError, match="no rule holds packets at the barrier 'later'; barriers are: none"):
            wire.release("later")
        wire.impair(THERE, [held])
        sender.send(1)
        assert [one.action for one in decided(wire, 1)] == ["hold"]
        wire.release("later")
        sender.send(2)
        assert numbers(sender.arrive(2)) == [1, 2]
        assert [one.action for one in wire.drain()] == ["release"]


@pytest.mark.parametrize(("direction", "link"), [("client->nowhere", ""), (THERE, "client:eth1-server:eth1")])
def test_a_direction_that_no_link_has_is_an_error(direction: str, link: str) -> None:
    with wired() as (_, wire):
        with pytest.raises(ValueError, match=r"nothing goes .*; directions are: client->server, server->client"):
            wire.impair(direction, [LOST], link=link)
        with pytest.raises(ValueError, match="nothing goes"):
            wire.heal(direction, link=link)


def test_the_other_direction_is_untouched() -> None:
    with wired() as (lab, wire), numbered(lab, "server", "client") as sender:
        wire.impair(THERE, [LOST])
        assert passes(sender, wire, 0) == ([*range(10)], [])


@pytest.mark.parametrize("offloads", [frozenset[str](), frozenset({"tx", "sg", "tso", "gso"})], ids=["packets", "segments"])
@pytest.mark.parametrize(("family", "address"), [(socket.AF_INET, "10.0.0.2"), (socket.AF_INET6, "fd00::2")])
def test_a_connection_that_was_opened_while_nothing_was_looked_at_is_known(
    family: int, address: str, offloads: frozenset[str]
) -> None:
    with (
        wired(offloads=offloads) as (lab, wire),
        closing(lab["server"].socket(family)) as listener,
        closing(lab["client"].socket(family)) as client,
    ):
        listener.bind((address, 8080))
        listener.listen()
        client.settimeout(20)
        client.connect((address, 8080))
        accepted, _ = listener.accept()
        with closing(accepted):
            accepted.settimeout(20)
            client.send(b"before")
            assert accepted.recv(10) == b"before"
            wire.impair(THERE, [Rule(match=parse_packet("P. seq 7"), action="drop", occurrences=frozenset({1}), place=HERE)])
            client.send(b"lost once")
            assert accepted.recv(10) == b"lost once"
        (decision,) = wire.drain()
        assert decision.action == "drop"
        assert decision.key.endswith(" #1 data 6 1")
