"""What captures become: whole scenarios, word by word; and what is said of what cannot be reproduced. No kernel is touched."""

import msgspec
import pytest
from segments_written import Wire, packets

from netlab.document import Document
from netlab.errors import SpecError
from netlab.importing.pcap import from_capture
from netlab.importing.segments import told
from netlab.topology.load import parse_topology

OPENING = ("a S 0 mss sack", "b S. 0 ack 1 mss sack", "a . 1 ack 1")
ASKED = (*OPENING, "a P. 1 ack 1 len 3 of q", "b P. 1 ack 4 len 2 of r", "a . 4 ack 3")
WHOLE = (*ASKED, "a F. 4 ack 3", "b F. 3 ack 5", "a . 5 ack 4")


def imported(*lines: str, real: tuple[str, ...] = ()) -> tuple[str, str, tuple[str, ...]]:
    made = from_capture(packets(*lines), "field", "field.pcap", real)
    return made.topology(), made.scenario(), made.notes


def test_the_server_becomes_real_and_the_client_sends_just_what_was_captured() -> None:
    topology, scenario, notes = imported(*WHOLE)
    assert topology == (
        """# 1 TCP connection, as in the capture field.pcap of 9 packets.
name: field
nodes:
  client: {kind: peer}
  server: {sysctls: {net.ipv4.tcp_early_retrans: 0}}
links:
  - endpoints: [client, server]
    subnets: [10.0.0.0/24]
    addresses: {client: [10.0.0.1], server: [10.0.0.2]}
"""
    )
    assert scenario == (
        """# 1 TCP connection, as in the capture field.pcap of 9 packets.
topology: field
steps:
  - server: s = socket(AF_INET, SOCK_STREAM, 0)
  - server: setsockopt(s, SOL_SOCKET, SO_REUSEADDR, 1)
  - server: bind(s, 0.0.0.0:80)
  - server: listen(s, 128)
  # Packet 1: client:1000 opens connection 1.
  - client: client:1000 > server:80 S seq 0 win 512 <mss 1460, sackOK, nop, nop>
  - expect:
      packets:
        - client:1000 > server:80 S seq 0
        - server:80 > client:1000 S. seq 0 ack 1 <mss 1460, sackOK> {1,}
  - client: client:1000 > server:80 . seq 1 ack 1 win 512
  - server: a = accept(s)
  # Packet 4: client:1000 sends.
  - client: 'client:1000 > server:80 P. seq 1 ack 1 win 512 data "qqq"'
  # Packet 5: server:80 sends.
  - server: 'recv(a, buf(3), MSG_WAITALL) -> 3 out "qqq"'
  - server: send(a, "rr", MSG_NOSIGNAL) -> 2
  - expect:
      packets:
        - server:80 > client:1000 S. seq 0 ack 1 <mss 1460, sackOK> {0,}
        - client:1000 > server:80 . seq 1
        - server:80 > client:1000 . {0,}
        - client:1000 > server:80 P. seq 1 len 3
        - server:80 > client:1000 . {0,}
        - server:80 > client:1000 P. seq 1 len 2 {1,}
  - client: client:1000 > server:80 . seq 4 ack 3 win 512
  # Packet 7: client:1000 ends its direction.
  - client: client:1000 > server:80 F. seq 4 ack 3 win 512
  # Packet 8: server:80 ends its direction.
  - server: recv(a, buf(1)) -> 0
  - server: close(a)
  - expect:
      packets:
        - server:80 > client:1000 P. seq 1 len 2 {0,}
        - client:1000 > server:80 . seq 4
        - server:80 > client:1000 . {0,}
        - client:1000 > server:80 F. seq 4
        - server:80 > client:1000 . {0,}
        - server:80 > client:1000 F. seq 3 {1,}
  - client: client:1000 > server:80 . seq 5 ack 4 win 512
  - expect:
      packets:
        - server:80 > client:1000 F. seq 3 {0,}
        - client:1000 > server:80 . seq 5
        - server:80 > client:1000 . {0,}
"""
    )
    assert notes == ()


