"""A run's result as Markdown for the summary of a CI job: what came out, and for each failure why, with the packets drawn.

It keeps to the size that a CI system takes: what does not fit is left out, last failures first, and said to be. Names and texts
come from files and networks: everything in them is text, never markup. It refuses to know where it is shown.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from netlab.check.result import RunResult, ScenarioResult
from netlab.check.verdicts import Outcome, Verdict
from netlab.report.evidence import failing, lacking
from netlab.report.lines import printable
from netlab.report.mermaid_ladder import ladder
from netlab.report.text import text_of, timeline

LIMIT = 1 << 20
"""What GitHub takes of a step's summary, in bytes (https://docs.github.com/actions: "Adding a job summary")."""

_Part = Callable[[], str]
"""A part of the report that is made when its turn comes: what does not fit is not made."""
_ACTING = re.compile(r"[\\`*_{}\[\]<>&|~$@#!]|:(?=//)|(?<=www)\.")
_MARKS: dict[Outcome, str] = {"PASS": "✅", "FAIL": "❌", "INCONCLUSIVE": "❔"}
_LONGEST_CELL = 500
_LONGEST_BLOCK = 20_000


def dumps(result: RunResult, *, limit: int = LIMIT) -> bytes:
    """The summary in UTF-8, at most ``limit`` bytes; b"" where not even its first lines fit."""
    head = "\n".join(_head(result)).encode(errors="backslashreplace")
    if len(head) > limit:
        return b""
    told, parts = head, [*_table(result.scenarios), *_details(result)]
    for number, part in enumerate(parts):
        made = f"\n{part()}\n".encode(errors="backslashreplace")
        more = f"\n{len(parts) - number} more of this report left out: a summary may take {limit} bytes.\n".encode()
        last = number == len(parts) - 1
        if len(told) + len(made) + (0 if last else len(more)) > limit:
            return told + more if len(told) + len(more) <= limit else told
        told += made
    return told


def _head(result: RunResult) -> Iterator[str]:
    outcomes: list[str] = [scenario.outcome for scenario in result.scenarios]
    counted = ", ".join(
        f"{outcomes.count(outcome)} {word}"
        for outcome, word in (("PASS", "passed"), ("FAIL", "failed"), ("INCONCLUSIVE", "inconclusive"))
    )
    seconds = sum(scenario.elapsed for scenario in result.scenarios)
    yield f"## {_MARKS[result.outcome]} netlab: {counted}"
    yield ""
    host = result.host
    yield _safe(f"netlab {result.netlab} on Linux {host.kernel}, observation tier {host.tier}, {seconds:.1f} s of scenarios.")
    if result.not_tested:
        yield f"Not tested, since nothing can test it: {len(result.not_tested)} of the model's statements."
    yield ""


def _table(scenarios: Sequence[ScenarioResult]) -> Iterator[_Part]:
    """What did not simply pass stands open, the rest is folded."""
    telling = [one for one in scenarios if one.outcome != "PASS" or any(map(_deviates, one.verdicts))]
    passed = [one for one in scenarios if one not in telling]
    if telling:
        yield partial(_rows, sorted(telling, key=lambda one: ("FAIL", "INCONCLUSIVE", "PASS").index(one.outcome)))
    if passed:
        yield lambda: f"<details><summary>{len(passed)} as expected</summary>\n\n{_rows(passed)}\n\n</details>"


def _rows(scenarios: Sequence[ScenarioResult]) -> str:
    rows = ["| | scenario | file | conformance | seconds |", "| --- | --- | --- | --- | ---: |"]
    for one in scenarios:
        found = {verdict.conformance for verdict in one.verdicts}
        conformance = next((word for word in ("surprise", "known-deviation", "as-documented") if word in found), "")
        cells = (
            f"{_MARKS[one.outcome]} {one.outcome}",
            _safe(one.name),
            _safe(_short(one.file)),
            conformance,
            f"{one.elapsed:.2f}",
        )
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def _details(result: RunResult) -> Iterator[_Part]:
    judged = [(scenario, verdict) for scenario in result.scenarios for verdict in scenario.verdicts]
    for scenario, verdict in judged:
        if verdict.outcome == "FAIL":
            yield partial(_failure, scenario, verdict)
    for scenario, verdict in judged:
        if verdict.outcome == "INCONCLUSIVE":
            yield partial(_inconclusive, scenario, verdict)
    deviating = [(scenario, verdict) for scenario, verdict in judged if verdict.outcome != "FAIL" and _deviates(verdict)]
    if deviating:
        yield lambda: "\n".join(_deviation(scenario, verdict) for scenario, verdict in deviating)


