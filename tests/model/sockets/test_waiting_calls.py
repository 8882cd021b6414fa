"""Calls that wait, and what is done meanwhile: the model says what the kernel does, and the kernel does it."""

from pathlib import Path

import pytest
from model.sockets.on_kernel import disagreements
from model.sockets.waiting_sequences import WAITED
from model.sockets.worlds import after, call, done, one_host

from netlab.model.sockets.oracle import Oracle
from netlab.model.sockets.outcomes import Seen


def _steps(name: str) -> list[str]:
    return [one.strip().replace("'", '"') for one in WAITED[name][0].split(";")]


def _seen(result: str) -> Seen:
    value, _, out = result.partition(" out ")
    return Seen(result=-1, errno=value) if value.isalpha() else Seen(result=int(value), out=out or None)


def _begun(name: str) -> tuple[Oracle, int]:
    """The oracle after the calls, and the number of the one that waits."""
    oracle, number = one_host(), 0
    for step in _steps(name):
        text, _, job = step.partition(" -> ")[0].partition(" & as ")
        if job:
            number = oracle.start("host", call(text))
            assert oracle.blocked(number).inconsistency is None
        else:
            done(oracle, text)
    return oracle, number


@pytest.mark.parametrize("name", WAITED)
def test_it_may_give_this(name: str) -> None:
    oracle, number = _begun(name)
    assert oracle.returned(number, _seen(WAITED[name][1])).inconsistency is None


@pytest.mark.parametrize("name", WAITED)
def test_it_may_not_give_that(name: str) -> None:
    oracle, number = _begun(name)
    assert oracle.returned(number, _seen(WAITED[name][2])).inconsistency is not None


_HANDLED = "handle(SIGUSR1, 0)"
_GOES_ON = "handle(SIGUSR1, SA_RESTART)"


@pytest.mark.parametrize(
    ("handled", "before", "waits", "then", "gave", "never"),
    [
        (_HANDLED, "s = socket(AF_UNIX, SOCK_DGRAM)", "poll(s, POLLIN, -1)", "shutdown(s, SHUT_RD)", "EINTR", "0 out 0"),
        (_HANDLED, "s = socket(AF_UNIX, SOCK_DGRAM)", "poll(s, POLLIN, -1)", "shutdown(s, SHUT_RD)", "1 out POLLIN", "0 out 0"),
        (_GOES_ON, "s = socket(AF_UNIX, SOCK_DGRAM)", "recv(s, buf(9))", "close(s)", "EBADF", "EINTR"),
        (_GOES_ON, "s = socket(AF_UNIX, SOCK_DGRAM)", "recv(s, buf(9))", "shutdown(s, SHUT_RD)", '0 out ""', "EINTR"),
    ],
)
def test_a_signal_is_looked_at_when_the_thread_runs(
    handled: str, before: str, waits: str, then: str, gave: str, never: str
) -> None:
    for result, wrong in ((gave, False), (never, True)):
        oracle = after(one_host(), handled, before)
        number = oracle.start("host", call(waits))
        oracle.blocked(number)
        after(oracle, "interrupt(SIGUSR1)", then)
        assert (oracle.returned(number, _seen(result)).inconsistency is not None) is wrong


@pytest.mark.netns
def test_the_kernel_does_it(tmp_path: Path) -> None:
    assert disagreements({name: [*_steps(name), f"join j -> {WAITED[name][1]}"] for name in WAITED}, tmp_path) == {}
