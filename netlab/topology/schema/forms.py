"""The keys of a topology file that stand for more than one node or link, and are worked out before the rest is read.

What the other keys mean is not known here.
"""

from pydantic import Field

from netlab.topology.schema.values import OneOrMore
from netlab.validate import Piece

FORMS = ("endpoints", "line", "ring", "mesh")
"""The keys of a link that say what it joins; a link has one of them."""


class GroupKeys(Piece):
    """The keys that make a node a group of nodes."""

    count: int | None = Field(default=None, ge=1, le=10_000, description="makes this a group of so many nodes, all alike")
    name: str | None = Field(default=None, min_length=1, description="the members' names, {n} counts; left out: the key and {n}")
    first: int = Field(default=1, ge=0, le=1_000_000_000, description="the first member's {n}")


class PathKeys(Piece):
    """The keys that make a link several links."""

    line: OneOrMore[str] = Field(default=[], description="nodes and groups in order: a link between each two neighbours")
    ring: OneOrMore[str] = Field(default=[], description="as line, and a link from the last to the first")
    mesh: OneOrMore[str] = Field(default=[], description="nodes and groups: a link between every two")
    name: str | None = Field(default=None, min_length=1, description="of a shared segment (three endpoints or more): its switch")
