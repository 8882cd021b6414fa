"""What tier C sees is seen without root: its tests once more, as nobody."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent.parent
pytestmark = [
    pytest.mark.proof,
    pytest.mark.netns,
    pytest.mark.timeout(300),
    pytest.mark.skipif(os.geteuid() != 0, reason="all tests run without root here"),
]


def test_the_same_without_root() -> None:
    files = ["lockstep", "destroyed", "pid_namespace", *(["strace"] if shutil.which("strace") else [])]
    options = ["-q", "-W", "error", "-p", "no:cacheprovider", "-p", "no:xdist", "-m", "not bpf", "--rootdir", str(TESTS.parent)]
    command = [sys.executable, str(TESTS / "unprivileged.py"), sys.executable, "-m", "pytest", *options]
    command += [str(TESTS / f"observe/test_{file}.py") for file in files]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=TESTS.parent)
    assert done.returncode == 0, done.stdout + done.stderr
    counted = re.search(r"(\d+) passed", done.stdout)
    assert counted is not None
    assert int(counted[1]) >= 23
    assert "skipped" not in done.stdout
