"""The BPF programs that tell about TCP states, and the record they write. Refuses to know what follows from a record.

A record's middle (namespace, addresses, ports) is also the key of ``halfway``, the map of minisocks in FIN_WAIT2: their turn to
TIME_WAIT moves no timer when the new expiry falls into the same slot of the timer wheel, but the FIN that causes it is always
freed through kfree_skb right afterwards.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from netlab.observe.assembler import FRAME, R0, R1, R2, R3, R4, Assembler, Helper, Register
from netlab.observe.bpf import Map, RingBuffer
from netlab.observe.clock import ProbeClock
from netlab.observe.layout import Argument, Enumerator, Layout, Member, Question
from netlab.observe.minisocks import Event

R6, R7, R8, R9 = Register.R6, Register.R7, Register.R8, Register.R9
TIME_WAIT_TIMER, REQUEST_TIMER = "tw_timer_handler", "reqsk_timer_handler"
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

RECORD = struct.Struct("=QQQQ Q16s16sHHHxx BBBxIHxxxxxx")
_START = -RECORD.size
_TIME, _SOCK, _COOKIE, _INODE = _START, _START + 8, _START + 16, _START + 24
_KEY, KEY_SIZE = _START + 32, 48
_NET, _LOCAL, _REMOTE, _FAMILY, _NUMBER, _PEER = _KEY, _KEY + 8, _KEY + 24, _KEY + 40, _KEY + 42, _KEY + 44
_EVENT, _OLD, _NEW, _CPU, _BOUND = _KEY + 48, _KEY + 49, _KEY + 50, _KEY + 52, _KEY + 56
_SCRATCH = _START - 8
_INET, _INET6, _TCP = 2, 10, 6


def _sock(path: str) -> Member:
    return Member(struct="sock", path=f"__sk_common.{path}")


NET, COOKIE, FAMILY, NUMBER, PEER = (_sock(f"skc_{name}") for name in ("net", "cookie", "family", "num", "dport"))
LOCAL, REMOTE, LOCAL6, REMOTE6 = (_sock(f"skc_{name}") for name in ("rcv_saddr", "daddr", "v6_rcv_saddr", "v6_daddr"))
BOUND, PROTOCOL = Member(struct="inet_sock", path="inet_sport"), Member(struct="sock", path="sk_protocol")
SOCKET, SOCKET_PART = Member(struct="sock", path="sk_socket"), Member(struct="socket_alloc", path="socket")
INODE_PART, INODE_NUMBER = Member(struct="socket_alloc", path="vfs_inode"), Member(struct="inode", path="i_ino")
NET_COOKIE = Member(struct="net", path="net_cookie")
TIMER_FUNCTION = Member(struct="timer_list", path="function")
TIME_WAIT, SUBSTATE = (Member(struct="inet_timewait_sock", path=path) for path in ("tw_timer", "tw_substate"))
REQUEST = Member(struct="request_sock", path="rsk_timer")
PACKET = Argument(tracepoint="kfree_skb", name="skb", pointed="sk_buff")
_SKB = ("dev", "head", "network_header", "transport_header")
DEVICE, HEAD, NETWORK, TRANSPORT = (Member(struct="sk_buff", path=path) for path in _SKB)
DEVICE_NET = Member(struct="net_device", path="nd_net")
CHANGED, OLD, NEW = (Argument(tracepoint="inet_sock_set_state", name=name) for name in ("sk", "oldstate", "newstate"))
DESTROYED = Argument(tracepoint="tcp_destroy_sock", name="sk", pointed="sock")
TIMERS = {
    Argument(tracepoint="timer_start", name="timer", pointed="timer_list"): Event.TIMER_STARTED,
    Argument(tracepoint="timer_cancel", name="timer", pointed="timer_list"): Event.TIMER_CANCELLED,
    Argument(tracepoint="timer_expire_entry", name="timer", pointed="timer_list"): Event.TIMER_EXPIRED,
}
TAI = Enumerator(name="BPF_FUNC_ktime_get_tai_ns")
_STATE_VALUES = {name: Enumerator(name=f"TCP_{name}") for name in STATES}
_OPTIONAL: frozenset[Question] = frozenset((LOCAL6, REMOTE6, TAI, _STATE_VALUES["BOUND_INACTIVE"]))
NECESSARY: tuple[Question, ...] = (
    *(NET, COOKIE, FAMILY, NUMBER, PEER, LOCAL, REMOTE, BOUND, PROTOCOL, SOCKET, SOCKET_PART, INODE_PART, INODE_NUMBER),
    *(NET_COOKIE, TIMER_FUNCTION, TIME_WAIT, SUBSTATE, REQUEST, DEVICE, DEVICE_NET, HEAD, NETWORK, TRANSPORT),
    *(PACKET, CHANGED, OLD, NEW, DESTROYED, *TIMERS),
    *(question for question in _STATE_VALUES.values() if question not in _OPTIONAL),
)
"""What the programs cannot do without."""
QUESTIONS: tuple[Question, ...] = (*NECESSARY, *sorted(_OPTIONAL, key=str))
"""All that they ask about a kernel."""


def state_names(layout: Layout) -> dict[int, str]:
    """The kernel's number of each TCP state to its name without TCP_; what a kernel does not have is left out."""
    numbers = {name: layout.get(question) for name, question in _STATE_VALUES.items()}
    return {number: name for name, number in numbers.items() if number is not None}


