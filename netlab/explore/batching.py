"""Which calls of a sequence go to a process in one message: as many as can be told before anything is known of what comes of them.

It knows what names stand for, or that a call of the same message will tell; neither when a call is made nor what comes of it.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from netlab.explore.performing import SLOTS, Performer
from netlab.explore.scene import Line
from netlab.notation.calls import Call
from netlab.notation.constants import combined
from netlab.notation.signatures import SIGNATURES
from netlab.notation.values import Constant, Name, Number, Rights, Value
from netlab.observe.procfs import has_user
from netlab.workload.marshal import MarshalError, encode

_MOST = 16
_ELSEWHERE = "fork"
"""What is no call of a batch: the owner gets more from it than a reply."""
_PAIRS = frozenset({"socketpair", "pipe", "pipe2"})
_TWO = frozenset({"dup2", "dup3"})
_PACKED = frozenset({"poll", "select"})
"""Calls whose descriptors lie in a structure, where a number must be known."""


@dataclass(slots=True)
class Batch:
    """Calls of one process, one after another, and how the agent takes them. ``blocks`` is whether one of them may wait inside."""

    process: Performer
    lines: list[Line] = field(default_factory=list)
    requests: list[list[Any]] = field(default_factory=list)
    blocks: bool = False


def gathered(waiting: deque[Line], process: Performer, *, alone: bool) -> Batch:
    """The next calls of a process, taken off the front of those that wait; one at most where it is to be ``alone``.

    A call about a descriptor that nothing made after all is left out, so that there may be none.
    """
    batch, coming = Batch(process), process.coming
    while waiting and waiting[0].process == process.name and len(batch.lines) < _MOST:
        line = waiting[0]
        call = line.call
        if call.name == _ELSEWHERE or (coming and _asks_for_numbers(call, coming)):
            break
        waiting.popleft()
        try:
            encoded = encode(call, process)
        except (MarshalError, KeyError):
            continue
        if call.name == "seteuid" and encoded.args[0][1] >= 0 and not has_user(process.pid, encoded.args[0][1]):
            continue  # rootless, a lab has its owner alone
        signature = SIGNATURES[call.name]
        makes = call.name in _PAIRS or signature.returns == "fd"
        args = _by_name(encoded.args, tuple(coming)) if coming else encoded.args
        batch.lines.append(line)
        batch.requests.append([encoded.call, args, encoded.width == "ssize", call.binds if makes else ()])
        batch.blocks = batch.blocks or signature.blocks
        again = False
        if call.binds:
            family = _family(call, process)
            for name in call.binds:
                again = again or name in process.table or name in coming
                process.families[name] = family
                if makes:
                    coming[name] = SLOTS + len(coming)
        if alone or again or (call.binds and not makes) or (call.name == "recvmsg" and call.keywords):
            break
    coming.clear()
    return batch


def _by_name(args: list[Any], coming: tuple[str, ...]) -> list[Any]:
    """The arguments with what a call of the same message makes by its name."""
    return [["fd", coming[one[1] - SLOTS]] if one[0] == "int" and one[1] >= SLOTS else one for one in args]


def _asks_for_numbers(call: Call, coming: dict[str, int]) -> bool:
    """Whether a call needs the number of a descriptor that is not made yet elsewhere than where a name will do."""
    plain = 0 if call.name in _PACKED else 2 if call.name in _TWO else 1
    inside: tuple[Value, ...] = call.arguments[plain:]
    if any((isinstance(one, Name) and one.name in coming) or isinstance(one, Call) for one in inside):
        return True
    return any(isinstance(one, Rights) and not coming.keys().isdisjoint(one.names) for _, one in call.keywords)


def _family(call: Call, process: Performer) -> int:
    """The family of what a call makes: as it says, or that of the descriptor it is about."""
    first = call.arguments[0] if call.arguments else None
    if call.name in ("socket", "socketpair"):
        if isinstance(first, Constant):
            return combined(first.names)
        return first.value if isinstance(first, Number) else 0
    return process.families.get(first.name, 0) if isinstance(first, Name) else 0
