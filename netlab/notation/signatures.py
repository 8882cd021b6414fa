"""The calls that a scenario may make, one row each: arguments by kind, what the call gives, whether it may block, and its source.

An argument left out where a pointer is due means a valid buffer; a number left out has the default written here. The table does
not know how an argument is laid out in memory, nor what a call does.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from netlab.notation.values import Value

Kind = Literal[
    "fd", "int", "address in", "address out", "length", "buffer in", "buffer out", "option in", "option out", "message in",
    "message out", "pollfd", "event in", "events out", "fd set", "milliseconds", "path", "pair out", "argument", "limit",
    "stat out",
]  # fmt: skip
"""What an argument is. "length" is an explicit length of the pointer before it; "pollfd" is a descriptor and its events, and may
be repeated; "argument" is whatever fcntl's command or ioctl's request wants."""

Returns = Literal["fd", "count", "int", "pid", "status"]
"""What a call gives on success: a new descriptor, a number of bytes or descriptors, a number, a process, or just 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One argument as the notation writes it. One that is not ``required`` may be left out, and is ``default`` then."""

    name: str
    kind: Kind
    required: bool = True
    default: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """One call. ``names`` is how many names it may bind; ``libc`` is false for steps of netlab's own that no C library has."""

    name: str
    parameters: tuple[Parameter, ...]
    keywords: tuple[str, ...] = ()
    returns: Returns = "status"
    names: int = 0
    blocks: bool = False
    libc: bool = True
    source: str

    @property
    def repeats(self) -> bool:
        """Whether an argument may be repeated: descriptor and events of poll."""
        return any(parameter.kind == "pollfd" for parameter in self.parameters)

    @property
    def usage(self) -> str:
        """How the call is written: ``bind(fd, address[, length])``."""
        if self.repeats:
            return f"{self.name}(fd, events[, fd, events ...], timeout)"
        shown = ""
        for parameter in self.parameters:
            separator = ", " if shown.strip("[]") else ""
            shown += separator + parameter.name if parameter.required else f"[{separator}{parameter.name}]"
        return f"{self.name}({shown}{''.join(f'[, {keyword}=]' for keyword in self.keywords)})"

    def assign(self, arguments: Sequence[Value]) -> tuple[tuple[Parameter, Value | None], ...]:
        """Each parameter with its argument, None for one left out: what is required comes first, the rest fills up from the left.

        So ``accept4(s, flags)`` and ``accept4(s, address, length, flags)`` both say what they mean. Raises ValueError, with the
        usage, when the number of arguments fits no reading.
        """
        if self.repeats:
            if len(arguments) < 3 or len(arguments) % 2 == 0:
                raise ValueError(self.usage)
            return tuple(zip((self.parameters[0],) * (len(arguments) - 1) + self.parameters[1:], arguments, strict=True))
        spare = len(arguments) - sum(parameter.required for parameter in self.parameters)
        if spare < 0 or len(arguments) > len(self.parameters):
            raise ValueError(self.usage)
        left = iter(arguments)
        assigned: list[tuple[Parameter, Value | None]] = []
        for parameter in self.parameters:
            taken = parameter.required or spare > 0
            spare -= taken and not parameter.required
            assigned.append((parameter, next(left) if taken else None))
        return tuple(assigned)


def _optional(name: str, kind: Kind, default: int = 0) -> Parameter:
    return Parameter(name=name, kind=kind, required=False, default=default)


def _required(name: str, kind: Kind) -> Parameter:
    return Parameter(name=name, kind=kind)


_FD = _required("fd", "fd")
_TARGET = _required("target", "fd")
_FLAGS = _optional("flags", "int")
_LENGTH = _optional("length", "length")
_ADDRESS = _required("address", "address in")
_PEER = _optional("address", "address out")
_SENT = _required("buffer", "buffer in")
_RECEIVED = _required("buffer", "buffer out")
_ADDRESS_KEYWORDS = ("addr", "addrlen")
_MESSAGE_KEYWORDS = ("addr", "addrlen", "control")


def _integer(name: str) -> Parameter:
    return Parameter(name=name, kind="int")


def _signature(
    name: str,
    *parameters: Parameter,
    source: str,
    returns: Returns = "status",
    blocks: bool = False,
    keywords: tuple[str, ...] = (),
    names: int | None = None,
    libc: bool = True,
) -> Signature:
    bound = int(returns == "fd") if names is None else names
    if not keywords and any(parameter.name == "address" and not parameter.required for parameter in parameters):
        keywords = _ADDRESS_KEYWORDS
    return Signature(
        name=name, parameters=parameters, keywords=keywords, returns=returns, names=bound, blocks=blocks, libc=libc, source=source
    )


