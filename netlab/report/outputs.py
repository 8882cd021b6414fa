"""Writes a run's result to where the user wants it: text always, the rest where asked; "-" is standard output.

While one of them takes standard output, the text goes to standard error.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from netlab.check.result import RunResult

STDOUT = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """Where each report goes: a path, "-" for standard output, or None when it is not wanted."""

    json: str | None = None
    junit: str | None = None
    pcap: str | None = None
    html: str | None = None
    ctrf: str | None = None
    summary: str | None = None
    github_summary: str | None = None
    """The file that a step of a GitHub job may append its summary to: never "-"."""

    @property
    def paths(self) -> tuple[str, ...]:
        """All that are wanted."""
        every = (self.json, self.junit, self.pcap, self.html, self.ctrf, self.summary, self.github_summary)
        return tuple(path for path in every if path is not None)

    @property
    def text(self) -> TextIO:
        """Where the text goes."""
        return sys.stderr if STDOUT in self.paths else sys.stdout

    def write(self, result: RunResult, *, elapsed: float | None = None) -> None:
        """Write every report. Raises OSError, with the file's name, for one that cannot be written; the text is written before."""
        from netlab.report import text

        text.write(result, self.text, elapsed=elapsed)
        self.text.flush()
        self.write_files(result)

    def write_files(self, result: RunResult) -> None:
        """Write every report but the text, as ``write`` does."""
        for path, dumps in (
            (self.json, _json),
            (self.junit, _junit),
            (self.pcap, _pcapng),
            (self.html, _html),
            (self.ctrf, _ctrf),
            (self.summary, _summary),
        ):
            if path == STDOUT:
                sys.stdout.buffer.write(dumps(result))
                sys.stdout.buffer.flush()
            elif path is not None:
                Path(path).write_bytes(dumps(result))
        if self.github_summary is not None:
            _append_summary(result, Path(self.github_summary))


def _json(result: RunResult) -> bytes:
    from netlab.report.json import dumps

    return dumps(result)


def _junit(result: RunResult) -> bytes:
    from netlab.report.junit import dumps

    return dumps(result)


def _html(result: RunResult) -> bytes:
    from netlab.report.html import dumps

    return dumps(result)


def _pcapng(result: RunResult) -> bytes:
    from netlab.report.pcapng import dumps

    return dumps(result)


def _ctrf(result: RunResult) -> bytes:
    from netlab.report.ctrf import dumps

    return dumps(result)


def _summary(result: RunResult) -> bytes:
    from netlab.report.job_summary import dumps

    return dumps(result)


def _append_summary(result: RunResult, path: Path) -> None:
    """Append to what commands of the same step have written; together they must stay within what GitHub takes."""
    from netlab.report.job_summary import LIMIT, dumps

    taken = path.stat().st_size if path.exists() else 0
    with path.open("ab") as file:
        file.write(dumps(result, limit=max(0, LIMIT - taken)))
