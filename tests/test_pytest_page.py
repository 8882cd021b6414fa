"""Every example of the page about pytest runs, each as a file of its own."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

# A pytest of its own, which on a busy machine takes a minute.
pytestmark = pytest.mark.timeout(400)
PAGE = Path(__file__).parent.parent / "docs" / "pytest.md"


def examples(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(), re.DOTALL)


def suite(folder: Path, *options: str) -> str:
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-W",
        "error",
        "-p",
        "no:cacheprovider",
        *options,
        f"--rootdir={folder}",
        str(folder),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.netns
def test_its_tests_pass(tmp_path: Path) -> None:
    for number, text in enumerate(examples("python")):
        (tmp_path / f"test_example_{number}.py").write_text(text)
    told = suite(tmp_path, "--strict-markers", "-rs")
    expected = sum(len(re.findall(r"def test_", text)) for text in examples("python")) + 2  # two have two parameters
    passed, skipped = (re.search(rf"(\d+) {word}", told) for word in ("passed", "skipped"))
    assert int(passed[1] if passed else 0) + int(skipped[1] if skipped else 0) == expected, told
    assert skipped is None or "SKIPPED [1] test_example_1.py" in told


@pytest.mark.netns
def test_its_scenario_fails_as_expected(tmp_path: Path) -> None:
    (text,) = examples("yaml")
    (tmp_path / "example.scenario.yaml").write_text(text)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = slow\n")
    assert "1 xfailed" in suite(tmp_path, "-m", "slow", "--strict-markers")


def test_its_options_are_those_that_there_are(pytester: pytest.Pytester) -> None:
    told = pytester.runpytest_subprocess("--help").stdout.str()
    said = set(re.findall(r"--netlab-[a-z]+", PAGE.read_text()))
    assert said == set(re.findall(r"--netlab-[a-z]+", told))
    assert set(re.findall(r"`(netlab_[a-z]+)`", PAGE.read_text())) == set(re.findall(r"^  (netlab_[a-z]+)", told, re.MULTILINE))
