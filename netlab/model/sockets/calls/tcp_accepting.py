"""listen(), accept() and accept4() of TCP sockets, in the order in which Linux looks at things."""

from collections.abc import Iterable

import msgspec

from netlab.model.sockets.addresses import address_out, unwritable, wants_address
from netlab.model.sockets.calls.datagrams_connecting import accept_errors
from netlab.model.sockets.calls.reserving import after_waiting, before_waiting, reserved, waiting_with_number
from netlab.model.sockets.calls.tcp_connecting import phase
from netlab.model.sockets.calls.tcp_records import DEFER, noted, tcp
from netlab.model.sockets.ending import ended
from netlab.model.sockets.messages import opened_for, waits_never
from netlab.model.sockets.objects import Address, Socket
from netlab.model.sockets.outcomes import NewDescriptor, Outcome, learning
from netlab.model.sockets.ports import in_use
from netlab.model.sockets.rules import Gives, Guard, Rule, fails, gives
from netlab.model.sockets.situation import Situation
from netlab.model.sockets.world import World
from netlab.notation.constants import constant

KINDS = ("tcp",)
MOST_BACKLOG = 4096
"""net.core.somaxconn's default (listen(2))."""

replace = msgspec.structs.replace


# listen()


def _in_use_already(s: Situation) -> bool:
    return phase(s) != "" or s.socket.state not in ("CLOSED", "LISTEN")


def _listens(s: Situation) -> bool:
    return s.socket.state == "LISTEN"


def _backlog(s: Situation) -> int:
    written = s.host.sysctls.get("net.core.somaxconn", "")
    most = int(written) if written.isdigit() else MOST_BACKLOG
    number = s.number("backlog") & 0xFFFFFFFF
    return min(number, most)


def _new_backlog(s: Situation) -> Iterable[Outcome]:
    yield Outcome(kind="returns", world=s.world.with_object(s.socket_id, replace(s.socket, backlog=_backlog(s))))


def _has_port(s: Situation) -> bool:
    local = s.socket.local
    return local is not None and local.port != 0 and not s.socket.note.get("released")


def _port_taken(s: Situation) -> bool | None:
    one = s.socket
    if not _has_port(s) or one.local is None:
        return False
    return in_use(s.world, s.socket_id, one, one.local, uid=s.process.uid)


def _wild(one: Socket) -> Address:
    return Address(one.domain, "::" if one.family == "inet6" else "0.0.0.0")


def _listening(s: Situation) -> Iterable[Outcome]:
    one, world = s.socket, s.world.copy()
    local = one.local
    if not _has_port(s) or local is None:
        local = replace(local or _wild(one), port=-world.fresh())
    world.objects[s.socket_id] = noted(replace(one, state="LISTEN", local=local, backlog=_backlog(s), accepting=()), released=None)
    yield Outcome(kind="returns", world=world)


_LISTENING: tuple[Rule, ...] = (
    fails("listen.tcp-connected", "EINVAL", _in_use_already, "the socket is connected, or is being connected",
          "POSIX.1-2024 listen() EINVAL; __inet_listen_sk() in net/ipv4/af_inet.c", kinds=KINDS),
    gives("listen.tcp-again", _new_backlog, "a listener gets another backlog", "POSIX.1-2024 listen()", when=_listens, kinds=KINDS),
    fails("listen.tcp-in-use", "EADDRINUSE", _port_taken, "another socket listens on this address and port",
          "listen(2) EADDRINUSE; inet_csk_listen_start()", kinds=KINDS),
    gives("listen.tcp-listens", _listening, "the socket is in LISTEN; without a name it gets a port at the wildcard",
          "POSIX.1-2024 listen(); RFC 9293 3.10.1; inet_csk_listen_start()", kinds=KINDS),
)  # fmt: skip


# accept(), accept4()


def _not_listening(s: Situation) -> bool:
    return s.socket.state != "LISTEN"


def _waits_for_accept(s: Situation) -> bool:
    return bool(s.socket.accepting)


