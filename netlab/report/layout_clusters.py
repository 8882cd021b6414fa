"""Arranges the leaves of one box around it: in a row or column beside it, in rows on both sides, or as spokes of a wheel.

It does not know where the box itself stands among others.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

SPOKES = 6
"""With more leaves than this a box among others has them as spokes."""

BETWEEN = 22.0
_LEAST = 52.0
_PITCH = 17.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A box: its size, the length of its label where it is a spoke, and whether it belongs on the ground of a layered picture."""

    width: float
    height: float
    reach: float = 0.0
    ground: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Tie:
    """Two items that are tied, and the room for the label on the tie."""

    a: int
    b: int
    width: float = 0.0
    height: float = 0.0


class Spot(NamedTuple):
    """Where an item's middle is; a spoke also has the direction in which its label points."""

    x: float
    y: float
    angle: float | None = None

    def pointing(self, reach: float) -> tuple[float, float]:
        """Where a spoke's label of this length ends."""
        angle = self.angle or 0.0
        return self.x + reach * math.cos(angle), self.y + reach * math.sin(angle)


class Scene:
    """The items and their ties, by number: ``near`` has each item's neighbours, ``rooms`` what the label between two needs."""

    def __init__(self, items: Sequence[Item], ties: Sequence[Tie]) -> None:
        self.items = items
        self.rooms: dict[tuple[int, int], tuple[float, float]] = {}
        near: list[dict[int, None]] = [{} for _ in items]
        for tie in ties:
            if tie.a != tie.b:
                near[tie.a][tie.b] = near[tie.b][tie.a] = None
                width, height = self.rooms.get((tie.a, tie.b), (0.0, 0.0))
                room = max(width, tie.width), height + tie.height
                self.rooms[tie.a, tie.b] = self.rooms[tie.b, tie.a] = room
        self.near = [sorted(each) for each in near]

    def room(self, a: int, b: int) -> tuple[float, float]:
        """How far apart two tied items must be, edge to edge: beside each other, and one above the other."""
        width, height = self.rooms.get((a, b), (0.0, 0.0))
        return max(width + 1.6 * BETWEEN, _LEAST), max(height + 1.6 * BETWEEN, _LEAST)

    def staggered(self, a: int, b: int) -> float:
        """How far apart two rows must be, edge to edge, where ties beside each other need room for their labels at two heights."""
        return 1.5 * self.room(a, b)[1] if self.rooms.get((a, b), (0.0, 0.0))[0] else self.room(a, b)[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """Items with their places, and the rectangle that they fill."""

    spots: dict[int, Spot]
    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        """From its left to its right."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """From its top to its bottom."""
        return self.bottom - self.top

    def moved(self, x: float, y: float) -> "Cluster":
        """The same elsewhere."""
        spots = {node: Spot(spot.x + x, spot.y + y, spot.angle) for node, spot in self.spots.items()}
        edges = {"left": self.left + x, "right": self.right + x, "top": self.top + y, "bottom": self.bottom + y}
        return replace(self, spots=spots, **edges)


def cluster_of(scene: Scene, spots: dict[int, Spot]) -> Cluster:
    """Items at their places, with the rectangle that they fill."""
    boxes = [_extent(scene.items[node], spot) for node, spot in spots.items()]
    left, top, right, bottom = (list(edge) for edge in zip(*boxes, strict=True))
    return Cluster(spots=spots, left=min(left), top=min(top), right=max(right), bottom=max(bottom))


def _extent(item: Item, spot: Spot) -> tuple[float, float, float, float]:
    if spot.angle is None:
        return spot.x - item.width / 2, spot.y - item.height / 2, spot.x + item.width / 2, spot.y + item.height / 2
    x, y = spot.pointing(item.reach)
    return min(spot.x, x) - 8, min(spot.y, y) - 8, max(spot.x, x) + 8, max(spot.y, y) + 8


def alone(scene: Scene, hub: int) -> Cluster:
    """A box without leaves."""
    return cluster_of(scene, {hub: Spot(0, 0)})


def beside(scene: Scene, hub: int, leaves: Sequence[int], side: str) -> Cluster:
    """The leaves on one side of their box: a column to its left or right, a row above (up) or below (down) it."""
    return cluster_of(scene, {hub: Spot(0, 0)} | _line(scene, hub, leaves, side))


def both_sides(scene: Scene, hub: int, leaves: Sequence[int]) -> Cluster:
    """The first leaf to the left, the others to the right."""
    return cluster_of(scene, {hub: Spot(0, 0)} | _line(scene, hub, leaves[:1], "left") | _line(scene, hub, leaves[1:], "right"))


def rows(scene: Scene, hub: int, leaves: Sequence[int]) -> Cluster:
    """Half of the leaves in a row above the box, half in a row below it."""
    half = (len(leaves) + 1) // 2
    return cluster_of(scene, {hub: Spot(0, 0)} | _line(scene, hub, leaves[:half], "up") | _line(scene, hub, leaves[half:], "down"))


def _line(scene: Scene, hub: int, leaves: Sequence[int], side: str) -> dict[int, Spot]:
    upright = side in ("left", "right")
    sign = -1 if side in ("left", "up") else 1
    spots = {}
    lengths = [(scene.items[leaf].height if upright else scene.items[leaf].width) + BETWEEN for leaf in leaves]
    at = -sum(lengths) / 2
    box = scene.items[hub]
    gap = max((scene.room(hub, leaf)[0] if upright else scene.staggered(hub, leaf) for leaf in leaves), default=0.0)
    if len(leaves) > 1:
        gap = max(gap, _past_corners([scene.items[leaf] for leaf in leaves], upright) - (box.width if upright else box.height) / 2)
    for leaf, length in zip(leaves, lengths, strict=True):
        middle = at + length / 2
        item = scene.items[leaf]
        if upright:
            spots[leaf] = Spot(sign * (box.width / 2 + gap + item.width / 2), middle)
        else:
            spots[leaf] = Spot(middle, sign * (box.height / 2 + gap + item.height / 2))
        at += length
    return spots


def _past_corners(items: Sequence[Item], upright: bool) -> float:
    """How far a line of items must be from where all their ties meet, for the tie of the outermost to miss the one before it."""
    sizes = [(item.height, item.width) if upright else (item.width, item.height) for item in items]
    half = (sum(along + BETWEEN for along, _ in sizes) - sizes[-1][0] - BETWEEN) / 2
    along, across = sizes[-1]
    return 1.15 * half * across / (along + 2 * BETWEEN) - across / 2


def wheel(scene: Scene, hub: int, leaves: Sequence[int], towards: int = 0) -> float:
    """How far from the middle of the box its spokes' ends are, when so many directions are taken by others."""
    box = scene.items[hub]
    circumference = _PITCH * len(leaves) + 90.0 * towards
    return max(circumference / math.tau, math.hypot(box.width, box.height) / 2 + 64.0)


def flower(scene: Scene, hub: int, leaves: Sequence[int], taken: Iterable[float]) -> Cluster:
    """The leaves as spokes all around the box, but not in the directions that are taken."""
    directions = sorted(angle % math.tau for angle in taken)
    radius = wheel(scene, hub, leaves, len(directions))
    angles = _between(directions, len(leaves), 45.0 / radius)
    spots = {leaf: Spot(radius * math.cos(a), radius * math.sin(a), a) for leaf, a in zip(leaves, angles, strict=True)}
    return cluster_of(scene, {hub: Spot(0, 0)} | spots)


def _between(taken: Sequence[float], number: int, margin: float) -> list[float]:
    """So many angles, evenly in what is left of a circle, from the top on clockwise."""
    if not taken:
        return [math.tau * i / number - math.pi / 2 for i in range(number)]
    arcs = []
    for i, angle in enumerate(taken):
        following = taken[i + 1] if i + 1 < len(taken) else taken[0] + math.tau
        if following - angle > 2 * margin:
            arcs.append((angle + margin, following - margin))
    if not arcs:
        return _between((), number, margin)
    total = sum(end - start for start, end in arcs)
    angles: list[float] = []
    passed = 0.0
    for start, end in arcs:
        passed += end - start
        share = round(number * passed / total) - len(angles)
        angles += [start + (end - start) * (i + 0.5) / share for i in range(share)]
    return angles
