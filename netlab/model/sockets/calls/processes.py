"""Processes: fork, exit, calls in a child or later, and what signals do; with what own_steps.py has of limits, users, waiting.

What a signal does to a call that waits stands here; which calls go on afterwards is signal(7)'s list.
"""

import signal
from collections.abc import Iterable, Sequence

import msgspec

from netlab.model.sockets.calls.own_steps import ASKED
from netlab.model.sockets.ending import process_ended
from netlab.model.sockets.objects import Socket
from netlab.model.sockets.oracle import possible_now
from netlab.model.sockets.outcomes import Between, Outcome, Seen
from netlab.model.sockets.rules import NOTHING, Rule, always, fails, gives, no_effect, unmodelled
from netlab.model.sockets.situation import Situation
from netlab.model.sockets.tables import Allowed
from netlab.model.sockets.under_way import IN_CHILD, INTERRUPTED
from netlab.model.sockets.world import Pending, Process, World
from netlab.notation.calls import Call
from netlab.notation.constants import constant

_MOST_PROCESSES = 1 << 22  # PID_MAX_LIMIT, proc(5)
_QUIET = frozenset({"SIGCHLD", "SIGURG", "SIGWINCH", "SIGCONT"})
"""Signals whose default action is to do nothing to a process that runs (signal(7))."""
_STOPPING = frozenset({"SIGSTOP", "SIGTSTP", "SIGTTIN", "SIGTTOU"})
_IGNORED_AT_FIRST = frozenset({"SIGPIPE", "SIGINT", "SIGXFSZ"})
_NEVER_GOES_ON = frozenset({"poll", "select", "epoll_wait"})
_RECEIVES = frozenset({"recv", "recvfrom", "recvmsg", "read", "accept", "accept4"})
_TIMEOUTS = {True: (constant("SOL_SOCKET"), constant("SO_RCVTIMEO")), False: (constant("SOL_SOCKET"), constant("SO_SNDTIMEO"))}
_NONE = (NOTHING,)


def _changed(s: Situation, **changes: object) -> World:
    return s.world.with_process(s.process_name, msgspec.structs.replace(s.process, **changes))


# fork, exit, child, after


def forked(world: World, parent: str, name: str) -> World:
    """The world with a child that has all that its parent has, descriptors included (POSIX fork())."""
    world = world.copy()
    owner = world.processes[parent]
    world.processes[name] = msgspec.structs.replace(owner, parent=parent, number=0, alive=True, reserved=frozenset())
    for descriptor in owner.table.values():
        old = world.descriptions[descriptor.description]
        world.descriptions[descriptor.description] = msgspec.structs.replace(old, references=old.references + 1)
    return world


def _forked(s: Situation) -> Iterable[Outcome]:
    name = f"{s.process_name}/{s.call.binds[0] if s.call.binds else 'child'}"

    def learn(world: World, seen: Seen) -> World:
        return world.with_process(name, msgspec.structs.replace(world.processes[name], number=0 if seen.partial else seen.result))

    world = forked(s.world, s.process_name, name)
    # The name that the call binds is the process's, and no descriptor's.
    yield Outcome(kind="returns", value=Between(1, _MOST_PROCESSES), world=world, learn=learn, note=())


def _exited(s: Situation) -> Iterable[Outcome]:
    yield Outcome(kind="ends", signal=f"exit {s.number('status') & 0xFF}", world=s.world)


def _number_told(s: Situation) -> Iterable[Outcome]:
    known = s.process.number

    def learn(world: World, seen: Seen) -> World:
        process = world.processes[s.process_name]
        return world.with_process(s.process_name, msgspec.structs.replace(process, number=0 if seen.partial else seen.result))

    yield Outcome(kind="returns", value=known or Between(1, _MOST_PROCESSES), world=s.world, learn=learn)


def _inner(s: Situation) -> Call:
    inner = s.call.inner
    assert inner is not None
    return inner


def _in_child(s: Situation) -> Sequence[Allowed] | None:
    name = f"{s.process_name}/{s.call.name}"
    if s.resumed:
        return possible_now(s.world, name, _inner(s), "linux", resumed=True, note=s.note, waited=s.waited, at=s.at)
    return possible_now(forked(s.world, s.process_name, name), name, _inner(s), "linux", waited=s.waited, at=s.at)


