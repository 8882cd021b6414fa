"""ioctl(): how much waits in a socket, a pipe or a file, flags of descriptors, who gets signals, what interfaces there are."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from netlab.model.sockets.objects import File, Flow, Pipe, Socket
from netlab.model.sockets.outcomes import Anything, AtLeast, Exactly, OneOf, Out, Outcome
from netlab.model.sockets.raw_copies import unsure
from netlab.model.sockets.rules import SOCKETS, UNIX, Guard, Rule, fails, gives, unmodelled
from netlab.model.sockets.situation import Situation
from netlab.notation.constants import constant
from netlab.notation.values import BadPointer

_CLOSE, _KEEP = constant("FIOCLEX"), constant("FIONCLEX")
_READ, _UNSENT = constant("FIONREAD"), constant("SIOCOUTQ")
_NOT_SENT, _MARK = constant("SIOCOUTQNSD"), constant("SIOCATMARK")
_SET_OWNER = (constant("FIOSETOWN"), constant("SIOCSPGRP"))
_GET_OWNER = (constant("FIOGETOWN"), constant("SIOCGPGRP"))
_FLAGS = {constant("FIONBIO"): constant("O_NONBLOCK"), constant("FIOASYNC"): constant("O_ASYNC")}
_INTERFACE = tuple(
    constant(name) for name in ("SIOCGIFNAME", "SIOCGIFFLAGS", "SIOCGIFADDR", "SIOCGIFMTU", "SIOCGIFHWADDR", "SIOCGIFINDEX")
)
_NAME, _IP_ADDRESS, _INDEX = constant("SIOCGIFNAME"), constant("SIOCGIFADDR"), constant("SIOCGIFINDEX")
_MTU, _HARDWARE = constant("SIOCGIFMTU"), constant("SIOCGIFHWADDR")
_ADDRESSES, _SET_FLAGS = constant("SIOCGIFCONF"), constant("SIOCSIFFLAGS")
_OF_SOCKETS = (_MARK, _UNSENT, _NOT_SENT, *_SET_OWNER, *_GET_OWNER, *_INTERFACE, _ADDRESSES, _SET_FLAGS)
_ANY = (_CLOSE, _KEEP, *_FLAGS)
_FOREIGN = (0x89, 0x8B, 0x66, 0x58, 0x12)
"""Type bytes of requests that sockets' protocols, devices and file systems know and that no rule is about."""
_BLOCK_SIZE = (2,)  # FIGETBSZ, of anything that has a file system behind it (do_vfs_ioctl() in fs/ioctl.c)
_FILE_NUMBERS = (1, *_BLOCK_SIZE, 0x5460)  # FIBMAP and FIOQSIZE besides: of files
_LOOPBACK_MTU = 65536
_IFREQ = 40  # sizeof(struct ifreq)


def _request(s: Situation) -> int:
    return s.number("request") & 0xFFFFFFFF


def _is(*requests: int) -> Guard:
    return lambda s: _request(s) in requests


def _both(first: Guard, second: Guard) -> Guard:
    return lambda s: bool(first(s)) and bool(second(s))


def _bad(s: Situation) -> bool:
    return isinstance(s.args.get("argument"), BadPointer) or s.args.get("argument") == "NONE"


def _given(s: Situation) -> int:
    return s.number("argument")


def _foreign(s: Situation) -> bool:
    request = _request(s)
    if request in _ANY or request == _READ or request in _OF_SOCKETS:
        return False
    return (request >> 8) & 0xFF in _FOREIGN or request in (_FILE_NUMBERS if s.kind == "file" else _BLOCK_SIZE)


def _listens(s: Situation) -> bool:
    # A UNIX listener tells how much it has not sent: nothing (unix_outq_len()).
    return s.socket.state == "LISTEN" and (s.kind == "tcp" or _request(s) == _READ)


def _device(s: Situation) -> bool:
    assert isinstance(s.object, File)
    return s.object.what in ("null", "zero", "full", "directory") or s.object.path.startswith("/dev/null")


def _unknown_file(s: Situation) -> bool:
    return isinstance(s.object, File) and s.object.what == "" and not s.object.path


def _no_interface(s: Situation) -> bool:
    name = s.args.get("argument")
    return isinstance(name, str) and name not in s.host.interfaces


def _no_address(s: Situation) -> bool | None:
    """Loopback has one in every network namespace, but in one that unshare() has made; of others it is not known."""
    if _request(s) != _IP_ADDRESS:
        return False
    return not s.host.loopback if s.args.get("argument") == "lo" else None


def _not_administrator(s: Situation) -> bool:
    return s.process.uid != 0


