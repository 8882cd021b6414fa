"""What is said at run time is read as a file is, and what is wrong with it is told at its place in what was said."""

from collections.abc import Sequence

import pytest

from netlab.document import Document
from netlab.errors import SpecError
from netlab.topology.load import parse_topology
from netlab.topology.printed import print_rule, print_shape
from netlab.topology.said import about_interfaces, directions, numbered, read_changes, read_said
from netlab.topology.spec import Topology


def network(*links: str) -> Topology:
    nodes = sorted({node for link in links for node in link.split("-")})
    text = ["nodes:", *(f"  {node}: {{}}" for node in nodes), "links:"]
    return parse_topology(
        Document.parse("\n".join([*text, *(f"  - endpoints: [{link.replace('-', ', ')}]" for link in links)]), "n.yaml")
    )


TWO = network("client-server")


def said(way: str, text: str, topology: Topology = TWO) -> list[tuple[str, Sequence[str], str]]:
    return [
        ("->".join(one.direction), [print_rule(rule) for rule in one.rules], print_shape(one.shape) if one.shape else "")
        for one in read_said(way, text, topology)
    ]


def wrong(way: str, text: str, topology: Topology = TWO) -> list[str]:
    with pytest.raises(SpecError) as raised:
        read_said(way, text, topology)
    return [str(problem) for problem in raised.value.problems]


class TestWords:
    def test_names_and_values(self) -> None:
        assert said("client->server", "loss=1% delay=10ms") == [("client->server", [], "{delay: 10ms, loss: 1%}")]

    def test_a_rule_of_words(self) -> None:
        expected = [("server->client", ["{match: server > client S., nth: 2, action: drop}"], "")]
        assert said("server->client", "match='server > client S.' action=drop nth=2") == expected

    def test_a_mapping_as_in_a_file(self) -> None:
        assert said("client->server", "{match: S, action: drop}") == [("client->server", ["{match: S, action: drop}"], "")]

    def test_several(self) -> None:
        expected = [("client->server", ["{match: S, action: drop}", "{match: F., action: drop}"], "{rate: 1mbit}")]
        assert said("client->server", "[{match: S, action: drop}, {rate: 1mbit},\n {match: F., action: drop}]") == expected

    def test_both_ways(self) -> None:
        assert [(one, shape) for one, _, shape in said("both", "loss=1%")] == [
            ("client->server", "{loss: 1%}"),
            ("server->client", "{loss: 1%}"),
        ]

    def test_the_places_of_two_commands_differ(self) -> None:
        places = [
            str(rule.place)
            for number in (1, 2)
            for one in read_said("client->server", "[{match: S, action: drop}, {match: F, action: drop}]", TWO)
            for rule in numbered(one, number).rules
        ]
        assert len(set(places)) == 4


class TestDirections:
    def test_the_node_s_interfaces_say_which_of_two_links(self) -> None:
        topology = network("a-b", "a-b")
        (link, direction), *more = directions("b:eth1->a:eth1", topology)
        assert (link.name, direction, more) == ("a:eth1-b:eth1", ("b", "a"), [])
        assert wrong("b->a", "loss=1%", topology) == [
            "the command line: 2 links join b and a; say which: b:eth0->a:eth0, b:eth1->a:eth1"
        ]

    @pytest.mark.parametrize(
        ("way", "message"),
        [
            ("client->sever", 'no node "sever"; did you mean "client->server"?'),
            ("client", '"client" is no direction; did you mean "server->client"?'),
            ("7", '"7" is no direction; it may be client->server, server->client'),
            ("client-", '"client-" is no direction; put it in quotes: a shell takes the > for a redirection'),
            ("client->", '"client->" is no direction; did you mean "client->server"?'),
            ("client->client", "no link joins client and client; it may be client->server, server->client"),
        ],
    )
    def test_no_such_direction(self, way: str, message: str) -> None:
        assert wrong(way, "loss=1%") == [f"the command line: {message}"]

    def test_both_of_which(self) -> None:
        (told,) = wrong("both", "loss=1%", network("a-b", "b-c"))
        assert "2 links, so both ways of which one is not said" in told


