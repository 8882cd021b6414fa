"""One socket, one identity: timelines written by hand, each with something that tempts one to join what is not the same."""

from typing import Any

from hand_written import MS, NODES, segment, sent

from netlab.timeline.identity import Identities, Socket
from netlab.timeline.observations import (
    AnyObservation,
    CallReturned,
    CallStarted,
    DescriptorSeen,
    DescriptorTable,
    Named,
    Packet,
    PacketDropped,
    ProcessExecuted,
    ProcessExited,
    ProcessForked,
    Reset,
    SocketEntry,
    SocketState,
    SocketTable,
    SystemCall,
)
from netlab.timeline.timeline import Node, Timeline

C, S = ("10.0.0.1", 40000), ("10.0.0.2", 80)
NOBODY = ("0.0.0.0", 0)


def identities(*observations: AnyObservation, nodes: dict[str, Node] = NODES) -> tuple[Identities, Timeline]:
    timeline = Timeline(observations=tuple(sorted(observations, key=lambda one: one.time)), nodes=nodes)
    return Identities.of(timeline), timeline


def state(time: int, host: str, change: str, inode: int = 0, cookie: int = 0, **more: Any) -> SocketState:
    old, new = change.split(">")
    local, remote = (C, S) if host == "client" else (S, C)
    given = {"source": "tracepoint", "local": local, "remote": remote, **more}
    return SocketState(time=time, host=host, old=old, new=new, inode=inode, cookie=cookie, **given)


def packets(time: int, source: str, flags: str, seq: int, ack: int = 0, data: bytes = b"", **more: Any) -> list[AnyObservation]:
    """A segment where it is sent and, a microsecond later, where it arrives."""
    ports = (40000, 80) if source == "client" else (80, 40000)
    target = "server" if source == "client" else "client"
    frame = segment(source, target, flags, seq, ack, data, ports=ports, **more)
    return [sent(time, source, frame), sent(time + 1000, target, frame, "in")]


def opening(start: int, client: int = 7, cookie: int = 70, listener: int = 5, seq: int = 100) -> list[AnyObservation]:
    """A connection opens, as the kernel tells it: the client's port comes late, the child has neither inode nor cookie."""
    us = 1000
    return [
        state(start, "client", "CLOSE>SYN_SENT", client, local=("10.0.0.1", 0)),
        *packets(start + 10 * us, "client", "S", seq),
        state(start + 12 * us, "server", "LISTEN>NEW_SYN_RECV", source="timer"),
        *packets(start + 20 * us, "server", "SA", seq + 900, seq + 1),
        state(start + 22 * us, "client", "SYN_SENT>ESTABLISHED", client, cookie),
        *packets(start + 30 * us, "client", "A", seq + 1, seq + 901),
        state(start + 32 * us, "server", "LISTEN>SYN_RECV"),
        state(start + 33 * us, "server", "SYN_RECV>ESTABLISHED"),
    ]


def listening(inode: int = 5) -> list[AnyObservation]:
    return [
        Named(time=1, host="server", process="server", name="s", fd=3, inode=inode),
        state(2, "server", "CLOSE>LISTEN", inode, local=("0.0.0.0", 80), remote=NOBODY),
    ]


def who(found: Identities, timeline: Timeline) -> list[str]:
    """Each observation's socket by name; a packet's sender and receiver."""
    told = []
    for index, seen in enumerate(timeline.observations):
        ends = (found.sender(index), found.receiver(index)) if isinstance(seen, Packet) else (found.socket(index),)
        told.append(" => ".join("?" if one is None else found.name(one) for one in ends))
    return told


