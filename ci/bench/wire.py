"""Part: what a link in user space carries, and by how much it keeps its times, beside a plain veth in the same run."""

import sys
from collections.abc import Iterator

from ci.bench.contenders import Contender
from ci.bench.measure import Samples
from ci.bench.settings import NETLAB, Settings
from ci.bench.table import Row

PART = "the wire"
MILLISECONDS, ROUND_TRIPS = 1000, 1000
MOST_ROUNDS = 5
STREAMS = {
    "veth": ("one TCP stream, single packets", "plain veth", None),
    "idle": ("one TCP stream, single packets", f"{NETLAB}, no rule", 900),
    "counting": ("one TCP stream, single packets", f"{NETLAB}, a rule that counts", None),
    "beside": ("one TCP stream, single packets", f"{NETLAB}, a rule about SYNs", None),
    "dropping": ("one TCP stream, single packets", f"{NETLAB}, dropped or counted in the kernel", 2000),
    "veth-whole": ("one TCP stream, whole segments", "plain veth", None),
    "whole": ("one TCP stream, whole segments", f"{NETLAB}, no rule", 5000),
}
"""What, who, and the goal in Mbit/s."""
MOST_ADDED_US, MOST_LATE_US = 60, 500
RATES = (1000, 5000)


def part(settings: Settings) -> Iterator[Row]:
    """The medians of rounds in turns: streams, round trips, and the delay of packets at two rates."""
    rounds = min(settings.rounds, MOST_ROUNDS)
    taken: dict[str, Samples] = {}
    with Contender("wiring", [sys.executable, "-m", "ci.bench.sides.wiring"]) as contender:
        asked = [f"stream-{way} {MILLISECONDS}" for way in STREAMS]
        asked += [f"rtt-{way} {ROUND_TRIPS}" for way in ("veth", "idle", "counting")]
        asked += [f"delay {rate} {rate}" for rate in RATES]
        for number in range(rounds):
            for command in asked[number % len(asked) :] + asked[: number % len(asked)]:
                for quantity, value in contender.ask(command).items():
                    taken.setdefault(f"{command} {quantity}", Samples()).values.append(float(value))
    yield from _streams({way: taken[f"stream-{way} {MILLISECONDS} mbit"].median for way in STREAMS})
    yield from _round_trips({way: taken[f"rtt-{way} {ROUND_TRIPS} us"].median for way in ("veth", "idle", "counting")})
    for rate in RATES:
        for quantity, what in (("p50_us", "half"), ("p99_us", "99 of 100")):
            yield Row(
                part=PART,
                what=f"a delay of 10 ms at {rate} packets/s: error of {what}, at most",
                who=NETLAB,
                value=taken[f"delay {rate} {rate} {quantity}"].median,
                unit="us",
                most=MOST_LATE_US if quantity == "p99_us" else None,
            )


def _streams(mbit: dict[str, float]) -> Iterator[Row]:
    for way, (what, who, goal) in STREAMS.items():
        plain = "" if who == "plain veth" else "veth-whole" if way == "whole" else "veth"
        yield Row(
            part=PART,
            what=what,
            who=who,
            value=mbit[way],
            unit="Mbit/s",
            against="plain veth" if plain else "",
            reference=mbit[plain] if plain else None,
            least=goal,
        )


def _round_trips(us: dict[str, float]) -> Iterator[Row]:
    yield Row(part=PART, what="a round trip", who="plain veth", value=us["veth"], unit="us")
    for way, who in (("idle", STREAMS["idle"][1]), ("counting", STREAMS["counting"][1])):
        added = us[way] - us["veth"]
        yield Row(
            part=PART,
            what="added to a round trip",
            who=who,
            value=added,
            unit="us",
            most=MOST_ADDED_US if way == "idle" else None,
        )
