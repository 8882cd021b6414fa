"""Scenario files as tests: one for each scenario in a file, with the marks that the file gives it, and the outcome as pytest's.

It does not know how a scenario is run or judged, nor what is kept of one that failed.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from netlab.pytest_plugin.keys import RESULT

if TYPE_CHECKING:
    from netlab.check.result import ScenarioResult
    from netlab.lab.lab import Lab
    from netlab.scenario.spec import Scenario
    from netlab.timeline.timeline import Timeline

__all__ = ["SUFFIX", "ScenarioFailedError", "ScenarioFile", "ScenarioItem"]

SUFFIX = ".scenario.yaml"
_AGAIN = 2
"""How often a scenario is played again of which a busy machine lost something: that decides nothing."""


class ScenarioFailedError(Exception):
    """A scenario's verdict is FAIL."""

    def __init__(self, result: "ScenarioResult") -> None:
        self.result = result
        super().__init__("; ".join(verdict.reason for verdict in result.verdicts if verdict.outcome == "FAIL"))


class ScenarioFile(pytest.File):
    """A scenario file: one test for each scenario in it."""

    def collect(self) -> "Iterator[ScenarioItem]":
        """Load the file; what is wrong with it, a mark that nobody registered too, is told without a traceback."""
        from netlab.errors import SpecError
        from netlab.scenario.load import load_scenarios

        try:
            scenarios = load_scenarios(self.path)
        except SpecError as error:
            raise self.CollectError(str(error)) from None
        for scenario in scenarios:
            yield ScenarioItem.from_parent(self, name=scenario.name, scenario=scenario)


class ScenarioItem(pytest.Item):
    """One scenario as a test."""

    def __init__(self, *, scenario: "Scenario", **options: Any) -> None:
        super().__init__(**options)
        self.scenario = scenario
        for mark in scenario.marks:
            try:
                self.add_marker(getattr(pytest.mark, mark.name)(*mark.args, **mark.kwargs))
            except pytest.fail.Exception as error:  # by --strict-markers
                raise pytest.Collector.CollectError(f"{mark.place}: {error}") from None
        if scenario.xfail:
            self.add_marker(pytest.mark.xfail(reason=scenario.xfail, raises=ScenarioFailedError))

    def runtest(self) -> None:
        """Run the scenario and turn its outcome into pytest's: FAIL fails, INCONCLUSIVE skips with the reason."""
        from netlab.report.evidence import lacking
        from netlab.run import RunOptions, run_scenario

        if RESULT in self.stash:  # of an earlier try
            del self.stash[RESULT]
        pausing = self.config.getoption("netlab_pause") and not self.scenario.xfail
        options = RunOptions(again=_AGAIN, ending=self._pause if pausing else None)
        self.stash[RESULT] = result = run_scenario(self.scenario, options)
        if result.outcome == "FAIL":
            raise ScenarioFailedError(result)
        if result.outcome == "INCONCLUSIVE":
            reasons = [verdict.reason for verdict in result.verdicts if verdict.outcome == "INCONCLUSIVE" and verdict.reason]
            pytest.skip(f"{self.name} is INCONCLUSIVE: {'; '.join(reasons or lacking(result)) or 'nothing was judged'}")

    def _pause(self, lab: "Lab", timeline: "Timeline", lacking: str) -> None:
        from netlab.check.judge import judge
        from netlab.pytest_plugin.pausing import pause

        if any(verdict.outcome == "FAIL" for verdict in judge(self.scenario, timeline, lacking=lacking)):
            pause(self, lab, self.name)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """A FAIL as netlab reports it; anything else as pytest does."""
        if not isinstance(excinfo.value, ScenarioFailedError):
            return super().repr_failure(excinfo, style)
        from netlab.report.text import failure, text_of

        result = excinfo.value.result
        return "\n".join(text_of(failure(result, verdict)) for verdict in result.verdicts if verdict.outcome == "FAIL")

    def reportinfo(self) -> tuple[Path, int, str]:
        """Where the scenario stands, 0-based as pytest counts lines."""
        return self.path, self.scenario.place.line - 1, f"scenario: {self.name}"
