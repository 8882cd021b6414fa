"""The command conform on claims of one's own: which are run, what is known of them, rounds, and the pages it writes."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from netlab.cli import cli
from netlab.run import run_scenario
from netlab.scenario.load import load_claims
from netlab.scenario.worlds import load_worlds

CLAIMS = """\
# Three small claims.
group: mine
claims:
  - id: makes-a-descriptor
    statement: socket() gives a descriptor.
    sources: [POSIX.1-2024 socket()]
    core: true
    topology: one-host
    steps:
      # The lowest that is free.
      - host: s = socket(AF_INET, SOCK_STREAM, 0) -> 3
  - id: gives-four
    statement: The first descriptor is 4.
    sources: [nobody]
    topology: one-host
    steps:
      - host: s = socket(AF_INET, SOCK_STREAM, 0) -> 4
  - id: takes-long
    statement: It takes a minute.
    sources: ["the notes, 001"]
    from_notes: true
    slow: true
    topology: one-host
    steps:
      - host: s = socket(AF_INET, SOCK_STREAM, 0) -> 3
not_tested:
  - {id: history, statement: It was so., reason: it is over}
"""


@pytest.fixture
def claims(tmp_path: Path) -> str:
    (tmp_path / "claims").mkdir()
    (tmp_path / "claims" / "mine.yaml").write_text(CLAIMS)
    return str(tmp_path / "claims")


def conform(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["conform", *arguments], prog_name="netlab-ns")


@pytest.mark.netns
class TestConform:
    def test_claims_of_ones_own_without_the_slow_ones(self, claims: str) -> None:
        told = conform("--claims", claims)
        assert told.exit_code == 1, told.output
        assert "left out, since they take a minute or more each (--slow): takes-long" in told.stderr
        assert "1 passed, 1 failed" in told.stdout
        assert "Not tested, since nothing can test it: 1" in told.stdout

    @pytest.mark.parametrize(
        ("options", "passed"),
        [
            (["--core"], 1),
            (["--from-notes", "--slow"], 1),
            (["--claim", "takes-long"], 1),
            (["--core", "--claim", "takes-long"], 2),
        ],
    )
    def test_what_is_chosen(self, options: list[str], passed: int, claims: str) -> None:
        told = conform("--claims", claims, *options)
        assert told.exit_code == 0, told.output
        assert f"{passed} passed, 0 failed" in told.stdout

    def test_a_known_deviation_passes_and_one_that_is_none_is_told(self, claims: str, tmp_path: Path) -> None:
        known = tmp_path / "known.yaml"
        known.write_text("deviations: {gives-four: this machine counts from 3, makes-a-descriptor: so it was}")
        told = conform("--claims", claims, "--deviations", str(known))
        assert told.exit_code == 0, told.output
        assert "gives-four" in told.stdout.partition("Known deviations")[2]
        assert "makes-a-descriptor is said to deviate, and it does not" in told.stderr
        assert conform("--claims", claims, "--deviations", str(known), "--strict").exit_code == 1

    def test_the_pages(self, claims: str, tmp_path: Path) -> None:
        told = conform(
            "--claims", claims, "--repeat", "2", "--markdown", str(tmp_path / "a.md"), "--html", str(tmp_path / "a.html")
        )
        assert told.exit_code == 1, told.output
        text = (tmp_path / "a.md").read_text()
        for said in (
            "Three small claims.",
            "# The lowest that is free.",
            "**PASS**, as documented",
            "return: expected 4, found 3",
            "history",
        ):
            assert said in text
        assert re.search(r"## TCP transitions\n\n0 of \d+ were taken.\n\n\\| not taken \\| why \\|\n", text)
        assert "| tcp.listen.send | send(2) on a listener fails with EPIPE" in text
        assert re.search(r"^TCP transitions: 0 of \d+ taken\.$", told.stdout, re.MULTILINE)
        page = (tmp_path / "a.html").read_text()
        assert page.startswith("<!doctype html>")
        assert "<h3>gives-four</h3>" in page


@pytest.mark.parametrize(
    ("text", "message"),
    [("group: [", "this is not YAML"), ("nodes: {a: {}}", "name a file of claims"), ("", "the file says nothing")],
)
def test_what_is_no_file_of_claims_is_told(text: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "one.yaml"
    file.write_text(text)
    told = conform("--claims", str(file))
    assert told.exit_code == 2, told.output
    assert message in told.output


@pytest.mark.netns
def test_the_guides_examples_work(tmp_path: Path) -> None:
    guide = (Path(__file__).parent.parent / "docs" / "conform.md").read_text()
    known, own, worlds = re.findall(r"```yaml\n(.*?)```", guide, re.DOTALL)
    for name, text in (("known", known), ("own", own), ("worlds", worlds)):
        (tmp_path / f"{name}.yaml").write_text(text)
    assert conform("--claims", str(tmp_path / "own.yaml")).exit_code == 0
    told = conform("--claim", "refused-rst", "--deviations", str(tmp_path / "known.yaml"))
    assert "refused-rst is said to deviate, and it does not" in told.stderr
    claims = {scenario.name: scenario for scenario in load_claims(tmp_path / "own.yaml")[0]}
    (world,) = load_worlds(tmp_path / "worlds.yaml", claims)
    verdict = run_scenario(world.scenario).verdicts[0]
    assert (verdict.outcome, verdict.mismatches[0].field) == ("FAIL", world.fails)


def test_the_guides_commands_are_understood() -> None:
    guide = (Path(__file__).parent.parent / "docs" / "conform.md").read_text()
    commands = [line.split("#")[0].split() for line in guide.splitlines() if line.startswith("    netlab-ns conform")]
    assert len(commands) == 5
    for words in commands:
        with cli.make_context("netlab-ns", words[1:]) as context:
            command = cli.get_command(context, "conform")
            assert command is not None
            assert command.make_context("conform", words[2:]).params
