"""What a search of generated sequences found, as text, as JSON, and each disagreement as a scenario file that can be run again.

It shows what others found out, and decides nothing.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from netlab.explore.coverage import BLOCKS, SUCCEEDS, Coverage
from netlab.explore.judging import shown
from netlab.explore.searching import AGAIN, Found
from netlab.explore.trials import in_time
from netlab.model.sockets.rules import Rule
from netlab.notation.printing import print_call

_LONGEST = 160


def trial_rules(rules: Mapping[str, Rule]) -> dict[str, Rule]:
    """Those that a trial can come to: of Linux, and no mere remark that something is not modelled."""
    return {name: rule for name, rule in rules.items() if "linux" in rule.profiles and rule.category != "unmodelled"}


def summary(coverage: Coverage, rules: Mapping[str, Rule], seconds: float, processor: float) -> list[str]:
    """A few lines: how much was tried, how fast, how much of the model it reached."""
    done = coverage.sequences or 1
    reached = len(coverage.rules & rules.keys())
    lines = [
        f"{coverage.sequences} sequences of {coverage.calls / done:.1f} calls in {seconds:.0f} s,"
        f" {coverage.sequences / seconds:.0f} a second; with {coverage.shrinking} more to make others short,"
        f" {(coverage.sequences + coverage.shrinking) / processor:.0f} a second of processor time",
        f"{coverage.two_hosts} of them on two hosts, {coverage.established} with an established TCP connection",
        f"{len(coverage.outcomes)} outcomes of {len({call for call, _ in coverage.outcomes})} calls, {coverage.judged} judged,"
        f" {coverage.unjudged} not modelled; {coverage.left_inside} calls were interrupted when their sequence was over",
    ]
    if rules:
        lines.append(f"rules: {reached} of {len(rules)} reached ({100 * reached / len(rules):.1f} %)")
    return lines


def outcomes(coverage: Coverage) -> list[str]:
    """A line for each call: what came of it how often."""
    by_call: dict[str, list[str]] = {}
    for (call, errno), count in sorted(coverage.outcomes.items(), key=lambda item: (item[0][0], item[0][1] != SUCCEEDS, -item[1])):
        by_call.setdefault(call, []).append(f"{errno or 'success'} {count}")
    return [f"  {call}: {', '.join(each)}" for call, each in by_call.items()]


def wanted(rules: Mapping[str, Rule]) -> set[tuple[str, str]]:
    """The (call, errno) that rules name which a trial can reach. A rule without kinds is about the outcome of other calls."""
    names = {"succeeds": SUCCEEDS, "blocks": BLOCKS, "signals": "SIGPIPE"}
    return {
        (rule.call, rule.errno if rule.category == "fails" else names[rule.category])
        for rule in rules.values()
        if rule.kinds and not rule.unreached and (rule.category == "fails" or rule.category in names)
    }


def unreached(coverage: Coverage, rules: Mapping[str, Rule]) -> list[str]:
    """A line for each rule that no sequence reached, with the reason where the rule names one."""
    return [
        f"  {rule.id}: {rule.unreached or 'no sequence came to it'}" for rule in rules.values() if rule.id not in coverage.rules
    ]


def disagreement(found: Found, number: int, of: int) -> list[str]:
    """A disagreement with its shortest sequence, a call a line, and what would have been allowed."""
    what = found.disagreement
    came = f"seen in {found.times} sequence{'s' * (found.times > 1)}, then in {found.again} of {AGAIN} runs of the shortest"
    lines = [f"disagreement {number} of {of}: {what.call}: {_cut(what.seen)} is not allowed; {came}"]
    calls = [f"{one.line.process}: {print_call(one.line.call)}" for one in found.trial.played]
    width = min(max((len(call) for call in calls), default=0), 90)
    for index, (one, call) in enumerate(zip(found.trial.played, calls, strict=True)):
        lines.append(f"  {'>' if index == what.number else ' '} {call:{width}}  {_cut(shown(one))}")
    lines += [f"      allowed: {each.outcome}  {each.rule}: {each.says} [{each.source}]" for each in what.allowed]
    if what.failed:
        return [*lines, f"      the model broke over it: {what.failed}"]
    return lines if what.allowed else [*lines, "      nothing was allowed"]


def scenario(found: Found) -> str:
    """The shortest sequence as a scenario file. Every result is left to the model to judge, as it was here."""
    what = found.disagreement
    lines = [f"# {what.call}: {_cut(_plain(what.seen))} is what came, and not what the model of sockets allows."]
    lines += [f"# Allowed: {_plain(each.outcome)} ({each.rule}: {_plain(each.says)} [{each.source}])" for each in what.allowed]
    lines += ["topology: two-hosts", "steps:"]
    for _, event, number in in_time(found.trial):
        one = found.trial.played[number]
        if event == "begins":
            job = f" & as j{number}" if one.seen_inside else ""
            result = "" if one.line.call.name == "fork" else " -> ?"
            if number == what.number:
                lines.append(f"  # here: {_cut(_plain(what.seen))}")
            lines.append(_step(one.line.process, f"{print_call(one.line.call)}{job}{result}"))
        elif event == "returns" and one.seen_inside:
            lines.append(_step(one.line.process, f"join j{number} -> ?"))
    return "\n".join(lines) + "\n"


def as_json(
    found: Sequence[Found], coverage: Coverage, rules: Mapping[str, Rule], *, seed: int, seconds: float, processor: float
) -> dict[str, Any]:
    """All of it as one JSON object."""
    return {
        "schema": 1,
        "seed": seed,
        "seconds": round(seconds, 3),
        "processor_seconds": round(processor, 3),
        "sequences": coverage.sequences,
        "shrinking": coverage.shrinking,
        "two_hosts": coverage.two_hosts,
        "established": coverage.established,
        "calls": coverage.calls,
        "interrupted": coverage.left_inside,
        "judged": coverage.judged,
        "not_modelled": coverage.unjudged,
        "outcomes": [{"call": call, "errno": errno, "times": times} for (call, errno), times in sorted(coverage.outcomes.items())],
        "not_seen": [{"call": call, "errno": errno} for call, errno in coverage.unseen(wanted(rules))],
        "rules": {
            "all": len(rules),
            "reached": sorted(coverage.rules & rules.keys()),
            "not_reached": [{"id": rule.id, "reason": rule.unreached} for rule in rules.values() if rule.id not in coverage.rules],
        },
        "disagreements": [
            {
                "call": one.disagreement.call,
                "seen": one.disagreement.seen,
                "failed": one.disagreement.failed,
                "times": one.times,
                "again": one.again,
                "allowed": [
                    {"outcome": each.outcome, "rule": each.rule, "says": each.says, "source": each.source}
                    for each in one.disagreement.allowed
                ],
                "calls": [
                    {"process": each.line.process, "call": print_call(each.line.call), "gave": shown(each)}
                    for each in one.trial.played
                ],
                "at": one.disagreement.number,
                "scenario": scenario(one),
            }
            for one in found
        ],
    }


def _step(process: str, text: str) -> str:
    quoted = text.replace("'", "''")
    return f"  - {process}: '{quoted}'"


def _plain(text: str) -> str:
    return text.encode("ascii", "backslashreplace").decode().replace("\n", "\\n")


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."
