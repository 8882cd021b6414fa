"""Repeats a bundle's run and counts how its runs ended: the rate at which a failure comes again, with a confidence interval.

It refuses to know how a run is made.
"""

import math
from collections import Counter
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field

from netlab.bundle.running import Again, again
from netlab.bundle.spec import Failed
from netlab.check.result import ScenarioResult

_Z = 1.959963984540054  # the normal distribution's 97.5th percentile: an interval of 95 %
_WORTH = (Again.SAME, Again.OTHER, Again.UNTOLD, Again.PASSED)
"""Which run is shown of several: the first of the first of these that there is."""


@dataclass(kw_only=True)
class Runs:
    """How often runs ended in which way, and the one that is to be shown."""

    ended: Counter[Again] = field(default_factory=Counter)
    shown: ScenarioResult | None = None
    best: Again = Again.PASSED

    @property
    def total(self) -> int:
        """How many there were."""
        return self.ended.total()

    def add(self, result: ScenarioResult, how: Again) -> None:
        """Count one more."""
        self.ended[how] += 1
        if self.shown is None or _WORTH.index(how) < _WORTH.index(self.best):
            self.shown, self.best = result, how


def repeat(
    run: Callable[[], ScenarioResult],
    failed: Failed,
    *,
    times: int = 1,
    jobs: int = 1,
    until_fail: bool = False,
    told: Callable[[ScenarioResult], None] = lambda _: None,
    runs: Runs | None = None,
) -> Runs:
    """Run so many times, ``jobs`` at once, with ``until_fail`` only until one fails in the same way. ``told`` hears of each result,
    one at a time; what ``run`` raises, this raises. Counted in ``runs``, so that those until then are known."""
    runs = Runs() if runs is None else runs

    def add(result: ScenarioResult) -> None:
        runs.add(result, again(result, failed))
        told(result)

    def enough() -> bool:
        return until_fail and runs.ended[Again.SAME] > 0

    if jobs == 1:
        for _ in range(times):
            add(run())
            if enough():
                break
        return runs
    with ThreadPoolExecutor(jobs) as pool:
        started, waiting = 0, set[Future[ScenarioResult]]()
        while True:
            while started < times and len(waiting) < jobs and not enough():
                waiting.add(pool.submit(run))
                started += 1
            if not waiting:
                return runs
            done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            for one in done:
                add(one.result())


def wilson(hits: int, total: int) -> tuple[float, float]:
    """The 95 % confidence interval of a probability of which ``total`` trials showed ``hits``. It stays within 0 and 1, and says
    something even of 20 of 20. E. B. Wilson, Journal of the American Statistical Association 22 (1927), pages 209-212.

    >>> [round(bound, 3) for bound in wilson(20, 20)]
    [0.839, 1.0]
    """
    if not 0 <= hits <= total or not total:
        raise ValueError(f"{hits} of {total} is no rate")
    rate, weight = hits / total, _Z * _Z / total
    middle = (rate + weight / 2) / (1 + weight)
    half = _Z / (1 + weight) * math.sqrt(rate * (1 - rate) / total + weight / total / 4)
    return max(0.0, middle - half), min(1.0, middle + half)
