"""The wire in real labs: what a rule drops is retransmitted, what it holds waits, and all else goes through as it came."""

import errno
import os
import select
import socket
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
from networks import two_hosts

from netlab.document import Document
from netlab.errors import LabError
from netlab.impair.wire import Wire
from netlab.lab.lab import Lab
from netlab.timeline.observations import Decision
from netlab.topology.load import parse_topology

pytestmark = pytest.mark.netns

TOPOLOGY = """# Two hosts on one wire, with rules.
name: ruled
nodes:
  client: {}
  server: {}
links:
  - endpoints: [client, server]
    subnets: [10.0.0.0/24, "fd00::/64"]
    impair:
"""
HOLD_SYNS = """
      client->server: [{match: S, action: hold, barrier: syns}]
      server->client: [{match: S, action: hold, barrier: syns}]
"""


@contextmanager
def ruled(rules: str) -> Iterator[tuple[Lab, Wire]]:
    topology = parse_topology(Document.parse(TOPOLOGY + rules, "ruled.yaml"))
    with Lab(topology) as lab, Wire.of(lab) as wire:
        yield lab, wire


def packet_left(lab: Lab, host: str) -> socket.socket:
    return lab[host].space.packet_socket("eth0")


def connecting(lab: Lab, host: str, port: int, to: tuple[str, int]) -> socket.socket:
    made = lab[host].socket()
    made.bind(("0.0.0.0", port))
    made.setblocking(False)
    assert made.connect_ex(to) == errno.EINPROGRESS
    return made


def connected(made: socket.socket, within: float = 10.0) -> bool:
    poll = select.poll()
    poll.register(made, select.POLLOUT)
    return bool(poll.poll(within * 1000)) and made.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0


def decided(wire: Wire, count: int, within: float = 10.0) -> list[Decision]:
    found: list[Decision] = []
    deadline = time.monotonic() + within
    while len(found) < count and time.monotonic() < deadline:
        found += wire.drain()
        select.select([], [], [], 0.001)
    return found


def test_a_dropped_syn_ack_is_retransmitted_and_passes_the_second_time() -> None:
    with ruled("      server->client: [{match: S., action: drop, nth: 1}]") as (lab, wire):
        with closing(lab["server"].socket()) as listener, closing(lab["client"].socket()) as client:
            listener.bind(("10.0.0.2", 8080))
            listener.listen()
            client.settimeout(20)
            client.connect(("10.0.0.2", 8080))
            port = client.getsockname()[1]
        (decision,) = wire.drain()
        assert (decision.action, decision.rule, decision.occurrence) == ("drop", "S.", 1)
        assert (decision.link, decision.place) == ("client:eth0-server:eth0", "ruled.yaml:10:24")
        assert decision.packet.startswith(f"server:8080 > client:{port} S. seq 0 ack 1 win ")
        assert (wire.report().lost, wire.report().available) == (0, True)


def test_both_syns_held_and_released_open_simultaneously() -> None:
    with ruled(HOLD_SYNS) as (lab, wire):
        client = connecting(lab, "client", 7000, ("10.0.0.2", 8000))
        server = connecting(lab, "server", 8000, ("10.0.0.1", 7000))
        with closing(client), closing(server):
            held = decided(wire, 2)
            wire.release("syns")
            assert connected(client)
            assert connected(server)
            client.send(b"hello")
            server.setblocking(True)
            assert server.recv(10) == b"hello"
        released = wire.drain()
        assert [(one.action, one.occurrence) for one in held] == [("hold", 1), ("hold", 1)]
        assert [(one.action, one.packet) for one in released] == [("release", one.packet) for one in held]
        # Which is first is the hosts' affair: one of them had to ask for the other's hardware address.
        assert {(one.packet.split(" seq")[0], one.place) for one in held} == {
            ("client:7000 > server:8000 S", "ruled.yaml:11:24"),
            ("server:8000 > client:7000 S", "ruled.yaml:12:24"),
        }


def test_after_a_release_what_matches_passes() -> None:
    with ruled(HOLD_SYNS) as (lab, wire), closing(lab["server"].socket()) as listener:
        listener.bind(("10.0.0.2", 8080))
        listener.listen()
        wire.release("syns")
        with closing(lab["client"].socket()) as client:
            client.connect(("10.0.0.2", 8080))
        assert wire.drain() == []
        with pytest.raises(ValueError, match="no rule holds packets at the barrier 'sins'; barriers are: syns"):
            wire.release("sins")