def test_a_connection_has_one_identity_at_each_end_from_the_first_packet_on() -> None:
    found, timeline = identities(
        *listening(),
        Named(time=3, host="client", process="client", name="c", fd=3, inode=7),
        *opening(MS),
        # Only accept() tells the child's inode; it has been the same socket since its SYN.
        Named(time=2 * MS, host="server", process="server", name="a", fd=4, inode=9),
        state(3 * MS, "server", "ESTABLISHED>CLOSE_WAIT", 9, 90),
        state(4 * MS, "server", "CLOSE_WAIT>LAST_ACK", 9, 90),
        state(5 * MS, "server", "LAST_ACK>CLOSE", 0, 90),
    )
    assert who(found, timeline) == [
        "server.s", "server.s", "client.c",
        "client.c", "client.c => server.s", "client.c => server.s", "server.a",
        "server.a => client.c", "server.a => client.c", "client.c",
        "client.c => server.a", "client.c => server.a", "server.a", "server.a",
        "server.a", "server.a", "server.a", "server.a",
    ]  # fmt: skip
    child = found.called("server.a", 9 * MS)
    assert child is not None
    assert (child.inode, set(child.cookies), child.local) == (9, {90}, S)
    (occupancy,) = child.occupancies
    assert (occupancy.began, occupancy.ended) == (MS + 12_000, 5 * MS)


def test_the_same_four_tuple_used_twice_is_two_sockets_at_each_end() -> None:
    closing = [state(2 * MS, "client", "ESTABLISHED>CLOSE", 7, 70), state(2 * MS, "server", "ESTABLISHED>CLOSE")]
    found, timeline = identities(*listening(), *opening(MS), *closing, *opening(3 * MS, client=8, cookie=80, seq=5000))
    clients = [one for one in found.sockets if one.host == "client"]
    assert [(one.inode, set(one.cookies), len(one.occupancies)) for one in clients] == [(7, {70}, 1), (8, {80}, 1)]
    children = [one for one in found.sockets if one.host == "server" and not one.inode]
    assert len(children) == 2
    sent_by = [(seen.time, found.sender(index)) for index, seen in enumerate(timeline.observations) if isinstance(seen, Packet)]
    first, second = {one for time, one in sent_by if time < 2 * MS}, {one for time, one in sent_by if time > 3 * MS}
    assert first == {clients[0], children[0]}
    assert second == {clients[1], children[1]}


def test_without_states_a_new_syn_tells_the_second_connection_and_the_tables_tell_who_it_was() -> None:
    def table(time: int, inode: int, cookie: int) -> SocketTable:
        entry = SocketEntry(protocol="tcp", state="ESTABLISHED", local=C, remote=S, inode=inode, cookie=cookie)
        return SocketTable(time=time, began=time - 10, host="client", entries=(entry,))

    first = [*packets(MS, "client", "S", 100), table(MS + 10_000, 7, 70)]
    second = [*packets(3 * MS, "client", "S", 5000), table(3 * MS + 10_000, 8, 80)]
    found, timeline = identities(*first, *second)
    senders = [found.sender(index) for index, one in enumerate(timeline.observations) if isinstance(one, Packet)]
    assert [one.inode for one in senders if one is not None] == [7, 7, 8, 8]


def test_a_minisock_is_the_socket_that_it_continues_also_with_a_cookie_of_its_own() -> None:
    found, timeline = identities(
        *opening(MS),
        state(2 * MS, "client", "ESTABLISHED>FIN_WAIT1", 7, 70),
        state(3 * MS, "client", "FIN_WAIT1>FIN_WAIT2", 0, 70),
        state(4 * MS, "client", "FIN_WAIT2>TIME_WAIT", 0, 71, source="timer"),
        *packets(5 * MS, "server", "FA", 1001, 101),
        state(60_000 * MS, "client", "TIME_WAIT>CLOSE", 0, 71, source="timer"),
    )
    ours = {found.socket(index) for index, one in enumerate(timeline.observations) if one.host == "client"}
    (client,) = ours
    assert client is not None
    assert (client.inode, set(client.cookies)) == (7, {70, 71})
    assert client.occupancies[-1].ended == 60_000 * MS