@dataclass(frozen=True, kw_only=True)
class StatePrograms:
    """Writes the programs for one kernel, against the maps that they share.

    ``wanted`` is keyed by the cookies of the namespaces to watch; ``lost`` counts records that found no room, ``halfway`` those
    minisocks that found none too.
    """

    layout: Layout
    clock: ProbeClock
    ring: RingBuffer
    wanted: Map
    lost: Map
    halfway: Map
    timers: dict[str, int]

    def programs(self) -> Iterator[tuple[str, bytes]]:
        """Each tracepoint and its program; those about timers only where both handlers' addresses are known."""
        yield CHANGED.tracepoint, self._transition()
        yield DESTROYED.tracepoint, self._destroyed()
        if len(self.timers) == 2:
            for argument, event in TIMERS.items():
                yield argument.tracepoint, self._timer(argument, event)
            yield PACKET.tracepoint, self._turn()

    def _begin(self, argument: Argument) -> Assembler:
        return Assembler().zero(_SCRATCH, RECORD.size + 8).move(R9, R1).load(8, R6, R9, 8 * self.layout[argument])

    def _only_wanted(self, program: Assembler, base: Register, net: Member) -> None:
        program.read_kernel(_SCRATCH, 8, base, self.layout[net]).load(8, R3, FRAME, _SCRATCH)
        program.move(R1, FRAME).add(R1, _NET).move_value(R2, 8).add(R3, self.layout[NET_COOKIE]).call(Helper.READ_KERNEL)
        program.lookup(self.wanted.fd, _NET).jump_if(R0, "==", 0, "out")

    def _endpoints(self, program: Assembler, base: Register) -> None:
        """Fill in what identifies the connection; an IPv4 address in IPv6 clothes is written as IPv4, as packets have it."""
        at = self.layout
        program.store(8, FRAME, _SOCK, base)
        for frame, size, member in ((_COOKIE, 8, COOKIE), (_FAMILY, 2, FAMILY), (_NUMBER, 2, NUMBER), (_PEER, 2, PEER)):
            program.read_kernel(frame, size, base, at[member])
        if at.get(LOCAL6) is not None:
            program.load(2, R1, FRAME, _FAMILY).jump_if(R1, "!=", _INET6, "IPv4")
            program.read_kernel(_LOCAL, 16, base, at[LOCAL6]).read_kernel(_REMOTE, 16, base, at[REMOTE6])
            program.load(8, R1, FRAME, _REMOTE).jump_if(R1, "!=", 0, "addressed")
            program.load(2, R1, FRAME, _REMOTE + 8).jump_if(R1, "!=", 0, "addressed")
            program.load(2, R1, FRAME, _REMOTE + 10).jump_if(R1, "!=", 0xFFFF, "addressed")
            program.zero(_LOCAL, 32).store_value(2, FRAME, _FAMILY, _INET).label("IPv4")
        program.read_kernel(_LOCAL, 4, base, at[LOCAL]).read_kernel(_REMOTE, 4, base, at[REMOTE]).label("addressed")

    def _emit(self, program: Assembler, event: Event) -> bytes:
        program.store_value(1, FRAME, _EVENT, event)
        program.call(Helper.PROCESSOR).store(4, FRAME, _CPU, R0)
        program.call(self.clock.helper).store(8, FRAME, _TIME, R0)
        program.move_map(R1, self.ring.map.fd).move(R2, FRAME).add(R2, _START).move_value(R3, RECORD.size).move_value(R4, 0)
        program.call(Helper.RING_OUTPUT).jump_if(R0, "==", 0, "out")
        self._count_lost(program)
        return program.label("out").exit().code()

    def _count_lost(self, program: Assembler) -> None:
        program.store_value(4, FRAME, _SCRATCH, 0).lookup(self.lost.fd, _SCRATCH).jump_if(R0, "==", 0, "out")
        program.move_value(R1, 1).add_atomic(R0, 0, R1)

    def _transition(self) -> bytes:
        program, at = self._begin(CHANGED), self.layout
        program.read_kernel(_SCRATCH, 2, R6, at[PROTOCOL]).load(2, R1, FRAME, _SCRATCH).jump_if(R1, "!=", _TCP, "out")
        self._only_wanted(program, R6, NET)
        for argument, frame in ((OLD, _OLD), (NEW, _NEW)):
            program.load(8, R7, R9, 8 * at[argument]).store(1, FRAME, frame, R7)
        self._endpoints(program, R6)
        # skc_num is cleared before the transition to CLOSE, inet_sport is not.
        program.read_kernel(_BOUND, 2, R6, at[BOUND])
        program.read_kernel(_SCRATCH, 8, R6, at[SOCKET]).load(8, R7, FRAME, _SCRATCH).jump_if(R7, "==", 0, "orphan")
        program.read_kernel(_INODE, 8, R7, at[INODE_PART] - at[SOCKET_PART] + at[INODE_NUMBER]).label("orphan")
        return self._emit(program, Event.TRANSITION)

    def _destroyed(self) -> bytes:
        program = self._begin(DESTROYED)
        self._only_wanted(program, R6, NET)
        program.store(8, FRAME, _SOCK, R6)
        return self._emit(program, Event.DESTROYED)

    def _timer(self, argument: Argument, event: Event) -> bytes:
        program, at, states = (
            self._begin(argument),
            self.layout,
            {name: number for number, name in state_names(self.layout).items()},
        )
        program.read_kernel(_SCRATCH, 8, R6, at[TIMER_FUNCTION]).load(8, R7, FRAME, _SCRATCH)
        program.move_wide(R1, self.timers[TIME_WAIT_TIMER]).jump_if(R7, "==", R1, "waiting")
        program.move_wide(R1, self.timers[REQUEST_TIMER]).jump_if(R7, "!=", R1, "out")
        program.add(R6, -at[REQUEST]).store_value(1, FRAME, _NEW, states["NEW_SYN_RECV"]).jump("minisock")
        program.label("waiting").add(R6, -at[TIME_WAIT]).read_kernel(_NEW, 1, R6, at[SUBSTATE])
        program.label("minisock")
        self._only_wanted(program, R6, NET)
        self._endpoints(program, R6)
        program.load(1, R7, FRAME, _NEW)
        if event is Event.TIMER_STARTED:
            program.jump_if(R7, "!=", states["FIN_WAIT2"], "whole").update(self.halfway.fd, _KEY, _SOCK)
            program.jump_if(R0, "==", 0, "remembered")
            self._count_lost(program)
            program.jump("remembered").label("whole")
        program.jump_if(R7, "==", states["NEW_SYN_RECV"], "remembered").delete(self.halfway.fd, _KEY).label("remembered")
        return self._emit(program, event)

    def _turn(self) -> bytes:
        program, at, states = self._begin(PACKET), self.layout, {name: number for number, name in state_names(self.layout).items()}
        program.read_kernel(_SCRATCH, 8, R6, at[DEVICE]).load(8, R7, FRAME, _SCRATCH).jump_if(R7, "==", 0, "out")
        self._only_wanted(program, R7, DEVICE_NET)
        self._packet_endpoints(program)
        program.lookup(self.halfway.fd, _KEY).jump_if(R0, "==", 0, "out").load(8, R6, R0, 0)
        program.read_kernel(_NEW, 1, R6, at[SUBSTATE]).load(1, R7, FRAME, _NEW)
        program.jump_if(R7, "!=", states["TIME_WAIT"], "out").delete(self.halfway.fd, _KEY)
        program.store(8, FRAME, _SOCK, R6).read_kernel(_COOKIE, 8, R6, at[COOKIE])
        return self._emit(program, Event.TIMER_STARTED)

    def _packet_endpoints(self, program: Assembler) -> None:
        """The connection that the packet in R6 came in for: its source is remote."""
        at = self.layout
        program.read_kernel(_SCRATCH, 8, R6, at[HEAD]).load(8, R7, FRAME, _SCRATCH)
        program.read_kernel(_SCRATCH, 2, R6, at[NETWORK]).load(2, R8, FRAME, _SCRATCH).add_register(R8, R7)
        program.read_kernel(_SCRATCH, 1, R8, 0).load(1, R1, FRAME, _SCRATCH).shift_right(R1, 4)
        program.jump_if(R1, "==", 6, "IPv6").jump_if(R1, "!=", 4, "out")
        program.store_value(2, FRAME, _FAMILY, _INET).read_kernel(_REMOTE, 4, R8, 12).read_kernel(_LOCAL, 4, R8, 16).jump("ports")
        program.label("IPv6").store_value(2, FRAME, _FAMILY, _INET6)
        program.read_kernel(_REMOTE, 16, R8, 8).read_kernel(_LOCAL, 16, R8, 24).label("ports")
        program.read_kernel(_SCRATCH, 2, R6, at[TRANSPORT]).load(2, R8, FRAME, _SCRATCH).add_register(R8, R7)
        program.read_kernel(_PEER, 2, R8, 0).read_kernel(_SCRATCH, 2, R8, 2)
        program.load(2, R1, FRAME, _SCRATCH).from_network16(R1).store(2, FRAME, _NUMBER, R1)
