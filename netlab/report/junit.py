"""A run's result as JUnit XML, for the CI systems that read nothing else: a suite a file, a case a scenario.

JUnit has no word for INCONCLUSIVE: such a case is skipped, with the reason; a case that passed with a known deviation passes,
and its properties say so. They stand in the suite, as "CASE.outcome": there every reader's schema takes them (that of Jenkins'
xUnit plugin, junit-10.xsd, and that of Maven Surefire, 3.0, take none in a case).
"""

import xml.etree.ElementTree as ET
from collections.abc import Iterable

from netlab.check.result import RunResult, ScenarioResult
from netlab.check.verdicts import Verdict
from netlab.report.evidence import counts, lacking
from netlab.report.text import failure, text_of, timeline


def dumps(result: RunResult) -> bytes:
    """The result as a JUnit XML document in UTF-8."""
    totals = {name: value for name, value in _totals(result.scenarios).items() if name != "skipped"}  # only suites have it
    root = ET.Element("testsuites", {"name": "netlab", **totals})
    files: dict[str, list[ScenarioResult]] = {}
    for scenario in result.scenarios:
        files.setdefault(scenario.file, []).append(scenario)
    for file, scenarios in files.items():
        suite = ET.SubElement(root, "testsuite", {"name": _clean(file), **_totals(scenarios)})
        facts = {"netlab": result.netlab, "kernel": result.host.kernel, "tier": result.host.tier}
        about = [(f"{one.name}.{name}", value) for one in scenarios for name, value in _case_facts(one)]
        _properties(suite, [*facts.items(), *about])
        for scenario in scenarios:
            _case(suite, scenario)
    ET.indent(root)
    written: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return written + b"\n"


def _totals(scenarios: Iterable[ScenarioResult]) -> dict[str, str]:
    scenarios = tuple(scenarios)
    outcomes = [scenario.outcome for scenario in scenarios]
    return {
        "tests": str(len(scenarios)),
        "failures": str(outcomes.count("FAIL")),
        "errors": "0",
        "skipped": str(outcomes.count("INCONCLUSIVE")),
        "time": f"{sum(scenario.elapsed for scenario in scenarios):.3f}",
    }


def _case(suite: ET.Element, scenario: ScenarioResult) -> None:
    case = ET.SubElement(
        suite,
        "testcase",
        name=_clean(scenario.name),
        classname=_clean(scenario.group or scenario.file),
        time=f"{scenario.elapsed:.3f}",
    )
    failed = [verdict for verdict in scenario.verdicts if verdict.outcome == "FAIL"]
    undecided = [verdict for verdict in scenario.verdicts if verdict.outcome == "INCONCLUSIVE"]
    if failed:
        message = "; ".join(f"{verdict.id}: {verdict.reason}" for verdict in failed)
        told = "\n".join(text_of(failure(scenario, verdict)) for verdict in failed)
        ET.SubElement(case, "failure", type="FAIL", message=_clean(message)).text = _clean(told)
    elif scenario.outcome == "INCONCLUSIVE":
        reasons = [verdict.reason for verdict in undecided if verdict.reason] or lacking(scenario) or ["nothing was judged"]
        ET.SubElement(case, "skipped", message=_clean(f"INCONCLUSIVE: {'; '.join(dict.fromkeys(reasons))}"))
    slices = [text_of(timeline(scenario, verdict)) for verdict in scenario.verdicts if verdict.slice]
    if slices:
        ET.SubElement(case, "system-out").text = _clean("\n\n".join(slices))


def _case_facts(scenario: ScenarioResult) -> list[tuple[str, str]]:
    facts = [pair for verdict in scenario.verdicts for pair in _facts(scenario, verdict)]
    return [*facts, *(("played again", lost) for lost in scenario.played_again)]


def _facts(scenario: ScenarioResult, verdict: Verdict) -> list[tuple[str, str]]:
    seen = counts(scenario.timeline, verdict)
    facts = {
        "outcome": verdict.outcome,
        "conformance": verdict.conformance,
        "source": verdict.source,
        "calls": str(seen.calls),
        "packets": str(seen.packets),
        "states": str(seen.states),
    }
    before = "" if verdict is scenario.verdicts[0] else f"{verdict.id}."
    return [(before + name, value) for name, value in facts.items() if value]


def _properties(parent: ET.Element, pairs: Iterable[tuple[str, str]]) -> None:
    pairs = list(pairs)
    if pairs:
        properties = ET.SubElement(parent, "properties")
        for name, value in pairs:
            ET.SubElement(properties, "property", name=_clean(name), value=_clean(value))


def _clean(text: str) -> str:
    """``text`` without the characters that XML 1.0 cannot hold (https://www.w3.org/TR/xml/#charsets)."""
    return "".join(letter for letter in text if letter in "\t\n\r" or _allowed(ord(letter)))


def _allowed(code: int) -> bool:
    return (0x20 <= code <= 0xD7FF and not 0x7F <= code <= 0x9F) or 0xE000 <= code <= 0xFFFD or code >= 0x10000
