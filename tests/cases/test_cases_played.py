"""Every case from the public suites, made for real by the player: each outcome is what the suite says, in the notation's words."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from cases.case_files import FACTS, Case, load_cases, result_of, scenario_of
from cases.mutants import mutants
from networks import HERE, node

from netlab.check.results import Finding, check_result
from netlab.lab.lab import Lab
from netlab.notation import sockaddr
from netlab.notation.calls import CallText, Result
from netlab.notation.parse import parse_result
from netlab.notation.values import Call
from netlab.scenario.load import load_scenarios
from netlab.scenario.spec import CallStep, Scenario
from netlab.timeline.observations import AnyObservation, CallReturned, CallStarted
from netlab.topology.spec import Topology
from netlab.units import Duration, milliseconds
from netlab.workload.agents import AGENT
from netlab.workload.names import Names
from netlab.workload.player import Player

pytestmark = pytest.mark.netns

SLACK = milliseconds(3000)
"""What a busy machine may add to a call that has an upper bound: the only one with one would take 10 s if it were wrong."""


def scenario(case: Case, host: str, folder: Path) -> Scenario:
    path = folder / f"{host}.scenario.yaml"
    path.write_text(scenario_of(case, host))
    (loaded,) = load_scenarios(path)
    return loaded


def addresses(names: Names) -> dict[str, str]:
    """What @getsockname:x stands for, for each name of a process that has an address."""
    known = {name: sockaddr.unpack(raw) for name, raw in names.addresses.items()}
    for name in names.table:
        raw = names.address_of_name(name)
        if raw:
            known[name] = sockaddr.unpack(raw)
    return known


def disagreement(case: Case, played: Scenario, lab: Lab) -> str:
    """The first step that gives other than the case says, or a wrong outcome that would have passed, in words; "" for none."""
    seen: list[AnyObservation] = []
    with Player(lab, seen.append, Duration.parse("5s")) as player:
        for index, step in enumerate(played.steps):
            assert isinstance(step, CallStep)
            player.play(step, index)
            returned = last(seen, index)
            names = player.names[step.process]
            alive = not (returned is not None and returned.signal)
            known = addresses(names) if alive and step.what.result.out else {}

            def findings(
                result: Result,
                call: Call = step.what.call,
                returned: CallReturned | None = returned,
                names: Names = names,
                known: dict[str, str] = known,
            ) -> tuple[Finding, ...]:
                return check_result(
                    result,
                    call=call,
                    ret=returned.result if returned else None,
                    errno=returned.errno if returned else "",
                    signal=returned.signal if returned else "",
                    out=returned.out if returned else None,
                    names=names.table,
                    addresses=known,
                )

            if findings(step.what.result):
                return f"{step.text}: {findings(step.what.result)}"
            if index == len(case.setup):
                wrong = [result_of(one.expect) for one in mutants(case) if one.kind != "state"]
                passed = [result for result in wrong if not findings(parse_result(result))]
                if passed:
                    return f"{step.text}: it would have passed as {passed}"
            if returned is not None and not in_time(step.what, returned):
                return f"{step.text}: it took {(returned.time - returned.began) / 1e6:.0f} ms"
    return ""


def last(seen: list[AnyObservation], index: int) -> CallReturned | None:
    """What came of the call that step ``index`` made."""
    started = next(one for one in seen if isinstance(one, CallStarted) and one.step == index)
    return next((one for one in seen if isinstance(one, CallReturned) and one.id == started.id), None)


def in_time(said: CallText, returned: CallReturned) -> bool:
    elapsed = returned.time - returned.began
    return all(
        elapsed >= bound.limit.ns if bound.relation.startswith(">") else elapsed <= bound.limit.ns + SLACK.ns for bound in said.took
    )


FIRST = "socket_cases"
"""Played by every run; the larger files, which every run asks the model about, where there is time (make proof)."""


@pytest.mark.parametrize(
    "facts", [pytest.param(path, id=path.stem, marks=() if path.stem == FIRST else pytest.mark.proof) for path in FACTS]
)
def test_every_case_gives_what_its_suite_says(facts: Path, tmp_path: Path) -> None:
    """A host a case: so each has its own network namespace, process and working directory."""
    hosts: Mapping[str, Case] = {f"case{number}": case for number, case in enumerate(load_cases(facts))}
    topology = Topology(name="cases", nodes=tuple(node(name) for name in hosts), links=(), place=HERE)
    found: dict[str, str] = {}
    with Lab(topology, forks=AGENT) as lab:
        lab.start()
        for host, case in hosts.items():
            said = disagreement(case, scenario(case, host, tmp_path), lab)
            if said:
                found[case.id] = said
    assert found == {}
    assert len(hosts) >= 150