def _child_unknown(s: Situation) -> bool:
    return _in_child(s) is None


def _child(s: Situation) -> Iterable[Outcome]:
    name = f"{s.process_name}/{s.call.name}"
    for one in _in_child(s) or ():
        inner = one.outcome

        def over(world: World, seen: Seen, inner: Outcome = inner) -> World:
            after = inner.learn(world, seen) if inner.learn is not None else world
            after = process_ended(after, name)
            del after.processes[name]
            return after

        if inner.kind == "blocks":
            yield inner
        elif inner.signal.startswith("exit "):
            # The child is gone before it could say what the call gave.
            yield Outcome(kind="returns", value=-1, world=inner.world, learn=over, note=())
        else:
            yield msgspec.structs.replace(inner, learn=over, note=IN_CHILD if inner.kind == "ends" else ())


def _later(s: Situation) -> Iterable[Outcome]:
    # The call itself begins and returns on its own, and is told of then.
    return no_effect(s)


# Signals


def _signal(s: Situation) -> str:
    try:
        return signal.Signals(s.number("signal")).name
    except ValueError:
        return ""


def _action(process: Process, name: str) -> str:
    """What a signal does: "ignore", "handle", "ends", "stops"."""
    if name in ("SIGKILL", "SIGSTOP"):
        return "ends" if name == "SIGKILL" else "stops"
    action = process.handled.get(name, "ignore" if name in _IGNORED_AT_FIRST else "default")
    if action != "default":
        return action
    return "ignore" if name in _QUIET else "stops" if name in _STOPPING else "ends"


def _unknown_signal(s: Situation) -> bool:
    return not _signal(s)


def _stops(s: Situation) -> bool:
    return _action(s.process, _signal(s)) == "stops"


def _ends(s: Situation) -> bool:
    return _action(s.process, _signal(s)) == "ends"


def _ends_inside(s: Situation) -> bool | None:
    """interrupt() is told to threads that are inside a call, and to nobody where there is none."""
    if not _ends(s):
        return False
    waiting = _waiting(s)
    return any(one.entered and not one.lost for _, one in waiting) or (None if waiting else False)


def _killed(s: Situation) -> Iterable[Outcome]:
    yield Outcome(kind="ends", signal=_signal(s), world=s.world)


def _defaulted(s: Situation) -> Iterable[Outcome]:
    yield Outcome(kind="returns", world=_changed(s, handled={**s.process.handled, _signal(s): "default"}))


def _cannot_be_handled(s: Situation) -> bool:
    return _signal(s) in ("SIGKILL", "SIGSTOP")


def _handled(s: Situation) -> Iterable[Outcome]:
    name, again = _signal(s), s.process.restarting
    restarting = again | {name} if s.flag("SA_RESTART") else again - {name}
    yield Outcome(kind="returns", world=_changed(s, handled={**s.process.handled, name: "handle"}, restarting=restarting))


_EINTR = fails(INTERRUPTED, "EINTR", always, "a signal was handled while the call waited", "POSIX.1-2024 2.10.20; signal(7)",
               kinds=(), note="what the interrupted call gives, and not interrupt() itself")  # fmt: skip


def _goes_on(world: World, pending: Pending, name: str) -> bool:
    """Whether a call that waits goes on after a signal's handler (signal(7), Interruption of system calls)."""
    process = world.processes[pending.process]
    if name not in process.restarting or pending.call.name in _NEVER_GOES_ON:
        return False
    one = Situation(world, pending.process, pending.call).object
    limit = one.options.get(_TIMEOUTS[pending.call.name in _RECEIVES]) if isinstance(one, Socket) else None
    return not (any(limit) if isinstance(limit, tuple) else limit)


def _waiting(s: Situation) -> list[tuple[int, Pending]]:
    mine = [(number, one) for number, one in s.world.pending.items() if one.process == s.process_name and one.call is not s.call]
    return [(number, one) for number, one in mine if one.answer is None and one.call.name != "interrupt"]


