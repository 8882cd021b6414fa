"""Processes and what the notation has of its own: fork, exit, signals, limits, users, waiting, and what a test wants to know.

What a signal does to a call that waits stands here; which calls go on afterwards is signal(7)'s list.
"""

import signal
from collections.abc import Iterable, Sequence

import msgspec

from netlab.model.sockets.addresses import INET, INET6
from netlab.model.sockets.arguments import Data, local_name
from netlab.model.sockets.ending import process_ended
from netlab.model.sockets.objects import Address, Epoll, File, Object, Pipe, Socket
from netlab.model.sockets.oracle import IN_CHILD, possible_now
from netlab.model.sockets.outcomes import AnAddress, Between, NewDescriptor, Outcome, Seen, learning
from netlab.model.sockets.rules import EVERY, NOTHING, SOCKETS, Rule, always, fails, gives, no_effect, unmodelled
from netlab.model.sockets.situation import Situation
from netlab.model.sockets.tables import Allowed
from netlab.model.sockets.world import Description, Descriptor, Host, Pending, Process, World
from netlab.notation.calls import Call
from netlab.notation.constants import constant

_MOST_PROCESSES = 1 << 22  # PID_MAX_LIMIT, proc(5)
_MOST_FILES = 1 << 20  # fs.nr_open's default, proc(5)
_MOST_LIMITS = 16  # RLIM_NLIMITS, include/uapi/asm-generic/resource.h
_FIRST_OF_ITS_OWN = 500
_OF_ITS_OWN = 32
"""An agent's own descriptors, which no scenario sees, lie from 500 on; there are fewer than so many."""
_NOFILE = constant("RLIMIT_NOFILE")
_MILLISECOND = 1_000_000
_QUIET = frozenset({"SIGCHLD", "SIGURG", "SIGWINCH", "SIGCONT"})
"""Signals whose default action is to do nothing to a process that runs (signal(7))."""
_STOPPING = frozenset({"SIGSTOP", "SIGTSTP", "SIGTTIN", "SIGTTOU"})
_IGNORED_AT_FIRST = frozenset({"SIGPIPE", "SIGINT", "SIGXFSZ"})
_NEVER_GOES_ON = frozenset({"poll", "select", "epoll_wait"})
_RECEIVES = frozenset({"recv", "recvfrom", "recvmsg", "read", "accept", "accept4"})
_TIMEOUTS = {True: (constant("SOL_SOCKET"), constant("SO_RCVTIMEO")), False: (constant("SOL_SOCKET"), constant("SO_SNDTIMEO"))}
_LOOPBACK = {INET: "127.0.0.1", INET6: "::1"}
_POSIX_FUNCTIONS = frozenset({
    "socket", "socketpair", "bind", "listen", "accept", "accept4", "connect", "send", "sendto", "sendmsg", "recv", "recvfrom",
    "recvmsg", "shutdown", "close", "dup", "dup2", "dup3", "fork", "fcntl", "ioctl", "getsockname", "getpeername", "getsockopt",
    "setsockopt", "poll", "select", "pipe", "open", "read", "write", "sockatmark", "pread", "pwrite",
})  # fmt: skip
_FOREIGN_FUNCTIONS = frozenset({"closesocket", "ioctlsocket", "WSAStartup", "WSACleanup", "WSAGetLastError", "WSASocketA"})
_NONE = (NOTHING,)
_ALL = (*EVERY, NOTHING)


def _changed(s: Situation, **changes: object) -> World:
    return s.world.with_process(s.process_name, msgspec.structs.replace(s.process, **changes))


# fork, exit, child, after


