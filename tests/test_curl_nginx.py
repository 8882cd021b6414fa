"""curl asks nginx in a lab, and one JSON timeline has all of it in the right order; and the proof finds what is not."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ci.curl_nginx import CHAINS, PORT, disorder, relations
from netlab.observe.tier import probe
from netlab.report.json import loads
from netlab.timeline.observations import PacketDropped, SocketState, SourceReport, SystemCall
from netlab.timeline.timeline import Timeline

PATH = "/usr/sbin:/usr/local/sbin:/usr/bin:/bin"


def in_order(offset: int = 0) -> dict[str, tuple[int, str]]:
    """Steps as they ought to be: each later than all that it must follow."""
    steps: dict[str, tuple[int, str]] = {}
    for _ in CHAINS:
        for before, after in relations():
            steps.setdefault(before, (0, "packets"))
            steps[after] = (max(steps.get(after, (0, ""))[0], steps[before][0] + 1000), "calls" if "curl" in after else "packets")
    return steps


def test_what_is_in_order_passes_and_what_is_not_is_named() -> None:
    steps = in_order()
    assert disorder(Timeline(), steps) == []
    wrong = {**steps, "SYN arrives": (steps["SYN leaves"][0] - 500, "packets")}
    assert disorder(Timeline(), wrong)[0] == "SYN arrives is stamped 0.5 us before SYN leaves; 0.0 us are explained"


def test_what_the_sources_may_be_off_by_is_allowed_between_two_of_them_only() -> None:
    sources = (
        SourceReport(name="packets", available=True, uncertainty=400),
        SourceReport(name="calls", available=True, uncertainty=200),
    )
    timeline, steps = Timeline(sources=sources), in_order()
    arrived = steps["answer arrives"][0]
    assert disorder(timeline, {**steps, "curl has read": (arrived - 500, "calls")}) == []
    assert len(disorder(timeline, {**steps, "curl has read": (arrived - 700, "calls")})) == 1
    assert len(disorder(timeline, {**steps, "answer leaves": (arrived + 500, "packets")})) == 1


@pytest.mark.netns
@pytest.mark.bpf
@pytest.mark.skipif(
    any(shutil.which(name, path=PATH) is None for name in ("nginx", "curl")), reason="nginx or curl is not installed"
)
def test_a_request_interleaves_rightly(tmp_path: Path) -> None:
    if probe().letter != "A":
        pytest.skip("this machine does not let netlab see calls and states in the kernel")
    file = tmp_path / "timeline.json"
    done = subprocess.run(
        [sys.executable, "-m", "ci.curl_nginx", str(file)],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parent.parent,
        env={**os.environ},
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    assert "in the right order: yes" in done.stdout
    (result,) = loads(file.read_bytes()).scenarios
    seen = result.timeline.observations
    assert [one.time for one in seen] == sorted(one.time for one in seen)
    assert any(isinstance(one, PacketDropped) for one in seen)
    opened = [one for one in seen if isinstance(one, SocketState) and (one.host, one.new) == ("client", "ESTABLISHED")]
    assert [(one.remote[1], one.cause) for one in opened] == [(PORT, "segment")]
    assert {one.program for one in seen if isinstance(one, SystemCall)} == {"nginx", "curl"}
