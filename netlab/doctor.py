"""What this machine can do for netlab, found out by trying it, and the exact command that supplies what is missing.

It changes nothing on the machine: what it tries, it tries in a process of its own. It refuses to know what anybody wants to run.
"""

import json
import os
import platform
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import Literal, Self

from netlab.diagnosis import Check, Diagnosis, told, told_as_json
from netlab.errors import NetlabError
from netlab.features import FEATURES, asked, supply
from netlab.observe.agreement import Agreement, measured
from netlab.observe.tier import Capability, probe

__all__ = ["Check", "Diagnosis", "diagnose", "told", "told_as_json"]

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
# What a lab of 1,000 nodes takes, and some more.
_LARGE = 4096
_NAMESPACES = "user.max_net_namespaces"
_NEIGHBOURS = ("net.ipv4.neigh.default.gc_thresh3", "net.ipv6.neigh.default.gc_thresh3")
_SYSTEM_PATH = "/usr/local/sbin:/usr/sbin:/sbin"


_OBSERVERS = {
    "root": "tier A: BPF observers",
    "btf": "tier A: the layout of the kernel's structures",
    "bpf": "tier A: BPF observers",
    "cookies": "telling network namespaces apart",
    "states": "every change of a TCP state, as it happens",
    "timers": "TIME_WAIT and SYN_RECV as they really are",
    "memory": "claims about kernel memory",
    "calls": "the system calls of any program",
}


def diagnose(*, clocks: bool = False) -> Diagnosis:
    """Look at everything; takes some tens of milliseconds, most of them for the programs that it starts.

    With ``clocks``, measure too how well the sources' clocks agree, in a lab of one host: some tenths of a second more.
    """
    root = os.geteuid() == 0
    with ExitStack() as stack:
        nobody = stack.enter_context(_Attempt(user=_NOBODY if root else 0, nested=True, tried=not root))
        own = stack.enter_context(_Attempt(user=0, nested=False, tried=True)) if root else nobody
        tier = probe()
        rootless = _user_namespaces(nobody.failed)
        labs = _labs(own.failed, rootless)
        nft = _program("nft", "firewalls and nat nodes", "apt-get install nftables", level="feature")
        features = tuple(_features(own, nobody, labs, nft))
    return Diagnosis(
        kernel=platform.release(),
        machine=platform.machine(),
        user=os.geteuid(),
        tier=tier.letter,
        note=tier.note,
        checks=(
            _machine(),
            labs,
            _packets(own, labs),
            _reno(),
            *features,
            nft,
            rootless,
            *(_observer(capability) for capability in tier.capabilities),
            _program("ip", "looking into a lab by hand", "apt-get install iproute2"),
            _program("tshark", "a second opinion on captures", "apt-get install tshark"),
            _open_files(),
            _namespaces_at_once(),
            *_neighbours(),
        ),
        clocks=_clocks() if clocks and labs.available else (),
    )


def _clocks() -> tuple[Agreement, ...]:
    from netlab.lab.lab import Lab
    from netlab.topology.load import load_topology

    try:
        with Lab(load_topology("one-host")) as lab:
            return measured(lab["host"])
    except NetlabError as error:
        return (Agreement(source="every source", reason=str(error)),)


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


class _Attempt:
    """A process that tries things in namespaces of its own (netlab/attempt.py), while this one goes on."""

    def __init__(self, *, user: int, nested: bool, tried: bool) -> None:
        request = {"user": user, "nested": nested, "messages": (), "batches": (), "rulesets": (), "nft": shutil.which("nft") or ""}
        request |= asked() if tried else {}
        program = str(Path(__file__).with_name("attempt.py"))
        command = [sys.executable, "-I", "-S", program, json.dumps(request)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd="/")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._process.kill()
        self._process.communicate()

    @property
    def failed(self) -> str:
        """Why nothing could be tried, "" when all was."""
        return self._answer[0]

    @property
    def found(self) -> Mapping[str, str]:
        """What failed of each thing tried, "" where nothing did."""
        return self._answer[1]

    @cached_property
    def _answer(self) -> tuple[str, Mapping[str, str]]:
        try:
            output, errors = self._process.communicate(timeout=30)
            failed, found = json.loads(output)
        except subprocess.TimeoutExpired:
            return "the attempt does not end", {}
        except ValueError:
            return f"the attempt fails: {(errors.strip().splitlines() or ['no answer'])[-1]}", {}
        return failed, found


