"""The keeper's process: pid 1 of a lab's PID namespace, which makes namespaces, sockets and processes when its owner asks.

It is run as a file by a bare interpreter (``python -I -S pid1.py``), so it imports nothing of netlab and never grows threads: that
is what lets it enter namespaces and fork safely. When its owner closes the control socket or dies, it exits, and the kernel then
ends every process of the lab and, with the last descriptor, every namespace. It knows nothing of topologies or scenarios.

Protocol: one msgpack map a SOCK_SEQPACKET message, each answered by one, descriptors beside it by SCM_RIGHTS.
"""

import array
import ctypes
import errno
import os
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


class Node:
    """The namespaces of one node, as descriptors."""

    def __init__(self) -> None:
        self.net, self.uts, self.mnt = (
            os.open(f"/proc/self/ns/{name}", os.O_RDONLY | os.O_CLOEXEC) for name in ("net", "uts", "mnt")
        )

    def enter(self) -> None:
        """Move the calling process into the node's namespaces."""
        for fd, kind in ((self.net, CLONE_NEWNET), (self.uts, CLONE_NEWUTS), (self.mnt, CLONE_NEWNS)):
            check(libc.setns(fd, kind), "setns")


class Keeper:
    """Answers the owner's requests until the owner is gone."""

    def __init__(self, control: socket.socket, owner: int, msgpack: Any) -> None:
        self.control, self.owner, self.msgpack = control, owner, msgpack
        self.home = Node()
        self.nodes: list[Node] = []
        self.statuses: dict[int, int] = {}
        self.code: dict[str, Any] = {}
        self.notes: list[str] = []

    def prepare(self) -> None:
        """Private mounts, and a /proc that shows the lab's own processes."""
        mount("none", "/", "none", MS_REC | MS_PRIVATE)
        try:
            mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
        except OSError as error:
            self.notes.append(f"/proc shows the processes outside the lab: {error}")

    def serve(self) -> None:
        """One request after another; returns when the owner is gone."""
        woken, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        poll = select.poll()
        for fd in (self.control.fileno(), woken, self.owner):
            poll.register(fd, select.POLLIN)
        while True:
            ready = {fd for fd, _ in poll.poll()}
            if self.owner in ready:
                return
            if woken in ready:
                os.read(woken, 4096)
                self.reap()
            if self.control.fileno() in ready and not self.answer():
                return

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

    def answer(self) -> bool:
        """Serve one request; False when the owner has closed the socket."""
        try:
            data, fds = receive(self.control)
        except ConnectionResetError:
            return False
        if not data:
            return False
        request = self.msgpack.decode(data)
        give: list[int] = []
        try:
            reply, give = getattr(self, "do_" + request.pop("do"))(fds=fds, **request)
        except OSError as error:
            reply = {"errno": error.errno or errno.EIO, "what": error.filename or "", "message": error.strerror or str(error)}
        finally:
            for fd in fds:
                os.close(fd)
        body = self.msgpack.encode(reply)
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", give))] if give else []
        self.control.sendmsg([body], rights)
        for fd in give:
            os.close(fd)
        return True

    def do_namespace(
        self, *, fds: list[int], hostname: str, hosts: str, sysctls: dict[str, str]
    ) -> tuple[dict[str, Any], list[int]]:
        """A node's network, UTS and mount namespaces; gives the network namespace and a netlink route socket in it."""
        check(libc.unshare(CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWNS), "unshare")
        failed = {}
        try:
            socket.sethostname(hostname)
            if hosts:
                self.mount_hosts(hosts)
            try:
                mount("sysfs", "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC)
            except OSError as error:
                self.notes.append(f"/sys shows the host's interfaces: {error}")
            for key, value in sysctls.items():
                try:
                    write("/proc/sys/" + key.replace(".", "/"), value)
                except OSError as error:
                    failed[key] = error.errno or errno.EIO
            route = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE)
            node = Node()
        finally:
            self.home.enter()
        self.nodes.append(node)
        return {"node": len(self.nodes) - 1, "failed": failed}, [os.dup(node.net), route.detach()]

    def mount_hosts(self, text: str) -> None:
        """Put ``text`` over /etc/hosts, for this mount namespace only, from a tmpfs that no path leads to afterwards."""
        if not os.path.exists("/etc/hosts"):
            self.notes.append("there is no /etc/hosts to mount the nodes' names over")
            return
        mount("tmpfs", "/mnt", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC)
        write("/mnt/hosts", text)
        mount("/mnt/hosts", "/etc/hosts", "none", MS_BIND)
        check(libc.umount2(b"/mnt", MNT_DETACH), "umount /mnt")

    def do_sysctl(self, *, fds: list[int], node: int, values: dict[str, str]) -> tuple[dict[str, Any], list[int]]:
        """Set sysctls in a node's namespace."""
        failed = {}
        check(libc.setns(self.nodes[node].net, CLONE_NEWNET), "setns")
        try:
            for key, value in values.items():
                try:
                    write("/proc/sys/" + key.replace(".", "/"), value)
                except OSError as error:
                    failed[key] = error.errno or errno.EIO
        finally:
            check(libc.setns(self.home.net, CLONE_NEWNET), "setns")
        return {"failed": failed}, []

    def do_socket(self, *, fds: list[int], node: int, family: int, kind: int, protocol: int) -> tuple[dict[str, Any], list[int]]:
        """A socket made in a node's network namespace."""
        check(libc.setns(self.nodes[node].net, CLONE_NEWNET), "setns")
        try:
            made = socket.socket(family, kind | socket.SOCK_CLOEXEC, protocol)
        finally:
            check(libc.setns(self.home.net, CLONE_NEWNET), "setns")
        return {}, [made.detach()]

    def do_fork(self, *, fds: list[int], node: int, file: str, arguments: dict[str, Any]) -> tuple[dict[str, Any], list[int]]:
        """A child in a node that runs ``main(descriptors, arguments)`` of a Python file: 1 ms where a new interpreter takes 40.

        The last of ``fds`` is not for the child: its exit status is written there.
        """
        if file not in self.code:
            with open(file, "rb") as source:
                self.code[file] = compile(source.read(), file, "exec")
        pid = os.fork()
        if pid == 0:
            try:
                self.become(node, fds[:-1])
                scope: dict[str, Any] = {"__name__": "netlab_child", "__file__": file}
                exec(self.code[file], scope)
                scope["main"](fds[:-1], arguments)
                os._exit(0)
            except BaseException as error:  # noqa: BLE001
                sys.excepthook(type(error), error, error.__traceback__)
                os._exit(70)
        self.statuses[pid] = os.dup(fds[-1])
        return {"pid": pid}, [os.pidfd_open(pid)]

    def do_spawn(
        self, *, fds: list[int], node: int, argv: list[str], env: dict[str, str], cwd: str
    ) -> tuple[dict[str, Any], list[int]]:
        """A program in a node, with standard input, output and error from ``fds``; its status is written to the fourth."""
        seen, told = os.pipe2(os.O_CLOEXEC)
        pid = os.fork()
        if pid == 0:
            try:
                self.become(node, [*fds[:3], told])
                for number, fd in enumerate(fds[:3]):
                    os.dup2(fd, number, inheritable=True)
                os.setsid()
                try:
                    os.chdir(cwd)
                except OSError as error:
                    raise OSError(error.errno, error.strerror, cwd) from None
                os.execvpe(argv[0], argv, env)
            except OSError as error:
                os.write(told, struct.pack("=i", error.errno or errno.EIO))
            finally:
                os._exit(127)
        os.close(told)
        failure = os.read(seen, 4)
        os.close(seen)
        if failure:
            os.waitpid(pid, 0)
            number = struct.unpack("=i", failure)[0]
            raise OSError(number, os.strerror(number), argv[0])
        self.statuses[pid] = os.dup(fds[3])
        return {"pid": pid}, [os.pidfd_open(pid)]

    def do_notes(self, *, fds: list[int]) -> tuple[dict[str, Any], list[int]]:
        """What could not be had, in words."""
        return {"notes": self.notes}, []

    def become(self, node: int, keep: list[int]) -> None:
        """Turn a fresh child into a process of a node: its namespaces, default signals, and no descriptor but 0-2 and ``keep``."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        libc.prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0)
        self.nodes[node].enter()
        least = 3
        for fd in sorted(keep):
            os.closerange(least, fd)
            least = max(least, fd + 1)
        os.closerange(least, 1 << 16)


def main() -> None:
    """Become the keeper: argv holds the control socket's descriptor, the owner's pidfd, and where msgspec is to be found."""
    control = socket.socket(fileno=int(sys.argv[1]))
    owner = int(sys.argv[2])
    sys.path.append(sys.argv[3])
    from msgspec import msgpack

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        rootless = isolate()
        child = os.fork()
    except OSError as error:
        control.send(msgpack.encode({"errno": error.errno, "what": error.filename or "", "message": str(error)}))
        sys.exit(0)
    if child:
        control.close()
        os.close(owner)
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) and 1)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    keeper = Keeper(control, owner, msgpack)
    try:
        keeper.prepare()
    except OSError as error:
        control.send(msgpack.encode({"errno": error.errno, "what": error.filename or "", "message": str(error)}))
        os._exit(0)
    control.send(msgpack.encode({"rootless": rootless}))
    keeper.serve()
    os._exit(0)


if __name__ == "__main__":
    main()
