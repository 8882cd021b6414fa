"""How connections, pairs and queues come to be in a generated sequence: one record that unfolds to several calls.

Each is a plausible program's beginning; what comes of it is found out by making the calls.
"""

from netlab.explore.scene import Draw, Guess, Scene
from netlab.notation.values import Buffer, Constant, Name, Number, SocketAddress, Text, Value

FAMILIES = {"4": "AF_INET", "6": "AF_INET6", "u": "AF_UNIX"}

UNIX_TYPES = {"unix-stream": "SOCK_STREAM", "unix-dgram": "SOCK_DGRAM", "unix-seqpacket": "SOCK_SEQPACKET"}

ANY = {"4": "0.0.0.0", "6": "::"}


def named(*names: str | int) -> Constant:
    """A constant, or several joined."""
    return Constant(names)


def make(scene: Scene, process: str, family: str, kind: str, *, waits: bool = True) -> Guess:
    """socket()."""
    name = scene.name()
    kinds = {"tcp": "SOCK_STREAM", "udp": "SOCK_DGRAM", "raw": "SOCK_RAW", **UNIX_TYPES}
    flags = () if waits else ("SOCK_NONBLOCK",)
    scene.say(process, "socket", named(FAMILIES[family]), named(kinds[kind], *flags), Number(0), binds=(name,))
    return scene.add(Guess(process, name, kind, family, waits=waits))


def bind_ip(scene: Scene, guess: Guess, family: str, *, loopback: bool = False) -> None:
    """bind() to a fresh port of the wildcard, or of the loopback address."""
    guess.port, guess.loopback, guess.state = scene.port(), loopback, "bound"
    host = ({"4": "127.0.0.1", "6": "::1"} if loopback else ANY)[family]
    scene.say(guess.process, "bind", Name(guess.name), SocketAddress("ip", host=host, port=guess.port))


def ends(scene: Scene, draw: Draw) -> tuple[str, str]:
    """Who connects and to whom: across the wire, the other way, or both in one process."""
    first = scene.processes[0]
    other = scene.other(first)
    where = draw.byte()
    if where < 128:
        return first, other
    if where < 186:
        return other, first
    process = scene.process(draw)
    return process, process


def listening(scene: Scene, process: str, draw: Draw, family: str, *, loopback: bool) -> Guess:
    """socket(), bind(), listen()."""
    server = make(scene, process, family, "tcp", waits=not draw.odds(25))
    bind_ip(scene, server, family, loopback=loopback)
    scene.say(process, "listen", Name(server.name), Number(draw.of((8, 1, 0, 128, 4096))))
    server.state = "listening"
    return server


def joined(scene: Scene, client: Guess, server: Guess) -> Guess:
    """The guess of what accept() will give for a client that has connected, linked to it."""
    client.state = "connected"
    made = Guess(server.process, "", server.kind, server.family, "connected", server.port, peer=client)
    client.peer = made
    server.accepting.append(made)
    return made


def accept(scene: Scene, draw: Draw, server: Guess, *, name: bool = False) -> None:
    """accept() or accept4() of what waits, or of nothing."""
    word, waits = scene.name(), True
    shape = draw.byte()
    arguments: tuple[Value, ...] = (Name(server.name),)
    if shape < 128:
        scene.say(server.process, "accept", *arguments, binds=(word,))
    elif shape < 160:
        scene.say(server.process, "accept", *arguments, Name("NONE"), binds=(word,))
    else:
        flags: tuple[str, ...] = draw.of((("SOCK_NONBLOCK",), ("SOCK_CLOEXEC",), ("SOCK_NONBLOCK", "SOCK_CLOEXEC")))
        waits = "SOCK_NONBLOCK" not in flags
        scene.say(server.process, "accept4", *arguments, named(*flags), binds=(word,))
    made = server.accepting.pop(0) if server.accepting else Guess(server.process, "", server.kind, server.family, "connected")
    made.process, made.name, made.waits = server.process, word, waits
    scene.add(made)


def tcp(scene: Scene, draw: Draw) -> None:
    """A listener, a connection to it, and mostly its acceptance: IPv4, IPv6, or IPv4 mapped into IPv6 on either side."""
    near, far = ends(scene, draw)
    shape = draw.byte()
    theirs, ours, written = (
        ("4", "4", "4") if shape < 128 else ("6", "6", "6") if shape < 192 else ("6", "4", "4") if shape < 224 else ("4", "6", "m")
    )
    server = listening(scene, far, draw, theirs, loopback=near == far and theirs == ours and draw.odds(50))
    client = make(scene, near, ours, "tcp", waits=not draw.odds(25))
    if draw.odds(20):
        bind_ip(scene, client, ours)
    scene.say(near, "connect", Name(client.name), scene.at(server, near, written))
    joined(scene, client, server)
    if not draw.odds(15):
        accept(scene, draw, server)


