"""How a rule is written: one outcome of one call, with its guard, its source and its doubts. The tables are in calls/.

A rule is data with two functions in it: ``when`` (its guard) and ``gives`` (the outcomes). The order of rules in a table is the
order in which Linux looks: the first whose guard holds decides. POSIX leaves the order of errors open: in the profile "posix" every
error whose guard holds is allowed, and success where none does.
"""

from collections.abc import Callable, Iterable
from typing import Literal

import msgspec

from netlab.model.sockets.objects import Kind
from netlab.model.sockets.outcomes import Outcome
from netlab.model.sockets.situation import Situation

Profile = Literal["linux", "posix"]
Guard = Callable[[Situation], bool | None]
"""True: it holds; False: it does not; None: the model does not know, so both this rule's outcome and the later ones are allowed."""

Gives = Callable[[Situation], Iterable[Outcome]]
Category = Literal["fails", "succeeds", "blocks", "signals", "unmodelled"]

EVERY: tuple[Kind, ...] = ("tcp", "udp", "raw", "unix-stream", "unix-dgram", "unix-seqpacket", "pipe", "epoll", "file")
SOCKETS: tuple[Kind, ...] = EVERY[:6]
INTERNET: tuple[Kind, ...] = ("tcp", "udp", "raw")
UNIX: tuple[Kind, ...] = ("unix-stream", "unix-dgram", "unix-seqpacket")
NOTHING = "none"
"""The kind under which rules stand that apply where the descriptor is not open, or where the call is about none."""


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One outcome of one call. ``id`` is "CALL.what"; ``kinds`` the objects it is about; ``says`` a sentence.

    ``source`` is where it is written (POSIX call, RFC section, man page; a function of the kernel where no document says it);
    ``note`` what is doubtful or differs. ``may``: allowed beside the later rules even where the guard holds. ``unreached``: why no
    trial reaches it, "" if one can.
    """

    id: str
    call: str
    kinds: tuple[str, ...]
    category: Category
    says: str
    source: str
    when: Guard
    gives: Gives
    errno: str = ""
    note: str = ""
    may: bool = False
    profiles: tuple[Profile, ...] = ("linux", "posix")
    unreached: str = ""


def always(_: Situation) -> bool:
    """The guard of a last rule."""
    return True


def _kinds(kinds: str | Iterable[str]) -> tuple[str, ...]:
    return tuple(kinds.split()) if isinstance(kinds, str) else tuple(kinds)


def fails(
    name: str,
    errno: str,
    when: Guard,
    says: str,
    source: str,
    *,
    kinds: str | Iterable[str] = EVERY,
    gives: Gives | None = None,
    note: str = "",
    may: bool = False,
    profiles: tuple[Profile, ...] = ("linux", "posix"),
    unreached: str = "",
) -> Rule:
    """A rule by which the call fails with ``errno`` and changes nothing, unless ``gives`` says what it changes.

    ``name`` is "CALL.what", so bind.not-open is a rule of bind().
    """

    def nothing(situation: Situation) -> Iterable[Outcome]:
        return (Outcome(kind="fails", errno=errno, world=situation.world),)

    return Rule(
        id=name, call=name.partition(".")[0], kinds=_kinds(kinds), category="fails", says=says, source=source, when=when,
        gives=gives or nothing, errno=errno, note=note, may=may, profiles=profiles, unreached=unreached,
    )  # fmt: skip


def gives(
    name: str,
    gives: Gives,
    says: str,
    source: str,
    *,
    when: Guard = always,
    kinds: str | Iterable[str] = EVERY,
    category: Category = "succeeds",
    note: str = "",
    may: bool = False,
    profiles: tuple[Profile, ...] = ("linux", "posix"),
    unreached: str = "",
) -> Rule:
    """A rule by which the call gives something, blocks, or sends a signal: whatever ``gives`` makes."""
    return Rule(
        id=name, call=name.partition(".")[0], kinds=_kinds(kinds), category=category, says=says, source=source, when=when,
        gives=gives, note=note, may=may, profiles=profiles, unreached=unreached,
    )  # fmt: skip


def unmodelled(name: str, when: Guard, says: str, *, kinds: str | Iterable[str] = EVERY) -> Rule:
    """What the model does not know: every outcome is allowed then, and nothing is judged. ``says`` is why."""

    def nothing(situation: Situation) -> Iterable[Outcome]:
        return ()

    return Rule(
        id=name, call=name.partition(".")[0], kinds=_kinds(kinds), category="unmodelled", says=says, source="", when=when,
        gives=nothing,
    )  # fmt: skip


def no_effect(situation: Situation, value: int = 0) -> tuple[Outcome, ...]:
    """The outcome of a call that returns a number and changes nothing."""
    return (Outcome(kind="returns", value=value, world=situation.world),)
