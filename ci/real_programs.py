"""Real programs in a lab, each watched with its clients by `netlab-ns watch`: nothing is wrong with them, and nothing is found.

A table says what was found of each, what the sources lost, and what could not be judged. One finding is explained, in the table:
it is true. It does not know how anything is found. usage, from the root of the source tree: python -m ci.real_programs [--all]

Exit status: 0 nothing that is not explained, 1 a fault, a warning, or a program that failed (with --all: or that is not installed),
3 something could not be judged.
"""

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ci.curl_nginx import CONFIGURATION
from netlab.report.json import loads
from netlab.timeline.observations import ProgramEnded, SystemCall

ROOT = Path(__file__).parent.parent
PATH = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
PACKAGES = {
    "nginx": "nginx-light",
    "redis-server": "redis-server",
    "redis-cli": "redis-tools",
    "redis-benchmark": "redis-tools",
    "cc": "gcc libc6-dev",
}
"""What installs a program on Debian and Ubuntu, where the package's name is another one."""
EXPLAINED = {
    ("iperf3", "use.double-close"): "iperf3 3.12 closes the descriptor of a finished test twice itself: close() = 0, then EBADF",
}
"""Warnings that are true: the program does that."""
ENDED = (0, -15, 143)
"""How a program may end: by itself, or by the SIGTERM that ends the watch (socat catches it, and tells it as a shell does)."""
ASYNCIO_SERVER = """\
import asyncio, signal

async def echo(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()
    await writer.wait_closed()

async def main():
    server = await asyncio.start_server(echo, "0.0.0.0", 7000)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with server:
        await stop.wait()

asyncio.run(main())
"""
ASYNCIO_CLIENT = """\
import asyncio

async def one():
    reader, writer = await asyncio.open_connection("server", 7000)
    writer.write(bytes(50000))
    await writer.drain()
    await reader.readexactly(50000)
    writer.close()
    await writer.wait_closed()

async def main():
    await asyncio.gather(*(one() for _ in range(20)))

asyncio.run(main())
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One watch: a program of ``host``, and a shell's line in the other host, with ``first`` before it. ``ends``: by itself."""

    name: str
    needs: tuple[str, ...]
    program: str
    line: str
    host: str = "server"
    first: bool = False
    ends: bool = False

    def command(self, to: Path) -> list[str]:
        """The command line that watches it."""
        other = "client" if self.host == "server" else "server"
        beside = ["--before" if self.first else "--with", shlex.join([f"{other}:", "sh", "-c", self.line])]
        until = [] if self.ends else ["--until-exit", "client"]
        options = ["--quiet", "--for", "60s", "--ready", "10s", "--capture-buffer", "64M", "--json", str(to), *beside, *until]
        return [sys.executable, "-m", "netlab", "watch", "two-hosts", self.host, *options, "--", *shlex.split(self.program)]


def cases(folder: Path) -> Iterator[Case]:
    """The watches; their files lie in ``folder``."""
    nginx = f"nginx -e stderr -c {folder}/nginx.conf"
    pages = "http://server/ http://server/large"
    fetch = f"curl -4fsS {pages} -o /dev/null -o /dev/null"
    many = "; ".join([fetch, f"curl -4sSZ -o /dev/null -o /dev/null -o /dev/null {pages} http://server/none", f"exec {fetch}"])
    redis = "exec redis-benchmark -h server -q -n 1000 -c 20 -P 4 -t set,get"
    asked = f"redis-cli -h server set a 1 && redis-cli -h server get a && {redis}"
    serve = f"redis-server --bind 0.0.0.0 --protected-mode no --save '' --dir {folder}"
    pipe = "for i in 1 2 3; do echo $i | socat - TCP4:server:7001 || exit 1; done"
    calls = f"for i in 1 2 3; do {folder}/echo 10.0.0.2 7002 5 || exit 1; done"
    python = shlex.quote(sys.executable)
    yield Case(name="nginx", needs=("nginx", "curl"), program=nginx, line=many)
    yield Case(name="curl", needs=("curl", "nginx"), program=fetch, line=f"exec {nginx}", host="client", first=True, ends=True)
    for option in ("-P 2", "-R", "-u -b 20M"):
        name = f"iperf3 {option}"
        yield Case(name=name, needs=("iperf3",), program="iperf3 -s -1", line=f"exec iperf3 -c server -n 4M {option}", ends=True)
    yield Case(name="socat", needs=("socat",), program="socat TCP4-LISTEN:7001,reuseaddr,fork EXEC:cat", line=pipe)
    yield Case(name="redis-server", needs=("redis-server", "redis-cli", "redis-benchmark"), program=serve, line=asked)
    yield Case(name="asyncio", needs=(), program=f"{python} {folder}/server.py", line=f"exec {python} {folder}/client.py")
    yield Case(name="static C", needs=("cc",), program=f"{folder}/echo 7002 3", line=calls, ends=True)


