"""The benchmark's own parts; and that what netlab builds is what an independent C program builds, down to the last sysctl."""

import os
import shutil
import sys
from pathlib import Path

import pytest

from ci.bench import capture
from ci.bench.contenders import Contender, ContenderError
from ci.bench.equality import differing
from ci.bench.measure import Taken, drain, turns
from ci.bench.networks import Network
from ci.bench.reference import compiled, options
from ci.bench.settings import Settings
from ci.bench.state import differences
from ci.bench.table import Row, text
from netlab.topology.load import load_topology


@pytest.mark.parametrize(("name", "nodes", "links"), [("star-7", 8, 7), ("line-7", 7, 6)])
def test_a_network_is_a_topology_file_of_its_size(name: str, nodes: int, links: int, tmp_path: Path) -> None:
    path = tmp_path / "topology.yaml"
    path.write_text(Network.parse(name).yaml)
    topology = load_topology(path)
    assert (len(topology.nodes), len(topology.links), Network.parse(name).name) == (nodes, links, name)


@pytest.mark.parametrize("name", ["star", "star-1", "ring-5", "line-x"])
def test_a_name_that_is_no_network_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is no network: write star-N or line-N"):
        Network.parse(name)


def test_a_goal_is_of_the_ratio_where_there_is_something_to_hold_against() -> None:
    against_c: list[tuple[float, str, float | None]] = [(3.0, "C", 2.0), (3.1, "C", 2.0), (3.0, "C", None)]
    cases = [*against_c, (1.4, "", None), (1.6, "", None)]
    rows = [
        Row(part="p", what="up", who="netlab", value=value, unit="ms", against=against, reference=reference, most=1.5)
        for value, against, reference in cases
    ]
    assert [row.outcome for row in rows] == ["met", "missed", "", "met", "missed"]


def test_the_table_shows_the_ratio_the_goal_and_the_outcome() -> None:
    row = Row(part="star-10", what="up", who="netlab", value=30.0, unit="ms", against="C", reference=25.0, most=1.5)
    shown = [line.split() for line in text([row]).splitlines()]
    assert shown == [
        ["what", "who", "took", "against", "ratio", "goal"],
        ["star-10"],
        ["up", "netlab", "30.0", "ms", "C", "25.0", "1.20", "<=", "1.5", "met"],
    ]


def test_where_more_is_better_the_goal_is_of_the_value() -> None:
    rows = [
        Row(part="p", what="stream", who="netlab", value=value, unit="Mbit/s", against="veth", reference=1800, least=900)
        for value in (899.0, 900.0)
    ]
    assert [row.outcome for row in rows] == ["missed", "met"]
    assert ">= 900 Mbit/s  met" in text(rows)


def test_every_round_begins_with_another_and_the_first_does_not_count() -> None:
    with Contender("one", ["cat"]) as one, Contender("two", ["cat"]) as two:
        order = [(number, [each.name for each in everyone]) for number, everyone in turns(2, [one, two])]
    assert order == [(0, ["one", "two"]), (1, ["two", "one"]), (2, ["one", "two"])]


def test_medians_are_kept_by_quantity() -> None:
    taken = Taken()
    for value in (3.0, 1.0, 2.0):
        taken.add({"up_ms": value, "phases": {"wires": 10 * value}})
    assert (taken.median("up_ms"), taken.median("phase wires")) == (2.0, 20.0)


def test_a_contender_that_ends_says_why() -> None:
    with (
        Contender("broken", ["sh", "-c", "read line; echo what is wrong >&2"]) as broken,
        pytest.raises(ContenderError, match=r'broken failed at "up": what is wrong'),
    ):
        broken.ask("up")


def test_differences_are_told_with_their_place() -> None:
    one = {"h1": {"links": {"eth0": {"mtu": 1500}}, "routes": {}}}
    other = {"h1": {"links": {"eth0": {"mtu": 1400}}, "routes": {"default": {}}}}
    assert list(differences(one, one)) == []
    assert list(differences(one, other)) == [" h1 links eth0 mtu: 1500 against 1400", " h1 routes default: None against {}"]


@pytest.mark.netns
@pytest.mark.parametrize("name", ["line-4", pytest.param("star-33", marks=pytest.mark.proof)])
def test_netlab_builds_what_the_reference_builds(name: str, tmp_path: Path) -> None:
    """Links, addresses, routes, neighbours, offloads and sysctls of every node; a star of 33 has permanent neighbours."""
    if os.geteuid() != 0:
        pytest.skip("the reference makes namespaces as root only")
    if (program := compiled(tmp_path)) is None:
        pytest.skip("there is no C compiler")
    with drain() as drained:
        settings = Settings(
            rounds=1, networks=(), folder=tmp_path, reference=program, drain=drained, tools="python3", mininet=False
        )
        assert differing(settings, Network.parse(name)) == []


def test_the_reference_is_told_of_neighbours_and_of_joined_routes(tmp_path: Path) -> None:
    told = {}
    for name in ("star-3", "star-40", "line-4", "line-200"):
        path = tmp_path / f"{name}.yaml"
        path.write_text(Network.parse(name).yaml)
        words = options(Network.parse(name), path)
        told[name] = ("-n" in words, "-a" in words)
    assert told == {"star-3": (False, False), "star-40": (True, False), "line-4": (False, False), "line-200": (False, True)}


@pytest.mark.netns
@pytest.mark.parametrize("way", ["ring", "observed", "tcpdump"])
def test_a_small_flood_is_captured_whole(way: str, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("the benchmark measures root's labs")
    if way == "tcpdump" and shutil.which("tcpdump") is None:
        pytest.skip("there is no tcpdump")
    if (program := compiled(tmp_path, capture.SOURCE)) is None:
        pytest.skip("there is no C compiler")
    with Contender("capturing", [sys.executable, "-m", "ci.bench.sides.capturing", str(program)]) as contender:
        answer = contender.ask(f"{way} 20000 1000")
        assert answer["lost"] == 0
        assert answer["processor_us"] > 0
        assert answer["send_ms"] >= 1000 / 20000 * 1e3 * 0.99


@pytest.mark.netns
def test_the_wire_is_measured_beside_a_plain_veth() -> None:
    if os.geteuid() != 0:
        pytest.skip("the benchmark measures root's labs")
    with Contender("wiring", [sys.executable, "-m", "ci.bench.sides.wiring"]) as contender:
        assert contender.ask("rtt-veth 10")["us"] > 0
        assert contender.ask("stream-whole 100")["mbit"] > 0
        errors = contender.ask("delay 1000 20")
        assert 0 <= errors["p50_us"] <= errors["p99_us"]
