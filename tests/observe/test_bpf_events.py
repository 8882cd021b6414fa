"""The observer of resets, retransmissions, socket errors and drops, each provoked on the loopback of private namespaces."""

import json
import os
import select
import socket
import struct
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from socket_filters import swallow

from netlab.observe.events import EventObserver
from netlab.observe.tier import SO_NETNS_COOKIE
from netlab.timeline.observations import Address, AnyObservation, PacketDropped, Reset, Retransmission, SocketError

pytestmark = pytest.mark.bpf
LIMIT = 10.0
ABORT = struct.pack("ii", 1, 0)
FAMILIES = pytest.mark.parametrize(
    ("address", "family", "seen"),
    [
        ("127.0.0.1", socket.AF_INET, "127.0.0.1"),
        ("::1", socket.AF_INET6, "::1"),
        ("::ffff:127.0.0.1", socket.AF_INET6, "127.0.0.1"),
    ],
    ids=["IPv4", "IPv6", "IPv4 in IPv6"],
)


def cookie_here() -> int:
    with socket.socket() as made:
        return int(struct.unpack("=Q", made.getsockopt(socket.SOL_SOCKET, SO_NETNS_COOKIE, 8))[0])


@pytest.fixture
def namespace(make_namespace: Callable[[], ThreadPoolExecutor]) -> ThreadPoolExecutor:
    return make_namespace()


@pytest.fixture
def observer(namespace: ThreadPoolExecutor) -> Iterator[EventObserver]:
    observer = EventObserver({namespace.submit(cookie_here).result(): "node"})
    observer.start()
    assert observer.report().available, observer.report().reason
    yield observer
    observer.stop()


def until(observer: EventObserver, enough: Callable[[list[AnyObservation]], bool]) -> list[AnyObservation]:
    """What is seen until it is enough."""
    found: list[AnyObservation] = []
    waiting = select.poll()
    waiting.register(observer.fileno(), select.POLLIN)
    deadline = time.monotonic() + LIMIT
    while not enough(found):
        assert time.monotonic() < deadline, f"not enough: {found}"
        waiting.poll(25)
        found += observer.drain()
    return found


def kinds(observed: list[AnyObservation]) -> list[str]:
    return [type(each).__name__ for each in observed]


def brief(observed: list[AnyObservation]) -> list[tuple[str, ...]]:
    """What is not a number that varies, of each."""
    words: list[tuple[str, ...]] = []
    for each in observed:
        match each:
            case Reset():
                words.append(("reset", each.direction, each.state, each.reason))
            case Retransmission():
                words.append(("again", each.what, each.state))
            case PacketDropped():
                words.append(("drop", each.reason, each.interface))
            case SocketError():
                words.append(("error", each.errno, each.state))
    return words


def connected(address: str = "127.0.0.1", family: socket.AddressFamily = socket.AF_INET) -> tuple[socket.socket, socket.socket]:
    with socket.socket(family) as listener:
        listener.bind((address, 0))
        listener.listen()
        client = socket.socket(family)
        client.connect(listener.getsockname())
        return client, listener.accept()[0]


def closed_port(address: str, family: socket.AddressFamily, kind: socket.SocketKind = socket.SOCK_STREAM) -> Address:
    with socket.socket(family, kind) as bound:
        bound.bind((address, 0))
        found: Address = bound.getsockname()[:2]
        return found


def inode(of: socket.socket) -> int:
    return os.fstat(of.fileno()).st_ino


@FAMILIES
def test_a_connection_to_a_closed_port(
    namespace: ThreadPoolExecutor, observer: EventObserver, address: str, family: socket.AddressFamily, seen: str
) -> None:
    caller = namespace.submit(socket.socket, family).result()
    there = namespace.submit(closed_port, address, family).result()
    with caller, pytest.raises(ConnectionRefusedError):
        caller.connect(there)
    sent, dropped, received, error, *_ = observed = observer.drain()
    assert brief(observed)[:4] == [
        ("reset", "sent", "", "NO_SOCKET"),
        ("drop", "NO_SOCKET", "lo"),
        ("reset", "received", "SYN_SENT", ""),
        ("error", "ECONNREFUSED", "CLOSE"),
    ]
    assert isinstance(sent, Reset)
    assert isinstance(received, Reset)
    assert isinstance(error, SocketError)
    assert isinstance(dropped, PacketDropped)
    assert (sent.local, sent.remote) == (received.remote, received.local) == ((seen, there[1]), received.local)
    assert (error.local, error.remote, error.inode) == (received.local, received.remote, received.inode)
    assert received.inode > 0
    assert dropped.place.startswith("tcp_v")
    header = 40 if ":" in seen else 20
    assert struct.unpack_from("!HH", dropped.data, header) == (received.local[1], there[1])
    assert dropped.data[header + 13] == 0x02  # a SYN
    assert observer.report().seen == len(observed)


