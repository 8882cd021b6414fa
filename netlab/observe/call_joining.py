"""From the records of the programs of system calls to observations: what was interrupted, who ended, which signal it was. Pure.

A call that a signal interrupts returns inside the kernel with a number that no program sees (ERESTARTSYS): it is held back until
it is known whether a handler runs (EINTR, or made again), or the thread ends inside. Refuses to know where records come from.
"""

import errno
import signal
import struct
from collections.abc import Iterable, Mapping

import msgspec

from netlab.notation.constants import errno_name
from netlab.observe.call_arguments import Copied, call_arguments
from netlab.observe.call_names import RESTARTS, Call
from netlab.observe.call_records import KernelRecord, Kind
from netlab.timeline.process_events import (
    ProcessExecuted,
    ProcessExited,
    ProcessForked,
    SignalDelivered,
    SystemCall,
)

ProcessObservation = SystemCall | ProcessForked | ProcessExecuted | ProcessExited | SignalDelivered

_SA_RESTART = 0x10000000
_SIG_DFL, _SIG_IGN = 0, 1
_SIGNAL_GROUP_EXIT = 4  # include/linux/sched/signal.h
_HIGHEST_ERRNO = 4095
_HOLD = 1_000_000_000
_CONTINUED = "ERESTART_RESTARTBLOCK"


