"""What a call that receives on TCP finds: how much of the stream it may read, up to the urgent byte, and what it has so far.

It allows and refuses nothing: that do tcp_receiving.py and tcp_urgent.py.
"""

import msgspec

from netlab.model.sockets.calls.tcp_records import with_flow
from netlab.model.sockets.messages import Free, size
from netlab.model.sockets.objects import Flow
from netlab.model.sockets.outcomes import Out
from netlab.model.sockets.situation import Situation
from netlab.model.sockets.world import World
from netlab.notation.constants import constant

_INLINE = (constant("SOL_SOCKET"), constant("SO_OOBINLINE"))
_CONTROLLED = (
    *((constant("SOL_SOCKET"), constant(name)) for name in ("SO_TIMESTAMP", "SO_TIMESTAMPNS", "SO_TIMESTAMPING")),
    (constant("IPPROTO_TCP"), constant("TCP_INQ")),
)

replace = msgspec.structs.replace


class View(msgspec.Struct, frozen=True):
    """What a call finds: the flow that it reads from, and the least and the most that there is up to the mark, or the end."""

    flow: Flow
    least: int
    most: int


class Got(msgspec.Struct, frozen=True):
    """What a call that blocks has received so far: how much, and the bytes, None where they are not known.

    ``dissolved`` is how often the socket's connection had been dissolved when it began.
    """

    many: int = 0
    data: bytes | None = b""
    dissolved: int = 0


def inline(s: Situation) -> bool:
    """SO_OOBINLINE."""
    return bool(s.socket.options.get(_INLINE))


def control_of(s: Situation) -> Out | None:
    """What comes as control messages: when the data came, and how much is left (tcp_recvmsg() in net/ipv4/tcp.c, TCP_INQ)."""
    return Free() if any(s.socket.options.get(key) for key in _CONTROLLED) else None


def so_far(s: Situation) -> Got:
    """What the call has received so far."""
    return s.note if isinstance(s.note, Got) else Got(dissolved=s.socket.note.get("dissolved", 0))


def at_mark(flow: Flow) -> Flow:
    """The flow for a reader who does not take the urgent byte in line and stands at the mark: it is skipped (tcp(7))."""
    if flow.urgent is None or flow.urgent != flow.read:
        return flow
    return taken(flow, 1)


def taken(flow: Flow, many: int) -> Flow:
    """The flow after so many bytes were read."""
    read = flow.read + many
    return replace(
        flow, read=read, arrived=max(flow.arrived, read), data=None if flow.data is None else flow.data[many:], full=False,
        urgent=None if flow.urgent is not None and flow.urgent < read else flow.urgent,
        urgent_read=flow.urgent_read and flow.urgent is not None and flow.urgent >= read,
    )  # fmt: skip


def view_of(s: Situation) -> View:
    """Found once a call: its rules ask again and again."""
    if not isinstance(s.found, View):
        s.found = _look(s)
    return s.found


def reader(s: Situation) -> Flow:
    """What the call reads from: the flow, past an urgent byte that it does not take."""
    return view_of(s).flow


def stretch(s: Situation) -> tuple[int, int]:
    """The least and the most that there is to read up to the mark, or the end."""
    view = view_of(s)
    return view.least, view.most


def _look(s: Situation) -> View:
    flow = s.incoming
    if flow.urgent is None or size(s) == 0:
        return View(flow, flow.queued, flow.under_way)
    peeks, whole = s.flag("MSG_PEEK"), inline(s)
    flow = flow if whole or peeks else at_mark(flow)
    least, most = flow.queued, flow.under_way
    if flow.urgent is not None and flow.urgent >= flow.read:
        ahead = flow.urgent - flow.read
        if ahead == 0 and peeks and not whole:
            # Looking, it skips the urgent byte as reading does.
            least, most = max(least - 1, 0), max(most - 1, 0)
        elif ahead:
            least, most = min(least, ahead), min(most, ahead)
    return View(flow, least, most)


def wanted(s: Situation) -> int:
    """How much it still has room for."""
    return size(s) - so_far(s).many


def with_incoming(s: Situation, flow: Flow) -> World:
    """The world with this as what the peer has sent."""
    connection = s.connection
    if connection is None:
        return s.world
    return s.world.with_connection(s.socket.connection, with_flow(connection, 1 - s.side, flow))
