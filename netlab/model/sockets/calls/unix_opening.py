"""Connections of UNIX sockets: listen(), connect(), accept(), shutdown() of streams and seqpackets, and shutdown() of datagrams.

A connection is whole as soon as connect() returns: what it waits for in the listener's queue is only a descriptor
(unix_stream_connect() in net/unix/af_unix.c).
"""

from collections.abc import Iterable

import msgspec

from netlab.model.sockets.addresses import address_out, unwritable, wants_address
from netlab.model.sockets.arguments import local_name
from netlab.model.sockets.calls.ancillary import named_by_then
from netlab.model.sockets.calls.datagrams_connecting import accept_errors, bad_how, shut, unsupported
from netlab.model.sockets.calls.reserving import after_waiting, before_waiting, reserved, waiting_with_number
from netlab.model.sockets.ending import ended
from netlab.model.sockets.messages import opened_for, waiting, waits_never
from netlab.model.sockets.objects import Address, Socket
from netlab.model.sockets.outcomes import NewDescriptor, Outcome, learning
from netlab.model.sockets.rules import UNIX, Guard, Rule, always, fails, gives, unmodelled
from netlab.model.sockets.situation import Situation
from netlab.model.sockets.unix import bound_to, linked, no_address
from netlab.model.sockets.world import Host, World
from netlab.notation.constants import constant

CONNECTED = ("unix-stream", "unix-seqpacket")
_DATAGRAMS = ("unix-dgram",)
_AF_UNIX = "net/unix/af_unix.c"
_CLOEXEC, _NONBLOCK, _RDWR = constant("SOCK_CLOEXEC"), constant("SOCK_NONBLOCK"), constant("O_RDWR")
_LONGEST_BACKLOG = 4096
"""net.core.somaxconn's default (listen(2))."""
_PASSED_ON = frozenset((constant("SOL_SOCKET"), constant(name)) for name in ("SO_PASSCRED", "SO_PASSPIDFD", "SO_PASSSEC"))
"""unix_stream_connect(): newsk->sk_scm_recv_flags = other->sk_scm_recv_flags, since Linux 6.16."""


_LOOKUPS = (
    ("no-file", "ENOENT", "nothing has this path"),
    ("no-directory", "ENOTDIR", "the path leads through what is no directory"),
    ("forbidden", "EACCES", "the process may not write to the socket's file"),
    ("nobody", "ECONNREFUSED", "no socket is bound to the name"),
    ("type", "EPROTOTYPE", "the socket of this name is of another type"),
)
"""What looking a name up may end with, in the order of unix_find_other(). No part of a path of 108 bytes is too long."""
ONLY_POSIX = "a rule of the profile posix, from which Linux differs"


# listen()


def _unnamed(s: Situation) -> bool:
    return s.socket.local is None


def _connected(s: Situation) -> bool:
    return s.socket.state == "ESTABLISHED"


def backlog(host: Host, wanted: int) -> int:
    """The queue that listen() gives: at most net.core.somaxconn, and that for a number below 0 (__sys_listen_socket())."""
    written = host.sysctls.get("net.core.somaxconn", "")
    most = int(written) if written.isdigit() else _LONGEST_BACKLOG
    return wanted if 0 <= wanted <= most else most


def _listening(s: Situation) -> Iterable[Outcome]:
    one = msgspec.structs.replace(s.socket, state="LISTEN", backlog=backlog(s.host, s.number("backlog")))
    yield Outcome(kind="returns", world=s.world.with_object(s.socket_id, one))


# connect()


def lookup_rules(name: str, kinds: tuple[str, ...], when: Guard = always) -> tuple[Rule, ...]:
    """The rules by which looking an address up fails, one an errno; ``name`` is what their ids begin with, ``when`` whether one
    is looked up at all."""

    def ends_with(errno: str) -> Guard:
        def guard(s: Situation) -> bool:
            found = bound_to(s) if when(s) else None
            return found is not None and found[0] == errno

        return guard

    call = f"POSIX.1-2024 {name.partition('.')[0]}()"
    return tuple(
        fails(f"{name}-{what}", errno, ends_with(errno), says, f"{call} {errno}; unix(7)", kinds=kinds)
        for what, errno, says in _LOOKUPS
    )


def _other(s: Situation) -> Socket | None:
    found = bound_to(s)
    other = s.world.objects.get(found[1]) if found is not None and not found[0] else None
    return other if isinstance(other, Socket) else None


