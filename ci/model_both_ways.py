"""Runs the documented model as root and as an unprivileged user, and compares: python -m ci.model_both_ways [--jobs N].

At least 90% of the claims must come out the same, and the rest be INCONCLUSIVE for the unprivileged user with what is missing.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from netlab.check.result import RunResult, ScenarioResult
from netlab.report import json

HERE = Path(__file__).parent.parent
LEAST = 0.9


def main(arguments: Sequence[str] | None = None) -> int:
    """Run both; gives the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", default="4")
    jobs = parser.parse_args(arguments).jobs
    both = [ran(jobs, privileged=privileged) for privileged in (True, False)]
    pairs = [(one, other) for one, other in zip(both[0].scenarios, both[1].scenarios, strict=True)]
    same = [one for one, other in pairs if one.outcome == other.outcome]
    print(f"{len(same)} of {len(pairs)} claims come out the same as root and as nobody")
    wrong = 0
    for one, other in pairs:
        if one.outcome != other.outcome:
            missing = other.verdicts[0].reason.splitlines()[:1]
            print(f"  {one.name}: {one.outcome} as root, {other.outcome} as nobody: {''.join(missing)}")
            wrong += not explained(one, other)
    return 1 if wrong or len(same) < LEAST * len(pairs) else 0


def explained(root: ScenarioResult, nobody: ScenarioResult) -> bool:
    """Whether it is for want of a capability that an unprivileged user learns nothing."""
    reason = nobody.verdicts[0].reason
    return root.outcome == "PASS" and nobody.outcome == "INCONCLUSIVE" and bool(reason) and "the run ended" not in reason


def ran(jobs: str, *, privileged: bool) -> RunResult:
    """The model's result."""
    with tempfile.TemporaryFile() as report:
        command = [] if privileged else [sys.executable, str(HERE / "tests" / "unprivileged.py")]
        command += [sys.executable, "-m", "netlab", "conform", "--jobs", jobs, "--json", "-"]
        subprocess.run(command, stdout=report, stderr=subprocess.DEVNULL, cwd=HERE, check=False)
        report.seek(0)
        return json.loads(report.read())


if __name__ == "__main__":
    sys.exit(main())
