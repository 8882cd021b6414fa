"""Searches generated sequences for one whose outcome the model does not allow, and makes it as short as it gets.

hypothesis draws the bytes, enough for many sequences at a time: drawing one by one took a fifth of the processor's time. One that
disagrees is made short here, each candidate played for real: records are left out, bytes made smaller, then calls left out.
It knows neither how calls are made nor what is allowed.
"""

import gc
import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from tempfile import TemporaryDirectory
from types import ModuleType

from netlab.errors import HostError
from netlab.explore.coverage import Coverage
from netlab.explore.judging import Disagreement, Judged, judge
from netlab.explore.playing import Stage
from netlab.explore.scene import Ground
from netlab.explore.sequences import Weights, cut, decode, more_of
from netlab.explore.trials import Trial
from netlab.model.sockets.beginning import world_of
from netlab.model.sockets.tables import all_rules
from netlab.model.sockets.world import World

BATCH = 400
"""Sequences between two looks at the coverage: the weights of the kinds of records stay as they are within."""

AGAIN = 10
"""How often the shortest sequence is played once more, to say how often it fails."""

_MOST_SHRINKING = 400
"""How many shorter sequences may be tried in place of one that disagrees: what could still be found is hardly ever less."""

_DRAWN = 1200
"""Bytes that are drawn at a time: those of nearly thirty sequences."""

_DRAWS = 500
"""How often they are drawn in one go of hypothesis', which remembers them all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A disagreement with the shortest sequence that shows it. ``times`` is how many sequences showed it, ``again`` in how many of
    ``AGAIN`` more runs the shortest did."""

    trial: Trial
    disagreement: Disagreement
    times: int
    again: int


@dataclass(slots=True)
class _Sought:
    """One disagreement that was found: the shortest sequence so far that shows it."""

    records: tuple[bytes, ...]
    kept: tuple[int, ...] | None
    trial: Trial
    disagreement: Disagreement
    times: int = 1
    again: int = 0


@dataclass(slots=True, kw_only=True)
class Limits:
    """When to stop: at this time of time.monotonic(), after so many sequences or disagreements, or when ``stop`` says so."""

    until: float = float("inf")
    sequences: float = float("inf")
    disagreements: int = 25
    stop: Callable[[], bool] = bool


