"""Whatever a scenario does to packets comes again in a replay, by the record alone: each decision, and all that followed."""

from pathlib import Path

import msgspec
import pytest
from bundles import HOST

import netlab
from netlab.bundle.making import bundle_of
from netlab.bundle.running import Again, about_packets, again, decisions_of, missed, run_bundle
from netlab.run import RunOptions, run_scenario
from netlab.scenario.load import load_scenarios

pytestmark = pytest.mark.netns

SHIPPED = Path(netlab.__file__).parent / "scenarios"
BY_STEPS = """\
# Steps disturb: a rule, quantities in their place, a link that is down for a while.
topology: two-hosts
steps:
  - server: s = socket(AF_INET, SOCK_DGRAM, 0)
  - server: bind(s, 0.0.0.0:9000)
  - client: c = socket(AF_INET, SOCK_DGRAM, 0)
  - client: connect(c, server:9000)
  - impair: {client->server: {match: udp, action: drop, chance: 50%}}
  - repeat: {times: 16, steps: [client: 'send(c, "a", 0) -> 1']}
  - heal: all
  - impair: {client->server: {delay: 1ms, jitter: 500us, loss: 30%}}
  - repeat: {times: 16, steps: [client: 'send(c, "b", 0) -> 1']}
  - link: {client->server: down}
  - link: {client->server: up}
  - heal: client->server
  - impair: {client->server: [{match: udp, action: delay, delay: 1ms, jitter: 1ms, every: 2}, {match: udp, action: corrupt}]}
  - repeat: {times: 4, steps: [client: 'send(c, "c", 0) -> 1']}
  - client: t = socket(AF_INET, SOCK_STREAM, 0)
  - client: connect(t, server:9) -> ECONNREFUSED
"""
"""What answers connect() is no datagram, and came after all of them: everything has been decided about then."""


def texts() -> list[object]:
    names = ("hold-both-syns", "forged-reset", "reorder-data-and-fin", "ecn-mark", "udp-request-reply-under-loss")
    shipped = [pytest.param((SHIPPED / f"{name}.scenario.yaml").read_text(), id=name) for name in names]
    return [*shipped, pytest.param(BY_STEPS, id="by-steps")]


@pytest.mark.parametrize("text", texts())
def test_a_scenario_is_replayed_to_its_end(text: str, tmp_path: Path) -> None:
    """A last step that always fails is the same failure only if every step before it did what it did."""
    path = tmp_path / "fails.scenario.yaml"
    path.write_text(f"{text}  - client: getpid() -> -1\n", encoding="utf-8")
    (scenario,) = load_scenarios(path)
    result = run_scenario(scenario, RunOptions(seed=11))
    bundle = bundle_of(scenario, result, seed=11, host=HOST)
    assert bundle.failed.step == "client: getpid() -> -1"
    replayed = run_bundle(msgspec.structs.replace(bundle, seed=12))  # by which they would be decided otherwise
    assert again(replayed, bundle.failed) is Again.SAME
    assert missed(bundle, replayed) == ()
    assert about_packets(decisions_of(replayed)) == about_packets(bundle.decisions)
    values = [{one.key: one.values for one in decisions if one.values} for decisions in (bundle.decisions, decisions_of(replayed))]
    assert values[0] == values[1]
