"""The processes that are measured: each is told what to do by a line of text, and answers with what it took.

It does not know what they measure; sides/ and reference.c do.
"""

import json
import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ROOT = Path(__file__).resolve().parent.parent.parent


class ContenderError(Exception):
    """A contender failed; the message has what it said."""


class Contender:
    """A running contender. ``most`` is in how many rounds it takes part, for those that take long; one that ``may_fail`` is
    left out once it has."""

    most: int | None = None

    def __init__(
        self, name: str, argv: Sequence[str], *, may_fail: bool = False, environment: Mapping[str, str] | None = None
    ) -> None:
        self.name, self.may_fail = name, may_fail
        self._said = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed with the process
        self._process = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            text=True,
            cwd=ROOT,
            env={**os.environ, **(environment or {})},
        )

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    def ask(self, command: str) -> dict[str, Any]:
        """Its answer to one command; raises ContenderError when it ends instead."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(f"{command}\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._failed(command) from None
        line = self._process.stdout.readline()
        if not line:
            raise self._failed(command)
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """Let it end, as it does when its input ends, and wait for that."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.close()
        except BrokenPipeError:
            pass  # it has ended already
        self._process.stdout.close()
        self._process.wait()
        self._said.close()

    def _failed(self, command: str) -> ContenderError:
        self._process.wait()
        self._said.seek(0)
        last = self._said.read().strip().splitlines()[-3:]
        return ContenderError(f'{self.name} failed at "{command}": {" / ".join(last) or "it said nothing"}')

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
