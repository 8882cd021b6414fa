"""The observer of TCP states on real connections over the loopback of private namespaces."""

import errno
import os
import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest
from socket_filters import swallow

from netlab import Lab
from netlab.observe.states import StateObserver
from netlab.observe.tier import SO_NETNS_COOKIE, Tier
from netlab.timeline.observations import Address, AnyObservation, SocketState

pytestmark = pytest.mark.bpf
SO_COOKIE, TCP_USER_TIMEOUT = 57, 18
NOBODY: Address = ("0.0.0.0", 0)
LIMIT = 10.0


def number(option: int) -> Callable[[socket.socket], int]:
    return lambda of: int(struct.unpack("=Q", of.getsockopt(socket.SOL_SOCKET, option, 8))[0])


netns_cookie, socket_cookie = number(SO_NETNS_COOKIE), number(SO_COOKIE)


def cookie_here() -> int:
    with socket.socket() as any_socket:
        return netns_cookie(any_socket)


def sockets_here() -> str:
    return Path("/proc/thread-self/net/sockstat").read_text().splitlines()[0]


@pytest.fixture
def namespace(make_namespace: Callable[[], ThreadPoolExecutor]) -> ThreadPoolExecutor:
    return make_namespace()


@pytest.fixture
def observer(namespace: ThreadPoolExecutor) -> Iterator[StateObserver]:
    observer = StateObserver({namespace.submit(cookie_here).result(): "node"})
    observer.start()
    yield observer
    observer.stop()


def states(observations: list[AnyObservation]) -> list[SocketState]:
    return [observation for observation in observations if isinstance(observation, SocketState)]


def until(observer: StateObserver, new: str, old: str = "") -> list[SocketState]:
    """What is seen up to and including the first transition from ``old`` (any) to ``new``."""
    found: list[SocketState] = []
    waiting = select.poll()
    waiting.register(observer.fileno(), select.POLLIN)
    deadline = time.monotonic() + LIMIT
    while not any(state.new == new and old in ("", state.old) for state in found):
        assert time.monotonic() < deadline, f"{new} was not seen, but {found}"
        waiting.poll(25)
        found += states(observer.drain())
    return found


def path(observed: list[SocketState], local: Address, remote: Address) -> list[tuple[str, str]]:
    return [(state.old, state.new) for state in observed if (state.local, state.remote) == (local, remote)]


class Pair:
    """A listener, a client and the accepted socket, over one address of lo."""

    def __init__(self, address: str, family: socket.AddressFamily, *, cookie: bool = False) -> None:
        self.listener, self.client = socket.socket(family), socket.socket(family)
        self.cookie = socket_cookie(self.client) if cookie else 0
        self.listener.bind((address, 0))
        self.listener.listen()
        self.client.connect(self.listener.getsockname())
        self.server, _peer = self.listener.accept()
        self.there: Address = self.listener.getsockname()[:2]
        self.here: Address = self.client.getsockname()[:2]
        self.inodes = [os.fstat(made.fileno()).st_ino for made in (self.listener, self.client, self.server)]

    def close(self) -> None:
        for made in (self.client, self.server, self.listener):
            made.close()


FAMILIES = pytest.mark.parametrize(
    ("address", "family", "nobody"),
    [("127.0.0.1", socket.AF_INET, "0.0.0.0"), ("::1", socket.AF_INET6, "::")],
    ids=["IPv4", "IPv6"],
)


