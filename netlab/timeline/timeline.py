"""The timeline: every observation of one run in the order of time, with what each source saw and lost. A frozen value."""

from collections.abc import Iterable
from itertools import chain
from operator import attrgetter

import msgspec

from netlab.timeline.observations import AnyObservation, SourceReport


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """A node as the timeline needs to know it: which addresses are its own, interface by interface."""

    kind: str
    addresses: dict[str, tuple[str, ...]]


class Timeline(msgspec.Struct, frozen=True, kw_only=True):
    """What happened. ``observations`` are in the order of time; ``sources`` say how far to trust that they are complete.

    Their times are only as good as each source's clock: neighbours from different sources may have happened the other way round.
    Which of two came first, or that nobody can tell, ``netlab.timeline.order`` says.

    ``nodes`` are the lab's nodes. ``slack`` is the scheduling delay in ns measured during the run: upper bounds widen by it.
    """

    observations: tuple[AnyObservation, ...] = ()
    sources: tuple[SourceReport, ...] = ()
    nodes: dict[str, Node] = {}
    slack: int = 0

    def source(self, name: str) -> SourceReport:
        """The report of one source; one that was never started is reported as unavailable."""
        for report in self.sources:
            if report.name == name:
                return report
        return SourceReport(name=name, available=False, reason=f"the source {name!r} was not part of this run")


def merge(*streams: Iterable[AnyObservation]) -> tuple[AnyObservation, ...]:
    """All observations of several sources in the order of time; those of one instant keep the order in which they are given."""
    return tuple(sorted(chain.from_iterable(streams), key=attrgetter("time")))