def unknown(s: Situation) -> bool:
    """Whether nobody knows what stands under the name."""
    return bound_to(s) is None


def _refusing(s: Situation) -> bool:
    other = _other(s)
    return other is None or other.state != "LISTEN" or other.shut_read


def _full(s: Situation) -> bool:
    other = _other(s)
    return other is not None and len(other.accepting) > other.backlog


def _full_and_not_waiting(s: Situation) -> bool:
    return _full(s) and waits_never(s)


def _again(s: Situation) -> bool:
    return s.socket.state == "ESTABLISHED"


def _listens_itself(s: Situation) -> bool:
    return s.socket.state == "LISTEN"


def _connecting(s: Situation) -> Iterable[Outcome]:
    found = bound_to(s)
    assert found is not None
    world = s.world.copy()
    listener = world.objects[found[1]]
    assert isinstance(listener, Socket)
    child = msgspec.structs.replace(
        s.socket,
        host=listener.host,
        local=listener.local,
        chosen=frozenset(),
        options={option: value for option, value in listener.options.items() if option in _PASSED_ON},
        note={},
        error="",
        shut_read=False,
        shut_write=False,
    )
    connection = linked(world, s.socket_id, child, listener=found[1])
    world.objects[found[1]] = msgspec.structs.replace(listener, accepting=(*listener.accepting, connection))
    yield Outcome(kind="returns", world=world)


# accept()


def _listens_not(s: Situation) -> bool:
    return s.socket.state != "LISTEN"


def _waits(s: Situation) -> bool:
    return bool(s.socket.accepting)


def _accepting(s: Situation) -> Iterable[Outcome]:
    connection, *rest = s.socket.accepting
    world = s.world.with_object(s.socket_id, msgspec.structs.replace(s.socket, accepting=tuple(rest)))
    thing = world.connections[connection].ends[1]
    child = world.objects[thing]
    assert isinstance(child, Socket)
    address = _name_of_peer(world, child)
    refused = unwritable(s, address) if wants_address(s) else ""
    if refused:
        # The connection is out of the queue by then, and closed.
        yield Outcome(kind="fails", errno=refused, world=ended(world, thing))
        return
    world = world.with_connection(connection, msgspec.structs.replace(world.connections[connection], stage="accepted"))
    flags = _RDWR | (constant("O_NONBLOCK") if s.number("flags") & _NONBLOCK else 0)
    world, fd = opened_for(world, s.process_name, thing, flags=flags, cloexec=bool(s.number("flags") & _CLOEXEC), fd=reserved(s))
    out = address_out(s, address) if wants_address(s) else None
    yield Outcome(
        kind="returns", value=NewDescriptor(fd if s.process.whole else None), world=world, out=out, learn=learning(address)
    )


def _name_of_peer(world: World, child: Socket) -> Address:
    peer = world.objects.get(child.peer)
    if isinstance(peer, Socket):
        return local_name(peer)
    return child.remote or local_name(msgspec.structs.replace(child, local=None))


def _waiting(s: Situation) -> Iterable[Outcome]:
    return waiting_with_number(s, s.world)


def _shut_listener(s: Situation) -> bool:
    return s.socket.shut_read


def accept_rules(call: str) -> tuple[Rule, ...]:
    """accept() and accept4() alike."""
    posix = f"POSIX.1-2024 {call}()"
    return (
        fails(f"{call}.unix-not-listening", "EINVAL", _listens_not, "the socket does not listen", f"{posix} EINVAL",
              kinds=CONNECTED),
        gives(f"{call}.unix-accepted", _accepting, "the first connection of the queue, under the lowest free descriptor", posix,
              when=_waits, kinds=CONNECTED,
              note="also one whose other end is closed by now; EFAULT of the address closes the connection"),
        fails(f"{call}.unix-none", "EAGAIN", waits_never, "no connection waits, and the call does not", f"{posix} EAGAIN",
              kinds=CONNECTED),
        fails(f"{call}.unix-shut", "EINVAL", _shut_listener, "the listener was shut down", f"unix_accept() in {_AF_UNIX}",
              kinds=CONNECTED, note="a call that does not wait gives EAGAIN"),
        gives(f"{call}.unix-waits", _waiting, "the call waits for a connection", posix, kinds=CONNECTED, category="blocks"),
    )  # fmt: skip


# shutdown()


def _not_connected(s: Situation) -> bool:
    return s.socket.state != "ESTABLISHED"


