"""What the page says, as values for its template: counts, verdicts, networks, each scenario's card, and the machine.

It stays below a size that a mail and a browser take gladly: ladders come first where something failed, and what has no room any
more is left out and said so. It does not judge, and knows no markup but what the drawings are.
"""

import base64
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from netlab.check.result import RunResult, ScenarioResult
from netlab.check.verdicts import Verdict
from netlab.report.evidence import Counts, counts, failing, lacking
from netlab.report.html.ladder import Ladder, ladder_of
from netlab.report.html.networks import networks_of
from netlab.report.html.palette import custom_properties, state_class
from netlab.report.lines import Lines, printable

__all__ = ["BUDGET", "render"]

BUDGET = 1_850_000
"""So many bytes what belongs to scenarios may take together."""
_CARD = 1_950
"""About so many bytes a scenario takes that has neither ladder nor list, in the table of verdicts and as a card."""
_SOURCES = 2_200
_LEAST = 12_000
"""With less room than this, nothing of a scenario's timeline is told any more."""
_LISTED = 1_200
_OPEN = 3
OUTCOMES = (("FAIL", "failed", "Failed"), ("INCONCLUSIVE", "inconclusive", "Inconclusive"), ("PASS", "passed", "Passed"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A scenario as the page shows it; ``anchor`` is its id, ``network`` the number of its network, "" without one; ``full`` says
    whether there was room for its timeline."""

    anchor: str
    network: str
    result: ScenarioResult
    counts: Counts
    ladder: Ladder | None
    opened: bool
    full: bool
    listed: tuple[tuple[str, str, str, bool], ...]
    unlisted: int
    no_ladder: str
    lacking: tuple[str, ...]

    @property
    def first(self) -> Verdict | None:
        """The scenario's own verdict."""
        return self.result.verdicts[0] if self.result.verdicts else None


def render(result: RunResult, *, elapsed: float | None = None) -> str:
    """The whole page."""
    ordered = sorted(result.scenarios, key=lambda one: [row[0] for row in OUTCOMES].index(one.outcome))
    networks = networks_of(ordered)
    home = {number: at for at, network in enumerate(networks, 1) for number in network.scenarios}
    cards = tuple(_cards(ordered, home))
    style = custom_properties() + _file("page.css")
    groups = [(name, title, [card for card in cards if card.result.outcome == outcome]) for outcome, name, title in OUTCOMES]
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            result=result,
            groups=groups,
            cards=cards,
            networks=networks,
            elapsed=sum(one.elapsed for one in result.scenarios) if elapsed is None else elapsed,
            style=Markup(style),
            policy=f"default-src 'none'; style-src 'sha256-{_hash(style)}'; img-src data:; base-uri 'none'; form-action 'none'",
            headline=_headline(groups),
        )
    )


def _headline(groups: Sequence[tuple[str, str, list[Card]]]) -> str:
    told = [f"{len(cards)} {name}" for name, _, cards in groups if cards]
    return ", ".join(told) or "no scenario was run"


def _cards(ordered: Sequence[ScenarioResult], networks: Mapping[int, int]) -> Iterator[Card]:
    left = BUDGET - _CARD * len(ordered)
    for number, one in enumerate(ordered):
        full = left >= _LEAST
        ladder, without = ladder_of(one, left // 2) if full else None, "nothing was observed"
        if not full or (ladder is not None and ladder.size > left):
            ladder, without = None, "its ladder is left out, so that this file stays below 2 MB; --json has all of it"
        left -= (ladder.size if ladder is not None else 0) + _SOURCES * full
        listed = tuple(_listed(one)) if full else ()
        size = sum(len(line) + 110 for _, _, line, _ in listed)
        if size > left:
            listed = ()
        left -= size if listed else 0
        yield Card(
            anchor=f"s{number + 1}",
            network=f"{networks[number]}" if number in networks else "",
            result=one,
            counts=counts(one.timeline, *one.verdicts),
            ladder=ladder,
            opened=one.outcome != "PASS" or len(ordered) <= _OPEN,
            full=full,
            listed=listed,
            unlisted=len(one.timeline.observations) - len(listed),
            no_ladder="" if ladder is not None else without,
            lacking=tuple(lacking(one)),
        )


def _listed(result: ScenarioResult) -> Iterator[tuple[str, str, str, bool]]:
    """The observations as time in ms, node, line, and whether a verdict failed there."""
    observations, lines = result.timeline.observations, Lines(result.timeline)
    marked = {failing(verdict, result.timeline) for verdict in result.verdicts}
    for index, seen in enumerate(observations[:_LISTED]):
        yield f"{(seen.time - observations[0].time) / 1e6:.3f}", seen.host, lines.line(index)[:400], index in marked


def _hash(style: str) -> str:
    """What a policy calls a style sheet by (CSP3 §2.3.1)."""
    return base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()


def _file(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _said(value: Any) -> Any:
    """Every text of the page without characters that act on who reads it; markup is our own."""
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FunctionLoader(_file),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_said,
    )
    environment.filters["drawing"] = Markup
    environment.filters["state_class"] = state_class
    return environment
