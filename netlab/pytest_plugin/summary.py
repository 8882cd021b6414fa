"""What the summary of a run says: how many scenarios came out how, and what was kept of which test, and where.

It reads reports, which may come from other processes, and nothing else.
"""

import os
from collections import Counter
from collections.abc import Iterator, Sequence

import pytest

from netlab.pytest_plugin.keys import told

__all__ = ["lines"]

_WORDS = {"PASS": "passed", "FAIL": "failed", "INCONCLUSIVE": "inconclusive"}


def lines(reports: Sequence[pytest.TestReport]) -> Iterator[str]:
    """Line by line. Of a test that was tried several times, all tries count."""
    outcomes = Counter(_word(report) for report in reports if "outcome" in told(report))
    if outcomes:
        yield f"scenarios: {', '.join(f'{count} {word}' for word, count in sorted(outcomes.items(), key=_order))}"
    kept = {report.nodeid: told(report) for report in reports if "artifacts" in told(report)}
    failed = {nodeid: one for nodeid, one in kept.items() if one["failed"]}
    if failed:
        yield f"kept of {_tests(len(failed))} that failed:"
        for nodeid, one in failed.items():
            yield f"  {nodeid}"
            yield f"    {one['artifacts']}: {', '.join(one['files'])}"
    others = [one["artifacts"] for one in kept.values() if not one["failed"]]
    if others:
        yield f"packets of {_tests(len(others))} that did not fail: below {os.path.commonpath(others)}"


def _tests(number: int) -> str:
    return f"{number} test{'' if number == 1 else 's'}"


def _word(report: pytest.TestReport) -> str:
    word = _WORDS[told(report)["outcome"]]
    return f"{word} as expected" if hasattr(report, "wasxfail") and word == "failed" else word


def _order(counted: tuple[str, int]) -> int:
    return [*_WORDS.values()].index(counted[0].split()[0])