class TestWrong:
    def test_each_word_that_is(self) -> None:
        assert wrong("client->server", "loss=1x dely=3ms delay=1ms") == [
            'dely=3ms: unknown key "dely"; did you mean "delay"?',
            'loss=1x: "1x" is no percentage; write a number with its sign, such as 0.1%',
        ]

    def test_its_place_in_a_mapping(self) -> None:
        told = wrong("client->server", "{match: Q., nth: 0,\n action: dorp}")
        assert [line.split(": ")[0] for line in told] == ["the command line:1:18", "the command line:2:10"]
        assert wrong("client->server", "{match: Q., action: drop}")[0].startswith("the command line:1:9: ")

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("", "the command line: nothing is said; write NAME=VALUE, as in delay=10ms loss=1%, or a mapping"),
            ("hello", 'the command line: "hello" is no impairment; write NAME=VALUE, as in'),
            ("loss= delay=1ms", 'the command line: "loss=" is no impairment'),
            ("loss=1% loss=2%", "the command line: loss=1% loss=2%: a name is there twice; say each once"),
            ("match='S", "the command line: match='S: No closing quotation; end what is in quotes"),
            ("{loss: 1%", "the command line:2:1: this is not YAML"),
            ("[]", "the command line:1:1: nothing is said here"),
            ("{loss: 1%} {delay: 1ms}", "the command line:1:"),
            ("{loss: 1%}\nheal: all", "the command line:2:1: "),
            ("{match: S, action: hold}", "the command line:1:20: a held packet needs a barrier"),
        ],
    )
    def test_all_else(self, text: str, message: str) -> None:
        assert wrong("client->server", text)[0].startswith(message)


class TestInterfaces:
    @pytest.mark.parametrize(
        ("way", "text", "expected"),
        [
            ("client:eth0", "down", [("client:eth0", False, 0)]),
            ("client:eth0", "{state: up, mtu: 1280}", [("client:eth0", True, 1280)]),
            ("client:eth0", "mtu=1280 state=up", [("client:eth0", True, 1280)]),
            ("server->client", "mtu=9000", [("client:eth0", None, 9000), ("server:eth0", None, 9000)]),
            ("both", "down", [("client:eth0", False, 0), ("server:eth0", False, 0)]),
        ],
    )
    def test_what_becomes_of_them(self, way: str, text: str, expected: list[tuple[str, bool | None, int]]) -> None:
        assert about_interfaces(way, text)
        changes = read_changes(way, text, TWO)
        assert [(f"{one.node}:{one.interface}", one.up, one.mtu) for one in changes] == expected

    def test_of_one_of_two_links(self) -> None:
        changes = read_changes("a:eth1->b:eth1", "down", network("a-b", "a-b"))
        assert [(one.node, one.interface) for one in changes] == [("a", "eth1"), ("b", "eth1")]

    @pytest.mark.parametrize(
        "text", ["loss=1%", "{match: S, action: drop}", "action=icmp icmp=fragmentation-needed mtu=1280", "{", ""]
    )
    def test_what_is_of_packets(self, text: str) -> None:
        assert not about_interfaces("client->server", text)

    @pytest.mark.parametrize(
        ("way", "text", "messages"),
        [
            ("client:eth7", "up", ['the command line: client has no interface "eth7"; did you mean "client:eth0"?']),
            ("sever:eth0", "up", ['the command line: no node "sever"; did you mean "server"?']),
            (
                "client:eth0",
                "dwn",
                ['the command line: "dwn" is no impairment; an interface is set up, down or mtu=1280; packets are'],
            ),
            ("client:eth0", "{}", ["the command line:1:1: nothing is said of it here; write up, down or {mtu: 1280}"]),
            ("client:eth0", "mtu=5 stat=up", ["mtu=5: 5 is too small: it must be at least 68", 'stat=up: unknown key "stat"']),
            (
                "both",
                "{mtu: 100}",
                ["the command line:1:7: IPv6 needs an mtu of at least 1280, and client:eth0", "the command line:1:7"],
            ),
        ],
    )
    def test_what_is_wrong(self, way: str, text: str, messages: list[str]) -> None:
        with pytest.raises(SpecError) as raised:
            read_changes(way, text, TWO)
        told = [str(problem) for problem in raised.value.problems]
        assert len(told) == len(messages)
        assert all(one.startswith(message) for one, message in zip(told, messages, strict=True)), told
