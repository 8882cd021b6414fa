"""Which slab objects each process took from the kernel's protocol caches, and which still live: BPF on kmem tracepoints, root only.

An allocation counts for the process that ran: what the kernel does for a packet (a listener's child socket, a half-open request, a
TIME_WAIT minisock) counts for whoever was running then, on a quiet link the process that sent it. An object lives until anybody
frees it; inodes are freed some milliseconds after the close (RCU). A free that the kernel does not tell of is known once the
memory is given out again; the report's notes say so. The module refuses to know how many objects are right.
"""

import contextlib
import os
import struct
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from netlab.errors import HostError, NetlabError
from netlab.observe.assembler import FRAME, R0, R1, R2, R3, Assembler, Helper, Register
from netlab.observe.bpf import NO_PREALLOCATION, Map, MapKind, Program
from netlab.observe.layout import Argument, Layout, Member, cache_folder, read_layout
from netlab.timeline.observations import AnyObservation, KernelMemory, SourceReport

PROTOCOL_CACHES = (
    *(f"{protocol}{version}" for protocol in ("TCP", "UDP", "RAW", "PING", "MPTCP") for version in ("", "v6")),
    *("UDP-Lite", "UDPLITEv6", "UNIX", "UNIX-STREAM", "sock_inode_cache"),
    *("request_sock_TCP", "request_sock_TCPv6", "tw_sock_TCP", "tw_sock_TCPv6"),
)
"""The caches that sockets come from: one a protocol, and the inodes that descriptors refer to."""

DEFAULT_OBJECTS = 1 << 16
_PROCESSES = 1 << 12
_INITIAL_PID_NAMESPACE = "pid:[4026531836]"
_R6, _R7, _R8 = Register.R6, Register.R7, Register.R8
_ALREADY_THERE = 17
_TEXT = 32
_NAME, _OBJECT, _OWNER, _SCRATCH = -_TEXT, -_TEXT - 8, -_TEXT - 16, -_TEXT - 24
_CACHE_NAME = Member(struct="kmem_cache", path="name")
_TAKEN, _TAKEN_FROM = (Argument(tracepoint="kmem_cache_alloc", name=name) for name in ("ptr", "s"))
_FREED = Argument(tracepoint="kmem_cache_free", name="ptr")
MEMORY_QUESTIONS = (_CACHE_NAME, _TAKEN, _TAKEN_FROM, _FREED)
"""What the programs need to know of a kernel; each of it."""

# The kernel skips a program when an interrupt arrives while the same program runs on that CPU, such as a tick that frees a batch
# of inodes. So each is attached twice: never are both running, and the second to see an event finds it counted.
_COPIES = 2
# Under load Linux 6.18 was seen to run neither, and to count neither as skipped, for all that one softirq freed (ftrace saw it):
# such an object stays counted as alive until its memory is given out again. How often that showed stands behind the copies' losses.
_UNTOLD = _COPIES


