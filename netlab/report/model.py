"""The documented model as text: its claims by group, one claim in full, the table of TCP's states. It judges nothing."""

import textwrap
from collections.abc import Iterator, Sequence

from netlab.scenario.spec import NotTested, Scenario

_WIDTH = 120


def claims(scenarios: Sequence[Scenario], not_tested: Sequence[NotTested]) -> Iterator[str]:
    """Every claim's id and statement, by group; then what cannot be tested, and why."""
    groups: dict[str, list[Scenario]] = {}
    for scenario in scenarios:
        groups.setdefault(scenario.claim.group if scenario.claim else "", []).append(scenario)
    for group, inside in groups.items():
        yield f"{group} ({len(inside)})"
        for scenario in inside:
            yield from _entry(scenario.name, scenario.claim.statement if scenario.claim else scenario.intent)
    if not_tested:
        yield f"not tested ({len(not_tested)})"
        for one in not_tested:
            yield from _entry(one.id, f"{one.statement} Not tested: {one.reason}")


def claim(name: str, scenarios: Sequence[Scenario], not_tested: Sequence[NotTested]) -> Iterator[str]:
    """One claim: statement, sources, note, and its steps as written. Raises KeyError when there is none of this id."""
    for scenario in scenarios:
        if scenario.name == name:
            yield f"{name} ({scenario.place})"
            if scenario.claim is not None:
                yield from _wrapped("statement", scenario.claim.statement)
                for source in scenario.claim.sources:
                    yield from _wrapped("source", source)
                if scenario.claim.note:
                    yield from _wrapped("note", scenario.claim.note)
            yield f"  topology   {scenario.topology.name}"
            yield "  steps"
            for number, step in enumerate(scenario.steps, 1):
                first, *rest = step.text.splitlines() or [""]
                yield f"    {number:>3}  {first}"
                yield from (f"         {line}" for line in rest)
            return
    for one in not_tested:
        if one.id == name:
            yield f"{name} (not tested)"
            yield from _wrapped("statement", one.statement)
            yield from _wrapped("reason", one.reason)
            for source in one.sources:
                yield from _wrapped("source", source)
            return
    raise KeyError(name)


def tcp_states() -> Iterator[str]:
    """TCP's states, each with every transition that leads from it, what it sends, and where that stands."""
    from netlab.model.tcp import STATES, TRANSITIONS

    for state in STATES:
        yield state
        rows = []
        for row in TRANSITIONS[state]:
            event = f"{row.event} ({row.guard})" if row.guard else row.event
            rows.append((event, f"-> {row.next}", f"sends {row.sends}" if row.sends else "", row.citation))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for cells in rows:
            yield "  " + "  ".join(f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True)).rstrip()
        if not rows:
            yield "  nothing leads from here"


def _entry(name: str, said: str) -> Iterator[str]:
    yield f"  {name}"
    yield from textwrap.wrap(said, _WIDTH, initial_indent=" " * 6, subsequent_indent=" " * 6, break_on_hyphens=False)


def _wrapped(title: str, said: str) -> Iterator[str]:
    yield from textwrap.wrap(said, _WIDTH, initial_indent=f"  {title:<9}  ", subsequent_indent=" " * 13, break_on_hyphens=False)
