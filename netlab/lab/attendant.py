"""Runs one program in namespaces that were handed over, as the child of a lab's owner, and ends as the program ended.

It is run as a file by a bare interpreter (``python -I -S attendant.py PID NET UTS MNT USER NAME PROGRAM ARGS``; the first five are
descriptors, USER is -1 where there is no user namespace), since lab/enter.py moves the process that it is called in. It knows
nothing of who asked for it.
"""

import os
import sys


def main() -> None:
    """Enter, run, and end as the program did."""
    _packages()
    from netlab.lab.enter import Namespaces, end_as, run

    pid, net, uts, mnt, user = map(int, sys.argv[1:6])
    name, *argv = sys.argv[6:]
    for fd in (pid, net, uts, mnt, user):
        if fd >= 0:
            os.set_inheritable(fd, False)
    where = Namespaces(pid=pid, net=net, uts=uts, mnt=mnt, user=None if user < 0 else user)
    try:
        status = run(where, argv, os.environ, name=name)
    except OSError as error:
        os.write(2, f"netlab-ns: cannot enter {name}: {error.strerror}\n".encode(errors="replace"))
        os._exit(1)
    end_as(status)


def _packages() -> None:
    """Let this file's neighbours be imported under their names, as lab/pid1.py does."""
    folder = os.path.dirname(os.path.abspath(__file__))
    for name, path in (("netlab", os.path.dirname(folder)), ("netlab.lab", folder)):
        package = type(sys)(name)
        package.__path__ = [path]
        sys.modules[name] = package


if __name__ == "__main__":
    main()