def _unnamed_interface(s: Situation) -> bool:
    return not isinstance(s.args.get("argument"), str) or _request(s) == _NAME


# What is given


def _descriptor(s: Situation) -> Iterable[Outcome]:
    assert s.descriptor is not None
    kept = msgspec.structs.replace(s.descriptor, close_on_exec=_request(s) == _CLOSE)
    table = {**s.process.table, s.fd: kept}
    yield Outcome(kind="returns", world=s.world.with_process(s.process_name, msgspec.structs.replace(s.process, table=table)))


def _flag(s: Situation) -> Iterable[Outcome]:
    assert s.descriptor is not None
    assert s.description is not None
    bit = _FLAGS[_request(s)]
    flags = s.description.flags | bit if _given(s) else s.description.flags & ~bit
    world = s.world.copy()
    world.descriptions[s.descriptor.description] = msgspec.structs.replace(s.description, flags=flags)
    yield Outcome(kind="returns", world=world)


def _value(s: Situation, out: Out) -> Iterable[Outcome]:
    yield Outcome(kind="returns", world=s.world, out=out)


def _between(least: int, most: int) -> Out:
    return Exactly(least) if least == most else AtLeast(least, most)


def _waiting(flow: Flow) -> Out:
    return _between(flow.queued, flow.under_way)


def _to_read_tcp(s: Situation) -> Iterable[Outcome]:
    """Up to the urgent mark where that lies ahead, unless urgent data stay in line (tcp_inq() in include/net/tcp.h)."""
    flow = s.incoming
    if s.socket.state in ("SYN-SENT", "SYN-RECEIVED"):
        return _value(s, Exactly(0))
    if flow.urgent is not None and flow.read <= flow.urgent < flow.sent and not s.option("SOL_SOCKET", "SO_OOBINLINE"):
        ahead = flow.urgent - flow.read
        return _value(s, Exactly(ahead) if flow.arrived > flow.urgent else AtLeast(0, flow.under_way))
    return _value(s, _waiting(flow))


def _to_read_datagram(s: Situation) -> Iterable[Outcome]:
    """The next message's size, 0 without one (udp(7))."""
    queue = s.socket.queue
    if s.kind == "raw" and unsure(s.world, s.socket):
        return _value(s, AtLeast(0))
    if not queue:
        return _value(s, Exactly(0))
    if queue[0].certain:
        return _value(s, Exactly(queue[0].size))
    return _value(s, OneOf((0, *dict.fromkeys(one.size for one in queue))))


def _to_read_unix(s: Situation) -> Iterable[Outcome]:
    """Of streams and packets everything that waits, of datagrams the next one (unix_inq_len() in net/unix/af_unix.c)."""
    queue = s.socket.queue
    if s.kind == "unix-dgram":
        return _value(s, Exactly(queue[0].size if queue else 0))
    size = sum(one.size for one in queue)
    flow = s.incoming
    return _value(s, _between(size + flow.queued, size + flow.under_way))


def _to_read_pipe(s: Situation) -> Iterable[Outcome]:
    assert isinstance(s.object, Pipe)
    reader = s.world.objects.get(s.object.other) if s.object.writes else s.object
    return _value(s, _waiting(reader.flow if isinstance(reader, Pipe) else s.object.flow))


def _to_read_file(s: Situation) -> Iterable[Outcome]:
    return _value(s, AtLeast(0))


def _unsent(s: Situation) -> Iterable[Outcome]:
    """What the peer has not acknowledged, a FIN included; acknowledgements may be late, and of UNIX sockets it counts buffers."""
    one = s.socket
    if one.kind == "tcp" and one.state == "CLOSED" and one.note.get("used"):
        return _value(s, Anything())  # what the connection left in its counters
    if one.kind == "tcp":
        sent = s.outgoing.sent + (1 if s.outgoing.end else 0)
        return _value(s, _between(0, sent if one.state not in ("SYN-SENT", "SYN-RECEIVED", "CLOSED") else 0))
    peer = s.world.objects.get(one.peer) if one.peer else None
    # A datagram counts until its receiver takes it, whether the two are connected or not.
    idle = (
        one.kind in UNIX
        and s.outgoing.under_way == 0
        and not one.note.get("receivers")
        and not (isinstance(peer, Socket) and peer.queue)
    )
    return _value(s, Exactly(0) if idle and not one.queue else AtLeast(0))


def _not_sent(s: Situation) -> Iterable[Outcome]:
    if s.socket.state == "CLOSED" and s.socket.note.get("used"):
        return _value(s, Anything())  # what the connection left in its counters (tcp_disconnect())
    return _value(s, _between(0, s.outgoing.under_way))


