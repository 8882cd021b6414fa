"""What the model of sockets makes of every case: how many are modelled, which truths it forbids, which wrong outcomes it allows.

``python -m tests.cases.score [ID...]`` prints it, by category; ids (or parts of them) choose cases, and then all that is allowed is
printed with its rules.
"""

import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from cases.admitting import admits
from cases.case_files import Case, load_cases, scenario_of
from cases.mutants import Mutant, mutants

from netlab.check.results import asked
from netlab.model.sockets.predict import Prediction, predict
from netlab.notation.calls import CallText
from netlab.notation.parse import parse_step
from netlab.scenario.load import load_scenarios


@dataclass(frozen=True, kw_only=True)
class Score:
    """One case: what was predicted, whether its truth is allowed, and the wrong outcomes that are allowed, of ``mutants`` many.

    ``contradicted`` are the steps of its setup that the model does not let be what they are."""

    case: Case
    prediction: Prediction
    contradicted: tuple[str, ...]
    unmodelled: tuple[str, ...]
    true: bool
    survivors: tuple[Mutant, ...]
    mutants: int

    @property
    def modelled(self) -> bool:
        return self.prediction.modelled


def score(case: Case, folder: Path) -> Score:
    path = folder / "case.scenario.yaml"
    path.write_text(scenario_of(case, judged=False))
    (scenario,) = load_scenarios(path)
    try:
        steps = predict(scenario)
    except Exception as error:  # noqa: BLE001 - what fails to predict does not model; the rest is still told
        nothing = Prediction(call=case.call, modelled=False)
        broken = f"{type(error).__name__}: {error}"
        return Score(case=case, prediction=nothing, contradicted=(), unmodelled=(broken,), true=False, survivors=(), mutants=0)
    setup, prediction = steps[: len(case.setup)], steps[len(case.setup)]
    said = parse_step(case.call)
    size = asked(said.call) if isinstance(said, CallText) else 0
    wrong = mutants(case)
    allowed = prediction.allowed
    return Score(
        case=case,
        prediction=prediction,
        contradicted=tuple(step.call for step in setup if step.contradicted),
        unmodelled=tuple(step.call for step in setup if not step.modelled),
        true=admits(allowed, case.expect, size) and not any(step.contradicted for step in setup),
        survivors=tuple(one for one in wrong if admits(allowed, one.expect, size)) if prediction.modelled else (),
        mutants=len(wrong) if prediction.modelled else 0,
    )


def scores(cases: Iterable[Case]) -> tuple[Score, ...]:
    with tempfile.TemporaryDirectory() as folder:
        return tuple(score(case, Path(folder)) for case in cases)


def told(found: Iterable[Score]) -> Iterable[str]:
    """The totals by category, then every case that is not as it must be."""
    groups: dict[str, list[Score]] = defaultdict(list)
    for one in found:
        groups[one.case.category].append(one)
    everything = [one for group in groups.values() for one in group]
    yield f"{'category':12} {'cases':>5} {'modelled':>8} {'truth forbidden':>15} {'mutants':>7} {'allowed':>7}"
    for name, group in (*sorted(groups.items()), ("all", everything)):
        modelled = [one for one in group if one.modelled]
        forbidden = sum(not one.true for one in modelled)
        survivors, wrong = sum(len(one.survivors) for one in modelled), sum(one.mutants for one in modelled)
        yield f"{name:12} {len(group):5} {len(modelled):8} {forbidden:15} {wrong:7} {survivors:7}"
    for one in everything:
        if not one.modelled:
            yield f"not modelled: {one.case.id}: {one.case.call}" + (f" (nor {one.unmodelled[0]})" if one.unmodelled else "")
    for one in everything:
        if one.modelled and not one.true:
            yield f"truth forbidden: {one.case.id}: {one.case.call} gives {brief(one.case.expect)}{_allowed(one)}"
            yield from (f"    its setup contradicts the model: {step}" for step in one.contradicted)
    for one in everything:
        for mutant in one.survivors:
            yield f"wrong {mutant.kind} allowed: {one.case.id}: {one.case.call} as {brief(mutant.expect)}{_allowed(one)}"


def _allowed(one: Score) -> str:
    return f"; allowed: {outcomes(one.prediction)}"


def brief(expect: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in expect.items() if value is not None)


def outcomes(prediction: Prediction) -> str:
    return " | ".join(brief(entry) for entry in prediction.allowed) or "nothing"


def main() -> None:
    wanted = sys.argv[1:]
    cases = [case for case in load_cases() if not wanted or any(part in case.id for part in wanted)]
    found = scores(cases)
    for line in told(found):
        print(line)
    for one in found if wanted else ():
        print(f"\n{one.case.id}\n  {one.case.call}\n  truth: {brief(one.case.expect)}\n  allowed: {outcomes(one.prediction)}")
        print(*(f"  {rule} [{one.prediction.sources[rule]}]" for rule in one.prediction.rules), sep="\n")


if __name__ == "__main__":
    main()
