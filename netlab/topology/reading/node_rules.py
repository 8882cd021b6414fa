"""Reads a node's routing rules and VRFs, and checks them against the node's interfaces. It does not know how they are set."""

import re

from netlab.errors import Place, Problem
from netlab.topology.reading.surroundings import Surroundings
from netlab.topology.schema.node import NodeFile, PolicyRuleFile
from netlab.topology.spec import PolicyRule, Vrf
from netlab.validate import written_at

_FIRST, _LAST = 10_000, 32_765
_DEVICE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,14}")
_RESERVED = frozenset({"lo", "all", "default", "br0"})


def policy_rules(node: str, file: NodeFile, around: Surroundings, problems: list[Problem]) -> tuple[PolicyRule, ...]:
    """The rules, with their priorities; one that is of no family is one of each."""
    rules: list[PolicyRule] = []
    seen: dict[tuple[object, ...], Place] = {}
    following = _FIRST
    for item in file.rules:
        if not item.is_whole:
            continue
        place = item.place()
        priority = following if item.priority is None else item.priority
        following = priority + 1
        if priority > _LAST:
            message = f"no priority is left after the rule before, which has {_LAST}"
            problems.append(Problem(place, message, "give them priorities"))
            following = priority
            continue
        if item.interface not in (None, "lo"):
            wrong = around.no_interface(node, item.interface or "", item.place("interface"), file.vrfs)
            problems += [wrong] if wrong is not None else []
        for family in _families(item, problems):
            rule = PolicyRule(
                family=family,
                priority=priority,
                table=item.table,
                source=item.from_,
                destination=item.to,
                interface=item.interface or "",
                mark=item.mark,
                place=place,
            )
            key = (family, priority, rule.table, rule.source, rule.destination, rule.interface, rule.mark)
            if seen.setdefault(key, place) is not place:
                message = f"the same rule is there already, in {seen[key].seen_from(place)}"
                problems.append(Problem(place, message, "leave it out, or give it another priority"))
                break
            rules.append(rule)
    return tuple(rules)


def _families(item: PolicyRuleFile, problems: list[Problem]) -> tuple[int, ...]:
    if item.from_ is not None and item.to is not None and item.from_.version != item.to.version:
        message = f"{item.to} is of IPv{item.to.version}, and {item.from_} is not: no packet has both"
        problems.append(item.node.problem("to", message=message, fix="make it two rules"))
        return ()
    network = item.from_ or item.to
    return (4, 6) if network is None else (network.version,)


def vrfs_of(node: str, file: NodeFile, around: Surroundings, problems: list[Problem]) -> tuple[Vrf, ...]:
    """The VRFs: names and tables of their own, and interfaces that are in no other."""
    vrfs: list[Vrf] = []
    tables: dict[int, str] = {}
    members: dict[str, tuple[str, Place]] = {}
    own = around.interfaces(node)
    for name, item in file.vrfs.items():
        place = file.place("vrfs", name, key=True)
        if not _DEVICE.fullmatch(name) or name in _RESERVED:
            fix = "letters, digits, - and _, at most 15 in all, and not lo, br0, all or default"
            problems.append(Problem(place, f'"{name}" is no name for a VRF', fix))
        elif name in own:
            problems.append(Problem(place, f"{node} has an interface {name} already", "choose another name"))
        if tables.setdefault(item.table, name) != name:
            message = f"the table {item.table} is that of {tables[item.table]} already"
            problems.append(Problem(item.place("table"), message, "each VRF has its own"))
        for number, interface in zip(written_at(item.node.at("interfaces"), item.interfaces), item.interfaces, strict=True):
            where = item.node.at("interfaces").place(number)
            if (wrong := around.no_interface(node, interface, where)) is not None:
                problems.append(wrong)
            elif members.setdefault(interface, (name, where))[1] is not where:
                message = f"{interface} is in the VRF {members[interface][0]} already"
                problems.append(Problem(where, message, "an interface is in one VRF"))
        vrfs.append(Vrf(name=name, table=item.table, interfaces=tuple(item.interfaces), place=place))
    return tuple(vrfs)
