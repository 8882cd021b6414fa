"""What a test sets and asks by steps of the notation's own and their like: limits, users, namespaces, addresses, descriptors.

Processes and signals are in processes.py.
"""

from collections.abc import Iterable

import msgspec

from netlab.model.sockets.addresses import INET, INET6
from netlab.model.sockets.arguments import Data, local_name
from netlab.model.sockets.objects import Address, Epoll, File, Object, Pipe, Unknown
from netlab.model.sockets.outcomes import AnAddress, Between, NewDescriptor, Outcome, learning
from netlab.model.sockets.rules import EVERY, NOTHING, SOCKETS, Rule, always, fails, gives, no_effect, unmodelled
from netlab.model.sockets.situation import Situation
from netlab.model.sockets.world import Description, Descriptor, Host, World
from netlab.notation.constants import constant

_MOST_FILES = 1 << 20  # fs.nr_open's default, proc(5)
_MOST_LIMITS = 16  # RLIM_NLIMITS, include/uapi/asm-generic/resource.h
_FIRST_OF_ITS_OWN = 500
_OF_ITS_OWN = 32
"""An agent's own descriptors, which no scenario sees, lie from 500 on; there are fewer than so many."""
_NOFILE = constant("RLIMIT_NOFILE")
_MILLISECOND = 1_000_000
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
    yield Outcome(kind="returns", world=_changed(s, files=soft, hard=hard, limited=True))


def _no_limit_known(s: Situation) -> bool:
    return not s.process.limited


def _filled(s: Situation) -> Iterable[Outcome]:
    world, process = s.world.copy(), s.process
    table = dict(process.table)
    free = [fd for fd in range(process.files) if fd not in table and fd not in process.reserved]
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


def _table_full(s: Situation) -> bool | None:
    return s.process.beyond(s.process.lowest_free())


def _lowest(s: Situation) -> Iterable[Outcome]:
    yield Outcome(kind="returns", value=NewDescriptor(s.process.lowest_free()), world=s.world)


def _other_closed(s: Situation) -> bool:
    return s.number("other", -1) not in s.process.table


def _identity(world: World, number: int) -> object:
    """What stands for a file's inode: each socket has its own, a pipe's ends share one, and so do all epoll sets."""
    one: Object = world.objects[number]
    match one:
        case Pipe(pipe=pipe):
            return "pipe", pipe
        case Epoll():
            return "epoll"
        case File(path=path) if path:
            return "path", path
    return number


def _other_unknown(s: Situation) -> bool:
    return isinstance(s.world.objects[s.world.descriptions[s.process.table[s.number("other")].description].object], Unknown)


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


ASKED: tuple[Rule, ...] = (
    fails("setrlimit.resource", "EINVAL", _no_resource, "there is no such resource", "POSIX.1-2024 setrlimit() EINVAL",
          kinds=_NONE),
    fails("setrlimit.soft", "EINVAL", _soft_above_hard, "the soft limit is above the hard one", "POSIX.1-2024 setrlimit() EINVAL",
          kinds=_NONE),
    unmodelled("setrlimit.others", _other_resource, "only RLIMIT_NOFILE is modelled", kinds=_NONE),
    fails("setrlimit.raised", "EPERM", _hard_raised,
          "raising the hard limit needs CAP_SYS_RESOURCE, and beyond fs.nr_open nobody may",
          "POSIX.1-2024 setrlimit() EPERM; getrlimit(2)", kinds=_NONE),
    gives("setrlimit.set", _limited, "descriptors from this number on cannot be had", "POSIX.1-2024 setrlimit()", kinds=_NONE),
    unmodelled("fill_fds.unknown", _no_limit_known, "nobody told of the limit: setrlimit() would", kinds=_NONE),
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
    unmodelled("same_file.unknown", _other_unknown, "nothing is known of the other one"),
    gives("same_file.compared", _compared, "whether both have one device and inode", "POSIX.1-2024 fstat()"),
    gives("exec_has_fd.told", _inherited, "a program gets the open descriptors without FD_CLOEXEC", "POSIX.1-2024 exec",
          kinds=_ALL),
    fails("exported.foreign", "ENOENT", _no_function, "the function is of another system's library", "POSIX.1-2024 XSH 3",
          kinds=_NONE),
    unmodelled("exported.unknown", _unknown_function, "the C library may have more than POSIX wants", kinds=_NONE),
    gives("exported.there", no_effect, "POSIX wants it", "POSIX.1-2024 XSH 3", kinds=_NONE),
)  # fmt: skip
