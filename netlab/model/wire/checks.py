"""Every rule's guard: a segment, and what is known when it passes, to a sentence that says how it breaks the rule, or none.

The table at the end says which guards a segment is held against. Guards change nothing; the fold comes after them.
"""

from collections.abc import Callable

from netlab.model.wire.half import SENSIBLE, Half, Mark, later
from netlab.model.wire.opening import Agreed, unoffered
from netlab.model.wire.segment import Segment, ahead

_LARGEST_SCALE = 14


class Step:
    """One segment of ``me`` to ``peer``, and what the connection is. ``complete``: the watch of ``me``'s interface lost nothing."""

    __slots__ = ("agreed", "complete", "me", "peer", "segment")

    def __init__(self, segment: Segment, me: Half, peer: Half, agreed: Agreed, complete: bool) -> None:
        self.segment, self.me, self.peer, self.agreed, self.complete = segment, me, peer, agreed, complete

    @property
    def watched(self) -> bool:
        """Whether one end was watched, so that all that ``peer`` sent was seen, or all that ``me`` received."""
        return self.complete and (self.me.own or self.peer.own)

    @property
    def unsent(self) -> bool:
        """Whether it is certain that ``peer`` sent no more than was seen."""
        return self.watched and self.peer.synchronized

    @property
    def certain(self) -> bool:
        """Whether all that ``me`` can know was seen to arrive there."""
        return self.complete and self.me.own and self.peer.synchronized


def ack_absent(step: Step) -> str:
    """A segment without an acknowledgement that must have one."""
    one = step.segment
    return "" if one.has_ack or one.syn or one.rst else "it has no ACK flag, which only a first SYN or an RST may lack"


def option_outside_syn(step: Step) -> str:
    """An option that belongs in a SYN."""
    given = step.segment.options
    if step.segment.syn or (not given.size and given.mss is None and given.scale is None and not given.sack_permitted):
        return ""
    pairs = (("MSS", given.mss is not None), ("window scale", given.scale is not None), ("SACK-permitted", given.sack_permitted))
    found = [name for name, there in pairs if there]
    return f"it has {' and '.join(found)} without SYN" if found else ""


def option_not_offered(step: Step) -> str:
    """A SYN-ACK's options without an offer."""
    found = unoffered(step.me, step.peer, step.segment, step.agreed)
    return f"its SYN-ACK has {' and '.join(found)}, which the SYN did not offer" if found else ""


def window_scale_large(step: Step) -> str:
    """A shift count that no window can have."""
    scale = step.segment.options.scale
    return f"its SYN has a window scale of {scale}; the largest is {_LARGEST_SCALE}" if scale and scale > _LARGEST_SCALE else ""


def timestamps_not_agreed(step: Step) -> str:
    """Timestamps that one of the SYNs did not have."""
    if step.agreed.stamps is not False or step.segment.stamps is None or step.segment.rst:
        return ""
    return "it has timestamps, which were not agreed on: not both SYNs had them"


def timestamps_missing(step: Step) -> str:
    """No timestamps, though both SYNs had them."""
    one = step.segment
    if not step.agreed.stamps or one.stamps is not None or one.rst or not one.whole or step.peer.zero_stamp:
        return ""
    return "it has no timestamps, though both SYNs had them: they are due in every segment but an RST"


def timestamp_back(step: Step) -> str:
    """A timestamp that is older than that of a segment which was certainly sent before."""
    one, me = step.segment, step.me
    if one.stamps is None or one.rst:
        return ""
    stamp, bound = one.stamps[0], None
    if me.own:
        bound = me.stamp_most
    elif one.ack is not None and me.acks is not None and one.ack >= me.acks:
        bound = later(me.stamp_before, me.stamp) if one.ack > me.acks else me.stamp_before
    if bound is None or ahead(stamp, bound) >= 0:
        steps = me.steps
        if me.own or not one.length or one.seq < me.next or len(steps) < (steps.maxlen or 0) or ahead(stamp, steps[0]) >= 0:
            return ""
        bound = steps[-1]
    return f"its timestamp is {stamp}, but it had sent {bound} before: {ahead(bound, stamp)} ticks back"


def timestamp_echo(step: Step) -> str:
    """An echo of a timestamp that has not been sent."""
    one, most = step.segment, step.peer.stamp_most
    if not step.certain or not one.stamps or not one.has_ack or one.rst or most is None or not one.stamps[1]:
        return ""
    return f"it echoes timestamp {one.stamps[1]}; the latest that it got is {most}" if ahead(one.stamps[1], most) > 0 else ""


def sack_not_permitted(step: Step) -> str:
    """SACK blocks to an end that did not permit any."""
    peer = step.peer
    if not step.segment.options.blocks or peer.offered is None or not all(one.whole for one in peer.syns):
        return ""
    return "" if peer.offered.sack_permitted else "it has SACK blocks, but the other end's SYN did not permit SACK"


def sack_empty(step: Step) -> str:
    """A SACK block that is no range."""
    for left, right in step.segment.options.blocks:
        if ahead(right, left) <= 0:
            return f"its SACK block {left}:{right} is no range: the left edge must be below the right one"
    return ""


def data_too_early(step: Step) -> str:
    """Data of an end that was opened, while its SYN was not acknowledged."""
    one, me = step.segment, step.me
    if not one.length or one.syn or one.rst or step.agreed.fast_open or not step.peer.syns:
        return ""
    if not me.syns or not all(syn.has_ack for syn in me.syns) or (me.acked is not None and me.acked > 0):
        return ""
    return f"it sent {one.length} bytes before its SYN-ACK was acknowledged; they were to wait for that"


