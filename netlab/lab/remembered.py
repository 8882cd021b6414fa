"""Labs that stay, built once more as they were built before: what was asked of the keeper then is asked of a new one.

It reads no topology and plans nothing, and so cannot tell what is wrong when something is: whoever can must then build the lab.
"""

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Self

from netlab.lab.described import DescribedNode

if TYPE_CHECKING:  # to build from what is remembered takes less time than to import these
    from netlab.lab.keeper import Keeper
    from netlab.lab.lab import Lab


class NotAsBeforeError(Exception):
    """The kernel did not do the same as before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """A lab as it was built: what the keeper was asked (``program``, ``within`` how many seconds, ``rooms``), the sysctls that it
    could not set and what that came to in words, and what the lab says of itself."""

    topology: str
    links: int
    nodes: tuple[DescribedNode, ...]
    program: dict[str, Any]
    within: float
    rooms: list[tuple[int, str, list[tuple[str, str, int]]]]
    unset: list[tuple[str, str, int]]
    shortfalls: tuple[str, ...]

    @classmethod
    def of(cls, lab: "Lab", nodes: tuple[DescribedNode, ...]) -> Self | None:
        """A lab that has just been built to stay; None where more was done to it than the keeper was asked: rulesets loaded, links
        shaped, programs started."""
        from netlab.lab.lab import rooms_of
        from netlab.lab.namespaces import READY_WITHIN
        from netlab.lab.program import program_of
        from netlab.lab.unset import shortfalls

        plan = lab.plan
        if any(wire.middle for wire in plan.wires) or any(node.nft or node.start for node in plan.nodes):
            return None
        return cls(
            topology=lab.topology.name,
            links=len(plan.wires),
            nodes=nodes,
            program=program_of(plan).plain(),
            within=READY_WITHIN,
            rooms=rooms_of(lab.nodes.values()),
            unset=list(lab.unset),
            shortfalls=tuple(shortfalls(lab.unset)),
        )

    @classmethod
    def of_plain(cls, plain: dict[str, Any]) -> Self:
        """What ``plain`` gave."""
        return cls(**{**plain, "nodes": tuple(DescribedNode(**node) for node in plain["nodes"])})

    def plain(self) -> dict[str, Any]:
        """The same as plain values."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {**values, "nodes": [asdict(node) for node in self.nodes]}

    def build(self, keeper: "Keeper") -> None:
        """Have the keeper build it. Raises NotAsBeforeError; nothing more is to be asked of the keeper then."""
        try:
            reply, _ = keeper.ask("build", program=self.program, within=self.within)
            if reply.get("unset") != self.unset:
                raise NotAsBeforeError(reply)
            keeper.ask("nodes", nodes=self.rooms)
        except OSError as error:
            raise NotAsBeforeError(str(error)) from error
