"""Deeds as real stacks take them: the receiver counts what is damaged and reads what is rewritten; forged answers end calls.

A pump of two sockets carries out here what actions.deed says, so that nothing but the deeds is tried.
"""

import errno
import select
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from itertools import pairwise
from typing import Any

import pytest
from icmp_errors import next_error, tell_errors
from networks import HERE, two_hosts

from netlab.impair.actions import deed
from netlab.impair.rules import LinkRules
from netlab.lab.lab import Lab
from netlab.notation.parse import parse_packet
from netlab.timeline.timeline import Node
from netlab.topology.spec import Rule

pytestmark = pytest.mark.netns

THERE, BACK = ("client", "server"), ("server", "client")
FAMILIES = pytest.mark.parametrize("version", [4, 6])
SERVERS = {4: "10.0.0.2", 6: "fd00::2"}
DOMAINS = {4: socket.AF_INET, 6: socket.AF_INET6}
IP_MTU_DISCOVER, IP_MTU, IPV6_MTU_DISCOVER, IPV6_MTU, IP_PMTUDISC_DO = 10, 14, 23, 24, 2
IP_RECVTOS, IPV6_RECVTCLASS, IPV6_TCLASS = 13, 66, 67
IP_RECVTTL, IPV6_RECVHOPLIMIT, IPV6_HOPLIMIT = 12, 51, 52
TCP_DELIVERED_CE = 196  # in struct tcp_info


def rule(pattern: str, action: str, *nth: int, **fields: Any) -> Rule:
    return Rule(match=parse_packet(pattern), action=action, occurrences=frozenset(nth), place=HERE, **fields)


class Pump:
    """Forwards between the two sides of a link's middle, and does what rulings say; ``done`` lists the deeds."""

    def __init__(self, lab: Lab) -> None:
        (self._link,) = lab.topology.links
        (middle,) = lab.middles.values()
        assert middle.sockets is not None
        self._sides = middle.sockets
        self._rules = LinkRules(self._link, {name: Node(kind="host", addresses=node.addresses) for name, node in lab.nodes.items()})
        self.done: list[str] = []
        self._stop, self._stopped = socket.socketpair()
        self._failed: Exception | None = None
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Pump":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.close()
        self._thread.join()
        self._stopped.close()
        if self._failed is not None:
            raise self._failed

    def _run(self) -> None:
        try:
            while True:
                ready, _, _ = select.select([*self._sides, self._stopped], [], [])
                if self._stopped in ready:
                    return
                for direction, side in enumerate(self._sides):
                    if side in ready:
                        self._treat(direction, side.recv(1 << 16))
        except Exception as error:  # noqa: BLE001 - raised at the end of the with statement
            self._failed = error

    def _treat(self, direction: int, frame: bytes) -> None:
        ruling = self._rules.ruling(frame, direction)
        if ruling is None:
            self._sides[1 - direction].send(frame)
            return
        hop = [address.ip for address in self._link.endpoints[1 - direction].addresses]
        found = deed(ruling, frame, hop=hop)
        self.done.append(f"{ruling.rule.action} {found.note}".strip())
        for data, _ in found.onward:
            self._sides[1 - direction].send(data)
        for data in found.back:
            self._sides[direction].send(data)


@contextmanager
def impaired(*rules: tuple[tuple[str, str], tuple[Rule, ...]]) -> Iterator[tuple[Lab, Pump]]:
    with Lab(two_hosts(*rules)) as lab, Pump(lab) as pump:
        yield lab, pump


@contextmanager
def connected(lab: Lab, version: int) -> Iterator[tuple[socket.socket, socket.socket]]:
    with ExitStack() as stack:
        listener = stack.enter_context(lab["server"].socket(DOMAINS[version]))
        listener.settimeout(20)
        listener.bind((SERVERS[version], 8080))
        listener.listen()
        client = stack.enter_context(lab["client"].socket(DOMAINS[version]))
        client.settimeout(20)
        client.connect((SERVERS[version], 8080))
        accepted, _ = listener.accept()
        accepted.settimeout(20)
        with accepted:
            yield client, accepted