class MemoryObserver:
    """Counts for ``processes``: pid, as the machine's first PID namespace numbers it, to the process' name (node, or node/child).

    ``caches`` are counted by their exact names; ``objects`` is how many may live at once, more are counted as lost.
    """

    name = "memory"

    def __init__(
        self,
        processes: Mapping[int, str],
        *,
        caches: Iterable[str] = PROTOCOL_CACHES,
        objects: int = DEFAULT_OBJECTS,
        cache: Path | None = None,
    ) -> None:
        self._processes: dict[int, str] = {}
        self._caches = tuple(dict.fromkeys(caches))
        self._objects, self._cache = objects, cache or cache_folder(dict(os.environ))
        self._held = contextlib.ExitStack()
        self._maps: _Maps | None = None
        self._sizes: dict[str, int] = {}
        self._reason, self._lost, self._seen, self._available = "it was not started", 0, 0, False
        self._untold = 0
        for pid, name in processes.items():
            self.add(pid, name)

    def start(self) -> None:
        """Attach the probes. What this machine lacks is said by the report."""
        try:
            with contextlib.ExitStack() as held:
                require_initial_pid_namespace()
                layout = read_layout(MEMORY_QUESTIONS, cache=self._cache)
                maps = _Maps(held, self._caches, self._objects)
                for pid in self._processes:
                    maps.watch(pid)
                for tracepoint, code in _programs(layout, maps):
                    held.callback(Program(tracepoint, code).close)
                self._maps, self._held = maps, held.pop_all()
                self._sizes = object_sizes(self._caches)
        except NetlabError as error:
            self._reason = str(error)
        else:
            self._reason, self._available = "", True

    def add(self, pid: int, name: str) -> None:
        """Count for one more process, from now on. A pid that is counted already goes on under the new name."""
        if pid not in self._processes and len(self._processes) == _PROCESSES:
            raise ValueError(f"memory can be counted for {_PROCESSES} processes at once")
        if pid not in self._processes and self._maps is not None:
            self._maps.watch(pid)
        self._processes[pid] = name

    def snapshot(self) -> list[KernelMemory]:
        """What each process took and has alive at this instant; caches from which it took nothing are left out."""
        if self._maps is None:
            return []
        readings = [(name, self._maps.counts(pid)) for pid, name in self._processes.items()]
        now = time.time_ns()
        self._seen += len(readings)
        return [
            KernelMemory(time=now, host=name.partition("/")[0], process=name, caches=counts, sizes=self._sizes)
            for name, counts in readings
        ]

    def drain(self) -> list[AnyObservation]:
        """Nothing: counts are read by ``snapshot``, when somebody wants to know them."""
        return []

    def stop(self) -> list[AnyObservation]:
        """Detach; hands over a last snapshot."""
        last: list[AnyObservation] = [*self.snapshot()]
        self._count_lost()
        self._maps = None
        self._held.close()
        return last

    def report(self) -> SourceReport:
        """How many readings were taken, and how many objects could not be followed."""
        self._count_lost()
        number = f"{self._untold} object{'s' * (self._untold > 1)}"
        told = f"the kernel freed {number} without telling, which counted as alive until the memory was given out again"
        return SourceReport(
            name=self.name,
            available=self._available,
            reason=self._reason,
            seen=self._seen,
            lost=self._lost,
            notes=(told,) if self._untold else (),
        )

    def _count_lost(self) -> None:
        if self._maps is not None:
            self._lost, self._untold = self._maps.lost(), self._maps.untold()


