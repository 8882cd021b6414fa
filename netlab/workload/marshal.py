"""Turns a call of the notation into what the agent hands to libc: integers, buffers, bad pointers, addresses, messages.

Nothing here makes a call, or knows what must come of one. The way back is in replies.py.
"""

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from netlab.notation import sockaddr
from netlab.notation.calls import Call
from netlab.notation.constants import constant
from netlab.notation.pattern import pattern
from netlab.notation.signatures import SIGNATURES
from netlab.notation.values import BadPointer, Buffer, Name, Number, Parts, Rights, SocketAddress, Structure, Text
from netlab.workload.encoder import PAD_LIMIT, Encoder, padded
from netlab.workload.environment import Environment
from netlab.workload.layouts import (
    ADDRESS_ROOM,
    CONTROL_ROOM,
    FD_SET_SIZE,
    IFCONF_SIZE,
    IFNAMSIZ,
    IFREQ_SIZE,
    Argument,
    MarshalError,
    pack_credentials,
    pack_int,
    pack_rights,
    pack_structure,
)
from netlab.workload.replies import Decoded, decode

__all__ = ["Decoded", "Encoded", "Environment", "MarshalError", "decode", "encode"]


@dataclass(frozen=True, slots=True)
class Encoded:
    """One call as the agent takes it: its name, tagged arguments, and what C type it returns ("int" or "ssize").

    ``in_child``: in a process that is forked for it. ``delay``: so many milliseconds from now.
    """

    call: str
    args: list[Argument]
    width: str
    in_child: bool = False
    delay: int = 0


def encode(call: Call, environment: Environment) -> Encoded:
    """The call as the agent takes it; raises MarshalError for what has no form in memory."""
    encoder = Encoder(call, environment)
    if call.inner is not None:
        delay = encoder.integer(encoder.values.get("time"))
        if not 0 <= delay <= LONGEST_DELAY:
            raise MarshalError(f"{call.name}: {delay} milliseconds cannot be waited for: at most {LONGEST_DELAY}")
        return replace(encode(call.inner, environment), in_child=call.name == "child", delay=delay)
    if call.name in _AS:
        return Encoded(*_AS[call.name](encoder), "int")
    special = _SPECIAL.get(call.name)
    args = special(encoder) if special else encoder.plain()
    return Encoded(call.name, args, "ssize" if SIGNATURES[call.name].returns == "count" and call.name not in _COUNTS_INT else "int")


_COUNTS_INT = ("poll", "select", "epoll_wait")

LONGEST_DELAY = 600_000
"""How many milliseconds after() can put a call off."""

_TCP_INFO_STATE = 1
"""As much of struct tcp_info as has the state: its first byte (include/uapi/linux/tcp.h)."""


def _addr(encoder: Encoder) -> tuple[str, list[Argument]]:
    fd = encoder.integer(encoder.values["fd"])
    return "getsockname", [["int", fd], ["out", ADDRESS_ROOM], ["inout", pack_int(ADDRESS_ROOM)]]


def _tcp_state(encoder: Encoder) -> tuple[str, list[Argument]]:
    level, option = constant("IPPROTO_TCP"), constant("TCP_INFO")
    fd = encoder.integer(encoder.values["fd"])
    return "getsockopt", [["int", fd], ["int", level], ["int", option], ["out", 8], ["inout", pack_int(_TCP_INFO_STATE)]]


def _unused_port(encoder: Encoder) -> tuple[str, list[Argument]]:
    domain, kind = (encoder.integer(encoder.values[name]) for name in ("domain", "type"))
    return "unused_port", [["int", domain], ["int", kind], ["out", ADDRESS_ROOM], ["inout", pack_int(ADDRESS_ROOM)]]


_AS: Mapping[str, Callable[[Encoder], tuple[str, list[Argument]]]] = {
    "addr": _addr,
    "tcp_state": _tcp_state,
    "unused_port": _unused_port,
}
"""Steps of netlab's own that the agent knows by another name, or with room for what they give."""


def _message(encoder: Encoder, *, out: bool) -> list[Argument]:
    value = encoder.values["buffer"]
    vector: list[Argument] = []
    for buffer in value.parts if isinstance(value, Parts) else (value,):
        part, size = encoder.pointer(buffer, out=out)
        vector.append([part[0], size] if part[0] in ("bad", "null") else part)
    flags = encoder.integer(encoder.values["flags"])
    name = _message_name_out(encoder) if out else _message_name_in(encoder)
    content = {"name": name, "iov": vector, "control": _message_control(encoder, out=out), "flags": 0}
    return [["int", encoder.integer(encoder.values["fd"])], ["msg", content], ["int", flags]]


def _message_name_in(encoder: Encoder) -> bytes | list[str | int] | None:
    value = encoder.values.get("address")
    if isinstance(value, BadPointer) and not value.null:
        return ["bad", encoder.length(sockaddr.INET_LENGTH if value.size is None else value.size)]
    if value is None or value == Name("NONE") or (isinstance(value, BadPointer) and value.null):
        return None
    raw = encoder.raw_address(value)
    length = encoder.length(len(raw))
    if not 0 <= length <= PAD_LIMIT:
        raise MarshalError(f"{encoder.call.name}: a msghdr's address of {length} bytes cannot be built")
    return padded(raw, length)[:length]


