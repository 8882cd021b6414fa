"""Every edge of RFC 9293's state diagram that a Linux socket can take is reached by a test on this machine's kernel; as a table.

usage, from the root of the source tree: python -m ci.edges [--slow]

The tests are run twice: as root, observed by BPF (tier A), and as an unprivileged user, in lock step with the socket tables (C).
--slow waits for the end of TIME-WAIT too, which takes a minute. Exit status 1 when a test failed, or an edge was not reached in
tier A that should be.
"""

import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

from netlab.model.tcp import STATES, TRANSITIONS, UNREACHED, Transition
from netlab.observe.tier import probe

SLOW = {"tcp.time-wait.timeout": "TIME-WAIT lasts 60 s: --slow"}
HEADS = ("edge", "event", "citation", "reached by", "A", "C")


@dataclass
class Told:
    """What the tests told: the edges of those that passed, and why others did not."""

    by_edge: dict[str, list[str]] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)


def edges() -> list[Transition]:
    """The arcs of the table that lead from one state to another."""
    return [row for state in STATES for row in TRANSITIONS[state] if row.next != row.state]


def play(*, slow: bool, rootless: bool) -> Told:
    """Run the tests of edges, as an unprivileged user for tier C; what they print goes to this terminal."""
    environment = {**os.environ, "NETLAB_TIME_WAIT": "1"} if slow else dict(os.environ)
    as_nobody = [sys.executable, "tests/unprivileged.py"] if rootless else []
    with tempfile.TemporaryDirectory(prefix="netlab-edges-") as folder:
        os.chmod(folder, 0o755)
        report = Path(folder) / "edges.xml"
        report.touch()
        report.chmod(0o666)
        # xunit1: the default family of JUnit reports has no properties of test cases.
        options = ["-q", "--tb=short", "-p", "no:cacheprovider", "-o", "junit_family=xunit1", f"--junitxml={report}"]
        done = subprocess.run([*as_nobody, sys.executable, "-m", "pytest", *options, "tests/edges"], env=environment, check=False)
        if not report.stat().st_size:
            sys.exit(f"the tests could not be run: pytest ended with {done.returncode}")
        return read(ElementTree.parse(report).getroot())


def read(report: ElementTree.Element) -> Told:
    """A JUnit report of the tests: each has told its edges as properties."""
    told = Told()
    for case in report.iter("testcase"):
        name = f"{case.get('classname', '').rpartition('.')[2]}::{case.get('name', '')}"
        skip = case.find("skipped")
        if skip is not None:
            told.skipped[name] = skip.get("message", "")
        elif case.find("failure") is not None or case.find("error") is not None:
            told.failed.append(name)
        else:
            for given in case.iter("property"):
                if given.get("name") == "edge":
                    told.by_edge.setdefault(given.get("value", ""), []).append(name)
    return told


def lines(rows: Iterable[Transition], by_bpf: Told, by_tables: Told) -> list[tuple[str, ...]]:
    """The table's cells, a line an edge."""
    made: list[tuple[str, ...]] = []
    for row in rows:
        event = row.event + (f" ({row.guard})" if row.guard else "")
        tests = by_bpf.by_edge.get(row.id) or by_tables.by_edge.get(row.id, [])
        named = " and ".join([*tests[:1], *([f"{len(tests) - 1} more"] if len(tests) > 1 else [])])
        seen = ("yes" if row.id in told.by_edge else "-" for told in (by_bpf, by_tables))
        made.append((f"{row.state} > {row.next}", event, row.citation, named or "-", *seen))
    return made


def table(made: Sequence[tuple[str, ...]]) -> str:
    """The cells in columns."""
    widths = [max(len(line[column]) for line in (HEADS, *made)) for column in range(len(HEADS))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in (HEADS, *made)
    )


def main() -> int:
    slow = "--slow" in sys.argv[1:]
    by_bpf = play(slow=slow, rootless=False) if probe().letter == "A" else Told()
    by_tables = play(slow=slow, rootless=True)
    print()
    print(table(lines(edges(), by_bpf, by_tables)))
    print()
    left_out = {**UNREACHED, **({} if slow else SLOW)}
    for row in edges():
        if row.id not in by_bpf.by_edge:
            print(f"{row.state} > {row.next} by {row.event}: {left_out.get(row.id, 'NOT REACHED')}")
    for told, how in ((by_bpf, "A, by BPF as root"), (by_tables, "C, in lock step with the socket tables, as any user")):
        print(f"{len(told.by_edge)} of {len(edges())} edges were seen in tier {how}")
        for name in told.failed:
            print(f"    failed: {name}")
        for reason, count in Counter(told.skipped.values()).items():
            print(f"    skipped, {count} tests: {reason}")
    missing = any(row.id not in by_bpf.by_edge and row.id not in left_out for row in edges())
    return 1 if missing or by_bpf.failed or by_tables.failed else 0


if __name__ == "__main__":
    sys.exit(main())
