"""The calls that a scenario may make, one row each: arguments by kind, what the call gives, whether it may block, and its source.

An argument left out where a pointer is due means a valid buffer; a number left out has the default written here. The table does
not know how an argument is laid out in memory, nor what a call does.
"""

from collections.abc import Mapping
from types import MappingProxyType

from netlab.notation.own_signatures import OWN
from netlab.notation.signature import Kind, Parameter, Returns, Signature, integer, optional, required, signature

__all__ = ["SIGNATURES", "Kind", "Parameter", "Returns", "Signature"]

_FD = required("fd", "fd")
_TARGET = required("target", "fd")
_FLAGS = optional("flags", "int")
_LENGTH = optional("length", "length")
_ADDRESS = required("address", "address in")
_PEER = optional("address", "address out")
_SENT = required("buffer", "buffer in")
_RECEIVED = required("buffer", "buffer out")
_MESSAGE_KEYWORDS = ("addr", "addrlen", "control")


def _table() -> tuple[Signature, ...]:
    return (
        signature(
            "socket",
            integer("domain"),
            integer("type"),
            optional("protocol", "int"),
            returns="fd",
            source="POSIX.1-2024 socket; socket(2)",
        ),
        signature(
            "socketpair",
            integer("domain"),
            integer("type"),
            optional("protocol", "int"),
            optional("pair", "pair out"),
            names=2,
            source="POSIX.1-2024 socketpair; socketpair(2)",
        ),
        signature("bind", _FD, _ADDRESS, _LENGTH, source="POSIX.1-2024 bind; bind(2)"),
        signature("listen", _FD, integer("backlog"), source="POSIX.1-2024 listen; listen(2)"),
        signature("accept", _FD, _PEER, _LENGTH, returns="fd", blocks=True, source="POSIX.1-2024 accept; accept(2)"),
        signature(
            "accept4",
            _FD,
            _PEER,
            _LENGTH,
            integer("flags"),
            returns="fd",
            blocks=True,
            source="POSIX.1-2024 accept4; accept4(2)",
        ),
        signature("connect", _FD, _ADDRESS, _LENGTH, blocks=True, source="POSIX.1-2024 connect; connect(2)"),
        signature("send", _FD, _SENT, _FLAGS, returns="count", blocks=True, source="POSIX.1-2024 send; send(2)"),
        signature(
            "sendto",
            _FD,
            _SENT,
            _FLAGS,
            optional("address", "address in"),
            _LENGTH,
            returns="count",
            blocks=True,
            source="POSIX.1-2024 sendto; send(2)",
        ),
        signature(
            "sendmsg",
            _FD,
            required("buffer", "message in"),
            _FLAGS,
            returns="count",
            blocks=True,
            keywords=_MESSAGE_KEYWORDS,
            source="POSIX.1-2024 sendmsg; send(2)",
        ),
        signature("recv", _FD, _RECEIVED, _FLAGS, returns="count", blocks=True, source="POSIX.1-2024 recv; recv(2)"),
        signature(
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
        signature(
            "recvmsg",
            _FD,
            required("buffer", "message out"),
            _FLAGS,
            returns="count",
            blocks=True,
            keywords=_MESSAGE_KEYWORDS,
            source="POSIX.1-2024 recvmsg; recv(2)",
        ),
        signature("read", _FD, _RECEIVED, returns="count", blocks=True, source="POSIX.1-2024 read; read(2)"),
        signature("write", _FD, _SENT, returns="count", blocks=True, source="POSIX.1-2024 write; write(2)"),
        signature("pread", _FD, _RECEIVED, integer("offset"), returns="count", blocks=True, source="POSIX.1-2024 pread; pread(2)"),
        signature("pwrite", _FD, _SENT, integer("offset"), returns="count", blocks=True, source="POSIX.1-2024 pwrite; pwrite(2)"),
        signature("shutdown", _FD, integer("how"), source="POSIX.1-2024 shutdown; shutdown(2)"),
        signature("close", _FD, blocks=True, source="POSIX.1-2024 close; close(2); SO_LINGER in socket(7)"),
        signature("dup", _FD, returns="fd", source="POSIX.1-2024 dup; dup(2)"),
        signature("dup2", _FD, _TARGET, returns="fd", source="POSIX.1-2024 dup2; dup(2)"),
        signature("dup3", _FD, _TARGET, integer("flags"), returns="fd", source="POSIX.1-2024 dup3; dup(2)"),
        signature("fork", returns="pid", names=1, source="POSIX.1-2024 fork; fork(2)"),
        signature(
            "fcntl",
            _FD,
            integer("command"),
            optional("argument", "argument"),
            returns="int",
            names=1,
            source="POSIX.1-2024 fcntl; fcntl(2)",
        ),
        signature(
            "ioctl",
            _FD,
            integer("request"),
            optional("argument", "argument"),
            returns="int",
            source="ioctl(2); SIOCINQ in tcp(7), SIOCGIFFLAGS in netdevice(7)",
        ),
        signature("getsockname", _FD, _PEER, _LENGTH, source="POSIX.1-2024 getsockname; getsockname(2)"),
        signature("getpeername", _FD, _PEER, _LENGTH, source="POSIX.1-2024 getpeername; getpeername(2)"),
        signature(
            "getsockopt",
            _FD,
            integer("level"),
            integer("option"),
            optional("value", "option out"),
            _LENGTH,
            source="POSIX.1-2024 getsockopt; getsockopt(2)",
        ),
        signature(
            "setsockopt",
            _FD,
            integer("level"),
            integer("option"),
            required("value", "option in"),
            _LENGTH,
            source="POSIX.1-2024 setsockopt; getsockopt(2)",
        ),
        signature(
            "poll",
            required("fds", "pollfd"),
            integer("timeout"),
            returns="count",
            blocks=True,
            source="POSIX.1-2024 poll; poll(2)",
        ),
        signature(
            "select",
            required("readable", "fd set"),
            required("writable", "fd set"),
            required("timeout", "milliseconds"),
            returns="count",
            blocks=True,
            source="POSIX.1-2024 select; select(2)",
        ),
        signature("epoll_create", integer("size"), returns="fd", source="epoll_create(2)"),
        signature("epoll_create1", _FLAGS, returns="fd", source="epoll_create(2)"),
        signature("epoll_ctl", _FD, integer("operation"), _TARGET, optional("event", "event in"), source="epoll_ctl(2)"),
        signature(
            "epoll_wait",
            _FD,
            optional("events", "events out"),
            integer("maxevents"),
            integer("timeout"),
            returns="count",
            blocks=True,
            source="epoll_wait(2)",
        ),
        signature("pipe", optional("pair", "pair out"), names=2, source="POSIX.1-2024 pipe; pipe(2)"),
        signature("pipe2", optional("pair", "pair out"), integer("flags"), names=2, source="POSIX.1-2024 pipe2; pipe(2)"),
        signature(
            "open",
            required("path", "path"),
            integer("flags"),
            optional("mode", "int", 0o600),
            returns="fd",
            source="POSIX.1-2024 open; open(2)",
        ),
        signature("unlink", required("path", "path"), source="POSIX.1-2024 unlink; unlink(2)"),
        signature("umask", integer("mask"), returns="int", source="POSIX.1-2024 umask: gives the mask before; umask(2)"),
        signature("lseek", _FD, integer("offset"), integer("whence"), returns="int", source="POSIX.1-2024 lseek; lseek(2)"),
        signature("fstat", _FD, optional("status", "stat out"), source="POSIX.1-2024 fstat; fstat(2), stat(3type)"),
        signature(
            "system",
            required("command", "path"),
            returns="int",
            blocks=True,
            source="POSIX.1-2024 system: the shell's status as waitpid() gives it, exit 1 is 256; system(3)",
        ),
        signature("unshare", integer("flags"), source="unshare(2), network_namespaces(7); for the calling thread"),
        signature("getpid", returns="pid", source="POSIX.1-2024 getpid; getpid(2)"),
        signature(
            "setrlimit",
            integer("resource"),
            required("soft", "limit"),
            optional("hard", "limit"),
            source="POSIX.1-2024 setrlimit; setrlimit(2)",
        ),
        signature("seteuid", integer("uid"), source="POSIX.1-2024 seteuid; seteuid(2)"),
        signature("chmod", required("path", "path"), integer("mode"), source="POSIX.1-2024 chmod; chmod(2)"),
        signature("access", required("path", "path"), integer("mode"), source="POSIX.1-2024 access; access(2)"),
        *OWN,
    )


SIGNATURES: Mapping[str, Signature] = MappingProxyType({row.name: row for row in _table()})
