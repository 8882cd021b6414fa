"""The BPF programs that tell of resets, retransmissions, socket errors and dropped packets, and the records they write.

A dropped packet belongs to the namespace of the socket that it came in for, else of its device, else of the socket that sent it:
while a packet waits in a socket's queue, the memory that named its device holds other things. Refuses to know what follows.
"""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar

from netlab.observe.assembler import FRAME, R0, R1, R6, Assembler, Register
from netlab.observe.bpf import Map
from netlab.observe.drop_reasons import Reasons
from netlab.observe.kernel_source import Piece
from netlab.observe.layout import Argument, Member, Question
from netlab.observe.socket_programs import (
    BOUND,
    COOKIE,
    DEVICE,
    DEVICE_NET,
    FAMILY,
    HEAD,
    HEAD_OF_PACKET,
    NECESSARY,
    NET,
    NETWORK,
    OPTIONAL,
    PACKET_QUESTIONS,
    PROTOCOL,
    STATE,
    TCP,
    At,
    SocketPrograms,
    state_names,
)

R7, R8, R9 = Register.R7, Register.R8, Register.R9


class Happened(IntEnum):
    """What a record about a socket tells."""

    RESET_SENT = 1
    RESET_RECEIVED = 2
    SEGMENT_AGAIN = 3
    SYN_ACK_AGAIN = 4
    ERROR = 5


SOCKET_RECORD = struct.Struct(f"={HEAD} BBHI")
"""The head; what happened, the TCP state (0: none), the bound port (network order), and the reason or error number."""
_HAPPENED, _STATE, _BOUND, _DETAIL = 80, 81, 82, 84

DROP_RECORD = struct.Struct("=QQQQQ IIHHHxx 16s96s")
"""Time, the cookies of the device's namespace and of the socket, where in the kernel, the packet's namespace, the reason, where the
data end and where the network header begins, protocol (network order), family, interface, data from the network header on."""
_DEVICE_SPACE, _OWNER, _PLACE, _REASON, _TAIL, _NETWORK, _PROTOCOL, _FAMILY, _INTERFACE, _DATA = (
    8,
    16,
    24,
    40,
    44,
    48,
    50,
    52,
    56,
    72,
)
_NAME, DATA_SIZE = 16, 96

SENT, SENT_FOR, SENT_WHY = (
    Argument(tracepoint="tcp_send_reset", name="sk", pointed="sock"),
    Argument(tracepoint="tcp_send_reset", name="skb__nullable"),
    Argument(tracepoint="tcp_send_reset", name="reason"),
)
SENT_FOR_BEFORE = Argument(tracepoint="tcp_send_reset", name="skb", pointed="sk_buff")
RECEIVED = Argument(tracepoint="tcp_receive_reset", name="sk", pointed="sock")
AGAIN = Argument(tracepoint="tcp_retransmit_skb", name="sk", pointed="sock")
AGAIN_FAILED = Argument(tracepoint="tcp_retransmit_skb", name="err")
SYN_ACK = Argument(tracepoint="tcp_retransmit_synack", name="req", pointed="request_sock")
ERROR = Argument(tracepoint="inet_sk_error_report", name="sk", pointed="sock")
DROPPED, DROPPED_AT, DROPPED_WHY, DROPPED_FOR = (
    Argument(tracepoint="kfree_skb", name=name) for name in ("skb", "location", "reason", "rx_sk")
)
ERROR_NUMBER = Member(struct="sock", path="sk_err")
SENDER, TAIL, ETHERTYPE = (Member(struct="sk_buff", path=path) for path in ("sk", "tail", "protocol"))
DEVICE_NAME = Member(struct="net_device", path="name")
_ARGUMENTS = (SENT, SENT_FOR, SENT_WHY, SENT_FOR_BEFORE, RECEIVED, AGAIN, AGAIN_FAILED, SYN_ACK, ERROR)
QUESTIONS: tuple[Question, ...] = (
    *(*NECESSARY, *OPTIONAL, *PACKET_QUESTIONS),
    *(*_ARGUMENTS, DROPPED, DROPPED_AT, DROPPED_WHY, DROPPED_FOR, ERROR_NUMBER, SENDER, TAIL, ETHERTYPE, DEVICE_NAME),
)
"""All that the programs ask about a kernel."""
EXPECTED: tuple[Question, ...] = (*NECESSARY, *PACKET_QUESTIONS, SENT, SENT_WHY, RECEIVED, AGAIN, SYN_ACK, ERROR, DROPPED_WHY)
"""Without some of these, some events are not seen."""


