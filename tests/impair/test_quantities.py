"""A shape's chances as rules of single packets: which, how often, and that the first that acts decides."""

from collections import Counter
from math import sqrt
from typing import Any

import pytest
from link_frames import THERE, datagram, rules
from networks import HERE

from netlab.impair.quantities import overtakes, rules_of
from netlab.topology.spec import Shape
from netlab.units import milliseconds


def shape(**quantities: Any) -> Shape:
    return Shape(delay=milliseconds(0), jitter=milliseconds(0), place=HERE, **quantities)


def done(wanted: Shape, count: int, *, seed: int = 0) -> list[str]:
    """What becomes of so many datagrams."""
    decider, one = rules((THERE, rules_of(wanted)), seed=seed), datagram(b"x")
    rulings = [decider.ruling(one, 0) for _ in range(count)]
    return ["" if ruling is None else ruling.rule.action for ruling in rulings]


def test_each_chance_is_a_rule_in_the_words_of_the_file() -> None:
    found = rules_of(shape(loss=0.001, duplicate=0.5, corrupt=0.25, reorder=1.0, seed=7))
    assert [(rule.match.text, rule.action, rule.chance, rule.seed, rule.place) for rule in found] == [
        ("loss 0.1%", "drop", 0.001, 7, HERE),
        ("duplicate 50%", "duplicate", 0.5, 7, HERE),
        ("corrupt 25%", "corrupt", 0.25, 7, HERE),
        ("reorder 100%", "reorder", 1.0, 7, HERE),
    ]
    assert [overtakes(rule) for rule in found] == [False, False, False, True]


def test_what_leaves_nothing_to_chance_has_no_rules() -> None:
    assert rules_of(shape(rate=1_000_000, limit=5)) == ()


@pytest.mark.parametrize(("name", "action"), [("loss", "drop"), ("duplicate", "duplicate"), ("corrupt", "corrupt")])
def test_each_happens_as_often_as_it_says(name: str, action: str) -> None:
    count, chance = 20_000, 0.05
    found = Counter(done(shape(**{name: chance}), count))
    assert abs(found[action] - count * chance) < 3.9 * sqrt(count * chance * (1 - chance))
    assert found[action] + found[""] == count


def test_what_is_lost_is_not_duplicated_too() -> None:
    count = 20_000
    found = Counter(done(shape(loss=0.5, duplicate=0.5), count))
    for action, chance in (("drop", 0.5), ("duplicate", 0.25), ("", 0.25)):
        assert abs(found[action] - count * chance) < 3.9 * sqrt(count * chance * (1 - chance))


def test_the_shapes_own_seed_decides_or_else_the_runs() -> None:
    own, free = shape(loss=0.5, seed=7), shape(loss=0.5)
    assert done(own, 100, seed=1) == done(own, 100, seed=2)
    assert done(free, 100, seed=1) == done(free, 100, seed=1) != done(free, 100, seed=2)
