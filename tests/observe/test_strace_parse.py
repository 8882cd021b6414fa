"""Lines as strace 6.1 wrote them in real runs, and what they say."""

import pytest

from netlab.observe.strace_arguments import call_arguments
from netlab.observe.strace_parse import Line, descriptor, fields, finished, inode, items, number, parse_line, string, words

AT = 1795258873_072281888


def called(text: str) -> tuple[dict[str, object], int | None, str]:
    """The arguments, the result and the errno of "call(...) = ..."."""
    name, _, rest = text.partition("(")
    texts, outcome = finished(rest)
    return call_arguments(name, texts, outcome), outcome.value, outcome.errno


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            "31589<python3> 1795258873.072281888 close(4) = 0 <0.000007601>",
            Line(tid=31589, program="python3", time=AT, kind="call", name="close", text="4) = 0 <0.000007601>"),
        ),
        (
            "31638<python3> 1795258873.072281888 accept4(3<socket:[2]>,  <unfinished ...>",
            Line(tid=31638, program="python3", time=AT, kind="begun", name="accept4", text="3<socket:[2]>, "),
        ),
        (
            "31638<python3> 1795258873.072281888 <... accept4 resumed>NULL, NULL, 0) = 5<socket:[3]> <0.000262061>",
            Line(
                tid=31638, program="python3", time=AT, kind="resumed", name="accept4",
                text="NULL, NULL, 0) = 5<socket:[3]> <0.000262061>",
            ),
        ),
        (
            "7<a\\74b\\76 c> 1795258873.072281888 --- SIGPIPE {si_signo=SIGPIPE, si_code=SI_USER} ---",
            Line(tid=7, program="a<b> c", time=AT, kind="signal", name="SIGPIPE"),
        ),
        ("7 1795258873.072281888 +++ exited with 3 +++", Line(tid=7, program="", time=AT, kind="exited", number=3)),
        (
            "7<x> 1795258873.072281888 +++ killed by SIGSEGV (core dumped) +++",
            Line(tid=7, program="x", time=AT, kind="killed", name="SIGSEGV"),
        ),
        (
            "8<x> 1795258873.072281888 execve(\"/bin/sleep\", [\"sleep\"], 0x7fff /* 39 vars */ <pid changed to 7 ...>",
            Line(
                tid=8, program="x", time=AT, kind="begun", name="execve", number=7,
                text='"/bin/sleep", ["sleep"], 0x7fff /* 39 vars */',
            ),
        ),
        (
            "7<x> 1795258873.072281888 +++ superseded by execve in pid 8 +++",
            Line(tid=7, program="x", time=AT, kind="superseded", number=8),
        ),
    ],
)  # fmt: skip
def test_a_line_says_who_when_and_what(text: str, line: Line) -> None:
    assert parse_line(text) == line


@pytest.mark.parametrize(
    ("prefix", "tid", "time"),
    [
        ("", 0, 0),
        ("7 ", 7, 0),
        ("[pid     7] ", 7, 0),
        ("12:00:01 ", 0, 43_201 * 10**9),
        ("7     12:00:01.000002 ", 7, 43_201 * 10**9 + 2000),
        ("[pid 7] 1795258873.000002 ", 7, 1795258873 * 10**9 + 2000),
        ("     0.000100 ", 0, 100_000),
        ("7      0.000100 ", 7, 100_000),
    ],
)
def test_other_options_say_less(prefix: str, tid: int, time: int) -> None:
    expected = Line(tid=tid, program="", time=time, kind="call", name="close", text="3) = 0 <0.000010>")
    assert parse_line(f"{prefix}close(3) = 0 <0.000010>") == expected
    assert finished(expected.text)[1].duration == 10_000


@pytest.mark.parametrize("text", ["", "strace: attach failed", "7<x> 12.3 close(", "7<x> 1795258873.072281888 gibberish"])
def test_what_is_no_line_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no line of strace's"):
        parse_line(text)


@pytest.mark.parametrize("text", ["", "3", '"a)", 1 = 0', "3) = what", "3<socket:[1]>, {a=1, 2) = 0"])
def test_what_is_no_call_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no call"):
        finished(text)


def test_brackets_and_commas_in_strings_comments_and_names_of_files_separate_nothing() -> None:
    texts, outcome = finished(r'3</tmp/a,(b\76{c>, "x\"),y\\", {f="}]", g=[1, 2 /* ) */]}, 0x7f /* 2, vars */) = 5 <0.000000009>')
    assert texts == ["3</tmp/a,(b\\76{c>", r'"x\"),y\\"', '{f="}]", g=[1, 2 /* ) */]}', "0x7f /* 2, vars */"]
    assert (outcome.value, outcome.duration) == (5, 9)
    assert descriptor(texts[0]) == (3, "/tmp/a,(b>{c")
    assert string(texts[1]) == b'x"),y\\'
    assert fields(texts[2]) == {"f": '"}]"', "g": "[1, 2 /* ) */]"}
    assert items("[1, 2 /* ) */]") == ["1", "2"]