def _features(own: _Attempt, nobody: _Attempt, labs: Check, nft: Check) -> Iterator[Check]:
    """What a topology may ask for, as a lab of this user would get it; files over others' must work in both ways."""
    for feature in FEATURES:
        reason = own.found.get(feature.name, "no namespace to try it in")
        if feature.name == "overlayfs" and not reason:
            reason = nobody.found.get(feature.name, "")
        first = next((check for check in (labs, nft) if not check.available and (check is labs or feature.ruleset)), None)
        fix = first.fix if first else supply(feature, reason)
        yield Check(
            name=feature.name,
            available=not reason,
            level=feature.level,
            needed=feature.needed,
            reason=reason,
            fix=fix if reason else "",
        )


def _labs(failed: str, rootless: Check) -> Check:
    """Whether this user gets a network namespace at all: root its own way, others through a user namespace."""
    root = os.geteuid() == 0
    reason = failed if root else rootless.reason
    fix = (
        "run where root has CAP_SYS_ADMIN, CAP_NET_ADMIN and CAP_NET_RAW (a container needs --cap-add with each)"
        if root
        else f"{rootless.fix}, or sudo netlab-ns"
    )
    return Check(
        name="network namespaces",
        available=not reason,
        level="required",
        needed="building any lab",
        reason=reason,
        fix=fix if reason else "",
    )


def _packets(own: _Attempt, labs: Check) -> Check:
    """Whether packets can be seen in a lab, which every run needs."""
    reason = own.found.get("packet sockets", "no namespace to try it in")
    fix = "give root CAP_NET_RAW too (a container needs --cap-add NET_RAW), or run without root"
    return Check(
        name="packet sockets",
        available=not reason,
        level="required",
        needed="seeing packets, and disturbing them",
        reason=reason,
        fix=(fix if labs.available else labs.fix) if reason else "",
    )


def _user_namespaces(reason: str) -> Check:
    """Tried as root too, as nobody: what root may do says nothing about others."""
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


def _program(name: str, needed: str, fix: str, *, level: Literal["feature", "optional"] = "optional") -> Check:
    reason = "" if shutil.which(name) else f"no program {name} on the PATH"
    if reason and (elsewhere := shutil.which(name, path=_SYSTEM_PATH)):
        reason, fix = f"{elsewhere} is not on the PATH", f"export PATH=$PATH:{os.path.dirname(elsewhere)}"
    return Check(name=name, available=not reason, level=level, needed=needed, reason=reason, fix=fix if reason else "")


def _open_files() -> Check:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    enough = hard == resource.RLIM_INFINITY or hard >= _LARGE
    return Check(
        name="open files",
        available=enough,
        level="optional",
        needed="labs of 1,000 nodes, which take two a node",
        reason="" if enough else f"a process may have {hard} (RLIMIT_NOFILE)",
        fix=""
        if enough
        else f"sudo prlimit --pid $$ --nofile={16 * _LARGE}; for good, LimitNOFILE= of the service or limits.conf(5)",
    )


def _namespaces_at_once() -> Check:
    allowed = int(_sysctl(_NAMESPACES) or _LARGE)
    return Check(
        name="namespaces at once",
        available=allowed >= _LARGE,
        level="optional",
        needed="labs of 1,000 nodes, or some at a time",
        reason="" if allowed >= _LARGE else f"{_NAMESPACES} is {allowed}",
        fix="" if allowed >= _LARGE else f"sudo sysctl -w {_NAMESPACES}={16 * _LARGE}",
    )


def _neighbours() -> Iterator[Check]:
    """The table is one for all namespaces; where its size cannot be seen, in any but the machine's first, nothing is told."""
    allowed = [(name, int(value)) for name in _NEIGHBOURS if (value := _sysctl(name))]
    few = [(name, value) for name, value in allowed if value < _LARGE]
    if allowed:
        yield Check(
            name="neighbour table",
            available=not few,
            level="optional",
            needed="more than 1,000 neighbours in all labs together that are not permanent ones",
            reason=", ".join(f"{name} is {value}" for name, value in few),
            fix=f"sudo sysctl -w {' '.join(f'{name}={4 * _LARGE}' for name, _ in few)}" if few else "",
        )


def _sysctl(name: str) -> str:
    try:
        return Path("/proc/sys", *name.split(".")).read_text().strip()
    except OSError:
        return ""
