"""Whom the calls of a generated sequence are about, and which addresses, sound and unsound, they are given.

It chooses among what probably is there, and knows nothing of what comes of a call.
"""

from netlab.explore.openings import make, named
from netlab.explore.scene import Draw, Guess, Scene
from netlab.notation.values import BadPointer, Name, Number, SocketAddress, Value

NOT_OPEN = (400, -1)

NO_SOCKET = 0

_IP = ("tcp", "udp", "raw")

STREAMS = ("tcp", "unix-stream", "unix-seqpacket")


def subject(scene: Scene, draw: Draw, *wanted: str, states: tuple[str, ...] = ()) -> tuple[str, Guess | int]:
    """Whom a call is about, and in which process: mostly one of the ``wanted`` kinds in one of these states; sometimes anything.

    Sometimes a descriptor that is closed, a number that is none, or a file that is no socket. Nothing there: something is made.
    """
    choice = draw.subject
    if choice >= 248:
        return scene.processes[0], NOT_OPEN[choice & 1]
    if choice >= 243:
        return scene.processes[-1 if choice & 1 else 0], NO_SOCKET
    there = [guess for guess in scene.guesses if guess.name and (guess.state != "closed" or choice >= 238)]
    if choice < 224:
        fitting = [guess for guess in there if guess.kind in wanted and (not states or guess.state in states)]
        fitting = fitting or [guess for guess in there if guess.kind in wanted]
    else:
        fitting = there
    fitting = fitting or there
    if fitting:
        guess = fitting[-1 - choice % len(fitting)]
        return guess.process, guess
    kind = wanted[choice % len(wanted)] if wanted else "tcp"
    process = scene.process(draw)
    if kind not in _IP and not kind.startswith("unix"):
        kind = "tcp"
    guess = make(scene, process, "u" if kind.startswith("unix") else "6" if choice & 64 else "4", kind)
    return process, guess


def wrong_address(scene: Scene, draw: Draw, process: str) -> tuple[Value, ...]:
    """An address that hardly any call takes, with a length of its own."""
    own, other = scene.host(process), scene.other(process)
    port = scene.port()
    choices: tuple[tuple[Value, ...], ...] = (
        (SocketAddress("family", port=0),),
        (SocketAddress("family", port=7),),
        (BadPointer(null=False), Number(16)),
        (BadPointer(null=True), Number(16)),
        (BadPointer(null=True), Number(0)),
        (SocketAddress("ip", host="127.0.0.1", port=port, length=draw.of((2, 15, 8, 0, 1, 200, -1))),),
        (SocketAddress("ip", host="::1", port=port, length=draw.of((27, 24, 23, 16, 2))),),
        (SocketAddress("unix", variant="unnamed"),),
        (SocketAddress("unix", host="nothing/here", variant="path"),),
        (SocketAddress("unix", host=".", variant="path"),),
        (SocketAddress("unix", host="/dev/null/inside", variant="path"),),
        (SocketAddress("ip", host="fe80::1", port=port),),
        (scene.unix(path=True),),
        (scene.unix(path=False),),
        (SocketAddress("ip", host="203.0.113.1", port=port),),
        (SocketAddress("ip", host="2001:db8::1", port=port),),
        (SocketAddress("ip", host="255.255.255.255", port=port),),
        (SocketAddress("ip", host="239.1.1.1", port=port),),
        (SocketAddress("ip", host="0.0.0.0", port=port),),
        (SocketAddress("ip", host="::", port=port),),
        (SocketAddress("ip", host="127.0.0.1", port=0),),
        (SocketAddress("ip", host=scene.ground.addresses[other][0], port=0),),
        (SocketAddress("ip", host=scene.ground.addresses[own][0], port=port),),
        (SocketAddress("ip", host=scene.ground.addresses[own][1], port=port),),
        (SocketAddress("ip", host=scene.ground.addresses[other][1], port=port),),
        (SocketAddress("ip", host="10.0.0.255", port=port),),
    )  # fmt: skip
    return draw.of(choices)


def destination(scene: Scene, draw: Draw, process: str, guess: Guess | int) -> tuple[Value, ...]:
    """Where sendto() sends: to something of the same kind that has a name, or to an address that is none."""
    if isinstance(guess, Guess) and not draw.odds(45):
        there = [one for one in scene.guesses if one.kind == guess.kind and (one.port or one.reached)]
        if there:
            one = there[draw.byte() % len(there)]
            one.inbox += 1
            return (scene.at(one, process, guess.family if guess.family in (one.family, "4") else "m"),)
    return wrong_address(scene, draw, process)


def quick(scene: Scene, guess: Guess) -> None:
    """From now on its calls do not wait."""
    scene.say(guess.process, "fcntl", Name(guess.name), named("F_SETFL"), named("O_NONBLOCK"))
    guess.waits = False


def connected(scene: Scene, draw: Draw, *kinds: str) -> Guess | None:
    """Something that is probably connected to something else that is."""
    there = [
        guess
        for guess in scene.guesses
        if guess.kind in kinds and guess.state == "connected" and guess.peer is not None and guess.name
    ]
    return there[-1 - draw.subject % len(there)] if there else None
