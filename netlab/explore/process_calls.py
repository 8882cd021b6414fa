"""Calls of generated sequences about processes: users, limits, signals, ends; and what netlab's notation has of its own.

Whatever changes a process for good is done in a forked child. What comes of a call is found out by making it; nothing here knows.
"""

from netlab.explore.file_calls import by_path
from netlab.explore.openings import make, named
from netlab.explore.scene import Draw, Guess, Scene, target
from netlab.explore.subjects import STREAMS, connected, subject
from netlab.notation.values import Buffer, Name, Number, SocketAddress, Structure, Text, Value

_SENT = Text(b"hello")


def child_of(scene: Scene, draw: Draw) -> str:
    """A forked child, made here if there is none yet."""
    for process in scene.processes:
        if "/" in process:
            return process
    parent, name = scene.process(draw), scene.child()
    scene.say(parent, "fork", binds=(name,))
    child = f"{parent}/{name}"
    scene.processes.append(child)
    for guess in [one for one in scene.guesses if one.process == parent]:
        scene.add(guess.copy(process=child))
    return child


def fork(scene: Scene, draw: Draw) -> None:
    """fork(): the child has a copy of every descriptor. Once a sequence, since a process costs as much as many calls."""
    child_of(scene, draw)


def lowly(scene: Scene, draw: Draw) -> None:
    """A child without privilege tries what needs some (EACCES, EPERM)."""
    child = child_of(scene, draw)
    scene.say(child, "seteuid", Number(65534))
    name, shape = scene.name(), draw.byte() % 10
    if shape == 0:
        scene.say(child, "socket", named("AF_INET"), named("SOCK_RAW"), named("IPPROTO_ICMP"), binds=(name,))
    elif shape == 1:
        by_path(scene, draw, child, Text(scene.path().encode()))
    elif shape == 2:
        scene.say(child, "setrlimit", named("RLIMIT_NOFILE"), Number(500), Number(1 << 20))
    elif shape == 3:
        scene.say(child, "seteuid", Number(5))
    elif shape == 4:
        scene.say(child, "unshare", named("CLONE_NEWNET"))
    elif shape == 9:
        _not_allowed_to(scene, draw, child)
    elif shape == 5:
        own = [guess for guess in scene.guesses if guess.process == child and guess.kind.startswith("unix") and guess.name]
        if own:
            scene.say(child, "sendmsg", Name(own[-1].name), _SENT, named=(("control", Structure("ucred", (1, 0, 0))),))
    else:
        scene.say(child, "socket", named("AF_INET"), named(draw.of(("SOCK_STREAM", "SOCK_DGRAM"))), Number(0), binds=(name,))
        scene.add(Guess(child, name, "tcp", "4"))
        if shape == 6:
            scene.say(child, "bind", Name(name), SocketAddress("ip", host="0.0.0.0", port=80))
            return
        option = draw.of(("SO_DEBUG", "SO_RCVBUFFORCE", "SO_SNDBUFFORCE", "SO_MARK", "SO_BINDTODEVICE", "SO_PRIORITY"))
        value: Value = Text(b"lo") if option == "SO_BINDTODEVICE" else Number(7)
        scene.say(child, "setsockopt", Name(name), named("SOL_SOCKET"), named(option), value)


def _not_allowed_to(scene: Scene, draw: Draw, child: str) -> None:
    """A UNIX socket of another user, whose file says that nobody else may write to it (unix(7) EACCES)."""
    kind = draw.of(("unix-dgram", "unix-stream", "unix-dgram"))
    parent, address = child.partition("/")[0], scene.unix(path=True)
    server, client = make(scene, parent, "u", kind), make(scene, child, "u", kind)
    scene.say(parent, "bind", Name(server.name), address)
    word = draw.of(("connect", "sendto", "sendmsg")) if kind == "unix-dgram" else "connect"
    if word == "sendmsg":
        scene.say(child, word, Name(client.name), _SENT, named=(("addr", address),))
    else:
        scene.say(child, word, Name(client.name), *((_SENT, Number(0)) if word == "sendto" else ()), address)