@dataclass(frozen=True, kw_only=True)
class EventPrograms(SocketPrograms):
    """The programs about what happens to sockets."""

    SIZE: ClassVar[int] = SOCKET_RECORD.size

    def pieces(self) -> Iterator[Piece]:
        """Each tracepoint, its program, and what it tells of."""
        yield Piece(tracepoint=SENT.tracepoint, write=self._reset_sent, sees="resets that were sent")
        for argument, happened, sees in (
            (RECEIVED, Happened.RESET_RECEIVED, "resets that came"),
            (AGAIN, Happened.SEGMENT_AGAIN, "retransmissions of segments"),
            (SYN_ACK, Happened.SYN_ACK_AGAIN, "retransmissions of SYN-ACKs"),
            (ERROR, Happened.ERROR, "socket errors"),
        ):
            write = {Happened.ERROR: self._error, Happened.SYN_ACK_AGAIN: self._syn_ack}.get(happened)
            yield Piece(tracepoint=argument.tracepoint, write=write or self._plainly(argument, happened), sees=sees)

    def _begin(self, argument: Argument, happened: Happened) -> Assembler:
        program = Assembler().move(R9, R1).load(8, R6, R9, 8 * self.layout[argument]).zero(self.start, self.SIZE)
        return program.store_value(1, FRAME, self.field(_HAPPENED), happened)

    def _identify(self, program: Assembler) -> None:
        """Go out unless the socket R6 is in a watched namespace; else write its ends and its state."""
        self.read_common(program, R6)
        self.only_wanted(program, self.common(NET))
        program.store(8, FRAME, self.field(At.SOCK), R6)
        self.endpoints(program)
        program.load(1, R1, FRAME, self.common(STATE)).store(1, FRAME, self.field(_STATE), R1)

    def _whole(self, program: Assembler) -> None:
        """What only full sockets have."""
        program.read_kernel(self.field(_BOUND), 2, R6, self.layout[BOUND])
        self.inode(program, R6, R7)

    def _plainly(self, argument: Argument, happened: Happened) -> Callable[[], bytes]:
        def write() -> bytes:
            program = self._begin(argument, happened)
            failed = self.layout.get(AGAIN_FAILED) if argument is AGAIN else None
            if failed is not None:
                program.load(8, R1, R9, 8 * failed).jump_if(R1, "!=", 0, "out")  # then nothing went out
            self._identify(program)
            self._whole(program)
            return self.emit(program)

        return write

    def _syn_ack(self) -> bytes:
        program = self._begin(SYN_ACK, Happened.SYN_ACK_AGAIN)
        self._identify(program)
        return self.emit(program)

    def _error(self) -> bytes:
        program = self._begin(ERROR, Happened.ERROR)
        self._identify(program)
        # The same tracepoint says that something waits in the error queue, with no error.
        program.read_kernel(self.field(_DETAIL), 4, R6, self.layout[ERROR_NUMBER])
        program.load(4, R1, FRAME, self.field(_DETAIL)).jump_if(R1, "==", 0, "out")
        program.read_kernel(self.scratch, 2, R6, self.layout[PROTOCOL]).load(2, R1, FRAME, self.scratch)
        program.jump_if(R1, "==", TCP, "TCP").store_value(1, FRAME, self.field(_STATE), 0).label("TCP")
        self._whole(program)
        return self.emit(program)

    def _reset_sent(self) -> bytes:
        """The answer to a segment for no socket, or for a listener, has its ends from that segment."""
        program, at = self._begin(SENT, Happened.RESET_SENT), self.layout
        states = {name: number for number, name in state_names(at).items()}
        packet = at.get(SENT_FOR) if at.get(SENT_FOR) is not None else at.get(SENT_FOR_BEFORE)
        why = at.get(SENT_WHY)
        if why is not None:
            program.load(8, R1, R9, 8 * why).store(4, FRAME, self.field(_DETAIL), R1)
        program.jump_if(R6, "==", 0, "no socket")
        self._identify(program)
        program.load(1, R7, FRAME, self.field(_STATE))
        program.jump_if(R7, "==", states["LISTEN"], "listener")
        for minisock in ("TIME_WAIT", "NEW_SYN_RECV"):
            program.jump_if(R7, "==", states[minisock], "whole")
        self._whole(program)
        program.jump("whole").label("no socket")
        if packet is None:
            program.jump("out").label("listener")
        else:
            program.load(8, R6, R9, 8 * packet).jump_if(R6, "==", 0, "out")
            program.read_kernel(self.scratch, 8, R6, at[DEVICE]).load(8, R7, FRAME, self.scratch).jump_if(R7, "==", 0, "out")
            program.read_kernel(self.scratch, 8, R7, at[DEVICE_NET])
            self.only_wanted(program, self.scratch)
            program.jump("its ends").label("listener")
            self.inode(program, R6, R7, "listener's inode")
            program.load(8, R6, R9, 8 * packet).jump_if(R6, "==", 0, "whole").label("its ends")
            self.packet_endpoints(program)
        program.label("whole")
        return self.emit(program)


