"""getsockname(), getpeername(): a socket's own name and its peer's, and how much of it there is room for."""

from collections.abc import Iterable

import msgspec

from netlab.model.sockets.addresses import address_out, unwritable
from netlab.model.sockets.arguments import local_name
from netlab.model.sockets.objects import Address, Socket
from netlab.model.sockets.outcomes import Outcome, learning
from netlab.model.sockets.rules import SOCKETS, Rule, fails, gives
from netlab.model.sockets.situation import Situation


def _told(s: Situation, address: Address) -> Iterable[Outcome]:
    yield Outcome(kind="returns", out=address_out(s, address), learn=learning(address), world=s.world)


def _own(s: Situation) -> Address:
    return local_name(s.socket)


def _no_peer(s: Situation) -> bool:
    one = s.socket
    if one.kind == "tcp":
        return one.remote is None or one.state in ("CLOSED", "LISTEN", "SYN-SENT")
    if one.family == "unix":
        return one.state != "ESTABLISHED"
    # A peer at port 0 is none (inet_getname() in net/ipv4/af_inet.c).
    return one.remote is None or one.remote.port == 0 or one.state != "ESTABLISHED"


def peer_name(s: Situation) -> Address:
    """What getpeername() gives; a UNIX socket's peer has the name that it has now, or had when it ended."""
    one = s.socket
    peer = s.world.objects.get(one.peer)
    if one.family == "unix" and isinstance(peer, Socket):
        return local_name(peer)
    return one.remote if one.remote is not None else local_name(msgspec.structs.replace(one, local=None))


def _name_of(s: Situation) -> Address:
    return _own(s) if s.call.name == "getsockname" else peer_name(s)


def _length_below(s: Situation) -> bool:
    return unwritable(s, _name_of(s)) == "EINVAL"


def _no_memory(s: Situation) -> bool:
    return unwritable(s, _name_of(s)) == "EFAULT"


def _not_told(call: str) -> tuple[Rule, ...]:
    source = f"POSIX.1-2024 {call}(); move_addr_to_user() in net/socket.c"
    return (
        fails(f"{call}.length", "EINVAL", _length_below, "the length is below 0", f"{call}(2) EINVAL; {source}", kinds=SOCKETS),
        fails(f"{call}.pointer", "EFAULT", _no_memory, "the buffer or its length cannot be written", f"{call}(2) EFAULT; {source}",
              kinds=SOCKETS),
    )  # fmt: skip


TOLD: tuple[Rule, ...] = (
    *_not_told("getsockname"),
    gives("getsockname.told", lambda s: _told(s, _own(s)), "the socket's name, cut off where room is short, and its whole length",
          "POSIX.1-2024 getsockname()", kinds=SOCKETS, note="without a name: the wildcard and port 0, unspecified in POSIX"),
    fails("getpeername.no-peer", "ENOTCONN", _no_peer, "the socket has no peer", "POSIX.1-2024 getpeername() ENOTCONN",
          kinds=SOCKETS),
    *_not_told("getpeername"),
    gives("getpeername.told", lambda s: _told(s, peer_name(s)),
          "the peer's name, cut off where room is short, and its whole length",
          "POSIX.1-2024 getpeername()", kinds=SOCKETS),
)  # fmt: skip
