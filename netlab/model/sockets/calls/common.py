"""What every call about a descriptor looks at first: that it is open, and that it is a socket."""

from netlab.model.sockets.rules import NOTHING, Rule, always, fails

_ABOUT_SOCKETS = (
    "bind", "listen", "accept", "accept4", "connect", "send", "sendto", "sendmsg", "recv", "recvfrom", "recvmsg", "shutdown",
    "getsockname", "getpeername", "getsockopt", "setsockopt",
)  # fmt: skip
_ABOUT_DESCRIPTORS = (*_ABOUT_SOCKETS, "read", "write", "pread", "pwrite", "close", "dup", "ioctl", "fstat", "lseek")
_NO_SOCKETS = ("pipe", "epoll", "file")


def _not_open(call: str) -> Rule:
    return fails(
        f"{call}.not-open", "EBADF", always, "the descriptor is not open", f"POSIX.1-2024 {call}() EBADF", kinds=(NOTHING,)
    )  # fmt: skip


def _no_socket(call: str) -> Rule:
    return fails(
        f"{call}.no-socket", "ENOTSOCK", always, "the descriptor is no socket", f"POSIX.1-2024 {call}() ENOTSOCK", kinds=_NO_SOCKETS
    )


RULES: tuple[Rule, ...] = (
    *(_not_open(call) for call in _ABOUT_DESCRIPTORS),
    *(_no_socket(call) for call in _ABOUT_SOCKETS),
)
