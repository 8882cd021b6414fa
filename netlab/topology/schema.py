"""A topology file's keys and their types, as pydantic models. What the values mean together is not known here."""

from pydantic import Field

from netlab.topology.schema_link import LinkFile
from netlab.topology.schema_node import NodeFile
from netlab.validate import Piece


class TopologyFile(Piece):
    """A topology file."""

    name: str | None = Field(default=None, min_length=1)
    nodes: dict[str, NodeFile] = Field(min_length=1)
    links: list[LinkFile] = Field(default=[])
