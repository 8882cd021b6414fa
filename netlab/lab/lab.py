"""Builds a planned network and holds it: namespaces, veth pairs, addresses, routes. Leaving it takes everything down.

Nothing in it has a name outside: not a namespace, not an interface, not a file. It knows nothing of what is done inside.
"""

import errno
import os
import sys
import threading
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from socket import AF_INET, AF_PACKET, SOCK_RAW, SOCK_STREAM, htons
from socket import socket as Socket  # noqa: N812 - the classes here have methods of that name
from types import TracebackType
from typing import Any, Self

from netlab.errors import HostError, LabError
from netlab.lab import namespaces
from netlab.lab.closing import close_together
from netlab.lab.keeper import Keeper
from netlab.lab.process import Process, run
from netlab.lab.program import FAR, NEAR, program_of
from netlab.lab.spawner import Entered, Spawner
from netlab.lab.starting import load_rulesets, run_commands
from netlab.lab.unset import Unset, check, shortfalls
from netlab.topology.networks import Interface as Address
from netlab.topology.plan import plan
from netlab.topology.planned import NodePlan, Plan, WirePlan
from netlab.topology.spec import Topology

SOL_PACKET, PACKET_IGNORE_OUTGOING = 263, 23
ETH_P_ALL = 0x0003
_LOCAL_NAMES = "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n"


class Interface:
    """An interface of a node: its name, index in the node's namespace, hardware address and IP addresses."""

    __slots__ = ("addresses", "hardware", "index", "name")

    def __init__(self, name: str, index: int, hardware: str, addresses: tuple[Address, ...]) -> None:
        self.name, self.index, self.hardware, self.addresses = name, index, hardware, addresses


class Space:
    """One network namespace of a lab, by its number; ``cookie`` is its identity (SO_NETNS_COOKIE, socket(7)), never used twice."""

    __slots__ = ("_held", "cookie", "number")

    def __init__(self, held: namespaces.Namespaces, number: int) -> None:
        self._held, self.number, self.cookie = held, number, held.cookies[number]

    def socket(self, family: int = AF_INET, kind: int = SOCK_STREAM, protocol: int = 0) -> Socket:
        """An ordinary socket that lives in this namespace. Raises OSError as socket(2) does."""
        return self._held.socket(self.number, family, kind, protocol)

    def packet_socket(self, interface: str = "", *, ignore_outgoing: bool = False) -> Socket:
        """An AF_PACKET socket for every frame (packet(7)) of one interface, or of all; it sees them from when this returns.

        Raises HostError where this process may have none.
        """
        try:
            made = self.socket(AF_PACKET, SOCK_RAW, 0 if interface else htons(ETH_P_ALL))
        except PermissionError as error:
            # The namespace belongs to root's user namespace, which gives no capability that root itself lacks.
            fix = "give root CAP_NET_RAW too (a container needs --cap-add NET_RAW), or run without root"
            raise HostError(f"this machine lets us see no packets: socket(AF_PACKET): {error.strerror}", fix) from None
        if not interface:
            return made
        try:
            if ignore_outgoing:
                made.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
            made.bind((interface, ETH_P_ALL))
        except BaseException:
            made.close()
            raise
        return made


class LabNode:
    """A host, router, switch, nat or peer of a running lab."""

    def __init__(self, lab: "Lab", plan: NodePlan, space: Space) -> None:
        self._lab, self.plan, self.space = lab, plan, space
        self.name, self.kind = plan.name, plan.kind
        self._entered: Entered | None = None
        self.interfaces = {
            **{one.name: Interface(one.name, one.index, one.hardware, one.addresses) for one in plan.interfaces},
            **{one.name: Interface(one.name, one.index, "", one.addresses) for one in plan.vlan_devices},
            **{one.name: Interface(one.name, one.index, one.hardware, one.addresses) for one in plan.vxlan_devices},
        }

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

    def popen(self, args: Sequence[str | os.PathLike[str]], **options: Any) -> Process:
        """Start a program in this node; takes what subprocess.Popen takes (stdin, stdout, stderr, cwd, env, text)."""
        return Process(self._lab.keeper_of(self), self.space.number, args, **self._environed(options))

    def run(self, args: Sequence[str], **options: Any) -> Any:
        """Run a program in this node to its end; takes and gives what subprocess.run does."""
        spawner = self._lab.spawner
        if spawner is None:
            return run(self.popen, args, **options)
        if self._entered is None:
            self._entered = self._lab.enter(self)
        try:
            return run(partial(spawner.popen, self._entered), args, **self._environed(options))
        except OSError as error:
            if error.errno == errno.ENOMEM:  # what a PID namespace says whose first process is gone
                self._lab.keeper.ask("notes")
            raise

    def _environed(self, options: dict[str, Any]) -> dict[str, Any]:
        if options.get("env") is None and self.plan.env:
            options["env"] = {**os.environ, **dict(self.plan.env)}
        return options

    def fork(self, file: Path, *fds: int, **arguments: Any) -> tuple[int, int]:
        """Fork the keeper into this node, to run ``main(descriptors, arguments)`` of a file. Gives the outer pid and a pidfd."""
        keeper = self._lab.keeper_of(self)
        reply, (pidfd,) = keeper.ask("fork", *fds, node=self.space.number, file=str(file), path=sys.path, arguments=arguments)
        return reply["pid"], pidfd


