"""How an option's value comes back from getsockopt(): cut to the room there is, in the form in which the timeline has it.

That is a number, {linger:1,5}, text, an errno's name. It does not know which value an option has.
"""

import struct
import sys
from collections.abc import Mapping
from typing import Any

from netlab.model.sockets.objects import Address
from netlab.model.sockets.options.memory import (
    INT,
    LONG,
    LONGEST_NAME,
    POINTER_LENGTH,
    ROOMS,
    SECOND,
    STRUCTURES,
    UNSIGNED,
    integer,
)
from netlab.model.sockets.options.shape import Bounds, Option
from netlab.model.sockets.outcomes import AnAddress, Anything, AtLeast, Exactly, Message, OneOf, Out
from netlab.model.sockets.situation import Situation
from netlab.notation.constants import errno_name
from netlab.notation.printing import print_data
from netlab.notation.values import BadPointer

_TICKS = (100, 250, 300, 1000)
"""HZ, of which a kernel has one: timeouts are kept in ticks, and rounded up to whole ones (time(7))."""

_FOREVER = 2**53
_SMALLEST_TCP_INFO = 104
_LONGEST_ADDRESS = {2: 16, 10: 28}


def show(s: Situation, row: Option, value: Any) -> Mapping[str, Any]:
    """What getsockopt() gives for a value: {"got": (row, what)}, or the reason for which it cannot."""
    target, length = s.args.get("value"), s.args.get("length")
    natural = 128 if target == "str" else 0 if target == "NONE" else ROOMS.get(row.reads, INT)
    if isinstance(target, BadPointer):
        natural = POINTER_LENGTH if target.size is None else target.size
    named = getattr(target, "size", None)
    room = length if isinstance(length, int) else natural if named is None else named
    if row.reads == "address":
        return _address(s, row, value, room)
    if row.reads == "string" and value and room < LONGEST_NAME:
        return {"value EINVAL": None}
    raw = _raw(row, value, room)
    size = min(max(room, 0), ROOMS.get(row.reads, INT) if raw is None else len(raw))
    if row.reads == "tcp_info":
        size = max(room, 0)
    if room < 0:  # IPv6 takes the length for an unsigned one
        size = INT
    if size and (target == "NONE" or isinstance(target, BadPointer)):
        return {"bad-pointer EFAULT": None}
    if target == "NONE" or isinstance(target, BadPointer):
        return {"got": (row, None)}
    if not isinstance(target, str | None) and hasattr(target, "size") and isinstance(length, int):
        return {"got": (row, _as_bytes(raw, size, target.size))}
    form = "string" if target == "str" else "errno" if target == "errno" or row.name == "SO_ERROR" else row.reads
    if row.reads == "tcp_info":
        told = AtLeast(min(size, _SMALLEST_TCP_INFO), size)
        shown: Out = Message({"state": Exactly(value), "len": told}) if size and form == row.reads else Anything()
        return {"got": (row, Message({"len": told, "value": shown}) if target == "len" else shown)}
    if raw is None and form == "timeval" and size < ROOMS["timeval"]:
        # The seconds come first; where they are cut off, so are the bytes that nobody knows.
        return {"got": (row, Anything())}
    shown = _decoded(form, raw[:size]) if raw is not None else _bounds(value, size) if form == row.reads else Anything()
    return {"got": (row, Message({"len": Exactly(size), "value": shown}) if target == "len" else shown)}


def _as_bytes(raw: bytes | None, size: int, room: int) -> Out:
    """{len, data}: where a call names both a buffer and how much of it the kernel may use."""
    if raw is None or size > room:
        return Message({"len": Exactly(size)})
    return Message({"len": Exactly(size), "data": Exactly(print_data(raw[:size].ljust(room, b"\0")))})


def _raw(row: Option, value: Any, room: int) -> bytes | None:
    """The bytes of a value that is known exactly."""
    if isinstance(value, Bounds):
        return None
    match row.reads:
        case "linger":
            return None if value[1] >= UNSIGNED // 2 else struct.pack("=ii", *value)
        case "timeval":
            times = _times(value)
            return struct.pack("@ll", *times[0]) if len(times) == 1 else None
        case "credentials":
            return struct.pack("=iII", value[0], *(one % UNSIGNED for one in value[1:]))
        case "string":
            return str(value).encode() + b"\0" if value else b""
        case "name":
            return str(value).encode().ljust(LONGEST_NAME, b"\0")
        case "bytes":
            return value if isinstance(value, bytes) else b""
        case "tcp_info":
            return None
        case "long" if room >= LONG:
            return int(value % 2**64).to_bytes(LONG, sys.byteorder)
        case "long":
            return min(int(value % 2**64), UNSIGNED - 1).to_bytes(INT, sys.byteorder)
        case "byte" if 0 < room < INT and 0 <= value <= 255:
            return bytes([value])
    return int(value % UNSIGNED).to_bytes(INT, sys.byteorder)


def _times(value: int | None) -> list[tuple[int, int]]:
    """What may be told of a timeout in nanoseconds: rounded up to whole ticks, of whatever length."""
    if not value:
        return [(0, 0)]
    seconds, rest = divmod(value, SECOND)
    if seconds >= _FOREVER:
        return []
    found: dict[tuple[int, int], None] = {}
    for per_second in _TICKS:
        ticks = seconds * per_second - (-rest * per_second // SECOND)
        found[(ticks // per_second, ticks % per_second * 1_000_000 // per_second)] = None
    return list(found)


def _decoded(form: str, raw: bytes) -> Out:
    if form in ("string", "name"):
        return Exactly(raw.split(b"\0")[0].decode(errors="backslashreplace"))
    if form == "bytes":
        return Exactly(print_data(raw))
    if form == "errno":
        return Exactly(errno_name(integer(raw)) or 0)
    name = {"credentials": "ucred"}.get(form, form)
    if name in ("linger", "timeval", "ucred"):
        layout = struct.Struct(STRUCTURES[name])
        whole = len(raw) >= layout.size
        return Exactly(f"{{{name}:{','.join(str(one) for one in layout.unpack(raw))}}}" if whole else raw.hex())
    return Exactly(integer(raw))


def _bounds(value: Any, size: int) -> Out:
    """What is known of a value that is not known exactly."""
    if isinstance(value, int) and value is not True:
        times = _times(value)
        return OneOf(tuple(f"{{timeval:{seconds},{micro}}}" for seconds, micro in times)) if times else Anything()
    if not isinstance(value, Bounds) or size < INT:
        return Anything()
    if value.values:
        return OneOf(value.values)
    return Anything() if value.least is None else AtLeast(value.least, value.most)


def _address(s: Situation, row: Option, value: AnAddress, room: int) -> Mapping[str, Any]:
    """SO_PEERNAME wants room for exactly the address or less (sk_getsockopt())."""
    address = value.address
    length = _length(address)
    if room > length:
        return {"value EINVAL": None}
    if room and isinstance(s.args.get("value"), BadPointer):
        return {"bad-pointer EFAULT": None}
    return {"got": (row, value if room == length else Anything())}


def _length(address: Address | None) -> int:
    if address is None or address.kind in ("unnamed", "none"):
        return 2
    if address.family in _LONGEST_ADDRESS:
        return _LONGEST_ADDRESS[address.family]
    return 2 + len(address.host.encode()) + 1
