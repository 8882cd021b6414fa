"""Prints what is done to packets in the words of a topology's file: rules and quantities, as one mapping on one line; round trips.

It does not know what they do.
"""

from collections.abc import Iterator, Sequence

from netlab.notation.printing import print_packet
from netlab.topology.spec import PARAMETERS, Rule, Shape, Topology
from netlab.units import Duration

__all__ = ["print_round_trips", "print_rule", "print_shape"]

_NONE = Duration(0)
_RATES = (("gbit", 10**9), ("mbit", 10**6), ("kbit", 10**3))
_DEFAULTS = {"jitter": _NONE, "distribution": "uniform", "field": "", "value": None, "mtu": 0}
"""What need not be said of an action: it is so if nobody says otherwise."""


def print_rule(rule: Rule) -> str:
    """A rule, without what it does not say.

    >>> from netlab.errors import Place
    >>> from netlab.notation.parse import parse_packet
    >>> print_rule(Rule(match=parse_packet("S."), action="drop", occurrences=frozenset({2}), place=Place("x", 1, 1)))
    '{match: S., nth: 2, action: drop}'
    """
    match = rule.match.text or print_packet(rule.match)
    pattern = [("match", _text(match))] if match != "..." else []
    return _mapping([*pattern, *_which(rule), ("action", rule.action), *_what(rule)])


def print_shape(shape: Shape) -> str:
    """Quantities, without those that are not there.

    >>> from netlab.errors import Place
    >>> print_shape(Shape(delay=Duration(10_000_000), jitter=Duration(0), loss=0.01, rate=10**7, place=Place("x", 1, 1)))
    '{delay: 10ms, loss: 1%, rate: 10mbit}'
    """
    times = [(name, _time(time)) for name in ("delay", "jitter") if (time := getattr(shape, name)) != _NONE]
    shares = [(name, _share(share)) for name in ("loss", "duplicate", "corrupt", "reorder") if (share := getattr(shape, name))]
    rate = [("rate", _rate(shape.rate))] if shape.rate else []
    limit = [("limit", str(shape.limit))] if shape.limit else []
    seed = [("seed", str(shape.seed))] if shape.seed is not None else []
    return _mapping([*times, *shares, *rate, *limit, *seed])


def print_round_trips(topology: Topology) -> Iterator[str]:
    """What the delays of links come to, there and back, of those links that have any: in files they are one way."""
    for link in topology.links:
        if link.round_trip != _NONE:
            ways = [f"{a}->{b} {_time(shape.delay)}" for (a, b), shape in link.shapes if shape.delay != _NONE]
            yield f"{link.name}: a round trip takes {_time(link.round_trip)} ({', '.join(ways)})"


def _which(rule: Rule) -> Iterator[tuple[str, str]]:
    if rule.filter:
        yield "filter", _text(rule.filter)
    if rule.occurrences:
        numbers = sorted(rule.occurrences)
        yield "nth", str(numbers[0]) if len(numbers) == 1 else f"[{', '.join(map(str, numbers))}]"
    if rule.every:
        yield "every", str(rule.every)
    if rule.first > 1 or rule.last:
        yield "range", f"{rule.first}-{rule.last or ''}"
    if rule.byte is not None:
        yield "byte", str(rule.byte)
    if rule.chance < 1:
        yield "chance", _share(rule.chance)
    if rule.seed is not None:
        yield "seed", str(rule.seed)
    if rule.since is not None or rule.until is not None:
        yield "window", "-".join(_time(time) if time is not None else "" for time in (rule.since, rule.until))
    if rule.before:
        yield "before", _text(rule.before)
    if rule.during:
        yield "during", "{" + ", ".join(f"{socket}: {state}" for socket, state in rule.during) + "}"


def _what(rule: Rule) -> Iterator[tuple[str, str]]:
    for name in PARAMETERS[rule.action]:
        value = getattr(rule, name)
        if name not in _DEFAULTS or value != _DEFAULTS[name]:
            yield name, _time(value) if isinstance(value, Duration) else _text(str(value))


def _mapping(pairs: Sequence[tuple[str, str]]) -> str:
    return "{" + ", ".join(f"{name}: {value}" for name, value in pairs) + "}"


def _text(text: str) -> str:
    """A text as YAML has it: in quotes where it would be something else without."""
    words = bool(text) and text[0] not in "->" and text == text.strip() and text != "..."
    plain = words and all(letter.isalnum() or letter in " ._-/>" for letter in text)
    return text if plain else "'" + text.replace("'", "''") + "'"


def _time(time: Duration) -> str:
    """A length of time, exactly."""
    for unit, size in (("min", 60 * 10**9), ("s", 10**9), ("ms", 10**6), ("us", 10**3)):
        if time.ns and time.ns % size == 0:
            return f"{time.ns // size}{unit}"
    return f"{time.ns}ns" if time.ns else "0s"


def _share(share: float) -> str:
    return f"{share * 100:.10g}%"


def _rate(bits: int) -> str:
    return next((f"{bits // size}{unit}" for unit, size in _RATES if bits % size == 0), f"{bits}bit")
