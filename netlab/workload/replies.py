"""Turns the agent's raw reply into what the notation can say: errno by name, addresses as text, poll's events by name.

It does not judge what a call gave; check/results.py does.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any

from netlab.notation import sockaddr
from netlab.notation.calls import Call
from netlab.notation.constants import combined, constant, errno_name, flag_names
from netlab.notation.printing import print_data
from netlab.notation.signatures import SIGNATURES
from netlab.notation.values import BadPointer, Buffer, Constant, Name, Number, Value
from netlab.workload.layouts import (
    IFNAMSIZ,
    IFREQ_SIZE,
    MEMORY,
    option_layout,
    print_structure,
    structure_size,
    unpack_control,
    unpack_epoll_events,
    unpack_int,
    unpack_stat,
)


@dataclass(frozen=True, slots=True)
class Decoded:
    """What a call gave. ``out`` is JSON: what it gave besides its value, None for nothing; ``descriptors`` are new ones, in the
    order of the names that the call binds; ``data`` the bytes received, None for calls that receive none; ``address`` the raw
    address that the call's name stands for from now on."""

    result: int
    errno: str = ""
    out: Any = None
    descriptors: tuple[int, ...] = ()
    data: bytes | None = None
    address: bytes = b""


def decode(call: Call, result: int, errno: int, out: Sequence[Any], environment: object = None) -> Decoded:
    """What the agent's reply means. ``out`` has one entry an argument of libc's, as encode() made them."""
    if result == -1:
        return Decoded(result, errno_name(errno))
    if call.inner is not None:
        return replace(decode(call.inner, result, errno, out, environment), descriptors=(), address=b"")
    match call.name:
        case "addr" | "unused_port":
            raw, length = out[-2:]
            raw = raw[: unpack_int(length)]
            return Decoded(result, out=sockaddr.unpack(raw), address=raw)
        case "tcp_state":
            return Decoded(result, out=_TCP_STATES.get(out[3][0], str(out[3][0])))
        case "lowest_free":
            return Decoded(result, descriptors=(result,))
        case "accept" | "accept4":
            return Decoded(result, out=_address(call, out, 1), descriptors=(result,))
        case "getsockname" | "getpeername":
            return Decoded(result, out=_address(call, out, 1))
        case "recv" | "read" | "pread":
            data = _data(out[1], result)
            return Decoded(result, out=None if data is None else print_data(data), data=data)
        case "recvfrom":
            return Decoded(result, out=_address(call, out, 4), data=_data(out[1], result))
        case "recvmsg":
            return _message(result, out[1])
        case "getsockopt":
            return Decoded(result, out=_option(call, out[3], out[4]))
        case "ioctl":
            return Decoded(result, out=_ioctl(call, out[2]))
        case "fstat":
            return Decoded(result, out=None if out[1] is None else unpack_stat(out[1]))
        case "poll":
            return Decoded(result, out=_polled(call, out[0]))
        case "select":
            return Decoded(result, out=_selected(call, out))
        case "epoll_wait":
            return Decoded(result, out=_epolled(out[1], result))
        case "socketpair" | "pipe" | "pipe2":
            pair = out[3] if call.name == "socketpair" else out[0]
            return Decoded(result, descriptors=tuple(struct.unpack("=ii", pair)) if pair else ())
        case "fcntl" if _number(call.arguments[1]) in (constant("F_DUPFD"), constant("F_DUPFD_CLOEXEC")):
            return Decoded(result, descriptors=(result,))
    return Decoded(result, descriptors=(result,) if SIGNATURES[call.name].returns == "fd" else ())


def _number(value: Value | None) -> int:
    if isinstance(value, Number):
        return value.value
    return combined(value.names) if isinstance(value, Constant) else -1


def _address(call: Call, out: Sequence[Any], at: int) -> Any:
    """The address in the buffer at ``at``, whose length follows it; "" when the kernel wrote none, None without a buffer.

    Where the call names both a ``buf(n)`` and the length of it that the kernel may use, it is {addrlen, data}: the length that
    came back and all n bytes as they are, for what is cut off shows in neither alone (POSIX.1-2024 getsockname()).
    """
    raw, length = out[at], out[at + 1]
    if raw is None or length is None:
        return None
    # The length that comes back is the address's own, which may be more than there was room for.
    values = {parameter.name: value for parameter, value in SIGNATURES[call.name].assign(call.arguments)} | dict(call.keywords)
    room = values.get("length") or values.get("addrlen")
    if room is not None and isinstance(values.get("address"), Buffer):
        return {"addrlen": unpack_int(length), "data": print_data(raw)}
    written = min(unpack_int(length), _number(room) if room is not None else len(raw))
    return sockaddr.unpack(raw[: max(written, 0)])


def _data(raw: bytes | None, result: int) -> bytes | None:
    # MSG_TRUNC gives the datagram's whole length, which may be more than the buffer.
    return None if raw is None else raw[: max(result, 0)]


