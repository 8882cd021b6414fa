"""What is not modelled leaves: what it may have changed is unknown, and what others do with that; the rest is judged."""

from model.sockets.worlds import after, allowed, call, done, one_host, two_hosts

from netlab.model.sockets.names import ANY_NAME, exists, path_key, way_error
from netlab.model.sockets.oracle import Oracle
from netlab.model.sockets.outcomes import Seen

_NOT_MODELLED = 'sendmsg(s, "x", 0, control={ucred:1,0,0})'
"""Whether there is such a process nobody knows."""


def _gave(oracle: Oracle, text: str, seen: Seen, process: str = "host") -> None:
    step = oracle.returned(oracle.start(process, call(text)), seen)
    assert step.inconsistency is None


def _waits(oracle: Oracle, text: str, process: str = "host") -> int:
    number = oracle.start(process, call(text))
    step = oracle.blocked(number)
    assert step.inconsistency is None
    assert not step.judged
    return number


def _stranger(oracle: Oracle) -> Oracle:
    """The oracle after a TCP socket, under descriptor 3, has done what is not modelled."""
    after(oracle, "s = socket(AF_INET, SOCK_STREAM)")
    _gave(oracle, 'sendto(s, "x", MSG_FASTOPEN, 127.0.0.1:9)', Seen(result=-1, errno="ECONNREFUSED"))
    return oracle


def test_names_are_still_known_after_a_socket_is_unknown() -> None:
    oracle = _stranger(one_host())
    assert allowed(oracle, 'access("x", 0)') == {"ENOENT"}
    after(oracle, 'mkfile("x")')
    assert allowed(oracle, 'mkfile("x/y")') == {"ENOTDIR"}


def test_the_way_of_a_doubtful_name_is_not_known() -> None:
    world = one_host().worlds[0]
    world.doubtful = frozenset((path_key("host", "x"),))
    assert (exists(world, path_key("host", "x")), way_error(world, "host", "x/y")) == (None, None)
    assert (exists(world, path_key("host", "z")), way_error(world, "host", "z/y")) == (False, "ENOENT")
    world.doubtful = frozenset((ANY_NAME,))
    assert (exists(world, path_key("host", "z")), way_error(world, "host", "z/y")) == (None, None)


def test_an_accept_of_which_nothing_is_known_has_its_number() -> None:
    oracle = after(_stranger(one_host()), "l = socket(AF_INET, SOCK_STREAM)", "listen(l, 1)")
    number = _waits(oracle, "accept(l)")
    assert allowed(oracle, "dup2(0, 5)") == {"EBUSY"}
    assert allowed(oracle, "lowest_free()") == {"fd"}
    assert oracle.worlds[0].processes["host"].lowest_free() == 6
    oracle.returned(number, Seen(result=5, out="127.0.0.1:9"))
    assert oracle.worlds[0].processes["host"].lowest_free() == 6


def test_a_close_that_waits_has_let_the_number_go() -> None:
    oracle = after(_stranger(one_host()), "t = socket(AF_INET, SOCK_STREAM)", "setsockopt(t, SOL_SOCKET, SO_LINGER, {linger:1,1})")
    number = oracle.start("host", call("connect(t, 127.0.0.1:9)"))
    oracle.returned(number, Seen())
    number = _waits(oracle, "close(t)")
    assert oracle.worlds[0].processes["host"].lowest_free() == 4
    after(oracle, "u = socket(AF_INET, SOCK_STREAM)")
    oracle.returned(number, Seen())
    assert oracle.worlds[0].processes["host"].lowest_free() == 5


def test_what_is_connected_to_something_unknown_is_unknown() -> None:
    oracle = after(one_host(), "s = socket(AF_UNIX, SOCK_DGRAM)", "(a, b) = socketpair(AF_UNIX, SOCK_DGRAM, 0)")
    after(oracle, "bind(s, abstract:n)", "c = socket(AF_UNIX, SOCK_DGRAM)", "connect(c, abstract:n)", 'send(s, "x")')
    _gave(oracle, _NOT_MODELLED, Seen(result=1))
    assert {allowed(oracle, f'send({one}, "x")') and one for one in ("s", "c")} == {None}


def test_a_descriptor_that_was_passed_to_somebody_unknown_is_unknown() -> None:
    oracle = after(one_host(), "(s, t) = socketpair(AF_UNIX, SOCK_DGRAM, 0)", "(a, b) = pipe()")
    _gave(oracle, _NOT_MODELLED, Seen(result=1))
    assert allowed(oracle, "read(a, buf(5))") == {"blocks"}
    _gave(oracle, 'sendmsg(s, "x", 0, control=rights(b))', Seen(result=1))
    assert allowed(oracle, "read(a, buf(5))") is None


