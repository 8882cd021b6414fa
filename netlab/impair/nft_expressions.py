"""Packs the expressions of nf_tables rules: what is read of a packet, what must hold of it, and what is done then.

One register passes from each to the next: what reads fills it, what tests looks at it. The words are those of
linux/netfilter/nf_tables.h; what a rule is for is not known here.
"""

import struct

from netlab.lab.build import attribute

COUNTER = 1
"""NFT_OBJECT_COUNTER."""

Expression = bytes
"""One step of a rule, or some: the first that does not hold ends the rule."""

_NESTED = 0x8000
_REGISTER, _VERDICT_REGISTER, _MARK_KEY, _PROTOCOL_KEY, _TRANSPORT_KEY = 1, 0, 3, 1, 16
_DROP, _JUMP = 0, -3


def number(kind: int, value: int) -> bytes:
    """An attribute of 32 bits, in network order as all of nf_tables' are."""
    return attribute(kind, struct.pack("!I", value & 0xFFFFFFFF))


def nest(kind: int, *parts: bytes) -> bytes:
    """An attribute of attributes."""
    return attribute(kind | _NESTED, b"".join(parts))


def text(kind: int, words: str) -> bytes:
    """An attribute of text."""
    return attribute(kind, words.encode() + b"\0")


def _expression(name: str, *parts: bytes) -> Expression:
    return nest(1, text(1, name), nest(2, *parts))  # NFTA_LIST_ELEM of NFTA_EXPR_NAME, NFTA_EXPR_DATA


def packed(kind: int, value: bytes) -> bytes:
    """An attribute of data, as registers have it."""
    return nest(kind, attribute(1, value))


def ethertype() -> Expression:
    """The EtherType behind any VLAN tag, 2 bytes."""
    return _expression("meta", number(1, _REGISTER), number(2, _PROTOCOL_KEY))


def transport_protocol() -> Expression:
    """The protocol that IP carries, behind any extension headers, 1 byte."""
    return _expression("meta", number(1, _REGISTER), number(2, _TRANSPORT_KEY))


def mark() -> Expression:
    """The mark, 4 bytes in the machine's order; 0 of a packet that came from another namespace."""
    return _expression("meta", number(1, _REGISTER), number(2, _MARK_KEY))


def header_bytes(base: int, offset: int, length: int) -> Expression:
    """Bytes of the network header (``base`` 1) or of the transport header (2)."""
    return _expression("payload", number(1, _REGISTER), number(2, base), number(3, offset), number(4, length))


def masked(mask: bytes) -> Expression:
    """The bits under a mask of what the register has."""
    fields = number(1, _REGISTER), number(2, _REGISTER), number(3, len(mask))
    return _expression("bitwise", *fields, packed(4, mask), packed(5, bytes(len(mask))))


def turn(modulus: int) -> Expression:
    """How many times this expression was reached before, modulo a number; 4 bytes in the machine's order."""
    return _expression("numgen", number(1, _REGISTER), number(2, modulus), number(3, 0))


def dice() -> Expression:
    """A random number below 2**32 - 1, 4 bytes in the machine's order. Nothing seeds it."""
    return _expression("numgen", number(1, _REGISTER), number(2, 0xFFFFFFFF), number(3, 1))


def network_order() -> Expression:
    """The register's 4 bytes turned round where the machine is little-endian: only so are they compared as numbers."""
    return _expression("byteorder", number(1, _REGISTER), number(2, _REGISTER), number(3, 1), number(4, 4), number(5, 4))


def equal(value: bytes, *, negated: bool = False) -> Expression:
    """It is this value, or is not."""
    return _expression("cmp", number(1, _REGISTER), number(2, 1 if negated else 0), packed(3, value))


def below(value: int) -> Expression:
    """It is a smaller number (4 bytes in network order)."""
    return _expression("cmp", number(1, _REGISTER), number(2, 2), packed(3, struct.pack("!I", value)))


def between(first: int, last: int) -> Expression:
    """It is one of these numbers, both ends included (4 bytes in network order)."""
    ends = packed(3, struct.pack("!I", first)), packed(4, struct.pack("!I", last))
    return _expression("range", number(1, _REGISTER), number(2, 0), *ends)


def among(name: str, *, negated: bool = False) -> Expression:
    """It is in a set, or is not."""
    return _expression("lookup", text(1, name), number(2, _REGISTER), number(5, 1 if negated else 0))


def count(name: str) -> Expression:
    """Add the packet to a counter."""
    return _expression("objref", number(1, COUNTER), text(2, name))


def set_mark(value: int) -> bytes:
    """Give the packet a mark."""
    given = _expression("immediate", number(1, _REGISTER), packed(2, struct.pack("=I", value)))
    return given + _expression("meta", number(3, _REGISTER), number(2, _MARK_KEY))


def drop() -> Expression:
    """Drop the packet."""
    return _expression("immediate", number(1, _VERDICT_REGISTER), nest(2, nest(2, number(1, _DROP))))


def jump(chain: str) -> Expression:
    """Go through another chain, then on."""
    verdict = nest(2, number(1, _JUMP), text(2, chain))
    return _expression("immediate", number(1, _VERDICT_REGISTER), nest(2, verdict))


def forward(index: int) -> bytes:
    """Send the packet out by another interface."""
    given = _expression("immediate", number(1, _REGISTER), packed(2, struct.pack("=I", index)))
    return given + _expression("fwd", number(1, _REGISTER))
