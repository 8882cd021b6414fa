"""`netlab-ns check` on captures: what it says, its exit status, and what it makes of files that are none."""

import subprocess
import sys
from io import BytesIO
from pathlib import Path

import pytest
from segments_written import packets

from netlab.report.json import loads
from netlab.timeline import pcapng
from netlab.timeline.observations import Packet
from netlab.timeline.pcapng_read import read_bytes

OPENED = ("a S 0 win 65535 mss sack ts scale 7", "b S. 0 ack 1 win 65535 mss sack ts scale 7", "a . 1 ack 1 win 512")
SENT = ("a P. 1 ack 1 len 1000", "b . 1 ack 1001")
SOUND = (*OPENED, *SENT)
GUIDE = Path(__file__).parent.parent / "docs" / "captures.md"
BROKEN = (*OPENED, *SENT, "a P. 1 ack 1 len 1000 of z")
CUT = (*OPENED, "a . 1001 ack 1 len 1000", "b . 1 ack 2001")


def capture(folder: Path, name: str, lines: tuple[str, ...]) -> str:
    file = folder / name
    stream = BytesIO()
    pcapng.write(stream, packets(*lines))
    file.write_bytes(stream.getvalue())
    return str(file)


def check(*args: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, "-m", "netlab", "check", *args], capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize(("lines", "status"), [(SOUND, 0), (BROKEN, 1), (CUT, 3)], ids=["sound", "broken", "cut"])
def test_the_exit_status_says_what_was_found(tmp_path: Path, lines: tuple[str, ...], status: int) -> None:
    file = capture(tmp_path, "one.pcapng", lines)
    assert check(file).returncode == status
    assert check(file, "--allow-inconclusive").returncode == (0 if status == 3 else status)


def test_it_says_in_words_what_was_done_and_what_was_wrong_as_the_guide_shows(tmp_path: Path) -> None:
    file = capture(tmp_path, "one.pcapng", BROKEN)
    done = check(file)
    told = GUIDE.read_text().partition("```\ncapture.pcap")[2].partition("```")[0]
    assert (done.stderr, done.stdout) == ("", f"{file}{told}\n")


def test_the_reports_have_the_same(tmp_path: Path) -> None:
    file, json, comments = capture(tmp_path, "one.pcapng", BROKEN), tmp_path / "r.json", tmp_path / "r.pcapng"
    done = check(file, "--json", "-", "--pcap", str(comments))
    result = loads(done.stdout)
    (scenario,) = result.scenarios
    found = [(one.id, one.outcome, one.evidence) for one in scenario.verdicts]
    assert found == [("wire.connection", "FAIL", (0, 5)), ("wire.retransmission-differs", "FAIL", (5,))]
    assert "FAIL wire.retransmission-differs" in done.stderr
    written = read_bytes(comments.read_bytes())
    assert any("wire.retransmission-differs" in comment for comment in written.comments[5])
    assert check(file, "--json", str(json), "--no-payload").returncode == 1
    (scenario,) = loads(json.read_bytes()).scenarios
    sent = scenario.timeline.observations[3]
    assert isinstance(sent, Packet)
    assert (len(sent.data), sent.length) == (14 + 20 + 32, 14 + 20 + 32 + 1000)


def test_of_several_files_the_worst_counts_and_each_is_told(tmp_path: Path) -> None:
    files = [capture(tmp_path, f"{name}.pcapng", lines) for name, lines in (("a", SOUND), ("b", CUT), ("c", BROKEN))]
    done = check(*files)
    assert done.returncode == 1
    assert [line for line in done.stdout.splitlines() if line.startswith("/")] == [
        f"{file}: {count} packets, 1 TCP connection" for file, count in zip(files, (5, 5, 6), strict=True)
    ]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "this is nothing that can be checked"),
        (b"hello\n", "this is nothing that can be checked"),
        (b"\x0a\x0d\x0d\x0a" + bytes(3), "byte 0: "),
        (bytes.fromhex("d4c3b2a1020004000000000000000000ffff000001000000") + bytes(9), "ends inside a packet's header"),
    ],
)
def test_a_file_that_is_none_is_told_with_its_place(tmp_path: Path, content: bytes, says: str) -> None:
    file = tmp_path / "none"
    file.write_bytes(content)
    done = check(str(file))
    assert done.returncode == 2
    assert done.stderr.startswith(f"{file}:1:")
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    done = check(str(tmp_path / "absent.pcap"))
    assert (done.returncode, done.stderr) == (2, f"{tmp_path}/absent.pcap:1:1: cannot be read: No such file or directory\n")


def test_a_capture_without_tcp_is_inconclusive(tmp_path: Path) -> None:
    done = check(capture(tmp_path, "empty.pcapng", ()))
    assert done.returncode == 3
    assert "there is no TCP segment in it" in done.stdout
