"""What generated sequences found about addresses, routes, options: the model says what the kernel does, and the kernel does it."""

from pathlib import Path

import pytest
from model.sockets.explored_addresses import FOUND
from model.sockets.on_kernel import disagreements
from model.sockets.worlds import after, allowed, call, done, one_host, two_hosts

from netlab.model.sockets.oracle import Oracle
from netlab.model.sockets.outcomes import Seen


@pytest.mark.parametrize("name", FOUND)
def test_the_model_has_learnt_it(name: str) -> None:
    (*before, last), result = FOUND[name]
    assert allowed(after(one_host(), *before), last) == {result}


@pytest.mark.netns
def test_the_kernel_does_it(tmp_path: Path) -> None:
    assert disagreements({name: calls for name, (calls, _) in FOUND.items()}, tmp_path) == {}


def _with_strangers(oracle: Oracle) -> Oracle:
    """Something was sent of which the model does not know where it went."""
    after(oracle, "client: x = socket(AF_INET6, SOCK_DGRAM, 0)")
    step = oracle.returned(oracle.start("client", call('sendto(x, "x", 0, [ff02::1]:9)')), Seen(result=1))
    assert not step.judged
    return oracle


def test_where_others_may_reset_a_connection_its_later_errors_are_not_judged() -> None:
    oracle = after(
        two_hosts(),
        "server: l = socket(AF_INET, SOCK_STREAM, 0)",
        "server: bind(l, 10.0.0.2:20031)",
        "server: listen(l, 1)",
        "client: c = socket(AF_INET, SOCK_STREAM, 0)",
        "client: connect(c, 10.0.0.2:20031)",
    )
    assert allowed(oracle, "write(c, BADPTR[10])", "client") == {"EFAULT"}
    assert allowed(_with_strangers(oracle), "write(c, BADPTR[10])", "client") is None


def test_who_asks_a_forgotten_listener_is_forgotten_too() -> None:
    oracle = after(
        two_hosts(certain=False),
        "server: l = socket(AF_INET, SOCK_STREAM, 0)",
        "server: bind(l, 10.0.0.2:20032)",
        "server: listen(l, 1)",
        "client: c = socket(AF_INET, SOCK_STREAM|SOCK_NONBLOCK, 0)",
        "client: connect(c, 10.0.0.2:20032)",
    )
    _with_strangers(oracle)
    assert not oracle.returned(oracle.start("server", call("a = accept(l)")), Seen(result=4)).judged
    assert allowed(oracle, "getpeername(c)", "client") is None


def test_a_reset_may_come_back_while_a_call_still_takes_data() -> None:
    oracle = after(
        two_hosts(certain=False),
        "server: l = socket(AF_INET, SOCK_STREAM, 0)",
        "server: bind(l, 10.0.0.2:20033)",
        "server: listen(l, 1)",
        "client: c = socket(AF_INET, SOCK_STREAM|SOCK_NONBLOCK, 0)",
    )
    assert oracle.returned(oracle.start("client", call("connect(c, 10.0.0.2:20033)")), Seen(errno="EINPROGRESS", result=-1)).judged
    after(oracle, "server: a = accept(l)", "client: connect(c, 10.0.0.2:20033)")
    assert allowed(oracle, "send(c, buf(30000), MSG_DONTWAIT)", "client") == {"30000"}
    done(oracle, "server: close(a)")
    assert "1..30000" in (allowed(oracle, "send(c, buf(30000), MSG_DONTWAIT)", "client") or ())
    assert "1..1000" not in (allowed(oracle, "send(c, buf(1000), MSG_DONTWAIT)", "client") or ())


def test_what_reaches_a_set_within_a_set_is_seen_by_the_outer_one() -> None:
    oracle = after(
        one_host(certain=False),
        "c = socket(AF_INET, SOCK_STREAM|SOCK_NONBLOCK, 0)",
        "e = epoll_create1(0)",
        "f = epoll_create1(0)",
        "epoll_ctl(f, EPOLL_CTL_ADD, c, EPOLLIN)",
        "epoll_ctl(e, EPOLL_CTL_ADD, f, EPOLLIN)",
        "connect(c, 127.0.0.1:20034)",
    )
    assert allowed(oracle, "epoll_wait(e, 8, 0)") == {"0 out 0", "1 out EPOLLIN"}