def test_values() -> None:
    assert [number(text) for text in ("80", "0x50", "0600", "htons(80)", "[1]", "-1", "UINT_MAX", "NULL", "AF_INET")] == [
        80, 80, 384, 80, 1, -1, 4294967295, None, None,
    ]  # fmt: skip
    assert number("[128 => 16]") == 16
    assert words("A|B|0x8 /* C_??? */") == ["A", "B", "0x8"]
    assert string(r'"\1\0\x7f\n\"é"...') == b'\x01\x00\x7f\n"\xc3\xa9'
    assert [inode(text) for text in ("socket:[1234]", "pipe:[1234]", "/tmp/socket:[1]x", "")] == [1234, 0, 0, 0]
    assert items("[7<socket:[1]> 8<socket:[2]>]") == ["7<socket:[1]>", "8<socket:[2]>"]


@pytest.mark.parametrize(
    ("text", "arguments", "result", "errno"),
    [
        (
            "socket(AF_INET6, SOCK_DGRAM|SOCK_CLOEXEC|SOCK_NONBLOCK, IPPROTO_UDP) = 3<socket:[9]> <0.1>",
            {"domain": "AF_INET6", "type": "SOCK_DGRAM", "flags": ["SOCK_NONBLOCK", "SOCK_CLOEXEC"], "protocol": "IPPROTO_UDP"},
            3, "",
        ),
        (
            "socket(0x63 /* AF_??? */, 0x4d /* SOCK_??? */, 3) = -1 EINVAL (Invalid argument)",
            {"domain": 99, "type": 13, "flags": ["0x40"], "protocol": 3}, -1, "EINVAL",
        ),
        (
            'bind(3<socket:[9]>, {sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr("10.0.0.2")}, 16) = 0',
            {"address": ["10.0.0.2", 80]}, 0, "",
        ),
        (
            "connect(7<socket:[9]>, {sa_family=AF_INET6, sin6_port=htons(99), sin6_flowinfo=htonl(0), "
            'inet_pton(AF_INET6, "::ffff:10.0.0.1", &sin6_addr), sin6_scope_id=0}, 28) = -1 ECONNREFUSED (Connection refused)',
            {"address": ["10.0.0.1", 99]}, -1, "ECONNREFUSED",
        ),
        ("connect(3<socket:[9]>, 0x8, 16) = -1 EFAULT (Bad address)", {}, -1, "EFAULT"),
        ('connect(8, {sa_family=AF_UNIX, sun_path=@"abs"}, 6) = -1 ECONNREFUSED (x)', {"address": "@abs"}, -1, "ECONNREFUSED"),
        ("getsockname(4, {sa_family=AF_UNIX}, [128 => 2]) = 0", {"family": "AF_UNIX"}, 0, ""),
        ("bind(9, {sa_family=AF_NETLINK, nl_pid=0, nl_groups=00000000}, 12) = 0", {"family": "AF_NETLINK"}, 0, ""),
        (
            "accept4(3<socket:[9]>, 0x7fff48951700, [16], SOCK_CLOEXEC) = ? ERESTARTSYS (To be restarted if SA_RESTART is set)",
            {"flags": ["SOCK_CLOEXEC"]}, -1, "ERESTARTSYS",
        ),
        ("listen(3<socket:[9]>, 5) = 0", {"backlog": 5}, 0, ""),
        ("shutdown(3<socket:[9]>, SHUT_WR) = 0", {"how": "SHUT_WR"}, 0, ""),
        (
            "setsockopt(3<socket:[9]>, SOL_TCP, TCP_NODELAY, [1], 4) = 0",
            {"level": "IPPROTO_TCP", "option": "TCP_NODELAY", "value": 1}, 0, "",
        ),
        (
            "setsockopt(3, SOL_SOCKET, SO_LINGER, {l_onoff=1, l_linger=5}, 8) = 0",
            {"level": "SOL_SOCKET", "option": "SO_LINGER", "value": {"onoff": 1, "linger": 5}}, 0, "",
        ),
        (
            r'setsockopt(3, SOL_SOCKET, SO_RCVTIMEO_OLD, "\2\0\0\0\0\0\0\0\364\1\0\0\0\0\0\0", 16) = 0',
            {"level": "SOL_SOCKET", "option": "SO_RCVTIMEO", "value": {"sec": 2, "usec": 500}}, 0, "",
        ),
        (
            "setsockopt(3, SOL_TCP, TCP_CONGESTION, [1869505906], 4) = 0",
            {"level": "IPPROTO_TCP", "option": "TCP_CONGESTION", "value": "reno"}, 0, "",
        ),
        (
            "getsockopt(3, SOL_SOCKET, SO_ERROR, [ECONNREFUSED], [4]) = 0",
            {"level": "SOL_SOCKET", "option": "SO_ERROR", "value": "ECONNREFUSED"}, 0, "",
        ),
        (
            "setsockopt(3, SOL_SOCKET, 0x270f /* SO_??? */, [0], 4) = -1 ENOPROTOOPT (Protocol not available)",
            {"level": "SOL_SOCKET", "option": 9999, "value": 0}, -1, "ENOPROTOOPT",
        ),
        (
            'sendto(7, "abc"..., 300, MSG_NOSIGNAL|MSG_DONTWAIT, {sa_family=AF_INET, sin_port=htons(9), '
            'sin_addr=inet_addr("1.2.3.4")}, 16) = 300',
            {"length": 300, "flags": ["MSG_DONTWAIT", "MSG_NOSIGNAL"], "address": ["1.2.3.4", 9]}, 300, "",
        ),
        ('read(3<socket:[9]>, ""..., 4096) = 0', {"length": 4096}, 0, ""),
        ('writev(4, [{iov_base="12", iov_len=2}, {iov_base="345", iov_len=3}], 2) = 5', {"length": 5}, 5, ""),
        ("readv(4, 0x10, 2) = -1 EFAULT (Bad address)", {}, -1, "EFAULT"),
        (
            'sendmsg(4, {msg_name=NULL, msg_namelen=0, msg_iov=[{iov_base="x", iov_len=1}], msg_iovlen=1, '
            "msg_control=[{cmsg_len=20, cmsg_level=SOL_SOCKET, cmsg_type=SCM_RIGHTS, cmsg_data=[3<socket:[77]>]}], "
            "msg_controllen=24, msg_flags=0}, 0) = 1",
            {"length": 1, "descriptors": [3], "inodes": [77]}, 1, "",
        ),
        ("fcntl(3, F_SETFD, FD_CLOEXEC) = 0", {"command": "F_SETFD", "value": ["FD_CLOEXEC"]}, 0, ""),
        ("fcntl(3, F_GETFL) = 0x802 (flags O_RDWR|O_NONBLOCK)",
         {"command": "F_GETFL", "value": ["O_RDWR", "O_NONBLOCK"]}, 2050, ""),
        ("fcntl(3, F_DUPFD_CLOEXEC, 0) = 13<socket:[9]>", {"command": "F_DUPFD_CLOEXEC", "value": 0}, 13, ""),
        ("ioctl(3<socket:[9]>, FIONBIO, [1]) = 0", {"command": "FIONBIO", "value": 1}, 0, ""),
        ('ioctl(3<socket:[9]>, SIOCGIFINDEX, {ifr_name="lo", ifr_ifindex=1}) = 0', {"command": "SIOCGIFINDEX"}, 0, ""),
        (
            "poll([{fd=3<socket:[9]>, events=POLLIN|POLLOUT}, {fd=-1}], 2, -1) = 1 ([{fd=3, revents=POLLIN}])",
            {"count": 2, "descriptors": [3, -1], "events": [["POLLIN", "POLLOUT"], []], "ready": [["POLLIN"], []]}, 1, "",
        ),
        ("pselect6(9, [7 8], NULL, NULL, {tv_sec=0, tv_nsec=10000001}, NULL) = 0 (Timeout)", {"nfds": 9, "timeout": 11}, 0, ""),
        (
            "epoll_ctl(5<anon_inode:[eventpoll]>, EPOLL_CTL_ADD, 3<socket:[9]>, {events=EPOLLIN|EPOLLET, data={u32=3, u64=3}}) = 0",
            {"operation": "EPOLL_CTL_ADD", "target": 3, "inode": 9, "events": ["EPOLLIN", "EPOLLET"]}, 0, "",
        ),
        (
            "epoll_wait(5, [{events=EPOLLIN|EPOLLHUP, data={u32=3, u64=3}}], 5, 100) = 1",
            {"length": 5, "ready": [["EPOLLIN", "EPOLLHUP"]], "timeout": 100}, 1, "",
        ),
        (
            "close_range(3, 4294967295, CLOSE_RANGE_CLOEXEC) = 0",
            {"first": 3, "last": 4294967295, "flags": ["CLOSE_RANGE_CLOEXEC"]}, 0, "",
        ),
        ("dup3(4, 77<socket:[8]>, O_CLOEXEC) = 77<socket:[9]>", {"target": 77, "replaced": 8, "flags": ["O_CLOEXEC"]}, 77, ""),
    ],
)  # fmt: skip
def test_what_a_call_was_asked(text: str, arguments: dict[str, object], result: int, errno: str) -> None:
    assert called(text) == (arguments, result, errno)
