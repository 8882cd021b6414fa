"""Runs the documented model on another kernel, user-mode Linux, and compares with this one: python -m ci.model_elsewhere [ID ...].

Each difference must be explained in docs/model-on-other-kernels.md by the claim's id; else the exit status is 1.
"""

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

HERE = Path(__file__).parent.parent
sys.path.insert(0, str(HERE / "tests"))

from uml.guest import Guest, lacking  # noqa: E402

from netlab.files import shipped_claims  # noqa: E402
from netlab.run import RunOptions, run_all  # noqa: E402
from netlab.scenario.spec import Scenario  # noqa: E402

EXPLAINED = HERE / "docs" / "model-on-other-kernels.md"
SCRIPT = """
import json, platform
from ci.model_elsewhere import told
print(json.dumps([platform.release(), told({chosen!r}, {jobs})]))
"""


def told(chosen: Sequence[str], jobs: int) -> dict[str, list[str]]:
    """Outcome and first reason of each claim on the kernel where this runs."""
    claims = [one for one in shipped_claims()[0] if meant(one, chosen)]
    found = {}
    for ran in run_all(claims, RunOptions(jobs=jobs)).scenarios:
        verdict = ran.verdicts[0]
        first = verdict.mismatches[0] if verdict.mismatches else None
        why = f"{first.step}: {first.field}: expected {first.expected}, found {first.actual}" if first else verdict.reason
        found[ran.name] = [verdict.outcome, "" if verdict.outcome == "PASS" else why]
    return found


def meant(scenario: Scenario, chosen: Sequence[str]) -> bool:
    """Whether a claim is one of those; none chosen means all but the slow ones."""
    return scenario.name in chosen if chosen else scenario.claim is not None and not scenario.claim.slow


def main(arguments: Sequence[str] | None = None) -> int:
    """Run on both; gives the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("claims", nargs="*")
    chosen = parser.parse_args(arguments).claims
    if reason := lacking():
        print(reason)
        return 3
    with tempfile.TemporaryDirectory() as folder:
        script = SCRIPT.format(chosen=chosen, jobs=2)
        release, there = Guest(Path(folder)).answer(script, timeout=3600)
    here = told(chosen, 4)
    return compared(release, here, there, EXPLAINED.read_text() if EXPLAINED.exists() else "")


def compared(release: str, here: Mapping[str, Sequence[str]], there: Mapping[str, Sequence[str]], explained: str) -> int:
    """Print what differs; 1 where something does that nobody explains."""
    differing = [name for name in here if here[name][0] != there[name][0]]
    print(f"{len(here) - len(differing)} of {len(here)} claims come out on Linux {release} as here")
    unexplained = 0
    for name in differing:
        known = f"`{name}`" in explained
        unexplained += not known
        print(f"  {name}: {here[name][0]} here, {there[name][0]} there{'' if known else ' (unexplained)'}: {there[name][1]}")
    return 1 if unexplained else 0


if __name__ == "__main__":
    sys.exit(main())
