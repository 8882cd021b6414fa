"""Rooms: the network, UTS and mount namespaces that a node's programs are in, with the node's name, its /sys, and its own files.

The calling process goes in and out of them, so it must have one thread. It does not know what the programs are, and imports the
standard library only, since a bare interpreter runs it (lab/pid1.py).
"""

from __future__ import annotations

import errno
import os
import socket

from netlab.lab.syscalls import (
    CLONE_NEWNET,
    CLONE_NEWNS,
    CLONE_NEWUTS,
    MNT_DETACH,
    MS_BIND,
    MS_NODEV,
    MS_NOEXEC,
    MS_NOSUID,
    mount,
    setns,
    unmount,
    unshare,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

STAGES = ("/mnt", "/media", "/srv", "/opt", "/boot")
"""Where a node's files lie for a moment, while there is still a path to them: a directory that is to have none of them."""

_KINDS = (("net", CLONE_NEWNET), ("uts", CLONE_NEWUTS), ("mnt", CLONE_NEWNS))


class Room:
    """The namespaces that the calling process is in, as descriptors."""

    def __init__(self) -> None:
        opened: list[int] = []
        try:
            for name, _ in _KINDS:
                opened.append(os.open(f"/proc/self/ns/{name}", os.O_RDONLY | os.O_CLOEXEC))
        except BaseException:
            for fd in opened:
                os.close(fd)
            raise
        self.net, self.uts, self.mnt = opened

    def enter(self) -> None:
        """Move the calling process into them."""
        for fd, (_, kind) in zip((self.net, self.uts, self.mnt), _KINDS, strict=True):
            setns(fd, kind)


def furnished(
    home: Room, network: int, hostname: str, files: Sequence[tuple[str, str, int]], *, rootless: bool
) -> tuple[Room, list[str]]:
    """A new room in a network namespace, with ``files`` (path, text, mode), and what it could not have, in words.

    The caller is in ``home`` before and after.
    """
    setns(network, CLONE_NEWNET)
    notes: list[str] = []
    try:
        unshare(CLONE_NEWUTS | CLONE_NEWNS, "unshare")
        socket.sethostname(hostname)
        _put(files, rootless=rootless)
        try:
            mount("sysfs", "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC)
        except OSError as error:
            notes.append(f"/sys shows the host's interfaces: {error}")
        return Room(), notes
    finally:
        home.enter()


def _put(files: Sequence[tuple[str, str, int]], *, rootless: bool) -> None:
    """Put files over those of this mount namespace, from a tmpfs that no path leads to afterwards.

    One that is not there yet appears in an overlay of the nearest directory that is.
    """
    free = [one for one in STAGES if os.path.isdir(one) and not any(path.startswith(f"{one}/") for path, _, _ in files)]
    if not free:
        raise OSError(errno.ENOENT, f"none of {', '.join(STAGES)} is there and free to stage files in", "/")
    stage = free[0]
    mount("tmpfs", stage, "tmpfs", MS_NOSUID | MS_NODEV)
    nearest = {path: _nearest(path) for path, _, _ in files if not os.path.exists(path)}
    for path, folder in nearest.items():
        if folder == "/":
            raise OSError(errno.EROFS, "a new file can only be below a directory that is there", path)
    _overlay(sorted(set(nearest.values())), stage, rootless=rootless)
    for number, (path, text, mode) in enumerate(files):
        new = path in nearest
        if new:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            if os.path.islink(path):
                os.unlink(path)
        place = path if new else f"{stage}/file{number}"
        with open(place, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text)
        os.chmod(place, mode)
        if not new:
            mount(place, path, "none", MS_BIND)
    unmount(stage, MNT_DETACH)


def _nearest(path: str) -> str:
    """The directory nearest to a path, on the way to it, that is there."""
    folder = os.path.dirname(path)
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    return folder


def _overlay(folders: Sequence[str], stage: str, *, rootless: bool) -> None:
    """Make the contents of directories this mount namespace's own (overlayfs).

    Each is opened before another's overlay covers it: an overlay of an overlay would let a rootless lab create nothing.
    """
    opened: dict[str, int] = {}
    try:
        for folder in folders:
            opened[folder] = os.open(folder, os.O_PATH | os.O_CLOEXEC)
        for number, (folder, fd) in enumerate(opened.items()):
            upper, work = f"{stage}/{number}upper", f"{stage}/{number}work"
            os.mkdir(upper)
            os.mkdir(work)
            os.chmod(upper, os.stat(folder).st_mode & 0o7777)
            options = f"lowerdir=/proc/self/fd/{fd},upperdir={upper},workdir={work}" + (",userxattr" if rootless else "")
            mount("overlay", folder, "overlay", MS_NOSUID | MS_NODEV, options)
    finally:
        for fd in opened.values():
            os.close(fd)
