"""How an option's value lies in memory on its way to setsockopt() and back from getsockopt(). It knows no option.

The values that come back have the form in which the timeline has them: numbers, {linger:1,5}, text, errnos by name.
"""

import struct
import sys
from collections.abc import Mapping
from typing import Any

import msgspec

from netlab.model.sockets.objects import Address
from netlab.model.sockets.options.shape import Bounds, Option, Refused
from netlab.model.sockets.outcomes import AnAddress, Anything, AtLeast, Exactly, Message, OneOf, Out
from netlab.model.sockets.situation import Situation
from netlab.notation.constants import constant, errno_name
from netlab.notation.pattern import pattern
from netlab.notation.printing import print_data
from netlab.notation.values import BadPointer, Structure

_STRUCTURES = {"linger": "=ii", "timeval": "@ll", "ucred": "=iII", "int": "=i", "byte": "=B", "ip_mreq": "!II"}
_INT, _LONG = 4, 8
_LONGEST_NAME = 16  # TCP_CA_NAME_MAX in include/net/tcp.h, IFNAMSIZ in include/uapi/linux/if.h
_POINTER_LENGTH = 16
"""The length that is passed with a bad pointer which names none, as the notation says."""
_ROOMS = {"linger": 8, "timeval": struct.calcsize("@ll"), "credentials": 12, "address": 128, "string": _LONGEST_NAME,
          "name": _LONGEST_NAME, "tcp_info": 512, "bytes": 40}  # fmt: skip
_SECOND = 1_000_000_000
_TICKS = (100, 250, 300, 1000)
"""HZ, of which a kernel has one: timeouts are kept in ticks, and rounded up to whole ones (time(7))."""
_FOREVER = 2**53
_UNSIGNED = 2**32
_SMALLEST_TCP_INFO = 104
_BY_NAME = (constant("SOL_SOCKET"), constant("SO_BINDTODEVICE"))
_SWAPPED = (
    (constant("IPPROTO_IP"), constant("IP_UNICAST_IF")),
    (constant("IPPROTO_IPV6"), constant("IPV6_UNICAST_IF")),
)
_LONGEST_ADDRESS = {2: 16, 10: 28}


class Given(msgspec.Struct, frozen=True):
    """A value as setsockopt() gets it: the bytes behind the pointer, and the length that is said."""

    raw: bytes = b""
    length: int = 0
    bad: bool = False
    null: bool = False

    def read(self, s: Situation, row: Option) -> Any:
        """The number, pair or text that the kernel reads out of it, or Refused."""
        return _READERS[row.writes](self, s, row)


def given(s: Situation) -> Given | None:
    """The value of a call of setsockopt(); None where it is not known."""
    value, length = s.args.get("value"), s.args.get("length")
    raw = b""
    if isinstance(value, BadPointer) or value == "NONE":
        null = value == "NONE" or (isinstance(value, BadPointer) and value.null)
        size = 0 if not isinstance(value, BadPointer) else _POINTER_LENGTH if value.size is None else value.size
        return Given(b"", length if isinstance(length, int) else size, bad=True, null=null)
    if isinstance(value, int):
        raw = (value & (_UNSIGNED - 1)).to_bytes(_INT, sys.byteorder)
    elif isinstance(value, str):
        raw = _interface(s, value)
    elif isinstance(value, Structure):
        if value.name not in _STRUCTURES or not all(isinstance(member, int) for member in value.members):
            return None
        raw = _packed(value.name, [member for member in value.members if isinstance(member, int)])
    elif hasattr(value, "size"):
        content = getattr(value, "content", None)
        raw = content if content is not None else pattern(getattr(value, "size", 0))
    else:
        return None
    size = length if isinstance(length, int) else len(raw)
    return Given(raw.ljust(max(size, 0), b"\0")[: max(size, 0)], size)


def _interface(s: Situation, name: str) -> bytes:
    """if:lo as the option wants it: the name, or the index, in the network's byte order for two."""
    option = s.number("level"), s.number("option")
    if option == _BY_NAME:
        return name.encode() + b"\0"
    index = s.world.hosts[s.process.host].interfaces.get(name, 0)
    return index.to_bytes(_INT, "big" if option in _SWAPPED else sys.byteorder)


