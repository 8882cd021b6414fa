"""Plays the steps that are about links: what is done to packets from now on, its end, interfaces up and down. Each is a decision.

It does not know how packets are disturbed: the wire in the middle of a link does that.
"""

import time
from collections.abc import Iterator, Sequence
from typing import Protocol

from netlab.lab import links
from netlab.lab.lab import Lab
from netlab.scenario.spec import HealStep, ImpairStep, LinkStep, Step
from netlab.timeline.observations import Decision
from netlab.topology.spec import InterfaceChange, Link, Rule, Shape


class Disturber(Protocol):
    """What does rules and quantities to packets while the scenario runs."""

    def impair(self, direction: str, rules: Sequence[Rule] = (), *, shape: Shape | None = None, link: str = "") -> None:
        """From now on do this too in a direction, "a->b", of this link; a shape stands in place of the one before."""

    def heal(self, direction: str = "", *, link: str = "") -> None:
        """End what ``impair`` began in a direction of this link, or in all."""


def disturb(step: ImpairStep | HealStep, disturber: Disturber) -> Iterator[Decision]:
    """Do what a step says, direction after direction; a decision for each: of a beginning just before, of an end just after."""
    match step:
        case ImpairStep():
            for each in step.disturbances:
                now, way = time.time_ns(), "->".join(each.direction)
                disturber.impair(way, each.rules, shape=each.shape, link=each.link)
                yield _decided(step, now, each.link, way, "impair")
        case HealStep(directions=()):
            disturber.heal()
            yield _decided(step, time.time_ns(), "", "", "heal")
        case HealStep():
            for link, direction in step.directions:
                way = "->".join(direction)
                disturber.heal(way, link=link)
                yield _decided(step, time.time_ns(), link, way, "heal")


def change_links(step: LinkStep, lab: Lab) -> Iterator[Decision]:
    """Do what a step says to one interface after another. When this ends packets pass wherever both ends of a link are up."""
    for change in step.changes:
        node, link = lab.nodes[change.node], _ending(lab, change)
        now = time.time_ns()
        if change.mtu:
            links.set_mtu(node, change.interface, change.mtu)
            yield _changed(step, now, link, change, "link mtu", mtu=change.mtu)
        if change.up is not None:
            (links.set_up if change.up else links.set_down)(node, change.interface)
            yield _changed(step, now, link, change, "link up" if change.up else "link down")
    for change in step.changes:
        if change.up:
            links.settle(lab, change.node, change.interface)


def _decided(step: Step, now: int, link: str, way: str, action: str) -> Decision:
    place = str(step.place)
    return Decision(time=now, link=link, rule=step.text, action=action, occurrence=1, place=place, direction=way)


def _changed(step: LinkStep, now: int, link: Link, change: InterfaceChange, action: str, **values: int) -> Decision:
    return Decision(
        time=now,
        host=change.node,
        link=link.name,
        rule=step.text,
        action=action,
        occurrence=1,
        place=str(step.place),
        key=f"{change.node}:{change.interface}",
        values=values,
        engine="netlink",
    )


def _ending(lab: Lab, change: InterfaceChange) -> Link:
    ends = (change.node, change.interface)
    return next(link for link in lab.topology.links if ends in [(end.node, end.interface) for end in link.endpoints])
