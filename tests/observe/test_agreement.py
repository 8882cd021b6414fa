"""Clock agreement: the arithmetic on brackets written by hand, and the measurement on this machine's clocks."""

import shutil
from collections.abc import Iterator

import pytest

from netlab.lab.lab import Lab, LabNode
from netlab.observe.agreement import Agreement, agreement, measured
from netlab.observe.clock import ProbeClock
from netlab.observe.tier import probe
from netlab.topology.load import load_topology


def test_all_brackets_together_hold_a_clock_closer_than_any_one() -> None:
    # A clock that is 3 ns ahead: t is 103 in the first bracket and 198 in the second.
    found = agreement("x", [(106, (100, 150)), (201, (150, 200))])
    assert found == Agreement(source="x", samples=2, bound=6, median=48, worst=51)


def test_a_stamp_outside_its_bracket_is_an_error_that_no_bracket_hides() -> None:
    assert agreement("x", [(5000, (100, 200)), (150, (100, 200))]).bound >= 4800
    assert agreement("x", [(100, (5000, 5100))]).bound == 5000


def test_a_source_that_delivered_nothing_was_not_measured() -> None:
    assert agreement("x", []).reason == "it delivered nothing of what was done"


@pytest.fixture
def host() -> Iterator[LabNode]:
    with Lab(load_topology("one-host")) as lab:
        yield lab["host"]


@pytest.mark.netns
def test_the_sources_clocks_agree_with_the_timelines(host: LabNode) -> None:
    packets, states, calls = measured(host, count=50)
    assert (packets.source, packets.samples, packets.reason) == ("packets", 50, "")
    # Half a millisecond is far beyond any difference of clocks, and far below what a wrong clock (of TAI, of the boot) gives.
    assert packets.bound < 500_000
    if probe().letter == "A":
        assert (states.samples, calls.samples) == (50, 100)
        assert max(states.bound, calls.bound) < 500_000
    else:
        assert states.reason
        assert calls.reason if not shutil.which("strace") else calls.bound < 5_000_000


@pytest.mark.bpf
def test_a_wrong_clock_is_found(host: LabNode, monkeypatch: pytest.MonkeyPatch) -> None:
    if probe().letter != "A":
        pytest.skip("; ".join(f"{lack.name}: {lack.reason}" for lack in probe().lacking))
    true = ProbeClock.measure(has_tai=True)
    wrong = ProbeClock(helper=true.helper, offset=true.offset - 700_000)
    monkeypatch.setattr(ProbeClock, "measure", classmethod(lambda cls, *, has_tai: wrong))
    _, states, _ = measured(host, count=20)
    # 0.7 ms off, and no bracket of some microseconds can hide it.
    assert 600_000 < states.bound < 800_000
