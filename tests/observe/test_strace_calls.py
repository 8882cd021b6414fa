"""Lines put together: threads, processes, interrupted calls and signals, from lines as strace 6.1 wrote them."""

from typing import Any

import pytest

from netlab.observe.strace_calls import StraceCalls
from netlab.timeline.observations import AnyObservation
from netlab.timeline.process_events import ProcessExecuted, ProcessExited, ProcessForked, SignalDelivered, SystemCall

SECOND = 1_000_000_000
THREAD = "CLONE_VM|CLONE_FS|CLONE_FILES|CLONE_SIGHAND|CLONE_THREAD"
ACCEPT = "accept(3<socket:[9]>, 0x7f, [16]) = ? ERESTARTSYS (To be restarted if SA_RESTART is set)"
HANDLER = "rt_sigaction(SIGUSR1, {sa_handler=0x55, sa_mask=[], sa_flags=%s, sa_restorer=0x7f}, NULL, 8) = 0"


def seen(*lines: str, ignored: tuple[str, ...] = ()) -> list[AnyObservation]:
    """What lines "TID WHAT" tell, one a second from 0 s, each call of which took 1 ms; then the end, at 100 s."""
    calls = StraceCalls("host", ignored=ignored)
    found: list[AnyObservation] = []
    for second, line in enumerate(lines):
        tid, _, what = line.partition(" ")
        took = " <0.001000000>" if ") = " in what and not what.endswith("0>") else ""
        found += calls.take(f"{tid}<prog> {second}.000000000 {what}{took}")
    return sorted(found + calls.finish(100 * SECOND), key=lambda one: one.time)


def told(one: AnyObservation) -> tuple[Any, ...]:
    match one:
        case SystemCall():
            return one.call, one.pid, one.tid, one.errno or one.result if one.returned else "inside"
        case ProcessForked():
            return "fork", one.parent, one.pid, one.tid, one.thread
        case ProcessExecuted():
            return "exec", one.pid, one.program, one.path
        case ProcessExited():
            return "exit", one.pid, one.status
        case SignalDelivered():
            return "signal", one.pid, one.tid, one.signal, one.handled
    raise TypeError(one)


def story(*lines: str, **more: Any) -> list[tuple[Any, ...]]:
    return [told(one) for one in seen(*lines, **more)]


def test_a_call_of_one_line_is_bracketed_by_its_times() -> None:
    (call,) = seen("7 shutdown(3<socket:[9]>, SHUT_WR) = 0")
    assert call == SystemCall(
        time=1_000_000, host="host", pid=7, tid=7, program="prog", call="shutdown", source="strace",
        began=0, fd=3, inode=9, arguments={"how": "SHUT_WR"},
    )  # fmt: skip


def test_calls_of_several_threads_that_other_lines_cut_in_two_are_joined() -> None:
    assert story(
        f"7 clone3({{flags={THREAD}, exit_signal=0}} => {{parent_tid=[8<prog>]}}, 88) = 8<prog>",
        "8 accept(3<socket:[9]>,  <unfinished ...>",
        "7 connect(4<socket:[10]>,  <unfinished ...>",
        "8 <... accept resumed>NULL, NULL) = 5<socket:[11]>",
        "7 <... connect resumed>{sa_family=AF_INET, sin_port=htons(1), sin_addr=inet_addr(\"1.2.3.4\")}, 16) = 0",
    ) == [("fork", 7, 7, 8, True), ("clone3", 7, 7, 8), ("accept", 7, 8, 5), ("connect", 7, 7, 0)]  # fmt: skip


def test_a_child_that_is_faster_than_its_parent_waits_for_it() -> None:
    found = seen(
        "7 vfork( <unfinished ...>",
        "8 close(3<socket:[9]>) = 0",
        '8 execve("/bin/a-program-with-a-long-name", ["a"], 0x5 /* 2 vars */) = 0',
        "7 <... vfork resumed>) = 8<prog> <3.000000000>",
        "8 +++ exited with 3 +++",
    )
    assert [told(one) for one in found] == [
        ("fork", 7, 8, 8, False),
        ("close", 8, 8, 0),
        ("exec", 8, "a-program-with-", "/bin/a-program-with-a-long-name"),
        ("execve", 8, 8, 0),
        ("vfork", 7, 7, 8),
        ("exit", 8, 3),
    ]
    assert found[0].time <= SECOND


