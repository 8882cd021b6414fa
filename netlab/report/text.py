"""The report that a person reads: what was judged, and for everything that did not pass, why and where to look.

The same lines everywhere; on a terminal they are wrapped to its width and coloured. It refuses to know where results come from.
"""

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TextIO

from netlab.check.result import RunResult, ScenarioResult
from netlab.check.verdicts import Mismatch, Verdict
from netlab.report.evidence import counts, failing, lacking
from netlab.report.lines import Lines, printable
from netlab.timeline.order import order

_STYLES = {"PASS": "green", "FAIL": "bold red", "INCONCLUSIVE": "yellow", "head": "bold", "dim": "dim", "": ""}
_NARROWEST = 40


@dataclass(frozen=True, slots=True)
class Line:
    """One line: its text, the style of its first ``styled`` characters (all when None), how far a wrapped rest is indented."""

    text: str = ""
    style: str = ""
    styled: int | None = None
    indent: int = 4


def render(result: RunResult, *, elapsed: float | None = None, width: int | None = None) -> str:
    """The whole report as plain text; ``elapsed`` is the run's wall time in seconds, ``width`` None never wraps."""
    return "".join(f"{part}\n" for line in report(result, elapsed=elapsed) for part in _wrapped(line, width))


def write(result: RunResult, stream: TextIO, *, elapsed: float | None = None) -> None:
    """Print the report: plain, or on a terminal wrapped to its width and, unless NO_COLOR forbids it, coloured."""
    write_lines(report(result, elapsed=elapsed), stream)


def write_lines(lines: Iterable[Line], stream: TextIO) -> None:
    """Print any lines: plain, or on a terminal as ``write`` does."""
    if not stream.isatty():
        stream.writelines(f"{part}\n" for line in lines for part in _wrapped(line, None))
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(file=stream, highlight=False, markup=False, emoji=False)
    for line in lines:
        for number, part in enumerate(_wrapped(line, max(console.width, _NARROWEST))):
            text = Text(part)
            if line.styled is None or number == 0:
                text.stylize(_STYLES[line.style], 0, line.styled)
            console.print(text, soft_wrap=True)


def report(result: RunResult, *, elapsed: float | None = None) -> Iterator[Line]:
    """The report line by line."""
    host = result.host
    yield Line(f"netlab {result.netlab} on Linux {host.kernel}, observation tier {host.tier}", "head")
    yield Line()
    yield from _table(result.scenarios)
    judged = [(scenario, verdict) for scenario in result.scenarios for verdict in scenario.verdicts]
    for scenario, verdict in judged:
        if verdict.outcome == "FAIL":
            yield from failure(scenario, verdict)
    for scenario, verdict in judged:
        if verdict.outcome == "INCONCLUSIVE":
            yield from _inconclusive(scenario, verdict)
    for conformance, title in (("known-deviation", "Known deviations from the document:"), ("surprise", "Surprises:")):
        told = [verdict for _, verdict in judged if verdict.conformance == conformance and verdict.outcome != "FAIL"]
        if told:
            yield Line(title, "head")
            yield from (Line(f"  {verdict.id}: {_said(verdict)}", indent=4) for verdict in told)
            yield Line()
    yield from _again(result)
    if result.not_tested:
        yield Line(
            f"Not tested, since nothing can test it: {len(result.not_tested)} of the model's statements (netlab-ns model).", "dim"
        )
    yield from (Line(f"{kind.told}.", "dim") for kind in result.covered)
    yield _closing(result, elapsed)


def failure(scenario: ScenarioResult, verdict: Verdict) -> Iterator[Line]:
    """All that is known about one FAIL: each mismatch with its step, the timeline around it, the rule and its source."""
    yield Line(f"FAIL {verdict.id}: {printable(verdict.statement)}".rstrip(": "), "FAIL", 4)
    if not verdict.mismatches:
        yield Line(f"  {printable(verdict.reason)}", indent=2)
    for mismatch in verdict.mismatches:
        yield from _mismatch(mismatch, scenario)
    if verdict.slice:
        yield from timeline(scenario, verdict)
    yield from _links(scenario)
    if verdict.rule:
        yield Line(f"  rule      {printable(verdict.rule)}", indent=12)
    if verdict.source:
        yield Line(f"  source    {printable(verdict.source)}", indent=12)
    yield Line()


def _links(scenario: ScenarioResult) -> Iterator[Line]:
    """What the links did to packets all the time, and by what."""
    notes = [note for source in scenario.timeline.sources if source.name in ("lab", "wire") for note in source.notes]
    yield from (Line(f"  link      {printable(note)}", indent=12) for note in notes)


def timeline(scenario: ScenarioResult, verdict: Verdict) -> Iterator[Line]:
    """A verdict's slice of the timeline: milliseconds since its first observation, node, what was seen; > marks the failing one."""
    seen, lines, marked = scenario.timeline.observations, Lines(scenario.timeline), failing(verdict, scenario.timeline)
    start = seen[0].time
    pairs = zip((-1, *verdict.slice), verdict.slice, strict=False)
    doubtful = {index for before, index in pairs if before >= 0 and order(scenario.timeline, before, index) == "unknown"}
    times = {index: f"{'~' if index in doubtful else ''}{(seen[index].time - start) / 1e6:.3f}" for index in verdict.slice}
    digits = max(len(time) for time in times.values())
    wide = max(len(seen[index].host) for index in verdict.slice)
    told = "; ~ may have come before the line above it" if doubtful else ""
    yield Line(f"  timeline, in ms since its first observation{told}:", "dim")
    for index in verdict.slice:
        mark = ">" if index == marked else " "
        before = f"  {mark} {times[index]:>{digits}}  {seen[index].host:<{wide}}  "
        yield Line(before + lines.line(index), "FAIL" if index == marked else "", indent=len(before))


