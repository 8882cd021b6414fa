"""From records to observations: interrupted calls, ends, signals; held against hand-written records."""

import signal
import struct
from typing import Any

import pytest

from netlab.observe.call_joining import CallJoiner
from netlab.observe.call_names import CALLS
from netlab.observe.call_records import HEAD, SIZE, KernelRecord, Kind
from netlab.timeline.process_events import ProcessExecuted, ProcessExited, ProcessForked, SignalDelivered, SystemCall

NUMBERS = {call.name: number for number, call in enumerate(CALLS)}
PLACES = (0, 8, 16, 24, 32, 40)
OFFSET, NET, SA_RESTART, HANDLER = 1000, 77, 0x10000000, 0x400000
LATER = 10**12


def record(kind: Kind, ended: int, call: str = "recvfrom", values: tuple[int, ...] = (3,), **more: Any) -> KernelRecord:
    fields: dict[str, Any] = {
        "began": OFFSET + ended - 5,
        "ended": OFFSET + ended,
        "net": NET,
        "tid": 20,
        "pid": 20,
        "program": b"prog\0\0",
        "extra": bytes(16),
        "registers": struct.pack("=8Q", *values, *[0] * (8 - len(values))),
        "number": NUMBERS[call],
        "kind": kind,
        "data": b"",
        **dict.fromkeys(("result", "inode", "other", "made", "length", "size"), 0),
    }
    return KernelRecord(**{**fields, **more})


def joined(*records: KernelRecord, now: int = LATER) -> list[Any]:
    joiner = CallJoiner({NET: "node"}, dict(enumerate(CALLS)), PLACES, OFFSET)
    for each in records:
        joiner.feed(each)
    return joiner.take(now)


def signalled(ended: int, number: int = signal.SIGUSR1, handler: int = HANDLER, **more: Any) -> KernelRecord:
    return record(Kind.SIGNAL, ended, result=number, inode=handler, **{"length": 1, **more})


def test_a_record_is_read_as_it_was_written() -> None:
    made = record(Kind.CALL, 9, data=b"1234", size=4)
    raw = HEAD.pack(*made[:5], made.program.ljust(16, b"\0"), *made[6:16]) + b"1234".ljust(SIZE - HEAD.size, b"x")
    assert KernelRecord.read(raw) == made._replace(program=b"prog".ljust(16, b"\0"))
    assert KernelRecord.read(raw[: HEAD.size]).data == b""


def test_a_call_that_failed_and_one_that_made_a_socket() -> None:
    failed, made = joined(
        record(Kind.CALL, 10, result=-11, inode=5),
        record(Kind.CALL, 20, "accept4", values=(4, 0, 0, 0o2000000), result=6, inode=5, made=9),
    )
    common: dict[str, Any] = {"host": "node", "pid": 20, "tid": 20, "program": "prog", "source": "bpf", "inode": 5}
    asked = {"length": 0}
    assert failed == SystemCall(**common, time=10, began=5, call="recvfrom", fd=3, arguments=asked, result=-1, errno="EAGAIN")
    flags = {"flags": ["SOCK_CLOEXEC"]}
    assert made == SystemCall(**common, time=20, began=15, call="accept4", fd=4, arguments=flags, result=6, made=9)


def test_of_fcntl_only_f_dupfd_makes_a_descriptor() -> None:
    status, copy = joined(
        record(Kind.CALL, 10, "fcntl", values=(3, 3, 0), result=2, made=8),
        record(Kind.CALL, 20, "fcntl", values=(3, 0, 0), result=4, made=8),
    )
    assert (status.made, copy.made) == (0, 8)


@pytest.mark.parametrize(
    ("number", "flags", "errno"),
    [
        (512, 0, "EINTR"),
        (512, SA_RESTART, "ERESTARTSYS"),
        (513, 0, "ERESTARTNOINTR"),
        (514, SA_RESTART, "EINTR"),
        (516, SA_RESTART, "EINTR"),
    ],
)
def test_a_handler_says_what_the_program_saw(number: int, flags: int, errno: str) -> None:
    call, delivered = joined(record(Kind.CALL, 10, result=-number), signalled(11, other=flags))
    assert (call.errno, call.result, call.time, call.returned) == (errno, -1, 10, True)
    assert delivered == SignalDelivered(time=11, host="node", pid=20, tid=20, program="prog", signal="SIGUSR1", handled=True)


def test_without_a_handler_the_kernel_makes_the_call_again() -> None:
    first, stopped, second = joined(
        record(Kind.CALL, 10, result=-512),
        signalled(11, signal.SIGSTOP, handler=0),
        record(Kind.CALL, 30, result=4),
    )
    assert (first.errno, second.result) == ("ERESTARTSYS", 4)
    assert (stopped.signal, stopped.handled) == ("SIGSTOP", False)


