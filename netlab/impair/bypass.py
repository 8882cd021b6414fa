"""Which frames the kernel forwards past the wire: TCP segments without SYN, whole and with plain IP headers; in both of the words
in which the kernel has to be told. Pure.

nftables forwards just those, and a program of classic BPF keeps just those from the wire's socket, which sees frames before
nftables does. Both are made of one table here, so that no frame goes both ways or neither.
"""

import struct
from typing import NamedTuple

from netlab.impair import nft_expressions as nft
from netlab.impair.nftables import FIRST, Ruleset

__all__ = ["NONE", "OTHERS", "write"]


class _Test(NamedTuple):
    """What bits of a packet must be, so many bytes after the start of its IP header."""

    offset: int
    size: int
    mask: int
    value: int


# By EtherType (behind a VLAN tag): version and length of the header, no fragment (RFC 791), TCP, no SYN (RFC 9293); so too IPv6
# (RFC 8200) without extension headers.
_PAST = {
    0x0800: (_Test(0, 1, 0xFF, 0x45), _Test(6, 2, 0x3FFF, 0), _Test(9, 1, 0xFF, 6), _Test(33, 1, 0x02, 0)),
    0x86DD: (_Test(6, 1, 0xFF, 6), _Test(53, 1, 0x02, 0)),
}
# linux/filter.h: loads of a word, of 2 bytes, of 1; the length; the jumps "equal" and "at least"; "and"; return.
_LOAD = {4: 0x20, 2: 0x28, 1: 0x30}
_LOAD_LENGTH, _EQUAL, _AT_LEAST, _AND, _RETURN = 0x80, 0x15, 0x35, 0x54, 0x06
_PROTOCOL_AT, _NETWORK_AT = 0xFFFFF000, 0xFFF00000  # SKF_AD_OFF + SKF_AD_PROTOCOL, SKF_NET_OFF
_ETHERNET = 14
_ALL_BYTES = 0xFFFFFFFF
_INSTRUCTION = struct.Struct("=HBBI")


def write(ruleset: Ruleset, *, device: str, to: int, counter: str) -> None:
    """Have what comes in by ``device`` go out by the interface ``to`` where it is to pass the wire by, and count it."""
    ruleset.counter(counter)
    ruleset.ingress(device)
    for kind, tests in _PAST.items():
        held = [nft.ethertype(), nft.equal(kind.to_bytes(2, "big"))]
        for offset, size, mask, value in tests:
            held.append(nft.header_bytes(1, offset, size))
            if mask != (1 << 8 * size) - 1:
                held.append(nft.masked(mask.to_bytes(size, "big")))
            held.append(nft.equal(value.to_bytes(size, "big")))
        ruleset.rule(FIRST, *held, nft.count(counter), nft.forward(to))


def _program() -> bytes:
    """Each EtherType's tests in a row: the first that does not hold jumps to the end, which takes the frame."""
    rows: list[list[tuple[int, int, int]]] = []  # (code, value, what to do where it does not hold: 0 go on, 1 take the frame)
    for tests in _PAST.values():
        last = tests[-1]
        row = [(_LOAD_LENGTH, 0, 0), (_AT_LEAST, _ETHERNET + last.offset + last.size, 1)]
        for offset, size, mask, value in tests:
            row += [(_LOAD[size], _NETWORK_AT + offset, 0), (_AND, mask, 0), (_EQUAL, value, 1)]
        rows.append([*row, (_RETURN, 0, 0)])
    kinds = list(_PAST)
    made = [_INSTRUCTION.pack(_LOAD[2], 0, 0, _PROTOCOL_AT)]
    end = 1 + sum(1 + len(row) for row in rows)
    for kind, row in zip(kinds, rows, strict=True):
        made.append(_INSTRUCTION.pack(_EQUAL, 0, len(row), kind))  # else past this row, to the next kind
        for code, value, jumps in row:
            made.append(_INSTRUCTION.pack(code, 0, end - len(made) - 1 if jumps else 0, value))
    return b"".join([*made, _INSTRUCTION.pack(_RETURN, 0, 0, _ALL_BYTES)])


OTHERS = _program()
"""A program of classic BPF that takes every frame but those (SO_ATTACH_FILTER, socket(7))."""
NONE = _INSTRUCTION.pack(_RETURN, 0, 0, 0)
"""One that takes none."""
