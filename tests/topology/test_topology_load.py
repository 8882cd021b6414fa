from dataclasses import replace
from ipaddress import ip_interface, ip_network
from pathlib import Path

import pytest

from netlab.document import Document
from netlab.errors import Place, SpecError
from netlab.notation.parse import parse_packet
from netlab.topology.load import find_topology, load_topology, parse_topology
from netlab.topology.spec import Endpoint, Link, Node, Rule, Topology

SHIPPED = Path(__file__).parents[2] / "topologies"


def topology(text: str) -> Topology:
    return parse_topology(Document.parse(text, "f.yaml"))


def addresses(text: str) -> dict[str, str]:
    return {
        f"{end.node}:{end.interface}": " ".join(str(address) for address in end.addresses)
        for link in topology(text).links
        for end in link.endpoints
    }


def test_a_topology_as_a_whole() -> None:
    read = topology(
        "# Why.\n"
        "name: two\n"
        "nodes:\n"
        "  client: {}\n"
        "  server: {kind: router, sysctls: {net.ipv4.tcp_syn_retries: 1}}\n"
        "links:\n"
        "  - endpoints: [client, 'server:wan']\n"
        "    subnets: [10.1.0.0/24]\n"
        "    mtu: 1400\n"
        "    impair:\n"
        "      client->server: [{match: S., nth: [1, 3], action: drop}]\n"
        "      both: [{match: S, action: hold, barrier: syns}]\n"
    )

    def place(line: int, column: int) -> Place:
        return Place("f.yaml", line, column)

    held = Rule(match=parse_packet("S"), action="hold", barrier="syns", place=place(12, 14))
    dropped = Rule(match=parse_packet("S."), action="drop", occurrences=frozenset({1, 3}), place=place(11, 24))
    assert read == Topology(
        name="two",
        intent="Why.",
        place=place(2, 1),
        nodes=(
            Node(name="client", kind="host", place=place(4, 3)),
            Node(name="server", kind="router", place=place(5, 3), sysctls=(("net.ipv4.tcp_syn_retries", "1"),)),
        ),
        links=(
            Link(
                endpoints=(
                    Endpoint(node="client", interface="eth0", addresses=(ip_interface("10.1.0.1/24"),)),
                    Endpoint(node="server", interface="wan", addresses=(ip_interface("10.1.0.2/24"),)),
                ),
                subnets=(ip_network("10.1.0.0/24"),),
                mtu=1400,
                impair=((("client", "server"), (dropped, held)), (("server", "client"), (held,))),
                place=place(7, 5),
            ),
        ),
    )


def test_subnets_left_out_are_assigned_around_those_given() -> None:
    text = "nodes: {a: {}, b: {}, c: {}, d: {}}\nlinks:\n"
    text += "  - endpoints: [a, b]\n  - endpoints: [b, c]\n    subnets: [10.0.1.0/25, 'fd00:0:0:1::/64']\n  - endpoints: [c, d]\n"
    assert addresses(text) == {
        "a:eth0": "10.0.0.1/24 fd00::1/64",
        "b:eth0": "10.0.0.2/24 fd00::2/64",
        "b:eth1": "10.0.1.1/25 fd00:0:0:1::1/64",
        "c:eth0": "10.0.1.2/25 fd00:0:0:1::2/64",
        "c:eth1": "10.0.2.1/24 fd00:0:0:2::1/64",
        "d:eth0": "10.0.2.2/24 fd00:0:0:2::2/64",
    }


def test_when_ten_slash_eight_is_given_another_private_range_is_assigned() -> None:
    text = "nodes: {a: {}, b: {}, c: {}}\nlinks:\n  - endpoints: [a, b]\n    subnets: [10.0.0.0/8]\n  - endpoints: [b, c]\n"
    assert addresses(text)["c:eth0"] == "172.16.0.2/24 fd00::2/64"


def test_switches_that_are_joined_make_one_segment() -> None:
    text = "nodes: {a: {}, b: {}, c: {kind: peer}, s: {kind: switch}, t: {kind: switch}}\nlinks:\n"
    text += "  - endpoints: [a, s]\n  - endpoints: [b, t]\n    subnets: [192.168.7.0/24]\n"
    text += "  - endpoints: [s, t]\n  - endpoints: [t, c]\n"
    assert addresses(text) == {
        "a:eth0": "192.168.7.1/24", "s:eth0": "", "b:eth0": "192.168.7.2/24", "t:eth0": "", "s:eth1": "", "t:eth1": "",
        "t:eth2": "", "c:eth0": "192.168.7.3/24",
    }  # fmt: skip
    assert {link.subnets for link in topology(text).links} == {(ip_network("192.168.7.0/24"),)}


