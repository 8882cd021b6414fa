"""one-host: calls that stay on the loopback interface, since there is nothing else."""

import pytest
from topologies_help import BOTH, PORT, shipped, sightings, tcp_exchange, udp_exchange, udp_socket, watched

pytestmark = pytest.mark.netns
LOOPBACK = {4: "127.0.0.1", 6: "::1"}
ELSEWHERE = {4: "192.0.2.1", 6: "2001:db8::1"}  # documentation's own: TEST-NET-1, RFC 3849


@pytest.mark.parametrize("family", BOTH)
def test_the_host_talks_to_itself_on_lo(family: int) -> None:
    with shipped("one-host") as lab:
        assert lab["host"].interfaces == {}
        with watched(lab) as seen:
            tcp_exchange(lab, "host", "host", family, to=LOOPBACK[family])
            udp_exchange(lab, "host", "host", family, to=LOOPBACK[family])
        for protocol in ("tcp", "udp"):
            assert {packet.interface for packet in sightings(seen, protocol=protocol)} == {"lo"}


@pytest.mark.parametrize("family", BOTH)
def test_nothing_else_can_be_reached(family: int) -> None:
    unreachable = pytest.raises(OSError, match="Network is unreachable")
    with shipped("one-host") as lab, udp_socket(lab, "host", family) as lost, unreachable:
        lost.sendto(b"lost", (ELSEWHERE[family], PORT))