def _packed(name: str, members: list[int]) -> bytes:
    limits = {"I": _UNSIGNED, "B": 256}
    codes = [code for code in _STRUCTURES[name] if code.isalpha()]
    return struct.pack(
        _STRUCTURES[name], *(one % limits[code] if code in limits else one for one, code in zip(members, codes, strict=True))
    )


def _integer(raw: bytes) -> int:
    """A signed int of as many bytes as there are, unsigned if those are fewer."""
    return int.from_bytes(raw, sys.byteorder, signed=len(raw) == _INT)


def _read_int(value: Given, s: Situation, row: Option) -> Any:
    return 0 if value.bad or value.length < _INT else _integer(value.raw[:_INT])


def _read_long(value: Given, s: Situation, row: Option) -> Any:
    """Of an int, -1 is all bits of the longer number, too (SO_MAX_PACING_RATE)."""
    if value.length >= _LONG:
        return int.from_bytes(value.raw[:_LONG], sys.byteorder)
    number = _integer(value.raw[:_INT])
    return -1 if number == -1 else number % _UNSIGNED


def _read_byte(value: Given, s: Situation, row: Option) -> Any:
    if row.writes == "some byte" and value.length < 1:
        return Refused("EINVAL")
    return _integer(value.raw[:_INT]) if value.length >= _INT else value.raw[0] if value.raw else 0


def _read_four(value: Given, s: Situation, row: Option) -> Any:
    if value.length != _INT:
        return Refused("EINVAL")
    return 0 if value.bad else _integer(value.raw)


def _read_linger(value: Given, s: Situation, row: Option) -> Any:
    """Switching it off leaves the seconds as they were (sk_setsockopt())."""
    if value.length < _ROOMS["linger"]:
        return Refused("EINVAL")
    on, seconds = struct.unpack_from("=iI", value.raw)
    return (1, seconds) if on else (0, s.socket.options.get(row.key, (0, 0))[1])


def _read_timeval(value: Given, s: Situation, row: Option) -> Any:
    if value.length < _ROOMS["timeval"]:
        return Refused("EINVAL")
    seconds, micro = struct.unpack_from("@ll", value.raw)
    if not 0 <= micro < 1_000_000:
        return Refused("EDOM")
    if seconds < 0:
        return 0
    return (seconds * _SECOND + micro * 1000) or None


def _text(value: Given) -> str:
    return value.raw[: _LONGEST_NAME - 1].split(b"\0")[0].decode(errors="backslashreplace")


def _read_name(value: Given, s: Situation, row: Option) -> Any:
    """TCP_CONGESTION and TCP_ULP: only "reno" is in every kernel; which others there are, and may be used, is not known."""
    if value.length < 1:
        return Refused("EINVAL")
    if value.bad:
        return Refused("EFAULT", "bad-pointer")
    name = _text(value)
    if name == "reno" and row.name == "TCP_CONGESTION":
        return name
    known = name in _NAMES.get(row.name, ())
    return Refused("ENOENT", "name", certain=not known, otherwise=name)


_NAMES = {
    "TCP_CONGESTION": ("bbr", "bic", "cdg", "cubic", "dctcp", "highspeed", "htcp", "hybla", "illinois", "lp", "nv", "scalable",
                       "vegas", "veno", "westwood", "yeah"),
    "TCP_ULP": ("tls", "mptcp", "smc", "espintcp"),
}  # fmt: skip


def _read_device(value: Given, s: Situation, row: Option) -> Any:
    """An interface's name; none ends the binding. Only who has CAP_NET_RAW may change one (socket(7))."""
    if value.bad and value.length:
        return Refused("EFAULT", "bad-pointer")
    name = _text(value)
    index = s.world.hosts[s.socket.host].interfaces.get(name) if name else 0
    if index is None:
        return Refused("ENODEV", "device")
    bound = s.socket.options.get((row.level, constant("SO_BINDTOIFINDEX")), 0)
    return index if not bound or s.process.uid == 0 else Refused("EPERM", "privilege")


