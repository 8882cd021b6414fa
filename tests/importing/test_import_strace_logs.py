"""What logs of strace's become, whatever its options were; no kernel is touched."""

import pytest

from netlab.errors import SpecError
from netlab.importing.strace import from_log
from netlab.importing.strace_log import read_log

SERVER = """
41 {}socket(AF_INET, SOCK_STREAM, IPPROTO_TCP) = 3
41 {}bind(3, {{sa_family=AF_INET, sin_port=htons(7000), sin_addr=inet_addr("127.0.0.1")}}, 16) = 0
41 {}listen(3, 5) = 0
41 {}clone(child_stack=NULL, flags=CLONE_CHILD_CLEARTID|CLONE_CHILD_SETTID|SIGCHLD, child_tidptr=0x7f) = 42
41 {}accept(3,  <unfinished ...>
42 {}socket(AF_INET, SOCK_STREAM, IPPROTO_TCP) = 4
42 {}connect(4, {{sa_family=AF_INET, sin_port=htons(7000), sin_addr=inet_addr("127.0.0.1")}}, 16) = 0
41 {}<... accept resumed>{{sa_family=AF_INET, sin_port=htons(40000), sin_addr=inet_addr("127.0.0.1")}}, [16]) = 4
42 {}sendto(4, "hello", 5, MSG_NOSIGNAL, NULL, 0) = 5
41 {}recvfrom(4, "hello", 100, 0, NULL, NULL) = 5
42 {}openat(AT_FDCWD, "/etc/passwd", O_RDONLY) = 5
42 {}+++ exited with 0 +++
41 {}read(4, "", 100) = 0
"""
STEPS = """
  - host: s = socket(AF_INET, SOCK_STREAM, IPPROTO_TCP)
  - host: bind(s, 127.0.0.1:7000)
  - host: listen(s, 5)
  - host: p1 = fork()
  - host: a = accept(s) & as j6
  - host/p1: c = socket(AF_INET, SOCK_STREAM, IPPROTO_TCP)
  - host/p1: connect(c, 127.0.0.1:7000)
  - host: join j6
  - host/p1: send(c, "hello", MSG_NOSIGNAL) -> 5
  - host: 'recv(a, buf(100), 0) -> 5 out "hello"'
  # Line 13: host/p1 ends.
  - host/p1: close(s)
  - host/p1: close(c)
  - host: recv(a, buf(100), 0) -> 0
"""
CLIENT = """
socket(AF_INET, SOCK_STREAM, IPPROTO_TCP) = 5
connect(5, {sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr("192.0.2.1")}, 16) = 0
getsockname(5, {sa_family=AF_INET, sin_port=htons(40000), sin_addr=inet_addr("192.0.2.9")}, [128 => 16]) = 0
sendto(5, "GET /"..., 700, MSG_NOSIGNAL, NULL, 0) = 700
recvfrom(5, "yes", 100, 0, NULL, NULL) = 3
recvfrom(5, "", 100, 0, NULL, NULL) = 0
close(5) = 0
"""


def steps(text: str) -> str:
    return from_log(text.splitlines(), "log", "a.log").scenario().partition("steps:")[2]


@pytest.mark.parametrize("stamp", ["", "12:00:00 ", "12:00:00.000001 ", "1795295073.000001 ", "     0.000000 "])
def test_a_log_is_the_same_scenario_whatever_its_stamps(stamp: str) -> None:
    assert steps(SERVER.format(*[stamp] * 13)) == STEPS


def test_durations_and_what_descriptors_are_change_nothing() -> None:
    told = SERVER.format(*[""] * 13).replace("(3,", "(3<TCP:[127.0.0.1:7000]>,").replace("(4,", "(4<TCPv6:[[::1]:1->[::1]:2]>,")
    lines = [
        line if line.endswith(("...>", "+++", "")) and "= " not in line else f"{line} <0.000010>" for line in told.splitlines()
    ]
    assert steps("\n".join(lines)) == STEPS


def test_on_a_terminal_the_process_gets_its_number_with_the_second_one() -> None:
    text = SERVER.format(*[""] * 13)
    lines = [
        line.removeprefix("41 ") if number < 4 else f"[pid {line[:2]}] {line[3:]}"
        for number, line in enumerate(text.split("\n")[1:-1])
    ]
    fork = lines[3].partition(", child_tidptr")[0]
    rest = "[pid 41] <... clone resumed>, child_tidptr=0x7f) = 42"
    lines[3:4] = [f"{fork}strace: Process 42 attached", " <unfinished ...>", rest]
    assert [line.partition(" & as")[0] for line in steps("\n".join(lines)).splitlines()[:9]] == [
        line.partition(" & as")[0] for line in STEPS.replace("join j6", "join j7").splitlines()[:9]
    ]


def test_whom_the_log_does_not_show_is_played_by_another_host() -> None:
    made = from_log(CLIENT.splitlines(), "log", "a.log")
    assert "    addresses: {host: [192.0.2.9], other: [192.0.2.1]}\n" in made.topology()
    assert made.scenario().partition("steps:")[2] == (
        """
  # Whom the log's processes met, and it does not show.
  - other: there1 = socket(AF_INET, SOCK_STREAM, 0)
  - other: setsockopt(there1, SOL_SOCKET, SO_REUSEADDR, 1)
  - other: bind(there1, 0.0.0.0:80)
  - other: listen(there1, 128)
  - host: c = socket(AF_INET, SOCK_STREAM, IPPROTO_TCP)
  - host: connect(c, other:80)
  - other: x1 = accept(there1)
  - host: getsockname(c)
  - host: send(c, buf(700), MSG_NOSIGNAL) -> 700
  - other: recv(x1, buf(700), MSG_WAITALL) -> 700
  - other: send(x1, "yes", MSG_NOSIGNAL) -> 3
  - host: 'recv(c, buf(100), 0) -> 3 out "yes"'
  - other: close(x1)
  - host: recv(c, buf(100), 0) -> 0
  - host: close(c)
"""
    )


def test_times_that_are_since_the_line_before_are_added_up() -> None:
    log = read_log(
        ["     0.000000 socket(AF_INET, SOCK_STREAM, 0) = 3", "     0.250000 close(3) = 0", "     0.500000 close(4) = 0"]
    )
    assert [call.time for call in log.calls] == [0, 250_000_000, 750_000_000]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("2026/11/21 21:01:15 [error] no such file", "a.log:1:1: this is no log of strace's; strace -f -tt"),
        ('openat(AT_FDCWD, "/etc", O_RDONLY) = 3', "a.log:1:1: no process in it makes a socket of AF_INET or AF_INET6"),
    ],
)
def test_what_cannot_be_reproduced_at_all_is_refused(text: str, message: str) -> None:
    with pytest.raises(SpecError) as refused:
        steps(text)
    assert str(refused.value).startswith(message)
