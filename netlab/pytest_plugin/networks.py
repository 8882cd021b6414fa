"""Which network a test means: by its marks ``topology`` and ``impair``, or by what its own fixture ``topology`` gives.

All of it is read by the code that reads files. It does not know how a network is built.
"""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from netlab.document import Document
from netlab.errors import Problem, SpecError
from netlab.scenario.disturbing import Disturbing, ImpairFile
from netlab.topology.load import find_topology, load_topology, parse_topology
from netlab.topology.spec import Topology
from netlab.validate import validated

__all__ = ["impaired", "marked", "topology_of"]

_WORDS = {True: "true", False: "false", None: "null"}


def marked(node: pytest.Item) -> Topology:
    """The topology that the mark of a test names; the test fails where there is none, or a wrong one."""
    mark = node.get_closest_marker("topology")
    if mark is None or len(mark.args) != 1:
        pytest.fail('the fixture "lab" needs its network: @pytest.mark.topology("two-hosts")', pytrace=False)
    return topology_of(mark.args[0], node, **mark.kwargs)


def topology_of(wanted: object, node: pytest.Item, **settings: object) -> Topology:
    """A topology as it is, by name or path (beside the test), or as a dict; ``settings`` are values for its variables."""
    if isinstance(wanted, Topology):
        return wanted
    values = {name: _WORDS[value] if value is None or isinstance(value, bool) else str(value) for name, value in settings.items()}
    try:
        if isinstance(wanted, Mapping):
            return parse_topology(_document(wanted, f"<topology of {node.nodeid}>"), settings=values)
        return load_topology(find_topology(str(wanted), node.path), values)
    except SpecError as error:
        raise pytest.fail.Exception(str(error), pytrace=False) from None


def impaired(topology: Topology, node: pytest.Item) -> Topology:
    """The topology with what the marks ``impair`` of a test say of its links: those of the module and the class first, rules added
    one after another, quantities in place of others. Raises SpecError, HostError."""
    for mark in reversed(list(node.iter_markers("impair"))):
        topology = _with(topology, _said(mark), f"<impair of {node.nodeid}>")
    return topology


def _said(mark: pytest.Mark) -> Mapping[str, Any]:
    match mark.args, mark.kwargs:
        case ((Mapping() as ways,), {**rest}) if not rest:
            return ways
        case ((str() as way, rules), {**rest}) if not rest:
            return {way: rules}
        case ((str() as way,), {**rule}) if rule:
            return {way: rule}
    usage = '@pytest.mark.impair("client->server", delay="10ms"), ("both", [{...}, {...}]), or ({"client->server": {...}})'
    return pytest.fail(f"the marker impair needs a direction and what is done there: {usage}", pytrace=False)


def _with(topology: Topology, said: Mapping[str, Any], name: str) -> Topology:
    document = _document({"impair": dict(said)}, name)
    file, found = validated(ImpairFile, document.root)
    problems = [*found]
    if file is not None:
        disturbing = Disturbing(topology, problems)
        disturbing.from_the_start(file.impair, document.root.at("impair"))
        topology = disturbing.topology
    for rule in (rule for link in topology.links for _, rules in link.impair for rule in rules):
        if rule.during:
            message = "during is for the sockets of a scenario, and a test has none that netlab can name"
            problems.append(Problem(rule.place, message, "use nth, window or before; or write a scenario"))
    if problems:
        raise SpecError(*dict.fromkeys(problems))
    return topology


def _document(value: Mapping[str, Any], name: str) -> Document:
    """A value of Python's as a document: JSON is YAML, so that what a file must keep to holds for it too."""
    try:
        return Document.parse(json.dumps(value), name)
    except (TypeError, ValueError) as error:
        return pytest.fail(f"{name}: it must be what a file can say: {error}", pytrace=False)
