"""What a shrunk file says on top of itself, and what a search says of how far it has come."""

import pytest

from netlab.bundle.spec import Failed
from netlab.shrink.candidates import Progress, Size
from netlab.shrink.clauses import Clause
from netlab.shrink.telling import intent, progress_line, sentence, size_words

FAILED = Failed(claim="late", field="return", step="client: connect(c, server:80)", expected="0", actual="ETIMEDOUT")
FIN = Clause(("the client's FIN",), "overtakes its last data", "overtake its last data")


def lost(*names: str) -> list[Clause]:
    return [Clause((name,), "is lost", "are lost") for name in names]


@pytest.mark.parametrize(
    ("clauses", "impair", "said"),
    [
        (lost("the 2nd SYN-ACK"), {}, "Fails exactly when the 2nd SYN-ACK is lost."),
        (lost("the SYN", "the FIN"), {}, "Fails exactly when the SYN and the FIN are both lost."),
        (lost("a", "b", "c"), {}, "Fails exactly when a, b and c are lost."),
        (lost("the 1st SYN", "the 2nd SYN", "the 3rd SYN"), {}, "Fails exactly when the 1st, 2nd and 3rd SYNs are lost."),
        (
            lost("the client's 2nd retransmission of data", "the client's 10th retransmission of data", "the client's 2nd ACK"),
            {},
            "Fails exactly when the client's 2nd and 10th retransmission of data and the client's 2nd ACK are lost.",
        ),
        ([*lost("the SYN"), FIN], {}, "Fails exactly when the SYN is lost and the client's FIN overtakes its last data."),
        (
            [*lost("the SYN"), FIN, *lost("the ACK")],
            {},
            "Fails exactly when the SYN and the ACK are both lost, and the client's FIN overtakes its last data.",
        ),
        (
            lost("the SYN"),
            {"a->b": {"delay": "1ms", "seed": 3}},
            "Fails exactly when the SYN is lost, with delay 1ms on a->b.",
        ),
        ([], {"both": {"rate": "1mbit", "limit": 9}}, "Fails with rate 1mbit and limit 9 both ways, with nothing lost or changed."),
        ([], {}, "Fails with nothing lost, late or changed."),
    ],
)
def test_the_sentence(clauses: list[Clause], impair: dict[str, object], said: str) -> None:
    data = {"topology": {"nodes": {}}, "impair": impair, "steps": []}
    assert sentence(clauses, data, minimal=True, exact=True) == said


@pytest.mark.parametrize(("minimal", "exact"), [(False, True), (True, False)])
def test_exactly_is_said_only_of_what_is_so(minimal: bool, exact: bool) -> None:
    assert sentence(lost("the SYN"), {"topology": {}, "steps": []}, minimal=minimal, exact=exact) == "Fails when the SYN is lost."


def test_the_comment_on_top() -> None:
    assert intent("Fails.", FAILED, "late.netlab", same=3, runs=3, minimal=True) == (
        "Fails.\nWhat fails: return: expected 0, got ETIMEDOUT (client: connect(c, server:80)).\n"
        "Shrunk by netlab-ns from late.netlab; in 3 of 3 runs it fails so."
    )
    told = intent("Fails.", Failed(claim="late"), "late.netlab", same=1, runs=2, minimal=False)
    assert told.startswith("Fails.\nWhat fails: late.\n")
    assert told.endswith("in 1 of 2 runs it fails so. The search was ended early: it may be made smaller.")


def test_progress() -> None:
    size = Size(decisions=2, impairments=4, steps=1, nodes=2, links=1)
    assert progress_line(Progress(phase="decisions", runs=1, size=size)) == (
        "decisions: 2 decisions, 1 step, 2 nodes, 1 link after 1 run"
    )
    assert size_words(Size(decisions=None, impairments=1, steps=0, nodes=1, links=0)) == "1 impairment, 0 steps, 1 node, 0 links"
