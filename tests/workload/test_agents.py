"""The agent makes raw calls: every value, errno and buffer is visible, and a blocking call blocks only itself."""

import errno
import os
import signal
import socket
import struct
from collections.abc import Iterator

import pytest
from labs import netlab
from networks import one_host

from netlab.lab.lab import Lab
from netlab.notation.constants import constant
from netlab.observe.procfs import descriptor_table
from netlab.workload.agents import AgentProcess, ProcessGone
from netlab.workload.refusals import filter_of

pytestmark = pytest.mark.netns


@pytest.fixture
def agent() -> Iterator[AgentProcess]:
    with Lab(one_host()) as lab:
        made = AgentProcess.start(lab["host"])
        yield made
        made.close()


def call(
    agent: AgentProcess, name: str, *args: object, width: str = "int", actor: str = "main", refused: bytes = b""
) -> tuple[int, int, list[object]]:
    tagged = [list(arg) if isinstance(arg, tuple) else ["int", arg] for arg in args]
    reply = agent.returned(agent.begin(name, tagged, width, actor, refused), 5)
    assert reply is not None
    return reply.result, reply.errno, reply.out


def test_descriptors_begin_at_three_and_the_agents_own_are_out_of_the_way(agent: AgentProcess) -> None:
    assert call(agent, "socket", socket.AF_INET, socket.SOCK_STREAM, 0)[0] == 3
    assert set(descriptor_table("host", "host", agent.pid).table) == {0, 1, 2, 3}


def test_bad_pointers_and_bad_lengths_can_be_passed(agent: AgentProcess) -> None:
    fd = call(agent, "socket", socket.AF_INET, socket.SOCK_STREAM, 0)[0]
    assert call(agent, "connect", fd, ("bad",), 16)[:2] == (-1, errno.EFAULT)
    assert call(agent, "bind", fd, ("in", b"\0" * 16), -1)[:2] == (-1, errno.EINVAL)
    assert call(agent, "getsockname", fd, ("null",), ("inout", struct.pack("=I", 16)))[:2] == (-1, errno.EFAULT)
    assert call(agent, "close", 999)[:2] == (-1, errno.EBADF)


def test_what_a_call_leaves_in_its_buffers_comes_back(agent: AgentProcess) -> None:
    _, _, out = call(agent, "socketpair", socket.AF_UNIX, socket.SOCK_STREAM, 0, ("out", 8))
    assert isinstance(out[3], bytes)
    left, right = struct.unpack("=ii", out[3])
    assert call(agent, "write", left, ("in", b"hello"), 5, width="ssize")[0] == 5
    assert call(agent, "read", right, ("out", 10), 10, width="ssize")[2][1] == b"hello" + bytes(5)


def test_the_c_library_has_a_function_or_has_it_not(agent: AgentProcess) -> None:
    assert call(agent, "exported", ("in", b"recvmsg\0"))[:2] == (0, 0)
    assert call(agent, "exported", ("in", b"closesocket\0"))[:2] == (-1, errno.ENOENT)


def test_a_blocking_call_blocks_only_its_actor(agent: AgentProcess) -> None:
    _, _, out = call(agent, "socketpair", socket.AF_UNIX, socket.SOCK_STREAM, 0, ("out", 8))
    assert isinstance(out[3], bytes)
    left, right = struct.unpack("=ii", out[3])
    number = agent.begin("read", [["int", right], ["out", 1], ["int", 1]], "ssize", "reader")
    assert agent.settled(number, 5)
    assert agent.returned(number, 0) is None
    assert call(agent, "write", left, ("in", b"x"), 1, width="ssize")[0] == 1
    reply = agent.returned(number, 5)
    assert reply is not None
    assert (reply.result, reply.out[1]) == (1, b"x")
    assert reply.before < reply.after