def tcp_refused(scene: Scene, draw: Draw) -> None:
    """A connection to a port where nobody listens."""
    near, far = ends(scene, draw)
    family = draw.of(("4", "4", "6"))
    client = make(scene, near, family, "tcp", waits=not draw.odds(40))
    scene.say(near, "connect", Name(client.name), scene.place(scene.host(far), near, family, scene.port()))


def tcp_crossed(scene: Scene, draw: Draw) -> None:
    """One socket that connects to itself: the simultaneous open of RFC 9293 §3.5 in one host."""
    process = scene.process(draw)
    client = make(scene, process, "4", "tcp", waits=not draw.odds(30))
    bind_ip(scene, client, "4", loopback=True)
    scene.say(process, "connect", Name(client.name), SocketAddress("ip", host="127.0.0.1", port=client.port))
    client.state, client.peer = "connected", client


def udp(scene: Scene, draw: Draw) -> None:
    """Two UDP sockets: one bound, the other connected to it, or sending without."""
    near, far = ends(scene, draw)
    shape = draw.byte()
    theirs, ours, written = (
        ("4", "4", "4") if shape < 144 else ("6", "6", "6") if shape < 208 else ("6", "4", "4") if shape < 232 else ("4", "6", "m")
    )
    server = make(scene, far, theirs, "udp", waits=not draw.odds(40))
    bind_ip(scene, server, theirs)
    client = make(scene, near, ours, "udp", waits=not draw.odds(40))
    place = scene.at(server, near, written)
    if draw.odds(60):
        scene.say(near, "connect", Name(client.name), place)
        client.state, client.peer = "connected", server
        scene.say(near, "send", Name(client.name), data(draw))
    else:
        scene.say(near, "sendto", Name(client.name), data(draw), Number(0), place)
    server.inbox += 1


def udp_refused(scene: Scene, draw: Draw) -> None:
    """A datagram to a port that nobody has: an ICMP message may come back (RFC 1122 §4.1.3.3)."""
    near, far = ends(scene, draw)
    family = draw.of(("4", "6"))
    client = make(scene, near, family, "udp", waits=False)
    if draw.odds(30):
        level, option = ("IPPROTO_IP", "IP_RECVERR") if family == "4" else ("IPPROTO_IPV6", "IPV6_RECVERR")
        scene.say(near, "setsockopt", Name(client.name), named(level), named(option), Number(1))
    scene.say(near, "connect", Name(client.name), scene.place(scene.host(far), near, family, scene.port()))
    scene.say(near, "send", Name(client.name), data(draw))
    client.state = "connected"


def unix(scene: Scene, draw: Draw) -> None:
    """A UNIX listener by path or abstract name, a connection to it, its acceptance."""
    process = scene.process(draw)
    kind = draw.of(("unix-stream", "unix-seqpacket"))
    server = make(scene, process, "u", kind, waits=not draw.odds(25))
    server.reached = scene.unix(path=draw.odds(50))
    scene.say(process, "bind", Name(server.name), server.reached)
    scene.say(process, "listen", Name(server.name), Number(draw.of((8, 1, 0))))
    server.state = "listening"
    client = make(scene, process, "u", kind, waits=not draw.odds(25))
    scene.say(process, "connect", Name(client.name), server.reached)
    joined(scene, client, server)
    if not draw.odds(20):
        accept(scene, draw, server)


def unix_datagram(scene: Scene, draw: Draw) -> None:
    """Two UNIX datagram sockets, one bound to a name, the other connected to it or not."""
    process = scene.process(draw)
    server = make(scene, process, "u", "unix-dgram", waits=not draw.odds(30))
    server.reached, server.state = scene.unix(path=draw.odds(50)), "bound"
    scene.say(process, "bind", Name(server.name), server.reached)
    client = make(scene, process, "u", "unix-dgram", waits=not draw.odds(30))
    if draw.odds(40):
        client.reached = scene.unix(path=draw.odds(50))
        scene.say(process, "bind", Name(client.name), client.reached)
    if draw.odds(60):
        scene.say(process, "connect", Name(client.name), server.reached)
        client.state, client.peer = "connected", server
        scene.say(process, "send", Name(client.name), data(draw))
    else:
        scene.say(process, "sendto", Name(client.name), data(draw), Number(0), server.reached)
    server.inbox += 1


