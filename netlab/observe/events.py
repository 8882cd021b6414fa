"""Resets, retransmissions, socket errors and dropped packets in chosen network namespaces: BPF on raw tracepoints, root only.

Namespaces are told apart by their cookie (SO_NETNS_COOKIE), in the kernel. The module refuses to know which of these are right.

What a reader should know. A reset that came is seen where a socket took it, not where it ended a half-open request or a TIME_WAIT.
One that a socket sends of itself (by close, say) is stamped when it has gone: the peer may have taken it before. A drop is what the
kernel gave a reason for, in its words: a reset that was obeyed is one too (TCP_RESET). What a socket still had in its queues at its
end is none, even where TCP keeps the peer's FIN there (QUEUE_PURGE); nor is what is no packet of a network (Unix sockets, netlink).
The interface of a drop is not known where TCP had taken the packet, and of data only what lies in one piece with the headers.
"""

import contextlib
import errno
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from netlab.observe.bpf import Map, MapKind
from netlab.observe.drop_reasons import Reasons, read_reasons
from netlab.observe.event_programs import (
    DROP_RECORD,
    DROPPED,
    QUESTIONS,
    SENT_WHY,
    SOCKET_RECORD,
    DropPrograms,
    EventPrograms,
    Happened,
)
from netlab.observe.kallsyms import FunctionNames, addresses_shown
from netlab.observe.kernel_source import DEFAULT_RING, Attached, KernelSource, MakeSocket, Piece, cookie_of
from netlab.observe.layout import Layout, Question
from netlab.observe.socket_records import read_head
from netlab.timeline.observations import AnyObservation, PacketDropped, Reset, Retransmission, SocketError

_OURS = 0x88B5  # the ethertype of netlab's own canaries (IEEE 802 local experimental)
_EMPTIED = "QUEUE_PURGE"
_ETHERTYPES = {0x0800: 4, 0x86DD: 6}
_NETWORK_FAMILIES = (socket.AF_UNSPEC, socket.AF_INET, socket.AF_INET6, socket.AF_PACKET)
_NO_SENDERS = (
    "resets that no socket sends, as from a closed port, are not seen: the kernel does not tell of them (before Linux 6.10)"
)
_NO_REASONS = "why a reset was sent is not seen: the kernel does not tell (before Linux 6.10)"
_NO_PLACES = "the functions that dropped packets are not named: the kernel hides their addresses (sysctl kernel.kptr_restrict=1)"


