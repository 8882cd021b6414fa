"""What a search for the smallest failure tries, how large that is, and how far the search has come, as values. They run nothing."""

import json
from dataclasses import dataclass

from netlab.check.result import ScenarioResult
from netlab.shrink import impairments, steps
from netlab.shrink.opening import Data
from netlab.timeline.observations import Decision


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """What is left: decisions about packets, rules and quantities, steps, nodes, links. ``decisions`` None: the rules decide."""

    decisions: int | None
    impairments: int
    steps: int
    nodes: int
    links: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One thing to try: with ``decisions`` the bundle's own files and those decisions of its; else the ``data``, whose rules decide
    by themselves."""

    data: Data
    decisions: tuple[Decision, ...] | None = None

    @property
    def key(self) -> str:
        """The same for the same candidate."""
        decided = None if self.decisions is None else [(one.link, one.direction, one.key, one.action) for one in self.decisions]
        return json.dumps([decided, self.data if decided is None else None], default=str)

    @property
    def size(self) -> Size:
        """What there is in it."""
        topology = self.data["topology"]
        return Size(
            decisions=None if self.decisions is None else len(self.decisions),
            impairments=len(impairments.items(self.data)),
            steps=len(steps.paths(self.data["steps"])),
            nodes=len(topology["nodes"]),
            links=len(topology.get("links", ())),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Best:
    """A candidate that fails in the same way, and the result of the run in which it did."""

    candidate: Candidate
    result: ScenarioResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where the search is: the phase, how many runs there were, what the best so far has."""

    phase: str
    runs: int
    size: Size