@dataclass(frozen=True, kw_only=True)
class DropPrograms(SocketPrograms):
    """The program about dropped packets. ``listening`` says whether frees without a reason are told of too (for the canary's)."""

    reasons: Reasons
    listening: Map

    SIZE: ClassVar[int] = DROP_RECORD.size

    def pieces(self) -> Iterator[Piece]:
        """The tracepoint and its program."""
        yield Piece(tracepoint=DROPPED.tracepoint, write=self._dropped, sees="dropped packets")

    def _dropped(self) -> bytes:
        at = self.layout
        program = Assembler().load(8, R7, R1, 8 * at[DROPPED_WHY])
        for number in self.reasons.ordinary:
            program.jump_if(R7, "==", number, "out")
        program.move(R9, R1)
        if self.reasons.unsaid is not None:
            program.jump_if(R7, "!=", self.reasons.unsaid, "dropped").store_value(4, FRAME, self.scratch, 0)
            program.lookup(self.listening.fd, self.scratch).jump_if(R0, "==", 0, "out")
            program.load(8, R1, R0, 0).jump_if(R1, "==", 0, "out").label("dropped")
        program.zero(self.start, self.SIZE).store(4, FRAME, self.field(_REASON), R7).load(8, R6, R9, 8 * at[DROPPED])
        self._attribute(program)
        program.load(8, R1, R9, 8 * at[DROPPED_AT]).store(8, FRAME, self.field(_PLACE), R1)
        self._describe(program)
        return self.emit(program)

    def _attribute(self, program: Assembler) -> None:
        at = self.layout
        receiver = at.get(DROPPED_FOR)
        if receiver is not None:
            program.load(8, R8, R9, 8 * receiver).jump_if(R8, "!=", 0, "socket")
        program.read_kernel(self.scratch, 8, R6, at[DEVICE]).load(8, R8, FRAME, self.scratch).jump_if(R8, "==", 0, "no device")
        program.read_kernel(self.scratch, 8, R8, at[DEVICE_NET])
        self.only_wanted(program, self.scratch, "no such device")
        program.jump("attributed").label("no such device")
        # A device in another namespace decides; what is no device at all has no cookie.
        program.load(8, R1, FRAME, self.field(At.SPACE)).jump_if(R1, "!=", 0, "out").label("no device")
        program.read_kernel(self.scratch, 8, R6, at[SENDER]).load(8, R8, FRAME, self.scratch).jump_if(R8, "==", 0, "out")
        program.label("socket")
        self.read_common(program, R8)
        self.only_wanted(program, self.common(NET))
        program.load(8, R1, FRAME, self.common(COOKIE)).store(8, FRAME, self.field(_OWNER), R1)
        program.load(2, R1, FRAME, self.common(FAMILY)).store(2, FRAME, self.field(_FAMILY), R1)
        program.label("attributed")

    def _describe(self, program: Assembler) -> None:
        at = self.layout
        program.read_kernel(self.scratch, 8, R6, at[DEVICE]).load(8, R8, FRAME, self.scratch).jump_if(R8, "==", 0, "nameless")
        program.read_kernel(self.field(_INTERFACE), _NAME, R8, at[DEVICE_NAME])
        program.read_kernel(self.scratch, 8, R8, at[DEVICE_NET]).load(8, R8, FRAME, self.scratch)
        self.read_net_cookie(program, R8, self.field(_DEVICE_SPACE))
        program.label("nameless")
        for field, size, member in ((_TAIL, 4, TAIL), (_NETWORK, 2, NETWORK), (_PROTOCOL, 2, ETHERTYPE)):
            program.read_kernel(self.field(field), size, R6, at[member])
        program.read_kernel(self.scratch, 8, R6, at[HEAD_OF_PACKET]).load(8, R8, FRAME, self.scratch)
        program.load(2, R1, FRAME, self.field(_NETWORK)).add_register(R8, R1)
        # Behind the data there are always more bytes of the same memory (struct skb_shared_info), so this cannot fault.
        program.read_kernel(self.field(_DATA), DATA_SIZE, R8, 0)
