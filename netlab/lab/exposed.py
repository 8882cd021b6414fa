"""Names for a lab's network namespaces under /run/netns, so that ``ip netns exec LAB.HOST`` works; and their removal.

It needs root, and it does not know whether a lab still lives.
"""

import ctypes
import errno
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from netlab.errors import HostError, NetlabError
from netlab.lab import records
from netlab.lab.records import Exposed

NAMES = Path("/run/netns")
_MS_BIND, _MS_REC, _MS_SHARED, _MNT_DETACH = 4096, 16384, 1 << 20, 2
_MOUNTED, _UNFINISHED = "mounted", "unfinished"
_libc = ctypes.CDLL(None, use_errno=True)


class NameTakenError(NetlabError):
    """A name under /run/netns is somebody else's."""


def expose(lab: str, id: str, namespaces: Mapping[str, Callable[[], int]]) -> None:  # noqa: A002
    """Name the hosts' network namespaces LAB.HOST, all or none. What is given for a host opens its namespace: a large lab has more
    of them than descriptors may be open at once.

    Raises NameTakenError where such a name is there already, HostError where this machine or user may not do it.
    """
    names = {f"{lab}.{host}": opened for host, opened in namespaces.items()}
    try:
        _folder()
        for name in names:
            if (NAMES / name).exists():
                raise NameTakenError(f"{NAMES / name} is there already, and not netlab's: rename the lab, or: ip netns del {name}")
        record = Exposed(lab=lab, id=id, namespaces={name: _identity(opened) for name, opened in names.items()})
        records.write(record)
        try:
            for name, opened in names.items():
                os.close(os.open(NAMES / name, os.O_RDONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0))
                with _open(opened) as fd:
                    _mount(f"/proc/self/fd/{fd}", NAMES / name, _MS_BIND)
        except BaseException:
            conceal(record)
            raise
    except OSError as error:
        raise HostError(
            f"cannot name network namespaces under {NAMES}: {error.strerror} ({error.filename})",
            "run as root, outside of user namespaces and containers that forbid mounts; or leave out --expose",
        ) from error


def left(record: Exposed) -> list[str]:
    """The names of a record that are there, and not another namespace's by now."""
    return [name for name, identity in record.namespaces.items() if _state(NAMES / name, identity)]


def conceal(record: Exposed) -> list[str]:
    """Remove those names, and the record; gives the names."""
    removed = left(record)
    for name in removed:
        path = NAMES / name
        if _state(path, record.namespaces[name]) == _MOUNTED:
            _check(_libc.umount2(os.fsencode(path), _MNT_DETACH), path)
        # Unlinking it takes the mount out of every other mount namespace that has a copy, too.
        path.unlink()
    records.remove(record)
    return removed


def _state(path: Path, identity: tuple[int, int]) -> str:
    """Whether a name is a namespace's: _MOUNTED, _UNFINISHED where it died before it could be, or "" if it is not ours."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return ""
    if (found.st_dev, found.st_ino) == identity:
        return _MOUNTED
    empty = stat.S_ISREG(found.st_mode) and not found.st_size and not stat.S_IMODE(found.st_mode)
    return _UNFINISHED if empty and found.st_dev == path.parent.stat().st_dev else ""


@contextmanager
def _open(opened: Callable[[], int]) -> Iterator[int]:
    fd = opened()
    try:
        yield fd
    finally:
        os.close(fd)


def _identity(opened: Callable[[], int]) -> tuple[int, int]:
    with _open(opened) as fd:
        found = os.fstat(fd)
    return found.st_dev, found.st_ino


def _folder() -> None:
    """Prepare the folder as ip-netns(8) does: else its own first use would cover what is mounted there, for good."""
    NAMES.mkdir(mode=0o755, parents=True, exist_ok=True)
    try:
        _mount("none", NAMES, _MS_SHARED | _MS_REC)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        _mount(str(NAMES), NAMES, _MS_BIND | _MS_REC)
        _mount("none", NAMES, _MS_SHARED | _MS_REC)


def _mount(source: str, target: Path, flags: int) -> None:
    _check(_libc.mount(source.encode(), os.fsencode(target), b"none", flags, None), target)


def _check(result: int, path: Path) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(path))
