"""Part: what one thing in a host costs: a socket made there, a program run there, a raw call by its agent."""

from collections.abc import Iterator

from ci.bench.measure import repeated
from ci.bench.networks import Network
from ci.bench.settings import IP, NETLAB, REFERENCE, Settings
from ci.bench.table import Row

PART = "one thing in a host"
SOCKETS, SPAWNS, CALLS = 1000, 50, 1000
MOST_SOCKET, MOST_SPAWN, MOST_CALL_US = 2.5, 1.2, 70
NETWORK = Network(shape="star", size=2)


def part(settings: Settings) -> Iterator[Row]:
    """The medians of many, in turns."""
    with settings.contenders(NETWORK, REFERENCE, NETLAB, IP) as contenders:
        for each in contenders.values():
            each.ask("up")
        ours = contenders[NETLAB]
        without_ip = [each for name, each in contenders.items() if name != IP]
        sockets = repeated(dict.fromkeys(without_ip, f"sockets {SOCKETS}"), settings.rounds)
        spawns = repeated(dict.fromkeys(contenders.values(), f"spawns {SPAWNS}"), settings.rounds)
        calls = repeated({ours: f"agent {CALLS}"}, settings.rounds)
        for each in contenders.values():
            each.ask("down")
    yield _row("a socket made in it", NETLAB, sockets, "C: setns, socket", MOST_SOCKET)
    yield _row("true(1) run in it", NETLAB, spawns, "C: setns, spawn", MOST_SPAWN)
    yield _row("true(1) by ip netns exec", IP, spawns, "C: setns, spawn", None)
    yield Row(part=PART, what="a raw call by its agent", who=NETLAB, value=calls[NETLAB], unit="us", most=MOST_CALL_US)


def _row(what: str, who: str, times: dict[str, float], against: str, most: float | None) -> Row:
    return Row(
        part=PART, what=what, who=who, value=times[who], unit="us", against=against, reference=times.get(REFERENCE), most=most
    )
