"""What the programs of system calls ask about a kernel, and how the table of calls is laid out for them.

Refuses to know what the programs do with it.
"""

import platform
import struct
from enum import IntFlag, auto

from netlab.observe.call_names import Call, Keep, Memory, numbered
from netlab.observe.layout import Argument, Enumerator, Layout, Member, Question


def _task(path: str) -> Member:
    return Member(struct="task_struct", path=path)


FILES, NSPROXY, PID, TGID, NAME, EXIT_CODE, SIGNAL = map(_task, ("files", "nsproxy", "pid", "tgid", "comm", "exit_code", "signal"))
NET_NS, NET_COOKIE = Member(struct="nsproxy", path="net_ns"), Member(struct="net", path="net_cookie")
TABLE, TABLE_SIZE = Member(struct="files_struct", path="fdt"), Member(struct="fdtable", path="max_fds")
TABLE_FILES, FILE_INODE = Member(struct="fdtable", path="fd"), Member(struct="file", path="f_inode")
INODE_MODE, INODE_NUMBER = Member(struct="inode", path="i_mode"), Member(struct="inode", path="i_ino")
LIVE, GROUP_CODE, GROUP_FLAGS = (Member(struct="signal_struct", path=path) for path in ("live", "group_exit_code", "flags"))
HANDLER, HANDLER_FLAGS = (Member(struct="k_sigaction", path=f"sa.sa_{name}") for name in ("handler", "flags"))
PATH = Member(struct="linux_binprm", path="filename")

ENTERED = Argument(tracepoint="sys_enter", name="regs", pointed="pt_regs")
NUMBER = Argument(tracepoint="sys_enter", name="id")
LEFT = Argument(tracepoint="sys_exit", name="ret")
CHILD = Argument(tracepoint="sched_process_fork", name="child")
OLD_PID, IMAGE = (Argument(tracepoint="sched_process_exec", name=name) for name in ("old_pid", "bprm"))
GROUP_DEAD = Argument(tracepoint="sched_process_exit", name="group_dead")
SIGNALLED, INFORMATION, ACTION = (Argument(tracepoint="signal_deliver", name=name) for name in ("sig", "info", "ka"))
EXITED = "sched_process_exit"

TAI = Enumerator(name="BPF_FUNC_ktime_get_tai_ns")

# How a task says that it runs a 32-bit program: arch/x86/include/asm/thread_info.h (TS_COMPAT, set in each such call),
# arch/arm64/include/asm/thread_info.h (TIF_32BIT).
_FOREIGN = {"x86_64": (_task("thread_info.status"), 1 << 1), "aarch64": (_task("thread_info.flags"), 1 << 22)}
_ARGUMENTS: dict[str, tuple[Member, ...]] = {
    "x86_64": tuple(Member(struct="pt_regs", path=path) for path in ("di", "si", "dx", "r10", "r8", "r9")),
    "aarch64": (Member(struct="pt_regs", path="regs"),),
}
_OPTIONAL: tuple[Question, ...] = (TAI, GROUP_DEAD)
CHUNK = 64
"""How many bytes of struct pt_regs are copied: the six arguments are all among them."""


def necessary(machine: str = "") -> tuple[Question, ...]:
    """What the programs cannot do without on ``machine`` (this one by default); HostError where netlab does not know it."""
    name = machine or platform.machine()
    numbered(name)
    return (
        *(FILES, NSPROXY, PID, TGID, NAME, EXIT_CODE, SIGNAL, NET_NS, NET_COOKIE, TABLE, TABLE_SIZE, TABLE_FILES, FILE_INODE),
        *(INODE_MODE, INODE_NUMBER, LIVE, GROUP_CODE, GROUP_FLAGS, HANDLER, HANDLER_FLAGS, PATH, ENTERED, NUMBER, LEFT, CHILD),
        *(OLD_PID, IMAGE, SIGNALLED, INFORMATION, ACTION, _FOREIGN[name][0]),
        *_ARGUMENTS[name],
    )


def questions(machine: str = "") -> tuple[Question, ...]:
    """All that they ask about a kernel."""
    return (*necessary(machine), *_OPTIONAL)


