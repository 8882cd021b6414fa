"""Every example of the README and of the guide runs."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from netlab.document import Document
from netlab.topology.load import parse_topology
from netlab.topology.plan import plan

README = Path(__file__).parent.parent / "README.md"
SCENARIOS = README.parent / "docs" / "scenarios.md"
TOPOLOGIES = README.parent / "docs" / "topologies.md"
IMPAIRMENTS = README.parent / "docs" / "impairments.md"


def blocks(language: str, page: Path = README) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(), re.DOTALL)


def test_the_two_commands_open_it() -> None:
    lines = README.read_text().splitlines()
    assert [line.split("#")[0].strip() for line in lines[2:4]] == ["make demo", "make test"]


@pytest.mark.netns
def test_its_scenario_passes(tmp_path: Path) -> None:
    scenario = tmp_path / "handshake.scenario.yaml"
    scenario.write_text(blocks("yaml")[0])
    done = subprocess.run([sys.executable, "-m", "netlab", "run", str(scenario)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_its_topology_is_valid(tmp_path: Path) -> None:
    topology = tmp_path / "topology.yaml"
    topology.write_text(blocks("yaml")[1])
    done = subprocess.run([sys.executable, "-m", "netlab", "validate", str(topology)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.netns
def test_its_python_runs() -> None:
    done = subprocess.run([sys.executable, "-W", "error", "-c", blocks("python")[0]], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


@pytest.mark.netns
def test_its_commands_run_in_their_order() -> None:
    section = README.read_text().split("## A network that stays")[1].split("\n## ")[0]
    commands = [line.split("#")[0].split() for line in section.splitlines() if line.startswith("    netlab-ns ")]
    assert len(commands) >= 5
    for words in commands:
        done = subprocess.run([sys.executable, "-m", "netlab", *words[1:]], capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{' '.join(words)}: {done.stdout}{done.stderr}"


@pytest.mark.netns
@pytest.mark.parametrize("page", [SCENARIOS, IMPAIRMENTS], ids=lambda page: page.name)
def test_every_scenario_of_the_guide_passes(tmp_path: Path, page: Path) -> None:
    examples = blocks("yaml", page)
    assert len(examples) >= 4
    for number, text in enumerate(examples):
        (tmp_path / f"{number}.scenario.yaml").write_text(text)
    done = subprocess.run([sys.executable, "-m", "netlab", "run", str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("example", blocks("yaml", TOPOLOGIES), ids=lambda text: text.splitlines()[-1].strip())
def test_every_topology_of_the_guide_is_loaded_and_planned(example: str) -> None:
    topology = parse_topology(Document.parse(example, str(TOPOLOGIES)))
    assert topology.intent
    assert {node.name for node in plan(topology).nodes} == {node.name for node in topology.nodes} != set()


@pytest.mark.netns
def test_the_guides_web_server_is_ready(tmp_path: Path) -> None:
    (text,) = [text for text in blocks("yaml", TOPOLOGIES) if "http.server" in text]
    (tmp_path / "web.yaml").write_text(text)
    (tmp_path / "web.scenario.yaml").write_text(
        "topology: web.yaml\nsteps:\n  - client: c = socket(AF_INET, SOCK_STREAM, 0)\n  - client: connect(c, web:80)\n"
    )
    done = subprocess.run([sys.executable, "-m", "netlab", "run", str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
