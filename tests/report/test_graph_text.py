"""A topology as text, for people and for two programs that draw."""

import re

import pytest
from pictures import EVERYTHING, HOME, SHIPPED, WRITTEN, pictured
from written import topology

from netlab.report.graph import graph_of
from netlab.report.graph_text import dot, mermaid, text

EVERY = [*WRITTEN, *(path.stem for path in SHIPPED)]


def test_the_list_tells_who_is_joined_to_whom_with_addresses() -> None:
    assert text(topology(HOME)) == (
        "home: 4 hosts, 1 switch, 1 nat, 1 router; 6 links\n"
        "A home behind a router that translates.\n"
        "\n"
        "lan (switch)  10.0.0.0/24, fd00::/64\n"
        "├─ eth0  ──  laptop:eth0 (host)  10.0.0.1/24, fd00::1/64\n"
        "├─ eth1  ──  phone:eth0 (host)   10.0.0.2/24, fd00::2/64\n"
        "├─ eth2  ──  tv:eth0 (host)      10.0.0.3/24, fd00::3/64\n"
        "└─ eth3  ──  home:eth0           10.0.0.4/24, fd00::4/64\n"
        "\n"
        "home (nat)  symmetric NAT on eth1  tcp 8080 → 10.0.0.1:80  tcp 8080 → [fd00::1]:80\n"
        "├─ eth0  10.0.0.4/24, fd00::4/64        ──  lan:eth3\n"
        "└─ eth1  10.0.1.1/24, fd00:0:0:1::1/64  ──  isp:eth0  10.0.1.2/24, fd00:0:0:1::2/64  "
        "mtu 1492; home → isp: delay 10ms ± 2ms, 0.1% lost\n"
        "\n"
        "isp (router)\n"
        "├─ eth0  10.0.1.2/24, fd00:0:0:1::2/64  ──  home:eth1           10.0.1.1/24, fd00:0:0:1::1/64  "
        "mtu 1492; home → isp: delay 10ms ± 2ms, 0.1% lost\n"
        "└─ eth1  10.0.2.1/24, fd00:0:0:2::1/64  ──  server:eth0 (host)  10.0.2.2/24, fd00:0:0:2::2/64\n"
    )


def test_vlans_overlays_and_what_is_down_are_told() -> None:
    lines = text(topology(EVERYTHING)).splitlines()
    for line in (
        "sw (switch)  vlan 10 10.0.0.0/24, fd00::/64  vlan 20 10.0.1.0/24, fd00:0:0:1::/64  spanning tree",
        "├─ eth0  vlan 10       ──  h1:eth0         10.0.0.1/24, fd00::1/64",
        "└─ eth3  trunk 10, 20  ──  r:eth0",
        "├─ eth0.20  10.0.1.1/24, fd00:0:0:1::1/64",
        "└─ lo       10.99.0.1/32",
        "└─ eth2  10.0.4.1/24, fd00:0:0:4::1/64  ╌╌  p:eth0 (peer)  10.0.4.2/24, fd00:0:0:4::2/64  down",
        "alone (host)  runs <b>daemon",
        "overlay blue: VXLAN 42, 192.168.0.0/24, mtu 1350",
        "├─ h2  192.168.0.2/24",
    ):
        assert line in lines, "\n".join(lines)


@pytest.mark.parametrize("name", EVERY)
def test_every_node_and_every_address_is_in_every_form(name: str) -> None:
    drawn = pictured(name)
    for form in (text, dot, mermaid):
        told = form(drawn)
        for node in drawn.nodes:
            assert re.search(rf"(?<![a-z0-9-]){node.name}(?![a-z0-9-])", told), f"{form.__name__} leaves {node.name} out"
        for address in (address for link in drawn.links for end in link.endpoints for address in end.addresses):
            assert str(address) in told


