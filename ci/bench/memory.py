"""Part: what a network takes of memory, and what is left of it once it is gone."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from ci.bench.contenders import Contender
from ci.bench.measure import Samples, process_kilobytes, slab_kilobytes
from ci.bench.networks import Network
from ci.bench.settings import NETLAB, REFERENCE, Settings
from ci.bench.table import Row

MOST_RATIO, MOST_OWN_KB = 1.10, 300
NAMESPACES = Path("/sys/kernel/slab/net_namespace")
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
    slab, process = slab_kilobytes(), process_kilobytes(contender.pid)
    contender.ask("up")
    held = slab_kilobytes() - slab, process_kilobytes(contender.pid) - process
    contender.ask("down")
    return held


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
    """After some networks more: how many namespaces there are that were not there before, and how much memory in slabs."""
    contender.ask("up")
    contender.ask("down")
    before, slab = _least(settings)
    for _ in range(CYCLES):
        contender.ask("up")
        contender.ask("down")
        settings.drain.wait()
    after, slab_after = _least(settings)
    words = f"{network.name}: left after {CYCLES} times up and down"
    if before is not None and after is not None:
        yield Row(part=words, what="network namespaces", who=NETLAB, value=after - before, unit="", most=0)
    yield Row(part=words, what="kernel slabs", who=NETLAB, value=slab_after - slab, unit="KB")


def _least(settings: Settings) -> tuple[int | None, float]:
    """The least namespaces and slabs of some readings: what others make and let go meanwhile does not count."""
    spaces: list[int] = []
    slabs: list[float] = []
    for _ in range(READINGS):
        settings.drain.wait()
        if (found := _namespaces()) is not None:
            spaces.append(found)
        slabs.append(slab_kilobytes())
    return min(spaces, default=None), min(slabs)


def _namespaces() -> int | None:
    """The machine's network namespaces, those that are held by nobody too (slabinfo(5)); None where the kernel does not tell."""
    with suppress(OSError):
        # what processors keep for the next namespace would count as well
        (NAMESPACES / "shrink").write_text("1")
        for line in Path("/proc/slabinfo").read_text().splitlines():
            if line.startswith("net_namespace "):
                return int(line.split()[1])
    return None
