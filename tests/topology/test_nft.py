"""Firewall rules and translation as nftables text; that the kernel does what the text says is tested in tests/lab/test_nat.py."""

import shutil
import subprocess
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from networks import HERE, node

from netlab.topology.nft import RuleError, firewall, ruleset
from netlab.topology.spec import Forward, Nat, Node

DISCOVERY = "ip6 hoplimit 255 icmpv6 type { nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert } accept"
BEHAVIOURS = ("full-cone", "address-restricted-cone", "port-restricted-cone", "symmetric")


def rules_of(*rules: str, chain: str = "forward") -> list[str]:
    """What rules become: the chain's lines, its hook and policy first."""
    lines = [line.strip() for line in firewall({chain: rules}).splitlines()]
    assert lines[:2] == ["table inet netlab_filter {", f"chain {chain} {{"]
    assert lines[-2:] == ["}", "}"]
    return lines[2:-2]


def policy(word: str, chain: str = "forward") -> str:
    return f"type filter hook {chain} priority filter; policy {word};"


@pytest.mark.parametrize(
    ("rule", "lines"),
    [
        ("accept established", ["ct state { established, related } accept"]),
        ("accept tcp 80", ["tcp dport { 80 } accept"]),
        ("drop udp 53,5000-5999", ["udp dport { 53, 5000-5999 } drop"]),
        ("accept tcp 90-100,80,95-120,80", ["tcp dport { 80, 90-120 } accept"]),
        ("accept tcp from 10.0.0.0/24", ["ip saddr 10.0.0.0/24 meta l4proto tcp accept"]),
        ("drop from fd00::/64 to fd01::7", ["ip6 saddr fd00::/64 ip6 daddr fd01::7/128 drop"]),
        ("accept in eth0 out br0.10", ['iifname "eth0" oifname "br0.10" accept']),
        ("accept icmp", ["meta l4proto { icmp, ipv6-icmp } accept"]),
        ("accept icmp from 10.0.0.1", ["ip saddr 10.0.0.1/32 meta l4proto icmp accept"]),
        ("accept icmp from fd00::1", ["ip6 saddr fd00::1/128 meta l4proto ipv6-icmp accept"]),
        ("drop icmpv6", ["meta l4proto ipv6-icmp drop"]),
        ("reject tcp 22", ["tcp dport { 22 } reject with tcp reset"]),
        ("reject udp", ["meta l4proto udp reject with icmpx admin-prohibited"]),
        (
            "reject established from 10.0.0.1",
            [
                "ip saddr 10.0.0.1/32 ct state { established, related } meta l4proto tcp reject with tcp reset",
                "ip saddr 10.0.0.1/32 ct state { established, related } reject with icmpx admin-prohibited",
            ],
        ),
    ],
)
def test_what_a_rule_becomes(rule: str, lines: list[str]) -> None:
    assert rules_of(rule) == [policy("accept"), *lines]


def test_a_bare_action_at_the_end_is_the_policy() -> None:
    assert rules_of("accept tcp 80", "drop") == [policy("drop"), "tcp dport { 80 } accept"]
    assert rules_of("accept") == [policy("accept")]


def test_reject_as_a_policy_answers() -> None:
    rejecting = ["meta l4proto tcp reject with tcp reset", "reject with icmpx admin-prohibited"]
    assert rules_of("reject") == [policy("drop"), *rejecting]


@pytest.mark.parametrize("chain", ["input", "output"])
def test_neighbour_discovery_passes_before_every_rule(chain: str) -> None:
    assert rules_of("drop icmpv6", "drop", chain=chain) == [policy("drop", chain), DISCOVERY, "meta l4proto ipv6-icmp drop"]


def test_no_rules_are_no_table() -> None:
    assert firewall({}) == ""
    assert rules_of() == [policy("accept")]


