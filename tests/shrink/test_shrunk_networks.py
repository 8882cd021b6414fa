"""Nodes go with their links, links with what is done on them, and a node between two others by a link in its place."""

from pathlib import Path
from typing import Any

import pytest

from netlab.scenario.load import load_scenarios
from netlab.shrink import impairments
from netlab.shrink.networks import details, shortcuts, with_details, with_links, with_nodes
from netlab.shrink.written import written

Data = dict[str, Any]


def line() -> Data:
    """client - r1 - r2 - server, and an idle host at r1."""
    return {
        "topology": {
            "name": "line",
            "nodes": {
                "client": {},
                "r1": {"kind": "router"},
                "r2": {"kind": "router", "sysctls": {"net.ipv4.ip_default_ttl": 9}},
                "server": {},
                "idle": {},
            },
            "links": [
                {"endpoints": ["client", "r1"], "subnets": ["10.0.1.0/24"], "impair": {"client->r1": {"delay": "1ms"}}},
                {"endpoints": ["r1", "r2"], "impair": {"both": [{"match": "S", "action": "drop", "nth": 1}]}},
                {"endpoints": ["r2", "server:eth7"], "mtu": 1400, "mac": {"server": "02:00:00:00:00:01"}},
                {"endpoints": ["idle", "r1"]},
            ],
        },
        "impair": {"r2->server": [{"match": "F.", "action": "drop"}], "idle->r1": {"loss": "1%"}},
        "steps": [{"server": "s = socket(AF_INET, SOCK_STREAM, 0)"}],
    }


def loads(data: Data, folder: Path) -> None:
    file = folder / "left.yaml"
    file.write_text(written(data))
    load_scenarios(file)


def test_a_node_goes_with_its_links_and_what_is_done_on_them(tmp_path: Path) -> None:
    left = with_nodes(line(), ["client", "r1", "r2", "server"])
    assert list(left["topology"]["nodes"]) == ["client", "r1", "r2", "server"]
    assert [link["endpoints"] for link in left["topology"]["links"]] == [["client", "r1"], ["r1", "r2"], ["r2", "server:eth7"]]
    assert left["impair"] == {"r2->server": [{"match": "F.", "action": "drop"}]}
    loads(left, tmp_path)


def test_a_link_goes_with_what_is_done_on_it() -> None:
    left = with_links(line(), [0, 1, 3])
    assert len(left["topology"]["links"]) == 3
    assert left["impair"] == {"idle->r1": {"loss": "1%"}}


def test_one_node_has_no_links(tmp_path: Path) -> None:
    left = with_nodes(line(), ["server"])
    assert left["topology"] == {"name": "line", "nodes": {"server": {}}}
    assert "impair" not in left
    loads(left, tmp_path)


def test_a_router_between_two_goes_and_one_link_takes_its_place(tmp_path: Path) -> None:
    whole = with_nodes(line(), ["client", "r1", "r2", "server"])
    first, second = shortcuts(whole)
    assert first["topology"]["links"][0] == {
        "endpoints": ["client", "r2"],
        "subnets": ["10.0.1.0/24"],
        "impair": {"client->r2": {"delay": "1ms"}, "both": [{"match": "S", "action": "drop", "nth": 1}]},
    }
    assert second["topology"]["links"][1]["endpoints"] == ["r1", "server:eth7"]
    assert second["topology"]["links"][1]["mac"] == {"server": "02:00:00:00:00:01"}
    assert second["impair"] == {"r1->server": [{"match": "F.", "action": "drop"}]}
    (last,) = shortcuts(first)
    assert list(last["topology"]["nodes"]) == ["client", "server"]
    assert last["impair"] == {"client->server": [{"match": "F.", "action": "drop"}]}
    assert last["topology"]["links"][0]["mtu"] == 1400
    for each in (first, second, last):
        loads(each, tmp_path)


def test_a_host_and_a_router_of_three_links_are_not_passed_by() -> None:
    assert not [each for each in shortcuts(line()) if "r1" not in each["topology"]["nodes"]]
    assert not [each for each in shortcuts(line()) if "client" not in each["topology"]["nodes"]]


