"""What becomes of a packet that a rule acts on, as a value: which frames go on and how much later, which go back, where it waits.

It sends nothing and waits for nothing: the wire carries a deed out. A packet is changed as it stands in the rule's docstring
(topology/spec.py), and besides:

- "reset" and "icmp" take the packet away: what answers it stands in its place. RSTs are acceptable to a receiver that was waiting
  for just this segment; one that was not answers them with a challenge ACK (RFC 5961, section 3.2).
- "corrupt" of a bit, chosen or random, damages the packet as a wire does, so its checksum tells. A named field is rewritten as a
  middlebox would, for the receiver to read it: the checksums over it are mended, unless it is a checksum itself.
- "truncate" keeps the lengths in the headers: the receiver gets less than they say.
- "mark" sets the ECN field (RFC 3168) of every packet, also of one whose sender does not know ECN; IPv4's checksum is mended.
- An action that a packet gives no hold for (a reset of a UDP datagram, a field that it does not have) leaves it as it came, and
  the deed's ``note`` says so. What may not be answered with an ICMP error (RFC 1122 section 3.2.2) is dropped all the same.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from netlab.impair.distributions import deviation
from netlab.impair.forging import error, resets, why_no_error
from netlab.impair.packet_parts import TCP, bits_of, mended, parts, place_of, with_bits
from netlab.impair.ruling import Ruling
from netlab.topology.networks import Address

__all__ = ["ACTIONS", "Deed", "deed"]

_MARKS = {"not-ect": 0, "ect1": 1, "ect0": 2, "ce": 3}
_TCP_HEADER = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """What is to be done instead of forwarding a packet: ``onward`` go to the receiver, each with a further delay in nanoseconds;
    ``back`` to the sender, at once. With ``hold``, a barrier's name, what is to go onward waits there; with ``overtaken``, it waits
    until so many later packets of its direction have gone. ``note`` says what could not be done, and why.
    """

    onward: tuple[tuple[bytes, int], ...] = ()
    back: tuple[bytes, ...] = ()
    hold: str = ""
    overtaken: int = 0
    note: str = ""


def deed(ruling: Ruling, frame: bytes, *, hop: Sequence[Address] = ()) -> Deed:
    """What a ruling means for a frame. ``hop`` are the addresses of the node that it would reach next, which ICMP errors come from;
    without one in the packet's family, they come from the packet's destination."""
    return ACTIONS[ruling.rule.action](ruling, frame, hop)


def _drop(_ruling: Ruling, _frame: bytes, _hop: Sequence[Address]) -> Deed:
    return Deed()


def _hold(ruling: Ruling, frame: bytes, _hop: Sequence[Address]) -> Deed:
    return Deed(onward=((frame, 0),), hold=ruling.rule.barrier)


def _delay(ruling: Ruling, frame: bytes, _hop: Sequence[Address]) -> Deed:
    rule = ruling.rule

    def drawn() -> int:
        return max(0, rule.delay.ns + deviation(rule.distribution, rule.jitter.ns, ruling.draw("delay")))

    return Deed(onward=((frame, ruling.value("delay", drawn)),))


def _duplicate(ruling: Ruling, frame: bytes, _hop: Sequence[Address]) -> Deed:
    return Deed(onward=((frame, 0),) * (1 + ruling.rule.copies))


def _reorder(ruling: Ruling, frame: bytes, _hop: Sequence[Address]) -> Deed:
    return Deed(onward=((frame, 0),), overtaken=ruling.rule.by)


def _corrupt(ruling: Ruling, frame: bytes, _hop: Sequence[Address]) -> Deed:
    rule, found = ruling.rule, parts(frame)
    bits = (found.end - found.network) * 8
    if not rule.field and bits <= 0:
        return _untouched(frame, "it has nothing but an Ethernet header")
    field = rule.field or f"bit {ruling.value('bit', lambda: int(ruling.draw('bit') * bits))}"
    place = place_of(field, found)
    if place is None:
        return _untouched(frame, f"it has no {field}")
    value = rule.value
    if value is None or not rule.field:
        value = ~bits_of(frame, found, *place)
    return Deed(onward=((mended(frame, with_bits(frame, found, *place, value), found, field), 0),))


def _truncate(ruling: Ruling, frame: bytes, _hop: Sequence[Address]) -> Deed:
    found = parts(frame)
    if found.network + ruling.rule.length >= found.end:
        return _untouched(frame, f"it is no longer than {ruling.rule.length} bytes")
    return Deed(onward=((frame[: found.network + ruling.rule.length], 0),))


def _mark(ruling: Ruling, frame: bytes, _hop: Sequence[Address]) -> Deed:
    found = parts(frame)
    place = place_of("ip.ecn", found)
    if place is None:
        return _untouched(frame, "it is no IP packet")
    marked = with_bits(frame, found, *place, _MARKS[ruling.rule.mark])
    return Deed(onward=((mended(frame, marked, found, "ip.ecn"), 0),))


def _reset(ruling: Ruling, frame: bytes, _hop: Sequence[Address]) -> Deed:
    found = parts(frame)
    if found.protocol != TCP or found.transport + _TCP_HEADER > found.end:
        return _untouched(frame, "it is no TCP segment")
    onward, back = resets(frame, found, ruling.rule.toward)
    return Deed(onward=((onward, 0),) if onward is not None else (), back=(back,) if back is not None else ())


def _icmp(ruling: Ruling, frame: bytes, hop: Sequence[Address]) -> Deed:
    found = parts(frame)
    if reason := why_no_error(frame, found):
        return Deed(note=f"no ICMP error answers it: {reason}")
    answer = error(frame, found, ruling.rule.icmp, mtu=ruling.rule.mtu, hop=hop)
    if answer is None:
        return Deed(note=f"no ICMP error answers it: ICMPv6 has no {ruling.rule.icmp}")
    return Deed(back=(answer,))


def _untouched(frame: bytes, reason: str) -> Deed:
    return Deed(onward=((frame, 0),), note=f"it went on as it came: {reason}")


ACTIONS: Mapping[str, Callable[[Ruling, bytes, Sequence[Address]], Deed]] = {
    "drop": _drop,
    "hold": _hold,
    "delay": _delay,
    "duplicate": _duplicate,
    "reorder": _reorder,
    "corrupt": _corrupt,
    "truncate": _truncate,
    "mark": _mark,
    "reset": _reset,
    "icmp": _icmp,
}
"""What each action of a rule makes of a frame, by its name."""
