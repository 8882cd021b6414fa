"""What an object is ready for, as poll() tells it: a table by kind. It waits for nothing, and knows no call.

Each function gives two sets of bits: those that are set, and those that may be besides, where not all is known. All of poll's bits
are given (POLLRDNORM, POLLWRBAND ...): a call shows those that it asks for.
"""

from collections.abc import Callable, Mapping

from netlab.model.sockets.objects import Epoll, File, Flow, Object, Pipe, Socket
from netlab.model.sockets.raw_copies import unsure
from netlab.model.sockets.unix import send_buffer, under_way
from netlab.model.sockets.world import World
from netlab.notation.constants import constant

IN = constant("POLLIN") | constant("POLLRDNORM")
OUT = constant("POLLOUT") | constant("POLLWRNORM")
BAND = constant("POLLWRBAND")
ERR, HUP, RDHUP, PRI = constant("POLLERR"), constant("POLLHUP"), constant("POLLRDHUP"), constant("POLLPRI")
ALWAYS = ERR | HUP
"""What is told whether it was asked for or not (POSIX.1-2024 poll())."""

READABLE = IN | constant("POLLRDBAND") | HUP | ERR
WRITABLE = OUT | BAND | ERR
"""What select() takes for readable and writable: POLLIN_SET, POLLOUT_SET in fs/select.c."""

Bits = tuple[int, int]
Ready = Callable[[World, int, Object], Bits]

_SOCKET, _TCP = constant("SOL_SOCKET"), constant("IPPROTO_TCP")
_LOWAT = (_SOCKET, constant("SO_RCVLOWAT"))
_INLINE = (_SOCKET, constant("SO_OOBINLINE"))
_SNDBUF = (_SOCKET, constant("SO_SNDBUF"))
_NOTSENT = (_TCP, constant("TCP_NOTSENT_LOWAT"))
_ERROR_QUEUES = (
    (constant("IPPROTO_IP"), constant("IP_RECVERR")),
    (constant("IPPROTO_IPV6"), constant("IPV6_RECVERR")),
    (_SOCKET, constant("SO_TIMESTAMPING")),
)
_SURELY_ROOM = 2048
"""As many bytes under way leave room in any send buffer that nobody made small (tcp_wmem's default is 16384; tcp(7))."""


def ready(world: World, number: int) -> Bits | None:
    """What object ``number`` is ready for: bits that are set, bits that may be; None for an object that the model lost track of."""
    one = world.objects[number]
    find = READY.get(one.kind)
    return find(world, number, one) if find is not None else None


def _flows(world: World, number: int, one: Socket) -> tuple[Flow, Flow] | None:
    """What comes in and what goes out."""
    connection = world.connections.get(one.connection)
    if connection is None:
        return None
    side = 0 if connection.ends[0] == number else 1
    return connection.flows[1 - side], connection.flows[side]


def _tcp(world: World, number: int, one: Object) -> Bits:
    """tcp_poll() in net/ipv4/tcp.c."""
    assert isinstance(one, Socket)
    if one.state == "LISTEN":
        return (IN if one.accepting else 0), 0
    flows = _flows(world, number, one)
    incoming, outgoing = flows if flows is not None else (Flow(), Flow())
    must, may = (ERR if one.error else 0), _error_queue(one)
    if (one.shut_read and one.shut_write) or one.state == "CLOSED":
        must |= HUP
    if one.shut_read:
        must |= IN | RDHUP
    if one.state in ("SYN-SENT", "SYN-RECEIVED"):
        return must, may & ~must
    in_must, in_may = _bytes(one, incoming)
    out_must, out_may = (OUT, 0) if one.shut_write or one.state == "CLOSED" else _room(one, outgoing)
    must |= in_must | out_must
    return must, (may | in_may | out_may) & ~must


def _error_queue(one: Socket) -> int:
    """Messages in the error queue set POLLERR; the model does not keep them."""
    return ERR if one.options and any(one.options.get(option) for option in _ERROR_QUEUES) else 0


def _bytes(one: Socket, incoming: Flow) -> Bits:
    """Whether as much has come as SO_RCVLOWAT asks for; an urgent byte out of line does not count (tcp_stream_is_readable())."""
    least = one.options.get(_LOWAT, 1)
    wanted = least if isinstance(least, int) else 1
    must, may = _urgent(incoming)
    if incoming.urgent is not None and incoming.urgent == incoming.read and not one.options.get(_INLINE):
        wanted += 1
    if incoming.queued >= wanted:
        must |= IN
    elif incoming.under_way >= wanted or incoming.queued > _SURELY_ROOM:
        # A full receive buffer counts as enough, however high SO_RCVLOWAT is.
        may |= IN
    return must, may


