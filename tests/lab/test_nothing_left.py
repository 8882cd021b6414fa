"""No namespace is left of a lab, even where its TCP connections were open: counted by the kernel, for this test's labs alone."""

import subprocess
import sys
from pathlib import Path

import pytest
from labs import UNPRIVILEGED

pytestmark = pytest.mark.netns

TESTS = Path(__file__).parent.parent
TOPOLOGY = """
# The link is so slow that what ends a connection is not through when all is killed.
nodes: {client: {}, server: {}}
links:
  - endpoints: [client, server]
    subnets: [10.0.0.0/24]
    impair: {both: {rate: 64kbit}}
"""
SERVE = """
import socket
listener = socket.create_server(("", 80))
print(flush=True)
accepted, (client, _) = listener.accept()
accepted.recv(1)
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as flood:
    for _ in range(100):
        flood.sendto(bytes(1000), (client, 9))
print(flush=True)
listener.accept()
"""
PRELUDE = f"""
import sys
sys.path[:0] = [{str(TESTS.parent)!r}, {str(TESTS)!r}]
from ci.kill_loop.fence import Fence, own_mounts
fence = Fence()
own_mounts()
import labs
from netlab import Lab

TOPOLOGY = {TOPOLOGY!r}
SERVE = {SERVE!r}
CONNECT = "import socket, time; socket.create_connection(('server', 80)).close(); print(flush=True); time.sleep(99)"

def connected(run):
    server = run("server", SERVE)
    server.stdout.readline()
    client = run("client", CONNECT)
    client.stdout.readline()
    server.stdout.readline()
    return [server, client]
"""
WITHIN = 20  # it takes a second; the kernel's own time for a connection whose peer is gone is two minutes
CASES = {
    "sockets that are closed afterwards": """
import fcntl
with Lab.load("two-hosts") as lab:
    listener, client = lab["server"].socket(), lab["client"].socket()
    listener.bind(("10.0.0.2", 80))
    listener.listen()
    client.connect(("10.0.0.2", 80))
    accepted, _ = listener.accept()
client.close()
def gone():
    try:
        fcntl.ioctl(listener, 0x8933, b"eth0".ljust(40, bytes(1)))  # SIOCGIFINDEX
    except OSError:
        return True
assert labs.until(gone), "the link is there although one of its ends is not"
accepted.close()
listener.close()
""",
    "programs": """
with Lab.parse(TOPOLOGY) as lab:
    programs = connected(lambda host, program: lab[host].popen([sys.executable, "-c", program], stdout=-1))
for each in programs:
    each.close()
""",
    "programs whose lab's first process is killed": """
import os, signal
with Lab.parse(TOPOLOGY) as lab:
    programs = connected(lambda host, program: lab[host].popen([sys.executable, "-c", program], stdout=-1))
    first, *_ = labs.below(lab.keeper.pid)
    os.kill(first, signal.SIGKILL)
    for each in programs:
        each.close()
""",
    "programs of a lab that stays": """
import subprocess
import tempfile
with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
    file.write(TOPOLOGY)
    file.flush()
    assert labs.netlab("up", file.name, "--name", "fenced").returncode == 0
def run(host, program):
    argv = labs.command("exec", "--lab", "fenced", host, "--", sys.executable, "-c", program)
    return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
programs = connected(run)
assert labs.netlab("down", "fenced").returncode == 0
for each in programs:
    with each:
        each.wait()
""",
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
@pytest.mark.parametrize("rootless", [False, True], ids=["", "rootless"])
def test_no_namespace_is_left(case: str, rootless: bool) -> None:
    script = f"{PRELUDE}{case}\nassert labs.until(lambda: not fence.left(), {WITHIN}), fence.left()"
    argv = [*(UNPRIVILEGED if rootless else []), sys.executable, "-W", "error", "-c", script]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=100)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_namespace_that_is_left_is_seen() -> None:
    script = f"{PRELUDE}\nlab = Lab.load('two-hosts').__enter__()\nassert fence.left() == ['net']"
    argv = [sys.executable, "-W", "error", "-c", script]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=100)
    assert (done.returncode, done.stderr) == (0, "")
