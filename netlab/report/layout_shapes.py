"""Arranges boxes with their leaves along a row, in the folds of a long one, around a circle, or by stress where no shape is seen.

It does not know what boxes mean.
"""

import cmath
import math
from collections.abc import Sequence
from itertools import combinations, pairwise

from netlab.report.layout_clusters import BETWEEN, SPOKES, Cluster, Scene, Spot, alone, beside, cluster_of, flower, wheel
from netlab.report.stress import Point, stress_layout

Leaves = dict[int, list[int]]

_LONGEST_ROW = 1800.0
_PAGE = 1.6
_FACTORS = (1.0, 1.15, 1.3, 1.5, 1.8, 2.2)
_ROUNDS = 200
_COMPLETE = 4


def path_of(scene: Scene, core: Sequence[int]) -> list[int] | None:
    """The nodes from one end to the other, if they are a path."""
    inside = set(core)
    near = {node: [other for other in scene.near[node] if other in inside] for node in core}
    ends = [node for node in core if len(near[node]) == 1]
    if len(ends) != 2 or any(len(each) > 2 for each in near.values()):
        return None
    return _walk(near, ends[0])


def ring_of(scene: Scene, core: Sequence[int]) -> list[int] | None:
    """The nodes in the order of their ring, if they are one; or as they come, if everyone is tied to everyone."""
    inside = set(core)
    near = {node: [other for other in scene.near[node] if other in inside] for node in core}
    if all(len(each) == 2 for each in near.values()):
        return _walk(near, core[0])
    complete = len(core) >= _COMPLETE and all(len(each) == len(core) - 1 for each in near.values())
    return list(core) if complete else None


def _walk(near: dict[int, list[int]], start: int) -> list[int]:
    found, seen = [start], {start}
    while fresh := [other for other in near[found[-1]] if other not in seen]:
        found.append(fresh[0])
        seen.add(fresh[0])
    return found


def row(scene: Scene, path: Sequence[int], leaves: Leaves) -> Cluster:
    """A path from left to right, its ends' leaves beyond them; folded where it would be too long."""
    sides = ["left", *["down"] * (len(path) - 2), "right"]
    taken = [(0.0,), *[(0.0, math.pi)] * (len(path) - 2), (math.pi,)]
    parts = [_cluster(scene, hub, leaves, side, angles) for hub, side, angles in zip(path, sides, taken, strict=True)]
    places = [0.0]
    for (hub, part), (other, following) in pairwise(zip(path, parts, strict=True)):
        ties = (scene.items[hub].width + scene.items[other].width) / 2 + scene.room(hub, other)[0]
        places.append(places[-1] + max(ties, part.right - following.left + BETWEEN))
    if places[-1] > _LONGEST_ROW and len(path) > 4:
        return _folded(scene, path, leaves)
    return _joined(scene, [part.moved(x, 0) for part, x in zip(parts, places, strict=True)])


