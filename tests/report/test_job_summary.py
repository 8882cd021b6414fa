import re

import msgspec
import results
from markdown_it import MarkdownIt

from netlab.check.result import ScenarioResult
from netlab.check.verdicts import Mismatch
from netlab.report import job_summary


def text(*scenarios: ScenarioResult, limit: int = job_summary.LIMIT) -> str:
    return job_summary.dumps(results.result(*scenarios), limit=limit).decode()


def fences(markdown: str, language: str) -> list[str]:
    """The code blocks in this language, as a CommonMark reader finds them."""
    tokens = MarkdownIt().enable("table").parse(markdown)
    return [token.content for token in tokens if token.type == "fence" and token.info == language]


def test_what_did_not_simply_pass_stands_first_and_the_rest_is_folded() -> None:
    told = text(results.PASSED, results.DEVIATES, results.FAILED, results.UNDECIDED)
    assert told.splitlines()[0] == "## ❌ netlab: 2 passed, 1 failed, 1 inconclusive"
    rows = [line for line in told.splitlines() if re.match(r"\| \S+ [A-Z]+ \|", line)]
    assert rows == [
        "| ❌ FAIL | connects | refused.scenario.yaml | surprise | 1.00 |",
        "| ❔ INCONCLUSIVE | memory | memory.scenario.yaml |  | 0.25 |",
        "| ✅ PASS | differs | claims/handshake.yaml | known-deviation | 0.25 |",
        "| ✅ PASS | refused | claims/handshake.yaml | as-documented | 0.50 |",
    ]
    assert (
        told.index("<details><summary>1 as expected")
        < told.index(rows[3])
        < told.index("### ❌ FAIL connects: A connection opens.")
    )


def test_a_failure_has_its_mismatches_its_source_its_timeline_and_a_ladder() -> None:
    told = text(results.FAILED)
    assert "| refused.scenario.yaml:4:5 | client: connect(c, server:8080) | result | success | ECONNREFUSED |" in told
    assert "Rule connect.established. (RFC 9293 §3.5)" in told
    (shown,) = fences(told, "text")
    assert "  > 9.000  client  connect() = -1 ECONNREFUSED" in shown.splitlines()
    (drawn,) = fences(told, "mermaid")
    assert drawn.startswith("sequenceDiagram\n")


def test_inconclusive_says_what_is_missing() -> None:
    assert "### ❔ INCONCLUSIVE memory: A socket takes memory.\n\n- memory: not seen\n" in text(results.UNDECIDED)


HOSTILE = "<script>alert(1)</script> | ![x](http://a.b/c) `x` **b** @all #1 $x$ ~~s~~ www.a.b\n# h\n```\n\x1b[2J"


def hostile() -> ScenarioResult:
    mismatch = Mismatch(field=HOSTILE, expected=HOSTILE, actual=HOSTILE, place=HOSTILE, step=HOSTILE)
    verdict = msgspec.structs.replace(
        results.FAILED.verdicts[0],
        id=HOSTILE,
        statement=HOSTILE,
        source=HOSTILE,
        rule=HOSTILE,
        reason=HOSTILE,
        mismatches=(mismatch,),
    )
    undecided = msgspec.structs.replace(results.UNDECIDED.verdicts[0], statement=HOSTILE, reason=HOSTILE)
    return msgspec.structs.replace(results.FAILED, name=HOSTILE, file=HOSTILE, verdicts=(verdict, undecided))


def test_what_programs_and_files_say_is_never_markup() -> None:
    told = text(hostile())
    made = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(told)
    for tag in re.findall(r"<(\w+)", made):
        assert tag in {
            "h2",
            "h3",
            "p",
            "table",
            "thead",
            "tbody",
            "tr",
            "th",
            "td",
            "details",
            "summary",
            "pre",
            "code",
            "ul",
            "li",
        }
    assert made.count("&lt;script&gt;alert(1)&lt;/script&gt; | ![x](http://a.b/c) `x` **b** @all") >= 8
    assert "\x1b" not in told


def test_it_stays_within_the_limit_and_says_what_is_left_out() -> None:
    many = [results.FAILED] * 2000
    told = text(*many)
    assert 1_000_000 < len(told.encode()) <= job_summary.LIMIT
    assert re.search(r"\n\d+ more of this report left out: a summary may take 1048576 bytes.\n\Z", told)
    assert told.count("### ❌ FAIL") == told.count("```mermaid")
    for limit in (0, 10, 100, 300, 1000, 3000):
        assert len(text(*many, limit=limit).encode()) <= limit
    assert text(*many, limit=100) == ""


def test_a_long_text_is_cut() -> None:
    verdict = msgspec.structs.replace(results.FAILED.verdicts[0], statement="x" * 5000)
    told = text(msgspec.structs.replace(results.FAILED, verdicts=(verdict,)))
    assert max(map(len, told.splitlines())) < 600
