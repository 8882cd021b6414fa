"""Whether what came of a generated sequence was possible: the model of sockets folded over it, up to the first call that was not.

The one place of explore/ where what was played and the model meet. It decides nothing itself.
"""

import os
import traceback
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from netlab.explore.trials import Played, Trial, in_time
from netlab.model.sockets.oracle import Inconsistency, Oracle, show
from netlab.model.sockets.outcomes import Seen
from netlab.model.sockets.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """What would have been allowed: the outcome as the notation writes it, the rule's id, what it says, its source."""

    outcome: str
    rule: str
    says: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Disagreement:
    """The first thing that no world of the model explains: ``seen`` came of line ``number`` of the trial.

    ``failed`` is the error, with its place, where the model itself broke over it: a bug of the model's, told as openly.
    """

    number: int
    call: str
    seen: str
    allowed: tuple[Allowed, ...]
    failed: str = ""

    @property
    def key(self) -> tuple[str, ...]:
        """What makes two disagreements the same one: the call, what kind of outcome was seen, and which rules were asked."""
        if self.failed:
            return ("failed", self.failed)
        kind = self.seen if self.seen[:1].isalpha() else "succeeds"
        return self.call, kind, *sorted({one.rule for one in self.allowed})


@dataclass(slots=True, kw_only=True)
class Judged:
    """What became of a trial: which rules explain it, of how many outcomes the model knew what is allowed, and where it failed."""

    disagreement: Disagreement | None = None
    rules: set[str] = field(default_factory=set)
    judged: int = 0
    unjudged: int = 0


def judge(trial: Trial, world: World) -> Judged:
    """Fold the model over a trial, in the order of time, up to the first disagreement. ``world`` is what it began in."""
    oracle = Oracle(world.copy())
    judged = Judged()
    numbers: dict[int, int] = {}
    for when, what, number in in_time(trial):
        one = trial.played[number]
        if what == "begins":
            numbers[number] = oracle.start(one.line.process, one.line.call, when)
            continue
        known = numbers[number]
        try:
            step = oracle.blocked(known, when) if what == "inside" else oracle.returned(known, seen_of(one), when)
        except Exception as error:  # noqa: BLE001 - a rule that breaks must not end the search that found it
            judged.disagreement = Disagreement(
                number=number, call=one.line.call.name, seen=shown(one), allowed=(), failed=_place_of(error)
            )
            break
        judged.judged += step.judged
        judged.unjudged += not step.judged
        if step.inconsistency is not None:
            judged.disagreement = _disagreement(number, one, what, step.inconsistency)
            break
    judged.rules = oracle.reached
    return judged


def _written(outcome: Mapping[str, Any]) -> str:
    """As the notation writes it, with the number that a new descriptor would have."""
    return f"fd {outcome['fd']}" if set(outcome) == {"ret", "fd"} else show(dict(outcome))


def _place_of(error: Exception) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{os.path.basename(frames[-1].filename)}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}: {error} ({place})"


def seen_of(one: Played) -> Seen:
    """What came of a call, as the model takes it."""
    assert one.outcome is not None
    gave = one.outcome
    return Seen(result=gave.result, errno=gave.errno, signal=one.signal, out=gave.out, elapsed=one.ended - one.began)


def shown(one: Played) -> str:
    """What came of a call, as the notation writes it: EAGAIN, 5 out "hello", blocks."""
    if one.outcome is None:
        return "blocks"
    if one.signal or one.outcome.errno:
        return f"signal {one.signal}" if one.signal else one.outcome.errno
    text = str(one.outcome.result)
    return text if one.outcome.out is None else f"{text} out {one.outcome.out}"


def _disagreement(number: int, one: Played, what: str, found: Inconsistency) -> Disagreement:
    allowed: Iterable[Allowed] = (
        Allowed(outcome=_written(possible.shown), rule=possible.rule.id, says=possible.rule.says, source=possible.rule.source)
        for possible in found.possible
    )
    return Disagreement(
        number=number,
        call=one.line.call.name,
        seen="blocks" if what == "inside" else shown(one),
        allowed=tuple(dict.fromkeys(allowed)),
    )
