"""home-nat: a home shares one address outside, and one port leads in."""

import errno
import shutil
import socket

import pytest
from topologies_help import BOTH, address, shipped, tcp_exchange, tcp_listener, udp_exchange, udp_socket, who_saw

pytestmark = [
    pytest.mark.netns,
    pytest.mark.skipif(shutil.which("nft") is None, reason="no program nft on the PATH (apt-get install nftables)"),
]


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
def test_nothing_else_leads_in(family: int) -> None:
    """Not another port of the nat's, not an inside address, and not the port that a host inside has been given."""
    with shipped("home-nat") as lab, tcp_listener(lab, "printer", family, 80), udp_socket(lab, "laptop", family, 5000) as laptop:
        outside = address(lab["home"], family, "wan")
        refusals = {}
        for to in ((outside, 80), (address(lab["printer"], family), 80)):
            with lab["server"].socket(laptop.family) as client, pytest.raises(OSError, match=r"refused|unreachable") as refused:
                client.settimeout(5)
                client.connect(to)
            refusals[to[0]] = refused.value.errno
        assert refusals == {outside: errno.ECONNREFUSED, address(lab["printer"], family): errno.ENETUNREACH}

        with udp_socket(lab, "server", family, 7000) as known, udp_socket(lab, "server", family, 7001) as stranger:
            laptop.sendto(b"out", (address(lab["server"], family), 7000))
            _, mapped = known.recvfrom(16)
            with lab.observe() as seen:
                stranger.sendto(b"unasked", mapped)
                for answer in (b"first answer", b"second answer"):
                    known.sendto(answer, mapped)
                    assert laptop.recv(16) == answer
        assert who_saw(seen, protocol="udp", payload=b"unasked") == {"server", "isp", "home"}
        assert who_saw(seen, protocol="udp", payload=b"second answer") == {"server", "isp", "home", "lan", "laptop"}


def test_the_names_outside_lead_to_the_nat_and_not_to_what_is_behind_it() -> None:
    with shipped("home-nat") as lab:
        with tcp_listener(lab, "printer", 4, 80) as listener:
            code = "import socket; print(socket.create_connection(('home', 8080), 5).getpeername()[0])"
            done = lab["server"].run(["python3", "-c", code], capture_output=True, text=True, check=True)
            with listener.accept()[0] as accepted:
                assert accepted.getsockname()[0] == address(lab["printer"])
        assert done.stdout.strip() in (address(lab["home"], family, "wan") for family in BOTH)
        assert listener.family == socket.AF_INET