def test_ipv6_and_ipv4_in_ipv6_clothes() -> None:
    mapped: dict[str, Any] = {"local": ("::ffff:10.0.0.2", 80), "remote": ("::ffff:10.0.0.1", 40000)}
    six: dict[str, Any] = {"local": ("fd00::1", 40000), "remote": ("fd00::2", 80)}
    found, timeline = identities(
        *packets(MS, "client", "S", 100),
        state(MS + 5000, "server", "LISTEN>NEW_SYN_RECV", **mapped),
        *packets(MS + 9000, "server", "SA", 1, 101),
        state(3 * MS, "client", "SYN_SENT>ESTABLISHED", 6, **six),
        sent(4 * MS, "client", segment("fd00::1", "fd00::2", "A", 1, 2)),
    )
    told = who(found, timeline)
    assert told[2] == "server:80 > client:40000"
    assert told[3] == "server:80 > client:40000 => client:40000 > server:80"
    assert found.socket(6) is found.socket(5) is not None
    assert found.sender(0) is not found.sender(6)


def test_two_nodes_with_the_same_address_have_sockets_of_their_own() -> None:
    nodes = {
        "one": Node(kind="host", addresses={"eth0": ("10.0.0.2",)}),
        "two": Node(kind="host", addresses={"eth0": ("10.0.0.2",)}),
    }
    ends: dict[str, Any] = {"local": S, "remote": C, "source": "tracepoint", "old": "SYN_RECV", "new": "ESTABLISHED"}
    frame = segment("10.0.0.2", "10.0.0.1", "A", 5, 6, ports=(80, 40000))
    found, _ = identities(
        SocketState(time=1, host="one", inode=3, **ends),
        SocketState(time=2, host="two", inode=4, **ends),
        sent(3, "one", frame),
        sent(4, "two", frame),
        nodes=nodes,
    )
    assert [one.inode for index in range(4) if (one := found.socket(index)) is not None] == [3, 4, 3, 4]
    # The remote's address belongs to nobody, the local one to the socket's own node.
    assert [found.name(one) for one in found.sockets] == ["one:80 > 10.0.0.1:40000", "two:80 > 10.0.0.1:40000"]


def called(time: int, call: str, fd: int = -1, **more: Any) -> SystemCall:
    given: dict[str, Any] = {"pid": 31, "tid": 31, "program": "nginx", "source": "strace", "host": "server", "began": time - 1}
    return SystemCall(time=time, call=call, fd=fd, **{**given, **more})


def test_a_descriptors_number_used_twice_is_two_sockets() -> None:
    found, _ = identities(
        called(10, "socket", made=70, result=5),
        called(20, "connect", 5),
        called(30, "close", 5),
        called(40, "socket", made=71, result=5),
        called(50, "connect", 5),
        called(60, "close", 5),
        called(70, "write", 5, result=-1, errno="EBADF"),
    )
    assert [one.inode if (one := found.socket(index)) else 0 for index in range(7)] == [70, 70, 70, 71, 71, 71, 0]
    assert [[(one.fd, one.began, one.ended) for one in socket.holdings] for socket in found.sockets] == [
        [(5, 10, 30)],
        [(5, 40, 60)],
    ]


def test_a_call_that_took_long_is_about_what_the_number_was_when_it_began() -> None:
    found, _ = identities(
        called(10, "socket", made=70, result=5),
        called(30, "close", 5),
        called(40, "socket", made=71, result=5),
        called(50, "accept", 5, began=15, tid=32, result=-1, errno="EBADF"),
    )
    assert (one := found.socket(3)) is not None
    assert one.inode == 70


