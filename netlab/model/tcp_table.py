"""TCP's connection states and the transitions between them, as one table out of RFC 9293 and those that amend it.

Data only. It knows nothing of any kernel (see tcp_linux.py) nor of how transitions are observed.
"""

from collections.abc import Mapping
from types import MappingProxyType

import msgspec


class Transition(msgspec.Struct, frozen=True, kw_only=True):
    """One arc: in ``state``, on ``event``, if ``guard`` holds ("" is always), ``sends`` goes out and ``next`` is the state.

    ``id`` names the rule, ``citation`` says where it stands; ``note`` has what a reader may doubt.
    """

    id: str
    state: str
    event: str
    guard: str = ""
    next: str
    sends: str = ""
    citation: str
    note: str = ""


STATES = (
    "CLOSED", "LISTEN", "SYN-SENT", "SYN-RECEIVED", "ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2", "CLOSE-WAIT", "CLOSING",
    "LAST-ACK", "TIME-WAIT",
)  # fmt: skip
"""RFC 9293 §3.3.2, in the order of a connection's life. CLOSED is fictional: no connection."""

_SYNCHRONIZED = STATES[4:]
"""The states after the three-way handshake (RFC 9293 §3.5.1). A connection in SYN-RECEIVED is not synchronized."""

# What a row says of the state it leads from: event, guard, next, sends, citation, note. The id is "tcp.STATE.NAME".
_ARCS: Mapping[str, Mapping[str, tuple[str, str, str, str, str, str]]] = MappingProxyType({
    "CLOSED": {
        "passive-open": ("passive OPEN", "", "LISTEN", "", "RFC 9293 §3.10.1", "listen(2)"),
        "active-open": ("active OPEN", "", "SYN-SENT", "SYN", "RFC 9293 §3.10.1", "connect(2)"),
        "rcv-segment": ("rcv a segment", "no RST in it", "CLOSED", "RST", "RFC 9293 §3.10.7.1", "a RST is dropped in silence"),
    },
    "LISTEN": {
        "rcv-syn": ("rcv SYN", "", "SYN-RECEIVED", "SYN,ACK", "RFC 9293 §3.10.7.2",
                    "the RFC's listener becomes the connection; with sockets a new one does, and the listener stays"),
        "send": ("SEND", "", "SYN-SENT", "SYN", "RFC 9293 §3.10.2", "no socket call does this"),
        "active-open": ("active OPEN", "", "SYN-SENT", "SYN", "RFC 9293 §3.10.1", "no socket call does this"),
        "close": ("CLOSE", "", "CLOSED", "", "RFC 9293 §3.10.4", ""),
        "abort": ("ABORT", "", "CLOSED", "", "RFC 9293 §3.10.5", ""),
        "rcv-ack": ("rcv ACK", "", "LISTEN", "RST", "RFC 9293 §3.10.7.2", "no connection is there to acknowledge"),
        "rcv-rst": ("rcv RST", "", "LISTEN", "", "RFC 9293 §3.10.7.2", "ignored"),
    },
    "SYN-SENT": {
        "rcv-syn-ack": ("rcv SYN,ACK", "it acknowledges our SYN", "ESTABLISHED", "ACK", "RFC 9293 §3.10.7.3", ""),
        "rcv-syn": ("rcv SYN", "no ACK in it", "SYN-RECEIVED", "SYN,ACK", "RFC 9293 §3.10.7.3", "simultaneous open (§3.5)"),
        "rcv-bad-ack": ("rcv ACK", "not of our SYN", "SYN-SENT", "RST", "RFC 9293 §3.10.7.3", ""),
        "rcv-rst": ("rcv RST", "its ACK is of our SYN", "CLOSED", "", "RFC 9293 §3.10.7.3", "connection refused"),
        "close": ("CLOSE", "", "CLOSED", "", "RFC 9293 §3.10.4", ""),
        "abort": ("ABORT", "", "CLOSED", "", "RFC 9293 §3.10.5", ""),
        "user-timeout": ("user timeout", "", "CLOSED", "", "RFC 9293 §3.10.8", "R2 for a SYN: §3.8.3 (MUST-23)"),
        "icmp-hard-error": ("rcv ICMP hard error", "", "CLOSED", "", "RFC 9293 §3.9.2.2",
                            "destination unreachable, codes 2 to 4; in synchronized states it need not abort (SHLD-26)"),
    },
    "SYN-RECEIVED": {
        "rcv-ack": ("rcv ACK of SYN", "", "ESTABLISHED", "", "RFC 9293 §3.10.7.4, fifth", ""),
        "rcv-fin": ("rcv FIN", "", "CLOSE-WAIT", "ACK", "RFC 9293 §3.10.7.4, eighth",
                    "only where the ACK of our SYN has not made it ESTABLISHED"),
        "close": ("CLOSE", "nothing queued to send", "FIN-WAIT-1", "FIN", "RFC 9293 §3.10.4", ""),
        "rcv-rst-passive": ("rcv RST", "came from LISTEN", "LISTEN", "", "RFC 9293 §3.3.2, figure 5, note 1",
                            "with sockets the new connection ends and the listener never left LISTEN"),
        "rcv-rst": ("rcv RST", "came from SYN-SENT", "CLOSED", "", "RFC 9293 §3.10.7.4, second", "connection refused"),
        "rcv-syn-passive": ("rcv SYN", "came from LISTEN", "LISTEN", "", "RFC 9293 §3.10.7.4, fourth",
                            "another SYN than the first; see also the challenge ACK"),
        "abort": ("ABORT", "", "CLOSED", "RST", "RFC 9293 §3.10.5", ""),
        "user-timeout": ("user timeout", "", "CLOSED", "", "RFC 9293 §3.10.8", "R2: the SYN,ACK was never acknowledged"),
        "challenge-ack": ("rcv RST", "in the window, not at RCV.NXT", "SYN-RECEIVED", "ACK", "RFC 5961 §3.2", ""),
    },
    "ESTABLISHED": {
        "close": ("CLOSE", "", "FIN-WAIT-1", "FIN", "RFC 9293 §3.10.4", "shutdown(2) of the sending side too"),
        "rcv-fin": ("rcv FIN", "", "CLOSE-WAIT", "ACK", "RFC 9293 §3.10.7.4, eighth", ""),
    },
    "FIN-WAIT-1": {
        "rcv-ack-of-fin": ("rcv ACK of FIN", "", "FIN-WAIT-2", "", "RFC 9293 §3.10.7.4, fifth", ""),
        "rcv-fin": ("rcv FIN", "our FIN is not acknowledged", "CLOSING", "ACK", "RFC 9293 §3.10.7.4, eighth",
                    "simultaneous close (§3.6)"),
        "rcv-fin-ack-of-fin": ("rcv FIN,ACK of FIN", "", "TIME-WAIT", "ACK", "RFC 9293 §3.3.2, figure 5, note 2",
                               "one segment does both steps"),
    },
    "FIN-WAIT-2": {
        "rcv-fin": ("rcv FIN", "", "TIME-WAIT", "ACK", "RFC 9293 §3.10.7.4, eighth", ""),
    },
    "CLOSE-WAIT": {
        "close": ("CLOSE", "", "LAST-ACK", "FIN", "RFC 9293 §3.10.4", "RFC 793's text said CLOSING; figure 5 was right"),
    },
    "CLOSING": {
        "rcv-ack-of-fin": ("rcv ACK of FIN", "", "TIME-WAIT", "", "RFC 9293 §3.10.7.4, fifth", ""),
    },
    "LAST-ACK": {
        "rcv-ack-of-fin": ("rcv ACK of FIN", "", "CLOSED", "", "RFC 9293 §3.10.7.4, fifth", ""),
    },
    "TIME-WAIT": {
        "timeout": ("2 MSL passed", "", "CLOSED", "", "RFC 9293 §3.10.8", "MSL is 2 minutes (§3.4.2); Linux waits 60 s in all"),
        "rcv-fin": ("rcv FIN", "retransmitted", "TIME-WAIT", "ACK", "RFC 9293 §3.10.7.4, eighth", "2 MSL begin again"),
        "rcv-syn": ("rcv SYN", "number or timestamp above the old connection's", "SYN-RECEIVED", "SYN,ACK",
                    "RFC 9293 §3.6.1 (MAY-2); RFC 6191 §2", "reopens straight from TIME-WAIT, if there is a listener"),
    },
})  # fmt: skip

