"""Kill a run with SIGKILL at many moments of its length, and show that nothing is left of it.

The scenario runs a program that detaches itself as a daemon does. Before and after: processes of the run (found by a mark in their
environment), interfaces and network namespaces that can be seen, mounts, tracing instances, files in the temporary folders.

usage: python ci/kill_loop.py [MOMENTS]     exit status 0 when nothing was left at any of them
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

SCENARIO = """
# A program detaches itself as a daemon does; the calls go on meanwhile.
topology: two-hosts
steps:
  - server: run sh -c "setsid setsid sleep 1000 </dev/null >/dev/null 2>&1 &"
  - server: s = socket(AF_INET, SOCK_STREAM, 0)
  - server: bind(s, 0.0.0.0:8080)
  - server: listen(s, 8)
  - client: c = socket(AF_INET, SOCK_STREAM, 0)
  - client: connect(c, server:8080)
  - expect: {packets: [client > server S, server > client S., client > server .], for: 300ms}
  - client: close(c)
"""
MARK = "NETLAB_KILL_LOOP"
GONE_WITHIN = 5.0


def marked(mark: str) -> list[str]:
    """The processes whose environment carries our mark: the run, its keeper, agents and programs, wherever they moved to."""
    wanted = f"{MARK}={mark}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                if wanted in (entry / "environ").read_bytes().split(b"\0"):
                    found.append(
                        f"{entry.name} {(entry / 'cmdline').read_bytes().replace(bytes(1), b' ').decode(errors='replace')}"
                    )
            except OSError:
                continue
    return found


def traces(folder: Path) -> dict[str, frozenset[str]]:
    """Everything else that a run could leave behind."""

    def listing(path: str) -> frozenset[str]:
        try:
            return frozenset(os.listdir(path))
        except OSError:
            return frozenset()

    return {
        "interfaces": listing("/sys/class/net"),
        "named namespaces": listing("/run/netns"),
        "mounts": frozenset(Path("/proc/self/mountinfo").read_text().splitlines()),
        "tracing instances": listing("/sys/kernel/tracing/instances"),
        "temporary files": listing(str(folder)),
        "shared memory": listing("/dev/shm"),
        "run": listing("/run"),
    }


def start(scenario: Path, folder: Path, mark: str) -> subprocess.Popen[bytes]:
    """One run, in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "netlab", "run", str(scenario), "--pcap", str(folder.parent / "out.pcapng")],
        env={**os.environ, MARK: mark, "TMPDIR": str(folder)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def main() -> int:
    moments = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home, "tmp")
        folder.mkdir()
        scenario = Path(home, "daemon.scenario.yaml")
        scenario.write_text(SCENARIO)
        lengths = []
        for _ in range(3):
            began = time.monotonic()
            if status := start(scenario, folder, "length").wait():
                print(f"the scenario itself does not pass: exit status {status}")
                return 1
            lengths.append(time.monotonic() - began)
        length = sorted(lengths)[1]
        before = traces(folder)
        failures, alive, daemons, slowest = 0, 0, 0, 0.0
        for moment in range(moments):
            mark = uuid.uuid4().hex
            process = start(scenario, folder, mark)
            deadline = time.monotonic() + length * (moment + 0.5) / moments
            while time.monotonic() < deadline and process.poll() is None:
                time.sleep(0.001)
            alive += process.poll() is None
            daemons += any("sleep 1000" in one for one in marked(mark))
            if process.poll() is None:
                os.kill(process.pid, signal.SIGKILL)
            process.wait()
            killed = time.monotonic()
            while (left := marked(mark)) and time.monotonic() - killed < GONE_WITHIN:
                time.sleep(0.002)
            slowest = max(slowest, time.monotonic() - killed)
            after = traces(folder)
            changed = {what: sorted(after[what] ^ before[what]) for what in before if after[what] != before[what]}
            if left or changed:
                failures += 1
                print(f"moment {moment}: left behind: {left} {changed}")
    print(
        f"killed at {moments} moments over {length:.2f} s ({alive} while it ran, {daemons} with the daemon running): "
        f"{failures} left something; the last process was gone after at most {slowest * 1000:.0f} ms"
    )
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
