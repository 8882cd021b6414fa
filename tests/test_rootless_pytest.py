"""The pytest fixture and collected scenarios work for an unprivileged user, on several workers at once."""

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

HERE = Path(__file__).parent

TESTS = """
import socket
import pytest

@pytest.mark.topology("two-hosts")
@pytest.mark.parametrize("number", range(6))
def test_the_same_addresses_in_every_worker(lab, number):
    with lab.observe() as seen:
        with lab["server"].socket() as s, lab["client"].socket() as c:
            s.bind(("0.0.0.0", 8080))
            s.listen()
            c.connect((lab["server"].address, 8080))
    assert seen.flags[:3] == ["S", "S.", "."]
    assert lab.rootless
"""
SCENARIO = """
# A datagram to a port that nobody has draws an ICMP error.
topology: two-hosts
steps:
  - client: u = socket(AF_INET, SOCK_DGRAM, 0)
  - client: sendto(u, "hi", 0, server:9) -> 2
  - expect: {packets: [client > server udp len 2, server > client icmp unreachable port]}
"""


@pytest.mark.netns
@pytest.mark.proof
def test_fixture_and_scenarios_under_xdist() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "test_lab.py").write_text(TESTS)
        (folder / "icmp.scenario.yaml").write_text(SCENARIO)
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-n",
            "3",
            "-W",
            "error",
            "-p",
            "no:cacheprovider",
            "--rootdir",
            name,
            name,
        ]
        done = subprocess.run(
            [sys.executable, str(HERE / "unprivileged.py"), *command], capture_output=True, text=True, check=False, cwd="/"
        )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "7 passed" in done.stdout
