"""A link shared between the wire and the kernel: each does its part, and it goes from one to the other as what is asked changes."""

import json
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from labs import lab, netlab, until
from networks import HERE, two_hosts
from wired import on_one_processor

from netlab.impair.engines import BESIDE, NFT, WIRE
from netlab.impair.in_kernel import netfilter_of
from netlab.impair.script import Script
from netlab.impair.wire import Wire, WireLink
from netlab.lab.lab import Lab
from netlab.notation.parse import parse_packet
from netlab.timeline.timeline import Node
from netlab.topology.spec import Rule

pytestmark = pytest.mark.netns

THERE, BACK = ("client", "server"), ("server", "client")
WAY = "client->server"
END = bytes.fromhex("88b5") + b"the end".ljust(50, b"\0")


def rule(pattern: str, action: str, *nth: int, **fields: Any) -> Rule:
    return Rule(match=parse_packet(pattern), action=action, occurrences=frozenset(nth), place=HERE, **fields)


def engine(wire: Wire) -> str:
    ((_, found),) = wire.engines.items()
    return found.name


def through(wire: Wire) -> int:
    """How many frames the wire itself has forwarded."""
    return sum(port.forwarded for port in wire._ports)


@contextmanager
def ruled(*rules: Rule, stay: bool = False) -> Iterator[tuple[Lab, Wire]]:
    with Lab(two_hosts((THERE, rules)), stay=stay) as lab, Wire.of(lab) as wire:
        yield lab, wire


@contextmanager
def counting(*rules: Rule, seed: int | None = None) -> Iterator[tuple[Lab, Wire]]:
    """A link whose decisions nobody records one by one."""
    topology = two_hosts((THERE, rules))
    with Lab(replace(topology, links=(replace(topology.links[0], by_wire=True),))) as lab:
        (middle,) = lab.middles.values()
        assert middle.sockets is not None
        nodes = {name: Node(kind=node.kind, addresses=node.addresses) for name, node in lab.nodes.items()}
        link = WireLink(link=lab.topology.links[0], sockets=middle.sockets, netfilter=netfilter_of(middle))
        with Wire([link], nodes, seed=seed, recorded=False) as wire:
            yield lab, wire


@contextmanager
def connected(lab: Lab) -> Iterator[tuple[socket.socket, socket.socket]]:
    with ExitStack() as stack:
        listener = stack.enter_context(lab["server"].socket())
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("10.0.0.2", 8080))
        listener.listen()
        client = stack.enter_context(lab["client"].socket())
        client.settimeout(20)
        client.connect(("10.0.0.2", 8080))
        accepted = stack.enter_context(listener.accept()[0])
        accepted.settimeout(20)
        yield client, accepted


def carry(client: socket.socket, accepted: socket.socket, pieces: int = 20) -> None:
    """A stream one way, of pieces that fit the sockets' buffers, each of which is answered."""
    piece = bytes(range(256)) * 64
    for _ in range(pieces):
        client.sendall(piece)
        got = b""
        while len(got) < len(piece):
            got += accepted.recv(1 << 16)
        assert got == piece
        accepted.send(b"!")
        assert client.recv(1) == b"!"


def passed(lab: Lab, count: int) -> list[int]:
    """Which of so many datagrams come; a frame that no rule means is sent after them, and is the last to come."""
    with (
        closing(lab["client"].socket(kind=socket.SOCK_DGRAM)) as client,
        closing(lab["server"].socket(kind=socket.SOCK_DGRAM)) as server,
        closing(lab["client"].space.packet_socket("eth0")) as raw,
        closing(lab["server"].space.packet_socket("eth0", ignore_outgoing=True)) as tap,
        on_one_processor(),
    ):
        server.bind(("10.0.0.2", 9))
        tap.settimeout(20)
        for number in range(count):
            client.sendto(bytes([number]), ("10.0.0.2", 9))
        raw.send(bytes(12) + END)
        found = []
        while not (frame := tap.recv(2000)).endswith(END):
            if frame[23] == 17 and frame[12:14] == b"\x08\x00":
                found.append(frame[42])
        return found


def neighbours(lab: Lab) -> None:
    """Have each know the other's hardware address: nobody listens there."""
    with closing(lab["client"].socket()) as client, pytest.raises(ConnectionRefusedError):
        client.connect(("10.0.0.2", 7))


@pytest.mark.parametrize("stay", [False, True], ids=["held", "kept"])
def test_a_rule_about_syns_costs_the_stream_no_way_through_the_wire(stay: bool) -> None:
    with ruled(rule("S", "drop", 1), stay=stay) as (lab, wire), connected(lab) as (client, accepted):
        assert engine(wire) == BESIDE
        carry(client, accepted)
        (decision,) = wire.drain()
        assert (decision.action, decision.occurrence, decision.key) == ("drop", 1, "client>server:8080 #1 S 1")
        report = wire.report()
        assert report.lost == 0
        assert report.notes == ("client:eth0-server:eth0: wire beside nft: no rule means a TCP segment without SYN",)
        assert through(wire) < 100 < report.seen


def test_segments_that_senders_leave_whole_pass_the_wire_whole() -> None:
    topology = two_hosts((THERE, (rule("S", "drop", 1),)))
    offloads = frozenset({"tx", "rx", "sg", "tso", "gso", "gro"})
    topology = replace(topology, links=(replace(topology.links[0], offloads=offloads),))
    with Lab(topology) as lab, Wire.of(lab) as wire, connected(lab) as (client, accepted):
        assert engine(wire) == BESIDE
        with closing(lab["server"].space.packet_socket("eth0", ignore_outgoing=True)) as tap:
            carry(client, accepted)
            tap.setblocking(False)
            sizes = []
            with suppress(BlockingIOError):
                while True:
                    sizes.append(len(tap.recv(1 << 17)))
        assert max(sizes) > 10_000
        assert [one.action for one in wire.drain()] == ["drop"]
        assert through(wire) < 100


