"""What nodes do at their start: load their nftables rulesets, run their commands, wait until their programs are ready.

It builds nothing and knows nothing of what the programs are for.
"""

import os
import re
import select
import subprocess
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from netlab.errors import HostError, LabError, Problem, SpecError
from netlab.lab.process import DEVNULL
from netlab.topology.spec import Command, Ready

if TYPE_CHECKING:
    from netlab.lab.lab import LabNode
    from netlab.lab.process import Process

_LISTENING = {"tcp": ("0A",), "udp": ("07",)}  # states of /proc/net/tcp and /proc/net/udp: listening, bound
_PAUSE = 0.005
_NFT_FIX = "apt-get install nftables"
_SHOWN = 2000


def load_rulesets(nodes: Iterable["LabNode"]) -> None:
    """Load every node's nftables ruleset. Raises HostError where there is no nft, SpecError at the place of one that it refuses."""
    for node in nodes:
        if node.plan.nft:
            _ruleset(node)


def run_commands(nodes: Iterable["LabNode"]) -> None:
    """Run every node's start commands, in the order of the file.

    Raises SpecError at the place of a command that fails or is not ready in time.
    """
    for node in nodes:
        for command in node.plan.start:
            _command(node, command)


def _ruleset(node: "LabNode") -> None:
    try:
        done = node.run(["nft", "-f", "-"], input=node.plan.nft.encode(), capture_output=True, cwd="/")
    except FileNotFoundError:
        raise HostError(f"{node.name} has a firewall or translates addresses, and there is no program nft", _NFT_FIX) from None
    if done.returncode:
        told = done.stderr.decode(errors="replace").strip()[:_SHOWN]
        place = node.plan.nft_place
        if place is None:
            raise LabError(f"{node.name}: nft refused the ruleset that netlab made: {told}")
        raise SpecError(Problem(place, f"{node.name}: nft refused the firewall: {told}"))


def _command(node: "LabNode", command: Command) -> None:
    """Run one command to its end, or start it and wait until it is ready."""
    output = os.memfd_create(f"{node.name} start")
    try:
        try:
            process = node.popen(
                command.argv, stdin=DEVNULL, stdout=output, stderr=output, cwd="/", log=command.background or bool(command.ready)
            )
        except OSError as error:
            raise SpecError(Problem(command.place, f"{node.name}: {command.argv[0]}: {error.strerror}")) from None
        try:
            if command.ready is not None:
                _await(node, command, command.ready, process, output)
            elif not command.background:
                _finish(node, command, process, output)
        finally:
            process.release()
    finally:
        os.close(output)


def _finish(node: "LabNode", command: Command, process: "Process", output: int) -> None:
    words = " ".join(command.argv)
    try:
        status = process.wait(command.within.seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        fix = "give it more time (within:), or background: true if it stays"
        raise SpecError(_failed(node, command, f"{words} did not end within {command.within}", output, fix)) from None
    if status:
        raise SpecError(_failed(node, command, f"{words} {_ended(status)}", output))


def _await(node: "LabNode", command: Command, ready: Ready, process: "Process", output: int) -> None:
    words = " ".join(command.argv)
    deadline = time.monotonic() + ready.within.seconds
    sought = f"a line with {ready.log!r}" if ready.log else f"{ready.protocol} port {ready.port}"
    while not _is_ready(ready, process.pid, output):
        status = process.poll()
        if status is not None:
            raise SpecError(_failed(node, command, f"{words} {_ended(status)} before it was ready ({sought})", output))
        if time.monotonic() > deadline:
            raise SpecError(_failed(node, command, f"{words} was not ready ({sought}) within {ready.within}", output))
        select.select([], [], [], _PAUSE)


def _is_ready(ready: Ready, pid: int, output: int) -> bool:
    if ready.log:
        return any(re.search(ready.log, line) for line in _text(output).splitlines())
    return any(port == ready.port for port in _listening(pid, ready.protocol))


def _listening(pid: int, protocol: str) -> Iterator[int]:
    """The ports on which somebody listens in the network namespace of a process (proc_pid_net(5))."""
    for name in (protocol, f"{protocol}6"):
        try:
            lines = Path(f"/proc/{pid}/net/{name}").read_text().splitlines()[1:]
        except OSError:  # it has just ended, or there is no IPv6
            continue
        for line in lines:
            _, local, _, state, *_ = line.split()
            if state in _LISTENING[protocol]:
                yield int(local.rpartition(":")[2], 16)


def _failed(node: "LabNode", command: Command, message: str, output: int, fix: str = "") -> Problem:
    said = _text(output).strip()[-_SHOWN:]
    return Problem(command.place, f"{node.name}: {message}" + (f"; it said:\n{said}" if said else ""), fix)


def _ended(status: int) -> str:
    return f"was ended by signal {-status}" if status < 0 else f"ended with status {status}"


def _text(output: int) -> str:
    return os.pread(output, os.fstat(output).st_size, 0).decode(errors="replace")