def _folded(scene: Scene, path: Sequence[int], leaves: Leaves) -> Cluster:
    """A long path in rows, to the right and back again, about as wide as a page."""
    plain = [_cluster(scene, hub, leaves, "down", ()) for hub in path]
    room = max(scene.room(one, other)[0] for one, other in pairwise(path))
    high = max(scene.room(one, other)[1] for one, other in pairwise(path))
    wide = max([max(scene.items[hub].width for hub in path) + room, *(part.width + BETWEEN for part in plain[1:-1])])
    tall = sum(part.height for part in plain) / len(plain) + high
    number = max(2, math.ceil(math.sqrt(len(path) * _PAGE * tall / wide)))
    parts: list[Cluster] = []
    below = 0.0
    for first in range(0, len(path), number):
        hubs = path[first : first + number]
        back = (first // number) % 2 == 1
        onward, backward = ("left", "right") if back else ("right", "left")
        line = []
        for column, hub in enumerate(hubs):
            side = onward if column == len(hubs) - 1 else backward if first + column == 0 else "down"
            taken = [0.0, math.pi] if 0 < column < number - 1 else [0.0, math.pi, math.pi / 2, -math.pi / 2]
            x = wide * (number - 1 - column if back else column)
            line.append(_cluster(scene, hub, leaves, side, taken).moved(x, 0.0))
        y = below + high - min(part.top for part in line) if parts else 0.0
        parts += [part.moved(0.0, y) for part in line]
        below = y + max(part.bottom for part in line)
    return _joined(scene, parts)


def circle(scene: Scene, ring: Sequence[int], leaves: Leaves) -> Cluster:
    """A ring, wider than high, its leaves outside; as small as it can be without anything overlapping."""
    step = math.tau / len(ring)
    start = -math.pi / 2 - (step / 2 if len(ring) % 2 == 0 else 0.0)
    angles = [start + step * i for i in range(len(ring))]
    inner = [(angle + math.pi - step / 2, angle + math.pi + step / 2) for angle in angles]
    parts = [_cluster(scene, hub, leaves, _side(angle), taken) for hub, angle, taken in zip(ring, angles, inner, strict=True)]
    radius = 60.0
    while True:
        placed = [part.moved(1.3 * radius * math.cos(a), radius * math.sin(a)) for part, a in zip(parts, angles, strict=True)]
        if _roomy(scene, ring, placed):
            return _joined(scene, placed)
        radius *= 1.04


def _roomy(scene: Scene, ring: Sequence[int], parts: Sequence[Cluster]) -> bool:
    neighbours = [*pairwise(range(len(ring))), (len(ring) - 1, 0)]
    for i, j in neighbours if len(ring) > 40 else combinations(range(len(ring)), 2):
        a, b = parts[i], parts[j]
        if a.left - BETWEEN < b.right and b.left - BETWEEN < a.right and a.top - BETWEEN < b.bottom and b.top - BETWEEN < a.bottom:
            return False
    return all(_clear(scene, ring[i], ring[j], parts[i].spots[ring[i]], parts[j].spots[ring[j]]) for i, j in neighbours)


def _clear(scene: Scene, one: int, other: int, a: Spot, b: Spot) -> bool:
    """Whether what is seen of a tie between two boxes is long enough for its label."""
    dx, dy = abs(a.x - b.x), abs(a.y - b.y)
    length = math.hypot(dx, dy) or 1.0
    wide, high = scene.room(one, other)
    hidden = 0.0
    for item in (scene.items[one], scene.items[other]):
        hidden += min(item.width / 2 * length / dx if dx else math.inf, item.height / 2 * length / dy if dy else math.inf)
    return length - hidden >= min(wide * length / dx if dx else math.inf, high * length / dy if dy else math.inf)


def by_stress(scene: Scene, core: Sequence[int], leaves: Leaves) -> Cluster:
    """Distances on the page like those in the graph, turned so that many ties are level or upright, then pushed apart."""
    number = {node: i for i, node in enumerate(core)}
    sizes = [_footprint(scene, node, leaves.get(node, [])) for node in core]
    graph: list[dict[int, float]] = [{} for _ in core]
    for node in core:
        for other in (other for other in scene.near[node] if other in number):
            i, j = number[node], number[other]
            graph[i][j] = sizes[i] + sizes[j] + sum(scene.room(node, other)) / 2
    points = _turned(stress_layout(graph), graph)
    parts = []
    for i, node in enumerate(core):
        x, y = points[i]
        towards = [math.atan2(points[j][1] - y, points[j][0] - x) for j in graph[i]]
        parts.append(_cluster(scene, node, leaves, _free_side(towards), towards))
    for factor in _FACTORS:  # a larger drawing keeps its shape, which pushing does not
        placed = [part.moved(factor * x, factor * y) for part, (x, y) in zip(parts, points, strict=True)]
        if not _Pushing(placed).once():
            break
    else:
        placed = _Pushing(placed).moved()
    return _joined(scene, placed)


def _footprint(scene: Scene, node: int, leaves: Sequence[int]) -> float:
    """About how far a box with its leaves reaches from its middle."""
    if len(leaves) > SPOKES:
        return wheel(scene, node, leaves) + max(scene.items[leaf].reach for leaf in leaves)
    part = beside(scene, node, leaves, "down") if leaves else alone(scene, node)
    return (part.width + part.height) / 4


def _turned(points: Sequence[Point], graph: Sequence[dict[int, float]]) -> list[Point]:
    ties = [(i, j) for i, near in enumerate(graph) for j in near if i < j]
    best, most = list(points), -math.inf
    for degrees in range(0, 180, 5):
        turn = complex(math.cos(math.radians(degrees)), math.sin(math.radians(degrees)))
        turned = [complex(x, y) * turn for x, y in points]
        level = sum(math.cos(4 * math.atan2((turned[i] - turned[j]).imag, (turned[i] - turned[j]).real)) for i, j in ties)
        wide = max(p.real for p in turned) - min(p.real for p in turned)
        high = max(p.imag for p in turned) - min(p.imag for p in turned)
        score = level / len(ties) + min(wide / (high or 1.0), 2.0)
        if score > most + 1e-6:
            best, most = [(p.real, p.imag) for p in turned], score
    lean = sum(cmath.exp(4j * cmath.phase(complex(*best[i]) - complex(*best[j]))) for i, j in ties) / len(ties)
    if abs(lean) > 0.5:
        upright = cmath.exp(-0.25j * cmath.phase(lean))
        best = [((complex(x, y) * upright).real, (complex(x, y) * upright).imag) for x, y in best]
    # the first node stands to the upper left of the middle
    flip_x = -1 if best[0][0] > sum(x for x, _ in best) / len(best) else 1
    flip_y = -1 if best[0][1] > sum(y for _, y in best) / len(best) else 1
    return [(flip_x * x, flip_y * y) for x, y in best]


def _free_side(towards: Sequence[float]) -> str:
    """The side on which the fewest ties lead away."""
    sides = {"right": 0.0, "down": math.pi / 2, "left": math.pi, "up": -math.pi / 2}

    def nearest(side: str) -> float:
        return min((abs((angle - sides[side] + math.pi) % math.tau - math.pi) for angle in towards), default=math.pi)

    return max(sides, key=lambda side: (round(nearest(side), 3), side in ("left", "right")))


class _Pushing:
    """Clusters while they are moved apart: two that overlap, along the axis on which they overlap less."""

    def __init__(self, parts: Sequence[Cluster]) -> None:
        self._parts = parts
        self._x = [(part.left + part.right) / 2 for part in parts]
        self._y = [(part.top + part.bottom) / 2 for part in parts]
        self._wide = [(part.width + BETWEEN) / 2 for part in parts]
        self._high = [(part.height + BETWEEN) / 2 for part in parts]

    def moved(self) -> list[Cluster]:
        """The clusters where they overlap no more."""
        before = list(zip(self._x, self._y, strict=True))
        for _ in range(_ROUNDS):
            if not self.once():
                break
        after = zip(self._x, self._y, strict=True)
        shifts = [(x - was_x, y - was_y) for (x, y), (was_x, was_y) in zip(after, before, strict=True)]
        return [part.moved(x, y) for part, (x, y) in zip(self._parts, shifts, strict=True)]

    def once(self) -> int:
        """Push every two that overlap; gives how many there were."""
        found = 0
        xs, ys, wide, high = self._x, self._y, self._wide, self._high
        order = sorted(range(len(xs)), key=lambda i: xs[i] - wide[i])
        for at, i in enumerate(order):
            for j in order[at + 1 :]:
                if xs[j] - wide[j] >= xs[i] + wide[i]:
                    break
                dx, dy = xs[j] - xs[i], ys[j] - ys[i]
                across, down = wide[i] + wide[j] - abs(dx), high[i] + high[j] - abs(dy)
                if across <= 0.5 or down <= 0.5:
                    continue
                found += 1
                if across < down:
                    shift = across / 2 if dx >= 0 else -across / 2
                    xs[i] -= shift
                    xs[j] += shift
                else:
                    shift = down / 2 if dy >= 0 else -down / 2
                    ys[i] -= shift
                    ys[j] += shift
        return found


def _cluster(scene: Scene, hub: int, leaves: Leaves, side: str, taken: Sequence[float]) -> Cluster:
    mine = leaves.get(hub, [])
    if not mine:
        return alone(scene, hub)
    return flower(scene, hub, mine, taken) if len(mine) > SPOKES else beside(scene, hub, mine, side)


def _side(angle: float) -> str:
    if abs(math.cos(angle)) > 0.6:
        return "right" if math.cos(angle) > 0 else "left"
    return "down" if math.sin(angle) > 0 else "up"


def _joined(scene: Scene, parts: Sequence[Cluster]) -> Cluster:
    return cluster_of(scene, {node: spot for part in parts for node, spot in part.spots.items()})
