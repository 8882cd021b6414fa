"""duplicate-address: two answer, and one is talked to."""

import select

import pytest
from topologies_help import PORT, shipped, sightings, tcp_listener, who_saw

from netlab.api import Lab, Seen
from netlab.timeline.headers import decode

pytestmark = pytest.mark.netns

TWICE = "10.0.0.7"
TWINS = ("one", "other")


def connection(lab: Lab) -> tuple[str, Seen]:
    """Which of the two gets the client's connection, and what was seen meanwhile."""
    with tcp_listener(lab, "one") as one, tcp_listener(lab, "other") as other, lab["client"].socket() as client:
        client.settimeout(5)
        with lab.observe() as seen:
            client.connect((TWICE, PORT))
            (found,) = select.select([one, other], [], [], 5)[0]
            with found.accept()[0] as accepted:
                client.sendall(b"to whom?")
                assert accepted.recv(16) == b"to whom?"
    return "one" if found is one else "other", seen


def test_two_answer_and_the_connection_is_with_the_first_of_them() -> None:
    with shipped("duplicate-address") as lab:
        owner = {lab[name].interfaces["eth0"].hardware: name for name in TWINS}
        server, seen = connection(lab)
    arrived = [decode(packet.data) for packet in sightings(seen) if packet.host == "client" and packet.direction == "in"]
    answers = [owner[headers.source_mac] for headers in arrived if headers.protocol == "arp" and headers.source == TWICE]
    assert sorted(answers) == ["one", "other"]
    # the kernel believes the first answer for a second (locktime, arp(7))
    assert server == answers[0]
    assert who_saw(seen, protocol="tcp") == {"client", "switch", server}


@pytest.mark.parametrize("name", TWINS)
def test_who_is_talked_to_is_whose_mac_address_is_taken_down(name: str) -> None:
    with shipped("duplicate-address") as lab:
        hardware = lab[name].interfaces["eth0"].hardware
        lab["client"].run(["ip", "neighbour", "replace", TWICE, "lladdr", hardware, "dev", "eth0"], check=True)
        server, seen = connection(lab)
    assert server == name
    assert who_saw(seen, protocol="tcp") == {"client", "switch", name}
