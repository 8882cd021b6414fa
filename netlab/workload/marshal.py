"""Turns a call of the notation into what the agent hands to libc: integers, buffers, bad pointers, addresses, messages.

Nothing here makes a call, or knows what must come of one. The way back is in replies.py.
"""

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from netlab.notation.calls import Call
from netlab.notation.pattern import pattern
from netlab.notation.signatures import SIGNATURES
from netlab.notation.values import BadPointer, Buffer, Name, Number, Parts, Rights, SocketAddress, Structure, Text
from netlab.workload.encoder import PAD_LIMIT, Encoder, Environment, padded
from netlab.workload.layouts import (
    ADDRESS_ROOM,
    CONTROL_ROOM,
    FD_SET_SIZE,
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
    """One call as the agent takes it: its name, tagged arguments, and what C type it returns ("int" or "ssize")."""

    call: str
    args: list[Argument]
    width: str


def encode(call: Call, environment: Environment) -> Encoded:
    """The call as the agent takes it; raises MarshalError for what has no form in memory."""
    encoder = Encoder(call, environment)
    special = _SPECIAL.get(call.name)
    args = special(encoder) if special else encoder.plain()
    return Encoded(call.name, args, "ssize" if SIGNATURES[call.name].returns == "count" and call.name not in _COUNTS_INT else "int")


_COUNTS_INT = ("poll", "select", "epoll_wait")


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


def _message_name_in(encoder: Encoder) -> bytes | None:
    value = encoder.values.get("address")
    if value is None or value == Name("NONE") or (isinstance(value, BadPointer) and value.null):
        return None
    raw = encoder.raw_address(value)
    length = encoder.length(len(raw))
    if not 0 <= length <= PAD_LIMIT:
        raise MarshalError(f"{encoder.call.name}: a msghdr's address of {length} bytes cannot be built")
    return padded(raw, length)[:length]


def _message_name_out(encoder: Encoder) -> int | None:
    value = encoder.values.get("address")
    match value:
        case None | Name("BUF"):
            return encoder.length(ADDRESS_ROOM)
        case Buffer(size):
            return size
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
    head: list[Argument] = [["int", encoder.integer(encoder.values["fd"])], ["int", encoder.integer(encoder.values["request"])]]
    match encoder.values.get("argument"):
        case None | Name("BUF"):
            return [*head, ["inout", pack_int(0)]]
        case BadPointer(null, _):
            return [*head, ["null"] if null else ["bad"]]
        case SocketAddress(form="interface", interface=interface):
            return [*head, ["inout", interface.encode().ljust(IFREQ_SIZE, b"\0")]]
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
