"""The BPF programs that tell about TCP states, and the record they write. Refuses to know what follows from a record.

A record's middle (namespace, addresses, ports) is also the key of ``halfway``, the map of minisocks in FIN_WAIT2: their turn to
TIME_WAIT moves no timer when the new expiry falls into the same slot of the timer wheel, but the FIN that causes it is always
freed through kfree_skb right afterwards.

Whether a socket's own timer made a transition is told by ``running``: the timer that each processor is in the middle of.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from netlab.observe.assembler import FRAME, R0, R1, R2, R3, Assembler, Helper, Register
from netlab.observe.bpf import Map
from netlab.observe.kernel_source import Piece
from netlab.observe.layout import Argument, Member, Question
from netlab.observe.minisocks import Event
from netlab.observe.socket_programs import (
    BOUND,
    COOKIE,
    DEVICE,
    DEVICE_NET,
    HEAD,
    KEY_SIZE,
    NET,
    PACKET_QUESTIONS,
    PROTOCOL,
    TCP,
    At,
    SocketPrograms,
    state_names,
)
from netlab.observe.socket_programs import NECESSARY as NECESSARY_OF_SOCKETS
from netlab.observe.socket_programs import OPTIONAL as OPTIONAL_OF_SOCKETS

__all__ = ["KEY_SIZE", "NECESSARY", "QUESTIONS", "RECORD", "StatePrograms"]

R6, R7, R8, R9 = Register.R6, Register.R7, Register.R8, Register.R9
TIME_WAIT_TIMER, REQUEST_TIMER = "tw_timer_handler", "reqsk_timer_handler"
MINISOCK_TIMERS = (TIME_WAIT_TIMER, REQUEST_TIMER)
"""The functions that minisocks' timers call: without their addresses minisocks are not seen."""

RECORD = struct.Struct(f"={HEAD} BBBBIHxxIixxxx")
_EVENT, _OLD, _NEW, _IN_TIMER, _CPU, _BOUND, _TID, _STACK = 80, 81, 82, 83, 84, 88, 92, 96

TIMER_FUNCTION = Member(struct="timer_list", path="function")
TIME_WAIT, SUBSTATE = (Member(struct="inet_timewait_sock", path=path) for path in ("tw_timer", "tw_substate"))
REQUEST = Member(struct="request_sock", path="rsk_timer")
PACKET = Argument(tracepoint="kfree_skb", name="skb", pointed="sk_buff")
CHANGED, OLD, NEW = (Argument(tracepoint="inet_sock_set_state", name=name) for name in ("sk", "oldstate", "newstate"))
DESTROYED = Argument(tracepoint="tcp_destroy_sock", name="sk", pointed="sock")
STARTED, CANCELLED, EXPIRED, FINISHED = (
    Argument(tracepoint=f"timer_{name}", name="timer", pointed="timer_list")
    for name in ("start", "cancel", "expire_entry", "expire_exit")
)
TIMERS = {STARTED: Event.TIMER_STARTED, CANCELLED: Event.TIMER_CANCELLED, EXPIRED: Event.TIMER_EXPIRED}
SOCKET_TIMERS = {
    "tcp_write_timer": Member(struct="inet_connection_sock", path="icsk_retransmit_timer"),
    "tcp_keepalive_timer": Member(struct="sock", path="sk_timer"),
}
"""The functions that sockets' own timers call, and where those timers stand in the socket."""
_OPTIONAL: tuple[Question, ...] = (*OPTIONAL_OF_SOCKETS, FINISHED, *SOCKET_TIMERS.values())
NECESSARY: tuple[Question, ...] = (
    *NECESSARY_OF_SOCKETS,
    *PACKET_QUESTIONS,
    *(TIMER_FUNCTION, TIME_WAIT, SUBSTATE, REQUEST),
    *(PACKET, CHANGED, OLD, NEW, DESTROYED, *TIMERS),
)
"""What the programs cannot do without."""
QUESTIONS: tuple[Question, ...] = (*NECESSARY, *_OPTIONAL)
"""All that they ask about a kernel."""


