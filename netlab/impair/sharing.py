"""Shares a link between the wire and the kernel: has it chosen who carries what, and sees to it that it is so, also when what is
asked of the link changes.

It does not choose (engines.py) and does nothing to a frame (in_kernel.py, wire.py). What the kernel turns out to lack is left to
the wire.
"""

from netlab.errors import HostError
from netlab.impair.engines import BESIDE, NETEM, NFT, TBF, WIRE, Engine, Way, engine_for
from netlab.impair.in_kernel import InKernel
from netlab.impair.ports import Port
from netlab.timeline.observations import Decision

__all__ = ["Shared"]


class Shared:
    """One link of a wire, whose two ports these are. Between two calls its engine stays the same."""

    def __init__(
        self, ports: tuple[Port, Port], kernel: InKernel | None, *, recorded: bool = True, seeded: bool = True, reason: str = ""
    ) -> None:
        """Without a ``kernel``, or for a ``reason``, all is the wire's. For the rest see ``engine_for``."""
        self._ports, self._kernel = ports, kernel
        self._recorded, self._seeded = recorded, seeded
        self._lacking = dict.fromkeys((NETEM, TBF), "its frames go through user space already")
        if reason or kernel is None:
            self._lacking[NFT] = reason or "its middle cannot be reached"
        self._decided: list[Decision] = []
        self._ended: int | None = None
        self.engine = Engine(name=WIRE, why="it has not begun")

    def share(self, *, watched: bool = False) -> None:
        """Have each carry its part from now on. ``watched``: somebody is told of each frame, so the wire must have them all."""
        self.engine = self._chosen(watched)
        if self._kernel is None:
            return
        try:
            self._hand_over(self._kernel)
        except HostError as error:
            self._lacking[NFT] = error.lacks
            self.engine = self._chosen(watched)
            self._hand_over(self._kernel)

    @property
    def link(self) -> str:
        """The link's name."""
        return self._ports[0].link.name

    def drain(self) -> list[Decision]:
        """What the kernel has dropped since the last time."""
        if self._kernel is not None and self._ended is None:
            self._decided += self._kernel.decisions()
        found, self._decided = self._decided, []
        return found

    @property
    def passed(self) -> int:
        """How many frames the kernel has forwarded, until the end."""
        if self._ended is not None:
            return self._ended
        return 0 if self._kernel is None else self._kernel.passed

    def end(self) -> None:
        """Ask the kernel no more. What it forwards it forwards until the lab ends: to take it back would take 20 ms."""
        if self._ended is None and self._kernel is not None:
            self._decided += self._kernel.decisions()
        self._ended = self.passed

    def _chosen(self, watched: bool) -> Engine:
        lacking = {**self._lacking, NFT: "sockets are looked at after each frame"} if watched else self._lacking
        if self._recorded and self._ports[0].link.by_wire:
            lacking = {NFT: "what is to be done to its packets is said while it runs", **lacking}
        ways = [Way(rules=[rule for rule, _ in port.standing], shape=port.shape) for port in self._ports]
        whole = bool(self._ports[0].link.offloads & {"tso", "gso"})
        return engine_for(ways, lacking=lacking, recorded=self._recorded, seeded=self._seeded, whole=whole)

    def _hand_over(self, kernel: InKernel) -> None:
        for direction, port in enumerate(self._ports):
            if self.engine.name == BESIDE and kernel.is_beside(direction):
                continue
            if kernel.carries(direction):
                self._recount(kernel, direction)
            if self.engine.name == NFT:
                self._decided += kernel.carry(direction, port.standing)
            elif self.engine.name == BESIDE:
                self._decided += kernel.pass_by(direction)
            else:
                self._decided += kernel.give_back(direction)

    def _recount(self, kernel: InKernel, direction: int) -> None:
        """Of the rules that the kernel has, those that are new or gone since then do not count."""
        left, counts = list(kernel.totals(direction)), []
        port = self._ports[direction]
        for rule, count in port.standing:
            at = next((index for index, total in enumerate(left) if total.rule is rule), None)
            counts.append(count if at is None else left.pop(at).matched)
        port.rules.recount(direction, counts)
