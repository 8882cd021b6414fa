"""Has the kernel itself forward the packets of a link, or some of them, where its rules ask for no more: at the kernel's speed.

It does so in the namespace in the middle of the link, by nftables where frames enter it: never at the sender's egress, where TCP
would take a drop for local congestion. Either the kernel has all packets of a direction, drops what rules say and counts: it tells
totals afterwards, no packet by itself. Or it has those that no rule means (bypass.py), and the wire gets the others. It does not
choose (engines.py), and moves no frame.
"""

import ctypes
import socket
import struct
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from netlab.errors import HostError
from netlab.impair import bypass, kernel_rules, nftables
from netlab.lab.lab import Middle
from netlab.lab.program import FAR, FAR_INDEX, NEAR, NEAR_INDEX
from netlab.notation.printing import print_packet
from netlab.timeline.observations import Decision
from netlab.timeline.timeline import Node
from netlab.topology.spec import Link, Rule

__all__ = ["ENGINE", "InKernel", "Total", "netfilter_of"]

ENGINE = "nft"
"""What its decisions name as their engine."""

_SO_ATTACH_FILTER, _SO_DETACH_FILTER = 26, 27
_COMES_IN, _GOES_OUT = (NEAR, FAR), (FAR_INDEX, NEAR_INDEX)
Counted = tuple[Rule, int]
"""A rule, and how many packets it has matched already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """How many packets a rule has matched, and how many of those it dropped here."""

    rule: Rule
    matched: int
    dropped: int


def netfilter_of(middle: Middle) -> Callable[[], socket.socket]:
    """What makes the sockets by which nftables is told what to do in a link's middle."""
    return lambda: middle.space.socket(socket.AF_NETLINK, socket.SOCK_RAW, nftables.NETLINK_NETFILTER)


