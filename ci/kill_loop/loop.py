"""Kills netlab with SIGKILL at moments spread evenly over up, run, down and all between, and shows that nothing is left of it.

After each there is no process that it started (found by a mark in their environment), no name of a lab, no mount, no interface,
no file and no namespace. A lab whose ``up`` was killed after the hand-over stays, by right: then it must work, and must
end by ``down``. A ``down`` that was killed leaves such a lab, or none.

usage: python ci/kill_loop [MOMENTS] [--fenced]      exit status 0 when nothing was left at any of them
"""

import argparse
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ci.kill_loop.fence import Fence, own_mounts
from ci.kill_loop.traces import MARK, differences, marked, network_namespaces, traces
from ci.kill_loop.victims import COMMAND, FIRST, KEEPER, VICTIMS, Stage, Victim, netlab
from netlab.lab.staying import Staying, staying

GONE_WITHIN, ENDS_WITHIN = 20.0, 30.0
FREED_WITHIN = 180.0
"""A connection whose peer is gone holds its network namespace for two minutes where nobody is left who could have it give up: where
the keeper's outer process was killed, or an owner on whose wires the connection's end got lost."""

PAUSE, LONG_PAUSE = 0.003, 0.05
HEADS = ("killed", "moments", "over", "hit", "daemons", "stayed", "gone after", "freed after", "left something")


@dataclass(slots=True, kw_only=True)
class Row:
    """What came of the moments of one victim: ``hit`` while it ran, ``daemons`` when a detached program ran, ``stayed`` where a lab
    was there afterwards, by right; how long it took at most until all processes were gone, and at the end all namespaces."""

    name: str
    moments: int
    length: float = 0.0
    hit: int = 0
    daemons: int = 0
    stayed: int = 0
    slowest: float = 0.0
    freed: float | None = None
    left: list[str] = field(default_factory=list)

    @property
    def cells(self) -> tuple[str, ...]:
        """As the table shows it."""
        over, gone = f"{self.length:.2f} s", f"{self.slowest * 1000:.0f} ms"
        freed = "" if self.freed is None else f"{self.freed:.1f} s"
        counts = (str(self.hit), str(self.daemons), str(self.stayed))
        return (self.name, str(self.moments), over, *counts, gone, freed, str(len(self.left)))


class NotProvedError(Exception):
    """What is to be killed does not work, so that killing it shows nothing."""


class Loop:
    """The moments, one after another."""

    def __init__(self, stage: Stage, temporary: Path, fence: Fence | None) -> None:
        self._stage, self._fence = stage, fence
        self._folders = (temporary, temporary.parent)
        self._environment = {**os.environ, "TMPDIR": str(temporary), "XDG_CACHE_HOME": str(temporary.parent / "cache")}
        self._before = traces(self._folders)

    def kill(self, victim: Victim, moments: int) -> Row:
        """Kill a victim at so many moments of its length."""
        row = Row(name=victim.name, moments=moments, length=sorted(self._length(victim) for _ in range(3))[1])
        for moment in range(moments):
            target = victim.targets[moment % len(victim.targets)]
            for left in self._moment(victim, target, row.length * (moment + 0.5) / moments, row):
                row.left.append(left)
                print(f"{victim.name}: moment {moment}, {target} killed: {left}", flush=True)
        if self._fence is not None:
            began = time.monotonic()
            if not until(self._fence.empty, FREED_WITHIN, LONG_PAUSE):
                row.left.append(f"namespaces: {', '.join(self._fence.left()) or 'user'}")
                print(f"{victim.name}: {row.left[-1]}", flush=True)
            row.freed = time.monotonic() - began
        return row

    def _length(self, victim: Victim) -> float:
        """How long it takes when nobody kills it."""
        lab, mark = fresh(), fresh()
        self._prepare(victim, lab, mark)
        began = time.monotonic()
        if status := self._start(victim.argv(self._stage, lab), mark, told=None).wait():
            raise NotProvedError(f"{victim.name} does not work: exit status {status}")
        length = time.monotonic() - began
        if here(lab):
            self._down(lab)
        if left := self._left(victim, (mark,)):
            raise NotProvedError(f"{victim.name} leaves something when nobody kills it: {left}")
        return length

    def _moment(self, victim: Victim, target: str, after: float, row: Row) -> Iterator[str]:
        lab, lab_mark, mark = fresh(), fresh(), fresh()
        self._prepare(victim, lab, lab_mark)
        deadline = time.monotonic() + after
        process = self._start(victim.argv(self._stage, lab), mark)
        while time.monotonic() < deadline and process.poll() is None:
            time.sleep(0.001)
        started = marked(mark, lab_mark)
        row.daemons += any("sleep 1000" in words for words in started.values())
        row.hit += process.poll() is None
        # what is not there yet, or not any more, cannot be killed: then the command, if that is
        pid = chain(started).get(target, process.pid) if target != COMMAND else process.pid
        if pid != process.pid or process.poll() is None:
            os.kill(pid, signal.SIGKILL)
        killed = time.monotonic()
        try:
            process.wait(ENDS_WITHIN)
        except subprocess.TimeoutExpired:
            yield f"the command goes on, {ENDS_WITHIN:.0f} s later"
            process.kill()
            process.wait()
        if not until(lambda: not marked(mark) or here(lab), GONE_WITHIN):
            yield f"processes: {marked(mark)}"
        if self._settled(victim, lab, (mark, lab_mark)):
            row.stayed += 1
            self._down(lab)
        else:
            row.slowest = max(row.slowest, time.monotonic() - killed)
        yield from self._left(victim, (mark, lab_mark))

    def _prepare(self, victim: Victim, lab: str, mark: str) -> None:
        if victim.needs is not None and self._start(netlab("up", self._stage.topology, "--name", lab, *victim.needs), mark).wait():
            raise NotProvedError("up does not work")

    def _settled(self, victim: Victim, lab: str, marks: tuple[str, ...]) -> bool:
        """Wait until a lab is gone or seen to work; whether it works."""
        deadline = time.monotonic() + GONE_WITHIN
        while time.monotonic() < deadline and marked(*marks):
            if here(lab) and self._works(lab, victim):
                return True
            time.sleep(PAUSE)
        return False

    def _works(self, lab: str, victim: Victim) -> bool:
        return self._quietly(netlab("exec", "--lab", lab, "client", "--", sys.executable, "-c", victim.proof)) == 0

    def _down(self, lab: str) -> None:
        if self._quietly(netlab("down", lab)):
            raise NotProvedError(f"down cannot end the lab {lab}, which works")

    def _left(self, victim: Victim, marks: tuple[str, ...]) -> list[str]:
        """What is still there when it has had its time."""
        until(lambda: not marked(*marks), GONE_WITHIN)
        left = [f"process {pid}: {words}" for pid, words in marked(*marks).items()]
        if victim.exposed:
            self._quietly(netlab("gc"))
        until(lambda: not differences(self._before, traces(self._folders)), GONE_WITHIN)
        return left + differences(self._before, traces(self._folders))

    def _start(self, argv: list[str], mark: str, told: int | None = subprocess.DEVNULL) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            argv,
            env={**self._environment, MARK: mark},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=told,
            start_new_session=True,
        )

    def _quietly(self, argv: list[str]) -> int:
        return subprocess.run(
            argv,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=60,
            check=False,
        ).returncode


