"""Filters in the words of pcap-filter(7): compiled by libpcap, run here over the bytes of a frame.

libpcap compiles to classic BPF, a machine of two registers and sixteen words (McCanne and Jacobson, USENIX 1993; the kernel's
Documentation/networking/filter.rst). It looks up the names of hosts in a filter by the resolver of this machine, not of a lab:
write addresses. It does not know rules.
"""

import ctypes
from collections.abc import Sequence
from functools import lru_cache

from netlab.errors import HostError

__all__ = ["Filter", "compiled"]

_LIBRARIES = ("libpcap.so.1", "libpcap.so.0.8", "libpcap.so")
_FIX = "sudo apt-get install libpcap0.8 (Debian, Ubuntu), sudo dnf install libpcap (Fedora), or write the rule's match instead"
_ETHERNET = 1  # DLT_EN10MB
_LARGEST = 1 << 18
_NO_NETMASK = 0xFFFFFFFF  # PCAP_NETMASK_UNKNOWN
_MASK = 0xFFFFFFFF
_OUTSIDE = 0xFFFFF000  # SKF_AD_OFF: not the frame, but what a kernel that captures knows of it
_LD, _LDX, _ST, _STX, _ALU, _JMP, _RET, _MISC = range(8)
_WIDTHS = {0x00: 4, 0x08: 2, 0x10: 1}
_IMM, _ABS, _IND, _MEM, _LEN, _MSH = 0x00, 0x20, 0x40, 0x60, 0x80, 0xA0
_ADD, _SUB, _MUL, _DIV, _OR, _AND, _LSH, _RSH, _NEG, _MOD, _XOR = range(0x00, 0xB0, 0x10)
_JA, _JEQ, _JGT, _JGE, _JSET = range(0x00, 0x50, 0x10)
_X, _A, _TAX = 0x08, 0x10, 0x00

Instruction = tuple[int, int, int, int]
"""As in struct sock_filter: code, jump if true, jump if false, k."""


class Filter:
    """A compiled filter. ``text`` is as it was written."""

    def __init__(self, text: str, program: Sequence[Instruction]) -> None:
        self.text, self.program = text, tuple(program)

    def __call__(self, frame: bytes) -> bool:
        """Whether it accepts an Ethernet frame; one that ends before what it looks at is not accepted."""
        return _run(self.program, frame) != 0


def _run(program: Sequence[Instruction], frame: bytes) -> int:
    """What the program returns: how many bytes of the frame to keep."""
    accumulator = index = at = 0
    words = [0] * 16
    size = len(frame)
    while True:
        code, true, false, k = program[at]
        at += 1
        kind = code & 7
        if kind == _JMP:
            operation = code & 0xF0
            operand = index if code & _X else k
            if operation == _JA:
                at = at + k & _MASK  # backwards too, in protochain
            elif operation == _JEQ:
                at += true if accumulator == operand else false
            elif operation == _JGT:
                at += true if accumulator > operand else false
            elif operation == _JGE:
                at += true if accumulator >= operand else false
            else:
                at += true if accumulator & operand else false
        elif kind == _LD:
            mode = code & 0xE0
            if mode in (_ABS, _IND):
                start = k if mode == _ABS else k + index & _MASK
                end = start + _WIDTHS[code & 0x18]
                if end > size:
                    return 0
                accumulator = int.from_bytes(frame[start:end], "big")
            else:
                accumulator = k if mode == _IMM else words[k] if mode == _MEM else size
        elif kind == _RET:
            return accumulator if code & 0x18 == _A else k
        elif kind == _LDX:
            mode = code & 0xE0
            if mode == _MSH:  # four times the low nibble: an IPv4 header's length
                if k >= size:
                    return 0
                index = (frame[k] & 0xF) * 4
            else:
                index = k if mode == _IMM else words[k] if mode == _MEM else size
        elif kind == _ALU:
            result = _computed(code & 0xF0, accumulator, index if code & _X else k)
            if result is None:
                return 0
            accumulator = result
        elif kind == _ST:
            words[k] = accumulator
        elif kind == _STX:
            words[k] = index
        elif code & 0xF8 == _TAX:
            index = accumulator
        else:
            accumulator = index


def _computed(operation: int, one: int, other: int) -> int | None:
    """A result of 32 bits; None of a division by zero, at which a program ends."""
    if operation in (_DIV, _MOD):
        if not other:
            return None
        return one // other if operation == _DIV else one % other
    if operation in (_LSH, _RSH):
        return (one << min(other, 32) if operation == _LSH else one >> min(other, 32)) & _MASK
    if operation == _ADD:
        return one + other & _MASK
    if operation == _SUB:
        return one - other & _MASK
    if operation == _MUL:
        return one * other & _MASK
    if operation == _NEG:
        return -one & _MASK
    return one | other if operation == _OR else one & other if operation == _AND else one ^ other


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_uint), ("instructions", ctypes.c_void_p))


class _Instruction(ctypes.Structure):
    _fields_ = (("code", ctypes.c_ushort), ("true", ctypes.c_ubyte), ("false", ctypes.c_ubyte), ("k", ctypes.c_uint32))


@lru_cache(1)
def _library() -> ctypes.CDLL:
    for name in _LIBRARIES:
        try:
            library = ctypes.CDLL(name)
        except OSError:
            continue
        library.pcap_open_dead.restype = ctypes.c_void_p
        library.pcap_open_dead.argtypes = (ctypes.c_int, ctypes.c_int)
        library.pcap_close.argtypes = (ctypes.c_void_p,)
        library.pcap_geterr.restype = ctypes.c_char_p
        library.pcap_geterr.argtypes = (ctypes.c_void_p,)
        library.pcap_compile.argtypes = (
            ctypes.c_void_p,
            ctypes.POINTER(_Program),
            ctypes.c_char_p,
            ctypes.c_int,
            ctypes.c_uint32,
        )
        library.pcap_freecode.argtypes = (ctypes.POINTER(_Program),)
        return library
    raise HostError("this machine has no libpcap, which compiles a rule's filter", _FIX)


@lru_cache(256)
def compiled(text: str) -> Filter:
    """The filter that pcap-filter(7) text means, for Ethernet frames.

    Raises ValueError in libpcap's words where the text is wrong, HostError where this machine has no libpcap.

    >>> compiled("udp port 53")(bytes(60)), compiled("len >= 60")(bytes(60))
    (False, True)
    """
    if "\0" in text:
        raise ValueError(f"{text!r} is not a filter: it holds a NUL")
    library = _library()
    handle = library.pcap_open_dead(_ETHERNET, _LARGEST)
    program = _Program()
    try:
        if library.pcap_compile(handle, ctypes.byref(program), text.encode(), 1, _NO_NETMASK):
            why = library.pcap_geterr(handle).decode(errors="replace")
            raise ValueError(f"{text!r} is not a filter as pcap-filter(7) has them: {why}")
        array = ctypes.cast(program.instructions, ctypes.POINTER(_Instruction))
        instructions = [(one.code, one.true, one.false, one.k) for one in array[: program.length]]
        library.pcap_freecode(ctypes.byref(program))
    finally:
        library.pcap_close(handle)
    if any(code & 0xE7 == _ABS and k >= _OUTSIDE for code, _, _, k in instructions):
        raise ValueError(f"{text!r} asks what the bytes of a frame do not say (such as inbound): a rule has its direction")
    return Filter(text, instructions)
