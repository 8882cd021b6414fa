"""Simple firewall rules do what they say, to real sockets; IPv6 goes on working behind a policy of drop."""

import errno
import select
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from networks import HERE, end, node

from netlab.lab.lab import Lab
from netlab.topology.nft import firewall
from netlab.topology.spec import Link, Node, Topology

pytestmark = [
    pytest.mark.netns,
    pytest.mark.skipif(shutil.which("nft") is None, reason="no program nft on the PATH (apt-get install nftables)"),
]
FAMILIES = (socket.AF_INET, socket.AF_INET6)
SERVER = {socket.AF_INET: "10.0.0.2", socket.AF_INET6: "fd00::2"}


@contextmanager
def guarded(**rules: list[str]) -> Iterator[Lab]:
    """Two hosts, of which the server has these rules."""
    ends = (end("client", "10.0.0.1/24", "fd00::1/64"), end("server", "10.0.0.2/24", "fd00::2/64"))
    link = Link(endpoints=ends, subnets=tuple(address.network for address in ends[0].addresses), place=HERE)
    server = Node(name="server", kind="host", firewall=firewall(rules), place=HERE)
    with Lab(Topology(name="guarded", nodes=(node("client"), server), links=(link,), place=HERE)) as lab:
        yield lab


def connect(lab: Lab, family: socket.AddressFamily, port: int, within: float = 5) -> int:
    """Connect to a listening port of the server: 0, or the errno; ETIMEDOUT when nothing came within."""
    with lab["server"].socket(family) as listener, lab["client"].socket(family) as client:
        listener.bind((SERVER[family], port))
        listener.listen()
        client.settimeout(within)
        try:
            client.connect((SERVER[family], port))
        except TimeoutError:
            return errno.ETIMEDOUT
        except OSError as error:
            return error.errno or -1
        return 0


def answer(lab: Lab, family: socket.AddressFamily, port: int) -> int:
    """Send a datagram to the server, where a socket waits: 0 when it arrives, the errno that came back, or -1."""
    with lab["server"].socket(family, socket.SOCK_DGRAM) as waiting, lab["client"].socket(family, socket.SOCK_DGRAM) as client:
        waiting.bind((SERVER[family], port))
        client.connect((SERVER[family], port))
        client.send(b"x")
        readable, _, _ = select.select([waiting, client], [], [], 5)
        return client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) if client in readable else len(readable) - 1


@pytest.mark.parametrize("family", FAMILIES)
def test_what_is_accepted_passes_and_the_policy_stops_the_rest(family: socket.AddressFamily) -> None:
    """Over IPv6 that needs neighbour discovery, which a policy of drop lets through."""
    with guarded(input=["accept tcp 80,1000-1999", "drop"]) as lab:
        assert [connect(lab, family, port) for port in (80, 1000, 1999)] == [0, 0, 0]
        assert [connect(lab, family, port, 0.2) for port in (81, 2000)] == [errno.ETIMEDOUT] * 2


@pytest.mark.parametrize("family", FAMILIES)
def test_reject_answers_tcp_by_a_reset_and_the_rest_by_icmp(family: socket.AddressFamily) -> None:
    with guarded(input=["accept udp 53", "reject"]) as lab:
        assert connect(lab, family, 80) == errno.ECONNREFUSED
        assert answer(lab, family, 53) == 0
        prohibited = {socket.AF_INET: errno.EHOSTUNREACH, socket.AF_INET6: errno.EACCES}
        assert answer(lab, family, 54) == prohibited[family]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_rule_of_one_network_leaves_others_alone(family: socket.AddressFamily) -> None:
    with guarded(input=["reject tcp from 10.0.0.1", "reject tcp 80 from fd00::1 in eth0", "accept"]) as lab:
        refused = {socket.AF_INET: [errno.ECONNREFUSED] * 2, socket.AF_INET6: [errno.ECONNREFUSED, 0]}
        assert [connect(lab, family, port) for port in (80, 81)] == refused[family]


@pytest.mark.parametrize("family", FAMILIES)
def test_established_lets_answers_out_and_nothing_else(family: socket.AddressFamily) -> None:
    with guarded(output=["accept established", "reject"]) as lab:
        assert connect(lab, family, 80) == 0
        with lab["server"].socket(family, socket.SOCK_DGRAM) as server, pytest.raises(PermissionError):
            server.sendto(b"x", ({socket.AF_INET: "10.0.0.1", socket.AF_INET6: "fd00::1"}[family], 53))
