import io
import re

import msgspec
import pytest
import results

from netlab.report import text
from netlab.timeline.observations import SourceReport

FAILURE = """\
FAIL connects: A connection opens.
  refused.scenario.yaml:4:5  client: connect(c, server:8080)
    field     result
    expected  success
    actual    ECONNREFUSED
  timeline, in ms since its first observation:
    1.000  client  socket(AF_INET, SOCK_STREAM, 0)
    2.000  client  socket() = 3
    2.000  client  c is descriptor 3, inode 77
    4.000          step 2: client: connect(c, server:8080)
    5.000  client  connect(c, server:8080)
    6.000  client  eth0 out client:40000 > server:8080 S seq 0 win 65535 <mss 1460>
    7.000  server  eth0 out server:8080 > client:40000 R. seq 0 ack 1 win 65535
    8.000  client  SYN_SENT -> CLOSE  client:40000 to server:8080 (tracepoint)
  > 9.000  client  connect() = -1 ECONNREFUSED
  rule      connect.established
  source    RFC 9293 §3.5
"""

WHOLE = f"""\
netlab 0.1.0 on Linux 6.18.44, observation tier A

  outcome       id        conformance      calls  packets  states
handshake
  PASS          refused   as-documented        2        2       1
  PASS          differs   known-deviation      1        0       0
scenarios
  FAIL          connects  surprise             2        0       0
  INCONCLUSIVE  memory                         0        0       0

{FAILURE}
INCONCLUSIVE memory: A socket takes memory.
  memory: not seen
  needs memory: needs root with BPF and BTF

Known deviations from the document:
  differs: listen() twice fails. (RFC 9293 §3.9.1)

Not tested, since nothing can test it: 1 of the model's statements (netlab-ns model).
2 passed, 1 failed, 1 inconclusive in 3.2 s
"""


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_whole_report() -> None:
    assert text.render(results.EVERYTHING, elapsed=3.21) == WHOLE


def test_without_a_wall_time_the_scenarios_own_are_summed() -> None:
    assert text.render(results.result(results.PASSED)).splitlines()[-1] == "1 passed, 0 failed, 0 inconclusive in 0.5 s"


def test_what_was_played_again_and_the_rules_that_were_taken_close_the_report() -> None:
    whole = msgspec.structs.replace(results.result(results.AGAIN), covered=(results.COVERED,))
    assert text.render(whole, elapsed=1.0).partition("refused ")[2].partition("\n\n")[2] == (
        "Played again, since evidence was lost, which decides nothing:\n"
        "  again: states lost 1 event; then packets lost 7 events\n"
        "\n"
        "Not tested, since nothing can test it: 1 of the model's statements (netlab-ns model).\n"
        "TCP transitions: 1 of 2 taken.\n"
        "1 passed, 0 failed, 0 inconclusive in 1.0 s\n"
    )


def test_no_line_is_wider_than_asked_for_and_no_word_is_lost() -> None:
    wrapped = text.render(results.EVERYTHING, elapsed=3.21, width=50)
    assert max(map(len, wrapped.splitlines())) <= 50
    assert wrapped.split() == WHOLE.split()


def test_what_is_no_terminal_gets_plain_text() -> None:
    stream = io.StringIO()
    text.write(results.EVERYTHING, stream, elapsed=3.21)
    assert stream.getvalue() == WHOLE


def test_a_terminal_gets_colour_and_no_color_takes_it_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    coloured = Terminal()
    text.write(results.EVERYTHING, coloured, elapsed=3.21)
    assert "\x1b[1;31m  FAIL\x1b[0m          connects" in coloured.getvalue()
    monkeypatch.setenv("NO_COLOR", "1")
    plain = Terminal()
    text.write(results.EVERYTHING, plain, elapsed=3.21)
    assert re.sub(r"\x1b\[[012]*m", "", plain.getvalue()) == WHOLE  # bold and dim are no colours


def test_control_characters_of_a_network_never_reach_the_terminal() -> None:
    verdict = msgspec.structs.replace(results.UNDECIDED.verdicts[0], reason="got \x1b[2J\x07")
    shown = text.render(results.result(msgspec.structs.replace(results.UNDECIDED, verdicts=(verdict,))))
    assert "  got \\x1b[2J\\x07\n" in shown


def test_a_verdict_beside_the_scenarios_own_has_a_row_when_it_did_not_simply_pass() -> None:
    own, model = results.PASSED.verdicts
    broken = msgspec.structs.replace(model, outcome="FAIL", reason="no such transition", slice=(5, 9), conformance="surprise")
    lines = text.render(results.result(msgspec.structs.replace(results.PASSED, verdicts=(own, broken)))).splitlines()
    assert lines[4:7] == [
        "  PASS     refused                   as-documented      2        2       1",
        "  FAIL     refused: tcp-transitions  surprise           0        0       1",
        "",
    ]
    assert lines[7:12] == [
        "FAIL tcp-transitions",
        "  no such transition",
        "  timeline, in ms since its first observation:",
        "    4.000          step 2: client: connect(c, server:8080)",
        "  > 8.000  client  SYN_SENT -> CLOSE  client:40000 to server:8080 (tracepoint)",
    ]


def test_neighbours_that_cannot_be_ordered_are_marked_so() -> None:
    whole = results.FAILED.timeline
    sources = tuple(msgspec.structs.replace(one, uncertainty=2 * results.MS) for one in whole.sources)
    doubtful = msgspec.structs.replace(results.FAILED, timeline=msgspec.structs.replace(whole, sources=sources))
    told = [line.text for line in text.timeline(doubtful, results.FAILED.verdicts[0])]
    assert told[0] == "  timeline, in ms since its first observation; ~ may have come before the line above it:"
    # Packets are known within 2 ms here: not whether the call's entry before, or the state after, came first.
    assert [line.split()[0] for line in told[1:] if "~" in line] == ["~6.000", "~8.000"]


def test_a_failure_tells_what_the_links_did_all_the_time() -> None:
    whole = results.FAILED.timeline
    notes = {"lab": ("a:eth0-b:eth0: a round trip takes 35ms",), "wire": ("a:eth0-b:eth0: wire: quantities beside rules",)}
    sources = tuple(SourceReport(name=name, available=True, notes=told) for name, told in notes.items())
    impaired = msgspec.structs.replace(results.FAILED, timeline=msgspec.structs.replace(whole, sources=sources))
    told = [line.text for line in text.failure(impaired, impaired.verdicts[0])]
    assert told[-5:] == [
        "  link      a:eth0-b:eth0: a round trip takes 35ms",
        "  link      a:eth0-b:eth0: wire: quantities beside rules",
        "  rule      connect.established",
        "  source    RFC 9293 §3.5",
        "",
    ]
