"""Part: what being observed adds to a short TCP connection between two hosts of a lab, against the same lab unobserved.

What is measured is the kernel's side, while the connections are made. The observers hand over what they saw afterwards, which is
measured for itself.
"""

import fcntl
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from importlib import import_module, util
from pathlib import Path
from statistics import median

from ci.bench.contenders import Contender, ContenderError
from ci.bench.reference import compiled
from ci.bench.settings import NETLAB, Settings
from ci.bench.table import Row
from netlab.document import Document
from netlab.lab.lab import Lab
from netlab.observe.events import EventObserver
from netlab.observe.source import Source
from netlab.observe.states import StateObserver
from netlab.topology.load import parse_topology

PART = "a short connection, observed"
UNOBSERVED, OBSERVED = "unobserved", "states, resets, drops, errors, timers"
MOST_RATIO = 1.4
CONNECTIONS = 300
SIOCGSKNS = 0x894C  # ioctl(2) of a socket: a descriptor of its network namespace
SOURCE = Path(__file__).with_name("connections.c")
TOPOLOGY = "nodes:\n  client: {}\n  server: {}\nlinks:\n  - endpoints: [client, server]\n    subnets: [10.0.0.0/24]\n"

Observers = Callable[[Mapping[int, str]], Sequence[Source]]


def part(settings: Settings) -> Iterator[Row]:
    """The medians of rounds in turns, all in one lab: without observers, with those of tier A, and with more."""
    program = compiled(settings.folder, SOURCE)
    if program is None:
        print("bench: there is no C compiler: what observing costs is not measured", file=sys.stderr)
        return
    kinds = _kinds()
    taken: dict[str, list[float]] = {what: [] for what in kinds}
    handing: list[float] = []
    with Lab(parse_topology(Document.parse(TOPOLOGY, "observing.yaml"))) as lab:
        spaces = {node.space.cookie: name for name, node in lab.nodes.items()}
        with _connections(program, lab) as contender:
            for number in range(settings.rounds + 1):
                first = number % len(kinds)
                for what in [*kinds][first:] + [*kinds][:first]:
                    sources = kinds[what](spaces)
                    us, per_record = _observed(contender, sources)
                    if number:
                        taken[what].append(us)
                        handing += per_record if what == OBSERVED else []
    bare = median(taken[UNOBSERVED])
    yield Row(part=PART, what="connect, a byte each way, close", who=UNOBSERVED, value=bare, unit="us")
    for what, values in taken.items():
        if what != UNOBSERVED:
            most = MOST_RATIO if what == OBSERVED else None
            yield Row(
                part=PART, what=what, who=NETLAB, value=median(values), unit="us", against=UNOBSERVED, reference=bare, most=most
            )
    if handing:
        yield Row(part=PART, what="handing over one observation, afterwards", who=NETLAB, value=median(handing), unit="us")


def _kinds() -> dict[str, Observers]:
    def tier_a(spaces: Mapping[int, str]) -> list[Source]:
        return [StateObserver(spaces), EventObserver(spaces)]

    kinds: dict[str, Observers] = {UNOBSERVED: lambda spaces: [], OBSERVED: tier_a}
    if util.find_spec("netlab.observe.calls") is not None:
        calls = import_module("netlab.observe.calls").CallObserver
        kinds["the same, and system calls"] = lambda spaces: [*tier_a(spaces), calls(spaces)]
    kinds["the same, and the kernel's stacks"] = lambda spaces: [StateObserver(spaces, stacks=True), EventObserver(spaces)]
    return kinds


def _observed(contender: Contender, sources: Sequence[Source]) -> tuple[float, list[float]]:
    """What one connection takes, and what handing over one observation of it takes, in microseconds."""
    for source in sources:
        source.start()
    us = float(contender.ask(f"connections {CONNECTIONS}")["us"])
    began = time.perf_counter()
    seen = sum(len(source.drain()) for source in sources)
    handing = [(time.perf_counter() - began) * 1e6 / seen] if seen else []
    for source in sources:
        source.stop()
        report = source.report()
        if not report.available or report.lost or (report.name == "states" and not report.seen):
            raise ContenderError(f"the source {report.name} did not see it all: {report}")
    return us, handing


@contextmanager
def _connections(program: Path, lab: Lab) -> Iterator[Contender]:
    """The process that makes the connections, in the namespaces of the lab's client and server."""
    with ExitStack() as held:
        paths = []
        for name in ("client", "server"):
            with lab[name].socket() as made:
                space = fcntl.ioctl(made.fileno(), SIOCGSKNS)
            held.callback(os.close, space)
            paths.append(f"/proc/{os.getpid()}/fd/{space}")
        yield held.enter_context(Contender("connections", [str(program), *paths, lab["server"].address]))
