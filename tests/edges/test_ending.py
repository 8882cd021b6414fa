"""How connections end out of order: a reset comes, the program aborts, or nobody answers any more; in each synchronized state."""

import pytest
from edges.play import PEER, Reach

pytestmark = [pytest.mark.netns, pytest.mark.bpf]

# A retransmission begins after some 10 ms instead of 200.
QUICK = """
topology:
  nodes: {host: {sysctls: {net.ipv4.tcp_rto_min_us: 5000}}, peer: {kind: peer}}
  links: [{endpoints: [host, peer], subnets: [10.0.0.0/24]}]
"""
CONNECTED = """
  - host: c = socket(AF_INET, SOCK_STREAM, 0)
  - host: connect(c, peer:80) & as j
  - peer: S. win 65535 <mss 1460>
  - host: join j
"""
OURS = "  - host: shutdown(c, SHUT_WR)\n  - expect: {packets: [..., host > peer F.]}\n"
THEIRS = "  - peer: F.\n"
# What leads from ESTABLISHED to each state, and the states on the way.
LEADING = {
    "ESTABLISHED": ("", ""),
    "FIN-WAIT-1": (OURS, "FIN-WAIT-1"),
    "FIN-WAIT-2": (f"{OURS}  - peer: .\n", "FIN-WAIT-1 FIN-WAIT-2"),
    "CLOSE-WAIT": (THEIRS, "CLOSE-WAIT"),
    "CLOSING": (f"{OURS}  - peer: F. ack 1\n", "FIN-WAIT-1 CLOSING"),
    "LAST-ACK": (f"{THEIRS}  - expect: {{states: {{host.c: CLOSE-WAIT}}}}\n{OURS}", "CLOSE-WAIT LAST-ACK"),
    "TIME-WAIT": (f"{OURS}  - peer: .\n{THEIRS}", "FIN-WAIT-1 FIN-WAIT-2 TIME-WAIT"),
}


def led_to(state: str, ending: str) -> tuple[str, str]:
    """The steps that lead to a state and end the connection there, and the history that comes of them."""
    steps, states = LEADING[state]
    here = f"  - expect: {{states: {{host.c: {state}}}}}\n"
    return CONNECTED + steps + here + ending, f"CLOSED SYN-SENT ESTABLISHED {states} CLOSED".replace("  ", " ")


@pytest.mark.parametrize("state", LEADING)
def test_a_reset_comes(reach: Reach, state: str) -> None:
    """With exactly the next expected number."""
    steps, expected = led_to(state, "  - peer: R.\n  - expect: {packets: [..., peer > host R.], states: {host.c: CLOSED}}\n")
    reach(steps, head=PEER, edges=[f"host: tcp.{state.lower()}.rcv-rst"], host=[expected])


@pytest.mark.parametrize("state", ["ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2", "CLOSE-WAIT"])
def test_the_program_aborts(reach: Reach, state: str) -> None:
    """SO_LINGER with 0 and close(): a reset goes out."""
    ending = """
  - host: setsockopt(c, SOL_SOCKET, SO_LINGER, {linger:1,0})
  - host: close(c)
  - expect: {packets: [..., host > peer R.], states: {host.c: CLOSED}}
"""
    steps, expected = led_to(state, ending)
    reach(steps, head=PEER, edges=[f"host: tcp.{state.lower()}.abort"], host=[expected])


@pytest.mark.parametrize("state", ["CLOSING", "LAST-ACK"])
def test_the_program_aborts_when_all_was_said(reach: Reach, state: str) -> None:
    """RFC 9293 §3.10.5 answers ok and deletes the connection: no reset goes out."""
    ending = """
  - host: setsockopt(c, SOL_SOCKET, SO_LINGER, {linger:1,0})
  - host: close(c)
  - expect: {packets: [], states: {host.c: CLOSED}, for: 50ms}
"""
    steps, expected = led_to(state, ending)
    reach(steps, head=PEER, edges=[f"host: tcp.{state.lower()}.abort"], host=[expected])


@pytest.mark.parametrize("state", ["ESTABLISHED", "CLOSE-WAIT"])
def test_the_program_closes_with_unread_data(reach: Reach, state: str) -> None:
    """RFC 1122 §4.2.2.13: who closes before reading all tells that data was lost."""
    unread = '  - peer: P. data "hello"\n  - host: poll(c, POLLIN, 1000) -> 1\n'
    _, states = LEADING[state]
    steps = CONNECTED + unread + LEADING[state][0] + f"  - expect: {{states: {{host.c: {state}}}}}\n"
    steps += "  - host: close(c)\n  - expect: {packets: [..., host > peer R.], states: {host.c: CLOSED}}\n"
    expected = f"CLOSED SYN-SENT ESTABLISHED {states} CLOSED".replace("  ", " ")
    reach(steps, head=PEER, edges=[f"host: tcp.{state.lower()}.abort"], host=[expected])


@pytest.mark.parametrize("state", ["ESTABLISHED", "CLOSE-WAIT", "FIN-WAIT-1", "CLOSING", "LAST-ACK"])
def test_nobody_acknowledges(reach: Reach, state: str) -> None:
    """Data or FIN is sent again until the user's time is over."""
    said = '  - host: send(c, "hello") -> 5\n' if state in ("ESTABLISHED", "CLOSE-WAIT") else ""
    ending = f"""
  - host: setsockopt(c, IPPROTO_TCP, TCP_USER_TIMEOUT, 50)
{said}
  - expect: {{states: {{host.c: CLOSED}}, within: 3s}}
  - host: getsockopt(c, SOL_SOCKET, SO_ERROR) -> 0 out 110
"""
    steps, expected = led_to(state, ending)
    reach(steps, head=QUICK, edges=[f"host: tcp.{state.lower()}.user-timeout"], host=[expected])


def test_nobody_answers_the_keep_alive_in_fin_wait_2(reach: Reach) -> None:
    """Nothing is outstanding: only keep-alives, a second apart at least, find that nobody is there."""
    ending = """
  - host: setsockopt(c, SOL_SOCKET, SO_KEEPALIVE, 1)
  - host: setsockopt(c, IPPROTO_TCP, TCP_KEEPIDLE, 1)
  - host: setsockopt(c, IPPROTO_TCP, TCP_KEEPINTVL, 1)
  - host: setsockopt(c, IPPROTO_TCP, TCP_KEEPCNT, 1)
  - expect: {states: {host.c: CLOSED}, within: 5s}
  - host: getsockopt(c, SOL_SOCKET, SO_ERROR) -> 0 out 110
"""
    steps, expected = led_to("FIN-WAIT-2", ending)
    reach(steps, head=PEER, edges=["host: tcp.fin-wait-2.user-timeout"], host=[expected])
