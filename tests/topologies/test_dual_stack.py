"""dual-stack: one socket serves clients of both families and of either; those of different families do not meet."""

import socket
import sys

import pytest
from topologies_help import PORT, WITHIN, address, hop_counts, shipped, tcp_exchange, udp_exchange, udp_socket

pytestmark = pytest.mark.netns


def test_one_listening_socket_serves_all_three() -> None:
    with shipped("dual-stack") as lab, lab["server"].socket(socket.AF_INET6) as listener:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.settimeout(WITHIN)
        listener.bind(("::", PORT))
        listener.listen()
        seen = []
        for client, family in (("dual", 4), ("dual", 6), ("four", 4), ("six", 6)):
            with lab[client].socket(socket.AF_INET if family == 4 else socket.AF_INET6) as near:
                near.settimeout(WITHIN)
                near.connect((address(lab["server"], family), PORT))
                far, source = listener.accept()
                with far:
                    far.sendall(client.encode())
                    assert near.recv(16) == client.encode()
                seen.append(source[0])
        assert seen == ["::ffff:10.0.1.1", "fd00:0:0:1::1", "::ffff:10.0.2.1", "fd00:0:0:2::1"]


def test_the_client_with_both_may_use_either() -> None:
    with shipped("dual-stack") as lab:
        for family in (4, 6):
            assert tcp_exchange(lab, "dual", "server", family) == address(lab["dual"], family)
            assert udp_exchange(lab, "server", "dual", family) == address(lab["server"], family)
        program = "import socket; print(sorted({found[4][0] for found in socket.getaddrinfo('server', 80)}))"
        told = lab["dual"].run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        assert told.stdout == "['10.0.3.2', 'fd00:0:0:3::2']\n"


def test_each_client_reaches_those_that_share_a_family_with_it() -> None:
    with shipped("dual-stack") as lab:
        for family, able in ((4, ["dual", "four", "server"]), (6, ["dual", "six", "server"])):
            assert set(hop_counts(lab, able, able, family).values()) == {1}


@pytest.mark.parametrize(("client", "family", "server"), [("four", 6, "six"), ("four", 6, "server"), ("six", 4, "four")])
def test_a_client_cannot_reach_what_has_only_the_other_family(client: str, family: int, server: str) -> None:
    unreachable = pytest.raises(OSError, match="Network is unreachable")
    with shipped("dual-stack") as lab, udp_socket(lab, client, family) as lost, unreachable:
        lost.sendto(b"lost", (address(lab[server], family), PORT))
