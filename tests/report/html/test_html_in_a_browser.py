"""A report in a real browser: it fits, it says nothing to the console, it asks nobody for anything, keys reach all of it."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from chromium import FOUND, MISSING, Browser, browser
from html_pages import all_kinds, bulk, busy, failing_in_the_middle, hostile, scenario
from results import EVERYTHING, result

from netlab.report.html import dumps

pytestmark = [pytest.mark.proof, pytest.mark.skipif(not FOUND, reason=MISSING)]

PAGES = {
    "all kinds": all_kinds(),
    "hostile": hostile(),
    "a thousand packets": result(scenario(*bulk(1000, every=50))),
    "nothing": result(),
    "simple": EVERYTHING,
}
WIDTHS = (360, 1024, 1920)
WIDE = "[document.documentElement.scrollWidth, document.body.scrollWidth, document.documentElement.clientWidth]"
OPENED = "document.querySelectorAll('details').forEach(one => one.open = true)"
CONTRAST = """(() => {
  const light = (colour) => {
    const [r, g, b] = colour.map(part => part / 255).map(p => p <= 0.04045 ? p / 12.92 : ((p + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const parts = (colour) => (colour.match(/[\\d.]+/g) || []).map(Number);
  const holds = (box, x, y) => box.left <= x && x <= box.right && box.top <= y && y <= box.bottom;
  const ground = (element, x, y) => {
    const svg = element.closest('svg');
    if (svg) {
      const before = [...svg.querySelectorAll('rect')].filter(
        rect => rect.compareDocumentPosition(element) & Node.DOCUMENT_POSITION_FOLLOWING
          && holds(rect.getBoundingClientRect(), x, y));
      if (before.length) return parts(getComputedStyle(before.at(-1)).fill);
    }
    for (let one = svg ? svg.parentElement : element; one; one = one.parentElement) {
      const colour = parts(getComputedStyle(one).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let seen = 0;
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || element.closest('title,desc,style') || element.matches('.skip')) continue;
    const box = element.getBoundingClientRect();
    if (!box.width || !box.height) continue;
    const style = getComputedStyle(element);
    const ink = parts(element.closest('svg') ? style.fill : style.color).slice(0, 3);
    const below = ground(element, (box.left + box.right) / 2, (box.top + box.bottom) / 2).slice(0, 3);
    const [dark, bright] = [light(ink), light(below)].sort((a, b) => a - b);
    seen += 1;
    if ((bright + 0.05) / (dark + 0.05) < 4.5)
      found.push([walker.currentNode.data.slice(0, 40), ink, below, element.className.baseVal]);
  }
  return {seen, found};
})()"""
OVERLAPS = """(() => {
  const found = [];
  for (const svg of document.querySelectorAll('svg.ladder')) {
    const texts = [...svg.querySelectorAll('text:not(.upright):not(.lane)')].map(one => [one, one.getBoundingClientRect()]);
    for (let i = 0; i < texts.length; i++) for (let j = i + 1; j < texts.length; j++) {
      const [a, b] = [texts[i][1], texts[j][1]];
      const across = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      const down = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
      if (across > 2 && down > 4) found.push([texts[i][0].textContent, texts[j][0].textContent]);
    }
  }
  return found;
})()"""
FOCUS = """(() => {
  const one = document.activeElement;
  return one.tagName + ' ' + (one.getAttribute('href') || one.getAttribute('aria-label') || one.className.baseVal || '');
})()"""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as found:
        yield found


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    written = {}
    for number, (name, whole) in enumerate(PAGES.items()):
        written[name] = folder / f"{number}.html"
        written[name].write_bytes(dumps(whole))
    return written


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("width", WIDTHS)
def test_the_page_is_never_wider_than_the_window(name: str, width: int, chromium: Browser, pages: dict[str, Path]) -> None:
    chromium.open(pages[name], width=width)
    for _ in range(2):
        page, body, window = chromium.evaluate(WIDE)
        assert page == body == window
        assert width - 20 <= window <= width, "all but a scroll bar"
        chromium.evaluate(f"void({OPENED})")


@pytest.mark.parametrize("name", PAGES)
def test_it_says_nothing_to_the_console_and_asks_nobody(name: str, chromium: Browser, pages: dict[str, Path]) -> None:
    chromium.open(pages[name])
    chromium.evaluate(f"void({OPENED})")
    assert chromium.said == []
    assert chromium.asked[0] == pages[name].as_uri()
    assert all(url.startswith("data:") for url in chromium.asked[1:])
    assert chromium.evaluate("document.scripts.length") == 0


def test_the_browser_tells_of_what_a_page_must_not_do(chromium: Browser, tmp_path: Path) -> None:
    """The test above can fail: here is a page with an error, a request, and a script that the policy stops."""
    page = tmp_path / "bad.html"
    policy = "<meta http-equiv=Content-Security-Policy content=\"default-src 'none'\">"
    page.write_text(f"<!doctype html>{policy}<img src=other.png><script>console.log(1)</script>")
    chromium.open(page)
    assert any("Content Security Policy" in one for one in chromium.said)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_all_that_is_written_can_be_read(name: str, dark: bool, chromium: Browser, pages: dict[str, Path]) -> None:
    chromium.open(pages[name], dark=dark)
    chromium.evaluate(f"void({OPENED})")
    looked = chromium.evaluate(CONTRAST)
    assert looked["seen"] > 10
    assert looked["found"] == []
    page = chromium.evaluate("getComputedStyle(document.body).backgroundColor")
    assert page == ("rgb(14, 21, 34)" if dark else "rgb(246, 248, 251)"), "both schemes are there"


@pytest.mark.parametrize("name", ["all kinds", "a thousand packets"])
def test_no_words_of_a_ladder_stand_on_others(name: str, chromium: Browser, pages: dict[str, Path]) -> None:
    chromium.open(pages[name], width=1920)
    chromium.evaluate(f"void({OPENED})")
    assert chromium.evaluate(OVERLAPS) == []


def test_keys_reach_the_filters_the_verdicts_and_what_scrolls(chromium: Browser, pages: dict[str, Path]) -> None:
    chromium.open(pages["simple"])
    met = []
    for _ in range(60):
        chromium.press("Tab", 9)
        met.append(chromium.evaluate(FOCUS))
    for wanted in (
        "A #scenarios",
        "A #machine",
        "A #all",
        "A #failed",
        "A #inconclusive",
        "A #passed",
        "A #s1",
        "A #s4",
        "SUMMARY ",
    ):
        assert wanted in met, wanted
    assert "DIV Verdicts, a table" in met
    assert any(one.startswith("DIV") and one.endswith("a ladder") for one in met)
    assert met.index("A #scenarios") < met.index("A #all") < met.index("A #s1") < met.index("DIV connects: what happened, a ladder")


def _shown(chromium: Browser) -> list[str]:
    names = "[...document.querySelectorAll('article')].filter(one => one.offsetParent).map(one => one.className)"
    found: list[str] = chromium.evaluate(names)
    return found


def test_the_filters_show_one_outcome_by_keys_alone(chromium: Browser, pages: dict[str, Path]) -> None:
    chromium.open(pages["simple"])
    assert _shown(chromium) == ["card FAIL", "card INCONCLUSIVE", "card PASS", "card PASS"]
    for name, shown in (("failed", ["card FAIL"]), ("passed", ["card PASS"] * 2), ("all", _shown(chromium))):
        chromium.evaluate(f"document.querySelector('nav [href=\"#{name}\"]').focus()")
        chromium.press_to_follow("Enter", 13)
        assert _shown(chromium) == shown, name
        rows = chromium.evaluate("[...document.querySelectorAll('.verdicts tbody tr')].filter(one => one.offsetParent).length")
        assert rows == len(shown)


def test_an_anchor_brings_its_scenario_into_sight(chromium: Browser, pages: dict[str, Path]) -> None:
    chromium.open(pages["simple"])
    chromium.go_to("#s3")
    top = chromium.evaluate("document.querySelector('#s3').getBoundingClientRect().top")
    assert 0 <= top < 200


def test_a_fold_opens_and_shows_what_is_in_it(chromium: Browser, pages: dict[str, Path]) -> None:
    chromium.open(pages["a thousand packets"])
    high = "document.querySelector('details.fold').offsetHeight"
    closed = chromium.evaluate(high)
    chromium.evaluate("document.querySelector('details.fold > summary').focus()")
    chromium.press("Enter", 13)
    chromium.evaluate("new Promise(done => requestAnimationFrame(() => done()))")
    assert closed == 24
    assert chromium.evaluate(high) > 10 * closed


@pytest.mark.parametrize("one", [busy(), failing_in_the_middle()], ids=["busy", "failing"])
def test_the_pieces_of_a_ladder_make_one_picture(one: Any, chromium: Browser, tmp_path: Path) -> None:
    page = tmp_path / "one.html"
    page.write_bytes(dumps(result(one)))
    chromium.open(page, width=1400)
    chromium.evaluate("void(document.querySelectorAll('details.what').forEach(one => one.open = true))")
    pieces = chromium.evaluate(
        "[...document.querySelectorAll('.rungs svg.ladder')].filter(one => one.checkVisibility()).map(one => {"
        "const box = one.getBoundingClientRect(); return [box.left, box.top, box.bottom, box.width]})"
    )
    assert len({(left, width) for left, _, _, width in pieces}) == 1
    gaps = [after[1] - before[2] for before, after in pairwise(pieces)]
    closed = [gap for gap in gaps if gap > 1]
    assert all(abs(gap) < 1 for gap in gaps if gap not in closed)
    assert len(closed) == len(chromium.evaluate("[...document.querySelectorAll('.here')].map(one => 1)"))


def test_on_paper_it_is_light_and_whole(chromium: Browser, pages: dict[str, Path]) -> None:
    chromium.open(pages["all kinds"], dark=True, media="print", width=800)
    assert chromium.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert chromium.evaluate("getComputedStyle(document.body).color") == "rgb(23, 33, 47)"
    assert chromium.evaluate("getComputedStyle(document.querySelector('nav')).display") == "none"
    page, body, window = chromium.evaluate(WIDE)
    assert page == body == window


def test_the_network_is_drawn(chromium: Browser, pages: dict[str, Path]) -> None:
    chromium.open(pages["all kinds"])
    assert chromium.evaluate("[...document.images].map(one => one.naturalWidth > 300)") == [True, True]
