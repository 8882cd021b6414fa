"""Programs with a planted bug fail somewhere in random loss; the failure is replayed, and shrinks to the packets that matter.

For each: seeds are tried by `netlab-ns run` until one fails; the mended program passes with all of those; `replay` makes the same
failure of the bundle 20 times of 20; `shrink` leaves one or two lost packets, in a scenario that still fails. A table tells it. It
does not know how a decision is repeated, nor how anything is shrunk.

usage, from the root of the source tree: python -m ci.replayed [BUG...]; exit status 1 if anything of this does not hold, 3 if this
machine lacks what it takes.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from planted.bugs import BUGS, MATTER, lacking, scenario  # noqa: E402 - tests are no package

from netlab.report.json import loads  # noqa: E402
from netlab.timeline.observations import Decision  # noqa: E402

TIMES, JOBS, MOST_SEEDS, MOST_SECONDS = 20, 2, 60, 300
PASSED, FAILED = 0, 1


class DisprovedError(Exception):
    """Something that must hold does not."""


def netlab(*words: object) -> "subprocess.CompletedProcess[str]":
    """One command, its output kept."""
    command = [sys.executable, "-m", "netlab", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, cwd=ROOT)


def must(done: "subprocess.CompletedProcess[str]", status: int, what: str) -> None:
    """Hold a command's exit status against what it must be."""
    if done.returncode != status:
        raise DisprovedError(f"{what}: exit status {done.returncode}, not {status}\n{done.stdout}{done.stderr}")


def lost(file: Path, *options: object) -> int:
    """Run a scenario that must fail; how many packets its rules took."""
    told = file.with_suffix(".json")
    must(netlab("run", file, *options, "--json", told), FAILED, f"{file.name} {options}")
    (result,) = loads(told.read_bytes()).scenarios
    assert result.timeline is not None
    return sum(isinstance(seen, Decision) and seen.action == "drop" for seen in result.timeline.observations)


def failing_seed(file: Path, bundle: Path) -> int:
    """The first seed by which the scenario fails; its bundle is written."""
    for seed in range(1, MOST_SEEDS + 1):
        done = netlab("run", file, "--seed", seed, "--bundle", bundle)
        if done.returncode != PASSED:
            must(done, FAILED, f"{file.name} with seed {seed}")
            return seed
    raise DisprovedError(f"{file.name} fails by none of {MOST_SEEDS} seeds")


def replayed(bundle: Path) -> int:
    """How often the same failure came again."""
    done = netlab("replay", bundle, "--times", TIMES, "--jobs", JOBS, "--trust")
    must(done, FAILED, "replay")
    found = re.search(rf"the same failure (\d+) of {TIMES} times", done.stdout)
    if found is None or int(found[1]) < TIMES:
        raise DisprovedError(f"it was not replayed {TIMES} times of {TIMES}:\n{done.stdout[-3000:]}")
    return int(found[1])


@contextmanager
def timed(into: list[float]) -> Iterator[None]:
    """Append how many seconds the block took."""
    began = time.monotonic()
    yield
    into.append(time.monotonic() - began)


def prove(name: str, folder: Path) -> None:
    """One bug, from random loss to the packets that matter: a line of the table, and what the shrunk file says of itself."""
    faulty, mended = scenario(name, folder), scenario(name, folder, mended=True)
    bundle, small = folder / f"{name}.netlab", folder / f"{name}-small.yaml"
    took: list[float] = []
    with timed(took):
        seed = failing_seed(faulty, bundle)
    at_random = lost(faulty, "--seed", seed)
    for other in range(1, seed + 1):
        must(netlab("run", mended, "--seed", other), PASSED, f"{mended.name} with seed {other}")
    with timed(took):
        same = replayed(bundle)
    with timed(took):
        shrunk = netlab("shrink", bundle, "--jobs", JOBS, "--trust", "-o", small)
        must(shrunk, PASSED, "shrink")
    left = lost(small)
    found, again, shrinking = took
    print(
        f"{name:<11}{seed:>5}{found:>8.0f} s{at_random:>8}{same:>7} of {TIMES}{again:>6.0f} s{shrinking:>8.0f} s{left:>8}",
        flush=True,
    )
    said = [line for line in small.read_text().splitlines() if line.startswith("#") and "yaml-language-server" not in line]
    print("\n".join(f"    {line}" for line in said), flush=True)
    if not said[0].startswith("# Fails exactly when "):
        raise DisprovedError(f"it is not said what it takes:\n{small.read_text()}")
    if left != MATTER[name]:
        raise DisprovedError(f"{left} lost packets are left, not {MATTER[name]}:\n{small.read_text()}")
    if shrinking > MOST_SECONDS:
        raise DisprovedError(f"shrinking took {shrinking:.0f} s; at most {MOST_SECONDS} were meant")


def main() -> int:
    """Prove it of each bug that is named, or of all."""
    if lack := lacking():
        print(lack)
        return 3
    failed = False
    print(f"{'bug':<11}{'seed':>5}{'found in':>10}{'lost':>8}{'replayed':>12}{'in':>7}{'shrunk in':>10}{'left':>8}", flush=True)
    with tempfile.TemporaryDirectory(prefix="netlab-replayed-") as made:
        for name in sys.argv[1:] or BUGS:
            folder = Path(made, name)
            os.mkdir(folder)
            try:
                prove(name, folder)
            except DisprovedError as error:
                print(f"{name}: {error}", flush=True)
                failed = True
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
