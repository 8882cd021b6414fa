"""Whether an expectation holds on a timeline: what was asked, what was seen, and which observations say so.

Pure, and the same for a running scenario (is it there yet?) as for a finished one (was it?). Evidence that is missing is said to be
lacking; nothing is taken as right because nobody looked.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from netlab.check.packets import match
from netlab.check.view import View, host_of, process_of
from netlab.notation.packets import PacketPattern
from netlab.scenario.spec import Expectation
from netlab.timeline.observations import Counters, DescriptorTable, SocketCounts, SocketTable

Status = Literal["met", "unmet", "broken", "lacking"]
"""met; not (yet) so; broken for good, whatever follows; or not to be decided, since evidence is missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The time that an expectation is about: since the one before ended, until now. Packets have bounds of their own."""

    began: int
    ended: int
    packets_began: int
    packets_until: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was asked: ``field``, what was expected, what was seen (or why it is lacking), and the evidence's indices."""

    field: str
    status: Status
    expected: str
    actual: str
    evidence: tuple[int, ...] = ()


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


def _descriptors(expect: Expectation, view: View, window: Window, final: bool) -> Iterator[Finding]:
    for process, wanted in expect.fds.items():
        found = view.descriptors(process, window.ended)
        if found is None:
            yield Finding(
                field=f"descriptors of {process}", status="lacking", expected=str(wanted), actual="its table was never read"
            )
            continue
        index, table = found
        if isinstance(wanted, str):
            before = view.descriptors(process, window.began) or next(
                (seen for seen in view.each(DescriptorTable) if seen[1].process == process), found
            )
            change = len(table.table) - len(before[1].table)
            met = change == (0 if wanted == "unchanged" else int(wanted))
            if wanted == "unchanged":
                met = table.table == before[1].table
            actual = "unchanged" if table.table == before[1].table else f"{change:+d} ({_numbers(table.table)})"
            yield Finding(
                field=f"descriptors of {process}",
                status="met" if met else "unmet",
                expected=wanted,
                actual=actual,
                evidence=(before[0], index),
            )
            continue
        for fd, kind in wanted.items():
            actual = _kind(table.table.get(fd))
            yield Finding(
                field=f"descriptor {fd} of {process}",
                status="met" if actual == kind else "unmet",
                expected=kind,
                actual=actual,
                evidence=(index,),
            )


def _kind(target: str | None) -> str:
    if target is None:
        return "closed"
    return target.split(":[")[0] if ":[" in target else "file"


def _numbers(table: dict[int, str]) -> str:
    return ", ".join(f"{fd} {_kind(target)}" for fd, target in table.items())


def _distinct(expect: Expectation, view: View, window: Window, final: bool) -> Iterator[Finding]:
    yield from _compared(expect.distinct, view, window, "distinct sockets", lambda inodes: len(set(inodes)) == len(inodes))


def _same(expect: Expectation, view: View, window: Window, final: bool) -> Iterator[Finding]:
    yield from _compared(expect.same, view, window, "one socket", lambda inodes: len(set(inodes)) == 1)


def _compared(
    keys: tuple[str, ...], view: View, window: Window, what: str, holds: Callable[[list[int]], bool]
) -> Iterator[Finding]:
    found = [view.named(key, window.ended) for key in keys]
    inodes = [named[1].inode if named is not None else 0 for named in found]
    met = all(inodes) and holds(inodes)
    yield Finding(
        field=", ".join(keys),
        status="met" if met else "unmet",
        expected=what,
        actual=", ".join(
            f"{key} is inode {inode}" if inode else f"{key} is no socket" for key, inode in zip(keys, inodes, strict=True)
        ),
        evidence=tuple(named[0] for named in found if named is not None),
    )


def _counts(
    kind: type[SocketCounts] | type[Counters], host: str, view: View, until: int
) -> tuple[tuple[int, dict[str, int]], tuple[int, dict[str, int]]] | None:
    seen = [(index, reading) for index, reading in view.each(kind) if reading.host == host and reading.time <= until]
    return ((seen[0][0], seen[0][1].counts), (seen[-1][0], seen[-1][1].counts)) if seen else None


def _sockets(expect: Expectation, view: View, window: Window, final: bool) -> Iterator[Finding]:
    for host, wanted in expect.sockets.items():
        yield from _changes(SocketCounts, host, {key: f"{count:+d}" for key, count in wanted.items()}, view, window)


def _counters(expect: Expectation, view: View, window: Window, final: bool) -> Iterator[Finding]:
    for host, wanted in expect.counters.items():
        yield from _changes(Counters, host, dict(wanted), view, window)


