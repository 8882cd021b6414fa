"""Generated malformed files: whatever one holds, it is loaded or refused with its errors' places, at once; what loads is planned.

NETLAB_MALFORMED says how many files are generated, NETLAB_SEED which.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, given, seed, settings
from malformed_files import SOURCES, Files, malformed
from malformed_parts import MAIN

from netlab.errors import Problem, SpecError
from netlab.topology.load import load_topology
from netlab.topology.plan import plan
from netlab.topology.spec import Topology

FILES = int(os.environ.get("NETLAB_MALFORMED", "250"))
SEED = int(os.environ.get("NETLAB_SEED", "3"))
AT_ONCE = 1.0  # seconds of processor time; a few milliseconds are usual
MOST_PROBLEMS, LONGEST_PROBLEM = 100, 1500
Result = TypeVar("Result")
LINES = (re.compile(r"\n"), re.compile("\r\n|[\n\r\x85\u2028\u2029]"))
"""Where lines end: in bytes that are no text yet, and in YAML."""


@pytest.fixture(scope="module")
def folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="malformed"))


@pytest.fixture(scope="module", autouse=True)
def imported(folder: Path) -> None:
    """What is imported when it is first needed is not to count."""
    for number, text in enumerate(SOURCES):
        path = folder / f"source{number}.yaml"
        path.write_text(text)
        try:
            plan(load_topology(path))
        except SpecError:
            continue


def written(folder: Path, files: Files) -> Path:
    for old in folder.glob("*"):
        old.unlink()
    for name, raw in files.items():
        (folder / name).write_bytes(raw)
    return folder / MAIN


def quick(work: Callable[[], Result]) -> Result:
    """What it gives, at once; measured three times where it takes too long, for others are at work on this machine as well."""
    for _ in range(3):
        began = time.thread_time()
        result = work()
        took = time.thread_time() - began
        if took < AT_ONCE:
            return result
    raise AssertionError(f"{took:.1f} s of processor time")


def loaded(path: Path) -> Topology | tuple[Problem, ...]:
    try:
        return load_topology(path)
    except SpecError as error:
        return error.problems


def lies_in(problem: Problem, texts: dict[str, str]) -> bool:
    """Whether a problem's place is in one of the files."""
    place = problem.place
    if place.file not in texts:
        return False
    for lines in (end.split(texts[place.file]) for end in LINES):
        length = len(lines[place.line - 1]) if 0 < place.line <= len(lines) else 0
        if 1 <= place.line <= len(lines) + 1 and 1 <= place.column <= length + 1:
            return True
    return False


@seed(SEED)
@settings(max_examples=FILES, suppress_health_check=list(HealthCheck))
@given(files=malformed())
@pytest.mark.timeout(1200)
def test_a_generated_file_is_loaded_or_refused_with_places_and_at_once(folder: Path, files: Files) -> None:
    path = written(folder, files)
    problems = quick(lambda: loaded(path))
    if isinstance(problems, Topology):
        quick(lambda: plan(problems))
        return
    texts = {str(folder / name): raw.decode("utf-8-sig", "replace") for name, raw in files.items()}
    assert 1 <= len(problems) <= MOST_PROBLEMS
    for problem in problems:
        assert lies_in(problem, texts), problem
        assert len(str(problem)) <= LONGEST_PROBLEM
        assert not re.search(r"Traceback|<class |object at 0x|pydantic", str(problem)), problem


def test_generated_files_give_no_traceback_on_the_command_line(tmp_path: Path) -> None:
    paths: list[Path] = []

    @seed(SEED)
    @settings(max_examples=40, suppress_health_check=list(HealthCheck))
    @given(files=malformed())
    def write(files: Files) -> None:
        home = tmp_path / str(len(paths))
        home.mkdir()
        paths.append(written(home, files))

    write()
    argv = [sys.executable, "-m", "netlab", "validate", *map(str, paths)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert "Traceback" not in done.stdout + done.stderr
    assert sum(str(path) in done.stdout + done.stderr for path in paths) > len(paths) / 2


SWITCH = "  s: {kind: switch}\nlinks:\n  - endpoints: [h, s]\n"
LARGE = {
    "an unknown key": "nodes:\n  h: {count: 4990, knid: host}\n" + SWITCH,
    "a wrong value": "nodes:\n  h: {count: 4990, sysctls: {kernel.panic: 1}}\n" + SWITCH,
    "wrong routes": "nodes:\n  h: {count: 4990, routes: [{to: 10.0.0.300/8, via: x}, {to: default, via: nobody}]}\n" + SWITCH,
    "wrong rules": "nodes:\n  h: {count: 4990, firewall: {input: [accept from nowhere, drop drop, accept sctp]}}\n" + SWITCH,
    "wrong programs": 'nodes:\n  h: {count: 4990, files: {/etc/: x}, start: ["\'", {run: x, shell: y}], env: {A=B: 1}}\n' + SWITCH,
    "wrong names": 'nodes:\n  h: {count: 4990, name: "H{n}"}\n' + SWITCH,
    "nat": "nodes:\n  h: {count: 4990, kind: nat}\n" + SWITCH,
    "wrong links": "nodes:\n  h: {count: 4990}\n" + SWITCH + "    mtu: 5\n    state: sideways\n",
    "wrong impairments": "nodes:\n  h: {count: 4990}\n"
    + SWITCH
    + "    impair: {h->x: {delay: 1ms}, both: [{match: x, action: no}]}\n",
    "too many links": "nodes:\n  h: {count: 9999}\nlinks:\n  - mesh: [h]\n",
    "an overlay of all": "nodes:\n  h: {count: 4990}\n" + SWITCH + "overlays: [{name: blue, vni: 1, nodes: [h]}]\n",
    "variables of variables": "vars: {"
    + ", ".join(f"x{n}: '${{x{n + 1}}}${{x{n + 1}}}'" for n in range(40))
    + "}\nname: '${x0}'\n",
}


@pytest.mark.parametrize("text", LARGE.values(), ids=LARGE)
def test_what_is_wrong_with_thousands_is_told_once_and_at_once(text: str, tmp_path: Path) -> None:
    path = tmp_path / "large.yaml"
    path.write_text(text)
    problems = quick(lambda: loaded(path))
    assert isinstance(problems, tuple)
    assert 1 <= len(problems) <= 10
