"""Decides where the boxes of a graph stand on a page, by its shape: a star, a row, a ring, a tree, layers, or by stress.

Every box has a size and every tie between two wants room for its label; leaves stand around the one box that they are tied to. The
same graph gives the same places. It does not know what boxes mean or how they are drawn.
"""

from collections.abc import Sequence

from netlab.report.layout_clusters import SPOKES, Cluster, Item, Scene, Spot, Tie, alone, beside, both_sides, flower, rows
from netlab.report.layout_layers import layers, tree
from netlab.report.layout_shapes import by_stress, circle, path_of, ring_of, row

__all__ = ["Item", "Spot", "Tie", "arrange"]

_GAP = 48.0
_WIDEST = 3600.0
_STAR_ROW = 4
_STAR_ROWS = 12


def arrange(items: Sequence[Item], ties: Sequence[Tie]) -> list[Spot]:
    """A place for the middle of every item; the parts of a graph that is not connected stand side by side, in rows."""
    scene = Scene(items, ties)
    parts = [_part(scene, members) for members in _components(scene)]
    return _packed(parts, len(items))


def _components(scene: Scene) -> list[list[int]]:
    seen: set[int] = set()
    found = []
    for start in range(len(scene.items)):
        if start in seen:
            continue
        members, queue = [], [start]
        seen.add(start)
        while queue:
            members.append(node := queue.pop())
            fresh = [other for other in scene.near[node] if other not in seen]
            seen.update(fresh)
            queue += fresh
        found.append(sorted(members))
    return found


def _part(scene: Scene, members: list[int]) -> Cluster:
    """One connected part, by the first shape that fits it."""
    leaves: dict[int, list[int]] = {}
    if len(members) > 2:
        for node in members:
            if len(scene.near[node]) == 1:
                leaves.setdefault(scene.near[node][0], []).append(node)
    folded = {leaf for each in leaves.values() for leaf in each}
    core = [node for node in members if node not in folded]
    if len(core) == 1:
        return _star(scene, core[0], leaves.get(core[0], []))
    if (path := path_of(scene, core)) is not None:
        return row(scene, path, leaves)
    if (ring := ring_of(scene, core)) is not None:
        return circle(scene, ring, leaves)
    if all(len(each) <= SPOKES for each in leaves.values()):
        shape = tree(scene, members, core) or layers(scene, members)
        if shape is not None and shape.width <= _WIDEST:
            return shape
    return by_stress(scene, core, leaves)


def _star(scene: Scene, hub: int, leaves: list[int]) -> Cluster:
    if not leaves:
        return alone(scene, hub)
    if len(leaves) > _STAR_ROWS:
        return flower(scene, hub, leaves, ())
    if len(leaves) > _STAR_ROW:
        return rows(scene, hub, leaves)
    return both_sides(scene, hub, leaves) if len(leaves) == 2 else beside(scene, hub, leaves, "down")


def _packed(parts: Sequence[Cluster], size: int) -> list[Spot]:
    """The parts in rows about as wide as the widest of them, or as a page."""
    area = sum((part.width + _GAP) * (part.height + _GAP) for part in parts)
    widest = max([*(part.width for part in parts), (1.6 * area) ** 0.5])
    places: dict[int, Spot] = {}
    x = y = height = 0.0
    for part in parts:
        if x and x + part.width > widest:
            x, y, height = 0.0, y + height + _GAP, 0.0
        places |= part.moved(x - part.left, y - part.top).spots
        x, height = x + part.width + _GAP, max(height, part.height)
    return [places[node] for node in range(size)]
