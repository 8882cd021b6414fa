"""Rules as a topology file has them: every key is read, and what makes no sense is told where it stands, with what to do."""

from dataclasses import replace
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netlab.document import Document
from netlab.errors import Place, SpecError
from netlab.notation.header_fields import FIELDS, width_of
from netlab.notation.icmp import ERRORS
from netlab.notation.parse import parse_packet
from netlab.topology.load import parse_topology
from netlab.topology.schema.link import Action, Distribution, IcmpError, RuleFile
from netlab.topology.spec import Link, Rule
from netlab.units import milliseconds

HEAD = "nodes: {client: {}, server: {}}\nlinks:\n- endpoints: [client, server]\n  impair:\n    client->server: "
AT = Place("f.yaml", 5, 21)


def link_of(written: str) -> Link:
    (link,) = parse_topology(Document.parse(HEAD + written + "\n", "f.yaml")).links
    return link


def rules_of(written: str) -> list[Rule]:
    return [rule for _, rules in link_of(written).impair for rule in rules]


def rule(**values: Any) -> Rule:
    match = parse_packet(values.pop("match", "..."))
    return replace(Rule(match=match, action="drop", place=AT), **values)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("{action: drop}", rule()),
        ("{match: client > server S, action: drop}", rule(match="client > server S")),
        ("{match: 'client.eth0 > [fd00::1]:80 S', action: drop}", rule(match="client.eth0 > [fd00::1]:80 S")),
        ("{match: '10.0.0.1:80 > *:65535 udp data \"what?\"', action: drop}", rule(match='10.0.0.1:80 > *:65535 udp data "what?"')),
        ("{filter: 'tcp[13] & 2 != 0', action: drop}", rule(filter="tcp[13] & 2 != 0")),
        ("{action: drop, nth: 2}", rule(occurrences=frozenset({2}))),
        ("{action: drop, nth: [1, 3, 3]}", rule(occurrences=frozenset({1, 3}))),
        ("{action: drop, every: 3}", rule(every=3)),
        ("{action: drop, range: 2-5}", rule(first=2, last=5)),
        ("{action: drop, range: 2-}", rule(first=2)),
        ("{action: drop, range: -5}", rule(last=5)),
        ("{action: drop, nth: [4, 6], every: 2, range: 5-9}", rule(occurrences=frozenset({4, 6}), every=2, first=5, last=9)),
        ("{match: P., byte: 0, action: drop}", rule(match="P.", byte=0)),
        ("{action: drop, chance: 1%, seed: 7}", rule(chance=0.01, seed=7)),
        ("{action: drop, chance: 0%}", rule(chance=0.0)),
        ("{action: drop, window: 1s-2s}", rule(since=milliseconds(1000), until=milliseconds(2000))),
        ("{action: drop, window: 500ms-}", rule(since=milliseconds(500))),
        ("{action: drop, window: -2s}", rule(until=milliseconds(2000))),
        ("{action: drop, before: opened}", rule(before="opened")),
        (
            "{action: drop, during: {client.c: SYN_SENT, server/p.s: ESTAB}}",
            rule(during=(("client.c", "SYN-SENT"), ("server/p.s", "ESTABLISHED"))),
        ),
        ("{action: hold, barrier: syns}", rule(action="hold", barrier="syns")),
        ("{action: delay, delay: 10ms}", rule(action="delay", delay=milliseconds(10))),
        (
            "{action: delay, delay: 10ms, jitter: 10ms, distribution: pareto, seed: 0}",
            rule(action="delay", delay=milliseconds(10), jitter=milliseconds(10), distribution="pareto", seed=0),
        ),
        ("{action: duplicate}", rule(action="duplicate", copies=1)),
        ("{action: duplicate, copies: 3}", rule(action="duplicate", copies=3)),
        ("{action: reorder}", rule(action="reorder", by=1)),
        ("{action: reorder, by: 2}", rule(action="reorder", by=2)),
        ("{action: corrupt, seed: 1}", rule(action="corrupt", seed=1)),
        ("{action: corrupt, field: bit 160}", rule(action="corrupt", field="bit 160")),
        (
            "{match: udp, action: corrupt, field: udp.checksum, value: 0}",
            rule(match="udp", action="corrupt", field="udp.checksum", value=0),
        ),
        ("{action: corrupt, field: ip.ttl, value: 0xff}", rule(action="corrupt", field="ip.ttl", value=255)),
        ("{match: icmp6, action: corrupt, field: icmp.type}", rule(match="icmp6", action="corrupt", field="icmp.type")),
        ("{action: truncate, length: 40}", rule(action="truncate", length=40)),
        ("{action: mark}", rule(action="mark", mark="ce")),
        ("{action: mark, mark: not-ect}", rule(action="mark", mark="not-ect")),
        ("{action: reset}", rule(action="reset", toward="both")),
        ("{match: S., action: reset, toward: sender}", rule(match="S.", action="reset", toward="sender")),
        ("{action: icmp, icmp: host-unreachable}", rule(action="icmp", icmp="host-unreachable")),
        ("{action: icmp, icmp: fragmentation-needed, mtu: 1280}", rule(action="icmp", icmp="fragmentation-needed", mtu=1280)),
    ],
)  # fmt: skip
def test_a_rule_is_read_with_all_that_it_says(written: str, read: Rule) -> None:
    assert rules_of(written) == [read]


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("{match: S}", ['21: the key "action" is missing; add "action:"']),
        ("{match: Q, action: drop}", [
            '29: "Q" is neither TCP flags nor a protocol; the flags are S F R P U E W . (. is ACK)',
        ]),
        ("{match: clint > server S, action: drop}", ['29: no node "clint"; did you mean "client"?']),
        ("{match: client > x.eth0 S, action: drop}", ['38: no node "x"; the nodes are client, server']),
        ("{match: client.eth1 > server S, action: drop}", ['36: client has no interface "eth1"; did you mean "eth0"?']),
        ("{match: 'client > server:http S', action: drop}", [
            '45: "http" is no port; write a number up to 65535, such as server:80',
        ]),
        ("{match: 'client > server:65536 S', action: drop}", [
            '45: "65536" is no port; write a number up to 65535, such as server:80',
        ]),
        ("{match: 10.0.0.300 > * S, action: drop}", [
            '29: "10.0.0.300" is no address; write a node\'s name, or for example 10.0.0.1 or [fd00::1]:80',
        ]),
        ("{match: '* > [fd00::zz]:80 S', action: drop}", [
            '35: "fd00::zz" is no address; write a node\'s name, or for example 10.0.0.1 or [fd00::1]:80',
        ]),
        ("{match: server > client S., action: drop}", [
            "29: what server sends to client never goes client->server; write it for server->client, or turn it round",
        ]),
        ("{match: 'S {2}', action: drop}", [
            "32: a rule looks at single packets: {2} means nothing here; leave it out; nth, every and range say which ones",
        ]),
        ("{match: S ?, action: drop}", [
            "31: a rule looks at single packets: ? means nothing here; leave it out; nth, every and range say which ones",
        ]),
        ("{match: S after >=1s, action: drop}", [
            "31: a rule looks at single packets: a bound on time means nothing here; leave it out; window says when",
        ]),
        ("{filter: '', action: drop}", ["30: this must not be empty"]),
        ("{action: destroy}", [
            '30: "destroy" is none of drop, hold, delay, duplicate, reorder, corrupt, truncate, mark, reset, icmp',
        ]),
        ("{action: drop, nth: []}", ["41: nothing is named here; leave nth out: then it is any packet"]),
        ("{action: drop, nth: 0}", ["41: 0 is too small: it must be at least 1"]),
        ("{action: drop, every: 0}", ["43: 0 is too small: it must be at least 1"]),
        ("{action: drop, range: 3}", ["43: 3 (a number) is no range; write for example 2-5, 2- or -5, or nth: 3"]),
        ("{action: drop, range: first}", ['43: "first" is no range; write for example 2-5, 2- or -5']),
        ("{action: drop, range: 5-2}", ["43: 5-2 ends before it begins; did you mean 2-5?"]),
        ("{action: drop, range: 0-2}", ["43: 0-2 counts from 0; the first packet is 1"]),
        ("{action: drop, nth: [1, 6], range: 2-5}", [
            "41: none of these is in range: 2-5 too, so the rule never acts; all that is written must hold at once",
        ]),
        ("{action: drop, nth: 3, every: 2}", [
            "41: none of these is in every: 2 too, so the rule never acts; all that is written must hold at once",
        ]),
        ("{action: drop, every: 7, range: 8-13}", [
            "43: no multiple of 7 is in range: 8-13, so the rule never acts; all that is written must hold at once",
        ]),
        ("{action: drop, byte: -1}", ["42: -1 is too small: it must be at least 0"]),
        ("{match: udp, byte: 5, action: drop}", [
            "34: byte counts a TCP stream, and these packets are of udp; leave byte out; nth counts packets",
        ]),
        ("{action: drop, chance: 0.5}", [
            "44: this must be a percentage, not 0.5 (a number); write it with its sign, such as 0.1%",
        ]),
        ("{action: drop, seed: 7}", [
            "36: a seed is for what is random, and nothing here is; leave it out, or add chance: 1%",
        ]),
        ("{action: drop, window: 2}", [
            "44: 2 (a number) is no window of time; write for example 1s-2s, 500ms- or -2s",
        ]),
        ("{action: drop, window: soon}", ['44: "soon" is no window of time; write for example 1s-2s, 500ms- or -2s']),
        ("{action: drop, window: '-'}", ['44: "-" is no window of time; write for example 1s-2s, 500ms- or -2s']),
        ("{action: drop, window: 2s-1s}", ["44: 2s-1s ends before it begins; write the earlier time first"]),
        ("{action: hold, barrier: x, before: x}", [
            '48: what waits at the barrier "x" is held until its release anyhow; leave before out',
        ]),
        ("{action: drop, during: {}}", ["44: nothing is named here; leave during out: then it is any packet"]),
        ("{action: drop, during: {clint.c: SYN-SENT}}", ['45: no node "clint"; did you mean "client"?']),
        ("{action: drop, during: {c: SYN-SENT}}", ['45: "c" is no socket; write PROCESS.NAME, such as client.c']),
        ("{action: drop, during: {client.c: SYN-SEND}}", ['55: "SYN-SEND" is no state of TCP; did you mean "SYN-SENT"?']),
        ("{action: hold}", [
            "30: a held packet needs a barrier to wait at; add barrier: NAME, and later a step release: NAME",
        ]),
        ("{action: delay}", ["30: a packet that is delayed needs to be told by how much; add delay: 100ms"]),
        ("{action: delay, delay: 10}", [
            "44: this must be a duration, not 10 (a number); write a number with its unit, such as 200ms",
        ]),
        ("{action: delay, delay: 1ms, jitter: 2ms}", [
            "57: a delay varies by at most 1ms, so not by 2ms; give a delay at least as long",
        ]),
        ("{action: delay, delay: 1ms, distribution: normal}", [
            "49: a delay that does not vary has no distribution; add jitter: 2ms",
        ]),
        ("{action: delay, delay: 1ms, jitter: 1ms, distribution: gauss}", [
            '76: "gauss" is none of uniform, normal, exponential, pareto',
        ]),
        ("{delay: 2ms, jitter: 1ms, distribution: normal}", [
            "21: quantities have no distribution; write a rule: "
            "{action: delay, delay: 10ms, jitter: 2ms, distribution: normal}",
        ]),
        ("{action: drop, delay: 1ms}", [
            "36: delay belongs to action: delay, and this action is drop; leave delay out, or write action: delay",
        ]),
        ("{action: drop, loss: 1%}", [
            "21: a rule has no loss; write quantities apart: [{match: ..., action: drop}, {loss: ...}]",
        ]),
        ("{action: duplicate, copies: 0}", ["49: 0 is too small: it must be at least 1"]),
        ("{action: corrupt, field: tcp.chksum}", ['46: "tcp.chksum" is no field of a header; did you mean "tcp.checksum"?']),
        ("{action: corrupt, value: 1}", ["39: a value needs a field that it is for; add field: tcp.checksum, or another one"]),
        ("{action: corrupt, field: ip.ttl, value: 256}", [
            "61: ip.ttl has 8 bits, so at most the value 255, not 256; give a smaller one",
        ]),
        ("{action: corrupt, field: bit 3, value: 2}", [
            "60: bit 3 has 1 bit, so at most the value 1, not 2; give a smaller one",
        ]),
        ("{match: udp, action: corrupt, field: tcp.seq}", [
            "58: a packet of udp has no tcp.seq; leave the pattern's protocol out, or name a field of udp",
        ]),
        ("{match: S, action: corrupt, field: udp.length}", [
            "56: a packet of tcp has no udp.length; leave the pattern's protocol out, or name a field of tcp",
        ]),
        ("{match: arp, action: corrupt, field: ip.ttl}", [
            '58: a packet of arp has no ip.ttl; leave the pattern\'s protocol out, or name a bit, as in "bit 56"',
        ]),
        ("{match: arp, action: mark}", [
            "42: only IP has an ECN field, and these packets are of arp; action: drop loses them",
        ]),
        ("{action: truncate}", [
            "30: a packet that is cut short needs a length; add length: 40, in bytes from its IP header on",
        ]),
        ("{action: mark, mark: ec}", ['42: "ec" is none of ce, ect0, ect1, not-ect; did you mean "ect1"?']),
        ("{match: udp, action: reset}", [
            "42: only TCP has resets, and these packets are of udp; action: icmp answers with an error",
        ]),
        ("{action: reset, toward: client}", ['45: "client" is none of sender, receiver, both']),
        ("{action: icmp}", [
            "30: a packet that is answered needs an error to be answered with; add icmp: host-unreachable",
        ]),
        ("{action: icmp, icmp: host-unreachble}", [
            '42: "host-unreachble" is none of net-unreachable, host-unreachable, protocol-unreachable, port-unreachable, '
            'fragmentation-needed, admin-prohibited, time-exceeded; did you mean "host-unreachable"?',
        ]),
        ("{action: icmp, icmp: fragmentation-needed}", [
            "42: fragmentation-needed tells its sender an MTU; add mtu: 1280",
        ]),
        ("{action: icmp, icmp: time-exceeded, mtu: 1280}", [
            "57: time-exceeded tells no MTU; leave mtu out, or write icmp: fragmentation-needed",
        ]),
        ("{action: drop, nth: 0, length: 4}", ["41: 0 is too small: it must be at least 1"]),
        ("{action: drop, nth: 1, length: 4, barrier: x}", [
            "44: length belongs to action: truncate, and this action is drop; leave length out, or write action: truncate",
            "55: barrier belongs to action: hold, and this action is drop; leave barrier out, or write action: hold",
        ]),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_told_where_it_stands(written: str, told: list[str]) -> None:
    with pytest.raises(SpecError) as caught:
        rules_of(written)
    assert [(each.place.line, str(each)) for each in caught.value.problems] == [(5, f"f.yaml:5:{each}") for each in told]


