"""Keeps what a command found out from files for the commands after it, as Python keeps bytecode, until one of the files changes.

One small file for each file and settings, in the user's cache folder (XDG Base Directory Specification). Whatever is wrong with
it, it is as if nothing had been kept; nobody is told. What is kept are plain values, and it does not know what they mean.
"""

import marshal
import os
import stat
import sys
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from importlib.util import find_spec
from typing import Any

import netlab

MOST_ENTRIES = 64
LARGEST_ENTRY = 4 << 20

_FOLDERS = ("netlab-ns", "labs")
_MARK = b"netlab cache 1\n"
_LIBRARIES = ("pydantic", "pyroute2", "yaml")
_VERSION = 4  # of marshal's: what every Python from 3.4 on reads
_WRONG = (OSError, ValueError, TypeError, LookupError, EOFError, MemoryError)


def recall(file: str, settings: Mapping[str, str]) -> Any:
    """What was kept for a file and settings; None when nothing was, or something that it was found out from has changed."""
    try:
        key = _key(file, settings)
        folder = _folder()
        try:
            raw = _contents(_name(key), LARGEST_ENTRY, folder)
        finally:
            os.close(folder)
        head, body = raw[: len(_MARK) + 4], memoryview(raw)[len(_MARK) + 4 :]
        if head != _head(body):
            return None
        made_by, made_for, sources, value = marshal.loads(body)
        if (made_by, made_for) != (_fingerprint(), key) or any(_changed(*source) for source in sources):
            return None
    except _WRONG:
        return None
    return value


def keep(file: str, settings: Mapping[str, str], sources: Mapping[str, bytes | None], value: Any) -> None:
    """Keep a plain value (what marshal takes) for a file and settings. It was found out from ``sources``: what files held when they
    were read, by their paths; None for a path that leads to another of them."""
    with suppress(*_WRONG):
        key = _key(file, settings)
        here = os.getcwd()
        read = [(os.path.join(here, path), os.path.realpath(path), held) for path, held in sources.items()]
        entry: Any = (_fingerprint(), key, read, value)
        body = marshal.dumps(entry, _VERSION)
        if len(body) > LARGEST_ENTRY:
            return
        folder = _folder(make=True)
        try:
            _write(folder, _name(key), _head(body) + body)
            _drop_oldest(folder)
        finally:
            os.close(folder)


def _key(file: str, settings: Mapping[str, str]) -> tuple[str, tuple[tuple[str, str], ...]]:
    return os.path.join(os.getcwd(), file), tuple(sorted(settings.items()))


def _name(key: object) -> str:
    return f"{zlib.crc32(repr(key).encode()):08x}"  # two of the same name push each other out


def _head(body: bytes | memoryview) -> bytes:
    # a file that was cut short must not reach marshal, which believes what it reads
    return _MARK + zlib.crc32(body).to_bytes(4, "big")


def _fingerprint() -> tuple[object, ...]:
    """Of all code that has a part in what is kept: netlab's, its libraries', and the interpreter."""
    stamps = sorted(_stamps(os.path.dirname(__file__)))
    for name in _LIBRARIES:
        library = find_spec(name)
        if library is not None and library.origin is not None:
            stamps.append(_stamp(library.origin, os.stat(library.origin)))
    return netlab.__version__, sys.version, len(stamps), max(stamp[1] for stamp in stamps), zlib.crc32(repr(stamps).encode())


def _stamps(folder: str) -> Iterator[tuple[str, int, int]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith(".py"):
                yield _stamp(entry.path, entry.stat())
            elif entry.is_dir(follow_symlinks=False) and entry.name != "__pycache__":
                yield from _stamps(entry.path)


def _stamp(path: str, found: os.stat_result) -> tuple[str, int, int]:
    return path, found.st_mtime_ns, found.st_size


def _changed(path: str, leads_to: str, held: bytes | None) -> bool:
    """Whether a path leads elsewhere by now, or to something else."""
    return os.path.realpath(path) != leads_to or (held is not None and _contents(path, len(held)) != held)


def _folder(*, make: bool = False) -> int:
    """The folder of all entries, as a descriptor. Raises OSError unless it is this user's, and nobody else's to look into."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(base):  # is to be ignored, says the specification
        base = os.path.join(os.environ["HOME"], ".cache")
    if not os.path.isabs(base):
        raise FileNotFoundError(base)
    path = os.path.join(base, *_FOLDERS)
    for each in (base, os.path.dirname(path), path) if make else ():
        # not below what is another user's: by sudo, root may have his HOME
        if not os.path.isdir(each) and os.stat(os.path.dirname(each)).st_uid == os.geteuid():
            with suppress(FileExistsError):
                os.mkdir(each, 0o700)
    opened = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    found = os.fstat(opened)
    if found.st_uid != os.geteuid() or found.st_mode & 0o077:
        os.close(opened)
        raise PermissionError(path)
    return opened


def _contents(path: str, most: int, folder: int | None = None) -> bytes:
    """What a regular file holds. Raises OSError for any other and for one that holds more than ``most``."""
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    with open(fd, "rb") as file:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode) or found.st_size > most:
            raise OSError(f"{path} is no regular file of this size")
        return file.read()


def _write(folder: int, name: str, data: bytes) -> None:
    """Write a file that is there as a whole, or not at all."""
    new = f"{name}.{os.urandom(8).hex()}"
    fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=folder)
    try:
        with open(fd, "wb") as file:
            file.write(data)
        os.rename(new, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        os.unlink(new, dir_fd=folder)
        raise


def _drop_oldest(folder: int) -> None:
    names: Sequence[str] = os.listdir(folder)
    if len(names) > MOST_ENTRIES:
        ages = sorted((os.stat(name, dir_fd=folder, follow_symlinks=False).st_mtime_ns, name) for name in names)
        for _, name in ages[: len(names) - MOST_ENTRIES]:
            os.unlink(name, dir_fd=folder)
