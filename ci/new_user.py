"""Follows the tutorial as a new user would, from a fresh clone and from a wheel in an empty environment; tells how long it took.

    python -m ci.new_user [--keep]

Nothing of this checkout is used but its files: the commands are those of docs/tutorial.md, in their order, in folders of their own,
with the environment that the tutorial itself makes. Exit status 1 if a command does not do what the page says, or all of them take
more than five minutes.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from documents import DOCS, Block, Command, missing, parsed  # noqa: E402 - found by the line above

MINUTES = 5
BESIDE = "networklab"
"""The project whose command is `netlab`, beside which this one must be installable."""


class Hitch(Exception):
    """A command did not do what the page says."""


@dataclass(slots=True)
class User:
    """A shell as far as the tutorial needs one: a folder, a search path, and a clock."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    taken: list[tuple[float, str]] = field(default_factory=list)

    def do(self, command: Command) -> None:
        words, began = command.words, time.monotonic()
        if words[0] == "cd":
            self.folder = self.folder / words[1]
        elif words[0] == ".":
            activated = (self.folder / words[1]).parent
            self.environment["PATH"] = f"{activated}:{self.environment['PATH']}"
        else:
            self.run(command)
        self.taken.append((time.monotonic() - began, command.text))

    def run(self, command: Command) -> None:
        done = subprocess.run(
            ["sh", "-c", command.text],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        printed = done.stdout + done.stderr
        if done.returncode != command.status:
            raise Hitch(f"line {command.line}: {command.text}: exit status {done.returncode}, not {command.status}\n{printed}")
        if unsaid := missing(command.prints, printed):
            raise Hitch(f"line {command.line}: {command.text}: did not print {unsaid}\n{printed}")


def clean_environment() -> dict[str, str]:
    """This one without what leads back to this checkout's own environment."""
    path = os.pathsep.join(part for part in os.environ["PATH"].split(os.pathsep) if not part.startswith(str(ROOT)))
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV", "NETLAB"))}
    return {**kept, "PATH": path, "NO_COLOR": "1", "COLUMNS": "132"}


def clone(folder: Path) -> Path:
    """The files that a clone would have once all is committed."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    cloned = folder / "clone"
    for name in filter(None, listed.stdout.split("\0")):
        source, target = ROOT / name, cloned / name
        if source.is_symlink() or source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target, follow_symlinks=False)
    return cloned


def from_a_clone(folder: Path, user: User) -> str:
    user.folder = clone(folder)
    return "pip install ."


def from_a_wheel(folder: Path, user: User) -> str:
    """Somebody else made the wheel; the user has it in an empty folder."""
    cloned = clone(folder)
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(folder / "wheel"), str(cloned)], check=True, cwd=folder
    )
    shutil.rmtree(cloned)
    (wheel,) = (folder / "wheel").glob("*.whl")
    user.folder = folder / "home"
    user.folder.mkdir()
    return f"pip install {wheel}"


def follow(begin: Callable[[Path, User], str], keep: bool) -> float:
    """Follow the tutorial; the seconds that it took. Raises Hitch."""
    folder = Path(tempfile.mkdtemp(prefix="netlab-new-user-"))
    try:
        user = User(folder, clean_environment())
        install = begin(folder, user)
        for one in parsed(DOCS / "tutorial.md"):
            if isinstance(one, Block):
                if one.name:
                    (user.folder / one.name).write_text(one.text)
            elif one.text == "pip install .":
                user.do(Command(text=install, status=0, prints="", line=one.line))
            else:
                user.do(one)
        report = user.folder / "answer.html"
        if "<svg" not in report.read_text():
            raise Hitch("answer.html has no picture")
        for seconds, text in user.taken:
            print(f"  {seconds:6.1f} s  {text}")
        beside(user)
        return sum(seconds for seconds, _ in user.taken)
    finally:
        if keep:
            print(f"  kept: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


def beside(user: User) -> None:
    """Install the project that owns the command `netlab` into the same environment: neither has a file of the other's."""
    got = subprocess.run(
        ["pip", "install", "-q", "--no-deps", BESIDE],
        env=user.environment,
        cwd=user.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if got.returncode:
        print(f"  not tried: {BESIDE} cannot be had here: {got.stderr.strip().splitlines()[-1]}")
        return
    told = subprocess.run(
        ["python", "-c", _FILES, "netlab-ns", BESIDE],
        env=user.environment,
        cwd=user.folder,
        capture_output=True,
        text=True,
        check=True,
    )
    if told.stdout.strip():
        raise Hitch(f"files of both netlab-ns and {BESIDE}: {told.stdout}")
    user.run(Command(text="netlab-ns --version", status=0, prints="", line=0))
    user.run(Command(text="netlab-ns run handshake.scenario.yaml", status=0, prints="", line=0))
    print(f"  beside {BESIDE}: no file is in both, and netlab-ns runs")


_FILES = """
import importlib.metadata as metadata, sys
one, other = ({str(path.locate()) for path in metadata.distribution(name).files} for name in sys.argv[1:])
print(*sorted(path for path in one & other if "__pycache__" not in path))
"""


def main() -> int:
    """Follow it both ways."""
    for begin in (from_a_clone, from_a_wheel):
        print(f"{begin.__name__.replace('_', ' ')}:", flush=True)
        try:
            seconds = follow(begin, "--keep" in sys.argv)
        except Hitch as hitch:
            print(f"a hitch: {hitch}", file=sys.stderr)
            return 1
        print(f"  all: {seconds:.0f} s", flush=True)
        if seconds > MINUTES * 60:
            print(f"that is more than {MINUTES} minutes", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
