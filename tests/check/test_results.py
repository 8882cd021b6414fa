"""Results of calls against what their steps ask for: each form has one that holds and one that does not."""

from typing import Any

import pytest

from netlab.check.results import check_result
from netlab.notation.calls import Call, CallText
from netlab.notation.parse import parse_result, parse_step
from netlab.notation.pattern import pattern
from netlab.notation.printing import print_data

NAMES = {"x": 5, "p": 21}
ADDRESSES = {"b": "127.0.0.1:7000"}
HOSTS = {"client": ["10.0.0.1", "fd00::1"]}


def call_of(text: str) -> Call:
    step = parse_step(text)
    assert isinstance(step, CallText)
    return step.call


SEND = call_of("send(s, buf(100))")


def found(text: str, ret: int | None, errno: str = "", out: Any = None, signal: str = "", call: Call = SEND) -> tuple[Any, ...]:
    return check_result(
        parse_result(text), call=call, ret=ret, errno=errno, signal=signal, out=out, names=NAMES, addresses=ADDRESSES, hosts=HOSTS
    )


HOLD: list[tuple[str, int | None, str, Any]] = [
    ("?", -1, "EINVAL", None),
    ("0", 0, "", None),
    ("-1", -1, "EINVAL", None),
    ("fd", 3, "", None),
    ("blocks", None, "", None),
    ("EAGAIN", -1, "EAGAIN", None),
    ("EWOULDBLOCK", -1, "EAGAIN", None),
    ("ENOTSUP", -1, "EOPNOTSUPP", None),
    (">=2", 2, "", None),
    ("&FD_CLOEXEC", 1, "", None),
    ("!&FD_CLOEXEC", 0, "", None),
    ("=x", 5, "", None),
    ("partial", 99, "", None),
    ("0 out 0", 0, "", 0),
    ('5 out {iov=["ab", "cde"]}', 5, "", {"iov": ['"ab"', '"cde"'], "data": '"abcde"'}),
    ("0 out 0", 0, "", "0"),
    ("0 out ECONNREFUSED", 0, "", "ECONNREFUSED"),
    ("0 out ECONNREFUSED", 0, "", 111),
    ("0 out 111", 0, "", "ECONNREFUSED"),
    ("0 out *", 0, "", 7),
    ("0 out >=1", 0, "", 131072),
    ("0 out {rmem_alloc=<=4096}", 0, "", {"rmem_alloc": 4096}),
    ("1 out POLLHUP|POLLIN", 1, "", "POLLIN|POLLHUP"),
    ("1 out {s: POLLIN}", 1, "", {"s": "POLLIN", "t": "0"}),
    ("0 out {linger:1, 5}", 0, "", "{linger:1,5}"),
    ("0 out {ucred:p,65534,0}", 0, "", "{ucred:21,65534,0}"),
    ("0 out reno", 0, "", "reno"),
    ('0 out "reno"', 0, "", "reno"),
    ('5 out "hello"', 5, "", '"hello"'),
    ("3000 out buf(3000)", 3000, "", print_data(pattern(3000))),
    ("fd out 10.0.0.1:*", 3, "", "10.0.0.1:4000"),
    ("fd out client:*", 3, "", "[fd00::1]:4000"),
    ("0 out [::0]:0", 0, "", "[::]:0"),
    ("0 out @b", 0, "", "127.0.0.1:7000"),
    ("0 out @getsockname:b", 0, "", "127.0.0.1:7000"),
    ("0 out 127.0.0.1:32768-60999", 0, "", "127.0.0.1:32768"),
    ("0 out client:32768-60999", 0, "", "[fd00::1]:60999"),
    ("3 out addrlen=0", 3, "", ""),
    ("0 out addrlen=16", 0, "", "10.0.0.1:80"),
    ("0 out len=1", 0, "", {"len": 1, "value": 0}),
    ("0 out 0", 0, "", {"len": 4, "value": 0}),
    ("5 out flags=0", 5, "", {"data": '"hello"', "flags": "0", "from": "", "control": {}}),
    (
        '2 out {data: "a,b", flags: MSG_ERRQUEUE, from: client:9, control: {IP_RECVERR: {errno: ECONNREFUSED, type: 3}}}',
        2,
        "",
        {
            "data": '"a,b"',
            "flags": "MSG_ERRQUEUE",
            "from": "10.0.0.1:9",
            "control": {"IP_RECVERR": {"errno": "ECONNREFUSED", "origin": "icmp", "type": 3, "code": 3}},
        },
    ),
    ("1 out {control: {SCM_RIGHTS: 2}}", 1, "", {"control": {"SCM_RIGHTS": [8, 9]}}),
    ("1 out {control: {SCM_RIGHTS: [8, 9]}}", 1, "", {"control": {"SCM_RIGHTS": [8, 9]}}),
]


@pytest.mark.parametrize(("text", "ret", "errno", "out"), HOLD, ids=[f"{text} {out}" for text, _, _, out in HOLD])
def test_what_holds(text: str, ret: int | None, errno: str, out: Any) -> None:
    assert found(text, ret, errno, out) == ()


