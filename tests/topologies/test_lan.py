"""lan: a broadcast reaches all three hosts of the switch, and two of them can talk unseen by the third."""

import socket
from contextlib import ExitStack

import pytest
from topologies_help import BOTH, PORT, hop_counts, hosts, shipped, tcp_exchange, udp_exchange, udp_socket, watched, who_saw

pytestmark = pytest.mark.netns


def test_every_host_reaches_every_other_without_a_router() -> None:
    with shipped("lan") as lab:
        for family in BOTH:
            pairs = {(one, other): 0 for one in hosts(lab) for other in hosts(lab) if one != other}
            assert hop_counts(lab, hosts(lab), hosts(lab), family) == pairs
            assert len(pairs) == 6


@pytest.mark.parametrize("to", ["10.0.0.255", "255.255.255.255"])
def test_a_broadcast_reaches_all(to: str) -> None:
    with shipped("lan") as lab, ExitStack() as stack:
        others = [stack.enter_context(udp_socket(lab, name, port=PORT)) for name in ("b", "c")]
        sending = stack.enter_context(udp_socket(lab, "a"))
        sending.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"eth0")  # the limited one has no route
        with pytest.raises(PermissionError):
            sending.sendto(b"all", (to, PORT))
        sending.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        sending.sendto(b"all", (to, PORT))
        for other in others:
            data, source = other.recvfrom(16)
            assert (data, source[0]) == (b"all", "10.0.0.1")


def test_a_multicast_to_all_nodes_reaches_all() -> None:
    with shipped("lan") as lab, ExitStack() as stack:
        others = [stack.enter_context(udp_socket(lab, name, 6, PORT)) for name in ("b", "c")]
        sending = stack.enter_context(udp_socket(lab, "a", 6))
        sending.sendto(b"all", ("ff02::1", PORT, 0, lab["a"].interfaces["eth0"].index))
        for other in others:
            data, source = other.recvfrom(16)
            assert data == b"all"
            assert source[0].startswith("fe80::")


@pytest.mark.parametrize("family", BOTH)
def test_two_can_talk_unseen_by_the_third(family: int) -> None:
    with shipped("lan") as lab:
        udp_exchange(lab, "a", "b", family)  # from here on the switch knows where both are
        with watched(lab) as seen:
            tcp_exchange(lab, "a", "b", family)
        assert who_saw(seen, protocol="tcp", dport=PORT) == {"a", "switch", "b"}
        assert who_saw(seen, protocol="tcp", sport=PORT) == {"a", "switch", "b"}