def test_a_thread_that_executes_takes_the_first_ones_number() -> None:
    assert story(
        f"7 clone3({{flags={THREAD}, exit_signal=0}}, 88) = 8<prog>",
        '8 execve("/bin/sleep", ["sleep"], 0x7fff /* 39 vars */ <pid changed to 7 ...>',
        "7 +++ superseded by execve in pid 8 +++",
        "7 <... execve resumed>) = -1 (errno 18446744073709551613)",
        "7 +++ exited with 0 +++",
    )[2:] == [("exec", 7, "sleep", "/bin/sleep"), ("execve", 7, 8, 0), ("exit", 7, 0)]


def test_only_the_end_of_the_first_thread_is_the_processs() -> None:
    assert story(f"7 clone3({{flags={THREAD}}}, 88) = 8<prog>", "8 +++ exited with 0 +++", "7 +++ exited with 1 +++")[2:] == [
        ("exit", 7, 1)
    ]


@pytest.mark.parametrize(
    ("flags", "error", "told_errno"),
    [
        ("SA_RESTORER", "ERESTARTSYS", "EINTR"),
        ("SA_RESTORER|SA_RESTART", "ERESTARTSYS", "ERESTARTSYS"),
        ("SA_RESTORER|SA_RESTART", "ERESTARTNOHAND", "EINTR"),
        ("SA_RESTORER|SA_RESTART", "ERESTART_RESTARTBLOCK", "EINTR"),
        ("SA_RESTORER", "ERESTARTNOINTR", "ERESTARTNOINTR"),
    ],
)
def test_what_an_interrupted_call_gives_depends_on_the_handler(flags: str, error: str, told_errno: str) -> None:
    signal = "7 --- SIGUSR1 {si_signo=SIGUSR1} ---"
    assert story("7 " + HANDLER % flags, "7 " + ACCEPT.replace("ERESTARTSYS", error), signal) == [
        ("accept", 7, 7, told_errno),
        ("signal", 7, 7, "SIGUSR1", True),
    ]


def test_a_call_that_no_handler_interrupted_is_made_again() -> None:
    assert story("7 " + ACCEPT, "7 --- SIGCHLD {} ---", "7 close(3<socket:[9]>) = 0") == [
        ("accept", 7, 7, "ERESTARTSYS"),
        ("close", 7, 7, 0),
    ]


def test_a_call_that_the_kernel_goes_on_with_is_one() -> None:
    found = seen(
        "7 poll([{fd=3<socket:[9]>, events=POLLIN}], 1, 1000) = ? ERESTART_RESTARTBLOCK (Interrupted by signal)",
        "7 --- SIGSTOP {} ---",
        "7 restart_syscall(<... resuming interrupted poll ...>) = 0",
    )
    assert [told(one) for one in found] == [("signal", 7, 7, "SIGSTOP", False), ("poll", 7, 7, 0)]
    poll = found[1]
    assert isinstance(poll, SystemCall)
    assert (poll.time, poll.began) == (2 * SECOND + 1_000_000, 0)


def test_a_call_that_the_process_died_in_never_returned() -> None:
    assert story("7 accept(3<socket:[9]>,  <unfinished ...>", "7 +++ killed by SIGKILL +++") == [
        ("signal", 7, 7, "SIGKILL", False),
        ("accept", 7, 7, "inside"),
        ("exit", 7, -9),
    ]
    assert story("7 " + ACCEPT, "7 --- SIGTERM {} ---", "7 +++ killed by SIGTERM +++") == [
        ("signal", 7, 7, "SIGTERM", False),
        ("accept", 7, 7, "inside"),
        ("exit", 7, -15),
    ]


def test_what_never_ended_is_inside_until_the_end() -> None:
    (inside,) = seen("7 close(3<socket:[8]>) = 0", "7 accept(3<socket:[9]>,  <unfinished ...>")[-1:]
    assert isinstance(inside, SystemCall)
    assert (inside.returned, inside.began, inside.time, inside.inode) == (False, SECOND, 100 * SECOND, 9)


def test_signals_that_are_ignored_are_not_delivered() -> None:
    ignore = "7 rt_sigaction(SIGPIPE, {sa_handler=SIG_IGN, sa_mask=[], sa_flags=0}, NULL, 8) = 0"
    assert story(ignore, "7 --- SIGPIPE {} ---", "7 --- SIGCHLD {} ---", "7 --- SIGHUP {} ---", ignored=("SIGHUP",)) == []
    assert story("7 --- SIGPIPE {} ---") == [("signal", 7, 7, "SIGPIPE", False)]


