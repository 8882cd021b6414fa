"""A failure becomes as small as it gets, in a file that a person can read and that fails as it did; and what ends a search."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result
from labs import Terminal, command

from netlab.bundle.reading import read
from netlab.bundle.writing import save
from netlab.check.result import RunResult
from netlab.cli import cli

GUIDE = Path(__file__).parent.parent / "docs" / "shrink.md"
LATE = """\
# The first datagram comes first.
topology:
  nodes: {client: {}, server: {}, idle: {}}
  links:
    - endpoints: [client, server]
    - endpoints: [client, idle]
impair:
  client->server: [{match: udp, nth: 1, action: drop}, {match: udp, nth: 2, action: duplicate}]
timeout: 1s
steps:
  - server: s = socket(AF_INET, SOCK_DGRAM, 0)
  - server: bind(s, 0.0.0.0:9000)
  - client: c = socket(AF_INET, SOCK_DGRAM, 0)
  - client: sendto(c, "1", 0, server:9000)
  - client: sendto(c, "22", 0, server:9000)
  - server: recv(s, buf(9), 0) -> 1
  - client: close(c)
"""
SMALL = """\
name: late
topology: two-hosts
timeout: 1s
impair:
  client->server: [{match: udp, nth: 1, action: drop}]
steps:
  - server: s = socket(AF_INET, SOCK_DGRAM, 0)
  - server: bind(s, 0.0.0.0:9000)
  - client: c = socket(AF_INET, SOCK_DGRAM, 0)
  - client: sendto(c, "1", 0, server:9000)
  - server: recv(s, buf(9), 0) -> 1
