"""Builds a planned network and holds it: namespaces, veth pairs, addresses, routes. Leaving it takes everything down.

Nothing in it has a name outside: not a namespace, not an interface, not a file. It knows nothing of what is done inside.
"""

import errno
import os
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from socket import AF_INET, AF_NETLINK, AF_PACKET, SOCK_DGRAM, SOCK_RAW, SOCK_STREAM, htons
from socket import socket as Socket  # noqa: N812 - the classes here have methods of that name
from types import TracebackType
from typing import Any, Self

from netlab.errors import HostError, LabError
from netlab.lab import kernel
from netlab.lab.keeper import Keeper
from netlab.lab.process import Process, outer_pid, run
from netlab.topology.plan import NodePlan, Plan, WirePlan, plan
from netlab.topology.spec import Endpoint, Topology

SOL_PACKET, PACKET_IGNORE_OUTGOING = 263, 23
ETH_P_ALL = 0x0003
_READY_WITHIN = 10.0
_OWN_INDICES = 1 << 16  # above what the kernel chooses by itself
_BRIDGE = "br0"
_BRIDGE_INDEX = 1 << 20


class Interface:
    """An interface of a node: its name, index in the node's namespace, hardware address and IP addresses."""

    def __init__(self, name: str, end: Endpoint) -> None:
        self.name, self.addresses = name, end.addresses
        self.index, self.hardware = 0, ""


class Space:
    """One network namespace of a lab, with what is asked of the kernel in it."""

    def __init__(self, keeper: Keeper, number: int, namespace: int, route: Socket) -> None:
        self._keeper, self.number, self.namespace, self._route = keeper, number, namespace, route
        self.cookie = kernel.cookie(route)
        self.requests = kernel.Requests(route)

    def socket(self, family: int = AF_INET, kind: int = SOCK_STREAM, protocol: int = 0) -> Socket:
        """An ordinary socket that lives in this namespace. Raises OSError as socket(2) does."""
        _, (fd,) = self._keeper.ask("socket", node=self.number, family=int(family), kind=int(kind), protocol=protocol)
        return Socket(int(family), int(kind), protocol, fileno=fd)

    def packet_socket(self, interface: str = "", *, ignore_outgoing: bool = False) -> Socket:
        """An AF_PACKET socket for every frame (packet(7)) of one interface, or of all; it sees them from when this returns."""
        if not interface:
            return self.socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL))
        made = self.socket(AF_PACKET, SOCK_RAW, 0)
        if ignore_outgoing:
            made.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
        made.bind((interface, ETH_P_ALL))
        return made

    def links(self) -> dict[str, kernel.Link]:
        """The namespace's interfaces by name."""
        return kernel.links(self._route)

    def wait_until_up(self, names: Sequence[str], deadline: float) -> None:
        """Wait until interfaces can carry packets."""
        kernel.wait_until_up(self._route, deadline, names)

    def close(self) -> None:
        """Give up our hold on the namespace."""
        self.requests.close()
        self._route.close()
        os.close(self.namespace)


class LabNode:
    """A host, router, switch or peer of a running lab."""

    def __init__(self, lab: "Lab", plan: NodePlan, space: Space) -> None:
        self._lab, self.plan, self.space = lab, plan, space
        self.name, self.kind = plan.name, plan.kind
        self.interfaces: dict[str, Interface] = {}

    @property
    def address(self) -> str:
        """Its first address, of the first family that it has."""
        for interface in self.interfaces.values():
            for address in interface.addresses:
                return str(address.ip)
        raise LabError(f"{self.name} has no address")

    @property
    def addresses(self) -> dict[str, tuple[str, ...]]:
        """Its addresses as text, by interface."""
        return {name: tuple(str(address.ip) for address in end.addresses) for name, end in self.interfaces.items()}

    def socket(self, family: int = AF_INET, kind: int = SOCK_STREAM, protocol: int = 0) -> Socket:
        """An ordinary socket.socket that lives in this node's namespace: it binds, connects and is seen there."""
        return self.space.socket(family, kind, protocol)

    def popen(self, args: Sequence[str], **options: Any) -> Process:
        """Start a program in this node; takes what subprocess.Popen takes (stdin, stdout, stderr, cwd, env, text)."""
        return Process(self._lab.keeper, self.space.number, args, **options)

    def run(self, args: Sequence[str], **options: Any) -> Any:
        """Run a program in this node to its end; takes and gives what subprocess.run does."""
        return run(self.popen, args, **options)

    def fork(self, file: Path, *fds: int, **arguments: Any) -> tuple[int, int]:
        """Fork the keeper into this node, to run ``main(descriptors, arguments)`` of a file. Gives the outer pid and a pidfd."""
        _, (pidfd,) = self._lab.keeper.ask("fork", *fds, node=self.space.number, file=str(file), arguments=arguments)
        return outer_pid(pidfd), pidfd


class Middle:
    """The namespace in the middle of an impaired link, where rules act: ``sockets`` face the link's first and second endpoint."""

    def __init__(self, wire: WirePlan, space: Space) -> None:
        self.wire, self.space = wire, space
        self.sockets: tuple[Socket, Socket] | None = None


