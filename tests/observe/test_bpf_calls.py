"""The observer of system calls: what was asked and what came of it, in private namespaces."""

import contextlib
import ctypes
import mmap
import os
import select
import socket
import struct
import time
from pathlib import Path
from typing import Any

import pytest
from calls_watched import CLOSE_RANGE, INTERNET, Watched, told

pytestmark = pytest.mark.bpf


def test_a_client_and_a_server_in_one_thread(watched: Watched) -> None:
    def work() -> tuple[Any, ...]:
        listener, client = socket.socket(), socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", 0))
        listener.listen(3)
        there = listener.getsockname()
        client.connect(there)
        server, here = listener.accept()
        fds = [each.fileno() for each in (listener, client, server)]
        inodes = [os.fstat(fd).st_ino for fd in fds]
        client.send(b"hello")
        server.recv(100)
        client.sendmsg([b"ab", b"c"])
        server.recvmsg(50)
        client.shutdown(socket.SHUT_WR)
        with contextlib.suppress(BrokenPipeError):
            client.send(b"x", socket.MSG_DONTWAIT)
        os.write(server.fileno(), b"q")
        client.getpeername()
        client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        for each in (client, server, listener):
            each.close()
        return fds, inodes, list(there), list(here)

    before = time.time_ns()
    (listener, client, server), inodes, there, here = watched.do(work)
    after = time.time_ns()
    calls = watched.calls()
    made = {**INTERNET, "type": "SOCK_STREAM", "flags": ["SOCK_CLOEXEC"]}
    option = {"level": "SOL_SOCKET", "option": "SO_REUSEADDR", "value": 1}
    linger = {"level": "SOL_SOCKET", "option": "SO_LINGER", "value": {"onoff": 1, "linger": 0}}
    assert [told(call) for call in calls] == [
        ("socket", -1, made, listener),
        ("socket", -1, made, client),
        ("setsockopt", listener, option, 0),
        ("bind", listener, {"address": ["127.0.0.1", 0]}, 0),
        ("listen", listener, {"backlog": 3}, 0),
        ("getsockname", listener, {"address": there}, 0),
        ("connect", client, {"address": there}, 0),
        ("accept4", listener, {"address": here, "flags": ["SOCK_CLOEXEC"]}, server),
        ("getsockname", server, {"address": there}, 0),
        ("sendto", client, {"length": 5}, 5),
        ("recvfrom", server, {"length": 100}, 5),
        ("sendmsg", client, {"length": 3}, 3),
        ("recvmsg", server, {"length": 50}, 3),
        ("shutdown", client, {"how": "SHUT_WR"}, 0),
        ("sendto", client, {"length": 1, "flags": ["MSG_DONTWAIT"]}, "EPIPE"),
        ("write", server, {"length": 1}, 1),
        ("getpeername", client, {"address": there}, 0),
        ("getsockopt", client, {"level": "SOL_SOCKET", "option": "SO_ERROR", "value": 0}, 0),
        ("setsockopt", client, linger, 0),
        ("close", client, {}, 0),
        ("close", server, {}, 0),
        ("close", listener, {}, 0),
    ]
    numbers = dict(zip((listener, client, server), inodes, strict=True))
    assert [call.inode for call in calls] == [numbers.get(call.fd, 0) for call in calls]
    assert [call.made for call in calls if call.made] == inodes
    times = [time for call in calls for time in (call.began, call.time)]
    assert times == sorted(times)
    assert before < times[0] < times[-1] < after
    assert {(call.host, call.pid, call.source) for call in calls} == {("node", os.getpid(), "bpf")}
    assert (watched.observer.report().lost, watched.observer.report().notes) == (0, ())


def test_files_are_left_out_and_what_is_not_open_is_not(watched: Watched, tmp_path: Path) -> None:
    def work() -> tuple[int, int]:
        file = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
        os.write(file, b"text")
        os.close(os.dup(file))
        read, write = os.pipe()
        os.write(write, b"x")
        os.close(read)
        os.close(write)
        os.close(file)
        for attempt in (lambda: os.read(file, 1), lambda: os.write(file, b"x"), lambda: os.close(file)):
            with contextlib.suppress(OSError):
                attempt()
        return read, write

    read, write = watched.do(work)
    assert [(call.call, call.fd, call.errno) for call in watched.calls()] == [
        ("close", read, ""),
        ("close", write, ""),
        ("read", write - 2, "EBADF"),
        ("write", write - 2, "EBADF"),
        ("close", write - 2, "EBADF"),
    ]


def test_numbers_of_descriptors_are_followed(watched: Watched) -> None:
    def work() -> tuple[int, int]:
        with socket.socket() as one, socket.socket() as two:
            copy = os.dup(one.fileno())
            os.dup2(one.fileno(), two.fileno(), inheritable=False)
            os.set_inheritable(copy, True)
            one.setblocking(False)
            inode = os.fstat(one.fileno()).st_ino
            ctypes.CDLL(None).syscall(CLOSE_RANGE, copy, copy, 0)
            return inode, copy

    inode, copy = watched.do(work)
    one, two = watched.calls("socket")
    [closed_unasked] = {two.made} - {inode}
    calls = [call for call in watched.calls() if call.call != "socket"]
    assert [told(call) for call in calls] == [
        ("fcntl", one.result, {"command": "F_DUPFD_CLOEXEC", "value": 0}, copy),
        ("dup3", one.result, {"target": two.result, "replaced": closed_unasked, "flags": ["O_CLOEXEC"]}, two.result),
        ("ioctl", copy, {"command": "FIONCLEX"}, 0),
        ("ioctl", one.result, {"command": "FIONBIO", "value": 1}, 0),
        ("close_range", -1, {"first": copy, "last": copy}, 0),
        ("close", two.result, {}, 0),
        ("close", one.result, {}, 0),
    ]
    assert [(call.inode, call.made) for call in calls] == [
        (inode, inode),
        (inode, inode),
        (inode, 0),
        (inode, 0),
        (0, 0),
        (inode, 0),
        (inode, 0),
    ]


