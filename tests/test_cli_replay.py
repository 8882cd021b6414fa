"""A failure is written as one file and runs again from it elsewhere: with what was decided then, and a status for git bisect."""

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result
from labs import Terminal, command, netlab

from netlab.bundle.loading import loaded
from netlab.bundle.reading import read
from netlab.bundle.running import decisions_of, run_bundle
from netlab.bundle.spec import Bundle
from netlab.bundle.writing import save
from netlab.cli import cli
from netlab.errors import SpecError
from netlab.timeline.observations import StepEnded

GUIDE = Path(__file__).parent.parent / "docs" / "replay.md"
HEAD = """\
# Half of all datagrams are lost.
topology: two-hosts
impair:
  client->server: [{match: "client > server udp", action: drop, chance: 50%}]
steps:
  - server: s = socket(AF_INET, SOCK_DGRAM, 0)
  - server: bind(s, 0.0.0.0:5000)
  - client: c = socket(AF_INET, SOCK_DGRAM, 0)
"""
LOSSY = (
    HEAD
    + """\
  - repeat: {times: 40, steps: [client: 'sendto(c, "x", 0, server:5000) -> 1']}
  - client: t = socket(AF_INET, SOCK_STREAM, 0)
  - client: connect(t, server:9) -> ECONNREFUSED
  - server: getsockname(s) -> EBADF
"""
)
"""Which of the datagrams are lost is left to chance. What answers connect() came after them, so that all were decided about; the
last step fails whatever was lost."""
PROGRAM = """\
# A program that the scenario brings.
topology: one-host
steps:
  - host: run {python} {program} -> 0
"""
needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="there is no git; apt-get install git")


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(cli, [str(argument) for argument in arguments], prog_name="netlab-ns")


def failing(folder: Path, text: str = LOSSY, name: str = "lossy") -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.scenario.yaml"
    path.write_text(text)
    return path


def bundled(tmp_path: Path, text: str = LOSSY, *options: object) -> Path:
    """The bundle of a scenario that fails, whose own folder is gone."""
    path, made = failing(tmp_path / "there", text), tmp_path / "lossy.netlab"
    told = invoke("run", path, "--bundle", made, *(options or ("--seed", 7)))
    assert told.exit_code == 1, told.output
    assert f"to replay lossy: netlab-ns replay {made}" in told.stderr
    shutil.rmtree(tmp_path / "there")
    return made


def changed(made: Path, **fields: Any) -> Bundle:
    bundle = msgspec.structs.replace(read(str(made)), **fields)
    save(bundle, str(made))
    return bundle


def keys(report: str) -> list[str]:
    (scenario,) = json.loads(report)["scenarios"]
    return [seen["key"] for seen in scenario["timeline"] if seen["kind"] == "decision"]


@pytest.mark.netns
def test_a_failure_comes_again_with_the_same_decisions_where_its_files_are_not(tmp_path: Path) -> None:
    made = bundled(tmp_path)
    wanted = [one.key for one in read(str(made)).decisions]
    assert 0 < len(wanted) < 40
    report = tmp_path / "again.json"
    told = invoke("replay", made, "--json", report)
    assert told.exit_code == 1, told.output
    assert f"following {len(wanted)} recorded decision" in told.stdout
    assert told.stdout.endswith("replayed once: the same failure\n")
    assert keys(report.read_text()) == wanted
    assert json.loads(report.read_text())["scenarios"][0]["file"] == "lossy.scenario.yaml"


@pytest.mark.netns
def test_the_guides_example_fails_and_is_replayed_as_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    page = GUIDE.read_text()
    Path("asks-once.scenario.yaml").write_text(page.split("```yaml\n")[1].split("```")[0])
    commands = [line.split("#")[0].split()[1:] for line in page.splitlines() if line.startswith("    netlab-ns ")]
    assert [words[0] for words in commands] == ["run", "replay", "shrink"]
    assert invoke(*commands[0]).exit_code == 1
    told = invoke(*(word.replace("20", "3") for word in commands[1]))
    assert told.exit_code == 1
    assert "the same failure 3 of 3 times" in told.stdout
    assert invoke("validate", "asks-once.scenario.yaml").exit_code == 0


@pytest.mark.netns
def test_decisions_are_followed_whatever_the_rules_would_decide(tmp_path: Path) -> None:
    made = read(str(bundled(tmp_path)))
    fewer = msgspec.structs.replace(made, decisions=made.decisions[:1], seed=made.seed + 1)
    assert [one.key for one in decisions_of(run_bundle(fewer))] == [made.decisions[0].key]
    none = msgspec.structs.replace(made, decisions=())
    assert decisions_of(run_bundle(none)) == ()


