"""The BPF programs that follow system calls and the processes that make them.

A call's record is begun when it is entered, in the map ``inside``, and goes to the ring when it returns, or when its thread ends
inside. A call of a namespace that is not watched, or of no interest by ``call_names``, is left after a few look-ups. Refuses to
know what a record means.
"""

import socket
from collections.abc import Iterator

from netlab.observe import call_layout as ask
from netlab.observe.assembler import FRAME, R0, R1, R2, R3, R4, Assembler, Helper, Register
from netlab.observe.call_layout import PLACE, Flag
from netlab.observe.call_maps import NUMBERS
from netlab.observe.call_parts import (
    LENGTH,
    MESSAGE,
    MODE,
    NEXT,
    NOT_OPEN,
    OTHER_MODE,
    POINTER,
    R6,
    R7,
    R8,
    R9,
    SCRATCH,
    SOCKET,
    START,
    VECTOR,
    VECTOR_LENGTH,
    WORD,
    F,
    ProgramParts,
)
from netlab.observe.call_records import AT, DATA_SIZE, Kind

_FILES = (0x8000, 0x4000, 0x2000, 0x6000, 0xA000)  # regular, directory, character and block device, symbolic link
_IOVECS = DATA_SIZE // 16
_MESSAGE_SIZE = 56
_IN_CHUNK = ask.CHUNK - 8


