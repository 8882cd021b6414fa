"""read(), write(), lseek(), fstat() and their like on what is no socket: devices, directories, pipes.

What is in regular files, and where in them a description is, is not modelled.
"""

from collections.abc import Iterable

from netlab.model.sockets.calls.paths import PATH_RULES
from netlab.model.sockets.calls.pipes import ENDS as PIPE_ENDS
from netlab.model.sockets.calls.pipes import RULES as PIPE_RULES
from netlab.model.sockets.calls.pipes import is_bad, size_of
from netlab.model.sockets.names import DEVICES
from netlab.model.sockets.objects import File, Socket
from netlab.model.sockets.outcomes import Exactly, Message, Out, Outcome
from netlab.model.sockets.rules import EVERY, NOTHING, SOCKETS, Rule, always, fails, gives, no_effect, unmodelled
from netlab.model.sockets.situation import Situation
from netlab.notation.constants import constant
from netlab.notation.printing import print_data

ENDS = PIPE_ENDS

_ACCESS = constant("O_ACCMODE")
_MOST_WHENCE = 4  # SEEK_HOLE, include/uapi/linux/fs.h
_NO_FILE = tuple(kind for kind in EVERY if kind != "file")
_ALL = (*EVERY, NOTHING)


def _file(s: Situation) -> File:
    assert isinstance(s.object, File)
    return s.object


def _what(s: Situation) -> str:
    return _file(s).what or DEVICES.get(_file(s).path, "")


def _mode(s: Situation) -> int:
    assert s.description is not None
    return s.description.flags & _ACCESS


def _write_only(s: Situation) -> bool:
    return _mode(s) in (1, 3)


def _read_only(s: Situation) -> bool:
    return _mode(s) in (0, 3)


def _unknown_file(s: Situation) -> bool:
    return _what(s) not in ("null", "zero", "full", "directory")


def _is_directory(s: Situation) -> bool:
    return _what(s) == "directory"


def _zeros(s: Situation) -> bool:
    return _what(s) != "null"


def _zeros_unwritable(s: Situation) -> bool:
    return _zeros(s) and is_bad(s) and size_of(s) > 0


def _read_zeros(s: Situation) -> Iterable[Outcome]:
    yield Outcome(kind="returns", value=size_of(s), out=Exactly(print_data(bytes(size_of(s)))), world=s.world)


def _read_nothing(s: Situation) -> Iterable[Outcome]:
    yield Outcome(kind="returns", value=0, out=None if is_bad(s) else Exactly('""'), world=s.world)


def _no_space(s: Situation) -> bool:
    return _what(s) == "full"


def _swallowed(s: Situation) -> Iterable[Outcome]:
    return no_effect(s, size_of(s))


def _negative(s: Situation) -> bool:
    return s.number("offset") < 0


def _no_whence(s: Situation) -> bool:
    return not 0 <= s.number("whence") <= _MOST_WHENCE


def _pread_only_for(s: Situation) -> bool:
    return s.kind != "file"


_FILE_TYPES = {"pipe": "fifo", "null": "character device", "zero": "character device", "full": "character device",
               "directory": "directory", "regular": "regular file"}  # fmt: skip


def _bad_status(s: Situation) -> bool:
    return is_bad(s, "status")


def _status(s: Situation) -> Iterable[Outcome]:
    kind = "socket" if isinstance(s.object, Socket) else _FILE_TYPES.get(_what(s) if s.kind == "file" else s.kind, "")
    parts: dict[str, Out] = {"type": Exactly(kind)} if kind else {}
    yield Outcome(kind="returns", out=Message(parts), world=s.world)


RULES: tuple[Rule, ...] = (
    *PIPE_RULES,
    *PATH_RULES,
    *(fails(f"{call}.negative", "EINVAL", _negative, "the offset is below 0", f"POSIX.1-2024 {call}() EINVAL", kinds=_ALL,
            note="also where the descriptor is not open") for call in ("pread", "pwrite")),
    *(fails(f"{call}.closed", "EBADF", always, "the descriptor is not open", f"POSIX.1-2024 {call}() EBADF",
            kinds=(NOTHING,)) for call in ("pread", "pwrite")),
    *(fails(f"{call}.no-position", "ESPIPE", _pread_only_for, "there is no position in it", f"POSIX.1-2024 {call}() ESPIPE",
            kinds=_NO_FILE) for call in ("pread", "pwrite")),
    fails("lseek.whence", "EINVAL", _no_whence, "there is no such whence", "POSIX.1-2024 lseek() EINVAL"),
    fails("lseek.no-position", "ESPIPE", always, "there is no position in it", "POSIX.1-2024 lseek() ESPIPE",
          kinds=(*SOCKETS, "pipe")),
    gives("lseek.epoll", no_effect, "an epoll set has position 0 only", "noop_llseek() in fs/read_write.c", kinds=("epoll",)),
    *(fails(f"{call}.epoll", "EINVAL", always, "an epoll set has nothing to read or write", f"{call}(2) EINVAL",
            kinds=("epoll",)) for call in ("read", "write")),
    *(fails(f"{call}.write-only", "EBADF", _write_only, "it is not open for reading", f"POSIX.1-2024 {call}() EBADF",
            kinds=("file",)) for call in ("read", "pread")),
    *(fails(f"{call}.read-only", "EBADF", _read_only, "it is not open for writing", f"POSIX.1-2024 {call}() EBADF",
            kinds=("file",)) for call in ("write", "pwrite")),
    *(unmodelled(f"{call}.regular", _unknown_file, "what is in regular files is not modelled", kinds=("file",))
      for call in ("read", "pread", "write", "pwrite", "lseek")),
    *(fails(f"{call}.directory", "EISDIR", _is_directory, "a directory is not read so", f"POSIX.1-2024 {call}() EISDIR",
            kinds=("file",)) for call in ("read", "pread")),
    *(rule for call in ("read", "pread") for rule in (
        fails(f"{call}.zeros-unwritable", "EFAULT", _zeros_unwritable, "the buffer cannot be written", "read(2) EFAULT",
              kinds=("file",)),
        gives(f"{call}.zeros", _read_zeros, "zeros, as many as asked for", "full(4)", when=_zeros, kinds=("file",)),
        gives(f"{call}.null", _read_nothing, "the end of the file, at once", "null(4)", kinds=("file",)),
    )),
    *(rule for call in ("write", "pwrite") for rule in (
        fails(f"{call}.no-space", "ENOSPC", _no_space, "the device is always full", "full(4)", kinds=("file",)),
        gives(f"{call}.swallowed", _swallowed, "everything is taken, and lost", "null(4)", kinds=("file",)),
    )),
    unmodelled("lseek.directory", _is_directory, "how far a directory goes is not modelled", kinds=("file",)),
    gives("lseek.device", no_effect, "the position is always 0", "null_lseek() in drivers/char/mem.c", kinds=("file",)),
    fails("fstat.pointer", "EFAULT", _bad_status, "the buffer cannot be written", "fstat(2) EFAULT"),
    gives("fstat.told", _status, "what kind of file it is", "POSIX.1-2024 fstat()"),
)  # fmt: skip
