"""What a test leaves: the slice of its timeline in its report; packets, timeline, page and bundle in its folder; user properties.

Nothing of it changes an outcome: what cannot be made or written is said instead.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from shlex import quote

import pytest

import netlab
from netlab.bundle.making import bundle_of
from netlab.bundle.writing import dumps as bundle_bytes
from netlab.check.result import RunResult, ScenarioResult
from netlab.check.verdicts import Verdict
from netlab.host_facts import host_facts
from netlab.pytest_plugin.collecting import ScenarioItem
from netlab.pytest_plugin.keys import NETWORK, RESULT, note, stop_timeout, tell
from netlab.pytest_plugin.observing import MOST_PACKETS, Network
from netlab.pytest_plugin.settings import folder_of, pcap
from netlab.pytest_plugin.slicing import slice_of
from netlab.report import html, json, pcapng
from netlab.report.evidence import counts
from netlab.run import drawn

__all__ = ["add_to"]

_CUT = f"not all packets are there: the test does not ask for the fixture observe, and so their capture ended at {MOST_PACKETS}"
PACKETS, TIMELINE, PAGE, BUNDLE = "packets.pcapng", "timeline.json", "report.html", "bundle.netlab"


def add_to(report: pytest.TestReport, item: pytest.Item, call: pytest.CallInfo[None]) -> None:
    """Tell in a report what came of a test that has a lab or is a scenario; keep what is to be kept of it."""
    scenario, network = item.stash.get(RESULT, None), item.stash.get(NETWORK, None)
    if scenario is not None:
        own = scenario.verdicts[0]
        seen = counts(scenario.timeline, own).packets
        note(item, report, outcome=scenario.outcome, conformance=own.conformance, packets=seen)
        tell(report, outcome=scenario.outcome)
    elif network is not None:
        note(item, report, topology=network.lab.topology.name)
    packets = pcap(item.config)
    if not report.failed and packets != "always":
        return
    if report.failed:
        stop_timeout(item)  # the test is over: it would end the run, in the middle of this
    if scenario is None and network is not None:
        if report.failed and network.asked:
            report.sections.append(("netlab timeline", "\n".join(slice_of(network.timeline, network.lab.own_pids))))
        scenario = _as_scenario(item, network, report, call)
    assert scenario is not None
    folder = folder_of(item)
    written, problems = _kept(folder, dict(_contents(item, scenario, failed=report.failed, packets=packets)))
    if written:
        note(item, report, artifacts=str(folder))
        tell(report, artifacts=str(folder), files=written, failed=report.failed)
    if report.failed:
        lines = [f"{folder}: {', '.join(written)}"] if written else []
        lines += [_CUT] if network is not None and network.is_cut else []
        lines += [f"to run it again: netlab-ns replay {quote(str(folder / BUNDLE))}"] if BUNDLE in written else []
        report.sections.append(("netlab artifacts", "\n".join([*lines, *problems])))


def _as_scenario(item: pytest.Item, network: Network, report: pytest.TestReport, call: pytest.CallInfo[None]) -> ScenarioResult:
    """A test that is not a scenario as the result of one, for reports: one verdict, which is pytest's."""
    documented = getattr(getattr(item, "obj", None), "__doc__", None) or ""
    reason = call.excinfo.exconly(tryshort=True) if call.excinfo is not None else report.longreprtext
    verdict = Verdict(
        id=item.name,
        outcome="FAIL" if report.failed else "PASS",
        statement=" ".join(documented.split()),
        reason=reason if report.failed else "",
    )
    return ScenarioResult(
        file=str(item.path),
        name=item.nodeid,
        verdicts=(verdict,),
        timeline=network.timeline,
        topology=drawn(network.lab.topology),
        elapsed=report.duration,
    )


def _contents(
    item: pytest.Item, result: ScenarioResult, *, failed: bool, packets: str
) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """The files that are to be kept, and what makes each."""
    run = RunResult(netlab=netlab.__version__, host=host_facts(), scenarios=(result,))
    if packets != "never":
        yield PACKETS, lambda: pcapng.dumps(run)
    if failed:
        yield TIMELINE, lambda: json.dumps(run)
        yield PAGE, lambda: html.dumps(run)
        if isinstance(item, ScenarioItem) and result.outcome == "FAIL":
            scenario = item.scenario
            yield BUNDLE, lambda: bundle_bytes(bundle_of(scenario, result, seed=0, host=run.host), run)


def _kept(folder: Path, contents: Mapping[str, Callable[[], bytes]]) -> tuple[list[str], list[str]]:
    """Write files into a folder, in place of those of an earlier try or run; gives those written, and what went wrong."""
    written, problems = [], []
    for name in (PACKETS, TIMELINE, PAGE, BUNDLE):
        try:
            (folder / name).unlink(missing_ok=True)
            if name in contents:
                made = contents[name]()
                folder.mkdir(parents=True, exist_ok=True)
                (folder / name).write_bytes(made)
                written.append(name)
        except OSError as error:
            problems.append(f"{folder / name} was not written: {error.strerror or error}")
        except Exception as error:  # noqa: BLE001 - a report that cannot be made must not end the whole run
            problems.append(f"{name} was not made: {error}")
    return written, problems
