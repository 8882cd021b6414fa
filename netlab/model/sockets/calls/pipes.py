"""pipe(), pipe2(), and read() and write() on a pipe's ends: how much it takes, what comes out, what is left when an end is gone.

A pipe holds 16 pages (pipe(7)); what is written goes into the last page where it fits whole, else into new ones (pipe_write() in
fs/pipe.c), so that how much it takes depends on the sizes in which it was filled.
"""

from collections.abc import Iterable

import msgspec

from netlab.model.sockets.arguments import Data
from netlab.model.sockets.objects import Pipe
from netlab.model.sockets.outcomes import Exactly, Outcome
from netlab.model.sockets.rules import NOTHING, Rule, fails, gives, unmodelled
from netlab.model.sockets.situation import Situation
from netlab.model.sockets.world import World
from netlab.notation.constants import constant
from netlab.notation.pattern import pattern
from netlab.notation.printing import print_data
from netlab.notation.values import BadPointer

PAGE = 4096
PAGES = 16
_O_RDONLY, _O_WRONLY = 0, 1
_POINTER_SIZE = 16
_CLOEXEC, _NONBLOCK = constant("O_CLOEXEC"), constant("O_NONBLOCK")
_OTHER_PIPES = constant("O_DIRECT") | constant("O_EXCL")
"""O_EXCL is O_NOTIFICATION_PIPE, too (include/uapi/linux/watch_queue.h)."""

Pages = tuple[tuple[int, int], ...]


def size_of(s: Situation, name: str = "buffer") -> int:
    """How many bytes the call passes as its buffer's size."""
    match s.args.get(name):
        case Data(size):
            return size
        case BadPointer(_, size):
            return _POINTER_SIZE if size is None else size
        case None:
            return _POINTER_SIZE
    return 0


def is_bad(s: Situation, name: str = "buffer") -> bool:
    """Whether the buffer is memory that is not there."""
    return isinstance(s.args.get(name), BadPointer) or s.args.get(name) == "NONE"


def content_of(s: Situation, name: str = "buffer") -> bytes:
    """The bytes of a buffer to be written."""
    value = s.args.get(name)
    if isinstance(value, Data) and value.content is not None:
        return value.content
    return pattern(size_of(s, name))


def filled(pages: Pages, size: int, *, merges: bool = True) -> tuple[Pages, int]:
    """The pages after ``size`` bytes have been written, and how many of these had no room. A call that goes on after it waited
    begins with a new page (``merges`` is false)."""
    rest = size % PAGE
    if merges and pages and rest and pages[-1][0] + rest <= PAGE:
        end, left = pages[-1]
        pages, size = (*pages[:-1], (end + rest, left + rest)), size - rest
    while size and len(pages) < PAGES:
        part = min(size, PAGE)
        pages, size = (*pages, (part, part)), size - part
    return pages, size


def emptied(pages: Pages, size: int) -> Pages:
    """The pages after ``size`` bytes have been read from them."""
    while size and pages:
        end, left = pages[0]
        part = min(left, size)
        pages, size = ((end, left - part), *pages[1:]) if part < left else pages[1:], size - part
    return pages


def _pipe(s: Situation) -> Pipe:
    assert isinstance(s.object, Pipe)
    return s.object


def _reader(s: Situation) -> Pipe:
    """The reading end, which keeps what is in the pipe."""
    pipe = _pipe(s)
    if not pipe.writes:
        return pipe
    other = s.world.objects.get(pipe.other)
    return other if isinstance(other, Pipe) else Pipe(writes=False)


def _no_two(s: Situation) -> bool | None:
    first = s.process.lowest_free()
    return s.process.beyond(s.process.lowest_free(first + 1))


def _pair_unwritable(s: Situation) -> bool:
    return is_bad(s, "pair")


def _flags(s: Situation) -> int:
    return s.number("flags") if s.call.name == "pipe2" else 0


def _unknown_flags(s: Situation) -> bool:
    return bool(_flags(s) & ~(_CLOEXEC | _NONBLOCK | _OTHER_PIPES))


def _other_pipe(s: Situation) -> bool:
    return bool(_flags(s) & _OTHER_PIPES)


