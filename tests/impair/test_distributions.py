"""Distributions of delay: their quantiles against what they are known for, and what the seeded draws make of them."""

import math
from collections.abc import Callable
from statistics import NormalDist, fmean, pstdev

import pytest

from netlab.impair.distributions import DISTRIBUTIONS, deviation
from netlab.impair.ruling import draw

JITTER, COUNT = 1_000_000, 5000
ACCEPTED = 2.2 / math.sqrt(COUNT)
"""The Kolmogorov-Smirnov statistic that one sample in ten thousand exceeds."""


def pareto(x: float) -> float:
    """Of shape 3, moved and scaled as by iproute2's netem/pareto.c."""
    return 1 - (x * 3 / 4 + 1.5) ** -3 if x > -2 / 3 else 0.0


CUMULATIVE: dict[str, Callable[[float], float]] = {
    "uniform": lambda x: min(1.0, max(0.0, (x + 1) / 2)),
    "normal": NormalDist().cdf,
    "exponential": lambda x: 1 - math.exp(-x - 1) if x > -1 else 0.0,
    "pareto": pareto,
}


def drawn(distribution: str) -> list[float]:
    draws = (draw(3, "l", "a->b", 0, f"datagram {number}", "delay") for number in range(COUNT))
    return sorted(deviation(distribution, JITTER, one) / JITTER for one in draws)


def apart(values: list[float], cumulative: Callable[[float], float]) -> float:
    """The Kolmogorov-Smirnov statistic of sorted values."""
    return max(
        max(abs(cumulative(x) - n / len(values)), abs(cumulative(x) - (n + 1) / len(values)))
        for n, x in enumerate(values)
        if x < 3.99
    )


def test_each_is_tested() -> None:
    assert set(CUMULATIVE) == set(DISTRIBUTIONS)


@pytest.mark.parametrize("distribution", CUMULATIVE)
def test_draws_are_distributed_as_they_say(distribution: str) -> None:
    values = drawn(distribution)
    assert apart(values, CUMULATIVE[distribution]) < ACCEPTED
    others = [other for name, other in CUMULATIVE.items() if name != distribution]
    assert all(apart(values, other) > ACCEPTED for other in others), "the test tells them apart"


@pytest.mark.parametrize("distribution", ["normal", "exponential"])
def test_the_jitter_is_the_standard_deviation(distribution: str) -> None:
    values = drawn(distribution)
    assert abs(fmean(values)) < 4 / math.sqrt(COUNT)
    assert 0.9 < pstdev(values) < 1.1


def test_uniform_stays_within_the_jitter_and_pareto_within_netems_table() -> None:
    extremes = {name: (deviation(name, JITTER, 0.0), deviation(name, JITTER, 1 - 2**-53)) for name in DISTRIBUTIONS}
    assert extremes["uniform"] == (-JITTER, JITTER)
    assert extremes["exponential"][0] == -JITTER
    assert extremes["pareto"] == (-666_667, 3_999_878)
    assert -9 * JITTER < extremes["normal"][0] < -8 * JITTER
    assert 8 * JITTER < extremes["normal"][1] < 9 * JITTER


def test_no_jitter_is_no_deviation() -> None:
    assert {deviation(name, 0, share) for name in DISTRIBUTIONS for share in (0.0, 0.3, 1 - 2**-53)} == {0}