def connecting(lab: Lab, version: int) -> int:
    """The errno with which connect() ends, 0 for none."""
    with closing(lab["client"].socket(DOMAINS[version])) as client:
        client.setblocking(False)
        number = client.connect_ex((SERVERS[version], 8080))
        if number == errno.EINPROGRESS:
            ended = select.poll()
            ended.register(client, select.POLLOUT)
            assert ended.poll(20_000), "connect() does not end"
            number = client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        return number


@contextmanager
def datagrams(lab: Lab, version: int) -> Iterator[tuple[socket.socket, socket.socket]]:
    with (
        closing(lab["client"].socket(DOMAINS[version], socket.SOCK_DGRAM)) as client,
        closing(lab["server"].socket(DOMAINS[version], socket.SOCK_DGRAM)) as server,
    ):
        server.bind((SERVERS[version], 53))
        client.connect((SERVERS[version], 53))
        for one in (client, server):
            one.settimeout(20)
        yield client, server


def counted(lab: Lab, host: str, group: str, name: str) -> int:
    """One of a host's counters, as netstat(8) shows them."""
    files = ["/proc/net/snmp", "/proc/net/netstat", "/proc/net/snmp6"]
    lines = lab[host].run(["cat", *files], capture_output=True, check=True).stdout.decode().splitlines()
    for names, values in pairwise(lines):
        if names.startswith(f"{group}: ") and name in names.split():
            return int(values.split()[names.split().index(name)])
    return next(int(line.split()[1]) for line in lines if line.split()[0] == f"{group}{name}")


@FAMILIES
def test_a_corrupted_checksum_is_counted_and_the_segment_sent_again(version: int) -> None:
    corrupt = rule("client > server P.", "corrupt", 1, field="tcp.checksum")
    with impaired((THERE, (corrupt,))) as (lab, pump), connected(lab, version) as (client, server):
        client.sendall(b"hello")
        assert server.recv(10) == b"hello"
        assert (counted(lab, "server", "Tcp", "InCsumErrors"), pump.done) == (1, ["corrupt"])


@FAMILIES
def test_a_flipped_bit_of_the_data_is_caught_by_the_checksum(version: int) -> None:
    header = 20 if version == 4 else 40
    corrupt = rule("client > server udp", "corrupt", 1, field=f"bit {(header + 8) * 8}")
    with impaired((THERE, (corrupt,))) as (lab, pump), datagrams(lab, version) as (client, server):
        client.send(b"first")
        client.send(b"second")
        assert server.recv(10) == b"second"
        assert counted(lab, "server", "Udp" if version == 4 else "Udp6", "InCsumErrors") == 1
        assert pump.done == ["corrupt"]


@FAMILIES
def test_a_rewritten_field_is_read_by_the_receiver(version: int) -> None:
    level, option, kind = (0, IP_RECVTTL, socket.IP_TTL) if version == 4 else (41, IPV6_RECVHOPLIMIT, IPV6_HOPLIMIT)
    rewrite = rule("client > server udp", "corrupt", field="ip.ttl", value=7)
    with impaired((THERE, (rewrite,))) as (lab, _), datagrams(lab, version) as (client, server):
        server.setsockopt(level, option, 1)
        client.send(b"hello")
        data, control, _, _ = server.recvmsg(10, 100)
        limits = [int.from_bytes(value[:4], "little") for at, name, value in control if (at, name) == (level, kind)]
        assert (data, limits) == (b"hello", [7])


@FAMILIES
def test_an_ecn_mark_is_seen_by_a_socket(version: int) -> None:
    level, option, kind = (0, IP_RECVTOS, socket.IP_TOS) if version == 4 else (41, IPV6_RECVTCLASS, IPV6_TCLASS)
    with impaired((THERE, (rule("client > server udp", "mark", 2),))) as (lab, _), datagrams(lab, version) as (client, server):
        server.setsockopt(level, option, 1)
        seen = []
        for _ in range(3):
            client.send(b"hello")
            _, control, _, _ = server.recvmsg(10, 100)
            seen += [value[0] & 3 for at, name, value in control if (at, name) == (level, kind)]
        assert seen == [0, 3, 0]


@FAMILIES
def test_a_congestion_mark_comes_back_to_a_tcp_that_negotiated_ecn(version: int) -> None:
    topology = two_hosts((THERE, (rule("client > server P.", "mark", 1),)))
    with Lab(topology) as lab, Pump(lab):
        for host in ("client", "server"):
            lab[host].run(["sh", "-c", "echo 1 >/proc/sys/net/ipv4/tcp_ecn"], check=True)
        with connected(lab, version) as (client, server):
            for number in range(2):
                client.sendall(b"hello")
                assert server.recv(10) == b"hello"
                server.sendall(b"again")
                assert client.recv(10) == b"again", number
            (marked,) = struct.unpack_from("=I", client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256), TCP_DELIVERED_CE)
            assert marked > 0


