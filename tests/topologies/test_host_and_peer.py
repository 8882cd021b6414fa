"""host-and-peer: the peer's packets are written by hand, and the host answers the odd ones as its kernel will."""

import errno
import select
import socket

import pytest
from topologies_help import BOTH, PORT, address, shipped, sightings, watched

from netlab.api import Lab
from netlab.notation.parse import parse_packet
from netlab.timeline.headers import decode
from netlab.timeline.streams import flags_text

pytestmark = pytest.mark.netns


def connecting(lab: Lab, family: int) -> socket.socket:
    made = lab["host"].socket(socket.AF_INET if family == 4 else socket.AF_INET6)
    made.setblocking(False)
    assert made.connect_ex((address(lab["peer"], family), PORT)) == errno.EINPROGRESS
    return made


def outcome(connecting: socket.socket) -> int:
    """The errno with which a connection attempt ends, 0 when it succeeds."""
    waiting = select.poll()
    waiting.register(connecting, select.POLLOUT)
    assert waiting.poll(5000)
    return connecting.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)


@pytest.mark.parametrize("family", BOTH)
def test_a_handshake_written_by_hand_connects(family: int) -> None:
    with shipped("host-and-peer") as lab, watched(lab) as seen, connecting(lab, family) as client:
        lab.peers["peer"].send(parse_packet("S."))
        assert outcome(client) == 0
    flags = [flags_text(decode(one.data).flags) for one in sightings(seen, protocol="tcp") if one.host == "peer"]
    assert flags[:3] == ["S", "S.", "."]


@pytest.mark.parametrize("family", BOTH)
def test_an_acknowledgement_of_what_was_never_sent_draws_a_reset(family: int) -> None:
    """RFC 9293, section 3.10.7.3: in SYN-SENT, an unacceptable ACK is answered with a reset that has its number."""
    with shipped("host-and-peer") as lab, watched(lab) as seen, connecting(lab, family) as client:
        lab.peers["peer"].send(parse_packet(". ack 1000"))
        lab.peers["peer"].send(parse_packet("S."))
        assert outcome(client) == 0
    (odd, *_), (reset, *_) = (
        [headers for one in sightings(seen, protocol="tcp", flags=frozenset(flags)) if (headers := decode(one.data))]
        for flags in (".", "R")
    )
    assert (reset.source, reset.seq) == (address(lab["host"], family), odd.ack)


def test_the_peers_own_kernel_says_nothing() -> None:
    """A kernel would refuse the connection at once, since nobody listens."""
    with shipped("host-and-peer") as lab, watched(lab) as seen, connecting(lab, 4) as client:
        lab.peers["peer"].send(parse_packet("S."))  # the very first answer is this one: its sequence number is the peer's first
        assert outcome(client) == 0
        client.shutdown(socket.SHUT_WR)
        lab.peers["peer"].send(parse_packet("R."))
    from_peer = [decode(one.data) for one in sightings(seen) if (one.host, one.direction) == ("peer", "out")]
    assert [(one.protocol, flags_text(one.flags)) for one in from_peer if one.protocol != "arp"] == [("tcp", "S."), ("tcp", "R.")]
