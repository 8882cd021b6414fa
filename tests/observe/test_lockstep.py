"""States without root: the difference of two socket tables, and the states of real connections over a wire in lock step."""

import errno
import os
import select
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import TypeVar

import pytest

from netlab.document import Document
from netlab.errors import LabError
from netlab.impair.wire import Wire
from netlab.lab.lab import Lab
from netlab.observe.lockstep import LockStep, transitions
from netlab.observe.sockdiag import NETLINK_SOCK_DIAG, SocketDiagnosis
from netlab.observe.states import StateObserver
from netlab.observe.tier import Tier
from netlab.timeline.observations import SocketEntry, SocketState
from netlab.topology.load import parse_topology

TOPOLOGY = """# Two hosts on one wire, with rules.
name: in-lock-step
nodes:
  client: {}
  server: {}
links:
  - endpoints: [client, server]
    subnets: [10.0.0.0/24, "fd00::/64"]
    impair:
"""
NOTHING = """
      client->server: [{match: udp, action: drop}]
"""
BOTH_SYNS = """
      client->server: [{match: S, action: hold, barrier: both}]
      server->client: [{match: S, action: hold, barrier: both}]
"""
BOTH_FINS = """
      client->server: [{match: F., action: hold, barrier: both}]
      server->client: [{match: F., action: hold, barrier: both}]
"""
SYNS_THEN_SYN_ACKS = """
      client->server: [{match: S, action: hold, barrier: both}, {match: S., action: hold, barrier: never}]
      server->client: [{match: S, action: hold, barrier: both}, {match: S., action: hold, barrier: never}]
"""
HELD_ACK = """
      client->server: [{match: ., action: hold, barrier: never}]
"""
PORT = 80
SOCK_DESTROY = 21
LINGER_ZERO = struct.pack("=ii", 1, 0)
T = TypeVar("T")


def entry(
    cookie: int, state: str, local: tuple[str, int] = ("10.0.0.2", 80), remote: tuple[str, int] = ("0.0.0.0", 0)
) -> SocketEntry:
    return SocketEntry(protocol="tcp", state=state, local=local, remote=remote, inode=cookie + 100, cookie=cookie)


def told(before: list[SocketEntry], after: list[SocketEntry]) -> list[tuple[int, str, str]]:
    old, new = ({one.cookie: one for one in entries} for entries in (before, after))
    return [(one.cookie, one.old, one.new) for one in transitions(old, new, "server", 7)]


def test_what_is_in_both_tables_changed_or_did_not() -> None:
    listener, waits = entry(1, "LISTEN"), entry(2, "ESTABLISHED", remote=("10.0.0.1", 5000))
    assert told([listener, waits], [listener, entry(2, "CLOSE_WAIT", remote=("10.0.0.1", 5000))]) == [
        (2, "ESTABLISHED", "CLOSE_WAIT")
    ]
    assert told([listener, waits], [listener, waits]) == []


def test_what_is_in_one_table_only_began_or_ended() -> None:
    assert told([], [entry(1, "LISTEN")]) == [(1, "CLOSE", "LISTEN")]
    assert told([], [entry(1, "SYN_SENT", remote=("10.0.0.1", 9))]) == [(1, "CLOSE", "SYN_SENT")]
    assert told([entry(1, "TIME_WAIT", remote=("10.0.0.1", 9))], []) == [(1, "TIME_WAIT", "CLOSE")]
    assert told([], [entry(1, "CLOSE")]) == []


def test_a_new_entry_comes_from_the_listener_that_it_may_be_of() -> None:
    half_open = entry(2, "SYN_RECV", remote=("10.0.0.1", 5000))
    for host, old in (("10.0.0.2", "LISTEN"), ("0.0.0.0", "LISTEN"), ("10.0.0.9", "CLOSE")):
        listener = entry(1, "LISTEN", (host, 80))
        assert told([listener], [listener, half_open]) == [(2, old, "SYN_RECV")]
    other_port = entry(1, "LISTEN", ("10.0.0.2", 81))
    assert told([other_port], [other_port, half_open]) == [(2, "CLOSE", "SYN_RECV")]


