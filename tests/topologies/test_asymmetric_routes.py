"""asymmetric-routes: there by north, back by south."""

import pytest
from topologies_help import BOTH, PORT, address, route, shipped, tcp_exchange, udp_exchange, udp_socket, who_saw

pytestmark = pytest.mark.netns


@pytest.mark.parametrize("family", BOTH)
def test_a_connection_goes_there_by_north_and_comes_back_by_south(family: int) -> None:
    with shipped("asymmetric-routes") as lab:
        with lab.observe() as seen:
            tcp_exchange(lab, "client", "server", family)
        there, back = (who_saw(seen, protocol="tcp", source=address(lab[name], family)) for name in ("client", "server"))
        assert there == {"client", "west", "north", "east", "server"}
        assert back == {"server", "east", "south", "west", "client"}
        assert route(lab, "client", "server", family) == ["west", "north", "east", "server"]
        assert route(lab, "server", "client", family) == ["east", "south", "west", "client"]


def test_a_reverse_path_filter_drops_the_answers() -> None:
    """IPv6 has none, so that an exchange in IPv6 passes, and the answer before it, in IPv4, is not underway any more."""
    with shipped("asymmetric-routes", rp_filter=1) as lab:
        with udp_socket(lab, "server", 4, PORT) as server, udp_socket(lab, "client") as client, lab.observe() as seen:
            client.sendto(b"question", (address(lab["server"]), PORT))
            question, source = server.recvfrom(16)
            assert (question, source[0]) == (b"question", address(lab["client"]))
            server.sendto(b"answer", source)
            udp_exchange(lab, "client", "server", 6, port=PORT + 1)
        assert who_saw(seen, protocol="udp", payload=b"answer") == {"server", "east", "south", "west"}
