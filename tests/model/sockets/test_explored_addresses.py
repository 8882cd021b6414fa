"""What generated sequences found about addresses, routes, options: the model says what the kernel does, and the kernel does it."""

from pathlib import Path

import pytest
from model.sockets.explored_addresses import FOUND
from model.sockets.on_kernel import disagreements
from model.sockets.worlds import after, allowed, call, done, one_host, two_hosts

from netlab.model.sockets.beginning import with_process
from netlab.model.sockets.oracle import Oracle
from netlab.model.sockets.outcomes import Seen
from netlab.model.sockets.world import Host, World


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


def test_a_broadcast_that_a_socket_may_not_get_hides_nothing() -> None:
    oracle = after(
        two_hosts(certain=False),
        "server: u = socket(AF_INET, SOCK_DGRAM, 0)",
        "server: bind(u, 10.0.0.2:20035)",
        "client: v = socket(AF_INET, SOCK_DGRAM, 0)",
        "client: setsockopt(v, SOL_SOCKET, SO_BROADCAST, 1)",
        'client: sendto(v, "one", 0, 10.0.0.255:20035)',
        'client: sendto(v, "two", 0, 10.0.0.2:20035)',
        'client: sendto(v, "four", 0, 10.0.0.2:20035)',
    )
    assert allowed(oracle, "recv(u, buf(9), MSG_DONTWAIT)", "server") == {'3 out "one"', '3 out "two"', "EAGAIN"}


def test_no_reset_comes_to_the_loopback_address_from_another_one_of_the_host() -> None:
    oracle = after(
        two_hosts(),
        "client: s = socket(AF_INET6, SOCK_STREAM|SOCK_NONBLOCK, 0)",
        "client: bind(s, [::1]:0)",
        "client: connect(s, [fd00::1]:20036)",
    )
    assert allowed(oracle, "connect(s, [fd00::1]:20036)", "client") == {"EALREADY"}


def test_a_socket_that_was_connected_to_a_mapped_address_is_not_followed_to_one_of_ipv6() -> None:
    oracle = after(one_host(), "s = socket(AF_INET6, SOCK_STREAM, 0)", "connect(s, [::ffff:127.0.0.1]:20037)")
    assert allowed(oracle, "connect(s, [::ffff:127.0.0.1]:20037)") == {"blocks", "ECONNREFUSED"}
    assert allowed(oracle, "connect(s, [::1]:20037)") is None


def test_of_two_calls_that_wait_for_a_connection_one_alone_is_told_why_it_failed() -> None:
    oracle = after(
        one_host(),
        "l = socket(AF_INET, SOCK_STREAM, 0)",
        "bind(l, 127.0.0.1:20038)",
        "listen(l, 0)",
        "c = socket(AF_INET, SOCK_STREAM, 0)",
        "connect(c, 127.0.0.1:20038)",
        "s = socket(AF_INET, SOCK_STREAM, 0)",
    )
    first, second = (oracle.start("host", call("connect(s, 127.0.0.1:20038)")) for _ in range(2))
    assert oracle.blocked(first).inconsistency is None
    assert oracle.blocked(second).inconsistency is None
    done(oracle, "shutdown(s, SHUT_WR)")
    assert oracle.returned(first, Seen(result=-1, errno="EPIPE")).judged
    assert oracle.returned(second, Seen(result=-1, errno="EPIPE")).inconsistency is not None


def test_where_a_connected_socket_sends_after_it_kept_data_back_for_somebody_else_is_not_modelled() -> None:
    oracle = after(
        one_host(),
        "s = socket(AF_INET, SOCK_DGRAM, 0)",
        "connect(s, 127.0.0.1:20039)",
        'sendto(s, "a", MSG_MORE, 127.0.0.1:20040)',
        'sendto(s, "b", 0, 127.0.0.1:20040)',
    )
    assert allowed(oracle, 'send(s, "c")') is None
    assert allowed(oracle, 'sendto(s, "c", 0, 127.0.0.1:20040)') == {"1"}
    assert allowed(after(oracle, "connect(s, 127.0.0.1:20039)"), 'send(s, "c")') == {"1"}


def test_connect_that_fails_may_have_forgotten_the_route_to_the_peer() -> None:
    oracle = after(one_host(), "s = socket(AF_INET, SOCK_DGRAM, 0)", "connect(s, 127.0.0.1:9)")
    assert allowed(oracle, "getsockopt(s, IPPROTO_IP, IP_MTU)") == {"0 out 65535"}
    after(oracle, "connect(s, 192.0.2.1:9)")
    assert allowed(oracle, "getsockopt(s, IPPROTO_IP, IP_MTU)") == {"0 out 65535", "ENOTCONN"}


def test_where_the_system_says_so_sockets_of_ipv6_are_for_ipv6_alone() -> None:
    host = Host(name="host", sysctls={"net.ipv6.bindv6only": "1"})
    oracle = after(Oracle(with_process(World(hosts={"host": host}), "host", "host")), "s = socket(AF_INET6, SOCK_DGRAM, 0)")
    assert allowed(oracle, "getsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY)") == {"0 out 1"}
    assert allowed(oracle, "connect(s, [::ffff:127.0.0.1]:9)") == {"ENETUNREACH"}


def test_the_loopback_address_is_no_other_interfaces() -> None:
    oracle = after(
        two_hosts(), "client: s = socket(AF_INET6, SOCK_DGRAM, 0)", "client: setsockopt(s, SOL_SOCKET, SO_BINDTOIFINDEX, 2)"
    )
    assert allowed(oracle, "bind(s, [::1]:0)", "client") == {"EADDRNOTAVAIL"}
    assert allowed(oracle, "bind(s, [fd00::1]:0)", "client") == {"0"}
