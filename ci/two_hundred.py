"""200 scenario files of the same addresses under pytest with four workers: every one passes, and nothing is left of any.

Half of them listen at the address and port that the other half finds refused, so that one that saw another's network would fail;
and each looks at exactly the packets of its own. Afterwards no process that the run began is there, and a namespace without one is
gone with it; the interfaces of the machine are what they were.

usage, from the root of the source tree: python -m ci.two_hundred [FILES [WORKERS]]; exit status 1 if any of this does not hold.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
OPEN = """\
# {number}: the server answers, and what passes is the handshake of this client.
topology: two-hosts
steps:
  - server: s = socket(AF_INET, SOCK_STREAM, 0)
  - server: bind(s, 10.0.0.2:8080)
  - server: listen(s, 8)
  - client: c = socket(AF_INET, SOCK_STREAM, 0)
  - client: bind(c, 10.0.0.1:40000)
  - client: connect(c, 10.0.0.2:8080)
  - expect:
      packets:
        - client:40000 > server:8080 S
        - server:8080 > client:40000 S.
        - client:40000 > server:8080 .
      states: {{client.c: ESTABLISHED}}
"""
CLOSED = """\
# {number}: nobody listens, and the client is refused.
topology: two-hosts
steps:
  - client: c = socket(AF_INET, SOCK_STREAM, 0)
  - client: bind(c, 10.0.0.1:40000)
  - client: connect(c, 10.0.0.2:8080) -> ECONNREFUSED
  - expect:
      packets:
        - client:40000 > server:8080 S
        - server:8080 > client:40000 R.
"""
WITHIN = 20.0


def gone(run: str) -> bool:
    """Whether every process that this run began has ended: each has its name in its environment."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if f"NETLAB_RUN={run}\0".encode() in Path(f"/proc/{pid}/environ").read_bytes():
                return False
        except OSError:
            continue
    return True


def main() -> int:
    """Run them, and say what came of it."""
    files, workers = (int(word) for word in (*sys.argv[1:], *("200", "4")[len(sys.argv[1:]) :]))
    with tempfile.TemporaryDirectory(prefix="netlab-two-hundred-") as name:
        folder = Path(name)
        for number in range(files):
            text = (OPEN, CLOSED)[number % 2].format(number=number)
            (folder / f"same-{number:03}.scenario.yaml").write_text(text)
        interfaces = sorted(os.listdir("/sys/class/net"))
        command = [sys.executable, "-m", "pytest", "-q", "-n", str(workers), "-p", "no:cacheprovider", "--rootdir", name, name]
        began = time.monotonic()
        run = f"{os.getpid()}-{began}"
        done = subprocess.run(
            [*command, f"--junitxml={folder / 'result.xml'}"],
            capture_output=True,
            text=True,
            check=False,
            cwd=ROOT,
            env={**os.environ, "NETLAB_RUN": run},
        )
        took = time.monotonic() - began
        until = time.monotonic() + WITHIN
        while not gone(run) and time.monotonic() < until:
            time.sleep(0.05)
        wrong = [] if gone(run) else ["a process that the run began is left"]
        if sorted(os.listdir("/sys/class/net")) != interfaces:
            wrong.append(f"the machine's interfaces were {interfaces}, and are {sorted(os.listdir('/sys/class/net'))}")
        passed = re.search(r"(\d+) passed in", done.stdout)
        if done.returncode != 0 or passed is None or int(passed[1]) != files:
            wrong.append(f"not all passed:\n{done.stdout[-5000:]}{done.stderr[-2000:]}")
        packets = re.findall(r'name="packets" value="(\d+)"', (folder / "result.xml").read_text())
        print(
            f"{passed[1] if passed else 0} of {files} scenario files with the same addresses passed with {workers} workers "
            f"in {took:.0f} s, {took / files * 1000:.0f} ms each; {sum(map(int, packets))} packets were judged, each in its own lab"
        )
    for one in wrong:
        print(one)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
