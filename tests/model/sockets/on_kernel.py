"""Sequences of calls made for real, each on a host of its own, and held against the model: the first step not explained."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from networks import HERE, node, two_hosts

from netlab.lab.lab import Lab
from netlab.model.sockets.beginning import world_of
from netlab.model.sockets.oracle import Oracle, Step
from netlab.model.sockets.outcomes import Seen
from netlab.scenario.load import load_scenarios
from netlab.scenario.spec import CallStep, JoinStep
from netlab.timeline.observations import AnyObservation, CallReturned, CallStarted
from netlab.topology.spec import Topology
from netlab.units import Duration
from netlab.workload.agents import AGENT
from netlab.workload.player import Player

_WAIT = Duration.parse("2s")


def disagreements(tables: Mapping[str, Sequence[str]], folder: Path) -> dict[str, str]:
    """By name of the sequence: what the model did not allow, "" left out; a step that it does not know counts as one, too.

    A step is written as in a scenario, without the host; "... & as j" starts a call that blocks, "join j" ends it.
    """
    hosts = {f"h{number}": (name, steps) for number, (name, steps) in enumerate(tables.items())}
    topology = Topology(name="sequences", nodes=tuple(node(host) for host in hosts), links=(), place=HERE)
    found = {}
    with Lab(topology, forks=AGENT) as lab:
        lab.start()
        for host, (name, steps) in hosts.items():
            said = _disagreement(lab, host, steps, folder / f"{host}.scenario.yaml")
            if said:
                found[name] = said
    return found


def disagreements_between(tables: Mapping[str, Sequence[str]], folder: Path) -> dict[str, str]:
    """The same between two hosts, "client" and "server", where what is sent may be on its way. A step begins with its host."""
    found = {}
    for name, steps in tables.items():
        with Lab(two_hosts(), forks=AGENT) as lab:
            lab.start()
            wire = {"endpoints": ["client", "server"], "subnets": ["10.0.0.0/24", "fd00::/64"]}
            topology = {"name": "two", "nodes": {"client": {}, "server": {}}, "links": [wire]}
            written = [dict([_open(step).split(": ", 1)]) for step in steps]
            said = _played(lab, {"topology": topology, "steps": written}, folder / "two.scenario.yaml", certain=False)
            if said:
                found[name] = said
    return found


def _disagreement(lab: Lab, host: str, steps: Sequence[str], path: Path) -> str:
    text = {"topology": {"name": host, "nodes": {host: {}}}, "steps": [{host: _open(step)} for step in steps]}
    return _played(lab, text, path, certain=True)


def _played(lab: Lab, text: Mapping[str, object], path: Path, *, certain: bool) -> str:
    path.write_text("# A sequence.\n" + json.dumps(text))
    (scenario,) = load_scenarios(path)
    oracle = Oracle(world_of(scenario.topology, certain=certain))
    numbers: dict[int, int] = {}
    seen: list[AnyObservation] = []
    with Player(lab, seen.append, _WAIT) as player:
        for index, step in enumerate(scenario.steps):
            assert isinstance(step, CallStep | JoinStep)
            before = len(seen)
            player.play(step, index)
            said = _judged(oracle, step, seen[before:], numbers, scenario.steps)
            if said:
                return f"{step.text}: {said}"
    return ""


def _open(step: str) -> str:
    return step if "->" in step else f"{step} -> ?"


def _judged(
    oracle: Oracle, step: CallStep | JoinStep, seen: Sequence[AnyObservation], numbers: dict[int, int], steps: Sequence[object]
) -> str:
    if isinstance(step, CallStep):
        (started,) = [one for one in seen if isinstance(one, CallStarted)]
        numbers[started.id] = oracle.start(step.process, step.what.call, started.time)
    for one in seen:
        if isinstance(one, CallReturned):
            said = _explained(oracle.returned(numbers.pop(one.id), _as_seen(one), one.time), one)
            if said:
                return said
    if isinstance(step, CallStep) and started.id in numbers:
        return _explained(oracle.blocked(numbers[started.id]), None)
    return ""


def _as_seen(one: CallReturned) -> Seen:
    return Seen(result=one.result, errno=one.errno, signal=one.signal, out=one.out, elapsed=one.time - one.began)


def _explained(step: Step, one: CallReturned | None) -> str:
    came = "blocks" if one is None else one.errno or one.signal or f"{one.result} out {one.out!r}"
    if step.inconsistency is not None:
        return f"{came}, but {step.inconsistency.sentence()}"
    return "" if step.judged else f"{came}: not modelled"
