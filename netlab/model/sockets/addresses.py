"""Addresses as arguments: what a call was given and how long it said that is; what it writes back, cut off where room is short.

It knows bind(), connect(), getsockname() and their like alike, and which of them looks at what first it does not.
"""

import re
import socket
from typing import Any

import msgspec

from netlab.model.sockets.arguments import Data, Unknown
from netlab.model.sockets.objects import Address
from netlab.model.sockets.outcomes import AnAddress, Out, write_address
from netlab.model.sockets.situation import Situation
from netlab.model.sockets.world import World
from netlab.notation import sockaddr
from netlab.notation.pattern import pattern
from netlab.notation.printing import print_data
from netlab.notation.values import BadPointer

INET, INET6, UNIX = int(socket.AF_INET), int(socket.AF_INET6), int(socket.AF_UNIX)
LONGEST = 128
"""sizeof(struct sockaddr_storage): a longer address is refused before it is read (move_addr_to_user() in net/socket.c)."""
ROOM = 128
_POINTER_LENGTH = 16
_BEFORE_NAME = 3
"""The family, and the zero that an abstract name begins with (unix(7))."""


def natural_length(address: Address) -> int:
    """How long an address is where nobody says otherwise: with the zero that ends a path (ip(7), ipv6(7), unix(7))."""
    if address.family == UNIX:
        if address.kind in ("", "unnamed"):
            return 2 if address.kind else sockaddr.FAMILY_ONLY_LENGTH
        return 3 + (len(address.host.encode()) if address.port >= 0 else 5)
    return {INET: sockaddr.INET_LENGTH, INET6: sockaddr.INET6_LENGTH}.get(address.family, sockaddr.FAMILY_ONLY_LENGTH)


def is_unknown(s: Situation) -> bool:
    """Whether the address is one of which the model cannot say what it is."""
    return isinstance(s.args.get("address"), Unknown) or isinstance(s.args.get("addr"), Unknown)


def pointed(s: Situation) -> Any:
    """The address argument, by its place or as addr=."""
    return s.args["addr"] if "addr" in s.args else s.args.get("address")


def length_given(s: Situation) -> Any:
    """The length argument, by its place or as addrlen=: a number, a bad pointer, None."""
    return s.args["addrlen"] if "addrlen" in s.args else s.args.get("length")


def length_in(s: Situation) -> int:
    """The length that the call says its address has."""
    value, length = pointed(s), length_given(s)
    if isinstance(value, Address) and value.length is not None:
        return value.length
    if isinstance(length, int):
        return length
    match value:
        case Address():
            return natural_length(value)
        case Data(size):
            return size
        case BadPointer(_, size) if size is not None:
            return size
        case BadPointer():
            return sockaddr.INET6_LENGTH if getattr(s.object, "family", "") == "inet6" else sockaddr.INET_LENGTH
        case None if "address" in s.args or "addr" in s.args:
            return sockaddr.FAMILY_ONLY_LENGTH
    return 0


def length_out_of_range(s: Situation) -> bool:
    """Whether the length is below 0 or more than any address can have."""
    return not 0 <= length_in(s) <= LONGEST


def not_readable(s: Situation) -> bool:
    """Whether the address is to be read from where nothing is."""
    return length_in(s) > 0 and (isinstance(pointed(s), BadPointer) or pointed(s) == "NONE")


def address_in(s: Situation) -> Address:
    """The address that the call was given, cut off to its length; of family 0 where it is too short to have any."""
    value, length = pointed(s), length_in(s)
    if isinstance(value, Data):
        raw = value.content if value.content is not None else pattern(value.size)
        return _of_bytes(raw.ljust(max(length, 0), b"\0")[: max(length, 0)])
    if not isinstance(value, Address):
        return Address(s.socket.domain, {INET: "0.0.0.0", INET6: "::"}.get(s.socket.domain, ""), kind="abstract")
    if value.family == UNIX and value.kind in ("", "unnamed") and length > 2:
        return msgspec.structs.replace(value, host="\0" * (length - 3), kind="abstract")
    if value.family == UNIX and value.kind in ("path", "abstract") and value.port >= 0:
        room = max(length - (2 if value.kind == "path" else 3), 0)
        name = value.host.encode()[:room]
        if value.kind == "abstract":
            name = name.ljust(room, b"\0")
        elif not name:
            return msgspec.structs.replace(value, host="", kind="abstract")
        return msgspec.structs.replace(value, host=name.decode(errors="backslashreplace"))
    if value.family in (0, INET) and not value.host:
        return msgspec.structs.replace(value, host="0.0.0.0")
    if value.family == INET6 and not value.host:
        return msgspec.structs.replace(value, host="::")
    return value


def address_found(s: Situation) -> Address:
    """The same, kept for the guards that ask again."""
    if not isinstance(s.found, Address):
        s.found = address_in(s)
    return s.found


