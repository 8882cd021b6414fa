"""What the parts of the plugin keep with a test, and add to its reports; the one thing that they ask of another plugin.

It does nothing with any of it.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from netlab.check.result import ScenarioResult
    from netlab.pytest_plugin.observing import Network

__all__ = ["NETWORK", "RESULT", "note", "stop_timeout", "tell", "told"]

NETWORK: "pytest.StashKey[Network]" = pytest.StashKey()
"""The running lab of a test, and what is observed of it."""

RESULT: "pytest.StashKey[ScenarioResult]" = pytest.StashKey()
"""What came of the scenario that a test is."""

_ATTRIBUTE = "netlab"


def tell(report: pytest.TestReport, **values: Any) -> None:
    """Add plain values to a report; they go with it from a worker of pytest-xdist to who started that."""
    vars(report).setdefault(_ATTRIBUTE, {}).update(values)


def told(report: pytest.TestReport) -> Mapping[str, Any]:
    """What was added to a report."""
    found: Mapping[str, Any] = vars(report).get(_ATTRIBUTE, {})
    return found


def note(item: pytest.Item, report: pytest.TestReport, **properties: object) -> None:
    """Set user properties of a test, which JUnit files show, in place of those that an earlier try of it had."""
    for kept in (item.user_properties, report.user_properties):
        kept[:] = [*(pair for pair in kept if pair[0] not in properties), *properties.items()]


def stop_timeout(item: pytest.Item) -> None:
    """Have pytest-timeout, where it is there, limit this test's time no longer."""
    cancel = getattr(item.config.hook, "pytest_timeout_cancel_timer", None)
    if cancel is not None:
        cancel(item=item)
