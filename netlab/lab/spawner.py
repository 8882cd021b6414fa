"""Starts programs in a lab's namespaces as children of this very process: root's quick way to run one to its end.

A thread of its own moves into the namespaces, so that every other thread stays where it is; the child is born there by vfork, with
no other process in between, which took up to 1.7 times as long. It is in the lab's PID namespace all the same, so it ends with the
lab. It does not know what the namespaces are for.
"""

import ctypes
import os
import queue
import subprocess
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any

CLONE_FS, CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWPID, CLONE_NEWNET = 0x200, 0x20000, 0x4000000, 0x20000000, 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)

Entered = tuple[int, int, int, int]
"""Descriptors of a PID, a network, a UTS and a mount namespace."""

_Job = tuple[Entered, Sequence[str], dict[str, Any], "Future[subprocess.Popen[Any]]"]


class Spawner:
    """A thread that starts programs in namespaces."""

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def popen(self, into: Entered, args: Sequence[str], **options: Any) -> "subprocess.Popen[Any]":
        """Start a program; takes and gives what subprocess.Popen does. It has a session of its own, as the keeper's have."""
        done: Future[subprocess.Popen[Any]] = Future()
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._serve, name="netlab spawner", daemon=True)
                self._thread.start()
        self._jobs.put((into, args, {"start_new_session": True, "cwd": os.getcwd(), **options}, done))
        return done.result()

    def close(self) -> None:
        """End the thread; what it has started runs on."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._jobs.put(None)
            thread.join()

    def _serve(self) -> None:
        here: Entered | None = None
        alone = _libc.unshare(CLONE_FS) == 0  # a mount namespace is only for who shares its root and working directory with nobody
        while (job := self._jobs.get()) is not None:
            into, args, options, done = job
            try:
                if not alone:
                    raise OSError(1, "cannot leave the working directory that this process's threads share", "unshare")
                if into != here:
                    here = None
                    for fd, kind in zip(into, (CLONE_NEWPID, CLONE_NEWNET, CLONE_NEWUTS, CLONE_NEWNS), strict=True):
                        if _libc.setns(fd, kind):
                            number = ctypes.get_errno()
                            raise OSError(number, os.strerror(number), "setns")
                    here = into
                done.set_result(subprocess.Popen(args, **options))
            except BaseException as error:  # noqa: BLE001 - it is raised again where the program was asked for
                done.set_exception(error)
