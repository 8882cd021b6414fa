"""Capture: complete when it says so, and honest when it is not."""

import socket

import pytest
from networks import one_host, two_hosts

from netlab.lab.lab import Lab
from netlab.observe.packets import Capture

pytestmark = pytest.mark.netns


def capture(lab: Lab, **options: int) -> Capture:
    return Capture({name: node.space.packet_socket() for name, node in lab.nodes.items()}, **options)


def udp(lab: Lab, count: int) -> None:
    with lab["client"].socket(kind=socket.SOCK_DGRAM) as sender, lab["server"].socket(kind=socket.SOCK_DGRAM) as receiver:
        receiver.bind(("10.0.0.2", 9))
        for number in range(count):
            sender.sendto(number.to_bytes(2, "big"), ("10.0.0.2", 9))


def test_every_packet_is_seen_at_both_ends() -> None:
    with Lab(two_hosts()) as lab:
        seen = capture(lab)
        seen.start()
        udp(lab, 500)
        packets = [packet for packet in seen.stop() if packet.data[12:14] == b"\x08\x00"]
        for host, direction in (("client", "out"), ("server", "in")):
            numbers = [int.from_bytes(packet.data[42:44], "big") for packet in packets if packet.host == host]
            # On the way a sender that changes processors may have its packets overtake each other; none is lost or doubled.
            assert (numbers if host == "client" else sorted(numbers)) == list(range(500)), host
            assert {packet.direction for packet in packets if packet.host == host} == {direction}
        assert seen.report().lost == 0
        assert all(packet.checksum_valid for packet in packets)


def test_a_buffer_that_is_too_small_loses_packets_and_says_so() -> None:
    with Lab(two_hosts()) as lab:
        seen = capture(lab, buffer=1)
        seen.start()
        udp(lab, 5000)
        packets = seen.stop()
        report = seen.report()
        assert report.lost > 0
        assert report.reason.startswith(f"the kernel dropped {report.lost} captured packets for want of buffer")
        assert len(packets) < 10000


def test_a_loopback_packet_is_seen_once_and_its_checksum_is_not_judged() -> None:
    with Lab(one_host()) as lab:
        seen = capture(lab)
        seen.start()
        with lab["host"].socket(kind=socket.SOCK_DGRAM) as sender:
            sender.sendto(b"x", ("127.0.0.1", 9))
        packets = seen.stop()
        # The datagram, and the ICMP error that answers it.
        assert [(packet.interface, packet.direction, packet.checksum_valid) for packet in packets] == [("lo", "in", False)] * 2


def test_a_silent_network_is_seen_to_be_silent() -> None:
    with Lab(one_host()) as lab:
        seen = capture(lab)
        seen.start()
        assert seen.stop() == []
        assert seen.report().available
