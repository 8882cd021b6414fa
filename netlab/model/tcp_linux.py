"""How Linux spells TCP's states, and which transitions its probes report: the RFC's, and its own artefacts.

Data only. The pairs are those of the tracepoint sock:inet_sock_set_state and of the timers of minisocks, as read in the kernel's
source (net/ipv4); it knows nothing of how they are observed.
"""

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from netlab.model.tcp_table import Transition

RFC_NAMES: Mapping[str, str] = MappingProxyType({
    "CLOSE": "CLOSED", "LISTEN": "LISTEN", "SYN_SENT": "SYN-SENT", "SYN_RECV": "SYN-RECEIVED", "NEW_SYN_RECV": "SYN-RECEIVED",
    "ESTABLISHED": "ESTABLISHED", "FIN_WAIT1": "FIN-WAIT-1", "FIN_WAIT2": "FIN-WAIT-2", "CLOSE_WAIT": "CLOSE-WAIT",
    "CLOSING": "CLOSING", "LAST_ACK": "LAST-ACK", "TIME_WAIT": "TIME-WAIT", "BOUND_INACTIVE": "CLOSED",
})  # fmt: skip
"""Linux' spelling (include/net/tcp_states.h, without TCP_) to RFC 9293's. Two of Linux' states are the RFC's SYN-RECEIVED."""

LINUX_NAMES: Mapping[str, str] = MappingProxyType(
    {rfc: linux for linux, rfc in RFC_NAMES.items() if linux not in ("NEW_SYN_RECV", "BOUND_INACTIVE")}
)
"""RFC 9293's spelling to that of Linux' full sockets."""


class LinuxArc(msgspec.Struct, frozen=True, kw_only=True):
    """A pair of states in Linux' spelling, the ids of the transitions that it may stand for, and where the kernel does it."""

    old: str
    new: str
    stands_for: tuple[str, ...]
    citation: str
    note: str = ""


def _artefact(name: str, state: str, event: str, following: str, citation: str, note: str) -> Transition:
    return Transition(id=f"linux.{name}", state=state, event=event, next=following, citation=citation, note=note)


ARTEFACTS: tuple[Transition, ...] = (
    _artefact("close.again", "CLOSED", "the state is set again", "CLOSED", "tcp.c tcp_done()", "it sets CLOSE without asking"),
    _artefact("syn-sent.no-port", "SYN-SENT", "connect() finds no port or route", "CLOSED", "tcp_ipv4.c tcp_v4_connect()",
              "SYN_SENT is set before a port is chosen, and taken back; no SYN was sent"),
    _artefact("syn-received.no-child", "SYN-RECEIVED", "the listener is full or gone", "CLOSED",
              "inet_connection_sock.c inet_csk_complete_hashdance(), inet_csk_listen_stop()", ""),
    _artefact("syn-received.child", "SYN-RECEIVED", "the final ACK makes the child", "SYN-RECEIVED",
              "tcp_minisocks.c tcp_check_req()", "a request becomes a full socket"),
    _artefact("established.unaccepted", "ESTABLISHED", "the listener closes before accept()", "CLOSED",
              "inet_connection_sock.c inet_csk_listen_stop()", "sends RST"),
    _artefact("close-wait.unaccepted", "CLOSE-WAIT", "the listener closes before accept()", "CLOSED",
              "inet_connection_sock.c inet_csk_listen_stop()", "sends RST"),
    _artefact("fin-wait-1.close", "FIN-WAIT-1", "close() after shutdown()", "FIN-WAIT-1", "tcp.c tcp_close_state()",
              "sets the same state again"),
    _artefact("fin-wait-2.close", "FIN-WAIT-2", "close() after shutdown()", "FIN-WAIT-2", "tcp.c tcp_close_state()",
              "sets the same state again; and a minisock begins in the state of the socket whose connection it takes over"),
    _artefact("closing.close", "CLOSING", "close() after shutdown()", "CLOSING", "tcp.c tcp_close_state()",
              "sets the same state again"),
    _artefact("last-ack.close", "LAST-ACK", "close() after shutdown()", "LAST-ACK", "tcp.c tcp_close_state()",
              "sets the same state again"),
    _artefact("fin-wait-2.minisock", "FIN-WAIT-2", "a minisock takes over", "CLOSED", "tcp_minisocks.c tcp_time_wait()",
              "the full socket ends; the connection lives on in FIN-WAIT-2 (an orphan, before the peer's FIN) or TIME-WAIT"),
    _artefact("closing.minisock", "CLOSING", "a minisock takes over", "CLOSED", "tcp_minisocks.c tcp_time_wait()",
              "the full socket ends; the connection lives on in TIME-WAIT"),
    _artefact("fin-wait-2.timeout", "FIN-WAIT-2", "tcp_fin_timeout passed", "CLOSED", "tcp_timer.c, inet_timewait_sock.c",
              "an orphan only; RFC 9293 §3.6 has no limit"),
    _artefact("fin-wait-2.linger2", "FIN-WAIT-2", "close() with TCP_LINGER2 below 0", "CLOSED", "tcp.c __tcp_close()", "sends RST"),
    _artefact("orphan.data", "FIN-WAIT-1", "rcv data after close()", "CLOSED", "tcp_input.c tcp_rcv_state_process()",
              "nobody is there to read it; sends RST (RFC 1122 §4.2.2.13)"),
    _artefact("orphan.data-2", "FIN-WAIT-2", "rcv data after close()", "CLOSED", "tcp_input.c tcp_rcv_state_process()",
              "nobody is there to read it; sends RST (RFC 1122 §4.2.2.13)"),
    _artefact("time-wait.taken", "TIME-WAIT", "another connection takes the addresses over, or there are too many", "CLOSED",
              "tcp_ipv4.c tcp_twsk_unique(), tcp_v4_rcv(); tcp_max_tw_buckets", "tcp_tw_reuse, or a SYN that reopens it"),
)  # fmt: skip
"""What Linux' probes report though RFC 9293 has no such arc."""


