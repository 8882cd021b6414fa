"""The commands that go into a lab that stays: exec, shell, capture, logs.

It reads arguments and tells; how anything is done is not known here.
"""

import os
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, NoReturn

import click

from netlab.cli_chosen import CannotError, NotThereError, inside, lab_option, meant
from netlab.cli_options import Size, writable

if TYPE_CHECKING:
    import socket

    from netlab.lab.described import DescribedNode
    from netlab.lab.enter import Namespaces
    from netlab.lab.staying import Connection
    from netlab.timeline.observations import Packet

ETH_P_ALL, SIOCGIFINDEX = 0x0003, 0x8933

# What bash reads at its start, from a descriptor: the user's own start-up file first, then the prompt that says where the shell is.
_BASH = """exec {fd}<&-
if [ -f ~/.bashrc ]; then . ~/.bashrc; fi
PS1='[{where}] '"$PS1"
"""


@click.command("exec", context_settings={"allow_interspersed_args": False})
@lab_option
@click.argument("host")
@click.argument("argv", nargs=-1, required=True, metavar="-- PROGRAM [ARGS]...")
def exec_(lab: str | None, host: str, argv: Sequence[str]) -> None:
    """Run a program in a node, on this terminal, as if it had been started here.

    Its exit status and the signal that ended it become this command's; signals sent to this command go on to it. 127: there is no
    such program, 126: it cannot be executed.
    """
    program = argv[1:] if argv[0] == "--" else argv
    if not program:
        raise click.UsageError("no program: netlab-ns exec HOST -- PROGRAM ARGS")
    if program[0].startswith("-"):
        raise click.UsageError(f"{program[0]} stands after the host: netlab-ns exec [--lab NAME] HOST -- PROGRAM ARGS")
    _run(lab, host, program)


@click.command()
@lab_option
@click.argument("host")
def shell(lab: str | None, host: str) -> None:
    """Start a shell in a node: $SHELL, or /bin/sh. Its prompt says where it is."""
    own = os.environ.get("SHELL", "")
    _run(lab, host, [own if os.access(own, os.X_OK) else "/bin/sh"], prompt=True)


@click.command()
@lab_option
@click.argument("where", metavar="HOST[:INTERFACE]")
@click.option("-w", "file", metavar="FILE", callback=writable, help="Write pcapng, as it comes; - is standard output.")
@click.option("--live", is_flag=True, help="A line a packet; the default without -w.")
@click.option("--count", type=click.IntRange(1), metavar="N", help="End after N packets.")
@click.option("--buffer", type=Size(), metavar="SIZE", help="Capture buffer: 512k, 8M.")
def capture(lab: str | None, where: str, file: str | None, live: bool, count: int | None, buffer: int | None) -> None:
    """Show or write the packets of a node's interface, or of all, until Ctrl-C or the lab's end."""
    from netlab.following import Shown, Taker, Written, follow
    from netlab.observe.packets import DEFAULT_BUFFER, ETH_P_CANARY, LOOPBACK, Capture

    host, _, interface = where.partition(":")
    if file == "-" and (live or sys.stdout.isatty()):
        raise click.UsageError("-w - writes packets to standard output: leave out --live, and send it to a program or a file")
    canary = ETH_P_CANARY.to_bytes(2, "big")

    def wanted(packet: "Packet") -> bool:
        # other captures ring their canaries on the loopback interface too
        rung = packet.interface == LOOPBACK and packet.data[12:14] == canary
        return not rung and packet.interface == (interface or packet.interface)

    with inside(lab, host) as (connection, described, node), ExitStack() as stack:
        made = stack.enter_context(_packet_socket(connection, node))
        if interface:
            _check_interface(made, node, interface)
        try:
            takers: list[Taker] = []
            if file is not None:
                takers.append(Written(sys.stdout.buffer if file == "-" else stack.enter_context(open(file, "wb"))))
            if live or file is None:
                takers.append(Shown(sys.stdout, described.owners))
            stopped = stack.enter_context(_stopped())
            capturing = Capture({host: made}, buffer or DEFAULT_BUFFER, ring=True)
            capturing.start()
            click.echo(f"capturing on {where} of {described.name}; Ctrl-C ends it", err=True)
            number = follow(capturing, takers, wanted, lambda: bool(stopped) or connection.gone, count)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise CannotError(f"cannot capture on {where}: {error.strerror}") from error
        report = capturing.report()
        ending = f"; the lab {described.name} was ended" if connection.gone else ""
        click.echo(f"{number} packet{'' if number == 1 else 's'} captured, {report.lost} lost{ending}", err=True)
        if report.reason:
            click.echo(report.reason.replace("--capture-buffer", "--buffer"), err=True)


