"""What made each transition happen, on the real kernel: scenarios run, and every transition of theirs with its socket and cause."""

import re
import sys
from pathlib import Path

import pytest

from netlab.lab.lab import Lab
from netlab.lab.process import PIPE
from netlab.observe.calls import CallObserver
from netlab.observe.observers import Observers
from netlab.observe.tier import Tier
from netlab.report.lines import Lines
from netlab.run import run_scenario
from netlab.scenario.load import load_scenarios
from netlab.timeline.causes import with_causes
from netlab.timeline.identity import Identities
from netlab.timeline.observations import SocketState
from netlab.timeline.timeline import Timeline
from netlab.topology.load import load_topology

pytestmark = [pytest.mark.netns, pytest.mark.bpf]

LISTENING = """
  - server: s = socket(AF_INET, SOCK_STREAM, 0)
  - server: bind(s, 0.0.0.0:8080)
  - server: listen(s, 8)
  - client: c = socket(AF_INET, SOCK_STREAM, 0)
"""
CONNECTED = f"{LISTENING}  - client: connect(c, server:8080)\n"
ACCEPTED = f"{CONNECTED}  - server: a = accept(s)\n"
OPENING = [
    "server.s CLOSE -> LISTEN by listen()",
    "client.c CLOSE -> SYN_SENT by connect()",
    "server.a LISTEN -> NEW_SYN_RECV by the segment S",
    "client.c SYN_SENT -> ESTABLISHED by the segment S.",
    "server.a LISTEN -> SYN_RECV by the segment .",
    "server.a SYN_RECV -> ESTABLISHED by the segment .",
]


def transitions(tmp_path: Path, steps: str, topology: str = "two-hosts") -> list[str]:
    """Each transition of a scenario that holds: whose, what, and by what."""
    path = tmp_path / "x.scenario.yaml"
    path.write_text(f"# What the test says.\ntopology: {topology}\nsteps:\n{steps}")
    (scenario,) = load_scenarios(path)
    result = run_scenario(scenario)
    assert [verdict.outcome for verdict in result.verdicts] == ["PASS"] * len(result.verdicts), result.verdicts
    return told_of(result.timeline)


def told_of(seen: Timeline) -> list[str]:
    whole = Timeline(observations=with_causes(seen.observations, seen.nodes), sources=seen.sources, nodes=seen.nodes)
    identities, lines = Identities.of(whole), Lines(whole)
    told: list[str] = []
    for index, one in enumerate(whole.observations):
        if isinstance(one, SocketState):
            socket = identities.socket(index)
            assert socket is not None
            assert (one.caused_by >= 0) == (one.cause not in ("", "timer"))
            by = lines.line(index).rpartition(", by ")[2].removesuffix(")") if one.cause else "?"
            told.append(f"{identities.name(socket)} {one.old} -> {one.new} by {by}")
    return told


def test_a_connection_that_both_close(tier: Tier, tmp_path: Path) -> None:
    steps = """
  - client: send(c, "hello") -> 5
  - server: recv(a, buf(10)) -> 5
  - client: close(c)
  - server: recv(a, buf(10)) -> 0
  - expect: {states: {client.c: FIN-WAIT-2}}
  - server: close(a)
  - expect: {states: {client.c: TIME-WAIT, server.a: CLOSED}}
  - server: close(s)
"""
    assert transitions(tmp_path, ACCEPTED + steps) == [
        *OPENING,
        "client.c ESTABLISHED -> FIN_WAIT1 by close()",
        "server.a ESTABLISHED -> CLOSE_WAIT by the segment F.",
        "client.c FIN_WAIT1 -> FIN_WAIT2 by the segment .",
        "server.a CLOSE_WAIT -> LAST_ACK by close()",
        "client.c FIN_WAIT2 -> TIME_WAIT by the segment F.",
        "server.a LAST_ACK -> CLOSE by the segment .",
        "server.s LISTEN -> CLOSE by close()",
    ]