def _changes(
    kind: type[SocketCounts] | type[Counters], host: str, wanted: dict[str, str], view: View, window: Window
) -> Iterator[Finding]:
    found = _counts(kind, host, view, window.ended)
    for key, change in wanted.items():
        if found is None:
            yield Finding(field=f"{key} of {host}", status="lacking", expected=change, actual="it was never read")
            continue
        (first, before), (last, after) = found
        name = f"sockets {key}" if kind is SocketCounts and f"sockets {key}" in after else key
        if name not in after:
            yield Finding(field=f"{key} of {host}", status="lacking", expected=change, actual="this kernel has no such count")
            continue
        actual = after[name] - before.get(name, 0)
        yield Finding(
            field=f"{key} of {host}",
            status="met" if _holds(change, actual) else "unmet",
            expected=change,
            actual=f"{actual:+d}",
            evidence=(first, last),
        )


def _holds(wanted: str, actual: int) -> bool:
    written = re.fullmatch(r"\s*(>=|<=|>|<|=)?\s*([+-]?\d+)\s*", wanted)
    if written is None:
        raise ValueError(f"{wanted!r} is no change: write +1, 0, >=1")
    limit = int(written[2])
    return {
        ">=": actual >= limit,
        "<=": actual <= limit,
        ">": actual > limit,
        "<": actual < limit,
    }.get(written[1] or "=", actual == limit)


def _listed(expect: Expectation, view: View, window: Window, final: bool) -> Iterator[Finding]:
    for key, wanted in expect.listed.items():
        named, where = view.named(key, window.ended), []
        if named is None or not named[1].inode:
            yield Finding(field=f"listing of {key}", status="unmet", expected=_shown(wanted), actual="it is no socket")
            continue
        inode, host = named[1].inode, host_of(key)
        listed, table = view.listed(host, window.ended), view.table(host, window.ended)
        if listed is None or table is None:
            yield Finding(field=f"listing of {key}", status="lacking", expected=_shown(wanted), actual="the tables were never read")
            continue
        where += [f"/proc/net/{name}" for name, inodes in listed[1].tables.items() if inode in inodes]
        where += ["sock_diag" for entry in table[1].entries if entry.inode == inode]
        complete = ("sock_diag" in where and len(where) > 1) if wanted else not where
        yield Finding(
            field=f"listing of {key}",
            status="met" if complete else "unmet",
            expected=_shown(wanted),
            actual=f"in {', '.join(where)}" if where else "in no table",
            evidence=(listed[0], table[0]),
        )


def _shown(wanted: bool) -> str:
    return "in /proc/net and in sock_diag" if wanted else "in no table"


def _queue(expect: Expectation, view: View, window: Window, final: bool) -> Iterator[Finding]:
    for key, wanted in expect.queue.items():
        entry, found = view.entry(key, window.ended), view.table(host_of(key), window.ended)
        seen = {"send": entry.send_queue, "receive": entry.receive_queue} if entry is not None else {}
        for side, count in wanted.items():
            yield Finding(
                field=f"{side} queue of {key}",
                status="met" if seen.get(side) == count else "unmet",
                expected=str(count),
                actual=str(seen[side]) if side in seen else "it is in no table",
                evidence=(found[0],) if found else (),
            )


def _memory(expect: Expectation, view: View, window: Window, final: bool) -> Iterator[Finding]:
    for process, caches in expect.memory.items():
        found = view.memory(process, window.ended)
        for cache, wanted in caches.items():
            seen = found[1].caches.get(cache, {}) if found else {}
            for what, count in wanted.items():
                yield Finding(
                    field=f"{cache} objects {what} by {process}",
                    status="met" if seen.get(what, 0) == count else "unmet",
                    expected=str(count),
                    actual=str(seen.get(what, 0)),
                    evidence=(found[0],) if found else (),
                )


_CHECKS: dict[str, Callable[[Expectation, View, Window, bool], Iterator[Finding]]] = {
    "packets": _packets,
    "states": _states,
    "path": _path,
    "fds": _descriptors,
    "distinct": _distinct,
    "same": _same,
    "sockets": _sockets,
    "listed": _listed,
    "queue": _queue,
    "counters": _counters,
    "memory": _memory,
}


def needs(expect: Expectation) -> dict[str, frozenset[str]]:
    """What must be looked at for an expectation, by kind of snapshot: tables, listed, sockets, counters (nodes); fds, memory
    (processes); states (anything: the transitions are wanted)."""
    return {
        "tables": frozenset(host_of(key) for key in (*expect.states, *expect.path, *expect.queue, *expect.listed)),
        "listed": frozenset(host_of(key) for key in expect.listed),
        "sockets": frozenset(expect.sockets),
        "counters": frozenset(expect.counters),
        "fds": frozenset(expect.fds),
        "memory": frozenset(expect.memory),
        "states": frozenset(process_of(key) for key in expect.path),
    }
