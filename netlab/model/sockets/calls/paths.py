"""open(), unlink(), chmod(), access(), umask(): what stands under a path, who may do what with it, and what opening it gives.

What is in files it does not know; nor anything of paths that no call of the scenario has made, but for those that every system has.
"""

import posixpath
from collections.abc import Iterable

import msgspec

from netlab.model.sockets.arguments import Data
from netlab.model.sockets.calls.descriptors import table_full
from netlab.model.sockets.calls.pipes import is_bad
from netlab.model.sockets.names import DEVICES, Key, exists, is_directory, path_key, permitted, way_error
from netlab.model.sockets.objects import File
from netlab.model.sockets.outcomes import Between, NewDescriptor, Outcome
from netlab.model.sockets.rules import NOTHING, Guard, Rule, fails, gives, no_effect, unmodelled
from netlab.model.sockets.situation import Situation
from netlab.model.sockets.world import World
from netlab.notation.constants import constant

_CREAT, _EXCL, _DIRECTORY = constant("O_CREAT"), constant("O_EXCL"), constant("O_DIRECTORY")
_ACCESS = constant("O_ACCMODE")
_WRITES = constant("O_WRONLY") | constant("O_RDWR") | constant("O_TRUNC")
_KEPT = _ACCESS | constant("O_APPEND") | constant("O_NONBLOCK") | constant("O_ASYNC")
_PATH, _TMPFILE = constant("O_PATH"), 0o20000000
_NEW = 0o600
_ON_NAMES = ("open", "unlink", "chmod", "access", "mkfile")


def _path(s: Situation) -> str:
    value = s.args.get("path")
    content = value.content if isinstance(value, Data) and value.content is not None else b""
    return content.split(b"\0")[0].decode(errors="backslashreplace")


def _key(s: Situation) -> Key:
    return path_key(s.process.host, _path(s))


def _flags(s: Situation) -> int:
    return s.number("flags") if s.call.name == "open" else _CREAT | constant("O_WRONLY")


def _creates(s: Situation) -> bool:
    return s.call.name in ("open", "mkfile") and bool(_flags(s) & _CREAT)


def _bad_path(s: Situation) -> bool:
    return is_bad(s, "path")


def _unknown_path(s: Situation) -> bool:
    return not isinstance(s.args.get("path"), Data)


def _nobody_knows(s: Situation) -> bool:
    way = way_error(s.world, s.process.host, _path(s))
    return way is None or (not way and exists(s.world, _key(s)) is None)


def _way_ends(errno: str) -> Guard:
    """Whether the way to the path ends with this errno."""

    def when(s: Situation) -> bool:
        return way_error(s.world, s.process.host, _path(s)) == errno

    return when


def _exists(s: Situation) -> bool:
    return bool(exists(s.world, _key(s)))


def _missing(s: Situation) -> bool:
    return not _exists(s) and not _creates(s)


def _create_directory(s: Situation) -> bool:
    return bool(_flags(s) & _CREAT and _flags(s) & _DIRECTORY)


def _other_ways(s: Situation) -> bool:
    return bool(_flags(s) & (_PATH | _TMPFILE))


def _full(s: Situation) -> bool | None:
    return table_full(s)


def _exclusive(s: Situation) -> bool:
    return _exists(s) and bool(_flags(s) & _EXCL) and _creates(s)


def _slash(s: Situation) -> bool:
    return _path(s).endswith("/")


def _creates_with_slash(s: Situation) -> bool:
    """A slash after a name, and not after "." or ".." (open_last_lookups() leaves these to handle_dots())."""
    return _creates(s) and _slash(s) and posixpath.basename(_path(s).rstrip("/")) not in ("", ".", "..")


def _directory(s: Situation) -> bool:
    return bool(is_directory(s.world, _key(s)))


def _no_directory(s: Situation) -> bool:
    return _exists(s) and not _directory(s) and (_slash(s) or (s.call.name == "open" and bool(_flags(s) & _DIRECTORY)))


def _directory_to_write(s: Situation) -> bool:
    return _directory(s) and bool(_flags(s) & (_WRITES | _CREAT))


def _is_socket(s: Situation) -> bool:
    return s.world.paths.get(_key(s), 0) != 0


def _wanted(s: Situation) -> int:
    return {0: 4, 1: 2, 2: 6, 3: 6}[_flags(s) & _ACCESS]


