"""Registers and memory to names: what each call was asked, what it gave, and what is not said when it is not known."""

import socket
import struct
from typing import Any

import pytest

from netlab.observe.call_arguments import Copied, call_arguments
from netlab.observe.call_values import address, flags

INFINITE = 0xFFFFFFFF
INET = struct.pack("=H", socket.AF_INET) + struct.pack("!H4s8x", 80, bytes((10, 0, 0, 2)))
MAPPED = struct.pack("=H", socket.AF_INET6) + struct.pack("!HI16sI", 80, 0, bytes(10) + b"\xff\xff\x0a\0\0\x02", 0)
LINK_LOCAL = struct.pack("=H", socket.AF_INET6) + struct.pack("!HI16sI", 53, 0, socket.inet_pton(socket.AF_INET6, "fe80::1"), 2)
RIGHTS = struct.pack("=QiiQii", 16 + 8, socket.SOL_SOCKET, socket.SCM_RIGHTS, 7 | 9 << 32, 0, 0)
SOCKET = {"level": "SOL_SOCKET"}
PASSES = struct.pack("=QII", 1, 0, 1)
LINGER = struct.pack("=ii", 1, 5)
POLLED = struct.pack("=iHHiHH", 5, 1, 0x11, 6, 4, 0)


def given(*values: int, **more: Any) -> Copied:
    return Copied((*values, *[0] * (6 - len(values))), **more)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (INET, {"address": ["10.0.0.2", 80]}),
        (MAPPED, {"address": ["10.0.0.2", 80]}),
        (LINK_LOCAL, {"address": ["fe80::1", 53]}),
        (b"\1\0/run/x\0rest", {"address": "/run/x"}),
        (b"\1\0\0name", {"address": "@name"}),
        (b"\1\0", {"family": "AF_UNIX"}),
        (b"\0\0" + bytes(14), {"family": "AF_UNSPEC"}),
        (b"\x10\0" + bytes(10), {"family": "AF_NETLINK"}),
        (b"\xff\0", {"family": 255}),
        (INET[:5], {"family": "AF_INET"}),
        (b"", {}),
        (b"\2", {}),
    ],
)
def test_addresses(raw: bytes, expected: dict[str, Any]) -> None:
    assert address(raw) == expected


