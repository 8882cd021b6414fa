import os
import shutil
import subprocess
from pathlib import Path

import pytest
import results
from results import FAILED, PASSED, RST, SYN

from netlab.report import pcapng
from netlab.timeline.pcapng_read import read_bytes


def test_every_packet_of_every_scenario_in_a_section_that_tells_the_verdicts() -> None:
    read = read_bytes(pcapng.dumps(results.EVERYTHING))
    assert [packet.data for packet in read.packets] == [SYN, RST] * 4
    assert read.section_comments == (
        "netlab scenario refused\nPASS refused: A RST refuses.\nPASS tcp-transitions",
        "netlab scenario differs\nPASS differs: listen() twice fails.",
        "netlab scenario connects\nFAIL connects: A connection opens.",
        "netlab scenario memory\nINCONCLUSIVE memory: A socket takes memory.",
    )


def test_a_pass_comments_the_packets_that_it_rests_on() -> None:
    read = read_bytes(pcapng.dumps(results.result(PASSED)))
    assert read.comments == {0: ("PASS refused: A RST refuses.",), 1: ("PASS refused: A RST refuses.",)}


def test_a_failure_comments_the_last_packet_before_it() -> None:
    read = read_bytes(pcapng.dumps(results.result(FAILED)))
    told = "FAIL connects: A connection opens.\nresult: expected success, got ECONNREFUSED"
    assert read.comments == {1: (f"{told} (refused.scenario.yaml:4:5 client: connect(c, server:8080))",)}


def test_a_run_without_scenarios_is_still_a_capture_file() -> None:
    assert read_bytes(pcapng.dumps(results.result())).packets == ()


@pytest.mark.skipif(not shutil.which("tshark"), reason="no program tshark on the PATH (apt-get install tshark)")
def test_wireshark_shows_each_comment_on_its_packet(tmp_path: Path) -> None:
    file = tmp_path / "x.pcapng"
    file.write_bytes(pcapng.dumps(results.result(PASSED, FAILED)))
    fields = ["-e", "frame.number", "-e", "tcp.flags.str", "-e", "frame.comment"]
    command = ["tshark", "-r", str(file), "-T", "fields", *fields, "-E", "separator=|"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, "HOME": str(tmp_path)}).stdout
    capture = "netlab: checksum left to the device by the sender, not to be judged"  # of each packet that results.py makes
    shown = shown.replace(f"{capture},", "").replace(capture, "")
    rows = [line.split("|", 2) for line in shown.replace("\nresult:", " / result:").splitlines()]
    assert [(number, "S" in flags, "R" in flags, comment.replace("\\n", " / ")) for number, flags, comment in rows] == [
        ("1", True, False, "PASS refused: A RST refuses."),
        ("2", False, True, "PASS refused: A RST refuses."),
        ("3", True, False, ""),
        (
            "4",
            False,
            True,
            "FAIL connects: A connection opens. / result: expected success, got ECONNREFUSED"
            " (refused.scenario.yaml:4:5 client: connect(c, server:8080))",
        ),
    ]
