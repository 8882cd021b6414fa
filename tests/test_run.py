"""Scenarios from file to verdict: what a run does with each kind of step, and with what this machine lacks."""

import re
import sys
from pathlib import Path

import pytest
from labs import netlab as netlab_command

import netlab.run
from netlab.check.judge import judge
from netlab.check.result import ScenarioResult
from netlab.errors import LabError, SpecError
from netlab.run import RunOptions, run_all, run_scenario
from netlab.scenario.load import load_scenarios
from netlab.scenario.spec import Scenario
from netlab.timeline.observations import CallReturned, Decision, Packet, ProgramEnded

pytestmark = pytest.mark.netns


def run(tmp_path: Path, steps: str, head: str = "topology: two-hosts", options: RunOptions = RunOptions()) -> ScenarioResult:
    path = tmp_path / "x.scenario.yaml"
    path.write_text(f"# What the test says.\n{head}\nsteps:\n{steps}")
    (scenario,) = load_scenarios(path)
    return run_scenario(scenario, options)


CONNECTED = """
  - server: s = socket(AF_INET, SOCK_STREAM, 0)
  - server: bind(s, 0.0.0.0:8080)
  - server: listen(s, 8)
  - client: c = socket(AF_INET, SOCK_STREAM, 0)
  - client: connect(c, server:8080)
  - server: a = accept(s)
"""


def test_blocking_calls_jobs_and_times(tmp_path: Path) -> None:
    steps = """
  - server: recv(a, buf(10)) & as reader
  - server: join reader -> blocks
  - client: send(c, "hello") -> 5
  - server: join reader -> 5 out "hello" took >=200ms
  - client: poll(c, POLLIN, 100) -> 0 took >=100ms, <3s
  - server: recv(a, buf(10)) -> blocks
"""
    assert run(tmp_path, CONNECTED + steps).verdicts[0].outcome == "PASS"


def test_a_bound_that_does_not_hold_fails(tmp_path: Path) -> None:
    result = run(tmp_path, CONNECTED + "  - client: poll(c, POLLIN, 10) -> 0 took >=5s\n")
    (mismatch,) = result.verdicts[0].mismatches
    assert (mismatch.field, mismatch.expected) == ("took", ">=5s")


def test_a_call_that_never_returns_fails_and_nothing_hangs(tmp_path: Path) -> None:
    result = run(tmp_path, CONNECTED + "  - server: recv(a, buf(1)) -> 1\n", "topology: two-hosts\ntimeout: 300ms")
    (mismatch,) = result.verdicts[0].mismatches
    assert (mismatch.field, mismatch.expected, mismatch.actual) == ("return", "1", "still inside the call")


def test_programs_run_and_their_status_is_judged(tmp_path: Path) -> None:
    steps = """
  - client: run sh -c "echo hello"
  - client: run sh -c "echo sorry >&2; exit 3" -> 3
  - client: run sleep 60 & as napper
  - client: run false
"""
    result = run(tmp_path, steps)
    (mismatch,) = result.verdicts[0].mismatches
    assert (mismatch.field, mismatch.expected, mismatch.actual) == ("exit status", "0", "1")
    ended = [seen for seen in result.timeline.observations if isinstance(seen, ProgramEnded)]
    assert [(one.status, one.stdout, one.stderr) for one in ended] == [(0, "hello\n", ""), (3, "", "sorry\n"), (1, "", "")]


def test_a_program_that_is_not_installed_is_this_machines_lack(tmp_path: Path) -> None:
    verdict = run(tmp_path, "  - client: run no-such-program\n").verdicts[0]
    assert verdict.outcome == "INCONCLUSIVE"
    assert "no-such-program" in verdict.reason


def test_an_extra_packet_fails_and_a_missing_one_does(tmp_path: Path) -> None:
    extra = run(tmp_path, CONNECTED + "  - expect: {packets: [client > server S, server > client S.], for: 100ms}\n")
    assert extra.verdicts[0].mismatches[0].field == "packet 3"
    missing = run(tmp_path, CONNECTED + "  - expect: {packets: [client > server S, ..., client > server F.], within: 100ms}\n")
    assert missing.verdicts[0].outcome == "FAIL"


