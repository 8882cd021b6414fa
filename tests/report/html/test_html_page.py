"""A page is safe to open, complete, and says what was found."""

import base64
import hashlib
import re

import msgspec
import pytest
from html_pages import HOSTILE, Element, all_kinds, bulk, busy, hostile, page_of, parsed, scenario
from results import AGAIN, COVERED, DEVIATES, FAILED, PASSED, UNDECIDED, result

from netlab.check.result import RunResult, ScenarioResult
from netlab.report.html import dumps
from netlab.timeline.timeline import Timeline

RESULTS = {"all kinds": all_kinds(), "hostile": hostile(), "nothing": result(), "one": result(PASSED)}


@pytest.mark.parametrize("name", RESULTS)
def test_nothing_in_a_page_can_run_or_fetch(name: str) -> None:
    page = parsed(dumps(RESULTS[name]))
    for element in page.every():
        assert element.tag not in ("script", "iframe", "object", "embed", "form", "base"), element
        assert not any(key.startswith("on") or key == "style" for key in element.attributes), element
        for key in ("src", "href", "xlink:href", "action", "data", "srcset"):
            value = element.attributes.get(key, "#")
            assert value.startswith(("#", "data:image/svg+xml;base64,")) or value == "data:,", element
    assert not [one for one in page.every("style") if "@import" in one.text or "url(" in one.text]


@pytest.mark.parametrize("name", RESULTS)
def test_the_policy_allows_this_style_sheet_and_images_in_the_page_only(name: str) -> None:
    page = parsed(dumps(RESULTS[name]))
    (policy,) = [one for one in page.every("meta") if one.attributes.get("http-equiv") == "Content-Security-Policy"]
    (style,) = page.every("style")
    digest = base64.b64encode(hashlib.sha256(style.text.encode()).digest()).decode()
    assert policy.attributes["content"].split("; ") == [
        "default-src 'none'",
        f"style-src 'sha256-{digest}'",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
    ]
    head = [one.tag for one in page.every("head")[0].inside if isinstance(one, Element)]
    assert head.index("meta") < head.index("style")


@pytest.mark.parametrize("name", RESULTS)
def test_ids_are_unique_and_every_anchor_leads_somewhere(name: str) -> None:
    elements = parsed(dumps(RESULTS[name])).every()
    ids = [one.attributes["id"] for one in elements if "id" in one.attributes]
    assert len(ids) == len(set(ids))
    for one in elements:
        if one.tag == "a":
            assert one.attributes["href"].removeprefix("#") in ids
        if "aria-labelledby" in one.attributes:
            assert one.attributes["aria-labelledby"] in ids


def test_what_programs_and_packets_said_stands_there_as_text() -> None:
    page = dumps(hostile())
    assert b"<script" not in page
    assert b"<img src=x" not in page
    assert "\u202e".encode() not in page
    assert b"\x1b" not in page
    text = parsed(page).text
    assert text.count("<script>alert(1)</script>") > 20
    assert r"\u202e\x1b[31m" in text


def test_hostile_texts_stay_inside_of_the_pictures_too() -> None:
    images = parsed(dumps(hostile())).every("img")
    assert images
    for image in images:
        picture = base64.b64decode(image.attributes["src"].partition("base64,")[2]).decode()
        assert "<script" not in picture
        assert "onerror=alert(2)&gt;" in picture


def test_the_table_has_a_row_for_each_scenario_the_worst_first() -> None:
    (table,) = page_of(PASSED, UNDECIDED, FAILED, DEVIATES).every("table", "verdicts")
    rows = [[cell.text.strip() for cell in row.every("td")] for row in table.every("tbody") for row in row.every("tr")]
    assert [row[0] for row in rows] == ["failed", "inconclusive", "passed", "passed"]
    assert rows[0][1] == "connectsA connection opens."
    assert rows[0][2:] == ["surprise", "2", "0", "0", "1.00 s"]
    assert rows[2][2:] == ["as documented", "2", "2", "1", "0.50 s"]
    assert rows[3][2] == "known deviation"


def test_the_filters_count_and_hide_the_others() -> None:
    page = page_of(PASSED, UNDECIDED, FAILED, DEVIATES)
    (nav,) = page.every("nav")
    assert [" ".join(one.text.split()) for one in nav.every("a")] == ["4 all", "1 failed", "1 inconclusive", "2 passed"]
    (style,) = page.every("style")
    for name, others in (("failed", ("inconclusive", "passed")), ("passed", ("failed", "inconclusive"))):
        assert f"#{name}:target~section :is(.of-{others[0]},.of-{others[1]})" in style.text
    articles = [one.attributes["class"] for one in page.every("article")]
    assert articles == ["card FAIL", "card INCONCLUSIVE", "card PASS", "card PASS"]


