"""What is done to packets, printed in the words of a file, reads back as the same."""

from dataclasses import replace

import pytest

from netlab.document import Document
from netlab.topology.load import parse_topology
from netlab.topology.printed import print_round_trips, print_rule, print_shape
from netlab.topology.said import read_said

TOPOLOGY = parse_topology(Document.parse("nodes:\n  client: {}\n  server: {}\nlinks:\n  - endpoints: [client, server]\n", "n.yaml"))

RULES = [
    "{action: drop}",
    "{match: S., nth: 2, action: drop}",
    "{match: client > server S, nth: [1, 3], action: drop}",
    "{match: 'tcp <mss 1460> seq 0', every: 3, action: drop}",
    "{filter: 'tcp[13] & 2 != 0 and not port 80', range: 2-5, action: drop}",
    "{range: 2-, byte: 1000, action: drop}",
    "{chance: 0.1%, seed: 7, window: 1s-2s, action: drop}",
    "{window: 1500us-, action: drop}",
    "{range: 1-5, window: -90s, action: drop}",
    "{before: data, action: drop}",
    "{match: arp, action: hold, barrier: both syns}",
    "{action: delay, delay: 10ms, jitter: 1234567ns, distribution: normal}",
    "{match: udp, action: duplicate, copies: 3}",
    "{match: F., action: reorder, by: 2}",
    "{action: corrupt, field: tcp.checksum, value: 0}",
    "{action: corrupt, field: bit 160}",
    "{action: truncate, length: 40}",
    "{action: mark, mark: ect0}",
    "{match: ., action: reset, toward: sender}",
    "{action: icmp, icmp: fragmentation-needed, mtu: 1280}",
]
SHAPES = [
    "{delay: 10ms}",
    "{delay: 1min, jitter: 1500us, loss: 0.1%, duplicate: 100%, corrupt: 12.5%, reorder: 25%, rate: 1500kbit, limit: 9, seed: 0}",
    "{rate: 10gbit}",
    "{rate: 1001bit}",
]


@pytest.mark.parametrize("text", RULES)
def test_a_rule_reads_back(text: str) -> None:
    (said,) = read_said("client->server", text, TOPOLOGY)
    (rule,) = said.rules
    printed = print_rule(rule)
    (again,) = read_said("client->server", printed, TOPOLOGY)[0].rules
    assert replace(again, match=rule.match) == rule
    assert again.match.text == rule.match.text
    # what an action does if nobody says otherwise may be printed all the same
    assert printed[:-1].startswith(text[:-1])


@pytest.mark.parametrize("text", SHAPES)
def test_quantities_read_back(text: str) -> None:
    (said,) = read_said("client->server", text, TOPOLOGY)
    assert said.shape is not None
    assert print_shape(said.shape) == text


def test_a_round_trip_is_the_sum_of_both_delays_and_told_of_links_that_have_any() -> None:
    text = (
        "nodes: {a: {}, b: {}, c: {}}\nlinks:\n"
        "  - {endpoints: [a, b], impair: {both: {delay: 1500us, jitter: 1ms}}}\n"
        "  - {endpoints: [b, c], impair: {c->b: {delay: 1s}, b->c: {loss: 1%}}}\n"
        "  - {endpoints: [a, c], impair: {a->c: {rate: 1mbit}}}\n"
    )
    assert list(print_round_trips(parse_topology(Document.parse(text, "n.yaml")))) == [
        "a:eth0-b:eth0: a round trip takes 3ms (a->b 1500us, b->a 1500us)",
        "b:eth1-c:eth0: a round trip takes 1s (c->b 1s)",
    ]