@pytest.mark.netns
def test_packets_of_the_record_that_do_not_come_up_are_told(tmp_path: Path) -> None:
    made = bundled(tmp_path)
    bundle = read(str(made))
    never = msgspec.structs.replace(bundle.decisions[0], key="client>server:5000 #1 datagram 9999")
    changed(made, decisions=(*bundle.decisions, never))
    told = invoke("replay", made)
    assert told.exit_code == 1
    count = len(bundle.decisions) + 1
    assert f"came up in 1 run: 1 of {count} were missing in the worst (client>server:5000 #1 datagram 9999)" in told.stdout


@pytest.mark.netns
def test_the_rate_is_told_with_its_interval(tmp_path: Path) -> None:
    told = invoke("replay", bundled(tmp_path), "--times", 4, "--jobs", 2)
    assert told.exit_code == 1, told.output
    assert told.stdout.endswith("the same failure 4 of 4 times: 100.0%, 95% confidence interval 51.0% to 100.0%\n")


@pytest.mark.netns
def test_an_exclusive_claim_is_replayed_one_run_at_a_time(tmp_path: Path) -> None:
    claim = (
        "  - {{id: {0}, topology: one-host, statement: It runs., sources: [none], exclusive: true, steps: [host: getpid(){1}]}}\n"
    )
    (tmp_path / "some.yaml").write_text("group: some\nclaims:\n" + claim.format("passes", "") + claim.format("fails", " -> -1"))
    made = tmp_path / "fails.netlab"
    assert invoke("run", tmp_path / "some.yaml", "--bundle", made).exit_code == 1
    (tmp_path / "some.yaml").unlink()
    told = invoke("replay", made, "--jobs", 2, "--times", 2)
    assert told.exit_code == 1
    assert "one run at a time: the claim is exclusive" in told.stdout
    assert "fails failed on Linux" in told.stdout
    assert "the same failure 2 of 2 times" in told.stdout


@pytest.mark.netns
def test_what_was_counted_until_an_interruption_is_told(tmp_path: Path) -> None:
    with Terminal(command("replay", bundled(tmp_path), "--times", 1000)) as terminal:
        terminal.shows("2/1000")
        terminal.type("\x03")
        terminal.shows("until now: the same failure ")
        assert terminal.wait() == 130


@pytest.mark.netns
def test_until_fail_ends_with_the_first(tmp_path: Path) -> None:
    told = invoke("replay", bundled(tmp_path), "--until-fail")
    assert (told.exit_code, told.stdout.splitlines()[-1]) == (1, "replayed once: the same failure")


@pytest.mark.netns
def test_a_failure_that_does_not_come_again_is_status_0(tmp_path: Path) -> None:
    made = bundled(tmp_path)
    bundle = read(str(made))
    changed(made, files=bundle.files | {bundle.file: bundle.files[bundle.file].replace(" -> EBADF", "")})
    told = invoke("replay", made, "--times", 2)
    assert told.exit_code == 0, told.output
    assert "the same failure 0 of 2 times: 0.0%" in told.stdout
    assert told.stdout.endswith("; no failure 2\n")


@pytest.mark.netns
def test_another_failure_tells_nothing_about_the_first_one(tmp_path: Path) -> None:
    made = bundled(tmp_path)
    bundle = read(str(made))
    changed(made, files=bundle.files | {bundle.file: bundle.files[bundle.file].replace("server: bind(s", "client: bind(s")})
    assert invoke("replay", made).exit_code == 125  # a name that this host does not have: wrong input
    changed(made, files=bundle.files | {bundle.file: bundle.files[bundle.file].replace("0.0.0.0:5000)", "0.0.0.0:5000) -> EACCES")})
    told = invoke("replay", made)
    assert (told.exit_code, told.stdout.splitlines()[-1]) == (125, "replayed once: another failure")


@pytest.mark.netns
def test_what_the_machine_lacks_tells_nothing(tmp_path: Path) -> None:
    made = bundled(tmp_path)
    bundle = read(str(made))
    steps = bundle.files[bundle.file].replace("steps:\n", "steps:\n  - server: run no-such-program\n")
    changed(made, files=bundle.files | {bundle.file: steps})
    told = invoke("replay", made, "--trust")
    assert (told.exit_code, told.stdout.splitlines()[-1]) == (125, "replayed once: inconclusive")
    told = invoke("replay", made, "--trust", "--times", 2)
    assert (told.exit_code, told.stdout.splitlines()[-1]) == (125, "the same failure 0 of 0 times; inconclusive 2")


