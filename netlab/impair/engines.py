"""Chooses what carries out the impairments of a link, by what they need and what the machine has; says why. Pure: it tries nothing.

- ``netem``, ``tbf``: a queueing discipline in the middle of the link, for quantities.
- ``nft``: nftables in the middle of the link drops and counts, for rules that do no more, where single packets need not be told.
- ``wire beside nft``: the wire looks at single packets, and the kernel forwards past it what no rule can mean: the TCP segments of
  connections that are open. So a rule about SYNs, or about UDP, costs a stream nothing.
- ``wire``: all packets go through user space. It can do everything.

Whatever carries a file out, it means the same. So what chance decides is left to a queueing discipline, or to nftables, only where
nothing has to be the same in another run: their dice follow no seed of ours, and they tell of no packet by itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from netlab.impair.kernel_rules import protocol_of, why_not
from netlab.topology.spec import Rule, Shape

__all__ = ["BESIDE", "NETEM", "NFT", "TBF", "WIRE", "Engine", "Way", "engine_for"]

NETEM, TBF, NFT, BESIDE, WIRE = "netem", "tbf", "nft", "wire beside nft", "wire"


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """What is to be done in one direction of a link: rules, and quantities if any."""

    rules: Sequence[Rule] = ()
    shape: Shape | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """What carries a link's impairments out, and why it is that one."""

    name: str
    why: str

    def __str__(self) -> str:
        return f"{self.name}: {self.why}"


def engine_for(
    ways: Sequence[Way],
    *,
    lacking: Mapping[str, str] | None = None,
    recorded: bool = True,
    seeded: bool = True,
    whole: bool = False,
) -> Engine:
    """The engine of a link with these directions.

    ``lacking`` are engines that cannot be had here (``BESIDE`` needs what ``NFT`` does), and why. ``recorded``: each decision is to
    be told, as a replay needs it. ``seeded``: what is left to chance is to be the same in every run of one seed. ``whole``: senders
    leave segments whole on this link, so that the kernel sees fewer packets than the rules mean.
    """
    lacking = {} if lacking is None else lacking
    rules = [rule for way in ways for rule in way.rules]
    shapes = [way.shape for way in ways if way.shape is not None]
    if shapes:
        return Engine(name=WIRE, why="quantities beside rules") if rules else _of_quantities(shapes, lacking, recorded, seeded)
    if NFT in lacking:
        return Engine(name=WIRE, why=lacking[NFT])
    if not rules:
        return Engine(name=WIRE, why="what is to be done to its packets is said while it runs")
    if not recorded and not whole and not any(_beyond_counting(rule, seeded) for rule in rules):
        return Engine(name=NFT, why="its rules drop for as long as they stand")
    meant = next((why for rule in rules if (why := _means_segments(rule))), "")
    if meant:
        return Engine(name=WIRE, why=meant)
    return Engine(name=BESIDE, why="no rule means a TCP segment without SYN")


def _of_quantities(shapes: Sequence[Shape], lacking: Mapping[str, str], recorded: bool, seeded: bool) -> Engine:
    for shape in shapes:
        chances = _chances(shape)
        if chances and (recorded or seeded):
            return Engine(name=WIRE, why=f"{chances[0]} is left to chance, which is to be the same in every run of one seed")
    if NETEM not in lacking:
        return Engine(name=NETEM, why="quantities alone")
    if TBF not in lacking and all(_is_rate(shape) for shape in shapes):
        return Engine(name=TBF, why=f"a rate alone; {lacking[NETEM]}")
    return Engine(name=WIRE, why=lacking[NETEM])


def _chances(shape: Shape) -> list[str]:
    names = ("loss", "duplicate", "corrupt", "reorder")
    return ["jitter"] * (shape.jitter.ns > 0) + [name for name in names if getattr(shape, name)]


def _is_rate(shape: Shape) -> bool:
    return bool(shape.rate) and not shape.delay.ns and not _chances(shape)


def _beyond_counting(rule: Rule, seeded: bool) -> str:
    if rule.occurrences or rule.last:
        return "it means a few packets, each of which is to be told"
    return why_not(rule, recorded=False, seeded=seeded)


def _means_segments(rule: Rule) -> str:
    """Why the wire must see TCP segments without SYN; "" where it need not for this rule."""
    pattern = rule.match
    words = pattern.text or "any packet"
    if rule.action == "reorder":
        return f"{words}: what is to overtake it must be seen"
    if pattern.any or protocol_of(pattern) in ("", "tcp"):
        return "" if not pattern.any and "S" in (pattern.flags or ()) else f"{words} may be a TCP segment of an open connection"
    return ""
