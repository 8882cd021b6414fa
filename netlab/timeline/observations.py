"""What can be observed: one frozen record a fact, each with its time and its node.

Times are CLOCK_REALTIME nanoseconds, the clock of packet stamps. A record says what was seen and by which means; it never says
whether that was right: the observers do not know the model.
"""

from typing import Any

import msgspec

from netlab.timeline.kernel_events import (
    PacketDropped,
    Reset,
    Retransmission,
    SocketDestroyed,
    SocketError,
    SocketMemory,
    SocketTimer,
    TcpInfo,
)
from netlab.timeline.observation import Address, Observation
from netlab.timeline.process_events import (
    DescriptorSeen,
    ProcessExecuted,
    ProcessExited,
    ProcessForked,
    SignalDelivered,
    SystemCall,
)

__all__ = [
    "Address",
    "AnyObservation",
    "CallReturned",
    "CallStarted",
    "Counters",
    "Decision",
    "DescriptorSeen",
    "DescriptorTable",
    "KernelMemory",
    "ListedInodes",
    "Named",
    "Observation",
    "Packet",
    "PacketDropped",
    "ProcessExecuted",
    "ProcessExited",
    "ProcessForked",
    "ProgramEnded",
    "Reset",
    "Retransmission",
    "SignalDelivered",
    "SocketCounts",
    "SocketDestroyed",
    "SocketEntry",
    "SocketError",
    "SocketMemory",
    "SocketState",
    "SocketTable",
    "SocketTimer",
    "SourceReport",
    "StepBegan",
    "StepEnded",
    "SystemCall",
    "TcpInfo",
]


class StepBegan(Observation, frozen=True, kw_only=True, tag="step"):
    """The scenario's step number ``index`` (0-based, repeats unrolled) began; ``text`` is the step as written."""

    index: int
    text: str


class StepEnded(Observation, frozen=True, kw_only=True, tag="step-end"):
    """The step was over. For an expect step this closes the window that it judges.

    ``packets_until`` is the time at which its window of packets closed: the stamp of the last one that was expected, so that what
    follows belongs to the next step; 0 when that is ``time`` itself.
    """

    index: int
    packets_until: int = 0


class CallStarted(Observation, frozen=True, kw_only=True, tag="call"):
    """A call is about to enter libc. ``id`` joins it to its return; ``args`` are as the scenario wrote them."""

    id: int
    process: str
    call: str
    text: str
    step: int


class CallReturned(Observation, frozen=True, kw_only=True, tag="return"):
    """The call left libc. ``errno`` is a name such as EAGAIN, empty on success; ``out`` what it gave besides its value.

    ``signal`` names a signal that ended the process inside the call (``result`` is then -1). ``began`` is the time just before
    the call and ``time`` the one just after it: the kernel was entered and left in between.
    """

    id: int
    process: str
    call: str
    result: int
    errno: str = ""
    signal: str = ""
    out: Any = None
    began: int = 0


class Named(Observation, frozen=True, kw_only=True, tag="name"):
    """The scenario's name for a descriptor: ``process`` (node, or node/child) calls ``fd`` ``name``. ``inode`` is the socket's."""

    process: str
    name: str
    fd: int
    inode: int = 0


class ProgramEnded(Observation, frozen=True, kw_only=True, tag="program"):
    """A program of the ``run:`` step number ``step`` ended: exit status, or minus the signal's number; its output as text."""

    step: int
    argv: tuple[str, ...]
    status: int
    stdout: str = ""
    stderr: str = ""


class Packet(Observation, frozen=True, kw_only=True, tag="packet", gc=False):
    """One frame at one interface. ``direction`` is "out" or "in" as that interface saw it; ``data`` the frame from its first byte.

    ``length`` is its length on the wire (more than ``len(data)`` when cut). ``checksum_valid`` is false where the sender left
    the transport checksum to a device (PACKET_AUXDATA, packet(7)): it must not be judged then.
    """

    interface: str
    direction: str
    data: bytes
    length: int
    checksum_valid: bool = True


class SocketState(Observation, frozen=True, kw_only=True, tag="state"):
    """A socket's TCP state changed from ``old`` to ``new``, in Linux' spelling without the TCP_ prefix ("SYN_SENT").

    ``source`` says how it is known: "tracepoint" (the transition itself), "timer" (a minisock's timer tells) or "sock_diag" (a
    dump differed from the one before: transitions in between went unseen). ``cookie`` is SO_COOKIE, 0 where none was given yet;
    ``inode`` 0 where no descriptor has it. ``tid`` is the thread on whose processor it happened, which need not have anything to do
    with it: a packet is received by whoever runs then.

    ``cause`` says what made it happen, once the timeline is complete: "call", "segment", "icmp" (an error message), "timer", "exit"
    (its process ended), or "" where that is not known; ``caused_by`` is that observation's index in the timeline, -1 where there
    is none. ``stack`` are the kernel's functions that were running, the innermost first, where they were asked for.
    """

    source: str
    old: str
    new: str
    local: Address
    remote: Address
    cookie: int = 0
    inode: int = 0
    tid: int = 0
    cause: str = ""
    caused_by: int = -1
    stack: tuple[str, ...] = ()


class SocketEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of the kernel's socket tables, as sock_diag(7) lists it. ``state`` in Linux' spelling without TCP_."""

    protocol: str
    state: str
    local: Address
    remote: Address
    inode: int
    cookie: int = 0
    receive_queue: int = 0
    send_queue: int = 0


class SocketTable(Observation, frozen=True, kw_only=True, tag="sockets"):
    """All that sock_diag lists in one node's namespace at one instant. ``time`` is the end of the dump, ``began`` its start."""

    began: int
    entries: tuple[SocketEntry, ...]


class DescriptorTable(Observation, frozen=True, kw_only=True, tag="fds"):
    """The descriptor table of a process: number to what /proc/PID/fd says ("socket:[1234]"). The agent's own are left out."""

    process: str
    table: dict[int, str]


class SocketCounts(Observation, frozen=True, kw_only=True, tag="sockstat"):
    """/proc/PID/net/sockstat and sockstat6: "sockets used", "TCP inuse", "UDP inuse" ... to their numbers."""

    counts: dict[str, int]


class Counters(Observation, frozen=True, kw_only=True, tag="counters"):
    """The namespace's protocol counters (/proc/PID/net/netstat and snmp), by name: ListenOverflows, TCPChallengeACK ..."""

    counts: dict[str, int]


class ListedInodes(Observation, frozen=True, kw_only=True, tag="proc-net"):
    """The socket inodes that /proc/PID/net/{tcp,tcp6,udp,udp6,raw,raw6,unix} list, by table: what netstat and lsof -i read."""

    tables: dict[str, tuple[int, ...]]


class KernelMemory(Observation, frozen=True, kw_only=True, tag="memory"):
    """Slab objects that one process took since the run's start, by cache: {"TCP": {"allocated": 2, "live": 1}}.

    Read from the tracepoints kmem_cache_alloc and kmem_cache_free, by process: the machine-wide slabinfo cannot tell who. It does
    tell the ``sizes`` of one object of each cache, in bytes (objsize in slabinfo(5)).
    """

    process: str
    caches: dict[str, dict[str, int]]
    sizes: dict[str, int] = msgspec.field(default_factory=dict)


class Decision(Observation, frozen=True, kw_only=True, tag="decision"):
    """What an impairment did to one packet: ``rule`` as written at ``place``, ``action`` ("drop", "delay", "release" ...), the
    rule's ``occurrence`` from 1, the ``barrier`` of a packet that is held.

    ``direction`` is "client->server". ``key`` says which packet of the direction it was, in words that are the same in every run of
    the same workload: "client>server:80 #1 S 1" is the first SYN of the first connection, "client>server:80 #1 data 0 1" the first
    packet that carries byte 0. ``values`` are what was decided besides: {"delay": ns}, {"bit": n}. ``engine`` carried it out.
    """

    link: str
    rule: str
    action: str
    occurrence: int
    packet: str = ""
    place: str = ""
    direction: str = ""
    key: str = ""
    barrier: str = ""
    values: dict[str, int] = msgspec.field(default_factory=dict)
    engine: str = "wire"


AnyObservation = (
    StepBegan
    | StepEnded
    | CallStarted
    | CallReturned
    | Named
    | ProgramEnded
    | Packet
    | SocketState
    | SocketTable
    | DescriptorTable
    | SocketCounts
    | Counters
    | ListedInodes
    | KernelMemory
    | Decision
    | Reset
    | Retransmission
    | PacketDropped
    | SocketError
    | SocketDestroyed
    | SocketMemory
    | SocketTimer
    | TcpInfo
    | SystemCall
    | ProcessForked
    | ProcessExecuted
    | ProcessExited
    | SignalDelivered
    | DescriptorSeen
)


class SourceReport(msgspec.Struct, frozen=True, kw_only=True):
    """What one source of observations could do in a run.

    ``name`` is the source ("packets", "states", "events", "calls", "memory", "sock_diag", "descriptors"); ``reason`` says why it
    was not available and what that needs (empty when it was); ``seen`` and ``lost`` count what it delivered and what it lost.
    ``uncertainty`` is by how many ns its times may differ from the timeline's clock, as measured; ``notes`` what it cannot see
    though it is there ("io_uring was used: what goes through it is not seen").
    """

    name: str
    available: bool
    reason: str = ""
    seen: int = 0
    lost: int = 0
    uncertainty: int = 0
    notes: tuple[str, ...] = ()
