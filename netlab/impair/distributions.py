"""How a delay varies: a number in [0, 1) becomes a deviation in nanoseconds, by the quantile function of a distribution.

The scale is that of netem (tc-netem(8)): uniform deviates by at most the jitter; of the others the jitter is the standard
deviation. Their mean is 0, but for what netem's own table of pareto has. What draws the numbers, and what becomes of the delay,
is not known here.
"""

import math
from collections.abc import Callable, Mapping
from statistics import NormalDist

__all__ = ["DISTRIBUTIONS", "deviation"]

_NORMAL = NormalDist()
_LEAST = 2.0**-54
"""A draw of 0 stands for the middle of the first of its 2**53 steps: the tails' quantiles are infinite at 0 and 1."""
_PARETO_SHAPE, _PARETO_MEAN, _PARETO_SCALE, _PARETO_MOST = 3.0, 1.5, 4 / 3, 32767 / 8192


def _uniform(draw: float) -> float:
    return 2 * draw - 1


def _normal(draw: float) -> float:
    return _NORMAL.inv_cdf(max(draw, _LEAST))


def _exponential(draw: float) -> float:
    return -math.log1p(-draw) - 1


def _pareto(draw: float) -> float:
    # iproute2 netem/pareto.c, whose table ends at what fits 16 bits.
    return min((math.pow(1 - draw, -1 / _PARETO_SHAPE) - _PARETO_MEAN) * _PARETO_SCALE, _PARETO_MOST)


DISTRIBUTIONS: Mapping[str, Callable[[float], float]] = {
    "uniform": _uniform,
    "normal": _normal,
    "exponential": _exponential,
    "pareto": _pareto,
}
"""Quantile functions, in units of the jitter: what a rule's ``distribution`` may be."""


def deviation(distribution: str, jitter: int, draw: float) -> int:
    """By how many ns a delay with this jitter (ns) deviates, for a number in [0, 1); KeyError for an unknown distribution.

    It may be less than minus the delay: whoever adds the two takes 0 then, as netem does.

    >>> [deviation("uniform", 1000, draw) for draw in (0.0, 0.25, 0.5)], deviation("normal", 1000, 0.5)
    ([-1000, -500, 0], 0)
    """
    return round(DISTRIBUTIONS[distribution](draw) * jitter)
