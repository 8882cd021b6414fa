import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import netlab.model
from netlab.errors import Place, SpecError
from netlab.notation.calls import CallText, JoinText, Result, RunText
from netlab.notation.parse import parse_packet, parse_result, parse_step
from netlab.notation.tcp_states import STATES, canonical_state
from netlab.scenario.load import load_claims, load_scenarios
from netlab.scenario.spec import (
    CallStep,
    Claim,
    Expectation,
    ExpectStep,
    JoinStep,
    NotTested,
    PacketsExpected,
    PeerStep,
    ReleaseStep,
    RunStep,
    Scenario,
    WaitStep,
)
from netlab.topology.load import load_topology
from netlab.units import Duration, milliseconds

Load = Callable[[str], Scenario]
HEAD = "topology: two-hosts\nsteps:\n"


@pytest.fixture
def load(tmp_path: Path) -> Load:
    def load(text: str) -> Scenario:
        path = tmp_path / "x.scenario.yaml"
        path.write_text(text)
        return load_scenarios(path)[0]

    return load


def expectation(load: Load, text: str, *before: str) -> Expectation:
    steps = ["client: c = socket(AF_INET, SOCK_STREAM, 0)", *before]
    scenario = load(HEAD + "".join(f"  - {step}\n" for step in steps) + f"  - expect: {text}\n")
    (*_, last) = scenario.steps
    assert isinstance(last, ExpectStep)
    return last.expect


def errors(load: Load, text: str) -> list[str]:
    with pytest.raises(SpecError) as caught:
        load(text)
    return [f"{each.place.line}:{each.place.column}: {each.message}" for each in caught.value.problems]


def test_a_scenario_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "open.scenario.yaml"
    path.write_text(
        "# Opening.\n"
        "topology: two-hosts\n"
        "timeout: 2s\n"
        "steps:\n"
        "  - server: s = socket(AF_INET, SOCK_STREAM, 0)\n"
        '  - client: send(s2, "x", MSG_NOSIGNAL) -> EPIPE\n'.replace("s2", "0")
        + "    document: ENOTCONN\n"
        "  - server: a = accept(s) & as j\n"
        "  - server: join j -> fd\n"
        "  - client: run true & as program\n"
        "  - wait: 10ms\n"
        "  - expect: {states: {server.a: SYN_RECV}}\n"
        "    document: {states: {server.a: ESTABLISHED}, within: 2s}\n"
    )

    def at(line: int) -> Place:
        return Place(str(path), line, 5)

    def call(line: int, text: str, document: Result | None = None) -> CallStep:
        host, what = text[:6], parse_step(text[8:])
        assert isinstance(what, CallText)
        return CallStep(text=text, place=at(line), host=host, process=host, what=what, document=document)

    joined, program = parse_step("join j -> fd"), parse_step("run true & as program")
    assert isinstance(joined, JoinText)
    assert isinstance(program, RunText)
    assert load_scenarios(path) == (
        Scenario(
            name="open",
            intent="Opening.",
            place=Place(str(path), 2, 1),
            topology=load_topology("two-hosts"),
            timeout=Duration.parse("2s"),
            steps=(
                call(5, "server: s = socket(AF_INET, SOCK_STREAM, 0)"),
                call(6, 'client: send(0, "x", MSG_NOSIGNAL) -> EPIPE', document=parse_result("ENOTCONN")),
                call(8, "server: a = accept(s) & as j"),
                JoinStep(text="server: join j -> fd", place=at(9), host="server", process="server", what=joined),
                RunStep(text="client: run true & as program", place=at(10), host="client", what=program),
                WaitStep(text="wait: 10ms", place=at(11), time=milliseconds(10)),
                ExpectStep(
                    text="expect: states",
                    place=at(12),
                    expect=Expectation(states={"server.a": "SYN-RECEIVED"}),
                    document=Expectation(states={"server.a": "ESTABLISHED"}, within=milliseconds(2000)),
                ),
            ),
        ),
    )


