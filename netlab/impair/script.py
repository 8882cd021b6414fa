"""What a replay prescribes: which packets were decided about in an earlier run, and what was decided, instead of asking rules.

A packet is found by its name (packet_keys.py): of data by any byte of the stream, so that it is found however the stream is cut
this time. Each decision is carried out once. It asks nobody and counts nothing.
"""

import re
from bisect import bisect_left, insort
from collections.abc import Iterable
from dataclasses import replace
from typing import Self

from netlab.errors import Place
from netlab.impair.packet_keys import Passing
from netlab.impair.quantities import CHANCES
from netlab.notation.packets import PacketPattern
from netlab.timeline.observations import Decision
from netlab.topology.spec import Rule

__all__ = ["Prescribed", "Script", "prescribes"]

_AFTERWARDS = frozenset({"release", "overflow"})
"""What is told of a packet that was decided about before, or that found a queue full, as it will in a replay."""
_DATA = re.compile(r"(?P<name>.+) data (?P<byte>[0-9]{1,20}) (?P<ordinal>[0-9]{1,20})")
_OF_STEPS = frozenset({"impair", "heal", "link up", "link down", "link mtu"})
"""What a scenario's steps did to links (workload/disturbance.py): a replay plays the steps again."""


def prescribes(decision: Decision) -> bool:
    """Whether a replay has to take a decision: steps and full queues make theirs again by themselves."""
    return decision.action not in _AFTERWARDS | _OF_STEPS


class Script:
    """The decisions of an earlier run, with the rules that made them."""

    def __init__(self, entries: Iterable[tuple[Decision, Rule]]) -> None:
        self._entries = tuple(entries)

    @classmethod
    def of(cls, decisions: Iterable[Decision], rules: Iterable[Rule]) -> Self:
        """What these decisions prescribe. Their rules are found by ``Decision.place``; one that quantities made needs none.

        What else was told of a packet later (that it was released) is left out. Raises ValueError where a decision names no packet,
        or no rule of its action stands at its place.
        """
        by_place = {(str(rule.place), rule.action): rule for rule in rules}
        entries = []
        for decision in decisions:
            if not prescribes(decision):
                continue
            rule = by_place.get((decision.place, decision.action)) or _of_quantities(decision)
            if not decision.key or (" data " in decision.key and _DATA.fullmatch(decision.key) is None):
                raise ValueError(f"the decision to {decision.action} {decision.packet!r} cannot be repeated: it names no packet")
            if rule is None:
                where = f"at {decision.place} " if decision.place else ""
                raise ValueError(f"no rule {where}decides to {decision.action}, as was done to {decision.key!r}")
            if decision.barrier and decision.barrier != rule.barrier:  # a file that is included twice
                rule = replace(rule, barrier=decision.barrier)
            entries.append((decision, rule))
        return cls(entries)

    @property
    def barriers(self) -> frozenset[str]:
        """The barriers at which it holds packets."""
        return frozenset(rule.barrier for _, rule in self._entries if rule.action == "hold")

    def prescribed(self, link: str, direction: str) -> "Prescribed":
        """What it prescribes for one direction of a link, to be taken once."""
        return Prescribed([entry for entry in self._entries if (entry[0].link, entry[0].direction) == (link, direction)])


class Prescribed:
    """What is still to be decided in one direction of a link."""

    def __init__(self, entries: Iterable[tuple[Decision, Rule]]) -> None:
        self._left: dict[str, tuple[Decision, Rule]] = {}
        self._bytes: dict[str, list[tuple[int, int]]] = {}
        for entry in entries:
            key = entry[0].key
            if key in self._left:
                continue  # one packet has one ruling: the first that acted
            self._left[key] = entry
            if data := _DATA.fullmatch(key):
                insort(self._bytes.setdefault(data["name"], []), (int(data["byte"]), int(data["ordinal"])))

    def __bool__(self) -> bool:
        return bool(self._left)

    def take(self, passing: Passing) -> tuple[Decision, Rule] | None:
        """What is decided about a packet, None where it just passes. Of several names that it goes by, all are done with then."""
        found = self._left.pop(passing.key, None)
        wanted = self._bytes.get(passing.way.name)
        if wanted and passing.end > passing.start:
            at = bisect_left(wanted, (passing.start, 0))
            while at < len(wanted) and wanted[at][0] < passing.end:
                byte, ordinal = wanted[at]
                if passing.carries(byte) != ordinal:
                    at += 1
                    continue
                del wanted[at]
                entry = self._left.pop(f"{passing.way.name} data {byte} {ordinal}", None)
                found = found or entry
        return found


def _of_quantities(decision: Decision) -> Rule | None:
    """A rule that does once more what a link's quantities did; None of a decision that a rule has made."""
    if CHANCES.get(decision.rule.partition(" ")[0]) != decision.action:
        return None
    file, line, column = ["", "", *decision.place.rsplit(":", 2)][-3:]
    known = line.isdigit() and column.isdigit()
    place = Place(file, int(line), int(column)) if known else Place(decision.place, 0, 0)
    return Rule(match=PacketPattern(any=True, text=decision.rule), action=decision.action, by=0, place=place)
