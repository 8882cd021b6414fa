"""What CI systems, container engines and pre-commit read of this repository: valid by their schemas, and true."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from netlab.files import Kind, found

ROOT = Path(__file__).parent.parent
CI = ROOT / "ci"
BIN = Path(sys.executable).parent
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
READERS = [*WORKFLOWS, ROOT / ".gitlab-ci.yml"]
SCRIPTS = sorted(path for path in CI.iterdir() if path.is_file() and path.read_bytes().startswith(b"#!/bin/sh"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
CHECKER = BIN / "check-jsonschema"
needs_checker = pytest.mark.skipif(not CHECKER.exists(), reason="no check-jsonschema: pip install -e '.[dev]'")


def workflow() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(WORKFLOWS[0].read_text())
    return loaded


def steps() -> Iterator[tuple[str, dict[str, Any]]]:
    return ((name, step) for name, job in workflow()["jobs"].items() for step in job["steps"])


def fences(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / "docs" / page).read_text(), re.DOTALL)


def checked(schema: str, file: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [str(CHECKER), "--builtin-schema", schema, *options, str(file)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@needs_checker
def test_they_are_valid_by_the_schemas_of_their_readers() -> None:
    done = subprocess.run(
        ["sh", "ci/workflows"], cwd=ROOT, env={**os.environ, "BIN": str(BIN)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@needs_checker
def test_the_workflows_for_users_are_valid_too(tmp_path: Path) -> None:
    github, gitlab, hooks = fences("ci.md", "yaml")
    for text, schema, options in (
        (github, "vendor.github-workflows", ()),
        (gitlab, "vendor.gitlab-ci", ("--data-transform", "gitlab-ci")),
    ):
        file = tmp_path / "workflow.yml"
        file.write_text(text)
        done = checked(schema, file, *options)
        assert done.returncode == 0, done.stdout + done.stderr
        file.write_text(text.replace("runs-on:", "runs_on:").replace("script:", "skript:"))
        assert checked(schema, file, *options).returncode != 0
    (one,) = yaml.safe_load(hooks)["repos"]
    assert [hook["id"] for hook in one["hooks"]] == [
        hook["id"] for hook in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    ]


@pytest.mark.netns
def test_the_five_lines_do_what_the_page_says(tmp_path: Path) -> None:
    """The line that runs netlab, in a repository with a scenario that fails: the job fails, and leaves its summary and a bundle."""
    every = yaml.safe_load(fences("ci.md", "yaml")[0])["jobs"]["network"]["steps"]
    assert len(every) == 5
    (line,) = [step["run"] for step in every if "netlab-ns run" in step.get("run", "")]
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "scenarios" / "refused.scenario.yaml").write_text(fences("reports.md", "yaml")[0])
    environment = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "GITHUB_STEP_SUMMARY": str(tmp_path / "step")}
    done = subprocess.run(["sh", "-ec", line], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    assert (tmp_path / "step").read_text().startswith("## ❌ netlab: 0 passed, 1 failed")
    assert (tmp_path / "failure.netlab").stat().st_size
    assert (tmp_path / "netlab.xml").stat().st_size


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_script_can_be_run_and_says_what_it_is(script: Path) -> None:
    assert os.access(script, os.X_OK)
    assert re.match(r"#!/bin/sh\n# [A-Z].*[.:)]", script.read_text())
    assert subprocess.run(["sh", "-n", str(script)], capture_output=True, check=False).stderr == b""
    shellcheck = shutil.which("shellcheck")
    if shellcheck:
        done = subprocess.run([shellcheck, str(script)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


def test_every_script_that_is_called_is_there_and_every_one_is_called() -> None:
    callers = [*READERS, ROOT / "Makefile", *SCRIPTS]
    called = {name for path in callers for name in re.findall(r"\bci/([a-z]+)\b(?!/)(?!\.py)", path.read_text())}
    there = {path.name for path in SCRIPTS}
    made = {"apparmor", "bench", "kill_loop"}  # folders, and packages that Python runs
    assert called - there - made == {name for name in called - there - made if (CI / f"{name}.py").exists()}
    targets = {"rootless", "conform", "wheel"}  # by the Makefile's ci/$@
    assert there - called - targets == set()


def test_the_workflow_runs_every_python_that_the_project_supports() -> None:
    versions = workflow()["jobs"]["rootless"]["strategy"]["matrix"]["python"]
    assert f">={versions[0]}" == PROJECT["requires-python"]
    assert versions == ["3.11", "3.12", "3.13"]
    gitlab = yaml.safe_load((ROOT / ".gitlab-ci.yml").read_text())
    assert gitlab["rootless"]["parallel"]["matrix"] == [{"PYTHON_VERSION": versions}]


def test_the_workflow_may_read_only_and_keeps_what_failures_leave() -> None:
    assert workflow()["permissions"] == {"contents": "read"}
    assert all(
        step["with"]["persist-credentials"] is False for _, step in steps() if step.get("uses", "").startswith("actions/checkout@")
    )
    assert all("timeout-minutes" in job for job in workflow()["jobs"].values())
    kept = {
        job
        for job, step in steps()
        if step.get("uses", "").startswith("actions/upload-artifact@") and step.get("if") == "failure()"
    }
    assert kept == {"rootless", "root"}


def test_rootless_jobs_lift_ubuntus_restriction_first() -> None:
    for name, job in workflow()["jobs"].items():
        lines = [step.get("run", "") for step in job["steps"]]
        if any("ci/rootless" in line or "ci/wheel" in line or "ci/image" in line for line in lines):
            first = next(number for number, line in enumerate(lines) if "ci/userns" in line)
            assert all(number > first for number, line in enumerate(lines) if re.search("ci/(rootless|wheel|image)", line)), name


def test_where_nothing_is_restricted_userns_changes_nothing() -> None:
    setting = Path("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")
    if setting.exists() and setting.read_text().strip() == "1":
        pytest.skip("this machine restricts user namespaces by AppArmor: the script would change it")
    done = subprocess.run(["sh", str(CI / "userns")], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "netlab: unprivileged user namespaces are not restricted by AppArmor here\n")


def hook() -> dict[str, Any]:
    (only,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    assert isinstance(only, dict)
    return only


def test_the_hook_takes_netlabs_files_and_no_others() -> None:
    takes = re.compile(hook()["files"])
    shipped = [
        str(path.relative_to(ROOT))
        for folder in ("topologies", "netlab/scenarios", "netlab/model/claims")
        for path in (ROOT / folder).glob("*.yaml")
    ]
    assert len(shipped) > 30
    assert [name for name in shipped if not takes.search(name)] == []
    others = [".gitlab-ci.yml", ".pre-commit-hooks.yaml", ".github/workflows/ci.yml", "compose.yaml", "docs/scenarios.md"]
    assert [name for name in others if takes.search(name)] == []


def test_the_hook_passes_good_files_and_fails_bad_ones() -> None:
    words = hook()["entry"].split()
    assert (words[0], PROJECT["scripts"]["netlab-ns"]) == ("netlab-ns", "netlab.cli:main")
    good = [str(path) for path in sorted((ROOT / "topologies").glob("t*.yaml"))]
    command = [sys.executable, "-m", "netlab", *words[1:]]
    assert subprocess.run([*command, *good], capture_output=True, check=False).returncode == 0
    bad = str(ROOT / "tests" / "malformed" / "unknown-keys.yaml")
    done = subprocess.run([*command, *good, bad], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert f"{bad}:" in done.stderr


def instructions() -> list[tuple[str, str]]:
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    return [(line.split()[0], line.split(maxsplit=1)[1]) for line in text.splitlines() if line.strip()]


def test_the_image_ends_as_a_user_that_is_not_root_and_explains_itself() -> None:
    made = instructions()
    last = [index for index, (word, _) in enumerate(made) if word == "FROM"][-1]
    final = made[last:]
    assert [value for word, value in final if word == "USER"] == ["netlab"]
    assert "useradd --create-home --uid 1000 netlab" in " ".join(value for word, value in final if word == "RUN")
    assert final[-2:] == [("ENTRYPOINT", '["netlab-ns"]'), ("CMD", '["doctor", "--ci"]')]
    assert not any(word == "ADD" or value.endswith(":latest") for word, value in made)


def test_what_the_image_copies_is_there_and_not_ignored() -> None:
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = {name for word, value in instructions() if word == "COPY" for name in value.split()[:-1]}
    assert copied == let_in
    assert all((ROOT / name).exists() for name in copied)


def test_the_images_dependencies_are_the_projects(tmp_path: Path) -> None:
    """The layer of dependencies depends on pyproject.toml alone: its program is run here on that file."""
    (run,) = [value for word, value in instructions() if word == "RUN" and "tomllib" in value]
    (program,) = re.findall(r'python -c "(.*?)"\s', run)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    code = program.replace("/tmp/pyproject.toml", str(tmp_path / "pyproject.toml"))
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.splitlines() == PROJECT["dependencies"]


def test_no_file_of_cis_is_taken_for_one_of_netlabs() -> None:
    files, _ = found([str(path) for path in (ROOT / ".gitlab-ci.yml", *WORKFLOWS)])
    assert {file.kind for file in files} == {Kind.OTHER}
