"""Plays every claim in the world in which it must fail: python -m ci.worlds [--jobs N] [ID ...]. Exits with 1 where one does not.

Worlds that only an edited timeline can show are counted, and tested in tests/model.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from netlab.check.result import ScenarioResult
from netlab.files import shipped_claims
from netlab.run import RunOptions, run_all
from netlab.scenario.worlds import World, load_worlds

FOLDER = Path(__file__).parent.parent / "netlab" / "model" / "worlds"


def main(arguments: Sequence[str] | None = None) -> int:
    """Play them; gives the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=4)
    parser.add_argument("claims", nargs="*")
    asked = parser.parse_args(arguments)
    claims = {scenario.name: scenario for scenario in shipped_claims()[0]}
    worlds = {world.claim: world for path in sorted(FOLDER.glob("*.yaml")) for world in load_worlds(path, claims)}
    missing = [name for name in claims if name not in worlds and not asked.claims]
    real = [world for name, world in worlds.items() if not world.edited and (not asked.claims or name in asked.claims)]
    result = run_all([world.scenario for world in real], RunOptions(jobs=asked.jobs))
    wrong = [told for world, ran in zip(real, result.scenarios, strict=True) if (told := amiss(world, ran))]
    for line in wrong:
        print(line)
    for name in missing:
        print(f"{name}: no world")
    print(
        f"{len(real)} real worlds, {len(wrong)} in which the claim does not fail as it must; {len(missing)} claims without a world"
    )
    return 1 if wrong or missing else 0


def amiss(world: World, ran: ScenarioResult) -> str:
    """What is not as it must be when a claim is played in its world; empty when it fails there, and where it must."""
    verdict = ran.verdicts[0]
    if verdict.outcome != "FAIL":
        return f"{world.claim}: {verdict.outcome}, though {world.what}. {verdict.reason}"
    first = verdict.mismatches[0]
    if not first.field.startswith(world.fails):
        return (
            f"{world.claim}: it is {first.field} that differs (expected {first.expected}, found {first.actual}), not {world.fails}"
        )
    return ""


if __name__ == "__main__":
    sys.exit(main())