def foreign(layout: Layout) -> tuple[int, int]:
    """Where in struct task_struct a 32-bit word says that the call is one of a 32-bit program, and by which bit."""
    member, bit = _FOREIGN[platform.machine()]
    return layout[member], bit


def argument_places(layout: Layout) -> tuple[int, ...]:
    """The offsets of the six arguments in struct pt_regs."""
    members = _ARGUMENTS[platform.machine()]
    if len(members) == 1:
        return tuple(layout[members[0]] + 8 * index for index in range(6))
    return tuple(layout[member] for member in members)


class Flag(IntFlag):
    """What the programs do for a call."""

    WANTED = auto()
    FD = auto()
    OTHER = auto()
    ONLY_SOCKET = auto()
    ONLY_CHANNEL = auto()
    EITHER = auto()
    MAKES = auto()
    PAIR = auto()
    GIVEN = auto()
    GIVEN_COUNTED = auto()
    TEXT = auto()
    GAVE = auto()
    GAVE_COUNTED = auto()
    GAVE_MEASURED = auto()
    VECTOR = auto()
    MESSAGE = auto()
    MESSAGE_GIVEN = auto()
    MESSAGE_GAVE = auto()
    WAIT = auto()
    AGAIN = auto()


FORM = struct.Struct("=I12H")
"""A call in the table: flags, then ``PLACES`` in struct pt_regs (in the copied chunk of it for what the call gave) and units."""
PLACES = ("fd", "other", "given", "given_count", "given_unit", "gave", "gave_count", "gave_unit", "vector", "vector_count", "wait")
PLACE = {name: 4 + 2 * index for index, name in enumerate(PLACES)}
"""Where each stands in the form."""
_KEEP = {Keep.EVERY: Flag(0), Keep.SOCKET: Flag.ONLY_SOCKET, Keep.CHANNEL: Flag.ONLY_CHANNEL, Keep.EITHER: Flag.EITHER}


def form(call: Call, places: tuple[int, ...]) -> bytes:
    """The call as the programs read it."""
    flags, values = Flag.WANTED | _KEEP[call.keep], dict.fromkeys(PLACES, 0)
    chunk = min(places)

    def take(name: str, argument: int | None, flag: Flag, *, copied: bool = False) -> Flag:
        if argument is None:
            return Flag(0)
        values[name] = places[argument] - (chunk if copied else 0)
        return flag

    def memory(name: str, asked: Memory | None, *flagged: Flag) -> Flag:
        if asked is None:
            return Flag(0)
        copied, (present, counted, measured) = name == "gave", flagged
        values[f"{name}_unit"] = asked.unit
        found = take(name, asked.pointer, present, copied=copied)
        found |= take(f"{name}_count", asked.counted, counted, copied=copied)
        return found | take(f"{name}_count", asked.measured, measured, copied=copied)

    flags |= take("fd", call.fd, Flag.FD) | take("other", call.other, Flag.OTHER) | take("wait", call.wait, Flag.WAIT)
    flags |= memory("given", call.given, Flag.GIVEN, Flag.GIVEN_COUNTED, Flag(0))
    flags |= memory("gave", call.gave, Flag.GAVE, Flag.GAVE_COUNTED, Flag.GAVE_MEASURED)
    if call.given is not None and call.gave is None:
        # Memory that was not in yet when the call began, the kernel has fetched by its end.
        memory("gave", call.given, Flag.GAVE, Flag.GAVE_COUNTED, Flag.GAVE_MEASURED)
        flags |= Flag.AGAIN | (Flag.GAVE_COUNTED if call.given.counted is not None else Flag(0))
    flags |= take("given", call.text, Flag.TEXT) | take("vector", call.vector, Flag.VECTOR)
    if call.vector is not None:
        values["vector_count"] = places[call.vector + 1]
    if call.message:
        flags |= take("given", 1, Flag.MESSAGE) | take("gave", 1, Flag.MESSAGE, copied=True)
        flags |= Flag.MESSAGE_GIVEN if call.message == "given" else Flag.MESSAGE_GAVE
    flags |= Flag.MAKES if call.makes else Flag(0)
    flags |= Flag.PAIR if call.name == "socketpair" else Flag(0)
    return FORM.pack(flags, *values.values(), 0)