def test_dot_has_an_edge_a_link_and_escapes_what_it_must() -> None:
    told = dot(topology(EVERYTHING.replace("every <thing> & more", 'a \\"b\\" \\\\ c')))
    assert told.startswith('graph "a \\"b\\" \\\\ c" {\n')
    assert told.endswith("}\n")
    assert len(re.findall(r'^  "[\w.-]+" -- "', told, re.M)) == 7
    assert len(re.findall(r'^  "overlay blue" -- "', told, re.M)) == 3
    assert all(line.endswith((";", "{", "}")) for line in told.splitlines())
    assert all(re.sub(r"\\.", "", line).count('"') % 2 == 0 for line in told.splitlines())
    assert '"s" -- "p" [label="10.0.4.0/24\\nfd00:0:0:4::/64\\ndown", taillabel="eth2", headlabel="eth0", style=dotted];' in told


def test_mermaid_has_an_edge_a_link_and_nothing_that_it_would_act_upon() -> None:
    told = mermaid(topology(EVERYTHING)).splitlines()
    assert told[:4] == ["---", 'title: "every <thing> & more"', "---", "flowchart LR"]
    edges = [line for line in told if re.match(r"  n\d+ (---|-\.-)", line)]
    assert len(edges) == 7
    assert sum("-.-|" in line for line in edges) == 1
    assert [line for line in told if line.startswith("  o0 -.- ")] == ["  o0 -.- n0", "  o0 -.- n1", "  o0 -.- n4"]
    labels = [label for line in told[5:] for label in re.findall(r'"(.*)"', line)]
    assert any("runs #60;b#62;daemon" in label for label in labels)
    assert not any(re.search(r'["<>&;]', re.sub(r"</?b>|<br/>|#\d+;", "", label)) for label in labels)


def test_a_graph_has_words_for_every_impairment() -> None:
    shaped = topology(
        "nodes: {a: {}, b: {}}\nlinks:\n- endpoints: [a, b]\n  impair:\n    a->b: {delay: 10ms, jitter: 1ms, loss: 0.1%, "
        "duplicate: 1%, corrupt: 2%, reorder: 3%, rate: 1.5mbit, limit: 100, seed: 7}\n    b->a: {rate: 800kbit}\n"
    )
    (line,) = graph_of(shaped).lines
    assert line.notes == (
        "a → b: delay 10ms ± 1ms, 0.1% lost, 1% duplicated, 2% corrupted, 3% reordered, 1.5 Mbit/s, queue of 100 packets",
        "b → a: 800 kbit/s",
    )
    assert line.impaired


def test_rules_are_a_sentence_where_they_are_simple_and_a_round_trip_is_the_sum_of_both_ways() -> None:
    impaired = topology(
        "nodes: {a: {}, b: {}}\nlinks:\n- endpoints: [a, b]\n  impair:\n"
        "    a->b: [{delay: 10ms}, {match: S, nth: [1, 3], action: drop}, {match: S, chance: 1%, action: drop}]\n"
        "    b->a: [{delay: 15ms}, {action: hold, barrier: gate}, {match: udp, action: mark}]\n"
    )
    (line,) = graph_of(impaired).lines
    assert line.notes == (
        "a → b: delay 10ms, drops S number 1, 3, {match: S, chance: 1%, action: drop}",
        "b → a: delay 15ms, holds every packet at gate, {match: udp, action: mark, mark: ce}",
        "round trip 25ms",
    )


@pytest.mark.parametrize(
    ("address", "host"),
    [("10.0.0.7/24", ".7"), ("10.1.2.3/16", ".2.3"), ("10.0.0.1/31", ".1"), ("fd00::7/64", "::7"), ("fd00:0:0:1::1:2/64", "::1:2")],
)
def test_an_address_without_what_its_subnet_says(address: str, host: str) -> None:
    (line,) = graph_of(
        topology(f'nodes: {{a: {{}}, b: {{}}}}\nlinks: [{{endpoints: [a, b], addresses: {{a: "{address}"}}}}]')
    ).lines
    assert line.a.hosts == (host,)


def test_what_could_move_a_terminals_cursor_is_told_as_text() -> None:
    text = '# Odd \u202e intent.\nname: "a\\e[2J"\nnodes: {a: {start: [{run: ["x\\b"], background: true}]}}\n'
    odd = graph_of(topology(text))
    assert (odd.name, odd.intent) == ("a\\x1b[2J", "Odd \\u202e intent.")
    assert odd.boxes[0].notes == ("runs x\\x08",)
