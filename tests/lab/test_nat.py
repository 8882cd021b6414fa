"""The four behaviours of a nat node, by real sockets on both sides: two hosts inside, and one outside that has two addresses."""

import shutil
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from ipaddress import ip_address, ip_network

import pytest
from networks import HERE, end, node

from netlab.lab.lab import Lab
from netlab.topology.spec import Forward, Link, Nat, Node, Route, Topology

pytestmark = [
    pytest.mark.netns,
    pytest.mark.skipif(shutil.which("nft") is None, reason="no program nft on the PATH (apt-get install nftables)"),
]

FAMILIES = (socket.AF_INET, socket.AF_INET6)
BEHAVIOURS = ("full-cone", "address-restricted-cone", "port-restricted-cone", "symmetric")
A = {socket.AF_INET: "10.0.1.2", socket.AF_INET6: "fd01::2"}
OUTSIDE = {socket.AF_INET: "10.0.9.1", socket.AF_INET6: "fd09::1"}
ONE = {socket.AF_INET: "10.0.9.2", socket.AF_INET6: "fd09::2"}
OTHER = {socket.AF_INET: "10.0.9.3", socket.AF_INET6: "fd09::3"}
PORT = 5000
Address = tuple[str, int]


def inside(name: str, number: int) -> Link:
    host = end(name, f"10.0.{number}.2/24", f"fd0{number}::2/64")
    router = end("home", f"10.0.{number}.1/24", f"fd0{number}::1/64", interface=f"in{number}")
    return Link(endpoints=(host, router), subnets=tuple(address.network for address in host.addresses), place=HERE)


def route(destination: str, via: str) -> Route:
    return Route(destination=ip_network(destination), via=ip_address(via), place=HERE)


def home(behaviour: str, *forwards: Forward) -> Topology:
    nat = Nat(outside=("out",), behaviour=behaviour, forwards=forwards, place=HERE)
    router = end("home", "10.0.9.1/24", "fd09::1/64", interface="out")
    remote = end("remote", "10.0.9.2/24", "10.0.9.3/24", "fd09::2/64", "fd09::3/64")
    outside = Link(endpoints=(router, remote), subnets=tuple(address.network for address in router.addresses), place=HERE)
    knowing = Node(name="remote", kind="host", routes=(route("10.0.0.0/16", "10.0.9.1"), route("fd00::/14", "fd09::1")), place=HERE)
    nodes = (node("a"), node("b"), Node(name="home", kind="nat", nat=nat, place=HERE), knowing)
    return Topology(name="home", nodes=nodes, links=(inside("a", 1), inside("b", 2), outside), place=HERE)


class Ends:
    """Sockets of a running lab; ``seen_from`` and ``passes`` say what comes through."""

    def __init__(self, lab: Lab, family: socket.AddressFamily, kind: socket.SocketKind, stack: ExitStack) -> None:
        self.lab, self.family, self.kind, self._stack = lab, family, kind, stack

    def opened(self, host: str, address: str = "", port: int = 0) -> socket.socket:
        made = self._stack.enter_context(self.lab[host].socket(self.family, self.kind))
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        made.settimeout(5)
        made.bind((address, port))
        return made

    def remote(self, address: dict[socket.AddressFamily, str], port: int) -> socket.socket:
        return self.opened("remote", address[self.family], port)

    def seen_from(self, sender: socket.socket, receiver: socket.socket) -> Address:
        """Where a datagram seems to come from."""
        sender.sendto(b"open", receiver.getsockname())
        message, address = receiver.recvfrom(100)
        assert message == b"open"
        return address[0], address[1]

    def passes(self, sender: socket.socket, to: Address, receiver: socket.socket, admitted: socket.socket) -> bool:
        """Whether a datagram to ``to`` comes to ``receiver``. Twice one that is ``admitted`` follows it there: what has not come
        before the second was not underway."""
        sender.sendto(b"probe", to)
        found = []
        for _ in range(2):
            admitted.sendto(b"fence", to)
            while (message := receiver.recv(100)) != b"fence":
                found.append(message)
        assert set(found) <= {b"probe"}
        return bool(found)


