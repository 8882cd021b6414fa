"""What is said of a link that goes down or up, or gets another MTU, as pydantic models. What it means is not known here."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from netlab.validate import Piece, shown


class ChangeFile(Piece):
    """What becomes of an interface, or of both ends of a link."""

    state: Literal["up", "down"] | None = Field(default=None, description="as ip-link(8) sets it")
    mtu: Annotated[int, Field(ge=68, le=65535)] | None = Field(default=None, description="IPv6 needs 1280")


def _change(value: Any) -> Any:
    """A word alone is the state."""
    if not isinstance(value, str | dict):
        raise ValueError(f"this must be up, down or a mapping such as {{mtu: 1280}}, not {shown(value)}")
    return {"state": value} if isinstance(value, str) else value


_STATE = {"enum": ["up", "down"]}
_MTU = {"type": "integer", "minimum": 68, "maximum": 65535}
_CHANGE = {"type": "object", "properties": {"state": _STATE, "mtu": _MTU}, "additionalProperties": False, "minProperties": 1}
Changes = dict[str, Annotated[ChangeFile, BeforeValidator(_change), WithJsonSchema({"anyOf": [_STATE, _CHANGE]})]]
"""By interface, "client:eth0", or by link, "client->server": both its ends."""
