"""What a prediction allows is read for what it is: an outcome that no entry has is not allowed, what is left open allows any."""

from typing import Any

import pytest
from cases.admitting import admits


def errno(name: str) -> dict[str, Any]:
    return {"ret": -1, "errno": name}


ALLOWED: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"errno": "EAGAIN"}, errno("EWOULDBLOCK")),
    ({"errno": "EINVAL"}, errno("any")),
    ({"ret": "fd", "fd": 3}, {"ret": "fd"}),
    ({"ret": "fd", "fd": 3}, {"ret": "=z"}),
    ({"ret": "fd", "fd": 12}, {"ret": ">=10"}),
    ({"ret": 0, "out": "unixfamilyonly"}, {"ret": 0, "out": "addrlen=2"}),
    ({"ret": 0, "out": "unix:u1"}, {"ret": 0, "out": "addrlen=5"}),
    ({"ret": 0, "out": "[::1]:*"}, {"ret": 0, "out": "addrlen=28"}),
    ({"ret": "1..9"}, {"ret": 9}),
    ({"ret": "1..9"}, {"ret": "partial"}),
    ({"ret": "&2048"}, {"ret": "&O_NONBLOCK"}),
    ({"ret": 2050}, {"ret": "&O_NONBLOCK"}),
    ({"ret": 0}, {"ret": "!&FD_CLOEXEC"}),
    ({"ret": 7}, {"ret": ">=7"}),
    ({"ret": 0, "out": "127.0.0.1:*"}, {"ret": 0, "out": "127.0.0.1:80"}),
    ({"ret": 0, "out": "127.0.0.1:*"}, {"ret": 0, "out": "@getsockname:b"}),
    ({"ret": 0, "out": [1, 2]}, {"ret": 0, "out": "2"}),
    ({"ret": 0, "out": ">=2304"}, {"ret": 0, "out": ">=1"}),
    ({"ret": 0, "out": "*"}, {"ret": 0, "out": "anything"}),
    ({"ret": 1, "out": "POLLIN may be POLLHUP"}, {"ret": 1, "out": "POLLIN|POLLHUP"}),
    ({"ret": 5, "out": {"data": "*", "flags": "0"}}, {"ret": 5, "out": "flags=0"}),
    ({"ret": 3, "out": ""}, {"ret": 3, "out": "addrlen=0"}),
    ({"ret": 0, "state": {"s": "CLOSE", "t": "LISTEN"}}, {"ret": 0, "state": {"s": "CLOSED"}}),
    ({"signal": "SIGPIPE"}, {"ret": -1, "signal": "SIGPIPE"}),
]  # fmt: skip

NOT: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"errno": "EAGAIN"}, errno("EINVAL")),
    ({"errno": "EAGAIN"}, {"ret": 0}),
    ({"ret": 0}, errno("any")),
    ({"blocks": True}, {"ret": 0}),
    ({"blocks": True}, errno("EAGAIN")),
    ({"ret": "fd", "fd": 3}, {"ret": 4}),
    ({"ret": "fd", "fd": 3}, {"ret": ">=10"}),
    ({"ret": 0, "out": "abstract:h1"}, {"ret": 0, "out": "addrlen=6"}),
    ({"ret": 0, "out": "127.0.0.1:*"}, {"ret": 0, "out": "addrlen=28"}),
    ({"ret": 0}, {"ret": "partial"}),
    ({"ret": "1..9"}, {"ret": 10}),
    ({"ret": "&2048"}, {"ret": "!&O_NONBLOCK"}),
    ({"ret": 0}, {"ret": "&FD_CLOEXEC"}),
    ({"ret": 0, "out": "127.0.0.1:*"}, {"ret": 0, "out": "127.0.0.1:0"}),
    ({"ret": 0, "out": "127.0.0.1:*"}, {"ret": 0, "out": "192.0.2.1:80"}),
    ({"ret": 0, "out": 6}, {"ret": 0, "out": "7"}),
    ({"ret": 0}, {"ret": 0, "out": "7"}),
    ({"ret": 1, "out": "POLLIN may be POLLHUP"}, {"ret": 1, "out": "POLLHUP"}),
    ({"ret": 5, "out": {"flags": "MSG_TRUNC"}}, {"ret": 5, "out": "flags=0"}),
    ({"ret": 3, "out": "127.0.0.1:*"}, {"ret": 3, "out": "addrlen=0"}),
    ({"ret": 0, "state": {"s": "LISTEN"}}, {"ret": 0, "state": {"s": "CLOSED"}}),
]  # fmt: skip


@pytest.mark.parametrize(("entry", "expect"), ALLOWED)
def test_allowed(entry: dict[str, Any], expect: dict[str, Any]) -> None:
    assert admits([{"errno": "ENOMEM"}, entry], expect, 20)


@pytest.mark.parametrize(("entry", "expect"), NOT)
def test_not_allowed(entry: dict[str, Any], expect: dict[str, Any]) -> None:
    assert not admits([entry], expect, 20)
    assert not admits([], expect, 20)
