"""What this machine can do for netlab, found out by trying it, and the exact command that supplies what is missing.

It changes nothing on the machine: what it tries, it tries in a process of its own. It refuses to know what anybody wants to run.
"""

import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from netlab.observe.tier import Capability, probe

# Where the numbers of the system calls that tell a blocked call are known.
_MACHINES = ("x86_64", "aarch64", "riscv64", "s390x", "ppc64le")
_NOBODY = 65534
# sysctl, the value that forbids unprivileged user namespaces, the value that allows them.
_FORBIDDING = (
    ("kernel.apparmor_restrict_unprivileged_userns", "1", "0"),
    ("kernel.unprivileged_userns_clone", "0", "1"),
    ("user.max_user_namespaces", "0", "28633"),
    ("user.max_net_namespaces", "0", "28633"),
)
# Arguments: the user to become (0: stay), and whether to make a user namespace first. A process that changed its user owns its
# /proc/self/uid_map again only once it is dumpable.
_ATTEMPT = """
import ctypes, errno, json, os, sys
libc = ctypes.CDLL(None, use_errno=True)
def done(stage, number):
    print(json.dumps([stage, errno.errorcode.get(number, str(number))]))
    sys.exit()
if int(sys.argv[1]):
    os.setgroups([])
    os.setresgid(*[int(sys.argv[1])] * 3)
    os.setresuid(*[int(sys.argv[1])] * 3)
    libc.prctl(4, 1, 0, 0, 0)
uid = os.getuid()
if int(sys.argv[2]):
    if libc.unshare(0x10000000):
        done("unshare(CLONE_NEWUSER)", ctypes.get_errno())
    try:
        with open("/proc/self/uid_map", "w") as file:
            file.write(f"0 {uid} 1")
    except OSError as error:
        done("writing /proc/self/uid_map", error.errno)
if libc.unshare(0x40000000):
    done("unshare(CLONE_NEWNET)", ctypes.get_errno())
done("", 0)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing looked at. ``needed`` says for what; ``level`` "required" for any lab, "observer" to see more, or "optional"."""

    name: str
    available: bool
    level: Literal["required", "observer", "optional"]
    needed: str
    reason: str = ""
    fix: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """All that was found. ``usable`` says whether any lab can be built here at all."""

    kernel: str
    machine: str
    user: int
    tier: str
    note: str
    checks: tuple[Check, ...]

    @property
    def usable(self) -> bool:
        """Whether nothing is missing that every lab needs."""
        return all(check.available for check in self.checks if check.level == "required")


_TITLES = (("required", "Needed by every lab:"), ("observer", "Observers:"), ("optional", "Good to have:"))
_OBSERVERS = {
    "root": "tier A: BPF observers",
    "btf": "tier A: the layout of the kernel's structures",
    "bpf": "tier A: BPF observers",
    "cookies": "telling network namespaces apart",
    "states": "every change of a TCP state, as it happens",
    "timers": "TIME_WAIT and SYN_RECV as they really are",
    "memory": "claims about kernel memory",
}


def diagnose() -> Diagnosis:
    """Look at everything; takes a few tens of milliseconds."""
    tier = probe()
    rootless = _user_namespaces()
    return Diagnosis(
        kernel=platform.release(),
        machine=platform.machine(),
        user=os.geteuid(),
        tier=tier.letter,
        note=tier.note,
        checks=(
            _machine(),
            _labs(rootless),
            _reno(),
            rootless,
            *(_observer(capability) for capability in tier.capabilities),
            _program("ip", "looking into a lab by hand", "apt-get install iproute2"),
            _program("tshark", "a second opinion on captures", "apt-get install tshark"),
        ),
    )


def told(diagnosis: Diagnosis) -> Iterator[str]:
    """Each thing with yes or no; what is missing with the reason, what it is needed for, and the command that supplies it."""
    yield f"Linux {diagnosis.kernel} on {diagnosis.machine}, as user {diagnosis.user}: observation tier {diagnosis.tier}"
    if diagnosis.note:
        yield f"  {diagnosis.note}"
    wide = max(len(check.name) for check in diagnosis.checks)
    for level, title in _TITLES:
        yield title
        for check in diagnosis.checks:
            if check.level != level:
                continue
            yield f"  {'yes' if check.available else 'no ':<3}  {check.name:<{wide}}  {check.needed}"
            if not check.available:
                yield f"         {check.reason}"
                if check.fix:
                    yield f"         fix: {check.fix}"
    yield "Labs can be built here." if diagnosis.usable else "No lab can be built here."