def pair(scene: Scene, draw: Draw) -> None:
    """socketpair()."""
    process, kind = scene.process(draw), draw.of(tuple(UNIX_TYPES))
    waits = not draw.odds(30)
    left, right = scene.name(), scene.name()
    flags = () if waits else ("SOCK_NONBLOCK",)
    scene.say(process, "socketpair", named("AF_UNIX"), named(UNIX_TYPES[kind], *flags), Number(0), binds=(left, right))
    one = scene.add(Guess(process, left, kind, state="connected", waits=waits))
    one.peer = scene.add(Guess(process, right, kind, state="connected", peer=one, waits=waits))


def pipe(scene: Scene, draw: Draw) -> None:
    """pipe(): descriptors that are no sockets."""
    process = scene.process(draw)
    left, right = scene.name(), scene.name()
    scene.say(process, "pipe", binds=(left, right))
    scene.add(Guess(process, left, "pipe"))
    scene.add(Guess(process, right, "pipe"))


def data(draw: Draw) -> Value:
    """What is sent: mostly little."""
    size = draw.byte()
    if size < 200:
        return Text(b"hello world, this is it"[: 1 + size % 20])
    return draw.value(Text(b""), Buffer(1000), Buffer(3000), Buffer(1000), Buffer(70_000))


def sends(scene: Scene, draw: Draw, guess: Guess, what: Value, *flags: str) -> None:
    """send(), sendto(), sendmsg() or write(): what one of them does the others do, too, and each has rules of its own."""
    word = draw.of(("send", "write", "sendto", "sendmsg"))
    scene.say(guess.process, word, Name(guess.name), what, *((named(*flags),) if flags and word != "write" else ()))


def receives(scene: Scene, draw: Draw, guess: Guess, room: Value, *flags: str) -> None:
    """recv(), recvfrom() or recvmsg(); read() where what it reads does not wait."""
    words = ("recv", "recvfrom", "recvmsg") if guess.waits else ("recv", "recvfrom", "recvmsg", "read")
    word = draw.of(words)
    scene.say(guess.process, word, Name(guess.name), room, *((named(*flags),) if flags and word != "read" else ()))


def raw(scene: Scene, draw: Draw) -> None:
    """A raw socket, perhaps connected, and some calls on it (raw(7))."""
    process = scene.process(draw)
    name, protocol = scene.name(), draw.value(Number(253), named("IPPROTO_ICMP"), Number(254))
    family = draw.of(("4", "4", "6"))
    scene.say(process, "socket", named(FAMILIES[family]), named("SOCK_RAW", "SOCK_NONBLOCK"), protocol, binds=(name,))
    guess = scene.add(Guess(process, name, "raw", family, waits=False))
    far = scene.place(scene.other(process), process, family, 0)
    if draw.odds(40):
        scene.say(process, "connect", Name(name), far)
        guess.state = "connected"
    for _ in range(1 + draw.byte() % 4):
        step = draw.byte() % 10
        if step < 3:
            sends(scene, draw, guess, data(draw), *draw.of(((), (), ("MSG_OOB",))))
        elif step < 5:
            places = (far, scene.place(scene.host(process), process, family, 0), SocketAddress("ip", host="203.0.113.1", port=0),
                      SocketAddress("ip", host="255.255.255.255", port=0), SocketAddress("ip", host="127.0.0.1", port=0, length=8),
                      SocketAddress("ip", host="::1", port=0), scene.unix(path=False))  # fmt: skip
            scene.say(process, "sendto", Name(name), data(draw), Number(0), draw.of(places))
        elif step < 8:
            receives(scene, draw, guess, Buffer(100), *draw.of(((), (), ("MSG_OOB",), ("MSG_ERRQUEUE",))))
        else:
            tried: tuple[tuple[str, tuple[Value, ...]], ...] = (
                ("listen", (Number(1),)), ("accept", ()), ("shutdown", (named("SHUT_RDWR"),)), ("shutdown", (Number(9),)),
                ("getpeername", ()), ("bind", (SocketAddress("ip", host="127.0.0.1", port=0),)),
                ("bind", (SocketAddress("ip", host="203.0.113.1", port=0),)), ("accept4", (Name("NONE"), Number(0), Number(0))),
            )  # fmt: skip
            word, arguments = draw.of(tried)
            scene.say(process, word, Name(name), *arguments)
