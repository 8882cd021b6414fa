"""How connections begin: every edge from CLOSED, LISTEN, SYN-SENT and SYN-RECEIVED that leads on, and those that lead back."""

import shutil
import struct
from socket import inet_aton

import pytest
from edges.play import Reach

pytestmark = [pytest.mark.netns, pytest.mark.bpf]

TWO = "topology: {nodes: {client: {}, server: {}}, links: [{endpoints: [client, server], subnets: [10.0.0.0/24]}]}"
PEER = "topology: host-and-peer"
LISTENING = """
  - server: s = socket(AF_INET, SOCK_STREAM, 0)
  - server: bind(s, 0.0.0.0:8080)
  - server: listen(s, 8)
"""
HALF_OPEN = """
  - client: c = socket(AF_INET, SOCK_STREAM|SOCK_NONBLOCK, 0)
  - client: bind(c, 0.0.0.0:5000)
  - client: connect(c, server:8080) -> EINPROGRESS
  - expect: {packets: [client > server S, server > client S.], states: {client.c: SYN-SENT, "server:8080": SYN-RECEIVED}}
"""
SYN_ACK_HELD = 'impair: {"server->client": [{match: "S.", action: hold, barrier: syn-ack}]}'
SYN_ACK_DROPPED = 'impair: {"server->client": [{match: "S.", action: drop}]}'
CROSSED = """
  - host: c = socket(AF_INET, SOCK_STREAM|SOCK_NONBLOCK, 0)
  - host: connect(c, peer:80) -> EINPROGRESS
  - peer: S win 65535 <mss 1460>
  - expect: {packets: [host > peer S, peer > host S, host > peer S. seq 0 ack 1], states: {host.c: SYN-RECEIVED}}
"""


def test_active_and_passive_open(reach: Reach) -> None:
    """Three segments open a connection; nobody closes it."""
    steps = """
  - client: c = socket(AF_INET, SOCK_STREAM, 0)
  - client: connect(c, server:8080)
  - server: a = accept(s)
  - expect: {packets: [client > server S, server > client S., client > server .]}
"""
    reach(
        LISTENING + steps,
        head=TWO,
        edges=[
            "server: tcp.closed.passive-open",
            "client: tcp.closed.active-open",
            "server: tcp.listen.rcv-syn",
            "client: tcp.syn-sent.rcv-syn-ack",
            "server: tcp.syn-received.rcv-ack",
        ],
        client=["CLOSED SYN-SENT ESTABLISHED"],
        server=["CLOSED LISTEN", "LISTEN SYN-RECEIVED ESTABLISHED"],
    )


def test_a_listener_closes(reach: Reach) -> None:
    reach(
        LISTENING + "  - server: close(s)\n",
        head=TWO,
        edges=["server: tcp.listen.close"],
        server=["CLOSED LISTEN CLOSED"],
    )


def test_a_listener_is_aborted(reach: Reach) -> None:
    """connect() to no address is what the RFC calls ABORT: tcp_disconnect()."""
    reach(
        LISTENING + "  - server: connect(s, unspec)\n",
        head=TWO,
        edges=["server: tcp.listen.abort"],
        server=["CLOSED LISTEN CLOSED"],
    )


def test_a_listener_neither_sends_nor_connects(reach: Reach) -> None:
    """The two arcs from LISTEN to SYN-SENT have no socket call: both that come near are refused, and nothing is sent."""
    steps = """
  - server: send(s, "hello", MSG_NOSIGNAL) -> EPIPE
  - server: connect(s, client:8080) -> EISCONN
  - expect: {packets: [], states: {server.s: LISTEN}, for: 50ms}
"""
    reach(LISTENING + steps, head=TWO, edges=[], server=["CLOSED LISTEN"])


