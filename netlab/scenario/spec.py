"""A scenario as data: steps, what they must give, and the claim they stand for. Nothing here touches a kernel.

Every step keeps its text and its place in the file, so that a verdict can point at it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from netlab.errors import Place
from netlab.notation.calls import CallText, JoinText, Result, RunText
from netlab.notation.packets import PacketPattern
from netlab.topology.spec import InterfaceChange, Rule, Shape, Topology
from netlab.units import Duration, milliseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class PacketsExpected:
    """``packets``: exactly these, in order (any order when ``unordered``), since the expect before.

    ``at`` is "node:interface" to look there instead of at the senders, ``arrived`` looks at the receivers; ``including`` names
    what is counted beside IP: arp, nd, mld.
    """

    patterns: tuple[PacketPattern, ...]
    unordered: bool = False
    at: str = ""
    arrived: bool = False
    including: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What one ``expect:`` asks for; what is None or empty is not asked.

    ``states``: socket ("client.c") to its RFC 9293 state, all at one instant. ``path``: socket to its whole history of states.
    ``fds``: process to what its table holds: {"client": {3: "socket", ...}} or a change such as "+2", "unchanged".
    ``distinct``/``same``: sockets that must be different kernel objects, or one. ``sockets``: node to the change of sockstat's
    counts since the run began ({"client": {"used": 2, "TCP tw": "<=6"}}). ``listed``: socket to whether the kernel's socket tables
    show it.
    ``queue``: socket to {"send": n, "receive": n}. ``counters``: node to {name: "+1" | ">=1" | ...}, changes since the run began.
    ``memory``: process to {cache: {"allocated": n, "live": n, "size": n}}, each n a number or a bound such as ">=1024"; size is the
    bytes of one object (objsize in slabinfo(5)). ``drops``: node to {the kernel's reason: "+1" | ">=1" | ...}, the
    packets that it threw away since the run began. ``tcp_info``: socket to {a member of struct tcp_info without tcpi_: ">=200000"},
    in the member's own unit (tcp(7)). ``timers``: socket to {"timer": its kind as ss -o writes it, "repeats", "left": ">=58000"
    ms}.
    ``initial_numbers``: node to {what of the SYNs that arrived there since the expect before: ">=1"}, as check/initial_numbers.py
    measures them (RFC 9293 §3.4.1, RFC 6528).
    """

    packets: PacketsExpected | None = None
    states: Mapping[str, str] = field(default_factory=dict)
    path: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    fds: Mapping[str, Mapping[int, str] | str] = field(default_factory=dict)
    distinct: tuple[str, ...] = ()
    same: tuple[str, ...] = ()
    sockets: Mapping[str, Mapping[str, int | str]] = field(default_factory=dict)
    listed: Mapping[str, bool] = field(default_factory=dict)
    queue: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    counters: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    memory: Mapping[str, Mapping[str, Mapping[str, int | str]]] = field(default_factory=dict)
    drops: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    tcp_info: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    timers: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    initial_numbers: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    within: Duration = milliseconds(1000)
    watch: Duration = milliseconds(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What every step has: its text as written and its place."""

    text: str
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class CallStep(Step):
    """A call in a process of a host. ``document`` is what the document says, where Linux is known to differ from it."""

    host: str
    process: str
    what: CallText
    document: Result | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinStep(Step):
    """Wait for a job and judge its result."""

    host: str
    process: str
    what: JoinText
    document: Result | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStep(Step):
    """Run a real program in a host."""

    host: str
    what: RunText


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerStep(Step):
    """A hand-driven peer sends one packet on its connection; ``packet`` has the fields that are to differ from the usual ones."""

    host: str
    packet: PacketPattern


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseStep(Step):
    """Let go, at once and in order, of the packets that rules hold at a barrier."""

    barrier: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitStep(Step):
    """Let time pass."""

    time: Duration


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectStep(Step):
    """Look at what happened. ``document`` is what the document says, where Linux is known to differ from it."""

    expect: Expectation
    document: Expectation | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Disturbance:
    """What is done to what goes in one direction, (from node, to node), of the link of this name."""

    link: str
    direction: tuple[str, str]
    rules: tuple[Rule, ...] = ()
    shape: Shape | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImpairStep(Step):
    """From now on do this to packets too: rules come after those there are, a shape in place of another."""

    disturbances: tuple[Disturbance, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HealStep(Step):
    """What steps did to packets in these directions, each after its link's name, ends; () in all. What the scenario began with
    stays."""

    directions: tuple[tuple[str, tuple[str, str]], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkStep(Step):
    """Set interfaces up and down, or their MTUs, in this order."""

    changes: tuple[InterfaceChange, ...]


AnyStep = CallStep | JoinStep | RunStep | PeerStep | ReleaseStep | WaitStep | ExpectStep | ImpairStep | HealStep | LinkStep


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a scenario proves: a statement with its sources, in a group of the documented model.

    ``core`` claims are the few that a quick look at a machine runs; ``slow`` ones take a minute or more. ``exclusive`` ones run
    alone.
    """

    id: str
    group: str
    statement: str
    sources: tuple[str, ...]
    note: str = ""
    from_notes: bool = False
    core: bool = False
    slow: bool = False
    exclusive: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """The ``nth`` call (from 1; 0: each) of a name that a process makes is never judged by the kernel: it fails with ``errno``,
    or where that is "" gives 0 with nothing done (seccomp(2), SECCOMP_RET_ERRNO)."""

    process: str
    call: str
    nth: int = 0
    errno: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A mark that pytest is to give to a scenario: its name and the arguments that it is called with."""

    name: str
    place: Place
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A topology, what is done in it, and what must come of it. ``name`` is the claim's id, or the file's name.

    ``timeout`` bounds each call. ``requires`` names programs and files without which the machine cannot try it. ``marks`` and
    ``xfail``, why a FAIL is expected, are for pytest; no verdict depends on them.
    """

    name: str
    place: Place
    topology: Topology
    steps: tuple[AnyStep, ...]
    refusals: tuple[Refusal, ...] = ()
    requires: tuple[str, ...] = ()
    claim: Claim | None = None
    intent: str = ""
    timeout: Duration = milliseconds(5000)
    marks: tuple[Mark, ...] = ()
    xfail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotTested:
    """A statement of the documented model that cannot be tested, and why."""

    id: str
    statement: str
    reason: str
    sources: tuple[str, ...] = ()
    group: str = ""


def all_rules(scenario: Scenario) -> tuple[Rule, ...]:
    """All rules of a scenario: those from the start, its topology's among them, and those of its steps."""
    first = [rule for link in scenario.topology.links for _, rules in link.impair for rule in rules]
    later = [each for step in scenario.steps if isinstance(step, ImpairStep) for each in step.disturbances]
    return (*first, *(rule for each in later for rule in each.rules))
