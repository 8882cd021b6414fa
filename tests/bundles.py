"""Bundles for tests: of a scenario that failed on paper, and of files as they lie on disk."""

from pathlib import Path

from netlab.bundle.making import bundle_of
from netlab.bundle.spec import Bundle
from netlab.check.result import HostFacts, RunResult, ScenarioResult
from netlab.check.verdicts import Mismatch, Verdict
from netlab.scenario.load import load_scenarios
from netlab.timeline.observations import Decision
from netlab.timeline.timeline import Timeline

HOST = HostFacts(kernel="6.18.44", tier="A", capabilities={"bpf": "yes"}, pinned={"net.core.rmem_max": "212992"})
SCENARIO = """\
# The first SYN is lost.
topology: pair
impair:
  client->server: [{match: S, action: drop, nth: 1}]
steps:
  - client: run python3 PROGRAM 10.0.0.2 -> 3
"""
PAIR = """\
# A pair of hosts.
include: base/nodes.yaml
vars: {mtu: 1500}
links:
  - endpoints: [client, server]
    mtu: ${mtu}
"""
NODES = "nodes: {client: {}, server: {files: {/etc/motd: {from: motd.txt}}}}\n"
PROGRAM = b"import sys\nsys.exit(1)\n"


def files(folder: Path) -> Path:
    """A scenario with a topology beside it that includes another file, which has a node with a copy of a third; and a program."""
    (folder / "base").mkdir(parents=True)
    (folder / "lossy.scenario.yaml").write_text(SCENARIO.replace("PROGRAM", str(folder / "client.py")))
    (folder / "pair.yaml").write_text(PAIR)
    (folder / "base" / "nodes.yaml").write_text(NODES)
    (folder / "base" / "motd.txt").write_text("hello\n")
    (folder / "client.py").write_bytes(PROGRAM)
    return folder / "lossy.scenario.yaml"


def decision(place: str) -> Decision:
    return Decision(
        time=5,
        host="",
        link="client:eth0-server:eth0",
        rule="S",
        action="drop",
        occurrence=1,
        place=place,
        direction="client->server",
        key="client>server:80 #1 S 1",
    )


def result(path: Path, outcome: str = "FAIL", step: str = "client: run python3 client.py 10.0.0.2 -> 3") -> ScenarioResult:
    mismatch = Mismatch(field="exit status", expected="3", actual="1", place=f"{path}:6:5", step=step)
    failed = Verdict(id="lossy", outcome="FAIL", reason="exit status: expected 3, got 1", mismatches=(mismatch,))
    verdicts = {"FAIL": failed, "PASS": Verdict(id="lossy", outcome="PASS")}.get(outcome) or Verdict(
        id="lossy", outcome="INCONCLUSIVE"
    )
    timeline = Timeline(observations=(decision(f"{path}:4:20"),))
    return ScenarioResult(file=str(path), name="lossy", verdicts=(verdicts,), timeline=timeline)


def run_of(scenario: ScenarioResult) -> RunResult:
    return RunResult(netlab="0.1.0", host=HOST, scenarios=(scenario,))


def bundle(path: Path, **settings: str) -> Bundle:
    (scenario,) = load_scenarios(path, settings)
    return bundle_of(scenario, result(path), seed=7, host=HOST, settings=settings)