def test_a_signal_that_is_handled_interrupts_who_is_inside_a_call(agent: AgentProcess) -> None:
    _, _, out = call(agent, "socketpair", socket.AF_UNIX, socket.SOCK_STREAM, 0, ("out", 8))
    assert isinstance(out[3], bytes)
    left, right = struct.unpack("=ii", out[3])
    assert call(agent, "handle", signal.SIGUSR1, 0)[:2] == (0, 0)
    assert call(agent, "interrupt", signal.SIGUSR1)[0] == 0
    number = agent.begin("read", [["int", right], ["out", 1], ["int", 1]], "ssize", "reader")
    assert agent.settled(number, 5)
    assert call(agent, "interrupt", signal.SIGUSR1)[0] == 1
    reply = agent.returned(number, 5)
    assert reply is not None
    assert (reply.result, reply.errno) == (-1, errno.EINTR)
    # A handler that has the call begin again, as most languages' runtimes install them.
    assert call(agent, "handle", signal.SIGUSR1, constant("SA_RESTART"))[:2] == (0, 0)
    number = agent.begin("read", [["int", right], ["out", 1], ["int", 1]], "ssize", "reader")
    assert agent.settled(number, 5)
    assert call(agent, "interrupt", signal.SIGUSR1)[0] == 1
    assert call(agent, "write", left, ("in", b"x"), 1, width="ssize")[0] == 1
    reply = agent.returned(number, 5)
    assert reply is not None
    assert (reply.result, reply.out[1]) == (1, b"x")


def test_a_large_message_is_not_cut(agent: AgentProcess) -> None:
    _, _, out = call(agent, "socketpair", socket.AF_UNIX, socket.SOCK_STREAM, 0, ("out", 8))
    assert isinstance(out[3], bytes)
    left, _ = struct.unpack("=ii", out[3])
    assert call(agent, "fcntl", left, 4, os.O_NONBLOCK)[0] == 0
    assert call(agent, "write", left, ("inout", bytes(1_000_000)), 1_000_000, width="ssize")[0] > 0


def test_a_fork_has_a_copy_of_the_descriptors(agent: AgentProcess) -> None:
    fd = call(agent, "socket", socket.AF_INET, socket.SOCK_STREAM, 0)[0]
    child, reply = agent.fork("host/p")
    assert reply.result > 0
    assert call(child, "close", fd)[0] == 0
    assert call(child, "close", fd)[:2] == (-1, errno.EBADF)
    assert call(agent, "close", fd)[0] == 0
    assert set(descriptor_table("host", "host/p", child.pid).table) == {0, 1, 2}
    child.close()


def test_a_process_that_a_signal_ended_says_which(agent: AgentProcess) -> None:
    with pytest.raises(ProcessGone, match="status -9"):
        call(agent, "kill", 9)


@pytest.mark.parametrize(("name", "argument", "status"), [("exit", 7, 7), ("exit", 0, 0), ("kill", 9, -9)])
def test_how_a_forked_process_ended_is_known(agent: AgentProcess, name: str, argument: int, status: int) -> None:
    child, _ = agent.fork("host/p")
    for again in (name, "close"):  # who asks a second time gets the same answer
        with pytest.raises(ProcessGone) as gone:
            call(child, again, argument)
        assert gone.value.status == status
    child.close()


def test_how_a_process_ended_whose_parent_has_gone_is_not_known(agent: AgentProcess) -> None:
    child, _ = agent.fork("host/p")
    with pytest.raises(ProcessGone, match="status -9"):
        call(agent, "kill", 9)
    with pytest.raises(ProcessGone) as gone:
        call(child, "exit", 3)
    assert gone.value.status is None
    child.close()


def test_where_another_user_does_not_exist_the_claim_is_inconclusive() -> None:
    said = netlab("conform", "--claim", "reuseport-all-must-set", rootless=True)
    assert (said.returncode, "INCONCLUSIVE" in said.stdout, "host has no user 65534" in said.stdout) == (3, True, True)


def test_one_call_is_refused_and_the_next_is_not(agent: AgentProcess) -> None:
    stream = (socket.AF_INET, socket.SOCK_STREAM, 0)
    assert call(agent, "socket", *stream, refused=filter_of("socket", "ENFILE"))[:2] == (-1, errno.ENFILE)
    assert call(agent, "socket", *stream)[:2] == (3, 0)
    assert call(agent, "close", 3, refused=filter_of("close", ""))[:2] == (0, 0)
    assert call(agent, "close", 3)[:2] == (0, 0), "the close before did nothing"
    assert call(agent, "close", 3)[:2] == (-1, errno.EBADF)
