"""The steps that are about links, run for real: packets are impaired from a step on, healed again, and links go down and up."""

from collections.abc import Callable
from pathlib import Path

import pytest

from netlab.check.result import ScenarioResult
from netlab.errors import SpecError
from netlab.run import run_scenario
from netlab.scenario.load import load_scenarios
from netlab.timeline.observations import Decision

pytestmark = pytest.mark.netns

Run = Callable[[str], ScenarioResult]
CONNECTED = """
  - server: s = socket(AF_INET, SOCK_STREAM, 0)
  - server: bind(s, 0.0.0.0:8080)
  - server: listen(s, 8)
  - client: c = socket(AF_INET, SOCK_STREAM, 0)
  - client: connect(c, server:8080)
  - server: a = accept(s)
"""
DATAGRAMS = """
  - server: s = socket(AF_INET, SOCK_DGRAM, 0)
  - server: bind(s, 0.0.0.0:9000)
  - client: c = socket(AF_INET, SOCK_DGRAM, 0)
  - client: connect(c, server:9000)
"""


@pytest.fixture
def run(tmp_path: Path) -> Run:
    def run(text: str) -> ScenarioResult:
        path = tmp_path / "x.scenario.yaml"
        path.write_text(text)
        (scenario,) = load_scenarios(path)
        return run_scenario(scenario)

    return run


def outcomes(result: ScenarioResult) -> set[tuple[str, str]]:
    """What was decided, and why not; why a PASS leaves calls unjudged (rules on links) is no matter here."""
    return {(verdict.outcome, verdict.reason * (verdict.outcome != "PASS")) for verdict in result.verdicts}


def decided(result: ScenarioResult) -> list[tuple[str, str, str]]:
    """What was decided, of which direction or interface, by which rule."""
    decisions = [one for one in result.timeline.observations if isinstance(one, Decision)]
    return [(one.action, one.direction or one.key, one.rule) for one in decisions]


def test_a_step_impairs_until_another_heals(run: Run) -> None:
    result = run(
        "topology: two-hosts\nsteps:"
        + DATAGRAMS
        + """
  - client: send(c, "a", 0) -> 1
  - server: recv(s, buf(10)) -> 1 out "a"
  - impair: {client->server: [{match: udp, nth: [1, 3], action: drop}]}
  - client: send(c, "b", 0) -> 1
  - client: send(c, "c", 0) -> 1
  - client: send(c, "d", 0) -> 1
  - heal: client->server
  - client: send(c, "e", 0) -> 1
  - server: recv(s, buf(10)) -> 1 out "c"
  - server: recv(s, buf(10)) -> 1 out "e"
  - server: recv(s, buf(10), MSG_DONTWAIT) -> EAGAIN
"""
    )
    assert outcomes(result) == {("PASS", "")}
    assert decided(result) == [
        ("impair", "client->server", "impair: client->server"),
        ("drop", "client->server", "udp"),
        ("drop", "client->server", "udp"),
        ("heal", "client->server", "heal: client->server"),
    ]


def test_quantities_come_by_a_step_and_stand_in_place_of_others_until_they_are_healed(run: Run) -> None:
    connected = CONNECTED.replace("connect(c, server:8080)", "connect(c, server:8080) took >=100ms")
    impaired = connected.replace("  - client: connect", "  - impair: {client->server: {delay: 100ms}}\n  - client: connect")
    result = run(
        "topology: two-hosts\nsteps:"
        + impaired
        + """
  - impair: {client->server: {delay: 30s}}
  - heal: all
  - client: send(c, "x", 0) -> 1
  - server: recv(a, buf(10)) -> 1 out "x"
"""
    )
    assert outcomes(result) == {("PASS", "")}


def test_what_the_scenario_began_with_is_not_healed_by_a_step(run: Run) -> None:
    result = run(
        "topology: two-hosts\nimpair: {client->server: {match: udp, nth: 2, action: drop}}\nsteps:"
        + DATAGRAMS
        + """
  - impair: {client->server: {match: udp, nth: 1, action: drop}}
  - heal: all
  - client: send(c, "a", 0) -> 1
  - client: send(c, "b", 0) -> 1
  - client: send(c, "c", 0) -> 1
  - server: recv(s, buf(10)) -> 1 out "a"
  - server: recv(s, buf(10)) -> 1 out "c"
"""
    )
    assert outcomes(result) == {("PASS", "")}


