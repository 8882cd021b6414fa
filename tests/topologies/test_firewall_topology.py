"""firewall: inside may open, outside may not, and each way of saying no is what the comment says."""

import errno
import shutil
import socket

import pytest
from icmp_errors import IcmpError, next_error, tell_errors
from topologies_help import BOTH, address, shipped, tcp_exchange, tcp_listener, udp_exchange, udp_socket, who_saw

pytestmark = [
    pytest.mark.netns,
    pytest.mark.skipif(shutil.which("nft") is None, reason="no program nft on the PATH (apt-get install nftables)"),
]
PROHIBITED = {4: (errno.EHOSTUNREACH, 3, 13), 6: (errno.EACCES, 1, 1)}
"""ICMP "communication administratively prohibited" (RFC 1812, RFC 4443): its errno, type and code."""


@pytest.mark.parametrize("family", BOTH)
def test_what_is_opened_from_inside_passes_with_its_answers(family: int) -> None:
    with shipped("firewall") as lab:
        assert tcp_exchange(lab, "inside", "outside", family, port=5001) == address(lab["inside"], family)
        assert udp_exchange(lab, "inside", "outside", family, port=5001) == address(lab["inside"], family)
        with udp_socket(lab, "inside", family) as asking:
            asking.connect((address(lab["outside"], family), 9))
            asking.send(b"nobody is there")
            with pytest.raises(ConnectionRefusedError):  # an ICMP error about it is an answer, too
                asking.recv(16)


@pytest.mark.parametrize("family", BOTH)
def test_from_outside_port_80_is_open_and_other_tcp_ports_are_reset_by_the_firewall(family: int) -> None:
    with shipped("firewall") as lab, lab.observe() as seen:
        assert tcp_exchange(lab, "outside", "inside", family, port=80) == address(lab["outside"], family)
        with pytest.raises(ConnectionRefusedError):
            tcp_exchange(lab, "outside", "inside", family, port=81)
        inside = address(lab["inside"], family)
    assert who_saw(seen, protocol="tcp", dport=81) == {"outside", "guard"}
    assert who_saw(seen, protocol="tcp", sport=81, source=inside) == {"outside", "guard"}


@pytest.mark.parametrize("family", BOTH)
def test_from_outside_all_else_is_administratively_prohibited(family: int) -> None:
    with (
        shipped("firewall") as lab,
        udp_socket(lab, "inside", family, 53),
        udp_socket(lab, "outside", family) as asking,
    ):
        tell_errors(asking, family)
        with lab.observe() as seen:
            asking.sendto(b"question", (address(lab["inside"], family), 53))
            number, kind, code = PROHIBITED[family]
            guard = address(lab["guard"], family, "wan")
            assert next_error(asking, family) == IcmpError(errno=number, type=kind, code=code, info=0, sender=guard)
    assert who_saw(seen, protocol="udp", dport=53) == {"outside", "guard"}


@pytest.mark.parametrize("family", BOTH)
def test_from_outside_port_22_gets_no_answer(family: int) -> None:
    """A refusal that was asked for later has come, and nothing about this."""
    with (
        shipped("firewall") as lab,
        tcp_listener(lab, "inside", family, 22),
        udp_socket(lab, "outside", family) as asking,
        lab["outside"].socket(asking.family) as client,
    ):
        tell_errors(asking, family)
        client.setblocking(False)
        inside = address(lab["inside"], family)
        with lab.observe() as seen:
            assert client.connect_ex((inside, 22)) == errno.EINPROGRESS
            asking.sendto(b"question", (inside, 53))
            next_error(asking, family)
            assert client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
            with pytest.raises(OSError, match="not connected"):
                client.getpeername()
    assert who_saw(seen, protocol="tcp", dport=22) == {"outside", "guard"}
    assert who_saw(seen, protocol="tcp", sport=22) == set()
