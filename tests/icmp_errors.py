"""ICMP errors as a socket is told of them: from its error queue (IP_RECVERR, ip(7)), with who sent them."""

import select
import socket
import struct
from dataclasses import dataclass
from ipaddress import ip_address

IP_RECVERR, IPV6_RECVERR = 11, 25
ORIGINS = {4: 2, 6: 3}
"""SO_EE_ORIGIN_ICMP and SO_EE_ORIGIN_ICMP6."""

_OPTION = {4: (socket.IPPROTO_IP, IP_RECVERR), 6: (socket.IPPROTO_IPV6, IPV6_RECVERR)}
_EXTENDED_ERROR = struct.Struct("=IBBBxII")
_ADDRESS = {4: slice(20, 24), 6: slice(24, 40)}  # after it, in a sockaddr_in or sockaddr_in6
_WITHIN_MS = 5000


@dataclass(frozen=True, kw_only=True)
class IcmpError:
    """An ICMP error: what errno it became, its type and code, what it tells besides (an MTU), and who sent it."""

    errno: int
    type: int
    code: int
    info: int
    sender: str


def tell_errors(made: socket.socket, family: int) -> None:
    """Have a socket queue the errors that come for it."""
    made.setsockopt(*_OPTION[family], 1)


def next_error(made: socket.socket, family: int) -> IcmpError:
    """The next error that comes for a socket which ``tell_errors`` has prepared; TimeoutError when none does."""
    waiting = select.poll()
    waiting.register(made, 0)  # errors are always told
    if not waiting.poll(_WITHIN_MS):
        raise TimeoutError("no ICMP error has come")
    _, controls, _, _ = made.recvmsg(64, 512, socket.MSG_ERRQUEUE)
    (value,) = (value for level, kind, value in controls if (level, kind) == _OPTION[family])
    number, origin, kind, code, info, _ = _EXTENDED_ERROR.unpack_from(value)
    assert origin == ORIGINS[family], f"errno {number} did not come by ICMP"
    made.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)  # the same error, once more
    return IcmpError(errno=number, type=kind, code=code, info=info, sender=str(ip_address(value[_ADDRESS[family]])))
