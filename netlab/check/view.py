"""A timeline as the checkers ask it: the latest snapshot before an instant, and which kernel socket a scenario's name is.

Pure: it finds, it does not judge.
"""

from collections.abc import Iterator
from functools import cached_property
from typing import TypeVar

from netlab.model.tcp import RFC_NAMES
from netlab.timeline.identity import Identities, Socket
from netlab.timeline.joined import plain
from netlab.timeline.observations import (
    DescriptorTable,
    KernelMemory,
    ListedInodes,
    Named,
    Observation,
    SocketEntry,
    SocketState,
    SocketTable,
)
from netlab.timeline.timeline import Timeline

T = TypeVar("T", bound=Observation)
_MINISOCK_STATES = ("TIME_WAIT", "FIN_WAIT2")


class View:
    """A timeline with its observations sorted by kind."""

    def __init__(self, timeline: Timeline) -> None:
        self.timeline = timeline
        self._kinds: dict[type[Observation], list[tuple[int, Observation]]] = {}
        for index, observation in enumerate(timeline.observations):
            self._kinds.setdefault(type(observation), []).append((index, observation))

    def each(self, kind: type[T]) -> Iterator[tuple[int, T]]:
        """All observations of a kind with their indices, in the order of time."""
        for index, observation in self._kinds.get(kind, []):
            assert isinstance(observation, kind)
            yield index, observation

    def descriptors(self, process: str, until: int) -> tuple[int, DescriptorTable] | None:
        """The last descriptor table of a process at or before ``until``."""
        return self._last((found for found in self.each(DescriptorTable) if found[1].process == process), until)

    def memory(self, process: str, until: int) -> tuple[int, KernelMemory] | None:
        """The last count of a process's kernel memory at or before ``until``."""
        return self._last((found for found in self.each(KernelMemory) if found[1].process == process), until)

    def table(self, host: str, until: int) -> tuple[int, SocketTable] | None:
        """The last dump of a node's socket tables at or before ``until``."""
        return self._last((found for found in self.each(SocketTable) if found[1].host == host), until)

    def listed(self, host: str, until: int) -> tuple[int, ListedInodes] | None:
        """The last reading of a node's /proc/net tables at or before ``until``."""
        return self._last((found for found in self.each(ListedInodes) if found[1].host == host), until)

    @staticmethod
    def _last(found: Iterator[tuple[int, T]], until: int) -> tuple[int, T] | None:
        last = None
        for index, observation in found:
            if observation.time <= until:
                last = (index, observation)
        return last

    def named(self, socket: str, until: int) -> tuple[int, Named] | None:
        """What the scenario's "process.name" last stood for at or before ``until``."""
        process, _, name = socket.rpartition(".")
        return self._last(((i, named) for i, named in self.each(Named) if (named.process, named.name) == (process, name)), until)

    @cached_property
    def _identities(self) -> Identities:
        return Identities.of(self.timeline)

    def identity(self, socket: str, until: int) -> Socket | None:
        """Who the socket "process.name" is, from all that any source ever said of it; None when the name is no socket's."""
        found = self.named(socket, until)
        return None if found is None else self._identities.socket(found[0])

    def entry(self, socket: str, at: int) -> SocketEntry | None:
        """The socket's entry in the tables at an instant, by inode, or by 4-tuple once no descriptor has it (TIME-WAIT)."""
        identity = self.identity(socket, at)
        if identity is None:
            return None
        found = self.table(identity.host, at)
        if found is None:
            return None
        for entry in found[1].entries:
            if entry.inode == identity.inode:
                return entry
        places = {(one.local, one.remote) for one in identity.occupancies}
        for entry in found[1].entries:
            # A minisock has a cookie of its own; but not every entry of these addresses is ours: they may be in use anew.
            ours = entry.cookie in identity.cookies or (
                entry.state in _MINISOCK_STATES and (plain(entry.local), plain(entry.remote)) in places
            )
            if entry.protocol == "tcp" and not entry.inode and ours:
                return entry
        return None

    def port(self, socket: str, until: int) -> int:
        """The port that the socket "process.name" is bound to, by any table that lists it; 0 when none does."""
        identity = self.identity(socket, until)
        if identity is None:
            return 0
        for _, table in self.each(SocketTable):
            for entry in table.entries:
                if table.host == identity.host and entry.inode == identity.inode and entry.local[1]:
                    return entry.local[1]
        return 0

    def state(self, socket: str, at: int) -> str:
        """A socket's state at an instant, by RFC 9293's name. ``socket`` is "process.name", or "node:port" for whatever
        connections have that local port (several are joined by "+"). A socket that no table lists is CLOSED; "no such socket"
        is the answer where the name stands for none yet.
        """
        node, colon, port = socket.rpartition(":")
        if colon:
            found = self.table(node, at)
            states = {
                entry.state
                for entry in (found[1].entries if found else ())
                if entry.protocol == "tcp" and entry.local[1] == int(port) and entry.state != "LISTEN"
            }
            return "+".join(sorted(RFC_NAMES.get(state, state) for state in states)) or "CLOSED"
        if self.named(socket, at) is None:
            return "no such socket"
        entry = self.entry(socket, at)
        return RFC_NAMES.get(entry.state, entry.state) if entry is not None else "CLOSED"

    def path(self, socket: str, until: int) -> tuple[list[int], list[str]]:
        """A socket's whole ordered history of states, by the transitions seen: their indices, and RFC names with no state twice
        in a row. Before its first transition a socket is CLOSED.

        A transition that is told twice running is one: of an accepted socket both the timer of its request and, when the final ACK
        makes the socket itself, the tracepoint tell LISTEN -> SYN-RECEIVED.
        """
        identity = self.identity(socket, until)
        if self.named(socket, until) is None:
            return [], []
        indices, states = [], ["CLOSED"]
        for index, seen in self.each(SocketState):
            if identity is not None and self._identities.socket(index) is identity and seen.time <= until:
                indices.append(index)
                both = [RFC_NAMES.get(name, name) for name in (seen.old, seen.new)]
                if both == states[-2:]:
                    continue
                for state in both:
                    if state != states[-1]:
                        states.append(state)
        return indices, states


def host_of(key: str) -> str:
    """The node of "client", "client/p", "client.c", "client/p.c" or "client:80"."""
    return key.split(":")[0].rpartition(".")[0].split("/")[0] if "." in key.split(":")[0] else key.split(":")[0].split("/")[0]
