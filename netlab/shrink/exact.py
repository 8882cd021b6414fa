"""Turns decisions into rules that decide the same about the same packets in any run, with nothing left to chance.

A rule names its packet by what people look for: flags and a count, ``{match: S., nth: 2}``; the byte of the stream for data that is
sent for the first time; else sequence number and length. It does not know who tries them.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from netlab.notation.packets import PacketPattern
from netlab.notation.printing import print_packet
from netlab.shrink.clauses import Clause
from netlab.shrink.passing import Passing, kind_of, ordinal
from netlab.timeline.observations import Decision
from netlab.timeline.streams import SeenPacket, packets_of
from netlab.timeline.timeline import Timeline
from netlab.topology.spec import PARAMETERS, Link, Rule
from netlab.units import Duration

_DRAWN = ("jitter", "distribution")
"""What a decision has drawn already: its delay is the one that was."""
_FIRST_SENT = re.compile(r" data (\d+) 1$")
"""The end of a packet's key (netlab.impair.packet_keys) where it is the first to carry a byte of its stream."""
_USUAL: Mapping[str, object] = {"copies": 1, "value": None, "mtu": 0, "delay": Duration(0), "field": "", "toward": "both"}
"""What is the same when it is not written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exact:
    """A decision as a rule's data, the direction and the link (its index) that it is for, and in words what it does."""

    direction: str
    link: int
    rule: dict[str, Any]
    said: Clause


def about_packets(decisions: Iterable[Decision]) -> tuple[Decision, ...]:
    """Those that are about single packets: what became of a packet later, or of a whole link, is none."""
    return tuple(one for one in decisions if one.action in PARAMETERS and one.direction)


def exact(
    decisions: Iterable[Decision], timeline: Timeline, links: Sequence[Link], rules: Iterable[Rule], *, by_byte: bool = True
) -> tuple[Exact, ...]:
    """The decisions of a run as rules, each with its words. ``timeline`` is that run's, ``links`` its topology's, and ``rules``
    decided. Without ``by_byte`` data is named by its place among segments that are alike, too.

    A decision whose packet is not to be found keeps its rule's pattern and occurrence.
    """
    by_place = {str(rule.place): rule for rule in rules}
    by_name = {link.name: index for index, link in enumerate(links)}
    seen = packets_of(timeline.observations)
    passing: dict[tuple[str, str], Passing] = {}
    found: list[Exact] = []
    for decision in about_packets(decisions):
        index = by_name.get(decision.link)
        if index is None:
            continue
        way = decision.link, decision.direction
        if way not in passing:
            passing[way] = Passing.of(timeline, links[index], decision.direction, seen)
        rule = by_place.get(decision.place)
        at = passing[way].decided(decision)
        which = _as_counted(decision, rule) if at is None else _which(passing[way], at, decision.key if by_byte else "")
        parameters = _parameters(decision, rule)
        found.append(
            Exact(
                direction=decision.direction,
                link=index,
                rule={**which, "action": decision.action, **parameters},
                said=_clause(passing[way], at, decision, parameters),
            )
        )
    return tuple(found)


def _as_counted(decision: Decision, rule: Rule | None) -> dict[str, Any]:
    """The words of the rule, and which of those that they mean; what quantities leave to chance means all."""
    match = "..." if rule is None else rule.match.text or print_packet(rule.match)
    narrowed = {} if rule is None or not rule.filter else {"filter": rule.filter}
    return {"match": match, **narrowed, "nth": decision.occurrence}


def _which(passing: Passing, index: int, key: str) -> dict[str, Any]:
    """The match of a packet, and which of those that match it is."""
    first_sent = _FIRST_SENT.search(key)
    if first_sent is not None and passing.streams() == 1:
        return {"match": "tcp", "byte": int(first_sent[1])}
    one = passing.packets[index]
    pattern = _pattern(one)
    return {"match": print_packet(pattern), "nth": passing.occurrence(pattern, index)}