def test_details_go_one_by_one_but_not_what_makes_it_a_network(tmp_path: Path) -> None:
    data = line()
    every = details(data)
    assert ("nodes", "r2", "sysctls") in every
    assert ("links", "2", "mtu") in every
    assert with_details(data, every)["topology"] == data["topology"]
    bare = with_details(data, [])
    assert bare["topology"]["nodes"]["r2"] == {"kind": "router"}
    assert bare["topology"]["links"][0] == {"endpoints": ["client", "r1"], "impair": {"client->r1": {"delay": "1ms"}}}
    loads(bare, tmp_path)


def test_impairments_are_rules_and_quantities_one_by_one() -> None:
    data = line()
    data["impair"]["client->r1"] = [{"match": "S", "action": "drop"}, {"delay": "1ms", "jitter": "2ms", "loss": "1%"}]
    every = impairments.items(data)
    assert [(item[0], item[2], item[4]) for item in every] == [
        ("scenario", "r2->server", ""),
        ("scenario", "idle->r1", "loss"),
        ("scenario", "client->r1", ""),
        ("scenario", "client->r1", "delay"),
        ("scenario", "client->r1", "loss"),
        ("link", "client->r1", "delay"),
        ("link", "both", ""),
    ]
    assert impairments.kept(data, every) == data
    left = impairments.kept(data, [item for item in every if item[4] == "delay" and item[0] == "scenario"])
    assert left["impair"] == {"client->r1": [{"delay": "1ms", "jitter": "2ms"}]}
    assert not any("impair" in link for link in left["topology"]["links"])
    assert "impair" not in impairments.kept(data, [])


def test_what_decides_about_single_packets_goes_the_rest_stays() -> None:
    data = line()
    data["impair"]["r2->server"].append({"rate": "1mbit", "limit": 5, "corrupt": "1%"})
    data["steps"] = [
        {"impair": {"r1->r2": {"match": "S", "action": "drop"}}},
        {
            "repeat": {
                "times": 2,
                "steps": [{"impair": {"r1->r2": [{"match": "S", "action": "drop"}, {"delay": "1ms", "loss": "1%"}]}}],
            }
        },
    ]
    left = impairments.undecided(data)
    assert left["impair"] == {"r2->server": [{"rate": "1mbit", "limit": 5}]}
    assert [link.get("impair") for link in left["topology"]["links"]] == [{"client->r1": {"delay": "1ms"}}, None, None, None]
    assert left["steps"] == [{"repeat": {"times": 2, "steps": [{"impair": {"r1->r2": [{"delay": "1ms"}]}}]}}]


@pytest.mark.parametrize("several", [False, True])
def test_rules_stand_in_the_scenario_or_on_one_of_several_links(several: bool, tmp_path: Path) -> None:
    rule = {"match": "S", "nth": 2, "action": "drop"}
    links = [{"endpoints": ["a", "b"]}] * (2 if several else 1)
    data = {"topology": {"nodes": {"a": {}, "b": {}}, "links": links}, "steps": [{"a": "close(7) -> EBADF"}]}
    made = impairments.with_rules(data, [("a->b", len(links) - 1, rule)])
    assert list(made) == (["topology", "steps"] if several else ["topology", "impair", "steps"])
    found = made["topology"]["links"][1]["impair"] if several else made["impair"]
    assert found == {"a->b": [rule]}
    loads(made, tmp_path)


def test_a_seed_is_written_where_chance_decides() -> None:
    data = line()
    data["impair"] = {
        "r2->server": [{"match": "F.", "action": "drop"}, {"match": "S", "action": "drop", "chance": "1%"}],
        "idle->r1": {"loss": "1%"},
    }
    made = impairments.seeded(data, 7)
    assert made["impair"] == {
        "r2->server": [{"match": "F.", "action": "drop"}, {"match": "S", "action": "drop", "chance": "1%", "seed": 7}],
        "idle->r1": {"loss": "1%", "seed": 7},
    }


def test_rules_that_differ_in_which_packets_become_one() -> None:
    def dropped(match: str, nth: Any) -> Data:
        return {"match": match, "nth": nth, "action": "drop"}

    data = line()
    byte = {"match": "tcp", "byte": 0, "action": "drop"}
    data["impair"] = {"r2->server": [dropped("S", 3), byte, dropped("S.", 1), dropped("S", [1, 2])], "idle->r1": {"loss": "1%"}}
    assert impairments.merged(data)["impair"] == {
        "r2->server": [dropped("S", [1, 2, 3]), byte, dropped("S.", 1)],
        "idle->r1": {"loss": "1%"},
    }
