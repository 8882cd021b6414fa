"""An assembler for BPF: instructions by name, labels, and the few idioms that every observer's program needs.

It refuses to know what is observed: which structures, which offsets, which records.
"""

import struct
from enum import IntEnum
from typing import Self

_LOAD = {1: 0x71, 2: 0x69, 4: 0x61, 8: 0x79}
_STORE = {1: 0x73, 2: 0x6B, 4: 0x63, 8: 0x7B}
_STORE_VALUE = {1: 0x72, 2: 0x6A, 4: 0x62, 8: 0x7A}
_JUMP = {"==": 0x15, "!=": 0x55, ">": 0x25, "<": 0xA5, ">=": 0x35, "&": 0x45, "s<": 0xC5}
_BY_REGISTER = 0x08
_CALLED_MAP = 1


class Register(IntEnum):
    """BPF's registers: R0 results, R1 to R5 arguments and scratch, R6 to R9 survive calls, FRAME is the stack's top."""

    R0 = 0
    R1 = 1
    R2 = 2
    R3 = 3
    R4 = 4
    R5 = 5
    R6 = 6
    R7 = 7
    R8 = 8
    R9 = 9
    FRAME = 10


class Helper(IntEnum):
    """The kernel's helper functions that netlab calls, by their number in the ABI (linux/bpf.h)."""

    LOOKUP = 1
    UPDATE = 2
    DELETE = 3
    MONOTONIC = 5
    PROCESSOR = 8
    PROCESS = 14
    PROGRAM_NAME = 16
    STACK = 27
    TASK = 35
    READ_USER = 112
    READ_KERNEL = 113
    READ_USER_TEXT = 114
    READ_KERNEL_TEXT = 115
    RING_OUTPUT = 130
    TAI = 208


R0, R1, R2, R3, R4, R6, FRAME = (
    Register.R0,
    Register.R1,
    Register.R2,
    Register.R3,
    Register.R4,
    Register.R6,
    Register.FRAME,
)


