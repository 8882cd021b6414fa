"""One link's keys and their types, as pydantic models. What the values mean together is not known here."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from netlab.topology.schema_values import Address, Subnet, listed
from netlab.validate import Piece

Nth = Annotated[int, Field(ge=1)]


class RuleFile(Piece):
    """One rule: the packets that match, the nth of them, are dropped, or held at a barrier."""

    match: str = Field(description='a packet pattern; "..." is every packet')
    action: Literal["drop", "hold"] = Field(description="what becomes of the packet")
    nth: Annotated[list[Nth], BeforeValidator(listed)] = Field(
        default=[], description="which of the matching, from 1; left out: all"
    )
    barrier: str | None = Field(default=None, min_length=1, description="where held packets wait for a release step")


Impair = dict[str, list[RuleFile]]


class LinkFile(Piece):
    """One link."""

    endpoints: list[str] = Field(min_length=2, max_length=2, description="two nodes, or node:interface")
    subnets: list[Subnet] | None = Field(default=None, max_length=16, description="left out: assigned, both families")
    addresses: dict[str, Annotated[list[Address], BeforeValidator(listed)]] = Field(default={}, description="a node's own choice")
    mtu: Annotated[int, Field(ge=68, le=65535)] = 1500
    impair: Impair = Field(default={}, description='rules by direction: "a->b", or both')