@FAMILIES
def test_a_close_with_unread_data(
    namespace: ThreadPoolExecutor, observer: EventObserver, address: str, family: socket.AddressFamily, seen: str
) -> None:
    client, server = namespace.submit(connected, address, family).result()
    here, there = client.getsockname()[1], server.getsockname()[1]
    inodes = inode(client), inode(server)
    client.send(b"unread")
    select.select([server], [], [], LIMIT)
    server.close()
    client.close()
    resets = [each for each in observer.drain() if isinstance(each, Reset)]
    sent, received = (next(each for each in resets if each.direction == direction) for direction in ("sent", "received"))
    assert (sent.local, sent.remote, sent.reason, sent.inode) == ((seen, there), (seen, here), "TCP_ABORT_ON_CLOSE", inodes[1])
    assert (received.local, received.remote, received.state, received.inode) == (
        (seen, here),
        (seen, there),
        "ESTABLISHED",
        inodes[0],
    )


def test_an_abort_is_told_in_the_kernels_words(namespace: ThreadPoolExecutor, observer: EventObserver) -> None:
    client, server = namespace.submit(connected).result()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT)
    client.close()
    server.close()
    assert {(each.direction, each.reason) for each in observer.drain() if isinstance(each, Reset)} == {
        ("sent", "TCP_STATE"),
        ("received", ""),
    }


def test_an_orderly_close_is_none_of_these(namespace: ThreadPoolExecutor, observer: EventObserver) -> None:
    client, server = namespace.submit(connected).result()
    for one, other in ((client, server), (server, client)):
        one.send(b"x")
        assert other.recv(1) == b"x"
    client.close()
    assert server.recv(1) == b""
    server.close()
    assert observer.stop() == []


def test_a_lost_segment_is_sent_again_until_the_connection_times_out(
    namespace: ThreadPoolExecutor, observer: EventObserver
) -> None:
    client, server = namespace.submit(connected).result()
    swallow(server)
    client.setsockopt(socket.IPPROTO_TCP, 18, 400)  # TCP_USER_TIMEOUT: two retransmissions
    here, there, number = client.getsockname(), client.getpeername(), inode(client)
    client.send(b"lost")
    observed = until(observer, lambda found: "SocketError" in kinds(found))
    assert brief(observed)[:3] == [
        ("drop", "SOCKET_FILTER", "lo"),
        ("again", "segment", "ESTABLISHED"),
        ("drop", "SOCKET_FILTER", "lo"),
    ]
    assert ("error", "ETIMEDOUT", "CLOSE") in brief(observed)
    again = next(each for each in observed if isinstance(each, Retransmission))
    assert (again.local, again.remote, again.inode) == (here, there, number)
    lost = next(each for each in observed if isinstance(each, PacketDropped))
    assert struct.unpack_from("!HH", lost.data, 20) == (here[1], there[1])  # the payload lies elsewhere in memory
    client.close()
    server.close()


def test_a_lost_syn_ack_is_sent_again_and_so_is_the_syn(namespace: ThreadPoolExecutor, observer: EventObserver) -> None:
    listener = namespace.submit(socket.socket).result()
    caller = namespace.submit(socket.socket).result()
    with listener, caller:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        swallow(caller)
        caller.setblocking(False)
        caller.connect_ex(listener.getsockname())
        observed = until(observer, lambda found: kinds(found).count("Retransmission") >= 2)
        again = {each.what: each for each in observed if isinstance(each, Retransmission)}
        syn, syn_ack = again["segment"], again["SYN-ACK"]
        assert (syn.state, syn_ack.state) == ("SYN_SENT", "NEW_SYN_RECV")
        assert (syn.local, syn.remote, syn.inode) == (caller.getsockname(), listener.getsockname(), inode(caller))
        assert (syn_ack.local, syn_ack.remote) == (listener.getsockname(), caller.getsockname())


