"""Which socket is bound to a port, as the kernel looks one up for what nobody connected sent: by its address, then by any address.

It knows listeners and datagram sockets, by their transitions and by dumps of the socket tables; not connections.
"""

from collections.abc import Iterable

from netlab.timeline.joined import Joined, Place

Port = tuple[str, str, int]
"""A node, a protocol and a port."""


class Ports:
    """Who is bound where, fed in the order of time."""

    def __init__(self) -> None:
        self._bound: dict[Port, list[tuple[int, Joined]]] = {}

    def take(self, port: Port, socket: Joined, time: int) -> None:
        """The socket is bound there since ``time``."""
        self._bound.setdefault(port, []).append((time, socket))

    def listed(self, host: str, began: int, found: Iterable[tuple[Port, Joined]]) -> None:
        """All that a node's tables list, read from ``began`` on: what was bound before and is not among it is not any more."""
        there: dict[Port, list[Joined]] = {}
        for port, socket in found:
            there.setdefault(port, []).append(socket)
        for port in {port for port in self._bound if port[0] == host} | set(there):
            bound, now = self._bound.setdefault(port, []), there.get(port, [])
            bound[:] = [(since, one) for since, one in bound if since > began or one.whole() in now]
            bound += [(began, one) for one in now if all(one is not known.whole() for _, known in bound)]

    def holder(self, place: Place) -> Joined | None:
        """Who gets what comes for a local address and port; None where nobody is bound, or several are and share it."""
        host, protocol, (address, number), _ = place
        bound = dict.fromkeys(one.whole() for _, one in self._bound.get((host, protocol, number), ()))
        alive = [one for one in bound if protocol != "tcp" or one.state in ("", "LISTEN")]
        for addresses in ((address,), ("0.0.0.0",) if ":" not in address else (), ("::",)):
            fitting = [one for one in alive if one.local is not None and one.local[0] in addresses]
            if fitting:
                return fitting[0] if len(fitting) == 1 else None  # SO_REUSEPORT: nobody saw which one it was
        return None