def _urgent(incoming: Flow) -> Bits:
    """Whether there is an urgent byte that nobody has read."""
    if incoming.urgent is None or incoming.urgent_read or incoming.read > incoming.urgent:
        return 0, 0
    return (PRI, 0) if incoming.arrived > incoming.urgent else (0, PRI)


def _room(one: Socket, outgoing: Flow) -> Bits:
    """A third of the send buffer is free (sk_stream_is_writeable() in include/net/sock.h)."""
    small = one.options.get(_SNDBUF) is not None or _NOTSENT in one.options
    if outgoing.full:
        return 0, 0
    if outgoing.under_way == 0 or (outgoing.under_way <= _SURELY_ROOM and not small):
        return OUT, 0
    return 0, OUT


def _datagrams(world: World, number: int, one: Object) -> Bits:
    """datagram_poll() in net/core/datagram.c: UDP and raw sockets."""
    assert isinstance(one, Socket)
    must, may = (ERR if one.error else 0), _error_queue(one)
    if one.shut_read:
        must |= IN | RDHUP
    if one.shut_read and one.shut_write:
        must |= HUP
    if one.kind == "raw" and unsure(world, one):
        may |= IN
    if any(message.certain for message in one.queue):
        must |= IN
    elif one.queue:
        may |= IN
    must |= OUT | BAND
    return must, may & ~must


def _unix(world: World, number: int, one: Object) -> Bits:
    """unix_poll() and unix_dgram_poll() in net/unix/af_unix.c."""
    assert isinstance(one, Socket)
    flows = _flows(world, number, one)
    incoming = flows[0] if flows is not None else Flow()
    must, may = (ERR if one.error else 0), 0
    if (one.shut_read and one.shut_write) or (one.kind != "unix-dgram" and one.state == "CLOSED"):
        must |= HUP
    if one.shut_read:
        must |= IN | RDHUP
    if one.queue or one.accepting or incoming.under_way:
        must |= IN
    if one.state == "LISTEN":
        return must, 0
    if incoming.urgent is not None:
        may |= PRI
    out_must, out_may = _unix_room(world, number, one)
    must, may = must | out_must, may | out_may
    return must, may & ~must


def _unix_room(world: World, number: int, one: Socket) -> Bits:
    """What is under way takes at most a quarter of the send buffer, and the queue of another's peer is not full (unix_writable(),
    unix_dgram_poll())."""
    least, most = under_way(world, number, one)
    small, large = send_buffer(one)
    room = (OUT | BAND, 0) if 4 * most <= small else (0, OUT | BAND) if 4 * least <= large else (0, 0)
    peer = world.objects.get(one.peer) if one.peer and one.kind != "unix-stream" else None
    if isinstance(peer, Socket) and peer.peer != number and len(peer.queue) > _longest_queue(world, one):
        return 0, 0
    return room


def _longest_queue(world: World, one: Socket) -> int:
    return int(world.hosts[one.host].sysctls.get("net.unix.max_dgram_qlen", "10"))


def _pipe(world: World, number: int, one: Object) -> Bits:
    """pipe_poll() in fs/pipe.c."""
    assert isinstance(one, Pipe)
    if one.writes:
        reader = world.objects.get(one.other)
        broken = 0 if isinstance(reader, Pipe) else ERR
        room = len(reader.pages if isinstance(reader, Pipe) else one.pages) < _PAGES
        return broken | (OUT if room else 0), 0
    flow = one.flow
    must = IN if flow.queued else 0
    if not isinstance(world.objects.get(one.other), Pipe):
        must |= HUP
    return must, (IN if flow.under_way else 0) & ~must


_PAGES = 16  # pipe(7)


def _file(world: World, number: int, one: Object) -> Bits:
    """What has no poll of its own is always ready (DEFAULT_POLLMASK in include/linux/poll.h)."""
    return IN | OUT, 0


def _epoll(world: World, number: int, one: Object) -> Bits:
    """An epoll set can be read when epoll_wait() would give something."""
    from netlab.model.sockets.calls.epoll_sets import watched

    assert isinstance(one, Epoll)
    found = watched(world, one)
    if found is None:
        return 0, IN
    if any(item.sure for item in found):
        return IN, 0
    return 0, IN if found else 0


READY: Mapping[str, Ready] = {
    "tcp": _tcp, "udp": _datagrams, "raw": _datagrams, "unix-stream": _unix, "unix-dgram": _unix, "unix-seqpacket": _unix,
    "pipe": _pipe, "file": _file, "epoll": _epoll,
}  # fmt: skip


def pollable(one: Object) -> bool:
    """Whether epoll can watch it: it has a poll of its own (epoll_ctl(2) EPERM)."""
    return not isinstance(one, File) or one.path.startswith(("/dev/tty", "/dev/random", "/dev/urandom", "/dev/ptmx"))
