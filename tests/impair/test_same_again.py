"""The kernel's own TCP meets the same losses in every run, and in a replay those of the run before, however it cuts streams."""

import random
import socket
import threading
from contextlib import closing

import pytest
from networks import HERE, two_hosts

from netlab.impair.script import Script
from netlab.impair.wire import Wire
from netlab.lab.lab import Lab
from netlab.notation.parse import parse_packet
from netlab.timeline.observations import Decision
from netlab.topology.spec import Rule

pytestmark = pytest.mark.netns

SIZE = 1_500_000
EITHER_WAY = (Rule(match=parse_packet("tcp"), action="drop", chance=0.02, place=HERE),)
LOSS = (Rule(match=parse_packet("client > server tcp"), action="drop", chance=0.02, place=HERE),)


def sent(run: int, *, script: Script | None = None) -> list[Decision]:
    """Send a stream in writes of sizes that are other ones in each run; gives what was done to it."""
    generator = random.Random(run)
    received = 0
    topology = two_hosts((("client", "server"), LOSS))
    with Lab(topology) as lab, Wire.of(lab, seed=1, script=script) as wire, closing(lab["server"].socket()) as listener:
        listener.bind(("0.0.0.0", 8080))
        listener.listen()
        with closing(lab["client"].socket()) as client:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            client.settimeout(30)

            def write() -> None:
                left = SIZE
                while left:
                    left -= client.send(bytes(min(left, generator.randrange(1, 20_000))))
                client.shutdown(socket.SHUT_WR)

            client.connect(("10.0.0.2", 8080))
            accepted, _ = listener.accept()
            writer = threading.Thread(target=write)
            writer.start()
            with closing(accepted):
                accepted.settimeout(30)
                while data := accepted.recv(1 << 16):
                    received += len(data)
            writer.join()
        assert received == SIZE
        assert wire.report().lost == 0
        return wire.drain()


def firsts(decisions: list[Decision]) -> set[str]:
    """What is lost of a stream that passes for the first time: what TCP sends again, and when, is its own affair."""
    return {one.key for one in decisions if " data " in one.key and one.key.endswith(" 1")}


def test_the_same_bytes_are_lost_in_every_run_and_in_a_replay() -> None:
    runs = [sent(run) for run in (1, 2)]
    assert firsts(runs[0]) == firsts(runs[1])
    assert len(firsts(runs[0])) > 5
    assert runs[0][0].values == {}
    replayed = sent(3, script=Script.of(runs[0], LOSS))
    assert firsts(replayed) == firsts(runs[0])
    assert {one.key for one in replayed} <= {one.key for one in runs[0]}


def receive(made: socket.socket, size: int) -> None:
    while size:
        size -= len(made.recv(min(size, 1 << 16)))


def crossed() -> set[tuple[str, str]]:
    """Send streams both ways at once; gives what was lost of each when it passed first."""
    topology = two_hosts((("client", "server"), EITHER_WAY), (("server", "client"), EITHER_WAY))
    with Lab(topology) as lab, Wire.of(lab, seed=1) as wire, closing(lab["server"].socket()) as listener:
        listener.bind(("0.0.0.0", 8080))
        listener.listen()
        with closing(lab["client"].socket()) as client:
            client.connect(("10.0.0.2", 8080))
            accepted, _ = listener.accept()
            with closing(accepted):
                both = client, accepted
                for one in both:
                    one.settimeout(30)
                work = [threading.Thread(target=one.sendall, args=(bytes(SIZE),)) for one in both]
                work += [threading.Thread(target=receive, args=(one, SIZE)) for one in both]
                for thread in work:
                    thread.start()
                for thread in work:
                    thread.join()
        assert wire.report().lost == 0
        decisions = wire.drain()
    return {(one.direction, one.key) for one in decisions if one.key in firsts(decisions)}


def test_streams_both_ways_at_once_lose_the_same_bytes_in_every_run() -> None:
    one, other = crossed(), crossed()
    assert one == other
    assert {direction for direction, _ in one} == {"client->server", "server->client"}
