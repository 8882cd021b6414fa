"""The table of rules: each says something, on somebody's word, and is held against segments by a guard or by the fold."""

import re
from pathlib import Path

import netlab.model.wire
from netlab.model.wire import checks
from netlab.model.wire.rules import RULES

FOLDED = {"checksum", "malformed", "flags", "mss", "syn-inside", "after-reset", "ack-of-unsent", "sack-outside"}
"""Rules whose breach shows in more than one segment, or before a segment is told whose it is."""


def guarded() -> set[str]:
    tables = (checks.OPENING, checks.ALL, checks.CARRYING, checks.SELECTIVE, checks.RESETTING)
    return {name for table in tables for name, _ in table}


def test_every_rule_has_words_and_a_source() -> None:
    for name, rule in RULES.items():
        assert rule.id == name
        assert rule.says
        assert re.search(r"RFC \d+ §\d", rule.source), rule


def test_every_rule_is_held_against_segments_and_every_guard_has_a_rule() -> None:
    assert {f"wire.{name}" for name in guarded() | FOLDED} == set(RULES)


def test_what_the_fold_finds_is_named_in_its_code() -> None:
    folder = Path(netlab.model.wire.__path__[0])
    code = "".join((folder / f"{module}.py").read_text() for module in ("connection", "claims", "judge"))
    assert {name for name in FOLDED if f'"{name}"' in code} == FOLDED