def _interrupted(s: Situation) -> Iterable[Outcome]:
    waiting, name = _waiting(s), _signal(s)
    inside = [number for number, one in waiting if one.entered and not one.lost and not one.signalled]
    world = s.world
    if _action(s.process, name) == "handle":
        world = world.copy()
        for number, one in waiting:
            if number in inside:
                again = _goes_on(world, one, name)
                world.pending[number] = msgspec.structs.replace(one, signalled=not again, restarts=again)
    most = sum(one.process == s.process_name for one in s.world.pending.values())
    yield Outcome(kind="returns", value=Between(len(inside), max(len(inside), most - 1)), world=world)


def _moves_in_part(s: Situation) -> bool:
    """Whether a call that has sent part of what it was given, or received part of what it wants, is interrupted: it then gives
    that part."""
    return any(one.entered and _has_part(one) for _, one in _waiting(s))


def _has_part(one: Pending) -> bool:
    if one.call.name.startswith(("send", "write")):
        return one.note is not None
    return one.call.name.startswith(("recv", "read")) and isinstance(one.note, tuple) and bool(one.note[0])


_NOTATION = "only a scenario says it so: trials fork, and make their calls in other threads, themselves"
RULES: tuple[Rule, ...] = (
    gives("fork.made", _forked, "a child with a copy of the descriptors; both refer to the same descriptions",
          "POSIX.1-2024 fork()",
          kinds=_NONE),
    gives("exit.ended", _exited, "all descriptors of the process are closed", "POSIX.1-2024 _Exit()", kinds=_NONE),
    gives("getpid.told", _number_told, "the process's number, always the same", "POSIX.1-2024 getpid()", kinds=_NONE),
    unmodelled("child.unknown", _child_unknown, "what comes of the call in the child is not modelled", kinds=_NONE),
    gives("child.made", _child, "what the call gives in a child that ends after it", "POSIX.1-2024 fork()", kinds=_NONE,
          unreached=_NOTATION),
    gives("after.later", _later, "the call is made later, in another thread", "netlab", kinds=_NONE, unreached=_NOTATION),
    unmodelled("kill.unknown", _unknown_signal, "this number is no signal's that the model knows", kinds=_NONE),
    unmodelled("kill.stops", _stops, "processes that are stopped are not modelled", kinds=_NONE),
    gives("kill.ends", _killed, "the signal's default action ends the process", "POSIX.1-2024 2.4.3; signal(7)", when=_ends,
          kinds=_NONE, category="signals"),
    gives("kill.survived", no_effect, "the signal is handled, or ignored", "POSIX.1-2024 raise(); signal(7)", kinds=_NONE),
    unmodelled("default.unknown", _unknown_signal, "this number is no signal's that the model knows", kinds=_NONE),
    gives("default.set", _defaulted, "the signal has its default action", "POSIX.1-2024 sigaction() SIG_DFL", kinds=_NONE),
    unmodelled("handle.unknown", _unknown_signal, "this number is no signal's that the model knows", kinds=_NONE),
    fails("handle.never", "EINVAL", _cannot_be_handled, "the signal cannot be handled", "POSIX.1-2024 sigaction() EINVAL",
          kinds=_NONE),
    gives("handle.set", _handled, "the signal has a handler", "POSIX.1-2024 sigaction()", kinds=_NONE),
    unmodelled("interrupt.unknown", _unknown_signal, "this number is no signal's that the model knows", kinds=_NONE),
    unmodelled("interrupt.stops", _stops, "processes that are stopped are not modelled", kinds=_NONE),
    unmodelled("interrupt.part", _moves_in_part, "how much a call that is interrupted had sent or received is not modelled",
               kinds=_NONE),
    gives("interrupt.ends", _killed, "the signal's default action ends the process", "POSIX.1-2024 2.4.3; signal(7)",
          when=_ends_inside, kinds=_NONE, category="signals", note="where a thread is inside a call, to which it is sent"),
    _EINTR,
    gives("interrupt.told", _interrupted, "calls that wait fail with EINTR, but for those that go on", "signal(7)", kinds=_NONE),
    *ASKED,
)  # fmt: skip