def _ends(state: str, *more: str) -> tuple[str, ...]:
    return (f"tcp.{state}.rcv-rst", f"tcp.{state}.abort", f"tcp.{state}.user-timeout", *more)


def _arc(old: str, new: str, stands_for: tuple[str, ...], citation: str, note: str = "") -> LinuxArc:
    return LinuxArc(old=old, new=new, stands_for=stands_for, citation=citation, note=note)


_DONE = "tcp.c tcp_done(), __tcp_close(); tcp_input.c tcp_reset(); tcp_timer.c tcp_write_err()"
_HALF_OPEN_ENDS = _ends(
    "syn-received", "tcp.syn-received.rcv-rst-passive", "tcp.syn-received.rcv-syn-passive", "linux.syn-received.no-child"
)

LINUX_ARCS: tuple[LinuxArc, ...] = (
    _arc("CLOSE", "LISTEN", ("tcp.closed.passive-open",), "inet_connection_sock.c inet_csk_listen_start()"),
    _arc("CLOSE", "SYN_SENT", ("tcp.closed.active-open",), "tcp_ipv4.c tcp_v4_connect()", "the source port may still be 0"),
    _arc("CLOSE", "CLOSE", ("linux.close.again",), "tcp.c tcp_done()"),
    _arc("LISTEN", "CLOSE", ("tcp.listen.close", "tcp.listen.abort"), "tcp.c __tcp_close(), tcp_disconnect()",
         "also when listen() itself fails"),
    _arc("LISTEN", "NEW_SYN_RECV", ("tcp.listen.rcv-syn",), "tcp_input.c tcp_conn_request()",
         "a request's timer starts; no tracepoint tells. The listener stays"),
    _arc("LISTEN", "SYN_RECV", ("tcp.listen.rcv-syn",), "inet_connection_sock.c inet_csk_clone_lock()",
         "on the child, which is a copy of the listener, at the final ACK (at the SYN with Fast Open)"),
    _arc("NEW_SYN_RECV", "SYN_RECV", ("linux.syn-received.child",), "tcp_minisocks.c tcp_check_req()"),
    _arc("NEW_SYN_RECV", "ESTABLISHED", ("tcp.syn-received.rcv-ack",), "tcp_minisocks.c tcp_check_req()",
         "for a reader that joins the request to its child"),
    _arc("NEW_SYN_RECV", "CLOSE",
         _HALF_OPEN_ENDS,
         "inet_connection_sock.c inet_csk_reqsk_queue_drop(), reqsk_timer_handler()",
         "the RFC returns to LISTEN; the request ends"),
    _arc("SYN_SENT", "ESTABLISHED", ("tcp.syn-sent.rcv-syn-ack",), "tcp_input.c tcp_finish_connect()"),
    _arc("SYN_SENT", "SYN_RECV", ("tcp.syn-sent.rcv-syn",), "tcp_input.c tcp_rcv_synsent_state_process()"),
    _arc("SYN_SENT", "CLOSE",
         _ends("syn-sent", "tcp.syn-sent.close", "tcp.syn-sent.icmp-hard-error", "linux.syn-sent.no-port"), _DONE),
    _arc("SYN_RECV", "ESTABLISHED", ("tcp.syn-received.rcv-ack",), "tcp_input.c tcp_rcv_state_process()"),
    _arc("SYN_RECV", "CLOSE_WAIT", ("tcp.syn-received.rcv-fin",), "tcp_input.c tcp_fin()",
         "written there, and reached by no segment: see UNREACHED"),
    _arc("SYN_RECV", "FIN_WAIT1", ("tcp.syn-received.close",), "tcp.c tcp_close_state()"),
    _arc("SYN_RECV", "CLOSE",
         _HALF_OPEN_ENDS,
         _DONE, "a child's; the RFC's LISTEN is the listener's"),
    _arc("ESTABLISHED", "FIN_WAIT1", ("tcp.established.close",), "tcp.c tcp_close_state()"),
    _arc("ESTABLISHED", "CLOSE_WAIT", ("tcp.established.rcv-fin",), "tcp_input.c tcp_fin()"),
    _arc("ESTABLISHED", "CLOSE", _ends("established", "linux.established.unaccepted"), _DONE),
    _arc("FIN_WAIT1", "FIN_WAIT2", ("tcp.fin-wait-1.rcv-ack-of-fin",), "tcp_input.c tcp_rcv_state_process()",
         "shows between FIN-WAIT-1 and TIME-WAIT, too, when one segment does both"),
    _arc("FIN_WAIT1", "CLOSING", ("tcp.fin-wait-1.rcv-fin",), "tcp_input.c tcp_fin()"),
    _arc("FIN_WAIT1", "FIN_WAIT1", ("linux.fin-wait-1.close",), "tcp.c tcp_close_state()"),
    _arc("FIN_WAIT1", "CLOSE", _ends("fin-wait-1", "linux.orphan.data"), _DONE),
    _arc("FIN_WAIT2", "TIME_WAIT", ("tcp.fin-wait-2.rcv-fin",), "tcp_minisocks.c tcp_time_wait(), tcp_timewait_state_process()",
         "a minisock's timer tells; no tracepoint reports TIME_WAIT"),
    _arc("FIN_WAIT2", "FIN_WAIT2", ("linux.fin-wait-2.close",), "tcp.c tcp_close_state()"),
    _arc("FIN_WAIT2", "CLOSE",
         _ends("fin-wait-2", "linux.fin-wait-2.minisock", "linux.fin-wait-2.timeout", "linux.fin-wait-2.linger2",
               "linux.orphan.data-2"),
         _DONE + "; tcp_minisocks.c tcp_time_wait()"),
    _arc("CLOSE_WAIT", "LAST_ACK", ("tcp.close-wait.close",), "tcp.c tcp_close_state()"),
    _arc("CLOSE_WAIT", "CLOSE", _ends("close-wait", "linux.close-wait.unaccepted"), _DONE),
    _arc("CLOSING", "TIME_WAIT", ("tcp.closing.rcv-ack-of-fin",), "tcp_minisocks.c tcp_time_wait()", "a minisock's timer tells"),
    _arc("CLOSING", "CLOSING", ("linux.closing.close",), "tcp.c tcp_close_state()"),
    _arc("CLOSING", "CLOSE", _ends("closing", "linux.closing.minisock"), _DONE + "; tcp_minisocks.c tcp_time_wait()"),
    _arc("LAST_ACK", "LAST_ACK", ("linux.last-ack.close",), "tcp.c tcp_close_state()"),
    _arc("LAST_ACK", "CLOSE", _ends("last-ack", "tcp.last-ack.rcv-ack-of-fin"), _DONE),
    _arc("TIME_WAIT", "NEW_SYN_RECV", ("tcp.time-wait.rcv-syn",), "tcp_minisocks.c tcp_timewait_state_process()",
         "for a reader that joins the old connection to the new one"),
    _arc("TIME_WAIT", "CLOSE",
         ("tcp.time-wait.timeout", "tcp.time-wait.rcv-rst", "tcp.time-wait.abort", "tcp.time-wait.rcv-syn",
          "linux.time-wait.taken"),
         "inet_timewait_sock.c inet_twsk_kill(), inet_twsk_deschedule_put()", "a minisock's timer tells"),
)  # fmt: skip
"""What Linux' probes report, pair by pair."""

UNREACHED: Mapping[str, str] = MappingProxyType({
    "tcp.listen.send": "send(2) on a listener fails with EPIPE, and sends nothing (tcp.c tcp_sendmsg_locked())",
    "tcp.listen.active-open": "connect(2) on a listener fails with EISCONN (af_inet.c __inet_stream_connect())",
    "tcp.syn-received.rcv-fin": "the ACK that comes with the FIN makes it ESTABLISHED first, as in RFC 9293's fifth check "
                                "(tcp_input.c tcp_rcv_state_process()); a SYN with a FIN is dropped, with Fast Open too",
})  # fmt: skip
"""The arcs of RFC 9293's table that no Linux socket takes, and why."""