def text_of(lines: Iterator[Line]) -> str:
    """Lines as unwrapped plain text."""
    return "\n".join(line.text for line in lines)


def _table(scenarios: Sequence[ScenarioResult]) -> Iterator[Line]:
    """A row a scenario, by its first verdict, with the evidence of all; another verdict has a row when it did not simply pass."""
    groups: dict[str, list[tuple[str, ...]]] = {}
    for scenario in scenarios:
        rows = groups.setdefault(scenario.group or "scenarios", [])
        if not scenario.verdicts:
            rows.append((scenario.outcome, scenario.name, "", "0", "0", "0"))
        for number, verdict in enumerate(scenario.verdicts):
            if number and verdict.outcome == "PASS" and verdict.conformance in ("", "as-documented"):
                continue
            name = f"{scenario.name}: {verdict.id}" if number else verdict.id
            seen = counts(scenario.timeline, verdict) if number else counts(scenario.timeline, *scenario.verdicts)
            rows.append((verdict.outcome, name, verdict.conformance, str(seen.calls), str(seen.packets), str(seen.states)))
    heads = ("outcome", "id", "conformance", "calls", "packets", "states")
    every = [heads, *(row for rows in groups.values() for row in rows)]
    widths = [max(len(row[column]) for row in every) for column in range(len(heads))]
    if groups:
        yield Line(f"  {_row(heads, widths)}", "dim")
    for group, rows in groups.items():
        yield Line(printable(group), "head")
        yield from (Line(f"  {_row(row, widths)}", row[0], 2 + len(row[0]), indent=6) for row in rows)
    if groups:
        yield Line()


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    left = [f"{printable(cell):<{width}}" for cell, width in zip(cells[:3], widths[:3], strict=True)]
    right = [f"{cell:>{width}}" for cell, width in zip(cells[3:], widths[3:], strict=True)]
    return "  ".join([*left, *right])


def _mismatch(mismatch: Mismatch, scenario: ScenarioResult) -> Iterator[Line]:
    yield Line(f"  {mismatch.place or scenario.file}" + (f"  {printable(mismatch.step)}" if mismatch.step else ""), "head")
    for name in ("field", "expected", "actual"):
        first, *rest = str(getattr(mismatch, name)).splitlines() or [""]
        yield Line(f"    {name:<8}  {printable(first)}", indent=14)
        yield from (Line(f"{'':14}{printable(more)}", indent=14) for more in rest)


def _inconclusive(scenario: ScenarioResult, verdict: Verdict) -> Iterator[Line]:
    yield Line(f"INCONCLUSIVE {verdict.id}: {printable(verdict.statement)}".rstrip(": "), "INCONCLUSIVE", 12)
    for reason in verdict.reason.splitlines():
        yield Line(f"  {printable(reason)}", indent=4)
    yield from (Line(f"  needs {printable(missing)}", indent=4) for missing in lacking(scenario) if missing not in verdict.reason)
    yield Line()


def _said(verdict: Verdict) -> str:
    source = f" ({verdict.source})" if verdict.source else ""
    return printable((verdict.statement or verdict.reason or "no statement") + source)


def _again(result: RunResult) -> Iterator[Line]:
    """What was played more than once, and why what came before decides nothing."""
    again = [scenario for scenario in result.scenarios if scenario.played_again]
    if again:
        yield Line("Played again, since evidence was lost, which decides nothing:", "head")
        yield from (Line(f"  {one.name}: {printable('; then '.join(one.played_again))}", indent=4) for one in again)
        yield Line()


def _closing(result: RunResult, elapsed: float | None) -> Line:
    outcomes: list[str] = [scenario.outcome for scenario in result.scenarios]
    told = ", ".join(
        f"{outcomes.count(outcome)} {word}"
        for outcome, word in (("PASS", "passed"), ("FAIL", "failed"), ("INCONCLUSIVE", "inconclusive"))
    )
    seconds = sum(scenario.elapsed for scenario in result.scenarios) if elapsed is None else elapsed
    return Line(f"{told} in {seconds:.1f} s", result.outcome)


def _wrapped(line: Line, width: int | None) -> list[str]:
    """A line in parts of at most ``width`` characters; what follows the first is indented, at most by half the width."""
    text = line.text.rstrip()
    if width is None or len(text) <= width:
        return [text]
    # textwrap would swallow the columns' blanks at a line's start, so they are put back as its indentation.
    lead = text[: len(text) - len(text.lstrip())]
    return textwrap.wrap(
        text.lstrip(),
        width,
        initial_indent=lead,
        subsequent_indent=" " * min(line.indent, width // 2),
        break_on_hyphens=False,
        replace_whitespace=False,
    )