def _pattern(one: SeenPacket) -> PacketPattern:
    headers, numbers = one.headers, one.numbers
    if headers.protocol != "tcp":
        fields = (("type", headers.type),) if headers.protocol in ("icmp", "icmp6") and headers.type is not None else ()
        known = headers.protocol in ("udp", "icmp", "icmp6", "arp")
        return PacketPattern(protocol=headers.protocol, fields=fields) if known else PacketPattern(any=True, count=(0, None))
    flags = frozenset(headers.flags) - {"e"}
    kind = kind_of(one)
    if kind == "data" and numbers.seq is not None:
        return PacketPattern(protocol="tcp", fields=(("seq", numbers.seq), ("len", headers.length)))
    if kind == "ACK" and numbers.ack is not None:
        return PacketPattern(protocol="tcp", flags=flags, fields=(("ack", numbers.ack), ("len", 0)))
    return PacketPattern(protocol="tcp", flags=flags)


def _parameters(decision: Decision, rule: Rule | None) -> dict[str, Any]:
    found: dict[str, Any] = {}
    values = decision.values
    for name in PARAMETERS[decision.action]:
        if name in _DRAWN:
            continue
        value: object = getattr(rule, name) if rule is not None else _USUAL.get(name)
        if name == "barrier":
            value = decision.barrier or value
        elif name == "delay" and "delay" in values:
            value = Duration(values["delay"])
        elif name == "field" and "bit" in values and not value:
            value = f"bit {values['bit']}"
        elif name in values:
            value = values[name]
        if name == "by":
            value = max(1, int(str(value or 1)))  # quantities make a packet overtake those delayed before it, as many as there are
        if value is None or value == _USUAL.get(name):
            continue
        found[name] = exact_text(value) if isinstance(value, Duration) else value
    return found


def exact_text(duration: Duration) -> str:
    """A duration in its largest whole unit, so that nothing of it is lost."""
    for unit, size in (("s", 10**9), ("ms", 10**6), ("us", 10**3)):
        if duration.ns and duration.ns % size == 0:
            return f"{duration.ns // size}{unit}"
    return f"{duration.ns}ns"


def _clause(passing: Passing, at: int | None, decision: Decision, parameters: Mapping[str, Any]) -> Clause:
    """What was decided, as a clause."""
    one = passing.named(at) if at is not None else f"the {ordinal(decision.occurrence)} packet {decision.rule}"
    match decision.action:
        case "drop":
            return _is(one, "lost")
        case "hold":
            return _is(one, f"held until {parameters.get('barrier', 'its barrier')} is released")
        case "delay":
            return _is(one, f"late by {parameters.get('delay', 'its delay')}")
        case "duplicate":
            copies = int(parameters.get("copies", 1))
            often = "twice" if copies == 1 else f"{copies + 1} times"
            return Clause((one,), f"arrives {often}", f"arrive {often}")
        case "reorder":
            return _overtaken(passing, at, one, int(parameters.get("by", 1)))
        case "corrupt":
            return _is(one, f"corrupted ({parameters.get('field', 'a bit')})")
        case "truncate":
            return _is(one, f"cut to {parameters.get('length', 0)} bytes")
        case "mark":
            return _is(one, f"marked {str(parameters.get('mark', 'ce')).upper()}")
        case "reset":
            toward = parameters.get("toward", "both")
            return _is(one, f"followed by a forged RST to {'both ends' if toward == 'both' else f'the {toward}'}")
        case _:
            return _is(one, f"answered by the ICMP error {parameters.get('icmp', '')}".rstrip())


def _is(one: str, what: str) -> Clause:
    return Clause((one,), f"is {what}", f"are {what}")


def _overtaken(passing: Passing, at: int | None, one: str, by: int) -> Clause:
    later = [] if at is None else [passing.named(other) for other in passing.later(at, by)]
    if at is None or not later:
        return _is(one, f"overtaken by {'the packet' if by == 1 else f'{by} packets'} sent after it")
    whose = f"{passing.whose(at)} "
    its = f"its {one.removeprefix(whose)}" if one.startswith(whose) and later[0].startswith(whose) else one
    return Clause(tuple(later), f"overtakes {its}", f"overtake {its}")
