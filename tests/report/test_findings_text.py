"""What watching gave, told: findings with their slice and citation, what could not be judged, what was seen."""

from hand_written import NODES, delivered

from netlab.check.result import ScenarioResult
from netlab.check.use.finding import Severity, UseFinding
from netlab.report.findings_text import summary, told, verdicts
from netlab.timeline.observations import Reset, SourceReport, SystemCall
from netlab.timeline.timeline import Timeline, merge

MS = 1_000_000


def call(at: int, name: str, pid: int = 7, program: str = "echo", inode: int = 99) -> SystemCall:
    return SystemCall(
        time=at, began=at - 1000, host="server", pid=pid, tid=pid, program=program, call=name, source="bpf", fd=4, inode=inode
    )


def result(*sources: SourceReport) -> ScenarioResult:
    packets = [*delivered(MS, "client", "server", "S", 7), *delivered(2 * MS, "server", "client", "SA", 9, 8)]
    unanswered = delivered(3 * MS, "client", "server", "S", 99, options=[])
    calls = [call(4 * MS, "recvfrom"), call(5 * MS, "close"), call(6 * MS, "close", pid=8, program="ls", inode=0)]
    reset = Reset(time=5 * MS - 10, host="server", direction="sent", local=("10.0.0.2", 80), remote=("10.0.0.1", 40000))
    timeline = Timeline(observations=merge(packets, unanswered, calls, [reset]), nodes=NODES, sources=sources)
    return ScenarioResult(file="t.yaml", name="watch t server", verdicts=(), timeline=timeline)


def finding(severity: Severity, name: str = "use.unread") -> UseFinding:
    return UseFinding(
        id=name,
        title="close with unread data resets the connection",
        host="server",
        pid=7,
        program="echo",
        says="close(4) left 5 bytes",
        source="RFC 9293 §3.10.4",
        severity=severity,
        evidence=(8,),
        slice=(7, 8),
    )


def test_a_finding_has_its_facts_its_slice_and_its_citation() -> None:
    assert [line.text for line in told(result(), [finding("fault")], {})] == [
        "FAULT use.unread: close with unread data resets the connection",
        "  server: echo[7]: close(4) left 5 bytes",
        "  timeline, in ms since its first observation:",
        "    4.000  server  reset sent on server:80 to client:40000",
        "  > 4.000  server  echo[7] close(4) = 0, 0.001 ms",
        "  source    RFC 9293 §3.10.4",
        "",
        "1 fault",
    ]


def test_the_worst_is_told_first_and_all_are_counted() -> None:
    findings = [finding("note", "use.a"), finding("fault", "use.b"), finding("warning", "use.c"), finding("fault", "use.d")]
    heads = [line.text.split(":")[0] for line in told(result(), findings, {}) if line.text[:1].isupper()]
    assert heads == ["FAULT use.b", "FAULT use.d", "WARNING use.c", "NOTE use.a"]
    assert [line.text for line in told(result(), findings, {})][-1] == "2 faults, 1 warning, 1 note"


def test_what_was_found_again_and_again_is_counted() -> None:
    lines = [line.text for line in told(result(), [finding("fault")] * 8 + [finding("note", "use.a")], {})]
    assert sum(line.startswith("FAULT use.unread: close with") for line in lines) == 5
    assert "FAULT use.unread: found 3 times more; --json has them all" in lines
    assert lines[-1] == "8 faults, 1 note"


def test_what_lacked_evidence_is_told_once_a_reason() -> None:
    undecided = {"use.a": "calls: not here\n  fix: be root", "use.b": "calls: not here\n  fix: be root", "use.c": "states: lost"}
    lines = [line.text for line in told(result(), [], undecided)]
    assert lines == [
        "INCONCLUSIVE use.a, use.b",
        "  calls: not here; fix: be root",
        "",
        "INCONCLUSIVE use.c",
        "  states: lost",
        "",
        "3 kinds of findings inconclusive",
    ]


def test_nothing_found_is_said() -> None:
    assert [(line.text, line.style) for line in told(result(), [], {})] == [("no findings", "PASS")]


def test_verdicts_fail_for_faults_alone() -> None:
    found = verdicts([finding("fault"), finding("warning", "use.c")], {"use.d": "why"})
    assert [(one.id, one.outcome) for one in found] == [("use.unread", "FAIL"), ("use.c", "PASS"), ("use.d", "INCONCLUSIVE")]
    assert found[0].reason == "fault: server: echo[7]: close(4) left 5 bytes"
    assert [(one.id, one.outcome) for one in verdicts([], {})] == [("use", "PASS")]
    assert [one.outcome for one in verdicts([finding("note")], {})] == ["PASS", "PASS"]


def test_the_summary_counts_and_says_what_was_not_seen() -> None:
    sources = (
        SourceReport(name="packets", available=True, seen=6, lost=2, reason="the kernel dropped 2 captured packets"),
        SourceReport(name="events", available=False, reason="not root\n  fix: sudo"),
        SourceReport(name="calls", available=True, notes=("io_uring was used",)),
    )
    assert [line.text for line in summary(result(*sources))] == [
        "  calls        server: echo[7]: recvfrom 1, close 1",
        "  calls        1 other process: 1 call",
        "  connections  1 TCP opened; 0 changes of state",
        "  packets      6, counted at each interface: tcp 6",
        "  kernel       resets sent 1",
        "  not seen     events: not root; fix: sudo",
        "  not seen     packets: 2 observations lost",
        "  note         calls: io_uring was used",
    ]
