"""The options of a connection's SYNs: what was agreed, as far as an outsider can tell. It refuses to know what is done with them.

What a SYN-ACK has was offered to it, whether that SYN was seen or not: so a SYN-ACK alone settles what is agreed.
"""

from dataclasses import dataclass

from netlab.model.wire.half import Half
from netlab.model.wire.segment import Segment

SMALLEST_MSS = 128
_DEFAULT_MSS = {4: 536, 6: 1220}


@dataclass(slots=True)
class Agreed:
    """What both ends agreed on; None where that is not known (the SYN-ACK was not seen, or two of them differ)."""

    stamps: bool | None = None
    scaled: bool | None = None
    simultaneous: bool = False
    fast_open: bool = False


def offer(me: Half, peer: Half, segment: Segment, agreed: Agreed) -> None:
    """Fold in a SYN, or a SYN-ACK, of ``me``."""
    first = me.offered is None
    me.syns.append(segment)
    options = segment.options
    agreed.fast_open = agreed.fast_open or options.fast_open or segment.length > 0
    if not segment.whole:
        agreed.stamps = agreed.scaled = me.scale = peer.scale = None
        return
    bare = any(not one.has_ack for one in me.syns)
    if bare and any(not one.has_ack for one in peer.syns):
        agreed.simultaneous = True
    if first or me.offered is None:
        me.offered = options
    else:
        same = (me.offered.stamps is None, me.offered.scale) == (options.stamps is None, options.scale)
        if segment.has_ack and not bare and not same:
            agreed.stamps = agreed.scaled = me.scale = peer.scale = None
            return
        me.offered = me.offered._replace(
            mss=max(me.offered.mss or 0, options.mss or 0) or None,
            scale=options.scale if me.offered.scale is None else me.offered.scale,
            sack_permitted=me.offered.sack_permitted or options.sack_permitted,
            stamps=me.offered.stamps or options.stamps,
        )
    if agreed.simultaneous and me.offered is not None and peer.offered is not None:
        agreed.stamps = me.offered.stamps is not None and peer.offered.stamps is not None
        agreed.scaled = me.offered.scale is not None and peer.offered.scale is not None
    elif segment.has_ack:
        # What was never offered is a fault, and nobody knows what the ends make of it.
        wrong = unoffered(me, peer, segment, agreed)
        agreed.stamps = None if "timestamps" in wrong else options.stamps is not None
        agreed.scaled = None if "window scale" in wrong else options.scale is not None
    if agreed.scaled is not None:
        for half in (me, peer):
            if half.offered is not None:
                half.scale = min(half.offered.scale or 0, 14) if agreed.scaled else 0


def unoffered(me: Half, peer: Half, segment: Segment, agreed: Agreed) -> list[str]:
    """The options of a SYN-ACK that no SYN of the other end had."""
    if not segment.has_ack or agreed.simultaneous or any(not one.has_ack for one in me.syns):
        return []
    offers = [one.options for one in peer.syns]
    if not offers or not all(one.whole for one in peer.syns):
        return []
    given = segment.options
    pairs = (
        ("window scale", given.scale is not None, any(one.scale is not None for one in offers)),
        ("SACK-permitted", given.sack_permitted, any(one.sack_permitted for one in offers)),
        ("timestamps", given.stamps is not None, any(one.stamps is not None for one in offers)),
    )
    return [name for name, has, had in pairs if has and not had]


def most_payload(peer: Half, version: int) -> int | None:
    """The MSS that ``peer`` announced, or the default; None where its SYN was not seen or the value is too small to be taken."""
    if peer.offered is None or not all(one.whole for one in peer.syns):
        return None
    mss = peer.offered.mss if peer.offered.mss is not None else _DEFAULT_MSS.get(version, 536)
    return mss if mss >= SMALLEST_MSS else None
