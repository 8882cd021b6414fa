"""A program that runs in a node of a lab, with the interface that subprocess.Popen has.

It is a child of the lab's keeper, so it dies with the lab; its end is told through a pipe. Output is bytes, or text when asked.
"""

import contextlib
import os
import select
import signal
import struct
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import IO, Any, Self

from netlab.lab.keeper import Keeper

PIPE, STDOUT, DEVNULL = subprocess.PIPE, subprocess.STDOUT, subprocess.DEVNULL


class Process:
    """A started program. ``pid`` is its number outside the lab, as /proc shows it there."""

    def __init__(
        self,
        keeper: Keeper,
        node: int,
        args: Sequence[str | os.PathLike[str]],
        *,
        stdin: int | IO[Any] | None = None,
        stdout: int | IO[Any] | None = None,
        stderr: int | IO[Any] | None = None,
        cwd: str | os.PathLike[str] | None = None,
        env: Mapping[str, str] | None = None,
        text: bool = False,
        log: bool = False,
    ) -> None:
        """Start it. Raises FileNotFoundError or PermissionError when the program cannot be executed."""
        self.returncode: int | None = -1  # until there is something to wait for
        self.args = [os.fsdecode(word) for word in args]
        self._opened: list[int] = []
        self.stdin: IO[Any] | None = None
        self.stdout: IO[Any] | None = None
        self.stderr: IO[Any] | None = None
        self._status, told = os.pipe2(os.O_CLOEXEC)
        self._opened.append(told)
        ours: list[tuple[str, int]] = []
        try:
            given = [
                self._stream("stdin", stdin, 0, ours),
                self._stream("stdout", stdout, 1, ours),
            ]
            given.append(given[1] if stderr == STDOUT else self._stream("stderr", stderr, 2, ours))
            reply, (self._pidfd,) = keeper.ask(
                "spawn",
                *given,
                told,
                node=node,
                argv=self.args,
                env=dict(os.environ) if env is None else {os.fsdecode(name): os.fsdecode(value) for name, value in env.items()},
                cwd=os.fsdecode(cwd) if cwd is not None else os.getcwd(),
                log=log,
            )
        except BaseException:
            os.close(self._status)
            for _, fd in ours:
                os.close(fd)
            raise
        finally:
            for fd in self._opened:
                os.close(fd)
        self.returncode = None
        self.pid: int = reply["pid"]
        for name, fd in ours:
            mode = ("w" if name == "stdin" else "r") + ("" if text else "b")
            setattr(self, name, open(fd, mode))  # noqa: SIM115

    def _stream(self, name: str, wanted: int | IO[Any] | None, inherited: int, ours: list[tuple[str, int]]) -> int:
        if wanted is None:
            return inherited
        if wanted == PIPE:
            reading, writing = os.pipe2(os.O_CLOEXEC)
            mine, theirs = (writing, reading) if name == "stdin" else (reading, writing)
            ours.append((name, mine))
            self._opened.append(theirs)
            return theirs
        if wanted == DEVNULL:
            fd = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
            self._opened.append(fd)
            return fd
        return wanted if isinstance(wanted, int) else wanted.fileno()

    def poll(self) -> int | None:
        """The exit status if it has ended (minus the signal's number when a signal did it), else None."""
        return self._await(0.0)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; raises subprocess.TimeoutExpired after ``timeout`` seconds."""
        status = self._await(timeout)
        if status is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0.0)
        return status

    def _await(self, timeout: float | None) -> int | None:
        if self.returncode is None:
            poll = select.poll()
            poll.register(self._status, select.POLLIN)
            if not poll.poll(None if timeout is None else max(0.0, timeout) * 1000):
                return None
            told = os.read(self._status, 4)
            # An empty pipe means that the lab was closed, and the kernel killed everything in it.
            self.returncode = struct.unpack("=i", told)[0] if told else -signal.SIGKILL
            os.close(self._status)
            os.close(self._pidfd)
        return self.returncode

    def communicate(self, data: Any = None, timeout: float | None = None) -> tuple[Any, Any]:
        """Send ``data``, read both outputs to their ends, wait; raises subprocess.TimeoutExpired."""
        deadline = None if timeout is None else time.monotonic() + timeout
        chunks: dict[int, list[bytes]] = {stream.fileno(): [] for stream in (self.stdout, self.stderr) if stream is not None}
        poll = select.poll()
        for fd in chunks:
            poll.register(fd, select.POLLIN | select.POLLHUP)
        left = memoryview(data.encode() if isinstance(data, str) else data or b"")
        if self.stdin is not None:
            if left:
                os.set_blocking(self.stdin.fileno(), False)
                poll.register(self.stdin.fileno(), select.POLLOUT)
            else:
                self.stdin.close()
        open_fds = set(chunks)
        while open_fds or (self.stdin is not None and not self.stdin.closed):
            rest = None if deadline is None else max(0.0, deadline - time.monotonic())
            events = poll.poll(None if rest is None else rest * 1000)
            if not events and rest is not None and rest <= 0:
                raise subprocess.TimeoutExpired(self.args, timeout or 0.0)
            for fd, _ in events:
                if fd in open_fds:
                    part = os.read(fd, 1 << 16)
                    if part:
                        chunks[fd].append(part)
                    else:
                        poll.unregister(fd)
                        open_fds.discard(fd)
                elif self.stdin is not None:
                    left = self._feed(left)
                    if not left:
                        poll.unregister(fd)
                        self.stdin.close()
        status = self._await(None if deadline is None else deadline - time.monotonic())
        if status is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0.0)
        out, error = (self._gather(stream, chunks) for stream in (self.stdout, self.stderr))
        return out, error

    def _feed(self, left: memoryview) -> memoryview:
        assert self.stdin is not None
        try:
            return left[os.write(self.stdin.fileno(), left) :]
        except BrokenPipeError:
            return left[:0]

    def _gather(self, stream: IO[Any] | None, chunks: dict[int, list[bytes]]) -> Any:
        if stream is None:
            return None
        data = b"".join(chunks[stream.fileno()])
        encoding = getattr(stream, "encoding", None)
        stream.close()
        return data.decode(encoding, "replace") if encoding else data

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):  # it has ended in between
                signal.pidfd_send_signal(self._pidfd, number)

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def release(self) -> None:
        """Let it run on by itself, until the lab ends; nothing more can be asked of it. So it is with one that is forgotten."""
        if self.returncode is None:
            self.returncode = 0
            os.close(self._status)
            os.close(self._pidfd)

    __del__ = release

    def close(self) -> None:
        """Close our ends of its pipes, kill it if it still runs, and wait for its end."""
        for stream in (self.stdin, self.stdout, self.stderr):
            if stream is not None and not stream.closed:
                try:
                    stream.close()
                except BrokenPipeError:
                    pass  # what was not yet written has no reader any more
        if self.poll() is None:
            self.kill()
            self.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def run(
    start: "Callable[..., Process | subprocess.Popen[Any]]",
    args: Sequence[str],
    *,
    check: bool = False,
    timeout: float | None = None,
    **options: Any,
) -> Any:
    """As subprocess.run: start, wait, and give a CompletedProcess; ``start`` is a node's ``popen``."""
    data = options.pop("input", None)
    if options.pop("capture_output", False):
        options.update(stdout=PIPE, stderr=PIPE)
    if data is not None:
        options["stdin"] = PIPE
    with start(args, **options) as process:
        try:
            out, error = process.communicate(data, timeout)
        except BaseException:
            process.kill()
            raise
        done = subprocess.CompletedProcess(process.args, process.wait(), out, error)
    if check:
        done.check_returncode()
    return done


def outer_pid(pidfd: int) -> int:
    """The pid behind a pidfd, as this process's PID namespace numbers it (pidfd_open(2), /proc/self/fdinfo)."""
    with open(f"/proc/self/fdinfo/{pidfd}") as info:
        for line in info:
            if line.startswith("Pid:"):
                return int(line.split()[1])
    raise ProcessLookupError(f"descriptor {pidfd} is no pidfd")