@dataclass(frozen=True, kw_only=True)
class StatePrograms(SocketPrograms):
    """``lost`` counts those minisocks too that found no room in ``halfway``; ``timers`` has the addresses of functions.

    ``stacks`` takes the kernel functions that led to each transition; a record has its number there plus one, nothing above 0 where
    there is none.
    """

    halfway: Map
    running: Map
    timers: dict[str, int]
    stacks: Map | None = None

    SIZE: ClassVar[int] = RECORD.size

    def pieces(self) -> Iterator[Piece]:
        """Each tracepoint and its program; those about minisocks only where both handlers' addresses are known."""
        yield Piece(tracepoint=CHANGED.tracepoint, write=self._transition)
        yield Piece(tracepoint=DESTROYED.tracepoint, write=self._destroyed)
        if all(name in self.timers for name in MINISOCK_TIMERS):
            for argument, event in TIMERS.items():
                yield Piece(tracepoint=argument.tracepoint, write=partial(self._timer, argument, event))
            yield Piece(tracepoint=PACKET.tracepoint, write=self._turn)
            if self.socket_timers:
                yield Piece(tracepoint=FINISHED.tracepoint, write=self._finished)

    @property
    def socket_timers(self) -> dict[int, int]:
        """The addresses of those functions of sockets' own timers that are known, to where the timer stands in the socket."""
        if self.layout.get(FINISHED) is None:
            return {}
        places = {name: self.layout.get(member) for name, member in SOCKET_TIMERS.items()}
        return {self.timers[name]: at for name, at in places.items() if at is not None and name in self.timers}

    def _begin(self, argument: Argument) -> Assembler:
        return Assembler().move(R9, R1).load(8, R6, R9, 8 * self.layout[argument])

    def _empty_record(self, program: Assembler) -> None:
        program.zero(self.start, self.SIZE)

    def _finish(self, program: Assembler, event: Event) -> bytes:
        program.store_value(1, FRAME, self.field(_EVENT), event)
        program.call(Helper.PROCESSOR).store(4, FRAME, self.field(_CPU), R0)
        program.call(Helper.PROCESS).store(4, FRAME, self.field(_TID), R0)
        return self.emit(program)

    def _transition(self) -> bytes:
        program, at = self._begin(CHANGED), self.layout
        self.read_common(program, R6)
        self._empty_record(program)
        self.only_wanted(program, self.common(NET))
        program.read_kernel(self.scratch, 2, R6, at[PROTOCOL]).load(2, R1, FRAME, self.scratch).jump_if(R1, "!=", TCP, "out")
        for argument, field in ((OLD, _OLD), (NEW, _NEW)):
            program.load(8, R7, R9, 8 * at[argument]).store(1, FRAME, self.field(field), R7)
        program.store(8, FRAME, self.field(At.SOCK), R6)
        self.endpoints(program)
        # skc_num is cleared before the transition to CLOSE, inet_sport is not.
        program.read_kernel(self.field(_BOUND), 2, R6, at[BOUND])
        self.inode(program, R6, R7)
        if self.socket_timers:
            program.store_value(4, FRAME, self.scratch, 0).lookup(self.running.fd, self.scratch).jump_if(R0, "==", 0, "by another")
            program.load(8, R1, R0, 0).jump_if(R1, "!=", R6, "by another").store_value(1, FRAME, self.field(_IN_TIMER), 1)
            program.label("by another")
        if self.stacks is not None:
            program.move(R1, R9).move_map(R2, self.stacks.fd).move_value(R3, 0).call(Helper.STACK).add(R0, 1)
            program.store(4, FRAME, self.field(_STACK), R0)
        return self._finish(program, Event.TRANSITION)

    def _destroyed(self) -> bytes:
        program = self._begin(DESTROYED)
        program.read_kernel(self.scratch, 8, R6, self.layout[NET])
        self._empty_record(program)
        self.only_wanted(program, self.scratch)
        program.store(8, FRAME, self.field(At.SOCK), R6)
        return self._finish(program, Event.DESTROYED)

    def _timer(self, argument: Argument, event: Event) -> bytes:
        program, at = self._begin(argument), self.layout
        states = {name: number for number, name in state_names(at).items()}
        new = self.field(_NEW)
        program.read_kernel(self.scratch, 8, R6, at[TIMER_FUNCTION]).load(8, R7, FRAME, self.scratch)
        for name in MINISOCK_TIMERS:
            program.move_wide(R1, self.timers[name]).jump_if(R7, "==", R1, name)
        if event is Event.TIMER_EXPIRED:
            self._remember(program)
        program.jump("out")
        program.label(REQUEST_TIMER).add(R6, -at[REQUEST])
        self._empty_record(program)
        program.store_value(1, FRAME, new, states["NEW_SYN_RECV"]).jump("minisock")
        program.label(TIME_WAIT_TIMER).add(R6, -at[TIME_WAIT])
        self._empty_record(program)
        program.read_kernel(new, 1, R6, at[SUBSTATE]).label("minisock")
        self.read_common(program, R6)
        self.only_wanted(program, self.common(NET))
        program.store(8, FRAME, self.field(At.SOCK), R6)
        self.endpoints(program)
        program.load(1, R7, FRAME, new)
        connection = self.field(At.SPACE)
        if event is Event.TIMER_STARTED:
            program.jump_if(R7, "!=", states["FIN_WAIT2"], "whole").update(
                self.halfway.fd, self.field(At.SPACE), self.field(At.SOCK)
            )
            program.jump_if(R0, "==", 0, "remembered")
            self.count_lost(program)
            program.jump("remembered").label("whole")
        program.jump_if(R7, "==", states["NEW_SYN_RECV"], "remembered").delete(self.halfway.fd, connection).label("remembered")
        return self._finish(program, event)

    def _remember(self, program: Assembler) -> None:
        """Note for this processor whose timer begins; R7 is the timer's function. What is not a socket's needs no note."""
        for function, place in self.socket_timers.items():
            program.move_wide(R1, function).jump_if(R7, "!=", R1, f"not {function}").add(R6, -place).jump("note")
            program.label(f"not {function}")
        if self.socket_timers:
            program.jump("out").label("note").store_value(4, FRAME, self.scratch, 0).lookup(self.running.fd, self.scratch)
            program.jump_if(R0, "==", 0, "out").store(8, R0, 0, R6)

    def _finished(self) -> bytes:
        """Whichever timer ends on this processor, none of a socket's is running on it any more."""
        program = Assembler().store_value(4, FRAME, self.scratch, 0).lookup(self.running.fd, self.scratch)
        return program.jump_if(R0, "==", 0, "out").store_value(8, R0, 0, 0).label("out").exit().code()

    def _turn(self) -> bytes:
        program, at = self._begin(PACKET), self.layout
        states = {name: number for number, name in state_names(at).items()}
        program.read_kernel(self.scratch, 8, R6, at[DEVICE]).load(8, R7, FRAME, self.scratch).jump_if(R7, "==", 0, "out")
        program.read_kernel(self.scratch, 8, R7, at[DEVICE_NET])
        self._empty_record(program)
        self.only_wanted(program, self.scratch)
        self.packet_endpoints(program)
        program.lookup(self.halfway.fd, self.field(At.SPACE)).jump_if(R0, "==", 0, "out").load(8, R6, R0, 0)
        program.read_kernel(self.field(_NEW), 1, R6, at[SUBSTATE]).load(1, R7, FRAME, self.field(_NEW))
        program.jump_if(R7, "!=", states["TIME_WAIT"], "out").delete(self.halfway.fd, self.field(At.SPACE))
        program.store(8, FRAME, self.field(At.SOCK), R6).read_kernel(self.field(At.COOKIE), 8, R6, at[COOKIE])
        return self._finish(program, Event.TIMER_STARTED)
