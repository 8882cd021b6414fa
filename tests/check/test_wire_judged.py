"""What stacks send in labs, judged at their own interfaces and as captures of elsewhere: Linux breaks no rule, in loss too."""

from pathlib import Path

import msgspec
import pytest
from doctored import edited

from ci.real_captures import captured, lacking
from netlab.check.captures import connections, verdicts
from netlab.check.wire import judge_segments, judge_wire, wire_connections
from netlab.files import SHIPPED_SCENARIOS
from netlab.run import run_scenario
from netlab.scenario.load import load_scenarios
from netlab.timeline.headers import decode
from netlab.timeline.observations import Packet
from netlab.timeline.timeline import Timeline

pytestmark = pytest.mark.netns
LINKS = {
    "http": (
        "delay: 5ms, jitter: 3ms, loss: 2%, duplicate: 2%, reorder: 5%, seed: 3",
        "delay: 5ms, loss: 2%, duplicate: 3%, seed: 4",
    ),
    "iperf3": ("delay: 3ms, jitter: 3ms, loss: 3%, reorder: 20%, seed: 5", "delay: 3ms, jitter: 3ms, duplicate: 10%, seed: 6"),
    "ssh": (
        "delay: 4ms, jitter: 4ms, loss: 2%, duplicate: 5%, seed: 7",
        "delay: 4ms, jitter: 4ms, loss: 2%, reorder: 10%, seed: 8",
    ),
}
SCENARIOS = sorted(Path(SHIPPED_SCENARIOS).glob("*.scenario.yaml"))


def stacks(timeline: Timeline) -> list[str]:
    return [name for name, node in timeline.nodes.items() if node.kind != "peer"]


def seen_at(timeline: Timeline, host: str) -> list[Packet]:
    return [one for one in timeline.observations if isinstance(one, Packet) and (one.host, one.interface) == (host, "eth0")]


@pytest.mark.parametrize("program", LINKS)
def test_real_programs_under_loss_reordering_and_duplication_break_no_rule(tmp_path: Path, program: str) -> None:
    if missing := lacking(program):
        pytest.skip(f"not installed: {' and '.join(missing)}")
    there, back = LINKS[program]
    timeline = captured(program, tmp_path, there=there, back=back)
    assert judge_wire(timeline, stacks(timeline)) == ()
    for host in ("client", "server"):
        own, elsewhere = wire_connections(timeline, host), connections(seen_at(timeline, host))
        assert own
        assert [seen.connection.ends for seen in elsewhere] == [one.ends for one in own]
        assert [(one.findings, one.undecided) for one in own] == [((), ())] * len(own)
        assert {verdict.outcome for verdict in verdicts(elsewhere)} == {"PASS"}
        sent_again = sum("again" in sentence for one in own for sentence in one.story)
        assert sent_again, "the link was to lose something"


def test_segments_that_devices_split_and_join_are_no_fault(tmp_path: Path) -> None:
    if missing := lacking("iperf3"):
        pytest.skip(f"not installed: {' and '.join(missing)}")
    timeline = captured("iperf3", tmp_path, amount=3_000_000, offloads=True)
    assert judge_wire(timeline, stacks(timeline)) == ()
    for host in ("client", "server"):
        seen = seen_at(timeline, host)
        assert max(packet.length for packet in seen) > 3000
        # A capture of elsewhere does not say whose checksums are left to a device.
        untold = [msgspec.structs.replace(packet, checksum_valid=True) for packet in seen]
        for packets in (seen, untold):
            assert {verdict.outcome for verdict in verdicts(connections(packets))} == {"PASS"}


@pytest.mark.parametrize("file", SCENARIOS, ids=lambda file: file.name.partition(".")[0])
def test_no_stack_breaks_a_rule_in_a_shipped_scenario(file: Path) -> None:
    (scenario,) = load_scenarios(file)
    timeline = run_scenario(scenario).timeline
    assert judge_wire(timeline, stacks(timeline)) == ()


def test_the_verdict_rests_on_every_segment_that_was_sent(tmp_path: Path) -> None:
    file = tmp_path / "open.scenario.yaml"
    file.write_text("""topology: two-hosts
steps:
  - server: s = socket(AF_INET, SOCK_STREAM, 0)
  - server: bind(s, 0.0.0.0:8080)
  - server: listen(s, 8)
  - client: c = socket(AF_INET, SOCK_STREAM, 0)
  - client: connect(c, server:8080)
  - client: send(c, "hello", 0) -> 5
  - server: a = accept(s)
  - server: recv(a, buf(5), MSG_WAITALL) -> 5
  - expect: {packets: [client > server S, server > client S., client > server ., client > server P., server > client .]}
""")
    timeline = run_scenario(load_scenarios(file)[0]).timeline
    verdict = judge_segments(timeline)
    assert verdict is not None
    assert verdict.outcome == "PASS"
    evidence = [timeline.observations[index] for index in verdict.evidence]
    assert [(one.host, one.direction) for one in evidence if isinstance(one, Packet)] == [
        ("client", "out"), ("server", "out"), ("client", "out"), ("client", "out"), ("server", "out"),
    ]  # fmt: skip


def test_what_a_node_sent_is_judged_and_what_it_received_is_not(tmp_path: Path) -> None:
    if missing := lacking("http"):
        pytest.skip(f"not installed: {' and '.join(missing)}")
    timeline = captured("http", tmp_path, amount=20_000)
    answer = next(
        index
        for index, one in enumerate(timeline.observations)
        if isinstance(one, Packet)
        and (one.host, one.direction) == ("server", "out")
        and decode(one.data).length
        and decode(one.data).protocol == "tcp"
    )
    sent = timeline.observations[answer]
    assert isinstance(sent, Packet)
    wrong = (*timeline.observations[:answer], edited(sent, ack=5000), *timeline.observations[answer + 1 :])
    doctored = msgspec.structs.replace(timeline, observations=wrong)
    (finding,) = judge_wire(doctored, ["client", "server"])
    assert (finding.rule.id, finding.index, finding.sender[1]) == ("wire.ack-of-unsent", answer, 80)
    assert judge_wire(doctored, ["client"]) == ()
