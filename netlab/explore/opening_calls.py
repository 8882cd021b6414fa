"""Single calls of generated sequences that make sockets, name them and connect them, sensible and senseless alike.

What comes of a call is found out by making it; nothing here knows.
"""

from netlab.explore.openings import ANY, accept, joined, named
from netlab.explore.scene import Draw, Guess, Scene, target
from netlab.explore.subjects import STREAMS, quick, subject, wrong_address
from netlab.notation.values import BadPointer, Buffer, Name, Number, SocketAddress, Value

_TYPES: tuple[tuple[str | int, ...], ...] = (
    ("SOCK_STREAM",), ("SOCK_DGRAM",), ("SOCK_STREAM", "SOCK_NONBLOCK"), ("SOCK_STREAM", "SOCK_CLOEXEC"), ("SOCK_SEQPACKET",),
    ("SOCK_DGRAM", "SOCK_NONBLOCK", "SOCK_CLOEXEC"), ("SOCK_RAW",), ("SOCK_RDM",), (0,), (77,), ("SOCK_STREAM", 0x100),
)  # fmt: skip

_DOMAINS: tuple[str | int, ...] = ("AF_INET", "AF_INET6", "AF_UNIX", "AF_INET", "AF_INET6", "AF_UNIX", "AF_UNSPEC", 12345, -1, 45)

_PROTOCOLS: tuple[str | int, ...] = (0, "IPPROTO_TCP", "IPPROTO_UDP", "IPPROTO_ICMP", 255, -1, 1, 300)


def _one(value: str | int) -> Value:
    return Number(value) if isinstance(value, int) else named(value)


def socket(scene: Scene, draw: Draw) -> None:
    """socket() with whatever domain, type and protocol."""
    process = scene.process(draw)
    domain, types = draw.of(_DOMAINS), draw.of(_TYPES)
    protocol = 0 if draw.subject % 3 else draw.of(_PROTOCOLS)
    name = scene.name()
    scene.say(
        process,
        "socket",
        _one(domain),
        named(*types) if isinstance(types[0], str) else _one(types[0]),
        _one(protocol),
        binds=(name,),
    )
    family = {"AF_INET": "4", "AF_INET6": "6", "AF_UNIX": "u"}.get(str(domain), "4")
    kind = {"SOCK_STREAM": "tcp", "SOCK_DGRAM": "udp", "SOCK_RAW": "raw"}.get(str(types[0]), "tcp")
    if family == "u":
        kind = {"tcp": "unix-stream", "udp": "unix-dgram"}.get(kind, "unix-seqpacket")
    scene.add(Guess(process, name, kind, family, waits="SOCK_NONBLOCK" not in types))


def socketpair(scene: Scene, draw: Draw) -> None:
    """socketpair() with arguments that are mostly wrong."""
    process = scene.process(draw)
    domain, types = draw.of(("AF_UNIX", *_DOMAINS)), draw.of(_TYPES)
    arguments: list[Value] = [
        _one(domain),
        named(*types) if isinstance(types[0], str) else _one(types[0]),
        _one(draw.of(_PROTOCOLS)),
    ]
    if draw.odds(20):
        arguments.append(BadPointer(null=draw.odds(50)))
        scene.say(process, "socketpair", *arguments)
        return
    left, right = scene.name(), scene.name()
    scene.say(process, "socketpair", *arguments, binds=(left, right))
    one = scene.add(Guess(process, left, "unix-stream", state="connected"))
    one.peer = scene.add(Guess(process, right, "unix-stream", state="connected", peer=one))


def bind(scene: Scene, draw: Draw) -> None:
    """bind()."""
    process, guess = subject(scene, draw, "tcp", "udp", "unix-stream", "unix-dgram", "unix-seqpacket", states=("fresh",))
    shape = draw.byte()
    address: tuple[Value, ...]
    if shape >= 128 or isinstance(guess, int):
        address = wrong_address(scene, draw, process)
    elif guess.kind.startswith("unix"):
        if shape < 100:
            guess.reached, guess.state = scene.unix(path=draw.odds(50)), "bound"
            address = (guess.reached,)
        else:
            address = (SocketAddress("unix", variant="unnamed", length=2),)
    else:
        family = guess.family if guess.family in ANY else "4"
        used = [one.port for one in scene.guesses if one.port and one.process == process]
        if shape < 64 or not used:
            guess.port, guess.state = (0 if shape % 4 == 3 else scene.port()), "bound"
        else:
            guess.port = used[draw.byte() % len(used)]
        hosts = (ANY[family], "127.0.0.1" if family == "4" else "::1", scene.ground.addresses[scene.host(process)][family == "6"])
        address = (SocketAddress("ip", host=draw.of(hosts), port=guess.port),)
    scene.say(process, "bind", target(guess), *address)


def listen(scene: Scene, draw: Draw) -> None:
    """listen()."""
    process, guess = subject(scene, draw, *STREAMS, states=("bound", "fresh"))
    scene.say(process, "listen", target(guess), Number(draw.of((8, 0, 1, -1, 128, 100_000))))
    if isinstance(guess, Guess) and guess.kind in STREAMS and guess.state in ("bound", "fresh"):
        guess.state = "listening"


def connect(scene: Scene, draw: Draw) -> None:
    """connect() to something that is there, or to nothing."""
    process, guess = subject(scene, draw, "tcp", "udp", "unix-stream", "unix-dgram", "unix-seqpacket", states=("fresh", "bound"))
    shape = draw.byte()
    if shape < 150 and isinstance(guess, Guess):
        there = [
            one
            for one in scene.guesses
            if one.kind == guess.kind and one is not guess and (one.port or one.reached) and one.state != "closed"
        ]
        there = [one for one in there if one.state == "listening"] or there
        if there:
            server = there[draw.byte() % len(there)]
            written = guess.family if guess.family == server.family or guess.family == "4" else "m"
            scene.say(process, "connect", target(guess), scene.at(server, process, written))
            if server.state == "listening":
                joined(scene, guess, server)
            else:
                guess.state, guess.peer = "connected", server
            return
    scene.say(process, "connect", target(guess), *wrong_address(scene, draw, process))


def accepting(scene: Scene, draw: Draw) -> None:
    """accept() and accept4(), mostly of what listens."""
    process, guess = subject(scene, draw, *STREAMS, states=("listening",))
    shape = draw.byte()
    # What nothing waits for may wait for long: mostly it is made not to.
    lonely = isinstance(guess, Guess) and guess.waits and not guess.accepting
    if isinstance(guess, Guess) and (not lonely or shape >= 216) and guess.state == "listening" and shape & 7 != 1:
        accept(scene, draw, guess)
        return
    if lonely and isinstance(guess, Guess) and guess.state == "listening" and shape < 216:
        quick(scene, guess)
    name = scene.name()
    arguments: tuple[Value, ...] = draw.of((
        (), (Name("BUF"),), (BadPointer(null=False), Number(16)), (Name("BUF"), Number(3)), (Name("BUF"), Number(-1)),
        (Name("BUF"), BadPointer(null=True)), (Buffer(6), Number(6)),
    ))  # fmt: skip
    if shape & 3 == 3:
        scene.say(
            process,
            "accept4",
            target(guess),
            *(arguments or (Name("NONE"), Number(0))),
            Number(draw.of((0, 1, -1, 0x800))),
            binds=(name,),
        )
    else:
        scene.say(process, "accept", target(guess), *arguments, binds=(name,))
    if isinstance(guess, Guess) and guess.accepting:
        made = guess.accepting.pop(0)
        made.process, made.name = process, name
        scene.add(made)
