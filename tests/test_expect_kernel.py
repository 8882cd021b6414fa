"""Scenarios that expect what the kernel says of packets it threw away, and of a connection, for real."""

from pathlib import Path

import pytest

from netlab.observe.tier import probe
from netlab.run import run_scenario
from netlab.scenario.load import load_scenarios

pytestmark = pytest.mark.netns

REFUSED = """\
# Nobody listens: the kernel throws the SYN away and says why.
topology: two-hosts
steps:
  - client: c = socket(AF_INET, SOCK_STREAM, 0)
  - client: connect(c, server:8080) -> ECONNREFUSED
  - expect: {drops: {server: {NO_SOCKET: COUNT}}, within: 300ms}
"""
LOST = """\
# The first data is lost: the sender's TCP_INFO says that it was sent twice.
topology: two-hosts
impair: {"client->server": [{match: "P.", nth: 1, action: drop}]}
steps:
  - server: s = socket(AF_INET, SOCK_STREAM, 0)
  - server: bind(s, 0.0.0.0:8080)
  - server: listen(s, 8)
  - client: c = socket(AF_INET, SOCK_STREAM, 0)
  - client: connect(c, server:8080)
  - server: a = accept(s)
  - client: send(c, "hello", 0)
  - server: recv(a, buf(5), 0) -> 5
  - expect: {tcp_info: {client.c: {total_retrans: COUNT, bytes_acked: ">=5"}, server.a: {bytes_received: 5}}, within: 300ms}
"""


def outcome(folder: Path, text: str, count: int) -> str:
    path = folder / "expected.scenario.yaml"
    path.write_text(text.replace("COUNT", str(count)))
    (scenario,) = load_scenarios(path)
    return run_scenario(scenario).verdicts[0].outcome


@pytest.mark.parametrize("text", [pytest.param(REFUSED, marks=pytest.mark.bpf), LOST], ids=["drops", "tcp_info"])
def test_what_is_so_passes_and_what_is_not_fails(tmp_path: Path, text: str) -> None:
    if text is REFUSED and not probe().has("events"):
        pytest.skip("drops are seen by BPF only")
    assert [outcome(tmp_path, text, count) for count in (1, 2)] == ["PASS", "FAIL"]
