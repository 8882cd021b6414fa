"""How a bundle lies in its file, a zip archive: the names of its members, the manifest, and how large each may be.

``bundle.json`` is the manifest: the version of the format, then all that a Bundle holds but for the contents of files. The texts
are below ``files/``, programs below ``programs/``. ``result.json`` is the run's result with its timeline, as --json writes it,
``packets.pcapng`` its packets: for readers and other tools; a replay needs neither.
"""

from typing import Annotated

import msgspec

from netlab.bundle.spec import Failed
from netlab.check.result import HostFacts
from netlab.timeline.observations import Decision

MANIFEST, RESULT, PACKETS = "bundle.json", "result.json", "packets.pcapng"
FILES, PROGRAMS = "files/", "programs/"

LARGEST_MANIFEST = 64 << 20
LARGEST_TEXT = 4 << 20
LARGEST_PROGRAM = 64 << 20
LARGEST_RECORD = 1 << 30
"""Of the result, and of the packets."""
MOST_MEMBERS = 1000
LARGEST_DIRECTORY = 2 << 20
MOST_IN_MEMORY = 256 << 20
"""What the members that are kept in memory, all but the records, may come to."""


LARGEST_BUFFER = 1 << 30
"""That a capture is given, of each node."""
MOST_OF_A_VALUE = 1 << 53
"""Of what was decided about a packet: a delay (ns) or a bit."""
_Natural = Annotated[int, msgspec.Meta(ge=0)]


class ProgramEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A program, without what it holds."""

    word: str
    executable: bool


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """What every manifest begins with, whatever its version."""

    format: int
    netlab: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The manifest of this version."""

    format: int
    netlab: str
    scenario: str
    file: str
    failed: Failed
    seed: _Natural
    settings: dict[str, str]
    timeout: _Natural
    capture_buffer: Annotated[int, msgspec.Meta(ge=0, le=LARGEST_BUFFER)]
    strict: bool
    rules: tuple[str, ...]
    decisions: tuple[Decision, ...]
    programs: dict[str, ProgramEntry]
    host: HostFacts
    versions: dict[str, str]
