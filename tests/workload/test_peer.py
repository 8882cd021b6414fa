"""A hand-driven peer against a real host: handshakes by hand, data both ways, resets, and the silence before."""

import select
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
from networks import two_hosts

from netlab.errors import LabError, StepError
from netlab.lab.lab import Lab
from netlab.notation.parse import parse_packet
from netlab.timeline.headers import decode
from netlab.workload.peer import ScriptedPeer

pytestmark = pytest.mark.netns
FAMILIES = [(socket.AF_INET, "10.0.0.2"), (socket.AF_INET6, "fd00::2")]


@contextmanager
def beside(within: float = 10.0) -> Iterator[tuple[Lab, ScriptedPeer]]:
    """A client and, in the server's place, a peer."""
    with Lab(two_hosts(server="peer")) as lab:
        peer = ScriptedPeer(lab["server"], within, lab.nodes)
        peer.start()
        try:
            yield lab, peer
        finally:
            peer.stop()


def connecting(lab: Lab, family: int, address: str, port: int = 80) -> socket.socket:
    made = lab["client"].socket(family)
    made.setblocking(False)
    made.connect_ex((address, port))
    return made


def became(made: socket.socket, event: int) -> int:
    poll = select.poll()
    poll.register(made, event)
    ((_, got),) = poll.poll(10_000)
    return got


def error_of(made: socket.socket) -> int:
    return made.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)


def send(peer: ScriptedPeer, *texts: str) -> None:
    for text in texts:
        peer.send(parse_packet(text))


@pytest.mark.parametrize(("family", "address"), FAMILIES)
def test_a_whole_connection_by_hand(family: int, address: str) -> None:
    with beside() as (lab, peer), closing(connecting(lab, family, address)) as client:
        send(peer, "S. <mss 1000>")
        became(client, select.POLLOUT)
        assert error_of(client) == 0
        assert client.getpeername()[:2] == (address, 80)
        assert client.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG) == 1000
        client.send(b"question")
        send(peer, ".", 'P. data "answer"')
        became(client, select.POLLIN)
        assert client.recv(100) == b"answer"
        unsent = client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)[24:28]
        assert int.from_bytes(unsent, "little") == 0, "everything is acknowledged"
        client.shutdown(socket.SHUT_WR)
        send(peer, "F.")
        became(client, select.POLLIN)
        assert client.recv(100) == b""


def test_a_reset_with_the_next_number_ends_it_and_one_beside_it_does_not() -> None:
    with beside() as (lab, peer), closing(connecting(lab, *FAMILIES[0])) as client:
        send(peer, "S. win 65535 <mss 1460>")
        became(client, select.POLLOUT)
        send(peer, "R seq -100000", "R seq 1001", 'P. data "still"')
        became(client, select.POLLIN)
        assert client.recv(100) == b"still"
        send(peer, "R")
        assert became(client, select.POLLIN) & select.POLLERR
        assert error_of(client) == 104  # ECONNRESET


def test_a_connection_refused_by_hand() -> None:
    with beside() as (lab, peer), closing(connecting(lab, *FAMILIES[0])) as client:
        send(peer, "R.")
        became(client, select.POLLOUT)
        assert error_of(client) == 111  # ECONNREFUSED


def test_simultaneous_open_by_hand() -> None:
    with beside() as (lab, peer), closing(connecting(lab, *FAMILIES[0])) as client:
        send(peer, "S", ". seq 1")
        became(client, select.POLLOUT)
        assert error_of(client) == 0


def test_the_latest_connection_is_meant_unless_ports_are_named() -> None:
    with beside() as (lab, peer):
        first = connecting(lab, *FAMILIES[0], 80)
        second = connecting(lab, *FAMILIES[0], 81)
        with closing(first), closing(second):
            send(peer, "server:81 > client R")  # of no account in SYN-SENT; but to be sent it waits until the peer knows both
            send(peer, "S.", "server:80 > client S.")
            became(second, select.POLLOUT)
            became(first, select.POLLOUT)
            assert (error_of(first), error_of(second)) == (0, 0)
            port = first.getsockname()[1]
            send(peer, f"server > client:{port} R.")
            became(first, select.POLLIN)
            assert (error_of(first), error_of(second)) == (104, 0)


@pytest.mark.parametrize(("family", "address"), [(socket.AF_INET, ""), (socket.AF_INET6, "[fd00::1]")])
def test_a_connection_that_the_peer_opens(family: int, address: str) -> None:
    with beside() as (lab, peer), closing(lab["client"].socket(family)) as listener:
        listener.bind(("", 8080))
        listener.listen()
        ends = f"server:40000 > {address or 'client'}:8080"
        send(peer, f"{ends} S seq -10", f"{ends} R seq -9")  # an old one, which is taken back
        send(peer, f"{ends} S <mss 1000>")
        send(peer, ".", 'P. data "hello"')
        became(listener, select.POLLIN)
        accepted, name = listener.accept()
        with closing(accepted):
            assert name[1] == 40000
            assert accepted.recv(10) == b"hello"


def test_an_ack_waits_for_the_answer_to_the_peers_own_syn() -> None:
    with beside(within=0.05) as (_, peer):
        send(peer, "server:40000 > client:8080 S")  # nobody listens: a reset is no answer
        with pytest.raises(StepError, match=r"server: no answer to its SYN has come within 0\.05 s to send '\.' on"):
            send(peer, ".")
        send(peer, ". ack 5")


def test_a_segment_of_no_connection() -> None:
    with beside() as (lab, peer), closing(lab["client"].space.packet_socket("eth0")) as seen:
        send(peer, "server:40000 > client:7 . seq 5 ack 12345")
        while (heard := decode(seen.recv(1 << 16))).flags != {"R"}:
            pass
        assert (heard.sport, heard.dport, heard.seq) == (7, 40000, 12345)


def test_without_a_connection_there_is_nothing_to_send_on() -> None:
    message = r"server: no TCP connection to send 'S\.' on has come within 0\.05 s; let a host connect to 10\.0\.0\.2 first"
    with beside(within=0.05) as (_, peer), pytest.raises(StepError, match=message):
        send(peer, "S.")


def test_the_peers_own_kernel_says_nothing() -> None:
    with beside(within=0.05) as (lab, peer):
        with closing(lab["client"].space.packet_socket("eth0", ignore_outgoing=True)) as seen:
            with closing(connecting(lab, *FAMILIES[0])) as one, closing(connecting(lab, *FAMILIES[1])) as other:
                for client in (one, other):
                    name = client.getsockname()
                    send(peer, f"server > client:{name[1]} R.")
                    became(client, select.POLLOUT)
            seen.setblocking(False)
            heard = []
            while select.select([seen], [], [], 0)[0]:
                heard.append(decode(seen.recv(1 << 16)))
        assert sorted(one.protocol for one in heard) == ["arp", "icmp6", "tcp", "tcp"]


def test_a_peer_that_was_stopped_says_so() -> None:
    with beside() as (_, peer):
        peer.stop()
        with pytest.raises(LabError, match="the peer server was not started, or is stopped"):
            send(peer, "S.")
