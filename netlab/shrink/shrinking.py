"""Shrinks a failure: first its decisions, then rules and quantities, steps, and the network, until nothing more can go.

Every candidate is run for real, and counts only if it fails by the same claim, in the same step and field, and in no way in which
the whole does not; and, where the whole passes undisturbed, only if it does so too: else what is found would fail for a reason of
its own, such as a server that nobody started. It refuses to know why anything fails. ``best`` is the best so far at any time.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import msgspec

from netlab.bundle.loading import loaded, parts
from netlab.bundle.running import Again, again, decisions_of, prescribed, run_bundle
from netlab.bundle.spec import Bundle, Failed, failures
from netlab.check.result import ScenarioResult
from netlab.errors import SpecError
from netlab.shrink import impairments, networks, steps
from netlab.shrink.candidates import Best, Candidate, Progress
from netlab.shrink.clauses import Clause
from netlab.shrink.ddmin import ddmin, singly
from netlab.shrink.exact import Exact, about_packets, exact
from netlab.shrink.opening import Data, alike, closed, named, named_topology, opened
from netlab.shrink.trials import Trials, Tried
from netlab.topology.spec import Rule

T = TypeVar("T")


class NotReproducedError(Exception):
    """The failure of the bundle did not appear again; the message says what came instead. ``untold``: whether it does cannot be
    known here, since runs were inconclusive."""

    def __init__(self, told: str, *, untold: bool = False) -> None:
        super().__init__(told)
        self.untold = untold


class Shrinking:
    """The search for the smallest that fails as a bundle does. ``tries``, ``jobs`` and ``deadline`` are those of Trials; ``told``
    hears of each run and of each better candidate. An exclusive claim is run alone."""

    def __init__(
        self,
        bundle: Bundle,
        *,
        tries: int = 3,
        jobs: int = 1,
        deadline: float | None = None,
        told: Callable[[Progress], None] = lambda _: None,
    ) -> None:
        self.bundle, self._failed, self.told = bundle, bundle.failed, told
        self._whole = Candidate(data=opened(bundle), decisions=about_packets(bundle.decisions))
        jobs = 1 if self._whole.data.get("exclusive") else jobs
        self._trials = Trials(
            self._run, lambda candidate: candidate.key, tries=tries, jobs=jobs, deadline=deadline, told=self._tell
        )
        self._controls = Trials(self._control, lambda candidate: candidate.key, tries=tries, deadline=deadline)
        self._tries, self._untold = tries, ""
        self._ways: set[tuple[str, str, str]] = set()
        self.best: Best | None = None
        self.phase = "the failure itself"
        self.inexact = self.controlled = False
        self.original = named_topology(bundle)

    @property
    def runs(self) -> int:
        """How many runs there were."""
        return self._trials.runs + self._controls.runs

    def search(self) -> Best:
        """Shrink until nothing more can go. Raises NotReproducedError if the failure does not appear in as many runs as one
        candidate gets; OutOfTimeError and KeyboardInterrupt leave the best so far in ``best``."""
        with loaded(self.bundle) as scenario:
            prescribed(self.bundle, scenario)
        whole = self._trials.repeated(self._whole)
        if not self._better([self._whole]):
            told = f"the failure did not appear again in {self.runs} runs"
            raise NotReproducedError(self._untold or told, untold=bool(self._untold))
        self._enter("undisturbed")
        self.controlled = self._passes_undisturbed(self._whole.data)
        # Where the whole fails whenever it is tried, one run tells that a part does not, and two that it does; what is left in the
        # end is tried more often.
        fewer = 1 if whole.same == whole.runs else self._tries
        self._trials.twice = whole.same == whole.runs
        self._trials.tries = self._controls.tries = fewer
        self._enter("decisions")
        self._minimal(self._decided().decisions or (), lambda some: replace(self._decided(), decisions=tuple(some)))
        if not self._decided().decisions and not impairments.quantities(self._data):
            self.controlled = False  # it fails undisturbed too, if not every time
        self._enter("exact rules")
        self._trials.tries = self._tries
        self._settle()
        self._trials.tries = fewer
        if self.inexact or impairments.quantities(self._data):  # of exact rules alone it is known that each is needed
            self._enter("rules")
            self._rules()
        self._enter("steps")
        self._steps()
        self._enter("nodes and links")
        self._network()
        self._enter("once more")
        self._trials.tries = self._tries
        self._rules(singly)
        self._trials.tries = fewer
        self._steps()
        assert self.best is not None
        return self.best

    def settled(self) -> Best:
        """The best so far, as rules that decide by themselves."""
        assert self.best is not None
        if self.best.candidate.decisions is not None:
            self._trials.deadline = self._controls.deadline = None
            self._trials.tries = self._tries
            self._settle()
        return self.best

    def failed_in(self, result: ScenarioResult | None) -> Failed:
        """The failure as that run had it: its numbers are others than the bundle's."""
        told = failures(result.verdicts) if result is not None else ()
        return next((one for one in told if one.same(self._failed)), self._failed)

    def proved(self, bundle: Bundle, *, soon: bool = False) -> Tried[ScenarioResult]:
        """How a bundle of the finished file fares when it is run as often as a candidate may be; ``soon``: until it fails."""

        def run(_: Candidate) -> ScenarioResult | None:
            return self._same(run_bundle(bundle, seed=bundle.seed))

        assert self.best is not None
        self._enter("the file itself")
        trials = Trials(run, lambda candidate: candidate.key, tries=self._tries, told=self._tell)
        return trials.tried(self.best.candidate) if soon else trials.repeated(self.best.candidate)

    def _enter(self, phase: str) -> None:
        self.phase = phase
        self._tell()

    def _tell(self) -> None:
        candidate = self.best.candidate if self.best is not None else self._whole
        self.told(Progress(phase=self.phase, runs=self.runs, size=candidate.size))

    # what is tried, and what is kept

    def _run(self, candidate: Candidate) -> ScenarioResult | None:
        try:
            if candidate.decisions is None:
                # the control first: one that passes takes less time than a failure, and one that fails spares the candidate's run
                if self.controlled and not self._passes_undisturbed(candidate.data):
                    return None
                made = closed(self.bundle, candidate.data)
                return self._same(run_bundle(made, seed=made.seed))
            return self._same(run_bundle(msgspec.structs.replace(self.bundle, decisions=candidate.decisions)))
        except SpecError:
            return None  # what is left is no scenario

    def _passes_undisturbed(self, data: Data) -> bool:
        """Whether one of some runs without any impairment passes."""
        alone = impairments.none(data)
        steps_alone = self._coherent(alone, steps.paths(alone["steps"]))
        return self._controls.tried(Candidate(data={**alone, "steps": steps_alone})).same > 0

    def _control(self, candidate: Candidate) -> ScenarioResult | None:
        try:
            made = closed(self.bundle, candidate.data)
            result = run_bundle(made, seed=made.seed)
        except SpecError:
            return None
        return result if again(result, self._failed) is Again.PASSED else None

    def _same(self, result: ScenarioResult) -> ScenarioResult | None:
        how = again(result, self._failed)
        if how is Again.UNTOLD:
            self._untold = next((one.reason for one in result.verdicts if one.reason), how.value)
        if how is not Again.SAME:
            return None
        ways = {(one.claim, one.field, one.step) for one in failures(result.verdicts)}
        if self.best is None:
            self._ways |= ways
        return result if ways <= self._ways else None

    def _better(self, candidates: Sequence[Candidate]) -> bool:
        """Whether one of these fails in the same way; the first that does is the best from now on."""
        index = self._trials.first(candidates)
        if index is None:
            return False
        if self.best is not None and candidates[index].key == self.best.candidate.key:
            return True
        result = self._trials.result(candidates[index])
        if result is not None:
            self.best = Best(candidate=candidates[index], result=result)
            self._tell()
        return result is not None

    def _decided(self) -> Candidate:
        assert self.best is not None
        return self.best.candidate

    @property
    def _data(self) -> Data:
        return self._decided().data

    def _minimal(
        self, items: Sequence[T], made: Callable[[Collection[T]], Candidate | None], algorithm: Callable[..., object] = ddmin
    ) -> None:
        """Keep as few of the items as fail in the same way. ``made`` gives the candidate with some of them, None if none can be."""

        def first(some: Sequence[tuple[T, ...]]) -> tuple[T, ...] | None:
            possible = [(part, candidate) for part in some if (candidate := made(part)) is not None]
            index = self._trials.first([candidate for _, candidate in possible])
            if index is None:
                return None
            part, candidate = possible[index]
            return part if self._better([candidate]) else None

        algorithm(items, first)

    # the phases

    def _settle(self) -> None:
        """From decisions to rules that decide the same by themselves; the original rules and their seed if those do not fail."""
        assert self.best is not None
        best = self.best
        rules = [(each.direction, each.link, each.rule) for each in self._exact(best)]
        plain = impairments.undecided(best.candidate.data)
        plain = {**plain, "steps": self._coherent(plain, steps.paths(plain["steps"]), rules)}
        counted = [(each.direction, each.link, each.rule) for each in self._exact(best, by_byte=False)]
        if not self._better([Candidate(data=impairments.with_rules(plain, each)) for each in (rules, counted)]):
            self.inexact = True
            if not self._better([Candidate(data=impairments.seeded(best.candidate.data, self.bundle.seed))]):
                raise NotReproducedError("the failure appears where decisions are repeated, but not by rules that decide the same")

    def _exact(self, best: Best, *, by_byte: bool = True) -> tuple[Exact, ...]:
        made = self.bundle if best.candidate.decisions is not None else closed(self.bundle, best.candidate.data)
        with loaded(made) as scenario:
            rules = tuple(parts(scenario, Rule))
            links = scenario.topology.links
            return exact(decisions_of(best.result), best.result.timeline, links, rules, by_byte=by_byte)

    def clauses(self) -> list[Clause]:
        """What was done to packets in the best so far, in words."""
        return [] if self.best is None else [each.said for each in self._exact(self.best)]

    def _rules(self, algorithm: Callable[..., object] = ddmin) -> None:
        data = self._data
        self._minimal(impairments.items(data), lambda some: self._whole_of(impairments.kept(data, some)), algorithm)

    def _steps(self) -> None:
        if self._failed.step:
            whole = self._data
            places = steps.paths(whole["steps"])
            self._better(
                [Candidate(data=self._with_steps([one for one in places if one <= path], whole)) for path in self._failing()]
            )
        data = self._data

        def made(some: Collection[steps.Path]) -> Candidate | None:
            left = self._with_steps(some, data)
            return Candidate(data=left) if self._may_fail(left) else None

        self._minimal(steps.paths(data["steps"]), made)
        while self._better([Candidate(data={**self._data, "steps": each}) for each in steps.plainer_repeats(self._data["steps"])]):
            pass

    def _network(self) -> None:
        data = self._data
        self._minimal(
            tuple(data["topology"]["nodes"]), lambda some: Candidate(data=networks.with_nodes(data, some)) if some else None
        )
        while self._better([Candidate(data=each) for each in networks.shortcuts(self._data)]):
            pass
        linked = self._data
        indices = range(len(linked["topology"].get("links", ())))
        self._minimal(indices, lambda some: Candidate(data=networks.with_links(linked, some)))
        # one that ships is easier to read than less of it
        if self._better([Candidate(data=each) for each in alike(self._data, self.original)]) or self._ships():
            return
        detailed = self._data
        self._minimal(networks.details(detailed), lambda some: Candidate(data=networks.with_details(detailed, some)))

    def _ships(self) -> bool:
        return isinstance(named(self._data, self.original)["topology"], str)

    # steps

    def _whole_of(self, data: Data) -> Candidate:
        return Candidate(data={**data, "steps": self._coherent(data, steps.paths(data["steps"]))})

    def _with_steps(self, wanted: Collection[steps.Path], data: Data | None = None) -> Data:
        data = data or self._data
        return {**data, "steps": self._coherent(data, wanted)}

    def _coherent(self, data: Data, wanted: Collection[steps.Path], rules: Sequence[tuple[str, int, Data]] = ()) -> list[Any]:
        links = [link.get("impair") for link in data["topology"].get("links", ())]
        holding = [data.get("impair"), *links, [rule for _, _, rule in rules]]
        return steps.kept(data["steps"], wanted, {name for each in holding for name in steps.barriers_of(each)})[0]

    def _may_fail(self, data: Data) -> bool:
        """Whether there are steps, the one that failed among them."""
        return bool(data["steps"]) and (not self._failed.step or self._failed.step in steps.texts(data["steps"]))

    def _failing(self) -> Iterator[steps.Path]:
        """The places of the steps that may be the one that failed."""
        whole = self._data["steps"]
        return (path for path in steps.paths(whole) if steps.text_of(steps.at(whole, path)) == self._failed.step)