def test_fork_copies_descriptors_exec_closes_some_and_exit_all() -> None:
    found, _ = identities(
        called(10, "socket", made=70, result=5, arguments={"type": ["SOCK_STREAM", "SOCK_CLOEXEC"]}),
        called(11, "dup", 5, result=6),
        ProcessForked(time=20, host="server", parent=31, pid=32, tid=32, program="nginx"),
        called(25, "listen", 5, pid=32),
        ProcessExecuted(time=30, host="server", pid=32, program="cgi", path="/bin/cgi"),
        called(40, "write", 5, pid=32, result=-1, errno="EBADF"),
        called(41, "write", 6, pid=32, program="cgi"),
        ProcessExited(time=50, host="server", pid=32, program="cgi", status=0),
        DescriptorSeen(time=60, host="server", pid=33, program="other", fd=9, target="socket:[70]"),
        DescriptorSeen(time=61, host="server", pid=33, program="other", fd=1, target="/dev/null"),
    )
    (socket,) = found.sockets
    assert [found.socket(index) is socket for index in (0, 1, 3, 5, 6, 8, 9)] == [True, True, True, False, True, True, False]
    assert [(one.pid, one.fd, one.began, one.ended) for one in socket.holdings] == [
        (31, 5, 10, None), (31, 6, 11, None), (32, 5, 20, 30), (32, 6, 20, 50), (33, 9, 60, None),
    ]  # fmt: skip


def agent(time: int, number: int, text: str, result: int = 0, process: str = "client") -> list[AnyObservation]:
    name = text.split("(")[0].split()[-1]
    return [
        CallStarted(time=time, host="client", id=number, process=process, call=name, text=text, step=number),
        CallReturned(time=time + 5, host="client", id=number, process=process, call=name, result=result, began=time + 1),
    ]


def test_an_agents_calls_by_the_names_and_numbers_that_the_scenario_wrote() -> None:
    found, timeline = identities(
        *agent(10, 1, "c = socket(AF_INET, SOCK_STREAM, 0)", 3),
        Named(time=15, host="client", process="client", name="c", fd=3, inode=7),
        *agent(20, 2, "d = dup(c)", 4),
        Named(time=25, host="client", process="client", name="d", fd=4, inode=7),
        *agent(30, 3, "close(c)"),
        *agent(40, 4, 'send(c, "x")', -1),
        *agent(50, 5, 'send(4, "x")', 1),
        *agent(60, 6, "c = socket(AF_INET, SOCK_DGRAM, 0)", 3),
        Named(time=65, host="client", process="client", name="c", fd=3, inode=8),
        *agent(70, 7, "close(c)"),
        *agent(80, 8, "fork()", 99),
    )
    told = {
        f"{seen.time} {seen.call}": found.socket(index).inode if found.socket(index) else 0  # type: ignore[union-attr]
        for index, seen in enumerate(timeline.observations)
        if isinstance(seen, CallStarted)
    }
    assert list(told.values()) == [7, 7, 7, 0, 7, 8, 8, 0]
    # Both sockets were called c, one after the other.
    assert [one.names for one in found.sockets] == [("client.c", "client.d"), ("client.c",)]
    assert [found.called("client.c", time).inode for time in (20, 66)] == [7, 8]  # type: ignore[union-attr]
    assert found.called("client.c", 5) is None


def test_names_from_processes_and_addresses() -> None:
    found, _ = identities(
        called(10, "socket", made=70, result=5),
        state(20, "server", "CLOSE>LISTEN", 70, local=("0.0.0.0", 80), remote=NOBODY),
        state(30, "client", "SYN_SENT>ESTABLISHED", 0, 3),
        DescriptorTable(time=40, host="client", process="client/p", table={8: "socket:[71]", 9: "/dev/null"}),
        called(50, "socket", made=72, result=6),
    )
    assert {found.name(one) for one in found.sockets} == {
        "nginx[31] fd 5 (server:80)", "client:40000 > server:80", "client/p fd 8", "nginx[31] fd 6",
    }  # fmt: skip