def fresh() -> str:
    """A name that nothing else has, and by which ours are known."""
    return f"{MARK.lower()}{secrets.token_hex(6)}"


def here(lab: str) -> bool:
    """Whether a lab is listed."""
    return Staying(os.geteuid(), lab) in staying()


def chain(found: dict[int, str]) -> dict[str, int]:
    """The keeper's two processes among those that a victim started."""
    keepers = {pid: parent(pid) for pid, words in found.items() if "pid1.py" in words}
    outer = [pid for pid, above in keepers.items() if above not in keepers]
    first = [pid for pid, above in keepers.items() if above in outer]
    return dict(zip((KEEPER, FIRST), (*outer[:1], *first[:1]), strict=False))


def parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def until(condition: Callable[[], bool], within: float, pause: float = PAUSE) -> bool:
    """Wait for a condition; False when it does not come true in time."""
    deadline = time.monotonic() + within
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
    return True


def table(rows: list[Row]) -> str:
    """All rows, in columns."""
    cells = [HEADS, *(row.cells for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join(
        "  ".join([line[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True))])
        for line in cells
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="kill_loop", description="Kill netlab at many moments; nothing may be left.")
    parser.add_argument("moments", nargs="?", type=int, default=200)
    parser.add_argument("--fenced", action="store_true", help="as root: in a user namespace, where the kernel counts exactly")
    given = parser.parse_args()
    root = os.geteuid() == 0
    fence = Fence() if given.fenced or not root else None
    own_mounts()
    victims = [victim for victim in VICTIMS if root or not victim.root]
    counted = fence is None
    with tempfile.TemporaryDirectory() as home:
        temporary = Path(home, "temporary")
        temporary.mkdir()
        Path(home, "cache").mkdir(mode=0o700)
        stage = Stage.below(Path(home), fresh())
        before = network_namespaces() if counted else None
        began = time.monotonic()
        loop = Loop(stage, temporary, fence)
        try:
            rows = [
                loop.kill(victim, given.moments // len(victims) + (number < given.moments % len(victims)))
                for number, victim in enumerate(victims)
            ]
        except NotProvedError as error:
            print(error)
            return 1
        left = sum(len(row.left) for row in rows)
        if before is not None:
            left += not fewer(before)
    print(table(rows))
    print(f"{given.moments} times killed in {time.monotonic() - began:.0f} s: {left or 'nothing'} left")
    return 1 if left else 0


def fewer(before: int) -> bool:
    """Whether the machine's network namespaces come down to as many as there were."""
    deadline = time.monotonic() + FREED_WITHIN
    while (after := network_namespaces() or 0) > before and time.monotonic() < deadline:
        pass
    if after > before:
        print(f"network namespaces: {before} before, {after} afterwards; if no others' labs were started meanwhile, they are ours")
    return after <= before