def beyond_window(step: Step) -> str:
    """Data beyond the right edge of the largest window that was offered."""
    one, me = step.segment, step.me
    if me.edge is None or not one.length or one.syn or one.rst or one.end <= me.edge or (one.length == 1 and one.seq == me.edge):
        return ""
    shown = me.shown
    return f"it sent bytes up to {shown(one.end)}; the window that it was offered ended at {shown(me.edge)}"


def window_shrunk(step: Step) -> str:
    """A window whose right edge is left of an earlier one's, by more than its scale rounds."""
    one, me = step.segment, step.me
    if one.syn or one.rst or one.ack is None or me.scale is None:
        return ""
    bound = step.peer.edge if me.own else me.offers_before
    if not me.own and me.offers is not None and me.acks is not None and one.ack > me.acks:
        bound = me.offers if bound is None else max(bound, me.offers)
    if bound is None or (me.acks is not None and one.ack < me.acks):
        return ""
    edge = one.ack + (one.window << me.scale)
    if edge + (1 << me.scale) > bound:
        return ""
    shown = step.peer.shown
    return f"the window that it offers ends at {shown(edge)}; it had offered {shown(bound)} before"


def retransmission_differs(step: Step) -> str:
    """Other bytes with numbers that were sent before."""
    one, me = step.segment, step.me
    if not one.length or one.rst or one.seq >= me.next or (one.length == 1 and one.seq == me.next - 1):
        return ""
    at = me.sent.differs(one.seq + one.syn, one.payload)
    return "" if at is None else f"byte {me.shown(at)} of what it sent again is not the byte that it sent before"


def fin_moved(step: Step) -> str:
    """A FIN with another number than one before."""
    one, me = step.segment, step.me
    if not one.fin or me.fin is None or one.rst or one.seq + one.syn + one.length == me.fin:
        return ""
    return f"its FIN has number {me.shown(one.seq + one.length)}; it had sent its FIN as {me.shown(me.fin)}"


def data_after_fin(step: Step) -> str:
    """Data with numbers after the FIN's, in either order of their coming."""
    one, me = step.segment, step.me
    if one.rst:
        return ""
    if me.fin is not None:
        late = one.length and one.seq + one.syn + one.length > me.fin and one.seq < me.fin + SENSIBLE
        return f"it sent bytes up to {me.shown(one.seq + one.length)}; its FIN had number {me.shown(me.fin)}" if late else ""
    if one.fin and (me.sent.end or 0) > one.seq + one.syn + one.length:
        return f"its FIN has number {me.shown(one.seq + one.length)}, but it has sent bytes up to {me.shown(me.sent.end or 0)}"
    return ""


def goes_on(step: Step, mark: Mark | None) -> bool:
    """Whether an end goes on with the connection after it sent what should have been the end of it, or the start of another."""
    return mark is not None and not mark.told and not step.segment.syn and step.me.is_after(mark, step.segment)


def reset_number(step: Step) -> str:
    """A reset whose number its sender has not reached, and which nobody acknowledged."""
    one, me, peer = step.segment, step.me, step.peer
    if not one.rst or not me.synchronized or (not one.raw_seq and one.has_ack) or one.syn:
        return ""
    limit = max(me.reached, peer.acks or 0)
    if one.seq <= limit or not (step.certain or (me.fin is not None and one.seq > me.fin + 1)):
        return ""
    return f"its RST has number {me.shown(one.seq)}; it has sent up to {me.shown(me.reached)}, and nobody acknowledged more"


def urgent_nothing(step: Step) -> str:
    """An urgent pointer to nothing."""
    return "it has URG with an urgent pointer of 0" if "U" in step.segment.flags and not step.segment.headers.urgent else ""


Guard = Callable[[Step], str]

OPENING: tuple[tuple[str, Guard], ...] = (
    ("option-not-offered", option_not_offered),
    ("window-scale-large", window_scale_large),
)
"""What a segment with SYN is held against."""
ALL: tuple[tuple[str, Guard], ...] = (
    ("ack-absent", ack_absent),
    ("option-outside-syn", option_outside_syn),
    ("timestamps-not-agreed", timestamps_not_agreed),
    ("timestamps-missing", timestamps_missing),
    ("timestamp-back", timestamp_back),
    ("timestamp-echo", timestamp_echo),
    ("window-shrunk", window_shrunk),
    ("fin-moved", fin_moved),
    ("data-after-fin", data_after_fin),
    ("urgent-nothing", urgent_nothing),
)
"""What every other segment is held against, but an RST."""
CARRYING: tuple[tuple[str, Guard], ...] = (
    ("data-too-early", data_too_early),
    ("beyond-window", beyond_window),
    ("retransmission-differs", retransmission_differs),
)
"""What a segment with data is held against besides."""
SELECTIVE: tuple[tuple[str, Guard], ...] = (("sack-not-permitted", sack_not_permitted), ("sack-outside", sack_empty))
"""What a segment with SACK blocks is held against besides."""
RESETTING: tuple[tuple[str, Guard], ...] = (
    ("option-outside-syn", option_outside_syn),
    ("reset-number", reset_number),
)
"""What an RST is held against; nothing else is."""