def test_a_peers_step_is_a_packet(load: Load) -> None:
    scenario = load("topology: host-and-peer\nsteps:\n  - peer: S. ack 1 win 0 <mss 1460>\n")
    packet = parse_packet("S. ack 1 win 0 <mss 1460>")
    assert scenario.steps == (
        PeerStep(text="peer: S. ack 1 win 0 <mss 1460>", place=scenario.steps[0].place, host="peer", packet=packet),
    )


def test_an_expectation_as_a_whole(load: Load) -> None:
    packets = PacketsExpected(
        patterns=(parse_packet("client > server S"), parse_packet("...")),
        at="server:eth0",
        including=frozenset({"arp", "nd"}),
    )
    text = """
      packets: [client > server S, "..."]
      at: server:eth0
      including: [arp, nd]
      states: {client.c: SYN_SENT, "server:8080": CLOSED}
      path: {client.c: [CLOSED, SYN-SENT]}
      fds: {client: {3: socket, 4: closed}, server: +2}
      distinct: [client.c, client.d]
      same: [client.c, client.d]
      sockets: {client: {used: 1}}
      listed: {client.c: true}
      queue: {client.c: {send: 0, receive: 5}}
      counters: {client: {TcpRetransSegs: +1, ListenDrops: ">=1"}}
      memory: {client: {TCP: {allocated: 1, live: 0}}}
      drops: {server: {NO_SOCKET: 1}}
      tcp_info: {client.c: {retransmits: 1, rto: ">=200000"}}
      timers: {client.c: {timer: on, left: ">=10"}}
      within: 2s
      for: 50ms"""
    assert expectation(load, text, "client: d = dup(c)") == Expectation(
        packets=packets,
        states={"client.c": "SYN-SENT", "server:8080": "CLOSED"},
        path={"client.c": ("CLOSED", "SYN-SENT")},
        fds={"client": {3: "socket", 4: "closed"}, "server": "+2"},
        distinct=("client.c", "client.d"),
        same=("client.c", "client.d"),
        sockets={"client": {"used": 1}},
        listed={"client.c": True},
        queue={"client.c": {"send": 0, "receive": 5}},
        counters={"client": {"TcpRetransSegs": "+1", "ListenDrops": ">=1"}},
        memory={"client": {"TCP": {"allocated": 1, "live": 0}}},
        drops={"server": {"NO_SOCKET": "+1"}},
        tcp_info={"client.c": {"retransmits": "1", "rto": ">=200000"}},
        timers={"client.c": {"timer": "on", "left": ">=10"}},
        within=milliseconds(2000),
        watch=milliseconds(50),
    )


def test_what_the_document_says_replaces_only_its_own_keys(load: Load) -> None:
    text = HEAD + "  - expect: {packets: [S], arrived: true, for: 5ms, fds: {client: unchanged}}\n    document: {unordered: []}\n"
    (step,) = load(text).steps
    assert isinstance(step, ExpectStep)
    expected = PacketsExpected(patterns=(parse_packet("S"),), arrived=True)
    assert step.expect == Expectation(packets=expected, watch=milliseconds(5), fds={"client": "unchanged"})
    assert step.document == replace(step.expect, packets=replace(expected, patterns=(), unordered=True))


