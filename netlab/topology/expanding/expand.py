"""Turns a topology as it is written into a plain one: files, variables, groups, paths and shared segments are worked out.

What comes out is read as if it had been written so, and every value has the place of what was written. It does not know what
most keys mean.
"""

from netlab.document import Sources
from netlab.errors import SpecError
from netlab.topology.expanding.groups import Budget, Groups, members, with_members
from netlab.topology.expanding.include import Entries, gathered
from netlab.topology.expanding.keyed import for_members
from netlab.topology.expanding.variables import Settings, Variables
from netlab.topology.expanding.wiring import Wiring
from netlab.validate import Problems
from netlab.yaml_nodes import Node


def expanded(node: Node, settings: Settings, problems: Problems, sources: Sources | None = None) -> tuple[Node, set[str]]:
    """The plain topology, and the names in it of which it is told already that they are neither nodes nor groups.

    What is wrong with groups and links is added to ``problems``, and left out where it must be. Raises SpecError for what is wrong
    with files and variables, without which nothing else can be told. ``sources`` gets what the included files hold.
    """
    whole, declared = gathered(node, problems, sources)
    if problems:
        raise SpecError(*problems)
    whole = Variables(declared, settings, problems).filled(whole)
    if problems:
        raise SpecError(*problems)
    return _plain(whole, problems)


def _plain(whole: Node, problems: Problems) -> tuple[Node, set[str]]:
    fields = dict(whole.fields or {})
    budget = Budget(problems)
    written, links = whole.child("nodes"), whole.child("links")
    if written is None or written.fields is None:
        return whole, set()
    unknown: set[str] = set()
    nodes, groups = with_members(written, budget, problems)
    if links is not None and links.items is not None:
        wiring = Wiring(nodes.fields or {}, groups, budget, problems)
        fields["links"] = fields["links"][0], wiring.plain(links)
        unknown = wiring.unknown
        if wiring.switches:
            nodes = nodes.as_mapping({**(nodes.fields or {}), **wiring.switches})
    fields["nodes"] = fields["nodes"][0], nodes
    if groups:
        _mentioned(fields, groups)
    same = nodes is written and ("links" not in fields or fields["links"][1] is links)
    return (whole if same else whole.as_mapping(fields)), unknown


def _mentioned(fields: Entries, groups: Groups) -> None:
    """Groups that are named elsewhere: among the neighbours, and in overlays."""
    if "neighbours" in fields:
        key, value = fields["neighbours"]
        fields["neighbours"] = key, members(value, groups)
    if "overlays" in fields:
        key, value = fields["overlays"]
        if value.items is not None:
            fields["overlays"] = key, value.as_list([_overlay(each, groups) for each in value.items])


def _overlay(overlay: Node, groups: Groups) -> Node:
    made = dict(overlay.fields or {})
    if overlay.fields is None:
        return overlay
    if "nodes" in made:
        made["nodes"] = made["nodes"][0], members(made["nodes"][1], groups)
    if "addresses" in made:
        made["addresses"] = made["addresses"][0], for_members(made["addresses"][1], groups)
    return overlay.as_mapping(made)
