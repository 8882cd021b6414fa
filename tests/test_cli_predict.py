"""predict: what the model allows at each step, from the command line; no kernel is asked."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from netlab.cli import cli

GUIDE = Path(__file__).parent.parent / "docs" / "oracle.md"


def predict(tmp_path: Path, *steps: str, options: tuple[str, ...] = ()) -> Result:
    scenario = tmp_path / "tried.scenario.yaml"
    scenario.write_text("topology: one-host\nsteps:\n" + "".join(f"  - host: {step}\n" for step in steps))
    return CliRunner().invoke(cli, ["predict", str(scenario), *options])


def last(tmp_path: Path, *steps: str) -> dict[str, Any]:
    told = predict(tmp_path, *steps, options=("--json",))
    assert told.exit_code == 0, told.output
    document = json.loads(told.stdout)
    assert len(document["steps"]) == len(steps)
    step: dict[str, Any] = document["steps"][-1]
    return step


def test_a_step_has_its_outcomes_and_the_rules_that_allow_them(tmp_path: Path) -> None:
    step = last(tmp_path, "s = socket(AF_INET, SOCK_STREAM, 0)", "accept(s)")
    assert step["modelled"] is True
    assert step["allowed"] == [{"errno": "EINVAL", "state": {"s": "CLOSE"}}]
    (rule,) = step["rules"]
    assert rule.startswith("accept.")


def test_states_and_what_a_call_gives_besides_are_told(tmp_path: Path) -> None:
    steps = ("s = socket(AF_INET, SOCK_STREAM, 0)", "bind(s, 127.0.0.1:80)", "listen(s, 5)", "getsockname(s)")
    assert last(tmp_path, *steps)["allowed"] == [{"ret": 0, "out": "127.0.0.1:80", "state": {"s": "LISTEN"}}]


@pytest.mark.parametrize(
    ("result", "errors"), [("", set()), (" -> EINPROGRESS", {"EALREADY"}), (" -> ECONNREFUSED", {"ECONNREFUSED"})]
)
def test_what_an_earlier_step_asserts_counts(tmp_path: Path, result: str, errors: set[str]) -> None:
    listening = () if "REFUSED" in result else ("l = socket(AF_INET, SOCK_STREAM, 0)", "bind(l, 127.0.0.1:81)", "listen(l, 0)")
    full = ("x = socket(AF_INET, SOCK_STREAM, 0)", "connect(x, 127.0.0.1:81)") if "PROGRESS" in result else ()
    kind = "SOCK_STREAM|SOCK_NONBLOCK" if "PROGRESS" in result else "SOCK_STREAM"
    opening = (*listening, *full, f"c = socket(AF_INET, {kind}, 0)", f"connect(c, 127.0.0.1:81){result}")
    step = last(tmp_path, *opening, "connect(c, 127.0.0.1:81)")
    found = {one["errno"] for one in step["allowed"] if "errno" in one}
    assert found == (errors or {"EISCONN"})


def test_a_call_that_waits_for_ever_blocks(tmp_path: Path) -> None:
    steps = ("s = socket(AF_INET, SOCK_STREAM, 0)", "listen(s, 5)", "accept(s)")
    assert [set(one) - {"state"} for one in last(tmp_path, *steps)["allowed"]] == [{"blocks"}]


def test_what_is_not_modelled_is_said(tmp_path: Path) -> None:
    assert last(tmp_path, "s = socket(AF_NETLINK, SOCK_RAW, 0)")["modelled"] is False


def test_a_step_that_asserts_something_else_is_marked(tmp_path: Path) -> None:
    told = predict(tmp_path, "s = socket(AF_INET, SOCK_STREAM, 0)", "listen(s, 5) -> EBADF")
    assert told.exit_code == 0
    assert "the step asserts something else" in told.output


def test_posix_leaves_the_order_of_errors_open(tmp_path: Path) -> None:
    steps = ("s = socket(AF_INET, SOCK_STREAM, 0)", "bind(s, 127.0.0.1:0)", "bind(s, 192.0.2.1:0)")
    linux = predict(tmp_path, *steps, options=("--json", "-"))
    posix = predict(tmp_path, *steps, options=("--json", "-", "--profile", "posix"))
    errors = [{one["errno"] for one in json.loads(told.stdout)["steps"][-1]["allowed"]} for told in (linux, posix)]
    assert len(errors[0]) == 1
    assert errors[0] < errors[1]


def test_a_wrong_file_is_refused(tmp_path: Path) -> None:
    told = predict(tmp_path, "bond(s)")
    assert told.exit_code == 2
    assert "tried.scenario.yaml:3" in told.output


def test_the_guides_example_is_predicted(tmp_path: Path) -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    scenario = tmp_path / "refused.scenario.yaml"
    scenario.write_text(example)
    told = CliRunner().invoke(cli, ["predict", str(scenario)])
    assert told.exit_code == 0, told.output
    assert "ECONNREFUSED" in told.output
    for words in re.findall(r"^    netlab-ns (model \S+)", GUIDE.read_text(), re.MULTILINE):
        shown = CliRunner().invoke(cli, words.split())
        assert shown.exit_code == 0, shown.output
