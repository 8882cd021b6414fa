"""One node's keys and their types, as pydantic models. What the values mean together is not known here."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from netlab.topology.schema_values import Subnet
from netlab.validate import Piece, shown


def _value(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError(f"this must be text or a whole number, not {shown(value)}")
    return str(value)


def _sysctl(key: str) -> str:
    parts = key.split(".")
    if len(parts) < 3 or parts[0] != "net" or not all(part and part.strip("/") == part for part in parts):
        raise ValueError(f'"{key}" is no sysctl of a network namespace; they are written like net.ipv4.tcp_syn_retries')
    return key


SysctlValue = Annotated[str, BeforeValidator(_value), WithJsonSchema({"type": ["string", "integer"]})]
Sysctl = Annotated[str, AfterValidator(_sysctl)]


class NodeFile(Piece):
    """One node."""

    kind: Literal["host", "router", "switch", "peer"] = "host"
    sysctls: dict[Sysctl, SysctlValue] = Field(default={}, description="set over the pinned ones")
    subnets: list[Subnet] | None = Field(default=None, max_length=16, description="of a switch: the subnets of all its links")
