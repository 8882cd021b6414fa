"""The result of a run: what a report tells. One object, the same that --json writes (schema 1)."""

from typing import Any

import msgspec

from netlab.check.verdicts import Outcome, Verdict
from netlab.timeline.timeline import Timeline


class HostFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The machine of a run: kernel release, observation tier ("A", "B", "C"), what it can do, the kernel-wide values recorded."""

    kernel: str
    tier: str
    capabilities: dict[str, str]
    pinned: dict[str, str]


class ScenarioResult(msgspec.Struct, frozen=True, kw_only=True):
    """One scenario: its verdicts (the scenario's own first) and the timeline that they judge. ``elapsed`` in seconds."""

    file: str
    name: str
    verdicts: tuple[Verdict, ...]
    timeline: Timeline
    topology: dict[str, Any] = {}
    group: str = ""
    elapsed: float = 0.0

    @property
    def outcome(self) -> Outcome:
        """FAIL if any verdict is, else INCONCLUSIVE if any is, else PASS."""
        outcomes = {verdict.outcome for verdict in self.verdicts}
        if "FAIL" in outcomes:
            return "FAIL"
        return "INCONCLUSIVE" if "INCONCLUSIVE" in outcomes or not outcomes else "PASS"


class RunResult(msgspec.Struct, frozen=True, kw_only=True):
    """All scenarios of one run, on one machine, by one netlab version."""

    netlab: str
    host: HostFacts
    scenarios: tuple[ScenarioResult, ...]
    not_tested: tuple[dict[str, str], ...] = ()
    schema: int = 1

    @property
    def outcome(self) -> Outcome:
        """FAIL if any scenario is, else INCONCLUSIVE if any is, else PASS."""
        outcomes = {scenario.outcome for scenario in self.scenarios}
        if "FAIL" in outcomes:
            return "FAIL"
        return "INCONCLUSIVE" if "INCONCLUSIVE" in outcomes or not outcomes else "PASS"
