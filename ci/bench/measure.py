"""How things are measured: in turns, so that a noisy moment hits all alike, each on a kernel that has cleaned up after the last."""

import statistics
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ci.bench.contenders import Contender, ContenderError


@dataclass(slots=True)
class Samples:
    """What one quantity measured, round after round."""

    values: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        """The middle one."""
        return statistics.median(self.values)

    @property
    def least(self) -> float:
        """The smallest one."""
        return min(self.values)


@dataclass(slots=True)
class Taken:
    """What one contender took, by quantity: "up_ms", "down_ms", and its phases as "phase NAME"."""

    samples: dict[str, Samples] = field(default_factory=dict)

    def add(self, answer: Mapping[str, object]) -> None:
        """Take in the answer to a command."""
        for name, value in answer.items():
            if isinstance(value, Mapping):
                self.add({f"phase {phase}": each for phase, each in value.items()})
            elif isinstance(value, (int, float)):
                self.samples.setdefault(name, Samples()).values.append(float(value))

    def median(self, name: str) -> float:
        """The median of a quantity."""
        return self.samples[name].median


class Drain:
    """Waits until the kernel has cleaned up after all network namespaces that were let go before."""

    def __init__(self, contender: Contender) -> None:
        self._contender = contender

    def wait(self) -> float:
        """Wait; gives how long it took, in ms, to the end of the cleaning up of what was let go."""
        return float(self._contender.ask("drained")["ms"])

    def watch(self, contender: Contender) -> int:
        """Count the namespaces that a contender has now among those that ``alive`` tells of; gives how many are there."""
        spaces = contender.ask("spaces")["spaces"].values()
        return int(self._contender.ask(f"watch {contender.pid} {' '.join(map(str, spaces))}")["alive"])

    def alive(self) -> int:
        """How many of the namespaces watched are still there."""
        return int(self._contender.ask("alive")["alive"])


@contextmanager
def drain() -> Iterator[Drain]:
    """A Drain in a process of its own."""
    with Contender("drain", [sys.executable, "-m", "ci.bench.sides.drain"]) as contender:
        yield Drain(contender)


def turns(rounds: int, names: Sequence[Contender]) -> Iterator[tuple[int, list[Contender]]]:
    """The order of every round, each beginning with another; round 0 is for warming up and does not count."""
    for number in range(rounds + 1):
        first = number % len(names)
        yield number, [*names[first:], *names[:first]]


def built(contenders: Iterable[Contender], rounds: int, drained: Drain) -> dict[str, Taken]:
    """What every contender takes to build its network and to let it go, by its name; without one that failed, where it may."""
    everyone = list(contenders)
    taken = {each.name: Taken() for each in everyone}
    drained.wait()
    for number, order in turns(rounds, everyone):
        for each in order:
            if each.name not in taken or (each.most is not None and number > each.most):
                continue
            try:
                answers = [each.ask("up"), each.ask("down")]
            except ContenderError as error:
                if not each.may_fail:
                    raise
                print(f"  {error}", file=sys.stderr)
                del taken[each.name]
                continue
            answers.append({"drained_ms": drained.wait()})
            if number:
                for answer in answers:
                    taken[each.name].add(answer)
    return taken


def repeated(contenders: Mapping[Contender, str], rounds: int) -> dict[str, float]:
    """The median, over the rounds, of what each contender's command gives as "us"; all have built their networks before."""
    taken = {each.name: Samples() for each in contenders}
    for number, order in turns(rounds, list(contenders)):
        for each in order:
            answer = each.ask(contenders[each])
            if number:
                taken[each.name].values.append(float(answer["us"]))
    return {name: samples.median for name, samples in taken.items()}


def slab_kilobytes() -> float:
    """The kernel's memory in slabs, the whole machine's."""
    return _kilobytes(Path("/proc/meminfo"), ("Slab:",))


def process_kilobytes(pid: int) -> float:
    """A process's memory, with its descendants'; what they share is counted once (proc(5), Pss of smaps_rollup)."""
    total = _kilobytes(Path(f"/proc/{pid}/smaps_rollup"), ("Pss:",))
    for task in Path(f"/proc/{pid}/task").iterdir():
        total += sum(process_kilobytes(int(child)) for child in (task / "children").read_text().split())
    return total


def _kilobytes(path: Path, names: tuple[str, ...]) -> float:
    return float(sum(int(line.split()[1]) for line in path.read_text().splitlines() if line.startswith(names)))