class Middle:
    """The namespace in the middle of an impaired link, where rules and queueing disciplines act.

    ``sockets`` face the link's first and second endpoint where packets are looked at one by one; None where the kernel bridges.
    """

    def __init__(self, wire: WirePlan, space: Space) -> None:
        self.wire, self.space = wire, space
        self.sockets: tuple[Socket, Socket] | None = None
        self.engine = ""
        """What in the kernel carries its quantities out, in words."""

    def face(self, opened: list[Socket]) -> None:
        """Open the sockets, which are ``opened`` then: what comes from now on is for whoever reads them."""
        opened.append(near := self.space.packet_socket(NEAR, ignore_outgoing=True))
        opened.append(far := self.space.packet_socket(FAR, ignore_outgoing=True))
        self.sockets = (near, far)


class Lab:
    """A running network. Use it in a ``with`` statement; raises HostError when this machine lacks what it takes.

    ``programs`` says that programs will follow, and ``forks`` that forks into this Python file will, so that the process they hang
    on starts while the network is built; ``stay`` that all of the network shall hang on that process, which then can outlive this
    one. ``keeper`` is that process where it was begun already; the lab ends it.
    """

    def __init__(
        self,
        topology: Topology,
        *,
        programs: bool = False,
        forks: Path | None = None,
        stay: bool = False,
        keeper: Keeper | None = None,
    ) -> None:
        self.topology = topology
        self.plan: Plan = plan(topology)
        self.nodes: dict[str, LabNode] = {}
        self.middles: dict[str, Middle] = {}
        self.unset: Unset = ()
        self.noted: list[str] = []
        self._programs, self._forks, self._stay = programs, forks, stay
        self._stack = ExitStack()
        self._keeper = keeper
        self._held: namespaces.Namespaces | None = None
        self._told: set[int] = set()
        self._lock = threading.RLock()
        self._spawner: Spawner | None = None
        self._opened: list[int] = []
        self._facing: list[Socket] = []

    @property
    def keeper(self) -> Keeper:
        """The process that the lab's programs hang on; started when first asked for."""
        if self._held is None:
            raise LabError("the lab is not running: use it in a with statement")
        return self._begin()

    def keeper_of(self, node: LabNode) -> Keeper:
        """The keeper, which has been told of this node."""
        keeper, number = self.keeper, node.space.number
        with self._lock:
            if number not in self._told:
                namespace = self._held.descriptor(number) if self._held is not None else None
                fds = () if namespace is None else (namespace,)
                keeper.ask("nodes", *fds, nodes=rooms_of([node]))
                self._told.add(number)
        return keeper

    @property
    def spawner(self) -> Spawner | None:
        """What starts programs as children of this process; None where only the keeper may enter the lab's namespaces."""
        self.keeper.check_owner()
        with self._lock:
            if self._spawner is None and isinstance(self._held, namespaces.Held) and not self.keeper.rootless:
                self._spawner = Spawner()
            return self._spawner

    def enter(self, node: LabNode) -> Entered:
        """The namespaces of a node's programs, as descriptors that the lab closes at its end."""
        _, (pid, net, uts, mnt) = self.keeper_of(node).ask("enter", node=node.space.number)
        self._opened += (pid, net, uts, mnt)
        return pid, net, uts, mnt

    @property
    def shortfalls(self) -> tuple[str, ...]:
        """What this machine did not let the lab have, though it runs without: pinned sysctls, mounts, and what others noted."""
        notes = self._keeper.ask("notes")[0]["notes"] if self._keeper is not None else []
        return (*shortfalls(self.unset), *notes, *self.noted)

    @property
    def rootless(self) -> bool:
        """Whether the lab lives in a user namespace of its own."""
        return isinstance(self._held, namespaces.Kept) and self.keeper.rootless

    def __enter__(self) -> Self:
        if self._held is not None:
            raise LabError("the lab is running already")
        self.noted, self.middles = [], {}
        with ExitStack() as stack:
            stack.callback(self._close)
            stack.callback(self._close_facing)
            if self._programs or self._stay or self._forks:
                self._begin()
            if self._forks:
                self._begin().prepare(self._forks)
            program = program_of(self.plan)
            self._held = held = namespaces.made(program, self._begin, stay=self._stay)
            self.unset = held.unset
            check(self.topology, self.plan, self.unset)
            self.nodes = {one.name: LabNode(self, one, Space(held, number)) for number, one in enumerate(self.plan.nodes)}
            for wire in self.plan.wires:
                if wire.middle is not None:
                    self.middles[wire.link] = Middle(wire, Space(held, program.middles[wire.link]))
            for middle in self.middles.values():
                if middle.wire.user_space:
                    middle.face(self._facing)
            if self._stay:
                self._begin().ask("nodes", nodes=rooms_of(self.nodes.values()))
                self._told.update(range(len(self.nodes)))
            load_rulesets(self.nodes.values())
            self._stack = stack.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stack.close()

    def __getitem__(self, name: str) -> LabNode:
        return self.nodes[name]

    def hand_over(self, listener: Socket, description: int) -> None:
        """Let the lab, built to stay, outlive this process: its keeper serves whoever of its user connects to ``listener``, a bound
        socket, and shows them the file ``description``. Leaving the ``with`` statement then lets go of it and ends nothing."""
        if not self._stay:
            raise LabError("only a lab that was built to stay can outlive the process that built it")
        self.keeper.hand_over(listener, description)

    def lend(self, listener: Socket, description: int) -> None:
        """Let others in for as long as the lab runs: its keeper serves whoever of its user connects to ``listener``, a bound
        socket, and shows them the file ``description``. The lab still ends with this process."""
        for node in self.nodes.values():
            self.keeper_of(node)
        self.keeper.ask("lend", listener.fileno(), description)

    def face(self, middle: Middle) -> None:
        """Open the sockets of a middle that were not open yet; they are closed with the lab."""
        middle.face(self._facing)

    def start(self) -> None:
        """Run the nodes' start commands and wait until their programs are ready; links that are impaired should be so by now.

        Raises SpecError at the place of a command that fails or is not ready in time.
        """
        run_commands(self.nodes.values())

    def _begin(self) -> Keeper:
        with self._lock:
            if self._keeper is None:
                self._keeper = Keeper.begin()
            return self._keeper

    def _close_facing(self) -> None:
        facing, self._facing = self._facing, []
        close_together([one.detach() for one in facing])

    def _close(self) -> None:
        """The programs first, since they hold the namespaces too."""
        keeper, self._keeper = self._keeper, None
        held, self._held = self._held, None
        spawner, self._spawner = self._spawner, None
        opened, self._opened = self._opened, []
        self._told.clear()
        try:
            if keeper is not None:
                keeper.close()
        finally:
            if spawner is not None:
                spawner.close()
            for fd in opened:
                os.close(fd)
            if held is not None:
                held.close()


def rooms_of(nodes: Iterable[LabNode]) -> list[tuple[int, str, list[tuple[str, str, int]]]]:
    """What the keeper is told of nodes. Those that know the same names share one text: in a large lab, nearly all."""
    texts: dict[int, str] = {}
    found = []
    for node in nodes:
        hosts = node.plan.hosts
        if id(hosts) not in texts:
            texts[id(hosts)] = _LOCAL_NAMES + "".join([f"{address} {name}\n" for name, address in hosts])
        found.append((node.space.number, node.name, _files(node.plan, texts[id(hosts)])))
    return found


def _files(node: NodePlan, hosts: str) -> list[tuple[str, str, int]]:
    """The files that only the node's programs see: path, text, mode."""
    files = [("/etc/hosts", hosts, 0o644)] if node.kind not in ("switch", "peer") else []
    if node.resolv is not None:
        files.append(("/etc/resolv.conf", node.resolv, 0o644))
    return [*files, *((file.path, file.text, file.mode) for file in node.files)]
