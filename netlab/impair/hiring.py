"""Starts the wire of a lab that is built to stay, as a process of that lab (hired.py). It does not know what the wire does, only
what it cannot.
"""

import os
import pickle
import socket
import sys
from collections.abc import Iterable
from contextlib import ExitStack, suppress

from netlab.errors import HostError, LabError, Problem, SpecError
from netlab.impair.filters import compiled
from netlab.impair.in_kernel import netfilter_of
from netlab.lab import parcels
from netlab.lab.build import NETLINK_ROUTE
from netlab.lab.lab import Lab, Space
from netlab.lab.process import DEVNULL, Process
from netlab.topology.spec import Rule

_START = "import sys; sys.path[:] = sys.argv[1:]; from netlab.impair.hired import main; main()"
_SHOWN = 4000


def check(rules: Iterable[Rule]) -> None:
    """Refuse what a lab that stays cannot do, at its place: SpecError. Raises HostError where a filter needs what is not here."""
    for rule in rules:
        if rule.during:
            names = ", ".join(socket for socket, _ in rule.during)
            message = f"during is for the sockets of a scenario ({names}), and a lab that stays has none"
            raise SpecError(Problem(rule.place, message, "use nth, window or before; or write a scenario"))
        if rule.filter:
            try:
                compiled(rule.filter)
            except ValueError as error:
                raise SpecError(Problem(rule.place, str(error), "write it as for tcpdump, such as: tcp port 80")) from None


def carry(lab: Lab, *, seed: int | None) -> None:
    """Start the wire of a lab that is built to stay; it forwards when this returns. Nothing is started where no link needs one.

    Raises HostError where this machine lacks what a rule needs, LabError when it does not start otherwise.
    """
    middles = [middle for middle in lab.middles.values() if middle.sockets is not None]
    if not middles:
        return
    room = middles[0].space.number
    lab.keeper.ask("nodes", nodes=[(room, "wire", [])])
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    said = os.memfd_create("netlab wire")
    try:
        with ours, theirs:
            argv = [sys.executable, "-I", "-c", _START, *map(os.path.abspath, sys.path)]
            process = Process(lab.keeper, room, argv, stdin=theirs.fileno(), stdout=DEVNULL, stderr=said, cwd="/", log=True)
            theirs.close()
            try:
                _tell(ours, lab, seed)
                word, _ = parcels.receive(ours)
            except OSError:
                word = None
            if word is None:
                why = os.pread(said, _SHOWN, 0).decode(errors="replace").strip()
                raise LabError(f"the wire of the lab did not start: {why}")
            if "lacks" in word:
                raise HostError(word["lacks"], word["fix"])
            lab.keeper.ask("wired", ours.fileno(), node=room)
            process.release()
    finally:
        os.close(said)


def _tell(wire: socket.socket, lab: Lab, seed: int | None) -> None:
    """What the process is to know and to have: the lab, a socket for each node, and those of each link's middle."""
    nodes = {name: (node.kind, node.addresses) for name, node in lab.nodes.items()}
    parcels.send(wire, {"what": pickle.dumps((lab.topology, lab.plan, nodes, seed))})
    for name, node in lab.nodes.items():
        with _route(node.space) as route:
            parcels.send(wire, {"node": name}, [route.fileno()])
    for link, middle in lab.middles.items():
        with _route(middle.space) as route, ExitStack() as stack:
            facing = [*middle.sockets] if middle.sockets is not None else []
            if facing:
                with suppress(OSError):  # a kernel without nftables: the wire forwards all by itself
                    facing.append(stack.enter_context(netfilter_of(middle)()))
            parcels.send(wire, {"link": link}, [one.fileno() for one in (route, *facing)])
        if middle.sockets is not None:
            lab.keeper.ask("slow", *(one.fileno() for one in middle.sockets))
    parcels.send(wire, {})


def _route(space: Space) -> socket.socket:
    return space.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_ROUTE)
