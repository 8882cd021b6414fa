"""Each shape of a graph is seen, and drawn as people draw it."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netlab.report.layout import Item, Spot, Tie, arrange
from netlab.report.stress import distances_from, stress_layout

BOX = Item(width=80, height=40, reach=60)
GROUND = Item(width=80, height=40, reach=60, ground=True)


def placed(number: int, *ties: tuple[int, int], item: Item = BOX) -> list[Spot]:
    return arrange([item] * number, [Tie(a=a, b=b) for a, b in ties])


def levels(spots: list[Spot], axis: int) -> list[int]:
    return sorted({round(spot[axis] or 0) for spot in spots})


def test_nothing_and_one() -> None:
    assert arrange([], []) == []
    assert arrange([BOX], []) == [Spot(40, 20)]


def test_a_path_is_a_row_from_left_to_right() -> None:
    spots = placed(4, (0, 1), (1, 2), (2, 3))
    assert len(levels(spots, 1)) == 1
    assert [spot.x for spot in spots] == sorted(spot.x for spot in spots)


def test_a_long_path_is_folded_and_its_neighbours_stay_neighbours() -> None:
    spots = placed(60, *pairwise(range(60)))
    assert 3 < len(levels(spots, 1)) < 20
    assert all(one.x == other.x or one.y == other.y for one, other in pairwise(spots))
    assert max(math.dist(one[:2], other[:2]) for one, other in pairwise(spots)) < 3 * min(
        math.dist(one[:2], other[:2]) for one, other in pairwise(spots)
    )


def test_three_leaves_hang_below_and_two_stand_on_both_sides() -> None:
    hub, *leaves = placed(4, (0, 1), (0, 2), (0, 3))
    assert all(leaf.y > hub.y for leaf in leaves)
    hub, left, right = placed(3, (0, 1), (0, 2))
    assert left.x < hub.x < right.x


def test_many_leaves_are_spokes_of_a_wheel() -> None:
    hub, *leaves = placed(41, *((0, i) for i in range(1, 41)))
    radii = [math.dist(hub[:2], leaf[:2]) for leaf in leaves]
    assert max(radii) - min(radii) < 0.1
    assert all(leaf.angle is not None for leaf in leaves)
    assert math.isclose(leaves[0].x, hub.x)
    assert leaves[0].y < hub.y


def test_spokes_leave_the_way_to_others_free() -> None:
    spots = placed(42, (0, 1), *((0, i) for i in range(2, 22)), *((1, i) for i in range(22, 42)))
    for hub, other, leaves in ((0, 1, range(2, 22)), (1, 0, range(22, 42))):
        way = math.atan2(spots[other].y - spots[hub].y, spots[other].x - spots[hub].x)
        for leaf in leaves:
            angle = math.atan2(spots[leaf].y - spots[hub].y, spots[leaf].x - spots[hub].x)
            assert abs(math.remainder(angle - way, math.tau)) > 0.2


def test_a_ring_goes_around_with_its_leaves_outside() -> None:
    ties = [(i, (i + 1) % 6) for i in range(6)] + [(i, i + 6) for i in range(6)]
    spots = placed(12, *ties)
    x, y = sum(spot.x for spot in spots[:6]) / 6, sum(spot.y for spot in spots[:6]) / 6
    for node in range(6):
        assert math.dist((x, y), spots[node + 6][:2]) > math.dist((x, y), spots[node][:2]) + 40
    angles = [math.atan2(spot.y - y, spot.x - x) for spot in spots[:6]]
    assert all(0 < (other - one) % math.tau < math.pi for one, other in pairwise(angles))


def test_a_tree_stands_on_its_leaves() -> None:
    ties = [(0, 1), (0, 2), (0, 3), *((1 + i // 3, 4 + i) for i in range(9))]
    spots = placed(13, *ties)
    assert len(levels(spots, 1)) == 3
    assert spots[0].y < spots[1].y < spots[4].y
    for parent, children in ((0, (1, 2, 3)), (1, (4, 5, 6)), (3, (10, 11, 12))):
        assert math.isclose(spots[parent].x, (spots[children[0]].x + spots[children[-1]].x) / 2)


def test_leaves_and_spines_are_layers_over_their_hosts() -> None:
    items = [BOX] * 6 + [GROUND] * 8
    ties = [Tie(a=spine, b=leaf) for spine in (0, 1) for leaf in (2, 3, 4, 5)] + [Tie(a=2 + i // 2, b=6 + i) for i in range(8)]
    spots = arrange(items, ties)
    assert [levels(spots[part], 1) for part in (slice(0, 2), slice(2, 6), slice(6, 14))] == [[each] for each in levels(spots, 1)]


def test_a_grid_comes_out_as_a_grid() -> None:
    side = 4
    ties = [(side * y + x, side * y + x + 1) for y in range(side) for x in range(side - 1)]
    ties += [(side * y + x, side * y + x + side) for y in range(side - 1) for x in range(side)]
    spots = placed(side * side, *ties)
    for a, b in ties:
        dx, dy = abs(spots[a].x - spots[b].x), abs(spots[a].y - spots[b].y)
        assert min(dx, dy) < 0.35 * max(dx, dy), f"{a}-{b} is aslant"


def test_parts_that_are_not_joined_stand_apart() -> None:
    spots = placed(6, (0, 1), (2, 3))
    assert len({(round(spot.x), round(spot.y)) for spot in spots}) == 6
    assert max(levels(spots, 1)) > min(levels(spots, 1))


def test_a_label_has_its_room() -> None:
    near, far = (arrange([BOX, BOX], [Tie(a=0, b=1, width=width, height=10)]) for width in (0, 300))
    assert far[1].x - far[0].x >= 300 + 80
    assert near[1].x - near[0].x < 200


@st.composite
def graphs(draw: st.DrawFn) -> tuple[int, list[tuple[int, int]]]:
    number = draw(st.integers(1, 24))
    nodes = st.integers(0, number - 1)
    return number, draw(st.lists(st.tuples(nodes, nodes), max_size=40))


@given(graphs(), st.booleans())
def test_whatever_the_graph_no_two_boxes_overlap(graph: tuple[int, list[tuple[int, int]]], ground: bool) -> None:
    number, ties = graph
    items = [GROUND if ground and i % 2 else BOX for i in range(number)]
    spots = arrange(items, [Tie(a=a, b=b) for a, b in ties])
    assert len(spots) == number
    boxes = [spot for spot in spots if spot.angle is None]
    for i, one in enumerate(boxes):
        for other in boxes[i + 1 :]:
            assert abs(one.x - other.x) > 79.5 or abs(one.y - other.y) > 39.5, f"{one} and {other}"


@pytest.mark.parametrize("number", [2, 3, 10, 90])
def test_the_stress_of_a_path_is_none(number: int) -> None:
    graph: list[dict[int, float]] = [{} for _ in range(number)]
    for i in range(number - 1):
        graph[i][i + 1] = graph[i + 1][i] = 10.0
    points = stress_layout(graph)
    assert distances_from(graph, 0) == [10.0 * i for i in range(number)]
    for i in range(number):
        assert math.isclose(math.dist(points[0], points[i]), 10.0 * i, abs_tol=0.5 * number)


def test_the_stress_of_a_large_ring_is_a_ring() -> None:
    graph: list[dict[int, float]] = [{(i - 1) % 120: 10.0, (i + 1) % 120: 10.0} for i in range(120)]
    points = stress_layout(graph)
    x, y = (sum(axis) / 120 for axis in zip(*points, strict=True))
    radii = [math.dist((x, y), point) for point in points]
    assert max(radii) < 1.15 * min(radii)
