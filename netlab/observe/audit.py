"""Holds what probes told of sockets against the kernel's own tables: who disagrees has not been told everything. Pure.

It happens: under load this kernel has closed a socket by its timer without one tracepoint firing (1 of some 100 times, Linux 6.18).
The module refuses to know how either was read.
"""

from collections.abc import Iterable, Mapping

from netlab.observe.minisocks import KernelEvent
from netlab.timeline.joined import plain
from netlab.timeline.observations import SocketEntry, SocketTable


def disagreeing(believed: Iterable[KernelEvent], tables: Mapping[str, SocketTable]) -> list[KernelEvent]:
    """Of sockets' last transitions, by what was told, those that their node's table belies.

    It was read later, and has the socket in another state, or not at all. A node without a table is not judged.
    """
    found = []
    for event in believed:
        table = tables.get(event.host)
        if table is not None and event.time < table.began and event.new not in _states(event, table):
            found.append(event)
    return found


def _states(event: KernelEvent, table: SocketTable) -> list[str]:
    return [entry.state for entry in table.entries if entry.protocol == "tcp" and _is(event, entry)]


def _is(event: KernelEvent, entry: SocketEntry) -> bool:
    if event.cookie and entry.cookie:
        return event.cookie == entry.cookie
    if event.inode and entry.inode:
        return event.inode == entry.inode
    return (plain(event.local), plain(event.remote)) == (plain(entry.local), plain(entry.remote))
