"""All rules, by call and kind of object, in the order in which they are asked. It evaluates them in a world and judges nothing."""

from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from types import MappingProxyType

import msgspec

from netlab.model.sockets.objects import Socket
from netlab.model.sockets.outcomes import Outcome
from netlab.model.sockets.rules import INTERNET, UNIX, Guard, Profile, Rule
from netlab.model.sockets.situation import Situation

PARTS = (
    "common",
    "making",
    "naming",
    "tcp_opening",
    "tcp_transfer",
    "tcp_closing",
    "datagrams",
    "raw",
    "unix_stream",
    "unix_datagram",
    "ancillary",
    "options",
    "controls",
    "descriptors",
    "files",
    "readiness",
    "processes",
)
"""The modules of calls/ in the order of their rules: what "common" says is asked first."""


class Allowed(msgspec.Struct, frozen=True):
    """One outcome with the rule that allows it."""

    rule: Rule
    outcome: Outcome


@cache
def all_rules() -> Mapping[str, Rule]:
    """Every rule by its id, in the order of the tables."""
    found: dict[str, Rule] = {}
    for part in PARTS:
        for rule in import_module(f"netlab.model.sockets.calls.{part}").RULES:
            if rule.id in found:
                raise ValueError(f"two rules are named {rule.id}")
            found[rule.id] = rule
    return MappingProxyType(found)


@cache
def table(call: str, kind: str) -> tuple[Rule, ...]:
    """The rules of a call about this kind of object ("none" where the descriptor is not open), in the order they are asked."""
    return tuple(rule for rule in all_rules().values() if rule.call == call and kind in rule.kinds)


def modelled_calls() -> frozenset[str]:
    """The calls that the model has rules for."""
    return frozenset(rule.call for rule in all_rules().values())


_FROM_THE_NETWORK = frozenset({
    "accept", "accept4", "connect", "send", "sendto", "sendmsg", "recv", "recvfrom", "recvmsg", "read", "write", "shutdown",
    "ioctl", "getpeername", "fill", "tcp_state",
})  # fmt: skip
_SEVERAL = frozenset({"poll", "select", "epoll_wait"})
_NETWORK_ERRORS = frozenset({
    "EAGAIN", "EINPROGRESS", "EALREADY", "ECONNREFUSED", "ECONNRESET", "ECONNABORTED", "ETIMEDOUT", "EHOSTUNREACH", "ENETUNREACH",
    "EPIPE", "EMSGSIZE",
})  # fmt: skip
_LATE_ERRORS = frozenset({"EFAULT", "EINVAL"})
"""Errors of calls on a connection that are looked for after what the network did: a reset, urgent data."""


def _told_by_others(situation: Situation, found: Sequence[Allowed]) -> bool:
    """Whether others on the network (World.strangers) decide about a call, of whom the model does not know what they send.

    What is wrong with the call itself, or with a socket that nothing has reached yet, they do not decide about. A socket that they
    did decide about is unknown from then on (forgetting.py).
    """
    name, kind = situation.call.name, situation.kind
    if name in _SEVERAL:
        return True
    if kind in UNIX and situation.world.lost:
        return name == "bind" or name in _FROM_THE_NETWORK
    if name not in _FROM_THE_NETWORK or kind not in INTERNET:
        return False
    thing = situation.object
    late = _LATE_ERRORS if isinstance(thing, Socket) and thing.connection and name != "connect" else frozenset()
    return any(one.rule.category != "fails" or one.rule.errno in _NETWORK_ERRORS | late for one in found)


@cache
def _guarded(call: str, kind: str, profile: Profile) -> tuple[tuple[Guard, Rule], ...]:
    """The rules of a profile, each behind its guard: what is gone through for every call."""
    return tuple((rule.when, rule) for rule in table(call, kind) if profile in rule.profiles)


def allowed(situation: Situation, profile: Profile = "linux") -> Sequence[Allowed] | None:
    """What may come of a call; None where the model does not know (an object that it lost track of, a case left open)."""
    kind = situation.kind
    if kind == "unknown":
        return None
    found: list[Allowed] = []
    for when, rule in _guarded(situation.call.name, kind, profile):
        holds = when(situation)
        if holds is False:
            continue
        if rule.category == "unmodelled":
            return None
        if profile == "posix" and rule.category != "fails" and any(one.rule.category == "fails" for one in found):
            break
        found += [Allowed(rule, outcome) for outcome in rule.gives(situation)]
        if holds and not rule.may and not (profile == "posix" and rule.category == "fails"):
            break
    if (situation.world.strangers or situation.world.lost) and _told_by_others(situation, found):
        return None
    return found or None
