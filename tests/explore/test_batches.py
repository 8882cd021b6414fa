"""Calls that go to a process in one message come to what they would come to one by one, those after one that blocks included."""

from collections import deque
from collections.abc import Iterator

import pytest
from networks import two_hosts

from netlab.explore.batching import gathered
from netlab.explore.playing import Stage
from netlab.explore.scene import Line
from netlab.explore.trials import Trial
from netlab.notation.calls import CallText
from netlab.notation.parse import parse_step

pytestmark = pytest.mark.netns


@pytest.fixture
def stage() -> Iterator[Stage]:
    with Stage(two_hosts()) as made:
        yield made


def lines(*steps: str) -> list[Line]:
    made = []
    for number, step in enumerate(steps):
        process, _, text = step.partition(": ")
        said = parse_step(text)
        assert isinstance(said, CallText)
        made.append(Line(process, said.call, number))
    return made


def messages(stage: Stage, *steps: str) -> list[int]:
    """How many calls each message has that the steps are told in, were nothing known of what comes of them."""
    waiting, process, found = deque(lines(*steps)), stage._processes["client"], []
    while waiting:
        found.append(len(gathered(waiting, process, alone=False).lines))
        process.table.update({name: 3 for step in steps for name in step.partition(": ")[2].partition(" = ")[0].split()})
    process.table.clear()
    return found


def gave(trial: Trial) -> list[tuple[str, str | int]]:
    """Each call with its errno, its value, or "inside"."""
    return [
        (one.line.call.name, "inside" if one.outcome is None else one.outcome.errno or one.outcome.result) for one in trial.played
    ]


MADE = ("client: s = socket(AF_INET, SOCK_DGRAM)", "client: bind(s, 127.0.0.1:2100)", "client: t = dup(s)", "client: dup2(t, s)")


def test_what_a_call_makes_is_told_by_its_name_where_a_name_will_do(stage: Stage) -> None:
    assert messages(stage, *MADE, "client: close(t)") == [5]
    assert messages(stage, MADE[0], "client: poll(s, POLLIN, 0)", "client: close(s)") == [1, 2]
    assert messages(stage, MADE[0], "client: s = dup(s)", "client: close(s)") == [2, 1]


def test_calls_of_one_message_are_about_what_those_before_them_made(stage: Stage) -> None:
    trial = stage.play(
        lines(
            *MADE,
            "client: (a, b) = socketpair(AF_UNIX, SOCK_DGRAM)",
            'client: send(b, "to a")',
            'client: sendto(t, "to s", 0, 127.0.0.1:2100)',
            "client: recv(s, buf(10))",
            "client: recv(a, buf(10))",
        )
    )
    assert gave(trial) == [
        ("socket", 3), ("bind", 0), ("dup", 4), ("dup2", 3), ("socketpair", 0), ("send", 4), ("sendto", 4),
        ("recv", 4), ("recv", 4),
    ]  # fmt: skip
    assert [one.outcome.data for one in trial.played[-2:] if one.outcome] == [b"to s", b"to a"]
    times = [time for one in trial.played for time in (one.began, one.ended)]
    assert times == sorted(times)


def test_a_call_about_what_was_not_made_is_left_out(stage: Stage) -> None:
    trial = stage.play(
        lines(
            "client: s = socket(AF_INET, 77)",
            "client: bind(s, 127.0.0.1:2110)",
            "client: t = dup(s)",
            "client: close(t)",
            "client: u = socket(AF_INET, SOCK_DGRAM)",
            "client: close(u)",
        )
    )
    assert gave(trial) == [("socket", "EINVAL"), ("socket", 3), ("close", 0)]


def test_the_calls_after_one_that_stays_inside_are_made_by_another_thread(stage: Stage) -> None:
    trial = stage.play(
        lines(
            "client: (a, b) = socketpair(AF_UNIX, SOCK_STREAM)",
            'client: send(a, "x")',
            "client: recv(b, buf(1))",
            "client: recv(b, buf(1))",
            'client: send(b, "y")',
            "client: recv(a, buf(1))",
        )
    )
    assert gave(trial) == [("socketpair", 0), ("send", 1), ("recv", 1), ("recv", "inside"), ("send", 1), ("recv", 1)]
    inside, after = trial.played[3:5]
    assert trial.played[2].ended <= inside.began <= inside.seen_inside <= after.began
    assert trial.left_inside == 1


def test_a_call_that_does_not_block_is_waited_for_however_long_it_takes(stage: Stage) -> None:
    trial = stage.play(
        lines(
            "client: (a, b) = socketpair(AF_UNIX, SOCK_STREAM)",
            "client: recv(a, buf(1), MSG_DONTWAIT)",
            "client: sleep(40)",
            "client: close(b)",
            "client: recv(a, buf(1))",
        )
    )
    assert gave(trial) == [("socketpair", 0), ("recv", "EAGAIN"), ("sleep", 0), ("close", 0), ("recv", 0)]
    assert trial.left_inside == 0


def test_a_fork_behind_a_call_that_is_left_out_is_a_child_like_any_other(stage: Stage) -> None:
    trial = stage.play(
        lines("client: close(nothing)", "client: p = fork()", "client/p: close(77)", "client: s = socket(AF_INET, SOCK_DGRAM)")
    )
    assert gave(trial)[1:] == [("close", "EBADF"), ("socket", 3)]
    assert trial.played[0].line.call.name == "fork"