def _at_mark(s: Situation) -> Iterable[Outcome]:
    flow = s.incoming
    if s.socket.accepting and s.kind != "tcp":
        return _value(s, Exactly(1))  # what waits for accept() has no bytes, as urgent data that was read has none
    if s.kind != "tcp" and flow.urgent is not None:
        return _value(s, OneOf((0, 1)))
    if flow.urgent is None or flow.urgent != flow.read:
        return _value(s, Exactly(0))
    return _value(s, Exactly(1) if flow.arrived > flow.urgent else OneOf((0, 1)))


def _own(s: Situation) -> Iterable[Outcome]:
    assert s.descriptor is not None
    assert s.description is not None
    world = s.world.copy()
    world.descriptions[s.descriptor.description] = msgspec.structs.replace(s.description, owner=_given(s))
    yield Outcome(kind="returns", world=world, out=Exactly(_given(s)))


def _owner(s: Situation) -> Iterable[Outcome]:
    assert s.description is not None
    return _value(s, Anything() if s.description.owner is None else Exactly(s.description.owner))


def _interface(s: Situation) -> Iterable[Outcome]:
    name = str(s.args.get("argument"))
    request = _request(s)
    if request == _INDEX:
        return _value(s, Exactly(s.host.interfaces[name]))
    if name != "lo":
        return _value(s, AtLeast(0) if request == _MTU else Anything())
    shown: Mapping[int, Out] = {
        _MTU: Exactly(_LOOPBACK_MTU),
        _HARDWARE: Exactly("00:00:00:00:00:00"),
        _IP_ADDRESS: Exactly("127.0.0.1"),
    }
    return _value(s, shown.get(request, Anything()))


def _addresses_told(s: Situation) -> Iterable[Outcome]:
    """How many bytes the addresses of AF_INET take where there is room for none: of one that has lo only, those of lo."""
    mine = [one for one in s.host.addresses if ":" not in one]
    alone = set(s.host.interfaces) <= {"lo"} and not s.host.default
    return _value(s, Exactly(_IFREQ * len(mine)) if alone else AtLeast(0))


_SOURCE = "ioctl(2)"
_TCP_SOURCE = "tcp(7)"
_CORE = "sock_do_ioctl() in net/socket.c"


def _to_read(name: str, give: Any, source: str, kinds: Any) -> Rule:
    return gives(f"ioctl.readable-{name}", give, "how much can be read at once", source, when=_is(_READ), kinds=kinds)


