"""The BPF programs on the life of processes: forks, execs, ends, signals. Refuses to know what follows from a record."""

from collections.abc import Iterator

from netlab.observe import call_layout as ask
from netlab.observe.assembler import FRAME, R0, R1, R2, R3, R4, Assembler, Helper
from netlab.observe.call_parts import NEXT, R6, R7, R8, R9, WORD, F, ProgramParts
from netlab.observe.call_records import AT, DATA_SIZE, HEAD, SIZE, Kind


class ProcessPrograms(ProgramParts):
    """The programs on the scheduler's and the signals' tracepoints."""

    def programs(self) -> Iterator[tuple[str, bytes]]:
        """Each tracepoint and its program."""
        yield ask.CHILD.tracepoint, self._forked()
        yield ask.IMAGE.tracepoint, self._executed()
        yield ask.EXITED, self._exited()
        yield ask.SIGNALLED.tracepoint, self._signalled()

    def _forked(self) -> bytes:
        at = self.layout
        program = Assembler().load(8, R6, R1, 8 * at[ask.CHILD])
        self.only_watched(program)
        program.read_kernel(F["result"], 4, R6, at[ask.PID]).read_kernel(F["other"], 4, R6, at[ask.TGID])
        program.read_kernel(F["data"], 16, R6, at[ask.NAME]).store_value(2, FRAME, F["size"], 16)
        return self.emit(program, Kind.FORK, SIZE)

    def _executed(self) -> bytes:
        # A thread that is not its process' first takes the first one's number: the call goes on under that.
        at = self.layout
        program = Assembler().load(8, R6, R1, 8 * at[ask.IMAGE]).load(8, R7, R1, 8 * at[ask.OLD_PID])
        program.store(8, FRAME, NEXT, R7).call(Helper.PROCESS).store(8, FRAME, WORD, R0).load(4, R1, FRAME, WORD)
        program.load(4, R2, FRAME, NEXT).jump_if(R1, "==", R2, "same")
        program.lookup(self.maps.inside.fd, NEXT).jump_if(R0, "==", 0, "same").move(R3, R0)
        program.move_map(R1, self.maps.inside.fd).move(R2, FRAME).add(R2, WORD).move_value(R4, 0).call(Helper.UPDATE)
        program.delete(self.maps.inside.fd, NEXT).label("same")
        self.only_watched(program)
        program.store(4, FRAME, F["result"], R7).read_kernel(WORD, 8, R6, at[ask.PATH])
        program.move(R1, FRAME).add(R1, F["data"]).move_value(R2, DATA_SIZE).load(8, R3, FRAME, WORD)
        program.call(Helper.READ_KERNEL_TEXT).jump_if(R0, "s<", 0, "unnamed").store(2, FRAME, F["size"], R0).label("unnamed")
        return self.emit(program, Kind.EXEC, SIZE)

    def _exited(self) -> bytes:
        at = self.layout
        dead = at.get(ask.GROUP_DEAD)
        program = Assembler()
        if dead is not None:
            program.load(8, R8, R1, 8 * dead)
        program.call(Helper.PROCESS).store(8, FRAME, F["tid"], R0)
        program.lookup(self.maps.inside.fd, F["tid"]).jump_if(R0, "==", 0, "sent").move(R6, R0)
        program.store_value(2, R6, AT["kind"], Kind.UNFINISHED).call(self.clock.helper).store(8, R6, AT["ended"], R0)
        self.emit_inside(program)
        program.call(Helper.TASK).move(R9, R0).read_kernel(WORD, 8, R9, at[ask.SIGNAL]).load(8, R6, FRAME, WORD)
        if dead is None:
            # Linux before 6.16 does not say it; the count of live threads has been taken down by then.
            program.read_kernel(WORD, 4, R6, at[ask.LIVE]).load(4, R1, FRAME, WORD).move_value(R8, 0)
            program.jump_if(R1, "!=", 0, "alive").move_value(R8, 1).label("alive")
        # The number of a hidden process may be another's once it has ended.
        program.jump_if(R8, "==", 0, "not last").lookup(self.maps.hidden.fd, F["pid"]).jump_if(R0, "==", 0, "not last")
        program.delete(self.maps.hidden.fd, F["pid"]).jump("out").label("not last")
        self.only_watched(program)
        program.store(1, FRAME, F["result"], R8)
        program.read_kernel(F["other"], 4, R9, at[ask.EXIT_CODE]).read_kernel(F["made"], 4, R6, at[ask.GROUP_CODE])
        program.read_kernel(F["length"], 4, R6, at[ask.GROUP_FLAGS])
        return self.emit(program, Kind.EXIT, HEAD.size)

    def _signalled(self) -> bytes:
        at = self.layout
        program = Assembler().load(8, R6, R1, 8 * at[ask.SIGNALLED]).load(8, R7, R1, 8 * at[ask.ACTION])
        program.load(8, R8, R1, 8 * at[ask.INFORMATION])
        self.only_watched(program)
        program.store(4, FRAME, F["result"], R6).store(8, FRAME, F["length"], R8)
        program.read_kernel(F["inode"], 8, R7, at[ask.HANDLER]).read_kernel(F["other"], 8, R7, at[ask.HANDLER_FLAGS])
        program.read_kernel(WORD, 8, R9, at[ask.SIGNAL]).load(8, R3, FRAME, WORD)
        program.read_kernel(F["made"], 4, R3, at[ask.GROUP_CODE])
        return self.emit(program, Kind.SIGNAL, HEAD.size)