def test_a_half_close_and_a_close_with_unread_data_which_resets(tier: Tier, tmp_path: Path) -> None:
    steps = """
  - server: shutdown(a, SHUT_WR)
  - client: recv(c, buf(1)) -> 0
  - client: send(c, "hello") -> 5
  - server: poll(a, POLLIN, 1000) -> 1
  - expect: {states: {client.c: CLOSE-WAIT, server.a: FIN-WAIT-2}}
  - server: close(a)
  - expect: {states: {client.c: CLOSED, server.a: CLOSED}}
"""
    told = transitions(tmp_path, ACCEPTED + steps)
    assert told[: len(OPENING)] == OPENING
    assert told[len(OPENING) : len(OPENING) + 2] == [
        "server.a ESTABLISHED -> FIN_WAIT1 by shutdown()",
        "client.c ESTABLISHED -> CLOSE_WAIT by the segment F.",
    ]
    assert told[-2:] == ["server.a FIN_WAIT2 -> CLOSE by close()", "client.c CLOSE_WAIT -> CLOSE by the segment R."]


def test_a_refused_connection(tier: Tier, tmp_path: Path) -> None:
    steps = """
  - client: c = socket(AF_INET, SOCK_STREAM, 0)
  - client: connect(c, server:9) -> ECONNREFUSED
"""
    assert transitions(tmp_path, steps) == [
        "client.c CLOSE -> SYN_SENT by connect()",
        "client.c SYN_SENT -> CLOSE by the segment R.",
    ]


def test_a_listeners_end_resets_the_children_that_nobody_accepted(tier: Tier, tmp_path: Path) -> None:
    told = transitions(tmp_path, f"{CONNECTED}  - server: close(s)\n  - client: poll(c, POLLIN, 1000) -> 1\n")
    assert told[-3:] == [
        "server.s LISTEN -> CLOSE by close()",
        "server:8080 > client:PORT ESTABLISHED -> CLOSE by close()".replace("PORT", told[-2].split("client:")[1].split()[0]),
        "client.c ESTABLISHED -> CLOSE by the segment R.",
    ]


def test_nobody_answers_any_more_until_a_timer_gives_up(tier: Tier, tmp_path: Path) -> None:
    quick = "{nodes: {host: {sysctls: {net.ipv4.tcp_rto_min_us: 5000}}, peer: {kind: peer}}, links: [{endpoints: [host, peer]}]}"
    steps = """
  - host: c = socket(AF_INET, SOCK_STREAM, 0)
  - host: connect(c, peer:80) & as j
  - peer: S. win 65535 <mss 1460>
  - host: join j
  - expect: {states: {host.c: ESTABLISHED}}
  - host: setsockopt(c, IPPROTO_TCP, TCP_USER_TIMEOUT, {int:30})
  - host: send(c, "hello") -> 5
  - expect: {states: {host.c: CLOSED}}
"""
    assert transitions(tmp_path, steps, quick) == [
        "host.c CLOSE -> SYN_SENT by connect()",
        "host.c SYN_SENT -> ESTABLISHED by the segment S.",
        "host.c ESTABLISHED -> CLOSE by a timer",
    ]


def test_a_router_that_knows_no_way_says_so(tier: Tier, tmp_path: Path) -> None:
    # The first message comes while connect() has the socket locked, and only the one that answers the second SYN counts.
    steps = """
  - inside: c = socket(AF_INET, SOCK_STREAM, 0)
  - inside: connect(c, 192.0.2.1:80) -> ENETUNREACH
"""
    topology = "{nodes: {inside: {}, r: {kind: router}, out: {}}, links: [{endpoints: [inside, r]}, {endpoints: [r, out]}]}"
    assert transitions(tmp_path, steps, topology) == [
        "inside.c CLOSE -> SYN_SENT by connect()",
        "inside.c SYN_SENT -> CLOSE by an ICMP error",
    ]