class EventObserver(KernelSource):
    """Delivers Reset, Retransmission, PacketDropped and SocketError; for the arguments see KernelSource.

    A record of a drop takes 176 bytes of ``ring``, any other 96. What an older kernel lacks is said by the report's notes.
    """

    name: ClassVar[str] = "events"
    _asked: ClassVar[tuple[Question, ...]] = QUESTIONS
    _heard_by: ClassVar[str] = DROPPED.tracepoint

    def __init__(
        self,
        namespaces: Mapping[int, str],
        *,
        ring: int = DEFAULT_RING,
        cache: Path | None = None,
        canary: MakeSocket | None = None,
    ) -> None:
        super().__init__(namespaces, ring=ring, cache=cache, canary=canary)
        self._reasons = Reasons(drops={}, resets={}, ordinary=(), unsaid=None)
        self._functions = FunctionNames()
        self._listening: Map | None = None
        self._canary_cookie = 0
        self._ready: list[AnyObservation] = []

    def _pieces(self, held: contextlib.ExitStack, attached: Attached) -> Iterator[Piece]:
        self._reasons = read_reasons(cache=self._cache)
        self._listening = self._map(held, MapKind.ARRAY, key=4, value=8, entries=1, name="nl_listening")
        self._notes += _shortcomings(attached.layout)
        shared = {field: getattr(attached, field) for field in ("layout", "clock", "ring", "wanted", "lost")}
        yield from EventPrograms(**shared).pieces()
        yield from DropPrograms(**shared, reasons=self._reasons, listening=self._listening).pieces()

    def _sound(self, make: MakeSocket) -> tuple[int, int]:
        """A datagram between two Unix sockets is thrown away unread: no interface, no counter of the network's ever sees it."""
        with make(socket.AF_UNIX, socket.SOCK_DGRAM, 0) as sender, make(socket.AF_UNIX, socket.SOCK_DGRAM, 0) as receiver:
            self._canary_cookie = cookie_of(sender)
            receiver.bind("")
            sender.sendto(b"canary", receiver.getsockname())
            self._listen(True)
            try:
                before = time.time_ns()
                receiver.close()
                return before, time.time_ns()
            finally:
                self._listen(False)

    def _listen(self, on: bool) -> None:
        assert self._listening is not None
        self._listening[bytes(4)] = int(on).to_bytes(8, sys.byteorder)

    def _take(self, now: int | None) -> list[AnyObservation]:
        taken, self._ready = sorted(self._ready, key=lambda observation: observation.time), []
        return taken

    def _feed(self, records: list[bytes]) -> None:
        drops = [DROP_RECORD.unpack(record) for record in records if len(record) == DROP_RECORD.size]
        kept = [drop for drop in drops if self._is_drop(drop)]
        self._functions.learn(drop[3] for drop in kept)
        self._ready += map(self._drop, kept)
        self._ready += [self._event(record) for record in records if len(record) == SOCKET_RECORD.size]

    def _is_drop(self, drop: tuple[Any, ...]) -> bool:
        stamp, device_space, owner, _, space, reason, _, _, ethertype, family, _, _ = drop
        if family == socket.AF_UNIX and owner and owner == self._canary_cookie:
            self._heard.append(stamp - self._offset)
        if self._reasons.drop(reason) == _EMPTIED and device_space != space:
            return False
        return reason != self._reasons.unsaid and family in _NETWORK_FAMILIES and socket.ntohs(ethertype) != _OURS

    def _drop(self, drop: tuple[Any, ...]) -> PacketDropped:
        stamp, device_space, _, place, space, reason, tail, network, ethertype, _, interface, data = drop
        version = _ETHERTYPES.get(socket.ntohs(ethertype), 0)
        packet = data[: max(0, tail - network)] if version and data[0] >> 4 == version else b""
        return PacketDropped(
            time=stamp - self._offset,
            host=self._namespaces[space],
            reason=self._reasons.drop(reason),
            place=self._functions[place],
            interface=interface.partition(b"\0")[0].decode(errors="replace") if device_space == space else "",
            data=packet,
        )

    def _event(self, record: bytes) -> AnyObservation:
        happened, state, bound, detail = SOCKET_RECORD.unpack(record)[-4:]
        head = read_head(record, bound)
        facts: dict[str, Any] = {
            "time": head.time - self._offset,
            "host": self._namespaces[head.space],
            "local": head.local,
            "remote": head.remote,
            "state": self._states.get(state, ""),
            "cookie": head.cookie,
            "inode": head.inode,
        }
        match Happened(happened):
            case Happened.RESET_SENT:
                return Reset(direction="sent", reason=self._reasons.reset(detail), **facts)
            case Happened.RESET_RECEIVED:
                return Reset(direction="received", **facts)
            case Happened.SEGMENT_AGAIN:
                return Retransmission(what="segment", **facts)
            case Happened.SYN_ACK_AGAIN:
                return Retransmission(what="SYN-ACK", **facts)
            case Happened.ERROR:
                return SocketError(errno=errno.errorcode.get(detail, str(detail)), **facts)


def _shortcomings(layout: Layout) -> Iterator[str]:
    if layout.get(SENT_WHY) is None:
        yield _NO_SENDERS
        yield _NO_REASONS
    if not addresses_shown():
        yield _NO_PLACES