def test_a_failure_stands_at_its_scenario_and_where_it_happened() -> None:
    (article,) = page_of(FAILED).every("article")
    for place in (article.every("div", "mismatch")[0], article.every("div", "here")[0]):
        assert "result" in place.text
        assert [one.text for one in place.every("dd")] == ["success", "ECONNREFUSED"]
    (here,) = article.every("div", "here")
    assert "rule connect.established · RFC 9293 §3.5" in here.text
    assert "refused.scenario.yaml:4:5" in article.text
    (where,) = [one for one in article.every("a") if one.text == "Where it happened"]
    assert where.attributes["href"] == f"#{here.attributes['id']}"
    (marked,) = article.every("rect", "marked")
    (row,) = [one for one in article.every("text") if one.text.endswith("= -1 ECONNREFUSED")]
    top, height = (float(marked.attributes[key]) for key in ("y", "height"))
    assert top < float(row.attributes["y"]) < top + height


def test_an_inconclusive_one_says_what_is_missing() -> None:
    (article,) = page_of(UNDECIDED).every("article")
    assert "memory: not seen" in article.text
    assert [one.text for one in article.every("li") if "needs root" in one.text] == ["memory: needs root with BPF and BTF"]


def test_the_machine_and_what_lies_beside_the_verdicts() -> None:
    whole = msgspec.structs.replace(result(AGAIN), covered=(COVERED,))
    text = " ".join(parsed(dumps(whole, elapsed=12.34)).text.split())
    for said in (
        "in 12.3 s",
        "Linux 6.18.44",
        "observation tier A",
        "net.core.rmem_max",
        "212992",
        "bpf",
        "It came from BSD.",
        "history cannot be run",
        COVERED.told,
        "played again: states lost 1 event · played again: packets lost 7 events",
    ):
        assert said in text, said


def test_a_network_is_drawn_once_however_many_scenarios_are_in_it() -> None:
    page = page_of(busy(), scenario(*bulk(3), name="other"))
    (image,) = page.every("img")
    assert image.attributes["alt"] == "two-hosts: 2 hosts; 1 link"
    picture = base64.b64decode(image.attributes["src"].partition("base64,")[2]).decode()
    assert "10.0.0.1" in picture
    assert 'class="wire"' in picture
    assert {one.attributes["href"] for one in page.every("a") if one.text == "two-hosts"} == {"#n1"}


def test_a_scenario_in_which_nothing_was_seen_has_no_ladder_and_says_so() -> None:
    bare = ScenarioResult(file="f", name="bare", verdicts=UNDECIDED.verdicts, timeline=Timeline())
    (article,) = page_of(bare).every("article")
    assert "No ladder: nothing was observed." in article.text
    assert not article.every("svg")


@pytest.mark.parametrize("every", [0, 7])
def test_a_thousand_packets_stay_readable_and_small(every: int) -> None:
    page = dumps(result(scenario(*bulk(1000, every=every))))
    assert len(page) < 2_000_000
    tree = parsed(page)
    in_sight = sum(len(one.every("g", "packet")) for one in tree.every("svg", "ladder") if not _inside_a_fold(tree, one))
    assert 0 < in_sight < 300
    arrows = sum(len(one.every("g", "packet")) for one in tree.every("svg", "ladder"))
    assert arrows >= 1000, "what is folded is not gone"


def _inside_a_fold(tree: Element, drawing: Element) -> bool:
    return any(drawing is one for fold in tree.every("details", "fold") for one in fold.inside)


@pytest.mark.parametrize(("number", "packets"), [(30, 400), (800, 9)])
def test_many_scenarios_stay_small_and_say_what_is_left_out(number: int, packets: int) -> None:
    seen = scenario(*bulk(packets))
    many = [msgspec.structs.replace(seen, name=f"s{i}") for i in range(number)]
    page = dumps(result(*many, FAILED))
    assert len(page) < 2_000_000
    tree = parsed(page)
    text = tree.text
    assert len(tree.every("article")) == number + 1
    assert tree.every("article", "FAIL")[0].every("div", "here"), "room is given to failures first"
    assert "is left out, so that this file stays below 2 MB; --json has" in text
    assert len(re.findall(r"What happened", text)) > 1


def test_the_same_result_gives_the_same_page() -> None:
    whole: RunResult = all_kinds()
    assert dumps(whole) == dumps(whole)


def test_a_hostile_text_is_really_hostile() -> None:
    assert "<script>" in HOSTILE
    assert not HOSTILE.isprintable()
