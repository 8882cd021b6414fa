"""home-nat: a home shares one address outside, and one port leads in."""

import errno
import shutil

import pytest
from icmp_errors import IcmpError, next_error, tell_errors
from topologies_help import BOTH, address, shipped, tcp_exchange, tcp_listener, udp_exchange, udp_socket, who_saw

pytestmark = [
    pytest.mark.netns,
    pytest.mark.skipif(shutil.which("nft") is None, reason="no program nft on the PATH (apt-get install nftables)"),
]
NO_ROUTE = {4: (errno.ENETUNREACH, 3, 0), 6: (errno.ENETUNREACH, 1, 0)}
"""ICMP "net unreachable" and "no route to destination" (RFC 792, RFC 4443): errno, type and code."""


@pytest.mark.parametrize("family", BOTH)
def test_all_inside_appear_with_the_nats_address(family: int) -> None:
    with shipped("home-nat") as lab:
        outside = address(lab["home"], family, "wan")
        with lab.observe() as seen:
            for host in ("laptop", "printer"):
                assert tcp_exchange(lab, host, "server", family) == outside
                assert udp_exchange(lab, host, "server", family) == outside
        for host in ("laptop", "printer"):
            for protocol in ("tcp", "udp"):
                assert who_saw(seen, protocol=protocol, source=address(lab[host], family)) == {host, "lan", "home"}


@pytest.mark.parametrize("family", BOTH)
def test_the_forwarded_port_leads_to_the_printer(family: int) -> None:
    with (
        shipped("home-nat") as lab,
        tcp_listener(lab, "printer", family, 80) as listener,
        lab["server"].socket(listener.family) as client,
    ):
        client.settimeout(5)
        client.connect((address(lab["home"], family, "wan"), 8080))
        accepted, source = listener.accept()
        with accepted:
            assert source[0] == address(lab["server"], family)
            client.sendall(b"there")
            assert accepted.recv(16) == b"there"
            accepted.sendall(b"back")
            assert client.recv(16) == b"back"


@pytest.mark.parametrize("family", BOTH)
def test_no_other_port_of_the_nats_and_no_inside_address_leads_in(family: int) -> None:
    with (
        shipped("home-nat") as lab,
        tcp_listener(lab, "printer", family, 80) as listener,
        udp_socket(lab, "laptop", family, 5000),
        udp_socket(lab, "server", family) as asking,
        lab["server"].socket(listener.family) as client,
    ):
        client.settimeout(5)
        with pytest.raises(ConnectionRefusedError):
            client.connect((address(lab["home"], family, "wan"), 80))
        tell_errors(asking, family)
        asking.sendto(b"in", (address(lab["laptop"], family), 5000))
        number, kind, code = NO_ROUTE[family]
        isp = address(lab["isp"], family, "eth1")
        assert next_error(asking, family) == IcmpError(errno=number, type=kind, code=code, info=0, sender=isp)


@pytest.mark.parametrize("family", BOTH)
def test_the_port_that_a_host_inside_has_been_given_leads_in_for_answers_only(family: int) -> None:
    with (
        shipped("home-nat") as lab,
        udp_socket(lab, "laptop", family, 5000) as laptop,
        udp_socket(lab, "server", family, 7000) as known,
        udp_socket(lab, "server", family, 7001) as stranger,
    ):
        laptop.sendto(b"out", (address(lab["server"], family), 7000))
        _, given = known.recvfrom(16)
        with lab.observe() as seen:
            stranger.sendto(b"unasked", given)
            for answer in (b"first answer", b"second answer"):  # what has not come before the second was not underway
                known.sendto(answer, given)
                assert laptop.recv(16) == answer
        assert who_saw(seen, protocol="udp", payload=b"unasked") == {"server", "isp", "home"}
        assert who_saw(seen, protocol="udp", payload=b"second answer") == {"server", "isp", "home", "lan", "laptop"}
