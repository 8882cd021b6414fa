"""Part: whether the reference and netlab build the same, so that their times may be compared. Not timed."""

import sys
import time
from collections.abc import Iterator

from ci.bench.contenders import ContenderError
from ci.bench.networks import Network
from ci.bench.settings import NETLAB, REFERENCE, Settings
from ci.bench.state import differences, states
from ci.bench.table import Row

MOST_TOLD = 5
LARGEST = 200
"""Larger networks are built by the same loops, and to read them takes minutes."""
LOOKS, PAUSE = 6, 0.3
"""A bridge's own state follows its ports' when the kernel comes to it, which may take a second."""


def part(settings: Settings) -> Iterator[Row]:
    """How many things of each network's kernel state differ: none may."""
    if settings.reference is None:
        return
    for network in (each for each in settings.networks if each.size <= LARGEST):
        found = differing(settings, network)
        for line in found[:MOST_TOLD]:
            print(f"  {network.name}: {line}", file=sys.stderr)
        yield Row(part="the same kernel state", what=network.name, who="netlab, C", value=len(found), unit="differ", most=0)


def differing(settings: Settings, network: Network) -> list[str]:
    """What differs in what the two have built."""
    with settings.contenders(network, NETLAB, REFERENCE) as both:
        spaces = {}
        for name, contender in both.items():
            contender.ask("up")
            spaces[name] = contender.ask("spaces")["spaces"]
        if spaces[NETLAB].keys() != spaces[REFERENCE].keys():
            raise ContenderError(f"{network.name}: netlab and the reference name their namespaces differently")
        for _ in range(LOOKS):
            one, other = (states(contender.pid, spaces[name]) for name, contender in both.items())
            found = list(differences(one, other))
            if not found:
                break
            time.sleep(PAUSE)
        for contender in both.values():
            contender.ask("down")
    return found
