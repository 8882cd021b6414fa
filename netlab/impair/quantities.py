"""What the chances of a shape (loss, duplicate, corrupt, reorder) are as rules of single packets: so the wire carries them out,
keyed and logged like any other rule's. Pure.

A rule means IP packets; the first that acts decides. So ARP, neighbour discovery and MLD are never lost to a shape's loss here, and
a packet that is lost is not also duplicated.
"""

from collections.abc import Mapping

from netlab.notation.packets import PacketPattern
from netlab.topology.spec import Rule, Shape

__all__ = ["CHANCES", "overtakes", "rules_of"]

CHANCES: Mapping[str, str] = {"loss": "drop", "duplicate": "duplicate", "corrupt": "corrupt", "reorder": "reorder"}
"""What a shape leaves to chance, and what is done to the packets that it hits, in the order in which it is asked. The words of such
a rule begin with that name."""


def rules_of(shape: Shape) -> tuple[Rule, ...]:
    """The rules that do what a shape leaves to chance, in the order in which they are asked; none where it leaves nothing."""
    return tuple(
        Rule(
            match=PacketPattern(text=f"{name} {_percent(share)}"),
            action=action,
            chance=share,
            seed=shape.seed,
            by=0 if action == "reorder" else 1,
            place=shape.place,
        )
        for name, action in CHANCES.items()
        if (share := getattr(shape, name))
    )


def overtakes(rule: Rule) -> bool:
    """Whether a rule is a shape's reorder: its packets go at once and so overtake those that the shape delays (tc-netem(8))."""
    return rule.action == "reorder" and not rule.by


def _percent(share: float) -> str:
    return f"{share * 100:.6f}".rstrip("0").rstrip(".") + "%"