@FAMILIES
def test_a_forged_reset_ends_a_connection_on_both_sides(version: int) -> None:
    with impaired((THERE, (rule("client > server P.", "reset", 1),))) as (lab, pump), connected(lab, version) as (client, server):
        client.sendall(b"hello")
        for one in (client, server):
            with pytest.raises(ConnectionResetError):
                one.recv(10)
        assert pump.done == ["reset"]


@FAMILIES
@pytest.mark.parametrize("toward", ["sender", "receiver"])
def test_a_forged_reset_toward_one_side_ends_that_side_alone(version: int, toward: str) -> None:
    reset = rule("client > server P.", "reset", 1, toward=toward)
    with impaired((THERE, (reset, rule("client > server P.", "drop")))) as (lab, _), connected(lab, version) as (client, server):
        client.sendall(b"hello")
        struck, spared = (client, server) if toward == "sender" else (server, client)
        with pytest.raises(ConnectionResetError):
            struck.recv(10)
        assert spared.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
        spared.setblocking(False)
        with pytest.raises(BlockingIOError):
            spared.recv(10)


@FAMILIES
@pytest.mark.parametrize(("pattern", "direction"), [("client > server S", THERE), ("server > client S.", BACK)])
def test_a_reset_of_the_handshake_refuses_the_connection(version: int, pattern: str, direction: tuple[str, str]) -> None:
    with impaired((direction, (rule(pattern, "reset"),))) as (lab, _), closing(lab["server"].socket(DOMAINS[version])) as listener:
        listener.bind((SERVERS[version], 8080))
        listener.listen()
        assert connecting(lab, version) == errno.ECONNREFUSED


@FAMILIES
@pytest.mark.parametrize(
    ("name", "number"),
    [("host-unreachable", errno.EHOSTUNREACH), ("net-unreachable", errno.ENETUNREACH), ("port-unreachable", errno.ECONNREFUSED)],
)
def test_an_icmp_error_fails_a_connect(version: int, name: str, number: int) -> None:
    with impaired((THERE, (rule("client > server S", "icmp", icmp=name),))) as (lab, _):
        assert connecting(lab, version) == number


@FAMILIES
def test_fragmentation_needed_teaches_the_sender_the_path_mtu(version: int) -> None:
    needed = rule("client > server udp", "icmp", 1, icmp="fragmentation-needed", mtu=1300)
    level, discover, mtu = (0, IP_MTU_DISCOVER, IP_MTU) if version == 4 else (41, IPV6_MTU_DISCOVER, IPV6_MTU)
    with impaired((THERE, (needed,))) as (lab, _), datagrams(lab, version) as (client, _):
        client.setsockopt(level, discover, IP_PMTUDISC_DO)
        tell_errors(client, version)
        client.send(bytes(1400))
        error = next_error(client, version)
        assert (error.errno, error.info, error.sender) == (errno.EMSGSIZE, 1300, SERVERS[version])
        assert client.getsockopt(level, mtu) == 1300
        with pytest.raises(OSError, match="Message too long"):
            client.send(bytes(1400))


@FAMILIES
def test_a_truncated_packet_is_counted_by_ip(version: int) -> None:
    with impaired((THERE, (rule("client > server udp", "truncate", 1, length=60),))) as (lab, _):
        with datagrams(lab, version) as (client, server):
            client.send(bytes(100))
            client.send(b"second")
            assert server.recv(200) == b"second"
        assert counted(lab, "server", "IpExt" if version == 4 else "Ip6", "InTruncatedPkts") == 1


@FAMILIES
def test_a_duplicate_comes_as_often_as_asked(version: int) -> None:
    duplicate = rule("client > server udp", "duplicate", 1, copies=2)
    with impaired((THERE, (duplicate,))) as (lab, _), datagrams(lab, version) as (client, server):
        client.send(b"first")
        client.send(b"second")
        assert [server.recv(10) for _ in range(4)] == [b"first"] * 3 + [b"second"]
