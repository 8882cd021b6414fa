"""What labs are tested for as root holds for a user without rights: the same tests once more, as nobody."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.netns,
    pytest.mark.timeout(300),
    pytest.mark.skipif(os.geteuid() != 0, reason="all tests run without root here"),
]

TESTS = Path(__file__).parent.parent
FILES = ["lab/test_lab.py"]
if "NETLAB_PROOF" in os.environ:  # make proof: the rest, which makes the same labs for other purposes
    FILES += [
        *(f"lab/test_{name}.py" for name in ("build", "keeper")),
        "impair/test_shaping.py",
        *(f"lab/test_{name}.py" for name in ("as_planned", "lab_links", "parcels", "process", "starting")),
        "test_link_steps.py",
    ]


@pytest.mark.parametrize("file", FILES)
def test_the_same_without_root(file: str) -> None:
    options = ["-q", "-W", "error", "-p", "no:cacheprovider", "-p", "no:xdist", "--rootdir", str(TESTS.parent)]
    command = [sys.executable, str(TESTS / "unprivileged.py"), sys.executable, "-m", "pytest", *options, str(TESTS / file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=TESTS.parent)
    assert done.returncode == 0, done.stdout + done.stderr
    counted = re.search(r"(\d+) passed", done.stdout)
    assert counted is not None
    assert int(counted[1]) > 4
