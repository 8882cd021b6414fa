"""What a ladder shows, in the order of time: calls and what they gave, packets, decisions, states, events; each in short words.

Samples (socket tables, counters, memory) and housekeeping packets are left to the list of all observations, unless one of them is
where a verdict failed. It refuses to know where on a page anything stands.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from itertools import zip_longest

from netlab.model.rfc_states import RfcConnection, rfc_connections
from netlab.report.html.happening import Happening
from netlab.report.html.hops import Hops, hops_of
from netlab.report.html.telling import Telling, socket_name
from netlab.timeline.identity import Identities, Socket
from netlab.timeline.timeline import Timeline

__all__ = ["Happenings", "happenings_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Happenings:
    """Everything that a ladder shows of one timeline."""

    shown: tuple[Happening, ...]
    hops: Hops
    identities: Identities
    connections: tuple[tuple[Socket | None, RfcConnection], ...]
    start: int
    end: int


def happenings_of(timeline: Timeline, *, marked: Collection[int] = ()) -> Happenings:
    """What a ladder of this timeline shows; what is ``marked`` is shown, whatever it is."""
    hops, identities = hops_of(timeline, wanted=marked), Identities.of(timeline)
    connections = rfc_connections(timeline.observations)
    owners = tuple((identities.socket(one.transitions[0].observed[0]), one) for one in connections if one.transitions)
    telling = Telling(timeline, hops, identities)
    found = [*telling.calls(), *telling.packets(), *telling.others(marked), *_states(owners)]
    found.sort(key=lambda one: (one.time, one.index))
    seen = timeline.observations
    return Happenings(
        shown=tuple(_together(found)),
        hops=hops,
        identities=identities,
        connections=owners,
        start=seen[0].time if seen else 0,
        end=seen[-1].time if seen else 0,
    )


def _together(found: list[Happening]) -> Iterator[Happening]:
    """A call that nothing came between and its return is one line; the return is where it is marked."""
    skip = False
    for one, following in zip_longest(found, found[1:]):
        if skip:
            skip = False
            continue
        skip = following is not None and one.kind == "call" and following.kind == "return" and following.started == one.started
        if skip and following is not None:
            told = f"{one.told} {following.told}"
            covers = (*one.covers, *following.covers)
            yield replace(one, text=f"{one.text} {following.text}", told=told, tone=following.tone, covers=covers)
        else:
            yield one


def _states(owners: tuple[tuple[Socket | None, RfcConnection], ...]) -> Iterator[Happening]:
    for socket, connection in owners:
        name = socket_name(socket)
        for one in connection.transitions:
            yield Happening(
                index=one.observed[-1],
                time=one.time,
                kind="state",
                host=connection.host,
                text=name,
                told=f"{name or 'socket'}: {one.old} to {one.new}",
                state=one.new,
                covers=one.observed,
            )