class Lab:
    """A running network. Use it in a ``with`` statement; raises HostError when this machine lacks what it takes."""

    def __init__(self, topology: Topology) -> None:
        self.topology = topology
        self.plan: Plan = plan(topology)
        self.nodes: dict[str, LabNode] = {}
        self.middles: dict[str, Middle] = {}
        self.unset: dict[str, str] = {}
        self._stack = ExitStack()
        self._made = 0
        self._keeper: Keeper | None = None

    @property
    def keeper(self) -> Keeper:
        """The process that all of the lab hangs on."""
        if self._keeper is None:
            raise LabError("the lab is not running: use it in a with statement")
        return self._keeper

    @property
    def shortfalls(self) -> tuple[str, ...]:
        """What this machine did not let the lab have, though it runs without: pinned sysctls that are not set, mounts not made."""
        notes = self.keeper.ask("notes")[0]["notes"]
        return (*(f"sysctl {key} is not set ({why})" for key, why in sorted(self.unset.items())), *dict.fromkeys(notes))

    @property
    def rootless(self) -> bool:
        """Whether the lab lives in a user namespace of its own."""
        return self.keeper.rootless

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._keeper = stack.enter_context(Keeper.start())
            for node in self.plan.nodes:
                self.nodes[node.name] = LabNode(self, node, self._space(node.name, node, stack))
            for wire in self.plan.wires:
                if wire.middle is not None:
                    sysctls = {f"net.ipv6.conf.{scope}.disable_ipv6": "1" for scope in ("all", "default")}
                    self.middles[wire.link] = Middle(wire, self._make_space("wire", "", sysctls, stack))
            self._build(stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stack.close()
        self._keeper = None

    def __getitem__(self, name: str) -> LabNode:
        return self.nodes[name]

    def _space(self, name: str, node: NodePlan, stack: ExitStack) -> Space:
        hosts = "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n"
        hosts += "".join(f"{address} {other}\n" for other, address in node.hosts)
        return self._make_space(name, hosts, dict(node.sysctls), stack)

    def _make_space(self, name: str, hosts: str, sysctls: Mapping[str, str], stack: ExitStack) -> Space:
        try:
            reply, (namespace, route) = self.keeper.ask("namespace", hostname=name, hosts=hosts, sysctls=dict(sysctls))
        except OSError as error:
            raise HostError(f"could not make a namespace for {name}: {error}", _fix_of(error)) from error
        space = Space(self.keeper, reply["node"], namespace, Socket(AF_NETLINK, SOCK_RAW, 0, fileno=route))
        stack.callback(space.close)
        asked = dict(self.topology.node(name).sysctls) if name in self.nodes_wanted else {}
        for key, number in reply["failed"].items():
            if key in asked:
                raise HostError(f"{name}: sysctl {key} = {asked[key]}: {os.strerror(number)}")
            self.unset[key] = errno.errorcode.get(number, str(number))
        return space

    @property
    def nodes_wanted(self) -> frozenset[str]:
        """The names of the topology's nodes."""
        return frozenset(node.name for node in self.topology.nodes)

    def _build(self, stack: ExitStack) -> None:
        for node in self.nodes.values():
            node.space.requests.up("lo", 1)
            if node.plan.bridge:
                node.space.requests.bridge(_BRIDGE, _BRIDGE_INDEX)
                node.space.requests.up(_BRIDGE, _BRIDGE_INDEX)
            node.space.requests.send()
        for wire in self.plan.wires:
            self._wire(wire)
        spaces = [*((node.space, list(node.interfaces)) for node in self.nodes.values())]
        spaces += [(middle.space, ["near", "far"]) for middle in self.middles.values()]
        for space, names in spaces:
            with space.socket(AF_INET, SOCK_DGRAM) as control:
                for name in names:
                    kernel.offloads_off(control, name)
        for node in self.nodes.values():
            self._configure(node)
        for middle in self.middles.values():
            for name, link in middle.space.links().items():
                middle.space.requests.up(name, link.index)
            middle.space.requests.send()
        deadline = time.monotonic() + _READY_WITHIN
        for node in self.nodes.values():
            node.space.wait_until_up(list(node.interfaces), deadline)
        for middle in self.middles.values():
            middle.space.wait_until_up(["near", "far"], deadline)
            near = stack.enter_context(middle.space.packet_socket("near", ignore_outgoing=True))
            far = stack.enter_context(middle.space.packet_socket("far", ignore_outgoing=True))
            middle.sockets = (near, far)

    def _wire(self, wire: WirePlan) -> None:
        """One link: a veth pair, or two of them with a namespace in the middle."""
        a, b = self.nodes[wire.a.node], self.nodes[wire.b.node]
        for node, end in ((a, wire.a), (b, wire.b)):
            node.interfaces[end.interface] = Interface(end.interface, end)
        if wire.middle is None:
            ends = [(a.space, wire.a.interface, b.space, wire.b.interface)]
        else:
            middle = self.middles[wire.link].space
            ends = [(a.space, wire.a.interface, middle, "near"), (b.space, wire.b.interface, middle, "far")]
        for one, name, other, peer in ends:
            self._made += 1
            one.requests.veth(name, _OWN_INDICES + self._made, one.namespace, peer, other.namespace, wire.mtu)
            one.requests.send()

    def _configure(self, node: LabNode) -> None:
        requests, links = node.space.requests, node.space.links()
        for interface in node.interfaces.values():
            interface.index, interface.hardware = links[interface.name].index, links[interface.name].hardware
            requests.up(interface.name, interface.index, _BRIDGE_INDEX if node.plan.bridge else None)
            if node.kind != "peer":
                for address in interface.addresses:
                    requests.address(str(address.ip), address.network.prefixlen, interface.index)
        for route in node.plan.routes:
            requests.route(str(route.destination), str(route.via), node.interfaces[route.interface].index)
        requests.send()


def _fix_of(error: OSError) -> str:
    if error.errno == errno.ENOSPC:
        return "sysctl -w user.max_net_namespaces=65536 (too many network namespaces for this user)"
    return "netlab-ns doctor says what this machine allows"
