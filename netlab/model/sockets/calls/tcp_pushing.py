"""What setsockopt() makes go out that TCP held back: TCP_CORK switched off, TCP_NODELAY switched on. It judges no other option."""

from collections.abc import Iterable

from netlab.model.sockets.calls.tcp_arriving import settled
from netlab.model.sockets.calls.tcp_records import WINDOW, deaf, near, noted, replace, tcp, with_flow
from netlab.model.sockets.outcomes import Outcome
from netlab.model.sockets.rules import Rule, gives
from netlab.model.sockets.situation import Situation
from netlab.notation.constants import constant

_TCP = constant("IPPROTO_TCP")
_NODELAY, _CORK = constant("TCP_NODELAY"), constant("TCP_CORK")
_OPEN = ("ESTABLISHED", "CLOSE-WAIT")
_SNDBUF, _RCVBUF = (constant("SOL_SOCKET"), constant("SO_SNDBUF")), (constant("SOL_SOCKET"), constant("SO_RCVBUF"))


def _switched(s: Situation) -> bool:
    """Whether the call lets go what was held back."""
    value = s.args.get("value")
    if s.number("level") != _TCP or not isinstance(value, int) or s.args.get("length") not in (None, 4):
        return False
    return (s.number("option") == _CORK and value == 0) or (s.number("option") == _NODELAY and value != 0)


def _pushes(s: Situation) -> bool:
    """Whether all of it has come when the call returns: on loopback, as long as Nagle's algorithm has nothing to wait for."""
    connection = s.connection
    if not _switched(s) or connection is None or s.socket.state not in _OPEN or connection.stage not in ("queued", "accepted"):
        return False
    peer, flow = tcp(s.world, connection.ends[1 - s.side]), s.outgoing
    small = _SNDBUF in s.socket.options or (peer is not None and _RCVBUF in peer.options)
    if flow.sent <= flow.arrived or flow.end or flow.full or small or flow.under_way > WINDOW or deaf(peer):
        return False
    waits = s.number("option") == _CORK and not s.option("IPPROTO_TCP", "TCP_NODELAY") and flow.acked < flow.arrived
    return near(s.world, connection) and not waits


def _pushing(s: Situation) -> Iterable[Outcome]:
    connection = s.connection
    assert connection is not None
    option = s.number("option")
    world = s.world.copy()
    flow = replace(s.outgoing, arrived=s.outgoing.sent)
    world.connections[s.socket.connection] = with_flow(connection, s.side, flow)
    options = {**s.socket.options, (_TCP, option): int(option == _NODELAY)}
    world.objects[s.socket_id] = noted(replace(s.socket, options=options), held=None)
    for after in settled(world, s.socket.connection):
        yield Outcome(kind="returns", world=after)


PUSHING: tuple[Rule, ...] = (
    gives("setsockopt.tcp-pushed", _pushing, "what was held back is sent", "tcp(7), TCP_CORK and TCP_NODELAY", when=_pushes,
          kinds=("tcp",), unreached="only where it is certain what has come: in predictions"),
)  # fmt: skip
