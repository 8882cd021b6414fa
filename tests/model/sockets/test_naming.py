"""What the model allows of names: bind(), getsockname(), getpeername(), in worlds of one host and of two; no kernel."""

import pytest
from model.sockets.worlds import after, allowed, done, one_host, two_hosts

TCP, TCP6 = "s = socket(AF_INET, SOCK_STREAM, 0)", "s = socket(AF_INET6, SOCK_STREAM, 0)"
UNIX, RAW = "s = socket(AF_UNIX, SOCK_STREAM, 0)", "s = socket(AF_INET, SOCK_RAW, 17)"
REUSE = "setsockopt({}, SOL_SOCKET, SO_REUSEADDR, 1)"


@pytest.mark.parametrize(
    ("made", "call", "outcome"),
    [
        (TCP, "bind(s, 127.0.0.1:0)", "0"),
        (TCP, "bind(s, 127.0.0.1:0, 15)", "EINVAL"),
        (TCP, "bind(s, 127.0.0.1:0, 129)", "EINVAL"),
        (TCP, "bind(s, BADPTR)", "EFAULT"),
        (TCP, "bind(s, [::1]:0)", "EAFNOSUPPORT"),
        (TCP, "bind(s, unspec)", "0"),
        (TCP, "bind(s, family7)", "EAFNOSUPPORT"),
        (TCP, "bind(s, 10.0.0.9:0)", "EADDRNOTAVAIL"),
        (TCP, "bind(s, 224.0.0.1:0)", "0"),
        (TCP6, "bind(s, 127.0.0.1:0)", "EINVAL"),
        (TCP6, "bind(s, 127.0.0.1:0, 28)", "EAFNOSUPPORT"),
        (TCP6, "bind(s, unspec, 28)", "EAFNOSUPPORT"),
        (TCP6, "bind(s, [::ffff:127.0.0.1]:0)", "0"),
        (TCP6, "bind(s, [ff02::1]:0)", "EINVAL"),
        (TCP6, "bind(s, [fe80::1]:0)", "EINVAL"),
        (UNIX, "bind(s, unix:name)", "0"),
        (UNIX, "bind(s, unix:no/name)", "ENOENT"),
        (UNIX, "bind(s, 127.0.0.1:0)", "EINVAL"),
        (RAW, "bind(s, 1.0.0.0:0)", "EADDRNOTAVAIL"),
        (RAW, "bind(s, unspec)", "0"),
        ("s = pipe()", "bind(99, 127.0.0.1:0)", "EBADF"),
        ("(s, t) = pipe()", "bind(s, BADPTR)", "ENOTSOCK"),
    ],
)
def test_what_bind_makes_of_an_address(made: str, call: str, outcome: str) -> None:
    if made == "s = pipe()":
        made = "(s, t) = pipe()"
    assert allowed(after(one_host(), made), call) == {outcome}


def test_a_socket_is_bound_once() -> None:
    oracle = after(one_host(), TCP, "bind(s, 127.0.0.1:7000)")
    assert allowed(oracle, "bind(s, 127.0.0.1:7001)") == {"EINVAL"}
    assert allowed(oracle, "bind(s, 10.0.0.9:7001)") == {"EADDRNOTAVAIL"}, "whether it is ours is looked at before"
    assert allowed(oracle, "getsockname(s)") == {"0 out 127.0.0.1:7000"}
    assert allowed(oracle, "getpeername(s)") == {"ENOTCONN"}


def test_a_port_that_the_kernel_chose_is_learnt() -> None:
    oracle = after(one_host(), TCP, "bind(s, 127.0.0.1:0)", "t = socket(AF_INET, SOCK_STREAM, 0)")
    assert allowed(oracle, "getsockname(s)") == {"0 out 127.0.0.1:*"}
    assert allowed(oracle, "bind(t, @s)") == {"EADDRINUSE"}
    assert allowed(oracle, "bind(t, @s:any4)") == {"EADDRINUSE"}
    assert allowed(oracle, "bind(t, 127.0.0.1:40000)") == {"0", "EADDRINUSE"}, "it may be the one that was chosen"
    assert allowed(oracle, "bind(t, 127.0.0.1:7000)") == {"0"}


def test_sharing_needs_the_option_on_both_and_no_listener() -> None:
    other = "t = socket(AF_INET, SOCK_STREAM, 0)"
    bound = (TCP, REUSE.format("s"), "bind(s, 127.0.0.1:7000)", other)
    assert allowed(after(one_host(), *bound), "bind(t, 127.0.0.1:7000)") == {"EADDRINUSE"}
    assert allowed(after(one_host(), *bound, REUSE.format("t")), "bind(t, 0.0.0.0:7000)") == {"0"}
    assert allowed(after(one_host(), *bound, REUSE.format("t"), "listen(s, 1)"), "bind(t, 0.0.0.0:7000)") == {"EADDRINUSE"}


