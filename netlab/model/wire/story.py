"""A connection in words: how it was opened, what was sent each way, how it ended. It judges nothing."""

from collections.abc import Iterator

from netlab.model.wire.connection import Live
from netlab.model.wire.half import Half
from netlab.timeline.observations import Address


def name(address: Address) -> str:
    """An end as it is written: 10.0.0.1:80, [fd00::1]:80."""
    host, port = address[0], address[1]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def story(live: Live) -> Iterator[str]:
    """A sentence each."""
    one, other = live.halves
    yield _opening(live, one, other)
    for me in live.halves:
        if me.data or me.segments:
            yield _sent(me)
    yield _closing(live)


def _opening(live: Live, one: Half, other: Half) -> str:
    if not one.syns and not other.syns:
        return "it was open before the capture began" if one.data or other.data or not _reset(live) else "only its end was seen"
    if live.agreed.simultaneous:
        return "both ends opened it at once"
    asked = next((me for me in live.halves if any(not syn.has_ack for syn in me.syns)), None)
    answered = next((me for me in live.halves if any(syn.has_ack for syn in me.syns)), None)
    if answered is None:
        tries = sum(len(me.syns) for me in live.halves)
        end = "was refused" if other.reset is not None else "was not answered"
        return f"{name((asked or one).address)} sent SYN{f' {tries} times' if tries > 1 else ''}, which {end}"
    if asked is None:
        return f"{name(answered.address)} answered a SYN that was not seen"
    done = asked.acks is not None and asked.acks > 0
    options = [
        word
        for word, there in (
            ("timestamps", live.agreed.stamps),
            ("window scale", live.agreed.scaled),
            ("SACK", asked.offered and answered.offered and asked.offered.sack_permitted and answered.offered.sack_permitted),
        )
        if there
    ]
    agreed = f"; agreed on {', '.join(options)}" if options else ""
    rest = "SYN, SYN-ACK, ACK" if done else "SYN, SYN-ACK; no ACK was seen"
    return f"{name(asked.address)} opened it: {rest}{agreed}"


def _sent(me: Half) -> str:
    again = f", {_many(me.again, 'segment')} again" if me.again else ""
    stopped = f", offered no window {_times(me.window_zero)}" if me.window_zero else ""
    return f"{name(me.address)} sent {_many(me.data, 'byte')} in {_many(me.segments, 'segment')}{again}{stopped}"


def _closing(live: Live) -> str:
    one, other = live.halves
    resets = [name(me.address) for me in live.halves if me.reset is not None]
    if resets:
        return f"{' and '.join(resets)} reset it"
    closed = [me for me in live.halves if me.fin is not None]
    if not closed:
        return "it was not closed while it was seen"
    if len(closed) == 1:
        me = closed[0]
        told = me.acked is not None and me.fin is not None and me.acked > me.fin
        return f"{name(me.address)} sent FIN{', which was acknowledged' if told else ''}; the other end did not"
    after = [me for me, peer in ((one, other), (other, one)) if _answers(me, peer)]
    done = all(me.acked is not None and me.fin is not None and me.acked > me.fin for me in closed)
    rest = "" if done else "; not every FIN was seen to be acknowledged"
    if len(after) == 1:
        first = other if after[0] is one else one
        return f"{name(first.address)} closed it first, then {name(after[0].address)}{rest}"
    return f"both ends closed it at once{rest}"


def _answers(me: Half, peer: Half) -> bool:
    return me.fin_after is not None and peer.fin is not None and me.fin_after > peer.fin


def _reset(live: Live) -> bool:
    return any(me.reset is not None for me in live.halves)


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
