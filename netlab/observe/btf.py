"""Read the kernel's type information (BTF): offsets of members, values of enumerators, argument order of tracepoints.

Pure Python over bytes. It refuses to know why anyone asks, or where the bytes come from.
"""

import struct
from typing import NamedTuple

_MAGIC = 0xEB9F
_POINTER, _STRUCT, _UNION, _ENUM, _FUNCTION, _PROTOTYPE, _TYPEDEF, _ENUM64 = 2, 4, 5, 6, 12, 13, 8, 19
# typedef, volatile, const, restrict, type tag: the same type under another name
_ALIASES = frozenset((8, 9, 10, 11, 18))
_FIXED_EXTRA = {1: 4, 3: 12, 14: 4, 17: 4}
_LAST_KIND = _ENUM64
_EXTRA_EACH = {4: 12, 5: 12, 6: 8, 13: 8, 15: 12, 19: 12}
_HEADER = struct.Struct("=HBBIIIII")
_TYPE = struct.Struct("=III")
_PAIR = struct.Struct("=II")


class _Type(NamedTuple):
    name: int
    kind: int
    members: int
    size: int  # or the number of the type that this one refers to
    flag: bool
    at: int  # where its members, values or parameters begin


class Btf:
    """The types in one BTF blob. Every question answers None where this kernel has no such thing."""

    def __init__(self, blob: bytes) -> None:
        if len(blob) < _HEADER.size:
            raise ValueError("BTF is shorter than its header")
        magic, _version, _flags, header, types_at, types_size, texts_at, texts_size = _HEADER.unpack_from(blob)
        if magic != _MAGIC:
            raise ValueError(f"this is not BTF of this machine's byte order: magic {magic:#x}")
        self._types = blob[header + types_at : header + types_at + types_size]
        self._texts = blob[header + texts_at : header + texts_at + texts_size]
        self._named: dict[tuple[int, int], int] = {}
        self._enums: list[int] = []
        self._at = [0]
        self._index()

    def _index(self) -> None:
        at, end, number, unpack = 0, len(self._types), 0, _PAIR.unpack_from
        while at < end:
            name, information = unpack(self._types, at)
            kind, number = information >> 24 & 31, number + 1
            if not 0 < kind <= _LAST_KIND:
                raise ValueError(f"BTF type {number} is of kind {kind}, which is newer than this reader")
            self._at.append(at)
            if kind in (_STRUCT, _UNION, _FUNCTION, _TYPEDEF):
                self._named.setdefault((kind, name), number)
            elif kind in (_ENUM, _ENUM64):
                self._enums.append(number)
            at += 12 + _FIXED_EXTRA.get(kind, 0) + _EXTRA_EACH.get(kind, 0) * (information & 0xFFFF)

    def _type(self, number: int) -> _Type:
        at = self._at[number]
        name, information, size = _TYPE.unpack_from(self._types, at)
        return _Type(name, information >> 24 & 31, information & 0xFFFF, size, bool(information >> 31), at + 12)

    def _plain(self, number: int) -> int:
        while number and self._type(number).kind in _ALIASES:
            number = self._type(number).size
        return number

    def _text(self, at: int) -> str:
        return self._texts[at : self._texts.index(b"\0", at)].decode()

    def _named_type(self, kind: int, name: str) -> int | None:
        # One text may stand at several places (and as the end of a longer one), so each place is tried.
        wanted, at = name.encode() + b"\0", -1
        while (at := self._texts.find(wanted, at + 1)) >= 0:
            if (kind, at) in self._named:
                return self._named[kind, at]
        return None

    def member(self, name: str, path: str) -> int | None:
        """The offset in bytes of ``path`` ("__sk_common.skc_net") in struct ``name``, anonymous members looked through."""
        number, bits = self._named_type(_STRUCT, name), 0
        for part in path.split("."):
            found = None if number is None else self._find_member(self._plain(number), part)
            if found is None:
                return None
            number, bits = found[0], bits + found[1]
        return None if bits % 8 else bits // 8

    def _find_member(self, number: int, name: str) -> tuple[int, int] | None:
        owner = self._type(number) if number else None
        if owner is None or owner.kind not in (_STRUCT, _UNION):
            return None
        for index in range(owner.members):
            text, type_number, place = _TYPE.unpack_from(self._types, owner.at + 12 * index)
            bits = place & 0xFFFFFF if owner.flag else place
            called = self._text(text)
            if called == name:
                return type_number, bits
            inner = None if called else self._find_member(self._plain(type_number), name)
            if inner is not None:
                return inner[0], bits + inner[1]
        return None

    def enumerator(self, name: str) -> int | None:
        """The value of one enumerator, whichever enum it stands in."""
        wanted, at, places = name.encode() + b"\0", -1, set()
        while (at := self._texts.find(wanted, at + 1)) >= 0:
            places.add(at)
        for number in self._enums:
            enum = self._type(number)
            step = _EXTRA_EACH[enum.kind]
            for index in range(enum.members):
                text, value = _PAIR.unpack_from(self._types, enum.at + step * index)
                if text in places:
                    return int(value)
        return None

    def enumeration(self, name: str) -> dict[str, int]:
        """The enumerators of ``enum name`` and their values (of 64 bits only the lower 32); empty where there is none."""
        for number in self._enums:
            enum = self._type(number)
            if self._text(enum.name) == name:
                pairs = (_PAIR.unpack_from(self._types, enum.at + _EXTRA_EACH[enum.kind] * index) for index in range(enum.members))
                return {self._text(text): int(value) for text, value in pairs}
        return {}

    def argument(self, tracepoint: str, name: str, pointed: str = "") -> int | None:
        """Which argument of a raw tracepoint is the one called ``name`` (from 0).

        Tracepoints of a class share the function that carries the names; there the one argument that points to struct
        ``pointed`` is meant. None where neither tells.
        """
        function = self._named_type(_FUNCTION, f"__bpf_trace_{tracepoint}")
        if function is not None:
            names = [self._text(text) for text, _type in self._parameters(self._type(function).size)]
            return names.index(name) if name in names else None
        typedef = self._named_type(_TYPEDEF, f"btf_trace_{tracepoint}")
        if typedef is None or not pointed:
            return None
        prototype = self._type(self._plain(typedef)).size
        matches = [index for index, (_text, number) in enumerate(self._parameters(prototype)) if self._points_to(number, pointed)]
        return matches[0] if len(matches) == 1 else None

    def _parameters(self, prototype: int) -> list[tuple[int, int]]:
        kind = self._type(prototype)
        if kind.kind != _PROTOTYPE:
            return []
        # The first parameter (__data) is the tracepoint's own, not an argument.
        return [_PAIR.unpack_from(self._types, kind.at + 8 * index) for index in range(1, kind.members)]

    def _points_to(self, number: int, name: str) -> bool:
        number = self._plain(number)
        if not number or self._type(number).kind != _POINTER:
            return False
        target = self._plain(self._type(number).size)
        return bool(target) and self._type(target).kind == _STRUCT and self._text(self._type(target).name) == name
