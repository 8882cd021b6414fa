"""Part: the same stars by other tools, where they are installed: Mininet, munet, NeST."""

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from ci.bench.contenders import Contender, ContenderError
from ci.bench.measure import Taken, built
from ci.bench.networks import Network
from ci.bench.settings import NETLAB, REFERENCE, Settings
from ci.bench.table import Row

SIDES = {"Mininet": "mininet_net", "NeST": "nest_net", "munet": "munet_net"}
LARGEST = {"Mininet": 200, "NeST": 50, "munet": 50}
SIZES = (10, 50, 200)
ROUNDS = 3


def part(settings: Settings) -> Iterator[Row]:
    """Up and down of stars, as ratios to the C reference and beside netlab."""
    there = [name for name in SIDES if _is_there(name, settings)]
    for size in SIZES if there else ():
        network = Network(shape="star", size=size)
        with settings.contenders(network, REFERENCE, NETLAB) as contenders, ExitStack() as stack:
            others = [stack.enter_context(_contender(name, network, settings)) for name in there if size <= LARGEST[name]]
            if others:
                yield from _rows(network, built([*contenders.values(), *others], min(settings.rounds, ROUNDS), settings.drain))


def _rows(network: Network, taken: dict[str, Taken]) -> Iterator[Row]:
    for name, each in taken.items():
        if name == REFERENCE:
            continue
        for quantity, words in (("up_ms", "up"), ("down_ms", "down")):
            least = taken[REFERENCE].median(quantity) if REFERENCE in taken and quantity == "up_ms" else None
            against = REFERENCE if quantity == "up_ms" else ""
            part = f"{network.name}: other tools"
            yield Row(part=part, what=words, who=name, value=each.median(quantity), unit="ms", against=against, reference=least)


def _is_there(name: str, settings: Settings) -> bool:
    if name == "Mininet" and not settings.mininet:
        print("  Mininet: only with --mininet, since it raises limits of the whole machine meanwhile", file=sys.stderr)
        return False
    with Contender(name, _argv(name, Network(shape="star", size=2), settings), environment=_path(settings)) as tried:
        try:
            tried.ask("up")
            tried.ask("down")
        except ContenderError as error:
            print(f"  {name}: cannot be measured here: {error}", file=sys.stderr)
            return False
    return True


def _contender(name: str, network: Network, settings: Settings) -> Contender:
    return Contender(name, _argv(name, network, settings), may_fail=True, environment=_path(settings))


def _argv(name: str, network: Network, settings: Settings) -> list[str]:
    return [settings.tools, "-m", f"ci.bench.sides.{SIDES[name]}", network.shape, str(network.size)]


def _path(settings: Settings) -> dict[str, str]:
    """Programs that came with the tools stand beside their interpreter."""
    return {"PATH": f"{Path(settings.tools).parent}:{os.environ.get('PATH', os.defpath)}"}
