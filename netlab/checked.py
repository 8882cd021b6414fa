"""What `check` makes of a file: which kind it is, by its content, and what each kind's judge finds.

A kind is a row of the table at the end. It refuses to know how anything is shown.
"""

import os
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from netlab.check.result import ScenarioResult
from netlab.check.verdicts import Verdict
from netlab.errors import Place, Problem, SpecError
from netlab.report.text import Line

if TYPE_CHECKING:
    from netlab.scenario.spec import Scenario

_PCAPNG = 0x0A0D0D0A
_PCAP = frozenset({0xA1B2C3D4, 0xA1B23C4D})


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What was found in one file: as every report takes it, a result for each thing judged in it, and as lines for a person."""

    results: tuple[ScenarioResult, ...]
    lines: Sequence[Line]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of file: ``name`` in words, what its content begins like, and its judge, given the content and the file's name.

    The judge raises SpecError for a file that is damaged.
    """

    name: str
    recognises: Callable[[bytes], bool]
    judge: Callable[[bytes, str], Checked]


def check_file(path: Path) -> Checked:
    """Judge a file. SpecError for one that cannot be read, is damaged, or is of no kind that is known."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SpecError(Problem(Place(str(path), 1, 1), f"cannot be read: {error.strerror}")) from None
    for kind in KINDS:
        if kind.recognises(data):
            return kind.judge(data, str(path))
    known = ", ".join(kind.name for kind in KINDS)
    raise SpecError(Problem(Place(str(path), 1, 1), f"this is nothing that can be checked: {known}", "tcpdump -w writes a capture"))


def _is_capture(data: bytes) -> bool:
    if len(data) < 4:
        return False
    little, big = struct.unpack_from("<I", data)[0], struct.unpack_from(">I", data)[0]
    return little == _PCAPNG or bool(_PCAP & {little, big})


def _capture(data: bytes, file: str) -> Checked:
    from netlab.check.captures import connections, verdicts
    from netlab.report.capture_text import told
    from netlab.timeline.observations import SourceReport
    from netlab.timeline.pcapng_read import read_bytes
    from netlab.timeline.timeline import Timeline

    capture = read_bytes(data, file)
    found = connections(capture.packets, capture.dropped)
    count = len(capture.packets)
    source = SourceReport(name="packets", available=True, seen=count, lost=capture.dropped)
    result = ScenarioResult(
        file=file,
        name=Path(file).name,
        verdicts=verdicts(found),
        timeline=Timeline(observations=capture.packets, sources=(source,)),
    )
    return Checked(results=(result,), lines=tuple(told(file, count, found)))


def _is_result(data: bytes) -> bool:
    return data[:1] == b"{" and all(key in data for key in (b'"schema"', b'"netlab"', b'"scenarios"'))


def _result(data: bytes, file: str) -> Checked:
    """What --json wrote: each timeline judged again, by its scenario too where the file that it came from is here."""
    from netlab.check.judge import judge, judge_by_model
    from netlab.report.json import loads

    try:
        run = loads(data)
    except ValueError as error:
        raise SpecError(Problem(Place(file, 1, 1), f"this is no result of netlab's: {error}")) from None
    results = []
    for one in run.scenarios:
        scenario = _scenario(one)
        found = judge_by_model(one.timeline) if scenario is None else judge(scenario, one.timeline)
        results.append(msgspec.structs.replace(one, verdicts=found))
    return Checked(results=tuple(results), lines=tuple(_told(results)))


def _scenario(one: ScenarioResult) -> "Scenario | None":
    """The scenario that a result is about, if the file that it names is here and has it still."""
    from netlab.scenario.load import load_claims, load_scenarios

    if not os.path.isfile(one.file):
        return None
    for load in (load_scenarios, lambda path: load_claims(path)[0]):
        try:
            found = [scenario for scenario in load(one.file) if scenario.name == one.name]
        except SpecError:
            continue
        if found:
            return found[0]
    return None


def _is_strace(data: bytes) -> bool:
    from netlab.observe.strace_parse import parse_line

    first = data[:4096].partition(b"\n")[0].decode(errors="replace")
    try:
        parse_line(first)
    except ValueError:
        return False
    return True


def _strace(data: bytes, file: str) -> Checked:
    """A log of strace's: its calls held against the model, as far as what is known of the processes goes."""
    from netlab.check.system_calls import judge_programs
    from netlab.observe.strace_calls import StraceCalls
    from netlab.timeline.observations import AnyObservation, SourceReport
    from netlab.timeline.timeline import Timeline

    calls, seen = StraceCalls("traced"), list[AnyObservation]()
    for number, line in enumerate(data.decode(errors="replace").splitlines(), 1):
        try:
            seen += calls.take(line)
        except ValueError as error:
            fix = "strace -f -y --decode-pids=comm --timestamps=format:unix,precision:ns --syscall-times=ns writes what is read"
            raise SpecError(Problem(Place(file, number, 1), str(error), fix)) from None
    seen += calls.finish(max((one.time for one in seen), default=0))
    seen.sort(key=lambda one: one.time)
    verdict = judge_programs(tuple(seen))
    nothing = Verdict(id="model.calls", outcome="INCONCLUSIVE", reason="there is no call in it that the model could judge")
    source = SourceReport(name="calls", available=True, seen=len(seen))
    result = ScenarioResult(
        file=file,
        name=Path(file).name,
        verdicts=(verdict or nothing,),
        timeline=Timeline(observations=tuple(seen), sources=(source,)),
    )
    return Checked(results=(result,), lines=tuple(_told([result])))


def _told(results: "Sequence[ScenarioResult]") -> "Iterator[Line]":
    """Each verdict a line; what failed, in full."""
    from netlab.report.text import failure

    for one in results:
        yield Line(f"{one.file}: {one.name}")
        for verdict in one.verdicts:
            yield Line(f"  {verdict.outcome:<13} {verdict.id}" + (f": {verdict.reason}" if verdict.reason else ""))
            if verdict.outcome == "FAIL":
                yield from failure(one, verdict)


KINDS: tuple[Kind, ...] = (
    Kind(name="a capture (pcap, pcapng)", recognises=_is_capture, judge=_capture),
    Kind(name="a result (netlab-ns run --json)", recognises=_is_result, judge=_result),
    Kind(name="a log of strace's", recognises=_is_strace, judge=_strace),
)
"""Every kind of file that can be checked; the first that recognises a file judges it."""
