"""Steps as people write them become data; what is wrong is named with its column and a fix."""

import pytest

from netlab.notation.calls import Bound, Call, CallText, JoinText, Result, RunText
from netlab.notation.parse import NotationError, parse_result, parse_step, parse_value
from netlab.notation.values import (
    BadPointer,
    Buffer,
    Constant,
    Name,
    Number,
    Parts,
    Rights,
    SocketAddress,
    Structure,
    Text,
    Value,
)
from netlab.units import milliseconds


def test_a_step_says_call_job_result_and_time() -> None:
    assert parse_step("a = accept(s) & as j -> fd took >=95ms, <1s") == CallText(
        Call("accept", (Name("s"),), (), ("a",)),
        "j",
        Result("fd"),
        (Bound(">=", milliseconds(95)), Bound("<", milliseconds(1000))),
    )


def test_a_pair_binds_two_names() -> None:
    step = parse_step("(a,b) = socketpair(AF_UNIX,SOCK_STREAM|SOCK_CLOEXEC,0)")
    assert step == CallText(
        Call(
            "socketpair",
            (Constant(("AF_UNIX",)), Constant(("SOCK_STREAM", "SOCK_CLOEXEC")), Number(0)),
            (),
            ("a", "b"),
        )
    )


def test_join_waits_for_a_job() -> None:
    assert parse_step("join j -> EAGAIN") == JoinText("j", Result("errno", errno="EAGAIN"))


def test_a_program_is_split_as_a_shell_splits_and_ends_at_job_or_result() -> None:
    step = parse_step("""run sh -c "echo 'a & b' -> c" took & as j -> 1 took <2s""")
    assert step == RunText(
        ("sh", "-c", "echo 'a & b' -> c", "took"), "j", Result("value", value=1), (Bound("<", milliseconds(2000)),)
    )


def test_a_program_must_end_well_unless_said() -> None:
    assert parse_step("run true") == RunText(("true",), "", Result("value", value=0))


def test_a_call_may_be_what_another_one_is_about() -> None:
    put_off = parse_step("after(200, a=accept(l)) -> 0")
    assert put_off == CallText(Call("after", (Number(200), Call("accept", (Name("l"),), (), ("a",)))), "", Result("value", value=0))
    inside = parse_step('child(send(s, "x", 0)) -> signal SIGPIPE')
    assert isinstance(inside, CallText)
    assert inside.call.inner == Call("send", (Name("s"), Text(b"x"), Number(0)))


def test_arguments_by_name_stay_by_name() -> None:
    step = parse_step("sendmsg(s, buf(8), 0, addr=@b, addrlen=1, control=rights(c, d))")
    assert isinstance(step, CallText)
    assert step.call.keywords == (
        ("addr", SocketAddress("name", "b")),
        ("addrlen", Number(1)),
        ("control", Rights(("c", "d"))),
    )


VALUES: list[tuple[str, Value]] = [
    ("0x10", Number(16)),
    ("-1", Number(-1)),
    ("0644", Number(0o644)),
    ("SOCK_STREAM", Constant(("SOCK_STREAM",))),
    ("SOCK_STREAM|4", Constant(("SOCK_STREAM", 4))),
    ("s1", Name("s1")),
    ("BUF", Name("BUF")),
    ('iov("ab", buf(3), NULL[4])', Parts((Text(b"ab"), Buffer(3), BadPointer(True, 4)))),
    ("iov()", Parts(())),
    (r'"a\n\x00\"\\"', Text(b'a\n\x00"\\')),
    ('"é"', Text("é".encode())),
    ("buf(10)", Buffer(10)),
    ("#10", Buffer(10)),
    ("NULL", BadPointer(null=True)),
    ("BADPTR[7]", BadPointer(null=False, size=7)),
    ("BADPTR#7", BadPointer(null=False, size=7)),
    ("10.0.0.1:80", SocketAddress("ip", "10.0.0.1", 80)),
    ("[::ffff:127.0.0.1]:0", SocketAddress("ip", "::ffff:127.0.0.1", 0)),
    ("server:8080", SocketAddress("node", "server", 8080)),
    ("my-server.eth1:8080", SocketAddress("node", "my-server", 8080, interface="eth1")),
    ("server:@u", SocketAddress("node", "server", port_of="u")),
    ("@x", SocketAddress("name", "x")),
    ("@x:port0", SocketAddress("name", "x", variant="port0")),
    ("unix:/tmp/x-1", SocketAddress("unix", "/tmp/x-1", variant="path")),
    ('unix:"a, b"', SocketAddress("unix", "a, b", variant="path")),
    ("abstract:h1", SocketAddress("unix", "h1", variant="abstract")),
    ("unixfamilyonly", SocketAddress("unix", variant="unnamed")),
    ("unspec", SocketAddress("family", port=0)),
    ("family7", SocketAddress("family", port=7)),
    ("if:lo", SocketAddress("interface", interface="lo")),
    ("{linger:1,-5}", Structure("linger", (1, -5))),
    ("{ip_mreq:239.1.1.1,10.0.0.1}", Structure("ip_mreq", (0xEF010101, 0x0A000001))),
    ("{ip_mreqn:239.1.1.1,0.0.0.0,1}", Structure("ip_mreqn", (0xEF010101, 0, 1))),
    ("{ucred:p,65534,0}", Structure("ucred", ("p", 65534, 0))),
    ("rights(a, b)", Rights(("a", "b"))),
]


@pytest.mark.parametrize(("text", "value"), VALUES, ids=[text for text, _ in VALUES])
def test_values(text: str, value: Value) -> None:
    assert parse_value(text) == value


