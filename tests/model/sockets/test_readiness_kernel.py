"""poll(), select(), epoll and ioctl(), made for real on every kind of object: the model allows what comes, and knows it."""

from pathlib import Path

import pytest
from model.sockets.on_kernel import disagreements

pytestmark = pytest.mark.netns

_ALL = "POLLIN|POLLPRI|POLLOUT|POLLRDHUP|POLLRDNORM|POLLRDBAND|POLLWRNORM|POLLWRBAND"

_MAKING = {
    "tcp": ("s = socket(AF_INET, SOCK_STREAM, 0)",),
    "tcp6": ("s = socket(AF_INET6, SOCK_STREAM, 0)",),
    "udp": ("s = socket(AF_INET, SOCK_DGRAM, 0)",),
    "udp bound": ("s = socket(AF_INET, SOCK_DGRAM, 0)", "bind(s, 127.0.0.1:0)"),
    "raw": ("s = socket(AF_INET, SOCK_RAW, IPPROTO_UDP)",),
    "unix stream": ("s = socket(AF_UNIX, SOCK_STREAM, 0)",),
    "unix datagram": ("s = socket(AF_UNIX, SOCK_DGRAM, 0)",),
    "unix packets": ("s = socket(AF_UNIX, SOCK_SEQPACKET, 0)",),
    "stream pair": ("(s,t) = socketpair(AF_UNIX, SOCK_STREAM, 0)",),
    "datagram pair": ("(s,t) = socketpair(AF_UNIX, SOCK_DGRAM, 0)",),
    "packet pair": ("(s,t) = socketpair(AF_UNIX, SOCK_SEQPACKET, 0)",),
    "reading end": ("(s,t) = pipe()",),
    "writing end": ("(t,s) = pipe()",),
    "epoll": ("s = epoll_create1(0)",),
    "file": ('mkfile("f")', 's = open("f", O_RDWR)'),
    "null": ('s = open("/dev/null", O_RDWR)',),
}

_ASKED = (
    f"poll(s, {_ALL}, 0)", "poll(s, POLLIN, 0)", "poll(s, 0, 0)", "poll(s, POLLIN, s, POLLOUT, -1, POLLIN, 0)",
        "select(s, NONE, 0)",
    "select(NONE, s, 0)", "select(s, s, 0)", "e = epoll_create1(EPOLL_CLOEXEC)", "epoll_ctl(e, EPOLL_CTL_ADD, s, EPOLLIN|EPOLLOUT)",
    "epoll_wait(e, BUF, 4, 0)", "epoll_wait(e, BUF, 4, 0)", "epoll_ctl(e, EPOLL_CTL_ADD, s, EPOLLIN)",
        "epoll_wait(e, BADPTR, 4, 0)",
    "epoll_ctl(e, EPOLL_CTL_MOD, s, EPOLLIN|EPOLLOUT|EPOLLET)", "epoll_wait(e, BUF, 4, 0)", "epoll_wait(e, BUF, 4, 0)",
    "epoll_ctl(e, EPOLL_CTL_MOD, s, EPOLLOUT|EPOLLONESHOT)", "epoll_wait(e, BUF, 4, 0)", "epoll_wait(e, BUF, 4, 0)",
    "epoll_ctl(e, EPOLL_CTL_DEL, s, NULL)", "epoll_ctl(e, EPOLL_CTL_DEL, s)", "epoll_ctl(e, EPOLL_CTL_MOD, s, EPOLLIN)",
    "epoll_ctl(e, 9, s, EPOLLIN)", "epoll_ctl(s, EPOLL_CTL_ADD, s, EPOLLIN)", "epoll_ctl(s, EPOLL_CTL_ADD, e, EPOLLIN)",
    "epoll_ctl(e, EPOLL_CTL_ADD, s, EPOLLIN|EPOLLEXCLUSIVE)", "epoll_ctl(e, EPOLL_CTL_MOD, s, EPOLLIN)",
    "epoll_ctl(e, EPOLL_CTL_ADD, s, BADPTR)", "epoll_wait(s, BUF, 4, 0)", "epoll_wait(e, BUF, 0, 0)", "close(e)",
    "ioctl(s, FIONREAD)", "ioctl(s, FIONREAD, BADPTR)", "ioctl(s, SIOCOUTQ)", "ioctl(s, SIOCOUTQNSD)", "ioctl(s, SIOCATMARK)",
    "ioctl(s, SIOCATMARK, NULL)", "ioctl(s, FIOASYNC, 1)", "ioctl(s, FIONBIO, 1)", "fcntl(s, F_GETFL)", "ioctl(s, FIONBIO, 0)",
    "ioctl(s, FIOASYNC, 0)", "fcntl(s, F_GETFL)", "ioctl(s, FIONBIO, BADPTR)", "ioctl(s, FIOCLEX)", "fcntl(s, F_GETFD)",
    "ioctl(s, FIONCLEX)", "fcntl(s, F_GETFD)", "ioctl(s, SIOCGIFINDEX, if:lo)", "ioctl(s, SIOCGIFMTU, if:lo)",
    "ioctl(s, SIOCGIFADDR, if:lo)", "ioctl(s, SIOCGIFFLAGS, if:lo)", "ioctl(s, SIOCGIFINDEX, if:nowhere)",
    "ioctl(s, SIOCGIFHWADDR, if:lo)", "ioctl(s, SIOCGPGRP)", "ioctl(s, FIOSETOWN, 0)", "ioctl(s, FIOGETOWN)", "ioctl(s, 0x5401)",
)  # fmt: skip


