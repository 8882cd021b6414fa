"""What a rule does to one packet, as a value: why, to which packet, and every random choice that it makes about it.

A choice depends on nothing but the seed and the names of rule and packet: the same packet meets the same fate in every run,
whatever passed before. It does not decide whether a rule acts (rules.py), nor carry anything out.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b

from netlab.notation.printing import print_packet
from netlab.timeline.observations import Decision
from netlab.topology.spec import Rule

__all__ = ["Ruling", "draw"]

_BITS = 53
"""As many as a float between 0.5 and 1 distinguishes."""


def draw(seed: int, link: str, direction: str, index: int, key: str, purpose: str) -> float:
    """A number in [0, 1) that depends on all of this and on nothing else: BLAKE2b (RFC 7693) of it.

    ``index`` is the rule's in its direction, ``key`` the packet's name, ``purpose`` what the number is for.

    >>> packet = (7, "a:eth0-b:eth0", "a->b", 0, "a>b:80 #1 S 1")
    >>> draw(*packet, "chance") == draw(*packet, "chance"), draw(*packet, "chance") == draw(*packet, "bit")
    (True, False)
    """
    mixed = _mixed(seed, link, direction, index).copy()
    mixed.update(f"{key}\0{purpose}".encode())
    return (int.from_bytes(mixed.digest(), "big") >> 64 - _BITS) / (1 << _BITS)


@lru_cache(1024)
def _mixed(seed: int, link: str, direction: str, index: int) -> blake2b:
    return blake2b(f"{seed}\0{link}\0{direction}\0{index}\0".encode(), digest_size=8)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """What a rule does to one packet: the rule's ``occurrence`` (from 1), and the packet as tcpdump would put it.

    ``link``, ``direction`` ("client->server") and ``key`` name the packet as in a Decision; ``index`` is the rule's place among
    those of its direction, from 0. ``seed`` is the rule's own or the run's. ``values`` are the choices made so far, or prescribed
    by a replay, by name: what becomes ``Decision.values``.
    """

    rule: Rule
    occurrence: int
    packet: str
    key: str = ""
    direction: str = ""
    link: str = ""
    index: int = 0
    seed: int = 0
    values: dict[str, int] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The rule's pattern as written, and its filter."""
        rule = self.rule
        pattern = rule.match.text or print_packet(rule.match)
        if not rule.filter:
            return pattern
        return f"filter {rule.filter}" if rule.match.any else f"{pattern} filter {rule.filter}"

    def draw(self, purpose: str) -> float:
        """A number in [0, 1) for one purpose: the same for the same packet, rule and seed in every run."""
        return draw(self.seed, self.link, self.direction, self.index, self.key, purpose)

    def value(self, name: str, otherwise: Callable[[], int]) -> int:
        """What a replay prescribes under this name, else what ``otherwise`` says; remembered for the decision's record."""
        if name not in self.values:
            self.values[name] = otherwise()
        return self.values[name]

    def decision(self, action: str, *, time: int, note: str = "") -> Decision:
        """What is recorded of it at a time (ns), where this was done to the packet; a ``note`` stands behind the packet."""
        return Decision(
            time=time,
            link=self.link,
            rule=self.text,
            action=action,
            occurrence=self.occurrence,
            packet=f"{self.packet} ({note})" if note else self.packet,
            place=str(self.rule.place),
            direction=self.direction,
            key=self.key,
            barrier=self.rule.barrier,
            values=dict(self.values),
        )
