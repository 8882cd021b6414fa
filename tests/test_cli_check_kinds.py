"""check on what is no capture: the JSON result of an earlier run, and a log of strace's."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from netlab.cli import cli

LOG = """\
41<prog> 1790000000.000000100 socket(AF_UNIX, SOCK_STREAM|SOCK_CLOEXEC, 0) = 3<socket:[900]> <0.000000010>
41<prog> 1790000000.000000300 bind(3<socket:[900]>, {sa_family=AF_UNIX, sun_path=@"name"}, 8) = 0 <0.000000010>
41<prog> 1790000000.000000500 accept(3<socket:[900]>, NULL, NULL) = -1 EINVAL (Invalid argument) <0.000000010>
41<prog> 1790000000.000000700 close(3<socket:[900]>) = 0 <0.000000010>
41<prog> 1790000000.000000900 close(3) = -1 EBADF (Bad file descriptor) <0.000000010>
41<prog> 1790000000.000001100 +++ exited with 0 +++
"""


def check(path: Path) -> Result:
    return CliRunner().invoke(cli, ["check", str(path)])


def test_a_log_of_strace_is_judged(tmp_path: Path) -> None:
    log = tmp_path / "prog.strace"
    log.write_text(LOG)
    told = check(log)
    assert told.exit_code == 0, told.output
    assert "PASS          model.calls" in told.output


@pytest.mark.parametrize(
    ("was", "becomes", "rule"),
    [
        (
            "accept(3<socket:[900]>, NULL, NULL) = -1 EINVAL (Invalid argument)",
            "accept(3<socket:[900]>, NULL, NULL) = 4",
            "accept.",
        ),
        ("}, 8) = 0", "}, 8) = -1 ENOTSOCK (Socket operation on non-socket)", "bind."),
        ("close(3<socket:[900]>) = 0", "close(3<socket:[900]>) = -1 EBADF (Bad file descriptor)", "close."),
    ],
)
def test_a_wrong_call_in_a_log_is_named_with_its_rule(tmp_path: Path, was: str, becomes: str, rule: str) -> None:
    assert was in LOG
    log = tmp_path / "prog.strace"
    log.write_text(LOG.replace(was, becomes))
    told = check(log)
    assert told.exit_code == 1, told.output
    assert "FAIL          model.calls" in told.output
    assert rule in told.output


def test_a_damaged_log_is_refused_with_its_line(tmp_path: Path) -> None:
    log = tmp_path / "prog.strace"
    log.write_text(LOG.replace("41<prog> 1790000000.000000700", "what is this"))
    told = check(log)
    assert told.exit_code == 2
    assert f"{log}:4:1" in told.output


@pytest.mark.netns
def test_a_result_is_judged_again(tmp_path: Path) -> None:
    scenario = tmp_path / "refused.scenario.yaml"
    scenario.write_text(
        "topology: one-host\nsteps:\n"
        "  - host: s = socket(AF_INET, SOCK_STREAM, 0)\n"
        "  - host: connect(s, 127.0.0.1:9) -> ECONNREFUSED\n"
    )
    result = tmp_path / "result.json"
    ran = CliRunner().invoke(cli, ["run", str(scenario), "--json", str(result)])
    assert ran.exit_code == 0, ran.output
    assert check(result).exit_code == 0
    document = json.loads(result.read_text())
    (returned,) = [one for one in document["scenarios"][0]["timeline"] if one["kind"] == "return" and one["call"] == "connect"]
    returned["errno"] = "EISCONN"
    result.write_text(json.dumps(document))
    told = check(result)
    assert told.exit_code == 1
    assert "connect.tcp-failed-econnrefused" in told.output
    scenario.unlink()
    assert check(result).exit_code in (0, 1), "without its scenario only the model judges"


def test_what_is_no_result_of_ours_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    other.write_text('{"schema": 99, "netlab": "1", "scenarios": []}')
    told = check(other)
    assert told.exit_code == 2
    assert "no result of netlab's" in told.output
