"""Whose doing an event is: a program's, or netlab's own before it became one."""

from typing import Any

import pytest

from netlab.companions import Beside, Companion, Processes, lab_processes
from netlab.lab.lab import Lab
from netlab.timeline.observations import (
    AnyObservation,
    ProcessExecuted,
    ProcessExited,
    ProcessForked,
    SignalDelivered,
    SocketState,
    SystemCall,
)
from netlab.topology.load import load_topology

OWN, OLD, NEW, CHILD = 10, 20, 30, 31


def call(pid: int, began: int, time: int, **more: Any) -> SystemCall:
    given = {"tid": pid, "program": "x", "call": "close", "source": "bpf", **more}
    return SystemCall(time=time, host="a", pid=pid, began=began, **given)


def executed(pid: int, time: int) -> ProcessExecuted:
    return ProcessExecuted(time=time, host="a", pid=pid, program="x", path="/bin/x")


def forked(parent: int, pid: int, time: int, thread: bool = False) -> ProcessForked:
    return ProcessForked(time=time, host="a", parent=parent, pid=pid, tid=pid, program="x", thread=thread)


def kept(*observations: AnyObservation) -> list[AnyObservation]:
    return Processes([OWN], [OLD]).wanted(observations)


def test_a_program_begins_with_its_execution() -> None:
    begun, execution, after = executed(NEW, 5), call(NEW, 4, 6, call="execve"), call(NEW, 7, 8)
    assert kept(forked(OWN, NEW, 1), call(NEW, 2, 3), begun, execution, after) == [begun, after]


def test_what_a_program_forks_is_one_from_the_start() -> None:
    events: list[AnyObservation] = [forked(OLD, CHILD, 1), call(CHILD, 2, 3), executed(CHILD, 4), call(CHILD, 3, 5)]
    assert kept(*events) == events


def test_what_was_there_before_the_observers_is_one_and_netlab_never_is() -> None:
    seen = call(OLD, 1, 2)
    assert kept(call(OWN, 1, 2), seen, executed(OWN, 3), call(OWN, 4, 5)) == [seen]


def test_ends_and_signals_of_others_are_left_out() -> None:
    end = ProcessExited(time=9, host="a", pid=NEW, program="x", status=0)
    taken = SignalDelivered(time=8, host="a", pid=NEW, tid=NEW, program="x", signal="SIGTERM")
    assert kept(taken, end) == []
    assert kept(begun := executed(NEW, 1), taken, end) == [begun, taken, end]


def test_strace_follows_nothing_but_programs() -> None:
    seen = call(NEW, 1, 2, source="strace")
    assert kept(seen) == [seen]


def test_what_is_no_process_doing_stays() -> None:
    state = SocketState(time=1, host="a", source="tracepoint", old="CLOSE", new="LISTEN", local=("::", 1), remote=("::", 0))
    assert kept(state) == [state]


@pytest.mark.netns
def test_a_programs_lines_come_as_they_are_whole() -> None:
    with Lab(load_topology("one-host"), programs=True) as lab:
        before = lab_processes(lab)
        assert lab.keeper.pid in before.own
        script = "printf 'one\\ntw'; echo wrong >&2; read line; echo"
        companion = Companion(lab, Beside(host="host", argv=("sh", "-c", script)), ["sh", "-c", script])
        lines: list[str] = []
        while companion.poll() is None:
            lines += companion.fresh()
        lines += companion.fresh()
        assert sorted(lines) == ["one", "tw", "wrong"]
        assert companion.fresh(whole=True) == []
        assert (companion.texts(), companion.status) == (("one\ntw\n", "wrong\n"), 0)
        companion.close()
