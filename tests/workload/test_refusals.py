"""Calls that the kernel does not judge: which call is meant, and that it is answered so for real, in that thread alone."""

import errno
import socket
import struct
from collections.abc import Iterator

import pytest
from networks import one_host

from netlab.lab.lab import Lab
from netlab.notation.signatures import SIGNATURES
from netlab.scenario.spec import Refusal
from netlab.scenario.worlds import OF_THE_AGENT
from netlab.workload.agents import AgentProcess
from netlab.workload.refusals import Refusals, filter_of


def test_the_nth_call_of_a_process_is_meant_or_each() -> None:
    asked = Refusals(
        [Refusal(process="a", call="socket", nth=2, errno="EMFILE"), Refusal(process="b", call="bind", errno="EACCES")]
    )
    assert [bool(asked.next("a", "socket")) for _ in range(3)] == [False, True, False]
    assert [bool(asked.next("b", "bind")) for _ in range(3)] == [True, True, True]
    assert not asked.next("b", "socket")


@pytest.mark.parametrize("call", sorted(set(SIGNATURES) - OF_THE_AGENT))
def test_every_call_of_the_kernel_has_its_numbers(call: str) -> None:
    instructions = [struct.unpack("=HBBI", filter_of(call, "EPERM")[at : at + 8]) for at in range(0, len(filter_of(call, "")), 8)]
    numbers = [value for code, _, _, value in instructions if code == 0x15]
    assert numbers
    assert instructions[-1] == (0x06, 0, 0, 0x00050000 | errno.EPERM)


@pytest.fixture
def agent() -> Iterator[AgentProcess]:
    with Lab(one_host()) as lab:
        made = AgentProcess.start(lab["host"])
        yield made
        made.close()


def call(agent: AgentProcess, name: str, *arguments: int, refused: bytes = b"") -> tuple[int, int]:
    reply = agent.returned(agent.begin(name, [["int", one] for one in arguments], "int", "main", refused), 5)
    assert reply is not None
    return reply.result, reply.errno


@pytest.mark.netns
def test_one_call_is_refused_and_the_next_is_not(agent: AgentProcess) -> None:
    stream = (socket.AF_INET, socket.SOCK_STREAM, 0)
    assert call(agent, "socket", *stream, refused=filter_of("socket", "ENFILE")) == (-1, errno.ENFILE)
    assert call(agent, "socket", *stream) == (3, 0)
    assert call(agent, "close", 3, refused=filter_of("close", "")) == (0, 0)
    assert call(agent, "close", 3) == (0, 0), "the close before did nothing"
    assert call(agent, "close", 3) == (-1, errno.EBADF)
