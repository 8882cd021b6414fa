"""What came of one generated sequence that was played: its calls in order, their outcomes and when each began and ended.

It knows neither how calls are made nor what is allowed.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from netlab.explore.scene import Line
from netlab.workload.marshal import Decoded


@dataclass(frozen=True, slots=True)
class Played:
    """What came of one line. ``began`` and ``ended`` are just before and after the call, in ns; ``seen_inside`` when its thread was
    seen to sleep inside, 0 if it was not. ``outcome`` is None where it did not return before the sequence was over.

    ``signal`` names what ended the process ("SIGPIPE", "exit 0").
    """

    line: Line
    began: int
    outcome: Decoded | None = None
    ended: int = 0
    seen_inside: int = 0
    signal: str = ""


@dataclass(frozen=True, slots=True)
class Trial:
    """One sequence, played: its lines in order, but for those about a descriptor that nothing made after all.
    ``left_inside`` is how many calls had to be interrupted at the end.
    """

    played: tuple[Played, ...]
    left_inside: int = 0


def in_time(trial: Trial) -> Iterator[tuple[int, str, int]]:
    """What happened in the order of time: (when in ns, "begins", "inside" or "returns", number among the trial's lines)."""
    events: list[tuple[int, int, int, str]] = []
    for number, one in enumerate(trial.played):
        events.append((one.began, 0, number, "begins"))
        if one.seen_inside:
            events.append((max(one.seen_inside, one.began), 1, number, "inside"))
        if one.outcome is not None:
            events.append((one.ended, 2, number, "returns"))
    for when, _, number, what in sorted(events):
        yield when, what, number