def test_a_number_after_an_address_is_its_length() -> None:
    step = parse_step("bind(s, 0.0.0.0:0, 3)")
    assert isinstance(step, CallText)
    assert step.call.arguments == (Name("s"), SocketAddress("ip", "0.0.0.0", 0, length=3))


RESULTS = [
    ("0", Result("value", value=0)),
    ("-1", Result("value", value=-1)),
    ("EWOULDBLOCK", Result("errno", errno="EAGAIN")),
    ("ENOTSUP", Result("errno", errno="EOPNOTSUPP")),
    ("fd", Result("fd")),
    ("blocks", Result("blocks")),
    ("?", Result("any")),
    ("partial", Result("partial")),
    (">=1", Result("at_least", value=1)),
    ("&FD_CLOEXEC", Result("flag", flags=("FD_CLOEXEC",))),
    ("!&O_NONBLOCK|4", Result("no_flag", flags=("O_NONBLOCK", 4))),
    ("=x", Result("same", name="x")),
    ("signal SIGPIPE", Result("signal", errno="SIGPIPE")),
    ("SIGPIPE", Result("signal", errno="SIGPIPE")),
    ("fd out 10.0.0.1:*", Result("fd", out="10.0.0.1:*")),
    ('5 out {data: "he said out", flags: 0}', Result("value", value=5, out='{data: "he said out", flags: 0}')),
]


@pytest.mark.parametrize(("text", "result"), RESULTS, ids=[text for text, _ in RESULTS])
def test_results(text: str, result: Result) -> None:
    assert parse_result(text) == result


def test_out_may_hold_the_word_took() -> None:
    step = parse_step('recv(s, buf(9)) -> 9 out "took five" took <1s')
    assert isinstance(step, CallText)
    assert (step.result.out, step.took) == ('"took five"', (Bound("<", milliseconds(1000)),))


WRONG = [
    ("sock(1)", 0, 'did you mean "socket"?'),
    ("s = socket(AF_INET, SOCK_STREM, 0)", 20, 'did you mean "SOCK_STREAM"?'),
    ("bind(s)", 0, "it is written bind(fd, address[, length])"),
    ("accept4(s)", 0, "it is written accept4(fd[, address][, length], flags[, addr=][, addrlen=])"),
    ("x = close(s)", 0, ""),
    ("fork()", 0, "write p = fork(); its steps are those of HOST/p"),
    ("recv(a, buf(10) -> 3", 16, ""),
    ("connect(c, server:80800)", 18, ""),
    ("connect(c, server)", 11, "write server:8080 for a port of host server, or @server for what getsockname gives"),
    ("connect(c, 10.0.0.1)", 19, "write 10.0.0.1:8080, or 10.0.0.1:0 for a port that the kernel chooses"),
    ("connect(c, 10.0.0.256:1)", 11, ""),
    ("connect(c, [::g]:1)", 12, ""),
    ("connect(c, @s:maped)", 14, 'did you mean "mapped"?'),
    ("recv(a, 10)", 8, 'write buf(10), "hello", NULL[10] or BADPTR[10]'),
    ("recv(a, buf(1)) -> EAGIN", 19, 'did you mean "EAGAIN"?'),
    ("recv(a, buf(1)) -> block", 19, 'did you mean "blocks"?'),
    ("recv(a, buf(1)) -> signal SIGPIP", 26, 'did you mean "SIGPIPE"?'),
    ("recv(a, buf(1)) -> 0 out", 24, "write for example -> 0 out 0"),
    ("recv(a, buf(1)) -> 0 1", 21, ""),
    ("accept(s) & j", 12, "write & as j, and later: join j"),
    ("accept(s) tok <1s", 10, 'did you mean "took"?'),
    ("accept(s) took 1s", 15, "write for example took >=95ms or took <1s"),
    ('send(s, "abc', 8, 'add a closing "'),
    (r'send(s, "a\q")', 10, r"write \\q for a backslash"),
    ("setsockopt(s, SOL_SOCKET, SO_LINGER, {liner:1,5})", 38, 'did you mean "linger"?'),
    ("setsockopt(s, SOL_SOCKET, SO_LINGER, {linger:1})", 38, ""),
    ('sendmsg(a, iov("x", 1))', 20, 'write for example iov("ab", "cde") or iov(buf(2), buf(8))'),
    ('send(a, iov("x", "y"))', 8, 'write buf(10), "hello", NULL[10] or BADPTR[10]'),
    ('sendmsg(a, "x", 0, contrl=1)', 19, 'did you mean "control"?'),
    ("NULL = socket(1, 2)", 0, "choose another name"),
    ("poll(a, POLLIN, b, 5)", 0, "it is written poll(fd, events[, fd, events ...], timeout)"),
    ("after(5, 6)", 9, "write for example after(200, write(c, buf(1))) or child(close(s))"),
    ("child(clos(s))", 6, 'did you mean "close"?'),
    ("child(child(close(s)))", 6, ""),
    ("child(p=fork())", 6, ""),
    ("after(close(s))", 0, "it is written after(time, call)"),
    ('sleep("a")', 6, "time is a number of milliseconds"),
    ("join", 4, ""),
    ("run", 3, 'write for example run nc -l 8080, or run sh -c "..."'),
    ("", 0, "write for example s = socket(AF_INET, SOCK_STREAM, 0)"),
]


@pytest.mark.parametrize(("text", "offset", "fix"), WRONG, ids=[text for text, _, _ in WRONG])
def test_what_is_wrong_is_told_with_its_column_and_fix(text: str, offset: int, fix: str) -> None:
    with pytest.raises(NotationError) as caught:
        parse_step(text)
    assert (caught.value.offset, caught.value.fix) == (offset, fix), str(caught.value)
