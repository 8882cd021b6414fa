"""What generated sequences found: the model says now what the kernel does, and the kernel does it."""

from pathlib import Path

import pytest
from model.sockets.explored_sequences import FOUND, steps
from model.sockets.on_kernel import disagreements
from model.sockets.worlds import allowed, call, done, one_host

from netlab.model.sockets.oracle import Oracle
from netlab.model.sockets.outcomes import Seen


def _played(name: str) -> tuple[Oracle, str]:
    *before, last = steps(name)
    oracle = one_host()
    for step in before:
        text, _, job = step.partition(" & as ")
        if job:
            assert oracle.blocked(oracle.start("host", call(text))).inconsistency is None
        else:
            done(oracle, text)
    return oracle, last


@pytest.mark.parametrize("name", [name for name, (_, result) in FOUND.items() if result])
def test_the_model_has_learnt_it(name: str) -> None:
    oracle, last = _played(name)
    assert allowed(oracle, last) == {FOUND[name][1]}


def test_a_number_that_accept_has_taken_is_passed_over() -> None:
    oracle, last = _played("a number that a waiting accept() has taken is no other's")
    assert oracle.returned(oracle.start("host", call(last)), Seen(result=4)).inconsistency is not None
    oracle, last = _played("a number that a waiting accept() has taken is no other's")
    assert oracle.returned(oracle.start("host", call(last)), Seen(result=5)).inconsistency is None


@pytest.mark.netns
def test_the_kernel_does_it(tmp_path: Path) -> None:
    assert disagreements({name: steps(name) for name in FOUND}, tmp_path) == {}
