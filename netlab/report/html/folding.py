"""Folds runs of happenings that are alike into one row each, so that a long timeline stays readable; nothing is thrown away.

What stands out (a SYN, a FIN, a RST, a decision, an error, a state, where a verdict failed) is never inside a run of what is
alike. Where there is still too much, all that is far from any failure and from both ends is folded in blocks. It knows no page.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from netlab.report.graph import count
from netlab.report.html.happening import Happening

__all__ = ["Fold", "Part", "folded"]

_RUN = 8
"""So many alike are folded, and no fewer."""
_BEFORE, _AFTER = 2, 1
"""So many of a run stay in sight."""
_BESIDE = 6
"""So many on each side of where a verdict failed stay in sight."""
_MANY = 240
"""So many rows are shown at most, folds included, as long as that is possible."""
_NEAR = 40
_BLOCK = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Fold:
    """Several happenings as one row: ``text`` says what they are."""

    inside: tuple[Happening, ...]
    text: str


Part = Happening | Fold


def folded(shown: Sequence[Happening], marked: Collection[int]) -> tuple[Part, ...]:
    """The rows of a ladder; nothing that is ``marked`` is folded."""
    parts = tuple(_runs(shown, marked))
    return parts if len(parts) <= _MANY else tuple(_blocks(parts, marked))


def is_marked(one: Happening, marked: Collection[int]) -> bool:
    """Whether this is where a verdict failed."""
    return one.index in marked or any(index in marked for index in one.covers)


def _runs(shown: Sequence[Happening], marked: Collection[int]) -> Iterator[Part]:
    run: list[Happening] = []
    places = [at for at, one in enumerate(shown) if is_marked(one, marked)]
    near = {place for at in places for place in range(at - _BESIDE, at + _BESIDE + 1)}
    for at, one in enumerate(shown):
        if one.alike and at not in near:
            run.append(one)
            continue
        yield from _run(run)
        run = []
        yield one
    yield from _run(run)


def _run(run: list[Happening]) -> Iterator[Part]:
    """One run, cut where a call has its other half outside of it: that would be a bar without a beginning or an end."""
    halves = Counter(one.started for one in run if one.kind in ("call", "return") and len(one.covers) == 1)
    piece: list[Happening] = []
    for one in run:
        if len(one.covers) == 1 and halves[one.started] == 1 and one.kind in ("call", "return"):
            yield from _shortened(piece)
            yield one
            piece = []
        else:
            piece.append(one)
    yield from _shortened(piece)


def _shortened(run: list[Happening]) -> Iterator[Part]:
    if len(run) < _RUN + _BEFORE + _AFTER:
        yield from run
        return
    first, last = _whole(run, _BEFORE), len(run) - _whole(run[::-1], _AFTER)
    yield from run[:first]
    yield from _fold(run[first:last])
    yield from run[last:]


def _whole(run: Sequence[Happening], least: int) -> int:
    """At how many from its beginning a run is best cut: after ``least``, or a few more where that leaves no call cut in two."""
    for number in range(least, least + 5):
        halves = Counter(one.started for one in run[:number] if one.kind in ("call", "return") and len(one.covers) == 1)
        if all(half == 2 for half in halves.values()):
            return number
    return least


def _blocks(parts: Sequence[Part], marked: Collection[int]) -> Iterator[Part]:
    """Fold what is neither near a mark nor near an end."""
    places = [at for at, part in enumerate(parts) if isinstance(part, Happening) and is_marked(part, marked)]
    near = {*range(_NEAR), *range(len(parts) - _NEAR, len(parts))}
    for at in places[:3]:
        near |= set(range(at - _NEAR, at + _NEAR // 2))
    block: list[Happening] = []
    for at, part in enumerate(parts):
        if at not in near:
            block += part.inside if isinstance(part, Fold) else [part]
            continue
        yield from _fold(block)
        block = []
        yield part
    yield from _fold(block)


def _fold(inside: list[Happening]) -> Iterator[Fold]:
    for first in range(0, len(inside), _BLOCK):
        block = tuple(inside[first : first + _BLOCK])
        yield Fold(inside=block, text=" · ".join(_said(block)))


def _said(block: Iterable[Happening]) -> Iterator[str]:
    """How many of what: "34 data client → server, 49,232 bytes"."""
    numbers: Counter[tuple[str, ...]] = Counter()
    sizes: Counter[tuple[str, ...]] = Counter()
    for one in block:
        key = one.alike or _key(one)
        numbers[key] += one.kind != "return"
        sizes[key] += one.size
    for key, number in numbers.most_common(4):
        if not number:
            continue
        match key:
            case ("event", *_):
                yield f"{number} × what processes do"
            case ("call", host, name):
                yield f"{host}: {number} × {name}()"
            case (what, source, target):
                size = f", {sizes[key]:,} bytes" if sizes[key] else ""
                yield f"{number} × {what} {source} → {target}{size}"
            case _:
                yield f"{number} × {' '.join(key)}"
    rest = sum(number for _, number in numbers.most_common()[4:])
    if rest:
        yield f"{rest} more"


def _key(one: Happening) -> tuple[str, ...]:
    if one.kind == "packet" and one.hop is not None:
        return ("packet", one.hop.source, one.hop.target)
    if one.kind in ("call", "return"):
        return ("call", one.host, one.text.partition("(")[0].split()[-1])
    return (count(1, {"state": "state change"}.get(one.kind, one.kind)).removeprefix("1 "),)