# What is the same in every synchronized state. RFC 9293 §3.10.7.4 carries RFC 5961's three challenge ACKs.
_IN_EVERY_SYNCHRONIZED: Mapping[str, tuple[str, str, str | None, str, str, str]] = MappingProxyType({
    "rcv-rst": ("rcv RST", "at RCV.NXT exactly", "CLOSED", "", "RFC 9293 §3.10.7.4, second; RFC 5961 §3.2",
                "connection reset"),
    "challenge-rst": ("rcv RST", "in the window, not at RCV.NXT", None, "ACK", "RFC 5961 §3.2", "challenge ACK"),
    "challenge-syn": ("rcv SYN", "", None, "ACK", "RFC 5961 §4.2", "challenge ACK, whatever its number"),
    "challenge-ack": ("rcv ACK", "outside what RFC 5961 allows", None, "ACK", "RFC 5961 §5.2", "challenge ACK"),
    "abort": ("ABORT", "", "CLOSED", "RST", "RFC 9293 §3.10.5",
              "close(2) with unread data too (RFC 1122 §4.2.2.13, RFC 2525 §2.17)"),
    "user-timeout": ("user timeout", "", "CLOSED", "", "RFC 9293 §3.10.8", "R2, keep-alives that nobody answers"),
})  # fmt: skip

# TIME-WAIT takes a SYN as its own rule says, and has nothing left to abort or to retransmit.
_NOT_IN_TIME_WAIT = frozenset({"challenge-rst", "challenge-syn", "user-timeout"})
_TIME_WAIT_NOTES: Mapping[str, str] = MappingProxyType({
    "rcv-rst": "TIME-WAIT assassination; RFC 1337 §3 would ignore it, Linux does with tcp_rfc1337=1",
    "abort": "no segment is sent: RFC 9293 §3.10.5 only answers ok and deletes the connection",
})  # fmt: skip


def _rows(state: str) -> tuple[Transition, ...]:
    arcs: dict[str, tuple[str, str, str | None, str, str, str]] = dict(_ARCS[state])
    if state in _SYNCHRONIZED:
        arcs |= {name: arc for name, arc in _IN_EVERY_SYNCHRONIZED.items() if state != "TIME-WAIT" or name not in _NOT_IN_TIME_WAIT}
    rows = []
    for name, (event, guard, following, sends, citation, note) in arcs.items():
        if state == "TIME-WAIT":
            note = _TIME_WAIT_NOTES.get(name, note)
        if (name, state) in (("abort", "CLOSING"), ("abort", "LAST-ACK"), ("abort", "TIME-WAIT")):
            sends = ""
        rows.append(
            Transition(
                id=f"tcp.{state.lower()}.{name}",
                state=state,
                event=event,
                guard=guard,
                next=following or state,
                sends=sends,
                citation=citation,
                note=note,
            )
        )
    return tuple(rows)


TRANSITIONS: Mapping[str, tuple[Transition, ...]] = MappingProxyType({state: _rows(state) for state in STATES})
"""Every state, and every arc that leads from it."""