def _shutting(s: Situation) -> Iterable[Outcome]:
    how = s.number("how")
    world = s.world.with_object(s.socket_id, shut(s.socket, how))
    peer = world.objects.get(s.socket.peer)
    if s.socket.kind != "unix-dgram" and isinstance(peer, Socket):
        # What one end no longer sends the other no longer receives, and the reverse.
        world = world.with_object(s.socket.peer, shut(peer, {0: 1, 1: 0, 2: 2}[how]))
    yield Outcome(kind="returns", world=world)


_LATER: tuple[Rule, ...] = (
    *lookup_rules("connect.unix", CONNECTED),
    fails("connect.unix-refused", "ECONNREFUSED", _refusing, "the socket of this name does not listen",
          "POSIX.1-2024 connect() ECONNREFUSED", kinds=CONNECTED),
    fails("connect.unix-full", "EAGAIN", _full_and_not_waiting, "the listener's queue is full", "connect(2) EAGAIN",
          kinds=CONNECTED),
    gives("connect.unix-waits", waiting, "the call waits for room in the listener's queue", f"unix_wait_for_peer() in {_AF_UNIX}",
          when=_full, kinds=CONNECTED, category="blocks"),
    fails("connect.unix-again", "EISCONN", _again, "the socket is connected", "POSIX.1-2024 connect() EISCONN", kinds=CONNECTED,
          note="looked at last: a full queue or nobody there comes first"),
    fails("connect.unix-listens", "EINVAL", _listens_itself, "the socket listens itself", f"unix_stream_connect() in {_AF_UNIX}",
          kinds=CONNECTED, note="POSIX says EOPNOTSUPP", profiles=("linux",)),
    fails("connect.unix-listens-posix", "EOPNOTSUPP", _listens_itself, "the socket listens itself",
          "POSIX.1-2024 connect() EOPNOTSUPP", kinds=CONNECTED, profiles=("posix",), unreached=ONLY_POSIX),
    gives("connect.unix-connected", _connecting, "the connection is whole, and waits for accept()",
          "POSIX.1-2024 connect(); unix(7)", kinds=CONNECTED),
)  # fmt: skip
"""By then a socket that asks for credentials has a name."""

OPENING: tuple[Rule, ...] = (
    unsupported("listen", "unix-dgram", _DATAGRAMS),
    fails("listen.unix-unnamed", "EINVAL", _unnamed, "a socket without a name takes no connections", f"unix_listen() in {_AF_UNIX}",
          kinds=CONNECTED, note="POSIX says EDESTADDRREQ", profiles=("linux",)),
    fails("listen.unix-unnamed-posix", "EDESTADDRREQ", _unnamed, "a socket without a name cannot listen",
          "POSIX.1-2024 listen() EDESTADDRREQ", kinds=CONNECTED, profiles=("posix",), unreached=ONLY_POSIX),
    fails("listen.unix-connected", "EINVAL", _connected, "the socket is connected", "POSIX.1-2024 listen() EINVAL",
          kinds=CONNECTED),
    gives("listen.unix-listens", _listening, "the socket takes connections, one more than backlog says",
          f"POSIX.1-2024 listen(); unix_recvq_full() in {_AF_UNIX}", kinds=CONNECTED),
    fails("connect.unix-address", "EINVAL", no_address, "the length or the family is not that of a UNIX address", "unix(7) EINVAL",
          kinds=CONNECTED),
    unmodelled("connect.unix-unknown", unknown, "what stands under a name outside the process's directory is not known",
               kinds=CONNECTED),
    *map(named_by_then, _LATER),
    *map(before_waiting, accept_errors("unix", UNIX)),
    *(unsupported(call, "unix-dgram", _DATAGRAMS) for call in ("accept", "accept4")),
    *map(after_waiting, (*accept_rules("accept"), *accept_rules("accept4"))),
    fails("shutdown.unix-how", "EINVAL", bad_how, "there is no such direction", "POSIX.1-2024 shutdown() EINVAL", kinds=UNIX),
    fails("shutdown.unix-no-peer-posix", "ENOTCONN", _not_connected, "the socket has no peer", "POSIX.1-2024 shutdown() ENOTCONN",
          kinds=UNIX, profiles=("posix",), unreached=ONLY_POSIX),
    gives("shutdown.unix-done", _shutting, "nothing more is sent, or received; a connection's other end learns of it",
          f"POSIX.1-2024 shutdown(); unix_shutdown() in {_AF_UNIX}", kinds=UNIX,
          note="without a peer, too: POSIX says ENOTCONN"),
)  # fmt: skip
