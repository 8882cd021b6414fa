"""Runs searches of generated sequences, one or several at a time, each in a lab of its own, and adds up what they found.

It knows neither how sequences are made nor how they are judged.
"""

import multiprocessing
import resource
import signal
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing.synchronize import Event

from netlab.explore.coverage import Coverage
from netlab.explore.playing import Stage
from netlab.explore.searching import Found, Limits, Search
from netlab.topology.load import find_topology, load_topology

TOPOLOGY = "two-hosts"
"""The network, one that ships with netlab: where sequences are of one host, the other stands by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explored:
    """What all searches found. ``seconds`` went by; ``processor`` is the processor time in seconds, of the agents too.

    ``interrupted`` where they were told to end early.
    """

    coverage: Coverage
    found: tuple[Found, ...]
    seconds: float
    processor: float
    interrupted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Task:
    seed: int
    hosts: int
    seconds: float
    sequences: float


def explore(
    *,
    seed: int,
    seconds: float,
    sequences: float = float("inf"),
    hosts: int = 2,
    jobs: int = 1,
    told: Callable[[Coverage, int], None] | None = None,
) -> Explored:
    """Search for so long, or until so many sequences were tried. ``told`` gets the coverage and the number of disagreements now and
    then. The same seed draws the same records, as long as their outcomes, which weigh the next, are the same.

    Raises HostError where this machine can build no lab.
    """
    began = time.monotonic()
    if jobs == 1:
        return _alone(_Task(seed=seed, hosts=hosts, seconds=seconds, sequences=sequences), told, began)
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    share = sequences if sequences == float("inf") else -(-int(sequences) // jobs)
    tasks = [_Task(seed=seed * 1000 + job, hosts=hosts, seconds=seconds, sequences=share) for job in range(jobs)]
    coverage, found, processor, interrupted = Coverage(), list[Found](), 0.0, False
    with ProcessPoolExecutor(jobs, mp_context=context, initializer=_begin, initargs=(stop,)) as pool:
        waiting = {pool.submit(_one, task) for task in tasks}
        while waiting:
            try:
                for done in as_completed(tuple(waiting)):
                    waiting.discard(done)
                    seen, more, spent = done.result()
                    coverage.add(seen)
                    found += more
                    processor += spent
                    if told is not None:
                        told(coverage, len(_merged(found)))
            except KeyboardInterrupt:
                interrupted = True
                stop.set()
    return Explored(
        coverage=coverage, found=_merged(found), seconds=time.monotonic() - began, processor=processor, interrupted=interrupted
    )


def _alone(task: _Task, told: Callable[[Coverage, int], None] | None, began: float) -> Explored:
    interrupted, spent = False, _spent()

    def tell(search: Search) -> None:
        if told is not None:
            told(search.coverage, len(search.sought))

    with Stage(load_topology(find_topology(TOPOLOGY, None))) as stage:
        search = Search(stage, task.seed, _limits(task), hosts=task.hosts, told=tell)
        try:
            search.run()
        except KeyboardInterrupt:
            interrupted = True
    return Explored(
        coverage=search.coverage,
        found=tuple(search.found()),
        seconds=time.monotonic() - began,
        processor=_spent() - spent,
        interrupted=interrupted,
    )


def _spent() -> float:
    """Processor time in seconds of this process and of the children that it has waited for, which a lab's are once it is down."""
    return sum(one.ru_utime + one.ru_stime for one in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)))


_stop: Event | None = None


def _begin(stop: Event) -> None:
    """In a process of the pool: whoever interrupts the command tells it by ``stop``, so that what was found is not lost."""
    global _stop
    _stop = stop
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _one(task: _Task) -> tuple[Coverage, list[Found], float]:
    spent = _spent()
    with Stage(load_topology(find_topology(TOPOLOGY, None))) as stage:
        limits = _limits(task)
        if _stop is not None:
            limits.stop = _stop.is_set
        search = Search(stage, task.seed, limits, hosts=task.hosts)
        search.run()
    return search.coverage, search.found(), _spent() - spent


def _limits(task: _Task) -> Limits:
    return Limits(until=time.monotonic() + task.seconds, sequences=task.sequences)


def _merged(found: list[Found]) -> tuple[Found, ...]:
    """Each disagreement once, with the shortest of its sequences."""
    merged: dict[tuple[str, ...], Found] = {}
    for one in found:
        known = merged.get(one.disagreement.key)
        shorter = known is None or len(one.trial.played) < len(known.trial.played)
        best = one if known is None or shorter else known
        merged[one.disagreement.key] = Found(
            trial=best.trial, disagreement=best.disagreement, times=one.times + (known.times if known else 0), again=best.again
        )
    return tuple(merged.values())
