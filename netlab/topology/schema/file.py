"""A topology file's keys and their types, as pydantic models. What the values mean together is not known here."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema

from netlab.topology.schema.link import LinkFile, OverlayFile
from netlab.topology.schema.node import NodeFile
from netlab.validate import Piece, did_you_mean, shown

_WORDS = ("auto", "kernel", "all")


def _neighbours(value: Any) -> Any:
    if isinstance(value, str) and value not in _WORDS:
        fix = did_you_mean(value, _WORDS) or f"nodes are written as a list: [{value}]"
        raise ValueError(f"{shown(value)} is none of {', '.join(_WORDS)}; {fix}")
    if isinstance(value, list) and not value:
        raise ValueError("no node is named here; write neighbours: kernel")
    if not isinstance(value, str | list) or any(not isinstance(each, str) for each in value):
        raise ValueError(f"this must be {', '.join(_WORDS)} or a list of nodes, not {shown(value)}")
    return value


Neighbours = Annotated[
    str | list[str],
    BeforeValidator(_neighbours),
    WithJsonSchema({"anyOf": [{"enum": list(_WORDS)}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}),
]


class TopologyFile(Piece):
    """A topology file."""

    name: str | None = Field(default=None, min_length=1)
    nodes: dict[str, NodeFile] = Field(min_length=1)
    links: list[LinkFile] = Field(default=[])
    overlays: list[OverlayFile] = Field(default=[])
    neighbours: Neighbours = Field(
        default="auto",
        description="who is a permanent neighbour of everyone in its segments: as needed, nobody, all, or these nodes",
    )