@dataclass(slots=True)
class Search:
    """One search, on one stage. ``hosts`` is how many of its hosts are used. ``told`` is called now and then."""

    stage: Stage
    seed: int
    limits: Limits
    hosts: int = 2
    told: Callable[["Search"], None] | None = None
    coverage: Coverage = field(default_factory=Coverage)
    sought: dict[tuple[str, ...], _Sought] = field(default_factory=dict)
    _weights: Weights = field(default_factory=Weights)
    _tries: int = 0
    _world: World | None = None

    def run(self) -> None:
        """Search until a limit is reached."""
        with _no_files(), _few_collections():
            self._search()

    def _search(self) -> None:
        hypothesis = _hypothesis()
        settings = hypothesis.settings(
            max_examples=_DRAWS,
            database=None,
            deadline=None,
            phases=(hypothesis.Phase.generate,),
            suppress_health_check=list(hypothesis.HealthCheck),
            verbosity=hypothesis.Verbosity.quiet,
        )
        drawn, go = hypothesis.strategies.binary(min_size=_DRAWN, max_size=_DRAWN), 0
        while not self._over():
            with suppress(hypothesis.errors.NoSuchExample):
                hypothesis.find(drawn, self._enough, settings=settings, random=random.Random(f"{self.seed}/{go}"))
            go += 1

    def _enough(self, drawn: bytes) -> bool:
        """Try the sequences that drawn bytes stand for, until a limit is reached: whether one is."""
        if not any(drawn):  # the simplest there are, with which hypothesis begins: the shortest sequence, a hundred times
            return self._over()
        for records in cut(drawn):
            if self._over():
                return True
            if self.coverage.sequences % BATCH == 0:
                self._weights = Weights(more_of(self._unreached()))
                if self.told is not None and self.coverage.sequences:
                    self.told(self)
            self._one(records)
        return self._over()

    def found(self) -> list[Found]:
        """Each disagreement so far with the shortest sequence that shows it."""
        return [
            Found(trial=one.trial, disagreement=one.disagreement, times=one.times, again=one.again) for one in self.sought.values()
        ]

    def _over(self) -> bool:
        limits = self.limits
        return (
            time.monotonic() >= limits.until
            or self.coverage.sequences >= limits.sequences
            or len(self.sought) >= limits.disagreements
            or limits.stop()
        )

    def _unreached(self) -> list[str]:
        """The calls of rules that no sequence has reached, one for each rule."""
        rules = all_rules().values()
        return [
            rule.call for rule in rules if "linux" in rule.profiles and not rule.unreached and rule.id not in self.coverage.rules
        ]

    def _one(self, records: tuple[bytes, ...]) -> None:
        """Try one sequence; if it disagrees with the model in a new way, make it short."""
        trial, judged = self._try(records, None)
        self.coverage.take(trial)
        self.coverage.rules |= judged.rules
        self.coverage.judged += judged.judged
        self.coverage.unjudged += judged.unjudged
        found = judged.disagreement
        if found is None:
            return
        if found.key in self.sought:
            self.sought[found.key].times += 1
            return
        one = self.sought[found.key] = _Sought(records, None, trial, found)
        self._tries = _MOST_SHRINKING
        self._leave_out_records(one)
        self._lower_bytes(one)
        self._leave_out_calls(one)
        for _ in range(AGAIN):
            one.again += self._shows(one, one.records, one.kept) is not None

    def _leave_out_records(self, one: _Sought) -> None:
        """Half of them, a quarter, ... down to each for itself, the last first, as long as the same disagreement remains."""
        size = len(one.records)
        while size > 1:
            size = (size + 1) // 2
            upto = len(one.records)
            while upto > 0:
                begin = max(upto - size, 0)
                if upto - begin < len(one.records):
                    self._take(one, one.records[:begin] + one.records[upto:], None)
                upto = begin

    def _lower_bytes(self, one: _Sought) -> None:
        """Smaller bytes choose what is simpler (scene.Draw)."""
        for number in range(len(one.records)):
            for place, value in enumerate(one.records[number]):
                for lower in sorted({0, value // 4, value // 2} - {value}):
                    record = one.records[number]
                    record = record[:place] + bytes((lower,)) + record[place + 1 :]
                    if self._take(one, (*one.records[:number], record, *one.records[number + 1 :]), None):
                        break

    def _leave_out_calls(self, one: _Sought) -> None:
        """Call by call, the last first, until none can be left out."""
        kept = list(range(len(decode(one.records, self.stage.ground, 0, self._weights).lines)))
        again, self._tries = True, _MOST_SHRINKING
        while again:
            again = False
            for number in tuple(reversed(kept)):
                fewer = [each for each in kept if each != number]
                if self._take(one, one.records, tuple(fewer)):
                    kept, again = fewer, True

    def _take(self, one: _Sought, records: tuple[bytes, ...], kept: tuple[int, ...] | None) -> bool:
        """Whether a sequence shows the same disagreement in no more calls: then it takes the other's place."""
        if self._tries <= 0:
            return False
        self._tries -= 1
        shown = self._shows(one, records, kept)
        if shown is None or len(shown[0].played) > len(one.trial.played):
            return False
        one.records, one.kept, (one.trial, one.disagreement) = records, kept, shown
        return True

    def _shows(self, one: _Sought, records: tuple[bytes, ...], kept: tuple[int, ...] | None) -> tuple[Trial, Disagreement] | None:
        """The trial and its disagreement if it is the same one."""
        trial, judged = self._try(records, kept)
        self.coverage.shrinking += 1
        found = judged.disagreement
        return (trial, found) if found is not None and found.key == one.disagreement.key else None

    def _try(self, records: tuple[bytes, ...], kept: Sequence[int] | None) -> tuple[Trial, Judged]:
        """Play the sequence that records stand for, or only some of its lines, and judge it."""
        serial = self.stage.next()
        ground = self.stage.ground
        if self.hosts < len(ground.hosts):
            ground = Ground(addresses={host: ground.addresses[host] for host in ground.hosts[: self.hosts]})
        lines = decode(records, ground, serial, self._weights).lines
        if kept is not None:
            lines = tuple(lines[number] for number in kept if number < len(lines))
        trial = self.stage.play(lines)
        if self._world is None:
            self._world = world_of(self.stage.topology, certain=False)
        return trial, judge(trial, self._world)


@contextmanager
def _no_files() -> Iterator[None]:
    """hypothesis keeps what it has read of modules' sources in the current directory; here nowhere."""
    configuration = _hypothesis().configuration
    with TemporaryDirectory() as folder:
        configuration.set_hypothesis_home_dir(folder)
        try:
            yield
        finally:
            configuration.set_hypothesis_home_dir(None)


@contextmanager
def _few_collections() -> Iterator[None]:
    """What is there stays until the search is over, and what a sequence makes has hardly a cycle to be looked for."""
    thresholds = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()


def _hypothesis() -> ModuleType:
    """The library, which only this needs."""
    try:
        import hypothesis
        import hypothesis.configuration
        import hypothesis.errors
        import hypothesis.strategies
    except ImportError:
        raise HostError("hypothesis is not installed, and explore draws its sequences with it", "pip install hypothesis") from None
    return hypothesis