def _of_bytes(raw: bytes) -> Address:
    family = sockaddr.family_of(raw)
    if family in (0, INET) and len(raw) >= sockaddr.INET_LENGTH:
        return Address(family, socket.inet_ntop(socket.AF_INET, raw[4:8]), int.from_bytes(raw[2:4], "big"))
    if family == INET6 and len(raw) >= 24:
        scope = int.from_bytes(raw[24:28], "little")
        return Address(family, socket.inet_ntop(socket.AF_INET6, raw[8:24]), int.from_bytes(raw[2:4], "big"), scope=scope)
    if family == UNIX and len(raw) > 2:
        kind, name = ("abstract", raw[3:]) if raw[2] == 0 else ("path", raw[2:].split(b"\0")[0])
        return Address(family, name.decode(errors="backslashreplace"), kind=kind)
    return Address(family)


class Written(msgspec.Struct, frozen=True):
    """An address as bytes in a buffer of ``size`` bytes of which the call may use ``room``: {addrlen, data}."""

    address: Address
    size: int
    room: int

    def accepts(self, out: Any, world: World) -> bool:
        """The address's whole length, and as much of its bytes as there is room for; any port where it is not known."""
        if not isinstance(out, dict) or out.get("addrlen") != full_length(self.address):
            return False
        if isinstance(out.get("data"), str) and world.port(self.address.port) >= 0:
            return bool(out["data"] == print_data(self._bytes(world)))
        return True

    def shown(self, world: World) -> Any:
        """Both parts."""
        known = world.port(self.address.port) >= 0
        return {"addrlen": full_length(self.address)} | ({"data": print_data(self._bytes(world))} if known else {})

    def _bytes(self, world: World) -> bytes:
        raw = packed(self.address, world)
        return raw[: max(self.room, 0)].ljust(self.size, b"\0")[: self.size]


def full_length(address: Address) -> int:
    """The length that comes back for an address: a path's with the zero that ends it."""
    return natural_length(address)


def packed(address: Address, world: World) -> bytes:
    """The bytes of an address whose port is known."""
    if address.family == UNIX:
        text = write_address(address, world)
        if address.kind == "path":
            return sockaddr.pack_unix(address.host)
        return (
            sockaddr.pack_abstract(text.removeprefix("abstract:")) if address.kind == "abstract" else sockaddr.pack_family(UNIX, 2)
        )
    return sockaddr.pack_ip(address.host, world.port(address.port), address.scope)


def _room(s: Situation) -> int | None:
    """How much the call may write at most; None where the pointer to that number is bad."""
    length, value = length_given(s), pointed(s)
    if isinstance(length, BadPointer):
        return None
    if isinstance(length, int):
        return length
    match value:
        case Data(size):
            return size
        case BadPointer(True, None) | "NONE":
            return None
        case BadPointer(_, size):
            return _POINTER_LENGTH if size is None else size
    return ROOM


def unwritable(s: Situation, address: Address | None) -> str:
    """The errno with which writing back an address fails, "" if it does not (move_addr_to_user() in net/socket.c).

    Without an address only its length, 0, is written; what the caller said that there is room for is looked at all the same.
    """
    room = _room(s)
    if room is None:
        return "EFAULT"
    if room < 0:
        return "EINVAL"
    needed = full_length(address) if address is not None else 0
    return "EFAULT" if min(room, needed) > 0 and isinstance(pointed(s), BadPointer) else ""


def wants_address(s: Situation) -> bool:
    """Whether a call that may leave the address out (accept, recvfrom) has room for one: a null pointer means no."""
    value = pointed(s)
    return not (value == "NONE" or (isinstance(value, BadPointer) and value.null))


def address_out(s: Situation, address: Address) -> Out | None:
    """What is seen of an address that the call writes back; None for nothing."""
    room, value = _room(s), pointed(s)
    if isinstance(value, BadPointer) or value == "NONE" or room is None:
        return None
    if isinstance(value, Data) and isinstance(length_given(s), int):
        return Written(address, value.size, room)
    if room >= full_length(address):
        return AnAddress(address)
    return Cut(address, room)


class Cut(msgspec.Struct, frozen=True):
    """An address of which only the first ``room`` bytes were written, as text."""

    address: Address
    room: int

    def accepts(self, out: Any, world: World) -> bool:
        """What those bytes say."""
        if self.address.family != UNIX and self.room >= 8 and world.port(self.address.port) < 0:
            return AnAddress(self.address).accepts(out, world) or out == f"family{self.address.family}"
        if self.address.kind == "abstract" and world.port(self.address.port) < 0 and self.room > _BEFORE_NAME:
            # The kernel's choice is a number of five digits.
            return isinstance(out, str) and re.fullmatch(f"abstract:[0-9a-f]{{{self.room - _BEFORE_NAME}}}", out) is not None
        return bool(out == self.shown(world))

    def shown(self, world: World) -> Any:
        """What those bytes say."""
        port = max(world.port(self.address.port), 0)
        if self.address.family != UNIX:
            return sockaddr.unpack(packed(msgspec.structs.replace(self.address, port=port), world)[: self.room])
        return sockaddr.unpack(packed(self.address, world)[: self.room])
