"""Calls that the kernel does not judge: which call is meant, and how it is answered; test_agents has them answered for real."""

import errno
import struct

import pytest

from netlab.notation.signatures import SIGNATURES
from netlab.scenario.spec import Refusal
from netlab.scenario.worlds import OF_THE_AGENT
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
