"""The guest's modprobe(8), since a machine without modules of its own may have none: ``modprobe.py [-q] [--] NAME...``.

The guest's kernel calls it too, by its aliases ("rtnl-link-veth"), when it is asked for something that is a module.
"""

import ctypes
import errno
import os
import platform
import sys
from fnmatch import fnmatchcase
from pathlib import Path

FINIT_MODULE = 313  # on x86-64, the only machine of user-mode Linux


def main() -> int:
    folder = Path("/usr/lib/uml/modules", platform.release())
    wanted = [word.replace("-", "_") for word in sys.argv[1:] if not word.startswith("-")]
    needed: dict[str, list[str]] = {}
    for line in (folder / "modules.dep").read_text().splitlines():
        path, _, others = line.partition(":")
        needed[Path(path).stem.replace("-", "_")] = [path, *others.split()]
    for line in (folder / "modules.alias").read_text().splitlines():
        words = line.split()
        if words[0] == "alias":
            wanted += [words[2]] * any(fnmatchcase(name, words[1].replace("-", "_")) for name in wanted)
    found = [name for name in wanted if name in needed]
    for name in found:
        for path in reversed(needed[name]):
            load(folder / path)
    return 0 if found else 1


def load(module: Path) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    with module.open("rb") as file:
        failed = libc.syscall(ctypes.c_long(FINIT_MODULE), ctypes.c_int(file.fileno()), b"", ctypes.c_int(0))
    if failed and ctypes.get_errno() != errno.EEXIST:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(module))


if __name__ == "__main__":
    sys.exit(main())