def _child(s: Situation) -> tuple[int, Socket | None]:
    connection = s.world.connections.get(s.socket.accepting[0])
    number = connection.ends[1] if connection is not None else 0
    return number, tcp(s.world, number)


def _peer(s: Situation) -> Address | None:
    _, child = _child(s)
    return child.remote if child is not None else None


def _taken_out(s: Situation) -> World:
    """The world in which the first connection of the queue is out of it, and its socket nobody's yet."""
    key, *rest = s.socket.accepting
    world = s.world.copy()
    world.objects[s.socket_id] = replace(s.socket, accepting=tuple(rest))
    connection = world.connections.get(key)
    if connection is not None:
        world.connections[key] = replace(connection, stage="accepted")
    return world


def _unwritable(errno: str) -> Guard:
    def holds(s: Situation) -> bool:
        if not s.socket.accepting or not wants_address(s):
            return False
        peer = _peer(s)
        return peer is not None and unwritable(s, peer) == errno

    return holds


def _dropping(errno: str) -> Gives:
    """What was taken from the queue is closed again (__sys_accept4_file() in net/socket.c)."""

    def dropped(s: Situation) -> Iterable[Outcome]:
        number, _ = _child(s)
        yield Outcome(kind="fails", errno=errno, world=ended(_taken_out(s), number))

    return dropped


def _accepting(s: Situation) -> Iterable[Outcome]:
    number, child = _child(s)
    assert child is not None
    flags = s.number("flags") if s.call.name == "accept4" else 0
    status = constant("O_RDWR") | (constant("O_NONBLOCK") if flags & constant("SOCK_NONBLOCK") else 0)
    world, fd = opened_for(
        _taken_out(s), s.process_name, number, flags=status, cloexec=bool(flags & constant("SOCK_CLOEXEC")), fd=reserved(s)
    )
    out = address_out(s, child.remote) if wants_address(s) and child.remote is not None else None
    learn = learning(child.remote) if out is not None else None
    free = s.descriptor_free
    yield Outcome(kind="returns", value=NewDescriptor(fd if free is not None else None), out=out, learn=learn, world=world)


def _never_waits(s: Situation) -> bool:
    return waits_never(s)


def _waiting(s: Situation) -> Iterable[Outcome]:
    """It may wait long enough for a connection that TCP_DEFER_ACCEPT keeps back."""
    world = s.world
    for key, connection in s.world.connections.items() if s.socket.options.get(DEFER) else ():
        if connection.stage == "answered" and connection.listener == s.socket_id and not connection.dropped:
            world = world.with_connection(key, replace(connection, dropped=True))
    yield from waiting_with_number(s, world)


def _accept_rules(call: str) -> tuple[Rule, ...]:
    posix = f"POSIX.1-2024 {call}()"
    return (
        fails(f"{call}.tcp-not-listening", "EINVAL", _not_listening, "the socket does not listen", f"{posix} EINVAL", kinds=KINDS),
        *(
            fails(f"{call}.tcp-address-{errno.lower()}", errno, _unwritable(errno),
                  "the peer's address cannot be written; the connection is closed",
                  "accept(2); __sys_accept4_file() in net/socket.c", kinds=KINDS, gives=_dropping(errno))
            for errno in ("EFAULT", "EINVAL")
        ),
        gives(f"{call}.tcp-accepted", _accepting, "the connection that waited longest gets a descriptor, whatever came of it",
              f"{posix}; inet_csk_accept()", when=_waits_for_accept, kinds=KINDS),
        fails(f"{call}.tcp-nothing", "EAGAIN", _never_waits, "no connection waits", f"{posix} EAGAIN", kinds=KINDS),
        gives(f"{call}.tcp-waits", _waiting, "the call waits for a connection", posix, kinds=KINDS, category="blocks"),
    )  # fmt: skip


ACCEPTING: tuple[Rule, ...] = (
    *_LISTENING,
    *map(before_waiting, accept_errors("tcp", KINDS)),
    *map(after_waiting, (*_accept_rules("accept"), *_accept_rules("accept4"))),
)
