"""Answers what a lab's owner asks of the lab's keeper, namespaces, sockets, programs and forks, and of a lab that stays, whoever of
its user connects.

It is run by lab/pid1.py as pid 1 of the lab's PID namespace, in a bare interpreter, so it imports the standard library only, and
never grows threads: that is what lets it enter namespaces and fork safely. It knows nothing of topologies or scenarios.

Each request is a parcel (lab/parcels.py): ``do`` names the method here that takes the rest, ``id`` comes back with the answer.
"""

from __future__ import annotations

import errno
import os
import resource
import select
import signal
import socket
import struct
import sys
from contextlib import suppress

from netlab.lab import parcels
from netlab.lab.rooms import Room, furnished
from netlab.lab.syscalls import CLONE_NEWNET, PR_SET_PDEATHSIG, prctl, setns

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from netlab.lab.build import Built

    Answer = tuple[dict[str, Any], list[int]]


class _Node:
    """A node that was told of: its network namespace, its name, its files; and the room of its programs, made for the first."""

    def __init__(self, net: int, hostname: str, files: list[tuple[str, str, int]]) -> None:
        self.net, self.hostname, self.files = net, hostname, files
        self.room: Room | None = None


class Server:
    """Answers requests until the lab's owner is gone, or for as long as a lab stays."""

    def __init__(self, control: socket.socket, owner: int, heir: socket.socket, *, rootless: bool, notes: list[str]) -> None:
        """``control`` is the owner's socket, ``owner`` its pidfd, ``heir`` leads to the process that tidies up after this one;
        ``notes`` is what could not be had so far, in words."""
        self.heir = heir
        self.control, self.owner, self.rootless, self.notes = control, owner, rootless, notes
        self.home = Room()
        self.built: Built | None = None
        self.nodes: dict[int, _Node] = {}
        self.used: set[int] = set()
        self.statuses: dict[int, int] = {}
        self.files: dict[str, dict[str, Any]] = {}
        self.logs: dict[int, list[tuple[str, int]]] = {}
        self.poll = select.poll()
        self.clients = {control.fileno(): control}
        self.listener: socket.socket | None = None
        self.description = -1
        self.wire: socket.socket | None = None
        self.wired = -1
        # posix_spawn takes only descriptors below the limit that its program is to have, and those that come may be above
        self.low = [os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC) for _ in range(4)]
        # A large lab has more namespaces than programs usually may open files; its programs get what they would have had.
        self.limit = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (self.limit[1], self.limit[1]))

    def serve(self) -> None:
        """One request after another; returns when the owner is gone, unless the lab stays."""
        woken, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        for fd in (self.control.fileno(), woken, self.owner):
            self.poll.register(fd, select.POLLIN)
        while True:
            for fd, _ in self.poll.poll():
                if fd == self.owner:
                    return
                if fd == woken:
                    os.read(woken, 4096)
                    self.reap()
                elif fd not in self.clients:
                    self.accept()
                elif not self.answer(self.clients[fd]):
                    if self.listener is None or (self.owner >= 0 and self.clients[fd] is self.control):
                        return
                    self.poll.unregister(fd)
                    self.clients.pop(fd).close()

    def accept(self) -> None:
        """Take a client of a lab that stays, if it is of the lab's user, whom our user namespace, if we have one, calls 0."""
        assert self.listener is not None
        try:
            client, _ = self.listener.accept()
        except OSError:
            return  # too many open files: no reason for a lab to end
        _, uid, _ = struct.unpack("=iII", client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        if uid != 0:
            client.close()
            return
        self.clients[client.fileno()] = client
        self.poll.register(client.fileno(), select.POLLIN)

    def reap(self) -> None:
        """Collect ended children, and tell those who wait for their status."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            waiter = self.statuses.pop(pid, None)
            if waiter is not None:
                try:
                    os.write(waiter, struct.pack("=i", os.waitstatus_to_exitcode(status)))
                except BrokenPipeError:
                    pass  # nobody waits any more
                os.close(waiter)

    def answer(self, control: socket.socket) -> bool:
        """Serve one request; False when its sender has closed the socket."""
        fds: list[int] = []
        give: list[int] = []
        number = None
        stranger = control is not self.control
        try:
            request, fds = parcels.receive(control, stranger=stranger)
            if request is None:
                return False
            number = request.pop("id", None)
            reply, give = getattr(self, "do_" + request.pop("do"))(fds=fds, **request)
        except ConnectionResetError:
            return False
        except OSError as error:
            reply = {"errno": error.errno or errno.EIO, "what": error.filename or "", "message": error.strerror or str(error)}
        except Exception as error:  # whatever a client sends, of another version too, must not end a lab that stays
            if self.listener is None:
                raise
            reply = {"errno": errno.EPROTO, "what": "", "message": f"this lab's keeper cannot do that: {error!r}"}
        finally:
            for fd in fds:
                os.close(fd)
        if number is not None:
            reply["id"] = number
        try:
            parcels.send(control, reply, give, socket.MSG_DONTWAIT, stranger=stranger)
        except OSError:
            return False  # it hung up, or does not read
        finally:
            for fd in give:
                os.close(fd)
        return True

    def do_build(self, *, fds: list[int], program: dict[str, Any], within: float) -> Answer:
        """Carry out a program (lab/build.py); its namespaces stay here, numbered as in the program."""
        from netlab.lab import build

        try:
            self.built = build.build(program, within)
        except build.RefusedError as error:
            return {"refused": (error.number, error.words, error.message, error.space)}, []
        except build.NotReadyError as error:
            return {"late": error.args[0]}, []
        finally:
            self.home.enter()
        return {"cookies": self.built.cookies, "unset": self.built.unset}, []

    def do_nodes(self, *, fds: list[int], nodes: list[tuple[int, str, list[tuple[str, str, int]]]]) -> Answer:
        """Be told of nodes before their first programs: number, hostname, files (path, text, mode) of each.

        Their network namespaces are ``fds``, or those of the same numbers here.
        """
        for place, (number, hostname, files) in enumerate(nodes):
            self.nodes[number] = _Node(os.dup(fds[place]) if fds else self.network(number), hostname, files)
        return {}, []

    def network(self, number: int) -> int:
        """A network namespace, by the number of its node or in the program that was carried out."""
        if number in self.nodes:
            return self.nodes[number].net
        if self.built is None:
            raise OSError(errno.ENOENT, "this keeper has no such network namespace", str(number))
        return self.built.namespaces[number]

    def use(self, network: int) -> None:
        """Have the heir know of a network namespace in which there may be sockets from now on."""
        if network not in self.used:
            self.used.add(network)
            with suppress(OSError):  # it is gone, or has enough
                parcels.send(self.heir, {}, [network], socket.MSG_DONTWAIT)

    def room(self, number: int) -> Room:
        """The namespaces of a node's programs."""
        node = self.nodes[number]
        if node.room is None:
            node.room, notes = furnished(self.home, node.net, node.hostname, node.files, rootless=self.rootless)
            self.notes += [note for note in notes if note not in self.notes]
            self.use(node.net)
        return node.room

    def do_socket(self, *, fds: list[int], node: int, family: int, kind: int, protocol: int) -> Answer:
        """A socket made in a node's network namespace."""
        self.use(self.network(node))
        setns(self.network(node), CLONE_NEWNET)
        try:
            made = socket.socket(family, kind | socket.SOCK_CLOEXEC, protocol)
        finally:
            setns(self.home.net, CLONE_NEWNET)
        return {}, [made.detach()]

    def do_prepare(self, *, fds: list[int], file: str, path: list[str]) -> Answer:
        """Get ready to fork into a Python file, so that the first child need not wait."""
        self.names(file, path)
        return {}, []

    def do_fork(self, *, fds: list[int], node: int, file: str, path: list[str], arguments: dict[str, Any]) -> Answer:
        """A child in a node that runs ``main(descriptors, arguments)`` of a Python file: 1 ms where a new interpreter takes 40.

        The last of ``fds`` is not for the child: its exit status is written there.
        """
        names, room = self.names(file, path), self.room(node)
        pid = os.fork()
        if pid == 0:
            try:
                self.become(room, fds[:-1])
                names["main"](fds[:-1], arguments)
                os._exit(0)
            except BaseException as error:  # noqa: BLE001
                sys.excepthook(type(error), error, error.__traceback__)
                os._exit(70)
        self.statuses[pid] = os.dup(fds[-1])
        return {"pid": pid}, [os.pidfd_open(pid)]

    def names(self, file: str, path: Sequence[str]) -> dict[str, Any]:
        """What a Python file defines. It is run once, here, with ``path`` to import from, so that a child has all imports done.

        Raises OSError for whatever is wrong with it.
        """
        if file not in self.files:
            from importlib.machinery import SourceFileLoader

            sys.path += [folder for folder in path if folder not in sys.path]
            loader = SourceFileLoader("netlab_child", file)
            scope: dict[str, Any] = {"__name__": "netlab_child", "__file__": file}
            try:
                code = loader.get_code("netlab_child")
                assert code is not None  # that of a file of source never is
                exec(code, scope)
            except Exception as error:
                raise OSError(errno.ENOEXEC, f"it cannot be run: {error!r}", file) from error
            self.files[file] = scope
        return self.files[file]

    def do_spawn(self, *, fds: list[int], node: int, argv: list[str], env: dict[str, str], cwd: str, log: bool = False) -> Answer:
        """A program in a node, with standard input, output and error from ``fds``; its status is written to the fourth.

        By posix_spawn: the child shares our memory until it executes, which spares it a copy and us a third of the time. With
        ``log`` its output stays at hand for whoever asks.
        """
        self.room(node).enter()
        try:
            try:
                os.chdir(cwd)
            except OSError as error:
                raise OSError(error.errno, error.strerror, cwd) from None
            low = self.low[1:]
            for fd, number in zip(fds, low, strict=False):
                os.dup2(fd, number, inheritable=False)
            resource.setrlimit(resource.RLIMIT_NOFILE, self.limit)
            pid = os.posix_spawn(
                _found(argv[0], env),
                argv,
                env,
                file_actions=[(os.POSIX_SPAWN_DUP2, fd, number) for number, fd in enumerate(low)],
                setsid=True,
                setsigdef=(signal.SIGCHLD, signal.SIGINT, signal.SIGPIPE, signal.SIGXFSZ),
                setsigmask=(),
            )
        except (ValueError, TypeError, LookupError) as error:
            raise OSError(errno.EINVAL, str(error), " ".join(argv)) from None
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (self.limit[1], self.limit[1]))
            for number in self.low[1:]:
                os.dup2(self.low[0], number, inheritable=False)
            self.home.enter()
        self.statuses[pid] = os.dup(fds[3])
        if log:
            self.logs.setdefault(node, []).append((" ".join(argv), os.dup(fds[1])))
        return {"pid": pid}, [os.pidfd_open(pid)]

    def do_logs(self, *, fds: list[int], node: int) -> Answer:
        """What a node's programs of its start are called, and their output so far, as files."""
        logs = self.logs.get(node, [])
        # opened anew, since the programs' own place in the file is at its end
        opened = [os.open(f"/proc/self/fd/{fd}", os.O_RDONLY | os.O_CLOEXEC) for _, fd in logs]
        return {"programs": [name for name, _ in logs]}, opened

    def do_stay(self, *, fds: list[int]) -> Answer:
        """Go on without the owner, and serve whoever connects to the first of ``fds``; the second describes the lab."""
        self.listener, self.description = socket.socket(fileno=os.dup(fds[0])), os.dup(fds[1])
        self.listener.listen()  # here, not before: it is this process that the socket's peers then see
        self.poll.unregister(self.owner)
        os.close(self.owner)
        self.owner = -1
        self.poll.register(self.listener, select.POLLIN)
        os.chdir("/")
        nowhere = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        for fd in range(3):
            os.dup2(nowhere, fd)
        os.close(nowhere)
        return {}, []

    def do_lend(self, *, fds: list[int]) -> Answer:
        """Serve, for as long as the owner lives, whoever connects to the first of ``fds`` too; the second describes the lab."""
        self.listener, self.description = socket.socket(fileno=os.dup(fds[0])), os.dup(fds[1])
        self.listener.listen()  # here, as in do_stay
        self.poll.register(self.listener, select.POLLIN)
        return {}, []

    def do_describe(self, *, fds: list[int]) -> Answer:
        """The file that describes a lab that stays."""
        return {}, [os.dup(self.description)]

    def do_slow(self, *, fds: list[int]) -> Answer:
        """Have the heir keep AF_PACKET sockets, and close them together after us (lab/closing.py): so no process of the lab that is
        killed takes its time over one after another."""
        with suppress(OSError):
            parcels.send(self.heir, {"slow": True}, fds, socket.MSG_DONTWAIT)
        return {}, []

    def do_wired(self, *, fds: list[int], node: int) -> Answer:
        """Be told of the process that forwards the frames of this lab's links, one of the programs of ``node`` with a log: ``fds``
        has a socket that leads to it."""
        self.wire, self.wired = socket.socket(fileno=os.dup(fds[0])), node
        return {}, []

    def do_wire(self, *, fds: list[int]) -> Answer:
        """A connection of the asker's own to the process that forwards frames; none where there is no such process."""
        if self.wire is None:
            return {}, []
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            try:
                parcels.send(self.wire, {}, [theirs.fileno()], socket.MSG_DONTWAIT)
            except OSError as error:
                ours.close()
                log = self.logs[self.wired][0][1]
                said = os.pread(log, 4096, max(0, os.fstat(log).st_size - 4096)).decode(errors="replace").strip()
                why = said.rpartition("\n")[2] or os.strerror(error.errno or 0)
                raise OSError(error.errno, f"the process that carries its frames is gone or stuck: {why}") from None
        return {}, [ours.detach()]

    def do_network(self, *, fds: list[int], node: int) -> Answer:
        """A node's network namespace."""
        self.use(self.nodes[node].net)
        return {}, [os.dup(self.nodes[node].net)]

    def do_enter(self, *, fds: list[int], node: int) -> Answer:
        """What a process needs to become one of a node's: PID, network, UTS and mount namespace, and the user's if there is one."""
        room = self.room(node)
        names = ("pid", "user") if self.rootless else ("pid",)
        pid, *user = (os.open(f"/proc/self/ns/{name}", os.O_RDONLY | os.O_CLOEXEC) for name in names)
        return {}, [pid, *(os.dup(fd) for fd in (room.net, room.uts, room.mnt)), *user]

    def do_notes(self, *, fds: list[int]) -> Answer:
        """What could not be had, in words."""
        return {"notes": self.notes}, []

    def become(self, room: Room, keep: Sequence[int]) -> None:
        """Turn a fresh child into a process of a node: its namespaces, default signals, and no descriptor but 0-2 and ``keep``."""
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGPIPE, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        prctl(PR_SET_PDEATHSIG, 0)
        room.enter()
        resource.setrlimit(resource.RLIMIT_NOFILE, self.limit)
        least = 3
        for fd in sorted(keep):
            os.closerange(least, fd)
            least = max(least, fd + 1)
        os.closerange(least, 1 << 16)


def _found(program: str, env: dict[str, str]) -> str:
    """The program's path, sought as execvpe(3) does."""
    if "/" in program:
        return program
    reason = errno.ENOENT
    for folder in env.get("PATH", os.defpath).split(":"):
        path = os.path.join(folder, program)
        if os.path.isfile(path):
            if os.access(path, os.X_OK):
                return path
            reason = errno.EACCES
    raise OSError(reason, os.strerror(reason), program)
