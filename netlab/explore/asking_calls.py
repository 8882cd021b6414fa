"""Single calls of generated sequences that ask: names, options, what is ready; and those that set options.

What comes of a call is found out by making it; nothing here knows.
"""

from netlab.explore.openings import named
from netlab.explore.options import level_and_option, level_room, level_value
from netlab.explore.scene import Draw, Guess, Scene, target
from netlab.explore.subjects import STREAMS, subject
from netlab.notation.values import BadPointer, Buffer, Name, Number, Value

_NAMES: tuple[tuple[Value, ...], ...] = (
    (), (), (), (Name("BUF"), Number(-1)), (BadPointer(null=False), Number(16)), (Name("BUF"), BadPointer(null=True)),
    (Buffer(4), Number(4)),
    (Buffer(2), Number(2)), (Buffer(0), Number(0)),
)  # fmt: skip


def names(scene: Scene, draw: Draw) -> None:
    """getsockname() and getpeername()."""
    process, guess = subject(scene, draw, *STREAMS, "udp", "unix-dgram", states=("connected", "bound", "listening"))
    scene.say(process, draw.of(("getsockname", "getpeername")), target(guess), *draw.of(_NAMES))


def get_option(scene: Scene, draw: Draw) -> None:
    """getsockopt()."""
    process, guess = subject(scene, draw, *STREAMS, "udp", "unix-dgram")
    level, option = level_and_option(guess.kind if isinstance(guess, Guess) else "tcp", draw.byte(), draw.byte())
    scene.say(process, "getsockopt", target(guess), *level_room(level, option, draw.byte(), draw.byte()))


def set_option(scene: Scene, draw: Draw) -> None:
    """setsockopt(), and mostly a look at what became of it."""
    process, guess = subject(scene, draw, *STREAMS, "udp", "unix-dgram")
    level, option = level_and_option(guess.kind if isinstance(guess, Guess) else "tcp", draw.byte(), draw.byte())
    scene.say(process, "setsockopt", target(guess), *level_value(level, option, draw.byte(), draw.byte()))
    if draw.odds(60):
        scene.say(process, "getsockopt", target(guess), named(level), named(option))


_POLL: tuple[tuple[str | int, ...], ...] = (
    ("POLLIN", "POLLOUT"), ("POLLIN",), ("POLLOUT",), ("POLLIN", "POLLOUT", "POLLPRI", "POLLRDHUP"), (0,), ("POLLPRI",),
    ("POLLRDHUP",),
)  # fmt: skip


def polled(scene: Scene, draw: Draw) -> None:
    """poll() and select()."""
    process, guess = subject(scene, draw, *STREAMS, "udp", "unix-dgram", "pipe", "epoll")
    shape = draw.byte()
    wait = Number(draw.of((0, 0, 0, 1, 2)) if shape & 31 != 31 else -1)
    if shape < 190:
        events = draw.of(_POLL)
        more: list[Value] = []
        there = [one for one in scene.guesses if one.process == process and one.name and one is not guess]
        if there and draw.odds(30):
            more = [Name(there[-1].name), named("POLLIN", "POLLOUT")]
        if shape & 63 == 5:
            scene.say(process, "poll", BadPointer(null=False), draw.value(Number(1), Number(0), Number(100_000)), wait)
            return
        scene.say(process, "poll", target(guess), named(*events) if events[0] else Number(0), *more, wait)
        return
    if isinstance(guess, int):
        guess = abs(guess)
    both: tuple[tuple[Value, Value], ...] = (
        (target(guess), Name("NONE")), (Name("NONE"), target(guess)), (target(guess), target(guess)),
        (BadPointer(null=False), Name("NONE")),
    )  # fmt: skip
    scene.say(process, "select", *draw.of(both), Number(max(wait.value, 0) if shape & 15 else draw.of((-1, 100_000))))


def watched(scene: Scene, draw: Draw) -> None:
    """epoll_ctl() and epoll_wait()."""
    process, guess = subject(scene, draw, "epoll")
    shape = draw.byte()
    there = [one for one in scene.guesses if one.process == process and one.name]
    other: Value = Name(there[draw.byte() % len(there)].name) if there and not draw.odds(10) else Number(draw.of((400, 0)))
    if shape < 120:
        operation = draw.value(named("EPOLL_CTL_ADD"), named("EPOLL_CTL_MOD"), named("EPOLL_CTL_DEL"), Number(77))
        events = draw.of(
            (
                ("EPOLLIN",),
                ("EPOLLIN", "EPOLLOUT"),
                ("EPOLLOUT", "EPOLLET"),
                ("EPOLLIN", "EPOLLONESHOT"),
                ("EPOLLIN", "EPOLLEXCLUSIVE"),
            )
        )
        event: Value = named(*events) if not draw.odds(10) else BadPointer(null=draw.odds(50))
        scene.say(process, "epoll_ctl", target(guess), operation, other, event)
    elif shape < 240:
        many = Number(draw.of((8, 1, 0, -1)))
        if shape & 15 == 15:
            scene.say(process, "epoll_wait", target(guess), BadPointer(null=False), Number(1), Number(0))
        else:
            scene.say(process, "epoll_wait", target(guess), many, Number(draw.of((0, 0, 1, 0, -1))))
    else:
        name = scene.name()
        if draw.odds(25):
            scene.say(process, "epoll_create", Number(draw.of((1, 0))), binds=(name,))
            scene.add(Guess(process, name, "epoll"))
            return
        scene.say(process, "epoll_create1", draw.value(Number(0), named("EPOLL_CLOEXEC"), Number(1)), binds=(name,))
        scene.add(Guess(process, name, "epoll"))
