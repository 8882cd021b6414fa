"""Reads scenario files and files of claims, with their topologies, and checks all that can be checked without a kernel.

All that is wrong in a file is reported at once, each with its place. It does not know how a scenario is run.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from netlab.document import Document, Sources
from netlab.errors import Place, Problem, SpecError
from netlab.scenario.disturbing import Disturbing
from netlab.scenario.references import check_references
from netlab.scenario.schema import ClaimFile, ClaimsFile, NotTestedFile, ScenarioFile
from netlab.scenario.spec import Claim, Mark, NotTested, Scenario
from netlab.scenario.steps import StepReader, unrolled
from netlab.topology.expanding.variables import Settings
from netlab.topology.load import find_topology, parse_topology, read_topology
from netlab.topology.spec import Topology
from netlab.units import Duration
from netlab.validate import Problems, shown, validated
from netlab.yaml_nodes import Node


def load_scenarios(
    path: str | Path, settings: Mapping[str, str] | Settings | None = None, sources: Sources | None = None
) -> tuple[Scenario, ...]:
    """The scenarios of a file: one, or as many as a file of claims has. Raises SpecError with everything that is wrong.

    ``settings`` are values for variables of their topologies, as for load_topology; they go before a scenario's own. ``sources``
    gets what every file that is read holds.
    """
    document = Document.read(path, sources=sources)
    shared = settings if isinstance(settings, Settings) else Settings.of(settings)
    if isinstance(document.data, dict) and ("claims" in document.data or "not_tested" in document.data):
        scenarios = _claims(document, shared, sources)[0]
    else:
        scenarios = (_scenario(document, shared, sources),)
    if shared is not settings:
        shared.check()
    return scenarios


def load_claims(
    path: str | Path, settings: Mapping[str, str] | Settings | None = None, sources: Sources | None = None
) -> tuple[tuple[Scenario, ...], tuple[NotTested, ...]]:
    """The claims of a file, as scenarios, and its statements that are not tested. ``settings`` and ``sources`` as for
    load_scenarios."""
    shared = settings if isinstance(settings, Settings) else Settings.of(settings)
    claims = _claims(Document.read(path, sources=sources), shared, sources)
    if shared is not settings:
        shared.check()
    return claims


def _scenario(document: Document, settings: Settings, sources: Sources | None) -> Scenario:
    problems = Problems()
    reader = _Reader(document, settings, problems, sources)
    file, found = validated(ScenarioFile, _mapping(document, "a scenario", "topology: and steps:"))
    problems += found
    if file is None:
        raise SpecError(*problems)
    name = file.name or Path(document.file).name.removesuffix(".yaml").removesuffix(".yml").removesuffix(".scenario")
    claim = None
    if file.statement:
        claim = Claim(
            id=name,
            group=file.group,
            statement=file.statement,
            sources=tuple(file.sources),
            note=file.note,
            from_notes=file.from_notes,
            core=file.core,
            slow=file.slow,
            exclusive=file.exclusive,
        )
    else:
        for key in ("group", "sources", "note", "from_notes", "core", "slow", "exclusive"):
            if key in file.model_fields_set:
                message = f'"{key}" belongs to a statement, and there is none'
                problems.append(file.node.problem(key, message=message, fix="add statement:", key=True))
    scenario = reader.scenario(file, name, claim, document.intent)
    if problems or scenario is None:
        raise SpecError(*dict.fromkeys(problems))
    return scenario


def _claims(document: Document, settings: Settings, sources: Sources | None) -> tuple[tuple[Scenario, ...], tuple[NotTested, ...]]:
    problems = Problems()
    reader = _Reader(document, settings, problems, sources)
    file, found = validated(ClaimsFile, _mapping(document, "a file of claims", "group: and claims:"))
    problems += found
    if file is None:
        raise SpecError(*problems)
    scenarios: list[Scenario | None] = []
    ids: dict[str, Place] = {}
    pieces: list[ClaimFile | NotTestedFile] = [*file.claims, *file.not_tested]
    for name, place in [(each.id, each.place("id")) for each in pieces]:
        first = ids.setdefault(name, place)
        if first is not place:
            problems.append(Problem(place, f'the id "{name}" is taken, in line {first.line}', "each claim has its own"))
    for each in file.claims:
        claim = Claim(
            id=each.id,
            group=file.group,
            statement=each.statement,
            sources=tuple(each.sources),
            note=each.note,
            from_notes=each.from_notes,
            core=each.core,
            slow=each.slow,
            exclusive=each.exclusive,
        )
        scenarios.append(reader.scenario(each, each.id, claim, ""))
    not_tested = tuple(
        NotTested(id=each.id, statement=each.statement, reason=each.reason, sources=tuple(each.sources), group=file.group)
        for each in file.not_tested
    )
    if problems:
        raise SpecError(*dict.fromkeys(problems))
    return tuple(scenario for scenario in scenarios if scenario is not None), not_tested


def _marks(file: ScenarioFile | ClaimFile) -> Iterator[Mark]:
    for index, (name, given) in enumerate(file.marks):
        place = file.node.at("marks", index).place()
        if isinstance(given, dict):
            yield Mark(name=name, place=place, kwargs=_plain(given))
        else:
            args = () if given is None else tuple(_plain(given)) if isinstance(given, list) else (given,)
            yield Mark(name=name, place=place, args=args)


def _plain(value: Any) -> Any:
    """A value of a document without its places."""
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list) else value


def _mapping(document: Document, what: str, keys: str) -> Node:
    if not isinstance(document.data, dict):
        raise SpecError(document.root.problem(message=f"{what} is a mapping, not {shown(document.data)}", fix=f"write {keys}"))
    return document.root


@dataclass(frozen=True, slots=True)
class _Found:
    """A topology, None when it is wrong, and the settings with which it was read."""

    topology: Topology | None
    settings: Settings


class _Reader:
    """Reads the scenarios of one document; a topology that several of them use with the same settings is read once."""

    def __init__(self, document: Document, settings: Settings, problems: list[Problem], sources: Sources | None) -> None:
        self._document, self._settings, self._problems, self._sources = document, settings, problems, sources
        self._topologies: dict[tuple[str, str], _Found] = {}

    def scenario(self, file: ScenarioFile | ClaimFile, name: str, claim: Claim | None, intent: str) -> Scenario | None:
        """The scenario of a typed mapping, None when its topology is wrong."""
        topology = self._topology(file.node.child("topology"), file)
        disturbing = kinds = None
        if topology is not None:
            kinds = {node.name: node.kind for node in topology.nodes}
            disturbing = Disturbing(topology, self._problems)
            disturbing.from_the_start(file.impair, file.node.at("impair"))
        reads = StepReader(kinds, self._problems, disturbing).read(file.node.at("steps"))
        if disturbing is None:
            return None
        disturbing.finish()
        topology = disturbing.topology
        self._problems += check_references(topology, reads, disturbing.mentions)
        return Scenario(
            name=name,
            place=file.place(),
            topology=topology,
            steps=unrolled(reads),
            claim=claim,
            intent=intent,
            timeout=Duration(file.timeout),
            requires=tuple(file.requires),
            marks=tuple(_marks(file)),
            xfail=file.xfail or "",
        )

    def _topology(self, node: Node | None, file: ScenarioFile | ClaimFile) -> Topology | None:
        if node is None:
            message = 'the key "topology" is missing'
            self._problems.append(file.node.problem(message=message, fix="add topology: two-hosts, or another one"))
            return None
        if node.text == "" or (node.text is None and not isinstance(node.data, dict)):
            message = f"topology must be a name, a path or a topology itself, not {shown(node.data)}"
            self._problems.append(node.problem(message=message))
            return None
        said = file.node.child("set")
        own = (said.fields if said is not None else None) or {}
        found = self._found(node, {name: value for name, (_, value) in own.items()})
        self._settings.declared |= found.settings.declared
        for name, (key, _) in own.items():
            if found.topology is not None and name not in found.settings.declared:
                message, fix = f'the topology declares no variable "{name}"', found.settings.meant(name)
                self._problems.append(key.problem(message=message, fix=fix))
        return found.topology

    def _found(self, node: Node, own: dict[str, Node]) -> _Found:
        key = node.text or "", repr([(name, value.data) for name, value in own.items()])
        if node.text is not None and key in self._topologies:
            return self._topologies[key]
        settings = Settings({**own, **self._settings.values})
        topology: Topology | None = None
        try:
            if node.text is None:
                topology = read_topology(node, "inline", settings=settings, sources=self._sources)
            else:
                path = find_topology(node.text, Path(self._document.file), node.place())
                topology = parse_topology(Document.read(path, sources=self._sources), settings=settings, sources=self._sources)
        except SpecError as error:
            self._problems += error.problems
        found = self._topologies[key] = _Found(topology, settings)
        return found
