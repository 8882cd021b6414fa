"""A user's file of deviations: what it says, and what is wrong with it."""

from pathlib import Path

import pytest

from netlab.errors import SpecError
from netlab.scenario.deviations import load_deviations


def written(folder: Path, text: str) -> Path:
    file = folder / "known.yaml"
    file.write_text(text)
    return file


def test_each_claim_has_its_reason(tmp_path: Path) -> None:
    file = written(tmp_path, "deviations: {refused-rst: a firewall answers}")
    assert load_deviations(file, {"refused-rst"}) == {"refused-rst": "a firewall answers"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("deviations: {refused-rts: so}", r'1:14: no claim "refused-rts"; did you mean "refused-rst"'),
        ("deviations: {refused-rst: ''}", "1:27"),
        ("[refused-rst]", "a file of deviations is a mapping"),
        ("{}", "deviations"),
    ],
)
def test_what_is_wrong_is_told(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=message):
        load_deviations(written(tmp_path, text), {"refused-rst"})