@FAMILIES
def test_a_whole_connection_with_both_minisocks(
    namespace: ThreadPoolExecutor, observer: StateObserver, address: str, family: socket.AddressFamily, nobody: str
) -> None:
    # The client closes first and is an orphan when the server's FIN comes: FIN_WAIT2 and TIME_WAIT are its minisock's.
    pair = namespace.submit(Pair, address, family, cookie=True).result()
    pair.client.close()
    observed = until(observer, "FIN_WAIT2")
    pair.server.close()
    pair.listener.close()
    observed += until(observer, "CLOSE", "LISTEN")
    listener, client, server = pair.inodes
    here, there, cookie = pair.here, pair.there, pair.cookie

    def fact(source: str, change: str, local: Address, remote: Address, inode: int = 0, cookie: int = 0) -> SocketState:
        old, new = change.split(">")
        facts = {"local": local, "remote": remote, "inode": inode, "cookie": cookie}
        return SocketState(time=0, host="node", source=source, old=old, new=new, **facts)  # type: ignore[arg-type]

    assert [msgspec.structs.replace(state, time=0, tid=0) for state in observed] == [
        fact("tracepoint", "CLOSE>LISTEN", there, (nobody, 0), listener),
        fact("tracepoint", "CLOSE>SYN_SENT", (address, 0), there, client, cookie),
        fact("timer", "LISTEN>NEW_SYN_RECV", there, here),
        fact("tracepoint", "SYN_SENT>ESTABLISHED", here, there, client, cookie),
        fact("tracepoint", "LISTEN>SYN_RECV", there, here),
        fact("tracepoint", "SYN_RECV>ESTABLISHED", there, here),
        fact("tracepoint", "ESTABLISHED>FIN_WAIT1", here, there, client, cookie),
        fact("tracepoint", "ESTABLISHED>CLOSE_WAIT", there, here, server),
        fact("tracepoint", "FIN_WAIT1>FIN_WAIT2", here, there, 0, cookie),
        fact("tracepoint", "CLOSE_WAIT>LAST_ACK", there, here, server),
        fact("timer", "FIN_WAIT2>TIME_WAIT", here, there, 0, cookie),
        fact("tracepoint", "LAST_ACK>CLOSE", there, here),
        fact("tracepoint", "LISTEN>CLOSE", there, (nobody, 0), listener),
    ]
    assert (observer.report().seen, observer.report().lost) == (13, 0)


def test_a_minisock_ends_with_its_namespace(namespace: ThreadPoolExecutor, observer: StateObserver) -> None:
    pair = namespace.submit(Pair, "127.0.0.1", socket.AF_INET).result()
    pair.close()
    observed = until(observer, "TIME_WAIT")
    namespace.shutdown()
    observed += until(observer, "CLOSE", "TIME_WAIT")
    assert path(observed, pair.here, pair.there) == [
        ("SYN_SENT", "ESTABLISHED"),
        ("ESTABLISHED", "FIN_WAIT1"),
        ("FIN_WAIT1", "FIN_WAIT2"),
        ("FIN_WAIT2", "TIME_WAIT"),
        ("TIME_WAIT", "CLOSE"),
    ]


def test_a_reset_ends_an_orphan_in_fin_wait_2(namespace: ThreadPoolExecutor, observer: StateObserver) -> None:
    pair = namespace.submit(Pair, "127.0.0.1", socket.AF_INET).result()
    pair.client.close()
    until(observer, "FIN_WAIT2")
    pair.server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    pair.close()
    observed = until(observer, "CLOSE", "FIN_WAIT2")
    assert path(observed, pair.here, pair.there) == [("FIN_WAIT2", "CLOSE")]
    assert path(observed, pair.there, pair.here) == [("CLOSE_WAIT", "CLOSE")]


def test_ipv4_in_a_dual_stack_socket_is_ipv4(namespace: ThreadPoolExecutor, observer: StateObserver) -> None:
    pair = namespace.submit(Pair, "::ffff:127.0.0.1", socket.AF_INET6).result()
    here, there = ("127.0.0.1", pair.here[1]), ("127.0.0.1", pair.there[1])
    pair.client.close()
    observed = until(observer, "FIN_WAIT2")
    pair.close()
    observed += until(observer, "TIME_WAIT")
    assert path(observed, here, there)[-2:] == [("FIN_WAIT1", "FIN_WAIT2"), ("FIN_WAIT2", "TIME_WAIT")]
    assert ("LISTEN", "NEW_SYN_RECV") in path(observed, there, here)


