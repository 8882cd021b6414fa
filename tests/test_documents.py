"""Every command and every example of every page does what the page says; the slow ones in make proof (NETLAB_PROOF=1)."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import click
import pytest
from _pytest.mark.structures import ParameterSet
from documents import DOCS, ROOT, Block, Command, blocks, commands, inline, missing, pages, parsed

from netlab.cli import cli
from netlab.document import Document
from netlab.files import Kind, kind_of
from netlab.topology.load import parse_topology
from netlab.topology.plan import plan

PROOF = bool(os.environ.get("NETLAB_PROOF"))
BUDGET = 240
"""Seconds that all commands of one page may take in the suite, on a loaded machine."""

ELSEWHERE = {
    "make": "demo and test are what runs these tests; the other targets are CI's",
    "git": "git bisect: tests/test_cli_replay.py",
    "python3": "the tutorial's installation: tests/test_wheel.py, and ci/new_user in make proof",
    "pip": "as above",
    ".": "as above",
    "mkdir": "a page is played in a folder of its own",
    "cd": "as above",
    "sudo": "the tests change nothing of the machine's",
    "curl": "what a reader may do beside",
    "sh": "ci/docs: test_the_documents_are_built",
}
"""Commands of others, by their first word, that are not run here, and why."""

SLOW = (
    r"netlab-ns conform (--jobs|--core$|--core --junit|--group|--from-notes)",
    r"netlab-ns replay .* --times 20",
    r"netlab-ns shrink ",
    r"netlab-ns run (small.yaml|slow.scenario.yaml)",
    r"netlab-ns explore ",
    r"netlab-ns watch ",
    r"netlab-ns doctor",
)
"""What only make proof runs: more than some seconds, programs that not every machine has, an upper bound that a busy one widens."""

WRITES = {"slow.shrunk.yaml": "docs/shrink.md: what shrink wrote on a quiet machine; tests/test_cli_shrink.py runs such files"}
"""Examples that a command of their page has written: they are validated here, not run."""

TAKEN = {
    "capture.pcapng": "docs/captures.md: a capture of the reader's own; tests/test_cli_check.py",
    "capture.pcap": "as above",
}
"""Files that a reader brings, and where commands on such files are tested."""

ELSEWHERE_WHOLE = {DOCS / "import.md": ROOT / "tests" / "importing" / "test_import_guide.py"}
"""Pages whose examples are about captures and logs that their own test makes."""

WRITTEN = pages()
PLAYED = [page for page in WRITTEN if page not in ELSEWHERE_WHOLE]
NAMES = [str(page.relative_to(ROOT)) for page in WRITTEN]


def left_out(command: Command) -> bool:
    first = command.words[0]
    return command.is_usage or first in ELSEWHERE or any(name in command.text for name in TAKEN)


def renamed(text: str, number: int) -> str:
    """A lab's name is the machine's: other tests, and other checkouts, may have one of the same name."""
    return re.sub(r"(?<=--name )(\S+)", rf"\1-{number}", text)


def argv(words: Sequence[str]) -> list[str]:
    modules = {"netlab-ns": ["-m", "netlab"], "pytest": ["-m", "pytest", "-p", "no:cacheprovider"], "python": []}
    return [sys.executable, *modules[words[0]], *words[1:]]


@pytest.mark.parametrize("page", WRITTEN, ids=NAMES)
def test_every_command_is_one_and_has_these_options(page: Path) -> None:
    texts = [one.text for one in commands(page)] + inline(page)
    wrong = [f"{text}: {told}" for text in texts if text.startswith("netlab-ns ") for told in unknown(text)]
    assert wrong == []


def unknown(text: str) -> list[str]:
    """What of a command line click does not know."""
    words = shlex.split(text.replace("[", " ").replace("]", " "))[1:]
    context, command = click.Context(cli, info_name="netlab-ns"), None
    current: click.Command = cli
    while words and isinstance(current, click.Group) and not words[0].startswith("-"):
        if words[0].isupper() or words[0] == "...":
            return []
        command = current.get_command(context, words[0])
        if command is None:
            return [f"no command {words[0]}"]
        current, words = command, words[1:]
    known = {name for each in current.params for name in (*each.opts, *each.secondary_opts)} | {"--help", "-h", "--version"}
    own = words[: words.index("--")] if "--" in words else words
    return [f"no option {word}" for word in own if word.startswith("--") and word.split("=")[0] not in known]


SEEN_THEN = re.compile(r"\s*timeline, in ms|\s*[>~]?\s*\d+\.\d{3}\s")
"""A line of a timeline, as a report shows it."""
FIRST_READ = frozenset({"README.md", "docs/tutorial.md", "docs/oracle.md", "docs/pytest.md", "docs/captures.md"})
"""The pages whose commands are run by make test; those of all are by make proof."""


def _in_time(page: Path) -> ParameterSet:
    name = str(page.relative_to(ROOT))
    return pytest.param(page, id=name, marks=[] if name in FIRST_READ else [pytest.mark.proof])


@pytest.mark.netns
@pytest.mark.timeout(900 if PROOF else BUDGET)
@pytest.mark.parametrize("page", [_in_time(page) for page in PLAYED if commands(page)])
def test_a_page_does_what_it_says(page: Path, tmp_path: Path) -> None:
    labs = {one.words[one.words.index("--name") + 1] for one in commands(page) if "--name" in one.words}
    step = {"GITHUB_STEP_SUMMARY": str(tmp_path / "step-summary")}
    environment = {**os.environ, **step, "COLUMNS": "132", "NO_COLOR": "1"}
    for one in parsed(page):
        if isinstance(one, Block):
            if one.name:
                (tmp_path / one.name).write_text(one.text)
            continue
        if left_out(one) or (not PROOF and any(re.match(slow, one.text) for slow in SLOW)):
            continue
        words = [f"{word}-{os.getpid()}" if word in labs else word for word in one.words]
        done = subprocess.run(
            argv(words), cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
        )
        told = f"{page.name}:{one.line}: {one.text}\n{done.stdout}{done.stderr}"
        assert done.returncode == one.status, told
        # What was seen when, and in which order where nobody can tell, is another run's.
        said = "\n".join(line for line in one.prints.splitlines() if not SEEN_THEN.match(line))
        assert missing(said, done.stdout + done.stderr) == [], told


EXAMPLES = [
    pytest.param(page, one, id=f"{page.relative_to(ROOT)}:{one.line}")
    for page in PLAYED
    for one in blocks("yaml", page)
    if not any(one.name in command.text for command in commands(page) if one.name and not left_out(command))
]
"""The examples in YAML that no command of their page has as its file."""


@pytest.mark.netns
@pytest.mark.parametrize(("page", "example"), EXAMPLES)
def test_an_example_is_what_it_says(page: Path, example: Block, tmp_path: Path) -> None:
    """A topology is planned, a scenario or claims are run and pass; other YAML (of CI, of worlds) its own page's tests know."""
    path = tmp_path / (example.name or "example.yaml")
    path.write_text(example.text)
    kind = kind_of(str(path))
    if kind is Kind.TOPOLOGY:
        topology = parse_topology(Document.parse(example.text, str(page)))
        assert {node.name for node in plan(topology).nodes} == {node.name for node in topology.nodes} != set()
    elif kind in (Kind.SCENARIO, Kind.CLAIMS):
        verb = "validate" if example.name in WRITES else "run"
        for one in blocks("yaml", page):  # what its page has beside it, such as a topology
            if one.name and one.name != example.name:
                (tmp_path / one.name).write_text(one.text)
        fails = verb == "run" and re.search(r"^xfail:", example.text, re.MULTILINE) is not None
        done = subprocess.run(
            argv(["netlab-ns", verb, str(path)]),
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        assert done.returncode == int(fails), f"{page.name}:{example.line}\n{done.stdout}{done.stderr}"


PYTHON = [
    pytest.param(page, one, id=f"{page.relative_to(ROOT)}:{one.line}")
    for page in WRITTEN
    for one in blocks("python", page)
    if not one.name
]


@pytest.mark.netns
@pytest.mark.parametrize(("page", "example"), PYTHON)
def test_python_runs(page: Path, example: Block, tmp_path: Path) -> None:
    """A script runs without a warning; what has tests or fixtures in it passes under pytest."""
    path = tmp_path / "test_example.py"
    path.write_text(example.text)
    tests = re.search(r"^(?:    )?def test_|^class Test", example.text, re.MULTILINE)
    words = ["pytest", "-q", str(path)] if tests else ["python", "-W", "error", str(path)]
    done = subprocess.run(argv(words), cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, "" if tests else done.stderr) == (0, ""), f"{page.name}:{example.line}\n{done.stdout}{done.stderr}"


@pytest.mark.parametrize(("page", "test"), ELSEWHERE_WHOLE.items())
def test_a_page_that_is_left_out_has_its_own_test(page: Path, test: Path) -> None:
    assert page.name in test.read_text()
    assert "def test_" in test.read_text()


def test_the_picture_is_what_netlab_draws(tmp_path: Path) -> None:
    drawn = subprocess.run(argv(["netlab-ns", "graph", "two-hosts", "-o", "-", "--format", "svg"]), capture_output=True, check=True)
    assert drawn.stdout.decode() == (DOCS / "two-hosts.svg").read_text()


@pytest.mark.timeout(300)
@pytest.mark.proof
def test_the_documents_are_built(tmp_path: Path) -> None:
    """Warnings are errors: every link between pages leads somewhere, every page is in a table of contents."""
    pytest.importorskip("sphinx", reason="Sphinx is not installed: pip install -e '.[docs]'")
    pytest.importorskip("myst_parser", reason="MyST is not installed: pip install -e '.[docs]'")
    done = subprocess.run(
        ["sh", str(ROOT / "ci" / "docs")],
        cwd=ROOT,
        env={**os.environ, "BIN": str(Path(sys.executable).parent), "OUT": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "index.html").is_file()
