"""How connections end in order: in halves, at the same time, with one segment that does two steps, and what TIME-WAIT becomes."""

import os
import shutil

import pytest
from edges.play import PEER, TWO, Reach

pytestmark = [pytest.mark.netns, pytest.mark.bpf]

CONNECTED = """
  - server: s = socket(AF_INET, SOCK_STREAM, 0)
  - server: bind(s, 0.0.0.0:8080)
  - server: listen(s, 8)
  - client: c = socket(AF_INET, SOCK_STREAM, 0)
  - client: connect(c, server:8080)
  - server: a = accept(s)
"""
CONNECTED_TO_PEER = """
  - host: c = socket(AF_INET, SOCK_STREAM, 0)
  - host: connect(c, peer:80) & as j
  - peer: S. win 65535 <mss 1460>
  - host: join j
"""


@pytest.mark.parametrize("call", ["close(c)", "shutdown(c, SHUT_WR)"])
def test_normal_close(reach: Reach, call: str) -> None:
    """The client closes first, and waits; FIN-WAIT-2 is a minisock's after close(), a full socket's after shutdown()."""
    steps = f"""
  - client: {call}
  - server: recv(a, buf(1)) -> 0
  - expect: {{states: {{client.c: FIN-WAIT-2, server.a: CLOSE-WAIT}}}}
  - server: close(a)
  - expect: {{states: {{client.c: TIME-WAIT, server.a: CLOSED}}}}
"""
    reach(
        CONNECTED + steps,
        head=TWO,
        edges=[
            "client: tcp.established.close",
            "client: tcp.fin-wait-1.rcv-ack-of-fin",
            "client: tcp.fin-wait-2.rcv-fin",
            "server: tcp.established.rcv-fin",
            "server: tcp.close-wait.close",
            "server: tcp.last-ack.rcv-ack-of-fin",
        ],
        client=["CLOSED SYN-SENT ESTABLISHED FIN-WAIT-1 FIN-WAIT-2 TIME-WAIT"],
        server=["CLOSED LISTEN", "LISTEN SYN-RECEIVED ESTABLISHED CLOSE-WAIT LAST-ACK CLOSED"],
    )


def test_simultaneous_close(reach: Reach) -> None:
    """Two FINs cross."""
    head = f"""{TWO}
impair:
  client->server: [{{match: F., action: hold, barrier: fins}}]
  server->client: [{{match: F., action: hold, barrier: fins}}]
"""
    steps = """
  - client: close(c)
  - server: close(a)
  - expect: {states: {client.c: FIN-WAIT-1, server.a: FIN-WAIT-1}}
  - release: fins
  - expect: {states: {client.c: TIME-WAIT, server.a: TIME-WAIT}}
"""
    closes = "ESTABLISHED FIN-WAIT-1 CLOSING TIME-WAIT"
    edges = ["tcp.established.close", "tcp.fin-wait-1.rcv-fin", "tcp.closing.rcv-ack-of-fin"]
    reach(
        CONNECTED + steps,
        head=head,
        edges=[f"{node}: {edge}" for node in ("client", "server") for edge in edges],
        client=[f"CLOSED SYN-SENT {closes}"],
        server=["CLOSED LISTEN", f"LISTEN SYN-RECEIVED {closes}"],
    )


@pytest.mark.parametrize("call", ["close(c)", "shutdown(c, SHUT_WR)"])
def test_a_fin_that_acknowledges_ours(reach: Reach, call: str) -> None:
    """One segment does both steps: Linux shows FIN-WAIT-2 on the way, RFC 9293 does not (figure 5, note 2)."""
    steps = f"""
  - host: {call}
  - expect: {{packets: [host > peer S, peer > host S., host > peer ., host > peer F.], states: {{host.c: FIN-WAIT-1}}}}
  - peer: F. seq 1 ack 2
  - expect: {{packets: [peer > host F. seq 1 ack 2, host > peer . ack 2], states: {{host.c: TIME-WAIT}}}}
"""
    reach(
        CONNECTED_TO_PEER + steps,
        head=PEER,
        edges=["host: tcp.fin-wait-1.rcv-fin-ack-of-fin"],
        host=["CLOSED SYN-SENT ESTABLISHED FIN-WAIT-1 TIME-WAIT"],
    )


