"""A picture shows everything, hides nothing, and is safe to open."""

import os
import re
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from itertools import combinations
from pathlib import Path

import pytest
from pictures import EVERYTHING, HOME, SHIPPED, SVG, WRITTEN, campus, grid, pictured, seen, star
from written import topology

from netlab.report.graph_svg import svg

EVERY = [*WRITTEN, *(path.stem for path in SHIPPED)]


@pytest.mark.parametrize("name", EVERY)
def test_no_card_and_no_label_hides_another(name: str) -> None:
    picture = seen(svg(pictured(name)))
    for one, other in combinations(picture.of("card", "pill", "cloud"), 2):
        assert not one.overlaps(other), f"{one} and {other}"
    for chip in picture.of("chip"):
        assert not any(chip.overlaps(card) for card in picture.of("card", "cloud")), chip


@pytest.mark.parametrize("name", EVERY)
def test_no_line_passes_behind_a_card_that_is_not_its_own(name: str) -> None:
    picture = seen(svg(pictured(name)))
    cards = picture.of("card")
    for way in picture.ways:
        own = [card for card in cards if card.holds(*way[0]) or card.holds(*way[-1])]
        for card in cards:
            assert card in own or not any(card.holds(x, y, 1.0) for x, y in way), f"{way[0]} to {way[-1]} passes behind {card}"


@pytest.mark.parametrize("name", EVERY)
def test_all_of_it_is_on_the_page(name: str) -> None:
    picture = svg(pictured(name))
    root = ET.fromstring(picture)
    x, y = (float(number) for number in re.findall(r'<g transform="translate\(([\d.-]+) ([\d.-]+)\)">\n', picture)[0])
    width, height = float(root.get("width", "")), float(root.get("height", ""))
    for rect in seen(picture).rects:
        assert rect.left + x > 20, rect
        assert rect.right + x < width - 20, rect
        assert rect.top + y > 60, rect
        assert rect.bottom + y < height - 20, rect


def texts(picture: str) -> list[str]:
    return ["".join(element.itertext()) for element in ET.fromstring(picture).iter(f"{SVG}text")]


def test_a_picture_says_what_is_where() -> None:
    said = texts(svg(topology(HOME)))
    assert said[:2] == ["home", "A home behind a router that translates."]
    for text in (
        *("laptop", "phone", "tv", "lan", "isp", "server"),
        *("symmetric NAT on eth1", "tcp 8080 → 10.0.0.1:80"),
        *("10.0.0.1/24", "fd00::1/64", "10.0.0.0/24", "10.0.1.0/24", "10.0.2.0/24"),
        *("mtu 1492", "home → isp: delay 10ms ± 2ms, 0.1%", "lost"),
        *("host", "router: forwards", "switch: one segment", "nat: forwards and translates", "link with impairments"),
    ):
        assert text in said, f"{text} is not in {said}"


def test_vlans_overlays_and_links_that_are_down_are_drawn_apart() -> None:
    picture = svg(topology(EVERYTHING))
    said = texts(picture)
    for text in ("vlan 10", "trunk 10, 20", "blue", "VXLAN 42", "down", "mtu 1400", "firewall", "spanning tree", "10.99.0.1/32"):
        assert text in said, f"{text} is not in {said}"
    classes = [path.get("class") for path in ET.fromstring(picture).iter(f"{SVG}path")]
    drawn = [classes.count(style) - 1 for style in ("overlay", "wire down", "wire impaired")]  # one of each is the legend's
    assert drawn == [3, 1, 1]


def test_several_links_between_two_nodes_do_not_coincide() -> None:
    middles = {way[50] for way in seen(svg(pictured("parallel"))).ways}
    assert len(middles) == 3


def test_text_is_escaped_and_nothing_is_fetched_or_run() -> None:
    picture = svg(topology(EVERYTHING))
    assert "every <thing> & more" in texts(picture)
    tags = {element.tag.removeprefix(SVG) for element in ET.fromstring(picture).iter()}
    assert tags == {"svg", "title", "desc", "style", "rect", "g", "path", "circle", "text"}
    assert not re.search(r"\bon\w+=|href|url\(|@import|@font-face", picture)


def test_a_screen_reader_and_a_pointer_are_told_what_the_picture_is_of() -> None:
    root = ET.fromstring(svg(topology(HOME)))
    assert root.get("role") == "img"
    known = {element.get("id"): element.text for element in root}
    assert [known[name] for name in (root.get("aria-labelledby") or "").split()] == [
        "home",
        "A home behind a router that translates. 4 hosts, 1 switch, 1 nat, 1 router; 6 links",
    ]
    told = [element.text or "" for element in root.iter(f"{SVG}title")]
    assert "server (host)\neth0  10.0.2.2/24, fd00:0:0:2::2/64" in told
    assert "lan:eth3\nhome:eth0  10.0.0.4/24, fd00::4/64" in told


def test_both_light_and_dark_pages_have_their_colours() -> None:
    picture = svg(topology(HOME))
    light, dark = picture.split("@media (prefers-color-scheme:dark)")
    for style in (".page{", ".card{", ".name,.ink{", ".wire{", ".k-host"):
        assert style in light
        assert style in dark


def test_a_large_star_has_its_hosts_around_it_each_with_its_name_and_address() -> None:
    picture = svg(topology(star(200)))
    angles = re.findall(r"rotate\(([\d.-]+)\)", picture)
    assert len(angles) == 200
    assert all(-90.01 <= float(angle) <= 90.01 for angle in angles)  # never upside down
    said = set(texts(picture))
    assert all(f"h{i}10.0.0.{i}" in said or f"10.0.0.{i}h{i}" in said for i in range(1, 201))


def test_the_same_topology_gives_the_same_picture_in_every_process() -> None:
    script = "from pictures import EVERYTHING; from written import topology; from netlab.report.graph_svg import svg; "
    script += "import sys; sys.stdout.write(svg(topology(EVERYTHING)))"
    tests = str(Path(__file__).parent.parent)
    drawn = {
        subprocess.run(
            [sys.executable, "-c", script], cwd=tests, env=os.environ | {"PYTHONHASHSEED": seed}, stdout=-1, check=True
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert drawn == {svg(topology(EVERYTHING)).encode()}


@pytest.mark.parametrize(
    ("text", "within"),
    [(star(500), 2.0), (grid(22), 2.0), (campus(20, 24), 2.0), (star(1000), 10.0)],
    ids=["star of 500", "grid of 484", "campus of 501", "star of 1000"],
)
def test_large_topologies_are_drawn_soon(text: str, within: float) -> None:
    large = topology(text)
    began = time.process_time()
    svg(large)
    assert time.process_time() - began < within