def test_a_rule_that_comes_later_has_its_window_later() -> None:
    second = milliseconds(1000)
    (window, since, until, always) = rules_of(
        "[{action: drop, window: 1s-2s}, {action: drop, window: 1s-}, {action: drop, window: -2s}, {action: drop, nth: 3}]"
    )
    assert [(one.later(second).since, one.later(second).until) for one in (window, since, until)] == [
        (milliseconds(2000), milliseconds(3000)),
        (milliseconds(2000), None),
        (milliseconds(1000), milliseconds(3000)),
    ]
    assert always.later(second) == always


def test_the_words_of_the_schema_are_those_of_the_notation() -> None:
    assert list(get_args(IcmpError)) == list(ERRORS)
    assert {width_of(field) for field in FIELDS} <= set(range(1, 33))
    assert (width_of("bit 0"), width_of("bit"), width_of("bit 999999"), width_of("tcp")) == (1, None, None, None)


_KEYS = {
    "nth": st.integers(1, 9), "every": st.integers(1, 3), "range": st.sampled_from(["1-9", "2-", "-5"]),
    "byte": st.integers(0, 10**6), "chance": st.sampled_from(["1%", "50%"]), "window": st.sampled_from(["1s-2s", "-3s"]),
    "before": st.just("b"), "during": st.just("{client.c: ESTABLISHED}"), "barrier": st.just("b"), "delay": st.just("10ms"),
    "jitter": st.just("2ms"), "distribution": st.sampled_from(get_args(Distribution)), "copies": st.integers(1, 3),
    "by": st.integers(1, 3), "field": st.sampled_from([*FIELDS, "bit 7"]), "value": st.integers(0, 3), "length": st.integers(1, 99),
    "mark": st.just("ce"), "toward": st.just("both"), "icmp": st.sampled_from([*ERRORS]), "mtu": st.integers(68, 1500),
    "seed": st.integers(0, 9), "match": st.sampled_from(["S", "udp", "P."]), "filter": st.just("tcp"),
}  # fmt: skip


@given(
    action=st.sampled_from(get_args(Action)), keys=st.dictionaries(st.sampled_from([*_KEYS]), st.none(), max_size=5), data=st.data()
)
def test_any_keys_together_are_a_rule_or_the_users_error(action: str, keys: dict[str, None], data: st.DataObject) -> None:
    words = [f"{key}: {data.draw(_KEYS[key])}" for key in keys]
    read, places = read_or_told("{" + ", ".join([f"action: {action}", *words]) + "}")
    assert [each.action for each in read] == ([] if places else [action])
    assert {place.line for place in places} <= {5}


def read_or_told(written: str) -> tuple[list[Rule], list[Place]]:
    """The rules, or the places of what is wrong."""
    try:
        return rules_of(written), []
    except SpecError as error:
        return [], [problem.place for problem in error.problems]


def test_every_key_of_a_rule_is_tried_here() -> None:
    assert set(_KEYS) | {"action"} == set(RuleFile.model_fields)
