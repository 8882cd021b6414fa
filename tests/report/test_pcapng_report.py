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
