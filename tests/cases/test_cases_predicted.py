"""The model is asked about every case: what it knows, that it lets the truth stand, that it lets no mutant stand."""

import pytest
from cases.case_files import load_cases
from cases.score import Score, scores

CASES = load_cases()


@pytest.fixture(scope="module")
def found() -> tuple[Score, ...]:
    return scores(CASES)


def test_of_the_cases_at_least_95_of_100_are_modelled(found: tuple[Score, ...]) -> None:
    left_out = [one.case.id for one in found if not one.modelled]
    assert len(left_out) <= len(CASES) * 0.05, left_out


def test_no_modelled_case_has_its_true_outcome_disallowed(found: tuple[Score, ...]) -> None:
    assert [one.case.id for one in found if one.modelled and not one.true] == []


def test_of_the_wrong_outcomes_at_least_95_of_100_are_disallowed(found: tuple[Score, ...]) -> None:
    allowed = [(one.case.id, wrong.kind, wrong.expect) for one in found for wrong in one.survivors]
    tried = sum(one.mutants for one in found)
    assert tried >= 3 * len(CASES)
    assert len(allowed) <= tried * 0.05, allowed