"""
netns = pytest.mark.netns


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(cli, [str(argument) for argument in arguments], prog_name="netlab-ns")


def bundled(folder: Path, text: str = LATE) -> Path:
    (folder / "late.scenario.yaml").write_text(text)
    made = folder / "late.netlab"
    ran = invoke("run", folder / "late.scenario.yaml", "--seed", 1, "--bundle", made)
    assert ran.exit_code == 1, ran.output
    return made


@contextmanager
def searching(path: Path, *options: str) -> "Iterator[subprocess.Popen[str]]":
    """A search as a shell starts it: in a process group of its own."""
    process = subprocess.Popen(command("shrink", path, *options), stderr=subprocess.PIPE, text=True, start_new_session=True)
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        assert process.stderr is not None
        process.stderr.close()


def told(process: "subprocess.Popen[str]", beginning: str) -> list[str]:
    """The lines that it tells, until one begins so."""
    assert process.stderr is not None
    lines = []
    for line in process.stderr:
        lines.append(line.rstrip("\n"))
        if line.startswith(beginning):
            return lines
    raise AssertionError(f"{beginning!r} is not told, but {lines}")


@netns
@pytest.mark.timeout(600)  # some forty runs
@pytest.mark.proof
def test_a_failure_shrinks_to_the_packet_that_matters(tmp_path: Path) -> None:
    made = bundled(tmp_path)
    found = invoke("shrink", made)
    assert found.exit_code == 0, found.output
    small = tmp_path / "late.shrunk.yaml"
    comment, _, scenario = small.read_text().partition("name: ")
    lines = comment.splitlines()
    assert lines[0] == "# Fails exactly when the client's datagram is lost."
    assert lines[1].startswith("# What fails: return: expected 1, got ")
    assert lines[2].startswith("# Shrunk by netlab-ns from late.netlab; in ")
    assert f"name: {scenario}" == SMALL

    progress = found.stderr.splitlines()
    phases = list(dict.fromkeys(line.partition(":")[0] for line in progress[1:-2]))
    assert phases == [
        "the failure itself", "undisturbed", "decisions", "exact rules", "steps", "nodes and links", "once more", "the file itself",
    ]  # fmt: skip
    assert "decisions: 1 decision, 7 steps, 3 nodes, 2 links after" in found.stderr
    assert progress[-2] == lines[0].removeprefix("# ")
    assert progress[-1].startswith(f"{small}: fails in ")
    assert progress[-1].endswith("1 impairment, 5 steps, 2 nodes, 1 link")

    again = invoke("run", small)
    assert again.exit_code == 1
    assert "server: recv(s, buf(9), 0) -> 1" in again.stdout


@netns
def test_ctrl_c_leaves_the_best_so_far(tmp_path: Path) -> None:
    """Sent to the whole group, as a terminal does."""
    made = bundled(tmp_path)
    with searching(made, "--jobs", "2", "-o", str(tmp_path / "best.yaml")) as process:
        told(process, "steps: 1 impairment")
        os.killpg(process.pid, signal.SIGINT)
        told(process, "interrupted: this is the best so far")
        assert process.wait(60) == 130
    text = (tmp_path / "best.yaml").read_text()
    assert text.startswith(("# Fails when the client's 1st datagram is lost.\n", "# Fails when the client's datagram is lost.\n"))
    assert "The search was ended early" in text
    assert "{match: udp, nth: 1, action: drop}" in text
    assert invoke("run", tmp_path / "best.yaml").exit_code == 1


@netns
def test_ctrl_c_before_anything_failed_leaves_nothing(tmp_path: Path) -> None:
    made = bundled(tmp_path)
    bundle = msgspec.structs.replace(read(str(made)), decisions=())
    save(bundle, str(made), RunResult(netlab="0", host=bundle.host, scenarios=()))
    with searching(made, "--tries", "10000") as process:
        told(process, "the failure itself")
        os.killpg(process.pid, signal.SIGINT)
        assert told(process, f"{made}: nothing was written: interrupted before the failure appeared again")
        assert process.wait(60) == 130
    assert not (tmp_path / "late.shrunk.yaml").exists()


@netns
def test_a_failure_that_does_not_come_again_leaves_nothing(tmp_path: Path) -> None:
    made = bundled(tmp_path)
    bundle = msgspec.structs.replace(read(str(made)), decisions=())
    save(bundle, str(made), RunResult(netlab="0", host=bundle.host, scenarios=()))
    found = invoke("shrink", made, "--tries", 2)
    assert (found.exit_code, found.stdout) == (1, "")
    assert found.stderr.splitlines()[-1] == f"{made}: nothing was written: the failure did not appear again in 2 runs"
    assert not (tmp_path / "late.shrunk.yaml").exists()


@netns
def test_the_time_for_the_whole_ends_it(tmp_path: Path) -> None:
    made = bundled(tmp_path)
    found = invoke("shrink", made, "--timeout", "1ns")
    assert (found.exit_code, found.stdout) == (1, "")
    assert found.stderr.splitlines()[-1] == f"{made}: nothing was written: out of time before the failure appeared again"


@netns
def test_what_this_machine_lacks_is_told(tmp_path: Path) -> None:
    made = bundled(tmp_path)
    bundle = read(str(made))
    other = bundle.files[bundle.file].replace("server: {}", "server: {sysctls: {net.ipv4.tcp_congestion_control: nosuch}}")
    bundle = msgspec.structs.replace(bundle, files={bundle.file: other})
    save(bundle, str(made), RunResult(netlab="0", host=bundle.host, scenarios=()))
    found = invoke("shrink", made, "--tries", 1)
    assert (found.exit_code, found.stdout) == (3, "")
    assert "nosuch" in found.stderr.splitlines()[-1]


@netns
def test_a_terminal_is_asked_and_shows_how_far_it_is(tmp_path: Path) -> None:
    program = tmp_path / "fails.py"
    program.write_text("import sys\nsys.exit(1)\n")
    step = f"run {sys.executable} -I -S {program} -> 0"
    made = bundled(tmp_path, f"topology: one-host\nsteps:\n  - host: {step}\n")
    refused = invoke("shrink", made)
    assert refused.exit_code == 2
    assert "add --trust" in refused.stderr
    shrinking = command("shrink", made, "-o", tmp_path / "small.yaml")
    with Terminal(shrinking, {"TERM": "xterm", "COLUMNS": "130"}, (24, 130)) as terminal:
        assert str(program) in terminal.shows("Run it? [y/N]:").replace("\r\n", "")
        terminal.type("y\n")
        terminal.shows("nodes and links: 0 impairments, 1 step, 1 node, 0 links after")
        assert "Fails with nothing lost, late or changed." in terminal.shows("small.yaml: fails in")
        assert terminal.wait() == 0
    assert f"  - host: {step}\n" in (tmp_path / "small.yaml").read_text()


@netns
def test_the_guides_example_fails_and_so_does_what_it_shrank_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    page = GUIDE.read_text()
    for name, piece in zip(("slow.scenario.yaml", "slow.shrunk.yaml"), page.split("```yaml\n")[1:], strict=True):
        Path(name).write_text(piece.partition("```")[0])
    commands = [line.split("#")[0].split()[1:] for line in page.splitlines() if line.startswith("    netlab-ns ")]
    assert [words[0] for words in commands] == ["run", "shrink"]
    ran = invoke(*commands[0])
    assert ran.exit_code == 1
    assert read("slow.netlab").failed.step == "client: connect(c, server:8080) took <1500ms"
    again = invoke("run", "slow.shrunk.yaml")
    assert again.exit_code == 1
    assert "client: connect(c, server:8080) took <1500ms" in again.stdout


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("-o", "nowhere/small.yaml"), "no directory nowhere"),
        (("--tries", "0"), "--tries"),
        (("--timeout", "soon"), "soon"),
        ((), "this is no bundle"),
    ],
)
def test_what_is_wrong_is_told_before_anything_runs(options: tuple[str, ...], said: str, tmp_path: Path) -> None:
    (tmp_path / "text.netlab").write_text("no bundle")
    found = invoke("shrink", tmp_path / "text.netlab", *options)
    assert found.exit_code == 2
    assert said in found.stderr
