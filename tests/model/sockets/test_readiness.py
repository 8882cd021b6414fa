"""poll(), select(), epoll and ioctl() in worlds: ready, not ready, not for sure, waiting, and what is refused."""

import pytest
from model.sockets.worlds import after, allowed, done, one_host, two_hosts

_PAIR, _PIPE = "(a, b) = socketpair(AF_UNIX, SOCK_STREAM, 0)", "(r, w) = pipe()"
_TCP = ("l = socket(AF_INET, SOCK_STREAM, 0)", "bind(l, 127.0.0.1:0)", "listen(l, 1)", "c = socket(AF_INET, SOCK_STREAM, 0)",
        "connect(c, @l)")  # fmt: skip
_SET = ("e = epoll_create1(0)", "epoll_ctl(e, EPOLL_CTL_ADD, r, EPOLLIN)")

_CASES = [
    (("s = socket(AF_INET, SOCK_STREAM, 0)",), "poll(s, POLLIN|POLLOUT, 0)", {"1 out POLLOUT|POLLHUP"}),
    (("s = socket(AF_INET, SOCK_STREAM, 0)",), "poll(s, 0, 0)", {"1 out POLLHUP"}),
    (("s = socket(AF_INET, SOCK_DGRAM, 0)",), "poll(s, POLLIN|POLLOUT, 0)", {"1 out POLLOUT"}),
    (("s = socket(AF_INET, SOCK_DGRAM, 0)",), "poll(s, POLLIN, 0)", {"0 out 0"}),
    (("s = socket(AF_INET, SOCK_DGRAM, 0)",), "poll(s, POLLIN, -1)", {"blocks"}),
    (("s = socket(AF_INET, SOCK_DGRAM, 0)",), "poll(s, POLLIN, 10)", {"0 out 0", "blocks"}),
    ((_PAIR,), "poll(a, POLLIN, b, POLLOUT, 77, POLLIN, -1, POLLIN, 0)",
     {"2 out {'a': '0', 'b': 'POLLOUT', '77': 'POLLNVAL', '-1': '0'}"}),
    ((), "poll(BADPTR, 1, 0)", {"EFAULT"}),
    ((), "poll(BADPTR, 0, 0)", {"0"}),
    ((), "poll(BADPTR, 100000, 0)", {"EINVAL"}),
    ((_PAIR, 'write(a, "x")', "shutdown(a, SHUT_WR)"), "poll(b, POLLIN|POLLRDHUP, 0)", {"1 out POLLIN|POLLRDHUP"}),
    ((_PAIR, "close(a)"), "poll(b, POLLIN|POLLOUT, 0)", {"1 out POLLIN|POLLOUT|POLLHUP"}),
    ((_PIPE, "close(w)"), "poll(r, POLLIN, 0)", {"1 out POLLHUP"}),
    ((_PIPE, "close(r)"), "poll(w, POLLOUT, 0)", {"1 out POLLOUT|POLLERR"}),
    (_TCP, "poll(l, POLLIN|POLLOUT, 0)", {"1 out POLLIN"}),
    ((*_TCP, "a = accept(l)"), "poll(l, POLLIN|POLLOUT, 0)", {"0 out 0"}),
    ((*_TCP, "a = accept(l)", 'send(a, "x", 0)'), "poll(c, POLLIN|POLLOUT, 0)", {"1 out POLLIN|POLLOUT"}),
    ((*_TCP, "a = accept(l)", 'send(a, "x", MSG_OOB)'), "poll(c, POLLIN|POLLPRI, 0)", {"1 out POLLPRI"}),
    ((*_TCP, "a = accept(l)", "close(a)"), "poll(c, POLLIN|POLLRDHUP, 0)", {"1 out POLLIN|POLLRDHUP"}),
    ((*_TCP, "a = accept(l)", "setsockopt(a, SOL_SOCKET, SO_LINGER, {linger:1,0})", "close(a)"), "poll(c, POLLIN, 0)",
     {"1 out POLLIN|POLLERR|POLLHUP"}),
    ((_PAIR,), "select(a, a, 0)", {"1 out writable"}),
    ((_PAIR,), "select(a, NONE, 0)", {"0 out 0"}),
    ((_PAIR,), "select(a, 77, 0)", {"EBADF"}),
    ((_PAIR,), "select(a, NONE, -5)", {"EINVAL"}),
    ((_PAIR, 'write(b, "x")'), "select(a, a, 0)", {"2 out readable|writable"}),
    ((), "epoll_create1(1)", {"EINVAL"}),
    ((), "epoll_ctl(-1, EPOLL_CTL_ADD, 0, EPOLLIN)", {"EBADF"}),
    ((), "epoll_ctl(-1, EPOLL_CTL_ADD, 0, NULL)", {"EFAULT"}),
    ((_PIPE, *_SET), "epoll_ctl(e, EPOLL_CTL_ADD, r, EPOLLIN)", {"EEXIST"}),
    ((_PIPE, *_SET), "epoll_ctl(e, EPOLL_CTL_MOD, w, EPOLLIN)", {"ENOENT"}),
    ((_PIPE, *_SET), "epoll_ctl(e, EPOLL_CTL_DEL, w)", {"ENOENT"}),
    ((_PIPE, *_SET), "epoll_ctl(e, EPOLL_CTL_ADD, e, EPOLLIN)", {"EINVAL"}),
    ((_PIPE, *_SET), "epoll_ctl(e, EPOLL_CTL_ADD, 0, EPOLLIN)", {"EPERM"}),
    ((_PIPE, *_SET), "epoll_ctl(e, EPOLL_CTL_ADD, 77, EPOLLIN)", {"EBADF"}),
    ((_PIPE, *_SET), "epoll_ctl(r, EPOLL_CTL_ADD, w, EPOLLOUT)", {"EINVAL"}),
    ((_PIPE, *_SET), "epoll_ctl(e, 9, r, EPOLLIN)", {"EINVAL"}),
    ((_PIPE, *_SET), "epoll_wait(e, BUF, 0, 0)", {"EINVAL"}),
    ((_PIPE, *_SET), "epoll_wait(r, BUF, 1, 0)", {"EINVAL"}),
    ((_PIPE, *_SET), "epoll_wait(e, BUF, 4, 0)", {"0 out 0"}),
    ((_PIPE, *_SET), "epoll_wait(e, BUF, 4, -1)", {"blocks"}),
    ((_PIPE, *_SET, 'write(w, "x")'), "epoll_wait(e, BUF, 4, -1)", {"1 out EPOLLIN"}),
    ((_PIPE, *_SET, 'write(w, "x")'), "epoll_wait(e, BADPTR, 4, -1)", {"EFAULT"}),
    ((_PIPE, *_SET, 'write(w, "x")'), "poll(e, POLLIN, 0)", {"1 out POLLIN"}),
    ((_PIPE, *_SET, 'write(w, "x")', "close(r)"), "epoll_wait(e, BUF, 4, 0)", {"0 out 0"}),
    ((_PIPE, *_SET, "f = epoll_create1(0)", "epoll_ctl(f, EPOLL_CTL_ADD, e, EPOLLIN)"), "epoll_ctl(e, EPOLL_CTL_ADD, f, EPOLLIN)",
     {"ELOOP"}),
    ((_PIPE, 'write(w, "abc")'), "ioctl(r, FIONREAD)", {"0 out 3"}),
    ((_PIPE,), "ioctl(r, SIOCATMARK)", {"ENOTTY"}),
    (_TCP, "ioctl(l, FIONREAD)", {"EINVAL"}),
    ((*_TCP, "a = accept(l)", 'send(c, "ab!", MSG_OOB)'), "ioctl(a, FIONREAD)", {"0 out 2"}),
    ((*_TCP, "a = accept(l)", 'send(c, "!", MSG_OOB)'), "ioctl(a, SIOCATMARK)", {"0 out 1"}),
    (("s = socket(AF_INET, SOCK_DGRAM, 0)",), "ioctl(s, SIOCATMARK)", {"ENOTTY"}),
    (("s = socket(AF_INET, SOCK_DGRAM, 0)",), "ioctl(s, SIOCATMARK, BADPTR)", {"EFAULT"}),
    (("s = socket(AF_INET, SOCK_DGRAM, 0)",), "ioctl(s, SIOCGIFINDEX, if:lo)", {"0 out 1"}),
    (("s = socket(AF_INET, SOCK_DGRAM, 0)",), "ioctl(s, SIOCGIFINDEX, if:nowhere)", {"ENODEV"}),
    (("s = socket(AF_INET6, SOCK_DGRAM, 0)",), "ioctl(s, SIOCGIFADDR, if:lo)", {"ENOTTY"}),
    (("s = socket(AF_INET, SOCK_DGRAM, 0)",), "ioctl(s, 0x5401)", {"ENOTTY"}),
    (("s = socket(AF_UNIX, SOCK_DGRAM, 0)",), "ioctl(s, SIOCATMARK)", {"EOPNOTSUPP"}),
    (("e = epoll_create1(0)",), "ioctl(e, FIONREAD)", {"EINVAL"}),
    (("s = socket(AF_INET, SOCK_DGRAM, 0)", "ioctl(s, FIONBIO, 1)"), "fcntl(s, F_GETFL)", {"2050"}),
    (("s = socket(AF_INET, SOCK_DGRAM, 0)", "ioctl(s, FIOCLEX)"), "fcntl(s, F_GETFD)", {"1"}),
    ((), "ioctl(77, FIONREAD)", {"EBADF"}),
]  # fmt: skip


