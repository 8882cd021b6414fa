"""A bundle: all that a failed scenario needs to be run again elsewhere, as one frozen value, and the signature of its failure.

It knows neither how a bundle is kept in a file (writing, reading) nor how it is run (running).
"""

import posixpath
from collections.abc import Iterable, Iterator

import msgspec

from netlab.check.result import HostFacts, ScenarioResult
from netlab.check.verdicts import Mismatch, Verdict
from netlab.timeline.observations import Decision

FORMAT = 1
"""The version of what bundles hold. One more is added whenever an older netlab could not run a newer bundle as it is meant."""


class Failed(msgspec.Struct, frozen=True, kw_only=True):
    """What failed. ``claim`` (the verdict's id), ``field`` and ``step`` (its text) are the failure's signature: another run fails
    in the same way if these are the same. ``expected`` and ``actual`` are told, but not compared: ports and times in them vary."""

    claim: str
    field: str = ""
    step: str = ""
    expected: str = ""
    actual: str = ""

    def same(self, other: "Failed") -> bool:
        """Whether the other failure has the same signature."""
        return (self.claim, self.field, self.step) == (other.claim, other.field, other.step)

    def __str__(self) -> str:
        told = f"{self.claim}: {self.field}: expected {self.expected}, got {self.actual}" if self.field else self.claim
        return f"{told} ({self.step})" if self.step else told


class Program(msgspec.Struct, frozen=True, kw_only=True):
    """A program from the scenario's own folder: ``word`` as the scenario's steps write it, what it holds, and whether it may be
    executed."""

    word: str
    data: bytes
    executable: bool = False


class Bundle(msgspec.Struct, frozen=True, kw_only=True):
    """A failed scenario with all that it takes to run it again.

    ``files`` are the texts by their names in the bundle, ``/`` between folders, in the folders in which they lay to each other;
    ``file`` is the one that holds the scenario (or claim) called ``scenario``. ``programs`` are kept beside them, by name too.
    ``settings`` are what ``--set`` gave, ``timeout`` what ``--timeout`` did, in ns (0: the scenario's own), ``capture_buffer`` what
    ``--capture-buffer`` did, in bytes (0: the usual), ``strict`` whether known deviations failed. ``seed`` and ``decisions`` are
    what the run's impairments went by; a decision's place names the bundle's own file. ``rules`` are the topology's and the steps'
    rules and quantities, as text, for whoever reads. ``host`` is the machine that it failed on, ``netlab`` and ``versions`` what
    ran there.
    """

    files: dict[str, str]
    file: str
    scenario: str
    seed: int
    decisions: tuple[Decision, ...]
    failed: Failed
    host: HostFacts
    netlab: str
    versions: dict[str, str] = {}
    rules: tuple[str, ...] = ()
    programs: dict[str, Program] = {}
    settings: dict[str, str] = {}
    timeout: int = 0
    capture_buffer: int = 0
    strict: bool = False


def failures(verdicts: Iterable[Verdict]) -> Iterator[Failed]:
    """The signature of every mismatch of every verdict that is FAIL, in their order; of the verdict itself where it names none."""
    for verdict in verdicts:
        if verdict.outcome == "FAIL":
            for one in verdict.mismatches or (Mismatch(field="", expected="", actual=verdict.reason),):
                yield Failed(claim=verdict.id, field=one.field, step=one.step, expected=one.expected, actual=one.actual)


def failed_of(result: ScenarioResult) -> Failed | None:
    """What a scenario failed by: its first verdict's first mismatch; None if none of its verdicts is FAIL."""
    return next(failures(result.verdicts), None)


def name_problem(name: str) -> str:
    """What is wrong with a name for a file inside a bundle; "" if nothing is. Only plain relative paths stay inside of a folder."""
    if not name or len(name.encode("utf-8", "surrogatepass")) > 1024 or not name.isprintable() or "\\" in name:
        return "it is empty, too long, or has characters that a file's name should not have"
    if name.startswith("/") or posixpath.normpath(name) != name or name.split("/")[0] in ("..", "."):
        return "it leads out of the bundle"
    if any(len(part.encode("utf-8", "surrogatepass")) > 255 for part in name.split("/")):
        return "a part of it is longer than a file's name may be"
    return ""
