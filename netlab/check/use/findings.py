"""Findings: what programs did wrong with their sockets, from a finished timeline. Pure.

It runs the rules and dresses what they find. A rule whose sources were not there, or lost something, is inconclusive: it does not
say "none", and it says what it found only where no lost observation could have mended that.
"""

from collections import Counter
from collections.abc import Iterator

from netlab.check.use import connections, descriptors, listening, polling, restarting, transfers
from netlab.check.use.finding import Found, Rule, UseFinding
from netlab.check.use.folding import fold
from netlab.check.use.joining import join
from netlab.timeline.observations import Counters
from netlab.timeline.timeline import Timeline

__all__ = ["RULES", "UseFinding", "inconclusive", "use_findings"]

RULES: tuple[Rule, ...] = (
    *descriptors.RULES,
    *connections.RULES,
    *restarting.RULES,
    *listening.RULES,
    *transfers.RULES,
    *polling.RULES,
)
"""Every rule, in the order in which findings are told."""
_AROUND = 2
_LONGEST_SLICE = 40
_RANK = {"fault": 0, "warning": 1, "note": 2}


def use_findings(timeline: Timeline) -> tuple[UseFinding, ...]:
    """What was found, the worst first and then in the order of time."""
    world = join(fold(timeline))
    found = []
    for rule in RULES:
        reason = _lacking(rule, timeline)
        if reason and not (rule.certain and _there(timeline)):
            continue
        found += [_finding(rule, one, timeline) for one in rule.find(world)]
    return tuple(sorted(found, key=lambda one: (_RANK[one.severity], max(one.evidence, default=0))))


def inconclusive(timeline: Timeline) -> tuple[tuple[str, str], ...]:
    """The rules that cannot say "none" about this timeline, each with the reason."""
    return tuple((rule.id, reason) for rule in RULES if (reason := _lacking(rule, timeline)))


def _lacking(rule: Rule, timeline: Timeline) -> str:
    """Why the rule's sources do not suffice, "" where they do."""
    reasons = []
    for group in rule.needs:
        problems = [_problem(name, timeline) for name in group]
        if all(problems):
            reasons.append("; ".join(problems))
    return "; ".join(reasons)


def _problem(name: str, timeline: Timeline) -> str:
    if name == "counters":
        read = Counter(seen.host for seen in timeline.observations if isinstance(seen, Counters))
        return "" if any(count > 1 for count in read.values()) else "the protocol counters were not read twice"
    report = timeline.source(name)
    if not report.available:
        return f"the source {name} was not there: {report.reason}"
    if report.lost:
        return f"the source {name} lost {report.lost} observations"
    unseen = [note for note in report.notes if "io_uring" in note]
    return f"the source {name} did not see everything: {unseen[0]}" if unseen else ""


def _there(timeline: Timeline) -> bool:
    """Whether there were calls, whatever was lost of them: what is certain is told by what is left."""
    return timeline.source("calls").available


def _finding(rule: Rule, found: Found, timeline: Timeline) -> UseFinding:
    process = found.process
    evidence = tuple(sorted({index for index in found.evidence if index >= 0}))
    return UseFinding(
        id=rule.id,
        title=rule.title,
        host=process.host,
        pid=process.pid,
        program=process.program,
        says=found.says,
        source=rule.source,
        severity=found.severity or rule.severity,
        evidence=evidence,
        slice=tuple(_around(evidence, len(timeline.observations))),
    )


def _around(evidence: tuple[int, ...], count: int) -> Iterator[int]:
    near = {at for index in evidence for at in range(max(0, index - _AROUND), min(count, index + _AROUND + 1))}
    yield from sorted(near)[:_LONGEST_SLICE]