@pytest.mark.parametrize("call", ["close(c)", "shutdown(c, SHUT_WR)"])
def test_a_fin_just_after_the_acknowledgement_of_ours_is_a_second_step(reach: Reach, call: str) -> None:
    """Both segments are on their way before anybody looks: FIN-WAIT-2 lasts a few microseconds, and is there."""
    steps = f"""
  - host: {call}
  - expect: {{packets: [host > peer S, peer > host S., host > peer ., host > peer F.], states: {{host.c: FIN-WAIT-1}}}}
  - peer: . seq 1 ack 2
  - peer: F. seq 1 ack 2
  - expect: {{states: {{host.c: TIME-WAIT}}}}
"""
    reach(
        CONNECTED_TO_PEER + steps,
        head=PEER,
        edges=["host: tcp.fin-wait-1.rcv-ack-of-fin", "host: tcp.fin-wait-2.rcv-fin"],
        host=["CLOSED SYN-SENT ESTABLISHED FIN-WAIT-1 FIN-WAIT-2 TIME-WAIT"],
    )


WAITING = """
  - server: close(a)
  - expect: {states: {server.a: FIN-WAIT-2, client.c: CLOSE-WAIT}}
  - client: close(c)
  - expect: {states: {server.a: TIME-WAIT, client.c: CLOSED}}
"""
SERVER_WAITED = "LISTEN SYN-RECEIVED ESTABLISHED FIN-WAIT-1 FIN-WAIT-2 TIME-WAIT"
CLIENT_CLOSED = "CLOSED SYN-SENT ESTABLISHED CLOSE-WAIT LAST-ACK CLOSED"


def test_a_syn_reopens_from_time_wait(reach: Reach) -> None:
    """The same addresses and ports once more: the listener's host goes from TIME-WAIT straight to SYN-RECEIVED."""
    bound = CONNECTED.replace("  - client: connect", "  - client: bind(c, 0.0.0.0:5000)\n  - client: connect")
    steps = """
  - client: d = socket(AF_INET, SOCK_STREAM, 0)
  - client: bind(d, 0.0.0.0:5000)
  - client: connect(d, server:8080)
  - server: b = accept(s)
  - expect: {states: {client.d: ESTABLISHED, server.b: ESTABLISHED}}
"""
    reach(
        bound + WAITING + steps,
        head=TWO,
        edges=["server: tcp.time-wait.rcv-syn"],
        client=[CLIENT_CLOSED, "CLOSED SYN-SENT ESTABLISHED"],
        server=["CLOSED LISTEN", f"{SERVER_WAITED} SYN-RECEIVED ESTABLISHED"],
    )


@pytest.mark.skipif(shutil.which("ss") is None, reason="there is no program ss; fix: sudo apt-get install iproute2")
def test_time_wait_is_aborted(reach: Reach) -> None:
    """SOCK_DESTROY (sock_diag(7)) is the RFC's ABORT for a connection that no descriptor has: it goes, and nothing is sent."""
    steps = """
  - server: run ss --kill --tcp state time-wait
  - expect: {packets: [], states: {"server:8080": CLOSED}, for: 50ms}
"""
    reach(
        CONNECTED + WAITING + steps,
        head=TWO,
        edges=["server: tcp.time-wait.abort"],
        client=[CLIENT_CLOSED],
        server=["CLOSED LISTEN", f"{SERVER_WAITED} CLOSED"],
    )


@pytest.mark.skipif(
    "NETLAB_TIME_WAIT" not in os.environ, reason="TIME-WAIT lasts 60 s, which nothing shortens: python -m ci.edges --slow"
)
def test_time_wait_runs_out(reach: Reach) -> None:
    steps = """
  - expect: {states: {"server:8080": TIME-WAIT}, for: 58s}
  - expect: {states: {"server:8080": CLOSED}, within: 5s}
"""
    reach(
        CONNECTED + WAITING + steps,
        head=TWO,
        edges=["server: tcp.time-wait.timeout"],
        client=[CLIENT_CLOSED],
        server=["CLOSED LISTEN", f"{SERVER_WAITED} CLOSED"],
    )
