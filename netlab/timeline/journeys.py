"""The copies of one packet on its way, joined: which socket sent what arrives here, which one received what is sent here.

Copies have the same addresses, ports, numbers and payload; a router changes none of these, address translation does, and then
nothing is told. Datagrams may be equal without being the same: a journey passes a place once. It refuses to know what sockets do.
"""

from collections.abc import Iterator

from netlab.timeline.headers import Headers
from netlab.timeline.joined import Joined
from netlab.timeline.observations import Packet


class Journeys:
    """Fed with packets in the order of time, each with the socket of its own node that sent or received it, if any."""

    def __init__(self) -> None:
        self.senders: dict[int, Joined] = {}
        self.receivers: dict[int, Joined] = {}
        self._copies: dict[tuple[object, ...], list[tuple[int, tuple[str, str, str]]]] = {}

    def add(self, index: int, seen: Packet, headers: Headers, sender: Joined | None, receiver: Joined | None) -> None:
        """Take in the packet at ``index``."""
        if sender is not None:
            self.senders[index] = sender
        if receiver is not None:
            self.receivers[index] = receiver
        numbers = (headers.seq, headers.ack, headers.flags, headers.length, headers.id, headers.payload)
        self._copies.setdefault((headers.source, headers.sport, headers.target, headers.dport, *numbers), []).append(
            (index, (seen.host, seen.interface, seen.direction))
        )

    def pair(self) -> None:
        """Give every copy the sender and the receiver of its journey."""
        for copies in self._copies.values():
            for run in self._runs(copies):
                sender = next((self.senders[index] for index in run if index in self.senders), None)
                receiver = next((self.receivers[index] for index in reversed(run) if index in self.receivers), None)
                for index in run:
                    if sender is not None:
                        self.senders.setdefault(index, sender)
                    if receiver is not None:
                        self.receivers.setdefault(index, receiver)

    def _runs(self, copies: list[tuple[int, tuple[str, str, str]]]) -> Iterator[list[int]]:
        """One journey after another: each begins where a socket sends, or where one passes again."""
        run: list[int] = []
        passed: set[tuple[str, str, str]] = set()
        for index, place in copies:
            if run and (index in self.senders or place in passed):
                yield run
                run, passed = [], set()
            run.append(index)
            passed.add(place)
        yield run