@pytest.mark.parametrize(("setup", "call", "wanted"), _CASES)
def test_what_is_allowed(setup: tuple[str, ...], call: str, wanted: set[str]) -> None:
    assert allowed(after(one_host(), *setup), call) == wanted


def test_an_edge_is_told_once_and_once_is_once() -> None:
    oracle = after(one_host(), _PIPE, "e = epoll_create1(0)", "epoll_ctl(e, EPOLL_CTL_ADD, w, EPOLLOUT|EPOLLET)")
    done(oracle, "epoll_wait(e, BUF, 4, 0)")
    assert allowed(oracle, "epoll_wait(e, BUF, 4, 0)") == {"0 out 0"}
    after(oracle, "epoll_ctl(e, EPOLL_CTL_MOD, w, EPOLLOUT|EPOLLONESHOT)")
    assert allowed(oracle, "epoll_wait(e, BUF, 4, 0)") == {"1 out EPOLLOUT"}
    done(oracle, "epoll_wait(e, BUF, 4, 0)")
    assert allowed(oracle, "epoll_wait(e, BUF, 4, 0)") == {"0 out 0"}


def test_what_comes_is_another_edge_and_what_is_taken_may_be_one() -> None:
    oracle = after(one_host(), _PIPE, "e = epoll_create1(0)", "epoll_ctl(e, EPOLL_CTL_ADD, r, EPOLLIN|EPOLLET)", 'write(w, "x")')
    done(oracle, "epoll_wait(e, BUF, 4, 0)")
    assert allowed(oracle, "epoll_wait(e, BUF, 4, 0)") == {"0 out 0"}
    done(oracle, 'write(w, "y")')
    assert allowed(oracle, "epoll_wait(e, BUF, 4, 0)") == {"1 out EPOLLIN"}
    after(oracle, "epoll_wait(e, BUF, 4, 0)", "read(r, buf(1))")
    assert allowed(oracle, "epoll_wait(e, BUF, 4, 0)") == {"0 out 0", "1 out EPOLLIN"}


def test_between_hosts_data_may_be_under_way() -> None:
    oracle = two_hosts()
    for step in ("server: l = socket(AF_INET, SOCK_STREAM, 0)", "server: bind(l, 0.0.0.0:80)", "server: listen(l, 1)",
                 "client: c = socket(AF_INET, SOCK_STREAM, 0)", "client: connect(c, server:80)", "server: a = accept(l)",
                 'client: send(c, "hello", 0)'):  # fmt: skip
        done(oracle, step)
    assert allowed(oracle, "poll(a, POLLIN, 0)", "server") == {"0 out 0", "1 out POLLIN"}
    assert allowed(oracle, "ioctl(a, FIONREAD)", "server") == {"0 out >=0"}