class Assembler:
    """A program being written; every method appends and returns the assembler. ``frame`` offsets are negative, from FRAME."""

    def __init__(self) -> None:
        self._instructions: list[tuple[int, int, int, int, int]] = []
        self._labels: dict[str, int] = {}
        self._jumps: dict[int, str] = {}

    def _emit(self, code: int, to: int = 0, source: int = 0, offset: int = 0, value: int = 0) -> Self:
        self._instructions.append((code, to, source, offset, value))
        return self

    def move(self, to: Register, source: Register) -> Self:
        """To = source."""
        return self._emit(0xBF, to, source)

    def move_value(self, to: Register, value: int) -> Self:
        """To = value, 32 bits sign-extended."""
        return self._emit(0xB7, to, value=value)

    def move_wide(self, to: Register, value: int) -> Self:
        """To = value, all 64 bits."""
        return self._emit(0x18, to, value=value & 0xFFFFFFFF)._emit(0, value=value >> 32)

    def move_map(self, to: Register, descriptor: int) -> Self:
        """To = the map behind the descriptor."""
        return self._emit(0x18, to, _CALLED_MAP, value=descriptor)._emit(0)

    def add(self, to: Register, value: int) -> Self:
        """To += value."""
        return self._emit(0x07, to, value=value)

    def add_register(self, to: Register, source: Register) -> Self:
        """To += source."""
        return self._emit(0x0F, to, source)

    def shift_left(self, to: Register, bits: int) -> Self:
        """To <<= bits."""
        return self._emit(0x67, to, value=bits)

    def and_value(self, to: Register, value: int) -> Self:
        """To &= value, 32 bits sign-extended."""
        return self._emit(0x57, to, value=value)

    def multiply(self, to: Register, source: Register) -> Self:
        """To *= source."""
        return self._emit(0x2F, to, source)

    def shift_right(self, to: Register, bits: int) -> Self:
        """To >>= bits, unsigned."""
        return self._emit(0x77, to, value=bits)

    def from_network16(self, to: Register) -> Self:
        """To = its lower 16 bits, from network to host byte order."""
        return self._emit(0xDC, to, value=16)

    def load(self, size: int, to: Register, source: Register, offset: int) -> Self:
        """To = the ``size`` bytes at source + offset."""
        return self._emit(_LOAD[size], to, source, offset)

    def store(self, size: int, to: Register, offset: int, source: Register) -> Self:
        """The ``size`` bytes at to + offset = source."""
        return self._emit(_STORE[size], to, source, offset)

    def store_value(self, size: int, to: Register, offset: int, value: int) -> Self:
        """The ``size`` bytes at to + offset = value."""
        return self._emit(_STORE_VALUE[size], to, offset=offset, value=value)

    def add_atomic(self, to: Register, offset: int, source: Register) -> Self:
        """The 8 bytes at to + offset += source, at once for all CPUs."""
        return self._emit(0xDB, to, source, offset)

    def call(self, helper: Helper) -> Self:
        """R0 = helper(R1 ... R5); R1 to R5 are lost."""
        return self._emit(0x85, value=helper)

    def label(self, name: str) -> Self:
        """Name the next instruction."""
        if name in self._labels:
            raise ValueError(f"label {name!r} stands twice")
        self._labels[name] = len(self._instructions)
        return self

    def jump(self, label: str) -> Self:
        """Go on at the label."""
        self._jumps[len(self._instructions)] = label
        return self._emit(0x05)

    def jump_if(self, left: Register, operator: str, right: int | Register, label: str) -> Self:
        """Go on at the label if so; unsigned, but for "s<"; "&": some bit is in both.

        A number is sign-extended from 32 bits: keep it below 2**31.
        """
        self._jumps[len(self._instructions)] = label
        if isinstance(right, Register):
            return self._emit(_JUMP[operator] | _BY_REGISTER, left, right)
        return self._emit(_JUMP[operator], left, value=right)

    def exit(self) -> Self:
        """Return 0."""
        return self.move_value(R0, 0)._emit(0x95)

    def zero(self, frame: int, size: int) -> Self:
        """Clear ``size`` bytes (a multiple of 8) of the stack."""
        for at in range(frame, frame + size, 8):
            self.store_value(8, FRAME, at, 0)
        return self

    def read_kernel(self, frame: int, size: int, base: Register, offset: int) -> Self:
        """Copy ``size`` bytes of kernel memory at base + offset to the stack; zeros where there is none. Loses R0 to R5."""
        self.move(R1, FRAME).add(R1, frame).move_value(R2, size).move(R3, base).add(R3, offset)
        return self.call(Helper.READ_KERNEL)

    def lookup(self, descriptor: int, frame: int) -> Self:
        """R0 = the value's address in the map for the key on the stack, or 0. Loses R1 to R5."""
        return self.move_map(R1, descriptor).move(R2, FRAME).add(R2, frame).call(Helper.LOOKUP)

    def update(self, descriptor: int, key: int, value: int, *, only_new: bool = False) -> Self:
        """Put key and value, both on the stack, into the map; R0 is 0 or minus an errno. Loses R1 to R5."""
        self.move_map(R1, descriptor).move(R2, FRAME).add(R2, key).move(R3, FRAME).add(R3, value)
        return self.move_value(R4, int(only_new)).call(Helper.UPDATE)

    def delete(self, descriptor: int, key: int) -> Self:
        """Take the key on the stack out of the map; R0 is 0 or minus an errno. Loses R1 to R5."""
        return self.move_map(R1, descriptor).move(R2, FRAME).add(R2, key).call(Helper.DELETE)

    def code(self) -> bytes:
        """The program as the kernel takes it."""
        assembled = []
        for at, (code, to, source, offset, value) in enumerate(self._instructions):
            if at in self._jumps:
                offset = self._labels[self._jumps[at]] - at - 1
            assembled.append(struct.pack("=BBhI", code, to | source << 4, offset, value & 0xFFFFFFFF))
        return b"".join(assembled)
