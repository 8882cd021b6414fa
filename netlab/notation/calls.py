"""A call and what must come of it, as data: ``a = accept(s) & as j -> fd took <1s``. Parsing is in parse.py."""

from dataclasses import dataclass

from netlab.notation.values import Call
from netlab.units import Duration

__all__ = ["Bound", "Call", "CallText", "JoinText", "Result", "RunText"]


@dataclass(frozen=True, slots=True)
class Result:
    """What a call must give. Exactly one ``form`` applies.

    form "success": nothing written: the call must not fail      form "any": ? (the oracle alone judges)
    form "fd": any new descriptor                                form "blocks": still inside the call
    form "errno": errno holds the name                           form "value": value must be equal
    form "at_least": >=N      form "flag": &FLAG, bit set        form "no_flag": !&FLAG     form "same": =x, equals descriptor x
    form "partial": fewer than asked, more than none             form "signal": errno holds the signal's name (SIGPIPE)
    ``out`` is what the call must give besides (None when not stated): a Value, or text for what only the reader knows.
    """

    form: str = "success"
    errno: str = ""
    value: int | None = None
    flags: tuple[str | int, ...] = ()
    name: str = ""
    out: str | None = None


@dataclass(frozen=True, slots=True)
class Bound:
    """One bound on a time: ``relation`` is one of <, <=, >, >=."""

    relation: str
    limit: Duration


@dataclass(frozen=True, slots=True)
class CallText:
    """All that one call step says: ``NAME = CALL & as JOB -> RESULT took BOUND``; job is "" for a call that is waited for."""

    call: Call
    job: str = ""
    result: Result = Result()
    took: tuple[Bound, ...] = ()


@dataclass(frozen=True, slots=True)
class JoinText:
    """``join JOB -> RESULT``."""

    job: str
    result: Result = Result()
    took: tuple[Bound, ...] = ()


@dataclass(frozen=True, slots=True)
class RunText:
    """``run PROGRAM ARGS & as JOB -> STATUS``; status 0 unless another is written; argv split as a POSIX shell splits words."""

    argv: tuple[str, ...]
    job: str = ""
    result: Result = Result(form="value", value=0)
    took: tuple[Bound, ...] = ()
