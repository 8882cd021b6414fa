"""Loss and jitter as real stacks meet them: as often, and as spread, as was asked for, and the same again in every run."""

import math
import socket
import struct
import time
from contextlib import closing
from statistics import NormalDist

import pytest
from networks import HERE, two_hosts
from wired import on_one_processor

from netlab.impair.wire import Wire
from netlab.lab.lab import Lab
from netlab.notation.parse import parse_packet
from netlab.timeline.observations import Decision
from netlab.topology.spec import Rule
from netlab.units import Duration

pytestmark = pytest.mark.netns

COUNT, AT_ONCE = 2000, 100
LOSS, DELAY, JITTER = 0.1, 1_000_000, 200_000
MATCH = parse_packet("client > server udp")
RULES = (
    Rule(match=MATCH, action="drop", chance=LOSS, place=HERE),
    Rule(match=MATCH, action="delay", delay=Duration(DELAY), jitter=Duration(JITTER), distribution="normal", place=HERE),
)
SO_TIMESTAMPNS = 35
CLOCKS_DIFFER = 100_000
"""By how much the two clocks that a delay passes through may be slewed apart meanwhile, ns."""


def sent(seed: int) -> tuple[dict[int, int], dict[int, Decision]]:
    """Send datagrams: how late each came that did (ns), and what was decided about each, by its number from 1."""
    late: dict[int, int] = {}
    decided: dict[int, Decision] = {}
    with on_one_processor(), Lab(two_hosts((("client", "server"), RULES))) as lab, Wire.of(lab, seed=seed) as wire:
        with (
            closing(lab["server"].socket(kind=socket.SOCK_DGRAM)) as there,
            closing(lab["client"].socket(kind=socket.SOCK_DGRAM)) as here,
        ):
            there.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
            there.bind(("10.0.0.2", 5000))
            there.settimeout(20)
            here.connect(("10.0.0.2", 5000))
            for first in range(1, COUNT, AT_ONCE):
                for number in range(first, first + AT_ONCE):
                    here.send(struct.pack("=iq", number, time.time_ns()))
                deadline = time.monotonic() + 20
                while len(decided) < first + AT_ONCE - 1 and time.monotonic() < deadline:
                    decided |= {int(one.key.rpartition(" ")[2]): one for one in wire.drain()}
                for _ in range(sum(one.action == "delay" for one in decided.values()) - len(late)):
                    data, ((_, _, stamp),), _, _ = there.recvmsg(100, 100)
                    number, at = struct.unpack("=iq", data)
                    seconds, nanoseconds = struct.unpack("=qq", stamp)
                    late[number] = seconds * 1_000_000_000 + nanoseconds - at
        assert wire.report().lost == 0
    return late, decided


def test_loss_and_jitter_are_as_asked_and_the_same_again() -> None:
    late, decided = sent(1)
    assert sorted(decided) == list(range(1, COUNT + 1))
    assert set(late) == {number for number, one in decided.items() if one.action == "delay"}

    margin = 3.9 * math.sqrt(COUNT * LOSS * (1 - LOSS))
    assert abs(COUNT - len(late) - COUNT * LOSS) < margin

    delays = {number: decided[number].values["delay"] for number in late}
    assert all(late[number] > delay - CLOCKS_DIFFER for number, delay in delays.items()), "none comes before its time"
    asked, ordered = NormalDist(DELAY, JITTER), sorted(delays.values())
    apart = max(abs(asked.cdf(delay) - (n + 0.5) / len(ordered)) for n, delay in enumerate(ordered))
    assert apart < 2.2 / math.sqrt(len(ordered)), "the Kolmogorov-Smirnov statistic"

    _, again = sent(1)
    _, other = sent(2)
    first, same, different = ({number: (one.action, one.values) for number, one in run.items()} for run in (decided, again, other))
    assert first == same
    assert first != different
