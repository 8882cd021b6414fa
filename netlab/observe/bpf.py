"""The bpf(2) system call by ctypes: maps, programs, raw tracepoints and the ring buffer; no compiler, no library.

Everything made here lives as long as its descriptor, so a killed process leaves nothing behind. The module refuses to know what
a program is for, or what its records mean; programs come from ``assembler``.
"""

import ctypes
import errno
import functools
import mmap
import os
import platform
import struct
from collections.abc import Iterator
from enum import IntEnum

from netlab.errors import HostError, LabError

_NUMBERS = {"x86_64": 321, "aarch64": 280}
_ATTRIBUTE_SIZE = 128
_RAW_TRACEPOINT = 17
_LOG_SIZE = 1 << 20
_LOG_TAIL = 3000
_BUSY, _DISCARDED, _LENGTH = 0x80000000, 0x40000000, 0x3FFFFFFF


NO_PREALLOCATION = 1
"""A map's flag: its memory is taken entry by entry. Only for maps into which no program puts anything."""


class Command(IntEnum):
    """The commands of bpf(2) that netlab uses."""

    MAP_CREATE = 0
    MAP_LOOKUP = 1
    MAP_UPDATE = 2
    MAP_DELETE = 3
    MAP_NEXT_KEY = 4
    PROGRAM_LOAD = 5
    INFORMATION = 15
    RAW_TRACEPOINT_OPEN = 17


class MapKind(IntEnum):
    """The kinds of map that netlab uses."""

    HASH = 1
    ARRAY = 2
    ARRAY_EACH = 6  # an array of its own for each processor
    STACKS = 7
    RING = 27


@functools.cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def bpf(command: Command, attributes: bytes) -> int:
    """One bpf(2) call; OSError as the kernel said it, HostError where this machine cannot have the call at all."""
    number = _NUMBERS.get(platform.machine())
    if number is None:
        raise HostError(f"netlab knows bpf(2) on {' and '.join(_NUMBERS)}, not on {platform.machine()}")
    block = ctypes.create_string_buffer(attributes, max(len(attributes), _ATTRIBUTE_SIZE))
    result: int = _libc().syscall(ctypes.c_long(number), ctypes.c_long(command), block, ctypes.c_size_t(len(block)))
    if result >= 0:
        return result
    code = ctypes.get_errno()
    if code == errno.ENOSYS:
        raise HostError("this kernel was built without bpf(2)", "boot a kernel with CONFIG_BPF_SYSCALL=y")
    raise OSError(code, f"bpf {command.name}: {os.strerror(code)}")


def _refusal(error: OSError, what: str) -> HostError:
    return HostError(
        f"the kernel refused {what}: {os.strerror(error.errno or 0)}",
        "run as root of the machine (CAP_BPF and CAP_PERFMON, or CAP_SYS_ADMIN), outside a container that filters bpf(2)",
    )


class Map:
    """A BPF map: keys and values are bytes of a fixed size."""

    def __init__(self, *, kind: MapKind, key: int, value: int, entries: int, name: str, flags: int = 0) -> None:
        self.key_size, self.value_size = key, value
        attributes = struct.pack("=7I16s", kind, key, value, entries, flags, 0, 0, name.encode()[:15])
        try:
            self.fd = bpf(Command.MAP_CREATE, attributes)
        except OSError as error:
            if error.errno in (errno.EPERM, errno.EACCES):
                raise _refusal(error, "a BPF map") from error
            raise HostError(f"no BPF map of kind {kind.name}: {error}", "boot a kernel of 5.14 or later") from error

    def _element(self, key: bytes, value: int, flags: int) -> tuple[bytes, object]:
        held = ctypes.create_string_buffer(key, len(key))
        return struct.pack("=IIQQQ", self.fd, 0, ctypes.addressof(held), value, flags), held

    def __setitem__(self, key: bytes, value: bytes) -> None:
        held = ctypes.create_string_buffer(value, len(value))
        attributes, _key = self._element(key, ctypes.addressof(held), 0)
        bpf(Command.MAP_UPDATE, attributes)

    def get(self, key: bytes) -> bytes | None:
        """The value at ``key``; None where there is none."""
        held = ctypes.create_string_buffer(self.value_size)
        attributes, _key = self._element(key, ctypes.addressof(held), 0)
        try:
            bpf(Command.MAP_LOOKUP, attributes)
        except OSError as error:
            if error.errno == errno.ENOENT:
                return None
            raise
        return held.raw

    def __delitem__(self, key: bytes) -> None:
        attributes, _key = self._element(key, 0, 0)
        bpf(Command.MAP_DELETE, attributes)

    def keys(self) -> Iterator[bytes]:
        """The keys of a map that no program changes meanwhile: else some may be missing, or come twice."""
        following = ctypes.create_string_buffer(self.key_size)
        attributes = struct.pack("=IIQQQ", self.fd, 0, 0, ctypes.addressof(following), 0)
        while True:
            try:
                bpf(Command.MAP_NEXT_KEY, attributes)
            except OSError as error:
                if error.errno == errno.ENOENT:
                    return
                raise
            yield following.raw
            attributes, _held = self._element(following.raw, ctypes.addressof(following), 0)

    def close(self) -> None:
        """Give the map back; programs that use it keep it until they go."""
        os.close(self.fd)


