"""A verdict: outcome and evidence. PASS, FAIL, or INCONCLUSIVE when evidence is missing; never a guess."""

from typing import Literal

import msgspec

Outcome = Literal["PASS", "FAIL", "INCONCLUSIVE"]
Conformance = Literal["as-documented", "known-deviation", "surprise", ""]


class Mismatch(msgspec.Struct, frozen=True, kw_only=True):
    """One field that was not as expected. ``place`` is the step's "file:line:column", ``step`` its text."""

    field: str
    expected: str
    actual: str
    place: str = ""
    step: str = ""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What was found about one statement.

    ``conformance`` says how the machine stands to the document; it is empty when nothing conclusive was seen. ``reason`` says why
    a verdict is INCONCLUSIVE, or in a line why it FAILs. ``evidence`` are indices into the timeline's observations: what was
    judged; ``slice`` the indices around a failure, to be shown. ``rule`` is the id of the model's rule that was broken, if one was;
    ``explained`` are those by which the model explains what was seen.
    """

    id: str
    outcome: Outcome
    conformance: Conformance = ""
    statement: str = ""
    source: str = ""
    reason: str = ""
    rule: str = ""
    explained: tuple[str, ...] = ()
    mismatches: tuple[Mismatch, ...] = ()
    evidence: tuple[int, ...] = ()
    slice: tuple[int, ...] = ()