@contextmanager
def ends(
    topology: Topology, family: socket.AddressFamily = socket.AF_INET, kind: socket.SocketKind = socket.SOCK_DGRAM
) -> Iterator[Ends]:
    with Lab(topology) as lab, ExitStack() as stack:
        yield Ends(lab, family, kind, stack)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("behaviour", BEHAVIOURS)
def test_the_mapping_depends_on_the_remote_only_in_a_symmetric_nat(behaviour: str, family: socket.AddressFamily) -> None:
    with ends(home(behaviour), family) as here:
        a = here.opened("a", port=PORT)
        remotes = [here.remote(ONE, 7000), here.remote(ONE, 7001), here.remote(OTHER, 7000)]
        seen = {here.seen_from(a, remote) for remote in remotes}
        assert {address for address, _ in seen} == {OUTSIDE[family]}
        if behaviour == "symmetric":
            assert len(seen) > 1
        else:
            assert seen == {(OUTSIDE[family], PORT)}


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    ("behaviour", "same_address", "same_port", "neither"),
    [
        ("full-cone", True, True, True),
        ("address-restricted-cone", True, False, False),
        ("port-restricted-cone", False, False, False),
        ("symmetric", False, False, False),
    ],
)
def test_who_gets_in_by_a_mapping(
    behaviour: str, family: socket.AddressFamily, same_address: bool, same_port: bool, neither: bool
) -> None:
    with ends(home(behaviour), family) as here:
        a, contacted = here.opened("a", port=PORT), here.remote(ONE, 7000)
        mapped = here.seen_from(a, contacted)
        strangers = (here.remote(ONE, 7001), here.remote(OTHER, 7000), here.remote(OTHER, 7001))
        found = [here.passes(stranger, mapped, a, contacted) for stranger in strangers]
        assert found == [same_address, same_port, neither]
        contacted.sendto(b"answer", mapped)
        assert a.recvfrom(100) == (b"answer", contacted.getsockname())


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("behaviour", ["full-cone", "address-restricted-cone"])
def test_in_a_cone_the_second_to_use_a_port_gets_another_and_keeps_it(behaviour: str, family: socket.AddressFamily) -> None:
    with ends(home(behaviour), family) as here:
        a, b = here.opened("a", port=PORT), here.opened("b", port=PORT)
        one, other = here.remote(ONE, 7000), here.remote(OTHER, 7000)
        of_a = {here.seen_from(a, one)}
        of_b = {here.seen_from(b, other), here.seen_from(b, one)}
        of_a |= {here.seen_from(a, other)}
        assert of_a == {(OUTSIDE[family], PORT)}
        assert len(of_b) == 1
        assert of_b != of_a
        for receiver, mapped in ((a, of_a.pop()), (b, of_b.pop())):
            again = here.remote(ONE, 7001)
            again.sendto(b"in", mapped)
            assert receiver.recvfrom(100)[0] == b"in"


def test_with_masquerade_two_share_a_port_until_they_meet_at_a_remote() -> None:
    with ends(home("port-restricted-cone")) as here:
        a, b = here.opened("a", port=PORT), here.opened("b", port=PORT)
        one, other = here.remote(ONE, 7000), here.remote(OTHER, 7000)
        assert [here.seen_from(a, one)[1], here.seen_from(b, other)[1]] == [PORT, PORT]
        assert here.seen_from(b, one)[1] != PORT


@pytest.mark.parametrize("family", FAMILIES)
def test_an_unsolicited_packet_gets_no_answer_and_does_not_move_the_mapping(family: socket.AddressFamily) -> None:
    """Otherwise two behind cones could not meet: the first packet of either would spoil the other's."""
    with ends(home("port-restricted-cone"), family) as here:
        a, one, other = here.opened("a", port=PORT), here.remote(ONE, 7000), here.remote(OTHER, 7000)
        mapped = here.seen_from(a, one)
        other.connect(mapped)
        other.send(b"unsolicited")
        assert here.seen_from(a, other) == mapped
        other.send(b"now an answer")
        assert a.recv(100) == b"now an answer"
        unmapped = here.remote(OTHER, 7001)
        unmapped.connect((OUTSIDE[family], PORT + 1))
        unmapped.send(b"to the node itself")
        with pytest.raises(ConnectionRefusedError):
            unmapped.recv(100)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("behaviour", BEHAVIOURS)
