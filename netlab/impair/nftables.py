"""Packs the netlink messages of nf_tables that drop and count packets where they enter an interface, and reads its counters.

By netlink and not by the program nft, which many machines lack and which would have to be started in the namespace. The module
knows the kernel's words (linux/netfilter/nf_tables.h) and nothing of rules of impairment.
"""

import errno
import os
import socket
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence

from netlab.errors import HostError, LabError
from netlab.impair.nft_expressions import COUNTER, nest, number, packed, text
from netlab.impair.qdisc import attributes

__all__ = ["FIRST", "FIX", "NETLINK_NETFILTER", "Ruleset", "batch", "change", "counters"]

NETLINK_NETFILTER = 12

FIRST = "frames"
"""The chain through which packets come in."""

_HEADER = struct.Struct("=IHHIIBBH")
_SUBSYSTEM = 10 << 8  # NFNL_SUBSYS_NFTABLES
_BATCH_BEGIN, _BATCH_END, _BATCH_RESOURCE = 0x10, 0x11, socket.htons(10)
_NEW_TABLE, _DELETE_TABLE, _NEW_CHAIN, _NEW_RULE = 0, 2, 3, 6
_NEW_SET, _NEW_ELEMENTS, _NEW_OBJECT, _GET_OBJECT = 9, 12, 18, 19
_REQUEST, _ACK, _CREATE, _APPEND, _DUMP = 0x1, 0x4, 0x400, 0x800, 0x300
_ERROR, _DONE = 2, 3
_NETDEV, _INGRESS = 5, 0
_LARGEST = 1 << 20
_LACKING = (errno.ENOENT, errno.EOPNOTSUPP, errno.EPROTONOSUPPORT, errno.EAFNOSUPPORT, errno.EPERM)
FIX = "boot a kernel with CONFIG_NF_TABLES_NETDEV, CONFIG_NFT_NUMGEN and CONFIG_NFT_FWD_NETDEV"


class Ruleset:
    """A table of the family netdev while it is written. Chains, sets and counters come before the rules that name them."""

    def __init__(self, table: str) -> None:
        self.table = table
        self._messages = [_message(_NEW_TABLE, _CREATE, text(1, table))]

    def ingress(self, device: str) -> None:
        """The chain FIRST, that every packet goes through that comes in by an interface."""
        hook = nest(4, number(1, _INGRESS), number(2, 0), text(3, device))
        self._messages.append(_message(_NEW_CHAIN, _CREATE, text(1, self.table), text(3, FIRST), hook, text(7, "filter")))

    def chain(self, name: str) -> None:
        """A chain to jump to."""
        self._messages.append(_message(_NEW_CHAIN, _CREATE, text(1, self.table), text(3, name)))

    def counter(self, name: str) -> None:
        """A counter, at 0."""
        fields = text(1, self.table), text(2, name), number(3, COUNTER), nest(4)
        self._messages.append(_message(_NEW_OBJECT, _CREATE, *fields))

    def set(self, name: str, values: Iterable[bytes]) -> None:
        """A set of values of one length, of which there is at least one."""
        members = sorted(set(values))
        identity = len(self._messages)
        fields = number(3, 0), number(4, 0), number(5, len(members[0])), number(10, identity)
        self._messages.append(_message(_NEW_SET, _CREATE, text(1, self.table), text(2, name), *fields))
        elements = nest(3, *(nest(1, packed(1, member)) for member in members))
        self._messages.append(_message(_NEW_ELEMENTS, _CREATE, text(1, self.table), text(2, name), number(4, identity), elements))

    def rule(self, chain: str, *expressions: bytes) -> None:
        """A rule at the end of a chain."""
        fields = text(1, self.table), text(2, chain), nest(4, *expressions)
        self._messages.append(_message(_NEW_RULE, _CREATE | _APPEND, *fields))

    @property
    def messages(self) -> Sequence[bytes]:
        """What there is so far, each with its header."""
        return tuple(self._messages)


def _message(kind: int, flags: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    size = _HEADER.size + len(body)
    return _HEADER.pack(size, _SUBSYSTEM | kind, _REQUEST | flags, 0, 0, _NETDEV, 0, 0) + body


def change(netfilter: socket.socket, *, delete: Sequence[str] = (), load: Sequence[Ruleset] = ()) -> None:
    """Have a namespace's kernel take tables away, with all that is in them, and carry out rulesets from now on: all of it between
    two packets or none. ``netfilter`` is a NETLINK_NETFILTER socket made there; one that took anything away takes 10 ms to close.

    Raises HostError where this kernel has not what it takes, LabError when it refuses for another reason.
    """
    netfilter.setblocking(False)  # all answers are there once the batch was taken
    netfilter.send(batch(delete=delete, load=load))
    refused = _refusal(netfilter)
    if refused in _LACKING:
        raise HostError(f"nftables cannot take packets as they enter an interface here: {os.strerror(refused)}", FIX)
    if refused:
        raise LabError(f"the kernel refused a ruleset of nftables: {os.strerror(refused)}")


def batch(*, delete: Sequence[str] = (), load: Sequence[Ruleset] = ()) -> bytes:
    """What to send for that: one text of messages, the last of which is acknowledged; of those that are refused, each."""
    messages = [_message(_DELETE_TABLE, 0, text(1, table)) for table in delete]
    messages += [message for ruleset in load for message in ruleset.messages]
    begin, end = (_HEADER.pack(_HEADER.size, kind, _REQUEST, 0, 0, 0, 0, _BATCH_RESOURCE) for kind in (_BATCH_BEGIN, _BATCH_END))
    last = bytearray(messages[-1])
    struct.pack_into("=H", last, 6, struct.unpack_from("=H", last, 6)[0] | _ACK)
    return begin + b"".join(messages[:-1]) + bytes(last) + end


def _refusal(netfilter: socket.socket) -> int:
    """The first errno among the answers to a batch, 0 for none."""
    refused, told = 0, 0
    while True:
        try:
            answer = netfilter.recv(_LARGEST)
        except BlockingIOError:
            if not told:
                raise LabError("the kernel does not say whether it took a ruleset of nftables") from None
            return refused
        for kind, body in _each(answer):
            told += 1
            if kind == _ERROR:
                refused = refused or -struct.unpack_from("=i", body)[0]


def counters(netfilter: socket.socket, table: str) -> Mapping[str, int]:
    """How many packets each counter of a table has counted."""
    netfilter.settimeout(5)
    netfilter.send(_message(_GET_OBJECT, _DUMP, text(1, table)))
    found: dict[str, int] = {}
    while True:
        for kind, body in _each(netfilter.recv(_LARGEST)):
            if kind == _DONE:
                return found
            if kind == _ERROR:
                raise LabError(f"the kernel does not tell its counters: {os.strerror(-struct.unpack_from('=i', body)[0])}")
            fields = dict(attributes(body[4:]))
            if fields[1].rstrip(b"\0").decode() == table:
                data = dict(attributes(fields[4]))
                found[fields[2].rstrip(b"\0").decode()] = int.from_bytes(data[2], "big")


def _each(answer: bytes) -> Iterator[tuple[int, bytes]]:
    offset = 0
    while offset < len(answer):
        length, kind = struct.unpack_from("=IH", answer, offset)
        yield kind, answer[offset + 16 : offset + length]
        offset += (length + 3) & ~3
