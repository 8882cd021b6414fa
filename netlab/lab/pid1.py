"""The keeper's process: pid 1 of a lab's PID namespace, which makes namespaces, sockets and processes when its owner asks.

It is run as a file by a bare interpreter (``python -I -S pid1.py``), so it imports nothing of netlab and never grows threads: that
is what lets it enter namespaces and fork safely. When its owner closes the control socket or dies, it exits, and the kernel then
ends every process of the lab and, with the last descriptor, every namespace. It knows nothing of topologies or scenarios. A lab
that stays goes on without its owner, and whoever connects to its listening socket and is of its user may ask as the owner did.

Protocol: one msgpack map a SOCK_SEQPACKET message, each answered by one, descriptors beside it by SCM_RIGHTS.
"""

import array
import ctypes
import errno
import os
import resource
import select
import signal
import socket
import struct
import sys
from typing import Any

CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWUSER = 0x00020000, 0x04000000, 0x10000000
CLONE_NEWPID, CLONE_NEWNET = 0x20000000, 0x40000000
MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_BIND, MS_REC, MS_PRIVATE = 2, 4, 8, 4096, 16384, 1 << 18
MNT_DETACH = 2
PR_SET_PDEATHSIG, PR_SET_DUMPABLE = 1, 4
LARGEST_MESSAGE = 1 << 20
STAGES = ("/mnt", "/media", "/srv", "/opt", "/boot")  # empty for a moment: where no file of the node's is to appear

libc = ctypes.CDLL(None, use_errno=True)


def check(result: int, what: str) -> int:
    """The result of a libc call, or OSError with ``what`` for a file name."""
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)
    return result


def receive(control: socket.socket) -> tuple[bytes, list[int]]:
    """One message with its descriptors, close-on-exec (socket.recv_fds of Python 3.11 ignores that flag)."""
    fds = array.array("i")
    data, ancillary, _, _ = control.recvmsg(LARGEST_MESSAGE, socket.CMSG_SPACE(16 * fds.itemsize), socket.MSG_CMSG_CLOEXEC)
    for level, kind, rights in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            fds.frombytes(rights[: len(rights) - len(rights) % fds.itemsize])
    return data, list(fds)


def mount(source: str, target: str, kind: str, flags: int, data: str = "") -> None:
    """mount(2)."""
    check(libc.mount(source.encode(), target.encode(), kind.encode(), flags, data.encode() or None), f"mount {kind} {target}")


def write(path: str, text: str) -> None:
    """Write to a file of /proc in one call."""
    with open(path, "w") as file:
        file.write(text)


def isolate() -> bool:
    """Leave for namespaces of our own; as root without a user namespace where that is allowed. True when one was needed."""
    # A network namespace too: rootless we may leave the host's but never come back to it.
    wanted = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWPID | CLONE_NEWNET
    uid, gid = os.geteuid(), os.getegid()
    if uid == 0 and libc.unshare(wanted) == 0:
        return False
    check(libc.unshare(wanted | CLONE_NEWUSER), "unshare user namespace")
    write("/proc/self/setgroups", "deny")
    write("/proc/self/uid_map", f"0 {uid} 1")
    write("/proc/self/gid_map", f"0 {gid} 1")
    # Gained capabilities made us undumpable, which hides /proc/PID from our owner.
    check(libc.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0), "prctl PR_SET_DUMPABLE")
    return True


class Room:
    """The namespaces that the calling process is in, as descriptors."""

    def __init__(self) -> None:
        self.net, self.uts, self.mnt = (
            os.open(f"/proc/self/ns/{name}", os.O_RDONLY | os.O_CLOEXEC) for name in ("net", "uts", "mnt")
        )

    def enter(self) -> None:
        """Move the calling process into them."""
        for fd, kind in ((self.net, CLONE_NEWNET), (self.uts, CLONE_NEWUTS), (self.mnt, CLONE_NEWNS)):
            check(libc.setns(fd, kind), "setns")


class Node:
    """A node that was told of: its network namespace, its name, its files; and the room of its programs, made for the first."""

    def __init__(self, net: int, hostname: str, files: list[tuple[str, str, int]]) -> None:
        self.net, self.hostname, self.files = net, hostname, files
        self.room: Room | None = None


def found(program: str, env: dict[str, str]) -> str:
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