RULES: tuple[Rule, ...] = (
    unmodelled("ioctl.foreign", _foreign, "requests of protocols, devices and file systems are not modelled"),
    gives("ioctl.close-on-exec", _descriptor, "the descriptor's flag, whatever the argument", "ioctl_fioclex(2), ioctl(2)",
          when=_is(_CLOSE, _KEEP)),
    fails("ioctl.bad-flag-pointer", "EFAULT", _both(_is(*_FLAGS), _bad), "the pointer is bad", f"{_SOURCE} EFAULT"),
    fails("ioctl.no-signals", "ENOTTY", _both(_is(constant("FIOASYNC")), lambda s: _given(s) != 0),
          "nobody can be told by a signal",
          "ioctl_fioasync() in fs/ioctl.c", kinds=("epoll", "file")),
    gives("ioctl.flag", _flag, "the status flag is set, or cleared by 0", "fcntl(2) O_NONBLOCK, O_ASYNC; ioctl(2)",
          when=_is(*_FLAGS)),
    fails("ioctl.no-epoll", "EINVAL", lambda s: True, "an epoll set knows other requests", "ep_eventpoll_ioctl() in fs/eventpoll.c",
          kinds="epoll", note="ENOTTY before Linux 6.9"),
    unmodelled("ioctl.unknown-file", _unknown_file, "what kind of file it is, is not known", kinds="file"),
    fails("ioctl.no-sizes", "ENOTTY", _both(_is(_READ), _device), "a device or directory has no such request", f"{_SOURCE} ENOTTY",
          kinds="file"),
    fails("ioctl.no-request", "ENOTTY", lambda s: _request(s) != _READ, "the request is not for this kind of object",
          f"{_SOURCE} ENOTTY",
          kinds=("pipe", "file")),
    fails("ioctl.not-unix", "ENOTTY", _is(_NOT_SENT), "only TCP has it", f"{_TCP_SOURCE} SIOCOUTQNSD", kinds=UNIX),
    fails("ioctl.listens", "EINVAL", _both(_is(_READ, _UNSENT, _NOT_SENT), _listens), "a listener has no data",
          f"{_TCP_SOURCE} SIOCINQ",
          kinds=("tcp", "unix-stream", "unix-seqpacket")),
    fails("ioctl.no-urgent-data", "EOPNOTSUPP", _is(_MARK), "messages have no urgent mark", "unix_ioctl() in net/unix/af_unix.c",
          kinds=("unix-dgram", "unix-seqpacket")),
    fails("ioctl.bad-pointer", "EFAULT", _both(_is(_READ, *_OF_SOCKETS), _bad), "the pointer is bad", f"{_SOURCE} EFAULT",
          kinds=(*SOCKETS, "pipe", "file")),
    fails("ioctl.no-mark", "ENOTTY", _is(_MARK, _NOT_SENT), "only streams have one", f"{_TCP_SOURCE}; sockatmark(3) ENOTTY",
          kinds=("udp", "raw")),
    _to_read("tcp", _to_read_tcp, f"{_TCP_SOURCE} SIOCINQ", ("tcp",)),
    _to_read("datagram", _to_read_datagram, "udp(7) SIOCINQ", ("udp", "raw")),
    _to_read("unix", _to_read_unix, "unix(7) SIOCINQ", UNIX),
    _to_read("pipe", _to_read_pipe, "pipe(7); pipe_ioctl() in fs/pipe.c", ("pipe",)),
    _to_read("file", _to_read_file, "ioctl(2); file_ioctl() in fs/ioctl.c", ("file",)),
    gives("ioctl.unsent", _unsent, "what has not been sent, or not been acknowledged", f"{_TCP_SOURCE} SIOCOUTQ", when=_is(_UNSENT),
          kinds=SOCKETS),
    gives("ioctl.not-sent", _not_sent, "what has not been sent", f"{_TCP_SOURCE} SIOCOUTQNSD", when=_is(_NOT_SENT), kinds=("tcp",)),
    gives("ioctl.at-mark", _at_mark, "1 at the urgent mark, else 0", "POSIX.1-2024 sockatmark(); tcp(7)", when=_is(_MARK),
          kinds=("tcp", "unix-stream")),
    fails("ioctl.no-process", "ESRCH", _both(_is(*_SET_OWNER), lambda s: _given(s) not in (0, s.process.number)),
          "there is no such process or group", "fcntl(2) F_SETOWN; f_setown() in fs/fcntl.c", kinds=SOCKETS, may=True),
    gives("ioctl.own", _own, "who gets SIGIO and SIGURG", "socket(7) SIOCSPGRP, FIOSETOWN", when=_is(*_SET_OWNER), kinds=SOCKETS),
    gives("ioctl.owner", _owner, "who gets SIGIO and SIGURG", "socket(7) SIOCGPGRP, FIOGETOWN", when=_is(*_GET_OWNER),
          kinds=SOCKETS),
    fails("ioctl.not-inet", "ENOTTY", lambda s: _request(s) == _IP_ADDRESS and s.socket.family != "inet",
          "only AF_INET has it", "netdevice(7) SIOCGIFADDR", kinds=SOCKETS),
    unmodelled("ioctl.addresses-written", _both(_is(_ADDRESSES), lambda s: s.args.get("argument") is not None),
               "what the memory holds is no struct ifconf", kinds=SOCKETS),
    gives("ioctl.addresses", _addresses_told, "how many bytes the addresses of interfaces take", "netdevice(7) SIOCGIFCONF",
          when=_is(_ADDRESSES), kinds=SOCKETS),
    fails("ioctl.not-administrator", "EPERM", _both(_is(_SET_FLAGS), _not_administrator), "it needs CAP_NET_ADMIN",
          "netdevice(7) SIOCSIFFLAGS; dev_ioctl() in net/core/dev_ioctl.c", kinds=SOCKETS),
    fails("ioctl.no-interface", "ENODEV", _both(_is(*_INTERFACE, _SET_FLAGS), _no_interface), "there is no such interface",
          "netdevice(7)", kinds=SOCKETS),
    unmodelled("ioctl.interface-changed", _is(_SET_FLAGS), "interfaces that come and go are not modelled", kinds=SOCKETS),
    unmodelled("ioctl.unnamed-interface", _both(_is(*_INTERFACE), _unnamed_interface), "what the memory holds is no name",
          kinds=SOCKETS),
    fails("ioctl.no-address", "EADDRNOTAVAIL", _no_address, "the interface has no IPv4 address", "netdevice(7) SIOCGIFADDR",
          kinds=("tcp", "udp", "raw")),
    gives("ioctl.interface", _interface, "what is asked about the interface", "netdevice(7)", when=_is(*_INTERFACE), kinds=SOCKETS),
    fails("ioctl.no-such-request", "ENOTTY", lambda s: True, "there is no such request", f"{_SOURCE} ENOTTY; {_CORE}",
          kinds=SOCKETS),
)  # fmt: skip
