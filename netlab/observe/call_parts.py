"""What the BPF programs of system calls and of processes have in common: whom to follow, what is behind a descriptor, handing over.

``F`` is where a record's members stand on a program's stack; below it lie words of scratch. R6 to R9 survive the kernel's helpers;
R9 is the running task wherever a part needs one, R8 the form of the call. Refuses to know which program a part is for.
"""

from dataclasses import dataclass

from netlab.observe import call_layout as ask
from netlab.observe.assembler import FRAME, R0, R1, R2, R3, R4, Assembler, Helper, Register
from netlab.observe.call_layout import Flag
from netlab.observe.call_maps import CallMaps
from netlab.observe.call_records import AT, HEAD, SIZE, Kind
from netlab.observe.clock import ProbeClock
from netlab.observe.layout import Layout, Member

R6, R7, R8, R9 = Register.R6, Register.R7, Register.R8, Register.R9
START = -SIZE
F = {name: START + place for name, place in AT.items()}
WORD, NEXT, POINTER, LENGTH, VECTOR, VECTOR_LENGTH, MODE, OTHER_MODE = (START - 8 * n for n in range(1, 9))
SCRATCH = OTHER_MODE
_FORMAT, SOCKET, NOT_OPEN = 0xF000, 0xC000, 1
MESSAGE = {"name": 0, "name_length": 8, "vector": 16, "count": 24, "control": 32, "control_length": 40, "flags": 48}


@dataclass(frozen=True, kw_only=True)
class ProgramParts:
    """Writes parts of programs for one kernel, against the maps that they share."""

    layout: Layout
    clock: ProbeClock
    maps: CallMaps

    def only_watched(self, program: Assembler) -> None:
        """R9 becomes the running task; leaves unless its namespace is watched and it is not hidden."""
        at = self.layout
        program.call(Helper.TASK).move(R9, R0)
        program.read_kernel(WORD, 8, R9, at[ask.NSPROXY]).load(8, R3, FRAME, WORD).jump_if(R3, "==", 0, "out")
        program.read_kernel(WORD, 8, R3, at[ask.NET_NS]).load(8, R3, FRAME, WORD)
        program.read_kernel(NEXT, 8, R3, at[ask.NET_COOKIE])
        program.lookup(self.maps.namespaces.fd, NEXT).jump_if(R0, "==", 0, "out")
        program.call(Helper.PROCESS).move(R1, R0).shift_right(R1, 32).store(8, FRAME, WORD, R1).store(8, FRAME, POINTER, R0)
        program.lookup(self.maps.hidden.fd, WORD).jump_if(R0, "!=", 0, "out")
        program.zero(START, SIZE)
        for frame, place in ((NEXT, "net"), (POINTER, "tid")):
            program.load(8, R1, FRAME, frame).store(8, FRAME, F[place], R1)
        program.move(R1, FRAME).add(R1, F["program"]).move_value(R2, 16).call(Helper.PROGRAM_NAME)

    def stamp(self, program: Assembler, place: str) -> None:
        """The time, to that place of the record on the stack."""
        program.call(self.clock.helper).store(8, FRAME, F[place], R0)

    def count_lost(self, program: Assembler) -> None:
        """One more record found no room."""
        program.store_value(4, FRAME, WORD, 0).lookup(self.maps.lost.fd, WORD).jump_if(R0, "==", 0, "out")
        program.move_value(R1, 1).add_atomic(R0, 0, R1)

    def emit(self, program: Assembler, kind: Kind, size: int) -> bytes:
        """Hand over the first ``size`` bytes of the record on the stack, and end the program."""
        program.store_value(2, FRAME, F["kind"], kind)
        self.stamp(program, "ended")
        program.move_map(R1, self.maps.ring.map.fd).move(R2, FRAME).add(R2, START).move_value(R3, size).move_value(R4, 0)
        program.call(Helper.RING_OUTPUT).jump_if(R0, "==", 0, "out")
        self.count_lost(program)
        return program.label("out").exit().code()

    def when(self, program: Assembler, flag: Flag, label: str) -> None:
        """Go on at ``no`` + label unless the form in R8 has the flag."""
        program.load(4, R1, R8, 0).jump_if(R1, "&", flag, label).jump(f"no {label}").label(label)

    def behind(self, program: Assembler, label: str, inode: int, mode: int) -> None:
        """What is behind descriptor R7 of task R9: its file's format, and the inode's number if it is a socket's."""
        at = self.layout

        def follow(member: Member, size: int = 8) -> None:
            program.read_kernel(WORD, size, R3, at[member]).load(size, R3, FRAME, WORD)

        program.store_value(8, FRAME, mode, NOT_OPEN).move(R3, R9)
        follow(ask.FILES)
        program.jump_if(R3, "==", 0, f"{label} end")
        follow(ask.TABLE)
        program.store(8, FRAME, NEXT, R3)
        follow(ask.TABLE_SIZE, 4)
        program.jump_if(R7, ">=", R3, f"{label} end").load(8, R3, FRAME, NEXT)
        follow(ask.TABLE_FILES)
        program.move(R1, R7).shift_left(R1, 3).add_register(R3, R1).read_kernel(WORD, 8, R3, 0).load(8, R3, FRAME, WORD)
        program.jump_if(R3, "==", 0, f"{label} end")
        follow(ask.FILE_INODE)
        program.store(8, FRAME, NEXT, R3)
        follow(ask.INODE_MODE, 2)
        program.and_value(R3, _FORMAT).store(8, FRAME, mode, R3).jump_if(R3, "!=", SOCKET, f"{label} end")
        program.load(8, R3, FRAME, NEXT).read_kernel(inode, 8, R3, at[ask.INODE_NUMBER]).label(f"{label} end")

    def choose(self, program: Assembler, base: Register, message: int, extra: int) -> None:
        """Pointer and length of a message's address or, without one, of its control messages."""
        program.load(8, R1, base, message + MESSAGE["name"]).load(4, R2, base, message + MESSAGE["name_length"])
        program.jump_if(R1, "==", 0, "control").jump_if(R2, "!=", 0, "chosen").label("control")
        program.load(8, R1, base, message + MESSAGE["control"]).load(8, R2, base, message + MESSAGE["control_length"])
        program.store_value(4, FRAME, extra + 12, 1).label("chosen")
        program.store(8, FRAME, POINTER, R1).store(8, FRAME, LENGTH, R2)

    def emit_inside(self, program: Assembler) -> None:
        """The record in R6 goes to the ring, as short as it is, and out of ``inside``; the tid is on the stack."""
        program.move_value(R3, HEAD.size).load(2, R1, R6, AT["size"]).jump_if(R1, "==", 0, "bare").move_value(R3, SIZE)
        program.label("bare").move_map(R1, self.maps.ring.map.fd).move(R2, R6).move_value(R4, 0)
        program.call(Helper.RING_OUTPUT).move(R7, R0).delete(self.maps.inside.fd, F["tid"]).jump_if(R7, "==", 0, "sent")
        program.store_value(4, FRAME, WORD, 0).lookup(self.maps.lost.fd, WORD).jump_if(R0, "==", 0, "sent")
        program.move_value(R1, 1).add_atomic(R0, 0, R1).label("sent")
