"""Clauses of a sentence: who, and what became of them; joined where the same became of several. They know nothing of packets."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

_BOTH = 2
_COUNTED = re.compile(r"(?P<whose>.*?)(?P<which>[0-9]+(?:st|nd|rd|th)) (?P<what>.*)")


@dataclass(frozen=True, slots=True)
class Clause:
    """Subjects, and the predicate for one of them and for several: "is lost", "are lost"."""

    subjects: tuple[str, ...]
    one: str
    several: str

    def __str__(self) -> str:
        if len(self.subjects) == 1:
            return f"{self.subjects[0]} {self.one}"
        both = len(self.subjects) == _BOTH and self.several.startswith("are ")
        return f"{_together(self.subjects)} {self.several.replace('are ', 'are both ', 1) if both else self.several}"


def joined(clauses: Iterable[Clause]) -> list[str]:
    """The clauses in words, one for all subjects of which the same is said.

    >>> joined([Clause((one,), "is lost", "are lost") for one in ("the SYN", "the 2nd SYN-ACK", "the 4th SYN-ACK")])
    ['the SYN and the 2nd and 4th SYN-ACKs are lost']
    """
    found: dict[tuple[str, str], Clause] = {}
    for clause in clauses:
        same = found.setdefault((clause.one, clause.several), replace(clause, subjects=()))
        subjects = tuple(dict.fromkeys((*same.subjects, *clause.subjects)))
        found[clause.one, clause.several] = replace(clause, subjects=subjects)
    return [str(clause) for clause in found.values()]


def _together(subjects: Sequence[str]) -> str:
    """The subjects as one: of those that differ in a number alone, the numbers."""

    def common(subject: str) -> tuple[str, str]:
        counted = _COUNTED.fullmatch(subject)
        return (counted["whose"], counted["what"]) if counted is not None else (subject, "")

    found = []
    for (whose, what), alike in groupby(subjects, common):
        some = list(alike)
        if len(some) == 1:
            found += some
            continue
        numbers = listed([counted["which"] for one in some if (counted := _COUNTED.fullmatch(one)) is not None])
        found.append(f"{whose}{numbers} {what}{'' if ' of ' in what else 's'}")
    return listed(found)


def listed(words: Sequence[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
