"""One thing that happened, as a ladder shows it: a value, in short words and in whole ones. It knows no timeline and no page."""

from dataclasses import dataclass

from netlab.report.html.hops import Hop

__all__ = ["Happening"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """One thing that happened, at ``index`` in the timeline, at ``time`` in ns.

    ``kind`` is call, return, packet, decision, state, event or step. ``host`` is whose column it is in, "" that of nobody. ``text``
    is short, ``told`` whole. ``until`` is when a call returned (None: it never did, 0: this is no call). ``alike`` is the same for
    those that may be folded together, and empty for what is never folded; ``size`` is a packet's payload in bytes. ``tone`` is
    "bad" for errors and drops; ``state`` is a TCP state's name. ``step`` is the number of the scenario's step, from 1. ``covers``
    are all observations that it stands for, ``started`` is the one at which a call began.
    """

    index: int
    time: int
    kind: str
    host: str = ""
    text: str = ""
    told: str = ""
    until: int | None = 0
    alike: tuple[str, ...] = ()
    size: int = 0
    tone: str = ""
    state: str = ""
    step: int = 0
    hop: Hop | None = None
    covers: tuple[int, ...] = ()
    started: int = -1