class InKernel:
    """The kernel's part in one link. It ends with the lab, or with ``give_back``."""

    def __init__(
        self,
        link: Link,
        nodes: Mapping[str, Node],
        netfilter: Callable[[], socket.socket],
        sockets: tuple[socket.socket, socket.socket],
    ) -> None:
        """``netfilter`` makes NETLINK_NETFILTER sockets of the middle's namespace; ``sockets`` are the wire's there."""
        self._link, self._nodes, self._netfilter, self._sockets = link, nodes, netfilter, sockets
        self._carried: dict[int, tuple[Counted, ...]] = {}
        self._beside: set[int] = set()
        self._told: dict[tuple[int, int], int] = {}
        self._passed = 0

    def carries(self, direction: int) -> bool:
        """Whether the kernel has all that goes from the link's first endpoint (0) or from its second (1)."""
        return direction in self._carried

    def is_beside(self, direction: int) -> bool:
        """Whether the kernel has what no narrow rule means, and the wire the others."""
        return direction in self._beside

    def carry(self, direction: int, rules: Sequence[Counted]) -> tuple[Decision, ...]:
        """From now on the kernel forwards a direction's frames, and drops what the rules say. Each has matched so many already.

        Frames that pass at this moment may come twice, unless the kernel had the direction already. The rules are such that
        ``kernel_rules.why_not`` has nothing against them. Gives what those before them did. Raises HostError where this kernel's
        nftables cannot.
        """
        ruleset = nftables.Ruleset(self._table(direction))
        device, to = _COMES_IN[direction], _GOES_OUT[direction]
        kernel_rules.write(ruleset, rules, self._link, direction, self._nodes, device=device, to=to)
        done = self._change(direction, ruleset, bypass.NONE)
        self._carried[direction] = tuple(rules)
        return done

    def pass_by(self, direction: int) -> tuple[Decision, ...]:
        """From now on the kernel forwards what no narrow rule means, and the wire has the others. The rest as for ``carry``."""
        ruleset = nftables.Ruleset(self._table(direction))
        counter = kernel_rules.passed()
        bypass.write(ruleset, device=_COMES_IN[direction], to=_GOES_OUT[direction], counter=counter)
        done = self._change(direction, ruleset, bypass.OTHERS)
        self._beside.add(direction)
        return done

    def give_back(self, direction: int) -> tuple[Decision, ...]:
        """Leave a direction to the wire again, which sees every frame of it from now on; gives what was done until now.

        Frames that pass at this moment may come twice.
        """
        return self._change(direction, None, b"")

    def totals(self, direction: int) -> tuple[Total, ...]:
        """What has become of each rule of a direction that the kernel carries, in their order."""
        found = self._counters(direction)
        return tuple(
            Total(rule=rule, matched=already + found[kernel_rules.matched(index)], dropped=found[kernel_rules.dropped(index)])
            for index, (rule, already) in enumerate(self._carried[direction])
        )

    @property
    def passed(self) -> int:
        """How many frames the kernel has forwarded here until now."""
        having = self._beside | self._carried.keys()
        return self._passed + sum(self._counters(direction)[kernel_rules.passed()] for direction in having)

    def decisions(self) -> tuple[Decision, ...]:
        """What was dropped since this was last asked: a decision for each rule that dropped anything, of both directions."""
        return tuple(one for direction in sorted(self._carried) for one in self._since(direction))

    def _since(self, direction: int) -> list[Decision]:
        now = time.time_ns()
        ends = [end.node for end in self._link.endpoints]
        sender, receiver = ends if direction == 0 else reversed(ends)
        found = []
        for index, total in enumerate(self.totals(direction)):
            more = total.dropped - self._told.get((direction, index), 0)
            if not more:
                continue
            self._told[direction, index] = total.dropped
            found.append(
                Decision(
                    time=now,
                    link=self._link.name,
                    rule=total.rule.match.text or print_packet(total.rule.match),
                    action=total.rule.action,
                    occurrence=total.matched,
                    packet=f"{more} of its packets",
                    place=str(total.rule.place),
                    direction=f"{sender}->{receiver}",
                    values={"matched": total.matched, "dropped": more},
                    engine=ENGINE,
                )
            )
        return found

    def _table(self, direction: int) -> str:
        return f"netlab_{_COMES_IN[direction]}"

    def _counters(self, direction: int) -> Mapping[str, int]:
        with self._made() as netfilter:
            return nftables.counters(netfilter, self._table(direction))

    def _made(self) -> socket.socket:
        try:
            return self._netfilter()
        except OSError as error:
            raise HostError(f"this kernel has no nftables: {error.strerror}", nftables.FIX) from None

    def _change(self, direction: int, ruleset: nftables.Ruleset | None, program: bytes) -> tuple[Decision, ...]:
        """Put a ruleset in the place of what the kernel did before, and keep from the wire's socket what it is not to see."""
        had = direction in self._carried or direction in self._beside
        done = tuple(self._since(direction)) if direction in self._carried else ()
        passed = self._counters(direction)[kernel_rules.passed()] if had else 0
        sees = self._sockets[direction]
        if had and not program:
            sees.setsockopt(socket.SOL_SOCKET, _SO_DETACH_FILTER, 0)
        if had or ruleset is not None:
            table = [self._table(direction)] if had else []
            with self._made() as netfilter:
                nftables.change(netfilter, delete=table, load=[] if ruleset is None else [ruleset])
        self._passed += passed
        self._carried.pop(direction, None)
        self._beside.discard(direction)
        for told in [key for key in self._told if key[0] == direction]:
            del self._told[told]
        if program:
            _attach(sees, program)
        return done


def _attach(sees: socket.socket, program: bytes) -> None:
    """Have a socket see only the frames that a program of classic BPF takes: AF_PACKET sees frames before nftables does."""
    code = ctypes.create_string_buffer(program, len(program))
    sees.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("=H6xQ", len(program) // 8, ctypes.addressof(code)))
