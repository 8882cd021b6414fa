"""What /proc says of a process and of its network namespace: descriptors, socket counts, protocol counters, listed sockets.

Everything is read from outside, by the process's number, so that looking changes nothing in its descriptor table.
"""

import os
import signal
import time
from contextlib import suppress

from netlab.timeline.observations import Counters, DescriptorSeen, DescriptorTable, ListedInodes, SocketCounts

FIRST_HIDDEN = 500
_TABLES = ("tcp", "tcp6", "udp", "udp6", "raw", "raw6", "unix")
_INODE_COLUMN = {"unix": 6}


def descriptor_table(host: str, process: str, pid: int) -> DescriptorTable:
    """The descriptor table of a process, without the agent's own descriptors (500 and above)."""
    folder = f"/proc/{pid}/fd"
    table = {}
    for entry in os.listdir(folder):
        if int(entry) < FIRST_HIDDEN:
            try:
                table[int(entry)] = os.readlink(f"{folder}/{entry}")
            except FileNotFoundError:
                continue  # closed since the listing
    return DescriptorTable(time=time.time_ns(), host=host, process=process, table=dict(sorted(table.items())))


def descriptors(host: str, pid: int) -> list[DescriptorSeen]:
    """What a process has open now, with close-on-exec or not; nothing where it has ended or may not be looked at."""
    found = []
    with suppress(OSError):
        program = _text(f"/proc/{pid}/comm").rstrip("\n")
        for entry in sorted(os.listdir(f"/proc/{pid}/fd"), key=int):
            with suppress(OSError):  # closed since the listing
                target = os.readlink(f"/proc/{pid}/fd/{entry}")
                flags = int(_field(f"/proc/{pid}/fdinfo/{entry}", "flags"), 8)
                found.append(
                    DescriptorSeen(
                        time=time.time_ns(),
                        host=host,
                        pid=pid,
                        program=program,
                        fd=int(entry),
                        target=target,
                        close_on_exec=bool(flags & os.O_CLOEXEC),
                    )
                )
    return found


def ignored_signals(pid: int) -> tuple[str, ...]:
    """The names of the signals that a process ignores (SigIgn of proc_pid_status(5)); none where it has ended."""
    try:
        mask = int(_field(f"/proc/{pid}/status", "SigIgn"), 16)
    except OSError:
        return ()
    return tuple(one.name for one in signal.Signals if mask >> (one - 1) & 1)


def is_running(pid: int) -> bool:
    """Whether there is such a process or thread and it has not ended: one that nobody has waited for yet has."""
    try:
        return _field(f"/proc/{pid}/status", "State")[0] not in "ZX"
    except OSError:
        return False


def socket_inode(pid: int, fd: int) -> int:
    """The inode of the socket behind a descriptor; 0 when it is no socket, or not open."""
    try:
        target = os.readlink(f"/proc/{pid}/fd/{fd}")
    except OSError:
        return 0
    return int(target[8:-1]) if target.startswith("socket:[") else 0


def has_user(pid: int, uid: int) -> bool:
    """Whether a user exists in the user namespace of a process: a rootless lab has its owner alone (user_namespaces(7))."""
    rows = (row.split() for row in _text(f"/proc/{pid}/uid_map").splitlines())
    return any(int(first) <= uid < int(first) + int(many) for first, _, many in rows)


def socket_counts(host: str, pid: int) -> SocketCounts:
    """sockstat of the process's namespace. "sockets used" is exact, and counts sockets that no table lists."""
    counts = {}
    for name in ("sockstat", "sockstat6"):
        for line in _read(pid, name).splitlines():
            head, _, rest = line.partition(":")
            words = rest.split()
            counts.update({f"{head} {key}": int(value) for key, value in zip(words[::2], words[1::2], strict=True)})
    return SocketCounts(time=time.time_ns(), host=host, counts=counts)


def counters(host: str, pid: int) -> Counters:
    """The protocol counters of the process's namespace, as nstat(8) names them without the group's prefix where that is Ext."""
    counts = {}
    for name in ("netstat", "snmp"):
        lines = _read(pid, name).splitlines()
        for keys, values in zip(lines[::2], lines[1::2], strict=True):
            group, _, names = keys.partition(":")
            prefix = "" if group.endswith("Ext") else group
            for key, value in zip(names.split(), values.split()[1:], strict=True):
                counts[prefix + key] = int(value)
    return Counters(time=time.time_ns(), host=host, counts=counts)


def listed_inodes(host: str, pid: int) -> ListedInodes:
    """The inodes that the /proc/net tables list: all that netstat and lsof -i can show."""
    tables = {}
    for name in _TABLES:
        column = _INODE_COLUMN.get(name, 9)
        rows = (line.split() for line in _read(pid, name).splitlines()[1:])
        tables[name] = tuple(int(row[column]) for row in rows if len(row) > column)
    return ListedInodes(time=time.time_ns(), host=host, tables=tables)


def inside_call(pid: int, tid: int) -> bool:
    """Whether a thread sleeps inside a system call other than waiting for a lock (/proc/PID/task/TID/syscall).

    ``pid`` is as seen here, ``tid`` as the thread itself sees it, in its own PID namespace. A kernel without that file (user-mode
    Linux) is asked for the thread's stack, which it shows to root alone.
    """
    try:
        return sleeps_inside(thread_folder(pid, tid))
    except OSError:
        return False


def sleeps_inside(folder: str) -> bool:
    """The same of the thread that a folder of /proc is about (``thread_folder``)."""
    try:
        with open(f"{folder}/syscall") as file:
            word = file.read().split()[0]
    except FileNotFoundError:
        return _asleep_in_call(folder)
    except OSError:
        return False
    return word not in ("running", "-1", str(_FUTEX.get(os.uname().machine, -2)))


def _asleep_in_call(folder: str) -> bool:
    try:
        with open(f"{folder}/stat") as stat, open(f"{folder}/stack") as stack:
            state, functions = stat.read().rpartition(")")[2].split()[0], stack.read()
    except OSError:
        return False
    return state == "S" and bool(functions) and "futex" not in functions  # close() lingers in what follows the call


def thread_folder(pid: int, tid: int) -> str:
    """Where /proc has a thread, by its number as it sees it itself; raises FileNotFoundError where there is none."""
    for entry in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{entry}/status") as file:
            for line in file:
                if line.startswith("NSpid:") and int(line.split()[-1]) == tid:
                    return f"/proc/{pid}/task/{entry}"
    raise FileNotFoundError(f"process {pid} has no thread {tid}")


_FUTEX = {"x86_64": 202, "aarch64": 98, "riscv64": 98, "s390x": 238, "ppc64le": 221}


def _field(path: str, name: str) -> str:
    """The value of one line ("State:\tS (sleeping)") of a file of /proc."""
    for line in _text(path).splitlines():
        key, _, value = line.partition(":")
        if key == name:
            return value.strip()
    raise FileNotFoundError(f"{path} has no {name}")


def _text(path: str) -> str:
    with open(path) as file:
        return file.read()


def _read(pid: int, name: str) -> str:
    try:
        with open(f"/proc/{pid}/net/{name}") as file:
            return file.read()
    except FileNotFoundError:
        return ""  # a kernel without IPv6, say, has no such table
