"""Delta debugging: the smallest part of some items with which a test still fails. It refuses to know what the items are.

The algorithm is ddmin of Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", IEEE TSE 28(2), 2002, §3, with
the empty part tried before all others. What it gives is 1-minimal: without any single item of it the test does not fail.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TypeVar

T = TypeVar("T")
First = Callable[[Sequence[tuple[T, ...]]], tuple[T, ...] | None]
"""Of some parts, the first with which the test fails; None where it fails with none of them. It may give less than that part, where
what it left out could not be kept without the rest."""


def ddmin(items: Sequence[T], first: First[T]) -> tuple[T, ...]:
    """The 1-minimal part of ``items``, of which it is known that the test fails with all of them. The order stays.

    Takes at most n² + 3n tests (there, proposition 12), and about 2 log2 n when one item alone matters.
    """
    whole = tuple(items)
    if not whole or (found := first([()])) is not None:
        return () if whole else whole
    parts = 2
    while len(whole) > 1:
        chunks = _chunks(whole, parts)
        # with two chunks each one is the other's complement
        subsets = chunks if parts > 2 else []
        complements = [tuple(item for each in chunks if each is not chunk for item in each) for chunk in chunks]
        found = first([*subsets, *complements])
        if found is not None:
            parts = 2 if found in subsets else max(parts - 1, 2)
            whole = found
        elif parts < len(whole):
            parts = min(2 * parts, len(whole))
        else:
            break
        parts = min(parts, max(len(whole), 2))
    return whole


def singly(items: Sequence[T], first: First[T]) -> tuple[T, ...]:
    """The items without those that the test fails without, looked for one by one: a 1-minimal part of what is nearly minimal."""
    whole = tuple(items)
    while (found := first([whole[:index] + whole[index + 1 :] for index in range(len(whole))])) is not None:
        whole = found
    return whole


def _chunks(items: tuple[T, ...], count: int) -> list[tuple[T, ...]]:
    """So many parts of nearly the same size, none of them empty."""
    edges = [len(items) * index // count for index in range(count + 1)]
    return [items[start:end] for start, end in pairwise(edges) if end > start]
