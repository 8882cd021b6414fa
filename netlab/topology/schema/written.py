"""A topology file's keys as they may be written: those of a plain topology, and those that are worked out before it is read.

What the values mean together is not known here.
"""

from typing import Any

from pydantic import ConfigDict, Field

from netlab.topology.schema.file import TopologyFile
from netlab.topology.schema.forms import FORMS, GroupKeys, PathKeys
from netlab.topology.schema.link import LinkFile
from netlab.topology.schema.node import NodeFile
from netlab.topology.schema.values import OneOrMore

_ENDPOINTS = "two nodes, or node:interface; a group gives a link for each member; three or more make a shared segment"


class NodeWritten(GroupKeys, NodeFile):
    """One node, or with count a group of nodes: every other key holds for each member."""

    model_config = ConfigDict(json_schema_extra={"dependentRequired": {"name": ["count"], "first": ["count"]}})


class LinkWritten(PathKeys, LinkFile):
    """One link, or several: every other key holds for each, and of the subnets each gets a piece where no switch joins them."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": [form]} for form in FORMS]})

    endpoints: list[str] = Field(default=[], min_length=2, description=_ENDPOINTS)


class TopologyWritten(TopologyFile):
    """A topology file. Every value may be, and every text may contain, a variable: ${name}."""

    include: OneOrMore[str] = Field(
        default=[], description="topology files, relative to this one, whose vars, nodes, links and overlays come first"
    )
    vars: dict[str, Any] = Field(default={}, description="values for ${name}, in this file and those that it includes; see --set")
    nodes: dict[str, NodeWritten] = Field(  # type: ignore[assignment]  # a dict's values may not vary, and nothing writes to it
        default={}, description="the nodes, and groups of nodes, by name"
    )
    links: list[LinkWritten] = Field(  # type: ignore[assignment]
        default=[], description="the links"
    )


def json_schema() -> dict[str, Any]:
    """The JSON Schema of a topology file as it may be written; wherever a value is no plain text, a variable may stand."""
    schema = TopologyWritten.model_json_schema()
    kept = {key: schema["properties"][key] for key in ("include", "vars")}
    made: dict[str, Any] = _variable(schema)
    made["properties"] |= kept
    made["$defs"]["Variable"] = {"type": "string", "pattern": r"\$\{", "description": "a value given under vars, or with --set"}
    return made


def _variable(schema: Any) -> Any:
    """A schema in which every value below may also be a variable."""
    if isinstance(schema, list):
        return [_variable(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: _variable(value) if key in ("anyOf", "oneOf") else value for key, value in schema.items()}
    for key in ("properties", "$defs"):
        if key in schema:
            made[key] = {name: (_variable if key == "$defs" else _or_variable)(value) for name, value in schema[key].items()}
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            made[key] = _or_variable(schema[key])
    return made


def _or_variable(schema: dict[str, Any]) -> dict[str, Any]:
    if schema.get("type") == "string" and not schema.keys() & {"enum", "const", "pattern"}:
        return schema
    about: dict[str, Any] = {key: schema[key] for key in ("title", "description", "default") if key in schema}
    rest = {key: value for key, value in schema.items() if key not in about}
    return {**about, "anyOf": [_variable(rest), {"$ref": "#/$defs/Variable"}]}
