"""What happens to connections and ports in a generated sequence: one record that unfolds to several calls about what is there.

Each is a plausible course of events; what comes of it is found out by making the calls.
"""

from itertools import pairwise

from netlab.explore.openings import ANY, UNIX_TYPES, accept, bind_ip, data, make, named, pair, receives, sends, tcp
from netlab.explore.scene import Draw, Guess, Scene
from netlab.explore.subjects import connected
from netlab.notation.values import Buffer, Name, Number, Rights, SocketAddress, Structure, Text, Value


def epoll(scene: Scene, draw: Draw) -> None:
    """An epoll set with some of what is there."""
    process = scene.process(draw)
    name = scene.name()
    scene.say(process, "epoll_create1", Number(0), binds=(name,))
    there = [
        guess for guess in scene.guesses if guess.process == process and guess.kind not in ("epoll",) and guess.state != "closed"
    ]
    for guess in there[: draw.byte() % 4]:
        events = draw.of(
            (("EPOLLIN",), ("EPOLLOUT",), ("EPOLLIN", "EPOLLOUT"), ("EPOLLIN", "EPOLLRDHUP"), ("EPOLLIN", "EPOLLOUT", "EPOLLET"))
        )
        scene.say(process, "epoll_ctl", Name(name), named("EPOLL_CTL_ADD"), Name(guess.name), named(*events))
    scene.add(Guess(process, name, "epoll"))
    if there:
        scene.say(process, "epoll_wait", Name(name), Number(8), Number(0))


def both_families(scene: Scene, draw: Draw) -> None:
    """The same port for IPv6 and for IPv4, with or without IPV6_V6ONLY (ipv6(7))."""
    process = scene.process(draw)
    kind = draw.of(("tcp", "udp"))
    wide = make(scene, process, "6", kind)
    if draw.odds(50):
        scene.say(process, "setsockopt", Name(wide.name), named("IPPROTO_IPV6"), named("IPV6_V6ONLY"), Number(1))
    narrow = make(scene, process, "4", kind)
    if draw.odds(40):
        for one in (wide, narrow):
            scene.say(
                process,
                "setsockopt",
                Name(one.name),
                named("SOL_SOCKET"),
                named(draw.of(("SO_REUSEADDR", "SO_REUSEPORT"))),
                Number(1),
            )
    first, second = (wide, narrow) if not draw.odds(50) else (narrow, wide)
    bind_ip(scene, first, first.family)
    second.port, second.state = first.port, "bound"
    host = ANY[second.family] if draw.odds(60) else {"4": "127.0.0.1", "6": "::1"}[second.family]
    scene.say(process, "bind", Name(second.name), SocketAddress("ip", host=host, port=first.port))


def same_port(scene: Scene, draw: Draw) -> None:
    """Two sockets that want one port, with SO_REUSEADDR or SO_REUSEPORT on both, one or none of them (socket(7))."""
    process = scene.process(draw)
    kind, family = draw.of(("tcp", "udp")), draw.of(("4", "6"))
    pair = [make(scene, process, family, kind) for _ in range(2)]
    option = draw.of(("", "SO_REUSEADDR", "SO_REUSEPORT"))
    for guess in pair:
        if option and not draw.odds(20):
            scene.say(process, "setsockopt", Name(guess.name), named("SOL_SOCKET"), named(option), Number(1))
    bind_ip(scene, pair[0], family)
    if kind == "tcp" and draw.odds(50):
        scene.say(process, "listen", Name(pair[0].name), Number(8))
        pair[0].state = "listening"
    pair[1].port, pair[1].state = pair[0].port, "bound"
    scene.say(process, "bind", Name(pair[1].name), SocketAddress("ip", host=ANY[family], port=pair[0].port))
    if kind == "tcp" and draw.odds(50):
        scene.say(process, "listen", Name(pair[1].name), Number(8))


def rights(scene: Scene, draw: Draw) -> None:
    """A descriptor through a UNIX socket (SCM_RIGHTS of unix(7))."""
    process, kind = scene.process(draw), draw.of(tuple(UNIX_TYPES))
    there = [guess for guess in scene.guesses if guess.process == process and guess.state != "closed"]
    left, right, got = scene.name(), scene.name(), scene.name()
    scene.say(process, "socketpair", named("AF_UNIX"), named(UNIX_TYPES[kind]), Number(0), binds=(left, right))
    one = scene.add(Guess(process, left, kind, state="connected"))
    two = one.peer = scene.add(Guess(process, right, kind, state="connected", peer=one))
    passed = there[draw.byte() % len(there)] if there else two
    scene.say(process, "sendmsg", Name(left), Text(b"r"), Number(0), named=(("control", Rights((passed.name,))),))
    if draw.odds(25):
        scene.say(process, "close", Name(passed.name))
    flags = named(draw.of(("MSG_DONTWAIT", "MSG_DONTWAIT", "MSG_CMSG_CLOEXEC")))
    scene.say(process, "recvmsg", Name(right), Buffer(8), flags, named=(("control", Rights((got,))),))
    scene.add(passed.copy(name=got))


