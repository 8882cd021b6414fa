"""The BPF maps that the programs of system calls share with netlab: what it puts in and reads out. Refuses to know the programs."""

import contextlib
import struct
from collections.abc import Iterator

from netlab.errors import LabError
from netlab.observe.bpf import Map, MapKind, RingBuffer
from netlab.observe.call_layout import FORM
from netlab.observe.call_records import AT, SIZE, KernelRecord

NUMBERS = 512
"""Calls with a higher number are not followed; nor are those of x86's x32 programs, which have bit 30."""
INSIDE = 1 << 13
"""So many threads may be inside a followed call at once; what others call then is lost, and counted."""
_HIDDEN, _FOREIGN = 1 << 12, 1 << 10
_NOTICE = struct.Struct("=QII16s")
_PRESENT = struct.pack("=I", 1)


class CallMaps:
    """Made in ``held``, which closes them. ``ring`` is that buffer's size in bytes, ``namespaces`` how many may be watched."""

    def __init__(self, held: contextlib.ExitStack, *, ring: int, namespaces: int) -> None:
        def made(name: str, kind: MapKind, key: int, value: int, entries: int) -> Map:
            each = Map(kind=kind, key=key, value=value, entries=entries, name=name)
            held.callback(each.close)
            return each

        self.namespaces = made("nl_namespaces", MapKind.HASH, 8, 4, namespaces)
        self.hidden = made("nl_hidden", MapKind.HASH, 4, 4, _HIDDEN)
        self.wanted = made("nl_wanted", MapKind.ARRAY, 4, FORM.size, NUMBERS)
        self.inside = made("nl_inside", MapKind.HASH, 4, SIZE, INSIDE)
        self.foreign = made("nl_foreign", MapKind.HASH, 4, AT["result"] - AT["net"], _FOREIGN)
        self.lost = made("nl_lost", MapKind.ARRAY, 4, 8, 1)
        self.ring = RingBuffer(ring, "nl_calls")
        held.callback(self.ring.close)

    def want(self, number: int, form: bytes) -> None:
        """Follow the call of this number."""
        self.wanted[struct.pack("=I", number)] = form

    def watch(self, cookie: int) -> None:
        """Follow the calls of a network namespace."""
        try:
            self.namespaces[struct.pack("=Q", cookie)] = _PRESENT
        except OSError as error:
            raise LabError(f"one more network namespace cannot be watched: {error}") from error

    def forget(self, cookie: int) -> None:
        """Follow them no more."""
        del self.namespaces[struct.pack("=Q", cookie)]

    def hide(self, pid: int) -> None:
        """Leave out a process."""
        try:
            self.hidden[struct.pack("=I", pid)] = _PRESENT
        except OSError as error:
            raise LabError(f"one more process cannot be left out: {error}") from error

    def records(self) -> Iterator[KernelRecord]:
        """What waits in the ring."""
        return map(KernelRecord.read, self.ring.read())

    def under_way(self) -> list[KernelRecord]:
        """The calls that threads are inside of. Only once no program runs any more."""
        found = (self.inside.get(key) for key in list(self.inside.keys()))
        return [KernelRecord.read(value) for value in found if value is not None]

    def foreigners(self) -> list[tuple[int, int, str]]:
        """The 32-bit programs that were noticed: the namespace's cookie, pid, name."""
        found = []
        for key in list(self.foreign.keys()):
            if (value := self.foreign.get(key)) is not None:
                cookie, _tid, pid, program = _NOTICE.unpack(value)
                found.append((cookie, pid, program.split(b"\0")[0].decode(errors="backslashreplace")))
        return sorted(found)

    def count_lost(self) -> int:
        """How many records found no room so far."""
        return int(struct.unpack("=Q", self.lost.get(bytes(4)) or bytes(8))[0])
