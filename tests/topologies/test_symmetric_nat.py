"""symmetric-nat: a port outside for each destination, so that what a server sees of a socket is of no use to anyone else."""

import shutil
import socket
from contextlib import ExitStack
from typing import NamedTuple

import pytest
from topologies_help import BOTH, address, shipped, udp_socket, who_saw

from netlab.api import Lab, Seen

pytestmark = [
    pytest.mark.netns,
    pytest.mark.skipif(shutil.which("nft") is None, reason="no program nft on the PATH (apt-get install nftables)"),
]
EVERYWHERE = {"alice", "nat-a", "internet", "nat-b", "bob"}


class Punched(NamedTuple):
    """How hole punching went: from which ports alice's one socket came to server1 and server2, and who saw either's packets."""

    ports: tuple[int, int]
    from_alice: set[str]
    from_bob: set[str]


def punch(lab: Lab, family: int) -> Punched:
    """alice and bob learn each other's address from server1, and each sends to what it was told; then alice sends again, since her
    first packet came before bob had opened his nat for her."""
    with ExitStack() as stack:
        alice, bob = (stack.enter_context(udp_socket(lab, name, family, 5000)) for name in ("alice", "bob"))
        server1, server2 = (stack.enter_context(udp_socket(lab, name, family, 3478)) for name in ("server1", "server2"))
        at_server1 = told(alice, server1, address(lab["server1"], family))
        at_server2 = told(alice, server2, address(lab["server2"], family))
        of_bob = told(bob, server1, address(lab["server1"], family))
        with lab.observe() as seen:
            alice.sendto(b"first", of_bob)
            bob.sendto(b"from bob", at_server1)
            alice.sendto(b"from alice", of_bob)
            for _ in range(2):  # what has not come before these was not underway
                for receiver, mapped in ((alice, at_server1), (bob, of_bob)):
                    server1.sendto(b"from server1", mapped)
                    while receiver.recv(16) != b"from server1":
                        pass
    assert at_server1[0] == at_server2[0] == address(lab["nat-a"], family, "eth1")
    return Punched((at_server1[1], at_server2[1]), came(seen, b"from alice"), came(seen, b"from bob"))


def told(host: socket.socket, server: socket.socket, to: str) -> tuple[str, int]:
    """From where a server sees a host's packet come."""
    host.sendto(b"who am I?", (to, 3478))
    source = server.recvfrom(16)[1]
    return source[0], source[1]


def came(seen: Seen, payload: bytes) -> set[str]:
    return who_saw(seen, protocol="udp", payload=payload)


@pytest.mark.parametrize("family", BOTH)
def test_each_server_sees_another_port_and_hole_punching_fails(family: int) -> None:
    with shipped("symmetric-nat") as lab:
        found = punch(lab, family)
    assert found.ports[0] != found.ports[1]
    assert found.from_alice == EVERYWHERE - {"bob"}
    assert found.from_bob == EVERYWHERE - {"alice"}


@pytest.mark.parametrize("family", BOTH)
def test_behind_a_cone_hole_punching_succeeds(family: int) -> None:
    with shipped("symmetric-nat", behaviour="port-restricted-cone") as lab:
        found = punch(lab, family)
    assert found == Punched((5000, 5000), EVERYWHERE, EVERYWHERE)
