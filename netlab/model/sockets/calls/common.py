"""What every call about a descriptor looks at first: that it is open, that it is a socket, that its pointers can be read."""

from netlab.model.sockets.addresses import (
    LONGEST,
    is_unknown,
    length_given,
    length_in,
    length_out_of_range,
    not_readable,
    pointed,
    wants_address,
)
from netlab.model.sockets.calls.descriptors import table_full
from netlab.model.sockets.rules import NOTHING, SOCKETS, Rule, always, fails, unmodelled
from netlab.model.sockets.situation import Situation
from netlab.notation.constants import constant
from netlab.notation.values import BadPointer

_ABOUT_SOCKETS = (
    "bind", "listen", "accept", "accept4", "connect", "send", "sendto", "sendmsg", "recv", "recvfrom", "recvmsg", "shutdown",
    "getsockname", "getpeername", "getsockopt", "setsockopt",
)  # fmt: skip
_ABOUT_DESCRIPTORS = (*_ABOUT_SOCKETS, "read", "write", "close", "dup", "ioctl", "fstat", "lseek")
_NO_SOCKETS = ("pipe", "epoll", "file")


def _not_open(call: str) -> Rule:
    return fails(
        f"{call}.not-open", "EBADF", always, "the descriptor is not open", f"POSIX.1-2024 {call}() EBADF", kinds=(NOTHING,)
    )  # fmt: skip


def _no_socket(call: str) -> Rule:
    return fails(
        f"{call}.no-socket", "ENOTSOCK", always, "the descriptor is no socket", f"POSIX.1-2024 {call}() ENOTSOCK", kinds=_NO_SOCKETS
    )


def _names_one(s: Situation) -> bool:
    """Whether the call was given an address: a null pointer means none, whatever length comes with it (send(2))."""
    value = pointed(s)
    return value is not None and value != "NONE" and not (isinstance(value, BadPointer) and value.null)


def _send_length(s: Situation) -> bool:
    return _names_one(s) and length_out_of_range(s)


def _message_length(s: Situation) -> bool:
    # A longer one is cut off to the longest (copy_msghdr_from_user() in net/socket.c).
    return _names_one(s) and length_in(s) < 0


def _room_below_zero(s: Situation) -> bool:
    length = length_given(s)
    return wants_address(s) and isinstance(length, int) and length < 0


def _send_unreadable(s: Situation) -> bool:
    return _names_one(s) and not_readable(s) and length_in(s) <= LONGEST


def _control_unreadable(s: Situation) -> bool:
    value = s.args.get("control")
    return isinstance(value, BadPointer) and not value.null


_ADDRESSES: tuple[Rule, ...] = (
    unmodelled("sendto.address-unknown", is_unknown, "what address is meant is not known", kinds=SOCKETS),
    fails("sendto.address-length", "EINVAL", _send_length, "no address has such a length",
          "send(2) EINVAL; move_addr_to_kernel() in net/socket.c", kinds=SOCKETS),
    fails("sendto.address-unreadable", "EFAULT", _send_unreadable, "the address cannot be read", "send(2) EFAULT", kinds=SOCKETS),
    unmodelled("sendmsg.address-unknown", is_unknown, "what address is meant is not known", kinds=SOCKETS),
    fails("sendmsg.address-length", "EINVAL", _message_length, "a length is not below 0",
          "send(2) EINVAL; copy_msghdr_from_user() in net/socket.c", kinds=SOCKETS),
    fails("sendmsg.address-unreadable", "EFAULT", _send_unreadable, "the address cannot be read", "send(2) EFAULT", kinds=SOCKETS),
    fails("sendmsg.control-unreadable", "EFAULT", _control_unreadable, "the control messages cannot be read",
          "send(2) EFAULT; ____sys_sendmsg() in net/socket.c", kinds=SOCKETS),
    fails("recvmsg.address-length", "EINVAL", _room_below_zero, "there is no room of less than nothing for an address",
          "copy_msghdr_from_user() in net/socket.c", kinds=SOCKETS),
)  # fmt: skip


def _flags_unknown(s: Situation) -> bool:
    return bool(s.number("flags") & ~(constant("SOCK_CLOEXEC") | constant("SOCK_NONBLOCK")))


def _no_number(s: Situation) -> bool | None:
    return table_full(s)


_BEFORE_THE_SOCKET: tuple[Rule, ...] = (
    unmodelled("connect.address-unknown", is_unknown, "what address is meant is not known"),
    fails("connect.address-length", "EINVAL", length_out_of_range, "no address has such a length",
          "connect(2); move_addr_to_kernel() in net/socket.c", note="looked at before the descriptor is found to be no socket"),
    fails("connect.address-unreadable", "EFAULT", not_readable, "the address cannot be read", "connect(2) EFAULT",
          note="looked at before the descriptor is found to be no socket: __sys_connect() in net/socket.c"),
)  # fmt: skip
_ACCEPTED_FROM_FILES: tuple[Rule, ...] = (
    fails("accept4.no-socket-flags", "EINVAL", _flags_unknown, "the flags are looked at first",
          "__sys_accept4_file() in net/socket.c", kinds=_NO_SOCKETS),
    *(fails(f"{call}.no-socket-full", "EMFILE", _no_number, "a number is taken before the descriptor is found to be no socket",
            "do_accept() in net/socket.c", kinds=_NO_SOCKETS) for call in ("accept", "accept4")),
)  # fmt: skip

RULES: tuple[Rule, ...] = (
    *_ACCEPTED_FROM_FILES,
    *_BEFORE_THE_SOCKET,
    *(_not_open(call) for call in _ABOUT_DESCRIPTORS),
    *(_no_socket(call) for call in _ABOUT_SOCKETS),
    *_ADDRESSES,
)
