"""`make bench`: every part in turn, then one table of what was met and what was missed.

usage: python ci/bench [--rounds N] [--only PART]... [--network NAME]... [--tools PYTHON] [--mininet] [--json FILE]
       [--page FILE]
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from ci.bench import building, calls, capture, commands, equality, judging, memory, observing, timeline, tools, wire
from ci.bench.contenders import ContenderError
from ci.bench.measure import drain
from ci.bench.networks import Network
from ci.bench.reference import compiled
from ci.bench.settings import Settings
from ci.bench.table import Row, text

PARTS: dict[str, Callable[[Settings], Iterator[Row]]] = {
    "same": equality.part,
    "build": building.part,
    "memory": memory.part,
    "calls": calls.part,
    "commands": commands.part,
    "observing": observing.part,
    "capture": capture.part,
    "timeline": timeline.part,
    "judging": judging.part,
    "wire": wire.part,
    "tools": tools.part,
}
FENCE = "```"
NETWORKS = ("star-10", "star-50", "star-200", "star-500", "line-50", "line-200")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bench", description="netlab's speed and memory, as ratios to the least that they can be."
    )
    parser.add_argument("--rounds", type=int, default=11, help="how many rounds of each measurement (%(default)s)")
    parser.add_argument("--only", action="append", choices=PARTS, help="only this part; may be given again")
    parser.add_argument("--network", action="append", type=Network.parse, help=f"instead of {', '.join(NETWORKS)}")
    parser.add_argument("--tools", default=sys.executable, metavar="PYTHON", help="an interpreter that has munet, nest or mininet")
    parser.add_argument("--mininet", action="store_true", help="Mininet too, which raises limits of the whole machine meanwhile")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures here")
    parser.add_argument("--page", type=Path, metavar="FILE", help="put the table in the place of this page's last one")
    return parser.parse_args()


def main() -> int:
    """Measure, and print; 1 when something could not be measured, 4 when nothing can be, without root."""
    given = arguments()
    if os.geteuid() != 0:
        print("bench: only root can make namespaces without a user namespace, and is measured: sudo make bench", file=sys.stderr)
        return 4
    rows: list[Row] = []
    failed = False
    with tempfile.TemporaryDirectory() as folder, drain() as drained:
        program = compiled(Path(folder))
        if program is None:
            print("bench: there is no C compiler (cc, gcc, clang): no ratios to the C reference", file=sys.stderr)
        settings = Settings(
            rounds=given.rounds,
            networks=tuple(given.network or map(Network.parse, NETWORKS)),
            folder=Path(folder),
            reference=program,
            drain=drained,
            tools=given.tools,
            mininet=given.mininet,
        )
        for name in given.only or PARTS:
            began = time.perf_counter()
            try:
                for row in PARTS[name](settings):
                    rows.append(row)
            except ContenderError as error:
                failed = True
                print(f"bench: {error}", file=sys.stderr)
            print(f"{name}: {time.perf_counter() - began:.0f} s", file=sys.stderr)
    told = f"medians of {given.rounds} rounds in turns; Linux {os.uname().release}, {os.cpu_count()} processors\n\n{text(rows)}"
    print(told)
    if given.page:
        before, _, rest = given.page.read_text().partition(FENCE)
        given.page.write_text(f"{before}{FENCE}\n{told}\n{FENCE}{rest.partition(FENCE)[2]}")
    if given.json:
        figures = {
            "rounds": given.rounds,
            "kernel": os.uname().release,
            "processors": os.cpu_count(),
            "rows": [row.plain for row in rows],
        }
        given.json.write_text(json.dumps(figures, indent=1) + "\n")
    return int(failed)
