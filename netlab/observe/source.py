"""What every source of observations can do, whatever it watches.

A source never raises because this machine lacks something: it then delivers nothing, and its report says what that needs.
"""

from collections.abc import Sequence
from typing import Protocol

from netlab.timeline.observations import AnyObservation, SourceReport


class Source(Protocol):
    """Something that delivers observations between ``start`` and ``stop``."""

    @property
    def name(self) -> str:
        """The name that the report carries: "states", "memory" ..."""

    def start(self) -> None:
        """Begin to watch; what happens after the return is seen."""

    def drain(self) -> Sequence[AnyObservation]:
        """What was seen since the last time, in the order of time."""

    def stop(self) -> Sequence[AnyObservation]:
        """End, give everything back to the kernel, and hand over the rest; a second stop does nothing."""

    def report(self) -> SourceReport:
        """What this source could do so far, what it delivered and what it lost."""
