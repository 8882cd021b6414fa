"""Datagrams, UNIX sockets and what is passed with their messages: timelines of calls, and all that may come of the last one."""

import pytest
from model.sockets.message_sequences import sequences
from model.sockets.worlds import after, allowed, call, determined, done, one_host, two_hosts

from netlab.model.sockets.oracle import Oracle

_OPEN = ("stream fill", "stream block", "udp small sndbuf rcvbuf", "fill")
"""How much a full buffer takes is bounds."""


@pytest.mark.parametrize("name", [name for name in sequences() if name not in _OPEN])
def test_on_one_host_everything_is_determined(name: str) -> None:
    determined(sequences()[name])


def udp_pair() -> Oracle:
    """b bound at the server, c at the client connected to it."""
    return after(
        two_hosts(),
        "server: b = socket(AF_INET, SOCK_DGRAM|SOCK_NONBLOCK)",
        "server: bind(b, 0.0.0.0:4000)",
        "client: c = socket(AF_INET, SOCK_DGRAM|SOCK_NONBLOCK)",
        "client: connect(c, server:4000)",
    )


def test_between_hosts_a_datagram_may_still_be_under_way() -> None:
    oracle = after(udp_pair(), 'client: send(c, "hello", 0)')
    assert allowed(oracle, "recv(b, buf(9), 0)", "server") == {'5 out "hello"', "EAGAIN"}


def test_what_has_been_received_is_not_received_again() -> None:
    oracle = after(udp_pair(), 'client: send(c, "hello", 0)', "server: recv(b, buf(9), 0)")
    assert allowed(oracle, "recv(b, buf(9), 0)", "server") == {"EAGAIN"}


def test_datagrams_of_one_sender_come_in_order() -> None:
    oracle = after(udp_pair(), 'client: send(c, "1", 0)', 'client: send(c, "2", 0)')
    assert allowed(oracle, "recv(b, buf(9), 0)", "server") == {'1 out "1"', "EAGAIN"}


def test_an_error_may_come_back_from_another_host_or_be_on_its_way() -> None:
    oracle = after(udp_pair(), "server: close(b)", 'client: send(c, "hello", 0)')
    assert allowed(oracle, 'send(c, "x", 0)', "client") == {"1", "ECONNREFUSED"}


def test_a_sender_without_peer_learns_of_no_error() -> None:
    oracle = after(
        two_hosts(),
        "client: c = socket(AF_INET, SOCK_DGRAM|SOCK_NONBLOCK)",
        'client: sendto(c, "x", 0, server:4000)',
    )
    assert allowed(oracle, 'sendto(c, "x", 0, server:4000)', "client") == {"1"}


def test_the_name_of_a_connected_socket_is_the_route_s() -> None:
    assert allowed(udp_pair(), "getsockname(c)", "client") == {"0 out 10.0.0.1:*"}


def test_a_more_specific_socket_gets_the_datagram() -> None:
    oracle = after(
        one_host(),
        "w = socket(AF_INET, SOCK_DGRAM|SOCK_NONBLOCK)",
        "setsockopt(w, SOL_SOCKET, SO_REUSEADDR, 1)",
        "bind(w, 0.0.0.0:4000)",
        "p = socket(AF_INET, SOCK_DGRAM|SOCK_NONBLOCK)",
        "setsockopt(p, SOL_SOCKET, SO_REUSEADDR, 1)",
        "bind(p, 127.0.0.1:4000)",
        "s = socket(AF_INET, SOCK_DGRAM)",
        'sendto(s, "x", 0, 127.0.0.1:4000)',
    )
    assert allowed(oracle, "recv(w, buf(1), 0)") == {"EAGAIN"}
    assert allowed(oracle, "recv(p, buf(1), 0)") == {'1 out "x"'}


