"""Finds places for the nodes of a graph so that their distances on the page are like those in the graph: stress majorization.

Gansner, Koren, North: Graph Drawing by Stress Majorization (2004); for many nodes the sparse form of Ortmann, Klimenta, Brandes
(2017), which keeps near neighbours and some pivots; it starts from Brandes and Pich's pivot scaling (2006). Nothing is random. It
does not know what nodes look like.
"""

import heapq
import math
from collections.abc import Sequence

Point = tuple[float, float]
Neighbours = Sequence[dict[int, float]]
"""For each node, its neighbours and how long the way to each wants to be."""

_PIVOTS = 24
_NEAR = 16
_WHOLE = 70
_ROUNDS = 120
_STILL = 2e-3


def stress_layout(graph: Neighbours) -> list[Point]:
    """A place for every node of a connected graph."""
    if len(graph) < 2:
        return [(0.0, 0.0)] * len(graph)
    pivots, distances = _pivots(graph, min(len(graph), _PIVOTS))
    points = _scaled(distances, len(graph))
    terms = _all_terms(graph) if len(graph) <= _WHOLE else _sparse_terms(graph, pivots, distances)
    shortest = min(length for near in graph for length in near.values())
    for _ in range(_ROUNDS):
        if _improve(points, terms) < _STILL * shortest:
            break
    return [(x, y) for x, y in points]


def distances_from(graph: Neighbours, source: int) -> list[float]:
    """The length of the shortest way from one node to each."""
    found = [math.inf] * len(graph)
    found[source] = 0.0
    queue = [(0.0, source)]
    while queue:
        length, node = heapq.heappop(queue)
        if length > found[node]:
            continue
        for other, step in graph[node].items():
            if length + step < found[other]:
                found[other] = length + step
                heapq.heappush(queue, (length + step, other))
    return found


def _pivots(graph: Neighbours, number: int) -> tuple[list[int], list[list[float]]]:
    """Nodes far from each other, and every node's distance from each of them."""
    pivots, distances = [0], [distances_from(graph, 0)]
    nearest = list(distances[0])
    while len(pivots) < number:
        pivots.append(max(range(len(graph)), key=lambda node: (nearest[node], -node)))
        distances.append(distances_from(graph, pivots[-1]))
        nearest = [min(pair) for pair in zip(nearest, distances[-1], strict=True)]
    return pivots, distances


def _scaled(distances: Sequence[Sequence[float]], size: int) -> list[list[float]]:
    """Pivot scaling: the two main axes of the doubly centred, squared distances."""
    squared = [[d * d for d in row] for row in distances]
    row_means = [sum(row) / size for row in squared]
    columns = [sum(column) / len(squared) for column in zip(*squared, strict=True)]
    mean = sum(columns) / size
    centred = [[(row_means[i] + columns[j] - d - mean) / 2 for j, d in enumerate(row)] for i, row in enumerate(squared)]
    product = [[sum(a * b for a, b in zip(one, other, strict=True)) for other in centred] for one in centred]
    axes: list[list[float]] = []
    for _ in range(2):
        axes.append(_main_axis(product, axes))
    points = [[sum(axis[i] * row[j] for i, row in enumerate(centred)) for axis in axes] for j in range(size)]
    largest = max(max(abs(x), abs(y)) for x, y in points) or 1.0
    scale = max(map(max, distances)) / (2 * largest)
    # nodes that look alike to all pivots must not start in one place: they would never part
    return [[x * scale + math.cos(2.4 * i), y * scale + math.sin(2.4 * i)] for i, (x, y) in enumerate(points)]


def _main_axis(matrix: Sequence[Sequence[float]], others: Sequence[Sequence[float]]) -> list[float]:
    axis = [math.sin(1.0 + 2.0 * i) for i in range(len(matrix))]
    for _ in range(60):
        for other in others:
            along = sum(a * b for a, b in zip(axis, other, strict=True))
            axis = [a - along * b for a, b in zip(axis, other, strict=True)]
        axis = [sum(a * b for a, b in zip(row, axis, strict=True)) for row in matrix]
        length = math.hypot(*axis)
        if length < 1e-9:
            return [0.0] * len(matrix)
        axis = [each / length for each in axis]
    return axis


Terms = list[list[tuple[int, float, float]]]


def _all_terms(graph: Neighbours) -> Terms:
    """For every node every other: its number, how far it should be, and how much that matters."""
    every = [distances_from(graph, node) for node in range(len(graph))]
    return [[(j, d, 1 / (d * d)) for j, d in enumerate(row) if j != i] for i, row in enumerate(every)]


def _sparse_terms(graph: Neighbours, pivots: Sequence[int], distances: Sequence[Sequence[float]]) -> Terms:
    """For every node its near ones, and the pivots, each weighing as much as the nodes that are near to it."""
    homes = [min(range(len(pivots)), key=lambda p: (distances[p][node], p)) for node in range(len(graph))]
    regions = [homes.count(p) for p in range(len(pivots))]
    terms: Terms = []
    for node in range(len(graph)):
        near = _near(graph, node)
        far = {pivot: distances[p][node] for p, pivot in enumerate(pivots) if pivot != node and pivot not in near}
        weights = {pivot: regions[p] for p, pivot in enumerate(pivots)}
        terms.append([(j, d, 1 / (d * d)) for j, d in near.items()] + [(j, d, weights[j] / (d * d)) for j, d in far.items()])
    return terms


def _near(graph: Neighbours, node: int) -> dict[int, float]:
    near = dict(graph[node])
    for middle, first in graph[node].items():
        for other, second in graph[middle].items():
            if other != node and other not in graph[node] and (other in near or len(near) < _NEAR):
                near[other] = min(near.get(other, math.inf), first + second)
    return near


def _improve(points: list[list[float]], terms: Terms) -> float:
    """Move each node once to where its terms want it; gives the longest move."""
    longest = 0.0
    for node, wanted in enumerate(terms):
        x, y = points[node]
        sum_x = sum_y = total = 0.0
        for other, distance, weight in wanted:
            ox, oy = points[other]
            dx, dy = x - ox, y - oy
            stretch = distance / (math.sqrt(dx * dx + dy * dy) or 1e-9)
            sum_x += weight * (ox + dx * stretch)
            sum_y += weight * (oy + dy * stretch)
            total += weight
        nx, ny = sum_x / total, sum_y / total
        longest = max(longest, abs(nx - x), abs(ny - y))
        points[node][0], points[node][1] = nx, ny
    return longest
