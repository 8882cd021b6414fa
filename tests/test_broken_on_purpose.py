"""What is broken is found: exit status, field, expected, actual and the place in the file."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.netns
HERE = Path(__file__).parent


def netlab(*arguments: str, unprivileged: bool = False) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(HERE / "unprivileged.py")] if unprivileged else []
    command += [sys.executable, "-m", "netlab", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=HERE.parent)


@pytest.mark.parametrize(
    ("file", "place", "said"),
    [
        ("eaten-syn-ack", "10:5", ("return", "0", "still inside the call")),
        ("wrong-errno", "5:5", ("errno", "ETIMEDOUT", "-1 ECONNREFUSED")),
        ("wrong-flags", "6:5", ("packet 2 flags", "S.", "R.")),
    ],
)
def test_a_failure_says_what_where_and_how(file: str, place: str, said: tuple[str, str, str]) -> None:
    path = HERE / "broken" / f"{file}.yaml"
    done = netlab("run", str(path))
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"{path}:{place}" in done.stdout
    shown = re.sub(r"\s+", " ", done.stdout)
    assert f"field {said[0]} expected {said[1]} actual {said[2]}" in shown, done.stdout


def test_what_a_rule_ate_is_on_the_timeline() -> None:
    done = netlab("run", str(HERE / "broken" / "eaten-syn-ack.yaml"))
    assert re.search(r"drop.*server:8080 > client:\d+ S\.|server:8080 > client:\d+ S\..*drop", done.stdout), done.stdout


FLOOD = """
# More packets than a tiny buffer holds.
topology: two-hosts
steps:
  - client: u = socket(AF_INET, SOCK_DGRAM, 0)
  - server: v = socket(AF_INET, SOCK_DGRAM, 0)
  - server: bind(v, 0.0.0.0:9)
  - client: >-
      run python3 -c "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM);
      [s.sendto(bytes(100), ('server', 9)) for _ in range(3000)]"
  - expect: {packets: ["client > server udp {3000}"]}
"""


def test_a_capture_that_lost_packets_decides_nothing(tmp_path: Path) -> None:
    scenario = tmp_path / "flood.yaml"
    scenario.write_text(FLOOD.replace("python3", sys.executable))
    lossy = netlab("run", str(scenario), "--capture-buffer", "2KiB")
    assert lossy.returncode == 3, lossy.stdout + lossy.stderr
    assert re.search(r"the kernel dropped \d+ captured packets for want of buffer", re.sub(r"\s+", " ", lossy.stdout)), lossy.stdout
    whole = netlab("run", str(scenario))
    assert whole.returncode == 0, whole.stdout + whole.stderr


def test_without_bpf_a_transition_is_inconclusive() -> None:
    scenario = str(HERE / "broken" / "transitions.yaml")
    done = netlab("run", scenario, unprivileged=True)
    assert done.returncode == 3, done.stdout + done.stderr
    assert "BPF" in done.stdout
    assert netlab("run", scenario, "--allow-inconclusive", unprivileged=True).returncode == 0


@pytest.mark.proof  # ci.model_both_ways shows all of it
def test_an_unprivileged_user_proves_most_of_the_model() -> None:
    # Its core; python -m ci.model_both_ways, a part of make proof, has all of the model.
    done = netlab("conform", "--core", "--jobs", "4", unprivileged=True)
    assert done.returncode == 3, done.stdout + done.stderr
    passed, failed, inconclusive = (int(number) for number in re.findall(r"(\d+) (?:passed|failed|inconclusive)", done.stdout)[-3:])
    assert (passed >= 20, failed, passed + inconclusive) == (True, 0, 25), done.stdout