def test_sockets_that_share_a_port_get_a_datagram_by_the_kernel_s_choice() -> None:
    oracle = after(
        one_host(),
        "p = socket(AF_INET, SOCK_DGRAM|SOCK_NONBLOCK)",
        "setsockopt(p, SOL_SOCKET, SO_REUSEPORT, 1)",
        "bind(p, 127.0.0.1:4000)",
        "q = socket(AF_INET, SOCK_DGRAM|SOCK_NONBLOCK)",
        "setsockopt(q, SOL_SOCKET, SO_REUSEPORT, 1)",
        "bind(q, 127.0.0.1:4000)",
        "s = socket(AF_INET, SOCK_DGRAM)",
        'sendto(s, "x", 0, 127.0.0.1:4000)',
    )
    assert allowed(oracle, "recv(p, buf(1), 0)") == {'1 out "x"', "EAGAIN"}
    done(oracle, "recv(p, buf(1), 0)")
    assert allowed(oracle, "recv(q, buf(1), 0)") == {"EAGAIN"}


@pytest.mark.parametrize(
    ("signal", "wanted"), [("default(SIGPIPE)", {"signal SIGPIPE"}), ("handle(SIGPIPE)", {"EPIPE and SIGPIPE"}), (None, {"EPIPE"})]
)
def test_a_broken_stream_sends_the_signal_that_the_process_handles(signal: str | None, wanted: set[str]) -> None:
    steps = ["(a, b) = socketpair(AF_UNIX, SOCK_STREAM)", "close(b)"] + ([signal] if signal else [])
    oracle = after(one_host(), *steps)
    assert allowed(oracle, 'send(a, "x", 0)') == wanted
    assert allowed(oracle, 'send(a, "x", MSG_NOSIGNAL)') == {"EPIPE"}


def test_a_descriptor_in_flight_keeps_its_socket_open() -> None:
    oracle = after(
        one_host(),
        "(a, b) = socketpair(AF_UNIX, SOCK_STREAM)",
        "(c, d) = socketpair(AF_UNIX, SOCK_STREAM)",
        'sendmsg(a, "x", 0, control=rights(c))',
        "close(c)",
    )
    assert allowed(oracle, "recv(d, buf(1), MSG_DONTWAIT)") == {"EAGAIN"}
    after(oracle, "close(b)")
    assert allowed(oracle, "recv(d, buf(1), MSG_DONTWAIT)") == {'0 out ""'}


def test_passed_descriptors_get_the_lowest_free_numbers() -> None:
    oracle = after(
        one_host(),
        "(a, b) = socketpair(AF_UNIX, SOCK_DGRAM)",
        'sendmsg(a, "x", 0, control=rights(a, b))',
    )
    found = oracle.allowed("host", call("recvmsg(b, buf(3), 0, control=rights(e, f))"))
    assert found is not None
    assert [one.outcome.shown()["out"]["control"] for one in found] == [{"SCM_RIGHTS": [5, 6]}]


def test_a_full_stream_takes_no_more_and_a_read_makes_room() -> None:
    oracle = after(
        one_host(),
        "(a, b) = socketpair(AF_UNIX, SOCK_STREAM|SOCK_NONBLOCK)",
        "setsockopt(a, SOL_SOCKET, SO_SNDBUF, 5000)",
        "send(a, buf(4900), 0)",
        "send(a, buf(4900), 0)",
        "send(a, buf(4900), 0)",
    )
    assert allowed(oracle, "send(a, buf(10), 0)") == {"EAGAIN"}
    after(oracle, "recv(b, buf(20000), 0)")
    assert allowed(oracle, "send(a, buf(10), 0)") == {"10"}


def test_what_the_model_does_not_know_it_does_not_judge() -> None:
    oracle = after(one_host(), "(a, b) = socketpair(AF_UNIX, SOCK_STREAM)", "s = socket(AF_UNIX, SOCK_STREAM)")
    assert allowed(oracle, 'send(a, "x", MSG_OOB)') is None
    assert allowed(oracle, "connect(s, unix:/tmp/nobody-knows)") is None
