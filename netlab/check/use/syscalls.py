"""System calls by what they do to a socket, and what was asked of one by its arguments.

It knows names and words only: which descriptor was open, or what became of a connection, is for the world to say.
"""

from netlab.timeline.process_events import SystemCall

SENDS = frozenset({"send", "sendto", "sendmsg", "sendmmsg", "write", "writev", "pwritev", "pwritev2", "sendfile", "sendfile64"})
RECEIVES = frozenset({"recv", "recvfrom", "recvmsg", "recvmmsg", "read", "readv", "preadv", "preadv2"})
ACCEPTS = frozenset({"accept", "accept4"})
WAITS = frozenset(
    {"poll", "ppoll", "select", "_newselect", "pselect6", "epoll_wait", "epoll_pwait", "epoll_pwait2", "epoll_wait_old"}
)
DUPLICATES = frozenset({"dup", "dup2", "dup3"})
MAKES_SOCKET = frozenset({"socket", *ACCEPTS})
CLOSES = frozenset({"close", "close_range"})
TRANSFERS = SENDS | RECEIVES
ACTS_ON_SOCKET = TRANSFERS | ACCEPTS | {"bind", "connect", "listen", "shutdown", "setsockopt", "getsockopt"}
"""Calls after whose EBADF or ENOTSOCK nobody can say that they only asked whether a number is open (fcntl, fstat and poll can)."""
WOULD_BLOCK = frozenset({"EAGAIN", "EWOULDBLOCK"})
INTERRUPTED = frozenset({"EINTR", "ERESTARTSYS", "ERESTARTNOINTR", "ERESTARTNOHAND", "ERESTART_RESTARTBLOCK"})
"""Ended by a signal. ERESTART... is what the kernel has; the program sees EINTR, or its call is made again for it (SA_RESTART)."""
IN_PROGRESS = INTERRUPTED | {"EINPROGRESS", "EALREADY"}
"""What connect() gives while the connection goes on being made."""
MS = 1_000_000


def words(call: SystemCall) -> frozenset[str]:
    """Every name among the arguments: flags, a type, a command: {"SOCK_STREAM", "SOCK_NONBLOCK"}."""
    found: set[str] = set()
    for value in call.arguments.values():
        if isinstance(value, str):
            found.update(part.strip() for part in value.split("|"))
        elif isinstance(value, list | tuple):
            found.update(part for part in value if isinstance(part, str))
    return frozenset(found)


def waited_for(call: SystemCall) -> tuple[int, ...]:
    """The descriptors that it asks the kernel to watch, or moves data between, besides the one that it is about."""
    asked = call.arguments
    if call.call in WAITS:
        lists = (asked.get(name) for name in ("descriptors", "read", "write", "except"))
        return tuple(fd for value in lists if isinstance(value, list | tuple) for fd in value if isinstance(fd, int))
    if call.call in ("epoll_ctl", "splice", "sendfile"):
        return tuple(fd for fd in (asked.get("target"), asked.get("source")) if isinstance(fd, int))
    return ()


def passed(call: SystemCall) -> tuple[tuple[int, int], ...]:
    """Descriptors that it brought besides its result (socketpair, SCM_RIGHTS), each with its socket's inode or 0."""
    fds, inodes = call.arguments.get("descriptors"), call.arguments.get("inodes")
    if call.call not in ("socketpair", "recvmsg") or not isinstance(fds, list | tuple):
        return ()
    known = inodes if isinstance(inodes, list | tuple) and len(inodes) == len(fds) else [0] * len(fds)
    return tuple(zip(fds, known, strict=True))


def number(call: SystemCall, *names: str) -> int | None:
    """The first of these arguments that is a number."""
    for name in names:
        value = call.arguments.get(name)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
    return None


def address(call: SystemCall) -> tuple[str, int] | None:
    """The internet address that the call was given or gave."""
    value = call.arguments.get("address")
    if isinstance(value, list | tuple) and len(value) >= 2 and isinstance(value[0], str) and isinstance(value[1], int):
        return value[0], value[1]
    return None


def failed(call: SystemCall) -> bool:
    """Whether it returned and failed."""
    return call.returned and bool(call.errno)


def succeeded(call: SystemCall) -> bool:
    """Whether it returned without an error."""
    return call.returned and not call.errno


def would_block(call: SystemCall) -> bool:
    """Whether it failed since it would have had to wait."""
    return call.returned and call.errno in WOULD_BLOCK


def took(call: SystemCall) -> int:
    """How long it was inside the kernel, in ns."""
    return call.time - call.began


def at_once(call: SystemCall) -> bool:
    """Whether it was too short to have waited for anything. A millisecond: the least that poll(2) can be asked to wait."""
    return call.returned and took(call) < MS


def peeks(call: SystemCall) -> bool:
    """Whether it only looked: MSG_PEEK takes nothing, MSG_ERRQUEUE reads no data, and a length of 0 asks for none."""
    return bool(words(call) & {"MSG_PEEK", "MSG_ERRQUEUE"}) or number(call, "length") == 0
