"""The claims as a page of HTML after a run: a card a claim in the colour of its outcome, links to chapters, long tables folded."""

import re
from pathlib import Path

import msgspec
import pytest
from chromium import FOUND, MISSING, browser
from results import FAILED, PASSED, result

from netlab.check.covered import Covered
from netlab.files import shipped_claims
from netlab.report.model_pages import CHAPTERS, markdown, page

UNTAKEN = {f"rule-of-a-long-name-{number}": "nothing that was run took it | as far as could be told" for number in range(200)}


def after_a_run() -> str:
    """The page of two claims, of which one passed, with a table of 200 rules that nobody took."""
    scenarios, _ = shipped_claims()
    chosen = [one for one in scenarios if one.name in ("refused-rst", "fd-may-be-0")]
    groups = {one.name: one.claim.group for one in chosen if one.claim is not None}
    passed = msgspec.structs.replace(PASSED, name="fd-may-be-0", group=groups["fd-may-be-0"])
    failed = msgspec.structs.replace(FAILED, name="refused-rst", group=groups["refused-rst"])
    found = msgspec.structs.replace(
        result(passed, failed), covered=(Covered(kind="rules of the sockets API", taken=("one",), untaken=UNTAKEN),)
    )
    return page(markdown(chosen, (), found))


def test_each_claim_is_a_card_in_the_colour_of_its_outcome() -> None:
    text = after_a_run()
    assert re.findall(r'<section class="(\w*)" id="([\w-]+)">', text) == [("PASS", "fd-may-be-0"), ("FAIL", "refused-rst")]
    assert text.count("<section") == text.count("</section>") == 2


def test_the_table_on_top_leads_to_the_chapters() -> None:
    text = after_a_run()
    linked = re.findall(r'<a href="#([\w-]+)">', text)
    assert linked == ["descriptor", "handshake"]
    assert [name for name in linked if f'<h2 id="{name}">{CHAPTERS[name]}</h2>' not in text] == []


def test_what_no_run_took_is_folded() -> None:
    (folded,) = re.findall(r"<details><summary>(.*?)</summary>(.*?)</details>", after_a_run(), re.DOTALL)
    assert (folded[0], folded[1].count("<tr>")) == ("200 rows", 201)


@pytest.mark.proof
@pytest.mark.skipif(not FOUND, reason=MISSING)
@pytest.mark.parametrize("width", [360, 1024, 1920])
def test_it_fits_a_window_of_any_width(tmp_path: Path, width: int) -> None:
    file = tmp_path / "model.html"
    file.write_text(after_a_run())
    with browser() as opened:
        opened.open(file, width=width)
        opened.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
        wide, shown = opened.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
        assert (wide <= shown, opened.said) == (True, [])