def dies(scene: Scene, draw: Draw) -> None:
    """A child that a signal ends, or itself: SIGPIPE where it writes to what nobody reads (POSIX write() EPIPE)."""
    connected(scene, draw, "tcp", "unix-stream", "unix-seqpacket")
    child = child_of(scene, draw)
    own = [one for one in scene.guesses if one.process == child and one.kind in STREAMS and one.state == "connected" and one.name]
    shape = draw.byte()
    if own and shape < 190:
        name = Name(own[-1].name)
        scene.say(child, "default", named("SIGPIPE"))
        scene.say(child, "shutdown", name, named("SHUT_WR"))
        word = draw.of(("send", "write", "sendto", "sendmsg"))
        scene.say(child, word, name, _SENT, *(() if word == "write" or not draw.odds(25) else (named("MSG_NOSIGNAL"),)))
    elif shape < 216:
        scene.say(child, "kill", named(draw.of(("SIGPIPE", "SIGTERM", "SIGCHLD", "SIGUSR2"))))
    elif shape < 226:
        scene.say(child, "unshare", named("CLONE_NEWNET"))
    else:
        scene.say(child, "exit", Number(draw.of((0, 3))))
    scene.processes.remove(child)
    for guess in scene.guesses:
        if guess.process == child:
            guess.state = "closed"


def interrupted(scene: Scene, draw: Draw) -> None:
    """A signal while a child waits inside a call: EINTR, or the call goes on (SA_RESTART in signal(7))."""
    child = child_of(scene, draw)
    scene.say(
        child, "handle", named(draw.of(("SIGUSR1", "SIGUSR1", "SIGUSR1", "SIGKILL"))), draw.value(Number(0), named("SA_RESTART"))
    )
    waiting = make(scene, child, draw.of(("4", "6")), "udp")
    if draw.odds(40):
        scene.say(child, "poll", Name(waiting.name), named("POLLIN"), Number(-1))
    else:
        scene.say(
            child, "bind", Name(waiting.name), SocketAddress("ip", host="127.0.0.1" if waiting.family == "4" else "::1", port=0)
        )
        scene.say(child, "recv", Name(waiting.name), Buffer(10))
    scene.say(child, "interrupt", named("SIGUSR1"))


def odd(scene: Scene, draw: Draw) -> None:
    """What is asked seldom: numbers of processes, limits that are none, what a program would inherit."""
    process, guess = subject(scene, draw, *STREAMS, "udp", "unix-dgram", "pipe")
    shape = draw.byte() % 10
    if shape == 0:
        scene.say(process, "getpid")
    elif shape == 1:
        scene.say(process, "exec_has_fd", target(guess))
    elif shape == 2:
        scene.say(process, "exported", Text(draw.of((b"accept4", b"recvmsg", b"closesocket"))))
    elif shape == 3:
        scene.say(process, "sleep", Number(1))
    elif shape == 4:
        scene.say(process, "tcp_state", target(guess))
    elif shape == 5:
        scene.say(process, "addr", target(guess), binds=(scene.name(),))
    elif shape == 6:
        scene.say(process, "unused_port", named(draw.of(("AF_INET", "AF_INET6"))), named("SOCK_STREAM"), binds=(scene.name(),))
    elif shape == 7:
        limits: tuple[tuple[Value, ...], ...] = (
            (Number(99), Number(5), Number(5)), (named("RLIMIT_NOFILE"), Number(2000), Number(100)),
        )  # fmt: skip
        scene.say(process, "setrlimit", *draw.of(limits))
    elif shape == 8:
        word = "fill" if draw.odds(10) else "tcp_state"  # to be sure that there is no more room takes 200 ms
        scene.say(process, word, target(guess))
    else:
        scene.say(process, "seteuid", Number(-1))
