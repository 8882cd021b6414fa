"""Part: what a network takes of memory, and what is left of it once it is gone."""

from collections.abc import Iterator

from ci.bench.contenders import Contender
from ci.bench.measure import Samples, process_kilobytes, slab_kilobytes
from ci.bench.networks import Network
from ci.bench.settings import NETLAB, REFERENCE, Settings
from ci.bench.table import Row

MOST_RATIO, MOST_OWN_KB = 1.10, 300
CYCLES, READINGS, MOST_ROUNDS = 5, 10, 5
LEAST_SIZE = 200
"""In smaller networks, what the kernel allocates by whole pages, and what else goes on, hide what one node takes."""


def part(settings: Settings) -> Iterator[Row]:
    """The kernel's slabs and the process's own memory while a network is up; namespaces and slabs after it has gone."""
    for network in (each for each in settings.networks if each.size >= LEAST_SIZE):
        names = settings.known((REFERENCE, NETLAB))
        slabs = {name: Samples() for name in names}
        own = {name: Samples() for name in names}
        for _ in range(min(settings.rounds, MOST_ROUNDS)):
            # new processes every time: a second network would use again what the first one's objects have left
            with settings.contenders(network, *names) as contenders:
                for name, each in contenders.items():
                    slab, process = _held(each, settings)
                    slabs[name].values.append(slab)
                    own[name].values.append(process)
        yield from _rows(network, slabs, own)
        with settings.contenders(network, NETLAB) as contenders:
            yield from _left(network, contenders[NETLAB], settings)


def _held(contender: Contender, settings: Settings) -> tuple[float, float]:
    contender.ask("loaded")
    settings.drain.wait()
    before, process = slab_kilobytes(), process_kilobytes(contender.pid)
    contender.ask("up")
    slab, process = slab_kilobytes(), process_kilobytes(contender.pid) - process
    contender.ask("down")
    settings.drain.wait()
    # what others took or gave back meanwhile is halved by looking before and after
    return slab - (before + slab_kilobytes()) / 2, process


def _rows(network: Network, slabs: dict[str, Samples], own: dict[str, Samples]) -> Iterator[Row]:
    words = f"{network.name}: memory while it is up"
    for name in slabs:
        what = f"kernel slabs a node ({network.size})"
        yield Row(part=words, what=what, who=name, value=slabs[name].median / network.size, unit="KB")
        yield Row(part=words, what="the process's own", who=name, value=own[name].median, unit="KB")
    if REFERENCE in slabs:
        kernel = slabs[REFERENCE].median
        yield Row(
            part=words,
            what=f"all, against the kernel's + {MOST_OWN_KB} KB",
            who=NETLAB,
            value=slabs[NETLAB].median + own[NETLAB].median,
            unit="KB",
            against="C + 300",
            reference=kernel + MOST_OWN_KB / MOST_RATIO,
            most=MOST_RATIO,
        )


def _left(network: Network, contender: Contender, settings: Settings) -> Iterator[Row]:
    """After the network has come and gone some times: how many of its namespaces are still there, and what is left in slabs."""
    contender.ask("up")
    contender.ask("down")
    slab = _least_slab(settings)
    watched = 0
    for _ in range(CYCLES):
        contender.ask("up")
        watched += settings.drain.watch(contender)
        contender.ask("down")
        settings.drain.wait()
    words = f"{network.name}: left after {CYCLES} times up and down"
    what = f"network namespaces, of {watched}"
    yield Row(part=words, what=what, who=NETLAB, value=settings.drain.alive(), unit="", most=0)
    yield Row(part=words, what="kernel slabs, all of the machine's", who=NETLAB, value=_least_slab(settings) - slab, unit="KB")


def _least_slab(settings: Settings) -> float:
    """The least of some readings: what others make and let go meanwhile counts as little as can be."""
    found = []
    for _ in range(READINGS):
        settings.drain.wait()
        found.append(slab_kilobytes())
    return min(found)