def test_an_end_is_told_before_a_beginning_at_the_same_addresses() -> None:
    here, there = ("10.0.0.1", 5000), ("10.0.0.2", 80)
    found = told([entry(1, "TIME_WAIT", here, there)], [entry(2, "SYN_SENT", here, there)])
    assert found == [(1, "TIME_WAIT", "CLOSE"), (2, "CLOSE", "SYN_SENT")]


class Broken:
    """A table that can be read once."""

    reads, closed = 0, False

    def every(self, protocol: str) -> list[tuple[SocketEntry, None]]:
        self.reads += 1
        if self.reads > 1:
            raise LabError(f"sock_diag refused a dump of {protocol}")
        return [(entry(1, "LISTEN"), None)]

    def close(self) -> None:
        self.closed = True


def test_a_table_that_can_be_read_no_more_makes_the_source_unavailable() -> None:
    tables = Broken()
    steps = LockStep({"server": tables})
    assert not steps.report().available
    steps.start()
    assert steps.report().available
    steps.after_frame()
    assert steps.stop() == []
    assert not steps.report().available
    assert "refused" in steps.report().reason
    assert tables.closed


class Play:
    """Sockets of two hosts, each call of which is followed by a reading."""

    def __init__(self, lab: Lab, wire: Wire, steps: LockStep) -> None:
        self.lab, self.wire, self.steps = lab, wire, steps
        self.seen: list[SocketState] = []

    def call(self, made: Callable[[], T]) -> T:
        try:
            return made()
        finally:
            self.steps.after_call()

    def made(self, host: str, port: int = 0) -> socket.socket:
        made = self.lab[host].socket()
        made.setblocking(False)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if port:
            self.call(lambda: made.bind(("0.0.0.0", port)))
        return made

    def connecting(self, made: socket.socket, to: tuple[str, int]) -> None:
        assert self.call(lambda: made.connect_ex(to)) == errno.EINPROGRESS

    def listening(self) -> socket.socket:
        listener = self.made("server", PORT)
        self.call(lambda: listener.listen(4))
        return listener

    def connected(self) -> tuple[socket.socket, socket.socket, socket.socket]:
        listener, client = self.listening(), self.made("client", 5000)
        self.connecting(client, ("10.0.0.2", PORT))
        self.readable(listener)
        return listener, client, self.call(lambda: listener.accept()[0])

    def readable(self, made: socket.socket) -> None:
        assert select.select([made], [], [], 10)[0]

    def reset(self, made: socket.socket) -> None:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_ZERO)
        self.call(made.close)

    def until(self, host: str, old: str, new: str) -> None:
        """Wait for a transition."""
        deadline = time.monotonic() + 10
        while (old, new) not in self.edges(host):
            assert time.monotonic() < deadline, f"{host} did not go from {old} to {new}: {self.edges(host)}"
            select.select([], [], [], 0.001)

    def edges(self, host: str) -> list[tuple[str, str]]:
        self.seen += [one for one in self.steps.drain() if isinstance(one, SocketState)]
        return [(one.old, one.new) for one in self.seen if one.host == host]

    def path(self, host: str, made: int) -> list[str]:
        """The states of the socket with this cookie, each of which begins where the one before ended."""
        self.edges(host)
        states: list[str] = []
        for one in self.seen:
            if one.host == host and one.cookie == made:
                assert not states or states[-1] == one.old
                states += [one.new] if states else [one.old, one.new]
        return states


def cookie(made: socket.socket) -> int:
    return int.from_bytes(made.getsockopt(socket.SOL_SOCKET, 57, 8), "little")


@contextmanager
def playing(rules: str) -> Iterator[Play]:
    topology = parse_topology(Document.parse(TOPOLOGY + rules, "in-lock-step.yaml"))
    with Lab(topology) as lab, Wire.of(lab) as wire:
        diagnoses = {
            name: SocketDiagnosis(name, lab[name].space.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG))
            for name in ("client", "server")
        }
        steps = LockStep(diagnoses)
        steps.start()
        wire.watch(steps.after_frame)
        try:
            yield Play(lab, wire, steps)
            assert steps.report().available
            assert wire.report().lost == 0
        finally:
            steps.stop()


netns = pytest.mark.netns


