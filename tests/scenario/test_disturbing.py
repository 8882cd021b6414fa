"""The steps that are about links, as a file has them: what each becomes, what is built for it, and what is wrong where."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from malformed_parts import impairing_rule, soup

from netlab.errors import SpecError
from netlab.scenario.load import load_scenarios
from netlab.scenario.spec import AnyStep, HealStep, ImpairStep, LinkStep, ReleaseStep, Scenario
from netlab.topology.plan import plan
from netlab.topology.spec import InterfaceChange
from netlab.units import milliseconds

Load = Callable[[str], Scenario]
THERE, BACK = ("client", "server"), ("server", "client")
LINK = "client:eth0-server:eth0"
BOTH_ENDS = ("client", "server")
INLINE = """topology:
  nodes: {a: {}, b: {}, r: {kind: router}, p: {kind: peer}}
  links:
    - {endpoints: [a, r], subnets: [10.0.0.0/24]}
    - {endpoints: [a, r]}
    - {endpoints: [b, r]}
    - {endpoints: [r, p]}
steps:
"""


@pytest.fixture
def load(tmp_path: Path) -> Load:
    def load(text: str) -> Scenario:
        path = tmp_path / "x.scenario.yaml"
        path.write_text(text)
        (scenario,) = load_scenarios(path)
        return scenario

    return load


def steps(*lines: str) -> str:
    return "topology: two-hosts\nsteps:\n" + "".join(f"  - {line}\n" for line in lines)


def one(load: Load, line: str) -> AnyStep:
    (step,) = load(steps(line)).steps
    return step


def told(load: Load, text: str) -> list[str]:
    with pytest.raises(SpecError) as caught:
        load(text)
    return [str(problem).partition("x.scenario.yaml:")[2] for problem in caught.value.problems]


def test_an_impair_step_has_the_rules_and_quantities_of_each_direction(load: Load) -> None:
    step = one(load, "impair: {client->server: [{match: S, nth: 2, action: drop}, {delay: 5ms}], server->client: {action: drop}}")
    assert isinstance(step, ImpairStep)
    assert step.text == "impair: client->server, server->client"
    there, back = step.disturbances
    assert (there.link, there.direction, back.link, back.direction) == (LINK, THERE, LINK, BACK)
    assert [(rule.match.text, rule.occurrences) for rule in there.rules] == [("S", frozenset({2}))]
    assert [(rule.match.text, rule.occurrences) for rule in back.rules] == [("...", frozenset())]
    assert (there.shape is not None and there.shape.delay, back.shape) == (milliseconds(5), None)


def test_both_is_each_direction_of_the_only_link(load: Load) -> None:
    step = one(load, "impair: {both: {action: drop}}")
    assert isinstance(step, ImpairStep)
    assert [each.direction for each in step.disturbances] == [THERE, BACK]


def test_a_link_that_a_step_impairs_is_built_with_a_middle_that_looks_at_packets(load: Load) -> None:
    for line in ("impair: {client->server: {action: drop}}", "impair: {server->client: {loss: 1%}}"):
        (wire,) = plan(load(steps(line)).topology).wires
        assert (wire.user_space, wire.middle, wire.shapes) == (True, "middle of client:eth0-server:eth0", (None, None))
    (wire,) = plan(load(steps("link: {client->server: down}")).topology).wires
    assert (wire.user_space, wire.middle) == (False, None)


def test_only_the_links_that_steps_impair_are_built_so(load: Load) -> None:
    scenario = load(INLINE + "  - impair: {b->r: {action: drop}}\n")
    assert [wire.user_space for wire in plan(scenario.topology).wires] == [False, False, True, False]


def test_interfaces_say_which_of_several_links_is_meant(load: Load) -> None:
    scenario = load(INLINE + "  - impair: {a:eth1->r: {action: drop}, r->a:eth0: {loss: 1%}}\n  - heal: a->r:eth1\n")
    impair, heal = scenario.steps
    assert isinstance(impair, ImpairStep)
    assert isinstance(heal, HealStep)
    assert [(each.link, each.direction) for each in impair.disturbances] == [
        ("a:eth1-r:eth1", ("a", "r")),
        ("a:eth0-r:eth0", ("r", "a")),
    ]
    assert heal.directions == (("a:eth1-r:eth1", ("a", "r")),)
    assert [wire.user_space for wire in plan(scenario.topology).wires] == [True, True, False, False]
    (first, second, *_) = load(
        INLINE.replace("steps:", "impair: {a->r:eth1: {delay: 1ms}}\nsteps:") + "  - wait: 1ms\n"
    ).topology.links
    assert (first.shapes, [way for way, _ in second.shapes]) == ((), [("a", "r")])


def test_what_the_topology_says_of_a_link_stays_beside_what_steps_say(load: Load) -> None:
    scenario = load(
        "topology: {nodes: {client: {}, server: {}}, "
        "links: [{endpoints: [client, server], impair: {client->server: {delay: 1ms}}}]}\n"
        "impair: {client->server: {match: S, action: drop}}\n"
        "steps:\n  - impair: {client->server: {match: F., action: drop}}\n"
    )
    (link,) = scenario.topology.links
    assert [(way, [rule.match.text for rule in rules]) for way, rules in link.impair] == [(THERE, ["S"])]
    assert [(way, shape.delay) for way, shape in link.shapes] == [(THERE, milliseconds(1))]
    (step,) = scenario.steps
    assert isinstance(step, ImpairStep)
    assert [[rule.match.text for rule in each.rules] for each in step.disturbances] == [["F."]]


@pytest.mark.parametrize(
    ("said", "directions"),
    [
        ("client->server", (THERE,)),
        ("[server->client, client->server]", (BACK, THERE)),
        ("[client->server, client->server]", (THERE,)),
        ("both", (THERE, BACK)),
        ("all", ()),
    ],
)
def test_a_heal_step_has_directions_or_means_all(load: Load, said: str, directions: tuple[tuple[str, str], ...]) -> None:
    *_, step = load(steps("impair: {both: {action: drop}}", f"heal: {said}")).steps
    assert isinstance(step, HealStep)
    assert step.directions == tuple((LINK, direction) for direction in directions)


@pytest.mark.parametrize(
    ("said", "text", "changes"),
    [
        ("{client->server: down}", "link: client->server down", [{"node": node, "up": False} for node in BOTH_ENDS]),
        ("{client:eth0: up}", "link: client:eth0 up", [{"node": "client", "up": True}]),
        ("{client:eth0: {state: down}}", "link: client:eth0 down", [{"node": "client", "up": False}]),
        ("{server:eth0: {mtu: 1280}}", "link: server:eth0 mtu 1280", [{"node": "server", "mtu": 1280}]),
        (
            "{client:eth0: {state: up, mtu: 9000}, server:eth0: down}",
            "link: client:eth0 up mtu 9000, server:eth0 down",
            [{"node": "client", "up": True, "mtu": 9000}, {"node": "server", "up": False}],
        ),
    ],
)
def test_a_link_step_changes_interfaces_in_its_order(load: Load, said: str, text: str, changes: list[dict[str, Any]]) -> None:
    step = one(load, f"link: {said}")
    assert isinstance(step, LinkStep)
    assert step.text == text
    assert step.changes == tuple(InterfaceChange(interface="eth0", **change) for change in changes)


def test_a_link_to_a_peer_changes_at_the_other_end_alone(load: Load) -> None:
    (step,) = load(INLINE + "  - link: {r->p: down}\n").steps
    assert isinstance(step, LinkStep)
    assert step.changes == (InterfaceChange(node="r", interface="eth3", up=False),)


def test_an_ipv4_link_may_have_a_smaller_mtu_than_ipv6_needs(load: Load) -> None:
    (step,) = load(INLINE + "  - link: {a:eth0: {mtu: 576}}\n").steps
    assert isinstance(step, LinkStep)
    assert step.changes == (InterfaceChange(node="a", interface="eth0", mtu=576),)


def test_the_barriers_of_a_steps_rules_can_be_released_and_awaited(load: Load) -> None:
    scenario = load(
        steps(
            "impair: {client->server: [{match: S, action: hold, barrier: syns}, {before: opened, action: drop}]}",
            "release: syns",
            "release: opened",
        )
    )
    assert [step.barrier for step in scenario.steps if isinstance(step, ReleaseStep)] == ["syns", "opened"]


def test_steps_about_links_may_be_repeated(load: Load) -> None:
    text = "repeat: {times: 2, steps: [{link: {client->server: down}}, {link: {client->server: up}}]}"
    assert [step.text for step in load(steps(text)).steps] == ["link: client->server down", "link: client->server up"] * 2


@pytest.mark.parametrize(
    ("lines", "problems"),
    [
        (["impair: {}"], ["3:13: too few: 0, at least 1 wanted"]),
        (["impair: down"], ['3:13: this must be a mapping, not "down"']),
        (["impair: {client->sever: {action: drop}}"], ['3:14: no node "sever"; did you mean "client->server"?']),
        (["impair: {client: {action: drop}}"], [
            '3:14: "client" is no direction; did you mean "server->client"?',
        ]),
        (["impair: {client->server: {}}"], [
            "3:30: no quantity is given here; write for example {delay: 10ms, loss: 0.1%}",
        ]),
        (["impair: {client->server: []}"], [
            "3:30: nothing is said here; write for example {delay: 10ms} or {match: S, action: drop}",
        ]),
        (["impair: {client->server: {match: S, action: hold}}"], [
            "3:49: a held packet needs a barrier to wait at; add barrier: NAME, and later a step release: NAME",
        ]),
        (["impair: {client->server: {match: clint > server S, action: drop}}"], [
            '3:38: no node "clint"; did you mean "client"?',
        ]),
        (["impair: {client->server: {during: {client.c: SYN-SENT}, action: drop}}"], [
            '3:40: client never has anything called "c"; a step binds it: client: c = socket(...)',
        ]),
        (["impair: {client->server: {before: opened, action: drop}}"], [
            '3:39: no step releases a barrier "opened"; a step lets it go: release: opened',
        ]),
        (["impair: {client->server: {action: drop}}", "release: gate"], [
            '4:14: no rule holds packets at a barrier "gate"; a rule with action: hold names its barrier',
        ]),
        (["release: gate", "impair: {client->server: {match: S, action: hold, barrier: gate}}"], [
            '3:14: no rule holds packets at a barrier "gate"; a rule with action: hold names its barrier',
        ]),
        (["impair: {client->server: {action: dorp}}", "heal: client->server"], [
            '3:39: "dorp" is none of drop, hold, delay, duplicate, reorder, corrupt, truncate, mark, reset, icmp; '
            'did you mean "drop"?',
        ]),
        (["heal: []"], ["3:11: too few: 0, at least 1 wanted"]),
        (["heal: all"], ["3:11: no step impairs anything, so nothing can be healed; a step impair: {...} comes before it"]),
        (["impair: {client->server: {loss: 1%}}", "heal: server->client"], [
            "4:11: no step impairs server->client, and what the topology says of it stays; steps impair client->server",
        ]),
        (["impair: {client->server: {loss: 1%}}", "heal: [all, client->server]"], [
            "4:11: all is every direction, and others are named beside it; write heal: all",
        ]),
        (["impair: {client->server: {loss: 1%}}", "heal: [client->sever]"], [
            '4:12: no node "sever"; did you mean "client->server"?',
        ]),
        (["link: {}"], ["3:11: too few: 0, at least 1 wanted"]),
        (["link: down"], ['3:11: this must be a mapping, not "down"']),
        (["link: {client->server: dwn}"], ['3:28: "dwn" is none of up, down; did you mean "down"?']),
        (["link: {client->server: 1280}"], [
            "3:28: this must be up, down or a mapping such as {mtu: 1280}, not 1280 (a number)",
        ]),
        (["link: {client->server: {}}"], ["3:28: nothing is said of it here; write up, down or {mtu: 1280}"]),
        (["link: {client:eth0: {mtu: 60}}"], ["3:31: 60 is too small: it must be at least 68"]),
        (["link: {client:eth0: {mtu: 1000}}"], [
            "3:31: IPv6 needs an mtu of at least 1280, and client:eth0 has an IPv6 address; "
            "raise the mtu, or give the link IPv4 subnets only",
        ]),
        (["link: {client:eth0: {speed: 10}}"], ['3:26: unknown key "speed"; it may be one of state, mtu']),
        (["link: {client:eth1: down}"], ['3:12: client has no interface "eth1"; did you mean "client:eth0"?']),
        (["link: {client: down}"], [
            '3:12: "client" is no interface and no link; it may be client:eth0, or both ends: client->NODE',
        ]),
        (["link: {clint:eth0: down}"], ['3:12: no node "clint"; did you mean "client"?']),
        (["link: {client->sever: down}"], ['3:12: no node "sever"; did you mean "client->server"?']),
        (["link: {client->server: down}\n    document: up"], [
            "4:5: a link step gives nothing that a document could say otherwise",
        ]),
    ],
    ids=lambda each: "; ".join(each)[:60],
)  # fmt: skip
def test_what_is_wrong_is_told_where_it_stands(load: Load, lines: list[str], problems: list[str]) -> None:
    assert told(load, steps(*lines)) == problems


@pytest.mark.parametrize(
    ("line", "problems"),
    [
        ("impair: {a->r: {action: drop}}", ["9:14: 2 links join a and r; say which: a:eth0->r:eth0, a:eth1->r:eth1"]),
        ("impair: {b->r: {action: drop}, b:eth0->r: {loss: 1%}}", [
            "9:36: this is the link b:eth0-r:eth2, and what is done to b->r there is said above; write it as one list",
        ]),
        ("impair: {both: {action: drop}}", [
            "9:14: this network has 4 links, so both ways of which one is not said; "
            "it may be a->r, r->a, b->r, r->b, r->p, p->r",
        ]),
        ("impair: {a->b: {action: drop}}", ['9:14: no link joins a and b; it may be a->r, r->a, b->r, r->b, r->p, p->r']),
        ("link: {a->r: down}", ["9:12: 2 links join a and r; say which: a:eth0->r:eth0, a:eth1->r:eth1"]),
        ("link: {p:eth0: down}", ["9:12: p is driven by hand, and its interface stays up; name the other end of the link"]),
    ],
)  # fmt: skip
def test_what_could_mean_several_links_means_none(load: Load, line: str, problems: list[str]) -> None:
    assert told(load, INLINE + f"  - {line}\n") == problems


_SAID = st.sampled_from(["client->server", "server->client", "both", "all", "client:eth0", "client->", "->", "x->y", ""])
_VALUES = st.one_of(
    impairing_rule, st.lists(impairing_rule, max_size=3), soup, st.sampled_from(["up", "down", {"mtu": 1280}, {"state": "down"}])
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(word=st.sampled_from(["impair", "heal", "link"]), said=st.one_of(st.dictionaries(_SAID, _VALUES, max_size=3), _SAID, soup))
def test_whatever_is_said_is_read_or_the_files_error(load: Load, word: str, said: Any) -> None:
    text = steps("impair: {client->server: {loss: 1%}}") + f"  - {word}: {json.dumps(said)}\n"
    try:
        kinds, lines = [type(step) for step in load(text).steps[1:]], set[int]()
    except SpecError as error:
        kinds, lines = [], {problem.place.line for problem in error.problems}
    assert (kinds, lines) in (([{"impair": ImpairStep, "heal": HealStep, "link": LinkStep}[word]], set()), ([], {4}))
