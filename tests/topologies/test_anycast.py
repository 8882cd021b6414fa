"""anycast: the nearer of two servers with one address, and the other when its link goes down."""

import select
import socket
from contextlib import ExitStack

import pytest
from labs import until
from topologies_help import BOTH, PORT, shipped, tcp_listener, udp_socket

from netlab.api import Lab

pytestmark = pytest.mark.netns

SERVICE = {4: "10.99.0.1", 6: "fd99::1"}
SERVERS = ("west-server", "east-server")


class Service:
    """Both servers, with a TCP and a UDP socket each on the address that they share."""

    def __init__(self, lab: Lab, family: int, stack: ExitStack) -> None:
        self._lab, self._family, self._stack = lab, family, stack
        address = SERVICE[family]
        self._listening = {name: stack.enter_context(tcp_listener(lab, name, family, bound=address)) for name in SERVERS}
        self._waiting = {name: stack.enter_context(udp_socket(lab, name, family, PORT, address)) for name in SERVERS}

    def reached(self, client: str, within: float = 5) -> list[str]:
        """Which of the servers gets a client's datagram."""
        with udp_socket(self._lab, client, self._family) as asking:
            asking.sendto(b"question", (SERVICE[self._family], PORT))
            found = select.select(list(self._waiting.values()), [], [], within)[0]
        for each in found:
            each.recv(16)
        return [name for name, made in self._waiting.items() if made in found]

    def connected(self, client: str) -> tuple[str, socket.socket, socket.socket]:
        """A connection of a client's: which of the servers it is with, and both its ends."""
        made = self._stack.enter_context(self._lab[client].socket(self._listening[SERVERS[0]].family))
        made.settimeout(5)
        made.connect((SERVICE[self._family], PORT))
        (found,) = select.select(list(self._listening.values()), [], [], 5)[0]
        accepted = self._stack.enter_context(found.accept()[0])
        accepted.settimeout(5)
        (server,) = (name for name, listener in self._listening.items() if listener is found)
        return server, made, accepted


@pytest.mark.parametrize("family", BOTH)
def test_each_client_reaches_the_nearer_server(family: int) -> None:
    with shipped("anycast") as lab, ExitStack() as stack:
        service = Service(lab, family, stack)
        for client, server in (("west-client", "west-server"), ("east-client", "east-server")):
            assert service.reached(client) == [server]
            assert service.connected(client)[0] == server


@pytest.mark.parametrize("family", BOTH)
@pytest.mark.parametrize(("here", "there"), [("west", "east"), ("east", "west")])
def test_when_its_link_goes_down_the_other_is_reached_and_open_connections_are_reset(family: int, here: str, there: str) -> None:
    with shipped("anycast") as lab, ExitStack() as stack:
        service = Service(lab, family, stack)
        server, concerned, _ = service.connected(f"{here}-client")
        _, unconcerned, its_server = service.connected(f"{there}-client")
        assert server == f"{here}-server"
        lab[f"{here}-server"].run(["ip", "link", "set", "eth0", "down"], check=True)
        assert until(lambda: service.reached(f"{here}-client", within=0.05) == [f"{there}-server"])
        concerned.sendall(b"still there?")
        with pytest.raises(ConnectionResetError):
            concerned.recv(16)
        assert service.connected(f"{here}-client")[0] == f"{there}-server"
        unconcerned.sendall(b"still there?")
        assert its_server.recv(16) == b"still there?"
