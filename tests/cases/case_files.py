"""Cases of public test suites as scenarios: some calls, then the one that is judged, each case with its own host."""

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FACTS = tuple(sorted(Path(__file__).parent.glob("*_cases.json")))
"""One file by who wrote the facts down; ids are unique over all of them."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One case. ``expect`` has what README.md says: ret, errno, out, state, signal, elapsed_ms."""

    id: str
    category: str
    setup: tuple[str, ...]
    call: str
    expect: dict[str, Any]
    failing: tuple[tuple[str, str], ...] = ()
    notes: str = field(default="", compare=False)


def load_cases(*paths: Path) -> tuple[Case, ...]:
    """The cases of these files, of all of them where none is named."""
    return tuple(
        Case(
            id=fact["id"],
            category=fact["category"],
            setup=tuple(fact["setup"]),
            call=fact["call"],
            expect=fact["expect"],
            failing=tuple((call, errno) for call, errno in fact["setup_failed"]),
            notes=fact["notes"],
        )
        for path in paths or FACTS
        for fact in json.loads(path.read_text())
    )


def setup_results(case: Case) -> tuple[str, ...]:
    """What each step of the setup must give: an errno's name, "" for success, "?" where the facts leave open which one fails."""
    times, failures = Counter(case.setup), Counter(call for call, _ in case.failing)
    errnos = dict(case.failing)
    results = []
    for step in case.setup:
        if not failures[step]:
            results.append("")
        else:
            results.append(errnos[step] if times[step] == failures[step] else "?")
    return tuple(results)


def result_of(expect: dict[str, Any]) -> str:
    """An outcome as a step's result: what stands after the arrow."""
    if expect.get("signal"):
        return f"signal {expect['signal']}"
    text = str(expect["ret"])
    if expect.get("errno"):
        text = "?" if expect["errno"] == "any" else expect["errno"]
    return text if expect.get("out") is None else f"{text} out {expect['out']}"


def took_of(expect: dict[str, Any]) -> str:
    """The bounds on a call's time, as a step writes them."""
    bounds = expect.get("elapsed_ms") or {}
    words = [f"{sign}{bounds[end]}ms" for end, sign in (("min", ">="), ("max", "<=")) if end in bounds]
    return f" took {', '.join(words)}" if words else ""


def scenario_of(case: Case, host: str = "host", *, expect: dict[str, Any] | None = None, judged: bool = True) -> str:
    """The case as a scenario file. ``expect`` is another outcome than its own; without ``judged``, the call may give anything."""
    outcome = case.expect if expect is None else expect
    steps = [f"{step} -> {result}" if result else step for step, result in zip(case.setup, setup_results(case), strict=True)]
    steps.append(f"{case.call} -> {result_of(outcome)}{took_of(outcome)}" if judged else f"{case.call} -> ?")
    if judged:
        steps += [f"tcp_state({name}) -> 0 out {state}" for name, state in (outcome.get("state") or {}).items()]
    lines = [f"# {case.id}", f"topology: {{name: {host}, nodes: {{{host}: {{}}}}}}", "steps:"]
    return "\n".join([*lines, *(f"  - {host}: {quoted(step)}" for step in steps)]) + "\n"


def quoted(step: str) -> str:
    """A step as YAML's single-quoted text: it may hold ``: ``, ``#`` and double quotes."""
    return "'" + step.replace("'", "''") + "'"
