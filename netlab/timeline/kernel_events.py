"""What the kernel does with sockets and packets besides changing states: resets, retransmissions, drops, errors, memory.

``state`` is the socket's TCP state then, in Linux' spelling without TCP_; ``cookie`` is SO_COOKIE, ``inode`` what a descriptor
shows; all are empty or 0 where the kernel's event has none.
"""

from typing import Literal

from netlab.timeline.observation import Address, Observation


class Reset(Observation, frozen=True, kw_only=True, tag="reset"):
    """The kernel sent a RST, or took one that came. ``reason`` is why it sent one, in its own words ("TCP_ABORT_ON_DATA"), where it
    tells (Linux 6.10)."""

    direction: Literal["sent", "received"]
    local: Address
    remote: Address
    state: str = ""
    reason: str = ""
    cookie: int = 0
    inode: int = 0


class Retransmission(Observation, frozen=True, kw_only=True, tag="retransmission"):
    """TCP sent something once more: a segment of a connection, or the SYN-ACK of a half-open one."""

    what: Literal["segment", "SYN-ACK"]
    local: Address
    remote: Address
    state: str = ""
    cookie: int = 0
    inode: int = 0


class PacketDropped(Observation, frozen=True, kw_only=True, tag="drop"):
    """The kernel threw a packet away. ``reason`` is SKB_DROP_REASON_'s name without that ("NO_SOCKET"), ``place`` the kernel's
    function. ``data`` is its beginning from the IP header on, as much as there was room for."""

    reason: str
    place: str = ""
    interface: str = ""
    data: bytes = b""


class SocketError(Observation, frozen=True, kw_only=True, tag="socket-error"):
    """A socket was given an error to report (SO_ERROR): ``errno``'s name."""

    errno: str
    local: Address
    remote: Address
    state: str = ""
    cookie: int = 0
    inode: int = 0


class SocketDestroyed(Observation, frozen=True, kw_only=True, tag="destroyed"):
    """A socket ended, as sock_diag(7) tells the groups of destroyed sockets. ``state`` is the last that it had."""

    protocol: str
    local: Address
    remote: Address
    state: str = ""
    cookie: int = 0
    inode: int = 0


class SocketMemory(Observation, frozen=True, kw_only=True, tag="socket-memory"):
    """A socket's memory in bytes by SK_MEMINFO_'s names in lower case (sock_diag(7)): rmem_alloc, rcvbuf, wmem_alloc, sndbuf,
    fwd_alloc, wmem_queued, optmem, backlog; and drops, a number of packets."""

    local: Address
    remote: Address
    memory: dict[str, int]
    cookie: int = 0
    inode: int = 0


class SocketTimer(Observation, frozen=True, kw_only=True, tag="socket-timer"):
    """The timer of a TCP socket, as struct inet_diag_msg has it (sock_diag(7)) and ss -o writes it: ``timer`` is none, on,
    keepalive, timewait or persist; it has gone off ``repeats`` times, and has ``left`` ms to go."""

    local: Address
    remote: Address
    timer: str
    repeats: int = 0
    left: int = 0
    cookie: int = 0
    inode: int = 0


class TcpInfo(Observation, frozen=True, kw_only=True, tag="tcp-info"):
    """A sample of TCP_INFO (tcp(7)), by the names of struct tcp_info without tcpi_; what the kernel does not give is left out."""

    local: Address
    remote: Address
    info: dict[str, int]
    cookie: int = 0
    inode: int = 0
