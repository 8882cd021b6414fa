"""pytest's edge: scenario files are collected as tests, and the fixture ``lab`` builds the topology that a test's marker names.

It refuses to know how a lab is built or a scenario judged, and imports none of that until a test needs it: pytest loads this
module in every run, those that have nothing to do with networks included.
"""

import json
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from netlab.api import Lab
    from netlab.check.result import ScenarioResult
    from netlab.scenario.spec import Scenario

SUFFIX = ".scenario.yaml"
_MARKER = (
    'topology(name, **settings): the network of the fixture "lab": a name, a path beside the test, or the topology itself as a '
    "dict; settings are values for its vars"
)


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line("markers", _MARKER)


@pytest.fixture
def lab(request: pytest.FixtureRequest) -> "Iterator[Lab]":
    """The running network that ``@pytest.mark.topology`` names, taken down after the test; a skip where this machine cannot."""
    from netlab.errors import HostError, SpecError

    with ExitStack() as stack:
        try:
            network = stack.enter_context(_loaded(request))
        except SpecError as error:
            raise pytest.fail.Exception(str(error), pytrace=False) from None
        except HostError as error:
            pytest.skip(str(error))
        yield network


def _loaded(request: pytest.FixtureRequest) -> "Lab":
    from netlab.api import Lab
    from netlab.topology.load import find_topology

    marker = request.node.get_closest_marker("topology")
    if marker is None or len(marker.args) != 1:
        pytest.fail('the fixture "lab" needs its network: @pytest.mark.topology("two-hosts")', pytrace=False)
    wanted: Any = marker.args[0]
    if isinstance(wanted, dict):
        # JSON is YAML, so that what a file must keep to holds for a dict too.
        return Lab.parse(json.dumps(wanted), name=f"<topology of {request.node.nodeid}>", **marker.kwargs)
    return Lab.load(find_topology(str(wanted), request.path), **marker.kwargs)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> "ScenarioFile | None":
    """Take every scenario file."""
    return ScenarioFile.from_parent(parent, path=file_path) if file_path.name.endswith(SUFFIX) else None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A scenario that was skipped is told with its own file and line, not with this module's."""
    report = yield
    if isinstance(item, ScenarioItem) and report.skipped and isinstance(report.longrepr, tuple):
        report.longrepr = (str(item.path), item.scenario.place.line, report.longrepr[2])
    return report


class ScenarioFile(pytest.File):
    """A scenario file: one test for each scenario in it."""

    def collect(self) -> "Iterator[ScenarioItem]":
        """Load the file; what is wrong with it is told without a traceback."""
        from netlab.errors import SpecError
        from netlab.scenario.load import load_scenarios

        try:
            scenarios = load_scenarios(self.path)
        except SpecError as error:
            raise self.CollectError(str(error)) from None
        for scenario in scenarios:
            yield ScenarioItem.from_parent(self, name=scenario.name, scenario=scenario)


class ScenarioFailedError(Exception):
    """A scenario's verdict is FAIL."""

    def __init__(self, result: "ScenarioResult") -> None:
        self.result = result
        super().__init__("; ".join(verdict.reason for verdict in result.verdicts if verdict.outcome == "FAIL"))


class ScenarioItem(pytest.Item):
    """One scenario as a test."""

    def __init__(self, *, scenario: "Scenario", **options: Any) -> None:
        super().__init__(**options)
        self.scenario = scenario

    def runtest(self) -> None:
        """Run the scenario and turn its outcome into pytest's: FAIL fails, INCONCLUSIVE skips with the reason."""
        from netlab.report.evidence import lacking
        from netlab.run import run_scenario

        result = run_scenario(self.scenario)
        self.user_properties += _properties(result)
        if result.outcome == "FAIL":
            raise ScenarioFailedError(result)
        if result.outcome == "INCONCLUSIVE":
            reasons = [verdict.reason for verdict in result.verdicts if verdict.outcome == "INCONCLUSIVE" and verdict.reason]
            pytest.skip(f"{self.name} is INCONCLUSIVE: {'; '.join(reasons or lacking(result)) or 'nothing was judged'}")

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


def _properties(result: "ScenarioResult") -> list[tuple[str, object]]:
    from netlab.report.evidence import counts

    own = result.verdicts[0]
    return [
        ("outcome", result.outcome),
        ("conformance", own.conformance),
        ("packets", counts(result.timeline, own).packets),
    ]
