"""Ends of sockets as the kernel tells of them: by their cookies, each once, with nothing of other namespaces."""

import select
import socket
import struct
import time
from collections.abc import Callable

import pytest
from networks import one_host, two_hosts

from netlab.lab.lab import Lab
from netlab.observe.destroyed import DestroyedObserver, parse
from netlab.observe.sockdiag import NETLINK_SOCK_DIAG
from netlab.timeline.observations import SocketDestroyed

netns = pytest.mark.netns


def cookie(made: socket.socket) -> int:
    return int.from_bytes(made.getsockopt(socket.SOL_SOCKET, 57, 8), "little")


def observing(lab: Lab) -> DestroyedObserver:
    made = DestroyedObserver(
        {name: node.space.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG) for name, node in lab.nodes.items()}
    )
    made.start()
    assert made.report().reason == ""
    return made


def until(source: DestroyedObserver, enough: Callable[[list[SocketDestroyed]], bool]) -> list[SocketDestroyed]:
    deadline = time.monotonic() + 10
    seen: list[SocketDestroyed] = []
    while not enough(seen):
        assert time.monotonic() < deadline, seen
        seen += [one for one in source.drain() if isinstance(one, SocketDestroyed)]
        select.select([], [], [], 0.001)
    return seen


def message(family: int, local: bytes, protocol: int) -> bytes:
    """A struct nlmsghdr, a struct inet_diag_msg in TIME_WAIT's state, and INET_DIAG_PROTOCOL (linux/inet_diag.h)."""
    body = struct.pack("=BBBB", family, 6, 0, 0) + struct.pack(">HH", 80, 5000) + local.ljust(16, b"\0") * 2
    body += struct.pack("=III", 0, 7, 1) + struct.pack("=IIIII", 0, 0, 0, 0, 99) + struct.pack("=HHB3x", 5, 10, protocol)
    return struct.pack("=IHHII", 16 + len(body), 20, 0, 0, 0) + body


def test_a_message_is_read_and_what_is_cut_is_not() -> None:
    two = message(socket.AF_INET, bytes((10, 0, 0, 1)), 6) + message(socket.AF_INET6, bytes(10) + b"\xff\xff\x0a\0\0\x02", 17)
    first, second = parse(two, "host", 5)
    assert first == SocketDestroyed(
        time=5, host="host", protocol="tcp", local=("10.0.0.1", 80), remote=("10.0.0.1", 5000),
        state="TIME_WAIT", cookie=7 | 1 << 32, inode=99,
    )  # fmt: skip
    assert (second.protocol, second.local) == ("udp", ("10.0.0.2", 80))
    assert parse(two[:60], "host", 5) == []
    assert parse(bytes(16), "host", 5) == []


@netns
def test_every_socket_that_ends_is_told_of_once_in_its_own_node() -> None:
    with Lab(two_hosts()) as lab:
        source = observing(lab)
        before = time.time_ns()
        expected: dict[int, tuple[str, str]] = {}
        for host, family, kind, protocol in (
            ("client", socket.AF_INET, socket.SOCK_STREAM, "tcp"),
            ("client", socket.AF_INET6, socket.SOCK_DGRAM, "udp"),
            ("server", socket.AF_INET6, socket.SOCK_STREAM, "tcp"),
            ("server", socket.AF_INET, socket.SOCK_DGRAM, "udp"),
        ):
            with lab[host].socket(family, kind) as made:
                expected[cookie(made)] = host, protocol
        seen = until(source, lambda seen: len(seen) >= len(expected))
        assert list(source.stop()) == []
    assert {one.cookie: (one.host, one.protocol) for one in seen} == expected
    report = source.report()
    assert (report.available, report.seen, report.lost) == (True, len(expected), 0)
    assert 0 < report.uncertainty < 1_000_000_000
    assert all(before < one.time < time.time_ns() for one in seen)


@netns
def test_the_ends_of_a_connection_have_its_addresses() -> None:
    with Lab(two_hosts()) as lab:
        source = observing(lab)
        with lab["server"].socket() as listener, lab["client"].socket() as client:
            listener.bind(("10.0.0.2", 80))
            listener.listen()
            client.bind(("10.0.0.1", 5000))
            client.connect(("10.0.0.2", 80))
            accepted, _ = listener.accept()
            cookies = {cookie(client), cookie(accepted)}
            accepted.close()
            client.close()
            found = until(source, lambda seen: cookies <= {one.cookie for one in seen})
        source.stop()
    ends = {(one.host, one.local, one.remote) for one in found if one.cookie in cookies}
    near, far = ("10.0.0.1", 5000), ("10.0.0.2", 80)
    assert ends == {("client", near, far), ("server", far, near)}


@netns
def test_what_found_no_room_is_counted() -> None:
    with Lab(one_host()) as lab:
        told = lab["host"].space.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG)
        source = DestroyedObserver({"host": told})
        source.start()
        told.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 0)
        deadline = time.monotonic() + 20
        while not source.report().lost:
            assert time.monotonic() < deadline, source.report()
            for made in [lab["host"].socket() for _ in range(200)]:
                made.close()
        source.stop()
    assert source.report().available
