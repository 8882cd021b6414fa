"""mtu-black-hole: what is too big vanishes, and nobody is told."""

import select
import shutil
import socket
import struct
import subprocess
from contextlib import ExitStack

import pytest
from labs import until
from topologies_help import BOTH, address, shipped, sightings, tcp_listener, who_saw

from netlab.api import Lab

pytestmark = [
    pytest.mark.netns,
    pytest.mark.skipif(shutil.which("nft") is None, reason="no program nft on the PATH (apt-get install nftables)"),
]
FULL, ETHERNET = 1500, 14
PATH_MTU = {4: (socket.IPPROTO_IP, 14), 6: (socket.IPPROTO_IPV6, 24)}  # IP_MTU, IPV6_MTU
TCP_INFO, TOTAL_RETRANSMISSIONS = 11, 100


def test_small_answers_arrive_and_large_ones_hang_until_the_size_is_probed() -> None:
    """Both families at once: each needs its time-outs."""
    with shipped("mtu-black-hole") as lab, ExitStack() as stack:
        set_sysctl(lab, "server", "net.ipv4.tcp_retries1", 0)  # how many time-outs it takes until probing is thought of
        ends = {family: connected(lab, family, stack) for family in BOTH}
        large = {family: 8 * server.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG) for family, (_, server) in ends.items()}
        with lab.observe() as seen:
            for family, (client, server) in ends.items():
                server.sendall(b"small")
                assert client.recv(16) == b"small"
                server.sendall(bytes(large[family]))
            assert until(lambda: all(retransmitted(server) > 1 for _, server in ends.values()))
            for family, (client, server) in ends.items():
                assert select.select([client], [], [], 0)[0] == []
                assert server.getsockopt(*PATH_MTU[family]) == FULL
        too_big = [packet for packet in sightings(seen, protocol="tcp", sport=80) if packet.length == FULL + ETHERNET]
        assert {packet.host for packet in too_big} == {"server", "guard", "isp"}
        assert who_saw(seen, protocol="icmp", type=3, code=4, mtu=1400) == {"isp", "guard"}
        assert who_saw(seen, protocol="icmp6", type=2, mtu=1400) == {"isp", "guard"}

        set_sysctl(lab, "server", "net.ipv4.tcp_mtu_probing", 1)
        for family, (client, server) in ends.items():
            found = 0
            while found < large[family]:
                found += len(client.recv(1 << 16))
            assert server.getsockopt(*PATH_MTU[family]) == FULL  # it was not told, but found out by itself


def connected(lab: Lab, family: int, stack: ExitStack) -> tuple[socket.socket, socket.socket]:
    """A connection of the client's to the server: both its ends."""
    with tcp_listener(lab, "server", family, 80) as listener:
        client = stack.enter_context(lab["client"].socket(listener.family))
        client.settimeout(10)
        client.connect((address(lab["server"], family), 80))
        server = stack.enter_context(listener.accept()[0])
    server.settimeout(10)
    return client, server


def retransmitted(made: socket.socket) -> int:
    """How many segments a connection has sent again (tcpi_total_retrans)."""
    (count,) = struct.unpack_from("=I", made.getsockopt(socket.IPPROTO_TCP, TCP_INFO, 104), TOTAL_RETRANSMISSIONS)
    return int(count)


def set_sysctl(lab: Lab, node: str, key: str, value: int) -> None:
    file = f"/proc/sys/{key.replace('.', '/')}"
    lab[node].run(["tee", file], input=str(value).encode(), stdout=subprocess.DEVNULL, check=True)
