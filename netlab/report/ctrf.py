"""A run's result as CTRF (Common Test Report Format, https://ctrf.io): a test a scenario, for the tools that read that.

CTRF has no word for INCONCLUSIVE: such a test is "other", with its own word as ``rawStatus``. It refuses to
know which CI it runs in.
"""

import json
from typing import Any

from netlab.check.result import RunResult, ScenarioResult
from netlab.check.verdicts import Outcome
from netlab.report.evidence import lacking
from netlab.report.text import failure, text_of

SPECIFICATION = "1.0.0"
"""The version of CTRF that is written."""

_STATUS: dict[Outcome, str] = {"PASS": "passed", "FAIL": "failed", "INCONCLUSIVE": "other"}
_STATUSES = ("passed", "failed", "skipped", "pending", "other")


def dumps(result: RunResult) -> bytes:
    """The result as a CTRF document, indented, in UTF-8. Times are in milliseconds since 1970, 0 where nothing was observed."""
    tests = [_test(scenario) for scenario in result.scenarios]
    starts = [test["start"] for test in tests if "start" in test]
    stops = [test["stop"] for test in tests if "stop" in test]
    statuses = [test["status"] for test in tests]
    summary = {
        "tests": len(tests),
        **{status: statuses.count(status) for status in _STATUSES},
        "suites": len({scenario.file for scenario in result.scenarios}),
        "start": min(starts, default=0),
        "stop": max(stops, default=0),
    }
    host = result.host
    document = {
        "reportFormat": "CTRF",
        "specVersion": SPECIFICATION,
        "generatedBy": "netlab-ns",
        "results": {
            "tool": {"name": "netlab-ns", "version": result.netlab},
            "summary": summary,
            "tests": tests,
            "environment": {
                "osPlatform": "linux",
                "osRelease": host.kernel,
                "extra": {"tier": host.tier, "capabilities": host.capabilities, "pinned": host.pinned},
            },
            "extra": {"not_tested": [entry["id"] for entry in result.not_tested if "id" in entry]},
        },
    }
    return (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode(errors="backslashreplace")


def _test(scenario: ScenarioResult) -> dict[str, Any]:
    milliseconds = round(scenario.elapsed * 1000)
    test: dict[str, Any] = {
        "name": scenario.name or scenario.file or "unnamed",
        "status": _STATUS[scenario.outcome],
        "duration": milliseconds,
        "rawStatus": scenario.outcome,
        "suite": [scenario.group or scenario.file],
        "filePath": scenario.file,
        "tags": sorted({verdict.conformance for verdict in scenario.verdicts} - {""}),
        "extra": {
            "verdicts": [
                {
                    "id": verdict.id,
                    "outcome": verdict.outcome,
                    "conformance": verdict.conformance,
                    "statement": verdict.statement,
                    "source": verdict.source,
                    "rule": verdict.rule,
                }
                for verdict in scenario.verdicts
            ]
        },
    }
    if scenario.timeline.observations:
        start = scenario.timeline.observations[0].time // 1_000_000
        test |= {"start": start, "stop": start + milliseconds}
    failed = [verdict for verdict in scenario.verdicts if verdict.outcome == "FAIL"]
    if failed:
        test["message"] = "; ".join(f"{verdict.id}: {verdict.reason}" for verdict in failed)
        test["trace"] = "\n".join(text_of(failure(scenario, verdict)) for verdict in failed)
        if (line := _line(scenario)) is not None:
            test["line"] = line
    elif scenario.outcome == "INCONCLUSIVE":
        reasons = [verdict.reason for verdict in scenario.verdicts if verdict.outcome == "INCONCLUSIVE" and verdict.reason]
        test["message"] = "; ".join(dict.fromkeys(reasons or lacking(scenario) or ["nothing was judged"]))
    if scenario.played_again:
        test["retries"] = len(scenario.played_again)
        test["retryAttempts"] = [
            {"attempt": number, "status": "other", "message": lost} for number, lost in enumerate(scenario.played_again, 1)
        ]
    return test


def _line(scenario: ScenarioResult) -> int | None:
    """The line of the first step that failed, from its "file:line:column"."""
    for verdict in scenario.verdicts:
        for mismatch in verdict.mismatches:
            parts = mismatch.place.rsplit(":", 2)
            if len(parts) == 3 and parts[1].isdecimal():
                return int(parts[1])
    return None
