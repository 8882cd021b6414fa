"""Part: packets kept at a high rate, and what that takes of a processor; one socket looked up."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from ci.bench.contenders import Contender
from ci.bench.measure import Samples
from ci.bench.reference import compiled
from ci.bench.settings import NETLAB, Settings
from ci.bench.table import Row

PART, LOOKED_UP = "packets captured", "one socket of a thousand"
RATE, SECONDS = 250_000, 4
COUNT = RATE * SECONDS
MOST_ROUNDS = 3
MOST_RATIO, MOST_LATE = 2.0, 1.05
LOOKUPS, MOST_LOOKUP_US = 20_000, 10.0
SOURCE = Path(__file__).with_name("datagrams.c")
TCPDUMP = "tcpdump -w"
WAYS = {"ring": f"{NETLAB}, ring", "observed": f"{NETLAB}, observed", "tcpdump": TCPDUMP}


def part(settings: Settings) -> Iterator[Row]:
    """What is lost of 250,000 packets a second, and the processor time that keeping them took, against tcpdump's."""
    program = compiled(settings.folder, SOURCE)
    if program is None:
        print("bench: there is no C compiler (cc, gcc, clang): nothing can send packets fast enough", file=sys.stderr)
        return
    ways = [way for way in WAYS if way != "tcpdump" or shutil.which("tcpdump")]
    if "tcpdump" not in ways:
        print("bench: there is no tcpdump to hold captures against: install it (apt-get install tcpdump)", file=sys.stderr)
    taken = {way: dict[str, Samples]() for way in ways}
    with Contender("capturing", [sys.executable, "-m", "ci.bench.sides.capturing", str(program)]) as contender:
        for _ in range(min(settings.rounds, MOST_ROUNDS)):
            for way in ways:
                for quantity, value in contender.ask(f"{way} {RATE} {COUNT}").items():
                    taken[way].setdefault(quantity, Samples()).values.append(float(value))
        lookups = [contender.ask(f"lookups {LOOKUPS}") for _ in range(settings.rounds)]
    yield from _captured(taken)
    # The least, since nothing is waited for in a look-up: what it takes longer, others took of the processor.
    best, table = (min(each[name] for each in lookups) for name in ("us", "table_us"))
    listed = lookups[0]["listed"]
    yield Row(part=LOOKED_UP, what="looked up by its addresses", who=NETLAB, value=best, unit="us", most=MOST_LOOKUP_US)
    yield Row(part=LOOKED_UP, what=f"the whole table, {listed} entries", who=NETLAB, value=table, unit="us")


def _captured(taken: dict[str, dict[str, Samples]]) -> Iterator[Row]:
    reference = taken["tcpdump"]["processor_us"].median if "tcpdump" in taken else None
    sent = f"{COUNT:,} in {SECONDS} s"
    for way, samples in taken.items():
        who, ours = WAYS[way], way != "tcpdump"
        yield Row(
            part=PART,
            what="sending them took",
            who=who,
            value=samples["send_ms"].median,
            unit="ms",
            against="evenly",
            reference=SECONDS * 1e3,
            most=MOST_LATE,
        )
        yield Row(part=PART, what=f"lost, of {sent}", who=who, value=max(samples["lost"].values), unit="", most=0 if ours else None)
        yield Row(
            part=PART,
            what="processor time a packet",
            who=who,
            value=samples["processor_us"].median,
            unit="us",
            against=TCPDUMP if ours else "",
            reference=reference if ours else None,
            most=MOST_RATIO if ours else None,
        )
        if ours:
            told = max(samples["told"].values)
            yield Row(part=PART, what="told to be lost", who=who, value=told, unit="")
            convert = samples["convert_us"].median
            yield Row(part=PART, what="as an observation, a packet", who=who, value=convert, unit="us")
