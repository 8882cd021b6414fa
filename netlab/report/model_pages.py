"""The documented model as pages of Markdown, a chapter a group: each claim's statement, sources, note and steps as they are
written, and after a run its verdict with what was seen. It judges nothing, and makes HTML of the same pages.
"""

import html
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from netlab.check.covered import Covered
from netlab.check.result import HostFacts, RunResult, ScenarioResult
from netlab.report.evidence import counts
from netlab.report.html.palette import custom_properties
from netlab.report.lines import Lines, printable
from netlab.scenario.spec import NotTested, Scenario

CHAPTERS = {
    "origin-portability": "Where the sockets API comes from, and what is portable",
    "descriptor": "Descriptors",
    "creation": "What socket() makes",
    "address": "Addresses and names",
    "handshake": "Opening a connection",
    "state": "What a socket may do in which state",
    "data": "Moving data",
    "nonblocking": "Waiting and not waiting",
    "close": "Closing",
    "timers": "Timers",
    "udp": "Datagrams",
    "unix": "Sockets of one machine",
    "options": "Options",
    "errors": "Errors",
    "resources": "What sockets cost",
}
"""The groups of the documented model in the order in which they are best read, with their chapters' titles."""
_OUTCOME = re.compile(r"<p><strong>(PASS|FAIL|INCONCLUSIVE)</strong>")
_TABLE = re.compile(r"<table>.*?</table>", re.DOTALL)
_UNFOLDED = 20
"""So many rows a table shows without being asked."""
_CLAIM = re.compile(r"^  - id:")
_EVIDENCE = 40
_STYLE = """*{box-sizing:border-box}html{scroll-padding-top:12px}
body{max-width:64em;margin:0 auto;padding:24px 20px;font:15px/1.5 system-ui,"Segoe UI","DejaVu Sans",sans-serif}
body{color:var(--ink);background:var(--page);overflow-wrap:anywhere}a{color:var(--link)}
h1{font-size:28px;line-height:1.2;margin:0}h2{font-size:21px;margin:44px 0 8px}
h3{font-size:17px;margin:0}p,ul,blockquote{margin:10px 0}
section{margin:14px 0;padding:16px 20px;background:var(--card);border:1px solid var(--edge);border-left:5px solid var(--edge)}
section{border-radius:12px}section.PASS{border-left-color:var(--pass)}section.FAIL{border-left-color:var(--fail)}
section.INCONCLUSIVE{border-left-color:var(--doubt)}section>ul{color:var(--mute);font-size:13.5px;padding-left:20px}
pre,code{font-family:ui-monospace,Menlo,Consolas,"DejaVu Sans Mono",monospace;font-size:12.5px}
pre{margin:10px 0;padding:10px 14px;border-radius:8px;background:var(--sunk);overflow-x:auto;line-height:1.45}
blockquote{padding-left:14px;border-left:3px solid var(--edge);color:var(--mute)}
summary{cursor:pointer;font-weight:600}.scroll{overflow-x:auto}table{border-collapse:collapse;font-size:14px;margin:12px 0}
td,th{padding:6px 12px;border-bottom:1px solid var(--edge);text-align:left;vertical-align:top}
th{color:var(--mute);font-size:12.5px;overflow-wrap:normal}th+th,td+td{min-width:5em}td:first-child{min-width:11em}
@page{margin:12mm}@media print{body{padding:0}pre{white-space:pre-wrap}section{break-inside:auto}details{display:none}}"""


def chapters(scenarios: Sequence[Scenario], not_tested: Sequence[NotTested]) -> dict[str, str]:
    """The pages by the names of their files, one a group and a list of all, without verdicts: what docs/model holds."""
    groups = _groups(scenarios, not_tested)
    listing = [
        "# The documented model",
        "",
        f"{len(scenarios)} claims, each a scenario that is run; {len(not_tested)} statements are",
    ]
    listing += ["of history or of other systems, and not tested.", "", "| chapter | claims |", "| --- | --- |"]
    pages = {}
    for group, (inside, untested) in groups.items():
        listing.append(f"| [{CHAPTERS.get(group, group)}]({group}.md) | {len(inside)} |")
        pages[f"{group}.md"] = "\n".join(_chapter(group, inside, untested, {}, 1)) + "\n"
    return {"README.md": "\n".join(listing) + "\n", **pages}