def test_simultaneous_open(reach: Reach) -> None:
    """Two SYNs cross: both sides are SYN-RECEIVED before they are ESTABLISHED, and nobody listens."""
    head = f"""{TWO}
impair:
  client->server: [{{match: S, action: hold, barrier: syns}}, {{match: S., action: hold, barrier: syn-acks}}]
  server->client: [{{match: S, action: hold, barrier: syns}}, {{match: S., action: hold, barrier: syn-acks}}]
"""
    steps = """
  - client: c = socket(AF_INET, SOCK_STREAM, 0)
  - client: bind(c, 0.0.0.0:5000)
  - server: d = socket(AF_INET, SOCK_STREAM, 0)
  - server: bind(d, 0.0.0.0:5000)
  - client: connect(c, server:5000) & as from_client
  - server: connect(d, client:5000) & as from_server
  - expect: {unordered: [client > server S, server > client S]}
  - release: syns
  - expect: {unordered: [client > server S., server > client S.], states: {client.c: SYN-RECEIVED, server.d: SYN-RECEIVED}}
  - release: syn-acks
  - client: join from_client
  - server: join from_server
  - expect: {states: {client.c: ESTABLISHED, server.d: ESTABLISHED}}
"""
    both = ["CLOSED SYN-SENT SYN-RECEIVED ESTABLISHED"]
    edges = ["tcp.syn-sent.rcv-syn", "tcp.syn-received.rcv-ack"]
    reach(steps, head=head, edges=[f"{node}: {edge}" for node in ("client", "server") for edge in edges], client=both, server=both)


def test_refused(reach: Reach) -> None:
    steps = """
  - client: c = socket(AF_INET, SOCK_STREAM, 0)
  - client: connect(c, server:7) -> ECONNREFUSED
  - expect: {packets: [client > server S, server > client R. seq 0 ack 1]}
"""
    reach(steps, head=TWO, edges=["client: tcp.syn-sent.rcv-rst"], client=["CLOSED SYN-SENT CLOSED"])


def test_closed_before_any_answer(reach: Reach) -> None:
    """close() in SYN-SENT sends nothing: the SYN-ACK that comes later finds nobody."""
    steps = """
  - client: c = socket(AF_INET, SOCK_STREAM|SOCK_NONBLOCK, 0)
  - client: connect(c, server:8080) -> EINPROGRESS
  - expect: {packets: [client > server S, server > client S.], states: {client.c: SYN-SENT}}
  - client: close(c)
  - expect: {packets: [], for: 50ms}
"""
    reach(
        LISTENING + steps,
        head=f"{TWO}\n{SYN_ACK_HELD}",
        edges=["client: tcp.syn-sent.close"],
        client=["CLOSED SYN-SENT CLOSED"],
        server=["CLOSED LISTEN", "LISTEN SYN-RECEIVED"],
    )


def test_aborted_before_any_answer(reach: Reach) -> None:
    steps = """
  - host: c = socket(AF_INET, SOCK_STREAM|SOCK_NONBLOCK, 0)
  - host: connect(c, peer:80) -> EINPROGRESS
  - expect: {packets: [host > peer S], states: {host.c: SYN-SENT}}
  - host: setsockopt(c, SOL_SOCKET, SO_LINGER, {linger:1,0})
  - host: close(c)
  - expect: {packets: [], for: 50ms}
"""
    reach(steps, head=PEER, edges=["host: tcp.syn-sent.abort"], host=["CLOSED SYN-SENT CLOSED"])


def test_nobody_answers_the_syn(reach: Reach) -> None:
    """The first SYN waits a second, whatever is set; then the user's time is over."""
    steps = """
  - host: c = socket(AF_INET, SOCK_STREAM, 0)
  - host: setsockopt(c, IPPROTO_TCP, TCP_USER_TIMEOUT, 100)
  - host: connect(c, peer:80) -> ETIMEDOUT took >=900ms
"""
    reach(steps, head=PEER, edges=["host: tcp.syn-sent.user-timeout"], host=["CLOSED SYN-SENT CLOSED"])


@pytest.mark.skipif(shutil.which("nft") is None, reason="there is no program nft; fix: sudo apt-get install nftables")
def test_an_icmp_error_answers_the_syn(reach: Reach) -> None:
    """Destination unreachable, port unreachable: a hard error. The SYN is held until connect() sleeps: while that has the socket to
    itself, Linux only notes the error, and acts when the next SYN, a second later, brings it again."""
    head = """
topology:
  nodes:
    client: {}
    server:
      firewall: |
        table inet filter {
          chain input {
            type filter hook input priority 0; policy accept;
            tcp dport 80 reject with icmp port-unreachable
          }
        }
  links: [{endpoints: [client, server], subnets: [10.0.0.0/24]}]
impair: {client->server: [{match: S, action: hold, barrier: syn}]}
"""
    steps = """
  - client: c = socket(AF_INET, SOCK_STREAM, 0)
  - client: connect(c, server:80) & as j
  - expect: {packets: [client > server S], states: {client.c: SYN-SENT}}
  - release: syn
  - client: join j -> ECONNREFUSED took <900ms
  - expect: {packets: [server > client icmp type 3 code 3]}
"""
    reach(steps, head=head, edges=["client: tcp.syn-sent.icmp-hard-error"], client=["CLOSED SYN-SENT CLOSED"])


