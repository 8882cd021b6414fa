"""Whether an expectation holds on a timeline: what was asked, what was seen, and which observations say so.

Pure, and the same for a running scenario (is it there yet?) as for a finished one (was it?). Evidence that is missing is said to be
lacking; nothing is taken as right because nobody looked.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

from netlab.check import objects
from netlab.check.findings import Finding, Status, Window
from netlab.check.initial_numbers import initial_numbers
from netlab.check.packets import match
from netlab.check.view import View, host_of
from netlab.notation.packets import PacketPattern
from netlab.scenario.spec import Expectation
from netlab.timeline.observations import SocketTable

SOURCES = {  # which source each key of an expectation rests on
    "packets": "packets",
    "states": "sock_diag",
    "path": "states",
    "queue": "sock_diag",
    "listed": "sock_diag",
    "fds": "descriptors",
    "distinct": "descriptors",
    "same": "descriptors",
    "sockets": "descriptors",
    "counters": "descriptors",
    "memory": "memory",
    "drops": "events",
    "tcp_info": "samples",
    "timers": "sock_diag",
    "initial_numbers": "packets",
}


def evaluate(expect: Expectation, view: View, window: Window, *, final: bool) -> list[Finding]:
    """All findings for one expectation. ``final`` says that nothing more will come: what is not there then is missing."""
    findings: list[Finding] = []
    for key, check in _CHECKS.items():
        value = getattr(expect, key)
        if value is None or (key != "packets" and not value):
            continue
        source = view.timeline.source(SOURCES[key])
        if not source.available:
            findings.append(Finding(field=key, status="lacking", expected=_written(value), actual=source.reason))
        elif source.lost:
            reason = source.reason or f"the source {source.name} lost {source.lost} observations"
            findings.append(Finding(field=key, status="lacking", expected=_written(value), actual=reason))
        elif key == "packets" and (wire := view.timeline.source("wire")).lost:
            findings.append(Finding(field=key, status="lacking", expected=_written(value), actual=wire.reason))
        else:
            findings += check(expect, view, window, final)
    return findings


def _written(value: object) -> str:
    patterns = getattr(value, "patterns", None)
    return ", ".join(pattern.text for pattern in patterns) if patterns is not None else str(value)


def _packets(expect: Expectation, view: View, window: Window, final: bool) -> Iterator[Finding]:
    assert expect.packets is not None
    patterns = tuple(_resolved(pattern, view, window.ended) for pattern in expect.packets.patterns)
    result = match(
        replace(expect.packets, patterns=patterns), view.timeline, start=window.packets_began, end=window.packets_until, final=final
    )
    expected = ", ".join(pattern.text for pattern in expect.packets.patterns) or "none"
    if result.status == "mismatch":
        evidence = result.used if result.first_wrong is None else (*result.used, result.first_wrong)
        for field, wanted, actual in result.mismatches:
            yield Finding(field=field, status="broken", expected=wanted, actual=actual, evidence=evidence)
    else:
        status: Status = "met" if result.status == "matched" else "unmet"
        yield Finding(
            field="packets", status=status, expected=expected, actual=f"{len(result.used)} matched", evidence=tuple(result.used)
        )


def _resolved(pattern: PacketPattern, view: View, until: int) -> PacketPattern:
    """The pattern with "node:@name" turned into the port that the node's socket of that name has."""

    def end(written: str) -> str:
        node, marked, name = written.partition(":@")
        port = view.port(f"{node}.{name}", until) if marked else 0
        return f"{node}:{port}" if port else written

    return replace(pattern, source=end(pattern.source), target=end(pattern.target))


def _states(expect: Expectation, view: View, window: Window, final: bool) -> Iterator[Finding]:
    hosts = {host_of(key) for key in expect.states}
    instants = [window.began]
    evidence: list[int] = []
    for index, table in view.each(SocketTable):
        if table.host in hosts and window.began <= table.time <= window.ended:
            instants.append(table.time)
            evidence.append(index)
    instants.append(window.ended)  # a snapshot that said the same as the one before was not kept, but a name may be new since then
    seen: dict[str, str] = {}
    for instant in instants:
        seen = {key: view.state(key, instant) for key in expect.states}
        if seen == dict(expect.states):
            break
    for key, wanted in expect.states.items():
        status: Status = "met" if seen == dict(expect.states) else "unmet"
        if status == "unmet" and seen[key] == wanted and any(seen[other] != expect.states[other] for other in expect.states):
            continue  # the others tell
        yield Finding(field=f"state of {key}", status=status, expected=wanted, actual=seen[key], evidence=tuple(evidence[-2:]))


def _path(expect: Expectation, view: View, window: Window, final: bool) -> Iterator[Finding]:
    for key, wanted in expect.path.items():
        indices, states = view.path(key, window.ended)
        met = states == list(wanted)
        yield Finding(
            field=f"path of {key}",
            status="met" if met else "unmet",
            expected=" -> ".join(wanted),
            actual=" -> ".join(states) or "no such socket",
            evidence=tuple(indices),
        )


_CHECKS: dict[str, Callable[[Expectation, View, Window, bool], Iterator[Finding]]] = {
    "packets": _packets,
    "states": _states,
    "path": _path,
    "fds": objects.descriptors,
    "distinct": objects.distinct,
    "same": objects.same,
    "sockets": objects.sockets,
    "listed": objects.listed,
    "queue": objects.queue,
    "counters": objects.counters,
    "memory": objects.memory,
    "drops": objects.drops,
    "tcp_info": objects.tcp_info,
    "timers": objects.timers,
    "initial_numbers": initial_numbers,
}


def needs(expect: Expectation) -> dict[str, frozenset[str]]:
    """What must be looked at for an expectation, by kind of snapshot: tables, listed, sockets, counters, samples, timers
    (nodes); fds, memory (processes)."""
    return {
        "tables": frozenset(host_of(key) for key in (*expect.states, *expect.path, *expect.queue, *expect.listed, *expect.timers)),
        "listed": frozenset(host_of(key) for key in expect.listed),
        "sockets": frozenset(expect.sockets),
        "counters": frozenset(expect.counters),
        "samples": frozenset(host_of(key) for key in expect.tcp_info),
        "timers": frozenset(host_of(key) for key in expect.timers),
        "fds": frozenset(expect.fds),
        "memory": frozenset(expect.memory),
    }