def test_a_call_that_goes_on_under_another_number_is_the_same_call() -> None:
    [call] = joined(
        record(Kind.CALL, 10, "poll", values=(0, 1, 50), result=-516),
        record(Kind.CALL, 40, "restart_syscall", result=-516),
        record(Kind.CALL, 70, "restart_syscall", result=1),
    )
    assert (call.call, call.began, call.time, call.result, call.errno) == ("poll", 5, 70, 1, "")


def test_a_call_in_which_the_thread_ended_never_returned() -> None:
    call, exited = joined(
        record(Kind.CALL, 10, result=-512),
        record(Kind.EXIT, 20, result=1, made=9, length=4),
    )
    assert (call.returned, call.time, call.errno, call.result) == (False, 20, "", 0)
    assert exited == ProcessExited(time=20, host="node", pid=20, program="prog", status=-9)
    [unfinished] = joined(record(Kind.UNFINISHED, 30))
    assert (unfinished.returned, unfinished.time) == (False, 30)


def test_what_is_under_way_at_the_end_did_not_return_by_then() -> None:
    joiner = CallJoiner({NET: "node"}, dict(enumerate(CALLS)), PLACES, OFFSET)
    joiner.feed(record(Kind.CALL, 10, result=-512, tid=21))
    joiner.finish([record(Kind.CALL, 20), record(Kind.CALL, 90), record(Kind.CALL, 20, net=1)], until=50)
    seen: list[Any] = [*joiner.take(0)]
    assert [(call.tid, call.returned, call.time) for call in seen] == [(21, True, 10), (20, False, 50), (20, False, 85)]


def test_an_interrupted_call_is_held_back_for_a_second() -> None:
    interrupted = record(Kind.CALL, 10, result=-512)
    assert joined(interrupted, now=10**9) == []
    assert [call.errno for call in joined(interrupted, now=10**9 + 11)] == ["ERESTARTSYS"]


def test_ends_say_why() -> None:
    def status(**more: Any) -> list[int]:
        return [each.status for each in joined(record(Kind.EXIT, 10, **more)) if isinstance(each, ProcessExited)]

    assert status(result=1, other=3 << 8) == [3]
    assert status(result=1, other=0, made=4 << 8, length=4) == [4]
    assert status(result=1, other=11 | 0x80) == [-11]
    assert status(result=0, other=3 << 8) == []


def test_a_process_ends_once_until_its_number_is_given_again() -> None:
    end = record(Kind.EXIT, 10, result=1)
    assert len(joined(end, end)) == 1
    fork = record(Kind.FORK, 11, pid=1, tid=1, result=20, other=20, data=b"child\0\0")
    first, forked, second = joined(end, fork, record(Kind.EXIT, 12, result=1))
    assert forked == ProcessForked(time=11, host="node", parent=1, pid=20, tid=20, program="child")
    assert (type(first), type(second)) == (ProcessExited, ProcessExited)


def test_a_thread_is_no_process_and_an_exec_has_its_path() -> None:
    thread, executed = joined(
        record(Kind.FORK, 10, result=21, other=20, data=b"prog\0"),
        record(Kind.EXEC, 20, data=b"/bin/true\0"),
    )
    assert (thread.thread, thread.parent, thread.pid, thread.tid) == (True, 20, 20, 21)
    assert executed == ProcessExecuted(time=20, host="node", pid=20, program="prog", path="/bin/true")


def test_the_kernels_own_way_of_ending_threads_is_the_signal_that_began_it() -> None:
    pipe = signalled(10, signal.SIGKILL, handler=0, length=0, made=signal.SIGPIPE)
    other = signalled(11, signal.SIGKILL, handler=0, length=0, made=signal.SIGPIPE, tid=21)
    assert [(each.signal, each.handled) for each in joined(pipe, other)] == [("SIGPIPE", False)]
    assert joined(signalled(10, signal.SIGKILL, handler=0, length=0, made=3 << 8)) == []
    assert joined(signalled(10, handler=1)) == []
    assert [each.signal for each in joined(signalled(10, signal.SIGRTMIN + 3))] == ["SIGRTMIN+3"]


def test_other_namespaces_are_passed_over_and_io_uring_is_noticed() -> None:
    joiner = CallJoiner({NET: "node"}, dict(enumerate(CALLS)), PLACES, OFFSET)
    joiner.feed(record(Kind.CALL, 10, net=78))
    assert (joiner.take(LATER), joiner.io_uring) == ([], {})
    joiner.feed(record(Kind.CALL, 10, "io_uring_setup", result=-38))
    assert joiner.io_uring == {}
    joiner.feed(record(Kind.CALL, 10, "io_uring_enter", result=1))
    assert joiner.io_uring == {20: "prog"}
