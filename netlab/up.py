"""Builds a lab that stays, from a topology's file: as it was built before where the file is the same, else anew.

It does not know who asked for it, nor how anything is told.
"""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from netlab.cache import keep, recall
from netlab.lab.described import Described, describe, nodes_of, sealed
from netlab.lab.remembered import NotAsBeforeError, Remembered
from netlab.lab.staying import claim, usable_name

if TYPE_CHECKING:  # to read and plan a topology takes three times as long as to build it
    from netlab.lab.keeper import Keeper

Built = tuple[Described, tuple[str, ...]]
"""What a lab that stays says of itself, and what this machine did not let it have, though it runs without."""


def build(
    file: str, settings: Mapping[str, str], name: str | None, keeper: "Keeper", *, impairable: bool = False, seed: int | None = None
) -> Built:
    """Build the lab of a topology's file with a keeper that was begun, which then outlives its owner.

    It is called ``name``, or as its topology with a number where that is taken. ``impairable``: the frames of every link pass
    through the lab's wire, where they can be impaired later; ``seed`` decides what is random, None leaves it to chance. Raises
    SpecError, HostError, and TakenError where ``name`` is taken.
    """
    plain = None if impairable else recall(file, settings)
    if plain is None:
        return _anew(file, settings, name, keeper, impairable=impairable, seed=seed)
    try:
        return _as_before(Remembered.of_plain(plain), file, name, keeper)
    except NotAsBeforeError:
        keeper.close()
        return _anew(file, settings, name, None, impairable=impairable, seed=seed)


def _as_before(known: Remembered, file: str, name: str | None, keeper: "Keeper") -> Built:
    listener, staying = claim(name or usable_name(known.topology), exactly=name is not None)
    with listener:
        known.build(keeper)
        described = describe(
            staying,
            known.nodes,
            links=known.links,
            topology=known.topology,
            file=os.path.abspath(file),
            rootless=keeper.rootless,
        )
        shortfalls = (*known.shortfalls, *keeper.ask("notes")[0]["notes"])
        keeper.hand_over(listener, sealed(described))
    return described, shortfalls


def _anew(
    file: str, settings: Mapping[str, str], name: str | None, keeper: "Keeper | None", *, impairable: bool, seed: int | None
) -> Built:
    from dataclasses import replace
    from pathlib import Path

    from netlab.impair.shaping import shape
    from netlab.lab.lab import Lab
    from netlab.topology.load import load_topology

    sources: dict[str, bytes | None] = {}
    topology = load_topology(Path(file), settings, sources)
    if any(link.impair for link in topology.links):
        from netlab.impair.hiring import check

        check(rule for link in topology.links for _, rules in link.impair for rule in rules)
    if impairable:
        topology = replace(topology, links=tuple(replace(link, by_wire=True) for link in topology.links))
    lab = Lab(topology, stay=True, keeper=keeper)
    listener, staying = claim(name or usable_name(topology.name), exactly=name is not None)
    with listener, lab:
        lab.noted += shape(lab, recorded=False, seeded=seed is not None)
        if any(middle.sockets for middle in lab.middles.values()):
            from netlab.impair.hiring import carry  # most labs have no wire, and need not wait for its import

            carry(lab, seed=seed)
        lab.start()
        nodes = nodes_of(lab.plan)
        described = describe(
            staying,
            nodes,
            links=len(lab.plan.wires),
            topology=topology.name,
            file=os.path.abspath(file),
            rootless=lab.rootless,
        )
        shortfalls, known = lab.shortfalls, Remembered.of(lab, nodes)
        lab.hand_over(listener, sealed(described))
    if known is not None:
        keep(file, settings, sources, known.plain())
    return described, shortfalls