def test_a_repeat_is_unrolled_in_order(load: Load) -> None:
    scenario = load(
        HEAD + "  - repeat:\n      times: 2\n      steps:\n        - wait: 1ms\n        - repeat: {times: 3, steps: [wait: 2ms]}\n"
    )
    assert [step.time.ns // 1_000_000 for step in scenario.steps if isinstance(step, WaitStep)] == [1, 2, 2, 2, 1, 2, 2, 2]


def test_a_job_may_be_started_again_once_it_is_joined(load: Load) -> None:
    body = "client: getpid() & as j", "client: join j"
    repeated = "  - repeat: {times: 3, steps: [{'client': 'getpid() & as j'}, {'client': 'join j'}]}\n"
    assert len(load(HEAD + "".join(f"  - {step}\n" for step in body) + repeated).steps) == 8
    assert errors(load, HEAD + "  - repeat: {times: 3, steps: [client: getpid() & as j]}\n") == [
        '3:54: a job "j" is running already'
    ]


def test_a_forked_process_has_a_copy_of_the_names_and_then_its_own(load: Load) -> None:
    steps = "  - client: c = socket(AF_INET, SOCK_STREAM, 0)\n  - client: p = fork()\n  - client/p: d = dup(c)\n"
    scenario = load(
        HEAD + steps + "  - client/p: q = fork()\n  - client/p/q: close(d)\n  - expect: {states: {client/p.d: CLOSED}}\n"
    )
    assert [(step.host, step.process) for step in scenario.steps if isinstance(step, CallStep)] == [
        ("client", "client"), ("client", "client"), ("client", "client/p"), ("client", "client/p"), ("client", "client/p/q"),
    ]  # fmt: skip
    assert errors(load, HEAD + steps + "  - client: close(d)\n") == ['6:19: client has nothing called "d" by now']


def test_rights_name_what_is_received(load: Load) -> None:
    load(
        HEAD + "  - client: (a, b) = socketpair(AF_UNIX, SOCK_STREAM, 0)\n"
        '  - client: sendmsg(a, "x", control=rights(b))\n'
        "  - client: recvmsg(b, buf(1), control=rights(e))\n"
        "  - client: close(e)\n"
    )


def test_a_call_within_a_call_knows_the_same_names(load: Load) -> None:
    steps = "  - client: l = socket(AF_INET, SOCK_STREAM, 0)\n"
    load(
        HEAD
        + steps
        + "  - client: after(5, a=accept(l))\n  - client: A = addr(l)\n  - client: child(bind(l, @A:port0))\n  - client: close(a)\n"
    )
    assert errors(load, HEAD + steps + "  - client: child(close(d))\n") == ['4:25: client has nothing called "d" by now']


def test_how_an_option_is_read_is_nobodys_name(load: Load) -> None:
    steps = "  - client: s = socket(AF_INET, SOCK_STREAM, 0)\n"
    for how in ("errno", "len, 1", "BUF, 4", "str"):
        load(HEAD + steps + f"  - client: getsockopt(s, SOL_SOCKET, SO_ERROR, {how})\n")


def test_a_wrong_step_does_not_make_its_names_unknown(load: Load) -> None:
    text = HEAD + "  - client: c = soket(AF_INET, SOCK_STREAM, 0)\n  - client: close(c)\n  - server: close(c)\n"
    assert errors(load, text) == [
        "3:17: soket is no call that netlab knows",
        '5:19: server has nothing called "c" by now',
    ]


def test_rules_are_laid_over_the_topologys_own(load: Load) -> None:
    scenario = load(
        "topology:\n  nodes: {a: {}, b: {}}\n  links:\n    - endpoints: [a, b]\n      impair: {a->b: [{match: S, action: drop}]}\n"
        "impair:\n  b->a: [{match: S., action: hold, barrier: x}]\n  a->b: [{match: F., action: drop}]\n"
        "steps:\n  - release: x\n"
    )
    (link,) = scenario.topology.links
    assert [(way, [rule.match.text for rule in rules]) for way, rules in link.impair] == [
        (("a", "b"), ["S", "F."]),
        (("b", "a"), ["S."]),
    ]
    assert scenario.steps == (ReleaseStep(text="release: x", place=scenario.steps[0].place, barrier="x"),)


def test_quantities_stand_in_place_of_the_topologys_own(load: Load) -> None:
    scenario = load(
        "topology:\n  nodes: {a: {}, b: {}}\n  links:\n    - endpoints: [a, b]\n      impair: {both: {delay: 5ms, loss: 1%}}\n"
        "impair:\n  a->b: [{rate: 1mbit}, {match: S, action: drop}]\nsteps:\n  - wait: 1ms\n"
    )
    (link,) = scenario.topology.links
    assert [(way, shape.delay, shape.loss, shape.rate) for way, shape in link.shapes] == [
        (("a", "b"), Duration(0), 0.0, 1_000_000),
        (("b", "a"), milliseconds(5), 0.01, 0),
    ]
    assert [(way, [rule.match.text for rule in rules]) for way, rules in link.impair] == [(("a", "b"), ["S"])]


def test_a_scenario_with_a_statement_is_a_claim(load: Load) -> None:
    text = "name: one\ngroup: g\nstatement: It is so.\nsources: [RFC 9293]\nnote: n\nexclusive: true\n" + HEAD + "  - wait: 1ms\n"
    claim = Claim(id="one", group="g", statement="It is so.", sources=("RFC 9293",), note="n", exclusive=True)
    assert load(text).claim == claim


def test_a_file_of_claims(tmp_path: Path) -> None:
    path = tmp_path / "claims.yaml"
    path.write_text(
        "group: g\n"
        "claims:\n"
        "  - {id: one, statement: One., sources: [s], from_notes: true, topology: one-host, steps: [host: getpid()]}\n"
        "  - {id: two, statement: Two., sources: [s, t], topology: one-host, steps: [host: getpid() -> ?]}\n"
        "not_tested:\n"
        "  - {id: three, statement: Three., reason: no, sources: [u]}\n".replace("no,", "unseen,")
    )
    scenarios, not_tested = load_claims(path)
    assert [(each.name, each.claim) for each in scenarios] == [
        ("one", Claim(id="one", group="g", statement="One.", sources=("s",), from_notes=True)),
        ("two", Claim(id="two", group="g", statement="Two.", sources=("s", "t"))),
    ]
    (step,) = scenarios[1].steps
    assert isinstance(step, CallStep)
    assert step.what.result == Result(form="any")
    assert not_tested == (NotTested(id="three", statement="Three.", reason="unseen", sources=("u",), group="g"),)
    assert load_scenarios(path) == scenarios


CLAIMS = sorted(path for folder in netlab.model.__path__ for path in Path(folder, "claims").glob("*.yaml"))


@pytest.mark.parametrize("path", CLAIMS, ids=lambda path: path.stem)
def test_every_shipped_claim_loads(path: Path) -> None:
    assert load_claims(path)[0]


@pytest.mark.parametrize(
    ("spelling", "name"),
    [("SYN_RECV", "SYN-RECEIVED"), ("TCP_CLOSE", "CLOSED"), ("fin-wait2", "FIN-WAIT-2"), ("ESTAB", "ESTABLISHED"), ("OPEN", None)],
)
def test_spellings_of_states(spelling: str, name: str | None) -> None:
    assert canonical_state(spelling) == name


def test_the_canonical_states_are_their_own_names() -> None:
    assert [canonical_state(state) for state in STATES] == list(STATES)


WORDS = st.sampled_from([
    "client", "server", "server.c", "c", "expect", "packets", "states", "repeat", "times", "steps", "document", "wait", "release",
    "nodes", "links", "endpoints", "subnets", "impair", "topology", "two-hosts", "10.0.0.0/24", "fd00::/64", "a->b", "both",
    "c = socket(AF_INET, SOCK_STREAM, 0)", "close(c)", "S.", "client > server S", "1ms", "fds", "+1", "join j", "-> fd",
])  # fmt: skip
VALUES = st.recursive(
    WORDS | st.integers(-2, 3) | st.none() | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=12,
)


def assert_told(error: SpecError) -> None:
    assert error.problems


@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(topology=st.just("two-hosts") | VALUES, steps=VALUES, impair=VALUES)
def test_whatever_a_file_says_it_loads_or_is_the_users_error(load: Load, topology: Any, steps: Any, impair: Any) -> None:
    text = json.dumps({"topology": topology, "steps": steps if isinstance(steps, list) else [steps], "impair": impair})
    try:
        scenario = load(text)
    except SpecError as error:
        assert_told(error)
    else:
        assert scenario.steps


@settings(max_examples=75, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, 2000), cut=st.integers(0, 40), text=st.text(max_size=5) | WORDS)
def test_a_damaged_file_loads_or_is_the_users_error(load: Load, at: int, cut: int, text: str) -> None:
    original = CLAIMS[0].read_text()
    try:
        load(original[:at] + text + original[at + cut :])
    except SpecError as error:
        assert_told(error)