def raw(protocol: int, segment: bytes) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, protocol) as made:
        made.sendto(segment, ("127.0.0.1", 0))


def test_a_wrong_tcp_checksum(namespace: ThreadPoolExecutor, observer: EventObserver) -> None:
    segment = struct.pack("!HHIIBBHHH", 4444, 80, 1, 0, 5 << 4, 2, 1000, 0xBAD, 0)
    namespace.submit(raw, socket.IPPROTO_TCP, segment).result()
    [dropped] = observer.drain()
    assert isinstance(dropped, PacketDropped)
    assert (dropped.reason, dropped.interface, dropped.data[20:]) == ("TCP_CSUM", "lo", segment)


def wrong_datagram(there: Address) -> bytes:
    datagram = struct.pack("!HHHH", 4444, there[1], 12, 0xBAD) + b"data"
    raw(socket.IPPROTO_UDP, datagram)
    return datagram


def test_a_wrong_udp_checksum_is_found_when_the_packet_waits_in_the_socket(
    namespace: ThreadPoolExecutor, observer: EventObserver
) -> None:
    receiver = namespace.submit(socket.socket, socket.AF_INET, socket.SOCK_DGRAM).result()
    with receiver:
        receiver.bind(("127.0.0.1", 0))
        datagram = namespace.submit(wrong_datagram, receiver.getsockname()).result()
        with pytest.raises(BlockingIOError):
            receiver.recv(100, socket.MSG_DONTWAIT)
    [dropped] = observer.drain()
    assert isinstance(dropped, PacketDropped)
    assert (dropped.host, dropped.reason, dropped.data[20:]) == ("node", "UDP_CSUM", datagram)


def test_an_unreachable_port_is_an_error_of_the_sender(namespace: ThreadPoolExecutor, observer: EventObserver) -> None:
    sender = namespace.submit(socket.socket, socket.AF_INET, socket.SOCK_DGRAM).result()
    there = namespace.submit(closed_port, "127.0.0.1", socket.AF_INET, socket.SOCK_DGRAM).result()
    with sender:
        sender.connect(there)
        sender.send(b"to nobody")
        dropped, error = observer.drain()
        assert brief([dropped, error]) == [("drop", "NO_SOCKET", "lo"), ("error", "ECONNREFUSED", "")]
        assert isinstance(error, SocketError)
        assert (error.local, error.remote, error.inode) == (sender.getsockname(), there, inode(sender))
        assert sender.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0


def refused(port: int) -> None:
    with socket.socket() as caller:
        caller.bind(("127.0.0.1", port))
        assert caller.connect_ex(("127.0.0.1", 9)) != 0


def test_the_same_addresses_in_two_namespaces_are_told_apart(make_namespace: Callable[[], ThreadPoolExecutor]) -> None:
    spaces = {name: make_namespace() for name in ("a", "b", "unwatched")}
    cookies = {spaces[name].submit(cookie_here).result(): name for name in ("a", "b")}
    observer = EventObserver(cookies)
    observer.start()
    calls = [spaces[name].submit(refused, port) for port in range(5000, 5020) for name in spaces]
    for call in calls:
        call.result()
    observed = observer.stop()
    for name in ("a", "b"):
        ours = [each for each in observed if each.host == name]
        assert {kind: kinds(ours).count(kind) for kind in set(kinds(ours))} == {
            "Reset": 40,
            "PacketDropped": kinds(ours).count("PacketDropped"),
            "SocketError": 20,
        }
        assert sorted(each.local[1] for each in ours if isinstance(each, SocketError)) == list(range(5000, 5020))
    assert {each.host for each in observed} == {"a", "b"}
    assert observer.report().lost == 0


def test_stamps_lie_within_the_call(namespace: ThreadPoolExecutor, observer: EventObserver) -> None:
    before = time.time_ns()
    namespace.submit(refused, 5000).result()
    after = time.time_ns()
    assert all(before <= each.time <= after for each in observer.drain())


def test_a_full_ring_loses_and_counts(namespace: ThreadPoolExecutor) -> None:
    observer = EventObserver({namespace.submit(cookie_here).result(): "node"}, ring=os.sysconf("SC_PAGE_SIZE"))
    observer.start()
    for port in range(5000, 5050):
        namespace.submit(refused, port).result()
    kept = len(observer.stop())
    assert kept > 0
    assert kept + observer.report().lost >= 50 * 4