def _made(s: Situation) -> Iterable[Outcome]:
    status, cloexec = _flags(s) & _NONBLOCK, bool(_flags(s) & _CLOEXEC)
    world, out = s.world.opened(s.process_name, Pipe(writes=False), flags=_O_RDONLY | status, cloexec=cloexec)
    world, into = world.opened(s.process_name, Pipe(writes=True), flags=_O_WRONLY | status, cloexec=cloexec)
    table = world.processes[s.process_name].table
    ids = [world.descriptions[table[fd].description].object for fd in (out, into)]
    world.objects[ids[0]] = Pipe(writes=False, other=ids[1], pipe=ids[0])
    world.objects[ids[1]] = Pipe(writes=True, other=ids[0], pipe=ids[0])
    yield Outcome(kind="returns", world=world, note=(out, into))


def _wrong_end_to_read(s: Situation) -> bool:
    return _pipe(s).writes


def _wrong_end_to_write(s: Situation) -> bool:
    return not _pipe(s).writes


def _nothing_asked(s: Situation) -> bool:
    return size_of(s) == 0


def _nothing(s: Situation) -> Iterable[Outcome]:
    out = Exactly('""') if s.call.name == "read" and not is_bad(s) else None
    yield Outcome(kind="returns", value=0, out=out, world=s.world)


def _something_there(s: Situation) -> bool:
    return _pipe(s).flow.queued > 0


def _unreadable(s: Situation) -> bool:
    return is_bad(s) and _something_there(s)


def _read(s: Situation) -> Iterable[Outcome]:
    pipe = _pipe(s)
    size = min(size_of(s), pipe.flow.queued)
    data = pipe.flow.data
    flow = msgspec.structs.replace(pipe.flow, read=pipe.flow.read + size, data=None if data is None else data[size:])
    new = msgspec.structs.replace(pipe, flow=flow, pages=emptied(pipe.pages, size))
    out = None if data is None else Exactly(print_data(data[:size]))
    yield Outcome(kind="returns", value=size, out=out, world=s.world.with_object(s.socket_id, new))


def _writers_gone(s: Situation) -> bool:
    return not _pipe(s).other


def _nonblocking(s: Situation) -> bool:
    return s.nonblocking


def _waits(s: Situation) -> Iterable[Outcome]:
    yield Outcome(kind="blocks", world=s.world, note=s.note)


def _readers_gone(s: Situation) -> bool:
    return not _pipe(s).other


def broken_pipe(s: Situation) -> Iterable[Outcome]:
    """EPIPE, with SIGPIPE as the process handles it; a call that waited for room gives what it had written until then."""
    handled = s.process.handled.get("SIGPIPE", "default")
    if handled == "default":
        yield Outcome(kind="ends", signal="SIGPIPE", world=s.world)
    elif _wrote_before(s):
        yield Outcome(kind="returns", value=_wrote_before(s), signal="SIGPIPE" if handled == "handle" else "", world=s.world)
    else:
        yield Outcome(kind="fails", errno="EPIPE", signal="SIGPIPE" if handled == "handle" else "", world=s.world)


def _unread_memory(s: Situation) -> bool:
    return is_bad(s) and len(_reader(s).pages) < PAGES


def _full(s: Situation) -> bool:
    return filled(_reader(s).pages, size_of(s))[1] == size_of(s)


def _full_nonblocking(s: Situation) -> bool:
    return s.nonblocking and not s.resumed and _full(s)


def _wrote_before(s: Situation) -> int:
    return s.note if isinstance(s.note, int) else 0


def _write(s: Situation) -> Iterable[Outcome]:
    reader, before = _reader(s), _wrote_before(s)
    content = content_of(s)[before:]
    pages, left = filled(reader.pages, len(content), merges=not s.resumed)
    taken = len(content) - left
    flow = reader.flow
    data = None if flow.data is None else flow.data + content[:taken]
    flow = msgspec.structs.replace(flow, sent=flow.sent + taken, arrived=flow.arrived + taken, data=data)
    world = s.world.with_object(_pipe(s).other, msgspec.structs.replace(reader, flow=flow, pages=pages))
    if left and not (s.nonblocking and taken):
        yield Outcome(kind="blocks", world=world, note=before + taken)
    else:
        yield Outcome(kind="returns", value=before + taken, world=world)