@pytest.mark.parametrize(
    ("call", "copied", "expected"),
    [
        (
            "socket",
            given(10, 2 | 0o2004000, 0),
            {
                "domain": "AF_INET6",
                "type": "SOCK_DGRAM",
                "flags": ["SOCK_NONBLOCK", "SOCK_CLOEXEC"],
                "protocol": "IPPROTO_IP",
            },
        ),
        ("socket", given(16, 3, 0), {"domain": "AF_NETLINK", "type": "SOCK_RAW", "protocol": 0}),
        ("socket", given(77, 13, 4), {"domain": 77, "type": 13, "protocol": 4}),
        ("connect", given(3, data=INET, result=-111), {"address": ["10.0.0.2", 80]}),
        ("accept", given(3, data=INET, result=-11), {}),
        ("shutdown", given(3, 1), {"how": "SHUT_WR"}),
        ("shutdown", given(3, 9), {"how": 9}),
        ("listen", given(3, INFINITE), {"backlog": -1}),
        ("sendto", given(3, 0, 7, 0x4040), {"length": 7, "flags": ["MSG_DONTWAIT", "MSG_NOSIGNAL"]}),
        ("recvfrom", given(3, 0, 7, 0, data=INET, result=5), {"length": 7, "address": ["10.0.0.2", 80]}),
        ("recvfrom", given(3, 0, 7, 0, data=INET, result=None), {"length": 7}),
        ("writev", given(3, extra=struct.pack("=QQ", 2, 0), length=12), {"length": 12}),
        ("writev", given(3, extra=struct.pack("=QQ", 9, 0), length=12), {}),
        ("sendmsg", given(3, extra=PASSES, length=1, data=RIGHTS), {"length": 1, "descriptors": [7, 9]}),
        ("sendmsg", given(3, extra=PASSES, data=RIGHTS[:20], inodes=(8, 0)), {"length": 0, "descriptors": [7], "inodes": [8]}),
        ("recvmsg", given(3, extra=struct.pack("=QII", 1, 0x20, 0), length=9), {"length": 9, "message_flags": ["MSG_TRUNC"]}),
        ("setsockopt", given(3, 1, 13, data=LINGER), {**SOCKET, "option": "SO_LINGER", "value": {"onoff": 1, "linger": 5}}),
        ("setsockopt", given(3, 1, 13, data=LINGER[:4]), {**SOCKET, "option": "SO_LINGER"}),
        ("setsockopt", given(3, 6, 13, data=b"reno\0"), {"level": "IPPROTO_TCP", "option": "TCP_CONGESTION", "value": "reno"}),
        ("setsockopt", given(3, 0, 1, 0, 1, data=b"\x10"), {"level": "IPPROTO_IP", "option": "IP_TOS", "value": 16}),
        ("setsockopt", given(3, 41, 26, data=b"\1\0\0\0"), {"level": "IPPROTO_IPV6", "option": "IPV6_V6ONLY", "value": 1}),
        ("setsockopt", given(3, 999, 5, data=b"\1\0\0\0"), {"level": 999, "option": 5, "value": 1}),
        ("getsockopt", given(3, 1, 4, data=struct.pack("=i", 111)), {**SOCKET, "option": "SO_ERROR", "value": "ECONNREFUSED"}),
        ("getsockopt", given(3, 1, 3, data=b"\1\0\0\0", result=-9), {**SOCKET, "option": "SO_TYPE"}),
        ("fcntl", given(3, 2, 1), {"command": "F_SETFD", "value": ["FD_CLOEXEC"]}),
        ("fcntl", given(3, 4, 0o4002), {"command": "F_SETFL", "value": ["O_RDWR", "O_NONBLOCK"]}),
        ("fcntl", given(3, 3, result=0o100002), {"command": "F_GETFL", "value": ["O_RDWR"]}),
        ("fcntl", given(3, 1, result=-9), {"command": "F_GETFD"}),
        ("fcntl", given(3, 1030, 10), {"command": "F_DUPFD_CLOEXEC", "value": 10}),
        ("ioctl", given(3, 0x541B, data=struct.pack("=i", 6)), {"command": "FIONREAD", "value": 6}),
        ("ioctl", given(3, 0x89FF, data=struct.pack("=i", 6)), {"command": 0x89FF}),
        ("dup2", given(3, 4, inodes=(77, 0)), {"target": 4, "replaced": 77}),
        ("close_range", given(3, INFINITE, 4), {"first": 3, "last": INFINITE, "flags": ["CLOSE_RANGE_CLOEXEC"]}),
        (
            "poll",
            given(0, 2, INFINITE, data=POLLED, result=1),
            {"count": 2, "descriptors": [5, 6], "events": [["POLLIN"], ["POLLOUT"]], "ready": [["POLLIN", "POLLHUP"], []]},
        ),
        ("poll", given(0, 0, 20, result=0), {"count": 0, "timeout": 20}),
        ("ppoll", given(0, 1, 1, extra=struct.pack("=qq", 1, 1)), {"count": 1, "timeout": 1001}),
        ("select", given(4, 0, 0, 0, 1, extra=struct.pack("=qq", 0, 1500)), {"nfds": 4, "timeout": 2}),
        ("pselect6", given(4), {"nfds": 4}),
        ("epoll_ctl", given(3, 2, 5, inodes=(8, 0), data=bytes(12)), {"operation": "EPOLL_CTL_DEL", "target": 5, "inode": 8}),
        ("epoll_wait", given(3, 0, 64, INFINITE, result=0), {"length": 64}),
        ("clone", given(0x4000 | 0x100 | 17), {"flags": ["CLONE_VM", "CLONE_VFORK"]}),
        ("execve", given(data=b"/bin/sh\0"), {"path": "/bin/sh"}),
        ("close", given(3), {}),
    ],
)  # fmt: skip
def test_calls(call: str, copied: Copied, expected: dict[str, Any]) -> None:
    assert call_arguments(call, copied) == expected


def test_bits_without_a_name_are_numbers() -> None:
    assert (flags("POLL", 0), flags("EPOLL", 1 | 1 << 31)) == ((), ("EPOLLIN", "EPOLLET"))
    assert call_arguments("clone", given(1 << 40))["flags"] == [hex(1 << 40)]