def test_its_canary_proves_it_and_leaves_no_trace(namespace: ThreadPoolExecutor) -> None:
    def counts() -> list[str]:
        texts = [Path(f"/proc/thread-self/net/{name}").read_text() for name in ("sockstat", "snmp", "netstat", "dev", "unix")]
        return [texts[0].splitlines()[0], *texts[1:]]  # the rest of sockstat is the whole machine's

    observer = EventObserver(
        {namespace.submit(cookie_here).result(): "node"}, canary=lambda *kind: namespace.submit(socket.socket, *kind).result()
    )
    before = namespace.submit(counts).result()
    observer.start()
    assert observer.drain() == []
    assert observer.stop() == []
    assert namespace.submit(counts).result() == before
    assert (observer.report().available, observer.report().reason, observer.report().seen) == (True, "", 0)
    assert 0 < observer.report().uncertainty < 1_000_000_000


def test_a_canary_that_is_not_heard_is_told(make_namespace: Callable[[], ThreadPoolExecutor]) -> None:
    watched, elsewhere = make_namespace(), make_namespace()
    observer = EventObserver(
        {watched.submit(cookie_here).result(): "node"}, canary=lambda *kind: elsewhere.submit(socket.socket, *kind).result()
    )
    observer.start()
    assert not observer.report().available
    assert observer.report().reason.startswith("what it did itself at the start of the run was not seen")


@pytest.fixture
def older(tmp_path: Path, namespace: ThreadPoolExecutor) -> Callable[..., EventObserver]:
    """The observer on a kernel that lacks those of the answers that begin so: they are taken out of the cache."""

    def make(*lacking: str) -> EventObserver:
        cookie = namespace.submit(cookie_here).result()
        first = EventObserver({cookie: "node"}, cache=tmp_path)
        first.start()
        first.stop()
        for file in tmp_path.iterdir():
            answers = json.loads(file.read_text())
            file.write_text(json.dumps({name: None if name.startswith(lacking) else value for name, value in answers.items()}))
        observer = EventObserver(
            {cookie: "node"}, cache=tmp_path, canary=lambda *kind: namespace.submit(socket.socket, *kind).result()
        )
        observer.start()
        return observer

    return make


def test_an_older_kernel_has_less_and_says_so(namespace: ThreadPoolExecutor, older: Callable[..., EventObserver]) -> None:
    observer = older("tcp_send_reset(reason", "tcp_send_reset(skb__nullable", "tcp_retransmit_synack")
    namespace.submit(refused, 5000).result()
    observed = observer.stop()
    assert ("reset", "received", "SYN_SENT", "") in brief(observed)
    assert ("drop", "NO_SOCKET", "lo") in brief(observed)
    report = observer.report()
    assert (report.available, report.reason, report.lost) == (True, "", 0)
    assert [note.split(":")[0] for note in report.notes] == [
        "resets that no socket sends, as from a closed port, are not seen",
        "why a reset was sent is not seen",
        "retransmissions of SYN-ACKs are not seen",
    ]


def test_without_a_receiving_socket_a_waiting_packet_belongs_to_its_owner(
    namespace: ThreadPoolExecutor, older: Callable[..., EventObserver]
) -> None:
    observer = older("kfree_skb(rx_sk")
    test_a_wrong_udp_checksum_is_found_when_the_packet_waits_in_the_socket(namespace, observer)
    observer.stop()


def test_without_reasons_there_are_no_drops_and_no_canary(
    namespace: ThreadPoolExecutor, older: Callable[..., EventObserver]
) -> None:
    observer = older("kfree_skb(reason")
    namespace.submit(refused, 5000).result()
    assert "PacketDropped" not in kinds(observer.stop())
    assert observer.report().available
    assert [note.split(":")[0] for note in observer.report().notes] == ["dropped packets are not seen"]


def test_stopping_gives_every_descriptor_back(namespace: ThreadPoolExecutor) -> None:
    cookie = namespace.submit(cookie_here).result()
    before = os.listdir("/proc/self/fd")
    observer = EventObserver({cookie: "node"})
    observer.start()
    assert len(os.listdir("/proc/self/fd")) > len(before)
    assert (observer.stop(), observer.stop()) == ([], [])
    assert os.listdir("/proc/self/fd") == before