def prepare(folder: Path) -> None:
    """Write and build what the programs need."""
    folder.chmod(0o755)  # nginx' workers are another user
    (folder / "www").mkdir()
    (folder / "www/index.html").write_text("<p>It works.</p>\n")
    (folder / "www/large").write_bytes(bytes(2_000_000))
    (folder / "nginx.conf").write_text(CONFIGURATION.format(folder=folder, port=80))
    (folder / "server.py").write_text(ASYNCIO_SERVER)
    (folder / "client.py").write_text(ASYNCIO_CLIENT)
    if shutil.which("cc"):
        subprocess.run(["cc", "-static", "-O1", "-o", str(folder / "echo"), str(ROOT / "tests/faulty/echo.c")], check=True)


def watch(case: Case, to: Path) -> tuple[list[str], int]:
    """The table's lines of one case, and the exit status that it asks for."""
    done = subprocess.run(
        case.command(to),
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        timeout=180,
        env={**os.environ, "PATH": PATH},
    )
    if not to.exists():
        return [f"{case.name:<18}was not watched: exit status {done.returncode}", done.stderr], done.returncode or 1
    (result,) = loads(to.read_bytes()).scenarios
    assert result.timeline is not None
    seen = result.timeline.observations
    undecided = [f"{one.id}: {' '.join(one.reason.split())}" for one in result.verdicts if one.outcome == "INCONCLUSIVE"]
    found = [one for one in result.verdicts if one.outcome != "INCONCLUSIVE" and one.id != "use"]
    lost = ", ".join(f"{report.name} {report.lost}" for report in result.timeline.sources if report.lost)
    calls = sum(isinstance(one, SystemCall) for one in seen)
    counts = f"{len(found):>8}{lost or 0:>8}{len(undecided):>14}{calls:>9}{len(seen):>14}"
    lines, status = [f"{case.name:<18}{counts}"], 3 if undecided or lost else 0
    for one in found:
        severity, _, who = one.reason.partition(": ")
        explained = "" if severity == "fault" else EXPLAINED.get((case.name.split()[0], one.id), "")
        lines += [f"    {severity} {one.id}: {who}", *([f"      explained: {explained}"] if explained else [])]
        if severity != "note" and not explained:
            status = 1
    ended = [one for one in seen if isinstance(one, ProgramEnded)]
    failed = [one for one in ended if one.status not in ENDED]
    if failed or len(ended) != 2:
        status = 1
        lines += [
            f"    {shlex.join(one.argv)[:60]} ended with {one.status}: {(one.stderr or done.stderr).strip()[:300]}"
            for one in failed
        ]
        lines += [] if failed else [f"    a program was not started:\n{done.stderr}"]
    return [*lines, *(f"    inconclusive: {one}" for one in undecided)], status


def main() -> int:
    """Watch them all, and print the table."""
    statuses, missing = [], set[str]()
    print(f"{'program':<18}{'findings':>8}{'lost':>8}{'inconclusive':>14}{'calls':>9}{'observations':>14}", flush=True)
    with tempfile.TemporaryDirectory(prefix="netlab-real-") as name:
        folder = Path(name)
        prepare(folder)
        for number, case in enumerate(cases(folder)):
            lacking = [program for program in case.needs if shutil.which(program, path=PATH) is None]
            if lacking:
                print(f"{case.name:<18}is missing: there is no {' and no '.join(lacking)} here", flush=True)
                missing |= set(lacking)
                continue
            lines, status = watch(case, folder / f"{number}.json")
            statuses.append(status)
            print("\n".join(lines), flush=True)
    if missing:
        print(f"fix: apt-get install {' '.join(sorted({PACKAGES.get(program, program) for program in missing}))}")
    if missing and "--all" in sys.argv[1:]:
        statuses.append(1)
    return 1 if 1 in statuses else max(statuses, default=0)


if __name__ == "__main__":
    sys.exit(main())
