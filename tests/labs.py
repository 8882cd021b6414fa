"""Labs that stay, for tests: the command line as a user runs it, names that no other test has, and a terminal to type at."""

import fcntl
import json
import os
import secrets
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
UNPRIVILEGED = [sys.executable, str(HERE / "unprivileged.py")]
_WITHIN = 20.0


def command(*arguments: object, rootless: bool = False) -> list[str]:
    return [*(UNPRIVILEGED if rootless else []), sys.executable, "-m", "netlab", *map(str, arguments)]


def netlab(*arguments: object, rootless: bool = False, **options: Any) -> "subprocess.CompletedProcess[str]":
    given = {"capture_output": True, "text": True, "check": False, "stdin": subprocess.DEVNULL, "timeout": 60, **options}
    return subprocess.run(command(*arguments, rootless=rootless), **given)


def name() -> str:
    """Labs share a namespace of names with every other test that runs now."""
    return f"t{secrets.token_hex(6)}"


@contextmanager
def lab(topology: object = "two-hosts", *options: object, rootless: bool = False) -> Iterator[str]:
    called = name()
    done = netlab("up", topology, "--name", called, *options, rootless=rootless)
    assert done.returncode == 0, done.stderr
    try:
        yield called
    finally:
        netlab("down", called, rootless=rootless)


@dataclass(frozen=True)
class Stays:
    """A lab that stays, and whose it is."""

    name: str
    rootless: bool

    def command(self, verb: str, *arguments: object) -> list[str]:
        return command(verb, "--lab", self.name, *arguments, rootless=self.rootless)

    def run(self, verb: str, *arguments: object, **options: Any) -> "subprocess.CompletedProcess[str]":
        return netlab(verb, "--lab", self.name, *arguments, rootless=self.rootless, **options)

    def down(self) -> "subprocess.CompletedProcess[str]":
        return netlab("down", self.name, rootless=self.rootless)


def described(called: str, *, rootless: bool = False) -> dict[str, Any]:
    (found,) = json.loads(netlab("ls", called, "--json", rootless=rootless).stdout)
    return dict(found)


def until(condition: Callable[[], object], within: float = _WITHIN) -> bool:
    deadline = time.monotonic() + within
    while not condition():
        if time.monotonic() > deadline:
            return False
        select.select([], [], [], 0.002)
    return True


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def below(pid: int) -> list[int]:
    """The children of a process, and theirs."""
    try:
        own = [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []
    return [each for child in own for each in (child, *below(child))]


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


class Terminal:
    """A program with a controlling terminal of its own, as if someone sat at it."""

    def __init__(self, argv: list[str], env: Mapping[str, str] | None = None, size: tuple[int, int] = (24, 80)) -> None:
        self.screen = ""
        self._master, slave = os.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
        setting = {**os.environ, "TERM": "dumb", "PS1": "$ ", **(env or {})}
        self.process = subprocess.Popen(["setsid", "--ctty", *argv], stdin=slave, stdout=slave, stderr=slave, env=setting)
        os.close(slave)

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def shows(self, text: str) -> str:
        """Wait until it shows a text; gives what came before it, and takes both off the screen."""
        deadline = time.monotonic() + _WITHIN
        while text not in self.screen:
            left = deadline - time.monotonic()
            assert left > 0, f"{text!r} is not shown, but {self.screen!r}"
            if select.select([self._master], [], [], left)[0]:
                try:
                    self.screen += os.read(self._master, 4096).decode(errors="replace")
                except OSError:  # EIO: nobody has the terminal open any more
                    assert text in self.screen, f"{text!r} is not shown, but at the end {self.screen!r}"
        before, _, self.screen = self.screen.partition(text)
        return before

    def wait(self) -> int:
        return self.process.wait(_WITHIN)

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        os.close(self._master)