def _message(result: int, content: dict[str, Any]) -> Decoded:
    data = b"".join(content["iov"])[: max(result, 0)]
    ends = list(accumulate(map(len, content["iov"])))
    # Of several buffers, what each was given.
    parts = [print_data(data[max(end - len(part), 0) : end]) for end, part in zip(ends, content["iov"], strict=True)]
    return Decoded(
        result,
        out=({"iov": parts} if len(parts) > 1 else {})
        | {
            "data": print_data(data),
            "flags": flag_names("MSG_", content["flags"]),
            "from": sockaddr.unpack(content["name"][: content["namelen"]]),
            "control": unpack_control(content["control"][: content["controllen"]]),
        },
        data=data,
    )


def _option(call: Call, raw: bytes | None, length: bytes | None) -> Any:
    """The option's value, as its layout says.

    Where the call names both a ``buf(n)`` and how much of it the kernel may use, it is {len, data}: the length that came back and
    all n bytes, for a value that is cut off has no layout (POSIX.1-2024 getsockopt()).
    """
    if raw is None or length is None:
        return None
    wanted = call.arguments[3] if len(call.arguments) > 3 else None
    if isinstance(wanted, Buffer) and len(call.arguments) > 4:
        return {"len": unpack_int(length), "data": print_data(raw)}
    layout = option_layout(_number(call.arguments[1]), _number(call.arguments[2]), "str" if wanted == Name("str") else "")
    size = max(unpack_int(length), 0)
    raw = raw[:size]
    form = "errno" if wanted == Name("errno") else layout.form
    value = _option_value(form, raw)
    return {"len": size, "value": value} if wanted == Name("len") else value


def _option_value(form: str, raw: bytes) -> Any:
    if form == "string":
        return raw.split(b"\0")[0].decode(errors="backslashreplace")
    if form == "address":
        return sockaddr.unpack(raw)
    if form == "bytes":
        return print_data(raw)
    if form == "tcp_info":
        # Its first byte is the state, which a length of 0 leaves out.
        return ({"state": _TCP_STATES.get(raw[0], str(raw[0]))} if raw else {}) | {"len": len(raw)}
    if form == "meminfo":
        return dict(zip(MEMORY, struct.unpack_from(f"={len(raw) // 4}I", raw), strict=False))
    if form not in ("int", "errno"):
        return print_structure(form, raw) if len(raw) >= structure_size(form) else raw.hex()
    number = unpack_int(raw)
    return errno_name(number) or 0 if form == "errno" else number


# include/net/tcp_states.h
_TCP_STATES = dict(
    enumerate(
        [
            "ESTABLISHED",
            "SYN_SENT",
            "SYN_RECV",
            "FIN_WAIT1",
            "FIN_WAIT2",
            "TIME_WAIT",
            "CLOSE",
            "CLOSE_WAIT",
            "LAST_ACK",
            "LISTEN",
            "CLOSING",
        ],
        start=1,
    )
)


def _ioctl(call: Call, raw: bytes | None) -> Any:
    request = _number(call.arguments[1])
    if raw is None or request in (constant("FIONBIO"), constant("FIOASYNC"), constant("FIOCLEX"), constant("FIONCLEX")):
        return None
    if len(raw) < IFREQ_SIZE:
        return unpack_int(raw[:4])
    if request == constant("SIOCGIFNAME"):
        return raw[:IFNAMSIZ].split(b"\0")[0].decode(errors="backslashreplace")
    body = raw[IFNAMSIZ:]
    if request == constant("SIOCGIFADDR"):
        return sockaddr.unpack(body[:16]).rpartition(":")[0]
    if request == constant("SIOCGIFHWADDR"):
        return body[2:8].hex(":")
    return unpack_int(body[:2] if request == constant("SIOCGIFFLAGS") else body[:4])


def _polled(call: Call, raw: bytes | None) -> Any:
    """revents by name; by descriptor where several were polled."""
    if raw is None:
        return None
    events = [flag_names("POLL", struct.unpack_from("=H", raw, at + 6)[0]) for at in range(0, len(raw), 8)]
    if len(events) == 1:
        return events[0]
    return {_shown(value): event for value, event in zip(call.arguments[:-1:2], events, strict=True)}


def _shown(value: Value) -> str:
    return value.name if isinstance(value, Name) else str(_number(value))


def _selected(call: Call, out: Sequence[Any]) -> str:
    """ "readable", "writable", both joined by |, or "0" for neither."""
    ready = [
        name
        for name, value, raw in zip(("readable", "writable"), call.arguments, out[1:3], strict=False)
        if raw is not None and not isinstance(value, BadPointer) and any(raw)
    ]
    return "|".join(ready) or "0"


def _epolled(raw: bytes | None, result: int) -> Any:
    """Events by name for one, a list of [descriptor, events] for several."""
    if raw is None:
        return None
    events = [(fd, flag_names("EPOLL", bits)) for bits, fd in unpack_epoll_events(raw, result)]
    if len(events) == 1:
        return events[0][1]
    return [[fd, names] for fd, names in events] or "0"
