"""Tells the TCP state of a scenario's socket at this moment, for rules that act only while it is in one.

It asks the kernel's socket tables (sock_diag(7)) anew each time. A socket whose descriptor is closed goes on being known by its
cookie, and in TIME-WAIT, where the kernel has another object in its place, by its addresses. It does not know what rules do.
"""

import socket
import threading
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from netlab.lab.lab import Lab
from netlab.notation.tcp_states import canonical_state
from netlab.observe.procfs import socket_inode
from netlab.observe.sockdiag import NETLINK_SOCK_DIAG, SocketDiagnosis
from netlab.timeline.observations import SocketEntry
from netlab.workload.names import Names

_NO_NAMES: Mapping[str, Names] = MappingProxyType({})


class SocketStates:
    """Tells of the sockets ``wanted``. ``names`` are those of the processes, once there are any."""

    def __init__(self, lab: Lab, wanted: Iterable[str]) -> None:
        self._lab, self._lock = lab, threading.Lock()
        self._wanted = tuple(dict.fromkeys(wanted))
        self.names = _NO_NAMES
        self._tables: dict[str, SocketDiagnosis] = {}
        self._known: dict[str, SocketEntry] = {}

    def note(self) -> None:
        """Look who the wanted sockets are, while they have a descriptor: call it after every call that a process made."""
        for text in self._wanted:
            self(text)

    def __call__(self, text: str) -> str:
        """RFC 9293's name of the state of "client.c": "CLOSED" where no table has it, "" where nothing is called so yet."""
        process, _, name = text.rpartition(".")
        names = self.names.get(process)
        fd = names.table.get(name) if names is not None else None
        if names is None or fd is None:
            return ""
        inode = socket_inode(names.process.pid, fd)
        with self._lock:
            entries = [entry for entry, _ in self._table(names.process.host).every("tcp")]
            found = self._found(text, inode, entries)
        return (found is not None and canonical_state(found.state)) or "CLOSED"

    def close(self) -> None:
        """Close what it asks by."""
        while self._tables:
            self._tables.popitem()[1].close()

    def _found(self, text: str, inode: int, entries: list[SocketEntry]) -> SocketEntry | None:
        before = self._known.get(text)
        for entry in entries:
            if inode and entry.inode == inode:
                self._known[text] = entry
                return entry
        if inode or before is None:
            return None
        same = [entry for entry in entries if entry.cookie == before.cookie]
        ends = [entry for entry in entries if (entry.local, entry.remote) == (before.local, before.remote) and not entry.inode]
        return next(iter(same or ends), None)

    def _table(self, host: str) -> SocketDiagnosis:
        if host not in self._tables:
            made = self._lab.nodes[host].socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG)
            self._tables[host] = SocketDiagnosis(host, made)
        return self._tables[host]
