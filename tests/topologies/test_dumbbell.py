"""dumbbell: one flow gets the whole rate of the link in the middle, two share it, and the directions have a queue each."""

import select
import time
from collections.abc import Sequence
from contextlib import ExitStack
from socket import SO_SNDBUF, SOL_SOCKET, socket

import pytest
from topologies_help import BOTH, PORT, WITHIN, address, hop_counts, hosts, route, shipped, tcp_listener, udp_socket

from netlab.api import Lab

pytestmark = pytest.mark.netns
RATE = 4_000_000  # so slow that the queue stays filled while a busy machine runs something else


def rates(lab: Lab, flows: Sequence[tuple[str, str]], family: int, total: int) -> list[float]:
    """What each flow brings, in bits a second, while all send as fast as they may until ``total`` bytes have arrived together."""
    with ExitStack() as stack:
        near: list[socket] = []
        far: dict[int, tuple[int, socket]] = {}
        for number, (source, target) in enumerate(flows):
            listener = stack.enter_context(tcp_listener(lab, target, family))
            sending = stack.enter_context(lab[source].socket(listener.family))
            sending.setsockopt(SOL_SOCKET, SO_SNDBUF, 1 << 18)
            sending.settimeout(WITHIN)
            sending.connect((address(lab[target], family), PORT))
            receiving = stack.enter_context(listener.accept()[0])
            for each in (sending, receiving):
                each.setblocking(False)
            near.append(sending)
            far[receiving.fileno()] = number, receiving
        waiting = select.poll()
        for one in near:
            waiting.register(one, select.POLLOUT)
        for fd in far:
            waiting.register(fd, select.POLLIN)
        arrived = [0] * len(flows)
        block = bytes(1 << 14)
        began = time.monotonic()
        while sum(arrived) < total:
            ready = waiting.poll(WITHIN * 1000)
            assert ready, f"nothing moves any more after {arrived}"
            for fd, _ in ready:
                if fd in far:
                    number, receiving = far[fd]
                    arrived[number] += len(receiving.recv(1 << 16))
                else:
                    next(one for one in near if one.fileno() == fd).send(block)
        took = time.monotonic() - began
    return [8 * count / took for count in arrived]


def test_every_host_reaches_every_other_and_the_two_sides_meet_in_the_middle() -> None:
    with shipped("dumbbell") as lab:
        for family in BOTH:
            found = hop_counts(lab, hosts(lab), hosts(lab), family)
            assert {pair: count for pair, count in found.items() if count != (1 if pair[0][:4] == pair[1][:4] else 2)} == {}
            assert len(found) == 8 * 7
            assert route(lab, "left1", "right4", family) == ["west", "east", "right4"]
            assert route(lab, "right2", "left2", family) == ["east", "west", "left2"]
            assert route(lab, "left1", "left2", family) == ["west", "left2"]


@pytest.mark.parametrize("family", BOTH)
def test_one_flow_gets_the_whole_rate_and_two_share_it(family: int) -> None:
    with shipped("dumbbell", rate=f"{RATE}bit") as lab:
        (alone,) = rates(lab, [("left1", "right1")], family, 200_000)
    assert 0.6 * RATE < alone < RATE
    with shipped("dumbbell", rate=f"{RATE}bit") as lab:
        shares = rates(lab, [("left1", "right1"), ("left2", "right2")], family, 250_000)
    assert 0.6 * RATE < sum(shares) < RATE
    assert min(shares) > 0.1 * sum(shares), "neither flow starves"


def test_each_direction_has_the_whole_rate_for_itself() -> None:
    with shipped("dumbbell", rate=f"{RATE}bit") as lab:
        there, back = rates(lab, [("left1", "right1"), ("right2", "left2")], 4, 250_000)
    assert there < RATE
    assert back < RATE
    assert there + back > 1.2 * RATE


def test_hosts_of_the_same_side_do_not_share_the_bottleneck() -> None:
    with shipped("dumbbell", rate=f"{RATE}bit") as lab:
        (beside,) = rates(lab, [("left1", "left2")], 4, 1_000_000)
    assert beside > 1.5 * RATE


def test_the_rate_and_the_queue_are_variables() -> None:
    with shipped("dumbbell") as lab:
        (usual,) = rates(lab, [("left1", "right1")], 6, 300_000)
    assert RATE < usual < 10_000_000
    with shipped("dumbbell", rate="2mbit", queue=20, hosts=1) as lab:
        assert hosts(lab) == ["left1", "right1"]
        assert burst(lab, 80) < 60
        (slow,) = rates(lab, [("left1", "right1")], 6, 60_000)
    assert slow < 2_000_000
    with shipped("dumbbell", rate="2mbit", queue=80, hosts=1) as lab:
        assert burst(lab, 80) == 80


def burst(lab: Lab, count: int) -> int:
    """How many of so many datagrams arrive that are sent at once; when one comes that was sent after them, no more of them will."""
    with udp_socket(lab, "right1", port=PORT) as receiving, udp_socket(lab, "left1") as sending:
        sending.connect((address(lab["right1"]), PORT))
        for number in range(count):
            sending.send(number.to_bytes(1000))
        receiving.settimeout(0.1)
        arrived = 0
        deadline = time.monotonic() + WITHIN
        while time.monotonic() < deadline:
            try:
                if receiving.recv(2000) == b"after":
                    return arrived
                arrived += 1
            except TimeoutError:
                sending.send(b"after")
        raise TimeoutError(f"after {arrived} datagrams nothing has arrived")
