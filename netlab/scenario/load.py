"""Reads scenario files and files of claims, with their topologies, and checks all that can be checked without a kernel.

All that is wrong in a file is reported at once, each with its place. It does not know how a scenario is run.
"""

from dataclasses import replace
from pathlib import Path

from netlab.document import Document
from netlab.errors import Place, Problem, SpecError
from netlab.scenario.references import check_references
from netlab.scenario.schema import ClaimFile, ClaimsFile, NotTestedFile, ScenarioFile
from netlab.scenario.spec import Claim, NotTested, Scenario
from netlab.scenario.steps import StepReader, unrolled
from netlab.topology.load import find_topology, parse_topology, read_topology
from netlab.topology.rules import Directed, rules_of, split_direction
from netlab.topology.schema_link import Impair
from netlab.topology.spec import Link, Topology
from netlab.units import Duration
from netlab.validate import Problems, did_you_mean, named, shown, validated
from netlab.yaml_nodes import Node


def load_scenarios(path: str | Path) -> tuple[Scenario, ...]:
    """The scenarios of a file: one, or as many as a file of claims has. Raises SpecError with everything that is wrong."""
    document = Document.read(path)
    if isinstance(document.data, dict) and ("claims" in document.data or "not_tested" in document.data):
        return _claims(document)[0]
    return (_scenario(document),)


def load_claims(path: str | Path) -> tuple[tuple[Scenario, ...], tuple[NotTested, ...]]:
    """The claims of a file, as scenarios, and its statements that are not tested."""
    return _claims(Document.read(path))


def _scenario(document: Document) -> Scenario:
    problems = Problems()
    reader = _Reader(document, problems)
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
            exclusive=file.exclusive,
        )
    else:
        for key in ("group", "sources", "note", "from_notes", "exclusive"):
            if key in file.model_fields_set:
                message = f'"{key}" belongs to a statement, and there is none'
                problems.append(file.node.problem(key, message=message, fix="add statement:", key=True))
    scenario = reader.scenario(file, name, claim, document.intent)
    if problems or scenario is None:
        raise SpecError(*dict.fromkeys(problems))
    return scenario


def _claims(document: Document) -> tuple[tuple[Scenario, ...], tuple[NotTested, ...]]:
    problems = Problems()
    reader = _Reader(document, problems)
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
            exclusive=each.exclusive,
        )
        scenarios.append(reader.scenario(each, each.id, claim, ""))
    not_tested = tuple(
        NotTested(id=each.id, statement=each.statement, reason=each.reason, sources=tuple(each.sources)) for each in file.not_tested
    )
    if problems:
        raise SpecError(*dict.fromkeys(problems))
    return tuple(scenario for scenario in scenarios if scenario is not None), not_tested


def _mapping(document: Document, what: str, keys: str) -> Node:
    if not isinstance(document.data, dict):
        raise SpecError(document.root.problem(message=f"{what} is a mapping, not {shown(document.data)}", fix=f"write {keys}"))
    return document.root


class _Reader:
    """Reads the scenarios of one document; a topology that several of them use is read once."""

    def __init__(self, document: Document, problems: list[Problem]) -> None:
        self._document, self._problems = document, problems
        self._topologies: dict[str, Topology | None] = {}

    def scenario(self, file: ScenarioFile | ClaimFile, name: str, claim: Claim | None, intent: str) -> Scenario | None:
        """The scenario of a typed mapping, None when its topology is wrong."""
        topology = self._topology(file.node.child("topology"), file)
        if topology is not None:
            topology = self._impaired(topology, file.impair, file.node.at("impair"))
        kinds = {node.name: node.kind for node in topology.nodes} if topology is not None else None
        reads = StepReader(kinds, self._problems).read(file.node.at("steps"))
        if topology is None:
            return None
        self._problems += check_references(topology, reads)
        return Scenario(
            name=name,
            place=file.place(),
            topology=topology,
            steps=unrolled(reads),
            claim=claim,
            intent=intent,
            timeout=Duration(file.timeout),
        )

    def _topology(self, node: Node | None, file: ScenarioFile | ClaimFile) -> Topology | None:
        if node is None:
            message = 'the key "topology" is missing'
            self._problems.append(file.node.problem(message=message, fix="add topology: two-hosts, or another one"))
            return None
        if isinstance(node.data, dict):
            try:
                return read_topology(node, "inline")
            except SpecError as error:
                self._problems += error.problems
                return None
        if node.text is None or not node.text:
            message = f"topology must be a name, a path or a topology itself, not {shown(node.data)}"
            self._problems.append(node.problem(message=message))
            return None
        if node.text not in self._topologies:
            try:
                path = find_topology(node.text, Path(self._document.file), node.place())
                self._topologies[node.text] = parse_topology(Document.read(path))
            except SpecError as error:
                self._problems += error.problems
                self._topologies[node.text] = None
        return self._topologies[node.text]

    def _impaired(self, topology: Topology, impair: Impair, node: Node) -> Topology:
        """The topology with further rules, each laid over the one link between its two nodes."""
        added: dict[str, Directed] = {}
        for key in impair:
            link = self._link(topology, key, node)
            if link is not None:
                ends = [end.node for end in link.endpoints]
                rules = rules_of({key: impair[key]}, node, ends, [each.name for each in topology.nodes], self._problems)
                directed = added.setdefault(link.name, {})
                for direction, more in rules.items():
                    directed[direction] = directed.get(direction, ()) + more
        links = []
        for link in topology.links:
            rules = dict(link.impair)
            for direction, more in added.get(link.name, {}).items():
                rules[direction] = rules.get(direction, ()) + more
            links.append(replace(link, impair=tuple(rules.items())))
        return replace(topology, links=tuple(links))

    def _link(self, topology: Topology, key: str, node: Node) -> Link | None:
        direction = split_direction(key)
        names = {each.name for each in topology.nodes}
        ways = [f"{a.node}->{b.node}" for link in topology.links for a, b in (link.endpoints, link.endpoints[::-1])]
        fix = did_you_mean(key, ways) or (f"it may be {named(ways)}" if ways else "there is no link")
        if key == "both":
            found = list(topology.links)
            message = f"this network has {len(found)} links, so both ways of which one is not said"
        elif direction is None:
            self._problems.append(node.problem(key, message=f'"{key}" is no direction', fix=fix, key=True))
            return None
        else:
            found = [link for link in topology.links if sorted(end.node for end in link.endpoints) == sorted(direction)]
            unknown = [name for name in direction if name not in names]
            message = f'no node "{unknown[0]}"' if unknown else f"no link joins {direction[0]} and {direction[1]}"
            if len(found) > 1:
                message = f"{len(found)} links join {direction[0]} and {direction[1]}"
                fix = "write the rules on the link itself, in the topology"
        if len(found) == 1:
            return found[0]
        self._problems.append(node.problem(key, message=message, fix=fix, key=True))
        return None
