"""The impairments that a scenario's data holds: one by one, with some of them left out, and with exact rules in their place.

A rule is one item; so is each quantity of a mapping of quantities. Those of ``impair`` steps go with their steps. It does not know
what rules do.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

Data = dict[str, Any]
Item = tuple[str, int, str, int, str]
""""scenario" or "link", the link's index, the direction, the index in it, and the quantity's name ("" for a rule)."""

RANDOM = frozenset({"loss", "duplicate", "corrupt", "reorder"})
"""Quantities that are decisions about single packets; the others are about all."""
_MODIFIERS = {"jitter": "delay", "distribution": "delay", "limit": "rate", "seed": ""}
"""What means nothing without another quantity."""


def is_rule(value: Mapping[str, Any]) -> bool:
    """Whether a mapping is a rule, not quantities."""
    return "action" in value or "match" in value


def items(data: Data) -> tuple[Item, ...]:
    """All impairments of the scenario and of its topology's links."""
    found: list[Item] = []
    for where, index, impair in _impairs(data):
        for direction, said in impair.items():
            for number, one in enumerate(_listed(said)):
                names = [""] if is_rule(one) else [name for name in one if name not in _MODIFIERS]
                found += [(where, index, str(direction), number, name) for name in names]
    return tuple(found)


def kept(data: Data, wanted: Collection[Item]) -> Data:
    """The data with these impairments only."""
    chosen = set(wanted)

    def some(where: str, index: int, direction: str, number: int, one: Data) -> Data | None:
        if is_rule(one):
            return one if (where, index, direction, number, "") in chosen else None
        return _quantities(one, {name for name in one if (where, index, direction, number, name) in chosen})

    return _changed(data, some)


def undecided(data: Data) -> Data:
    """The data without all that decides about single packets: rules and random quantities, in steps too."""

    def some(where: str, index: int, direction: str, number: int, one: Data) -> Data | None:
        return None if is_rule(one) else _quantities(one, {name for name in one if name not in RANDOM and name not in _MODIFIERS})

    changed = _changed(data, some)
    steps = _steps(changed.get("steps", ()), some)
    return {**changed, "steps": steps}


def seeded(data: Data, seed: int) -> Data:
    """The data with this seed in all that is random and has none of its own, in steps too."""

    def some(where: str, index: int, direction: str, number: int, one: Data) -> Data | None:
        return one if "seed" in one or (is_rule(one) and "chance" not in one and "jitter" not in one) else {**one, "seed": seed}

    changed = _changed(data, some)
    return {**changed, "steps": _steps(changed["steps"], some)}


def quantities(data: Data) -> tuple[tuple[str, Data], ...]:
    """The directions that have quantities, with them."""
    return tuple(
        (str(direction), one)
        for _, _, impair in _impairs(data)
        for direction, said in impair.items()
        for one in _listed(said)
        if not is_rule(one)
    )


def none(data: Data) -> Data:
    """The data without any impairment, and without the steps that impair, heal or let go."""
    changed = _changed(data, lambda *_: None)
    steps = _steps(changed["steps"], lambda *_: None)
    return {**changed, "steps": _without_heads(steps, frozenset({"heal", "release"}))}


def _without_heads(steps: Sequence[Data], heads: frozenset[str]) -> list[Data]:
    left: list[Data] = []
    for step in steps:
        if isinstance(step.get("repeat"), Mapping):
            body = _without_heads(step["repeat"].get("steps", ()), heads)
            left += [{**step, "repeat": {**step["repeat"], "steps": body}}] if body else []
        elif not heads & step.keys():
            left.append(step)
    return left