@netns
def test_the_handshake_shows_every_state_at_both_ends() -> None:
    with playing(NOTHING) as play:
        listener, client, accepted = play.connected()
        with listener, client, accepted:
            assert play.path("client", cookie(client)) == ["CLOSE", "SYN_SENT", "ESTABLISHED"]
            assert play.path("server", cookie(listener)) == ["CLOSE", "LISTEN"]
            assert play.path("server", cookie(accepted)) == ["LISTEN", "SYN_RECV", "ESTABLISHED"]
            (last,) = [one for one in play.seen if one.cookie == cookie(accepted) and one.new == "ESTABLISHED"]
            assert (last.local, last.remote) == (("10.0.0.2", PORT), ("10.0.0.1", 5000))


@netns
def test_both_closes_show_every_state_and_the_end_of_time_wait() -> None:
    with playing(NOTHING) as play:
        listener, client, accepted = play.connected()
        ends = cookie(client), cookie(accepted)
        play.call(client.close)
        play.readable(accepted)
        play.until("client", "FIN_WAIT1", "FIN_WAIT2")
        play.call(accepted.close)
        play.until("client", "FIN_WAIT2", "TIME_WAIT")
        play.until("server", "LAST_ACK", "CLOSE")
        destroy(play.lab, "client", ends[0])
        play.steps.after_call()
        play.call(listener.close)
        active, passive = play.path("client", ends[0]), play.path("server", ends[1])
        assert active[2:] == ["ESTABLISHED", "FIN_WAIT1", "FIN_WAIT2", "TIME_WAIT", "CLOSE"]
        assert passive[2:] == ["ESTABLISHED", "CLOSE_WAIT", "LAST_ACK", "CLOSE"]
        assert ("LISTEN", "CLOSE") in play.edges("server")


@netns
def test_a_simultaneous_close_goes_through_closing() -> None:
    with playing(BOTH_FINS) as play:
        listener, client, accepted = play.connected()
        ends = {"client": cookie(client), "server": cookie(accepted)}
        with closing(listener):
            play.call(client.close)
            play.call(accepted.close)
            play.wire.release("both")
            for host, end in ends.items():
                play.until(host, "CLOSING", "TIME_WAIT")
                assert play.path(host, end)[2:] == ["ESTABLISHED", "FIN_WAIT1", "CLOSING", "TIME_WAIT"]


@netns
def test_a_simultaneous_open_goes_through_syn_received_without_a_listener() -> None:
    with playing(BOTH_SYNS) as play, play.made("client", 5000) as client, play.made("server", 5000) as server:
        play.connecting(client, ("10.0.0.2", 5000))
        play.connecting(server, ("10.0.0.1", 5000))
        play.wire.release("both")
        for host, made in (("client", client), ("server", server)):
            play.until(host, "SYN_RECV", "ESTABLISHED")
            assert play.path(host, cookie(made)) == ["CLOSE", "SYN_SENT", "SYN_RECV", "ESTABLISHED"]


@netns
@pytest.mark.parametrize("half", ["established", "half-closed"])
def test_a_reset_ends_both_ends(half: str) -> None:
    with playing(NOTHING) as play:
        listener, client, accepted = play.connected()
        ends = cookie(client), cookie(accepted)
        with listener, accepted:
            if half == "half-closed":
                play.call(lambda: client.shutdown(socket.SHUT_WR))
                play.until("client", "FIN_WAIT1", "FIN_WAIT2")
            play.reset(client)
            waited = "CLOSE_WAIT" if half == "half-closed" else "ESTABLISHED"
            play.until("server", waited, "CLOSE")
            assert play.path("client", ends[0])[-2:] == ["FIN_WAIT2" if half == "half-closed" else "ESTABLISHED", "CLOSE"]
            assert play.path("server", ends[1])[-2:] == [waited, "CLOSE"]


@netns
def test_a_refused_connection_goes_from_syn_sent_to_closed() -> None:
    with playing(NOTHING) as play, play.made("client") as client:
        play.connecting(client, ("10.0.0.2", 9))
        play.until("client", "SYN_SENT", "CLOSE")
        assert play.path("client", cookie(client)) == ["CLOSE", "SYN_SENT", "CLOSE"]