def _end(world: World, number: int) -> World:
    """The other end learns of it: a reader finds the end of the data, a writer that nobody reads."""
    gone = world.objects[number]
    other = world.objects.get(gone.other) if isinstance(gone, Pipe) else None
    if not isinstance(gone, Pipe) or not isinstance(other, Pipe):
        return world
    if gone.writes:
        left = msgspec.structs.replace(other, other=0, flow=msgspec.structs.replace(other.flow, end="fin", ended="fin"))
    else:
        left = msgspec.structs.replace(other, other=0, flow=gone.flow, pages=gone.pages)
    return world.with_object(gone.other, left)


ENDS = {"pipe": _end}


def _making_rules(call: str) -> tuple[Rule, ...]:
    posix, none = f"POSIX.1-2024 {call}()", (NOTHING,)
    return (
        fails(f"{call}.table-full", "EMFILE", _no_two, "no two descriptors are free", f"{posix} EMFILE", kinds=none),
        fails(f"{call}.pair", "EFAULT", _pair_unwritable, "the two numbers cannot be written", "pipe(2) EFAULT", kinds=none),
        gives(f"{call}.made", _made, "two descriptors: what is written to the second is read from the first", posix, kinds=none),
    )


RULES: tuple[Rule, ...] = (
    *_making_rules("pipe"),
    fails("pipe2.flags", "EINVAL", _unknown_flags, "a flag is none of pipe2()'s", "POSIX.1-2024 pipe2() EINVAL", kinds=(NOTHING,)),
    unmodelled("pipe2.other", _other_pipe, "pipes of packets, and those of notifications, are not modelled", kinds=(NOTHING,)),
    *_making_rules("pipe2"),
    fails("read.pipe-end", "EBADF", _wrong_end_to_read, "the end is open for writing only", "POSIX.1-2024 read() EBADF",
          kinds=("pipe",)),
    gives("read.pipe-nothing", _nothing, "no bytes are asked for", "POSIX.1-2024 read()", when=_nothing_asked, kinds=("pipe",)),
    fails("read.pipe-pointer", "EFAULT", _unreadable, "the buffer cannot be written", "read(2) EFAULT", kinds=("pipe",)),
    gives("read.pipe-data", _read, "as much as is there, and no more than asked for", "POSIX.1-2024 read(); pipe(7)",
          when=_something_there, kinds=("pipe",)),
    gives("read.pipe-ended", _nothing, "the pipe is empty, and nobody can write to it", "POSIX.1-2024 read()", when=_writers_gone,
          kinds=("pipe",)),
    fails("read.pipe-empty", "EAGAIN", _nonblocking, "the pipe is empty, and the call may not wait", "POSIX.1-2024 read() EAGAIN",
          kinds=("pipe",)),
    gives("read.pipe-waits", _waits, "the pipe is empty", "POSIX.1-2024 read()", kinds=("pipe",), category="blocks"),
    fails("write.pipe-end", "EBADF", _wrong_end_to_write, "the end is open for reading only", "POSIX.1-2024 write() EBADF",
          kinds=("pipe",)),
    gives("write.pipe-nothing", _nothing, "there is nothing to write", "POSIX.1-2024 write(); write(2)", when=_nothing_asked,
          kinds=("pipe",)),
    fails("write.pipe-broken", "EPIPE", _readers_gone, "nobody can read what is written", "POSIX.1-2024 write() EPIPE; pipe(7)",
          kinds=("pipe",), gives=broken_pipe, note="SIGPIPE comes though a part was written: pipe_write() in fs/pipe.c"),
    fails("write.pipe-pointer", "EFAULT", _unread_memory, "the buffer cannot be read", "write(2) EFAULT", kinds=("pipe",)),
    fails("write.pipe-full", "EAGAIN", _full_nonblocking, "the pipe has no room, and the call may not wait",
          "POSIX.1-2024 write() EAGAIN; pipe(7)", kinds=("pipe",)),
    gives("write.pipe-taken", _write, "the pipe takes it; a call that may wait does until all is taken",
          "POSIX.1-2024 write(); pipe(7)", kinds=("pipe",)),
)  # fmt: skip
