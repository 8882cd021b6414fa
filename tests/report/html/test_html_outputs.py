"""Where a page goes: a file or standard output, by every command that has a result; and a page of a run on a real kernel."""

import subprocess
import sys
from pathlib import Path

import pytest
from html_pages import page_of, parsed
from results import EVERYTHING, PASSED

from netlab.report.html import dumps
from netlab.report.json import loads
from netlab.report.outputs import Outputs

HERE = Path(__file__).parent
TESTS = HERE.parent.parent


def netlab(*arguments: object, cwd: Path) -> "subprocess.CompletedProcess[bytes]":
    command = [sys.executable, "-m", "netlab", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, check=False, cwd=cwd, stdin=subprocess.DEVNULL, timeout=100)


def test_a_page_is_written_to_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    outputs = Outputs(html=str(tmp_path / "out.html"))
    outputs.write(EVERYTHING)
    assert (tmp_path / "out.html").read_bytes() == dumps(EVERYTHING)
    assert "FAIL connects" in capsys.readouterr().out


def test_a_page_on_standard_output_is_alone_there(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    Outputs(html="-").write(EVERYTHING)
    out, err = capfdbinary.readouterr()
    assert out == dumps(EVERYTHING)
    assert b"FAIL connects" in err


def test_jinja_is_loaded_only_for_a_page() -> None:
    program = "import sys, netlab.report.outputs, netlab.cli_run, netlab.report.html; print('jinja2' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_a_capture_is_checked_into_a_page(tmp_path: Path) -> None:
    Outputs(pcap=str(tmp_path / "seen.pcapng")).write_files(EVERYTHING)
    done = netlab("check", "seen.pcapng", "--html", "seen.html", cwd=tmp_path)
    page = parsed((tmp_path / "seen.html").read_bytes())
    assert done.returncode in (0, 1, 3), done.stderr
    (article, *_) = page.every("article")
    assert [one.text for one in article.every(style="host")] == ["10.0.0.1", "10.0.0.2"]


def test_a_page_nobody_can_write_is_refused_before_the_run(tmp_path: Path) -> None:
    done = netlab("run", "drop-the-first-syn", "--html", "no/such/place.html", cwd=tmp_path)
    assert done.returncode == 2
    assert b"no directory no/such" in done.stderr


def test_only_one_report_can_have_standard_output(tmp_path: Path) -> None:
    done = netlab("run", "drop-the-first-syn", "--html", "-", "--json", "-", cwd=tmp_path)
    assert done.returncode == 2
    assert b"only one report can go to standard output" in done.stderr


@pytest.mark.netns
def test_what_really_happened_is_drawn(tmp_path: Path) -> None:
    done = netlab("run", "drop-the-first-syn", "--html", "run.html", "--json", "run.json", cwd=tmp_path)
    assert done.returncode in (0, 3), done.stderr
    page = parsed((tmp_path / "run.html").read_bytes())
    (article,) = page.every("article")
    assert [one.text for one in article.every(style="host")] == ["client", "server"]
    drawn = article.every("svg", "ladder")
    assert sum(len(one.every(style="cross")) for one in drawn) == 1
    said = [one.text for piece in drawn for one in piece.every("text")]
    assert any(one.endswith("dropped · rule 'S', match 1") for one in said)
    labels = [one.text for piece in drawn for one in piece.every("text", "label")]
    assert sum("S seq 0 <" in one for one in labels) == 2, "sent, and sent again"
    (scenario,) = loads((tmp_path / "run.json").read_bytes()).scenarios
    if scenario.timeline.source("states").available:
        assert {"SYN-SENT", "ESTABLISHED", "LISTEN"} <= {one.text for one in article.every("li")}


@pytest.mark.netns
def test_a_broken_scenario_fails_where_its_call_failed(tmp_path: Path) -> None:
    done = netlab("run", TESTS / "broken" / "wrong-errno.yaml", "--html", "run.html", cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    (article,) = parsed((tmp_path / "run.html").read_bytes()).every("article")
    (here,) = article.every("div", "here")
    assert [one.text for one in here.every("dd")] == ["ETIMEDOUT", "-1 ECONNREFUSED"]


@pytest.mark.netns
def test_a_watched_program_is_drawn_too(tmp_path: Path) -> None:
    program = "import socket; s = socket.socket(); s.close()"
    done = netlab("watch", "two-hosts", "client", "--html", "watch.html", "--", sys.executable, "-c", program, cwd=tmp_path)
    assert done.returncode in (0, 3), done.stderr
    (article,) = parsed((tmp_path / "watch.html").read_bytes()).every("article")
    assert article.every("details", "what")


def test_a_page_of_a_result_that_was_read_again_is_the_same() -> None:
    from netlab.report.json import dumps as as_json

    assert dumps(loads(as_json(EVERYTHING))) == dumps(EVERYTHING)
    assert page_of(PASSED).every("article")