class CallJoiner:
    """Takes records in the order of the ring, and gives observations in the order of time.

    ``hosts`` are the nodes by their namespaces' cookies, ``calls`` those followed by their number, ``places`` the offsets of the
    six arguments in the copied registers, ``offset`` what to subtract from the records' times.
    """

    def __init__(self, hosts: Mapping[int, str], calls: Mapping[int, Call], places: tuple[int, ...], offset: int = 0) -> None:
        self._hosts, self._calls, self._offset = hosts, calls, offset
        self._places = tuple(place // 8 for place in places)
        self._registers = struct.Struct("=8Q")
        self._ready: list[ProcessObservation] = []
        self._interrupted: dict[int, SystemCall] = {}
        self._ending: set[int] = set()
        self._ended: set[int] = set()
        self.io_uring: dict[int, str] = {}

    def feed(self, record: KernelRecord) -> None:
        """Take one record; those of other namespaces are passed over."""
        host = self._hosts.get(record.net)
        if host is None:
            return
        match record.kind:
            case Kind.CALL:
                self._returned(record, host)
            case Kind.UNFINISHED:
                self._settle(record.tid)
                self._ready.append(self._call(record, host, returned=False, time=record.ended - self._offset))
            case Kind.FORK:
                self._forked(record, host)
            case Kind.EXEC:
                path = record.data.split(b"\0", 1)[0].decode(errors="replace")
                self._ready.append(
                    ProcessExecuted(time=self._time(record), host=host, pid=record.pid, program=record.name, path=path)
                )
            case Kind.EXIT:
                self._exited(record, host)
            case Kind.SIGNAL:
                self._signalled(record, host)

    def finish(self, inside: Iterable[KernelRecord], until: int) -> None:
        """The observation ended at ``until``, with these calls still under way."""
        for record in inside:
            if (host := self._hosts.get(record.net)) is not None:
                time = max(until, record.began - self._offset)
                self._ready.append(self._call(record, host, returned=False, time=time))
        for tid in list(self._interrupted):
            self._settle(tid)

    def take(self, now: int) -> list[ProcessObservation]:
        """What is known by now; an interrupted call is held back for a second at most."""
        for tid, call in list(self._interrupted.items()):
            if now - call.time > _HOLD:
                self._settle(tid)
        taken, self._ready = sorted(self._ready, key=lambda seen: seen.time), []
        return taken

    def _time(self, record: KernelRecord) -> int:
        return record.ended - self._offset

    def _returned(self, record: KernelRecord, host: str) -> None:
        call = self._call(record, host, returned=True, time=self._time(record))
        before = self._interrupted.get(record.tid)
        if call.call == "restart_syscall" and before is not None and before.errno == _CONTINUED:
            # The kernel goes on with the call that was interrupted, under another number: for the program it is the same call.
            del self._interrupted[record.tid]
            call = msgspec.structs.replace(before, time=call.time, result=call.result, errno=call.errno)
        else:
            self._settle(record.tid)
        if call.errno.startswith("ERESTART"):
            self._interrupted[record.tid] = call
        else:
            self._ready.append(call)
        if call.call.startswith("io_uring") and call.errno != "ENOSYS":
            self.io_uring[record.pid] = record.name

    def _call(self, record: KernelRecord, host: str, *, returned: bool, time: int) -> SystemCall:
        call = self._calls[record.number]
        words = self._registers.unpack(record.registers)
        values = tuple(words[place] for place in self._places)
        failed = returned and -_HIGHEST_ERRNO <= record.result < 0
        copied = Copied(
            values=values,
            data=record.data,
            extra=record.extra,
            length=record.length,
            result=record.result if returned else None,
            inodes=(record.other, record.made),
        )
        arguments = call_arguments(call.name, copied)
        makes = call.makes and (call.name != "fcntl" or str(arguments.get("command")).startswith("F_DUPFD"))
        return SystemCall(
            time=time,
            host=host,
            pid=record.pid,
            tid=record.tid,
            program=record.name,
            call=call.name,
            source="bpf",
            began=record.began - self._offset,
            fd=-1 if call.fd is None else copied.number(call.fd),
            inode=record.inode,
            made=record.made if makes else 0,
            arguments=arguments,
            result=-1 if failed else record.result if returned else 0,
            errno=(RESTARTS.get(-record.result) or errno_name(-record.result)) if failed else "",
            returned=returned,
        )

    def _settle(self, tid: int) -> None:
        """The interrupted call is over as the kernel has it: it is made again, without the program's knowing."""
        if (call := self._interrupted.pop(tid, None)) is not None:
            self._ready.append(call)

    def _forked(self, record: KernelRecord, host: str) -> None:
        child = record.other
        if child != record.pid:
            self._ending.discard(child)
            self._ended.discard(child)
        program = record.data.split(b"\0", 1)[0].decode(errors="backslashreplace")
        self._ready.append(
            ProcessForked(
                time=self._time(record),
                host=host,
                parent=record.pid,
                pid=child,
                tid=record.result,
                program=program,
                thread=child == record.pid,
            )
        )

    def _exited(self, record: KernelRecord, host: str) -> None:
        """A thread ended; a process with its last one. Before Linux 6.16 several last ones may each believe to be it."""
        if (call := self._interrupted.pop(record.tid, None)) is not None:
            ended = msgspec.structs.replace(call, time=self._time(record), result=0, errno="", returned=False)
            self._ready.append(ended)
        if not record.result or record.pid in self._ended:
            return
        self._ended.add(record.pid)
        code = record.made if record.length & _SIGNAL_GROUP_EXIT else record.other
        status = -(code & 0x7F) if code & 0x7F else code >> 8 & 0xFF
        self._ready.append(ProcessExited(time=self._time(record), host=host, pid=record.pid, program=record.name, status=status))

    def _signalled(self, record: KernelRecord, host: str) -> None:
        """The kernel ends a process' threads by a SIGKILL from nobody: the exit code says which signal began it, if one did."""
        number, handler = record.result, record.inode
        if number == signal.SIGKILL and record.length == 0:
            number = record.made & 0x7F
            if not number or record.pid in self._ending:
                return
            self._ending.add(record.pid)
            handler = _SIG_DFL
        if handler == _SIG_IGN:
            return
        handled = handler != _SIG_DFL
        if handled and (call := self._interrupted.pop(record.tid, None)) is not None:
            restarts = call.errno == "ERESTARTNOINTR" or (call.errno == "ERESTARTSYS" and record.other & _SA_RESTART)
            self._ready.append(call if restarts else msgspec.structs.replace(call, errno=errno.errorcode[errno.EINTR]))
        self._ready.append(
            SignalDelivered(
                time=self._time(record),
                host=host,
                pid=record.pid,
                tid=record.tid,
                program=record.name,
                signal=_signal_name(number),
                handled=handled,
            )
        )


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"SIGRTMIN+{number - signal.SIGRTMIN}" if number > signal.SIGRTMIN else f"signal {number}"
