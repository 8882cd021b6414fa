"""Two results side by side: what differs between the machines, the verdicts that changed, and how long it took.

Only verdicts decide whether two results are the same: another kernel that comes to the same verdicts is the same result, and no two
runs take the same time. It refuses to know why anything changed.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass

from netlab.check.result import HostFacts, RunResult, ScenarioResult
from netlab.check.verdicts import Verdict
from netlab.report.lines import printable
from netlab.report.text import Line

_SLOWER, _SECONDS = 2.0, 0.5
"""A scenario's time is told where it is so many times the other's, and so many seconds more."""
_MOST_TIMES = 10
_WIDEST = 44

_Key = tuple[str, str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One thing of both: ``a`` and ``b`` are "" where that result has no such thing."""

    name: str
    a: str
    b: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """One verdict that is not the same: outcome and conformance in each result, "" where it is not there, and each reason."""

    scenario: str
    verdict: str
    a: str
    b: str
    reason_a: str = ""
    reason_b: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Two results compared: ``times`` are in seconds as text, of the scenarios that took very different ones; ``same`` counts the
    verdicts that are the same."""

    a: str
    b: str
    host: tuple[Pair, ...]
    verdicts: tuple[Changed, ...]
    times: tuple[Pair, ...]
    same: int
    seconds_a: float
    seconds_b: float

    @property
    def differs(self) -> bool:
        """Whether some verdict changed, came or went."""
        return bool(self.verdicts)


def difference(a: RunResult, b: RunResult, *, names: tuple[str, str] = ("A", "B")) -> Difference:
    """Compare two results. Verdicts are the same by the scenario's name and their own id, not by the file's place."""
    before, after = dict(_verdicts(a)), dict(_verdicts(b))
    changed = []
    for key in dict.fromkeys([*before, *after]):
        one, other = before.get(key), after.get(key)
        if _word(one) != _word(other):
            reasons = ("" if one is None else one.reason, "" if other is None else other.reason)
            changed.append(
                Changed(scenario=key[0], verdict=key[1], a=_word(one), b=_word(other), reason_a=reasons[0], reason_b=reasons[1])
            )
    return Difference(
        a=names[0],
        b=names[1],
        host=tuple(_host(a, b)),
        verdicts=tuple(changed),
        times=tuple(_times(a, b)),
        same=len(before.keys() & after.keys()) - sum(bool(one.a and one.b) for one in changed),
        seconds_a=round(sum(one.elapsed for one in a.scenarios), 3),
        seconds_b=round(sum(one.elapsed for one in b.scenarios), 3),
    )


def told(found: Difference) -> Iterator[Line]:
    """The difference line by line: machines, verdicts, times, and in the last line whether they are the same."""
    yield Line(f"A: {printable(found.a)}")
    yield Line(f"B: {printable(found.b)}")
    if found.host:
        yield Line("The machines:", "head")
        yield from _columns([(one.name, one.a or "none", one.b or "none") for one in found.host])
    if found.verdicts:
        yield Line("Verdicts that are not the same:", "head")
        for one in found.verdicts:
            name = one.scenario if one.scenario == one.verdict else f"{one.scenario}: {one.verdict}"
            yield Line(f"  {printable(name)}: {one.a or 'not there'} -> {one.b or 'not there'}", indent=4)
            for side, reason in (("A", one.reason_a), ("B", one.reason_b)):
                if reason:
                    yield Line(f"    {side}: {printable(reason)}", "dim", indent=7)
    if found.times:
        yield Line("Times, in seconds:", "head")
        yield from _columns([(one.name, one.a, one.b) for one in found.times])
    yield Line(f"All scenarios took {found.seconds_a:.1f} s in A, {found.seconds_b:.1f} s in B.", "dim")
    many = f"{found.same} verdict{'' if found.same == 1 else 's'} the same"
    if found.differs:
        yield Line(f"{many}, {len(found.verdicts)} not", "FAIL")
    else:
        yield Line(f"{many}, none changed", "PASS")


def told_as_json(found: Difference) -> str:
    """The same as one JSON object."""
    return json.dumps({"schema": 1, "differs": found.differs, **asdict(found)}, indent=2)


def _columns(rows: list[tuple[str, str, str]]) -> Iterator[Line]:
    """Name, A and B; a long value of A has B below it."""
    rows = [("", "A", "B"), *(tuple(map(printable, row)) for row in rows)]  # type: ignore[list-item]  # three each
    names = max(len(name) for name, _, _ in rows)
    wide = max((len(one) for _, one, _ in rows if len(one) <= _WIDEST), default=0)
    for number, (name, one, other) in enumerate(rows):
        style = "" if number else "dim"
        if len(one) <= _WIDEST:
            yield Line(f"  {name:<{names}}  {one:<{wide}}  {other}".rstrip(), style, indent=names + 4)
        else:
            yield Line(f"  {name:<{names}}  {one}", style, indent=names + 4)
            yield Line(f"  {'':<{names}}  {'':<{wide}}  {other}", style, indent=names + 4)


def _verdicts(result: RunResult) -> Iterator[tuple[_Key, Verdict]]:
    """Every verdict by names; the third part tells apart those that have the same ones."""
    seen: Counter[tuple[str, str]] = Counter()
    for scenario in result.scenarios:
        for verdict in scenario.verdicts:
            names = (scenario.name, verdict.id)
            yield (*names, seen[names]), verdict
            seen[names] += 1


def _word(verdict: Verdict | None) -> str:
    return "" if verdict is None else f"{verdict.outcome} {verdict.conformance}".strip()


def _host(a: RunResult, b: RunResult) -> Iterator[Pair]:
    for name, one, other in (
        ("netlab", a.netlab, b.netlab),
        ("kernel", a.host.kernel, b.host.kernel),
        ("tier", a.host.tier, b.host.tier),
    ):
        if one != other:
            yield Pair(name=name, a=one, b=other)
    yield from _unlike(_capabilities(a.host), _capabilities(b.host))
    yield from _unlike(a.host.pinned, b.host.pinned)


def _capabilities(host: HostFacts) -> dict[str, str]:
    """Whether each is there: why not is worded by each kernel in its own way."""
    return {name: "yes" if said == "yes" else "no" for name, said in host.capabilities.items()}


def _unlike(one: Mapping[str, str], other: Mapping[str, str]) -> Iterator[Pair]:
    for name in dict.fromkeys([*one, *other]):
        if one.get(name) != other.get(name):
            yield Pair(name=name, a=one.get(name, ""), b=other.get(name, ""))


def _times(a: RunResult, b: RunResult) -> Iterator[Pair]:
    """The scenarios of both whose times are furthest apart, where that is far."""
    before, after = _first(a), _first(b)
    apart = []
    for name in before.keys() & after.keys():
        one, other = before[name].elapsed, after[name].elapsed
        if max(one, other) >= _SLOWER * min(one, other) and abs(one - other) >= _SECONDS:
            apart.append((-abs(one - other), name, one, other))
    for _, name, one, other in sorted(apart)[:_MOST_TIMES]:
        yield Pair(name=name, a=f"{one:.2f}", b=f"{other:.2f}")


def _first(result: RunResult) -> dict[str, ScenarioResult]:
    named: dict[str, ScenarioResult] = {}
    for scenario in result.scenarios:
        named.setdefault(scenario.name, scenario)
    return named
