"""What watching a program gave, for a person to read: how its programs ended, what was seen, and each finding with its slice.

It refuses to know how a finding came about.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from netlab.check.result import ScenarioResult
from netlab.check.use.finding import Severity, UseFinding
from netlab.check.verdicts import Outcome, Verdict
from netlab.report.evidence import lacking
from netlab.report.lines import printable
from netlab.report.text import Line
from netlab.report.text import timeline as slice_lines
from netlab.timeline.headers import decode
from netlab.timeline.observations import Packet, PacketDropped, Reset, Retransmission, SocketError, SocketState, SystemCall
from netlab.timeline.timeline import Timeline

_SHOWN = 8
_IN_FULL = 5
_PROCESSES = 12
_STATEMENT = "the programs use their sockets as POSIX and the RFCs ask"
_OUTCOMES: dict[Severity, Outcome] = {"fault": "FAIL", "warning": "PASS", "note": "PASS"}
_STYLES = {"fault": "FAIL", "warning": "INCONCLUSIVE", "note": "head"}
_ORDER: tuple[Severity, ...] = ("fault", "warning", "note")


def verdicts(findings: Sequence[UseFinding], undecided: Mapping[str, str]) -> tuple[Verdict, ...]:
    """Findings as verdicts: a fault is a FAIL; what lacked evidence, by its id with the reason, is INCONCLUSIVE.

    A warning or a note passes, and its reason tells it.
    """
    found = [_verdict(finding) for finding in findings]
    missing = [Verdict(id=name, outcome="INCONCLUSIVE", reason=reason) for name, reason in undecided.items()]
    if not missing and all(verdict.outcome == "PASS" for verdict in found):
        found.insert(0, Verdict(id="use", outcome="PASS", statement=_STATEMENT))
    return (*found, *missing)


def told(result: ScenarioResult, findings: Sequence[UseFinding], undecided: Mapping[str, str]) -> Iterator[Line]:
    """The findings, the worst first, what could not be judged and why, and how many there are."""
    for severity in _ORDER:
        alike: Counter[str] = Counter()
        for finding in findings:
            if finding.severity == severity:
                alike[finding.id] += 1
                if alike[finding.id] <= _IN_FULL:
                    yield from _finding(result, finding)
        for name, times in alike.items():
            if times > _IN_FULL:
                head = f"{severity.upper()} {name}"
                yield Line(f"{head}: found {times - _IN_FULL} times more; --json has them all", _STYLES[severity], len(head))
                yield Line()
    reasons: dict[str, list[str]] = {}
    for name, reason in undecided.items():
        reasons.setdefault(reason, []).append(name)
    for reason, names in reasons.items():
        yield Line(f"INCONCLUSIVE {', '.join(names)}", "INCONCLUSIVE", 12, indent=4)
        yield Line(f"  {_flat(reason)}", indent=4)
        yield Line()
    count = Counter(finding.severity for finding in findings)
    parts = [_number(count[severity], severity, "s") for severity in _ORDER if count[severity]]
    if undecided:
        parts.append(f"{_number(len(undecided), 'kind', 's')} of findings inconclusive")
    style = "FAIL" if count["fault"] else "INCONCLUSIVE" if undecided or count["warning"] else "PASS"
    yield Line(", ".join(parts) or "no findings", style)


def summary(result: ScenarioResult) -> Iterator[Line]:
    """What was seen, counted, and which sources saw less than everything."""
    timeline = result.timeline
    for line in _calls(timeline):
        yield Line(f"  calls        {printable(line)}", indent=15)
    yield Line(f"  connections  {_connections(timeline)}", indent=15)
    yield Line(f"  packets      {_packets(timeline)}", indent=15)
    events = _events(timeline)
    if events:
        yield Line(f"  kernel       {printable(events)}", indent=15)
    for missing in lacking(result):
        yield Line(f"  not seen     {_flat(missing)}", "INCONCLUSIVE", 10, indent=15)
    for report in timeline.sources:
        if report.available:
            notes = [*report.notes, *([report.reason] if report.reason and not report.lost else [])]
            yield from (Line(f"  note         {report.name}: {_flat(note)}", "dim", indent=15) for note in notes)


def _verdict(finding: UseFinding) -> Verdict:
    who = f"{finding.host}: {finding.program}[{finding.pid}]"
    return Verdict(
        id=finding.id,
        outcome=_OUTCOMES[finding.severity],
        statement=finding.title,
        source=finding.source,
        reason=f"{finding.severity}: {who}: {finding.says}",
        evidence=finding.evidence,
        slice=finding.slice,
    )


def _finding(result: ScenarioResult, finding: UseFinding) -> Iterator[Line]:
    head = f"{finding.severity.upper()} {finding.id}"
    yield Line(f"{head}: {printable(finding.title)}", _STYLES[finding.severity], len(head))
    yield Line(f"  {printable(f'{finding.host}: {finding.program}[{finding.pid}]: {finding.says}')}", indent=4)
    if finding.slice:
        # each finding points at what it was found by, whatever it weighs
        yield from slice_lines(result, msgspec.structs.replace(_verdict(finding), outcome="FAIL"))
    if finding.source:
        yield Line(f"  source    {printable(finding.source)}", indent=12)
    yield Line()


def _calls(timeline: Timeline) -> Iterator[str]:
    """A line a process that had to do with sockets, under its last name; the others in one."""
    counted: dict[tuple[str, int], Counter[str]] = {}
    names: dict[tuple[str, int], str] = {}
    sockets: dict[tuple[str, int], int] = {}
    for seen in timeline.observations:
        if isinstance(seen, SystemCall):
            key = seen.host, seen.pid
            counted.setdefault(key, Counter())[seen.call] += 1
            names[key] = seen.program
            sockets[key] = sockets.get(key, 0) + bool(seen.inode or seen.made)
    used = [key for key in counted if sockets[key]]
    shown = sorted(used, key=lambda key: -counted[key].total())[:_PROCESSES]
    for host, pid in (key for key in used if key in shown):
        yield f"{host}: {names[host, pid]}[{pid}]: {_counted(counted[host, pid])}"
    others = [key for key in counted if key not in shown]
    if others:
        calls = sum(counted[key].total() for key in others)
        yield f"{_number(len(others), 'other process', 'es')}: {_number(calls, 'call', 's')}"


def _connections(timeline: Timeline) -> str:
    """Those whose opening was seen, by their packets, which every machine can capture; states only add to that."""
    asked: set[tuple[object, ...]] = set()
    answered: set[tuple[object, ...]] = set()
    for seen in timeline.observations:
        if not isinstance(seen, Packet):
            continue
        headers = decode(seen.data)
        if headers.protocol == "tcp" and "S" in headers.flags:
            ends = (headers.source, headers.sport), (headers.target, headers.dport)
            if "." in headers.flags:
                answered.add(ends[::-1])
            else:
                asked.add(ends)
    states = sum(isinstance(seen, SocketState) for seen in timeline.observations)
    refused = f", {len(asked - answered)} not answered by SYN-ACK" if asked - answered else ""
    return f"{len(asked & answered)} TCP opened{refused}; {states} changes of state"


def _packets(timeline: Timeline) -> str:
    seen = [one for one in timeline.observations if isinstance(one, Packet)]
    kinds = Counter((headers := decode(one.data)).protocol or f"ethertype {headers.ethertype:#06x}" for one in seen)
    return f"{len(seen)}, counted at each interface: {_counted(kinds)}" if seen else "none"


def _events(timeline: Timeline) -> str:
    counted: Counter[str] = Counter()
    for seen in timeline.observations:
        match seen:
            case Reset():
                counted[f"resets {seen.direction}"] += 1
            case Retransmission():
                counted["retransmissions"] += 1
            case PacketDropped():
                counted[f"drops {seen.reason}"] += 1
            case SocketError():
                counted[f"socket errors {seen.errno}"] += 1
            case _:
                pass
    return _counted(counted) if counted else ""


def _counted(names: "Counter[str]") -> str:
    shown = ", ".join(f"{name} {count}" for name, count in names.most_common(_SHOWN))
    more = len(names) - _SHOWN
    return f"{shown} and {more} other kinds" if more > 0 else shown


def _number(count: int, what: str, plural: str) -> str:
    return f"{count} {what}{'' if count == 1 else plural}"


def _flat(text: str) -> str:
    """A reason with its fix, on one line."""
    return printable("; ".join(part.strip() for part in text.splitlines()))