def test_what_is_held_goes_out_in_the_order_of_arrival() -> None:
    with ruled("      client->server: [{match: udp, action: hold, barrier: all}]") as (lab, wire):
        with (
            closing(lab["server"].socket(kind=socket.SOCK_DGRAM)) as server,
            closing(lab["client"].socket(kind=socket.SOCK_DGRAM)) as client,
        ):
            server.bind(("10.0.0.2", 53))
            server.settimeout(10)
            for number in range(1, 51):
                client.sendto(bytes(number), ("10.0.0.2", 53))
            # Not the order of sending: a sender that the kernel moves to another processor has its packets overtake each other.
            held = decided(wire, 50)
            arrived = [int(one.packet.rpartition("len ")[2]) for one in held]
            wire.release("all")
            assert [len(server.recv(100)) for _ in range(50)] == arrived
        assert sorted(arrived) == list(range(1, 51))
        assert [one.action for one in [*held, *wire.drain()]] == ["hold"] * 50 + ["release"] * 50


@pytest.mark.parametrize(("family", "address"), [(socket.AF_INET, "10.0.0.2"), (socket.AF_INET6, "fd00::2")])
def test_a_stream_goes_through_whole_in_both_families(family: int, address: str) -> None:
    data = os.urandom(1 << 20)
    with ruled("      both: [{match: R, action: drop}]") as (lab, wire):
        with closing(lab["server"].socket(family)) as listener, closing(lab["client"].socket(family)) as client:
            listener.bind((address, 8080))
            listener.listen()
            client.settimeout(20)
            client.connect((address, 8080))
            accepted, _ = listener.accept()
            with accepted:
                accepted.settimeout(20)
                received, rest = bytearray(), memoryview(data)
                client.setblocking(False)
                while len(received) < len(data):
                    readable, writable, _ = select.select([accepted], [client] if rest else [], [], 20)
                    assert readable or writable
                    if writable:
                        rest = rest[client.send(rest) :]
                    if readable:
                        received += accepted.recv(1 << 16)
        assert received == data
        assert wire.drain() == []
        assert wire.report().lost == 0


def test_frames_are_forwarded_verbatim_with_vlan_tags_and_unknown_types() -> None:
    with ruled("      both: [{match: R, action: drop}]") as (lab, _):
        hardware = bytes.fromhex(lab["server"].interfaces["eth0"].hardware.replace(":", ""))
        ends = hardware + bytes.fromhex("020000000001")
        frames = [
            ends + bytes.fromhex("88b5") + b"an experiment" * 10,
            ends + bytes.fromhex("8100 0005 88b5") + b"tagged" * 10,
            ends + bytes.fromhex("88a8 0007 8100 0005 88b5") + b"twice" * 10,
            ends + bytes.fromhex("88b5") + bytes(1500),
        ]
        # The two sockets of the wire are the only place where frames can be seen as they come out of it.
        with closing(packet_left(lab, "client")) as client, closing(packet_left(lab, "server")) as server:
            server.setsockopt(263, 8, 1)
            for frame in frames:
                client.send(frame)
            seen: list[bytes] = []
            server.settimeout(10)
            while len(seen) < len(frames):
                data, ancillary, _, _ = server.recvmsg(1 << 16, 256)
                if data[:12] == ends:
                    tag = next(value for level, name, value in ancillary if (level, name) == (263, 8))
                    if int.from_bytes(tag[:4], "little") & 1 << 4:
                        data = data[:12] + tag[18:20][::-1] + tag[16:18][::-1] + data[12:]
                    seen.append(data)
        assert seen == frames


def test_a_lab_without_rules_needs_no_wire() -> None:
    with Lab(two_hosts()) as lab, Wire.of(lab) as wire:
        assert wire.drain() == []
        assert (wire.report().seen, wire.report().lost) == (0, 0)


def test_it_stops_at_once_and_leaves_no_descriptor() -> None:
    before = len(os.listdir("/proc/self/fd"))
    with ruled(HOLD_SYNS) as (lab, wire), closing(connecting(lab, "client", 7000, ("10.0.0.2", 8000))):
        decided(wire, 1)
        began = time.monotonic()
        wire.stop()
        assert time.monotonic() - began < 1
        wire.stop()
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_wire_that_failed_says_so() -> None:
    topology = parse_topology(Document.parse(TOPOLOGY + HOLD_SYNS, "ruled.yaml"))
    with Lab(topology) as lab:
        wire = Wire.of(lab)
        # A frame that the far interface cannot carry: its mtu is smaller than what the near one lets in.
        middle = next(iter(lab.middles.values()))
        with closing(middle.space.socket(kind=socket.SOCK_DGRAM)) as control:
            import fcntl
            import struct

            fcntl.ioctl(control, 0x8922, struct.pack("16si12x", b"far", 1000))
        wire.start()
        with closing(packet_left(lab, "client")) as client:

            def send_until_it_fails() -> None:
                # A busy machine was seen to drop a first frame within the veth itself (1 in 600, counted as its tx drop).
                for _ in range(100):
                    client.send(bytes(12) + bytes.fromhex("88b5") + bytes(1400))
                    decided(wire, 1, within=0.1)

            with pytest.raises(LabError, match=r"the wire stopped: .*Message too long"):
                send_until_it_fails()
        wire.stop()
        assert not wire.report().available