def _read_group(value: Given, s: Situation, row: Option) -> Any:
    """Membership of a multicast group: struct ip_mreq (ip(7)). Which groups, is not kept: only what is refused at once is known."""
    if s.kind == "tcp":
        return Refused("EPROTO", "kind")
    if value.length < struct.calcsize(_STRUCTURES["ip_mreq"]):
        return Refused("EINVAL")
    if value.bad:
        return Refused("EFAULT", "bad-pointer")
    return None


_READERS = {
    "int": _read_int, "loose int": _read_int, "long": _read_long, "byte": _read_byte, "some byte": _read_byte,
          "four bytes": _read_four,
    "linger": _read_linger, "timeval": _read_timeval, "name": _read_name, "device": _read_device, "group": _read_group,
}  # fmt: skip


# The way back


def show(s: Situation, row: Option, value: Any) -> Mapping[str, Any]:
    """What getsockopt() gives for a value: {"got": (row, what)}, or the reason for which it cannot."""
    target, length = s.args.get("value"), s.args.get("length")
    natural = 128 if target == "str" else 0 if target == "NONE" else _ROOMS.get(row.reads, _INT)
    if isinstance(target, BadPointer):
        natural = _POINTER_LENGTH if target.size is None else target.size
    room = length if isinstance(length, int) else getattr(target, "size", natural) or natural
    if row.reads == "address":
        return _address(s, row, value, room)
    if row.reads == "string" and value and room < _LONGEST_NAME:
        return {"value EINVAL": None}
    raw = _raw(row, value, room)
    size = min(max(room, 0), _ROOMS.get(row.reads, _INT) if raw is None else len(raw))
    if row.reads == "tcp_info":
        size = max(room, 0)
    if room < 0:  # IPv6 takes the length for an unsigned one
        size = _INT
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
            return None if value[1] >= _UNSIGNED // 2 else struct.pack("=ii", *value)
        case "timeval":
            times = _times(value)
            return struct.pack("@ll", *times[0]) if len(times) == 1 else None
        case "credentials":
            return struct.pack("=iII", value[0], *(one % _UNSIGNED for one in value[1:]))
        case "string":
            return str(value).encode() + b"\0" if value else b""
        case "name":
            return str(value).encode().ljust(_LONGEST_NAME, b"\0")
        case "bytes":
            return value if isinstance(value, bytes) else b""
        case "tcp_info":
            return None
        case "long" if room >= _LONG:
            return int(value % 2**64).to_bytes(_LONG, sys.byteorder)
        case "long":
            return min(int(value % 2**64), _UNSIGNED - 1).to_bytes(_INT, sys.byteorder)
        case "byte" if 0 < room < _INT and 0 <= value <= 255:
            return bytes([value])
    return int(value % _UNSIGNED).to_bytes(_INT, sys.byteorder)


def _times(value: int | None) -> list[tuple[int, int]]:
    """What may be told of a timeout in nanoseconds: rounded up to whole ticks, of whatever length."""
    if not value:
        return [(0, 0)]
    seconds, rest = divmod(value, _SECOND)
    if seconds >= _FOREVER:
        return []
    found: dict[tuple[int, int], None] = {}
    for per_second in _TICKS:
        ticks = seconds * per_second - (-rest * per_second // _SECOND)
        found[(ticks // per_second, ticks % per_second * 1_000_000 // per_second)] = None
    return list(found)


def _decoded(form: str, raw: bytes) -> Out:
    if form in ("string", "name"):
        return Exactly(raw.split(b"\0")[0].decode(errors="backslashreplace"))
    if form == "bytes":
        return Exactly(print_data(raw))
    if form == "errno":
        return Exactly(errno_name(_integer(raw)) or 0)
    name = {"credentials": "ucred"}.get(form, form)
    if name in ("linger", "timeval", "ucred"):
        layout = struct.Struct(_STRUCTURES[name])
        whole = len(raw) >= layout.size
        return Exactly(f"{{{name}:{','.join(str(one) for one in layout.unpack(raw))}}}" if whole else raw.hex())
    return Exactly(_integer(raw))


def _bounds(value: Any, size: int) -> Out:
    """What is known of a value that is not known exactly."""
    if isinstance(value, int) and value is not True:
        times = _times(value)
        return OneOf(tuple(f"{{timeval:{seconds},{micro}}}" for seconds, micro in times)) if times else Anything()
    if not isinstance(value, Bounds) or size < _INT:
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