def told_as_json(diagnosis: Diagnosis) -> Iterator[str]:
    """The same as one JSON object, line by line."""
    yield from json.dumps({"schema": 1, "usable": diagnosis.usable, **asdict(diagnosis)}, indent=2).splitlines()


def _machine() -> Check:
    machine = platform.machine()
    known = machine in _MACHINES
    return Check(
        name="machine",
        available=known,
        level="required",
        needed="the numbers of system calls",
        reason="" if known else f"{machine} is not supported",
        fix="" if known else f"use a machine of {' or '.join(_MACHINES)}",
    )


def _attempt(*, user: int, user_namespace: bool) -> str:
    """Make namespaces in a process of its own; what failed, "" when nothing did."""
    command = [sys.executable, "-I", "-S", "-c", _ATTEMPT, str(user), str(int(user_namespace))]
    tried = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, cwd="/")
    try:
        stage, error = json.loads(tried.stdout)
    except ValueError:
        stage, error = "the attempt", (tried.stderr.strip().splitlines() or ["no answer"])[-1]
    return f"{stage} fails: {error}" if stage else ""


def _labs(rootless: Check) -> Check:
    """Whether this user gets a network namespace at all: root its own way, others through a user namespace."""
    root = os.geteuid() == 0
    reason = _attempt(user=0, user_namespace=False) if root else rootless.reason
    fix = (
        "run where root has CAP_SYS_ADMIN (a container needs --cap-add SYS_ADMIN)" if root else f"{rootless.fix}, or sudo netlab-ns"
    )
    return Check(
        name="network namespaces",
        available=not reason,
        level="required",
        needed="building any lab",
        reason=reason,
        fix=fix if reason else "",
    )


def _user_namespaces() -> Check:
    """Tried as root too, as nobody: what root may do says nothing about others."""
    reason = _attempt(user=_NOBODY if os.geteuid() == 0 else 0, user_namespace=True)
    blame = [(name, allowing) for name, forbidding, allowing in _FORBIDDING if _sysctl(name) == forbidding] if reason else []
    commands = "; ".join(f"sudo sysctl -w {name}={allowing}" for name, allowing in blame)
    otherwise = "allow user namespaces in this container (its seccomp profile), or boot a kernel with CONFIG_USER_NS=y"
    return Check(
        name="unprivileged user namespaces",
        available=not reason,
        level="optional",
        needed="labs without root",
        reason=reason + (f" ({', '.join(f'{name} is {_sysctl(name)}' for name, _ in blame)})" if blame else ""),
        fix=(commands or otherwise) if reason else "",
    )


def _reno() -> Check:
    allowed = _sysctl("net.ipv4.tcp_allowed_congestion_control").split()
    return Check(
        name="congestion control reno",
        available="reno" in allowed,
        level="required",
        needed="the same sending behaviour on every machine",
        reason="" if "reno" in allowed else f"net.ipv4.tcp_allowed_congestion_control allows only: {' '.join(allowed) or 'none'}",
        fix="" if "reno" in allowed else f'sudo sysctl -w net.ipv4.tcp_allowed_congestion_control="{" ".join([*allowed, "reno"])}"',
    )


def _observer(capability: Capability) -> Check:
    return Check(
        name=capability.name,
        available=capability.available,
        level="observer",
        needed=_OBSERVERS.get(capability.name, "observing more"),
        reason=capability.reason,
        fix=capability.fix,
    )


def _program(name: str, needed: str, fix: str) -> Check:
    there = shutil.which(name) is not None
    return Check(
        name=name,
        available=there,
        level="optional",
        needed=needed,
        reason="" if there else f"no program {name} on the PATH",
        fix="" if there else fix,
    )


def _sysctl(name: str) -> str:
    try:
        return Path("/proc/sys", *name.split(".")).read_text().strip()
    except OSError:
        return ""
