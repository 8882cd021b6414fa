"""Packets against patterns: do those seen in a window match, do they so far, or which is the first that does not?

It decides nothing about time-outs or about lost captures: whoever asks says when no more packets are due (``final``).
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import msgspec

from netlab.check.packet_view import view
from netlab.notation.packets import PacketPattern
from netlab.notation.printing import print_packet
from netlab.scenario.spec import PacketsExpected
from netlab.timeline.packet_fields import Difference, differences
from netlab.timeline.streams import SeenPacket, describe, packets_of
from netlab.timeline.timeline import Node, Timeline

_State = tuple[int, int, int]
"""Which pattern is due next, how often it was met, and which packet a named pattern matched last (-1: one before the window)."""


class PacketMatch(msgspec.Struct, frozen=True, kw_only=True):
    """What came of matching. "pending": what was seen fits so far and more is due.

    ``mismatches``, each (field, expected, actual), tell the first packet that differs, as a whole and field by field, or each
    pattern that lacks a packet. ``used`` are the indices, in the timeline's observations, of the packets that were matched,
    ``first_wrong`` that of the one that was not.
    """

    status: Literal["matched", "pending", "mismatch"]
    mismatches: tuple[Difference, ...] = ()
    used: tuple[int, ...] = ()
    first_wrong: int | None = None


class _Window(msgspec.Struct, frozen=True):
    packets: tuple[SeenPacket, ...]
    began: int
    nodes: Mapping[str, Node]
    slack: int

    def since(self, last: int) -> int:
        return self.packets[last].packet.time if last >= 0 else self.began

    def differ(self, pattern: PacketPattern, at: int, last: int) -> tuple[Difference, ...]:
        return differences(pattern, self.packets[at], self.nodes, since=self.since(last), slack=self.slack)


def match(
    expected: PacketsExpected,
    timeline: Timeline,
    start: int = -1,
    end: int | None = None,
    *,
    final: bool = False,
    seen: Sequence[SeenPacket] | None = None,
) -> PacketMatch:
    """Match the packets with ``start < time <= end``. ``seen`` saves decoding again: it is packets_of(timeline.observations).

    With ``final`` no more packets will come: what is still due is a mismatch. An ``after`` bound on a window's first packet counts
    from the last packet in view before the window, or from ``start`` if there was none.
    """
    looked_at = view(expected, packets_of(timeline.observations) if seen is None else seen, timeline.nodes)
    inside = tuple(one for one in looked_at if one.packet.time > start and (end is None or one.packet.time <= end))
    before = [one.packet.time for one in looked_at if one.packet.time <= start]
    window = _Window(inside, before[-1] if before else start, timeline.nodes, timeline.slack)
    judge = _unordered if expected.unordered else _sequence
    return judge(expected.patterns, window, final)


def _used(window: _Window, positions: Sequence[int]) -> tuple[int, ...]:
    return tuple(window.packets[position].index for position in positions)


def _sequence(patterns: tuple[PacketPattern, ...], window: _Window, final: bool) -> PacketMatch:
    # Every way to read the packets so far is kept, as a set of states: `...` and counts make several possible.
    timed = any(pattern.after for pattern in patterns)
    states: set[_State] = {(0, 0, -1)}
    for at in range(len(window.packets)):
        reachable = _closure(states, patterns)
        following: set[_State] = set()
        for due, count, last in reachable:
            if due == len(patterns) or window.differ(patterns[due], at, last):
                continue
            least, most = patterns[due].count
            # Past `least` an unbounded count no longer matters; forgetting it keeps the set small.
            met = count + 1 if most is not None else min(count + 1, least)
            following.add((due, met, at if timed and not patterns[due].any else last))
        if not following:
            mismatches = _differs(patterns, window, at, reachable)
            return PacketMatch(
                status="mismatch",
                mismatches=mismatches,
                used=_used(window, range(at)),
                first_wrong=window.packets[at].index,
            )
        states = following
    used = _used(window, range(len(window.packets)))
    reachable = _closure(states, patterns)
    if any(due == len(patterns) for due, _, _ in reachable):
        return PacketMatch(status="matched", used=used)
    if not final:
        return PacketMatch(status="pending", used=used)
    due, count, _ = max(reachable)
    missing = _missing((at, pattern, count if at == due else 0) for at, pattern in enumerate(patterns) if at >= due)
    return PacketMatch(status="mismatch", mismatches=missing, used=used)


def _closure(states: set[_State], patterns: tuple[PacketPattern, ...]) -> set[_State]:
    """The states, and those reached from them without a packet; a pattern met as often as it may be is left."""
    found: set[_State] = set()
    waiting = list(states)
    while waiting:
        due, count, last = waiting.pop()
        if due == len(patterns):
            found.add((due, count, last))
            continue
        least, most = patterns[due].count
        if count >= least:
            waiting.append((due + 1, 0, last))
        if most is None or count < most:
            found.add((due, count, last))
    return found


def _differs(patterns: tuple[PacketPattern, ...], window: _Window, at: int, reachable: set[_State]) -> tuple[Difference, ...]:
    """What is wrong with the packet at this position, against the nearest of the patterns that were due."""
    number, actual = f"packet {at + 1}", describe(window.packets[at], window.nodes)
    due_now = ((due, window.differ(patterns[due], at, last)) for due, _, last in reachable if due < len(patterns))
    candidates = sorted((len(found), due, found) for due, found in due_now)
    if not candidates:
        return (Difference(number, "no more packets" if patterns else "no packets", actual),)
    _, due, found = candidates[0]
    fields = (Difference(f"{number} {field}", wanted, was) for field, wanted, was in found)
    return (Difference(number, _text(patterns[due]), actual), *fields)


def _text(pattern: PacketPattern) -> str:
    return pattern.text or print_packet(pattern)


def _missing(due: Iterable[tuple[int, PacketPattern, int]]) -> tuple[Difference, ...]:
    return tuple(
        Difference(f"pattern {at + 1}", _text(pattern), f"{met} of {pattern.count[0]}" if met else "none")
        for at, pattern, met in due
        if met < pattern.count[0]
    )


def _unordered(patterns: tuple[PacketPattern, ...], window: _Window, final: bool) -> PacketMatch:
    # All packets can be placed, and all that is due can be filled: then both can at once (Mendelsohn and Dulmage 1958).
    total = len(window.packets)
    fits = [[not window.differ(pattern, at, at - 1) for pattern in patterns] for at in range(total)]
    most = (total if pattern.count[1] is None else min(total, pattern.count[1]) for pattern in patterns)
    places = [kind for kind, count in enumerate(most) for _ in range(count)]
    choices = [[place for place, kind in enumerate(places) if fits[at][kind]] for at in range(total)]
    placed: dict[int, int] = {}
    for at in range(total):
        if not _augment(at, choices, placed, set()):
            room = Counter(places) - Counter(places[place] for place in placed)
            return PacketMatch(
                status="mismatch",
                mismatches=_differs(patterns, window, at, {(kind, 0, at - 1) for kind in room}),
                used=_used(window, range(at)),
                first_wrong=window.packets[at].index,
            )
    used = _used(window, range(total))
    due = [kind for kind, pattern in enumerate(patterns) for _ in range(pattern.count[0])]
    wanting = [[at for at in range(total) if fits[at][kind]] for kind in due]
    filled: dict[int, int] = {}
    empty = [kind for place, kind in enumerate(due) if not _augment(place, wanting, filled, set())]
    if not empty:
        return PacketMatch(status="matched", used=used)
    if not final:
        return PacketMatch(status="pending", used=used)
    missing = _missing((kind, pattern, pattern.count[0] - empty.count(kind)) for kind, pattern in enumerate(patterns))
    return PacketMatch(status="mismatch", mismatches=missing, used=used)


def _augment(one: int, choices: Sequence[Sequence[int]], taken: dict[int, int], tried: set[int]) -> bool:
    """Give ``one`` a place in ``taken`` (place to holder), moving others along where that makes room."""
    for place in choices[one]:
        if place in tried:
            continue
        tried.add(place)
        if place not in taken or _augment(taken[place], choices, taken, tried):
            taken[place] = one
            return True
    return False