def test_a_step_may_hold_packets_for_a_later_one_to_release(run: Run) -> None:
    result = run(
        "topology: two-hosts\nsteps:"
        + DATAGRAMS
        + """
  - impair: {client->server: {match: udp, action: hold, barrier: gate}}
  - client: send(c, "a", 0) -> 1
  - server: recv(s, buf(10)) & as j
  - server: join j -> blocks
  - release: gate
  - client: send(c, "b", 0) -> 1
  - server: join j -> 1 out "a"
  - server: recv(s, buf(10)) -> 1 out "b"
"""
    )
    assert outcomes(result) == {("PASS", "")}


def test_a_rule_acts_until_a_barrier_is_released(run: Run) -> None:
    result = run(
        "topology: two-hosts\nimpair: {client->server: {match: udp, before: opened, action: drop}}\nsteps:"
        + DATAGRAMS
        + """
  - client: send(c, "a", 0) -> 1
  - release: opened
  - client: send(c, "b", 0) -> 1
  - server: recv(s, buf(10)) -> 1 out "b"
"""
    )
    assert outcomes(result) == {("PASS", "")}


def test_the_report_says_what_the_round_trip_is(run: Run) -> None:
    result = run(
        "topology: two-hosts\nimpair: {client->server: {delay: 20ms}, server->client: {delay: 15ms}}\nsteps:"
        + CONNECTED.replace("connect(c, server:8080)", "connect(c, server:8080) took >=35ms")
    )
    assert outcomes(result) == {("PASS", "")}
    (built,) = [source for source in result.timeline.sources if source.name == "lab"]
    assert built.notes == ("client:eth0-server:eth0: a round trip takes 35ms (client->server 20ms, server->client 15ms)",)


def test_one_of_several_links_between_two_nodes_is_impaired_and_healed(run: Run) -> None:
    result = run(
        """topology:
  nodes: {client: {}, server: {}}
  links: [{endpoints: [client, server], subnets: [10.0.0.0/24]}, {endpoints: [client, server], subnets: [10.0.1.0/24]}]
steps:"""
        + DATAGRAMS.replace("connect(c, server:9000)", "connect(c, 10.0.0.2:9000)")
        + """
  - client: d = socket(AF_INET, SOCK_DGRAM, 0)
  - client: connect(d, 10.0.1.2:9000)
  - impair: {client->server:eth0: {action: drop}, client:eth1->server: [{match: udp, nth: 2, action: drop}]}
  - client: send(c, "a", 0) -> 1
  - client: send(d, "b", 0) -> 1
  - heal: client:eth0->server
  - client: send(c, "c", 0) -> 1
  - client: send(d, "d", 0) -> 1
  - client: send(d, "e", 0) -> 1
  - server: recv(s, buf(10)) -> 1 out "b"
  - server: recv(s, buf(10)) -> 1 out "c"
  - server: recv(s, buf(10)) -> 1 out "e"
"""
    )
    assert outcomes(result) == {("PASS", "")}


def test_a_window_of_time_counts_from_the_step(run: Run) -> None:
    result = run(
        "topology: two-hosts\nsteps:"
        + DATAGRAMS
        + """
  - wait: 150ms
  - impair: {client->server: [{match: udp, window: -60s, nth: 1, action: drop}, {match: udp, window: 60s-, action: drop}]}
  - client: send(c, "a", 0) -> 1
  - client: send(c, "b", 0) -> 1
  - server: recv(s, buf(10)) -> 1 out "b"
"""
    )
    assert outcomes(result) == {("PASS", "")}


def test_a_partition_ends_and_what_was_sent_meanwhile_arrives(run: Run) -> None:
    result = run(
        "topology: two-hosts\nsteps:"
        + CONNECTED
        + """
  - impair: {both: {action: drop}}
  - client: send(c, "x", 0) -> 1
  - server: send(a, "y", 0) -> 1
  - heal: server->client
  - client: recv(c, buf(10)) -> 1 out "y"
  - heal: client->server
  - server: recv(a, buf(10)) -> 1 out "x"
"""
    )
    assert outcomes(result) == {("PASS", "")}
    assert {way for action, way, _ in decided(result) if action == "drop"} == {"client->server", "server->client"}