def reset(scene: Scene, draw: Draw) -> None:
    """One end of a connection resets it: SO_LINGER with no time, or data left unread (RFC 1122 §4.2.2.13, RFC 2525 §2.17)."""
    one = connected(scene, draw, "tcp")
    if one is None or one.peer is None or not one.peer.name:
        return tcp(scene, draw)
    if draw.odds(50):
        scene.say(one.peer.process, "send", Name(one.peer.name), data(draw), named("MSG_NOSIGNAL"))
    else:
        scene.say(one.process, "setsockopt", Name(one.name), named("SOL_SOCKET"), named("SO_LINGER"), Structure("linger", (1, 0)))
    scene.say(one.process, "close", Name(one.name))
    one.state, one.peer.waits = "closed", False
    scene.say(one.peer.process, "fcntl", Name(one.peer.name), named("F_SETFL"), named("O_NONBLOCK"))
    for _ in range(2):
        word = draw.of(("recv", "send", "getsockopt", "getpeername"))
        arguments: dict[str, tuple[Value, ...]] = {
            "recv": (Buffer(10),), "send": (Text(b"late"), named("MSG_NOSIGNAL")),
            "getsockopt": (named("SOL_SOCKET"), named("SO_ERROR")),
            "getpeername": (),
        }  # fmt: skip
        scene.say(one.peer.process, word, Name(one.peer.name), *arguments[word])
    return None


def finish(scene: Scene, draw: Draw) -> None:
    """Both ends of a connection finish in turn, reading to the end."""
    one = connected(scene, draw, "tcp", "unix-stream", "unix-seqpacket")
    if one is None or one.peer is None or not one.peer.name:
        return tcp(scene, draw)
    for end, other in ((one, one.peer), (one.peer, one)):
        if draw.odds(30):
            sends(scene, draw, end, data(draw), "MSG_NOSIGNAL")
            other.inbox += 1
        scene.say(end.process, "shutdown", Name(end.name), named("SHUT_WR"))
        receives(scene, draw, other, Buffer(100), "MSG_DONTWAIT")
        if draw.odds(40):
            receives(scene, draw, other, Buffer(100), "MSG_DONTWAIT")
    return None


def urgent(scene: Scene, draw: Draw) -> None:
    """Urgent data: sent, looked for, read in or out of the stream (RFC 6093)."""
    one = connected(scene, draw, "tcp", "unix-stream")
    if one is None or one.peer is None or not one.peer.name:
        return tcp(scene, draw)
    peer = one.peer
    if draw.odds(30):
        scene.say(peer.process, "setsockopt", Name(peer.name), named("SOL_SOCKET"), named("SO_OOBINLINE"), Number(1))
    scene.say(one.process, "send", Name(one.name), data(draw), named("MSG_OOB"))
    for _ in range(3):
        step = draw.byte() % 5
        if step == 0:
            receives(scene, draw, peer, Buffer(8), "MSG_DONTWAIT")
        elif step == 1:
            scene.say(peer.process, "ioctl", Name(peer.name), named("SIOCATMARK"))
        elif step == 2:
            receives(scene, draw, peer, Buffer(1), "MSG_OOB", "MSG_DONTWAIT")
        elif step == 3:
            scene.say(peer.process, "poll", Name(peer.name), named("POLLIN", "POLLPRI"), Number(0))
        else:
            scene.say(peer.process, "ioctl", Name(peer.name), named("FIONREAD"))
    return None


def full(scene: Scene, draw: Draw) -> None:
    """Send until there is no more room, then let the other end make some."""
    one = connected(scene, draw, "tcp", "unix-stream", "unix-dgram", "unix-seqpacket")
    if one is None or one.peer is None or not one.peer.name:
        return pair(scene, draw)
    scene.say(one.process, "setsockopt", Name(one.name), named("SOL_SOCKET"), named("SO_SNDBUF"), Number(1))
    size = 1000 if one.kind in ("unix-dgram", "unix-seqpacket") else 150_000
    for _ in range(4):
        scene.say(
            one.process, draw.of(("send", "sendto", "sendmsg")), Name(one.name), Buffer(size), named("MSG_DONTWAIT", "MSG_NOSIGNAL")
        )
    one.peer.inbox += 4
    scene.say(one.process, "poll", Name(one.name), named("POLLIN", "POLLOUT"), Number(0))
    if draw.odds(25):
        word = draw.of(("send", "write", "sendto", "sendmsg"))
        scene.say(one.process, word, Name(one.name), Buffer(size), *(() if word == "write" else (named("MSG_NOSIGNAL"),)))
    if draw.odds(50):
        receives(scene, draw, one.peer, Buffer(size), "MSG_DONTWAIT")
    return None