def test_a_rule_that_means_data_has_all_go_through_the_wire() -> None:
    with ruled(rule("P.", "drop", 1)) as (lab, wire), connected(lab) as (client, accepted):
        assert engine(wire) == WIRE
        carry(client, accepted)
        assert [one.action for one in wire.drain()] == ["drop"]
        assert through(wire) == wire.report().seen > 100


def test_who_is_told_of_each_frame_gets_every_frame() -> None:
    moved: list[int] = []
    with ruled(rule("S", "drop", 1)) as (lab, wire):
        wire.watch(lambda: moved.append(1))
        assert engine(wire) == WIRE
        with connected(lab) as (client, accepted):
            carry(client, accepted)
        assert len(moved) > 200


def test_beside_the_kernel_and_alone_the_wire_decides_the_same() -> None:
    """Of some connections' SYNs and SYN-ACKs and of datagrams, by chance: by the same names, whoever forwards the rest."""
    wanted = (rule("S", "duplicate", chance=0.5), rule("udp", "drop", every=3), rule("udp", "duplicate", chance=0.5))
    found: dict[str, list[tuple[str, str, int]]] = {}
    for watched in (False, True):
        with Lab(two_hosts((THERE, wanted), (BACK, (rule("S.", "duplicate", chance=0.5),)))) as lab, Wire.of(lab, seed=3) as wire:
            if watched:
                wire.watch(lambda: None)
            for _ in range(8):
                with connected(lab) as (client, accepted):
                    carry(client, accepted, 2)
            passed(lab, 20)
            decided = [(one.action, one.key, one.occurrence) for one in wire.drain()]
            found[engine(wire)] = sorted(one for one in decided)
    assert found[BESIDE] == found[WIRE]
    assert len(found[WIRE]) > 10


def test_what_was_recorded_is_done_again_by_the_wire() -> None:
    drop = rule("S", "drop", 1)
    with ruled(drop) as (lab, wire), connected(lab):
        decisions = wire.drain()
    with Lab(two_hosts((THERE, (drop,)))) as lab, Wire.of(lab, script=Script.of(decisions, [drop])) as wire:
        assert wire.engines["client:eth0-server:eth0"].why == "what was recorded is done again"
        with connected(lab):
            assert [one.key for one in wire.drain()] == [one.key for one in decisions]


def test_what_is_only_dropped_is_the_kernels_until_more_is_asked_and_no_packet_is_counted_twice() -> None:
    """Every third datagram, whoever counts them: of the first 30, of 31 more, and of 29 more."""
    with counting(rule("udp", "drop", every=3)) as (lab, wire):
        assert engine(wire) == NFT
        neighbours(lab)
        found = [passed(lab, 30)]
        wire.impair(WAY, [rule("S.", "mark", 1), rule("P.", "corrupt", 1000)])
        assert engine(wire) == WIRE
        found.append(passed(lab, 31))
        wire.heal(WAY)
        assert engine(wire) == NFT
        found.append(passed(lab, 29))
        decisions = wire.drain()
        assert found == [[n for n in range(count) if (n + first) % 3] for count, first in ((30, 1), (31, 1), (29, 2))]
        assert sum(one.values["dropped"] for one in decisions if one.engine == "nft") == 10 + 10
        assert sum(one.engine == "wire" for one in decisions) == 10
        assert wire.report().lost == 0


def test_a_lab_that_stays_drops_at_the_kernels_speed_by_chance_only_where_no_seed_is_said() -> None:
    with counting(rule("udp", "drop", chance=0.5)) as (_, wire):
        assert engine(wire) == NFT
    with counting(rule("udp", "drop", chance=0.5), seed=7) as (_, wire):
        assert engine(wire) == BESIDE


RULED = """# Every second datagram is dropped, and of segments one in four.
nodes: {client: {}, server: {}}
links:
  - endpoints: [client, server]
    impair:
      client->server: [{match: udp, action: drop, every: 2}, {match: P., action: drop, chance: 25%}]
"""


@pytest.mark.parametrize("rootless", [False, True], ids=["", "rootless"])
@pytest.mark.parametrize("seed", [(), ("--seed", 7)], ids=["", "seed"])
def test_a_lab_that_stays_says_what_carries_its_rules_out(rootless: bool, seed: tuple[object, ...]) -> None:
    with tempfile.TemporaryDirectory() as folder:  # any user may read it, as pytest's own folders are not
        path = Path(folder, "ruled.yaml")
        path.write_text(RULED)
        path.parent.chmod(0o755)
        with lab(path, *seed, rootless=rootless) as called:

            def dropped() -> tuple[str, dict[str, int]]:
                (link,) = json.loads(netlab("impair", called, "--json", rootless=rootless).stdout)["links"]
                return link["engine"], link["directions"]["client->server"][0]["did"]

            words = (
                "wire: P. may be a TCP segment of an open connection" if seed else "nft: its rules drop for as long as they stand"
            )
            assert dropped() == (words, {})
            send = "import socket; s = socket.socket(type=socket.SOCK_DGRAM); [s.sendto(b'x', ('server', 9)) for _ in range(9)]"
            ran = netlab("exec", "--lab", called, "client", "--", sys.executable, "-c", send, rootless=rootless)
            assert (ran.returncode, ran.stderr) == (0, "")
            assert until(lambda: dropped() == (words, {"drop": 4}))