def test_what_a_rule_decides_is_on_the_timeline(tmp_path: Path) -> None:
    head = 'topology: two-hosts\nimpair: {"server->client": [{match: "S.", nth: 1, action: drop}]}'
    result = run(tmp_path, CONNECTED, head)
    assert result.verdicts[0].outcome == "PASS"
    (decision,) = [seen for seen in result.timeline.observations if isinstance(seen, Decision)]
    assert (decision.action, decision.occurrence) == ("drop", 1)


def test_the_same_timeline_gets_the_same_verdict_again(tmp_path: Path) -> None:
    path = tmp_path / "x.scenario.yaml"
    path.write_text(f"topology: two-hosts\nsteps:\n{CONNECTED}  - expect: {{states: {{server.a: ESTABLISHED}}}}\n")
    (scenario,) = load_scenarios(path)
    result = run_scenario(scenario)
    assert judge(scenario, result.timeline) == result.verdicts
    deaf = type(result.timeline)(
        observations=tuple(seen for seen in result.timeline.observations if not isinstance(seen, CallReturned)),
        sources=result.timeline.sources,
        nodes=result.timeline.nodes,
    )
    assert judge(scenario, deaf)[0].outcome == "FAIL"


def test_many_at_once_do_not_meet(tmp_path: Path) -> None:
    path = tmp_path / "x.scenario.yaml"
    expect = "  - expect: {packets: [client > server S, server > client S., client > server .], for: 50ms}\n"
    path.write_text(f"topology: two-hosts\nsteps:\n{CONNECTED}{expect}")
    scenarios = load_scenarios(path) * 8
    told: list[str] = []
    result = run_all(scenarios, RunOptions(jobs=8), lambda one: told.append(one.outcome))
    assert told == ["PASS"] * 8
    assert result.outcome == "PASS"
    ports = {
        packet.data[34:36]
        for one in result.scenarios
        for packet in one.timeline.observations
        if isinstance(packet, Packet)
        and packet.host == "client"
        and packet.direction == "out"
        and packet.data[12:14] == b"\x08\x00"
    }
    assert 1 < len(ports) <= 8


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        (
            "  - client: s = socket(AF_INET6, SOCK_STREAM, 0)\n  - client: connect(s, server:80)\n",
            ":5:5: server has no IPv6 address",
        ),
        ("  - client: wait_for_nobody = socket(AF_INET, SOCK_STREAM, 0)\n  - peer: S. ack 1\n", ":5:5: peer: no TCP connection"),
    ],
)
def test_a_step_that_cannot_be_done_as_written_is_told_with_its_place(tmp_path: Path, steps: str, said: str) -> None:
    inline = "{nodes: {client: {}, server: {}, peer: {kind: peer}}, links: ["
    inline += "{endpoints: [client, server], subnets: [10.0.1.0/24]}, {endpoints: [client, peer], subnets: [10.0.2.0/24]}]}"
    with pytest.raises(SpecError) as caught:
        run(tmp_path, steps, f"topology: {inline}")
    assert said in str(caught.value)


@pytest.mark.netns
def test_what_a_scenario_requires_and_is_not_here_makes_it_inconclusive(tmp_path: Path) -> None:
    file = tmp_path / "one.scenario.yaml"
    for required, outcome in (
        ("[sh, /etc/passwd]", "PASS"),
        ("no-such-program", "INCONCLUSIVE"),
        ("[sh, /no/such/file]", "INCONCLUSIVE"),
    ):
        file.write_text(f"topology: one-host\nrequires: {required}\nsteps:\n  - host: s = socket(AF_INET, SOCK_STREAM, 0)\n")
        verdict = run_scenario(load_scenarios(file)[0]).verdicts[0]
        assert verdict.outcome == outcome
        assert ("No such file or directory" in verdict.reason) == (outcome == "INCONCLUSIVE")