def test_a_signal_ends_a_process_whatever_it_did() -> None:
    oracle = after(one_host(), "(s, t) = socketpair(AF_UNIX, SOCK_STREAM, 0)", "(a, b) = pipe()", "p = fork()")
    done(oracle, "close(b)", "host")
    assert allowed(oracle, "read(a, buf(5))", "host") == {"blocks"}
    _gave(oracle, _NOT_MODELLED, Seen(result=-1, signal="SIGPIPE"), "host/p")
    assert allowed(oracle, "read(a, buf(5))", "host") == {'0 out ""'}


def test_a_socket_that_is_put_over_by_something_unknown_ends() -> None:
    oracle = after(one_host(), "s = socket(AF_UNIX, SOCK_STREAM)", "(a, b) = pipe()")
    after(oracle, "(c, d) = socketpair(AF_UNIX, SOCK_DGRAM, 0)")
    _gave(oracle, _NOT_MODELLED.replace("(s,", "(c,"), Seen(result=1))
    _gave(oracle, "dup2(c, b)", Seen(result=5))
    assert allowed(oracle, "read(a, buf(5))") == {'0 out ""'}


def test_others_on_the_network_are_not_judged_then() -> None:
    oracle = after(two_hosts(), "client: s = socket(AF_INET, SOCK_STREAM)", "server: t = socket(AF_INET, SOCK_DGRAM)")
    _gave(oracle, 'sendto(s, "x", MSG_FASTOPEN, 10.0.0.2:9)', Seen(result=1), "client")
    assert allowed(oracle, "recv(t, buf(5), MSG_DONTWAIT)", "server") is None


def test_a_descriptor_of_a_process_that_came_with_a_message_has_its_number() -> None:
    oracle = after(one_host(), "(a, b) = socketpair(AF_UNIX, SOCK_DGRAM, 0)", "setsockopt(b, SOL_SOCKET, SO_PASSPIDFD, 1)")
    after(oracle, 'send(a, "h")')
    _gave(oracle, "recvmsg(b, buf(5))", Seen(result=1, out={"data": '"h"', "control": {"1/4": "05000000"}}))
    assert oracle.worlds[0].processes["host"].lowest_free() == 6


def test_what_waits_with_something_unknown_is_unknown_at_once() -> None:
    oracle = after(one_host(), "(s, t) = socketpair(AF_UNIX, SOCK_STREAM, 0)", "setsockopt(s, SOL_SOCKET, SO_PEEK_OFF, 1)")
    assert allowed(oracle, "poll(t, POLLIN|POLLOUT, 0)") == {"1 out POLLOUT"}
    _waits(oracle, "recv(s, buf(5), MSG_PEEK)")
    assert allowed(oracle, "poll(t, POLLIN|POLLOUT, 0)") is None


def test_what_fails_to_send_may_have_got_a_port_all_the_same() -> None:
    oracle = after(one_host(), "s = socket(AF_INET6, SOCK_DGRAM, 0)")
    assert not oracle.returned(oracle.start("host", call("fill(s)")), Seen(result=-1, errno="EDESTADDRREQ")).judged
    assert allowed(oracle, "bind(s, [::]:4000)") is None


def test_a_connection_that_gets_another_interface_afterwards_is_not_followed() -> None:
    oracle = after(one_host(), "l = socket(AF_INET, SOCK_STREAM, 0)", "bind(l, 127.0.0.1:4000)", "listen(l, 1)")
    after(oracle, "c = socket(AF_INET, SOCK_STREAM, 0)", "connect(c, 127.0.0.1:4000)", "a = accept(l)")
    for option in ('SO_BINDTODEVICE, "lo"', "SO_BINDTOIFINDEX, 1", 'SO_BINDTODEVICE, ""'):
        assert allowed(oracle, f"setsockopt(c, SOL_SOCKET, {option})") == {"0"}, "that is where its segments come in"
    oracle = two_hosts()
    for step in ("l = socket(AF_INET, SOCK_STREAM, 0)", "bind(l, 0.0.0.0:4000)", "listen(l, 1)"):
        done(oracle, step, "server")
    for step in ("c = socket(AF_INET, SOCK_STREAM, 0)", "connect(c, 10.0.0.2:4000)"):
        done(oracle, step, "client")
    assert allowed(oracle, 'setsockopt(c, SOL_SOCKET, SO_BINDTODEVICE, "lo")', "client") is None
    _gave(oracle, 'setsockopt(c, SOL_SOCKET, SO_BINDTODEVICE, "lo")', Seen(result=0), "client")
    assert allowed(oracle, "a = accept(l)", "server") is None
