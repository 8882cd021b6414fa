"""The keeper's process: becomes pid 1 of a lab's PID namespace, and there answers what the lab's owner asks (lab/serving.py).

It is run as a file by a bare interpreter (``python -I -S pid1.py``), so it and what it imports of netlab import nothing but the
standard library. When its owner closes the control socket or dies, it exits, and the kernel then ends every process of the lab and,
with the last descriptor, every namespace. It knows nothing of what it is asked for.
"""

import os
import signal
import socket
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn


def main() -> None:
    """Become the keeper: argv holds the control socket's descriptor and the owner's pidfd."""
    control, owner = socket.socket(fileno=int(sys.argv[1])), int(sys.argv[2])
    for fd in (control.fileno(), owner):
        os.set_inheritable(fd, False)
    _packages()
    from netlab.lab import parcels
    from netlab.lab.syscalls import PR_SET_PDEATHSIG, prctl

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    word: dict[str, object] = {}
    try:
        rootless = isolate()
        will, heir = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        child = os.fork()
        if child:
            for one in (control, heir):
                one.close()
            os.close(owner)
            _inherit(child, will)
        will.close()
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        notes = _prepare()
        word = {"rootless": rootless}
    except OSError as error:
        word = {"errno": error.errno, "what": error.filename or "", "message": str(error)}
    try:
        parcels.send(control, word)
    except OSError:
        os._exit(0)  # the owner is gone, and there is nobody to keep anything for
    if "errno" in word:
        os._exit(0)
    from netlab.lab.serving import Server

    Server(control, owner, heir, rootless=rootless, notes=notes).serve()
    os._exit(0)


def isolate() -> bool:
    """Leave for namespaces of our own; as root without a user namespace where that is allowed. True when one was needed."""
    from netlab.lab import syscalls

    # A network namespace too: rootless we may leave the host's but never come back to it.
    wanted = syscalls.CLONE_NEWNS | syscalls.CLONE_NEWUTS | syscalls.CLONE_NEWPID | syscalls.CLONE_NEWNET
    uid, gid = os.geteuid(), os.getegid()
    if uid == 0:
        try:
            syscalls.unshare(wanted, "unshare")
        except OSError:
            pass
        else:
            return False
    syscalls.unshare(wanted | syscalls.CLONE_NEWUSER, "unshare user namespace")
    _write("/proc/self/setgroups", "deny")
    _write("/proc/self/uid_map", f"0 {uid} 1")
    _write("/proc/self/gid_map", f"0 {gid} 1")
    # Gained capabilities made us undumpable, which hides /proc/PID from our owner.
    syscalls.prctl(syscalls.PR_SET_DUMPABLE, 1)
    return True


def _prepare() -> list[str]:
    """Private mounts, and a /proc that shows the lab's own processes; gives what could not be had, in words."""
    from netlab.lab.syscalls import MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_PRIVATE, MS_REC, mount

    mount("none", "/", "none", MS_REC | MS_PRIVATE)
    try:
        mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    except OSError as error:
        return [f"/proc shows the processes outside the lab: {error}"]
    return []


def _inherit(child: int, will: socket.socket) -> "NoReturn":
    """Outside the PID namespace: when the process that is the first inside has ended, however it has, let the network namespaces
    in which there were sockets go quickly, and sockets that were given to us because each takes its time; then end as it did."""
    import resource

    from netlab.lab import parcels
    from netlab.lab.closing import close_together, hurry

    nowhere = os.open(os.devnull, os.O_RDWR)
    for fd in range(3):  # a lab that stays must not keep its owner's pipes and terminal open
        os.dup2(nowhere, fd)
    os.chdir("/")
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    used: list[int] = []
    slow: list[int] = []
    alive = True
    while alive:
        try:
            word, fds = parcels.receive(will)
        except OSError:
            continue  # too many: what comes now takes its time
        (slow if word and word.get("slow") else used).extend(fds)
        alive = word is not None
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    close_together(slow)
    hurry(used)
    os._exit(status and 1)


def _write(path: str, text: str) -> None:
    """Write to a file of /proc in one call."""
    with open(path, "w") as file:
        file.write(text)


def _packages() -> None:
    """Let this file's neighbours be imported under their names, without what their packages import for those who use netlab."""
    folder = os.path.dirname(os.path.abspath(__file__))
    for name, path in (("netlab", os.path.dirname(folder)), ("netlab.lab", folder)):
        package = type(sys)(name)
        package.__path__ = [path]
        sys.modules[name] = package


if __name__ == "__main__":
    main()
