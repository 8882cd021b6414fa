"""Samples of TCP sockets, taken when they are asked for: their memory (INET_DIAG_SKMEMINFO) and TCP_INFO (INET_DIAG_INFO), as
sock_diag(7) gives them for any socket of a namespace, whosever it is.

Sockets that have become a minisock, half-open or in TIME_WAIT, have neither. It does not know which samples are worth having.
"""

import struct
import sys
import time
from collections.abc import Iterable, Mapping

from netlab.observe.sockdiag import INET_DIAG_INFO, INET_DIAG_SKMEMINFO, Attributes, SocketDiagnosis
from netlab.timeline.observations import Address, SocketEntry, SocketMemory, SourceReport, TcpInfo

Sample = SocketMemory | TcpInfo

MEMORY = ("rmem_alloc", "rcvbuf", "wmem_alloc", "sndbuf", "fwd_alloc", "wmem_queued", "optmem", "backlog", "drops")
"""SK_MEMINFO_'s names in their order (include/uapi/linux/sock_diag.h)."""

_BYTES = "state ca_state retransmits probes backoff options"
_WORDS = (
    "rto ato snd_mss rcv_mss unacked sacked lost retrans fackets last_data_sent last_ack_sent last_data_recv last_ack_recv pmtu"
    " rcv_ssthresh rtt rttvar snd_ssthresh snd_cwnd advmss reordering rcv_rtt rcv_space total_retrans"
)
# (width in bytes, names): struct tcp_info of include/uapi/linux/tcp.h, which grows at its end only: Linux 6.18 has all of it.
_PARTS = (
    (1, _BYTES),
    (1, "_scales _bits"),
    (4, _WORDS),
    (8, "pacing_rate max_pacing_rate bytes_acked bytes_received"),
    (4, "segs_out segs_in notsent_bytes min_rtt data_segs_in data_segs_out"),
    (8, "delivery_rate busy_time rwnd_limited sndbuf_limited"),
    (4, "delivered delivered_ce"),
    (8, "bytes_sent bytes_retrans"),
    (4, "dsack_dups reord_seen rcv_ooopack snd_wnd rcv_wnd rehash"),
    (2, "total_rto total_rto_recoveries"),
    (4, "total_rto_time received_ce delivered_e1_bytes delivered_e0_bytes delivered_ce_bytes"),
    (4, "received_e1_bytes received_e0_bytes received_ce_bytes"),
    (2, "accecn_fail_mode accecn_opt_seen"),
)
_CODES = {1: "B", 2: "H", 4: "I", 8: "Q"}


def _fields() -> dict[str, tuple[int, int]]:
    found, at = {}, 0
    for width, names in _PARTS:
        for name in names.split():
            found[name] = (at, width)
            at += width
    return found


FIELDS: Mapping[str, tuple[int, int]] = _fields()
"""Where each field of struct tcp_info is, and its width in bytes; the two that begin with _ hold several of less than a byte."""

_WANTED = 1 << INET_DIAG_INFO - 1 | 1 << INET_DIAG_SKMEMINFO - 1


def tcp_info(data: bytes) -> dict[str, int]:
    """struct tcp_info by its fields' names without tcpi_; what lies beyond the end of what the kernel gave is left out.

    >>> tcp_info(bytes([1, 0, 0, 0, 0, 7, 0x97, 1]))["rcv_wscale"]
    9
    """
    found = {}
    for name, (at, width) in FIELDS.items():
        if at + width > len(data):
            break
        (value,) = struct.unpack_from("=" + _CODES[width], data, at)
        if name == "_scales":
            found["snd_wscale"], found["rcv_wscale"] = _split(value, 4, 4)
        elif name == "_bits":
            found["delivery_rate_app_limited"], found["fastopen_client_fail"] = _split(value, 1, 2)
        else:
            found[name] = value
    return found


def _split(value: int, first: int, second: int) -> tuple[int, int]:
    """Two bit fields of a byte: the first one declared is in the lowest bits on a little-endian machine, else in the highest."""
    if sys.byteorder == "big":
        return value >> 8 - first, value >> 8 - first - second & (1 << second) - 1
    return value & (1 << first) - 1, value >> first & (1 << second) - 1


def socket_memory(data: bytes) -> dict[str, int]:
    """An INET_DIAG_SKMEMINFO attribute by its numbers' names; an older kernel gives fewer."""
    return dict(zip(MEMORY, struct.unpack_from(f"={len(data) // 4}I", data), strict=False))


class SocketSamples:
    """A source that looks only when it is told to, by ``sample``."""

    name = "samples"

    def __init__(self, diagnoses: Mapping[str, SocketDiagnosis]) -> None:
        """``diagnoses``: who reads each node's tables; their owner closes them."""
        self._diagnoses = diagnoses
        self._count = 0

    def start(self) -> None:
        """Nothing is watched between samples."""

    def sample(self, node: str, local: Address | None = None, remote: Address | None = None, cookie: int = 0) -> tuple[Sample, ...]:
        """The memory and TCP_INFO now of all TCP sockets of a node, or of the one with these addresses.

        Raises LabError when the kernel refuses. One socket is looked up as ``SocketDiagnosis.find`` does it; a listening
        one that stands in for a connection that is not there is not taken for it.
        """
        diagnosis = self._diagnoses[node]
        if local is None:
            found: Iterable[tuple[SocketEntry, Attributes]] = diagnosis.every("tcp", attributes=_WANTED)
        else:
            one = diagnosis.find_with("tcp", local, remote, cookie, attributes=_WANTED)
            found = [one] if one is not None and (remote is None or one[0].remote == remote) else []
        samples = [sample for entry, attributes in found for sample in _samples(node, entry, attributes)]
        self._count += len(samples)
        return tuple(samples)

    def drain(self) -> list[Sample]:
        """Nothing: ``sample`` gives them to whoever asks."""
        return []

    def stop(self) -> list[Sample]:
        """Nothing is left to do."""
        return []

    def report(self) -> SourceReport:
        """How many samples were taken. Nothing can be lost, and what happened between two of them is not seen."""
        return SourceReport(name=self.name, available=True, seen=self._count)


def _samples(node: str, entry: SocketEntry, attributes: Attributes) -> Iterable[Sample]:
    now = time.time_ns()
    if memory := attributes.get(INET_DIAG_SKMEMINFO):
        yield SocketMemory(
            time=now,
            host=node,
            local=entry.local,
            remote=entry.remote,
            memory=socket_memory(memory),
            cookie=entry.cookie,
            inode=entry.inode,
        )
    if info := attributes.get(INET_DIAG_INFO):
        yield TcpInfo(
            time=now,
            host=node,
            local=entry.local,
            remote=entry.remote,
            info=tcp_info(info),
            cookie=entry.cookie,
            inode=entry.inode,
        )