def half_open() -> tuple[socket.socket, Address]:
    """A SYN that no socket sent: the kernel answers its own SYN-ACK with a reset, which drops the request."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    there: Address = listener.getsockname()
    pseudo = socket.inet_aton("127.0.0.1") * 2 + struct.pack("!BBH", 0, socket.IPPROTO_TCP, 20)
    segment = struct.pack("!HHIIBBHHH", 4444, there[1], 1, 0, 5 << 4, 2, 1000, 0, 0)
    total = sum(struct.unpack("!16H", pseudo + segment))
    checksum = ~(total % 0xFFFF) & 0xFFFF
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP) as raw:
        raw.sendto(segment[:16] + struct.pack("!H", checksum) + segment[18:], ("127.0.0.1", 0))
    return listener, there


def test_a_request_that_is_reset_never_becomes_a_socket(namespace: ThreadPoolExecutor, observer: StateObserver) -> None:
    listener, there = namespace.submit(half_open).result()
    observed = until(observer, "CLOSE", "NEW_SYN_RECV")
    listener.close()
    assert path(observed, there, ("127.0.0.1", 4444)) == [("LISTEN", "NEW_SYN_RECV"), ("NEW_SYN_RECV", "CLOSE")]


def listening(count: int = 1) -> list[socket.socket]:
    made = [socket.socket() for _ in range(count)]
    for listener in made:
        listener.listen()
    return made


def test_another_namespace_is_not_seen(make_namespace: Callable[[], ThreadPoolExecutor], observer: StateObserver) -> None:
    make_namespace().submit(lambda: Pair("127.0.0.1", socket.AF_INET).close()).result()
    assert (observer.stop(), observer.report().seen) == ([], 0)


def test_namespaces_are_told_apart(make_namespace: Callable[[], ThreadPoolExecutor]) -> None:
    spaces = {name: make_namespace() for name in ("a", "b")}
    observer = StateObserver({space.submit(cookie_here).result(): name for name, space in spaces.items()})
    observer.start()
    for name in ("b", "a", "b"):
        for listener in spaces[name].submit(listening).result():
            listener.close()
    assert [state.host for state in observer.stop()] == ["b", "b", "a", "a", "b", "b"]


def test_stamps_lie_within_the_call(namespace: ThreadPoolExecutor, observer: StateObserver) -> None:
    with namespace.submit(socket.socket).result() as listener:
        before = time.time_ns()
        listener.listen()
        after = time.time_ns()
        [state] = until(observer, "LISTEN")
    assert before <= state.time <= after


def test_the_thread_that_called_is_told(namespace: ThreadPoolExecutor, observer: StateObserver) -> None:
    def listening_here() -> tuple[socket.socket, int]:
        return listening()[0], threading.get_native_id()

    listener, tid = namespace.submit(listening_here).result()
    with listener:
        [state] = until(observer, "LISTEN")
    assert state.tid == tid


def test_what_a_timer_gave_up_was_caused_by_it(namespace: ThreadPoolExecutor, observer: StateObserver) -> None:
    def given_up(pair: Pair) -> int:
        swallow(pair.server)
        pair.client.setsockopt(socket.IPPROTO_TCP, TCP_USER_TIMEOUT, 50)
        pair.client.send(b"x")
        select.select([pair.client], [], [], LIMIT)
        return pair.client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)

    pair = namespace.submit(Pair, "127.0.0.1", socket.AF_INET).result()
    assert given_up(pair) == errno.ETIMEDOUT
    observed = until(observer, "CLOSE", "ESTABLISHED")
    pair.close()
    assert [(state.old, state.new, state.cause) for state in observed if state.local == pair.here] == [
        ("SYN_SENT", "ESTABLISHED", ""),
        ("ESTABLISHED", "CLOSE", "timer"),
    ]


def test_its_canary_proves_it_and_leaves_no_trace(namespace: ThreadPoolExecutor) -> None:
    observer = StateObserver(
        {namespace.submit(cookie_here).result(): "node"}, canary=lambda *kind: namespace.submit(socket.socket, *kind).result()
    )
    before = namespace.submit(sockets_here).result()
    observer.start()
    assert namespace.submit(sockets_here).result() == before
    assert 0 < observer.report().uncertainty < 1_000_000_000
    assert (observer.drain(), observer.stop()) == ([], [])
    assert (observer.report().available, observer.report().reason, observer.report().seen) == (True, "", 0)


def test_a_canary_that_is_not_heard_is_told(make_namespace: Callable[[], ThreadPoolExecutor]) -> None:
    watched, elsewhere = make_namespace(), make_namespace()
    observer = StateObserver(
        {watched.submit(cookie_here).result(): "node"}, canary=lambda *kind: elsewhere.submit(socket.socket, *kind).result()
    )
    observer.start()
    report = observer.report()
    assert not report.available
    assert report.reason.startswith("what it did itself at the start of the run was not seen")
    assert observer.stop() == []


def test_a_canary_that_cannot_sing_at_the_end_is_told(namespace: ThreadPoolExecutor) -> None:
    def make(*kind: int) -> socket.socket:
        if sung:
            raise OSError(errno.EMFILE, "Too many open files")
        sung.append(True)
        return namespace.submit(socket.socket, *kind).result()

    sung: list[bool] = []
    observer = StateObserver({namespace.submit(cookie_here).result(): "node"}, canary=make)
    observer.start()
    assert observer.report().available
    observer.stop()
    assert (observer.report().available, "Too many open files" in observer.report().reason) == (False, True)


def test_a_full_ring_loses_and_counts(namespace: ThreadPoolExecutor) -> None:
    observer = StateObserver({namespace.submit(cookie_here).result(): "node"}, ring=os.sysconf("SC_PAGE_SIZE"))
    observer.start()
    listeners = namespace.submit(listening, 2000).result()
    kept = len(observer.drain())
    assert 0 < kept < 2000
    assert observer.report().lost == 2000 - kept
    listeners.pop().close()
    assert [(state.old, state.new) for state in states(list(observer.drain()))] == [("LISTEN", "CLOSE")]
    observer.stop()
    for listener in listeners:
        listener.close()


def test_stopping_gives_every_descriptor_back(namespace: ThreadPoolExecutor) -> None:
    cookie = namespace.submit(cookie_here).result()
    before = os.listdir("/proc/self/fd")
    observer = StateObserver({cookie: "node"})
    observer.start()
    assert len(os.listdir("/proc/self/fd")) > len(before)
    assert (observer.stop(), observer.stop()) == ([], [])
    assert os.listdir("/proc/self/fd") == before
    assert observer.report().available


def test_two_observers_of_one_namespace_see_the_same(namespace: ThreadPoolExecutor, observer: StateObserver) -> None:
    second = StateObserver({namespace.submit(cookie_here).result(): "node"})
    second.start()
    namespace.submit(lambda: Pair("127.0.0.1", socket.AF_INET).close()).result()
    first = until(observer, "CLOSE", "LISTEN")
    assert [(state.old, state.new) for state in states(second.stop())] == [(state.old, state.new) for state in first]


def test_the_functions_that_led_to_a_transition_are_told_where_they_are_asked_for(tier: Tier) -> None:
    with Lab.load("two-hosts") as lab:
        with lab.observe(stacks=True) as seen, lab["server"].socket() as listener, lab["client"].socket() as client:
            listener.bind(("", 80))
            listener.listen()
            client.connect(("10.0.0.2", 80))
        report = seen.timeline.source("states")
        if report.reason:
            pytest.skip(f"{tier}: {report.reason}")
        told = {(one.host, one.new): one.stack for one in seen.timeline.observations if isinstance(one, SocketState)}
        assert "tcp_v4_connect" in told["client", "SYN_SENT"]
        assert "tcp_rcv_state_process" in told["client", "ESTABLISHED"]
        assert "inet_csk_listen_start" in told["server", "LISTEN"]
        assert not [name for stack in told.values() for name in stack if "bpf" in name]
        with lab.observe() as plain, lab["server"].socket() as listener:
            listener.bind(("", 81))
            listener.listen()
        assert {one.stack for one in plain.timeline.observations if isinstance(one, SocketState)} == {()}
