"""The plugin's own tests under other versions of pytest than the one that is installed, each put into a folder of its own.

usage, from the root of the source tree: python -m ci.pytest_versions [VERSION...]; each is what pip takes behind "pytest". Exit
status 1 if a test fails, 3 if pip cannot get one.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
VERSIONS = ("==8.0.*", ">=8,<9", ">=9,<10")
TESTS = ("tests/pytest_plugin", "tests/test_pytest_plugin.py", "tests/test_rootless_pytest.py", "tests/test_pytest_page.py")


def tried(version: str, folder: Path) -> int:
    """Run the tests under one version; gives this program's exit status."""
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target", str(folder)]
    got = subprocess.run([*install, f"pytest{version}"], capture_output=True, text=True, check=False)
    if got.returncode != 0:
        print(f"pytest{version}: pip cannot get it:\n{got.stderr}")
        return 3
    folder.chmod(0o755)
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    told = [sys.executable, "-c", "import pytest; print(pytest.__version__)"]
    which = subprocess.run(told, capture_output=True, text=True, check=True, env=environment).stdout.strip()
    command = [sys.executable, "-m", "pytest", "-q", "-n", "auto", "-p", "no:cacheprovider", *TESTS]
    began = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=ROOT)
    if done.returncode != 0:
        print(f"pytest {which}:\n{done.stdout[-8000:]}{done.stderr[-2000:]}")
        return 1
    print(f"pytest {which}: {done.stdout.splitlines()[-1]} ({time.monotonic() - began:.0f} s with what starts it)", flush=True)
    return 0


def main() -> int:
    """Try every version; the worst counts."""
    statuses = []
    for version in sys.argv[1:] or VERSIONS:
        with tempfile.TemporaryDirectory(prefix="netlab-pytest-") as name:
            statuses.append(tried(version, Path(name)))
    return 1 if 1 in statuses else max(statuses)


if __name__ == "__main__":
    sys.exit(main())
