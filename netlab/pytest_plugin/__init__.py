"""pytest's edge: scenario files are collected as tests; fixtures give a test its network and what is observed of it; what a failing
test leaves is kept.

It refuses to know how a lab is built or a scenario judged, and imports none of that until a test needs it: pytest loads this
package in every run, those that have nothing to do with networks included.
"""

from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from netlab.pytest_plugin import settings
from netlab.pytest_plugin.collecting import SUFFIX, ScenarioFile
from netlab.pytest_plugin.fixtures import lab, observe, topology
from netlab.pytest_plugin.keys import NETWORK, RESULT, told

__all__ = ["lab", "observe", "topology"]

_MARKERS = (
    'topology(name, **settings): the network of the fixture "lab": a name, a path beside the test, or the topology itself as a '
    "dict; settings are values for its vars",
    'impair(direction, rules=None, **rule): what a link of the fixture "lab" does to packets, in the words of a topology file: '
    'impair("client->server", delay="10ms"), impair("both", match="S", nth=1, action="drop"), or one dict by direction',
    "needs(*capabilities, program=()): skip the test where this machine lacks one of them, as netlab-ns doctor names them "
    '(needs("bpf")), or a program on the PATH',
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options and their settings in a file."""
    settings.add(parser)


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Register the markers; refuse options that cannot be."""
    for marker in _MARKERS:
        config.addinivalue_line("markers", marker)
    settings.check(config)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> ScenarioFile | None:
    """Take every scenario file."""
    return ScenarioFile.from_parent(parent, path=file_path) if file_path.name.endswith(SUFFIX) else None


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test that needs what this machine lacks."""
    if any(item.iter_markers("needs")):
        from netlab.pytest_plugin.needing import skip_without

        skip_without(item)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add to a report what netlab knows of its test, and keep what a failing one leaves. A skip of ours is told with the line of
    what was skipped, not with this package's."""
    report = yield
    if report.skipped and isinstance(report.longrepr, tuple) and Path(report.longrepr[0]).is_relative_to(Path(__file__).parent):
        path, line, _ = item.reportinfo()
        report.longrepr = (str(path), (line or 0) + 1, report.longrepr[2])
    of_scenario, of_lab = RESULT in item.stash, NETWORK in item.stash
    if (call.when == "call" and (of_scenario or of_lab)) or (call.when == "setup" and report.failed and of_lab):
        from netlab.pytest_plugin.leaving import add_to

        add_to(report, item, call)
    return report


def pytest_exception_interact(node: pytest.Item | pytest.Collector, report: pytest.TestReport | pytest.CollectReport) -> None:
    """Let whoever sits there look into the lab of a test that failed."""
    if node.config.getoption("netlab_pause") and isinstance(node, pytest.Item) and NETWORK in node.stash:
        from netlab.pytest_plugin.pausing import pause

        pause(node, node.stash[NETWORK].lab, report.head_line or node.name)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Tell the outcomes of scenarios, and what was kept of which test."""
    reports = [report for reports in terminalreporter.stats.values() for report in reports if isinstance(report, pytest.TestReport)]
    if any(told(report) for report in reports):
        from netlab.pytest_plugin.summary import lines

        terminalreporter.section("netlab")
        for line in lines(reports):
            terminalreporter.write_line(line)
