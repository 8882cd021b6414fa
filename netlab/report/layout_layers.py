"""Arranges graphs that have an above and a below: trees from their middle down, and layers over the ground (hosts, edge, core).

It gives None where a graph is not of that kind. It does not know what boxes mean.
"""

from collections.abc import Sequence
from itertools import pairwise

from netlab.report.layout_clusters import BETWEEN, Cluster, Scene, Spot, cluster_of

_SWEEPS = 12
_MANY = 600
_HIGHEST = 320.0


def tree(scene: Scene, members: Sequence[int], core: Sequence[int]) -> Cluster | None:
    """A tree, its middle on top; None if the graph has a cycle."""
    if sum(len(scene.near[node]) for node in members) != 2 * (len(members) - 1):
        return None
    root = _middle(scene, core)
    depth = {root: 0}
    order = [root]
    children: dict[int, list[int]] = {}
    for node in order:
        children[node] = [other for other in scene.near[node] if other not in depth]
        depth.update((child, depth[node] + 1) for child in children[node])
        order += children[node]
    width: dict[int, float] = {}
    for node in reversed(order):
        below = sum(width[child] for child in children[node])
        width[node] = max(scene.items[node].width + BETWEEN, below)
    left = {root: 0.0}
    centre: dict[int, float] = {}
    for node in order:
        at = left[node] + (width[node] - sum(width[child] for child in children[node])) / 2
        centre[node] = left[node] + width[node] / 2
        for child in children[node]:
            left[child] = at
            at += width[child]
    for node in reversed(order):
        if children[node]:
            centre[node] = (centre[children[node][0]] + centre[children[node][-1]]) / 2
    return _stacked(scene, [[node for node in order if depth[node] == rank] for rank in range(max(depth.values()) + 1)], centre)


def _middle(scene: Scene, core: Sequence[int]) -> int:
    """The node with the shortest longest way to any other; among two, the one with more ties."""
    inside = set(core)
    while len(inside) > 2:
        outer = [node for node in inside if sum(other in inside for other in scene.near[node]) < 2]
        inside.difference_update(outer)
    return max(inside, key=lambda node: (len(scene.near[node]), -node))


def layers(scene: Scene, members: Sequence[int]) -> Cluster | None:
    """Layers by the distance from the ground, the ground below; None if some tie does not join two neighbouring layers."""
    ground = [node for node in members if scene.items[node].ground]
    rank = dict.fromkeys(ground, 0)
    queue = list(ground)
    for node in queue:
        for other in scene.near[node]:
            if other not in rank:
                rank[other] = rank[node] + 1
                queue.append(other)
    top = max(rank.values(), default=0)
    if top < 2 or any(abs(rank[node] - rank[other]) != 1 for node in members for other in scene.near[node]):
        return None
    order = _ordered(scene, [[node for node in members if rank[node] == each] for each in range(top + 1)])
    centre = _centres(scene, order)
    return _stacked(scene, order[::-1], centre)


def _ordered(scene: Scene, ranks: list[list[int]]) -> list[list[int]]:
    """The layers with few crossings: again and again each goes by the mean place of its neighbours, up and down."""
    position = {node: i for nodes in ranks for i, node in enumerate(nodes)}
    best, fewest = [list(nodes) for nodes in ranks], _crossings(scene, ranks, position)
    for sweep in range(_SWEEPS):
        pairs = list(pairwise(ranks)) if sweep % 2 == 0 else list(pairwise(ranks[::-1]))
        for fixed, free in pairs:
            known = set(fixed)
            wanted = {
                node: _mean([position[other] for other in scene.near[node] if other in known], position[node]) for node in free
            }
            free.sort(key=lambda node: (wanted[node], position[node]))
            position.update((node, i) for i, node in enumerate(free))
        if (crossings := _crossings(scene, ranks, position)) < fewest:
            best, fewest = [list(nodes) for nodes in ranks], crossings
    return best


def _crossings(scene: Scene, ranks: Sequence[Sequence[int]], position: dict[int, int]) -> int:
    total = 0
    for lower, upper in pairwise(ranks):
        known = set(upper)
        ends = [end for node in lower for end in sorted(position[other] for other in scene.near[node] if other in known)]
        if len(ends) < _MANY:
            total += sum(right < left for i, left in enumerate(ends) for right in ends[i + 1 :])
    return total


def _mean(numbers: Sequence[float], otherwise: float) -> float:
    return sum(numbers) / len(numbers) if numbers else otherwise


def _centres(scene: Scene, ranks: Sequence[Sequence[int]]) -> dict[int, float]:
    """The ground evenly; above it each layer over what it stands on, and at least over three quarters of the ground."""
    centre: dict[int, float] = {}
    at = 0.0
    for node in ranks[0]:
        centre[node] = at + scene.items[node].width / 2
        at += scene.items[node].width + BETWEEN
    whole = at - BETWEEN
    for lower, nodes in pairwise(ranks):
        known = set(lower)
        wanted = [_mean([centre[other] for other in scene.near[node] if other in known], whole / 2) for node in nodes]
        widths = [scene.items[node].width + BETWEEN for node in nodes]
        places = _apart(wanted, widths)
        if len(nodes) > 1 and places[-1] - places[0] < whole / 2:
            places = [whole * (0.5 + 0.75 * ((i + 0.5) / len(nodes) - 0.5)) for i in range(len(nodes))]
            places = _apart(places, widths)
        centre.update(zip(nodes, places, strict=True))
    return centre


def _apart(wanted: Sequence[float], widths: Sequence[float]) -> list[float]:
    """The places nearest to those wanted that keep the order and do not overlap: neighbours that would, move as one block."""
    offsets = [0.0]
    for one, other in pairwise(widths):
        offsets.append(offsets[-1] + (one + other) / 2)
    blocks: list[list[float]] = []
    for place, offset in zip(wanted, offsets, strict=True):
        blocks.append([place - offset, 1.0])
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            (mean, weight), (other, more) = blocks[-2], blocks.pop()
            blocks[-1] = [(mean * weight + other * more) / (weight + more), weight + more]
    base = [mean for mean, weight in blocks for _ in range(round(weight))]
    return [place + offset for place, offset in zip(base, offsets, strict=True)]


def _slope(scene: Scene, end: int, across: float) -> float:
    """How far apart two layers must be for a tie that goes so far across to miss the box beside the one where it ends."""
    item = scene.items[end]
    return 1.05 * across * item.height / (item.width + 2 * BETWEEN)


def _stacked(scene: Scene, ranks: Sequence[Sequence[int]], centre: dict[int, float]) -> Cluster:
    """The layers one below the other, the first on top, with room for the labels between them."""
    spots: dict[int, Spot] = {}
    y = 0.0
    for i, nodes in enumerate(ranks):
        tallest = max(scene.items[node].height for node in nodes)
        spots.update((node, Spot(centre[node], y + tallest / 2)) for node in nodes)
        if i + 1 < len(ranks):
            below = set(ranks[i + 1])
            ties = [(node, other) for node in nodes for other in scene.near[node] if other in below]
            lower = max(scene.items[node].height for node in below)
            labels = max((scene.staggered(node, other) for node, other in ties), default=0.0)
            slopes = [_slope(scene, end, abs(centre[one] - centre[other])) for one, other in ties for end in (one, other)]
            y += tallest + max(labels, min(max(slopes, default=0.0), _HIGHEST) - (tallest + lower) / 2)
    return cluster_of(scene, spots)