def forked(world: World, parent: str, name: str) -> World:
    """The world with a child that has all that its parent has, descriptors included (POSIX fork())."""
    world = world.copy()
    owner = world.processes[parent]
    world.processes[name] = msgspec.structs.replace(owner, parent=parent, number=0, alive=True)
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
    inside = [number for number, one in waiting if one.entered]
    world = s.world
    if _action(s.process, name) == "handle":
        world = world.copy()
        rule = fails(
            "interrupt.call", "EINTR", always, "a signal was handled while the call waited", "POSIX.1-2024 2.10.20; signal(7)"
        )
        for number, one in waiting:
            if one.entered and not _goes_on(world, one, name):
                answer = Allowed(rule, Outcome(kind="fails", errno="EINTR", world=world))
                world.pending[number] = msgspec.structs.replace(one, answer=answer)
    most = sum(one.process == s.process_name for one in s.world.pending.values())
    yield Outcome(kind="returns", value=Between(len(inside), max(len(inside), most - 1)), world=world)


def _writes_in_part(s: Situation) -> bool:
    """Whether a call that has sent part of what it was given is interrupted: it then gives that part."""
    return any(one.entered and one.note is not None and one.call.name.startswith(("send", "write")) for _, one in _waiting(s))


# Limits and users


def _no_resource(s: Situation) -> bool:
    return not 0 <= s.number("resource") < _MOST_LIMITS


def _limits(s: Situation) -> tuple[int, int]:
    """Soft and hard limit; -1, which is no limit, as a number above all others."""
    soft = s.number("soft")
    hard = s.args.get("hard")
    both = (soft, hard if isinstance(hard, int) else soft)
    return (both[0] if both[0] >= 0 else 1 << 64, both[1] if both[1] >= 0 else 1 << 64)


def _soft_above_hard(s: Situation) -> bool:
    soft, hard = _limits(s)
    return soft > hard


def _other_resource(s: Situation) -> bool:
    return s.number("resource") != _NOFILE


def _hard_raised(s: Situation) -> bool | None:
    hard = _limits(s)[1]
    if hard > _MOST_FILES:
        return True
    if s.process.hard is None:
        return None if hard > s.process.files else False
    if hard <= s.process.hard:
        return False
    return True if s.process.uid != 0 else None


def _limited(s: Situation) -> Iterable[Outcome]:
    soft, hard = _limits(s)
    yield Outcome(kind="returns", world=_changed(s, files=soft, hard=hard))


def _filled(s: Situation) -> Iterable[Outcome]:
    world, process = s.world.copy(), s.process
    table = dict(process.table)
    free = [fd for fd in range(process.files) if fd not in table]
    for fd in free:
        thing, description = world.fresh(), world.fresh()
        world.objects[thing] = File(path="/dev/null", what="null")
        world.descriptions[description] = Description(object=thing, flags=0)
        table[fd] = Descriptor(description)
    world.processes[s.process_name] = msgspec.structs.replace(process, table=table)
    least = len(free) - (_OF_ITS_OWN if process.files > _FIRST_OF_ITS_OWN else 0)
    yield Outcome(kind="returns", value=Between(max(least, 0), len(free)), world=world)


def _no_user(s: Situation) -> bool:
    return s.number("uid") == -1


def _not_root(s: Situation) -> bool:
    # The real and the saved user stay root.
    return s.process.uid != 0 and s.number("uid") not in (0, s.process.uid)


def _user_set(s: Situation) -> Iterable[Outcome]:
    yield Outcome(kind="returns", world=_changed(s, uid=s.number("uid")))


def _needs_root(s: Situation) -> bool:
    return s.process.uid != 0 and s.number("flags") != 0


def _other_namespace(s: Situation) -> bool:
    return s.number("flags") not in (0, constant("CLONE_NEWNET"))


def _unshared(s: Situation) -> Iterable[Outcome]:
    if not s.number("flags"):
        return no_effect(s)
    world = s.world.copy()
    name = f"{s.process.host} {world.fresh()}"
    world.hosts = {**world.hosts, name: Host(name=name, addresses=(), loopback=False)}
    world.processes[s.process_name] = msgspec.structs.replace(s.process, host=name)
    return (Outcome(kind="returns", world=world),)


# Waiting and asking


def _slept(s: Situation) -> Iterable[Outcome]:
    yield Outcome(kind="returns", least=max(s.number("time"), 0) * _MILLISECOND, world=s.world)


