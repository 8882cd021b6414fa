"""multihomed: one Multipath TCP connection over two links."""

import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from labs import until
from topologies_help import BOTH, PORT, address, shipped, sightings

from netlab.api import Lab, Seen
from netlab.timeline.headers import decode

pytestmark = pytest.mark.netns

SOL_MPTCP, MPTCP_INFO = 284, 1
DATA = bytes(range(256)) * 1000


def lacking() -> str:
    """What this machine has not of Multipath TCP, "" when all is there."""
    try:
        socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_MPTCP).close()
    except OSError as error:
        return f"this kernel makes no MPTCP sockets: {error.strerror}"
    if shutil.which("ip") is None:
        return "no program ip on the PATH (apt-get install iproute2)"
    told = subprocess.run(["ip", "mptcp", "help"], capture_output=True, text=True, check=False).stderr
    return "" if "endpoint" in told else "this ip knows no mptcp (iproute2 5.8)"


@pytest.fixture(autouse=True)
def _mptcp() -> None:
    if reason := lacking():
        pytest.skip(reason)


@contextmanager
def connected(lab: Lab, family: int) -> Iterator[tuple[socket.socket, socket.socket]]:
    """A connection of the client's to the server that has a subflow on each of the client's links."""
    version = socket.AF_INET if family == 4 else socket.AF_INET6
    kind = socket.SOCK_STREAM, socket.IPPROTO_MPTCP
    with lab["server"].socket(version, *kind) as listener, lab["client"].socket(version, *kind) as client:
        listener.bind((address(lab["server"], family), PORT))
        listener.listen()
        for each in (listener, client):
            each.settimeout(10)
        client.connect((address(lab["server"], family), PORT))
        with listener.accept()[0] as server:
            server.settimeout(10)
            client.sendall(b"there")  # further subflows may join once both ends have heard of each other's data
            assert server.recv(16) == b"there"
            server.sendall(b"back")
            assert client.recv(16) == b"back"
            assert until(lambda: all(further_subflows(end) == 1 for end in (client, server)))
            yield client, server


def further_subflows(made: socket.socket) -> int:
    """How many subflows have joined a connection's first (mptcpi_subflows)."""
    return made.getsockopt(SOL_MPTCP, MPTCP_INFO, 8)[0]


def transferred(client: socket.socket, server: socket.socket) -> bytes:
    """What arrives of ``DATA``."""
    sender = threading.Thread(target=client.sendall, args=(DATA,))
    sender.start()
    try:
        found = bytearray()
        while len(found) < len(DATA) and (part := server.recv(1 << 16)):
            found += part
    finally:
        sender.join()
    return bytes(found)


def carried(seen: Seen, router: str, source: str) -> int:
    """How many bytes of data came in at a router from an address, in TCP segments."""
    packets = sightings(seen, protocol="tcp", source=source, dport=PORT)
    return sum(decode(packet.data).length for packet in packets if packet.host == router and packet.direction == "in")


@pytest.mark.parametrize("family", BOTH)
def test_one_connections_data_takes_both_paths(family: int) -> None:
    with shipped("multihomed") as lab, connected(lab, family) as (client, server):
        with lab.observe() as seen:
            assert transferred(client, server) == DATA
        first, second = (address(lab["client"], family, interface) for interface in ("eth0", "eth1"))
    assert min(carried(seen, "wifi", first), carried(seen, "mobile", second)) > 10_000
    assert (carried(seen, "wifi", second), carried(seen, "mobile", first)) == (0, 0)


@pytest.mark.parametrize("family", BOTH)
@pytest.mark.parametrize("cut", ["eth0", "eth1"])
def test_it_goes_on_when_either_link_is_cut(family: int, cut: str) -> None:
    with shipped("multihomed") as lab, connected(lab, family) as (client, server):
        lab["client"].run(["ip", "link", "set", cut, "down"], check=True)
        assert transferred(client, server) == DATA