@netns
def test_a_reset_ends_what_is_half_open() -> None:
    with playing(HELD_ACK) as play, play.listening(), play.made("client", 5000) as client:
        play.connecting(client, ("10.0.0.2", PORT))
        play.until("client", "SYN_SENT", "ESTABLISHED")
        play.reset(client)
        play.until("server", "SYN_RECV", "CLOSE")
        assert play.edges("server") == [("CLOSE", "LISTEN"), ("LISTEN", "SYN_RECV"), ("SYN_RECV", "CLOSE")]


@netns
def test_a_reset_ends_what_waits_for_its_fin_to_be_acknowledged() -> None:
    with playing(BOTH_FINS) as play:
        listener, client, accepted = play.connected()
        end = cookie(client)
        with listener:
            play.call(client.close)
            play.reset(accepted)
            play.until("client", "FIN_WAIT1", "CLOSE")
            assert play.path("client", end)[-3:] == ["ESTABLISHED", "FIN_WAIT1", "CLOSE"]


@netns
def test_a_close_while_half_open_goes_straight_to_fin_wait() -> None:
    with playing(SYNS_THEN_SYN_ACKS) as play, play.made("client", 5000) as client, play.made("server", 5000) as server:
        play.connecting(client, ("10.0.0.2", 5000))
        play.connecting(server, ("10.0.0.1", 5000))
        play.wire.release("both")
        play.until("client", "SYN_SENT", "SYN_RECV")
        end = cookie(client)
        play.call(client.close)
        # what its FIN acknowledges ends the server's handshake, and an answer to it may have come by now
        assert play.path("client", end)[:4] == ["CLOSE", "SYN_SENT", "SYN_RECV", "FIN_WAIT1"]


@pytest.mark.bpf
@pytest.mark.parametrize("rules", [NOTHING, BOTH_FINS])
def test_every_transition_that_the_kernels_probes_tell_of_is_seen(tier: Tier, rules: str) -> None:
    with playing(rules) as play:
        probes = StateObserver({node.space.cookie: name for name, node in play.lab.nodes.items()})
        probes.start()
        assert probes.report().reason == "", tier
        with ExitStack() as stack:
            listener, client, accepted = play.connected()
            stack.enter_context(listener)
            play.call(client.close)
            if rules == NOTHING:
                play.until("client", "FIN_WAIT1", "FIN_WAIT2")
            play.call(accepted.close)
            if rules == BOTH_FINS:
                play.wire.release("both")
            play.until("client", "FIN_WAIT2" if rules == NOTHING else "CLOSING", "TIME_WAIT")
            play.until("server", *(("LAST_ACK", "CLOSE") if rules == NOTHING else ("CLOSING", "TIME_WAIT")))
        expected = {(one.host, one.old, one.new) for one in probes.stop() if isinstance(one, SocketState)}
        play.edges("client")
    found = {(one.host, one.old, one.new) for one in play.seen}
    listed = {"NEW_SYN_RECV": "SYN_RECV"}
    wanted = {(host, listed.get(old, old), listed.get(new, new)) for host, old, new in expected}
    assert {edge for edge in found if edge[1] != "LISTEN"} == {edge for edge in wanted if edge[1] != "LISTEN"}
    assert ("server", "LISTEN", "SYN_RECV") in found & wanted


def destroy(lab: Lab, host: str, cookie: int) -> None:
    """End a socket in any state, as ``ss --kill`` does (SOCK_DESTROY, linux/sock_diag.h)."""
    with lab[host].space.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG) as diag:
        places = (
            struct.pack(">HH", 5000, PORT) + socket.inet_aton("10.0.0.1") + bytes(12) + socket.inet_aton("10.0.0.2") + bytes(12)
        )
        identity = places + struct.pack("=III", 0, cookie & 0xFFFFFFFF, cookie >> 32)
        request = struct.pack("=BBBBI", socket.AF_INET, socket.IPPROTO_TCP, 0, 0, 0xFFFFFFFF) + identity
        diag.send(struct.pack("=IHHII", 16 + len(request), SOCK_DESTROY, 5, 1, 0) + request)
        (number,) = struct.unpack_from("=i", diag.recv(4096), 16)
        assert number == 0, os.strerror(-number)
