"""Tracepoints through perf_event_open(2), for root without BPF: one event a processor, each with a ring buffer of its own.

What is opened lives as long as its descriptors. Tracepoints are described by tracefs, which is mounted for this process alone and
nowhere in the file system. The module refuses to know what a tracepoint means.
"""

import ctypes
import errno
import fcntl
import mmap
import os
import platform
import re
import struct
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from netlab.errors import HostError

DEFAULT_PAGES = 64
"""Of a processor's buffer: 256 KB, some 2,000 records."""

_PERF_EVENT_OPEN = {"x86_64": 298, "aarch64": 241}
_FSOPEN, _FSCONFIG, _FSMOUNT = 430, 431, 432  # the same numbers everywhere
_CLOEXEC, _CONFIG_CREATE = 1, 6
_TRACEPOINT, _RAW_TIME_THREAD = 2, 1 << 10 | 1 << 2 | 1 << 1
_IDENTIFIED, _USE_CLOCK, _NAMED_SPACES = 1 << 18, 1 << 25, 1 << 28
_COMM_EXEC = 1 << 24  # says nothing by itself, but without such a flag the kernel tells of no namespaces (is_sb_event)
_MONOTONIC, _OPEN_CLOEXEC = 1, 8
_ATTRIBUTES = struct.Struct("=IIQQQQQIIQQQQIiQIHxx")  # struct perf_event_attr, version 5
_SET_FILTER = 0x40082406
_HEAD_AT, _TAIL_AT = 1024 // 8, 1032 // 8
_RECORD = struct.Struct("=IHH")
_SAMPLE = struct.Struct("=IIQI")  # process, thread, time, size of what follows
_NAMESPACES = struct.Struct("=IIQQQ")  # process, thread, how many namespaces, and of the network's: device, inode
_LOST_RECORD, _SAMPLE_RECORD, _NAMESPACES_RECORD = 2, 9, 16
_ONLINE = Path("/sys/devices/system/cpu/online")
_FIELD = re.compile(r"field:.*?(\w+)(?:\[\d+\])?;\s*offset:(\d+);\s*size:(\d+);")


class Sample(NamedTuple):
    """One event: CLOCK_MONOTONIC in ns (perf gives no tracepoint CLOCK_REALTIME), the thread that ran, the tracepoint's data."""

    time: int
    thread: int
    data: bytes


class Entered(NamedTuple):
    """A thread is in a network namespace from now on, by the namespace's inode: it was made in it, or has gone there."""

    time: int
    thread: int
    namespace: int


@dataclass(frozen=True, kw_only=True)
class Tracepoint:
    """A tracepoint's number and where its fields are: name to offset and size."""

    number: int
    fields: dict[str, tuple[int, int]]

    @classmethod
    def read(cls, category: str, name: str) -> "Tracepoint":
        """Raises HostError where this machine does not show it."""
        fix = "run as root of the machine, on a kernel with CONFIG_FTRACE=y"
        try:
            mounted = _tracefs()
            try:
                text = _read_at(mounted, f"events/{category}/{name}/format")
            finally:
                os.close(mounted)
        except OSError as error:
            raise HostError(f"the tracepoint {category}:{name} cannot be read: {error.strerror}", fix) from error
        number = re.search(r"^ID: (\d+)$", text, re.MULTILINE)
        if number is None:
            raise HostError(f"the tracepoint {category}:{name} is described in a way that netlab does not know", fix)
        return cls(number=int(number[1]), fields={each[1]: (int(each[2]), int(each[3])) for each in _FIELD.finditer(text)})


class TracepointEvents:
    """A tracepoint on all processors, and which network namespaces new threads are in, from when this is made.

    ``filter_words`` are the kernel's own: "protocol == 6".
    """

    def __init__(self, tracepoint: Tracepoint, *, filter_words: str = "", pages: int = DEFAULT_PAGES) -> None:
        self.lost = 0
        self._held = ExitStack()
        with ExitStack() as held:
            self._buffers = [_Buffer(held, tracepoint.number, cpu, filter_words, pages) for cpu in _processors()]
            self._held = held.pop_all()

    def read(self) -> Iterator[Sample | Entered]:
        """What waits, in order for each processor. What found no room is counted in ``lost``, once there is room again."""
        for buffer in self._buffers:
            for kind, record in buffer.records():
                if kind == _SAMPLE_RECORD:
                    _, thread, time, size = _SAMPLE.unpack_from(record)
                    yield Sample(time, thread, record[_SAMPLE.size : _SAMPLE.size + size])
                elif kind == _NAMESPACES_RECORD:
                    _, thread, _, _, namespace = _NAMESPACES.unpack_from(record)
                    yield Entered(struct.unpack_from("=Q", record, len(record) - 8)[0], thread, namespace)
                elif kind == _LOST_RECORD:
                    self.lost += struct.unpack_from("=QQ", record)[1]

    def close(self) -> None:
        """Give it back to the kernel."""
        self._held.close()


