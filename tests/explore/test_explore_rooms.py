"""Who makes sequences knows no kernel, who plays them knows no rule, and one module lets both meet."""

import pytest
from test_architecture import PACKAGE, imports, room_of

MADE = (
    "scene", "openings", "courses", "subjects", "options", "opening_calls", "transfer_calls", "descriptor_calls", "asking_calls",
    "file_calls", "process_calls", "scripts", "script_texts", "internet_texts", "local_texts",
    "process_texts",
    "sequences",
)  # fmt: skip
PLAYED = {
    "performing": {"errors", "lab", "observe", "workload"},
    "batching": {"observe", "workload"},
    "playing": {"errors", "lab", "observe", "workload", "topology"},
    "trial_agent": {"workload"},
    "trials": {"workload"},
}


@pytest.mark.parametrize("name", MADE)
def test_sequences_are_made_without_a_kernel_or_a_rule(name: str) -> None:
    assert {room_of(one) for one in imports(PACKAGE / f"explore/{name}.py")} <= {"", "notation", "explore"}
    inner = {one.rpartition(".")[2] for one in imports(PACKAGE / f"explore/{name}.py") if room_of(one) == "explore"}
    assert inner <= {*MADE, "explore"}


@pytest.mark.parametrize("name", sorted(PLAYED))
def test_sequences_are_played_without_a_rule(name: str) -> None:
    found = imports(PACKAGE / f"explore/{name}.py")
    assert {room_of(one) for one in found} <= {"", "notation", "explore", *PLAYED[name]}
    inner = {one.rpartition(".")[2] for one in found if room_of(one) == "explore"}
    assert inner <= {"performing", "batching", "scene", "trials"}


def test_hypothesis_is_imported_only_when_sequences_are_drawn() -> None:
    named = [path for path in PACKAGE.rglob("*.py") if "hypothesis" in path.read_text()]
    users = [path for path in named if any(one.split(".")[0] == "hypothesis" for one in imports(path))]
    assert users == [PACKAGE / "explore/searching.py"]
    assert "\nimport hypothesis" not in users[0].read_text()