def test_the_same_port_of_another_protocol_or_host_is_another() -> None:
    assert allowed(
        after(one_host(), TCP, "bind(s, 0.0.0.0:7000)", "u = socket(AF_INET, SOCK_DGRAM, 0)"), "bind(u, 0.0.0.0:7000)"
    ) == {"0"}
    oracle = after(two_hosts(), f"client: {TCP}", "client: bind(s, 0.0.0.0:7000)", f"server: {TCP}")
    assert allowed(oracle, "bind(s, 0.0.0.0:7000)", "server") == {"0"}
    assert allowed(oracle, "bind(s, 10.0.0.1:7001)", "server") == {"EADDRNOTAVAIL"}


def test_privileged_ports_are_for_root() -> None:
    oracle = after(one_host(), TCP, "seteuid(65534)")
    assert allowed(oracle, "bind(s, 0.0.0.0:80)") == {"EACCES"}
    assert allowed(oracle, "bind(s, 9.9.9.9:80)") == {"EADDRNOTAVAIL"}
    assert allowed(oracle, "bind(s, 0.0.0.0:1024)") == {"0"}
    six = after(one_host(), TCP6, "seteuid(65534)")
    assert allowed(six, "bind(s, [2001:db8::1]:80)") == {"EACCES"}, "IPv6 looks at the port first"


def test_names_of_unix_sockets() -> None:
    oracle = after(one_host(), UNIX, "t = socket(AF_UNIX, SOCK_STREAM, 0)", "u = socket(AF_UNIX, SOCK_DGRAM, 0)")
    assert allowed(oracle, "getsockname(s)") == {"0 out unixfamilyonly"}
    after(oracle, "bind(s, abstract:x)")
    assert allowed(oracle, "bind(t, abstract:x)") == {"EADDRINUSE"}
    assert allowed(oracle, "bind(u, abstract:x)") == {"0"}, "abstract names are apart by type"
    after(oracle, "bind(t, unix:p)")
    assert allowed(oracle, "bind(u, unix:./p)") == {"EADDRINUSE"}, "paths are not"
    assert allowed(oracle, "bind(t, unix:p)") == {"EADDRINUSE"}, "the path is looked at before the socket's own name"
    assert allowed(oracle, "bind(t, unix:q)") == {"EINVAL"}
    after(oracle, 'unlink("p")')
    assert allowed(oracle, "bind(u, unix:p)") == {"0"}
    assert allowed(oracle, "getsockname(t)") == {"0 out unix:p"}


def test_a_name_that_the_kernel_chose_is_the_socket_s_alone() -> None:
    oracle = after(one_host(), UNIX, "bind(s, unixfamilyonly)", "t = socket(AF_UNIX, SOCK_STREAM, 0)")
    assert allowed(oracle, "getsockname(s)") == {"0 out abstract:*"}
    assert allowed(oracle, "bind(t, @s)") == {"EADDRINUSE"}
    assert allowed(oracle, "bind(s, unixfamilyonly)") == {"0"}


@pytest.mark.parametrize(
    ("arguments", "outcome"),
    [
        ("", "0 out 127.0.0.1:7000"),
        (", BUF, 200", "0 out 127.0.0.1:7000"),
        (", BUF, 3", "0 out family2"),
        (", BUF, 0", "0 out "),
        (", BUF, -1", "EINVAL"),
        (", NULL", "EFAULT"),
        (", NULL, 0", "0"),
        (", BADPTR", "EFAULT"),
        (", BUF, BADPTR", "EFAULT"),
    ],
)
def test_what_is_written_of_a_name(arguments: str, outcome: str) -> None:
    assert allowed(after(one_host(), TCP, "bind(s, 127.0.0.1:7000)"), f"getsockname(s{arguments})") == {outcome}


def test_a_name_that_is_cut_off_tells_its_whole_length() -> None:
    oracle = after(one_host(), TCP, "bind(s, 127.0.0.1:7000)")
    found = done(oracle, "getsockname(s, buf(4), 4)").outcome.shown()
    assert found == {"ret": 0, "out": {"addrlen": 16, "data": r'"\x02\x00\x1bX"'}}


def test_without_a_peer_nothing_else_is_looked_at() -> None:
    for call in ("getpeername(s)", "getpeername(s, BADPTR)", "getpeername(s, BUF, -1)"):
        assert allowed(after(one_host(), TCP), call) == {"ENOTCONN"}