def test_everything_is_asked_of_each_kind_of_object(tmp_path: Path) -> None:
    assert disagreements({kind: (*making, *_ASKED) for kind, making in _MAKING.items()}, tmp_path) == {}


_SEQUENCES = {
    "nothing is open": ("poll(99, POLLIN, 0)", "poll(-1, POLLIN, 0)", "poll(-1, POLLIN, 99, 0, 0)", "select(99, NONE, 0)",
                        "select(NONE, NONE, -1)", "select(NONE, NONE, 0)", "poll(BADPTR, 1, 0)", "poll(NULL, 0, 0)",
                        "select(BADPTR, NONE, 0)",
                        "epoll_create1(1)", "epoll_create(0)", "epoll_create(1)", "epoll_ctl(-1, EPOLL_CTL_ADD, 0, EPOLLIN)",
                        "epoll_wait(99, BUF, 1, 0)", "epoll_wait(99, BUF, 0, 0)", "ioctl(99, FIONREAD)",
                        "epoll_ctl(-1, EPOLL_CTL_ADD, 0, NULL)"),
    "waiting for nothing": ("s = socket(AF_INET, SOCK_DGRAM, 0)", "poll(s, POLLIN, 20)", "select(s, NONE, 20)",
        "e = epoll_create1(0)",
                            "epoll_wait(e, BUF, 1, 20)", "epoll_ctl(e, EPOLL_CTL_ADD, s, EPOLLIN)", "epoll_wait(e, BUF, 1, 20)"),
    "a pipe": ("(r,w) = pipe()", 'write(w, "abc")', "poll(r, POLLIN, w, POLLOUT, 0)", "ioctl(r, FIONREAD)", "ioctl(w, FIONREAD)",
               "select(r, w, 0)", "read(r, buf(2))", "ioctl(r, FIONREAD)", "close(w)", "poll(r, POLLIN, 0)", "read(r, buf(2))",
               "poll(r, POLLIN, 0)", "select(r, NONE, 0)", "(r,w) = pipe()", "close(r)", "poll(w, POLLOUT, 0)",
               "select(NONE, w, 0)"),
    "edges": ("(r,w) = pipe()", "e = epoll_create1(0)", "epoll_ctl(e, EPOLL_CTL_ADD, r, EPOLLIN|EPOLLET)",
        "epoll_wait(e, BUF, 4, 0)",
              'write(w, "ab")', "epoll_wait(e, BUF, 4, 0)", "epoll_wait(e, BUF, 4, 0)", "read(r, buf(2))",
                  "epoll_wait(e, BUF, 4, 0)",
              'write(w, "c")', "epoll_wait(e, BUF, 4, 0)", "epoll_ctl(e, EPOLL_CTL_MOD, r, EPOLLIN|EPOLLET)",
                  "epoll_wait(e, BUF, 4, 0)",
              "close(w)", "epoll_wait(e, BUF, 4, 0)", "close(r)", "epoll_wait(e, BUF, 4, 0)"),
    "two members": ("(a,b) = socketpair(AF_UNIX, SOCK_STREAM, 0)", "e = epoll_create1(0)",
        "epoll_ctl(e, EPOLL_CTL_ADD, a, EPOLLIN|EPOLLOUT)",
                    "epoll_ctl(e, EPOLL_CTL_ADD, b, EPOLLIN|EPOLLOUT)", "epoll_wait(e, BUF, 4, 0)", "epoll_wait(e, BUF, 1, 0)",
                    'write(a, "x")', "epoll_wait(e, BUF, 4, 0)", "d = dup(a)", "close(a)", "epoll_wait(e, BUF, 4, 0)", "close(d)",
                    "epoll_wait(e, BUF, 4, 0)"),
    "sets in sets": ("e = epoll_create1(0)", "f = epoll_create1(0)", "g = epoll_create1(0)", "h = epoll_create1(0)",
        "i = epoll_create1(0)",
                     "j = epoll_create1(0)", "epoll_ctl(e, EPOLL_CTL_ADD, e, EPOLLIN)", "epoll_ctl(e, EPOLL_CTL_ADD, f, EPOLLIN)",
                     "epoll_ctl(f, EPOLL_CTL_ADD, e, EPOLLIN)", "epoll_ctl(f, EPOLL_CTL_ADD, g, EPOLLIN)",
                     "epoll_ctl(g, EPOLL_CTL_ADD, h, EPOLLIN)", "epoll_ctl(h, EPOLL_CTL_ADD, i, EPOLLIN)",
                     "epoll_ctl(i, EPOLL_CTL_ADD, j, EPOLLIN)", "(r,w) = pipe()", "epoll_ctl(g, EPOLL_CTL_ADD, w, EPOLLOUT)",
                     "poll(e, POLLIN, f, POLLIN, h, POLLIN, 0)", "epoll_wait(e, BUF, 4, 0)"),
    "a stream pair": ("(a,b) = socketpair(AF_UNIX, SOCK_STREAM, 0)", 'write(a, "hello")', f"poll(b, {_ALL}, 0)",
        "ioctl(b, FIONREAD)",
                      "shutdown(a, SHUT_WR)", f"poll(b, {_ALL}, 0)", f"poll(a, {_ALL}, 0)", "read(b, buf(9))",
                      f"poll(b, {_ALL}, 0)",
                      "close(a)", f"poll(b, {_ALL}, 0)", "ioctl(b, FIONREAD)", "select(b, b, 0)"),
    "a reset pair": ("(a,b) = socketpair(AF_UNIX, SOCK_STREAM, 0)", 'write(a, "hello")', "close(b)", f"poll(a, {_ALL}, 0)",
                     "getsockopt(a, SOL_SOCKET, SO_ERROR)", f"poll(a, {_ALL}, 0)"),
    "packets": ("(a,b) = socketpair(AF_UNIX, SOCK_SEQPACKET, 0)", 'send(a, "one", 0)', 'send(a, "three", 0)', "ioctl(b, FIONREAD)",
                f"poll(b, {_ALL}, 0)", "close(a)", f"poll(b, {_ALL}, 0)"),
    "unix datagrams": ("(a,b) = socketpair(AF_UNIX, SOCK_DGRAM, 0)", 'send(a, "one", 0)', 'send(a, "three", 0)',
        "ioctl(b, FIONREAD)",
                       f"poll(b, {_ALL}, 0)", "recv(b, buf(9), 0)", "ioctl(b, FIONREAD)", "shutdown(b, SHUT_RD)",
                       f"poll(b, {_ALL}, 0)",
                       f"poll(a, {_ALL}, 0)"),
    "a unix listener": ("l = socket(AF_UNIX, SOCK_STREAM, 0)", "bind(l, abstract:x)", "listen(l, 1)", f"poll(l, {_ALL}, 0)",
                        "c = socket(AF_UNIX, SOCK_STREAM, 0)", "connect(c, abstract:x)", f"poll(l, {_ALL}, 0)",
                        f"poll(c, {_ALL}, 0)",
                        "ioctl(l, FIONREAD)", "getsockopt(l, SOL_SOCKET, SO_ACCEPTCONN)", "getsockopt(c, SOL_SOCKET, SO_PEERCRED)",
                        "a = accept(l)", f"poll(l, {_ALL}, 0)", f"poll(a, {_ALL}, 0)"),
    "udp": ("b = socket(AF_INET, SOCK_DGRAM, 0)", "bind(b, 127.0.0.1:0)", "s = socket(AF_INET, SOCK_DGRAM, 0)", "connect(s, @b)",
            'send(s, "hello", 0)', f"poll(b, {_ALL}, 0)", "ioctl(b, FIONREAD)", "recv(b, buf(9), 0)", f"poll(b, {_ALL}, 0)",
            "ioctl(s, SIOCOUTQ)", "close(b)", 'send(s, "hello", 0)', f"poll(s, {_ALL}, 0)", "getsockopt(s, SOL_SOCKET, SO_ERROR)",
            f"poll(s, {_ALL}, 0)", "shutdown(s, SHUT_RD)", f"poll(s, {_ALL}, 0)", "shutdown(s, SHUT_WR)", f"poll(s, {_ALL}, 0)"),
    "a tcp connection": ("l = socket(AF_INET, SOCK_STREAM, 0)", "bind(l, 127.0.0.1:0)", "listen(l, 5)", f"poll(l, {_ALL}, 0)",
                         "c = socket(AF_INET, SOCK_STREAM, 0)", "connect(c, @l)", f"poll(l, {_ALL}, 0)", "select(l, l, 0)",
                         f"poll(c, {_ALL}, 0)", "a = accept(l)", f"poll(l, {_ALL}, 0)", f"poll(a, {_ALL}, 0)",
                         'send(c, "hello", 0)',
                         f"poll(a, {_ALL}, 0)", "ioctl(a, FIONREAD)", "setsockopt(a, SOL_SOCKET, SO_RCVLOWAT, 6)",
                         "poll(a, POLLIN, 0)",
                         'send(c, "!", 0)', "poll(a, POLLIN, 0)", "recv(a, buf(3), 0)", "ioctl(a, FIONREAD)", "poll(a, POLLIN, 0)",
                         "shutdown(c, SHUT_WR)", f"poll(a, {_ALL}, 0)", f"poll(c, {_ALL}, 0)", "ioctl(a, FIONREAD)",
                         "recv(a, buf(9), 0)",
                         f"poll(a, {_ALL}, 0)", "close(a)", f"poll(c, {_ALL}, 0)", "ioctl(c, FIONREAD)"),
    "a tcp reset": ("l = socket(AF_INET, SOCK_STREAM, 0)", "bind(l, 127.0.0.1:0)", "listen(l, 5)",
        "c = socket(AF_INET, SOCK_STREAM, 0)",
                    "connect(c, @l)", "a = accept(l)", "setsockopt(a, SOL_SOCKET, SO_LINGER, {linger:1,0})", "close(a)",
                    f"poll(c, {_ALL}, 0)", "getsockopt(c, SOL_SOCKET, SO_ERROR)", f"poll(c, {_ALL}, 0)", "close(l)",
                    "c = socket(AF_INET, SOCK_STREAM|SOCK_NONBLOCK, 0)", "p = unused_port(AF_INET, SOCK_STREAM)", "connect(c, @p)",
                    f"poll(c, {_ALL}, 0)", "getsockopt(c, SOL_SOCKET, SO_ERROR)", f"poll(c, {_ALL}, 0)"),
    "woken by data": (
        "(r,w) = pipe()", "poll(r, POLLIN, -1) & as j", 'write(w, "x")', "join j", "(a,b) = socketpair(AF_UNIX, SOCK_DGRAM, 0)",
        "select(a, NONE, 1000) & as k", 'send(b, "x", 0)', "join k", "e = epoll_create1(0)", "read(r, buf(1))",
        "epoll_ctl(e, EPOLL_CTL_ADD, r, EPOLLIN|EPOLLET)", "epoll_wait(e, BUF, 4, -1) & as m", 'write(w, "y")', "join m",
    ),
    "woken by an end": (
        "(r,w) = pipe()", "poll(r, POLLIN, 1000) & as j", "close(w)", "join j", "l = socket(AF_INET, SOCK_STREAM, 0)",
        "bind(l, 127.0.0.1:0)", "listen(l, 5)", "poll(l, POLLIN, -1) & as k", "c = socket(AF_INET, SOCK_STREAM, 0)",
        "connect(c, @l)", "join k", "a = accept(l)", "poll(c, POLLIN, -1) & as m", "close(a)", "join m",
    ),
    "urgent data": ("l = socket(AF_INET, SOCK_STREAM, 0)", "bind(l, 127.0.0.1:0)", "listen(l, 5)",
        "c = socket(AF_INET, SOCK_STREAM, 0)",
                    "connect(c, @l)", "a = accept(l)", 'send(c, "ab!", MSG_OOB)', f"poll(a, {_ALL}, 0)", "ioctl(a, FIONREAD)",
                    "ioctl(a, SIOCATMARK)", "recv(a, buf(9), 0)", "ioctl(a, SIOCATMARK)", f"poll(a, {_ALL}, 0)",
                    "recv(a, buf(1), MSG_OOB)",
                    f"poll(a, {_ALL}, 0)"),
}  # fmt: skip


def test_sequences(tmp_path: Path) -> None:
    assert disagreements(_SEQUENCES, tmp_path) == {}
