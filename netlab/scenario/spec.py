"""A scenario as data: steps, what they must give, and the claim they stand for. Nothing here touches a kernel.

Every step keeps its text and its place in the file, so that a verdict can point at it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from netlab.errors import Place
from netlab.notation.calls import CallText, JoinText, Result, RunText
from netlab.notation.packets import PacketPattern
from netlab.topology.spec import Topology
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
    counts since the run began ({"client": {"used": 2}}). ``listed``: socket to whether the kernel's socket tables show it.
    ``queue``: socket to {"send": n, "receive": n}. ``counters``: node to {name: "+1" | ">=1" | ...}, changes since the run began.
    ``memory``: process to {cache: {"allocated": n, "live": n}}. ``drops``: node to {the kernel's reason: "+1" | ">=1" | ...}, the
    packets that it threw away since the run began. ``tcp_info``: socket to {a member of struct tcp_info without tcpi_: ">=200000"},
    in the member's own unit (tcp(7)).
    """

    packets: PacketsExpected | None = None
    states: Mapping[str, str] = field(default_factory=dict)
    path: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    fds: Mapping[str, Mapping[int, str] | str] = field(default_factory=dict)
    distinct: tuple[str, ...] = ()
    same: tuple[str, ...] = ()
    sockets: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    listed: Mapping[str, bool] = field(default_factory=dict)
    queue: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    counters: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    memory: Mapping[str, Mapping[str, Mapping[str, int]]] = field(default_factory=dict)
    drops: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    tcp_info: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
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


AnyStep = CallStep | JoinStep | RunStep | PeerStep | ReleaseStep | WaitStep | ExpectStep


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a scenario proves: a statement with its sources, in a group of the documented model."""

    id: str
    group: str
    statement: str
    sources: tuple[str, ...]
    note: str = ""
    from_notes: bool = False
    exclusive: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A topology, what is done in it, and what must come of it. ``name`` is the claim's id, or the file's name.

    ``timeout`` bounds each call.
    """

    name: str
    place: Place
    topology: Topology
    steps: tuple[AnyStep, ...]
    claim: Claim | None = None
    intent: str = ""
    timeout: Duration = milliseconds(5000)


@dataclass(frozen=True, slots=True, kw_only=True)
class NotTested:
    """A statement of the documented model that cannot be tested, and why."""

    id: str
    statement: str
    reason: str
    sources: tuple[str, ...] = ()