def _table() -> tuple[Signature, ...]:
    return (
        _signature(
            "socket",
            _integer("domain"),
            _integer("type"),
            _optional("protocol", "int"),
            returns="fd",
            source="POSIX.1-2024 socket; socket(2)",
        ),
        _signature(
            "socketpair",
            _integer("domain"),
            _integer("type"),
            _optional("protocol", "int"),
            _optional("pair", "pair out"),
            names=2,
            source="POSIX.1-2024 socketpair; socketpair(2)",
        ),
        _signature("bind", _FD, _ADDRESS, _LENGTH, source="POSIX.1-2024 bind; bind(2)"),
        _signature("listen", _FD, _integer("backlog"), source="POSIX.1-2024 listen; listen(2)"),
        _signature("accept", _FD, _PEER, _LENGTH, returns="fd", blocks=True, source="POSIX.1-2024 accept; accept(2)"),
        _signature(
            "accept4",
            _FD,
            _PEER,
            _LENGTH,
            _integer("flags"),
            returns="fd",
            blocks=True,
            source="POSIX.1-2024 accept4; accept4(2)",
        ),
        _signature("connect", _FD, _ADDRESS, _LENGTH, blocks=True, source="POSIX.1-2024 connect; connect(2)"),
        _signature("send", _FD, _SENT, _FLAGS, returns="count", blocks=True, source="POSIX.1-2024 send; send(2)"),
        _signature(
            "sendto",
            _FD,
            _SENT,
            _FLAGS,
            _optional("address", "address in"),
            _LENGTH,
            returns="count",
            blocks=True,
            source="POSIX.1-2024 sendto; send(2)",
        ),
        _signature(
            "sendmsg",
            _FD,
            _required("buffer", "message in"),
            _FLAGS,
            returns="count",
            blocks=True,
            keywords=_MESSAGE_KEYWORDS,
            source="POSIX.1-2024 sendmsg; send(2)",
        ),
        _signature("recv", _FD, _RECEIVED, _FLAGS, returns="count", blocks=True, source="POSIX.1-2024 recv; recv(2)"),
        _signature(
            "recvfrom",
            _FD,
            _RECEIVED,
            _FLAGS,
            _PEER,
            _LENGTH,
            returns="count",
            blocks=True,
            source="POSIX.1-2024 recvfrom; recv(2)",
        ),
        _signature(
            "recvmsg",
            _FD,
            _required("buffer", "message out"),
            _FLAGS,
            returns="count",
            blocks=True,
            keywords=_MESSAGE_KEYWORDS,
            source="POSIX.1-2024 recvmsg; recv(2)",
        ),
        _signature("read", _FD, _RECEIVED, returns="count", blocks=True, source="POSIX.1-2024 read; read(2)"),
        _signature("write", _FD, _SENT, returns="count", blocks=True, source="POSIX.1-2024 write; write(2)"),
        _signature(
            "pread", _FD, _RECEIVED, _integer("offset"), returns="count", blocks=True, source="POSIX.1-2024 pread; pread(2)"
        ),
        _signature("pwrite", _FD, _SENT, _integer("offset"), returns="count", blocks=True, source="POSIX.1-2024 pwrite; pwrite(2)"),
        _signature("shutdown", _FD, _integer("how"), source="POSIX.1-2024 shutdown; shutdown(2)"),
        _signature("close", _FD, blocks=True, source="POSIX.1-2024 close; close(2); SO_LINGER in socket(7)"),
        _signature("dup", _FD, returns="fd", source="POSIX.1-2024 dup; dup(2)"),
        _signature("dup2", _FD, _TARGET, returns="fd", source="POSIX.1-2024 dup2; dup(2)"),
        _signature("dup3", _FD, _TARGET, _integer("flags"), returns="fd", source="POSIX.1-2024 dup3; dup(2)"),
        _signature("fork", returns="pid", names=1, source="POSIX.1-2024 fork; fork(2)"),
        _signature(
            "fcntl",
            _FD,
            _integer("command"),
            _optional("argument", "argument"),
            returns="int",
            names=1,
            source="POSIX.1-2024 fcntl; fcntl(2)",
        ),
        _signature(
            "ioctl",
            _FD,
            _integer("request"),
            _optional("argument", "argument"),
            returns="int",
            source="ioctl(2); SIOCINQ in tcp(7), SIOCGIFFLAGS in netdevice(7)",
        ),
        _signature("getsockname", _FD, _PEER, _LENGTH, source="POSIX.1-2024 getsockname; getsockname(2)"),
        _signature("getpeername", _FD, _PEER, _LENGTH, source="POSIX.1-2024 getpeername; getpeername(2)"),
        _signature(
            "getsockopt",
            _FD,
            _integer("level"),
            _integer("option"),
            _optional("value", "option out"),
            _LENGTH,
            source="POSIX.1-2024 getsockopt; getsockopt(2)",
        ),
        _signature(
            "setsockopt",
            _FD,
            _integer("level"),
            _integer("option"),
            _required("value", "option in"),
            _LENGTH,
            source="POSIX.1-2024 setsockopt; getsockopt(2)",
        ),
        _signature(
            "poll",
            _required("fds", "pollfd"),
            _integer("timeout"),
            returns="count",
            blocks=True,
            source="POSIX.1-2024 poll; poll(2)",
        ),
        _signature(
            "select",
            _required("readable", "fd set"),
            _required("writable", "fd set"),
            _required("timeout", "milliseconds"),
            returns="count",
            blocks=True,
            source="POSIX.1-2024 select; select(2)",
        ),
        _signature("epoll_create1", _FLAGS, returns="fd", source="epoll_create(2)"),
        _signature("epoll_ctl", _FD, _integer("operation"), _TARGET, _optional("event", "event in"), source="epoll_ctl(2)"),
        _signature(
            "epoll_wait",
            _FD,
            _optional("events", "events out"),
            _integer("maxevents"),
            _integer("timeout"),
            returns="count",
            blocks=True,
            source="epoll_wait(2)",
        ),
        _signature("pipe", _optional("pair", "pair out"), names=2, source="POSIX.1-2024 pipe; pipe(2)"),
        _signature(
            "open",
            _required("path", "path"),
            _integer("flags"),
            _optional("mode", "int", 0o600),
            returns="fd",
            source="POSIX.1-2024 open; open(2)",
        ),
        _signature("unlink", _required("path", "path"), source="POSIX.1-2024 unlink; unlink(2)"),
        _signature("umask", _integer("mask"), returns="int", source="POSIX.1-2024 umask: gives the mask before; umask(2)"),
        _signature("lseek", _FD, _integer("offset"), _integer("whence"), returns="int", source="POSIX.1-2024 lseek; lseek(2)"),
        _signature("fstat", _FD, _optional("status", "stat out"), source="POSIX.1-2024 fstat; fstat(2), stat(3type)"),
        _signature(
            "system",
            _required("command", "path"),
            returns="int",
            blocks=True,
            source="POSIX.1-2024 system: the shell's status as waitpid() gives it, exit 1 is 256; system(3)",
        ),
        _signature("unshare", _integer("flags"), source="unshare(2), network_namespaces(7); for the calling thread"),
        _signature("getpid", returns="pid", source="POSIX.1-2024 getpid; getpid(2)"),
        _signature(
            "setrlimit",
            _integer("resource"),
            _required("soft", "limit"),
            _optional("hard", "limit"),
            source="POSIX.1-2024 setrlimit; setrlimit(2)",
        ),
        _signature("seteuid", _integer("uid"), source="POSIX.1-2024 seteuid; seteuid(2)"),
        _signature("fill_fds", libc=False, source="netlab: opens descriptors until the table is full, EMFILE in open(2)"),
        _signature(
            "exported",
            _required("name", "path"),
            libc=False,
            source="netlab: whether the C library has a function of this name, ENOENT if not; POSIX.1-2024 dlsym",
        ),
        _signature("exit", _optional("status", "int"), libc=False, source="netlab: ends this process as exit(3) does"),
        _signature(
            "sleep", _required("time", "milliseconds"), libc=False, source="netlab: lets so many milliseconds pass in this process"
        ),
        _signature(
            "default", _integer("signal"), libc=False, source="netlab: gives a signal its default action; agents ignore SIGPIPE"
        ),
        _signature(
            "handle",
            _integer("signal"),
            _FLAGS,
            libc=False,
            source="netlab: gives a signal a handler that does nothing; SA_RESTART among the flags of sigaction(2)",
        ),
        _signature(
            "interrupt",
            _integer("signal"),
            returns="int",
            libc=False,
            source="netlab: sends a signal to each thread of this process that is inside a call, pthread_kill(3); how many",
        ),
        _signature("kill", _integer("signal"), libc=False, source="netlab: raises the signal in this process, as raise(3) does"),
    )


SIGNATURES: Mapping[str, Signature] = MappingProxyType({signature.name: signature for signature in _table()})
