"""Capture: complete when it says so, and honest when it is not."""

import socket

import pytest
from networks import one_host, two_hosts

from netlab.lab.lab import Lab
from netlab.observe.packets import DEFAULT_BUFFER, Capture
from netlab.timeline.observations import Packet

pytestmark = pytest.mark.netns
both_ways = pytest.mark.parametrize("ring", [False, True], ids=["queue", "ring"])


def capture(lab: Lab, buffer: int = DEFAULT_BUFFER, *, ring: bool = False) -> Capture:
    return Capture({name: node.space.packet_socket() for name, node in lab.nodes.items()}, buffer, ring=ring)


def udp(lab: Lab, count: int) -> None:
    with lab["client"].socket(kind=socket.SOCK_DGRAM) as sender, lab["server"].socket(kind=socket.SOCK_DGRAM) as receiver:
        receiver.bind(("10.0.0.2", 9))
        for number in range(count):
            sender.sendto(number.to_bytes(2, "big"), ("10.0.0.2", 9))


@both_ways
def test_every_packet_is_seen_at_both_ends(ring: bool) -> None:
    with Lab(two_hosts()) as lab:
        seen = capture(lab, ring=ring)
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


@both_ways
def test_a_loopback_packet_is_seen_once_and_its_checksum_is_not_judged(ring: bool) -> None:
    with Lab(one_host()) as lab:
        seen = capture(lab, ring=ring)
        seen.start()
        with lab["host"].socket(kind=socket.SOCK_DGRAM) as sender:
            sender.sendto(b"x", ("127.0.0.1", 9))
        packets = seen.stop()
        # The datagram, and the ICMP error that answers it.
        assert [(packet.interface, packet.direction, packet.checksum_valid) for packet in packets] == [("lo", "in", False)] * 2


@both_ways
def test_a_silent_network_is_seen_to_be_silent(ring: bool) -> None:
    with Lab(one_host()) as lab:
        seen = capture(lab, ring=ring)
        seen.start()
        assert seen.stop() == []
        assert seen.report().available


@both_ways
def test_wait_returns_with_the_packet_and_settle_with_all_that_was_sent(ring: bool) -> None:
    with Lab(two_hosts()) as lab:
        seen = capture(lab, ring=ring)
        seen.start()
        try:
            udp(lab, 1)
            found: list[Packet] = []
            while not any(packet.data[12:14] == b"\x08\x00" for packet in found):
                seen.wait(5)
                fresh = seen.drain()
                assert fresh or ring  # a ring wakes for its canaries too
                found += fresh
            udp(lab, 50)
            seen.settle()
            assert sum(packet.data[12:14] == b"\x08\x00" for packet in (*found, *seen.drain())) == 2 * 51
        finally:
            seen.stop()


def test_many_sockets_are_closed_at_the_same_time() -> None:
    with Lab(two_hosts()) as lab:
        made = {f"tap{number}": lab.nodes["server"].space.packet_socket() for number in range(40)}
        seen = Capture(made)
        seen.start()
        udp(lab, 3)
        packets = seen.stop()
        assert all(each.fileno() == -1 for each in made.values())
        assert {packet.host for packet in packets} == set(made)
