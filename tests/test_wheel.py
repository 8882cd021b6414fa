"""The wheel has the package, its claims, topologies, schemas and scenarios, nothing else, and works where nothing else is."""

import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

DATA = (
    "netlab/py.typed",
    "netlab/model/claims/*.yaml",
    "netlab/model/worlds/*.yaml",
    "netlab/scenarios/*.scenario.yaml",
    "netlab/schemas/*.schema.json",
    "netlab/topologies/*.yaml",
    "netlab/report/html/*.css",
    "netlab/report/html/*.j2",
)
"""What is shipped beside the code."""

METADATA = {"METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE"}

NETWORKLAB = {"packages": {"netsim"}, "scripts": {"netlab"}}
"""What the wheel of networklab 26.10 on PyPI installs: its package, and the command that is why ours has another name."""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[zipfile.ZipFile]:
    pytest.importorskip("hatchling", reason="hatchling is not installed: pip install -e '.[test]'")
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)], cwd=ROOT, check=True, capture_output=True
    )
    (path,) = folder.glob("*.whl")
    with zipfile.ZipFile(path) as opened:
        yield opened


def sources() -> set[str]:
    """The files of this checkout that must be shipped; topologies are reached by the package's link to them."""
    found = {path for path in (ROOT / "netlab").rglob("*.py") if "__pycache__" not in path.parts}
    for pattern in DATA:
        found |= set(ROOT.glob(pattern))
    return {str(path.relative_to(ROOT)) for path in found}


def test_it_has_these_files_and_no_other(wheel: zipfile.ZipFile) -> None:
    shipped = {name for name in wheel.namelist() if not name.split("/")[0].endswith(".dist-info")}
    assert shipped == sources()
    for pattern in DATA:
        assert any(fnmatch(name, pattern) for name in shipped), f"{pattern}: none is shipped"
    others = {name.split("/", 1)[1] for name in wheel.namelist()} - {name.split("/", 1)[1] for name in shipped}
    assert others == METADATA


def test_it_and_networklab_have_no_name_in_common(wheel: zipfile.ZipFile) -> None:
    (entries,) = (wheel.read(name).decode() for name in wheel.namelist() if name.endswith("entry_points.txt"))
    scripts = {
        line.split("=")[0].strip() for line in entries.split("[console_scripts]")[1].split("[")[0].splitlines() if "=" in line
    }
    packages = {name.split("/")[0] for name in wheel.namelist() if ".dist-info" not in name.split("/")[0]}
    assert (scripts, packages) == ({"netlab-ns"}, {"netlab"})
    assert not scripts & NETWORKLAB["scripts"]
    assert not packages & NETWORKLAB["packages"]


@pytest.mark.netns
@pytest.mark.parametrize(
    "words",
    [
        ["run", "drop-the-first-syn"],
        ["conform", "--claim", "refused-rst", "--html", "model.html"],
        ["plan", "fat-tree"],
        ["schema", "result"],
        ["model", "connect"],
    ],
    ids=lambda words: words[0],
)
def test_it_works_away_from_the_checkout(wheel: zipfile.ZipFile, tmp_path: Path, words: list[str]) -> None:
    """The libraries are this environment's; netlab itself is what the wheel brings."""
    wheel.extractall(tmp_path / "site")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site"), "PYTHONDONTWRITEBYTECODE": "1"}
    where = subprocess.run(
        [sys.executable, "-c", "import netlab; print(netlab.__file__)"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert Path(where.stdout.strip()) == tmp_path / "site" / "netlab" / "__init__.py"
    done = subprocess.run(
        [sys.executable, "-m", "netlab", *words], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
