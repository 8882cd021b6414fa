"""A second, real kernel for tests: user-mode Linux on this machine's own root, read-only, which runs one Python script and is gone.

It is an ordinary process (Debian's package user-mode-linux), up in two seconds, and has as modules what some kernels lack: netem,
802.1q, vrf. It has one CPU, no nftables for IP, no MPTCP, no BPF. A script there imports what tests import here, netlab included.
"""

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

PROGRAM = "linux.uml"
ROOT = Path(__file__).parent.parent.parent

# The guest's init. Only the shared folder can be written to; the machine's own files are seen as its user sees them.
_INIT = """#!/bin/sh
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc && mount -t sysfs sys /sys && mount -t tmpfs tmpfs /run -o mode=755
mkdir -p /run/shared /run/tmp
mount -t hostfs none /run/shared -o {shared}
export TMPDIR=/run/tmp HOME=/run/tmp PYTHONDONTWRITEBYTECODE=1 PYTHONPATH={path}
echo /run/shared/modprobe >/proc/sys/kernel/modprobe
/run/shared/modprobe ipv6  # nothing asks for it by itself where only addresses are set
cd /run/tmp
timeout {seconds} {python} /run/shared/script.py >/run/shared/stdout 2>/run/shared/stderr
echo $? >/run/shared/status
poweroff -f || halt -f -p
"""
_MODPROBE = """#!/bin/sh
exec {python} -I -S {program} "$@"
"""


class Guest:
    """Runs scripts in guests, one after the other; what they share with this machine lies in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._runs = folder, 0

    def run(self, script: str, *, timeout: float = 60) -> "subprocess.CompletedProcess[str]":
        """Boot a guest, run a Python script as its root, power it off. Gives the script's status and output.

        What the script needs of the kernel is loaded as modules when it is asked for. A script that takes longer than ``timeout``
        seconds is ended, with the status 124 (timeout(1)). Raises RuntimeError with what the console showed when the guest ended
        without a status, and subprocess.TimeoutExpired when it did not end.
        """
        self._runs += 1
        shared = self._folder / f"guest{self._runs}"
        shared.mkdir()
        path = os.pathsep.join((str(ROOT), str(ROOT / "tests")))
        words: dict[str, object] = {
            "seconds": timeout,
            "shared": shared,
            "path": path,
            "python": sys.executable,
            "program": Path(__file__).with_name("modprobe.py"),
        }
        quoted = {name: shlex.quote(str(word)) for name, word in words.items()}
        (shared / "script.py").write_text(script)
        for name, text in (("init", _INIT), ("modprobe", _MODPROBE)):
            (shared / name).write_text(text.format(**quoted))
            (shared / name).chmod(0o755)
        arguments = ["mem=512M", "rootfstype=hostfs", "root=/dev/root", "ro", f"init={shared / 'init'}", "quiet"]
        arguments += ["con=null", "con0=null,fd:1"]
        console = self._boot([PROGRAM, *arguments, f"uml_dir={shared}/"], timeout + 30)
        try:
            status = int((shared / "status").read_text())
            output, errors = (shared / "stdout").read_text(), (shared / "stderr").read_text()
        except (FileNotFoundError, ValueError):
            raise RuntimeError(f"the guest left no status; its console:\n{console}") from None
        return subprocess.CompletedProcess([sys.executable, "script.py"], status, output, errors)

    def answer(self, script: str, *, timeout: float = 60) -> Any:
        """The JSON value that a script prints; AssertionError with what it complained of when it fails."""
        done = self.run(script, timeout=timeout)
        assert not done.stderr, done.stderr
        assert done.returncode == 0, f"status {done.returncode}" + (f": not done in {timeout} s" if done.returncode == 124 else "")
        return json.loads(done.stdout)

    def _boot(self, command: Sequence[str], timeout: float) -> str:
        """Run the guest to its end, or kill it with all the processes that it consists of."""
        guest = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            console, _ = guest.communicate(timeout=timeout)
        finally:
            if guest.poll() is None:
                os.killpg(guest.pid, signal.SIGKILL)
                guest.communicate()
        return console.decode(errors="replace")


def lacking() -> str:
    """Why no guest can run here, "" when one can."""
    return "" if shutil.which(PROGRAM) else f"no program {PROGRAM} on the PATH (apt-get install user-mode-linux)"
