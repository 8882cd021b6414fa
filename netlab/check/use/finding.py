"""What is found about a program's use of its sockets, and what a rule that finds it is. Types only."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from netlab.check.use.world import Process, World

Severity = Literal["fault", "warning", "note"]
"""fault: wrong by the standard, or it harms; warning: works here and now, by luck or at a price; note: allowed, worth knowing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UseFinding:
    """One thing that a process did with its sockets.

    ``id`` is the rule's and ``source`` what it rests on; ``says`` has the facts: numbers, addresses, times, counts. ``evidence``
    are the indices of the observations that show it, ``slice`` those and a few around them.
    """

    id: str
    title: str
    host: str
    pid: int
    program: str
    says: str
    source: str
    severity: Severity
    evidence: tuple[int, ...]
    slice: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a rule found, before it carries the rule's own id, title and citation. ``severity`` is left out for the rule's."""

    process: Process
    says: str
    evidence: tuple[int, ...]
    severity: Severity | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A rule: ``find`` folds a world into what is wrong in it.

    ``needs`` are groups of sources: of each group one must have been there and lost nothing, else the rule is inconclusive.
    ``certain`` says that what it finds rests on nothing that a lost observation could have mended: then it is told all the same.
    """

    id: str
    title: str
    source: str
    severity: Severity
    needs: tuple[tuple[str, ...], ...]
    find: Callable[[World], Iterator[Found]]
    certain: bool = False
