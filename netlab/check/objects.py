"""Expectations of the kernel's objects: descriptors, sockets, counts, listings, queues, memory. Pure, as expectations.py is."""

import re
from collections.abc import Callable, Iterator

from netlab.check.findings import Finding, Status, Window
from netlab.check.view import View, host_of
from netlab.scenario.spec import Expectation
from netlab.timeline.observations import Counters, DescriptorTable, PacketDropped, SocketCounts, SocketTimer, TcpInfo


def descriptors(expect: Expectation, view: View, window: Window, final: bool) -> Iterator[Finding]:
    """Descriptor tables, by number or by their change since the expect before."""
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


def distinct(expect: Expectation, view: View, window: Window, final: bool) -> Iterator[Finding]:
    """Sockets that are different objects of the kernel."""
    yield from _compared(expect.distinct, view, window, "distinct sockets", lambda inodes: len(set(inodes)) == len(inodes))


def same(expect: Expectation, view: View, window: Window, final: bool) -> Iterator[Finding]:
    """Names that stand for one object of the kernel."""
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


def sockets(expect: Expectation, view: View, window: Window, final: bool) -> Iterator[Finding]:
    """Changes of sockstat's counts since the run began."""
    for host, wanted in expect.sockets.items():
        changes = {key: count if isinstance(count, str) else f"{count:+d}" for key, count in wanted.items()}
        yield from _changes(SocketCounts, host, changes, view, window)


def counters(expect: Expectation, view: View, window: Window, final: bool) -> Iterator[Finding]:
    """Changes of the protocol counters since the run began."""
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
            status="met" if holds(change, actual) else "unmet",
            expected=change,
            actual=f"{actual:+d}",
            evidence=(first, last),
        )


def holds(wanted: str, actual: int) -> bool:
    """Whether a number is as a bound says: 3, +1, >=1."""
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


def listed(expect: Expectation, view: View, window: Window, final: bool) -> Iterator[Finding]:
    """Whether the kernel's socket tables show a socket: both that /proc/net has and that sock_diag gives."""
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


def queue(expect: Expectation, view: View, window: Window, final: bool) -> Iterator[Finding]:
    """Bytes in the queues of a socket."""
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


def memory(expect: Expectation, view: View, window: Window, final: bool) -> Iterator[Finding]:
    """Slab objects of a process, and how large one of them is."""
    for process, caches in expect.memory.items():
        found = view.memory(process, window.ended)
        for cache, wanted in caches.items():
            seen = found[1].caches.get(cache, {}) if found else {}
            size = found[1].sizes.get(cache) if found else None
            for what, count in wanted.items():
                actual = size if what == "size" else seen.get(what, 0)
                status: Status = "met" if actual is not None and holds(str(count), actual) else "unmet"
                yield Finding(
                    field=f"size of {cache}" if what == "size" else f"{cache} objects {what} by {process}",
                    status="lacking" if actual is None else status,
                    expected=str(count),
                    actual="/proc/slabinfo has no such cache" if actual is None else str(actual),
                    evidence=(found[0],) if found else (),
                )


def drops(expect: Expectation, view: View, window: Window, final: bool) -> Iterator[Finding]:
    """Packets that a node's kernel threw away since the run began, by its reason."""
    for host, wanted in expect.drops.items():
        for reason, change in wanted.items():
            seen = [
                index
                for index, drop in view.each(PacketDropped)
                if (drop.host, drop.reason) == (host, reason) and drop.time <= window.ended
            ]
            yield Finding(
                field=f"drops of {host}, {reason}",
                status="met" if holds(change, len(seen)) else "unmet",
                expected=change,
                actual=f"{len(seen):+d}",
                evidence=tuple(seen),
            )


def tcp_info(expect: Expectation, view: View, window: Window, final: bool) -> Iterator[Finding]:
    """The last sample of a socket's TCP_INFO."""
    for key, wanted in expect.tcp_info.items():
        named = view.named(key, window.ended)
        samples = [
            (index, sample)
            for index, sample in view.each(TcpInfo)
            if named is not None and sample.inode == named[1].inode != 0 and sample.time <= window.ended
        ]
        for member, bound in wanted.items():
            field = f"{member} of {key}"
            if not samples:
                yield Finding(field=field, status="unmet", expected=bound, actual="it is in no table")
                continue
            index, sample = samples[-1]
            if member not in sample.info:
                yield Finding(field=field, status="lacking", expected=bound, actual="this kernel's tcp_info has no such member")
                continue
            actual = sample.info[member]
            status: Status = "met" if holds(bound, actual) else "unmet"
            yield Finding(field=field, status=status, expected=bound, actual=str(actual), evidence=(index,))


def timers(expect: Expectation, view: View, window: Window, final: bool) -> Iterator[Finding]:
    """The timer that a socket had when it was last looked at."""
    for key, wanted in expect.timers.items():
        entry = view.entry(key, window.ended)
        seen = [
            (index, timer)
            for index, timer in view.each(SocketTimer)
            if entry is not None and (timer.host, timer.cookie) == (host_of(key), entry.cookie) and timer.time <= window.ended
        ]
        for member, bound in wanted.items():
            field = "timer of" if member == "timer" else f"{member} of the timer of"
            if not seen:
                yield Finding(field=f"{field} {key}", status="unmet", expected=bound, actual="it is in no table")
                continue
            index, timer = seen[-1]
            actual = getattr(timer, member)
            met = actual == bound if member == "timer" else holds(bound, actual)
            yield Finding(
                field=f"{field} {key}", status="met" if met else "unmet", expected=bound, actual=str(actual), evidence=(index,)
            )
