"""Plays a scenario on the real kernel, and holds its connections, as RFC 9293 has them, against what they must have been."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest

from netlab.model.rfc_states import RfcConnection, findings, rfc_connections
from netlab.model.tcp import Transition
from netlab.observe.tier import probe
from netlab.run import run_scenario
from netlab.scenario.load import load_scenarios
from netlab.timeline.causes import with_causes

# A machine that stands still for 200 ms makes a host say things again; where the kernel lets us, they wait longer.
_MINIMUM = "net.ipv4.tcp_rto_min_us"
_PATIENT = f"{{sysctls: {{{_MINIMUM}: 3000000}}}}" if Path("/proc/sys", *_MINIMUM.split(".")).exists() else "{}"
_LINK = "subnets: [10.0.0.0/24, 'fd00::/64']"
TWO = f"topology: {{nodes: {{client: {_PATIENT}, server: {_PATIENT}}}, links: [{{endpoints: [client, server], {_LINK}}}]}}"
PEER = f"topology: {{nodes: {{host: {_PATIENT}, peer: {{kind: peer}}}}, links: [{{endpoints: [host, peer], {_LINK}}}]}}"
_TIMES = 3
_WHERE_NOTHING_HAPPENS = "impair: {{{ends}: [{{match: udp, action: drop}}]}}"


@dataclass(frozen=True)
class Reach:
    """What ci/edges.py is told by: ``record`` notes a property of the running test."""

    folder: Path
    record: Callable[[str, object], None]

    def __call__(self, steps: str, *, head: str, edges: list[str], **histories: list[str]) -> None:
        """The scenario holds; each node's connections have just these histories, in the order in which they began; and ``edges``
        ("node: id of an arc") are among their transitions, none of them with another cause than the arc's event.

        In tier C every frame passes a wire, in lock step with readings of the socket tables: the scenario must hold, and what was
        seen is recorded. Skips where neither is there.
        """
        lock_step = probe().letter == "C"
        if lock_step and "impair:" not in head:
            ends = "client->server" if "client" in head else "host->peer"
            head = f"{head.strip()}\n{_WHERE_NOTHING_HAPPENS.format(ends=ends)}"
        path = self.folder / "edge.yaml"
        path.write_text(f"{head.strip()}\nsteps:\n{steps}")
        (scenario,) = load_scenarios(path)
        for _ in range(_TIMES):
            result = run_scenario(scenario)
            states = result.timeline.source("lockstep" if lock_step else "states")
            if not states.lost:
                break  # else the kernel was seen to say nothing of a transition: such a run shows nothing
        if not states.available or (states.reason and not lock_step):
            pytest.skip(states.reason or result.verdicts[0].reason)
        wrong = [(verdict.id, verdict.outcome, verdict.reason) for verdict in result.verdicts if verdict.outcome != "PASS"]
        assert wrong == []
        observations = with_causes(result.timeline.observations, result.timeline.nodes)
        connections = rfc_connections(observations)
        assert findings(connections) == ()
        if not lock_step:
            assert [verdict.id for verdict in result.verdicts][:2] == ["edge", "model.tcp-transitions"]
            assert _histories(connections) == histories
        reached = {
            f"{one.host}: {row.id}"
            for connection in connections
            for one in connection.transitions
            for row in one.rows
            if lock_step or {getattr(observations[index], "cause", "") for index in one.observed} <= {"", _cause(row)}
        }
        assert lock_step or reached >= set(edges)
        for edge in edges:
            if edge in reached:
                self.record("edge", edge.partition(": ")[2])


def _cause(row: Transition) -> str:
    """What must have made this transition happen, where that was seen."""
    if row.event.startswith("rcv"):
        return "icmp" if "ICMP" in row.event else "segment"
    return "call" if row.event.isupper() or row.event.endswith("OPEN") else "timer"


def _histories(connections: Iterable[RfcConnection]) -> dict[str, list[str]]:
    """Each node's connections, in one line each."""
    seen: dict[str, list[str]] = {}
    for one in connections:
        seen.setdefault(one.host, []).append(" ".join(one.states))
    return seen
