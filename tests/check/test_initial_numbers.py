"""Initial sequence numbers on hand-written timelines: those of SYNs that arrived, once each, in the window."""

from hand_written import MS, delivered, timeline

from netlab.check.expectations import evaluate
from netlab.check.findings import Window
from netlab.check.initial_numbers import measured
from netlab.check.view import View
from netlab.scenario.spec import Expectation
from netlab.timeline.observations import SourceReport


def test_steps_are_measured_by_the_shorter_way_round() -> None:
    assert measured([2**32 - 10, 10, 5]) == {"count": 3, "distinct": 3, "spread": 25, "rises": 1, "falls": 1}
    assert measured([7, 7]) == {"count": 2, "distinct": 1, "spread": 0, "rises": 0, "falls": 0}
    assert measured([]) == {"count": 0, "distinct": 0, "spread": 0, "rises": 0, "falls": 0}


def test_only_syns_that_arrived_count_and_each_once() -> None:
    seen = timeline(
        delivered(1 * MS, "client", "server", "S", 5),  # before the window
        delivered(11 * MS, "client", "server", "S", 100),
        delivered(12 * MS, "client", "server", "S", 100),  # sent again
        delivered(13 * MS, "server", "client", "SA", 900, 101),
        delivered(14 * MS, "client", "server", "S", 300)[:1],  # lost on its way
        delivered(15 * MS, "client", "server", "S", 50),
        sources=(SourceReport(name="packets", available=True),),
    )
    window = Window(began=10 * MS, ended=99 * MS, packets_began=10 * MS, packets_until=99 * MS)
    wanted = {"count": "2", "distinct": "2", "falls": ">=1", "rises": ">=1"}
    found = evaluate(Expectation(initial_numbers={"server": wanted}), View(seen), window, final=True)
    assert [(one.field, one.status, one.actual) for one in found] == [
        ("initial numbers to server, count", "met", "2"),
        ("initial numbers to server, distinct", "met", "2"),
        ("initial numbers to server, falls", "met", "1"),
        ("initial numbers to server, rises", "unmet", "0"),
    ]
