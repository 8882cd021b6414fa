"""Whether every TCP transition that the kernel reported is an arc of the model: one verdict about a timeline.

It judges transitions one by one, by the tables in netlab.model.tcp, and whether each begins where the connection's one before it
ended; it does not ask why a program or a packet caused them.
"""

from netlab.check.verdicts import Mismatch, Verdict
from netlab.model.rfc_states import findings, rfc_connections
from netlab.model.tcp import LINUX_NAMES, RFC_NAMES, explain, explain_from
from netlab.timeline.observations import SocketState
from netlab.timeline.timeline import Timeline

ID = "model.tcp-transitions"
_STATEMENT = "Every change of a TCP connection's state is one that the state machine allows."
_SOURCE = "RFC 9293 §3.3.2"
# A dump differs from the one before by several transitions at once, perhaps: only these tell of single ones.
_SINGLE = frozenset({"tracepoint", "timer"})
_AROUND = 6


def judge_transitions(timeline: Timeline) -> Verdict | None:
    """PASS, or FAIL at the first transition that is no arc or does not begin where the one before ended; INCONCLUSIVE if any were
    lost; None if none could be seen."""
    report = timeline.source("states")
    judged = [
        (index, seen)
        for index, seen in enumerate(timeline.observations)
        if isinstance(seen, SocketState) and seen.source in _SINGLE and seen.old
    ]
    if not report.available or not (judged or report.lost):
        return None
    impossible = {index: _mismatch(seen) for index, seen in judged if not explain(seen.old, seen.new)}
    wrong = sorted({**_jumps(timeline), **impossible}.items())
    evidence = tuple(index for index, _ in judged)
    mismatches = tuple(mismatch for _, mismatch in wrong)
    around = tuple(range(max(0, wrong[0][0] - _AROUND), min(len(timeline.observations), wrong[0][0] + _AROUND))) if wrong else ()
    if report.lost:
        # A minisock's transitions are folded from several events; with one missing they may be wrong, and so may be what is judged.
        reason = f"the source states lost {report.lost} events" + (f"; seen so far: {mismatches[0].actual}" if wrong else "")
        return Verdict(
            id=ID, outcome="INCONCLUSIVE", statement=_STATEMENT, source=_SOURCE, reason=reason, evidence=evidence, slice=around
        )
    if not wrong:
        return Verdict(id=ID, outcome="PASS", conformance="as-documented", statement=_STATEMENT, source=_SOURCE, evidence=evidence)
    first = next(seen for index, seen in judged if index == wrong[0][0])
    says = "is no transition; allowed" if wrong[0][0] in impossible else "does not follow; possible"
    return Verdict(
        id=ID,
        outcome="FAIL",
        conformance="surprise",
        statement=_STATEMENT,
        source=_SOURCE,
        reason=f"{mismatches[0].actual} {says}: {mismatches[0].expected}",
        rule=f"tcp.{_rfc(first.old).lower()}",
        mismatches=mismatches,
        evidence=evidence,
        slice=around,
    )


def _jumps(timeline: Timeline) -> dict[int, Mismatch]:
    """The transitions that begin in another state than their connection was in, by the index of the observation."""
    jumps = {}
    for found in findings(rfc_connections(timeline.observations)):
        one = found.transition
        if one.rows:
            place = f"{one.host} {_address(one.local)} > {_address(one.remote)}"
            jumps[one.observed[-1]] = Mismatch(
                field=f"state of {place}",
                expected=f"a transition from {found.state}",
                actual=f"{one.old} to {one.new} on {place}",
            )
    return jumps


def _mismatch(seen: SocketState) -> Mismatch:
    allowed = "; ".join(
        f"{_spelt(new)} by {', '.join(f'{row.id} ({row.citation})' for row in rows)}" for new, rows in explain_from(seen.old)
    )
    place = f"{seen.host} {_address(seen.local)} > {_address(seen.remote)}"
    return Mismatch(
        field=f"state of {place}",
        expected=allowed or f"none: {seen.old} is no state of TCP",
        actual=f"{_spelt(seen.old)} to {_spelt(seen.new)} on {place}",
    )


def _rfc(state: str) -> str:
    return RFC_NAMES.get(state, state)


def _spelt(state: str) -> str:
    """RFC 9293's name, and Linux' where it has another state of that name."""
    name = _rfc(state)
    return name if LINUX_NAMES.get(name, state) == state else f"{name} ({state})"


def _address(address: tuple[str, int]) -> str:
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
