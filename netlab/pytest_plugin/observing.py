"""What is observed of a test's lab: everything, for the fixture ``observe``; else only the packets, for what a failure leaves.

It judges nothing, and does not know what becomes of it.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
import pytest

from netlab.api import Called, Lab, Observation, Seen
from netlab.observe.observers import Observers
from netlab.pytest_plugin.settings import pcap
from netlab.pytest_plugin.slicing import calls_of
from netlab.timeline.causes import with_causes
from netlab.timeline.observations import AnyObservation, CallReturned, Packet, SocketState, SystemCall
from netlab.timeline.timeline import Timeline, merge
from netlab.topology.spec import Topology

__all__ = ["MOST_PACKETS", "Network", "Observed"]

_PAUSE = 0.02
_LOOKED_AFTER = 0.1
MOST_PACKETS = 50_000


class Observed(Seen):
    """What was observed until now, looked at anew each time that it is asked."""

    def __init__(self, lab: "WatchedLab", observers: Observers) -> None:
        self._lab, self._observers = lab, observers
        self._final: Timeline | None = None

    @property
    def timeline(self) -> Timeline:
        """All of it on one timeline: whatever passed an interface before this was asked is there."""
        if self._final is not None:
            return self._final
        self._observers.capture.settle()
        self._observers.drain()
        self._observers.seen += self._lab.decided()
        return self._observers.whole(*self._lab.reports())

    @timeline.setter
    def timeline(self, final: Timeline) -> None:
        self._final = final

    @property
    def calls(self) -> tuple[CallReturned | SystemCall, ...]:
        """The calls that returned, in the order of time: those made by ``lab.call``, and those of every program run in the lab."""
        timeline = self.timeline
        of_programs = calls_of(timeline, self._lab.own_pids)
        return tuple(
            one
            for index, one in enumerate(timeline.observations)
            if isinstance(one, CallReturned) or (isinstance(one, SystemCall) and index in of_programs)
        )

    def until(self, condition: Callable[["Observed"], object], within: float = 1.0) -> bool:
        """Wait until a condition holds, ``within`` so many seconds; gives whether it does:
        ``assert observe.until(lambda seen: seen.flags[-1:] == ["R"])``."""
        deadline = time.monotonic() + within
        while True:
            over = time.monotonic() > deadline
            if condition(self):
                return True
            if over:
                return False
            self._observers.capture.wait(_PAUSE)

    @property
    def count(self) -> int:
        """How many packets were captured so far, at all interfaces together."""
        return self._observers.capture.report().seen

    def close(self) -> None:
        """Observe no longer; what was seen stays."""
        self._observers.stop()
        self._observers.seen += self._lab.decided()
        self.timeline = self._observers.whole(*self._lab.reports())


class WatchedLab(Lab):
    """The lab of a test: the calls made in it are recorded where it is observed, and so is what blocks of ``observe`` saw."""

    def __init__(self, topology: Topology) -> None:
        super().__init__(topology)
        self.watched = threading.Lock()
        self.watching: Observers | None = None
        self.blocks: Sequence[Observation] = ()

    def call(self, host: str, text: str) -> Called:
        """As ``Lab.call``."""
        first = len(self._records)
        try:
            return super().call(host, text)
        finally:
            with self.watched:
                if self.watching is not None:
                    self.watching.seen += self._records[first:]
                    for name, names in self._player.names.items():
                        self.watching.watch_process(name, names.process.pid)
                    self.watching.look({"tables": {host}})

    def observe(self, **options: Any) -> Observation:
        """As ``Lab.observe``."""
        block = super().observe(**options)
        self.blocks = (*self.blocks, block)
        return block

    @property
    def own_pids(self) -> frozenset[int]:
        """The processes whose system calls are netlab's: this one, and the agents, whose calls are recorded as they are made."""
        return frozenset({os.getpid(), *(names.process.pid for names in self._player.names.values())})

    def decided(self) -> Sequence[AnyObservation]:
        """What the impairments of its links did since this was last asked."""
        return self._wires.drain()

    def reports(self) -> Sequence[Any]:
        """What is known of how the links were impaired."""
        return (self._wires.report(),)


class Network:
    """A test's lab, and what is observed of it."""

    def __init__(self, topology: Topology, item: pytest.Item) -> None:
        self.lab = WatchedLab(topology)
        self._pcap = pcap(item.config)
        self._observed: Observed | None = None
        self._by_fixture = False
        self.is_cut = False
        """Whether there were more than MOST_PACKETS, which nobody had asked for, so that the rest of them is not there."""

    @contextmanager
    def everything(self) -> Iterator[Observed]:
        """Observe packets, states, events and calls."""
        self._by_fixture = True
        with self._watching(calls=True) as observed:
            yield observed

    @contextmanager
    def packets(self, *, wanted: bool) -> Iterator[None]:
        """Where it is ``wanted`` and packets may be written, keep them."""
        if not wanted or self._pcap == "never":
            yield
            return
        with self._watching(states=False) as observed, self._bounded(observed):
            yield

    @contextmanager
    def _watching(self, **options: bool) -> Iterator[Observed]:
        self.lab.watching = observers = Observers(self.lab, **options).start()
        self._observed = observed = Observed(self.lab, observers)
        try:
            yield observed
        finally:
            self._end(observed)

    def _end(self, observed: Observed) -> None:
        with self.lab.watched:
            if self.lab.watching is not None:
                self.lab.watching = None
                observed.close()

    @contextmanager
    def _bounded(self, observed: Observed) -> Iterator[None]:
        """End what nobody asked for once it is much: a test may send gigabytes."""
        over = threading.Event()

        def bound() -> None:
            while not over.wait(_LOOKED_AFTER):
                if observed.count > MOST_PACKETS:
                    self.is_cut = True
                    self._end(observed)
                    return

        thread = threading.Thread(target=bound, name="netlab bound", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    @property
    def asked(self) -> bool:
        """Whether the test itself observes, by the fixture or by blocks: then its failure shows what there was to be seen."""
        return self._by_fixture or bool(self.lab.blocks)

    @property
    def timeline(self) -> Timeline:
        """All that is known until now: what the fixture observes, or the packets, and what blocks of the test's own saw."""
        with self.lab.watched:
            whole = self._observed.timeline if self._observed is not None else Timeline()
        blocks = [block.seen.timeline for block in self.lab.blocks]
        if not blocks or self._by_fixture:
            return whole
        packets = whole if self._observed is not None else blocks[-1]
        others = [_uncaused(one) for each in blocks for one in each.observations if not isinstance(one, Packet)]
        known = {report.name for report in packets.sources}
        return Timeline(
            observations=with_causes(merge(packets.observations, others), packets.nodes),
            sources=(*packets.sources, *(report for report in blocks[-1].sources if report.name not in known)),
            nodes=packets.nodes,
            slack=packets.slack,
        )


def _uncaused(seen: AnyObservation) -> AnyObservation:
    """An observation as it was before its cause, a place in another timeline, was sought."""
    return msgspec.structs.replace(seen, cause="", caused_by=-1) if isinstance(seen, SocketState) else seen