def test_waiting_is_told_with_what_was_waited_for(watched: Watched) -> None:
    def work() -> tuple[int, int, int]:
        ours, theirs = socket.socketpair()
        with ours, theirs, select.epoll() as epoll:
            poll = select.poll()
            poll.register(ours, select.POLLIN | select.POLLOUT)
            poll.poll(1500)
            epoll.register(theirs, select.EPOLLIN)
            epoll.poll(0)
            ours.send(b"x")
            epoll.poll(2)
            select.select([theirs], [], [], 0.25)
            return ours.fileno(), theirs.fileno(), epoll.fileno()

    ours, theirs, epoll = watched.do(work)
    waits = [call for call in watched.calls() if "poll" in call.call or "select" in call.call]
    both = ["POLLIN", "POLLOUT"]
    polled = {"count": 1, "descriptors": [ours], "events": [both], "ready": [["POLLOUT"]], "timeout": 1500}
    [pair] = watched.calls("socketpair")
    assert pair.arguments["descriptors"] == [ours, theirs]
    assert len(set(pair.arguments["inodes"])) == 2
    inode = pair.arguments["inodes"][1]
    added = {"operation": "EPOLL_CTL_ADD", "target": theirs, "inode": inode, "events": ["EPOLLIN"]}
    length = waits[3].arguments["length"]
    assert [told(call)[1:] for call in waits] == [
        (-1, {"flags": ["EPOLL_CLOEXEC"]}, epoll),
        (-1, polled, 1),
        (epoll, added, 0),
        (epoll, {"length": length, "timeout": 0}, 0),
        (epoll, {"length": length, "ready": [["EPOLLIN"]], "timeout": 2000}, 1),
        (-1, {"nfds": theirs + 1, "timeout": 250}, 1),
    ]


def test_unix_sockets_pass_descriptors(watched: Watched, tmp_path: Path) -> None:
    path = str(tmp_path / "socket")

    def work() -> tuple[int, int]:
        with contextlib.ExitStack() as stack:
            kinds = socket.SOCK_STREAM, socket.SOCK_STREAM, socket.SOCK_DGRAM
            listener, client, abstract = (stack.enter_context(socket.socket(socket.AF_UNIX, kind)) for kind in kinds)
            listener.bind(path)
            listener.listen(0)
            client.connect(path)
            server = stack.enter_context(listener.accept()[0])
            socket.send_fds(client, [b"x"], [listener.fileno()])
            _, [received], _, _ = socket.recv_fds(server, 10, 4)
            abstract.bind(b"\0netlab-test-\xff")
            os.close(received)
            return listener.fileno(), received

    listener, received = watched.do(work)
    bound = watched.calls("bind")
    inode = bound[0].inode
    assert [call.arguments for call in (*bound, *watched.calls("connect"))] == [
        {"address": path},
        {"address": "@netlab-test-\N{REPLACEMENT CHARACTER}"},
        {"address": path},
    ]
    [sent] = watched.calls("sendmsg")
    [got] = watched.calls("recvmsg")
    assert sent.arguments == {"length": 1, "descriptors": [listener], "inodes": [inode]}
    assert got.arguments["descriptors"] == [received]
    assert got.arguments["inodes"] == [inode]
    assert next(call.inode for call in watched.calls("close")) == inode


def test_a_full_accept_queue_shows_in_the_calls(watched: Watched) -> None:
    def work() -> Any:
        with contextlib.ExitStack() as stack:
            listener, *clients = (stack.enter_context(socket.socket()) for _ in range(4))
            listener.bind(("127.0.0.1", 0))
            listener.listen(1)
            for client in clients:
                client.setblocking(False)
                client.connect_ex(listener.getsockname())
            accepted = [stack.enter_context(listener.accept()[0]) for _ in range(2)]
            return [each.fileno() for each in accepted], [os.fstat(each.fileno()).st_ino for each in accepted]

    fds, inodes = watched.do(work)
    assert [call.errno for call in watched.calls("connect")] == ["EINPROGRESS"] * 3
    assert [(call.result, call.made) for call in watched.calls("accept4")] == list(zip(fds, inodes, strict=True))
    assert [call.arguments for call in watched.calls("listen")] == [{"backlog": 1}]


def test_memory_that_is_not_in_yet_is_read_when_the_call_is_over(watched: Watched, tmp_path: Path) -> None:
    file = tmp_path / "address"
    file.write_bytes((struct.pack("=H", socket.AF_INET) + struct.pack("!H4s8x", 0, b"\x7f\0\0\x01")).ljust(mmap.PAGESIZE, b"\0"))

    def work() -> int:
        with file.open("r+b") as opened, mmap.mmap(opened.fileno(), mmap.PAGESIZE) as mapped, socket.socket() as unbound:
            address = ctypes.c_char.from_buffer(mapped)
            result = ctypes.CDLL(None).bind(unbound.fileno(), ctypes.byref(address), 16)
            del address
            return int(result)

    assert watched.do(work) == 0
    assert [call.arguments for call in watched.calls("bind")] == [{"address": ["127.0.0.1", 0]}]
