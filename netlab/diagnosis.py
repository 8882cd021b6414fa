"""What was found out about a machine, as values, and how it is told: as text and as JSON. It finds nothing out itself."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Literal

from netlab.observe.agreement import Agreement

__all__ = ["Check", "Diagnosis", "told", "told_as_json"]

_TITLES = (
    ("required", "Needed by every lab:"),
    ("feature", "For what a topology asks for:"),
    ("observer", "Observers:"),
    ("optional", "Good to have:"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing looked at. ``needed`` says for what; ``level`` "required" for any lab, "observer" to see more, "feature" for what a
    topology may ask for, or "optional"."""

    name: str
    available: bool
    level: Literal["required", "observer", "feature", "optional"]
    needed: str
    reason: str = ""
    fix: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """All that was found. ``usable`` says whether any lab can be built here at all; ``clocks`` are empty where nobody asked."""

    kernel: str
    machine: str
    user: int
    tier: str
    note: str
    checks: tuple[Check, ...]
    clocks: tuple[Agreement, ...] = ()

    @property
    def usable(self) -> bool:
        """Whether nothing is missing that every lab needs."""
        return all(check.available for check in self.checks if check.level == "required")


def told(diagnosis: Diagnosis) -> Iterator[str]:
    """Each thing with yes or no; what is missing with the reason, what it is needed for, and the command that supplies it."""
    yield f"Linux {diagnosis.kernel} on {diagnosis.machine}, as user {diagnosis.user}: observation tier {diagnosis.tier}"
    if diagnosis.note:
        yield f"  {diagnosis.note}"
    wide = max(len(check.name) for check in diagnosis.checks)
    for level, title in _TITLES:
        checks = [check for check in diagnosis.checks if check.level == level]
        if checks:
            yield title
        for check in checks:
            yield f"  {'yes' if check.available else 'no ':<3}  {check.name:<{wide}}  {check.needed}"
            if not check.available:
                yield f"         {check.reason}"
                if check.fix:
                    yield f"         fix: {check.fix}"
    if diagnosis.clocks:
        yield "Clocks of the sources, against CLOCK_REALTIME:"
    for clock in diagnosis.clocks:
        yield from _clock(clock)
    yield "Labs can be built here." if diagnosis.usable else "No lab can be built here."


def _clock(clock: Agreement) -> Iterator[str]:
    if clock.reason:
        yield f"  {clock.source}: not measured"
        yield from (f"    {line.strip()}" for line in clock.reason.splitlines())
    else:
        each = f"a single one of {clock.samples} brackets: {_us(clock.median)} us in the median, {_us(clock.worst)} at worst"
        yield f"  {clock.source}: within {_us(clock.bound)} us ({each})"


def _us(ns: int) -> str:
    return f"{ns / 1000:.1f}"


def told_as_json(diagnosis: Diagnosis) -> Iterator[str]:
    """The same as one JSON object, line by line."""
    yield from json.dumps({"schema": 1, "usable": diagnosis.usable, **asdict(diagnosis)}, indent=2).splitlines()
