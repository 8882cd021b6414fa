"""The process of a lab that stays which forwards the frames of its links, and does with them what it is told while it runs.

It hangs on the lab's keeper as programs do, and so ends with the lab however that ends. Its standard input is a socket: whoever
builds the lab sends what the links are (hiring.py), later the keeper sends a socket for each who asks. What is asked it does not
know: standing.py does.
"""

import os
import pickle
import resource
import select
import socket
from contextlib import suppress

from netlab.errors import HostError
from netlab.impair.handed import Network
from netlab.impair.standing import Standing
from netlab.impair.wire import WireLink
from netlab.lab import parcels
from netlab.timeline.timeline import Node

_EVERY = 500  # milliseconds: what is decided is counted and let go, or it would fill the memory of a lab that stays for days


def main() -> None:
    """The process: it begins with what the builder sends, and ends when the lab does."""
    keeper = socket.socket(fileno=os.dup(0))
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # four descriptors a link, and one a node
    try:
        standing = _begun(keeper)
        standing.start()
    except HostError as error:
        parcels.send(keeper, {"lacks": error.lacks, "fix": error.fix})
        return
    parcels.send(keeper, {})
    with suppress(BrokenPipeError, ConnectionResetError):
        _serve(keeper, standing)


def _begun(builder: socket.socket) -> Standing:
    """Take what the builder sends: the lab as values, then sockets of each node and of each link that is carried here."""
    word, _ = parcels.receive(builder)
    assert word is not None
    topology, plan, said, seed = pickle.loads(word["what"])  # from the process that started this one, by a socket of these two
    by_name = {link.name: link for link in topology.links}
    links: list[WireLink] = []
    nodes: dict[str, socket.socket] = {}
    middles: dict[str, socket.socket] = {}
    while True:
        word, fds = parcels.receive(builder)
        assert word is not None
        if not word:
            known = {name: Node(kind=kind, addresses=addresses) for name, (kind, addresses) in said.items()}
            return Standing(topology, Network(plan, nodes, middles), known, links, seed)
        route, *facing = (socket.socket(fileno=fd) for fd in fds)
        if "node" in word:
            nodes[word["node"]] = route
        else:
            middles[word["link"]] = route
        if facing:
            near, far, *netfilter = facing
            link = WireLink(link=by_name[word["link"]], sockets=(near, far), netfilter=netfilter[0].dup if netfilter else None)
            links.append(link)


def _serve(keeper: socket.socket, standing: Standing) -> None:
    """One request after another, until the keeper is gone."""
    poll = select.poll()
    poll.register(keeper, select.POLLIN)
    clients: dict[int, socket.socket] = {}
    while True:
        for fd, _ in poll.poll(_EVERY):
            if fd == keeper.fileno():
                word, fds = parcels.receive(keeper)
                if word is None:
                    return
                for each in fds:
                    clients[each] = socket.socket(fileno=each)
                    poll.register(each, select.POLLIN)
            elif not _answered(clients[fd], standing):
                poll.unregister(fd)
                clients.pop(fd).close()
        standing.gather()


def _answered(client: socket.socket, standing: Standing) -> bool:
    """Serve one request; False when its sender has hung up, or does not speak as we do."""
    try:
        request, fds = parcels.receive(client, stranger=True)
        for fd in fds:
            os.close(fd)
        if request is None:
            return False
        parcels.send(client, standing.answer(request), flags=socket.MSG_DONTWAIT, stranger=True)
    except (OSError, parcels.NotUnderstoodError):
        return False
    return True
