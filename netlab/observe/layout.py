"""The few numbers about this kernel's data that the observers need: asked from BTF once, then kept on disk.

BTF is megabytes and takes a tenth of a second to read; the answers are a few hundred bytes, and hold for as long as the kernel's
build does. A cache that is absent, unreadable, damaged or somebody else's is as good as none. Refuses to know what the numbers
are for.
"""

import contextlib
import hashlib
import json
import os
import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from netlab.errors import HostError

if TYPE_CHECKING:
    from netlab.observe.btf import Btf

BTF_PATH = Path("/sys/kernel/btf/vmlinux")
_NOTES = Path("/sys/kernel/notes")
_FIX = "boot a kernel with CONFIG_DEBUG_INFO_BTF=y (most distributions' kernels have it), with /sys mounted"


@dataclass(frozen=True, kw_only=True)
class Member:
    """Where a member stands in a struct: its offset in bytes."""

    struct: str
    path: str

    def __str__(self) -> str:
        return f"{self.struct}.{self.path}"


@dataclass(frozen=True, kw_only=True)
class Argument:
    """Which argument of a raw tracepoint is meant; ``pointed`` is the struct that it points to, where only that can tell."""

    tracepoint: str
    name: str
    pointed: str = ""

    def __str__(self) -> str:
        return f"{self.tracepoint}({self.name}: {self.pointed})"


@dataclass(frozen=True, kw_only=True)
class Enumerator:
    """The value of an enumerator."""

    name: str

    def __str__(self) -> str:
        return self.name


Question = Member | Argument | Enumerator


@dataclass(frozen=True)
class Layout:
    """This kernel's answers: None for what it does not have."""

    answers: dict[str, int | None] = field(default_factory=dict)

    def get(self, question: Question) -> int | None:
        """The answer, or None where this kernel has no such thing. Only what was asked for at the start can be got."""
        return self.answers[str(question)]

    def __getitem__(self, question: Question) -> int:
        answer = self.get(question)
        if answer is None:
            raise HostError(f"this kernel has no {question}, which the observer needs", "boot a newer kernel (6.1 or later)")
        return answer


def cache_folder(environment: dict[str, str]) -> Path | None:
    """Where caches of netlab go; None where the user has no home."""
    named = environment.get("XDG_CACHE_HOME", "")
    if os.path.isabs(named):
        return Path(named) / "netlab-ns"
    home = os.path.expanduser("~")
    return Path(home) / ".cache" / "netlab-ns" if os.path.isabs(home) else None


Answers = dict[str, int | None]


def read_layout(questions: Iterable[Question], *, cache: Path | None, btf: Path = BTF_PATH, notes: Path = _NOTES) -> Layout:
    """The answers to ``questions`` on the running kernel, from ``cache`` if they are there."""
    asked = tuple(questions)
    names = set(map(str, asked))
    key = "\n".join(map(str, asked))
    return Layout(remembered(key, lambda types: _ask(asked, types), lambda found: set(found) == names, cache, btf, notes))


def remembered(
    key: str,
    ask: Callable[["Btf"], Answers],
    complete: Callable[[Answers], bool],
    cache: Path | None,
    btf: Path = BTF_PATH,
    notes: Path = _NOTES,
) -> Answers:
    """What ``ask`` says of the running kernel's types, from ``cache`` where that has it, for ``key``, and it is ``complete``."""
    file = None if cache is None else _cache_file(key, cache, notes)
    known = None if file is None else _read(file, complete)
    if known is not None:
        return known
    answers = ask(_types(btf))
    if file is not None:
        with contextlib.suppress(OSError):
            _write(file, json.dumps(answers).encode())
    return answers


def _types(path: Path) -> "Btf":
    from netlab.observe.btf import Btf

    try:
        return Btf(path.read_bytes())
    except OSError as error:
        raise HostError(f"no kernel type information at {path}: {error.strerror}", _FIX) from error
    except ValueError as error:
        raise HostError(f"{path} cannot be read: {error}", _FIX) from error


def _ask(questions: tuple[Question, ...], types: "Btf") -> Answers:
    answers: Answers = {}
    for question in questions:
        match question:
            case Member(struct=struct, path=member):
                answers[str(question)] = types.member(struct, member)
            case Argument(tracepoint=tracepoint, name=name, pointed=pointed):
                answers[str(question)] = types.argument(tracepoint, name, pointed)
            case Enumerator(name=name):
                answers[str(question)] = types.enumerator(name)
    return answers


def _cache_file(key: str, folder: Path, notes: Path) -> Path | None:
    try:
        build = notes.read_bytes()
    except OSError:
        return None
    return folder / f"layout-{hashlib.sha256(build).hexdigest()[:32]}-{hashlib.sha256(key.encode()).hexdigest()[:16]}.json"


def _read(file: Path, complete: Callable[[Answers], bool]) -> Answers | None:
    try:
        with file.open("rb") as opened:
            status = os.fstat(opened.fileno())
            # Root must not take offsets from a file that another user can write.
            if status.st_uid != os.geteuid() or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                return None
            found = json.load(opened)
    except (OSError, ValueError):
        return None
    if not isinstance(found, dict):
        return None
    if not all(value is None or (isinstance(value, int) and not isinstance(value, bool)) for value in found.values()):
        return None
    return found if complete(found) else None


def _write(file: Path, content: bytes) -> None:
    """Whole or not at all: the file has no name until it is complete, so a killed process leaves nothing behind."""
    file.parent.mkdir(parents=True, exist_ok=True)
    folder = os.open(file.parent, os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        nameless = os.open(file.parent, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            if os.write(nameless, content) != len(content):
                return
            file.unlink(missing_ok=True)
            # Given a folder's descriptor, os.link calls linkat(AT_SYMLINK_FOLLOW), which alone takes the nameless file.
            os.link(f"/proc/self/fd/{nameless}", file.name, dst_dir_fd=folder)
        finally:
            os.close(nameless)
    finally:
        os.close(folder)