def markdown(scenarios: Sequence[Scenario], not_tested: Sequence[NotTested], result: RunResult) -> str:
    """One document: what was found, then the model chapter by chapter with each claim's verdict and what was seen."""
    ran = {one.name: one for one in result.scenarios}
    lines = ["# The documented model on this machine", "", *_summary(result.host, result), ""]
    for group, (inside, untested) in _groups(scenarios, not_tested).items():
        lines += [*_chapter(group, inside, untested, ran, 2), ""]
    return "\n".join([*lines, *(line for kind in result.covered for line in _covered(kind))])


def page(document: str) -> str:
    """A document of Markdown as one file of HTML that needs no other."""
    from markdown_it import MarkdownIt

    title = html.escape(document.partition("\n")[0].lstrip("# "))
    body = _shaped(MarkdownIt("commonmark", {"html": False}).enable("table").render(document))
    style = custom_properties() + _STYLE
    head = (
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark"><link rel="icon" href="data:,">'
    )
    head += f"<title>{title}</title><style>{style}</style>"
    return f"<!doctype html>\n<html lang=en><head>{head}</head>\n<body>{body}</body></html>\n"


def _shaped(body: str) -> str:
    """What Markdown has no words for: a card for each claim in its outcome's colour, places to link to, long tables folded."""
    anchors = {title: name for name, title in CHAPTERS.items()}
    parts: list[str] = []
    inside = False
    for part in re.split(r"(?=<h[23]>)", body):
        if inside:
            parts.append("</section>\n")
        if inside := part.startswith("<h3>"):
            outcome = next(iter(_OUTCOME.findall(part)), "")
            name = re.sub("<.*?>", "", part.partition("</h3>")[0])
            parts.append(f'<section class="{outcome}" id="{name.replace(" ", "-")}">\n')
        elif heading := re.match(r"<h2>(.*?)</h2>", part):
            part = f'<h2 id="{anchors.get(html.unescape(heading[1]), heading[1].replace(" ", "-"))}">{part.removeprefix("<h2>")}'
        parts.append(_TABLE.sub(_folded, part))
    linked = "".join([*parts, "</section>\n" * inside])
    for title, name in anchors.items():
        cell = f"<td>{html.escape(title)}</td>"
        linked = linked.replace(cell, f'<td><a href="#{name}">{html.escape(title)}</a></td>')
    return linked


def _folded(found: "re.Match[str]") -> str:
    table = f'<div class="scroll">\n{found[0]}\n</div>'
    rows = found[0].count("<tr>") - 1
    return table if rows <= _UNFOLDED else f"<details><summary>{rows} rows</summary>\n{table}\n</details>"


_Groups = dict[str, tuple[list[Scenario], list[NotTested]]]


def _groups(scenarios: Sequence[Scenario], not_tested: Sequence[NotTested]) -> _Groups:
    names = [one.claim.group for one in scenarios if one.claim is not None] + [one.group for one in not_tested]
    ordered = [*(name for name in CHAPTERS if name in names), *dict.fromkeys(name for name in names if name not in CHAPTERS)]
    return {
        name: (
            [one for one in scenarios if one.claim is not None and one.claim.group == name],
            [one for one in not_tested if one.group == name],
        )
        for name in ordered
    }


def _summary(host: HostFacts, result: RunResult) -> Iterator[str]:
    yield f"netlab {result.netlab} on Linux {host.kernel}, observation tier {host.tier}."
    yield ""
    yield "| chapter | passed | of them deviations | failed | inconclusive |"
    yield "| --- | --- | --- | --- | --- |"
    by_group: dict[str, list[ScenarioResult]] = {}
    for one in result.scenarios:
        by_group.setdefault(one.group, []).append(one)
    for group in sorted(by_group, key=lambda name: list(CHAPTERS).index(name) if name in CHAPTERS else len(CHAPTERS)):
        inside = by_group[group]
        outcomes = [one.outcome for one in inside]
        deviating = sum(one.outcome == "PASS" and one.verdicts[0].conformance == "known-deviation" for one in inside)
        cells = (outcomes.count("PASS"), deviating, outcomes.count("FAIL"), outcomes.count("INCONCLUSIVE"))
        yield f"| {CHAPTERS.get(group, group)} | {' | '.join(str(cell) for cell in cells)} |"


