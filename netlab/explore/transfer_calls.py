"""Single calls of generated sequences that send, receive, shut down and close, sensible and senseless alike.

What comes of a call is found out by making it; nothing here knows.
"""

from netlab.explore.openings import data, named
from netlab.explore.scene import Draw, Guess, Scene, target
from netlab.explore.subjects import NO_SOCKET, NOT_OPEN, STREAMS, destination, quick, subject
from netlab.notation.values import BadPointer, Buffer, Name, Number, Parts, SocketAddress, Structure, Text, Value

_SENDING = ("MSG_NOSIGNAL",)


def _sent(scene: Scene, guess: Guess | int) -> None:
    if isinstance(guess, Guess) and guess.peer is not None:
        guess.peer.inbox += 1


_SEND_FLAGS: tuple[tuple[str, ...], ...] = (
    (), (), ("MSG_DONTWAIT",), ("MSG_DONTWAIT",), ("MSG_MORE",), ("MSG_OOB",), ("MSG_EOR",), ("MSG_DONTROUTE",), ("MSG_CONFIRM",),
    ("MSG_ERRQUEUE",), ("MSG_PEEK",), ("MSG_TRUNC",), ("MSG_WAITALL",),
)  # fmt: skip


def send(scene: Scene, draw: Draw) -> None:
    """send(), write(), sendto() or sendmsg() of something on what is connected, or on anything."""
    process, guess = subject(
        scene, draw, "tcp", "unix-stream", "unix-seqpacket", "udp", "unix-dgram", "pipe", states=("connected",)
    )
    shape = draw.byte()
    sent = BadPointer(null=draw.odds(30), size=10) if shape >= 244 else data(draw)
    flags = named(*_SENDING, *draw.of(_SEND_FLAGS))
    _sent(scene, guess)
    if shape < 60:
        scene.say(process, "write", target(guess), sent)
    elif shape < 130:
        scene.say(process, "send", target(guess), sent, flags)
    elif shape < 190:
        scene.say(process, "sendto", target(guess), sent, flags, *destination(scene, draw, process, guess))
    else:
        parts = sent if shape & 1 or not isinstance(sent, Text) else Parts((sent, Text(b"more")))
        if draw.odds(30):
            address = destination(scene, draw, process, guess)[0]
            if isinstance(address, SocketAddress) and address.length is None:
                scene.say(process, "sendmsg", target(guess), parts, flags, named=(("addr", address),))
                return
        controls: tuple[tuple[tuple[str, Value], ...], ...] = (
            (), (), (("control", BadPointer(null=False)),), (("control", Text(b"short")),),
            (("control", Structure("ucred", (1, 0, 0))),),
        )  # fmt: skip
        scene.say(process, "sendmsg", target(guess), parts, flags, named=draw.of(controls))


_RECEIVE_FLAGS: tuple[tuple[str, ...], ...] = (
    (), (), (), ("MSG_PEEK",), ("MSG_TRUNC",), ("MSG_WAITALL",), ("MSG_OOB",), ("MSG_ERRQUEUE",), ("MSG_PEEK", "MSG_TRUNC"),
    ("MSG_CMSG_CLOEXEC",), ("MSG_WAITFORONE",), ("MSG_OOB", "MSG_PEEK"),
)  # fmt: skip


def receive(scene: Scene, draw: Draw) -> None:
    """recv(), read(), recvfrom() or recvmsg(); mostly where something waits, else so that it does not wait."""
    process, guess = subject(
        scene, draw, "tcp", "unix-stream", "unix-seqpacket", "udp", "unix-dgram", "pipe", states=("connected", "bound")
    )
    shape = draw.byte()
    room = draw.value(Buffer(100), Buffer(10), Buffer(1), Buffer(5), Buffer(0), Buffer(5000), BadPointer(null=False, size=10))
    mine = draw.of(_RECEIVE_FLAGS)
    stuck = isinstance(guess, Guess) and guess.waits and not guess.inbox
    if stuck and shape & 31 != 9:
        mine = ("MSG_DONTWAIT", *mine)
    flags: Value = named(*mine) if mine else Number(0)
    if isinstance(guess, Guess):
        guess.inbox = max(guess.inbox - ("MSG_PEEK" not in mine), 0)
    if shape < 50:
        if stuck and isinstance(guess, Guess) and shape & 31 != 9:
            quick(scene, guess)
        scene.say(process, "read", target(guess), room)
    elif shape < 130:
        scene.say(process, "recv", target(guess), room, flags)
    elif shape < 190:
        wrong: tuple[tuple[Value, ...], ...] = (
            (),
            (),
            (),
            (Name("NONE"),),
            (Name("BUF"), Number(-1)),
            (BadPointer(null=False), Number(16)),
            (Buffer(4), Number(4)),
        )
        scene.say(process, "recvfrom", target(guess), room, flags, *draw.of(wrong))
    else:
        buffers: Value = Parts((Buffer(3), Buffer(50))) if shape & 1 else room
        controls: tuple[tuple[tuple[str, Value], ...], ...] = (
            (), (), (("control", Number(0)),), (("control", Number(8)),), (("control", BadPointer(null=False)),),
        )  # fmt: skip
        scene.say(process, "recvmsg", target(guess), buffers, flags, named=draw.of(controls))


def shutdown(scene: Scene, draw: Draw) -> None:
    """shutdown()."""
    process, guess = subject(scene, draw, *STREAMS, "udp", "unix-dgram", states=("connected", "listening"))
    scene.say(
        process,
        "shutdown",
        target(guess),
        draw.value(named("SHUT_WR"), named("SHUT_RD"), named("SHUT_RDWR"), Number(3), Number(-1)),
    )


def close(scene: Scene, draw: Draw) -> None:
    """close()."""
    process, guess = subject(scene, draw, *STREAMS, "udp", "unix-dgram", "pipe", "epoll")
    if guess == NO_SOCKET:  # the process's own
        guess = NOT_OPEN[0]
    scene.say(process, "close", target(guess))
    if isinstance(guess, Guess):
        guess.state = "closed"
