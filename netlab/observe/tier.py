"""What this machine lets netlab observe, probed by doing it: tier A (root, BPF and BTF), B (root, tracepoints through
perf_event_open) or C (rootless means only).

The module refuses to know what anybody wants to observe.
"""

import os
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from netlab.errors import HostError, LabError
from netlab.observe.assembler import FRAME, R1, Assembler
from netlab.observe.bpf import Map, MapKind, load
from netlab.observe.kallsyms import addresses_shown
from netlab.observe.layout import BTF_PATH, Layout, Question, cache_folder, read_layout

SO_NETNS_COOKIE = 71
_CAP_SYS_ADMIN, _CAP_PERFMON, _CAP_BPF = 21, 38, 39
_LOCKDOWN = Path("/sys/kernel/security/lockdown")
_NOTE_B = "TCP states come from the tracepoint by perf_event_open, without BPF: no TIME_WAIT and NEW_SYN_RECV, no events, no calls"


@dataclass(frozen=True, kw_only=True)
class Capability:
    """One thing that observing needs: whether it is there, why not, and the command or setting that supplies it."""

    name: str
    available: bool
    reason: str = ""
    fix: str = ""


@dataclass(frozen=True, kw_only=True)
class Tier:
    """The tier and what it rests on. ``timers``, ``events``, ``memory`` and ``calls`` may lack in tier A: those are then
    not observed, or not in full."""

    letter: Literal["A", "B", "C"]
    capabilities: tuple[Capability, ...]
    note: str = ""

    @property
    def lacking(self) -> tuple[Capability, ...]:
        """What is not there."""
        return tuple(capability for capability in self.capabilities if not capability.available)

    def has(self, name: str) -> bool:
        """Whether a capability is there, by its name."""
        return any(capability.available for capability in self.capabilities if capability.name == name)


def probe(*, btf: Path = BTF_PATH, cache: Path | None = None) -> Tier:
    """Try each thing once; what was loaded or opened is closed again. A few milliseconds, once the kernel's layout is cached."""
    from netlab.observe.call_layout import necessary, questions
    from netlab.observe.calls import require_own_numbers
    from netlab.observe.event_programs import EXPECTED
    from netlab.observe.event_programs import QUESTIONS as EVENT_QUESTIONS
    from netlab.observe.memory import MEMORY_QUESTIONS, require_initial_pid_namespace
    from netlab.observe.state_programs import NECESSARY, QUESTIONS

    folder = cache or cache_folder(dict(os.environ))

    def states() -> None:
        _root()
        _bpf()
        _all_there(read_layout(QUESTIONS, cache=folder, btf=btf), NECESSARY)

    def timers() -> None:
        states()
        _timers()

    def events() -> None:
        _root()
        _bpf()
        _all_there(read_layout(EVENT_QUESTIONS, cache=folder, btf=btf), EXPECTED)

    def memory() -> None:
        _root()
        _bpf()
        require_initial_pid_namespace()
        _all_there(read_layout(MEMORY_QUESTIONS, cache=folder, btf=btf), MEMORY_QUESTIONS)

    def calls() -> None:
        _root()
        _bpf()
        require_own_numbers()
        _all_there(read_layout(questions(), cache=folder, btf=btf), necessary())

    checks: tuple[tuple[str, Callable[[], object]], ...] = (
        ("root", _root),
        ("btf", lambda: _readable(btf)),
        ("bpf", _bpf),
        ("cookies", _cookies),
        ("states", states),
        ("timers", timers),
        ("events", events),
        ("memory", memory),
        ("calls", calls),
    )
    capabilities = tuple(_try(name, check) for name, check in checks)
    there = {capability.name for capability in capabilities if capability.available}
    if there >= {"root", "btf", "bpf", "cookies", "states"}:
        return Tier(letter="A", capabilities=capabilities)
    if "root" in there and _perf_event_works():
        return Tier(letter="B", capabilities=capabilities, note=_NOTE_B)
    return Tier(letter="C", capabilities=capabilities)


def _try(name: str, check: Callable[[], object]) -> Capability:
    try:
        check()
    except HostError as error:
        return Capability(name=name, available=False, reason=error.lacks, fix=error.fix)
    return Capability(name=name, available=True)


def _root() -> None:
    effective = 0
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapEff:"):
            effective = int(line.split()[1], 16)
    if not effective >> _CAP_SYS_ADMIN & 1 and not (effective >> _CAP_BPF & 1 and effective >> _CAP_PERFMON & 1):
        raise HostError("this process may not use BPF: it is not root", "sudo, or the capabilities CAP_BPF and CAP_PERFMON")
    if Path("/proc/self/uid_map").read_text().split() != ["0", "0", str(2**32 - 1)]:
        raise HostError("root of a user namespace is not root of the machine", "run as root outside of the user namespace")


def _readable(btf: Path) -> None:
    try:
        with btf.open("rb"):
            return
    except OSError as error:
        fix = "boot a kernel with CONFIG_DEBUG_INFO_BTF=y, with /sys mounted"
        raise HostError(f"no kernel type information at {btf}: {error.strerror}", fix) from error


def _bpf() -> None:
    # Reads kernel memory as all of netlab's programs do, since a locked down kernel forbids just that.
    program = Assembler().zero(-8, 8).move(R1, FRAME).read_kernel(-8, 8, R1, -8).exit().code()
    try:
        os.close(load(program))
    except LabError as error:
        if "[confidentiality]" in _text(_LOCKDOWN):
            fix = "boot without lockdown=confidentiality (Secure Boot may set it)"
            raise HostError("the kernel is locked down: BPF may not read its memory", fix) from error
        raise HostError(str(error), "boot a kernel of 5.14 or later, with CONFIG_BPF_EVENTS=y") from error
    Map(kind=MapKind.RING, key=0, value=0, entries=os.sysconf("SC_PAGE_SIZE"), name="nl_probe").close()


def _cookies() -> None:
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as any_socket:
            any_socket.getsockopt(socket.SOL_SOCKET, SO_NETNS_COOKIE, 8)
    except OSError as error:
        raise HostError(
            "this kernel does not tell network namespaces apart (SO_NETNS_COOKIE)", "boot Linux 5.14 or later"
        ) from error


def _timers() -> None:
    if not addresses_shown():
        raise HostError("the kernel hides the addresses of its functions", "sysctl kernel.kptr_restrict=1, as root")


def _all_there(layout: Layout, questions: Iterable[Question]) -> None:
    for question in questions:
        _ = layout[question]


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def _perf_event_works() -> bool:
    from netlab.observe.perf import Tracepoint, TracepointEvents

    try:
        TracepointEvents(Tracepoint.read("sock", "inet_sock_set_state"), pages=1).close()
    except HostError:
        return False
    return True
