"""Samples of sockets, and one socket looked up: what sock_diag says, held against what the sockets themselves say."""

import socket
import struct
import sys
from pathlib import Path

import pytest
from networks import two_hosts

from netlab.lab.lab import Lab
from netlab.observe.btf import Btf
from netlab.observe.samples import FIELDS, MEMORY, SocketSamples, socket_memory, tcp_info
from netlab.observe.sockdiag import NETLINK_SOCK_DIAG, SocketDiagnosis
from netlab.timeline.observations import SocketMemory, TcpInfo

SO_COOKIE, SO_MEMINFO = 57, 55
ADDRESS = ("10.0.0.2", 8080)
BTF = Path("/sys/kernel/btf/vmlinux")


def netlink(lab: Lab, node: str) -> socket.socket:
    return lab[node].socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG)


def cookie(of: socket.socket) -> int:
    return int(struct.unpack("=Q", of.getsockopt(socket.SOL_SOCKET, SO_COOKIE, 8))[0])


def kernel_info(of: socket.socket) -> dict[str, int]:
    return tcp_info(of.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 512))


def test_the_fields_are_where_this_kernel_has_them() -> None:
    if not BTF.exists():
        pytest.skip("this kernel has no BTF: /sys/kernel/btf/vmlinux is not there")
    types = Btf(BTF.read_bytes())
    here = {name: types.member("tcp_info", f"tcpi_{name}") for name in FIELDS if not name.startswith("_")}
    known = {name: at for name, at in here.items() if at is not None}
    assert len(known) > 40
    assert known == {name: FIELDS[name][0] for name in known}


def test_what_an_older_kernel_does_not_give_is_left_out() -> None:
    whole = bytes(range(256)) + bytes(24)
    assert list(tcp_info(whole[:104]))[-1] == "total_retrans"
    assert tcp_info(whole[:110]) == tcp_info(whole[:104])
    assert tcp_info(whole[:112])["pacing_rate"] == int.from_bytes(bytes(range(104, 112)), sys.byteorder)
    assert tcp_info(b"") == {}
    assert len(tcp_info(whole)) == len(FIELDS) + 2
    assert socket_memory(struct.pack("=3I", 1, 2, 3)) == {"rmem_alloc": 1, "rcvbuf": 2, "wmem_alloc": 3}
    assert list(socket_memory(bytes(48))) == list(MEMORY)


@pytest.mark.netns
def test_one_socket_is_found_by_its_addresses_and_its_cookie() -> None:
    with Lab(two_hosts()) as lab, lab["server"].socket() as listener, lab["client"].socket() as client:
        listener.bind(ADDRESS)
        listener.listen()
        client.connect(ADDRESS)
        local = client.getsockname()
        diagnosis = SocketDiagnosis("client", netlink(lab, "client"))
        other = SocketDiagnosis("server", netlink(lab, "server"))
        try:
            found = diagnosis.find("tcp", local, ADDRESS)
            assert found is not None
            assert found in diagnosis.table().entries
            assert (found.state, found.local, found.remote, found.cookie) == ("ESTABLISHED", local, ADDRESS, cookie(client))
            assert diagnosis.find("tcp", local, ADDRESS, cookie(client)) == found
            assert diagnosis.find("tcp", local, ADDRESS, cookie(client) + 1) is None
            assert diagnosis.find("tcp", local, ("10.0.0.2", 8081)) is None
            # Nobody is connected from there: the kernel gives who would be, the listener.
            waiting = other.find("tcp", ADDRESS, ("10.0.0.1", 1))
            assert waiting is not None
            assert (waiting.state, waiting.remote, waiting.cookie) == ("LISTEN", ("0.0.0.0", 0), cookie(listener))
        finally:
            diagnosis.close()
            other.close()


@pytest.mark.netns
def test_udp_and_ipv6_sockets_are_found_too() -> None:
    with (
        Lab(two_hosts()) as lab,
        lab["client"].socket(socket.AF_INET6, socket.SOCK_DGRAM) as bound,
        lab["client"].socket(kind=socket.SOCK_DGRAM) as connected,
    ):
        bound.bind(("::1", 5000))
        connected.connect(("10.0.0.2", 9))
        diagnosis = SocketDiagnosis("client", netlink(lab, "client"))
        try:
            found = [diagnosis.find("udp", ("::1", 5000)), diagnosis.find("udp", connected.getsockname(), ("10.0.0.2", 9))]
            assert [one.cookie for one in found if one is not None] == [cookie(bound), cookie(connected)]
            assert diagnosis.find("udp", ("::1", 5001)) is None
        finally:
            diagnosis.close()


@pytest.mark.netns
def test_samples_say_what_the_socket_itself_says() -> None:
    with Lab(two_hosts()) as lab, lab["server"].socket() as listener, lab["client"].socket() as client:
        listener.bind(ADDRESS)
        listener.listen()
        client.connect(ADDRESS)
        accepted, local = listener.accept()
        with accepted:
            client.sendall(b"x" * 1000)
            diagnosis = SocketDiagnosis("server", netlink(lab, "server"))
            samples = SocketSamples({"server": diagnosis})
            samples.start()
            memory, info = samples.sample("server", ADDRESS, local)
            assert isinstance(memory, SocketMemory)
            assert isinstance(info, TcpInfo)
            assert (memory.host, memory.local, memory.remote, memory.cookie) == ("server", ADDRESS, local, cookie(accepted))
            given = accepted.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, 4 * len(MEMORY))
            assert memory.memory == socket_memory(given)
            assert memory.memory["rmem_alloc"] >= 1000
            # What the clock moves differs between two looks.
            moving = {name for name in info.info if name.startswith("last_") or name in ("delivery_rate", "rcv_rtt", "busy_time")}
            now = kernel_info(accepted)
            assert {name: value for name, value in info.info.items() if name not in moving} == {
                name: value for name, value in now.items() if name not in moving
            }
            assert (info.info["bytes_received"], info.info["snd_wscale"]) == (1000, kernel_info(client)["rcv_wscale"])
            assert samples.sample("server", ADDRESS, ("10.0.0.1", 1)) == ()
            every = samples.sample("server")
            assert {one.cookie for one in every if isinstance(one, TcpInfo)} == {cookie(listener), cookie(accepted)}
            assert [*samples.drain(), *samples.stop()] == []
            diagnosis.close()
            assert samples.report().seen == 2 + len(every)


@pytest.mark.netns
def test_a_timer_is_seen_while_it_runs() -> None:
    with Lab(two_hosts()) as lab, lab["server"].socket() as listener, lab["client"].socket() as client:
        listener.bind(ADDRESS)
        listener.listen()
        client.connect(ADDRESS)
        accepted, _ = listener.accept()
        diagnosis = SocketDiagnosis("client", netlink(lab, "client"))
        try:
            with accepted:
                assert [(one.timer, one.left, one.cookie) for one in diagnosis.timers()] == [("none", 0, cookie(client))]
                client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1000)
                (one,) = diagnosis.timers()
                assert (one.host, one.timer, one.repeats, one.inode > 0) == ("client", "keepalive", 0, True)
                assert 900_000 < one.left <= 1_000_000
        finally:
            diagnosis.close()
