"""Part: how long a network takes to come up and to go away."""

import sys
from collections.abc import Iterator

from ci.bench.measure import Taken, built
from ci.bench.networks import Network
from ci.bench.settings import IP, NETLAB, REFERENCE, Settings
from ci.bench.table import Row

QUANTITIES = {
    "up_ms": "up",
    "processor_ms": "up, time on a processor",
    "down_ms": "down",
    "drained_ms": "down, until the kernel has cleaned up",
}
GOALS = {"up_ms": 1.5, "down_ms": 2.0}
"""The first as a multiple of the reference's, the second in ms."""
SLOW_SIZE, SLOW_ROUNDS = 200, 3


def part(settings: Settings) -> Iterator[Row]:
    """Up, down, and cleaned up by the kernel, of every network."""
    for network in settings.networks:
        with settings.contenders(network, REFERENCE, NETLAB, IP) as contenders:
            if network.size >= SLOW_SIZE:
                contenders[IP].most = SLOW_ROUNDS
            taken = built(contenders.values(), settings.rounds, settings.drain)
            loaded = float(contenders[NETLAB].ask("loaded")["load_ms"])
        for name, each in taken.items():
            phases = {key: round(samples.median, 1) for key, samples in each.samples.items() if key.startswith("phase")}
            print(f"  {network.name}: {name}: up {each.median('up_ms'):.1f} ms {phases or ''}", file=sys.stderr)
        yield from _rows(network, taken, loaded)


def _rows(network: Network, taken: dict[str, Taken], loaded: float) -> Iterator[Row]:
    part = f"{network.name}: up and down"
    for name, each in taken.items():
        if name == REFERENCE:
            continue
        for quantity, words in QUANTITIES.items():
            if quantity not in each.samples:
                continue
            value, goal = each.median(quantity), None if name != NETLAB else GOALS.get(quantity)
            if quantity == "down_ms":
                yield Row(part=part, what=words, who=name, value=value, unit="ms", most=goal)
            else:
                least = taken[REFERENCE].median(quantity) if REFERENCE in taken else None
                yield Row(part=part, what=words, who=name, value=value, unit="ms", against=REFERENCE, reference=least, most=goal)
    yield Row(part=part, what="the YAML file, read once", who=NETLAB, value=loaded, unit="ms")