def nearest_folder(path: str) -> str:
    """The directory nearest to a path, on the way to it, that is there."""
    folder = os.path.dirname(path)
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    return folder


class Keeper:
    """Answers the owner's requests until the owner is gone."""

    def __init__(self, control: socket.socket, owner: int, msgpack: Any, rootless: bool) -> None:
        self.control, self.owner, self.msgpack, self.rootless = control, owner, msgpack, rootless
        self.home = Room()
        self.spaces: list[int] = []
        self.nodes: dict[int, Node] = {}
        self.statuses: dict[int, int] = {}
        self.code: dict[str, Any] = {}
        self.notes: list[str] = []
        self.logs: dict[int, list[tuple[str, int]]] = {}
        self.poll = select.poll()
        self.clients = {control.fileno(): control}
        self.listener: socket.socket | None = None
        self.description = -1
        # A large lab has more namespaces than programs usually may open files; its programs get what they would have had.
        self.limit = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (self.limit[1], self.limit[1]))

    def prepare(self) -> None:
        """Private mounts, and a /proc that shows the lab's own processes."""
        mount("none", "/", "none", MS_REC | MS_PRIVATE)
        try:
            mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
        except OSError as error:
            self.notes.append(f"/proc shows the processes outside the lab: {error}")

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
                    if self.listener is None:
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
        try:
            data, fds = receive(control)
        except ConnectionResetError:
            return False
        if not data:
            return False
        give: list[int] = []
        try:
            request = self.msgpack.decode(data)
            if "large" in request:  # more than a message holds: it is in a file in memory
                with open(fds.pop(0), "rb") as whole:
                    request = self.msgpack.decode(whole.read())
            reply, give = getattr(self, "do_" + request.pop("do"))(fds=fds, **request)
        except OSError as error:
            reply = {"errno": error.errno or errno.EIO, "what": error.filename or "", "message": error.strerror or str(error)}
        except Exception as error:  # whatever a client sends, of another version too, must not end a lab that stays
            if self.listener is None:
                raise
            reply = {"errno": errno.EPROTO, "what": "", "message": f"this lab's keeper cannot do that: {error!r}"}
        finally:
            for fd in fds:
                os.close(fd)
        body = self.msgpack.encode(reply)
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", give))] if give else []
        try:
            control.sendmsg([body], rights, socket.MSG_DONTWAIT)
        except OSError:
            return False  # it hung up, or does not read
        finally:
            for fd in give:
                os.close(fd)
        return True

    def do_build(self, *, fds: list[int], file: str, program: dict[str, Any], within: float) -> tuple[dict[str, Any], list[int]]:
        """Carry out a program (lab/build.py, whose path is ``file``); its namespaces stay here, numbered as in the program."""
        scope: dict[str, Any] = {"__name__": "netlab_build", "__file__": file}
        exec(self.compiled(file), scope)
        try:
            built = scope["build"](program, within)
        except scope["RefusedError"] as error:
            return {"refused": [error.number, error.words, error.message, error.space]}, []
        except scope["NotReadyError"] as error:
            return {"late": error.args[0]}, []
        finally:
            self.home.enter()
        self.spaces = built.namespaces
        return {"cookies": built.cookies, "unset": built.unset}, []

    def do_node(
        self, *, fds: list[int], node: int, hostname: str, files: list[tuple[str, str, int]]
    ) -> tuple[dict[str, Any], list[int]]:
        """Be told of a node before its first program. Its network namespace is ``fds``' only one, or of the same number here."""
        self.nodes[node] = Node(os.dup(fds[0]) if fds else self.spaces[node], hostname, files)
        return {}, []

    def room(self, number: int) -> Room:
        """The namespaces of a node's programs: its network namespace, and a UTS and a mount namespace made here."""
        node = self.nodes[number]
        if node.room is None:
            check(libc.setns(node.net, CLONE_NEWNET), "setns")
            try:
                check(libc.unshare(CLONE_NEWUTS | CLONE_NEWNS), "unshare")
                socket.sethostname(node.hostname)
                self.mount_files(node.files)
                try:
                    mount("sysfs", "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC)
                except OSError as error:
                    self.notes.append(f"/sys shows the host's interfaces: {error}")
                node.room = Room()
            finally:
                self.home.enter()
        return node.room

    def mount_files(self, files: list[tuple[str, str, int]]) -> None:
        """Put files over those of this mount namespace, from a tmpfs that no path leads to afterwards.

        One that is not there yet appears in an overlay of the nearest directory that is.
        """
        free = [one for one in STAGES if os.path.isdir(one) and not any(path.startswith(f"{one}/") for path, _, _ in files)]
        if not free:
            raise OSError(errno.ENOENT, f"none of {', '.join(STAGES)} is there and free to stage files in", "/")
        stage = free[0]
        mount("tmpfs", stage, "tmpfs", MS_NOSUID | MS_NODEV)
        nearest = {path: nearest_folder(path) for path, _, _ in files if not os.path.exists(path)}
        for path, folder in nearest.items():
            if folder == "/":
                raise OSError(errno.EROFS, "a new file can only be below a directory that is there", path)
        # each is opened before another overlay covers it: one of an overlay would let a rootless lab create nothing
        opened = {folder: os.open(folder, os.O_PATH | os.O_CLOEXEC) for folder in sorted(set(nearest.values()))}
        for number, (folder, fd) in enumerate(opened.items()):
            self.mount_overlay(folder, fd, f"{stage}/{number}")
            os.close(fd)
        for number, (path, text, mode) in enumerate(files):
            new = path in nearest
            if new:
                os.makedirs(os.path.dirname(path), exist_ok=True)
                if os.path.islink(path):
                    os.unlink(path)
            place = path if new else f"{stage}/file{number}"
            with open(place, "w", encoding="utf-8", errors="surrogateescape") as file:
                file.write(text)
            os.chmod(place, mode)
            if not new:
                mount(place, path, "none", MS_BIND)
        check(libc.umount2(stage.encode(), MNT_DETACH), f"umount {stage}")

    def mount_overlay(self, folder: str, fd: int, stage: str) -> None:
        """Make the contents of a directory, opened as ``fd``, this mount namespace's own (overlayfs)."""
        upper, work = f"{stage}upper", f"{stage}work"
        os.mkdir(upper)
        os.mkdir(work)
        os.chmod(upper, os.stat(folder).st_mode & 0o7777)
        options = f"lowerdir=/proc/self/fd/{fd},upperdir={upper},workdir={work}" + (",userxattr" if self.rootless else "")
        mount("overlay", folder, "overlay", MS_NOSUID | MS_NODEV, options)

    def do_socket(self, *, fds: list[int], node: int, family: int, kind: int, protocol: int) -> tuple[dict[str, Any], list[int]]:
        """A socket made in a node's network namespace."""
        check(libc.setns(self.nodes[node].net if node in self.nodes else self.spaces[node], CLONE_NEWNET), "setns")
        try:
            made = socket.socket(family, kind | socket.SOCK_CLOEXEC, protocol)
        finally:
            check(libc.setns(self.home.net, CLONE_NEWNET), "setns")
        return {}, [made.detach()]

    def do_fork(self, *, fds: list[int], node: int, file: str, arguments: dict[str, Any]) -> tuple[dict[str, Any], list[int]]:
        """A child in a node that runs ``main(descriptors, arguments)`` of a Python file: 1 ms where a new interpreter takes 40.

        The last of ``fds`` is not for the child: its exit status is written there.
        """
        code, room = self.compiled(file), self.room(node)
        pid = os.fork()
        if pid == 0:
            try:
                self.become(room, fds[:-1])
                scope: dict[str, Any] = {"__name__": "netlab_child", "__file__": file}
                exec(code, scope)
                scope["main"](fds[:-1], arguments)
                os._exit(0)
            except BaseException as error:  # noqa: BLE001
                sys.excepthook(type(error), error, error.__traceback__)
                os._exit(70)
        self.statuses[pid] = os.dup(fds[-1])
        return {"pid": pid}, [os.pidfd_open(pid)]

    def compiled(self, file: str) -> Any:
        """The code of a Python file, compiled once."""
        if file not in self.code:
            with open(file, "rb") as source:
                self.code[file] = compile(source.read(), file, "exec")
        return self.code[file]

    def do_spawn(
        self, *, fds: list[int], node: int, argv: list[str], env: dict[str, str], cwd: str, log: bool = False
    ) -> tuple[dict[str, Any], list[int]]:
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
            resource.setrlimit(resource.RLIMIT_NOFILE, self.limit)
            pid = os.posix_spawn(
                found(argv[0], env),
                argv,
                env,
                file_actions=[(os.POSIX_SPAWN_DUP2, fd, number) for number, fd in enumerate(fds[:3])],
                setsid=True,
                setsigdef=(signal.SIGCHLD, signal.SIGINT, signal.SIGPIPE, signal.SIGXFSZ),
                setsigmask=(),
            )
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (self.limit[1], self.limit[1]))
            self.home.enter()
        self.statuses[pid] = os.dup(fds[3])
        if log:
            self.logs.setdefault(node, []).append((" ".join(argv), os.dup(fds[1])))
        return {"pid": pid}, [os.pidfd_open(pid)]

    def do_logs(self, *, fds: list[int], node: int) -> tuple[dict[str, Any], list[int]]:
        """What a node's programs of its start are called, and their output so far, as files."""
        logs = self.logs.get(node, [])
        # opened anew, since the programs' own place in the file is at its end
        opened = [os.open(f"/proc/self/fd/{fd}", os.O_RDONLY | os.O_CLOEXEC) for _, fd in logs]
        return {"programs": [name for name, _ in logs]}, opened

    def do_stay(self, *, fds: list[int]) -> tuple[dict[str, Any], list[int]]:
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

    def do_describe(self, *, fds: list[int]) -> tuple[dict[str, Any], list[int]]:
        """The file that describes a lab that stays."""
        return {}, [os.dup(self.description)]

    def do_network(self, *, fds: list[int], node: int) -> tuple[dict[str, Any], list[int]]:
        """A node's network namespace."""
        return {}, [os.dup(self.nodes[node].net)]

    def do_enter(self, *, fds: list[int], node: int) -> tuple[dict[str, Any], list[int]]:
        """What a process needs to become one of a node's: PID, network, UTS and mount namespace, and the user's if there is one."""
        room = self.room(node)
        names = ("pid", "user") if self.rootless else ("pid",)
        pid, *user = (os.open(f"/proc/self/ns/{name}", os.O_RDONLY | os.O_CLOEXEC) for name in names)
        return {}, [pid, *(os.dup(fd) for fd in (room.net, room.uts, room.mnt)), *user]

    def do_notes(self, *, fds: list[int]) -> tuple[dict[str, Any], list[int]]:
        """What could not be had, in words."""
        return {"notes": self.notes}, []

    def become(self, room: Room, keep: list[int]) -> None:
        """Turn a fresh child into a process of a node: its namespaces, default signals, and no descriptor but 0-2 and ``keep``."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        libc.prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0)
        room.enter()
        resource.setrlimit(resource.RLIMIT_NOFILE, self.limit)
        least = 3
        for fd in sorted(keep):
            os.closerange(least, fd)
            least = max(least, fd + 1)
        os.closerange(least, 1 << 16)


def tell(control: socket.socket, msgpack: Any, word: dict[str, Any]) -> None:
    """Say the first word to the owner; if that is gone already, there is nobody to keep anything for."""
    try:
        control.send(msgpack.encode(word))
    except OSError:
        os._exit(0)


def main() -> None:
    """Become the keeper: argv holds the control socket's descriptor, the owner's pidfd, and where msgspec is to be found."""
    control = socket.socket(fileno=int(sys.argv[1]))
    owner = int(sys.argv[2])
    for fd in (control.fileno(), owner):
        os.set_inheritable(fd, False)
    sys.path.append(sys.argv[3])
    from msgspec import msgpack

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        rootless = isolate()
        child = os.fork()
    except OSError as error:
        tell(control, msgpack, {"errno": error.errno, "what": error.filename or "", "message": str(error)})
        sys.exit(0)
    if child:
        control.close()
        os.close(owner)
        nowhere = os.open(os.devnull, os.O_RDWR)
        for fd in range(3):  # a lab that stays must not keep its owner's pipes and terminal open
            os.dup2(nowhere, fd)
        os.chdir("/")
        os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) and 1)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    keeper = Keeper(control, owner, msgpack, rootless)
    try:
        keeper.prepare()
    except OSError as error:
        tell(control, msgpack, {"errno": error.errno, "what": error.filename or "", "message": str(error)})
        os._exit(0)
    tell(control, msgpack, {"rootless": rootless})
    keeper.serve()
    os._exit(0)


if __name__ == "__main__":
    main()
