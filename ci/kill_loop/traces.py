"""What a lab could leave behind: processes, names, mounts, files, interfaces; and how many network namespaces there are."""

import os
import socket
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from netlab.lab.syscalls import CLONE_NEWNET, unshare

MARK = "NETLAB_KILL_LOOP"
READINGS, PAUSE = 20, 0.1
NAMESPACES = Path("/sys/kernel/slab/net_namespace")
Traces = dict[str, frozenset[str]]


def marked(*marks: str) -> dict[int, str]:
    """The processes whose environment carries one of our marks, with their command lines: whatever a victim started, wherever it
    moved to."""
    wanted = {f"{MARK}={mark}".encode() for mark in marks}
    found: dict[int, str] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            # a process may vanish while it is looked at; another user's is none of ours
            with suppress(OSError), open(f"/proc/{entry}/environ", "rb") as environment:
                if wanted.intersection(environment.read().split(b"\0")):
                    found[int(entry)] = Path(f"/proc/{entry}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    return found


def traces(folders: Iterable[Path]) -> Traces:
    """Everything else, as it is now."""
    names = (line.split()[-1] for line in Path("/proc/net/unix").read_text().splitlines()[1:])
    return {
        "interfaces": frozenset(name for _, name in socket.if_nameindex()),
        # /run/netns itself is prepared once and for good, as ip-netns(8) does
        "mounts": frozenset(line for line in Path("/proc/self/mountinfo").read_text().splitlines() if " /run/netns " not in line),
        "names of labs": frozenset(name for name in names if f"/{MARK.lower()}" in name),
        "tracing instances": _listing("/sys/kernel/tracing/instances"),
        "shared memory": _listing("/dev/shm"),
        "files of /run": frozenset(str(path) for path in Path("/run").rglob("*") if path.is_file()),
        **{str(folder): _listing(str(folder)) for folder in folders},
    }


def differences(before: Traces, after: Traces) -> list[str]:
    """What is there now and was not, or the other way round."""
    return [f"{what}: {name}" for what in before for name in sorted(before[what] ^ after[what])]


def network_namespaces() -> int | None:
    """The least number of the machine's network namespaces in some readings, so that those of others' labs that come and go do
    not count; None where the kernel does not tell us (slabinfo(5), root)."""
    found = []
    for _ in range(READINGS):
        _turn_over()
        try:
            (NAMESPACES / "shrink").write_text("1")  # else what processors keep for the next one counts as well
            lines = Path("/proc/slabinfo").read_text().splitlines()
        except OSError:
            return None
        found += [int(line.split()[1]) for line in lines if line.startswith("net_namespace ")]
        time.sleep(PAUSE)
    return min(found, default=None)


def _turn_over() -> None:
    """Make and end a network namespace: the kernel gives back what the ones before it took only when another one goes."""
    child = os.fork()
    if child == 0:
        try:
            unshare(CLONE_NEWNET, "a network namespace")
        finally:
            os._exit(0)
    os.waitpid(child, 0)


def _listing(path: str) -> frozenset[str]:
    try:
        return frozenset(os.listdir(path))
    except OSError:
        return frozenset()
