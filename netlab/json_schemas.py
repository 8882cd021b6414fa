"""Makes the JSON Schemas of the files that users write, by which editors complete and check them, and of what runs write.

They are made from the models that the loaders use, and that of the result from the types that are written. What a schema cannot say
(that a name exists, that subnets do not overlap) the loaders check.
"""

import inspect
import json
from collections.abc import Callable
from typing import Any

from netlab.scenario.disturbing import HealFile, ImpairFile, LinkFile
from netlab.scenario.schema import ClaimsFile, ExpectFile, ScenarioFile
from netlab.topology.schema import written

__all__ = ["KINDS", "schema_of", "schema_text"]

_VARIABLE = {"$ref": "#/$defs/Variable"}
_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_NAMED = ("properties", "$defs", "patternProperties")
_LISTED = ("anyOf", "oneOf", "allOf")
_WITHIN = ("items", "additionalProperties", "propertyNames", "if", "then", "else")

Schema = dict[str, Any]


def schema_text(kind: str) -> str:
    """The JSON Schema of a kind of file, as text."""
    return json.dumps(schema_of(kind), indent=2, ensure_ascii=False) + "\n"


def schema_of(kind: str) -> Schema:
    """The JSON Schema of a kind of file: one of KINDS."""
    made = KINDS[kind]()
    if kind == "result":
        return {"$schema": _DIALECT, "title": "netlab: result", **made}
    return {"$schema": _DIALECT, "title": f"netlab: {kind}", **_tidied(made)}


def _topology() -> Schema:
    return {**written.json_schema(), "anyOf": [{"required": ["nodes"]}, {"required": ["include"]}]}


def _scenario() -> Schema:
    return _with_steps(ScenarioFile.model_json_schema())


def _claims() -> Schema:
    return _with_steps(ClaimsFile.model_json_schema())


def _result() -> Schema:
    from netlab.report.json import schema

    made = _plainly(schema())
    top = made.pop("$ref").rsplit("/", 1)[-1]
    definitions = made["$defs"]
    return {**definitions.pop(top), "$defs": definitions}


KINDS: dict[str, Callable[[], Schema]] = {"topology": _topology, "scenario": _scenario, "claims": _claims, "result": _result}
"""The kinds of files, and what makes the schema of each."""


def _plainly(schema: Any) -> Any:
    """What msgspec makes of types, without the names of private ones, and with each union decided by its tag: then what is wrong
    within an observation is told there, not 29 times."""
    if isinstance(schema, list):
        return [_plainly(one) for one in schema]
    if not isinstance(schema, dict):
        return schema.replace("/$defs/_", "/$defs/") if isinstance(schema, str) else schema
    made = {key: _plainly(value) for key, value in schema.items() if key not in ("title", "discriminator")}
    if "$defs" in made:
        made["$defs"] = {name.removeprefix("_"): value for name, value in made["$defs"].items()}
    if isinstance(made.get("description"), str):
        made["description"] = inspect.cleandoc(made["description"])
    if "discriminator" in schema:
        tag, mapping = schema["discriminator"]["propertyName"], schema["discriminator"]["mapping"]
        del made["anyOf"]
        made |= {
            "type": "object",
            "required": [tag],
            "properties": {tag: {"enum": list(mapping)}},
            "allOf": [{"if": {"properties": {tag: {"const": name}}}, "then": {"$ref": place}} for name, place in mapping.items()],
        }
    return made


