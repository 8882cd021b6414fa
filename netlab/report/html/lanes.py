"""A lane for every socket: from when until when there was a descriptor for it, and which TCP state it was in, span by span.

Lanes of one host stand side by side, and one that has ended makes room for another. It does not know where on a page they are.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from netlab.model.rfc_states import RfcConnection
from netlab.report.html.happenings import Happenings
from netlab.report.html.telling import socket_name
from netlab.timeline.identity import Identities, Socket

__all__ = ["Lane", "Span", "lanes_of"]

SLOTS = 6
"""So many lanes stand beside each other at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A state and when it was, in ns; ``until`` None is the end of the timeline, ``state`` "" that none is known."""

    state: str
    began: int
    until: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """One socket in the lane number ``slot`` of its host. ``told`` says which socket it is and what became of its descriptors;
    ``closed`` is when the last of them was given up, None if that was not seen."""

    host: str
    slot: int
    name: str
    told: str
    began: int
    until: int | None
    closed: int | None
    spans: tuple[Span, ...]


def lanes_of(happenings: Happenings) -> tuple[tuple[Lane, ...], int]:
    """The lanes, and how many sockets found no room."""
    taken: dict[str, list[int | None]] = {}
    lanes, crowded = [], 0
    for host, name, told, began, until, closed, spans in sorted(_sockets(happenings), key=lambda one: one[3]):
        slots = taken.setdefault(host, [])
        slot = next((at for at, end in enumerate(slots) if end is not None and end < began), len(slots))
        if slot >= SLOTS:
            crowded += 1
            continue
        slots[slot : slot + 1] = [until]
        lanes.append(Lane(host=host, slot=slot, name=name, told=told, began=began, until=until, closed=closed, spans=spans))
    return tuple(lanes), crowded


_Found = tuple[str, str, str, int, int | None, int | None, tuple[Span, ...]]


def _sockets(happenings: Happenings) -> Iterator[_Found]:
    states: dict[int, list[RfcConnection]] = {}
    for socket, connection in happenings.connections:
        if socket is None:
            began = connection.transitions[0].time
            yield _lane(None, connection.host, [connection], began, "a socket without a name", happenings.identities)
        else:
            states.setdefault(socket.number, []).append(connection)
    for socket in happenings.identities.sockets:
        connections = states.get(socket.number, [])
        if not connections and not socket.holdings:
            continue
        times = [one.began for one in socket.holdings] + [one.transitions[0].time for one in connections]
        yield _lane(socket, socket.host, connections, min(times), "", happenings.identities)


def _lane(
    socket: Socket | None, host: str, connections: list[RfcConnection], began: int, told: str, identities: Identities
) -> _Found:
    holdings = socket.holdings if socket is not None else ()
    transitions = sorted((one for each in connections for one in each.transitions), key=lambda one: one.time)
    spans, at, state = [], began, transitions[0].old if transitions else ""
    for one in transitions:
        if one.new != state:
            spans += [Span(state=state, began=at, until=one.time)] if one.time > at else []
            at, state = one.time, one.new
    closed = _closed(one.ended for one in holdings)
    over = state == "CLOSED" and bool(transitions)
    until = None if not over and closed is None else max(transitions[-1].time if over else 0, closed or 0)
    if transitions and not over:
        until = None
    if until is None or until > at:
        spans.append(Span(state=state, began=at, until=until))
    words = told or identities.name(socket) if socket is not None else told
    numbers = [f"fd {one.fd}" + ("" if one.ended is None else ", closed") for one in holdings]
    whole = "; ".join([words, *numbers, *(f"{one.old} to {one.new}" for one in transitions)])
    return host, socket_name(socket), whole, began, until, closed, tuple(spans)


def _closed(ends: Iterable[int | None]) -> int | None:
    """When the last descriptor was given up; None while one is left."""
    every = list(ends)
    known = [one for one in every if one is not None]
    return max(known) if known and len(known) == len(every) else None
