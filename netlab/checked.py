"""What `check` makes of a file: which kind it is, by its content, and what each kind's judge finds.

A kind is a row of the table at the end. It refuses to know how anything is shown.
"""

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from netlab.check.result import ScenarioResult
from netlab.errors import Place, Problem, SpecError
from netlab.report.text import Line

_PCAPNG = 0x0A0D0D0A
_PCAP = frozenset({0xA1B2C3D4, 0xA1B23C4D})


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What was found in one file: as every report takes it, and as lines of text for a person."""

    result: ScenarioResult
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
    return Checked(result=result, lines=tuple(told(file, count, found)))


KINDS: tuple[Kind, ...] = (Kind(name="a capture (pcap, pcapng)", recognises=_is_capture, judge=_capture),)
"""Every kind of file that can be checked; the first that recognises a file judges it."""