def _forbidden(s: Situation) -> bool | None:
    if not _exists(s) or _directory(s):
        return False
    allowed = permitted(s.world, s.process, _key(s), _wanted(s))
    return None if allowed is None else not allowed


def _touched(s: Situation) -> World:
    """The world in which the path has something under it."""
    key, world = _key(s), s.world
    if exists(world, key):
        return world
    world = world.copy()
    umask, mode = s.process.umask, s.number("mode", _NEW) if s.call.name == "open" else 0o644
    world.paths = {**world.paths, key: 0}
    world.modes = {**world.modes, key: (None if umask is None else mode & ~umask, s.process.uid)}
    return world


def _opened(s: Situation) -> Iterable[Outcome]:
    name = _key(s)[2]
    what = DEVICES.get(name) or ("directory" if _directory(s) else "regular")
    flags = _flags(s) & _KEPT
    world, _ = _touched(s).opened(
        s.process_name, File(path=name, what=what), flags=flags, cloexec=bool(_flags(s) & constant("O_CLOEXEC"))
    )
    yield Outcome(kind="returns", value=NewDescriptor(s.descriptor_free), world=world)


def _created(s: Situation) -> Iterable[Outcome]:
    yield Outcome(kind="returns", world=_touched(s))


def _unlinked(s: Situation) -> Iterable[Outcome]:
    world, key = s.world.copy(), _key(s)
    world.paths = {name: one for name, one in world.paths.items() if name != key}
    world.modes = {name: one for name, one in world.modes.items() if name != key}
    for number, one in s.world.objects.items():
        if isinstance(one, File) and one.path == key[2]:  # a new file of this name is another one
            world.objects[number] = msgspec.structs.replace(one, path=f"{one.path} (gone {world.fresh()})")
    yield Outcome(kind="returns", world=world)


def _device(s: Situation) -> bool:
    return _key(s)[2] in DEVICES


def _not_owner(s: Situation) -> bool | None:
    if s.process.uid == 0:
        return False
    owner = s.world.modes.get(_key(s), (None, None))[1]
    return None if owner is None else owner != s.process.uid


def _mode_set(s: Situation) -> Iterable[Outcome]:
    world, key = s.world.copy(), _key(s)
    owner = world.modes.get(key, (None, s.process.uid))[1]
    world.modes = {**world.modes, key: (s.number("mode") & 0o7777, owner)}
    yield Outcome(kind="returns", world=world)


def _no_mode(s: Situation) -> bool:
    return bool(s.number("mode") & ~7)


def _not_executable(s: Situation) -> bool | None:
    # access() asks for the real user, whom seteuid() leaves as root.
    if not s.number("mode") & 1 or _directory(s):
        return False
    mode = s.world.modes.get(_key(s), (None, 0))[0]
    return None if mode is None else not mode & 0o111


def _umask_told(s: Situation) -> Iterable[Outcome]:
    known = s.process.umask
    process = msgspec.structs.replace(s.process, umask=s.number("mask") & 0o777)
    value = Between(0, 0o777) if known is None else known
    yield Outcome(kind="returns", value=value, world=s.world.with_process(s.process_name, process))


def _on_names() -> Iterable[Rule]:
    """What every call looks at that is given a path."""
    none = (NOTHING,)
    for call in _ON_NAMES:
        posix = f"POSIX.1-2024 {'open' if call == 'mkfile' else call}()"
        if call == "open":
            yield fails("open.creates-directory", "EINVAL", _create_directory, "open() creates no directories",
                        "open(2) EINVAL, since Linux 6.4", kinds=none)  # fmt: skip
        if call == "access":
            yield fails("access.mode", "EINVAL", _no_mode, "the mode has bits that are none", "access(2) EINVAL", kinds=none)
        if call != "mkfile":  # no call of C's: it takes no pointer
            yield fails(f"{call}.pointer", "EFAULT", _bad_path, "the path cannot be read", f"{call}(2) EFAULT", kinds=none)
        yield unmodelled(f"{call}.path", _unknown_path, "what path is meant is not known", kinds=none)
        if call in ("open", "mkfile"):
            yield fails(f"{call}.table-full", "EMFILE", _full, "no descriptor is free within RLIMIT_NOFILE", f"{posix} EMFILE",
                        kinds=none)  # fmt: skip
        yield unmodelled(f"{call}.elsewhere", _nobody_knows, "what lies outside of the process's own directory", kinds=none)
        for name, errno, says in (
            ("long", "ENAMETOOLONG", "a component or the whole path is too long"),
            ("no-way", "ENOENT", "the path's directory is not there"),
            ("way-file", "ENOTDIR", "a file stands where the path has a directory"),
        ):
            yield fails(f"{call}.{name}", errno, _way_ends(errno), says, f"{posix} {errno}", kinds=none)
        if call != "mkfile":
            yield fails(f"{call}.missing", "ENOENT", _missing, "nothing has this path", f"{posix} ENOENT", kinds=none)