def test_a_child_has_its_parents_handlers_until_it_executes() -> None:
    fork = "7 clone(child_stack=NULL, flags=CLONE_CHILD_SETTID|SIGCHLD, child_tidptr=0x7f) = %d<prog>"
    ignore = "7 rt_sigaction(SIGPIPE, {sa_handler=SIG_IGN, sa_mask=[], sa_flags=0}, NULL, 8) = 0"
    assert story(
        "7 " + HANDLER % "SA_RESTORER",
        ignore,
        fork % 8,
        "8 --- SIGUSR1 {} ---",
        "8 --- SIGPIPE {} ---",
        '8 execve("/x", ["x"], 0x5) = 0',
        "8 --- SIGUSR1 {} ---",
        "8 --- SIGPIPE {} ---",
    )[2:] == [("signal", 8, 8, "SIGUSR1", True), ("exec", 8, "x", "/x"), ("execve", 8, 8, 0), ("signal", 8, 8, "SIGUSR1", False)]


def test_a_handler_for_once_is_gone_afterwards() -> None:
    told_twice = story("7 " + HANDLER % "SA_RESTORER|SA_RESETHAND", "7 --- SIGUSR1 {} ---", "7 --- SIGUSR1 {} ---")
    assert [handled for *_, handled in told_twice] == [True, False]


def test_real_time_signals_are_counted_as_the_c_library_does() -> None:
    assert [one[3] for one in story("7 --- SIGRT_2 {} ---", "7 --- SIGRT_5 {} ---", "7 --- SIGRTMIN {} ---")] == [
        "SIGRTMIN",
        "SIGRTMIN+3",
        "signal 32",
    ]


def test_files_are_left_out_and_what_is_not_open_is_not() -> None:
    assert story(
        '7 read(3</etc/hosts>, ""..., 4096) = 10',
        "7 close(3</etc/hosts>) = 0",
        '7 write(4<pipe:[5]>, "x", 1) = 1',
        "7 close(4<pipe:[5]>) = 0",
        "7 close(5<anon_inode:[eventpoll]>) = 0",
        "7 dup2(1</dev/pts/1>, 4<socket:[9]>) = 4</dev/pts/1>",
        "7 dup2(1</dev/pts/1>, 4</etc/hosts>) = 4</dev/pts/1>",
        "7 close(99) = -1 EBADF (Bad file descriptor)",
        "7 read(99, 0x7f, 1) = -1 EBADF (Bad file descriptor)",
    ) == [("close", 7, 7, 0), ("close", 7, 7, 0), ("dup2", 7, 7, 4), ("close", 7, 7, "EBADF"), ("read", 7, 7, "EBADF")]


def test_io_uring_is_noticed_once_a_program() -> None:
    calls = StraceCalls("host")
    calls.take("7<busy> 1.000000000 io_uring_setup(4, {flags=0}) = 5<anon_inode:[io_uring]>")
    calls.take("7<busy> 2.000000000 io_uring_enter(5<anon_inode:[io_uring]>, 1, 0, 0, NULL, 8) = 1")
    assert calls.io_uring == ["busy"]
    without = StraceCalls("host")
    without.take("7<busy> 1.000000000 io_uring_setup(4, {flags=0}) = -1 ENOSYS (Function not implemented)")
    assert without.io_uring == []


def test_a_line_that_cannot_be_read_does_no_harm_to_the_next() -> None:
    calls = StraceCalls("host")
    with pytest.raises(ValueError, match="never began"):
        calls.take("7<prog> 1.000000000 <... accept resumed>NULL, NULL) = 5<socket:[11]> <0.000000001>")
    (call,) = calls.take("7<prog> 1.000000000 listen(3<socket:[9]>, 1) = 0 <0.000000001>")
    assert told(call) == ("listen", 7, 7, 0)


def test_the_name_that_strace_has_from_before_an_exec_is_not_taken() -> None:
    calls = StraceCalls("host")
    lines = (
        '7<sh> 1.000000000 execve("/bin/true", ["true"], 0x5) = 0 <0.000000001>',
        "7<sh> 2.000000000 listen(3<socket:[9]>, 1) = 0 <0.000000001>",
        "7<renamed> 3.000000000 listen(3<socket:[9]>, 1) = 0 <0.000000001>",
        "7<sh> 4.000000000 +++ exited with 0 +++",
    )
    names = [one.program for line in lines for one in calls.take(line) if isinstance(one, SystemCall | ProcessExited)]
    assert names == ["sh", "true", "renamed", "sh"]


def test_pids_are_those_that_the_caller_gives() -> None:
    calls = StraceCalls("host", {7: 1007, 8: 1008}.__getitem__)
    fork = "7<x> 1.000000000 fork() = 8<x> <0.000000001>"
    assert [told(one) for one in calls.take(fork)] == [("fork", 1007, 1008, 1008, False), ("fork", 1007, 1007, 8)]