def test_a_reset_in_syn_received_leads_back_to_listen(reach: Reach) -> None:
    """The client has gone when the SYN-ACK comes: its host resets the half-open connection, and the listener listens on."""
    steps = """
  - client: close(c)
  - release: syn-ack
  - expect: {packets: [client > server R seq 1], states: {"server:8080": CLOSED, server.s: LISTEN}}
"""
    reach(
        LISTENING + HALF_OPEN + steps,
        head=f"{TWO}\n{SYN_ACK_HELD}",
        edges=["server: tcp.syn-received.rcv-rst-passive"],
        client=["CLOSED SYN-SENT CLOSED"],
        server=["CLOSED LISTEN", "LISTEN SYN-RECEIVED LISTEN"],
    )


def test_another_syn_in_syn_received_leads_back_to_listen(reach: Reach) -> None:
    """The second SYN lies in the window that the first one opened: its initial number is chosen (TCP_QUEUE_SEQ)."""
    opened = """
  - client: {name} = socket(AF_INET, SOCK_STREAM|SOCK_NONBLOCK, 0)
  - client: bind({name}, 0.0.0.0:5000)
  - client: setsockopt({name}, IPPROTO_TCP, TCP_REPAIR, 1)
  - client: setsockopt({name}, IPPROTO_TCP, TCP_REPAIR_QUEUE, 2)
  - client: setsockopt({name}, IPPROTO_TCP, TCP_QUEUE_SEQ, {number})
  - client: setsockopt({name}, IPPROTO_TCP, TCP_REPAIR, 0)
  - client: connect({name}, server:8080) -> EINPROGRESS
"""
    steps = """
  - expect: {packets: [client > server S, server > client S.], states: {"server:8080": SYN-RECEIVED}}
  - client: close(c)
"""
    after = """
  - expect: {packets: [client > server S, ...], states: {"server:8080": CLOSED, server.s: LISTEN}}
"""
    reach(
        LISTENING + opened.format(name="c", number=7000) + steps + opened.format(name="d", number=9000) + after,
        head=f"{TWO}\n{SYN_ACK_DROPPED}",
        edges=["server: tcp.syn-received.rcv-syn-passive"],
        client=["CLOSED SYN-SENT CLOSED", "CLOSED SYN-SENT CLOSED"],
        server=["CLOSED LISTEN", "LISTEN SYN-RECEIVED LISTEN"],
    )


def test_a_reset_in_syn_received_ends_an_active_open(reach: Reach) -> None:
    steps = """
  - peer: R. seq 1
  - expect: {packets: [peer > host R. seq 1], states: {host.c: CLOSED}}
  - host: getsockopt(c, SOL_SOCKET, SO_ERROR) -> 0 out 104
"""
    reach(CROSSED + steps, head=PEER, edges=["host: tcp.syn-received.rcv-rst"], host=["CLOSED SYN-SENT SYN-RECEIVED CLOSED"])


def test_aborted_in_syn_received(reach: Reach) -> None:
    steps = """
  - host: setsockopt(c, SOL_SOCKET, SO_LINGER, {linger:1,0})
  - host: close(c)
  - expect: {packets: [host > peer R. seq 1 ack 1], states: {host.c: CLOSED}}
"""
    reach(CROSSED + steps, head=PEER, edges=["host: tcp.syn-received.abort"], host=["CLOSED SYN-SENT SYN-RECEIVED CLOSED"])


