"""The record that the programs of system calls write, byte for byte. Refuses to know who writes it, and what follows from it."""

import struct
from enum import IntEnum
from typing import NamedTuple, Self


class Kind(IntEnum):
    """What a record tells of."""

    CALL = 1
    UNFINISHED = 2
    FORK = 3
    EXEC = 4
    EXIT = 5
    SIGNAL = 6


HEAD = struct.Struct("=QQQII16sqQQQQ16s64sIHH")
DATA_SIZE = 128
SIZE = HEAD.size + DATA_SIZE
_NAMES = (
    "began", "ended", "net", "tid", "pid", "program", "result", "inode", "other", "made", "length", "extra", "registers",
    "number", "kind", "size",
)  # fmt: skip
_PLACES = (0, 8, 16, 24, 28, 32, 48, 56, 64, 72, 80, 88, 104, 168, 172, 174)
AT = {**dict(zip(_NAMES, _PLACES, strict=True)), "data": HEAD.size}
"""Where each member stands in a record."""


class KernelRecord(NamedTuple):
    """A record. Times are the probes' clock; ``net`` the namespace's cookie; ``program`` the thread's name, zeros after it.

    Of a CALL: ``inode`` and ``other`` are the inodes of the sockets behind its one or two descriptors when it began, ``made``
    that of the one that it made (0: no socket); ``length`` the bytes that its iovecs add up to; ``registers`` the part of struct
    pt_regs with its arguments; ``data`` the memory that it was given or gave, ``extra`` a time-out, or (number of iovecs, flags
    that recvmsg gave, 1 where ``data`` is control messages instead of the address) of a message.
    A FORK has the child's tid, pid and program in ``result``, ``other``, ``data``; an EXEC the former tid in ``result`` and the
    path in ``data``; an EXIT whether it was the process' last thread, its exit code, the process' own and its flags in
    ``result``, ``other``, ``made``, ``length``; a SIGNAL its number, its handler, that one's flags, the process' exit code and
    the sender's information (an address, 0 for the kernel's own way of ending threads) in ``result``, ``inode``, ``other``,
    ``made``, ``length``.
    """

    began: int
    ended: int
    net: int
    tid: int
    pid: int
    program: bytes
    result: int
    inode: int
    other: int
    made: int
    length: int
    extra: bytes
    registers: bytes
    number: int
    kind: int
    size: int
    data: bytes

    @classmethod
    def read(cls, raw: bytes) -> Self:
        """A record from its bytes; short ones have no data."""
        fields = HEAD.unpack_from(raw)
        return cls._make((*fields, raw[HEAD.size : HEAD.size + fields[-1]]))

    @property
    def name(self) -> str:
        """The thread's name."""
        return self.program.split(b"\0", 1)[0].decode(errors="backslashreplace")
