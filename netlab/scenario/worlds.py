"""Reads files of worlds: for each claim, one in which it does not hold, so that the claim is seen to fail there.

A world changes what is around the workload, never what is asked of it: settings of the kernel, what happens to packets on their
way, how the kernel answers a call, what else happens meanwhile. A world that only an edited timeline can show says why. How
timelines are edited, and whether a claim fails in its world, is not known here.
"""

import errno
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from netlab.document import Document
from netlab.errors import Problem, SpecError
from netlab.notation.signatures import SIGNATURES
from netlab.scenario.disturbing import Disturbing
from netlab.scenario.spec import Refusal, Scenario
from netlab.scenario.steps import StepReader, unrolled
from netlab.topology.schema.link import Impair
from netlab.topology.schema.node_values import Sysctl, SysctlValue
from netlab.topology.spec import Topology
from netlab.validate import Piece, Problems, did_you_mean, named, validated
from netlab.yaml_nodes import Node

__all__ = ["World", "load_worlds"]

OF_THE_AGENT = frozenset({"fork", "system"} | {name for name, signature in SIGNATURES.items() if not signature.libc})
"""Calls of a scenario that are no system calls of one thread, or end it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """One claim's world: ``what`` is wrong there, how the first field that must differ begins (``fails``), and the claim's
    ``scenario`` as it is played there. ``edited`` says why nothing but an edited timeline can show it; "" where it is real."""

    claim: str
    what: str
    fails: str
    scenario: Scenario
    edited: str = ""


def _answer(text: str | int) -> str | int:
    if text == 0 or (isinstance(text, str) and hasattr(errno, text)):
        return text
    raise ValueError(f"{text!r} is neither an errno's name nor 0; such as ECONNREFUSED")


class RefusalFile(Piece):
    """How the kernel answers a call, whatever it would have said itself."""

    process: str = Field(min_length=1, description="client, or client/p")
    call: str = Field(min_length=1)
    nth: int = Field(default=0, ge=0, description="which of its calls of this name, from 1; 0 is each")
    gives: Annotated[str | int, AfterValidator(_answer)] = Field(description="an errno's name; 0 is success, with nothing done")


def _number(text: str) -> str:
    if not text.isascii() or not text.isdecimal():
        raise ValueError(f'"{text}" is no step\'s number; write {{3: [client: getpid()]}}')
    return text


StepNumber = Annotated[str, AfterValidator(_number)]


class WorldFile(Piece):
    """One world."""

    what: str = Field(min_length=1, description="what is wrong there, in one sentence")
    fails: str = Field(min_length=1, description="how the first field that must differ begins, as a report names it")
    kernel: list[RefusalFile] = Field(default=[])
    sysctls: dict[str, dict[Sysctl, SysctlValue]] = Field(default={}, description="by node, over those of the topology")
    impair: Impair = Field(default={}, description="rules that come before the claim's own")
    before: dict[StepNumber, list[Any]] = Field(
        default={}, description="steps that are done before the claim's step of this number"
    )
    edited: str = Field(default="", description="why only an edited timeline can show it")


class WorldsFile(Piece):
    """A file of worlds."""

    worlds: dict[str, Any] = Field(min_length=1, description="by the id of the claim")


def load_worlds(path: str | Path, claims: Mapping[str, Scenario]) -> tuple[World, ...]:
    """The worlds of a file, in which these claims are to fail. Raises SpecError with everything that is wrong."""
    document = Document.read(path)
    problems = Problems()
    file, found = validated(WorldsFile, document.root)
    problems += found
    worlds = []
    if file is not None:
        for name, (key, node) in (document.root.at("worlds").fields or {}).items():
            if name not in claims:
                fix = did_you_mean(name, claims) or "netlab-ns model lists the claims"
                problems.append(key.problem(message=f'no claim "{name}"', fix=fix))
                continue
            world = _world(claims[name], node, problems)
            if world is not None:
                worlds.append(world)
    if problems:
        raise SpecError(*dict.fromkeys(problems))
    return tuple(worlds)


def _world(claim: Scenario, node: Node, problems: list[Problem]) -> World | None:
    file, found = validated(WorldFile, node)
    problems += found
    if file is None:
        return None
    real = [key for key in ("kernel", "sysctls", "impair", "before") if key in file.model_fields_set]
    if bool(real) == bool(file.edited):
        message = "this world is like the real one" if not real else f"a world is real or edited, and here are edited and {real[0]}"
        problems.append(node.problem(message=message, fix="say what is wrong: kernel, sysctls, impair, before; or edited"))
        return None
    topology = _settings(claim.topology, file.sysctls, node, problems)
    disturbing = Disturbing(_without_rules(topology), problems)
    disturbing.from_the_start(file.impair, node.at("impair"))
    kinds = {each.name: each.kind for each in topology.nodes}
    steps = list(claim.steps)
    for number, (key, listing) in sorted(_numbered(node, "before"), reverse=True):
        reads = StepReader(kinds, problems, disturbing).read(listing)
        if not 1 <= number <= len(claim.steps):
            fix = f"the claim has the steps 1 to {len(claim.steps)}"
            problems.append(key.problem(message=f"there is no step {number}", fix=fix))
        steps[number - 1 : number - 1] = unrolled(reads)
    refusals = [_refusal(each, problems) for each in file.kernel]
    scenario = replace(
        claim,
        topology=_with_rules(disturbing.topology, topology),
        steps=tuple(steps),
        refusals=tuple(each for each in refusals if each is not None),
    )
    return World(claim=claim.name, what=file.what, fails=file.fails, scenario=scenario, edited=file.edited)


def _numbered(node: Node, key: str) -> list[tuple[int, tuple[Node, Node]]]:
    said = node.child(key)
    fields = (said.fields if said is not None else None) or {}
    return [(int(number), pair) for number, pair in fields.items() if number.isdecimal()]


def _settings(topology: Topology, sysctls: Mapping[str, Mapping[str, str]], node: Node, problems: list[Problem]) -> Topology:
    known = {each.name for each in topology.nodes}
    for name in sysctls:
        if name not in known:
            fix = did_you_mean(name, known) or f"the nodes are {named(sorted(known))}"
            problems.append(Problem(node.at("sysctls").place(name, key=True), f'no node "{name}"', fix))
    nodes = [replace(each, sysctls=(*each.sysctls, *sysctls.get(each.name, {}).items())) for each in topology.nodes]
    return replace(topology, nodes=tuple(nodes))


def _without_rules(topology: Topology) -> Topology:
    return replace(topology, links=tuple(replace(link, impair=()) for link in topology.links))


def _with_rules(changed: Topology, before: Topology) -> Topology:
    """The rules of ``before`` come after those of ``changed``."""
    links = []
    for link, old in zip(changed.links, before.links, strict=True):
        rules = {direction: (*said, *dict(old.impair).get(direction, ())) for direction, said in link.impair}
        rules |= {direction: said for direction, said in old.impair if direction not in rules}
        links.append(replace(link, impair=tuple(rules.items())))
    return replace(changed, links=tuple(links))


def _refusal(file: RefusalFile, problems: list[Problem]) -> Refusal | None:

    if file.call not in SIGNATURES or file.call in OF_THE_AGENT:
        calls = set(SIGNATURES) - OF_THE_AGENT
        fix = did_you_mean(file.call, calls) or f"it may be {named(sorted(calls))}"
        problems.append(Problem(file.place("call"), f'the kernel judges no call "{file.call}"', fix))
        return None
    return Refusal(process=file.process, call=file.call, nth=file.nth, errno="" if file.gives == 0 else str(file.gives))
