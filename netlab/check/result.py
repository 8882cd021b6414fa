"""The result of a run: what a report tells. One object, the same that --json writes (schema 1)."""

from typing import Any

import msgspec

from netlab.check.covered import Covered
from netlab.check.verdicts import Outcome, Verdict
from netlab.timeline.timeline import Timeline


class HostFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The machine of a run: kernel release, observation tier ("A", "B", "C"), what it can do, the kernel-wide values recorded."""

    kernel: str
    tier: str
    capabilities: dict[str, str]
    pinned: dict[str, str]


class ScenarioResult(msgspec.Struct, frozen=True, kw_only=True):
    """One scenario: its verdicts (the scenario's own first) and the timeline that they judge. ``elapsed`` in seconds.

    ``played_again`` has for each play before this one what it had lost; ``elapsed`` counts those too.
    """

    file: str
    name: str
    verdicts: tuple[Verdict, ...]
    timeline: Timeline
    topology: dict[str, Any] = {}
    group: str = ""
    elapsed: float = 0.0
    played_again: tuple[str, ...] = ()

    @property
    def undecided_by_loss(self) -> str:
        """What the sources lost, where a scenario without a FAIL was left undecided: "states lost 1 event"; else ""."""
        if self.outcome != "INCONCLUSIVE":
            return ""
        told = [f"{one.name} lost {one.lost} event{'s' * (one.lost > 1)}" for one in self.timeline.sources if one.lost]
        return ", ".join(told)

    @property
    def outcome(self) -> Outcome:
        """FAIL if any verdict is, else INCONCLUSIVE if any is, else PASS."""
        outcomes = {verdict.outcome for verdict in self.verdicts}
        if "FAIL" in outcomes:
            return "FAIL"
        return "INCONCLUSIVE" if "INCONCLUSIVE" in outcomes or not outcomes else "PASS"


class RunResult(msgspec.Struct, frozen=True, kw_only=True):
    """All scenarios of one run, on one machine, by one netlab version; ``covered`` where the model's rules were counted."""

    netlab: str
    host: HostFacts
    scenarios: tuple[ScenarioResult, ...]
    not_tested: tuple[dict[str, str], ...] = ()
    covered: tuple[Covered, ...] = ()
    schema: int = 1

    @property
    def outcome(self) -> Outcome:
        """FAIL if any scenario is, else INCONCLUSIVE if any is, else PASS."""
        outcomes = {scenario.outcome for scenario in self.scenarios}
        if "FAIL" in outcomes:
            return "FAIL"
        return "INCONCLUSIVE" if "INCONCLUSIVE" in outcomes or not outcomes else "PASS"
