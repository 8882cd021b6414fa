"""path-mtu-discovery: the sender is told what fits, and sends that."""

import errno
import socket
import struct
import threading

import pytest
from icmp_errors import IcmpError, next_error, tell_errors
from topologies_help import BOTH, PORT, address, shipped, sightings, tcp_listener, udp_socket

from netlab.timeline.headers import decode

pytestmark = pytest.mark.netns

NARROW = 1400
ETHERNET = 14
UDP_HEADERS = {4: 28, 6: 48}
TOO_BIG = {4: ("icmp", 3, 4), 6: ("icmp6", 2, 0)}  # RFC 1191, section 4; RFC 4443, section 3.2
DONT_FRAGMENT = {4: (socket.IPPROTO_IP, 10, 2), 6: (socket.IPPROTO_IPV6, 23, 2)}  # IP_MTU_DISCOVER: IP_PMTUDISC_DO, and IPv6's
PATH_MTU = {4: (socket.IPPROTO_IP, 14), 6: (socket.IPPROTO_IPV6, 24)}  # IP_MTU, IPV6_MTU
TCP_INFO, PMTU = 11, 60


@pytest.mark.parametrize("family", BOTH)
def test_a_datagram_that_is_too_big_is_told_so_and_the_next_that_fits_arrives(family: int) -> None:
    with (
        shipped("path-mtu-discovery") as lab,
        udp_socket(lab, "server", family, PORT) as server,
        udp_socket(lab, "client", family) as client,
    ):
        client.setsockopt(*DONT_FRAGMENT[family])
        tell_errors(client, family)
        client.connect((address(lab["server"], family), PORT))
        assert client.getsockopt(*PATH_MTU[family]) == 1500
        client.send(bytes(1500 - UDP_HEADERS[family]))
        _, kind, code = TOO_BIG[family]
        near = address(lab["near"], family, "eth0")
        assert next_error(client, family) == IcmpError(errno=errno.EMSGSIZE, type=kind, code=code, info=NARROW, sender=near)
        assert client.getsockopt(*PATH_MTU[family]) == NARROW
        fits = bytes(NARROW - UDP_HEADERS[family])
        with pytest.raises(OSError, match="too long") as refused:
            client.send(fits + b"x")
        assert refused.value.errno == errno.EMSGSIZE
        client.send(fits)
        assert server.recv(2000) == fits


@pytest.mark.parametrize("family", BOTH)
@pytest.mark.parametrize(("sender", "receiver", "teller"), [("client", "server", "near"), ("server", "client", "far")])
def test_a_tcp_transfer_completes_with_smaller_segments(family: int, sender: str, receiver: str, teller: str) -> None:
    data = bytes(range(250)) * 400
    with (
        shipped("path-mtu-discovery") as lab,
        tcp_listener(lab, receiver, family) as listener,
        lab[sender].socket(listener.family) as sending,
    ):
        sending.settimeout(5)
        with lab.observe() as seen:
            sending.connect((address(lab[receiver], family), PORT))
            assert transferred(sending, listener, data) == data
            assert sending.getsockopt(*PATH_MTU[family]) == NARROW
            assert struct.unpack_from("=I", sending.getsockopt(socket.IPPROTO_TCP, TCP_INFO, 104), PMTU) == (NARROW,)
        protocol, kind, code = TOO_BIG[family]
        told = [decode(one.data) for one in sightings(seen, protocol=protocol, type=kind, code=code) if one.host == sender]
        nearest = address(lab[teller], family, "eth0" if teller == "near" else "eth1")
        assert {(headers.mtu, headers.source) for headers in told} == {(NARROW, nearest)}
    sent = [packet for packet in sightings(seen, protocol="tcp", dport=PORT) if packet.host == sender]
    arrived = [packet for packet in sightings(seen, protocol="tcp", dport=PORT) if packet.host == receiver]
    assert max(packet.length for packet in sent) == 1500 + ETHERNET
    assert max(packet.length for packet in arrived) == NARROW + ETHERNET
    if family == 4:
        assert {packet.data[ETHERNET + 6] >> 6 & 1 for packet in sent} == {1}  # "don't fragment" in each


def transferred(sending: socket.socket, listener: socket.socket, data: bytes) -> bytes:
    """What arrives of a connection's data."""
    sender = threading.Thread(target=sending.sendall, args=(data,))
    sender.start()
    try:
        found = bytearray()
        with listener.accept()[0] as accepted:
            accepted.settimeout(5)
            while len(found) < len(data):
                found += accepted.recv(1 << 16)
    finally:
        sender.join()
    return bytes(found)