class _Buffer:
    """One processor's."""

    def __init__(self, held: ExitStack, tracepoint: int, processor: int, filter_words: str, pages: int) -> None:
        event = _open(tracepoint, processor)
        held.callback(os.close, event)
        if filter_words:
            fcntl.ioctl(event, _SET_FILTER, filter_words.encode() + b"\0")
        self._size = pages * mmap.PAGESIZE
        self._mapped = mmap.mmap(event, mmap.PAGESIZE + self._size, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
        held.callback(self._mapped.close)
        # A memoryview moves eight bytes at once, and the kernel reads the tail meanwhile.
        self._words = memoryview(self._mapped).cast("Q")
        held.callback(self._words.release)

    def records(self) -> Iterator[tuple[int, bytes]]:
        head, tail = self._words[_HEAD_AT], self._words[_TAIL_AT]
        while tail < head:
            kind, _, size = _RECORD.unpack(self._bytes(tail, _RECORD.size))
            yield kind, self._bytes(tail + _RECORD.size, size - _RECORD.size)
            tail += size
            self._words[_TAIL_AT] = tail

    def _bytes(self, position: int, size: int) -> bytes:
        at = position % self._size
        start, room = mmap.PAGESIZE + at, self._size - at
        if size <= room:
            return self._mapped[start : start + size]
        return self._mapped[start : start + room] + self._mapped[mmap.PAGESIZE : mmap.PAGESIZE + size - room]


def _open(tracepoint: int, processor: int) -> int:
    number = _PERF_EVENT_OPEN.get(platform.machine())
    if number is None:
        raise HostError(f"netlab knows perf_event_open(2) on {' and '.join(_PERF_EVENT_OPEN)}, not on {platform.machine()}")
    attributes = _ATTRIBUTES.pack(
        *(_TRACEPOINT, _ATTRIBUTES.size, tracepoint, 1, _RAW_TIME_THREAD, 0, _IDENTIFIED | _USE_CLOCK | _NAMED_SPACES | _COMM_EXEC),
        *(1, 0, 0, 0, 0, 0, 0, _MONOTONIC, 0, 0, 0),
    )
    block = ctypes.create_string_buffer(attributes, _ATTRIBUTES.size)
    try:
        return _call(number, block, ctypes.c_int(-1), ctypes.c_int(processor), ctypes.c_int(-1), ctypes.c_ulong(_OPEN_CLOEXEC))
    except OSError as error:
        fix = "run as root of the machine (CAP_PERFMON), outside a container that filters perf_event_open(2)"
        if error.errno == errno.ENOSYS:
            fix = "boot a kernel with CONFIG_PERF_EVENTS=y"
        raise HostError(f"the kernel refused a tracepoint through perf_event_open: {error.strerror}", fix) from error


def _processors() -> list[int]:
    ranges = [part.split("-") for part in _ONLINE.read_text().strip().split(",")]
    return [number for ends in ranges for number in range(int(ends[0]), int(ends[-1]) + 1)]


def _tracefs() -> int:
    """A descriptor of a tracefs that is mounted nowhere (fsopen(2))."""
    context = _call(_FSOPEN, ctypes.c_char_p(b"tracefs"), ctypes.c_uint(_CLOEXEC))
    try:
        _call(_FSCONFIG, ctypes.c_int(context), ctypes.c_uint(_CONFIG_CREATE), None, None, ctypes.c_int(0))
        return _call(_FSMOUNT, ctypes.c_int(context), ctypes.c_uint(_CLOEXEC), ctypes.c_uint(0))
    finally:
        os.close(context)


def _read_at(folder: int, path: str) -> str:
    with open(os.open(path, os.O_RDONLY | os.O_CLOEXEC, dir_fd=folder)) as opened:
        return opened.read()


def _call(number: int, *arguments: object) -> int:
    result: int = ctypes.CDLL(None, use_errno=True).syscall(ctypes.c_long(number), *arguments)
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result