@pytest.mark.netns
def test_where_netlab_fails_in_one_of_several_the_others_are_judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("one", "two"):
        text = "topology: one-host\nsteps:\n  - host: s = socket(AF_INET, SOCK_STREAM, 0)\n"
        (tmp_path / f"{name}.scenario.yaml").write_text(text)
    scenarios = [load_scenarios(tmp_path / f"{name}.scenario.yaml")[0] for name in ("one", "two")]
    real = netlab.run.run_scenario

    def failing(scenario: Scenario, options: RunOptions) -> ScenarioResult:
        if scenario.name == "one":
            raise LabError("a keeper died")
        return real(scenario, options)

    monkeypatch.setattr(netlab.run, "run_scenario", failing)
    result = run_all(scenarios, RunOptions(jobs=2))
    assert [one.outcome for one in result.scenarios] == ["INCONCLUSIVE", "PASS"]
    assert result.scenarios[0].verdicts[0].reason == "netlab itself failed: a keeper died"
    with pytest.raises(LabError, match="a keeper died"):
        run_all(scenarios[:1])


FLOOD = """
  - client: u = socket(AF_INET, SOCK_DGRAM, 0)
  - server: v = socket(AF_INET, SOCK_DGRAM, 0)
  - server: bind(v, 0.0.0.0:9)
  - client: >-
      run PYTHON -c "import socket; s = socket.socket(type=socket.SOCK_DGRAM);
      [s.sendto(bytes(99), ('server', 9)) for _ in range(3000)]"
""".replace("PYTHON", sys.executable)
CRAMPED = RunOptions(capture_buffer=2048, again=2)


def test_what_lost_evidence_is_played_again_and_says_so(tmp_path: Path) -> None:
    steps = FLOOD + '  - expect: {packets: ["client > server udp {3000}"]}\n'
    cramped = run(tmp_path, steps, options=CRAMPED)
    assert (cramped.outcome, len(cramped.played_again)) == ("INCONCLUSIVE", 2)
    assert all(re.fullmatch(r"packets lost \d+ events?", lost) for lost in cramped.played_again)
    assert cramped.undecided_by_loss.startswith("packets lost ")
    assert run(tmp_path, steps, options=RunOptions(capture_buffer=2048)).played_again == ()
    whole = run(tmp_path, steps, options=RunOptions(again=2))
    assert (whole.outcome, whole.played_again) == ("PASS", ())


def test_a_fail_is_never_played_again(tmp_path: Path) -> None:
    result = run(tmp_path, FLOOD + "  - client: close(u) -> EBADF\n", options=CRAMPED)
    assert result.timeline.source("packets").lost
    assert (result.outcome, result.played_again, result.undecided_by_loss) == ("FAIL", (), "")


SYSCTL = "topology: {nodes: {host: {sysctls: {%s}}}}"


def test_a_value_that_no_kernel_takes_is_an_error_and_of_several_scenarios_ends_only_its_own(tmp_path: Path) -> None:
    scenarios: list[Scenario] = []
    for name, value in (("wrong", 1000), ("right", 3)):
        path = tmp_path / f"{name}.scenario.yaml"
        head = SYSCTL % f"net.ipv4.tcp_syn_retries: {value}"
        path.write_text(f"{head}\nsteps:\n  - host: s = socket(AF_INET, SOCK_STREAM, 0)\n")
        scenarios += load_scenarios(path)
    with pytest.raises(SpecError, match="the kernel does not take this value"):
        run_all(scenarios[:1])
    wrong, right = run_all(scenarios, RunOptions(jobs=2)).scenarios
    assert (wrong.outcome, right.outcome) == ("INCONCLUSIVE", "PASS")
    assert wrong.verdicts[0].reason.startswith("the scenario is wrong: ")
    assert f"{tmp_path}/wrong.scenario.yaml:1:" in wrong.verdicts[0].reason


def test_groups_that_a_rootless_lab_does_not_have_make_a_scenario_inconclusive(tmp_path: Path) -> None:
    steps = "  - host: s = socket(AF_INET, SOCK_STREAM, 0)\n"
    assert run(tmp_path, steps, SYSCTL % 'net.ipv4.ping_group_range: "1 0"').outcome == "PASS"
    with pytest.raises(SpecError, match="the kernel does not take this value"):
        run(tmp_path, steps, SYSCTL % "net.ipv4.ping_group_range: nobody")
    said = netlab_command("conform", "--claim", "raw-needs-privilege", "--claim", "refused-rst", rootless=True)
    assert (said.returncode, "the lab's user namespace does not have these groups" in said.stdout) == (3, True), said.stderr