FAIL: list[tuple[str, int | None, str, Any, tuple[Any, ...]]] = [
    ("0", 1, "", None, ("return", "0", "1")),
    ("0", -1, "EINVAL", None, ("return", "0", "-1 EINVAL")),
    ("fd", -1, "EMFILE", None, ("return", "a descriptor", "-1 EMFILE")),
    ("fd", None, "", None, ("return", "a descriptor", "still inside the call")),
    ("blocks", 0, "", None, ("return", "still inside the call", "0")),
    ("EAGAIN", -1, "ENOTCONN", None, ("errno", "EAGAIN", "-1 ENOTCONN")),
    ("EAGAIN", 3, "", None, ("return", "EAGAIN", "3")),
    (">=2", 1, "", None, ("return", ">=2", "1")),
    (">=-5", -1, "EINVAL", None, ("return", ">=-5", "-1 EINVAL")),
    ("&FD_CLOEXEC", 0, "", None, ("return", "&FD_CLOEXEC", "0")),
    ("&FD_CLOEXEC", -1, "EBADF", None, ("return", "&FD_CLOEXEC", "-1 EBADF")),
    ("!&FD_CLOEXEC", 1, "", None, ("return", "!&FD_CLOEXEC", "1")),
    ("=x", 6, "", None, ("return", "=x", "6")),
    ("=y", 6, "", None, ("return", "=y", "6")),
    ("partial", 100, "", None, ("return", "fewer than asked, more than none", "100")),
    ("0 out 0", 0, "", 1, ("out", "0", "1")),
    ("0 out {ucred:p,0,0}", 0, "", "{ucred:22,0,0}", ("out", "{ucred:p,0,0}", "{ucred:22,0,0}")),
    ("0 out {ucred:q,0,0}", 0, "", "{ucred:22,0,0}", ("out", "{ucred:q,0,0}", "{ucred:22,0,0}")),
    ("0 out *", 0, "", 0, ("out", "*", "0")),
    ("0 out >=1", 0, "", 0, ("out", ">=1", "0")),
    ("0 out <=1", 0, "", 2, ("out", "<=1", "2")),
    ("0 out 0", 0, "", None, ("out", "0", "nothing")),
    ("1 out POLLIN", 1, "", "POLLIN|POLLHUP", ("out", "POLLIN", "POLLIN|POLLHUP")),
    ("0 out reno", 0, "", "bbr", ("out", "reno", "bbr")),
    ('5 out "hello"', 5, "", '"hellO"', ("out", '"hello"', '"hellO"')),
    ("fd out 10.0.0.2:*", 3, "", "10.0.0.1:4000", ("out", "10.0.0.2:*", "10.0.0.1:4000")),
    ("fd out stranger:*", 3, "", "10.0.0.1:4000", ("out", "stranger:*", "10.0.0.1:4000")),
    ("0 out @b", 0, "", "127.0.0.1:7001", ("out", "@b (127.0.0.1:7000)", "127.0.0.1:7001")),
    ("0 out @c", 0, "", "127.0.0.1:7001", ("out", "@c (an address that is not known)", "127.0.0.1:7001")),
    ("0 out 10.0.0.1:80-90", 0, "", "10.0.0.1:91", ("out", "10.0.0.1:80-90", "10.0.0.1:91")),
    ("0 out 10.0.0.1:80-90", 0, "", "10.0.0.2:85", ("out", "10.0.0.1:80-90", "10.0.0.2:85")),
    ("3 out addrlen=0", 3, "", "10.0.0.1:80", ("out", "addrlen=0", "10.0.0.1:80")),
    ("1 out {flags: MSG_TRUNC}", 1, "", {"flags": "0"}, ("out", "{flags: MSG_TRUNC}", "{flags: 0}")),
    ('5 out {iov=["ab", "cde"]}', 5, "", {"iov": ['"abc"', '"de"']},
     ("out", '{iov=["ab", "cde"]}', '{iov: ["abc", "de"]}')),
    ("1 out {nonsense: 1}", 1, "", {"flags": "0"}, ("out", "{nonsense: 1}", "{flags: 0}")),
    ("1 out {control: {SCM_RIGHTS: 1}}", 1, "", {"control": {"SCM_RIGHTS": [8, 9]}},
     ("out", "{control: {SCM_RIGHTS: 1}}", "{control: {SCM_RIGHTS: [8, 9]}}")),
]  # fmt: skip


@pytest.mark.parametrize(("text", "ret", "errno", "out", "finding"), FAIL, ids=[f"{text} {finding}" for text, *_, finding in FAIL])
def test_what_does_not(text: str, ret: int | None, errno: str, out: Any, finding: tuple[str, str, str]) -> None:
    assert found(text, ret, errno, out) == (finding,)


def test_every_mismatch_is_reported() -> None:
    assert found("1 out POLLIN", 2, out="POLLOUT") == (("return", "1", "2"), ("out", "POLLIN", "POLLOUT"))


def test_a_call_without_a_result_must_not_fail() -> None:
    step = parse_step("close(s)")
    assert isinstance(step, CallText)
    assert check_result(step.result, ret=0) == ()
    assert check_result(step.result, ret=-1, errno="EBADF") == (("return", "success", "-1 EBADF"),)


def test_a_signal_ends_a_call_only_where_it_was_asked_for() -> None:
    assert found("signal SIGPIPE", -1, signal="SIGPIPE") == ()
    assert found("signal SIGPIPE", -1, errno="EPIPE") == (("signal", "signal SIGPIPE", "-1 EPIPE"),)
    assert found("EPIPE", -1, signal="SIGPIPE") == (("return", "EPIPE", "ended by SIGPIPE"),)


def test_exit_and_kill_are_meant_to_end_the_process() -> None:
    for text, signal in (("exit(3)", "exit 3"), ("exit()", "exit 0"), ("kill(SIGTERM)", "SIGTERM")):
        step = parse_step(text)
        assert isinstance(step, CallText)
        assert check_result(step.result, call=step.call, ret=-1, signal=signal) == ()
        assert check_result(step.result, call=step.call, ret=-1, signal="SIGSEGV") == (("return", "success", "ended by SIGSEGV"),)