def test_a_switch_may_have_the_subnets_of_its_segment() -> None:
    text = "nodes: {a: {}, b: {}, s: {kind: switch, subnets: [10.9.0.0/24]}}\nlinks: [{endpoints: [a, s]}, {endpoints: [s, b]}]\n"
    assert addresses(text) == {"a:eth0": "10.9.0.1/24", "s:eth0": "", "s:eth1": "", "b:eth0": "10.9.0.2/24"}


def test_a_segment_of_many_hosts_is_given_a_larger_subnet() -> None:
    text = "nodes:\n  s: {kind: switch}\n" + "".join(f"  h{i}: {{}}\n" for i in range(300))
    text += "links:\n" + "".join(f"  - endpoints: [h{i}, s]\n" for i in range(300))
    assert addresses(text)["h299:eth0"] == "10.0.1.44/23 fd00::12c/64"


def test_chosen_addresses_are_kept_and_the_others_count_around_them() -> None:
    text = "nodes: {a: {}, b: {}}\nlinks:\n  - endpoints: [a, b]\n    subnets: [10.0.0.0/24, 'fd00::/64']\n"
    text += "    addresses: {b: [10.0.0.1, 10.0.0.9/24]}\n"
    assert addresses(text) == {"a:eth0": "10.0.0.2/24 fd00::1/64", "b:eth0": "10.0.0.1/24 10.0.0.9/24 fd00::2/64"}


def test_chosen_addresses_alone_say_the_subnet() -> None:
    text = "nodes: {a: {}, b: {}}\nlinks:\n  - endpoints: [a, b]\n    addresses: {a: 192.0.2.5/24}\n"
    assert addresses(text) == {"a:eth0": "192.0.2.5/24", "b:eth0": "192.0.2.1/24"}


def test_both_addresses_of_a_slash_31_and_a_slash_127_are_used() -> None:
    text = "nodes: {a: {}, b: {}}\nlinks:\n  - endpoints: [a, b]\n    subnets: [10.0.0.0/31, 'fd00::/127']\n"
    text = text.replace("fd00::/127", "fd00:1::/127")
    assert addresses(text) == {"a:eth0": "10.0.0.0/31 fd00:1::/127", "b:eth0": "10.0.0.1/31 fd00:1::1/127"}


def test_a_small_mtu_leaves_ipv6_out_of_what_is_assigned() -> None:
    text = "nodes: {a: {}, b: {}}\nlinks: [{endpoints: [a, b], mtu: 576}]\n"
    assert addresses(text) == {"a:eth0": "10.0.0.1/24", "b:eth0": "10.0.0.2/24"}


def test_no_subnets_at_all_may_be_asked_for() -> None:
    assert addresses("nodes: {a: {}, b: {}}\nlinks: [{endpoints: [a, b], subnets: []}]\n") == {"a:eth0": "", "b:eth0": ""}


def test_names_of_interfaces_count_around_those_written() -> None:
    text = "nodes: {a: {}, b: {}}\nlinks: [{endpoints: [a, b]}, {endpoints: ['a:eth0', b]}, {endpoints: [a, 'b:x']}]\n"
    assert [link.name for link in topology(text).links] == ["a:eth1-b:eth0", "a:eth0-b:eth1", "a:eth2-b:x"]


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_topology_loads_and_says_why(path: Path) -> None:
    read = load_topology(path)
    assert (read.name, bool(read.intent)) == (path.stem, True)


def test_a_topology_is_found_beside_then_here_then_in_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_topology("two-hosts", None).resolve() == SHIPPED.resolve() / "two-hosts.yaml"
    (tmp_path / "topologies").mkdir()
    (tmp_path / "topologies" / "two-hosts.yaml").write_text("nodes: {here: {}}\n")
    assert find_topology("two-hosts", None) == Path("topologies/two-hosts.yaml")
    beside = tmp_path / "scenarios" / "x.scenario.yaml"
    beside.parent.mkdir()
    (beside.parent / "two-hosts.yml").write_text("nodes: {beside: {}}\n")
    assert find_topology("two-hosts", beside) == beside.parent / "two-hosts.yml"
    assert find_topology("../topologies/two-hosts.yaml", beside) == beside.parent / "../topologies/two-hosts.yaml"
    assert load_topology("two-hosts").nodes[0].name == "here"


@pytest.mark.parametrize("name", ["two-hots", "no/such", "a" * 5000, "a\0b"])
def test_a_topology_that_is_nowhere_is_the_users_error(name: str) -> None:
    with pytest.raises(SpecError):
        find_topology(name, None)


def test_a_topology_inside_of_another_document() -> None:
    document = Document.parse("# Not its own.\nother: 1\ntopology:\n  nodes: {a: {}}\n", "f.yaml")
    read = parse_topology(document, ("topology",))
    assert read == replace(read, name="inline", intent="", place=Place("f.yaml", 4, 3))