@pytest.mark.parametrize(
    ("chain", "rules", "found"),
    [
        ("inputs", [], ("inputs", -1, 0, "no chain 'inputs'", 'did you mean "input"?')),
        ("input", ["accept", "drop"], ("input", 0, 0, "nothing after 'accept' is ever reached", None)),
        ("input", ["drop", "allow tcp"], ("input", 0, 0, "nothing after 'drop' is ever reached", None)),
        ("input", ["drop tcp", "acept tcp 80"], ("input", 1, 0, "'acept' is no action", 'did you mean "accept"?')),
        ("input", [""], ("input", 0, 0, "'' is no action", None)),
        ("input", ["accept tpc 80"], ("input", 0, 7, "'tpc' is no word", 'did you mean "tcp"?')),
        ("input", ["accept 80"], ("input", 0, 7, "'80' is a port of no protocol", "write tcp 80 or udp 80")),
        ("input", ["accept tcp 80,70000"], ("input", 0, 14, "'70000' is no port", None)),
        ("input", ["accept tcp 0"], ("input", 0, 11, "'0' is no port", None)),
        ("input", ["accept tcp 9-8"], ("input", 0, 11, "'9-8' is no port", None)),
        ("input", ["accept tcp 80, 443"], ("input", 0, 14, "'' is no port", "write 80, 80,443 or 8000-8999, without spaces")),
        ("input", ["accept icmp 8"], ("input", 0, 12, "icmp has no ports", None)),
        ("input", ["accept tcp udp"], ("input", 0, 11, "'udp': a rule has one protocol at most", "make it two rules")),
        ("input", ["accept from 10.0.0.7/24"], ("input", 0, 12, "'10.0.0.7/24' is no", "the network is 10.0.0.0/24")),
        ("input", ["accept from web"], ("input", 0, 12, "'web' is no address", None)),
        ("input", ["accept from fe80::1%eth0"], ("input", 0, 12, "'fe80::1%eth0': an address has no zone", None)),
        ("input", ["accept from"], ("input", 0, 7, "'from' is followed by an address or a network", None)),
        ("input", ["accept from 10.0.0.1 to fd00::1"], ("input", 0, 0, "no packet goes from one family", "make it two rules")),
        ("input", ["accept icmpv6 to 10.0.0.1"], ("input", 0, 0, "icmpv6 does not travel in IPv4", None)),
        ("input", ["accept out eth0"], ("input", 0, 7, "packets of the chain input do not leave", "say in eth0")),
        ("output", ["accept in eth0"], ("output", 0, 7, "packets of the chain output do not arrive", "say out eth0")),
        ("forward", ["accept in eth*"], ("forward", 0, 10, "'eth*' is no interface's name", None)),
    ],
)
def test_a_wrong_rule_says_where_and_what(chain: str, rules: list[str], found: tuple[str, int, int, str, str | None]) -> None:
    with pytest.raises(RuleError) as caught:
        firewall({chain: rules})
    error = caught.value
    assert (error.chain, error.index, error.offset) == found[:3]
    assert error.message.startswith(found[3])
    assert error.fix
    assert found[4] in (None, error.fix)
    assert str(error) == f"{error.message}; {error.fix}"


WORDS = [
    "accept",
    "drop",
    "reject",
    "established",
    "tcp",
    "udp",
    "icmp",
    "icmpv6",
    "80",
    "1-9,7",
    "from",
    "to",
    "in",
    "out",
    "eth0",
]
WORDS += ["10.0.0.0/8", "fd00::/8", "::1", "0.0.0.0/0", "fe80::1%eth0", '"; flush ruleset', "}", "١", "-", ","]


@given(st.lists(st.sampled_from(WORDS), max_size=8).map(" ".join))
def test_any_text_is_a_rule_or_a_rule_error(text: str) -> None:
    found: RuleError | None = None
    made = ""
    try:
        made = firewall({"forward": [text]})
    except RuleError as error:
        found = error
    assert "flush" not in made
    assert made.count("{") == made.count("}")
    assert found is None or 0 <= found.offset <= len(text)


def nat(behaviour: str = "port-restricted-cone", *forwards: Forward) -> Nat:
    return Nat(outside=("eth0", "eth1"), behaviour=behaviour, forwards=forwards, place=HERE)


def forward(protocol: str, port: int, to: str, to_port: int) -> Forward:
    return Forward(protocol=protocol, port=port, to=ip_address(to), to_port=to_port, place=HERE)


def nat_node(translation: Nat | None, firewall_text: str = "") -> Node:
    return Node(name="home", kind="nat", place=HERE, nat=translation, firewall=firewall_text)


def test_a_node_without_firewall_and_translation_loads_nothing() -> None:
    assert ruleset(node("host")) == ""


def test_the_firewall_comes_before_the_translation_which_its_flush_must_not_remove() -> None:
    text = ruleset(nat_node(nat(), "flush ruleset\n"))
    assert text.startswith("flush ruleset\ntable ip netlab_nat {\n")
    assert [line for line in text.splitlines() if line.startswith("table")] == ["table ip netlab_nat {", "table ip6 netlab_nat {"]


def test_a_forward_stands_in_its_familys_table_for_both_sides() -> None:
    both = nat("symmetric", forward("tcp", 8080, "10.0.0.2", 80), forward("udp", 53, "fd00::2", 5353))
    four, six = ([line.strip() for line in text.splitlines()] for text in ruleset(nat_node(both)).split("table ip6"))
    assert [line.rpartition("dnat")[2] for line in four if "dnat to" in line] == [" to 10.0.0.2:80"] * 2
    assert [line.rpartition("dnat")[2] for line in six if "dnat to" in line] == [" to [fd00::2]:5353"] * 2


@pytest.mark.netns
@pytest.mark.skipif(shutil.which("nft") is None, reason="no program nft on the PATH (apt-get install nftables)")
def test_nft_takes_all_of_it() -> None:
    simple = firewall(
        {
            "input": ["accept established", "accept tcp 1-5,3,9 from 10.0.0.0/8 in eth0", "reject icmp", "reject"],
            "forward": ["reject to fd00::/8 in a out b", "accept icmpv6", "drop"],
            "output": ["drop udp 53 out eth0", "reject tcp", "accept"],
        }
    )
    for behaviour in BEHAVIOURS:
        both = nat(behaviour, forward("tcp", 8080, "10.0.0.2", 80), forward("udp", 53, "fd00::2", 5353))
        text = ruleset(nat_node(both, simple))
        command = ["unshare", "--map-root-user", "--net", "nft", "--check", "--file", "-"]
        done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, ""), f"{behaviour}: {done.stderr}"
