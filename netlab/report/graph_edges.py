"""Draws the lines of a graph: their ways between the cards, and their labels where these hide nothing.

It does not know how cards are drawn, only which rectangles they fill.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

__all__ = ["Canvas", "Curve", "Rect", "curve_between"]

_CELL = 160.0
_WAYS = (0.5, 0.42, 0.58, 0.34, 0.66, 0.26, 0.74, 0.2, 0.8)


class Rect(NamedTuple):
    """A rectangle, by its middle and its size."""

    x: float
    y: float
    width: float
    height: float

    def overlap(self, other: "Rect") -> float:
        """The area that both cover."""
        wide = (self.width + other.width) / 2 - abs(self.x - other.x)
        high = (self.height + other.height) / 2 - abs(self.y - other.y)
        return wide * high if wide > 0 and high > 0 else 0.0

    def holds(self, x: float, y: float) -> bool:
        """Whether a point is inside."""
        return abs(x - self.x) < self.width / 2 and abs(y - self.y) < self.height / 2


@dataclass(frozen=True, slots=True)
class Curve:
    """A way from one point to another, bent towards a third (a quadratic curve, straight when that is in the middle)."""

    x1: float
    y1: float
    cx: float
    cy: float
    x2: float
    y2: float

    @property
    def path(self) -> str:
        """As SVG has it."""
        if abs(self.cx - (self.x1 + self.x2) / 2) + abs(self.cy - (self.y1 + self.y2) / 2) < 0.5:
            return f"M{self.x1:.1f} {self.y1:.1f}L{self.x2:.1f} {self.y2:.1f}"
        return f"M{self.x1:.1f} {self.y1:.1f}Q{self.cx:.1f} {self.cy:.1f} {self.x2:.1f} {self.y2:.1f}"

    def at(self, t: float) -> tuple[float, float]:
        """The point at a part of the way, from 0 to 1."""
        a, b, c = (1 - t) ** 2, 2 * t * (1 - t), t * t
        return a * self.x1 + b * self.cx + c * self.x2, a * self.y1 + b * self.cy + c * self.y2

    def visible(self, start: Rect | None, end: Rect | None) -> tuple[float, float]:
        """The part of the way that the rectangles at its ends leave to be seen, from 0 to 1."""
        return (0.0 if start is None else self._leaves(start, 0.0, 1.0)), (1.0 if end is None else self._leaves(end, 1.0, 0.0))

    def _leaves(self, box: Rect, inside: float, outside: float) -> float:
        for _ in range(20):
            middle = (inside + outside) / 2
            if box.holds(*self.at(middle)):
                inside = middle
            else:
                outside = middle
        return outside


def curve_between(a: tuple[float, float], b: tuple[float, float], bend: float = 0.0) -> Curve:
    """The way from a to b, whose middle is so far to the side."""
    (x1, y1), (x2, y2) = a, b
    length = math.hypot(x2 - x1, y2 - y1) or 1.0
    dx, dy = -(y2 - y1) / length * 2 * bend, (x2 - x1) / length * 2 * bend
    return Curve(x1, y1, (x1 + x2) / 2 + dx, (y1 + y2) / 2 + dy, x2, y2)


class Canvas:
    """What is taken on the page: cards and labels, to be hidden by nothing, and the ways of lines."""

    def __init__(self, cards: Iterable[Rect]) -> None:
        self._cells: dict[tuple[int, int], list[Rect]] = {}
        self._points: dict[tuple[int, int], list[tuple[float, float, int]]] = {}
        self.taken: list[Rect] = []
        for card in cards:
            self.take(card)

    def take(self, rect: Rect) -> None:
        """Something stands here from now on."""
        self.taken.append(rect)
        for cell in self._covered(rect):
            self._cells.setdefault(cell, []).append(rect)

    def pass_through(self, number: int, curve: Curve) -> None:
        """A line goes this way."""
        steps = max(2, int(math.hypot(curve.x2 - curve.x1, curve.y2 - curve.y1) / 24))
        for i in range(steps + 1):
            x, y = curve.at(i / steps)
            self._points.setdefault((int(x // _CELL), int(y // _CELL)), []).append((x, y, number))

    def cost(self, rect: Rect, number: int = -1) -> float:
        """How much a label here would hide: what stands there, and other lines."""
        total = 0.0
        for cell in self._covered(rect):
            total += sum(rect.overlap(other) for other in self._cells.get(cell, ()))
            total += 40.0 * sum(of != number and rect.holds(x, y) for x, y, of in self._points.get(cell, ()))
        return total

    def along(self, curve: Curve, part: tuple[float, float], width: float, height: float, number: int) -> Rect:
        """The best place on a line for a label of this size, taken at once."""
        first, last = part
        choices = []
        for way in _WAYS:
            x, y = curve.at(first + (last - first) * way)
            choices.append(Rect(x, y, width, height))
        chosen = min(choices, key=lambda rect: self.cost(Rect(rect.x, rect.y, width + 4, height + 4), number))
        self.take(chosen)
        return chosen

    def near(self, points: Sequence[tuple[float, float]], width: float, height: float) -> Rect:
        """The best place for a label that belongs to several points: free, and not far from their middle."""
        x, y = (sum(axis) / len(points) for axis in zip(*points, strict=True))
        choices = [Rect(x, y, width, height)]
        for ring in range(1, 16):
            for step in range(12):
                angle = math.tau * step / 12
                choices.append(Rect(x + 48 * ring * math.cos(angle), y + 32 * ring * math.sin(angle), width, height))

        def cost(rect: Rect) -> float:
            hidden = self.cost(Rect(rect.x, rect.y, width + 64, height + 56))
            return math.hypot(rect.x - x, 1.5 * (rect.y - y)) + 4 * hidden + 40 * sum(self._met(rect, point) for point in points)

        chosen = min(choices, key=cost)
        self.take(chosen)
        return chosen

    def _met(self, rect: Rect, point: tuple[float, float]) -> int:
        """How much a line from here to a point would be hidden by what stands on its way, the card at that point aside."""
        line = curve_between((rect.x, rect.y), point)
        seen = 0
        for step in range(1, 24):
            x, y = line.at(step / 24)
            around = self._cells.get((int(x // _CELL), int(y // _CELL)), ())
            seen += any(other.holds(x, y) and not other.holds(*point) for other in around)
        return seen

    def _covered(self, rect: Rect) -> Iterable[tuple[int, int]]:
        left, right = int((rect.x - rect.width / 2) // _CELL), int((rect.x + rect.width / 2) // _CELL)
        top, bottom = int((rect.y - rect.height / 2) // _CELL), int((rect.y + rect.height / 2) // _CELL)
        return [(i, j) for i in range(left, right + 1) for j in range(top, bottom + 1)]
