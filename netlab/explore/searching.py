"""Searches generated sequences for one whose outcome the model does not allow, and makes it as short as it gets.

hypothesis draws the records and shrinks them, every candidate played for real; what a record unfolds to is thinned out after that.
It knows neither how calls are made nor what is allowed.
"""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from tempfile import TemporaryDirectory
from types import ModuleType

from netlab.errors import HostError
from netlab.explore.coverage import Coverage
from netlab.explore.judging import Disagreement, Judged, judge
from netlab.explore.playing import Stage, Trial
from netlab.explore.scene import Ground
from netlab.explore.sequences import MOST, RECORD, Weights, decode, more_of
from netlab.model.sockets.beginning import world_of
from netlab.model.sockets.tables import all_rules
from netlab.model.sockets.world import World

BATCH = 400
"""Sequences between two looks at the coverage: the weights of the kinds of records stay as they are within."""

AGAIN = 10
"""How often the shortest sequence is played once more, to say how often it fails."""

_MOST_SHRINKING = 400
"""How many shorter sequences hypothesis may try in place of one that disagrees: what it could still find is hardly ever less."""


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
    _batch: int = 0
    _weights: Weights = field(default_factory=Weights)
    _wanted: tuple[str, ...] | None = None
    _shrinking: int = 0
    _world: World | None = None

    def run(self) -> None:
        """Search until a limit is reached."""
        with _no_files():
            self._search()

    def _search(self) -> None:
        while not self._over():
            self._weights = Weights(more_of(self._unreached()))
            self._one_batch()
            self._batch += 1
            if self.told is not None:
                self.told(self)

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

    def _one_batch(self) -> None:
        """Have hypothesis draw sequences until one disagrees in a new way, and make that one short."""
        hypothesis = _hypothesis()
        strategies, errors = hypothesis.strategies, hypothesis.errors
        sequences = strategies.lists(strategies.binary(min_size=RECORD, max_size=RECORD), min_size=1, max_size=MOST)
        settings = hypothesis.settings(
            max_examples=BATCH,
            database=None,
            deadline=None,
            phases=(hypothesis.Phase.generate, hypothesis.Phase.shrink),
            suppress_health_check=list(hypothesis.HealthCheck),
            verbosity=hypothesis.Verbosity.quiet,
        )
        self._wanted = None
        try:
            hypothesis.find(sequences, self._fails, settings=settings, random=random.Random(f"{self.seed}/{self._batch}"))
        except errors.NoSuchExample:
            return
        except errors.Flaky:
            pass  # it does not come every time; the shortest that showed it is kept
        if self._wanted is not None:
            self._thin_out(self.sought[self._wanted])

    def _fails(self, records: Sequence[bytes]) -> bool:
        """Whether a sequence disagrees with the model: in a new way while one is sought, in the same way while it is made short."""
        shrinking = self._wanted is not None
        if self._shrinking <= 0 if shrinking else self._over():
            return False
        trial, judged = self._try(tuple(records), None)
        if shrinking:
            self._shrinking -= 1
            self.coverage.shrinking += 1
        else:
            self.coverage.take(trial)
            self.coverage.rules |= judged.rules
            self.coverage.judged += judged.judged
            self.coverage.unjudged += judged.unjudged
        found = judged.disagreement
        if found is None:
            return False
        if not shrinking:
            if found.key in self.sought:
                self.sought[found.key].times += 1
                return False
            self._wanted = found.key
            self._shrinking = _MOST_SHRINKING
        if found.key != self._wanted:
            return False
        self._keep(tuple(records), None, trial, found)
        return True

    def _keep(self, records: tuple[bytes, ...], kept: tuple[int, ...] | None, trial: Trial, found: Disagreement) -> None:
        known = self.sought.get(found.key)
        if known is None:
            self.sought[found.key] = _Sought(records, kept, trial, found)
        elif len(trial.played) <= len(known.trial.played):
            known.records, known.kept, known.trial, known.disagreement = records, kept, trial, found

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

    def _thin_out(self, one: _Sought) -> None:
        """Leave out calls one by one, the last first, as long as the same disagreement remains; then see how often it comes."""
        count = len(decode(one.records, self.stage.ground, 0, self._weights).lines)
        kept = list(one.kept if one.kept is not None else range(count))
        again = True
        while again:
            again = False
            for number in tuple(reversed(kept)):
                fewer = [each for each in kept if each != number]
                trial, judged = self._try(one.records, fewer)
                self.coverage.shrinking += 1
                if judged.disagreement is not None and judged.disagreement.key == one.disagreement.key:
                    kept, again = fewer, True
                    self._keep(one.records, tuple(fewer), trial, judged.disagreement)
        for _ in range(AGAIN):
            _, judged = self._try(one.records, kept)
            self.coverage.shrinking += 1
            one.again += judged.disagreement is not None and judged.disagreement.key == one.disagreement.key


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