def _saved(s: Situation, world: World, address: Address) -> Outcome:
    """The outcome of a step whose name stands for an address from now on."""
    owner = world.processes[s.process_name]
    names = {name: fd for name, fd in owner.names.items() if name not in s.call.binds}
    saved = {**owner.saved, **dict.fromkeys(s.call.binds, address)}
    world = world.with_process(s.process_name, msgspec.structs.replace(owner, names=names, saved=saved))
    return Outcome(kind="returns", out=AnAddress(address), learn=learning(address), world=world, note=())


def _no_loopback_address(s: Situation) -> bool:
    return s.number("domain") not in _LOOPBACK


def _port_found(s: Situation) -> Iterable[Outcome]:
    world = s.world.copy()
    domain = s.number("domain")
    yield _saved(s, world, Address(domain, _LOOPBACK[domain], -world.fresh()))


def _address_kept(s: Situation) -> Iterable[Outcome]:
    yield _saved(s, s.world, local_name(s.socket))


def _table_full(s: Situation) -> bool:
    return s.process.lowest_free() >= s.process.files


def _lowest(s: Situation) -> Iterable[Outcome]:
    yield Outcome(kind="returns", value=NewDescriptor(s.process.lowest_free()), world=s.world)


def _other_closed(s: Situation) -> bool:
    return s.number("other", -1) not in s.process.table


def _identity(world: World, number: int) -> object:
    """What stands for a file's inode: each socket has its own, a pipe's ends share one, and so do all epoll sets."""
    one: Object = world.objects[number]
    match one:
        case Pipe(writes=writes, other=other):
            return "pipe", number if writes else other
        case Epoll():
            return "epoll"
        case File(path=path) if path:
            return "path", path
    return number


def _compared(s: Situation) -> Iterable[Outcome]:
    other = s.world.descriptions[s.process.table[s.number("other")].description].object
    same = _identity(s.world, s.socket_id) == _identity(s.world, other)
    yield Outcome(kind="returns", value=int(same), world=s.world)


def _inherited(s: Situation) -> Iterable[Outcome]:
    return no_effect(s, int(s.descriptor is not None and not s.descriptor.close_on_exec))


def _function(s: Situation) -> str:
    name = s.args.get("name")
    return name.content.decode(errors="replace") if isinstance(name, Data) and name.content is not None else ""


def _no_function(s: Situation) -> bool:
    return _function(s) in _FOREIGN_FUNCTIONS


def _unknown_function(s: Situation) -> bool:
    return _function(s) not in _POSIX_FUNCTIONS


