"""What predict makes of a call that after() puts off: it comes before the end of a wait that is at least twice as long."""

from pathlib import Path

import pytest

from netlab.model.sockets.predict import predict
from netlab.scenario.load import load_scenarios


def shown(steps: tuple[str, ...], folder: Path) -> list[str]:
    """The values and errnos that the last step may come to."""
    path = folder / "put-off.scenario.yaml"
    path.write_text("\n".join(["topology: {name: h, nodes: {h: {}}}", "steps:", *(f"  - h: '{step}'" for step in steps)]) + "\n")
    (scenario,) = load_scenarios(path)
    last = predict(scenario)[-1]
    assert last.modelled
    return [str(one.get("errno", one.get("ret", "blocks"))) for one in last.allowed]


PAIR = "(x, y) = socketpair(AF_UNIX, SOCK_STREAM, 0)"
TIMED = "setsockopt(y, SOL_SOCKET, SO_RCVTIMEO, {timeval:1,0})"


@pytest.mark.parametrize(
    ("steps", "outcomes"),
    [
        ((PAIR, "after(200, write(x, buf(3)))", "poll(y, POLLIN, 3000)"), ["1"]),
        ((PAIR, "after(200, write(x, buf(3)))", "poll(y, POLLIN, 300)"), ["0", "1"]),
        ((PAIR, "after(200, write(x, buf(3)))", "poll(y, POLLIN, -1)"), ["1"]),
        ((PAIR, TIMED, "after(200, write(x, buf(3)))", "recv(y, buf(9), 0)"), ["3"]),
        ((PAIR, TIMED, "after(900, write(x, buf(3)))", "recv(y, buf(9), 0)"), ["EAGAIN", "3"]),
        ((PAIR, "after(200, write(x, buf(3)))", "sleep(500)", "recv(y, buf(9), MSG_DONTWAIT)"), ["3"]),
        ((PAIR, "after(200, close(x))", "sleep(500)", "send(y, buf(9), 0)"), ["EPIPE"]),
    ],
)
def test_a_wait_is_over_after_what_comes_in_half_its_time(steps: tuple[str, ...], outcomes: list[str], tmp_path: Path) -> None:
    assert sorted(shown(steps, tmp_path)) == sorted(outcomes)