PATH_RULES: tuple[Rule, ...] = (
    *_on_names(),
    unmodelled("open.other-ways", _other_ways, "O_PATH and O_TMPFILE are not modelled", kinds=(NOTHING,)),
    *(fails(f"{call}.creates-with-slash", "EISDIR", _creates_with_slash, "no file is made by a path that ends in a slash",
            "open(2) EISDIR; open_last_lookups() in fs/namei.c", kinds=(NOTHING,), note="whatever is there")
      for call in ("open", "mkfile")),
    fails("open.exclusive", "EEXIST", _exclusive, "the path is there already", "POSIX.1-2024 open() EEXIST", kinds=(NOTHING,)),
    *(fails(f"{call}.no-directory", "ENOTDIR", _no_directory, "what is there is no directory", f"POSIX.1-2024 {call}() ENOTDIR",
            kinds=(NOTHING,)) for call in ("open", "unlink", "chmod", "access")),
    *(fails(f"{call}.directory", "EISDIR", _directory_to_write, "a directory cannot be opened for writing",
            "POSIX.1-2024 open() EISDIR", kinds=(NOTHING,)) for call in ("open", "mkfile")),
    *(fails(f"{call}.forbidden", "EACCES", _forbidden, "the file's mode does not allow it", "POSIX.1-2024 open() EACCES",
            kinds=(NOTHING,)) for call in ("open", "mkfile")),
    *(fails(f"{call}.socket", "ENXIO", _is_socket, "a socket's path is for connect() and sendto(), not for open()",
            "open(2) ENXIO; POSIX.1-2024 open() EOPNOTSUPP", kinds=(NOTHING,), note="POSIX has EOPNOTSUPP here",
            profiles=("linux",)) for call in ("open", "mkfile")),
    fails("open.socket-posix", "EOPNOTSUPP", _is_socket, "a socket cannot be opened", "POSIX.1-2024 open() EOPNOTSUPP",
          kinds=(NOTHING,), profiles=("posix",)),
    gives("open.opened", _opened, "the lowest free number", "POSIX.1-2024 open()", kinds=(NOTHING,)),
    gives("mkfile.created", _created, "an empty file, or one that was there", "POSIX.1-2024 open() O_CREAT", kinds=(NOTHING,)),
    fails("unlink.directory", "EISDIR", _directory, "what is there is a directory", "unlink(2) EISDIR", kinds=(NOTHING,),
          profiles=("linux",), note="POSIX has EPERM"),
    fails("unlink.directory-posix", "EPERM", _directory, "what is there is a directory", "POSIX.1-2024 unlink() EPERM",
          kinds=(NOTHING,), profiles=("posix",)),
    unmodelled("unlink.device", _device, "nobody should", kinds=(NOTHING,)),
    fails("unlink.not-owner", "EPERM", _not_owner, "the directory is sticky, and the file another user's",
          "POSIX.1-2024 unlink() EPERM", kinds=(NOTHING,), may=True),
    gives("unlink.gone", _unlinked, "nothing has this path any more; a socket stays bound", "POSIX.1-2024 unlink(); unix(7)",
          kinds=(NOTHING,)),
    fails("chmod.not-owner", "EPERM", _not_owner, "the file is another user's", "POSIX.1-2024 chmod() EPERM", kinds=(NOTHING,)),
    gives("chmod.set", _mode_set, "the file has this mode", "POSIX.1-2024 chmod()", kinds=(NOTHING,)),
    fails("access.not-executable", "EACCES", _not_executable, "nobody may execute it, root included",
          "POSIX.1-2024 access() EACCES",
          kinds=(NOTHING,)),
    gives("access.granted", no_effect, "the real user may do this with it", "POSIX.1-2024 access()", kinds=(NOTHING,)),
    gives("umask.told", _umask_told, "the mask before", "POSIX.1-2024 umask()", kinds=(NOTHING,)),
)  # fmt: skip