def _with_steps(schema: Schema) -> Schema:
    """The schema of scenarios with what the models leave to the reader of steps: topologies within, and the steps themselves."""
    topology = _topology()
    definitions = schema.setdefault("$defs", {})
    definitions |= topology.pop("$defs")
    expect = ExpectFile.model_json_schema()
    definitions |= expect.pop("$defs", {})
    step = {**_STEP, "properties": dict(_STEP["properties"])}
    for about_links in (ImpairFile, HealFile, LinkFile):
        made = about_links.model_json_schema()
        for name, definition in made.pop("$defs", {}).items():
            definitions.setdefault(name, definition)
        step["properties"] |= made["properties"]
    definitions |= {"Topology": topology, "Expect": expect, "Repeat": _REPEAT, "Step": step}
    for each in (schema, *definitions.values()):
        keys = each.get("properties", {})
        if keys.keys() >= {"topology", "steps"}:
            keys["steps"] = _STEPS
            described = {key: value for key, value in keys["topology"].items() if key == "description"}
            keys["topology"] = {**described, "anyOf": [{"type": "string"}, {"$ref": "#/$defs/Topology"}]}
            each["required"] = sorted({*each.get("required", ()), "topology"})
    return schema


_STEPS: Schema = {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/Step"}}
_REPEAT: Schema = {
    "description": "Steps done several times.",
    "type": "object",
    "properties": {"times": {"type": "integer", "minimum": 1}, "steps": _STEPS},
    "required": ["times", "steps"],
    "additionalProperties": False,
}
_STEP: Schema = {
    "description": "One step: HOST: CALL, or one of the words expect, wait, release, repeat, impair, heal, link.",
    "type": "object",
    "properties": {
        "expect": {"$ref": "#/$defs/Expect"},
        "wait": {"type": "string", "description": "lets time pass, such as 100ms"},
        "release": {"type": "string", "description": "the name of a barrier: what is held there goes on"},
        "repeat": {"$ref": "#/$defs/Repeat"},
        "document": {"description": "what the document says, where Linux is known to differ: a result, or an expectation"},
    },
    "patternProperties": {
        "^(?!(expect|wait|release|repeat|impair|heal|link|document)$)[a-z]": {
            "type": "string",
            "description": "what a host does: a call, join or run",
        }
    },
    "additionalProperties": False,
    "minProperties": 1,
    "if": {"required": ["document"]},
    "then": {"maxProperties": 2},
    "else": {"maxProperties": 1},
}


def _tidied(schema: Any) -> Any:
    """A schema without the titles that repeat its keys, with unions of unions as one, and null for a mapping that may be empty."""
    if not isinstance(schema, dict):
        return schema
    made = {key: value for key, value in schema.items() if key != "title"}
    if made.keys() & {"const", "enum"}:
        made.pop("type", None)  # which versions of pydantic write, or not
    for key in _NAMED:
        if key in made:
            made[key] = {name: _tidied(value) for name, value in made[key].items()}
    for key in _WITHIN:
        if key in made:
            made[key] = _tidied(made[key])
    for key in _LISTED:
        if key in made:
            made[key] = [_tidied(each) for each in made[key]]
    if "anyOf" in made:
        made = _chosen({**made, "anyOf": _flat(made["anyOf"])})
    known = made.get("type") == "object" and made.get("additionalProperties") is False
    if known and not made.keys() & {"required", "if", *_LISTED}:
        made["type"] = ["object", "null"]
    return made


def _flat(choices: list[Any]) -> list[Any]:
    """The choices, with those of a choice that is only choices in its place, each once."""
    found: list[Any] = []
    for choice in choices:
        inner = choice["anyOf"] if choice.keys() == {"anyOf"} else [choice]
        found += [each for each in inner if each not in found]
    return found


def _chosen(schema: Schema) -> Schema:
    """Where a text can only be a variable, that is decided first: then what is wrong deep inside of the other is told there."""
    others = [choice for choice in schema["anyOf"] if choice != _VARIABLE]
    if len(others) == len(schema["anyOf"]) or any(_may_be_text(choice) for choice in others):
        return schema
    rest = {key: value for key, value in schema.items() if key != "anyOf"}
    return {**rest, "if": {"type": "string"}, "then": _VARIABLE, "else": others[0] if len(others) == 1 else {"anyOf": others}}


def _may_be_text(schema: Schema) -> bool:
    if "$ref" in schema:
        return False  # every definition but the variable's is a mapping's
    kinds = schema.get("type", "string")
    return "string" in ([kinds] if isinstance(kinds, str) else kinds)