class Program:
    """A program on a raw tracepoint: loaded and attached when built, gone when closed (or when its process dies)."""

    def __init__(self, tracepoint: str, code: bytes) -> None:
        self.tracepoint = tracepoint
        self._fd = load(code, name=tracepoint)
        name = ctypes.create_string_buffer(tracepoint.encode())
        try:
            self._link = bpf(Command.RAW_TRACEPOINT_OPEN, struct.pack("=QII", ctypes.addressof(name), self._fd, 0))
        except OSError as error:
            os.close(self._fd)
            if error.errno == errno.ENOENT:
                raise HostError(f"this kernel has no tracepoint {tracepoint}") from error
            raise _refusal(error, f"a program on the tracepoint {tracepoint}") from error

    def missed(self) -> int:
        """How often the kernel skipped the program, because an interrupt came while it ran on the same CPU."""
        information = ctypes.create_string_buffer(256)
        bpf(Command.INFORMATION, struct.pack("=IIQ", self._fd, len(information), ctypes.addressof(information)))
        return int(struct.unpack_from("=Q", information, 208)[0])

    def close(self) -> None:
        """Detach the program."""
        os.close(self._link)
        os.close(self._fd)


def load(code: bytes, *, name: str = "probe") -> int:
    """Load a raw tracepoint program and give its descriptor. A program that the verifier rejects is ours to mend: LabError."""
    instructions = ctypes.create_string_buffer(code, len(code))
    # Helpers that read kernel memory are for programs under the GPL only; netlab is under it.
    licence = ctypes.create_string_buffer(b"GPL")
    log = ctypes.create_string_buffer(_LOG_SIZE)

    def attributes(level: int) -> bytes:
        size, address = (len(log), ctypes.addressof(log)) if level else (0, 0)
        head = struct.pack("=IIQQ", _RAW_TRACEPOINT, len(code) // 8, ctypes.addressof(instructions), ctypes.addressof(licence))
        return head + struct.pack("=IIQII16s", level, size, address, 0, 0, name.encode()[:15])

    try:
        return bpf(Command.PROGRAM_LOAD, attributes(0))
    except OSError as error:
        if error.errno == errno.EPERM:
            raise _refusal(error, "a BPF program") from error
    try:
        return bpf(Command.PROGRAM_LOAD, attributes(1))
    except OSError as error:
        said = log.value.decode(errors="replace")[-_LOG_TAIL:]
        raise LabError(f"the kernel's verifier rejected netlab's program {name}: {error}\n{said}") from error


class RingBuffer:
    """A BPF ring buffer and its reader. The descriptor ``map.fd`` is readable, for poll(2), when records wait."""

    def __init__(self, size: int, name: str) -> None:
        self._size, self._page = size, mmap.PAGESIZE
        self.map = Map(kind=MapKind.RING, key=0, value=0, entries=size, name=name)
        try:
            self._consumer = mmap.mmap(self.map.fd, self._page, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE, offset=0)
            # The kernel maps the data twice in a row, so that a record never wraps.
            self._producer = mmap.mmap(self.map.fd, self._page + 2 * size, mmap.MAP_SHARED, mmap.PROT_READ, offset=self._page)
        except OSError:
            self.map.close()
            raise
        # A memoryview moves eight bytes at once; struct.pack_into need not, and the kernel reads the position meanwhile.
        self._taken, self._made = memoryview(self._consumer).cast("Q"), memoryview(self._producer).cast("Q")

    def read(self) -> Iterator[bytes]:
        """The records that wait, each handed back to the kernel once the caller asks for the next."""
        position, end = self._taken[0], self._made[0]
        while position < end:
            at = self._page + (position & (self._size - 1))
            header = self._made[at // 8] & 0xFFFFFFFF
            if header & _BUSY:
                return
            length = header & _LENGTH
            if not header & _DISCARDED:
                yield self._producer[at + 8 : at + 8 + length]
            position += (length + 15) & ~7
            self._taken[0] = position

    def close(self) -> None:
        """Unmap and give the buffer back."""
        self._taken.release()
        self._made.release()
        self._consumer.close()
        self._producer.close()
        self.map.close()
