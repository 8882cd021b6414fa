"""The user-space wire: forwards every frame of impaired links between their two ends, and does what their rules and quantities say.

One thread moves the frames of all links; here is when it does so, and how others change what it does meanwhile. It decides nothing
and judges nothing; what was done to a packet is a Decision, and what was lost against the wire's will is counted.
"""

import os
import random
import select
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from netlab.errors import LabError
from netlab.impair.carrier import Carrier
from netlab.impair.engines import Engine
from netlab.impair.in_kernel import InKernel, netfilter_of
from netlab.impair.ports import Port
from netlab.impair.rules import LinkRules
from netlab.impair.script import Script
from netlab.impair.sharing import Shared
from netlab.impair.timing import Haste, Timer, on_processor
from netlab.lab.lab import Lab
from netlab.timeline.observations import Decision, SourceReport
from netlab.timeline.timeline import Node
from netlab.topology.spec import Link, Rule, Shape
from netlab.units import Duration

__all__ = ["Wire", "WireLink"]

_ROUNDS = 128  # each of a batch of frames: more than can wait in a socket when frames are of a usual size
_LINGER = 50_000
"""For so long (ns) after a frame the next is looked for without sleeping: an answer comes at once, and to wake takes longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WireLink:
    """An impaired link, and AF_PACKET sockets that face its first and its second endpoint and ignore what they send.

    ``netfilter`` makes sockets by which the kernel is told there to forward frames itself; without it, the wire forwards them all.
    """

    link: Link
    sockets: tuple[socket.socket, socket.socket]
    netfilter: Callable[[], socket.socket] | None = None


class Wire:
    """The wire of a lab's impaired links. ``start()`` before traffic, ``drain()`` meanwhile, ``stop()`` after it."""

    def __init__(
        self,
        links: Sequence[WireLink],
        nodes: Mapping[str, Node],
        *,
        seed: int | None = 0,
        script: Script | None = None,
        recorded: bool = True,
    ) -> None:
        """``nodes`` are the lab's, by which patterns name endpoints. The sockets stay their owner's to close.

        ``seed`` decides all that is left to chance where a rule or a shape has no seed of its own; None: nobody asks that it be the
        same again. With a ``script`` no rule is asked: what it prescribes is done. Where decisions need not be ``recorded`` one by
        one, the kernel may drop and count.
        """
        self._lock = threading.Lock()
        self._ports: list[Port] = []
        self._failed: BaseException | None = None
        self._told = self._stopping = False
        self._began = 0
        # A veth queues a frame on the processor that sent it: a thread that moved between two would have them overtake each other.
        self._processor = random.choice(sorted(os.sched_getaffinity(0)))
        self._wake = -1
        self._timer: Timer | None = None
        self._thread: threading.Thread | None = None
        self._carrier = Carrier()
        self._shared: list[Shared] = []
        self._by_kernel: tuple[str, ...] = ()
        for one in links:
            rules = LinkRules(one.link, nodes, seed=seed or 0, script=script)
            near, far = (
                Port(end, made, one.link, rules, direction, seed or 0)
                for direction, (end, made) in enumerate(zip(one.link.endpoints, one.sockets, strict=True))
            )
            near.other, far.other = far, near
            for port in (near, far):
                port.as_built()
            self._ports += (near, far)
            kernel = None if one.netfilter is None else InKernel(one.link, nodes, one.netfilter, one.sockets)
            reason = "" if script is None else "what was recorded is done again"
            self._shared.append(Shared((near, far), kernel, recorded=recorded, seeded=seed is not None, reason=reason))
            self._carrier.held |= {barrier: [] for barrier in rules.barriers}

    @classmethod
    def of(cls, lab: Lab, *, seed: int = 0, script: Script | None = None) -> Self:
        """The wire of a running lab: of no link at all where none needs one."""
        links = []
        for link in lab.topology.links:
            middle = lab.middles.get(link.name)
            if middle is None:
                continue
            if middle.sockets is not None:
                links.append(WireLink(link=link, sockets=middle.sockets, netfilter=netfilter_of(middle)))
            elif middle.wire.user_space:
                raise LabError("the lab is not running: use it in a with statement")
        nodes = {name: Node(kind=node.kind, addresses=node.addresses) for name, node in lab.nodes.items()} if links else {}
        made = cls(links, nodes, seed=seed, script=script)
        made._by_kernel = tuple(f"{name}: {middle.engine}" for name, middle in lab.middles.items() if middle.engine)
        return made

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def start(self) -> None:
        """Forward from now on; frames that came since the lab was built go first."""
        if not self._ports:
            return
        self._began = time.time_ns()
        for port in self._ports:
            port.prepare()
            port.rules.begin(self._began)
        self._share()
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._timer = Timer()
        self._thread = threading.Thread(target=self._run, args=(self._timer,), name="netlab wire", daemon=True)
        self._thread.start()

    @property
    def _running(self) -> Duration:
        """How long it has run."""
        return Duration(time.time_ns() - self._began if self._began else 0)

    @property
    def carries(self) -> bool:
        """Whether any link's frames pass through here."""
        return bool(self._ports)

    @property
    def states(self) -> Callable[[str], str]:
        """What tells the TCP state that a socket is in, for rules that ask: "client.c" to RFC 9293's name, "" where unknown."""
        return self._carrier.states

    @states.setter
    def states(self, tell: Callable[[str], str]) -> None:
        self._carrier.states = tell

    def watch(self, look: Callable[[], None]) -> None:
        """From now on call ``look`` when a frame has come, before anything is done with it, and when one was delivered.

        It is called by whichever thread moves the frame, which moves no other before ``look`` returns.
        """
        with self._changing():
            self._carrier.look = look
            self._share()

    def drain(self) -> list[Decision]:
        """What was decided since the last drain, in the order of time. Raises LabError once the wire has failed."""
        with self._lock:
            self._raise_failure()
            decisions, self._carrier.decisions = self._carrier.decisions, []
            counted = [decision for shared in self._shared for decision in shared.drain()]
        return sorted(decisions + counted, key=lambda decision: decision.time) if counted else decisions

    def impair(self, direction: str, rules: Iterable[Rule] = (), *, shape: Shape | None = None, link: str = "") -> None:
        """From now on do this too to what goes in a direction ("client->server"; of that ``link``, by its name, or of all between
        the two nodes): ``rules`` come after those that are there, a ``shape`` stands in place of the quantities that were there.

        What has come before is dealt with before. A rule's window of time counts from now. Raises ValueError for a direction that
        no link of the wire has.
        """
        ports = self._going(direction, link)
        more = tuple(rule.later(self._running) for rule in rules)
        with self._changing():
            for port in ports:
                port.impair(more, shape)
                self._carrier.held |= {barrier: [] for barrier in port.rules.barriers if barrier not in self._carrier.held}
            self._share()

    def heal(self, direction: str = "", *, link: str = "") -> None:
        """End what ``impair`` began in a direction, or everywhere; what the topology says stays. What is held stays held.

        Raises ValueError for a direction that no link of the wire has.
        """
        ports = self._going(direction, link) if direction else self._ports
        with self._changing():
            for port in ports:
                port.heal()
            self._share()

    def release(self, barrier: str) -> None:
        """Send all that is held at a barrier, in the order in which it arrived; what comes later passes. Sent when this returns."""
        if barrier not in self._carrier.held:
            known = ", ".join(sorted(self._carrier.held)) or "none"
            raise ValueError(f"no rule holds packets at the barrier {barrier!r}; barriers are: {known}")
        with self._changing():  # what has arrived was held, whether or not the thread has come to it
            self._carrier.release(barrier)

    def stop(self) -> None:
        """Forward no more; what is still held or delayed is gone. What the kernel forwards it forwards until the lab ends.

        Raises LabError if the wire had failed and nobody was told.
        """
        thread, self._thread = self._thread, None
        timer, self._timer = self._timer, None
        if thread is None or timer is None:
            return
        with self._lock:
            self._stopping = True
        os.eventfd_write(self._wake, 1)
        thread.join()
        os.close(self._wake)
        timer.close()
        for shared in self._shared:
            shared.end()
        for port in self._ports:
            port.count_lost()
        if not self._told:
            self._raise_failure()

    def report(self) -> SourceReport:
        """What was forwarded, and what was lost though no rule said so: nothing can be told of such a run."""
        with self._lock:
            if self._thread is not None:
                for port in self._ports:
                    port.count_lost()
            lost = sum(port.lost for port in self._ports)
            where = ", ".join(sorted(f"{port.name} {port.lost}" for port in self._ports if port.lost))
            reason = f"the wire stopped: {self._failed}" if self._failed else f"the wire lost frames ({where})" if lost else ""
            if lost and not self._failed and any(port.cramped for port in self._ports):
                reason += "; its queues are short without root: raise net.core.rmem_max"
            seen = sum(port.forwarded for port in self._ports) + sum(shared.passed for shared in self._shared)
            engines = tuple(f"{link}: {engine}" for link, engine in self.engines.items()) + self._by_kernel
            return SourceReport(name="wire", available=self._failed is None, reason=reason, seen=seen, lost=lost, notes=engines)

    @property
    def engines(self) -> Mapping[str, Engine]:
        """What carries the impairments of each of its links out, by the link's name."""
        return {shared.link: shared.engine for shared in self._shared}

    def _share(self) -> None:
        """Have the kernel carry what need not come through here, and only that."""
        for shared in self._shared:
            shared.share(watched=self._carrier.look is not None)

    def _raise_failure(self) -> None:
        if self._failed is not None:
            self._told = True
            raise LabError(f"the wire stopped: {self._failed!r}") from self._failed

    def _going(self, direction: str, link: str) -> list[Port]:
        """Where what goes in a direction comes in."""
        found = [port for port in self._ports if port.way == direction.replace(" ", "") and link in ("", port.link.name)]
        if not found:
            known = ", ".join(sorted({port.way for port in self._ports})) or "none"
            where = f" on the link {link}" if link else ""
            raise ValueError(f"nothing goes {direction} through the wire{where}; directions are: {known}")
        return found

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Do something between two frames, when all that has arrived has been dealt with."""
        with self._lock:
            self._raise_failure()
            with on_processor(self._processor):
                if self._thread is not None:
                    for _ in range(_ROUNDS):
                        if not self._carrier.take(self._ports):
                            break
                yield
            if self._thread is not None:
                os.eventfd_write(self._wake, 1)  # what is next may be another thing now

    def _run(self, timer: Timer) -> None:
        try:
            with on_processor(self._processor), select.epoll() as poll, Haste() as haste:
                self._forward(poll, timer, haste)
        except BaseException as error:  # noqa: BLE001 - raised by the next drain
            self._failed = error

    def _forward(self, poll: select.epoll, timer: Timer, haste: Haste) -> None:
        ports = {port.socket.fileno(): port for port in self._ports}
        for fd in (*ports, self._wake, timer.fileno()):
            poll.register(fd, select.EPOLLIN)
        until = 0
        while True:
            haste.set(self._carrier.timed or any(port.line for port in self._ports))
            ready = [fd for fd, _ in poll.poll(0 if time.monotonic_ns() < until else None)]
            if not ready:
                continue
            with self._lock:
                if self._stopping:
                    return
                if self._wake in ready:
                    os.eventfd_read(self._wake)
                come = [ports[fd] for fd in ready if fd in ports]
                self._carrier.take(come)
                if come:
                    until = time.monotonic_ns() + _LINGER
                for port in come:
                    if port.gone:
                        poll.unregister(port.socket.fileno())
                timer.set(self._carrier.next)