@click.command()
@lab_option
@click.argument("host")
@click.argument("number", type=click.IntRange(1), required=False, metavar="[N]")
def logs(lab: str | None, host: str, number: int | None) -> None:
    """Show what the programs of a node's start have said, or the Nth of them."""
    import shutil

    with inside(lab, host) as (connection, _, node):
        reply, fds = connection.ask("logs", node=node.number)
        with ExitStack() as stack:
            files = [stack.enter_context(open(fd, "rb")) for fd in fds]
            programs = list(zip(reply["programs"], files, strict=True))
            if number is not None and number > len(programs):
                count = f"{len(programs)} program{'' if len(programs) == 1 else 's'}"
                raise NotThereError(f"{host} has {count} of its start")
            for name, file in programs if number is None else programs[number - 1 : number]:
                if number is None:
                    click.echo(f"==> {name} <==")
                sys.stdout.flush()
                shutil.copyfileobj(file, sys.stdout.buffer)


def _run(lab: str | None, host: str, argv: Sequence[str], *, prompt: bool = False) -> NoReturn:
    from netlab.lab.enter import end_as, run

    with inside(lab, host) as (connection, described, node):
        if described.uid != os.geteuid():
            # Root enters another user's lab as that user: it is his keeper that says into which namespaces, and it could name any.
            os.setgroups(())
            os.setresgid(connection.gid, connection.gid, connection.gid)
            os.setresuid(described.uid, described.uid, described.uid)
        env = {**os.environ, **node.env}
        if prompt:
            argv, env = _with_prompt(argv, env, f"{described.name}/{node.name}")
        try:
            status = run(_namespaces(connection, node), argv, env, name=node.name, interactive=prompt and os.isatty(0))
        except OSError as error:
            raise CannotError(f"cannot enter {node.name} of {described.name}: {error.strerror}") from error
        if status == -signal.SIGKILL and connection.gone:
            click.echo(f"the lab {described.name} was ended", err=True)
    end_as(status)


def _namespaces(connection: "Connection", node: "DescribedNode") -> "Namespaces":
    from netlab.lab.enter import Namespaces

    _, (pid, net, uts, mnt, *user) = connection.ask("enter", node=node.number)
    return Namespaces(pid=pid, net=net, uts=uts, mnt=mnt, user=user[0] if user else None)


def _with_prompt(argv: Sequence[str], env: Mapping[str, str], where: str) -> tuple[list[str], dict[str, str]]:
    """A shell's command line and environment, so that its prompt says where it is. Most show the host's name by themselves."""
    if os.path.basename(argv[0]) != "bash":
        return list(argv), {**env, "PS1": f"[{where}] $ "}
    fd = os.memfd_create("netlab prompt", 0)
    os.write(fd, _BASH.replace("{fd}", str(fd)).replace("{where}", where).encode())
    return [*argv, "--rcfile", f"/proc/self/fd/{fd}"], dict(env)


def _packet_socket(connection: "Connection", node: "DescribedNode") -> "socket.socket":
    import socket

    every = socket.htons(ETH_P_ALL)
    family, kind = socket.AF_PACKET, socket.SOCK_RAW
    _, (fd,) = connection.ask("socket", node=node.number, family=int(family), kind=int(kind), protocol=every)
    return socket.socket(family, kind, every, fileno=fd)


def _check_interface(made: "socket.socket", node: "DescribedNode", name: str) -> None:
    """Refuse the name of an interface that the socket's namespace has not; one that was added later is there too."""
    import fcntl

    try:
        fcntl.ioctl(made, SIOCGIFINDEX, name.encode()[:15].ljust(40, b"\0"))
    except OSError:
        raise NotThereError(f"{node.name} has no interface {name}; {meant(name, ['lo', *node.interfaces])}") from None


@contextmanager
def _stopped() -> Iterator[list[int]]:
    """The signals that asked this command to stop, as they come: it ends in its own time, with nothing cut short."""
    came: list[int] = []
    asked = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, lambda number, _: came.append(number)) for number in asked}
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
