"""Interfaces of a running lab go down and up, and change their MTUs: packets stop and pass again, and a node keeps its network."""

import errno
import fcntl
import select
import socket
import struct
from contextlib import closing

import pytest

from netlab.document import Document
from netlab.errors import LabError
from netlab.impair.wire import Wire
from netlab.lab import links
from netlab.lab.lab import Lab, LabNode
from netlab.topology.load import parse_topology
from netlab.topology.spec import Topology

pytestmark = pytest.mark.netns

PATIENCE = 10.0
SIOCGIFMTU, IP_MTU_DISCOVER, IP_PMTUDISC_DO = 0x8921, 10, 2
SERVER, SERVER6 = "10.0.1.2", "fd00:1::2"
THROUGH_A_ROUTER = """
nodes: {client: {}, r: {kind: router}, s: {kind: switch}, server: {}}
links:
  - {endpoints: [client, r], subnets: [10.0.0.0/24, "fd00::/64"]}
  - {endpoints: [r, s], subnets: [10.0.1.0/24, "fd00:1::/64"]}
  - {endpoints: [server, s]}
"""
WITH_A_MIDDLE = THROUGH_A_ROUTER.replace("[r, s],", '[r, s], impair: {both: [{match: "udp", nth: 1000, action: drop}]},')


def topology(text: str) -> Topology:
    return parse_topology(Document.parse(text, "f.yaml"))


def listening(node: LabNode) -> socket.socket:
    """A socket that takes datagrams of both families."""
    made = node.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    made.bind(("::", 9000))
    return made


def send(node: LabNode, to: str, data: bytes) -> int:
    """Send a datagram; gives the errno, 0 where it was sent."""
    with closing(node.socket(socket.AF_INET6 if ":" in to else socket.AF_INET, socket.SOCK_DGRAM)) as made:
        try:
            made.sendto(data, (to, 9000))
        except OSError as error:
            return error.errno or -1
    return 0


def arrived(receiver: socket.socket, data: bytes) -> bool:
    """Whether this datagram arrives; others that come before it were on their way, or waited for a neighbour."""
    receiver.settimeout(PATIENCE)
    while (found := receiver.recv(100)) != data:
        assert found == b"while down"
    return True


def arrives_within(receiver: socket.socket, milliseconds: int) -> bool:
    poll = select.poll()
    poll.register(receiver, select.POLLIN)
    return bool(poll.poll(milliseconds))


def mtu(node: LabNode, interface: str) -> int:
    with closing(node.socket(socket.AF_INET, socket.SOCK_DGRAM)) as made:
        answer = fcntl.ioctl(made, SIOCGIFMTU, struct.pack("16sI12x", interface.encode(), 0))
    return int(struct.unpack_from("=I", answer, 16)[0])


@pytest.mark.parametrize("text", [THROUGH_A_ROUTER, WITH_A_MIDDLE], ids=["plain", "with a middle"])
@pytest.mark.parametrize(
    ("node", "interface"), [("client", "eth0"), ("r", "eth0"), ("r", "eth1"), ("s", "eth0"), ("s", "eth1"), ("server", "eth0")]
)
def test_what_goes_down_stops_packets_and_up_again_lets_them_through(text: str, node: str, interface: str) -> None:
    with Lab(topology(text)) as lab, Wire.of(lab), closing(listening(lab["server"])) as receiver:
        assert send(lab["client"], SERVER, b"before") == 0
        assert receiver.recv(100) == b"before"
        links.set_down(lab[node], interface)
        assert send(lab["client"], SERVER, b"while down") == (errno.ENETUNREACH if node == "client" else 0)
        assert not arrives_within(receiver, 100)
        links.set_up(lab[node], interface)
        links.settle(lab, node, interface)
        for address, data in ((SERVER, b"by IPv4"), (SERVER6, b"by IPv6")):
            assert send(lab["client"], address, data) == 0
            assert arrived(receiver, data)


def test_a_connection_outlives_a_link_that_goes_down_and_up() -> None:
    with (
        Lab(topology(THROUGH_A_ROUTER)) as lab,
        closing(lab["server"].socket()) as listener,
        closing(lab["client"].socket()) as client,
    ):
        listener.bind((SERVER, 8080))
        listener.listen()
        client.connect((SERVER, 8080))
        server, _ = listener.accept()
        with closing(server):
            for end in ("r", "s"):
                links.set_down(lab[end], "eth1" if end == "r" else "eth0")
            client.send(b"while it is down")
            assert not arrives_within(server, 50)
            for end in ("r", "s"):
                links.set_up(lab[end], "eth1" if end == "r" else "eth0")
            links.settle(lab, "r", "eth1")
            server.settimeout(PATIENCE)
            assert server.recv(100) == b"while it is down"


def test_an_interface_that_is_up_at_one_end_only_is_not_waited_for() -> None:
    with Lab(topology(THROUGH_A_ROUTER)) as lab:
        links.set_down(lab["client"], "eth0")
        links.set_down(lab["r"], "eth0")
        links.set_up(lab["r"], "eth0")
        links.settle(lab, "r", "eth0")
        assert send(lab["client"], SERVER, b"x") == errno.ENETUNREACH


def test_an_mtu_changes_at_one_end() -> None:
    with Lab(topology(THROUGH_A_ROUTER)) as lab, closing(lab["client"].socket(socket.AF_INET, socket.SOCK_DGRAM)) as made:
        made.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO)
        made.connect((SERVER, 9000))
        links.set_mtu(lab["client"], "eth0", 1280)
        assert (mtu(lab["client"], "eth0"), mtu(lab["r"], "eth0")) == (1280, 1500)
        with pytest.raises(OSError, match="Message too long"):
            made.send(bytes(1280 - 28 + 1))
        assert made.send(bytes(1280 - 28)) == 1280 - 28


def test_what_the_kernel_refuses_is_told() -> None:
    with Lab(topology(THROUGH_A_ROUTER)) as lab:
        with pytest.raises(LabError, match=r"client:eth0 mtu 70000: Invalid argument .*"):
            links.set_mtu(lab["client"], "eth0", 70000)
        with pytest.raises(KeyError):
            links.set_down(lab["client"], "eth9")
