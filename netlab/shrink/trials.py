"""Runs what is to be tried, each thing once, and tells whether it fails in the same way. It does not know what the things are.

What fails now and then fails: it is run up to ``tries`` times, until it does. Ctrl-C and the end of the time stop the search, of
which whoever searches has kept the best so far.
"""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from threading import Event, Lock
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


_KEPT = 4
"""Results of so many things that failed are kept, with all that was seen in their runs; of the others it is known that they did."""


class OutOfTimeError(Exception):
    """The time for the whole is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried(Generic[R]):
    """How one thing fared: in how many of ``runs`` runs it failed in the same way, and the result of the one that did."""

    same: int
    runs: int
    result: R | None = None


class Trials(Generic[T, R]):
    """``run`` runs a thing and gives its result if it failed in the same way, else None. ``key`` says which things are the same.

    ``tries`` may change: what failed in none of fewer tries is then run some more. With ``twice`` a thing fails only if it does so
    twice in a row: not what fails now and then, where the whole fails whenever it is run. ``deadline`` is of time.monotonic().
    ``told`` is called after each run, from whatever thread it was in.
    """

    def __init__(
        self,
        run: Callable[[T], R | None],
        key: Callable[[T], str],
        *,
        tries: int = 3,
        jobs: int = 1,
        deadline: float | None = None,
        told: Callable[[], None] = lambda: None,
    ) -> None:
        self._run, self._key, self._told = run, key, told
        self.tries, self._jobs, self.deadline = tries, jobs, deadline
        self.twice = False
        self._known: dict[str, Tried[R]] = {}
        self._lock = Lock()
        self.runs = 0

    def first(self, things: Sequence[T]) -> int | None:
        """The index of the first of these that fails; None if none does. With several jobs some behind it may have run, too."""
        for start in range(0, len(things), self._jobs):
            batch = things[start : start + self._jobs]
            for offset, tried in enumerate(self._all(batch)):
                if tried.same:
                    return start + offset
        return None

    def tried(self, thing: T) -> Tried[R]:
        """How a thing fared, or fares now. The result is None where it is no longer kept."""
        return self._all([thing])[0]

    def result(self, thing: T) -> R | None:
        """The result of a thing that failed, of a run more if it is no longer kept; None if it does not fail then."""
        key = self._key(thing)
        if key in self._known and self._known[key].result is None:
            del self._known[key]
        return self.tried(thing).result

    def repeated(self, thing: T) -> Tried[R]:
        """How a thing fares when it is run ``tries`` times, whatever comes of the first. It counts as its trial, too."""
        same, last = 0, None
        for _ in range(self.tries):
            result = self._once(thing)
            same, last = (same + 1, result) if result is not None else (same, last)
        self._known[self._key(thing)] = found = Tried(same=same, runs=self.tries, result=last)
        return found

    def _all(self, things: Sequence[T]) -> list[Tried[R]]:
        keyed = {self._key(thing): thing for thing in things}
        if self._jobs > 1 and len(keyed) > 1:
            self._at_once(keyed)
        else:
            for key, thing in keyed.items():
                self._try(key, thing, Event())
        return [self._known[self._key(thing)] for thing in things]

    def _at_once(self, keyed: dict[str, T]) -> None:
        """Try all of these; what comes out of one is kept even if another ends by an error."""
        stopped = Event()
        with ThreadPoolExecutor(self._jobs) as pool:
            try:
                pending = [pool.submit(self._try, key, thing, stopped) for key, thing in keyed.items()]
                wait(pending)
            except BaseException:
                stopped.set()  # Ctrl-C: what runs now ends, no more begins
                raise
        for future in pending:
            future.result()

    def _try(self, key: str, thing: T, stopped: Event) -> None:
        """Run a thing until it fails, as often as is left to try."""
        before = self._known.get(key, Tried(same=0, runs=0))
        runs = before.runs
        while not before.same and runs < self.tries and not stopped.is_set():
            result = self._once(thing)
            runs += 1
            if result is not None and self.twice:
                result = self._once(thing)
                runs += 1
            before = Tried(same=int(result is not None), runs=runs, result=result)
        with self._lock:
            self._known[key] = before
            kept = [old for old, tried in self._known.items() if tried.result is not None]
            for old in kept[:-_KEPT]:
                self._known[old] = replace(self._known[old], result=None)

    def _once(self, thing: T) -> R | None:
        if self.deadline is not None and time.monotonic() >= self.deadline:
            raise OutOfTimeError
        with self._lock:
            self.runs += 1
        result = self._run(thing)
        self._told()
        return result
