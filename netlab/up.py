"""Builds a lab that stays, from a topology's file: as it was built before where the file is the same, else anew.

It does not know who asked for it, nor how anything is told.
"""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from netlab.cache import keep, recall
from netlab.errors import HostError
from netlab.lab.described import Described, describe, nodes_of, sealed
from netlab.lab.remembered import NotAsBeforeError, Remembered
from netlab.lab.staying import claim, usable_name

if TYPE_CHECKING:  # to read and plan a topology takes three times as long as to build it
    from netlab.lab.keeper import Keeper
    from netlab.topology.planned import Plan

Built = tuple[Described, tuple[str, ...]]
"""What a lab that stays says of itself, and what this machine did not let it have, though it runs without."""


def build(file: str, settings: Mapping[str, str], name: str | None, keeper: "Keeper") -> Built:
    """Build the lab of a topology's file with a keeper that was begun, which then outlives its owner.

    It is called ``name``, or as its topology with a number where that is taken. Raises SpecError, HostError, and TakenError where
    ``name`` is taken.
    """
    plain = recall(file, settings)
    if plain is None:
        return _anew(file, settings, name, keeper)
    try:
        return _as_before(Remembered.of_plain(plain), file, name, keeper)
    except NotAsBeforeError:
        keeper.close()
        return _anew(file, settings, name, None)


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


def _anew(file: str, settings: Mapping[str, str], name: str | None, keeper: "Keeper | None") -> Built:
    from pathlib import Path

    from netlab.impair.shaping import shape
    from netlab.lab.lab import Lab
    from netlab.topology.load import load_topology

    sources: dict[str, bytes | None] = {}
    topology = load_topology(Path(file), settings, sources)
    lab = Lab(topology, stay=True, keeper=keeper)
    _refuse_rules(lab.plan)
    listener, staying = claim(name or usable_name(topology.name), exactly=name is not None)
    with listener, lab:
        lab.noted += shape(lab)
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


def _refuse_rules(plan: "Plan") -> None:
    for wire in plan.wires:
        if wire.user_space:
            raise HostError(
                f"link {wire.link} has rules that look at packets one by one; a run carries those out, a lab that stays cannot",
                "take the rules out of the topology, or use quantities (delay, loss, rate), which the kernel carries out",
            )