def test_a_step_impairs_segments_that_its_sender_leaves_whole(run: Run) -> None:
    result = run(
        """topology:
  nodes: {client: {}, server: {}}
  links: [{endpoints: [client, server], offloads: all}]
impair: {client->server: {byte: 20000, action: drop}}
steps:"""
        + CONNECTED
        + """
  - impair: {client->server: {byte: 60000, action: corrupt, field: tcp.checksum, value: 0}}
  - client: send(c, buf(100000)) & as sending
  - server: recv(a, buf(100000), MSG_WAITALL) -> 100000 out buf(100000)
  - client: join sending -> 100000
  - expect: {tcp_info: {client.c: {total_retrans: ">=2"}}, counters: {server: {TcpInCsumErrors: "+1"}}}
"""
    )
    assert outcomes(result) == {("PASS", "")}
    assert [action for action, direction, _ in decided(result) if action != "impair"] == ["drop", "corrupt"]


def test_a_link_that_begins_down_comes_up_by_a_step(run: Run) -> None:
    result = run(
        """topology:
  nodes: {client: {}, server: {}}
  links: [{endpoints: [client, server], state: down, subnets: [10.0.0.0/24, "fd00::/64"]}]
steps:
  - server: s = socket(AF_INET6, SOCK_DGRAM, 0)
  - server: bind(s, [::]:9000)
  - client: c = socket(AF_INET6, SOCK_DGRAM, 0)
  - client: sendto(c, "x", 0, server:9000) -> ENETUNREACH
  - link: {client->server: up}
  - client: sendto(c, "x", 0, server:9000) -> 1
  - server: recv(s, buf(10)) -> 1 out "x"
"""
    )
    assert outcomes(result) == {("PASS", "")}


def test_a_router_whose_link_flaps_forwards_again(run: Run) -> None:
    result = run(
        """topology:
  nodes: {client: {}, router: {kind: router}, server: {}}
  links: [{line: [client, router, server]}]
steps:"""
        + CONNECTED
        + """
  - repeat:
      times: 3
      steps:
        - link: {router->server: down}
        - link: {router->server: up}
  - client: send(c, "x", 0) -> 1
  - server: recv(a, buf(10)) -> 1 out "x"
"""
    )
    assert outcomes(result) == {("PASS", "")}
    assert len([action for action, *_ in decided(result) if action == "link down"]) == 6


def test_a_rule_acts_while_a_socket_is_in_a_state_though_its_descriptor_is_closed(run: Run) -> None:
    result = run(
        "topology: two-hosts\nsteps:"
        + CONNECTED
        + """
  - impair: {server->client: {match: ., during: {client.c: FIN-WAIT-1}, nth: 1, action: drop}}
  - client: close(c)
  - expect: {within: 5s, packets: [..., client > server F., ..., client > server F., ...]}
"""
    )
    assert outcomes(result) == {("PASS", "")}
    assert decided(result) == [
        ("impair", "server->client", "impair: server->client"),
        ("drop", "server->client", "."),
    ]


def test_a_link_goes_down_and_up_beneath_a_connection(run: Run) -> None:
    result = run(
        "topology: two-hosts\nsteps:"
        + CONNECTED
        + """
  - link: {client->server: down}
  - client: u = socket(AF_INET, SOCK_DGRAM, 0)
  - client: sendto(u, "x", 0, server:9000) -> ENETUNREACH
  - link: {client->server: up}
  - client: send(c, "x", 0) -> 1
  - server: recv(a, buf(10)) -> 1 out "x"
"""
    )
    assert outcomes(result) == {("PASS", "")}
    assert decided(result) == [
        (f"link {state}", end, f"link: client->server {state}")
        for state in ("down", "up")
        for end in ("client:eth0", "server:eth0")
    ]


def test_an_interface_gets_another_mtu(run: Run) -> None:
    result = run(
        "topology: two-hosts\nsteps:"
        + CONNECTED
        + """
  - link: {client:eth0: {mtu: 1280}}
  - client: send(c, buf(1400), 0) -> 1400
  - expect: {packets: [..., client > server . len 1228, client > server P. len 172, ...]}
"""
    )
    assert outcomes(result) == {("PASS", "")}
    (decision,) = [one for one in result.timeline.observations if isinstance(one, Decision)]
    assert (decision.action, decision.host, decision.values, decision.engine) == ("link mtu", "client", {"mtu": 1280}, "netlink")


def test_a_filter_that_is_none_is_the_files_error_before_anything_is_built(run: Run) -> None:
    with pytest.raises(SpecError, match=r"x.scenario.yaml:3:31: .*syntax error"):
        run("topology: two-hosts\nsteps:\n  - impair: {client->server: [{filter: tcp prt 80, action: drop}]}\n")
