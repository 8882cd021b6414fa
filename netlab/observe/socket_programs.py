"""What all BPF programs about sockets share: the head of their records, the namespace filter, and who is at a socket's ends.

Most of it stands in the first bytes of every socket and minisock (struct sock_common), which are read at once: ten readings of
a few bytes cost more than all the rest of a program. The module refuses to know what happened to the socket.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar

from netlab.observe.assembler import FRAME, R0, R1, R2, R3, R4, Assembler, Helper, Register
from netlab.observe.bpf import Map, RingBuffer
from netlab.observe.clock import ProbeClock
from netlab.observe.layout import Enumerator, Layout, Member, Question

STATES = (
    "ESTABLISHED",
    "SYN_SENT",
    "SYN_RECV",
    "FIN_WAIT1",
    "FIN_WAIT2",
    "TIME_WAIT",
    "CLOSE",
    "CLOSE_WAIT",
    "LAST_ACK",
    "LISTEN",
    "CLOSING",
    "NEW_SYN_RECV",
    "BOUND_INACTIVE",
)
"""The kernel's TCP states, without TCP_."""

HEAD = "QQQQ Q16s16sHHHxx"
"""A record's beginning: time, address of the socket, its cookie, its inode, the namespace's cookie, local and remote address,
family, local port, remote port (in network order)."""
HEAD_SIZE = 80


class At(IntEnum):
    """Where each of these is in the head."""

    SOCK = 8
    COOKIE = 16
    INODE = 24
    SPACE = 32
    LOCAL = 40
    REMOTE = 56
    FAMILY = 72
    NUMBER = 74
    PEER = 76


KEY_SIZE = 48
"""From the namespace's cookie to the remote port: what tells one connection from another."""

R6, R7, R8 = Register.R6, Register.R7, Register.R8
INET, INET6, TCP = 2, 10, 6


def _common(name: str) -> Member:
    return Member(struct="sock", path=f"__sk_common.skc_{name}")


NET, COOKIE, FAMILY, NUMBER, PEER, STATE = map(_common, ("net", "cookie", "family", "num", "dport", "state"))
LOCAL, REMOTE, LOCAL6, REMOTE6 = map(_common, ("rcv_saddr", "daddr", "v6_rcv_saddr", "v6_daddr"))
_SIZES = {NET: 8, COOKIE: 8, FAMILY: 2, NUMBER: 2, PEER: 2, STATE: 1, LOCAL: 4, REMOTE: 4, LOCAL6: 16, REMOTE6: 16}
BOUND, PROTOCOL = Member(struct="inet_sock", path="inet_sport"), Member(struct="sock", path="sk_protocol")
SOCKET, SOCKET_PART = Member(struct="sock", path="sk_socket"), Member(struct="socket_alloc", path="socket")
INODE_PART, INODE_NUMBER = Member(struct="socket_alloc", path="vfs_inode"), Member(struct="inode", path="i_ino")
NET_COOKIE = Member(struct="net", path="net_cookie")
_SKB = ("dev", "head", "network_header", "transport_header")
DEVICE, HEAD_OF_PACKET, NETWORK, TRANSPORT = (Member(struct="sk_buff", path=path) for path in _SKB)
DEVICE_NET = Member(struct="net_device", path="nd_net")
PACKET_QUESTIONS: tuple[Question, ...] = (DEVICE, HEAD_OF_PACKET, NETWORK, TRANSPORT, DEVICE_NET)
"""What programs about packets need besides."""

TAI = Enumerator(name="BPF_FUNC_ktime_get_tai_ns")
_STATE_VALUES = {name: Enumerator(name=f"TCP_{name}") for name in STATES}