class CallPrograms(ProgramParts):
    """The programs on the entry to and the return from system calls."""

    def programs(self) -> Iterator[tuple[str, bytes]]:
        """Each tracepoint and its program. That of entries comes last, since with it recording begins."""
        yield ask.LEFT.tracepoint, self._left()
        yield ask.ENTERED.tracepoint, self._entered()

    def _register(self, program: Assembler, place: str, frame: int, size: int = 8) -> None:
        """The argument whose place the form in R8 has, to the stack."""
        program.load(2, R3, R8, PLACE[place]).add_register(R3, R6).store_value(8, FRAME, frame, 0).read_kernel(frame, size, R3, 0)

    def _user(self, program: Assembler, frame: int, size: int, pointer: int, label: str) -> None:
        """Copy ``size`` bytes of the program's memory from the address at ``pointer`` on the stack; to the label if it cannot."""
        program.move(R1, FRAME).add(R1, frame).move_value(R2, size).load(8, R3, FRAME, pointer)
        program.call(Helper.READ_USER).jump_if(R0, "!=", 0, label)

    def _entered(self) -> bytes:
        at, program = self.layout, Assembler()
        program.load(8, R6, R1, 8 * at[ask.ENTERED]).load(8, R7, R1, 8 * at[ask.NUMBER]).jump_if(R7, ">=", NUMBERS, "out")
        program.store(8, FRAME, WORD, R7).lookup(self.maps.wanted.fd, WORD).jump_if(R0, "==", 0, "out").move(R8, R0)
        program.load(4, R1, R8, 0).jump_if(R1, "==", 0, "out")
        self.only_watched(program)
        place, bit = ask.foreign(at)
        program.read_kernel(WORD, 4, R9, place).load(4, R1, FRAME, WORD).jump_if(R1, "&", bit, "foreign")
        program.zero(SCRATCH, START - SCRATCH)
        program.store(4, FRAME, F["number"], R7)
        program.read_kernel(F["registers"], ask.CHUNK, R6, min(ask.argument_places(at)))
        self._descriptors(program)
        self._kept(program)
        self._given(program)
        program.store_value(2, FRAME, F["kind"], Kind.CALL)
        self.stamp(program, "began")
        program.update(self.maps.inside.fd, F["tid"], START).jump_if(R0, "==", 0, "out")
        self.count_lost(program)
        program.jump("out").label("foreign").update(self.maps.foreign.fd, F["pid"], F["net"], only_new=True)
        return program.label("out").exit().code()

    def _descriptors(self, program: Assembler) -> None:
        for flag, place, inode, mode in ((Flag.FD, "fd", "inode", MODE), (Flag.OTHER, "other", "other", OTHER_MODE)):
            self.when(program, flag, place)
            self._register(program, place, WORD, 4)
            program.load(4, R7, FRAME, WORD)
            self.behind(program, place, F[inode], mode)
            program.label(f"no {place}")

    def _kept(self, program: Assembler) -> None:
        program.load(4, R1, R8, 0).load(8, R2, FRAME, MODE).load(8, R3, FRAME, OTHER_MODE)
        for flag, label in ((Flag.ONLY_SOCKET, "socket"), (Flag.ONLY_CHANNEL, "channel"), (Flag.EITHER, "either")):
            program.jump_if(R1, "&", flag, label)
        program.jump("kept").label("either").jump_if(R3, "==", SOCKET, "kept")
        program.label("socket").jump_if(R2, "==", SOCKET, "kept").jump_if(R2, "==", NOT_OPEN, "kept").jump("out")
        program.label("channel")
        for mode in _FILES:
            program.jump_if(R2, "==", mode, "out")
        program.label("kept")

    def _given(self, program: Assembler) -> None:
        self.when(program, Flag.WAIT, "wait")
        self._register(program, "wait", POINTER)
        self._user(program, F["extra"], 16, POINTER, "no wait")
        program.label("no wait")
        self.when(program, Flag.VECTOR, "vector")
        self._register(program, "vector", VECTOR)
        self._register(program, "vector_count", VECTOR_LENGTH)
        program.label("no vector")
        self.when(program, Flag.MESSAGE, "message")
        self._register(program, "given", POINTER)
        self._user(program, F["data"], _MESSAGE_SIZE, POINTER, "unreadable")
        for name, frame in (("vector", VECTOR), ("count", VECTOR_LENGTH)):
            program.load(8, R1, FRAME, F["data"] + MESSAGE[name]).store(8, FRAME, frame, R1)
        program.load(4, R1, R8, 0).jump_if(R1, "&", Flag.MESSAGE_GIVEN, "addressed").label("unreadable")
        program.store_value(8, FRAME, POINTER, 0).jump("no message").label("addressed")
        self.choose(program, FRAME, F["data"], F["extra"])
        program.label("no message")
        self._add_up(program)
        self.when(program, Flag.GIVEN, "given")
        self._register(program, "given", POINTER)
        program.load(2, R4, R8, PLACE["given_unit"]).store(8, FRAME, LENGTH, R4)
        self.when(program, Flag.GIVEN_COUNTED, "counted")
        self._register(program, "given_count", WORD, 4)
        program.load(2, R4, R8, PLACE["given_unit"]).load(8, R1, FRAME, WORD).multiply(R4, R1).store(8, FRAME, LENGTH, R4)
        program.label("no counted").label("no given")
        program.load(8, R2, FRAME, LENGTH).jump_if(R2, "<", DATA_SIZE + 1, "short").move_value(R2, DATA_SIZE).label("short")
        program.jump_if(R2, "==", 0, "nothing").store(8, FRAME, LENGTH, R2)
        program.move(R1, FRAME).add(R1, F["data"]).load(8, R3, FRAME, POINTER)
        program.call(Helper.READ_USER).jump_if(R0, "!=", 0, "nothing")
        program.load(8, R1, FRAME, LENGTH).store(2, FRAME, F["size"], R1)
        self._passed(program, FRAME, F["extra"], F["data"])
        self.behind(program, "passed", F["other"], MODE)
        program.label("nothing")
        self.when(program, Flag.TEXT, "text")
        self._register(program, "given", POINTER)
        program.move(R1, FRAME).add(R1, F["data"]).move_value(R2, DATA_SIZE).load(8, R3, FRAME, POINTER)
        program.call(Helper.READ_USER_TEXT).jump_if(R0, "s<", 0, "no text").store(2, FRAME, F["size"], R0).label("no text")

    def _add_up(self, program: Assembler) -> None:
        """The bytes of the first iovecs, to the record's length; their number to its extra."""
        program.load(8, R2, FRAME, VECTOR_LENGTH).jump_if(R2, "==", 0, "added").store(8, FRAME, F["extra"], R2)
        program.jump_if(R2, "<", _IOVECS + 1, "few").move_value(R2, _IOVECS).label("few").shift_left(R2, 4)
        program.zero(F["data"], DATA_SIZE).move(R1, FRAME).add(R1, F["data"]).load(8, R3, FRAME, VECTOR)
        program.call(Helper.READ_USER).jump_if(R0, "!=", 0, "added").move_value(R2, 0)
        for index in range(_IOVECS):
            program.load(8, R1, FRAME, F["data"] + 16 * index + 8).add_register(R2, R1)
        program.store(8, FRAME, F["length"], R2).label("added")

    def _left(self) -> bytes:
        program = Assembler().load(8, R7, R1, 8 * self.layout[ask.LEFT])
        program.call(Helper.PROCESS).store(8, FRAME, F["tid"], R0)
        program.lookup(self.maps.inside.fd, F["tid"]).jump_if(R0, "==", 0, "out").move(R6, R0).store(8, R6, AT["result"], R7)
        program.load(4, R1, R6, AT["number"]).store(8, FRAME, F["number"], R1)
        program.lookup(self.maps.wanted.fd, F["number"]).jump_if(R0, "==", 0, "told").move(R8, R0)
        program.call(Helper.TASK).move(R9, R0).zero(SCRATCH, START - SCRATCH)
        program.load(4, R1, R8, 0).jump_if(R1, "&", Flag.AGAIN, "again").jump("no again").label("again")
        program.load(2, R1, R6, AT["size"]).jump_if(R1, "==", 0, "gave").jump("told")
        program.label("no again").jump_if(R7, "s<", 0, "told")
        self.when(program, Flag.MAKES, "makes")
        self._made(program, "made", "result")
        program.label("no makes")
        self._gave(program)
        self.when(program, Flag.PAIR, "pair")
        for place, offset in (("made", 0), ("other", 4)):
            program.load(4, R7, R6, AT["data"] + offset)
            self._made(program, place, f"pair {place}")
        program.label("no pair").label("told").call(self.clock.helper).store(8, R6, AT["ended"], R0)
        self.emit_inside(program)
        return program.label("out").exit().code()

    def _made(self, program: Assembler, place: str, label: str) -> None:
        """The inode behind descriptor R7, to that place of the record in R6."""
        program.store_value(8, FRAME, F[place], 0)
        self.behind(program, label, F[place], MODE)
        program.load(8, R1, FRAME, F[place]).store(8, R6, AT[place], R1)

    def _copied(self, program: Assembler, place: str, frame: int) -> None:
        """The argument whose place in the copied chunk the form in R8 has, to the stack."""
        program.load(2, R3, R8, PLACE[place]).and_value(R3, _IN_CHUNK).add_register(R3, R6)
        program.load(8, R1, R3, AT["registers"]).store(8, FRAME, frame, R1)

    def _gave(self, program: Assembler) -> None:
        self.when(program, Flag.GAVE, "gave")
        self._copied(program, "gave", POINTER)
        program.load(2, R1, R8, PLACE["gave_unit"]).store(8, FRAME, LENGTH, R1)
        self.when(program, Flag.GAVE_COUNTED, "counted")
        self._copied(program, "gave_count", WORD)
        program.load(4, R1, FRAME, WORD).load(8, R2, FRAME, LENGTH).multiply(R1, R2).store(8, FRAME, LENGTH, R1)
        program.label("no counted")
        self.when(program, Flag.GAVE_MEASURED, "measured")
        self._copied(program, "gave_count", WORD)
        self._user(program, NEXT, 4, WORD, "untold")
        program.load(4, R1, FRAME, NEXT).store(8, FRAME, LENGTH, R1).label("no measured").jump("copy").label("no gave")
        self.when(program, Flag.MESSAGE_GAVE, "message")
        self._copied(program, "gave", POINTER)
        self._user(program, F["data"], _MESSAGE_SIZE, POINTER, "untold")
        program.load(4, R1, FRAME, F["data"] + MESSAGE["flags"]).store(4, R6, AT["extra"] + 8, R1)
        program.store_value(4, FRAME, F["extra"] + 12, 0)
        self.choose(program, FRAME, F["data"], F["extra"])
        program.load(4, R1, FRAME, F["extra"] + 12).store(4, R6, AT["extra"] + 12, R1)
        program.label("copy").load(8, R2, FRAME, LENGTH)
        program.jump_if(R2, "<", DATA_SIZE + 1, "short").move_value(R2, DATA_SIZE).label("short")
        program.jump_if(R2, "==", 0, "untold").store(8, FRAME, LENGTH, R2)
        program.move(R1, R6).add(R1, AT["data"]).load(8, R3, FRAME, POINTER)
        program.call(Helper.READ_USER).jump_if(R0, "!=", 0, "untold")
        program.load(8, R1, FRAME, LENGTH).store(2, R6, AT["size"], R1)
        self._passed(program, R6, AT["extra"], AT["data"], "untold")
        self._made(program, "made", "passed")
        program.label("untold").label("no message")

    def _passed(self, program: Assembler, base: Register, extra: int, data: int, otherwise: str = "nothing") -> None:
        """R7 becomes the first descriptor in control messages that begin with SCM_RIGHTS (cmsg(3)); else go on at the label."""
        program.load(4, R1, base, extra + 12).jump_if(R1, "!=", 1, otherwise)
        for at, value in ((8, socket.SOL_SOCKET), (12, socket.SCM_RIGHTS)):
            program.load(4, R1, base, data + at).jump_if(R1, "!=", value, otherwise)
        program.load(4, R7, base, data + 16)
