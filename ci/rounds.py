"""Runs the documented model again and again on a machine that it keeps busy: python -m ci.rounds [ROUNDS] [--jobs N] [--load N].

A line a round, and one for each claim that did not PASS; what was played again, since a source had lost something, is told too.
Exits with 1 where any claim did not PASS in any round.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from netlab.check.result import RunResult, ScenarioResult
from netlab.report import json

HERE = Path(__file__).parent.parent
LOAD = ("tests/topology", "tests/notation", "tests/timeline", "tests/scenario", "tests/check")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run them; gives the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rounds", type=int, nargs="?", default=20)
    parser.add_argument("--jobs", type=int, default=8)
    parser.add_argument("--load", type=int, default=4, help="Workers of a test suite that runs beside, over and over; 0 for none.")
    asked = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))  # the load beside must not outlive this
    bad: Counter[str] = Counter()
    again: Counter[str] = Counter()
    for number in range(1, asked.rounds + 1):
        with busy(asked.load):
            began = time.monotonic()
            result = conform(asked.jobs)
            elapsed = time.monotonic() - began
        wrong = [one for one in result.scenarios if one.outcome != "PASS"]
        repeated = [one for one in result.scenarios if one.played_again]
        told = f", {len(repeated)} played again" if repeated else ""
        print(f"round {number}: {len(result.scenarios) - len(wrong)} of {len(result.scenarios)} PASS in {elapsed:.1f} s{told}")
        for one in wrong:
            print(f"  {one.outcome} {one.name}: {why(one)}")
        for one in repeated:
            print(f"  played again: {one.name}: {'; then '.join(one.played_again)}")
        sys.stdout.flush()
        bad.update(one.name for one in wrong)
        again.update(one.name for one in repeated)
    print(f"{asked.rounds} rounds: {sum(bad.values())} claims did not PASS, {sum(again.values())} were played again")
    return 1 if bad else 0


def why(one: ScenarioResult) -> str:
    """What was amiss, in a line."""
    told = []
    for verdict in one.verdicts:
        if verdict.outcome != "PASS":
            differing = [f"{each.step}: {each.field}: expected {each.expected}, found {each.actual}" for each in verdict.mismatches]
            told += [f"{verdict.id}: {found}" for found in differing or [verdict.reason]]
    return "; ".join(told).replace("\n", " ")


def conform(jobs: int) -> RunResult:
    """The result of the command itself, in a process of its own; what it says besides is shown where it says nothing else."""
    with tempfile.TemporaryFile() as report, tempfile.TemporaryFile() as said:
        command = [sys.executable, "-m", "netlab", "conform", "--jobs", str(jobs), "--json", "-"]
        done = subprocess.run(command, stdout=report, stderr=said, cwd=HERE, check=False)
        report.seek(0)
        try:
            return json.loads(report.read())
        except ValueError:
            said.seek(0)
            sys.exit(f"netlab-ns conform ended with {done.returncode}:\n{said.read().decode(errors='replace')}")


@contextmanager
def busy(workers: int) -> Iterator[None]:
    """A test suite that runs meanwhile, over and over, with so many workers."""
    if not workers:
        yield
        return
    again = 'while "$@" >/dev/null 2>&1 || [ $? -eq 1 ]; do :; done'  # 1: a test failed, which is load as well
    suite = [sys.executable, "-m", "pytest", "-q", "-n", str(workers), "-p", "no:cacheprovider", *LOAD]
    with subprocess.Popen(["sh", "-c", again, "sh", *suite], cwd=HERE, process_group=0) as running:
        try:
            yield
            if running.poll() is not None:
                sys.exit(f"the load ended with {running.returncode}: nothing was shown")
        finally:
            os.killpg(running.pid, 9)


if __name__ == "__main__":
    sys.exit(main())
