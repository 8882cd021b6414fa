"""TCP states without root: the kernel's socket tables are read after every frame that a wire delivers and after every call.

Between two of these instants nothing moves, so that each difference between two readings is what one segment or call did, as long
as all frames pass a user-space wire and whoever acts waits for the reading. What moves by itself (a timer; a program that does not
wait) is seen at the next reading, and what happened in between is not. Refuses to know which transitions are right.

What a reader should know: of two transitions that one segment makes only the ends are seen (an ACK with a FIN takes a socket from
SYN_RECV to CLOSE_WAIT). Sockets that are neither bound, listening nor connected are in no table; a half-open connection is listed
as SYN_RECV, and a socket that is bound only as CLOSE. A reading takes about 0.4 ms a node, however few its sockets: the kernel's
hash table of connections is all namespaces' one, and is searched twice.
"""

import ipaddress
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from netlab.errors import NetlabError
from netlab.timeline.observations import Address, AnyObservation, SocketEntry, SocketState, SourceReport

_BOUND = "BOUND_INACTIVE"
_NOTE = "what timers and programs that do not wait change is seen at the next frame or call; what they change back is not"


class Tables(Protocol):
    """What gives a namespace's sockets, as SocketDiagnosis does."""

    def every(self, protocol: str) -> Iterable[tuple[SocketEntry, Any]]:
        """Every socket of "tcp" now, with what is known of it besides."""

    def close(self) -> None:
        """Give the netlink socket back."""


class LockStep:
    """Delivers SocketState with the source "sock_diag" of the nodes that are the keys of ``tables``; ``stop`` closes those.

    ``after_frame`` is for a wire to call (``Wire.watch``), ``after_call`` for whoever makes calls, from any thread. Both read all
    nodes: what one frame did may show in another node than the one that it was delivered to.
    """

    name = "lockstep"

    def __init__(self, tables: Mapping[str, Tables]) -> None:
        self._tables = dict(tables)
        self._known: dict[str, dict[int, SocketEntry]] = {}
        self._lock = threading.Lock()
        self._seen: list[SocketState] = []
        self._reason, self._count, self._longest, self._running = "it was not started", 0, 0, False

    def start(self) -> None:
        """Take what there is as given: sockets that exist by now have no history."""
        with self._lock:
            try:
                self._known = {node: _by_cookie(tables.every("tcp")) for node, tables in self._tables.items()}
            except (NetlabError, OSError) as error:
                self._reason = f"the socket tables cannot be read: {error}"
                return
            self._reason, self._running = "", True

    def after_frame(self) -> None:
        """A frame was delivered, or has left its sender."""
        self._look()

    def after_call(self) -> None:
        """A call returned, or is known to wait."""
        self._look()

    def drain(self) -> Sequence[AnyObservation]:
        """What was seen since the last time, in the order of time."""
        with self._lock:
            seen, self._seen = self._seen, []
        return seen

    def stop(self) -> Sequence[AnyObservation]:
        """Read once more, and close the tables' sockets."""
        self._look()
        with self._lock:
            self._running = False
            for tables in self._tables.values():
                tables.close()
            self._tables = {}
        return self.drain()

    def report(self) -> SourceReport:
        """``uncertainty`` is the longest that all tables took to be read: in lock step a transition is no older than that."""
        with self._lock:
            return SourceReport(
                name=self.name,
                available=not self._reason,
                reason=self._reason,
                seen=self._count,
                uncertainty=self._longest,
                notes=() if self._reason else (_NOTE,),
            )

    def _look(self) -> None:
        with self._lock:
            if not self._running:
                return
            began = time.time_ns()
            try:
                for node, tables in self._tables.items():
                    at = time.time_ns()
                    after = _by_cookie(tables.every("tcp"))
                    found = transitions(self._known[node], after, node, at)
                    self._known[node] = after
                    self._seen += found
                    self._count += len(found)
            except (NetlabError, OSError) as error:
                self._reason, self._running = f"the socket tables cannot be read any more: {error}", False
            self._longest = max(self._longest, time.time_ns() - began)


def transitions(before: Mapping[int, SocketEntry], after: Mapping[int, SocketEntry], node: str, at: int) -> list[SocketState]:
    """What changed between two tables of TCP sockets by their cookies: those that are there no more, then changes, then new ones.

    Cookies are never used twice, and a connection keeps its own as half-open, full and waiting socket (inet_csk_clone_lock and
    tcp_time_wait, net/ipv4). A new entry comes from LISTEN where there is a listener for it, else from CLOSE.
    """
    found = [_changed(entry, entry.state, "CLOSE", node, at) for cookie, entry in before.items() if cookie not in after]
    for cookie, entry in after.items():
        if cookie in before:
            found.append(_changed(entry, before[cookie].state, entry.state, node, at))
    listening = [entry for entry in (*before.values(), *after.values()) if entry.state == "LISTEN"]
    for cookie, entry in after.items():
        if cookie not in before:
            passive = entry.state not in ("LISTEN", "CLOSE", "SYN_SENT") and any(_is_for(one, entry) for one in listening)
            found.append(_changed(entry, "LISTEN" if passive else "CLOSE", entry.state, node, at))
    return [one for one in found if one.old != one.new]


def _is_for(listener: SocketEntry, entry: SocketEntry) -> bool:
    host, port = listener.local
    return port == entry.local[1] and (ipaddress.ip_address(host).is_unspecified or host == entry.local[0])


def _changed(entry: SocketEntry, old: str, new: str, node: str, at: int) -> SocketState:
    return SocketState(
        time=at,
        host=node,
        source="sock_diag",
        old=old,
        new=new,
        local=entry.local,
        remote=entry.remote,
        cookie=entry.cookie,
        inode=entry.inode,
    )


def _by_cookie(entries: Iterable[tuple[SocketEntry, Any]]) -> dict[int, SocketEntry]:
    return {entry.cookie: _plain(entry) for entry, _ in entries}


def _plain(entry: SocketEntry) -> SocketEntry:
    """As packets and states are written: IPv4 in IPv6 clothes as IPv4, a socket that is bound only as CLOSE."""
    if entry.state != _BOUND and not entry.local[0].startswith("::ffff:"):
        return entry
    return SocketEntry(
        protocol=entry.protocol,
        state="CLOSE" if entry.state == _BOUND else entry.state,
        local=_unmapped(entry.local),
        remote=_unmapped(entry.remote),
        inode=entry.inode,
        cookie=entry.cookie,
    )


def _unmapped(place: Address) -> Address:
    address = ipaddress.ip_address(place[0])
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address), place[1]