def test_whom_a_real_stack_plays_can_be_chosen() -> None:
    topology, scenario, _ = imported(*WHOLE, real=("10.0.0.1",))
    assert "server: {kind: peer}" in topology
    assert "  - client: connect(c, server:80) & as opening1\n" in scenario
    assert "  - server: server:80 > client:1000 S. seq 0 ack 1 win 512 <mss 1460, sackOK, nop, nop>\n" in scenario
    topology, scenario, _ = imported(*WHOLE, real=("both",))
    assert "peer" not in topology
    assert "  - server: 'recv(a, buf(3), MSG_WAITALL) -> 3 out \"qqq\"'\n" in scenario


def test_a_reset_is_a_close_that_does_not_linger_and_is_felt() -> None:
    _, scenario, _ = imported(*ASKED, "b R. 3 ack 4")
    assert "  - server: setsockopt(a, SOL_SOCKET, SO_LINGER, {linger:1,0})\n  - server: close(a)\n" in scenario
    _, scenario, _ = imported(*ASKED, "a R. 4 ack 3")
    assert "  - server: recv(a, buf(1)) -> ECONNRESET\n  - server: close(a)\n" in scenario


def test_nobody_listens_where_a_connection_was_refused() -> None:
    _, scenario, _ = imported("a S 0 mss", "b R. 0 ack 1")
    assert "listen" not in scenario
    assert "server:80 > client:1000 R." in scenario
    _, scenario, _ = imported("a S 0 mss", "b R. 0 ack 1", real=("both",))
    assert "  - client: join opening1 -> ECONNREFUSED\n" in scenario


def test_a_server_that_refused_first_listens_later_and_one_that_stopped_no_more() -> None:
    refused = ("a S 0 mss sack", "b R. 0 ack 1")
    tries = [
        Wire({"a": first, "b": 7 * first}).packets(*lines) for first, lines in ((1, refused), (9_000_000, WHOLE), (90, refused))
    ]
    later = [
        msgspec.structs.replace(packet, time=packet.time + at * 1_000_000_000) for at, some in enumerate(tries) for packet in some
    ]
    scenario = from_capture(later, "field", "field.pcap", ()).scenario()
    told = ("listen(s, 128)", "close(s)", "client:1000 > server:80 S seq 0 win", "server:80 > client:1000 R.")
    assert [one for line in scenario.splitlines() for one in told if one in line] == [
        told[2],
        told[3],
        told[0],
        told[2],
        told[1],
        *told[2:],
    ]


def test_a_long_silence_is_shortened_and_told() -> None:
    early = packets(*WHOLE)
    late = [one if number < 3 else msgspec.structs.replace(one, time=one.time + 90 * 10**9) for number, one in enumerate(early)]
    scenario = from_capture(late, "field", "field.pcap").scenario()
    assert "  # 90.0 s passed here in the capture.\n  - wait: 1000ms\n" in scenario


def test_what_begins_in_the_middle_is_told_and_is_no_scenario() -> None:
    with pytest.raises(SpecError, match=r"field.pcap:1:1: .* no SYN of them.*; capture from before the connection opens"):
        imported("a P. 1 ack 1 len 3", "b . 1 ack 4")


def test_an_address_that_the_capture_lacks_is_refused() -> None:
    with pytest.raises(SpecError, match=r"no host in it has the address 10\.9\.9\.9; there are 10\.0\.0\.1, 10\.0\.0\.2"):
        imported(*WHOLE, real=("10.9.9.9",))


def test_the_same_packet_at_two_places_is_one_and_twice_at_one_place_two() -> None:
    seen = packets(*WHOLE)
    elsewhere = [msgspec.structs.replace(one, interface="eth1") for one in seen]
    assert len(told([*seen, *elsewhere]).events) == len(seen)
    assert len(told([*seen, seen[3]]).events) == len(seen) + 1


@pytest.mark.parametrize("real", [(), ("10.0.0.1",), ("both",)])
def test_what_is_written_is_a_topology(real: tuple[str, ...]) -> None:
    topology, _, _ = imported(*WHOLE, real=real)
    assert [node.name for node in parse_topology(Document.parse(topology, "field.yaml")).nodes] == ["client", "server"]