def crowd(scene: Scene, draw: Draw) -> None:
    """More clients than a UNIX listener's queue holds, and perhaps one that is accepted (listen() in POSIX, unix(7))."""
    process, kind = scene.process(draw), draw.of(("unix-stream", "unix-seqpacket"))
    server = make(scene, process, "u", kind)
    server.reached, server.state = scene.unix(path=draw.odds(30)), "listening"
    scene.say(process, "bind", Name(server.name), server.reached)
    scene.say(process, "listen", Name(server.name), Number(0))
    for _ in range(3):
        client = make(scene, process, "u", kind, waits=draw.odds(40))
        scene.say(process, "connect", Name(client.name), server.reached)
    if draw.odds(60):
        accept(scene, draw, server)


def nested(scene: Scene, draw: Draw) -> None:
    """Epoll sets within epoll sets, deeper than is allowed, or in a circle (epoll_ctl(2) ELOOP)."""
    process = scene.process(draw)
    names = [scene.name() for _ in range(7)]
    for name in names:
        scene.say(process, "epoll_create1", Number(0), binds=(name,))
        scene.add(Guess(process, name, "epoll"))
    for outer, inner in pairwise(names):
        scene.say(process, "epoll_ctl", Name(outer), named("EPOLL_CTL_ADD"), Name(inner), named("EPOLLIN"))
    scene.say(process, "epoll_ctl", Name(names[1]), named("EPOLL_CTL_ADD"), Name(names[0]), named("EPOLLIN"))


def taken(scene: Scene, draw: Draw) -> None:
    """A UNIX datagram socket that takes messages from its own peer only (unix(7) EPERM)."""
    process = scene.process(draw)
    sockets = [make(scene, process, "u", "unix-dgram") for _ in range(3)]
    for guess in sockets[:2]:
        guess.reached = scene.unix(path=draw.odds(30))
        scene.say(process, "bind", Name(guess.name), guess.reached)
    first, second, third = sockets
    assert first.reached is not None
    assert second.reached is not None
    if draw.odds(50):
        scene.say(process, "connect", Name(third.name), first.reached)
    scene.say(process, "connect", Name(first.name), second.reached)
    scene.say(process, "connect", Name(third.name), first.reached)
    word = draw.of(("send", "write", "sendmsg"))
    scene.say(process, word, Name(third.name), data(draw), *(() if word == "write" else (named("MSG_DONTWAIT"),)))


def pending(scene: Scene, draw: Draw) -> None:
    """A connection to an address of the link that no host has: it stays in SYN-SENT, and what is tried meanwhile."""
    process = scene.process(draw)
    client = make(scene, process, "4", "tcp", waits=False)
    nobody = SocketAddress("ip", host=scene.absent(process), port=scene.port())
    scene.say(process, "connect", Name(client.name), nobody)
    for _ in range(2):
        tried: tuple[tuple[str, tuple[Value, ...]], ...] = (
            ("connect", (nobody,)), ("send", (data(draw), named("MSG_NOSIGNAL"))), ("recv", (Buffer(8),)), ("getpeername", ()),
            ("poll", (named("POLLIN", "POLLOUT"), Number(0))), ("shutdown", (named("SHUT_RDWR"),)), ("sendto", (data(draw),)),
            ("connect", (SocketAddress("family", port=0),)), ("listen", (Number(1),)), ("write", (data(draw),)),
        )  # fmt: skip
        word, arguments = draw.of(tried)
        scene.say(process, word, Name(client.name), *arguments)


def same_pair(scene: Scene, draw: Draw) -> None:
    """Two clients of one port that connect to the same listener: the second pair would be the first (connect() EADDRNOTAVAIL)."""
    process = scene.process(draw)
    server = make(scene, process, "4", "tcp")
    bind_ip(scene, server, "4")
    scene.say(process, "listen", Name(server.name), Number(8))
    server.state = "listening"
    port = scene.port()
    for _ in range(2):
        client = make(scene, process, "4", "tcp")
        scene.say(process, "setsockopt", Name(client.name), named("SOL_SOCKET"), named("SO_REUSEADDR"), Number(1))
        scene.say(process, "bind", Name(client.name), SocketAddress("ip", host="127.0.0.1", port=port))
        client.port, client.state = port, "bound"
        scene.say(process, "connect", Name(client.name), scene.at(server, process, "4"))
    if draw.odds(40):
        accept(scene, draw, server)
