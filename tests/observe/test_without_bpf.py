"""Root where a filter of system calls forbids bpf(2), as in many containers: states come from perf events."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from netlab.observe.tier import probe

TESTS = Path(__file__).parent.parent

# A seccomp filter (seccomp(2)): load the call's number; bpf(2) fails with EPERM, all else is allowed.
PROGRAM = f"""
import ctypes, struct, sys
sys.path[:0] = [{str(TESTS.parent)!r}]
code = [(0x20, 0, 0, 0), (0x15, 0, 1, 321), (0x06, 0, 0, 0x00050001), (0x06, 0, 0, 0x7FFF0000)]
filter = b"".join(struct.pack("=HBBI", *one) for one in code)
held = ctypes.create_string_buffer(filter)
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, struct.pack("@HP", len(code), ctypes.addressof(held)), 0, 0) == 0

from netlab import Lab
from netlab.observe.tier import probe
from netlab.timeline.observations import SocketState

with Lab.load("two-hosts") as lab:
    with lab.observe() as seen:
        server = "import socket; s = socket.create_server(('', 80)); print(flush=True); s.accept()[0].recv(1)"
        running = lab["server"].popen([sys.executable, "-c", server], stdout=-1)
        running.stdout.readline()
        connect = "import socket; socket.create_connection(('10.0.0.2', 80)).close()"
        lab["client"].run([sys.executable, "-c", connect], check=True)
        running.wait()
report = seen.timeline.source("states")
print(probe().letter, report.available)
for one in seen.timeline.observations:
    if isinstance(one, SocketState) and one.host == "client":
        print(one.source, one.old, one.new)
"""


@pytest.mark.netns
def test_states_come_from_perf_events() -> None:
    if os.geteuid() != 0 or platform.machine() != "x86_64":
        pytest.skip("needs root, and the number of bpf(2)")
    if probe().letter != "A":
        pytest.skip("without BPF there is nothing to take away")
    run = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60)
    first, *states = run.stdout.splitlines()
    if first.startswith("C"):
        pytest.skip("this machine has no perf events either")
    # What other programs' sockets do meanwhile may count as lost: whose they are cannot always be told.
    assert (first, run.stderr) == ("B True", "")
    assert states[:2] == ["tracepoint CLOSE SYN_SENT", "tracepoint SYN_SENT ESTABLISHED"]
