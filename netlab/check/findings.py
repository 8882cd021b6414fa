"""What an expectation turned out to be: one finding for each thing that was asked. Types only."""

from dataclasses import dataclass
from typing import Literal

Status = Literal["met", "unmet", "broken", "lacking"]
"""met; not (yet) so; broken for good, whatever follows; or not to be decided, since evidence is missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The time that an expectation is about: since the one before ended, until now. Packets have bounds of their own."""

    began: int
    ended: int
    packets_began: int
    packets_until: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was asked: ``field``, what was expected, what was seen (or why it is lacking), and the evidence's indices."""

    field: str
    status: Status
    expected: str
    actual: str
    evidence: tuple[int, ...] = ()