def with_rules(data: Data, rules: Sequence[tuple[str, int, Data]]) -> Data:
    """The data with these rules besides: each with its direction, "a->b", and its link's index. It is written on that link where
    the two nodes have several."""
    topology = data["topology"]
    links = [dict(link) for link in topology.get("links", ())]
    scenario = dict(data.get("impair") or {})
    for direction, index, rule in rules:
        ends = sorted(direction.split("->"))
        several = sum(sorted(str(end).partition(":")[0] for end in link.get("endpoints", ())) == ends for link in links) > 1
        impair = dict(links[index].get("impair") or {}) if several else scenario
        impair[direction] = [*_listed(impair.get(direction, [])), rule]
        if several:
            links[index]["impair"] = impair
    made = {**data, "topology": {**topology, "links": links}}
    return _placed(made, scenario)


def merged(data: Data) -> Data:
    """The data with one rule instead of several of the scenario's that differ only in which of the matching packets they are for:
    ``nth: [1, 3]``. Each of those still counts alone, so they do the same."""
    said = (data.get("impair") or {}).items()
    impair = {way: _merged(rules) if isinstance(rules, list) else rules for way, rules in said}
    return _placed(data, impair)


def _merged(rules: Sequence[Data]) -> list[Data]:
    found: list[Data] = []
    for rule in rules:
        same = next((at for at, one in enumerate(found) if _alike(one, rule)), None)
        if same is None:
            found.append(rule)
        else:
            nth = sorted({*_numbers(found[same]), *_numbers(rule)})
            found[same] = {**found[same], "nth": nth}
    return found


def _alike(one: Data, other: Data) -> bool:
    return "nth" in one and "nth" in other and {**one, "nth": 0} == {**other, "nth": 0}


def _numbers(rule: Data) -> list[int]:
    return list(rule["nth"]) if isinstance(rule["nth"], list) else [rule["nth"]]


def _placed(data: Data, impair: Data) -> Data:
    """The data with this ``impair``, before its steps; without one if it says nothing."""
    made = {key: value for key, value in data.items() if key not in ("impair", "steps")}
    return {**made, **({"impair": impair} if impair else {}), "steps": data["steps"]}


def _impairs(data: Data) -> Iterator[tuple[str, int, Mapping[str, Any]]]:
    yield "scenario", 0, data.get("impair") or {}
    for index, link in enumerate(data["topology"].get("links", ())):
        yield "link", index, link.get("impair") or {}


def _listed(said: Any) -> list[Data]:
    return list(said) if isinstance(said, list | tuple) else [said]


def _quantities(one: Data, wanted: Collection[str]) -> Data | None:
    left = {name: value for name, value in one.items() if name in wanted or (_MODIFIERS.get(name) in wanted)}
    if left and "seed" in one:
        left["seed"] = one["seed"]
    return left or None


_Some = Callable[[str, int, str, int, Data], Data | None]


def _changed(data: Data, some: _Some) -> Data:
    links = []
    for index, link in enumerate(data["topology"].get("links", ())):
        impair = _filtered("link", index, link.get("impair") or {}, some)
        rest = {key: value for key, value in link.items() if key != "impair"}
        links.append({**rest, **({"impair": impair} if impair else {})})
    topology = {**data["topology"], **({"links": links} if "links" in data["topology"] else {})}
    return _placed({**data, "topology": topology}, _filtered("scenario", 0, data.get("impair") or {}, some))


def _filtered(where: str, index: int, impair: Mapping[str, Any], some: _Some) -> Data:
    made: Data = {}
    for direction, said in impair.items():
        left = [
            one
            for number, each in enumerate(_listed(said))
            if (one := some(where, index, str(direction), number, each)) is not None
        ]
        if left:
            made[str(direction)] = left if isinstance(said, list | tuple) else left[0]
    return made


def _steps(steps: Sequence[Data], some: _Some) -> list[Data]:
    left: list[Data] = []
    for step in steps:
        if isinstance(step.get("impair"), Mapping):
            impair = _filtered("step", 0, step["impair"], some)
            left += [{**step, "impair": impair}] if impair else []
        elif isinstance(step.get("repeat"), Mapping):
            body = _steps(step["repeat"].get("steps", ()), some)
            left += [{**step, "repeat": {**step["repeat"], "steps": body}}] if body else []
        else:
            left.append(step)
    return left
