"""The initial sequence numbers of the SYNs that arrived at a node: how many there were, and how far apart. Pure.

It does not know how a kernel chooses them: a claim says what must be so of many.
"""

from collections.abc import Iterator
from itertools import pairwise

from netlab.check.findings import Finding, Window
from netlab.check.objects import holds
from netlab.check.view import View
from netlab.scenario.spec import Expectation
from netlab.timeline.streams import packets_of

_SPACE = 1 << 32


def initial_numbers(expect: Expectation, view: View, window: Window, final: bool) -> Iterator[Finding]:
    """By node: the bounds that are asked for, of SYNs without ACK that came in since the expect before."""
    for node, wanted in expect.initial_numbers.items():
        first: dict[tuple[object, ...], tuple[int, int]] = {}
        for seen in packets_of(view.timeline.observations):
            packet, headers = seen.packet, seen.headers
            here = (packet.host, packet.direction) == (node, "in") and window.packets_began < packet.time <= window.packets_until
            if here and "S" in headers.flags and "." not in headers.flags and headers.seq is not None:
                # A SYN that is sent again is the same one.
                ends = (headers.source, headers.sport, headers.target, headers.dport, headers.seq)
                first.setdefault(ends, (seen.index, headers.seq))
        found = measured([number for _, number in first.values()])
        for what, bound in wanted.items():
            yield Finding(
                field=f"initial numbers to {node}, {what}",
                status="met" if holds(bound, found[what]) else "unmet",
                expected=bound,
                actual=str(found[what]),
                evidence=tuple(index for index, _ in first.values()),
            )


def measured(numbers: list[int]) -> dict[str, int]:
    """``count``, ``distinct``; ``spread``: the largest less the smallest of the steps from each number to the next, each the
    shorter way round (RFC 9293 §3.4); ``rises`` and ``falls``: how many steps go up, and down.

    >>> measured([5, 15, 4])
    {'count': 3, 'distinct': 3, 'spread': 21, 'rises': 1, 'falls': 1}
    """
    steps = [(after - before + _SPACE // 2) % _SPACE - _SPACE // 2 for before, after in pairwise(numbers)]
    return {
        "count": len(numbers),
        "distinct": len(set(numbers)),
        "spread": max(steps, default=0) - min(steps, default=0),
        "rises": sum(step > 0 for step in steps),
        "falls": sum(step < 0 for step in steps),
    }