@pytest.mark.netns
def test_settings_timeout_and_seed_are_those_of_the_failure(tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.mkdir()
    (there / "pair.yaml").write_text("vars: {mtu: 1500}\nnodes: {a: {}, b: {}}\nlinks: [{endpoints: [a, b], mtu: '${mtu}'}]\n")
    steps = "steps:\n  - a: s = socket(AF_INET, SOCK_DGRAM, 0)\n  - a: recv(s, buf(1)) -> 1\n"
    made = bundled(
        tmp_path, f"topology: pair\n{steps}", "--set", "mtu=1400", "--timeout", "250ms", "--capture-buffer", "2M", "--seed", 5
    )
    bundle = read(str(made))
    assert (bundle.settings, bundle.timeout, bundle.seed) == ({"mtu": "1400"}, 250_000_000, 5)
    assert bundle.capture_buffer == 2 << 20
    with loaded(bundle) as scenario:
        assert scenario.topology.links[0].mtu == 1400
    ended = {seen.index: seen.time for seen in run_bundle(bundle).timeline.observations if isinstance(seen, StepEnded)}
    assert 0.25 <= (ended[1] - ended[0]) / 1e9 < 4.5  # without it each call may take 5 s
    assert invoke("replay", made).exit_code == 1


@pytest.mark.netns
def test_a_run_without_a_seed_tells_the_one_that_it_drew_and_that_one_repeats_it(tmp_path: Path) -> None:
    path = failing(tmp_path)
    first, second = tmp_path / "first.json", tmp_path / "second.json"
    told = invoke("run", path, "--json", first)
    line = next(line for line in told.stderr.splitlines() if line.startswith("seed "))
    _, _, words = line.partition("to repeat: netlab-ns ")
    assert words.startswith(f"run {path} --seed=")
    again = invoke(*words.split(), "--json", second)
    assert again.exit_code == 1
    assert keys(first.read_text()) == keys(second.read_text()) != []
    assert line not in invoke("run", path).stderr


@pytest.mark.netns
def test_a_directory_gets_a_bundle_of_each_failure_and_a_file_the_first(tmp_path: Path) -> None:
    steps = "topology: one-host\nsteps:\n  - host: getpid() -> -1\n"
    failing(tmp_path, steps, "one")
    failing(tmp_path, steps, "two")
    failing(tmp_path, steps.replace(" -> -1", ""), "passes")
    kept = tmp_path / "kept"
    kept.mkdir()
    told = invoke("run", tmp_path, "--bundle", kept)
    assert told.exit_code == 1, told.output
    assert {read(str(path)).scenario for path in kept.iterdir()} == {"one", "two"}
    assert "seed " not in told.stderr  # nothing was left to chance
    told = invoke("run", tmp_path, "--bundle", tmp_path / "x.netlab")
    assert read(str(tmp_path / "x.netlab")).scenario == "one"
    assert "holds the first of 2 failures" in told.stderr


@pytest.mark.netns
def test_what_cannot_be_bundled_is_told_and_the_run_ends_as_it_would(tmp_path: Path) -> None:
    outside = tmp_path / "elsewhere.yaml"
    outside.write_text("nodes: {host: {}}\n")
    path = failing(tmp_path / "there", f"topology: {outside}\nsteps:\n  - host: getpid() -> -1\n")
    told = invoke("run", path, "--bundle", tmp_path / "x.netlab")
    assert told.exit_code == 1
    assert "x.netlab was not written: there/lossy.scenario.yaml" in told.stderr.replace(f"{tmp_path}/", "")
    assert not (tmp_path / "x.netlab").exists()


@pytest.mark.netns
def test_a_program_comes_along_and_is_run_only_where_the_user_trusts_it(tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.mkdir()
    program, proof = there / "fails.py", tmp_path / "proof"
    program.write_text(f"import sys\nopen({str(proof)!r}, 'a').write('ran')\nsys.exit(3)\n")
    made = bundled(tmp_path, PROGRAM.format(python=sys.executable, program=program))
    proof.unlink()
    told = invoke("replay", made)
    assert (told.exit_code, told.stdout) == (125, "")
    assert f"host runs {sys.executable} {program} ({program}: {len(read(str(made)).programs['fails.py'].data)} bytes" in told.stderr
    assert "nothing was run: there is no terminal to ask at; add --trust if you trust it" in told.stderr
    for answer, status in (("n", 125), ("y", 1)):
        assert not proof.exists()
        with Terminal(command("replay", made)) as terminal:
            terminal.shows("Run it? [y/N]: ")
            terminal.type(f"{answer}\n")
            assert terminal.wait() == status
    assert proof.read_text() == "ran"
    assert invoke("replay", made, "--trust").exit_code == 1
    assert proof.read_text() == "ranran"


@pytest.mark.netns
@needs_git
def test_git_bisect_finds_the_commit_that_broke_a_program(tmp_path: Path) -> None:
    """Five versions of a program: the second cannot be judged, and from the fourth on it fails."""
    versions = ["0", "no such python", "0", "3", "3"]
    repository = tmp_path / "repository"
    repository.mkdir()
    program = repository / "program.sh"
    quiet = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "GIT_AUTHOR_NAME": "t", "GIT_AUTHOR_EMAIL": "t@t"}
    env = {**os.environ, **quiet, "GIT_COMMITTER_NAME": "t", "GIT_COMMITTER_EMAIL": "t@t"}

    def git(*words: object) -> str:
        done = subprocess.run(["git", *map(str, words)], cwd=repository, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    git("init", "-q")
    for number, version in enumerate(versions):
        program.write_text(f"#!/bin/sh\n# {number}\nexit {version}\n" if version.isdigit() else f"#!/{version}\n")
        program.chmod(0o755)
        git("add", "program.sh")
        git("commit", "-q", "-m", f"version {number}")
    made = bundled(tmp_path, f"topology: one-host\nsteps:\n  - host: run {program}\n")
    assert read(str(made)).programs == {}  # it lies elsewhere: what is sought is in its own versions
    git("bisect", "start", "HEAD", "HEAD~4")
    assert "version 3" in git("bisect", "run", *command("replay", made, "--trust")).split("is the first bad commit")[1]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Missing argument 'BUNDLE'"),
        (["x.netlab", "--times", "0"], "0 is not in the range"),
        (["nowhere.netlab"], "nowhere.netlab: cannot be read: No such file or directory"),
        ([__file__], "this is no bundle"),
        (["x.netlab", "--json", "-", "--pcap", "-"], "only one report can go to standard output"),
    ],
)
def test_whatever_cannot_be_replayed_tells_git_bisect_nothing(arguments: list[str], said: str) -> None:
    told = invoke("replay", *arguments)
    assert (told.exit_code, told.stdout) == (125, "")
    assert said in told.stderr