def _inconclusive(scenario: ScenarioResult, verdict: Verdict) -> str:
    missing = [one for one in lacking(scenario) if one not in verdict.reason]
    why = "".join(f"\n- {_safe(line)}" for line in [*verdict.reason.splitlines(), *(f"needs {one}" for one in missing)])
    return f"### ❔ {_title(scenario, verdict)}\n{why}"


def _deviation(scenario: ScenarioResult, verdict: Verdict) -> str:
    said = _safe(verdict.statement or verdict.reason or scenario.name)
    return f"- {verdict.conformance}: **{_safe(verdict.id)}**: {said}{_source(verdict)}"


def _failure(scenario: ScenarioResult, verdict: Verdict) -> str:
    return "\n".join(_failure_lines(scenario, verdict))


def _failure_lines(scenario: ScenarioResult, verdict: Verdict) -> Iterator[str]:
    yield f"### ❌ {_title(scenario, verdict)}"
    yield ""
    if verdict.mismatches:
        yield "| where | step | field | expected | actual |"
        yield "| --- | --- | --- | --- | --- |"
        for one in verdict.mismatches:
            cells = (one.place or scenario.file, one.step, one.field, one.expected, one.actual)
            yield f"| {' | '.join(map(_safe, cells))} |"
    else:
        yield _safe(verdict.reason)
    rule = f"Rule {_safe(verdict.rule)}." if verdict.rule else ""
    if rule or verdict.source:
        yield f"\n{rule}{_source(verdict)}"
    if verdict.slice:
        yield "\n<details><summary>timeline</summary>\n"
        yield _fenced(text_of(timeline(scenario, verdict)), "text")
        yield "\n</details>"
        # more than the slice: what was dropped earlier often explains what failed
        every = range(len(scenario.timeline.observations))
        drawn = ladder(scenario.timeline, every, failing=failing(verdict, scenario.timeline))
        if drawn:
            yield f"\n{_fenced(drawn, 'mermaid')}"


def _short(file: str) -> str:
    """A file's place as a column has room for it: of an absolute one, the end."""
    parts = file.split("/")
    return "/".join(["...", *parts[-2:]]) if file.startswith("/") and len(parts) > 3 else file


def _title(scenario: ScenarioResult, verdict: Verdict) -> str:
    whose = "" if verdict.id == scenario.name else f"{_safe(scenario.name)}: "
    return f"{verdict.outcome} {whose}{_safe(verdict.id)}" + (f": {_safe(verdict.statement)}" if verdict.statement else "")


def _source(verdict: Verdict) -> str:
    return f" ({_safe(verdict.source)})" if verdict.source else ""


def _deviates(verdict: Verdict) -> bool:
    return verdict.conformance in ("known-deviation", "surprise")


def _safe(text: str) -> str:
    """Text in one line in which nothing is markup: a character reference is never structure (CommonMark 0.31 §2.5)."""
    shown = " ".join(printable(part) for part in text.splitlines()).strip()
    if len(shown) > _LONGEST_CELL:
        shown = f"{shown[:_LONGEST_CELL]} ..."
    return _ACTING.sub(lambda match: f"&#{ord(match[0])};", shown)


def _fenced(text: str, language: str) -> str:
    """A code block, fenced by more backticks than stand in a row within."""
    if len(text) > _LONGEST_BLOCK:
        text = f"{text[:_LONGEST_BLOCK].rpartition(chr(10))[0]}\n... cut"
    fence = "`" * max(3, *(len(run) + 1 for run in re.findall("`+", text)), 3)
    return f"{fence}{language}\n{text}\n{fence}"