def test_a_reset_that_a_closed_socket_sends_is_its_last_word_and_one_that_answers_for_nobody_is_nobodys() -> None:
    closed = state(2 * MS, "client", "ESTABLISHED>CLOSE", 7, 70)
    found, timeline = identities(
        *opening(MS),
        closed,
        Reset(time=2 * MS + 1000, host="client", direction="sent", local=C, remote=S, cookie=70),
        *packets(2 * MS + 2000, "client", "RA", 101, 1001),
        *packets(2 * MS + 9000, "server", "A", 1001, 101),
        *packets(2 * MS + 12000, "client", "R", 101),
    )
    told = who(found, timeline)
    client, server = "client:40000 > server:80", "server:80 > client:40000"
    assert told[-7:] == [client, f"{client} => {server}", f"{client} => {server}", f"{server} => ?", f"{server} => ?",
                         f"? => {server}", f"? => {server}"]  # fmt: skip


def test_a_lost_packet_has_no_receiver_and_a_dropped_one_has_the_socket_it_was_for() -> None:
    lost = segment("client", "server", "A", 101, 1001, b"x")
    found, timeline = identities(
        *opening(MS),
        sent(2 * MS, "client", lost),
        PacketDropped(time=2 * MS + 500, host="server", reason="TCP_CSUM", interface="eth0", data=lost[14:]),
        PacketDropped(time=2 * MS + 600, host="server", reason="NO_SOCKET", interface="eth0", data=b""),
    )
    assert who(found, timeline)[-3:] == ["client:40000 > server:80 => ?", "server:80 > client:40000", "?"]


def test_forwarders_translators_and_hand_driven_peers_have_no_sockets_for_what_passes_them() -> None:
    nodes = {
        "router": Node(kind="router", addresses={"eth0": ("10.0.0.254",)}),
        "nat": Node(kind="nat", addresses={"eth0": ("10.0.0.1",)}),
        "peer": Node(kind="peer", addresses={"eth0": ("10.0.0.1",)}),
    }
    frame = segment("10.0.0.1", "10.0.0.2", "S", 1)
    found, _ = identities(*(sent(time, host, frame) for time, host in enumerate(nodes)), nodes=nodes)
    assert found.sockets == ()


def test_datagrams_go_to_who_is_bound() -> None:
    from hand_written import frame
    from scapy.layers.inet import IP, UDP

    def table(time: int, *entries: tuple[str, int, int]) -> SocketTable:
        made = (
            SocketEntry(protocol="udp", state="CLOSE", local=(address, port), remote=NOBODY, inode=inode)
            for address, port, inode in entries
        )
        return SocketTable(time=time, began=time - 1, host="server", entries=tuple(made))

    data = frame(IP(src="10.0.0.1", dst="10.0.0.2") / UDP(sport=9, dport=53) / b"x")
    found, _ = identities(
        table(10, ("0.0.0.0", 53, 20), ("10.0.0.2", 53, 21), ("10.0.0.2", 54, 22)),
        sent(20, "server", data, "in"),
        table(30, ("0.0.0.0", 53, 20)),
        sent(40, "server", data, "in"),
        table(50),
        sent(60, "server", data, "in"),
    )
    # The socket that is bound to the address comes before the one bound to any.
    assert [one.inode if (one := found.receiver(index)) else 0 for index in (1, 3, 5)] == [21, 20, 0]


def test_loopback_shows_a_packet_once_and_both_ends_are_here() -> None:
    ends: dict[str, Any] = {"host": "client", "source": "tracepoint", "old": "SYN_SENT", "new": "ESTABLISHED"}
    here, there = ("127.0.0.1", 5000), ("127.0.0.1", 80)
    found, _ = identities(
        SocketState(time=1, inode=3, local=here, remote=there, **ends),
        SocketState(time=2, inode=4, local=there, remote=here, **ends),
        sent(3, "client", segment("127.0.0.1", "127.0.0.1", "A", 1, 2, ports=(5000, 80)), "in", interface="lo"),
    )
    sender, receiver = found.sender(2), found.receiver(2)
    assert isinstance(sender, Socket)
    assert isinstance(receiver, Socket)
    assert (sender.inode, receiver.inode) == (3, 4)
