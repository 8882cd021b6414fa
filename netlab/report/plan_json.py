"""Writes plans as JSON: every field under its own name, but for places in files. What steps they make is not known here."""

import dataclasses
import json
from collections.abc import Iterable, Iterator
from typing import Any

from netlab.errors import Place
from netlab.topology.planned import Plan
from netlab.units import Duration

__all__ = ["plans_as_json"]


def plans_as_json(plans: Iterable[tuple[str, Plan]]) -> Iterator[str]:
    """One JSON object, line by line: ``plans`` are topologies' names and what would be built.

    Hosts files, of which many nodes have the same, stand apart: a node's ``hosts`` is the index of its file in ``hosts_files``.
    """
    whole = {"schema": 1, "plans": [_plan(name, plan) for name, plan in plans]}
    yield from json.dumps(whole, indent=2, ensure_ascii=False).splitlines()


def _plan(name: str, plan: Plan) -> dict[str, Any]:
    files: dict[int, int] = {}
    contents: list[list[list[str]]] = []
    nodes: list[dict[str, Any]] = []
    for node in plan.nodes:
        if id(node.hosts) not in files:
            files[id(node.hosts)] = len(contents)
            contents.append([list(entry) for entry in node.hosts])
        nodes.append({**_plain(dataclasses.replace(node, hosts=())), "hosts": files[id(node.hosts)]})
    return {"topology": name, "nodes": nodes, "wires": _plain(plan.wires), "hosts_files": contents}


def _plain(value: Any) -> Any:
    """The value as JSON has it: addresses, durations and places as they are written, sets sorted."""
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value]
    if isinstance(value, frozenset):
        return sorted(map(_plain, value))
    if isinstance(value, Duration | Place) or not dataclasses.is_dataclass(value):
        return value if value is None or isinstance(value, str | int | float) else str(value)
    return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value) if field.name != "place"}