def object_sizes(caches: Iterable[str]) -> dict[str, int]:
    """How many bytes one object of each cache takes (objsize in slabinfo(5)); caches that are not listed there are left out."""
    try:
        lines = Path("/proc/slabinfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return {}
    listed = {row[0]: int(row[3]) for row in map(str.split, lines[2:])}
    return {cache: listed[cache] for cache in caches if cache in listed}


def require_initial_pid_namespace() -> None:
    """HostError where the kernel's process numbers are not those that this process sees."""
    try:
        namespace = os.readlink("/proc/self/ns/pid")
    except OSError as error:
        raise HostError(f"no /proc/self/ns/pid: {error.strerror}", "mount -t proc proc /proc") from error
    if namespace != _INITIAL_PID_NAMESPACE:
        raise HostError(
            "kernel memory is counted by the machine's own process numbers, which cannot be seen in a PID namespace",
            "run outside the container, or give it the host's PID namespace (docker run --pid=host)",
        )


class _Maps:
    """The maps that the programs share: who is watched, which caches, what lives, the counts, and what was lost."""

    def __init__(self, held: contextlib.ExitStack, caches: tuple[str, ...], objects: int) -> None:
        def held_map(name: str, kind: MapKind, key: int, value: int, entries: int, flags: int = 0) -> Map:
            made = Map(kind=kind, key=key, value=value, entries=entries, name=name, flags=flags)
            held.callback(made.close)
            return made

        self._names = caches
        sizes = _PROCESSES, _PROCESSES * max(1, len(caches))
        self.processes = held_map("nl_processes", MapKind.HASH, 4, 4, sizes[0], NO_PREALLOCATION)
        self.caches = held_map("nl_caches", MapKind.HASH, _TEXT, 4, max(1, len(caches)))
        self.live = held_map("nl_live", MapKind.HASH, 8, 8, objects)
        self.counted = held_map("nl_counted", MapKind.HASH, 8, 16, sizes[1], NO_PREALLOCATION)
        self.lost_by_copy = held_map("nl_lost", MapKind.ARRAY, 4, 8, _COPIES + 1)
        for index, name in enumerate(caches):
            self.caches[name.encode()[: _TEXT - 1].ljust(_TEXT, b"\0")] = struct.pack("=I", index)

    def watch(self, pid: int) -> None:
        for index in range(len(self._names)):
            self.counted[struct.pack("=II", pid, index)] = bytes(16)
        self.processes[struct.pack("=I", pid)] = struct.pack("=I", 1)

    def counts(self, pid: int) -> dict[str, dict[str, int]]:
        found = {}
        for index, name in enumerate(self._names):
            allocated, live = struct.unpack("=qq", self.counted.get(struct.pack("=II", pid, index)) or bytes(16))
            if allocated:
                found[name] = {"allocated": allocated, "live": live}
        return found

    def lost(self) -> int:
        # Both copies fail for the same object, so the larger number is how many objects were lost.
        return max(self._number(copy) for copy in range(_COPIES))

    def untold(self) -> int:
        return self._number(_UNTOLD)

    def _number(self, place: int) -> int:
        return int(struct.unpack("=Q", self.lost_by_copy.get(struct.pack("=I", place)) or bytes(8))[0])


def _programs(layout: Layout, maps: _Maps) -> list[tuple[str, bytes]]:
    copies = range(_COPIES)
    freed = [(_FREED.tracepoint, _freed(layout, maps)) for _copy in copies]
    return [*freed, *((_TAKEN.tracepoint, _taken(layout, maps, copy)) for copy in copies)]


def _begin(argument: int) -> Assembler:
    return Assembler().load(8, _R8, R1, 8 * argument).jump_if(_R8, "==", 0, "out").store(8, FRAME, _OBJECT, _R8)


def _taken(layout: Layout, maps: _Maps, copy: int) -> bytes:
    program = _begin(layout[_TAKEN]).load(8, _R6, R1, 8 * layout[_TAKEN_FROM])
    program.call(Helper.PROCESS).shift_right(R0, 32).store(4, FRAME, _OWNER, R0)
    program.lookup(maps.processes.fd, _OWNER).jump_if(R0, "==", 0, "out")
    program.zero(_NAME, _TEXT).read_kernel(_SCRATCH, 8, _R6, layout[_CACHE_NAME])
    program.move(R1, FRAME).add(R1, _NAME).move_value(R2, _TEXT).load(8, R3, FRAME, _SCRATCH).call(Helper.READ_KERNEL_TEXT)
    program.lookup(maps.caches.fd, _NAME).jump_if(R0, "==", 0, "out")
    program.load(4, R1, R0, 0).store(4, FRAME, _OWNER + 4, R1)
    program.update(maps.live.fd, _OBJECT, _OWNER, only_new=True)
    program.jump_if(R0, "==", 0, "counted").jump_if(R0, "==", -_ALREADY_THERE, "there" if copy == 0 else "out")
    program.store_value(4, FRAME, _SCRATCH, copy).lookup(maps.lost_by_copy.fd, _SCRATCH).jump_if(R0, "==", 0, "out")
    program.move_value(R1, 1).add_atomic(R0, 0, R1).jump("out")
    if copy == 0:
        # Nobody has counted this object before the first copy: what is there was freed, and the kernel ran neither copy then.
        program.label("there").lookup(maps.live.fd, _OBJECT).jump_if(R0, "==", 0, "out").load(8, R1, R0, 0)
        program.store(8, FRAME, _NAME, R1).update(maps.live.fd, _OBJECT, _OWNER)
        program.lookup(maps.counted.fd, _NAME).jump_if(R0, "==", 0, "out").move_value(R1, -1).add_atomic(R0, 8, R1)
        program.store_value(4, FRAME, _SCRATCH, _UNTOLD).lookup(maps.lost_by_copy.fd, _SCRATCH).jump_if(R0, "==", 0, "out")
        program.move_value(R1, 1).add_atomic(R0, 0, R1)
    program.label("counted").lookup(maps.counted.fd, _OWNER).jump_if(R0, "==", 0, "out")
    program.move_value(R1, 1).add_atomic(R0, 0, R1).add_atomic(R0, 8, R1)
    return program.label("out").exit().code()


def _freed(layout: Layout, maps: _Maps) -> bytes:
    program = _begin(layout[_FREED])
    program.lookup(maps.live.fd, _OBJECT).jump_if(R0, "==", 0, "out").load(8, _R7, R0, 0).store(8, FRAME, _OWNER, _R7)
    program.delete(maps.live.fd, _OBJECT).jump_if(R0, "!=", 0, "out")
    program.lookup(maps.counted.fd, _OWNER).jump_if(R0, "==", 0, "out")
    program.move_value(R1, -1).add_atomic(R0, 8, R1)
    return program.label("out").exit().code()