def test_simultaneous_open(tier: Tier, tmp_path: Path) -> None:
    steps = """
  - client: c = socket(AF_INET, SOCK_STREAM, 0)
  - client: bind(c, 0.0.0.0:5000)
  - server: d = socket(AF_INET, SOCK_STREAM, 0)
  - server: bind(d, 0.0.0.0:5000)
  - client: connect(c, server:5000) & as j
  - server: connect(d, client:5000) & as k
  - expect: {states: {client.c: SYN-SENT, server.d: SYN-SENT}}
  - release: both
  - client: join j
  - server: join k
"""
    rules = "{client->server: [{match: S, action: hold, barrier: both}], server->client: [{match: S, action: hold, barrier: both}]}"
    topology = f"{{nodes: {{client: {{}}, server: {{}}}}, links: [{{endpoints: [client, server], impair: {rules}}}]}}"
    told = transitions(tmp_path, steps, topology)
    # Which side is first is open, and each goes its way: by the other's SYN-ACK, or by its ACK where that comes first.
    assert sorted(line.replace("by the segment S.", "by the segment .") for line in told) == sorted(
        f"{name} {change}"
        for name in ("client.c", "server.d")
        for change in (
            "CLOSE -> SYN_SENT by connect()",
            "SYN_SENT -> SYN_RECV by the segment S",
            "SYN_RECV -> ESTABLISHED by the segment .",
        )
    )


SERVER = """
import socket
s = socket.create_server(("0.0.0.0", 8080))
print("ready", flush=True)
a, _ = s.accept()
a.recv(1)
print("received", flush=True)
a.recv(1)
"""
CLIENT = "import socket, sys\nc = socket.create_connection((sys.argv[1], 8080))\nc.send(b'x')\nsys.stdin.read(1)"


def test_programs_that_know_nothing_of_netlab_and_one_that_is_killed(tier: Tier) -> None:
    with Lab(load_topology("two-hosts")) as lab:
        calls = CallObserver({node.space.cookie: name for name, node in lab.nodes.items()})
        observers = Observers(lab).start()
        calls.start()
        if not calls.report().available:
            pytest.skip(calls.report().reason)
        server = lab["server"].popen([sys.executable, "-I", "-c", SERVER], stdout=PIPE, text=True)
        assert server.stdout is not None
        assert server.stdout.readline() == "ready\n"
        address = lab["server"].address
        client = lab["client"].popen([sys.executable, "-I", "-c", CLIENT, address], stdin=PIPE)
        assert server.stdout.readline() == "received\n"
        server.kill()
        server.wait()
        client.communicate()
        client.close()
        server.close()
        observers.stop()
        observers.seen += calls.stop()
        told = [re.sub(r"\[\d+\]|client:\d+", "", line) for line in told_of(observers.timeline())]
    # What acknowledges the server's FIN is the client's own, or, where that takes its time, a bare ACK.
    told = [line.removesuffix("F.").rstrip(" .") if "-> FIN_WAIT2" in line else line for line in told]
    comm = Path(sys.executable).name[:15]
    accepted, connected = f"{comm} fd 4 (server:8080 > )", f"{comm} fd 3 ( > server:8080)"
    assert sorted(told) == sorted([
        f"{comm} fd 3 (server:8080) CLOSE -> LISTEN by listen()",
        f"{connected} CLOSE -> SYN_SENT by connect()",
        f"{accepted} LISTEN -> NEW_SYN_RECV by the segment S",
        f"{connected} SYN_SENT -> ESTABLISHED by the segment S.",
        f"{accepted} LISTEN -> SYN_RECV by the segment .",
        f"{accepted} SYN_RECV -> ESTABLISHED by the segment .",
        f"{comm} fd 3 (server:8080) LISTEN -> CLOSE by its process's end",
        f"{accepted} ESTABLISHED -> FIN_WAIT1 by its process's end",
        f"{connected} ESTABLISHED -> CLOSE_WAIT by the segment F.",
        f"{connected} CLOSE_WAIT -> LAST_ACK by close()",
        f"{accepted} FIN_WAIT1 -> FIN_WAIT2 by the segment",
        f"{accepted} FIN_WAIT2 -> TIME_WAIT by the segment F.",
        f"{connected} LAST_ACK -> CLOSE by the segment .",
    ])  # fmt: skip
