"""Single calls of generated sequences about files and pipes, sensible and senseless alike.

What comes of a call is found out by making it; nothing here knows.
"""

from netlab.explore.openings import named
from netlab.explore.scene import Draw, Guess, Scene, target
from netlab.explore.subjects import STREAMS, subject
from netlab.notation.values import BadPointer, Buffer, Name, Number, Text, Value

_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", ".")
_SENT = b"hello"
_MISSING = Text(b"nothing-there")
_NOBODYS: tuple[Value, ...] = (
    _MISSING, Text(b"nothing-there/at-all"), Text(b"/dev/null/inside"), Text(b"x" * 300), BadPointer(null=False),
    BadPointer(null=True),
)  # fmt: skip
"""Paths that nothing has, and nothing can get."""
_OPENING = (
    ("O_RDWR",), ("O_RDONLY",), ("O_WRONLY",), ("O_RDWR", "O_CREAT"), ("O_RDWR", "O_CREAT", "O_EXCL"), ("O_RDONLY", "O_DIRECTORY"),
    ("O_RDWR", "O_CLOEXEC"), ("O_RDONLY", "O_CREAT", "O_DIRECTORY"),
)  # fmt: skip


def files(scene: Scene, draw: Draw) -> None:
    """A file that is made, and something that is done to it by its path."""
    process, path = scene.process(draw), Text(scene.path().encode())
    if not draw.odds(35):
        scene.say(process, "mkfile", path)
    for _ in range(1 + draw.byte() % 3):
        by_path(scene, draw, process, path)


def by_path(scene: Scene, draw: Draw, process: str, path: Value) -> None:
    """One call about a path: the file's own, or another that is not there, is a directory, or cannot be read.

    What changes something is done to a sequence's own files only: the agents are root, devices and directories everybody's.
    """
    sockets = [one.reached for one in scene.guesses if one.reached is not None and one.reached.variant == "path"]
    chosen = path if draw.byte() < 170 else draw.of(_NOBODYS)
    if sockets and draw.odds(25):
        chosen = Text(sockets[-1].host.encode())
    shape = draw.byte()
    if shape < 100:
        if draw.odds(15):
            chosen = Text(draw.of(_DEVICES).encode())
        name, flags = scene.name(), draw.of(_OPENING)
        if "O_CREAT" in flags and chosen == _MISSING:
            chosen = path  # what is made stays, and the next sequences would find it
        scene.say(process, "open", chosen, named(*flags), binds=(name,))
        scene.add(Guess(process, name, "file"))
    elif shape < 140:
        scene.say(process, "access", chosen, Number(draw.of((0, 4, 2, 1, 7, 99))))
    elif shape < 170:
        scene.say(process, "chmod", chosen, Number(draw.of((0o600, 0o644, 0o000, 0o777))))
    elif shape < 215:
        scene.say(process, "unlink", chosen)
    elif shape < 240:
        # It is no call of C's, and takes no pointer; what it makes stays.
        scene.say(process, "mkfile", path if isinstance(chosen, BadPointer) or chosen == _MISSING else chosen)
    else:
        scene.say(process, "umask", Number(draw.of((0o022, 0o077, 0))))
        scene.say(process, "umask", Number(0o022))


def device(scene: Scene, draw: Draw) -> None:
    """A device that always has, takes or refuses something."""
    process, name = scene.process(draw), scene.name()
    flags = draw.of(("O_RDWR", "O_RDONLY", "O_RDONLY", "O_WRONLY"))
    scene.say(process, "open", Text(draw.of(_DEVICES).encode()), named(flags), binds=(name,))
    scene.add(Guess(process, name, "file"))
    placed(scene, draw)


def placed(scene: Scene, draw: Draw) -> None:
    """pread(), pwrite(), lseek(), fstat(), read() and write(), mostly of files."""
    process, guess = subject(scene, draw, "file", "pipe", *STREAMS, "udp")
    shape = draw.byte()
    room = draw.value(Buffer(10), Buffer(0), BadPointer(null=False, size=10))
    offset = Number(draw.of((0, 5, 0, -1)))
    if shape < 50:
        scene.say(process, "pread", target(guess), room, offset)
    elif shape < 90:
        scene.say(process, "pwrite", target(guess), draw.value(Text(_SENT), BadPointer(null=False, size=10)), offset)
    elif shape < 130:
        scene.say(
            process, "lseek", target(guess), offset, draw.value(named("SEEK_SET"), named("SEEK_CUR"), named("SEEK_END"), Number(77))
        )
    elif shape < 170:
        scene.say(process, "fstat", target(guess), *draw.of(((), (), (BadPointer(null=False),))))
    elif shape < 200 and isinstance(guess, Guess) and guess.kind == "file":
        scene.say(process, "read", target(guess), room)
    elif shape < 230:
        scene.say(process, "write", target(guess), draw.value(Text(_SENT), BadPointer(null=False, size=10)))
    elif shape < 240:
        scene.say(process, "lowest_free")
    else:
        there = [one for one in scene.guesses if one.process == process and one.name]
        other: Value = Name(there[draw.byte() % len(there)].name) if there else Number(0)
        scene.say(process, "same_file", target(guess), other)


def pipes(scene: Scene, draw: Draw) -> None:
    """pipe() and pipe2(), mostly with something wrong."""
    process = scene.process(draw)
    shape = draw.byte()
    if shape < 60:
        scene.say(process, "pipe", BadPointer(null=draw.odds(50)))
        return
    left, right = scene.name(), scene.name()
    flags = draw.value(named("O_CLOEXEC"), named("O_NONBLOCK"), Number(0), Number(1))
    scene.say(process, "pipe2", flags, binds=(left, right))
    scene.add(Guess(process, left, "pipe", waits=flags != named("O_NONBLOCK")))
    scene.add(Guess(process, right, "pipe", waits=flags != named("O_NONBLOCK")))