def _message_name_out(encoder: Encoder) -> int | list[str | int] | None:
    value = encoder.values.get("address")
    match value:
        case None | Name("BUF"):
            room = encoder.length(ADDRESS_ROOM)
            return room if 0 <= room <= PAD_LIMIT else ["room", room]
        case Buffer(size):
            return size
        case BadPointer(False, size):
            return ["bad", encoder.length(sockaddr.INET_LENGTH if size is None else size)]
        case BadPointer(True, _) | Name("NONE"):
            return None
    raise encoder.refuse(value, "a buffer for an address")


def _message_control(encoder: Encoder, *, out: bool) -> bytes | int | list[str] | None:
    match encoder.keywords.get("control"):
        case None | Name("BUF"):
            return CONTROL_ROOM if out else None
        case Name("NONE") | BadPointer(True, _):
            return None
        case BadPointer(False, _):
            return ["bad"]
        case Number(size) if out:
            return size
        case Buffer(size):
            return size if out else pattern(size)
        case Rights(names):
            return CONTROL_ROOM if out else pack_rights([encoder.environment.descriptor(name) for name in names])
        case Structure("ucred", members) if not out:
            return pack_credentials(encoder.members(members))
        case Text(data) if not out:
            return data
        case other:
            raise encoder.refuse(other, "a control message")


def _poll(encoder: Encoder) -> list[Argument]:
    *pairs, timeout = encoder.call.arguments
    if isinstance(pairs[0], BadPointer):
        return [
            ["null"] if pairs[0].null else ["bad"],
            ["int", encoder.integer(pairs[1])],
            ["int", encoder.integer(timeout)],
        ]
    wanted = [(encoder.integer(fd), encoder.integer(events)) for fd, events in zip(pairs[::2], pairs[1::2], strict=True)]
    packed = b"".join(struct.pack("=iHH", fd, events & 0xFFFF, 0) for fd, events in wanted)
    return [["inout", packed], ["int", len(wanted)], ["int", encoder.integer(timeout)]]


def _select(encoder: Encoder) -> list[Argument]:
    sets: list[Argument] = []
    highest = -1
    for name in ("readable", "writable"):
        value = encoder.values[name]
        match value:
            case Name("NONE"):
                sets.append(["null"])
            case BadPointer(null, _):
                sets.append(["null"] if null else ["bad"])
                highest = max(highest, 0)
            case _:
                fd = encoder.integer(value)
                if not 0 <= fd < FD_SET_SIZE * 8:
                    raise encoder.refuse(value, f"a member of an fd_set, which holds 0 to {FD_SET_SIZE * 8 - 1}")
                sets.append(["inout", (1 << fd).to_bytes(FD_SET_SIZE, "little")])
                highest = max(highest, fd)
    timeout = encoder.values["timeout"]
    wait: Argument = ["null"]
    if not isinstance(timeout, BadPointer):
        seconds, rest = divmod(encoder.integer(timeout), 1000)
        wait = ["in", pack_structure("timeval", (seconds, rest * 1000))]
    return [["int", highest + 1], *sets, ["null"], wait]


def _ioctl(encoder: Encoder) -> list[Argument]:
    request = encoder.integer(encoder.values["request"])
    head: list[Argument] = [["int", encoder.integer(encoder.values["fd"])], ["int", request]]
    match encoder.values.get("argument"):
        case None if request == constant("SIOCGIFCONF"):  # struct ifconf without a buffer: it asks how long one must be
            return [*head, ["inout", bytes(IFCONF_SIZE)]]
        case None | Name("BUF"):
            return [*head, ["inout", pack_int(0)]]
        case BadPointer(null, _):
            return [*head, ["null"] if null else ["bad"]]
        case SocketAddress(form="interface", interface=interface):
            named = request != constant("SIOCGIFNAME")
            name = interface.encode() if named else bytes(IFNAMSIZ) + pack_int(encoder.environment.interface_index(interface))
            return [*head, ["inout", name.ljust(IFREQ_SIZE, b"\0")]]
        case value:
            return [*head, ["inout", pack_int(encoder.integer(value))]]


def _setrlimit(encoder: Encoder) -> list[Argument]:
    soft = encoder.integer(encoder.values["soft"])
    hard = encoder.integer(encoder.values["hard"], soft)
    return [["int", encoder.integer(encoder.values["resource"])], ["in", pack_structure("rlimit", (soft, hard))]]


_SPECIAL: Mapping[str, Callable[[Encoder], list[Argument]]] = {
    "sendmsg": lambda encoder: _message(encoder, out=False),
    "recvmsg": lambda encoder: _message(encoder, out=True),
    "poll": _poll,
    "select": _select,
    "ioctl": _ioctl,
    "setrlimit": _setrlimit,
}
