"""Captures of curl and nginx, iperf3, and ssh in a lab with impaired links, to prove what judges them. It judges nothing."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ci.curl_nginx import CONFIGURATION
from netlab import Lab
from netlab.timeline.timeline import Timeline

PATH = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
NEEDS = {"http": ("nginx", "curl"), "iperf3": ("iperf3",), "ssh": ("ssh", "sshd", "ssh-keygen")}
"""What each of them needs to be installed."""
_DIRECT = """\
name: impaired
nodes: {client: {}, server: {}}
links:
  - endpoints: [client, server]
"""
_ROUTED = """\
name: impaired-twice
nodes: {client: {}, middle: {kind: router}, server: {}}
links:
  - endpoints: [client, middle]
  - endpoints: [middle, server]
"""
_SSHD = """\
Port 22
HostKey {folder}/host
AuthorizedKeysFile {folder}/user.pub
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
"""
_WITHIN = 150


def lacking(program: str) -> list[str]:
    """What is not installed of what a capture needs."""
    missing = [name for name in NEEDS[program] if shutil.which(name, path=PATH) is None]
    # sshd separates privileges in a directory that only root can make, and gives sessions to users of the machine.
    return [*missing, "root"] if program == "ssh" and os.geteuid() else missing


def captured(
    program: str, folder: Path, *, there: str = "", back: str = "", amount: int = 200_000, offloads: bool = False
) -> Timeline:
    """What was seen of a program with about so many bytes; ``there`` and ``back`` are what the link does to packets each way."""
    link = _DIRECT + ("    offloads: all\n" if offloads else "")
    return _captured(link + _ways("client", "server", there, back), program, folder, amount)


def captured_between(program: str, folder: Path, *, what: str, amount: int) -> Timeline:
    """The same with a router in the middle, and ``what`` is done to packets before and behind it, both ways."""
    one, other = _ROUTED.rsplit("  - ", 1)
    topology = one + _ways("client", "middle", what, what) + "  - " + other + _ways("middle", "server", what, what)
    return _captured(topology, program, folder, amount)


def _ways(one: str, other: str, there: str, back: str) -> str:
    ways = [f"      {way}: {{{what}}}\n" for way, what in ((f"{one}->{other}", there), (f"{other}->{one}", back)) if what]
    return "".join(["    impair:\n", *ways]) if ways else ""


def _captured(topology: str, program: str, folder: Path, amount: int) -> Timeline:
    with Lab.parse(topology) as lab, lab.observe(states=False) as seen:
        _PROGRAMS[program](lab, folder, amount)
    return seen.timeline


def _http(lab: Lab, folder: Path, amount: int) -> None:
    (folder / "www").mkdir()
    (folder / "www/large").write_bytes(os.urandom(amount))
    (folder / "nginx.conf").write_text(CONFIGURATION.format(folder=folder, port=80))
    # Its workers would be another user, who may not see a test's directory.
    with _serving(lab, ["nginx", "-e", "stderr", "-g", "user root;", "-c", f"{folder}/nginx.conf"], 80):
        _done(lab, "curl", "-4fsS", "http://server/large", "http://server/large", "-o", "/dev/null", "-o", "/dev/null")


def _iperf3(lab: Lab, folder: Path, amount: int) -> None:
    for option in ("-4", "-R"):
        with _serving(lab, ["iperf3", "-s", "-1"], 5201) as server:
            _done(lab, "iperf3", "-4", "-c", "server", "-n", str(amount), option)
            server.wait(_WITHIN)


def _ssh(lab: Lab, folder: Path, amount: int) -> None:
    for key in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / key)], check=True)
    (folder / "sshd_config").write_text(_SSHD.format(folder=folder))
    os.makedirs("/run/sshd", exist_ok=True)
    sshd = shutil.which("sshd", path=PATH) or "sshd"
    given = ["-i", f"{folder}/user", "-o", f"UserKnownHostsFile={folder}/known", "-o", "StrictHostKeyChecking=no", "-F", "none"]
    with _serving(lab, [sshd, "-D", "-e", "-f", f"{folder}/sshd_config"], 22):
        _done(lab, "ssh", *given, "-o", "BatchMode=yes", "root@server", f"head -c {amount} /dev/urandom")


_PROGRAMS: dict[str, Any] = {"http": _http, "iperf3": _iperf3, "ssh": _ssh}


@contextmanager
def _serving(lab: Lab, argv: list[str], port: int) -> Iterator[Any]:
    """A server, once it listens."""
    argv = [shutil.which(argv[0], path=PATH) or argv[0], *argv[1:]]
    server = lab["server"].popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + _WITHIN
        while f":{port:04X} " not in _listening(lab):
            assert server.poll() is None, f"{argv[0]} ended with {server.returncode}"
            assert time.monotonic() < deadline, f"{argv[0]} does not listen"
        yield server
    finally:
        server.terminate()
        server.wait(_WITHIN)


def _listening(lab: Lab) -> str:
    listed = lab["server"].run(["cat", "/proc/net/tcp", "/proc/net/tcp6"], capture_output=True, text=True, check=True).stdout
    return "\n".join(line for line in listed.splitlines() if " 0A " in line)


def _done(lab: Lab, *argv: str) -> None:
    done = lab["client"].run(list(argv), capture_output=True, stdin=subprocess.DEVNULL, timeout=_WITHIN)
    assert done.returncode == 0, (argv, done.returncode, done.stdout[-500:], done.stderr[-500:])