def test_what_a_bundle_from_elsewhere_says_does_not_reach_the_terminal_as_control_characters(tmp_path: Path) -> None:
    made = tmp_path / "x.netlab"
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("bundle.json", json.dumps({"format": 9, "netlab": "1\x1b[2J\n"}))
    told = CliRunner().invoke(cli, ["replay", str(made)], color=True)
    assert told.exit_code == 125
    assert "written by netlab 1\\x1b[2J\n, in format 9" in told.stderr


def test_the_same_mistakes_elsewhere_are_wrong_input() -> None:
    assert (invoke("run").exit_code, invoke("run", "nowhere.yaml").exit_code) == (2, 2)


@pytest.mark.parametrize(
    ("place", "said"),
    [("/nowhere/x.netlab", "no directory /nowhere"), ("/nowhere/", "no such directory"), ("/proc/x.netlab", "not writable")],
)
def test_a_bundle_that_could_not_be_written_is_refused_before_the_run(place: str, said: str, tmp_path: Path) -> None:
    if place.startswith("/proc") and os.access("/proc", os.W_OK):
        place = "/nowhere/x"
        said = "no directory /nowhere"
    told = invoke("run", failing(tmp_path), "--bundle", place)
    assert (told.exit_code, told.stdout) == (2, "")
    assert said in told.stderr


def test_a_device_is_not_replaced_by_a_bundle(tmp_path: Path) -> None:
    told = invoke("run", failing(tmp_path), "--bundle", "/dev/null")
    assert told.exit_code == 2
    assert re.search("/dev/null: (no regular file|not writable)", told.stderr)
    assert Path("/dev/null").is_char_device()


@pytest.mark.netns
def test_decisions_of_other_rules_are_refused_with_the_fix(tmp_path: Path) -> None:
    made = bundled(tmp_path)
    bundle = read(str(made))
    wrong = msgspec.structs.replace(bundle.decisions[0], place="lossy.scenario.yaml:9:9", action="hold")
    changed(made, decisions=(wrong,))
    with pytest.raises(SpecError, match=r"the recorded decisions do not fit the scenario: no rule at lossy\.scenario\.yaml:9:9"):
        run_bundle(read(str(made)))
    told = invoke("replay", made)
    assert told.exit_code == 125
    assert "replay them with --seed" in told.stderr
    assert invoke("replay", made, "--seed", 3).exit_code == 1


@pytest.mark.netns
def test_a_bundle_replays_for_whoever_is_not_root(tmp_path: Path) -> None:
    with TemporaryDirectory(dir="/tmp") as folder:  # which that user can reach, unlike pytest's
        made = shutil.copy(bundled(tmp_path), folder)
        Path(folder).chmod(0o755)
        done = netlab("replay", made, rootless=True)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "not the same: tier: C here, A there" in done.stdout or read(str(tmp_path / "lossy.netlab")).host.tier != "A"
    assert done.stdout.endswith("replayed once: the same failure\n")
