"""The kernel's socket tables through sock_diag(7): every TCP and UDP socket of one namespace, at one instant.

The netlink socket must have been made in that namespace. Sockets that are neither bound, listening nor connected are in no table
and are not seen here (the descriptor table and sockstat count them).
"""

import socket
import struct
import time

from netlab.errors import LabError
from netlab.timeline.observations import SocketEntry, SocketTable

NETLINK_SOCK_DIAG = 4
SOCK_DIAG_BY_FAMILY, NLMSG_ERROR, NLMSG_DONE = 20, 2, 3
_ALL_STATES = 0xFFFFFFFF
TCP_STATES = {  # include/net/tcp_states.h
    1: "ESTABLISHED",
    2: "SYN_SENT",
    3: "SYN_RECV",
    4: "FIN_WAIT1",
    5: "FIN_WAIT2",
    6: "TIME_WAIT",
    7: "CLOSE",
    8: "CLOSE_WAIT",
    9: "LAST_ACK",
    10: "LISTEN",
    11: "CLOSING",
    12: "NEW_SYN_RECV",
    13: "BOUND_INACTIVE",
}
_PROTOCOLS = (("tcp", socket.IPPROTO_TCP), ("udp", socket.IPPROTO_UDP))


class SocketDiagnosis:
    """Dumps the socket tables of one node's namespace."""

    def __init__(self, node: str, made: socket.socket) -> None:
        """``made`` is a socket(AF_NETLINK, SOCK_RAW, NETLINK_SOCK_DIAG) of the namespace; it is closed by ``close``."""
        self.node, self._socket, self._sequence = node, made, 0
        made.settimeout(5)

    def table(self) -> SocketTable:
        """All entries now. Raises LabError when the kernel refuses."""
        began = time.time_ns()
        entries = [
            entry
            for name, protocol in _PROTOCOLS
            for family in (socket.AF_INET, socket.AF_INET6)
            for entry in self._dump(name, family, protocol)
        ]
        return SocketTable(time=time.time_ns(), began=began, host=self.node, entries=tuple(entries))

    def close(self) -> None:
        """Close the netlink socket."""
        self._socket.close()

    def _dump(self, name: str, family: int, protocol: int) -> list[SocketEntry]:
        self._sequence += 1
        request = (
            struct.pack("=BBBBI", family, protocol, 0, 0, _ALL_STATES) + bytes(40) + struct.pack("=II", 0xFFFFFFFF, 0xFFFFFFFF)
        )
        header = struct.pack("=IHHII", 16 + len(request), SOCK_DIAG_BY_FAMILY, 0x301, self._sequence, 0)
        self._socket.send(header + request)
        entries: list[SocketEntry] = []
        while True:
            data, offset = self._socket.recv(1 << 18), 0
            while offset < len(data):
                length, kind, _, sequence, _ = struct.unpack_from("=IHHII", data, offset)
                if sequence == self._sequence:
                    if kind == NLMSG_DONE:
                        return entries
                    if kind == NLMSG_ERROR:
                        number = -struct.unpack_from("=i", data, offset + 16)[0]
                        if number == 2:  # ENOENT: this kernel has no such protocol or no diagnosis for it
                            return entries
                        raise LabError(f"sock_diag refused a dump of {name} sockets: error {number}")
                    entries.append(_entry(name, data[offset + 16 : offset + length]))
                offset += (length + 3) & ~3


def _entry(protocol: str, data: bytes) -> SocketEntry:
    family, state = struct.unpack_from("=BB", data)
    source_port, target_port = struct.unpack_from(">HH", data, 4)
    size = 4 if family == socket.AF_INET else 16
    local = socket.inet_ntop(family, data[8 : 8 + size])
    remote = socket.inet_ntop(family, data[24 : 24 + size])
    low, high = struct.unpack_from("=II", data, 44)
    _, receive, send, _, inode = struct.unpack_from("=IIIII", data, 52)
    return SocketEntry(
        protocol=protocol,
        state=TCP_STATES.get(state, str(state)),
        local=(local, source_port),
        remote=(remote, target_port),
        inode=inode,
        cookie=low | high << 32,
        receive_queue=receive,
        send_queue=send,
    )