OPTIONAL: tuple[Question, ...] = (LOCAL6, REMOTE6, TAI, _STATE_VALUES["BOUND_INACTIVE"])
NECESSARY: tuple[Question, ...] = (
    *(NET, COOKIE, FAMILY, NUMBER, PEER, STATE, LOCAL, REMOTE, BOUND, PROTOCOL, SOCKET, SOCKET_PART, INODE_PART, INODE_NUMBER),
    NET_COOKIE,
    *(question for question in _STATE_VALUES.values() if question not in OPTIONAL),
)
"""What no program about sockets can do without."""


def state_names(layout: Layout) -> dict[int, str]:
    """The kernel's number of each TCP state to its name without TCP_; what a kernel does not have is left out."""
    numbers = {name: layout.get(question) for name, question in _STATE_VALUES.items()}
    return {number: name for name, number in numbers.items() if number is not None}


@dataclass(frozen=True, kw_only=True)
class SocketPrograms:
    """Writes programs for one kernel, against the maps that they share: ``wanted`` is keyed by the cookies of the namespaces to
    watch, ``lost`` counts the records that found no room. ``SIZE`` is that of the records, the head and what follows it."""

    layout: Layout
    clock: ProbeClock
    ring: RingBuffer
    wanted: Map
    lost: Map

    SIZE: ClassVar[int] = HEAD_SIZE

    # Where things stand on the stack: the record on top, a scratch word below it, and below that the start of a socket.
    @property
    def start(self) -> int:
        """Where the record begins, from FRAME."""
        return -self.SIZE

    @property
    def scratch(self) -> int:
        """Eight bytes for what is needed for a moment."""
        return -self.SIZE - 8

    def field(self, offset: int) -> int:
        """Where the record's byte ``offset`` is."""
        return offset - self.SIZE

    @property
    def _span(self) -> tuple[int, int]:
        """The part of a socket that is read at once."""
        known = [(at, size) for member, size in _SIZES.items() if (at := self.layout.get(member)) is not None]
        return min(at for at, _ in known) & ~7, max(at + size + 7 & ~7 for at, size in known)

    def common(self, member: Member) -> int:
        """Where a member of sock_common is on the stack, once ``read_common`` was written."""
        first, end = self._span
        return self.scratch - (end - first) + self.layout[member] - first

    def read_common(self, program: Assembler, base: Register) -> None:
        """Bring the beginning of the (mini)socket at ``base`` to the stack. Loses R0 to R5."""
        first, end = self._span
        program.read_kernel(self.scratch - (end - first), end - first, base, first)

    def only_wanted(self, program: Assembler, net: int, label: str = "out") -> None:
        """Go to the label unless the struct net that the stack has a pointer to is watched; its cookie is in the record then."""
        program.load(8, R3, FRAME, net)
        self.read_net_cookie(program, R3, self.field(At.SPACE))
        program.lookup(self.wanted.fd, self.field(At.SPACE)).jump_if(R0, "==", 0, label)

    def read_net_cookie(self, program: Assembler, net: Register, to: int) -> None:
        """Bring the cookie of the struct net at ``net`` to the stack. Loses R0 to R5."""
        program.read_kernel(to, 8, net, self.layout[NET_COOKIE])

    def endpoints(self, program: Assembler) -> None:
        """Fill in what identifies the connection; an IPv4 address in IPv6 clothes is written as IPv4, as packets have it. Loses R1
        and R2."""
        for field, size, member in ((At.COOKIE, 8, COOKIE), (At.FAMILY, 2, FAMILY), (At.NUMBER, 2, NUMBER), (At.PEER, 2, PEER)):
            program.load(size, R1, FRAME, self.common(member)).store(size, FRAME, self.field(field), R1)
        if self.layout.get(LOCAL6) is not None and self.layout.get(REMOTE6) is not None:
            remote = self.common(REMOTE6)
            program.load(2, R1, FRAME, self.common(FAMILY)).jump_if(R1, "!=", INET6, "IPv4")
            program.load(4, R1, FRAME, remote).jump_if(R1, "!=", 0, "IPv6").load(4, R1, FRAME, remote + 4)
            program.jump_if(R1, "!=", 0, "IPv6").load(2, R1, FRAME, remote + 8).jump_if(R1, "!=", 0, "IPv6")
            program.load(2, R1, FRAME, remote + 10).jump_if(R1, "==", 0xFFFF, "mapped").label("IPv6")
            for at in range(0, 16, 4):
                program.load(4, R1, FRAME, self.common(LOCAL6) + at).store(4, FRAME, self.field(At.LOCAL) + at, R1)
                program.load(4, R1, FRAME, remote + at).store(4, FRAME, self.field(At.REMOTE) + at, R1)
            program.jump("addressed").label("mapped").store_value(2, FRAME, self.field(At.FAMILY), INET).label("IPv4")
        program.load(4, R1, FRAME, self.common(LOCAL)).store(4, FRAME, self.field(At.LOCAL), R1)
        program.load(4, R1, FRAME, self.common(REMOTE)).store(4, FRAME, self.field(At.REMOTE), R1).label("addressed")

    def inode(self, program: Assembler, base: Register, spare: Register, label: str = "orphan") -> None:
        """Fill in the inode of the full socket at ``base``, where it has one. Loses ``spare`` and R0 to R5."""
        at = self.layout
        program.read_kernel(self.scratch, 8, base, at[SOCKET]).load(8, spare, FRAME, self.scratch).jump_if(spare, "==", 0, label)
        program.read_kernel(self.field(At.INODE), 8, spare, at[INODE_PART] - at[SOCKET_PART] + at[INODE_NUMBER]).label(label)

    def packet_endpoints(self, program: Assembler) -> None:
        """The connection that the packet in R6 came in for: its source is remote."""
        at, scratch = self.layout, self.scratch
        local, remote, family, number, peer = map(self.field, (At.LOCAL, At.REMOTE, At.FAMILY, At.NUMBER, At.PEER))
        program.read_kernel(scratch, 8, R6, at[HEAD_OF_PACKET]).load(8, R7, FRAME, scratch)
        program.read_kernel(scratch, 2, R6, at[NETWORK]).load(2, R8, FRAME, scratch).add_register(R8, R7)
        program.read_kernel(scratch, 1, R8, 0).load(1, R1, FRAME, scratch).shift_right(R1, 4)
        program.jump_if(R1, "==", 6, "IPv6 packet").jump_if(R1, "!=", 4, "out")
        program.store_value(2, FRAME, family, INET).read_kernel(remote, 4, R8, 12).read_kernel(local, 4, R8, 16).jump("ports")
        program.label("IPv6 packet").store_value(2, FRAME, family, INET6)
        program.read_kernel(remote, 16, R8, 8).read_kernel(local, 16, R8, 24).label("ports")
        program.read_kernel(scratch, 2, R6, at[TRANSPORT]).load(2, R8, FRAME, scratch).add_register(R8, R7)
        program.read_kernel(peer, 2, R8, 0).read_kernel(scratch, 2, R8, 2)
        program.load(2, R1, FRAME, scratch).from_network16(R1).store(2, FRAME, number, R1)

    def emit(self, program: Assembler) -> bytes:
        """Stamp the record, hand it over or count it as lost, and end, at the label "out"."""
        program.call(self.clock.helper).store(8, FRAME, self.start, R0)
        program.move_map(R1, self.ring.map.fd).move(R2, FRAME).add(R2, self.start).move_value(R3, self.SIZE).move_value(R4, 0)
        program.call(Helper.RING_OUTPUT).jump_if(R0, "==", 0, "out")
        self.count_lost(program)
        return program.label("out").exit().code()

    def count_lost(self, program: Assembler) -> None:
        """One more that found no room."""
        program.store_value(4, FRAME, self.scratch, 0).lookup(self.lost.fd, self.scratch).jump_if(R0, "==", 0, "out")
        program.move_value(R1, 1).add_atomic(R0, 0, R1)