RULES: tuple[Rule, ...] = (
    gives("fork.made", _forked, "a child with a copy of the descriptors; both refer to the same descriptions",
          "POSIX.1-2024 fork()",
          kinds=_NONE),
    gives("exit.ended", _exited, "all descriptors of the process are closed", "POSIX.1-2024 _Exit()", kinds=_NONE),
    gives("getpid.told", _number_told, "the process's number, always the same", "POSIX.1-2024 getpid()", kinds=_NONE),
    unmodelled("child.unknown", _child_unknown, "what comes of the call in the child is not modelled", kinds=_NONE),
    gives("child.made", _child, "what the call gives in a child that ends after it", "POSIX.1-2024 fork()", kinds=_NONE),
    gives("after.later", _later, "the call is made later, in another thread", "netlab", kinds=_NONE),
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
    unmodelled("interrupt.part", _writes_in_part, "how much a call that is interrupted had sent is not modelled", kinds=_NONE),
    gives("interrupt.ends", _killed, "the signal's default action ends the process", "POSIX.1-2024 2.4.3; signal(7)", when=_ends,
          kinds=_NONE, category="signals"),
    gives("interrupt.told", _interrupted, "calls that wait fail with EINTR, but for those that go on", "signal(7)", kinds=_NONE),
    fails("setrlimit.resource", "EINVAL", _no_resource, "there is no such resource", "POSIX.1-2024 setrlimit() EINVAL",
          kinds=_NONE),
    fails("setrlimit.soft", "EINVAL", _soft_above_hard, "the soft limit is above the hard one", "POSIX.1-2024 setrlimit() EINVAL",
          kinds=_NONE),
    unmodelled("setrlimit.others", _other_resource, "only RLIMIT_NOFILE is modelled", kinds=_NONE),
    fails("setrlimit.raised", "EPERM", _hard_raised,
          "raising the hard limit needs CAP_SYS_RESOURCE, and beyond fs.nr_open nobody may",
          "POSIX.1-2024 setrlimit() EPERM; getrlimit(2)", kinds=_NONE),
    gives("setrlimit.set", _limited, "descriptors from this number on cannot be had", "POSIX.1-2024 setrlimit()", kinds=_NONE),
    gives("fill_fds.filled", _filled, "all numbers within RLIMIT_NOFILE are taken", "POSIX.1-2024 open() EMFILE", kinds=_NONE),
    fails("seteuid.none", "EINVAL", _no_user, "there is no such user", "POSIX.1-2024 seteuid() EINVAL", kinds=_NONE),
    fails("seteuid.forbidden", "EPERM", _not_root, "only root may become anybody", "POSIX.1-2024 seteuid() EPERM", kinds=_NONE),
    gives("seteuid.set", _user_set, "the process acts for this user; what it may do as root it may no more",
          "POSIX.1-2024 seteuid()",
          kinds=_NONE),
    unmodelled("unshare.others", _other_namespace, "only network namespaces are modelled", kinds=_NONE),
    fails("unshare.forbidden", "EPERM", _needs_root, "a new network namespace needs CAP_SYS_ADMIN", "unshare(2) EPERM",
          kinds=_NONE),
    gives("unshare.apart", _unshared, "a namespace with nothing in it but lo, which is down; sockets stay where they are",
          "network_namespaces(7)", kinds=_NONE),
    gives("sleep.slept", _slept, "no less than this time passes", "POSIX.1-2024 nanosleep()", kinds=_NONE),
    unmodelled("unused_port.family", _no_loopback_address, "only IP has ports", kinds=_NONE),
    gives("unused_port.found", _port_found, "a loopback address whose port nobody has", "bind(2); ip(7)", kinds=_NONE),
    fails("addr.not-open", "EBADF", always, "the descriptor is not open", "POSIX.1-2024 getsockname() EBADF", kinds=_NONE),
    fails("addr.no-socket", "ENOTSOCK", always, "the descriptor is no socket", "POSIX.1-2024 getsockname() ENOTSOCK",
          kinds=("pipe", "epoll", "file")),
    gives("addr.kept", _address_kept, "the socket's name as it is now", "POSIX.1-2024 getsockname()", kinds=SOCKETS),
    fails("lowest_free.full", "EMFILE", _table_full, "no descriptor is free within RLIMIT_NOFILE", "POSIX.1-2024 open() EMFILE",
          kinds=_NONE),
    gives("lowest_free.told", _lowest, "the number that the next descriptor gets", "POSIX.1-2024 2.6", kinds=_NONE),
    fails("same_file.not-open", "EBADF", always, "the descriptor is not open", "POSIX.1-2024 fstat() EBADF", kinds=_NONE),
    fails("same_file.other-closed", "EBADF", _other_closed, "the descriptor is not open", "POSIX.1-2024 fstat() EBADF"),
    gives("same_file.compared", _compared, "whether both have one device and inode", "POSIX.1-2024 fstat()"),
    gives("exec_has_fd.told", _inherited, "a program gets the open descriptors without FD_CLOEXEC", "POSIX.1-2024 exec",
          kinds=_ALL),
    fails("exported.foreign", "ENOENT", _no_function, "the function is of another system's library", "POSIX.1-2024 XSH 3",
          kinds=_NONE),
    unmodelled("exported.unknown", _unknown_function, "the C library may have more than POSIX wants", kinds=_NONE),
    gives("exported.there", no_effect, "POSIX wants it", "POSIX.1-2024 XSH 3", kinds=_NONE),
)  # fmt: skip
