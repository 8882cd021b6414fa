"""Single calls of generated sequences about descriptors and processes: copies, flags, fork(), limits.

What comes of a call is found out by making it; nothing here knows.
"""

from netlab.explore.asking_calls import watched
from netlab.explore.file_calls import device, files, pipes
from netlab.explore.opening_calls import accepting, socketpair
from netlab.explore.openings import make, named, pair
from netlab.explore.scene import Draw, Guess, Scene, target
from netlab.explore.subjects import STREAMS, subject
from netlab.notation.values import BadPointer, Name, Number, SocketAddress, Value


def duplicate(scene: Scene, draw: Draw) -> None:
    """dup(), dup2(), dup3(), fcntl(F_DUPFD)."""
    process, guess = subject(scene, draw, *STREAMS, "udp", "unix-dgram", "pipe", "epoll")
    shape, name = draw.byte(), scene.name()
    there = [one for one in scene.guesses if one.process == process and one.name and one.state != "closed" and one is not guess]
    onto: Value = Name(there[draw.byte() % len(there)].name) if there and draw.odds(50) else Number(draw.of((20, 40, -1, 100_000)))
    if shape < 80:
        scene.say(process, "dup", target(guess), binds=(name,))
    elif shape < 130:
        scene.say(process, "dup2", target(guess), target(guess) if shape & 7 == 7 else onto, binds=(name,))
    elif shape < 190:
        third = draw.value(Number(0), named("O_CLOEXEC"), Number(1))
        scene.say(process, "dup3", target(guess), target(guess) if shape & 7 == 7 else onto, third, binds=(name,))
    else:
        command = draw.of(("F_DUPFD", "F_DUPFD_CLOEXEC"))
        scene.say(process, "fcntl", target(guess), named(command), Number(draw.of((0, 10, 30, -1, 100_000))), binds=(name,))
    if isinstance(onto, Name) and 80 <= shape < 190:
        for one in there:
            if one.name == onto.name:
                one.state = "closed"
    if isinstance(guess, Guess):
        scene.add(guess.copy(name=name))


def control(scene: Scene, draw: Draw) -> None:
    """fcntl() of flags and owners."""
    process, guess = subject(scene, draw, *STREAMS, "udp", "unix-dgram", "pipe", "epoll")
    choices: tuple[tuple[Value, ...], ...] = (
        (named("F_GETFL"),), (named("F_SETFL"), named("O_NONBLOCK")), (named("F_SETFL"), Number(0)), (named("F_GETFD"),),
        (named("F_SETFD"), named("FD_CLOEXEC")), (named("F_SETFD"), Number(0)), (named("F_GETOWN"),), (Number(4000),),
        (named("F_SETFL"), named("O_APPEND")), (named("F_GETSIG"),),
    )  # fmt: skip
    arguments = draw.of(choices)
    scene.say(process, "fcntl", target(guess), *arguments)
    if isinstance(guess, Guess) and arguments[0] == named("F_SETFL"):
        guess.waits = arguments[1] != named("O_NONBLOCK")


def ioctl(scene: Scene, draw: Draw) -> None:
    """ioctl()."""
    process, guess = subject(scene, draw, *STREAMS, "udp", "unix-dgram", "pipe")
    choices: tuple[tuple[Value, ...], ...] = (
        (named("FIONREAD"),), (named("FIONBIO"), Number(1)), (named("FIONBIO"), Number(0)), (named("SIOCATMARK"),),
        (named("SIOCOUTQ"),), (named("SIOCOUTQNSD"),), (named("FIOCLEX"),), (named("FIONCLEX"),), (Number(0x12345),),
        (named("FIONREAD"), BadPointer(null=False)), (named("FIONBIO"), BadPointer(null=False)), (named("FIOASYNC"), Number(0)),
        (named("SIOCGIFINDEX"), SocketAddress("interface", interface="lo")),
        (named("SIOCGIFFLAGS"), SocketAddress("interface", interface="lo")),
        (named("SIOCGIFMTU"), SocketAddress("interface", interface="nothing0")),
        (named("SIOCGIFADDR"), SocketAddress("interface", interface="lo")), (named("FIOSETOWN"), Number(99_999_999)),
    )  # fmt: skip
    arguments = draw.of(choices)
    scene.say(process, "ioctl", target(guess), *arguments)
    if isinstance(guess, Guess) and arguments[0] == named("FIONBIO") and isinstance(arguments[1], Number):
        guess.waits = not arguments[1].value


def lowest(scene: Scene, draw: Draw) -> None:
    """The number that the next descriptor gets."""
    scene.say(scene.process(draw), "lowest_free")


def few(scene: Scene, draw: Draw) -> None:
    """As few descriptors as there are, then one more (EMFILE in socket(2))."""
    process = scene.process(draw)
    scene.say(process, "setrlimit", named("RLIMIT_NOFILE"), Number(draw.of((3, 4, 5))), Number(1024))
    make(scene, process, draw.of(("4", "6")), draw.of(("tcp", "udp")))
    for _ in range(1 + draw.byte() % 2):
        draw.of((duplicate, accepting, pipes, socketpair, pair, device, files, watched, lowest))(scene, draw)
    if draw.odds(30):
        scene.say(process, "fill_fds")
        scene.say(process, draw.of(("lowest_free", "pipe")))
    scene.say(process, "setrlimit", named("RLIMIT_NOFILE"), Number(1024), Number(1024))