def _chapter(
    group: str, scenarios: Sequence[Scenario], not_tested: Sequence[NotTested], ran: Mapping[str, ScenarioResult], level: int
) -> Iterator[str]:
    yield f"{'#' * level} {CHAPTERS.get(group, group)}"
    yield ""
    if scenarios:
        yield from _intent(scenarios[0])
    for scenario in scenarios:
        assert scenario.claim is not None
        yield f"{'#' * (level + 1)} {scenario.name}"
        yield ""
        yield from (*textwrap.wrap(scenario.claim.statement, 120, break_on_hyphens=False), "")
        yield from (f"- {source}" for source in scenario.claim.sources)
        yield ""
        if scenario.claim.note:
            yield from (*textwrap.wrap(scenario.claim.note, 118, initial_indent="> ", subsequent_indent="> "), "")
        yield from ("```yaml", *_written(scenario), "```", "")
        if scenario.name in ran:
            yield from _verdict(ran[scenario.name])
    if not_tested:
        yield f"{'#' * (level + 1)} Not tested"
        yield ""
        for one in not_tested:
            sources = f" ({'; '.join(one.sources)})" if one.sources else ""
            yield f"- **{one.id}**: {one.statement}{sources} Not tested: {one.reason}"
        yield ""


def _intent(first: Scenario) -> Iterator[str]:
    """What a file of claims says of itself: its comment on top."""
    said = []
    for line in Path(first.place.file).read_text().splitlines():
        if not line.startswith("#"):
            break
        if not line.startswith("# yaml-language-server"):
            said.append(line.lstrip("# "))
    if said:
        yield from (*said, "")


def _written(scenario: Scenario) -> list[str]:
    """A claim's topology, rules and steps as they stand in its file, comments and all."""
    lines = Path(scenario.place.file).read_text().splitlines()[scenario.place.line - 1 :]
    block = [lines[0]]
    for line in lines[1:]:
        if line and not line.startswith("    ") and (_CLAIM.match(line) or not line.startswith("  ")):
            break
        block.append(line)
    shown = [f"    {line[4:]}" for line in block]
    starts = [at for at, line in enumerate(shown) if re.match(r"    [a-z_]+:", line)]
    told = ("id", "statement", "sources", "note", "from_notes", "core", "slow", "exclusive")
    kept: list[str] = []
    for start, end in zip(starts, [*starts[1:], len(shown)], strict=True):
        if shown[start].strip().partition(":")[0] not in told:
            kept += shown[start:end]
    return textwrap.dedent("\n".join(kept)).rstrip().splitlines()


def _covered(kind: Covered) -> Iterator[str]:
    """How many of a kind of the model's rules were taken, and which were not."""
    yield f"## {kind.kind}"
    yield ""
    yield f"{len(kind.taken)} of {len(kind.taken) + len(kind.untaken)} were taken."
    yield ""
    if kind.untaken:
        yield from ("| not taken | why |", "| --- | --- |")
        yield from (f"| {identity} | {printable(reason).replace('|', '&#124;')} |" for identity, reason in kind.untaken.items())
        yield ""


def _verdict(result: ScenarioResult) -> Iterator[str]:
    verdict = result.verdicts[0]
    conformance = f", {verdict.conformance.replace('-', ' ')}" if verdict.conformance else ""
    seen = counts(result.timeline, *result.verdicts)
    yield f"**{verdict.outcome}**{conformance}: {seen.calls} calls, {seen.packets} packets, {seen.states} changes of state judged."
    yield ""
    if result.played_again:
        yield from (f"Played again: {printable('; then '.join(result.played_again))}.", "")
    if verdict.reason:
        yield from (*(printable(line) for line in verdict.reason.splitlines()), "")
    for mismatch in verdict.mismatches:
        yield f"- {printable(mismatch.field)}: expected {printable(mismatch.expected)}, found {printable(mismatch.actual)}"
    if verdict.mismatches:
        yield ""
    observations, lines = result.timeline.observations, Lines(result.timeline)
    evidence = sorted(set(verdict.evidence))
    if evidence:
        start = observations[0].time
        yield "```text"
        for index in evidence[:_EVIDENCE]:
            yield f"{(observations[index].time - start) / 1e6:10.3f} ms  {observations[index].host}  {printable(lines.line(index))}"
        if len(evidence) > _EVIDENCE:
            yield f"and {len(evidence) - _EVIDENCE} more"
        yield "```"
        yield ""
