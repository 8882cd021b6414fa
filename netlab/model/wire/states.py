"""The states of RFC 9293 that an end may be in, as an outsider infers them from what passed. A state is a set: nobody guesses.

It leaves out that an end may have given up without a word (a timeout, a crash): that is never seen.
"""

from netlab.model.wire.half import Half

_FROM_CLOSING: tuple[tuple[bool, bool, bool, bool, frozenset[str]], ...] = (
    # its FIN was acknowledged, the other's FIN passed, it acknowledged that, it did so before its own FIN
    (False, False, False, False, frozenset({"FIN-WAIT-1"})),
    (True, False, False, False, frozenset({"FIN-WAIT-1", "FIN-WAIT-2"})),
    (False, True, False, False, frozenset({"FIN-WAIT-1", "CLOSING"})),
    (True, True, False, False, frozenset({"FIN-WAIT-1", "FIN-WAIT-2", "CLOSING", "TIME-WAIT"})),
    (False, True, True, False, frozenset({"CLOSING"})),
    (True, True, True, False, frozenset({"CLOSING", "TIME-WAIT", "CLOSED"})),
    (False, True, True, True, frozenset({"LAST-ACK"})),
    (True, True, True, True, frozenset({"LAST-ACK", "CLOSED"})),
)
"""The states of an end that has sent a FIN (RFC 9293 §3.3.2, figure 5): acknowledgements may still be on their way to it."""


def states(me: Half, peer: Half) -> frozenset[str]:
    """The states that ``me`` may be in at the end of what was seen."""
    if me.reset is not None:
        return frozenset({"CLOSED"})
    found = _open_states(me, peer)
    return found | {"CLOSED"} if peer.reset is not None else found


def _open_states(me: Half, peer: Half) -> frozenset[str]:
    accepted = peer.fin is not None and me.acks is not None and me.acks > peer.fin
    if me.fin is not None:
        facts = (
            me.acked is not None and me.acked > me.fin,
            peer.fin is not None,
            accepted,
            accepted and peer.fin is not None and me.fin_after is not None and me.fin_after > peer.fin,
        )
        return next(row[4] for row in _FROM_CLOSING if row[:4] == facts)
    if accepted:
        return frozenset({"CLOSE-WAIT"})
    if not me.segments and not me.syns:
        return frozenset({"CLOSED", "LISTEN", "SYN-SENT", "SYN-RECEIVED"})
    waiting = frozenset({"CLOSE-WAIT"}) if peer.fin is not None else frozenset[str]()
    if me.syns and not me.data and (me.acks or 0) <= 1:
        asked, answered = any(not one.has_ack for one in me.syns), any(one.has_ack for one in me.syns)
        if answered and not asked:
            passed = me.acked is not None and me.acked > 0
            return waiting | {"SYN-RECEIVED", *(["ESTABLISHED"] if passed else [])}
        if me.segments == len(me.syns):
            return waiting | {"SYN-SENT", *(["SYN-RECEIVED", "ESTABLISHED"] if peer.syns else [])}
    return waiting | {"ESTABLISHED"}