def test_closed_in_syn_received(reach: Reach) -> None:
    steps = """
  - host: close(c)
  - expect: {packets: [host > peer F. seq 1 ack 1], states: {host.c: FIN-WAIT-1}}
"""
    reach(CROSSED + steps, head=PEER, edges=["host: tcp.syn-received.close"], host=["CLOSED SYN-SENT SYN-RECEIVED FIN-WAIT-1"])


def test_nobody_acknowledges_the_syn_ack(reach: Reach) -> None:
    """A request waits a second before each SYN-ACK that it would repeat; here it may repeat none."""
    head = TWO.replace("server: {}", "server: {sysctls: {net.ipv4.tcp_synack_retries: 0}}") + "\n" + SYN_ACK_DROPPED
    steps = """
  - client: close(c)
  - expect: {states: {"server:8080": CLOSED}, within: 3s}
"""
    reach(
        LISTENING + HALF_OPEN + steps,
        head=head,
        edges=["server: tcp.syn-received.user-timeout"],
        client=["CLOSED SYN-SENT CLOSED"],
        server=["CLOSED LISTEN", "LISTEN SYN-RECEIVED CLOSED"],
    )


def test_a_fin_with_the_last_ack_shows_established_in_between(reach: Reach) -> None:
    """What would be SYN-RECEIVED to CLOSE-WAIT: Linux, as the RFC's fifth check, is ESTABLISHED when it comes to the FIN."""
    steps = """
  - peer: F. seq 1 ack 1
  - expect: {packets: [peer > host F. seq 1 ack 1, host > peer . ack 2], states: {host.c: CLOSE-WAIT}}
"""
    reach(CROSSED + steps, head=PEER, edges=[], host=["CLOSED SYN-SENT SYN-RECEIVED ESTABLISHED CLOSE-WAIT"])


def segment(flags: int, payload: bytes) -> str:
    """A segment from client:4444 to server:8080, as an argument of sendto() on a raw socket."""
    head = struct.pack("!HHIIBBHHH", 4444, 8080, 1000, 0, 5 << 4, flags, 1000, 0, 0)
    pseudo = inet_aton("10.0.0.1") + inet_aton("10.0.0.2") + struct.pack("!BBH", 0, 6, len(head + payload))
    total = sum(struct.unpack(f"!{(len(pseudo + head + payload) + 1) // 2}H", pseudo + head + payload + bytes(len(payload) % 2)))
    made = head[:16] + struct.pack("!H", ~(total % 0xFFFF) & 0xFFFF) + head[18:] + payload
    return '"' + "".join(f"\\x{byte:02x}" for byte in made) + '"'


FAST_OPEN = (
    TWO.replace("server: {}", "server: {sysctls: {net.ipv4.tcp_fastopen: 1538}}")  # a server, and no cookie is asked for
    + '\nimpair: {"client->server": [{match: R, action: drop}]}'  # the client's host knows nothing of what a raw socket sends
)
RAW = """
  - server: s = socket(AF_INET, SOCK_STREAM, 0)
  - server: bind(s, 0.0.0.0:8080)
  - server: setsockopt(s, IPPROTO_TCP, TCP_FASTOPEN, 5)
  - server: listen(s, 8)
  - client: r = socket(AF_INET, SOCK_RAW, IPPROTO_TCP)
"""


def test_fast_open_has_a_socket_in_syn_received(reach: Reach) -> None:
    """The SYN's data is taken at once, so that there is a full socket from the beginning, and no request."""
    steps = f"""
  - client: sendto(r, {segment(0x02, b"hello")}, 0, server:0)
  - server: a = accept(s)
  - server: recv(a, buf(10)) -> 5 out "hello"
  - expect: {{states: {{server.a: SYN-RECEIVED}}}}
"""
    reach(RAW + steps, head=FAST_OPEN, edges=["server: tcp.listen.rcv-syn"], server=["CLOSED LISTEN", "LISTEN SYN-RECEIVED"])


def test_a_syn_with_a_fin_is_dropped(reach: Reach) -> None:
    """So that no segment leads from SYN-RECEIVED to CLOSE-WAIT without making the connection ESTABLISHED."""
    steps = f"""
  - client: sendto(r, {segment(0x03, b"hello")}, 0, server:0)
  - expect: {{packets: [client > server FS], for: 100ms}}
"""
    reach(RAW + steps, head=FAST_OPEN, edges=[], server=["CLOSED LISTEN"])
