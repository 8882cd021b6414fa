"""Labs one after another with the same addresses and ports, each observed: no event is seen in a lab that it did not happen in.

Every socket's SO_COOKIE and inode are read from the socket itself, every connection carries bytes of its own, and what was observed
is held against both. A lab's namespaces end while the next one is up, with a connection in TIME-WAIT in them.

usage, as root, from the root of the source tree: python -m ci.five_hundred [LABS]
"""

import os
import select
import socket
import struct
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Self

from netlab.lab.lab import Lab
from netlab.observe.observers import Observers
from netlab.timeline.identity import Identities
from netlab.timeline.observations import Packet, SocketState
from netlab.timeline.streams import packets_of
from netlab.timeline.timeline import Timeline
from netlab.topology.load import load_topology

SO_COOKIE = 57
CLIENT_PORT, PORT = 5000, 8080
WITHIN = 10.0
SEEN = (
    *("CLOSE>LISTEN", "LISTEN>NEW_SYN_RECV", "LISTEN>SYN_RECV", "SYN_RECV>ESTABLISHED", "ESTABLISHED>CLOSE_WAIT"),
    *("CLOSE_WAIT>LAST_ACK", "LAST_ACK>CLOSE", "LISTEN>CLOSE"),
    *("CLOSE>SYN_SENT", "SYN_SENT>ESTABLISHED", "ESTABLISHED>FIN_WAIT1", "FIN_WAIT1>FIN_WAIT2", "FIN_WAIT2>TIME_WAIT"),
)
"""Every transition of one connection that its client closes first, and of its listener."""


@dataclass
class Observed:
    """A lab of two hosts, its observers, and one connection in it, step by step. Use it in a ``with`` statement."""

    lab: Lab = field(default_factory=lambda: Lab(load_topology("two-hosts")))
    mark: bytes = field(default_factory=lambda: os.urandom(12))
    cookies: dict[str, set[int]] = field(default_factory=lambda: {"client": set(), "server": set()})
    inodes: dict[str, set[int]] = field(default_factory=lambda: {"client": set(), "server": set()})
    timeline: Timeline = field(default_factory=Timeline)

    def __enter__(self) -> Self:
        self.lab.__enter__()
        try:
            self._observers = Observers(self.lab).start()
        except BaseException:
            self.lab.__exit__(*sys.exc_info())
            raise
        return self

    def __exit__(self, *error: object) -> None:
        try:
            self._observers.stop()
            self.timeline = self._observers.timeline()
        finally:
            self.lab.__exit__(None, None, None)

    def open(self) -> None:
        """The client connects, from the port and to the port that all labs use."""
        self._listener = self._ours("server", self.lab["server"].socket())
        self._listener.bind(("0.0.0.0", PORT))
        self._listener.listen()
        self._client = self._ours("client", self.lab["client"].socket())
        self._client.bind(("0.0.0.0", CLIENT_PORT))
        self._client.settimeout(WITHIN)
        self._client.connect((self.lab["server"].address, PORT))
        self._accepted = self._ours("server", self._listener.accept()[0])

    def talk(self) -> None:
        """The client says what no other lab's client says."""
        self._client.sendall(self.mark)
        assert self._accepted.recv(len(self.mark), socket.MSG_WAITALL) == self.mark

    def close(self) -> None:
        """The client first, whose end stays in TIME-WAIT until its namespace is gone; returns when all transitions are there."""
        self._client.close()
        self._accepted.recv(1)
        self._accepted.close()
        self._listener.close()
        deadline = time.monotonic() + WITHIN
        while time.monotonic() < deadline and len(list(self._states())) < len(SEEN):
            self._observers.drain()
            select.select([], [], [], 0.001)

    def _states(self) -> Iterator[SocketState]:
        return (one for one in self._observers.seen if isinstance(one, SocketState))

    def _ours(self, host: str, made: socket.socket) -> socket.socket:
        self.cookies[host].add(struct.unpack("=Q", made.getsockopt(socket.SOL_SOCKET, SO_COOKIE, 8))[0])
        self.inodes[host].add(os.fstat(made.fileno()).st_ino)
        return made


def strangers(timeline: Timeline, own: Observed) -> list[str]:
    """What was observed and is not of this lab's sockets, and what is missing of them; empty when all is as it should be."""
    found = [f"{one.name}: lost {one.lost}, {one.reason}" for one in timeline.sources if one.lost or not one.available]
    identities = Identities.of(timeline)
    for index, seen in enumerate(timeline.observations):
        cookie, inode = getattr(seen, "cookie", 0), getattr(seen, "inode", 0)
        if (cookie and cookie not in own.cookies[seen.host]) or (inode and inode not in own.inodes[seen.host]):
            found.append(f"not a socket of this lab: {seen}")
        elif isinstance(seen, SocketState):
            whose = identities.socket(index)
            if whose is None or not whose.cookies or not whose.cookies <= own.cookies[seen.host]:
                found.append(f"of no socket of this lab: {seen}")
    states = [one for one in timeline.observations if isinstance(one, SocketState)]
    told = Counter(f"{one.old}>{one.new}" for one in states)
    if told != Counter(SEEN):
        found.append(f"other transitions than those of one connection: {told - Counter(SEEN)} more, {Counter(SEEN) - told} missing")
    tcp = [one for one in packets_of(timeline.observations) if one.headers.protocol == "tcp"]
    found += [f"another connection's: {one.headers}" for one in tcp if not 0 <= (one.numbers.seq or 0) <= len(own.mark) + 2]
    said = {one.headers.payload for one in tcp if one.headers.payload}
    if said != {own.mark}:
        found.append(f"the client said {own.mark!r}, and {said} was seen")
    return found


def main() -> int:
    labs = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    wrong, states, packets, began = 0, 0, 0, time.monotonic()
    cookies, spaces = set[int](), set[int]()
    for number in range(labs):
        with Observed() as own:
            spaces |= {node.space.cookie for node in own.lab.nodes.values()}
            own.open()
            own.talk()
            own.close()
        found = strangers(own.timeline, own)
        again = cookies & set().union(*own.cookies.values())
        found += [f"the cookie {cookie} was another lab's" for cookie in again]
        cookies |= set().union(*own.cookies.values())
        states += sum(isinstance(one, SocketState) for one in own.timeline.observations)
        packets += sum(isinstance(one, Packet) for one in own.timeline.observations)
        wrong += bool(found)
        for line in found[:5]:
            print(f"lab {number}: {line}", file=sys.stderr)
    seconds = time.monotonic() - began
    print(f"{labs} labs one after another, all with the same addresses and ports, in {seconds:.1f} s")
    print(f"{len(spaces)} namespaces and {len(cookies)} sockets, told apart by their cookies")
    print(f"{states} changes of state, {packets} packets; labs with an event that was not theirs, or without one that was: {wrong}")
    return 1 if wrong or len(spaces) != 2 * labs or not states else 0


if __name__ == "__main__":
    sys.exit(main())