def test_nothing_comes_in_untranslated(behaviour: str, family: socket.AddressFamily) -> None:
    with ends(home(behaviour), family) as here:
        a, one, other = here.opened("a", port=PORT), here.remote(ONE, 7000), here.remote(OTHER, 7000)
        mapped = here.seen_from(a, one)
        other.sendto(b"untranslated", (A[family], PORT))
        for message in (b"first", b"second"):
            one.sendto(message, mapped)
            assert a.recv(100) == message


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("behaviour", BEHAVIOURS)
@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM])
def test_a_forward_works_from_outside_and_from_inside(
    behaviour: str, family: socket.AddressFamily, kind: socket.SocketKind
) -> None:
    protocol = "udp" if kind == socket.SOCK_DGRAM else "tcp"
    forward = Forward(protocol=protocol, port=8080, to=ip_address(A[family]), to_port=80, place=HERE)
    with ends(home(behaviour, forward), family, kind) as here:
        server = here.opened("a", port=80)
        if kind == socket.SOCK_STREAM:
            server.listen()
        for client in (here.remote(ONE, 7000), here.opened("b", port=7000)):
            client.connect((OUTSIDE[family], 8080))
            client.send(b"question")
            if kind == socket.SOCK_STREAM:
                accepted, seen = server.accept()
                with accepted:
                    assert accepted.recv(100) == b"question"
                    accepted.send(b"answer")
            else:
                question, seen = server.recvfrom(100)
                assert question == b"question"
                server.sendto(b"answer", seen)
            assert client.recv(100) == b"answer"
            assert seen[0] == (ONE if client.getsockname()[0] == ONE[family] else OUTSIDE)[family]


@pytest.mark.parametrize("family", FAMILIES)
def test_two_behind_a_full_cone_meet_at_their_outside_addresses(family: socket.AddressFamily) -> None:
    with ends(home("full-cone"), family) as here:
        a, b, one = here.opened("a", port=PORT), here.opened("b", port=PORT), here.remote(ONE, 7000)
        of_a, of_b = here.seen_from(a, one), here.seen_from(b, one)
        a.sendto(b"to b", of_b)
        assert b.recvfrom(100) == (b"to b", (*of_a, *b.getsockname()[2:]))
        b.sendto(b"to a", of_a)
        assert a.recvfrom(100) == (b"to a", (*of_b, *a.getsockname()[2:]))


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    ("behaviour", "same_address", "other_address"),
    [("full-cone", True, True), ("address-restricted-cone", True, False), ("port-restricted-cone", False, False)],
)
def test_tcp_gets_in_by_the_same_rules(
    behaviour: str, family: socket.AddressFamily, same_address: bool, other_address: bool
) -> None:
    with ends(home(behaviour), family, socket.SOCK_STREAM) as here:
        rendezvous = here.remote(ONE, 7000)
        rendezvous.listen()
        a = here.opened("a", port=PORT)
        a.connect(rendezvous.getsockname())
        with rendezvous.accept()[0] as accepted:
            mapped = accepted.getpeername()
        listener = here.opened("a", port=PORT)
        listener.listen()
        for stranger, admitted in ((here.remote(ONE, 7001), same_address), (here.remote(OTHER, 7000), other_address)):
            if admitted:
                stranger.connect(mapped)
                with listener.accept()[0] as accepted:
                    assert accepted.getpeername() == stranger.getsockname()
            else:
                stranger.settimeout(0.2)
                with pytest.raises(TimeoutError):  # dropped: a refusal would come at once
                    stranger.connect(mapped)
