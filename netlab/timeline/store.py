"""A timeline as JSON and back, exactly: what ``check`` judges later, on another machine, without root.

Bytes are base64 and every observation carries its kind. It knows nothing of results or verdicts: those are written around it.
"""

import re
from pathlib import Path

import msgspec

from netlab.errors import Place, Problem, SpecError
from netlab.timeline.timeline import Timeline

_BYTE = re.compile(r"\(byte (\d+)\)")


def to_json(timeline: Timeline, *, indent: int = 0) -> bytes:
    """The timeline as JSON; ``indent`` spaces a level, 0 for one line."""
    data = msgspec.json.encode(timeline)
    return msgspec.json.format(data, indent=indent) if indent else data


def from_json(data: bytes, file: str = "timeline") -> Timeline:
    """The timeline that ``to_json`` wrote; SpecError, with the place in ``file``, if it is none.

    >>> from_json(to_json(Timeline(slack=7))).slack
    7
    """
    try:
        return msgspec.json.decode(data, type=Timeline)
    except msgspec.DecodeError as error:
        # A ValidationError names a path such as $.observations[3].time; malformed JSON has a byte offset.
        found = _BYTE.search(str(error))
        offset = int(found[1]) if found else 0
        before = data[:offset]
        place = Place(file, before.count(b"\n") + 1, offset - (before.rfind(b"\n") + 1) + 1)
        fix = "it must be a timeline as netlab.timeline.store writes it"
        raise SpecError(Problem(place, f"this is no timeline: {error}", fix)) from None


def save(timeline: Timeline, path: Path) -> None:
    """Write the timeline to a file."""
    path.write_bytes(to_json(timeline))


def load(path: Path) -> Timeline:
    """Read a timeline from a file; SpecError if it cannot be read or is none."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SpecError(Problem(Place(str(path), 1, 1), f"cannot be read: {error.strerror}")) from None
    return from_json(data, str(path))
