"""Names in the file system and in the abstract name space: what is known to stand under one, in which world. It judges no call.

A process of a scenario works in a directory of its own that is empty at first, so that whatever has a relative path there was made
by a call of the scenario. Of absolute paths only those are known that every system has; of any other, nothing is.
"""

import posixpath
from collections.abc import Mapping

from netlab.model.sockets.objects import Address, Type
from netlab.model.sockets.world import Process, World

Key = tuple[str, str, str]
"""What World.paths is keyed by: host, "path" or "abstract", name."""
ANY_NAME: Key = ("", "", "")
"""Stands in World.doubtful for whatever name there is."""
_TYPES: tuple[Type, ...] = ("stream", "dgram", "seqpacket")

LONGEST_COMPONENT = 255
"""NAME_MAX: bytes in one component of a path (POSIX.1-2024 <limits.h>; limits.h of Linux)."""
LONGEST_PATH = 4096
"""PATH_MAX, the zero that ends it counted (likewise)."""

_DIRECTORIES = frozenset({"/", "/dev", "/tmp", "/etc", "/proc", "/usr", "/var"})
"""Filesystem Hierarchy Standard 3.0; POSIX.1-2024 XBD 10.1 has /, /dev and /tmp."""
_TOP = frozenset({"bin", "boot", "dev", "etc", "home", "lib", "lib64", "media", "mnt", "opt", "proc", "root", "run", "sbin", "srv",
                  "sys", "tmp", "usr", "var"})  # fmt: skip
DEVICES: Mapping[str, str] = {"/dev/null": "null", "/dev/zero": "zero", "/dev/full": "full"}
"""Character devices that every Linux has (null(4), full(4)), and which they are."""


def name_key(host: str, address: Address, kind: Type) -> Key:
    """What stands for a UNIX address in World.paths. Sockets of different types can have one abstract name (af_unix.c hashes the
    type with it), but not one path."""
    if address.kind == "abstract":
        return host, "abstract", f"{kind} {address.host}"
    return path_key(host, address.host)


def keys_of(host: str, address: Address) -> tuple[Key, ...]:
    """All keys that a UNIX address may stand under, whatever the type of the socket is."""
    return tuple(dict.fromkeys(name_key(host, address, kind) for kind in _TYPES))


def path_key(host: str, path: str) -> Key:
    """What stands for a path in World.paths."""
    return host, "path", posixpath.normpath(path)


def exists(world: World, key: Key) -> bool | None:
    """Whether something stands under a name; None where nobody knows: an absolute path that no call has made, any name that an
    unknown call may have made or taken away."""
    name = key[2]
    if key in world.paths or (key[1] == "path" and (name == "." or name in _DIRECTORIES or name in DEVICES)):
        return True
    if key in world.doubtful or ANY_NAME in world.doubtful:
        return None
    if key[1] == "abstract" or not name.startswith(("/", "..")):
        return False
    return False if _made_up(world, name) else None


def _made_up(world: World, name: str) -> bool:
    """Whether a path lies where no system has anything: only a prediction takes that for granted, as a run may be anywhere."""
    return world.certain and name.startswith("/") and name.split("/")[1] not in _TOP


def is_directory(world: World, key: Key) -> bool | None:
    """Whether what stands there is a directory; scenarios make none."""
    name = key[2]
    if name in _DIRECTORIES or name == ".":
        return True
    known = key in world.paths or name in DEVICES or not name.startswith(("/", "..")) or _made_up(world, name)
    return False if known else None


def way_error(world: World, host: str, path: str) -> str | None:
    """The errno with which the way to a path ends before its last component; "" if the way is there, None where nobody knows
    (POSIX.1-2024 XBD 4.16 Pathname Resolution)."""
    if not path:
        return "ENOENT"
    if len(path) >= LONGEST_PATH or any(len(part) > LONGEST_COMPONENT for part in path.split("/")):
        return "ENAMETOOLONG"
    parent = posixpath.dirname(path.rstrip("/"))
    if not parent or posixpath.normpath(parent) == ".":
        return ""
    key = path_key(host, parent)
    directory = is_directory(world, key)
    if directory is None:
        return None
    if directory:
        return ""
    there = exists(world, key)
    if there:
        return "ENOTDIR"
    before = way_error(world, host, parent)
    if before is None or before == "ENOTDIR":
        return before
    return None if there is None else "ENOENT"


def permitted(world: World, process: Process, key: Key, wanted: int) -> bool | None:
    """Whether a process may do something with a file: ``wanted`` as access(2) has it, 4 read, 2 write, 1 execute.

    None where the file's mode is not known (a umask that nobody has told, an absolute path).
    """
    if process.uid == 0:
        return None if wanted & 1 else True
    mode, owner = world.modes.get(key, (None, None))
    if mode is None:
        if key[2] in DEVICES:
            return not wanted & 1
        return None
    # seteuid() leaves the group, which is that of the files: the bits of others are never asked (path_resolution(7)).
    bits = mode >> 6 if owner == process.uid else mode >> 3
    return bits & wanted == wanted
