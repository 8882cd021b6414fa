"""Part: whole commands, the interpreter's start included."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator

from ci.bench.contenders import Contender, ContenderError
from ci.bench.measure import Samples
from ci.bench.networks import Network
from ci.bench.settings import IP, NETLAB, Settings
from ci.bench.sides.serve import milliseconds
from ci.bench.table import Row

PART = "whole commands"
COMMAND = (sys.executable, "-m", "netlab")
MOST_HELP_MS, MOST_UP_AND_DOWN = 150, 2.5
NETWORK = Network(shape="star", size=10)


def part(settings: Settings) -> Iterator[Row]:
    """`netlab-ns --help`, and up and down of a star of 10."""
    topology = str(settings.topology(NETWORK))
    with settings.contender(IP, NETWORK) as ip:
        works: dict[str, Callable[[], float]] = {
            "help": lambda: milliseconds(lambda: _run(*COMMAND, "--help")),
            "interpreter": lambda: milliseconds(lambda: _run(sys.executable, "-c", "pass")),
            "lab": lambda: milliseconds(lambda: _up_and_down(topology)),
            "ip": lambda: _asked(ip),
        }
        taken = {name: Samples() for name in works}
        for number in range(settings.rounds + 1):
            for name, work in works.items():
                took = work()
                settings.drain.wait()
                if number:
                    taken[name].values.append(took)
    yield Row(part=PART, what="netlab-ns --help", who=NETLAB, value=taken["help"].median, unit="ms", most=MOST_HELP_MS)
    yield Row(part=PART, what="an interpreter that does nothing", who="python", value=taken["interpreter"].median, unit="ms")
    yield Row(
        part=PART,
        what=f"{NETWORK.name}: up and down",
        who=NETLAB,
        value=taken["lab"].median,
        unit="ms",
        against=IP,
        reference=taken["ip"].median,
        most=MOST_UP_AND_DOWN,
    )


def _run(*words: str) -> None:
    done = subprocess.run(words, check=False, capture_output=True, text=True)
    if done.returncode:
        raise ContenderError(f"{' '.join(words[2:])}: {done.stderr.strip() or done.returncode}")


def _up_and_down(topology: str) -> None:
    name = f"bench{os.getpid()}"
    _run(*COMMAND, "up", topology, "--name", name)
    _run(*COMMAND, "down", name)


def _asked(ip: Contender) -> float:
    """The time in which ip(8) processes do the same, without that of what starts them."""
    return float(ip.ask("up")["up_ms"]) + float(ip.ask("down")["down_ms"])
