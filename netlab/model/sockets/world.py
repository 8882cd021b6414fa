"""A world: hosts, processes with their descriptors, and the objects behind them, at one moment. It knows no rule.

Worlds are values: what changes one gives another, which shares all that did not change.
"""

from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Self

import msgspec

from netlab.model.sockets.objects import Address, Connection, Object, Socket
from netlab.notation.calls import Call

EPHEMERAL = range(32768, 61000)
"""Ports that the kernel chooses from: ip_local_port_range's default (ip(7))."""
FILES = 1024
"""RLIMIT_NOFILE's usual soft limit (getrlimit(2))."""


class Host(msgspec.Struct, frozen=True, kw_only=True):
    """A network namespace: its own addresses, the networks that it has a route to, by family a default route or none.

    ``interfaces`` are its interfaces' names and indexes. ``sysctls`` are those that were set in it ("net.ipv4.tcp_syncookies").
    ``loopback`` says whether lo is up.
    """

    name: str
    addresses: tuple[str, ...] = ("127.0.0.1", "::1")
    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    default: frozenset[int] = frozenset()
    sources: Mapping[IPv4Network | IPv6Network, str] = {}
    """The address that is sent from where a network's route is taken; a network that is missing has what ``addresses`` allow."""
    interfaces: Mapping[str, int] = msgspec.field(default_factory=lambda: {"lo": 1})
    sysctls: Mapping[str, str] = {}
    loopback: bool = True

    def owns(self, host: str) -> bool:
        """Whether an address is one of this host's: 127.0.0.0/8 is, as a whole (ip(7)), where lo is up."""
        return host in self.addresses or (self.loopback and host.startswith("127."))

    def reaches(self, host: str) -> bool:
        """Whether there is a route to an address."""
        address = ip_address(host.partition("%")[0])
        return self.owns(host) or address.version in self.default or any(address in network for network in self.networks)


class Descriptor(msgspec.Struct, frozen=True):
    """A number's meaning in a process: the open file description, and whether exec closes it (FD_CLOEXEC)."""

    description: int
    close_on_exec: bool = False


class Description(msgspec.Struct, frozen=True, kw_only=True):
    """An open file description: the object, its status flags, how many descriptors (of any process, or in flight) refer to it.

    ``owner`` gets SIGIO and SIGURG (F_SETOWN), None where that is not known; ``signal`` is sent instead of SIGIO (F_SETSIG).
    """

    object: int
    flags: int = 2  # O_RDWR
    references: int = 1
    owner: int | None = 0
    signal: int = 0


class Pending(msgspec.Struct, frozen=True, kw_only=True):
    """A call that has been started and whose return has not been seen.

    ``entered`` is false until it took effect or blocked. ``answer`` is then the outcome that it will return (oracle.py's), None
    while it blocks; ``note`` is what the rule that let it block wants to know when it goes on. ``held`` is the description
    that a call which blocks keeps open, whatever becomes of its number meanwhile (fdget() in fs/file.c); 0 for none. ``before`` is
    the socket as it was when the call began to wait; ``polled`` are descriptions that poll() and select() keep open likewise.
    ``lost``: the model does not know what has become of the call. ``signalled``: a signal has been handled, and the call ends;
    ``restarts``: or begins again, once its thread runs (SA_RESTART).
    """

    process: str
    call: Call
    began: int = 0
    entered: bool = False
    answer: object = None
    note: object = None
    held: int = 0
    before: Socket | None = None
    polled: tuple[int, ...] = ()
    lost: bool = False
    signalled: bool = False
    restarts: bool = False


class Process(msgspec.Struct, frozen=True, kw_only=True):
    """A process: its host, its descriptors by number, the scenario's names for them, its limits and identity.

    ``whole`` is false where the table may hold descriptors that nobody told of: the lowest free number is not known then, but for
    those in ``told``, which the next descriptors get; and of what is not in the table only the numbers in ``gone`` are surely free.
    ``handled`` is what a signal does, by name: "ignore", "handle", "default"; ``restarting`` are those handled with SA_RESTART.
    ``files`` is RLIMIT_NOFILE's soft limit, or the least that it may be where it is not ``limited`` for sure (nobody has told).
    ``umask`` is None until something tells it; so is ``hard``, RLIMIT_NOFILE's hard limit. ``number`` is what getpid() gives, 0
    while nobody has told it.
    """

    host: str
    table: Mapping[int, Descriptor] = {}
    names: Mapping[str, int] = {}
    saved: Mapping[str, Address] = {}
    whole: bool = True
    told: tuple[int, ...] = ()
    gone: frozenset[int] = frozenset()
    others_from: int = 1 << 30
    """From this number on, whoever makes the process' calls for it has descriptors of its own in between."""
    files: int = FILES
    limited: bool = True
    uid: int = 0
    umask: int | None = None
    restarting: frozenset[str] = frozenset()
    hard: int | None = None
    number: int = 0
    handled: Mapping[str, str] = msgspec.field(default_factory=lambda: {"SIGPIPE": "ignore"})
    parent: str = ""
    alive: bool = True
    reserved: frozenset[int] = frozenset()
    """Numbers that calls which wait inside have taken already: accept() does before it waits."""

    def beyond(self, number: int) -> bool | None:
        """Whether a descriptor cannot have this number, for RLIMIT_NOFILE; None where the limit is not known."""
        if number < self.files:
            return False
        return True if self.limited else None

    def lowest_free(self, start: int = 0) -> int:
        """The lowest number from ``start`` on that is not open (POSIX dup(), 2.6 File Descriptor Allocation)."""
        for coming in self.told:
            if coming not in self.table:
                return coming
        number = start
        while number in self.table or number in self.reserved:
            number += 1
        return number


class World(msgspec.Struct, kw_only=True):
    """Everything at one moment. Use the methods to make the next one; nothing changes a world that is there.

    ``ports`` has the numbers of ports that the kernel chose (keys below 0), once something told them. ``paths`` are the names in
    the file systems and in the abstract name space: (host, kind, name) to the id of the socket bound to it, 0 for any other file,
    -1 for the file of a socket that is no more;
    names.py makes the keys. ``modes`` are files' permission bits (None: not known) and owners, by the same keys.
    """

    hosts: Mapping[str, Host]
    processes: dict[str, Process] = {}
    descriptions: dict[int, Description] = {}
    objects: dict[int, Object] = {}
    connections: dict[int, Connection] = {}
    pending: dict[int, Pending] = {}
    ports: dict[int, int] = {}
    paths: dict[tuple[str, str, str], int] = {}
    modes: dict[tuple[str, str, str], tuple[int | None, int]] = {}
    doubtful: frozenset[tuple[str, str, str]] = frozenset()
    """Names of which nobody knows whether they are there, unless ``paths`` has them (names.ANY_NAME: of none)."""
    counter: int = 0
    strangers: bool = False
    """Whether packets come and go that no call tells of: hand-driven peers, programs, rules on links, translators. What a socket on
    the network then gives is not known (see tables.known)."""
    lost: bool = False
    """Whether a socket that the model has lost track of, or a program, may have to do with the UNIX sockets that it follows."""
    certain: bool = True
    """Whether what is sent on one host's loopback, or in a lab at rest, has arrived as soon as it is sent: true for prediction."""

    def copy(self) -> Self:
        """Another world with the same content, whose tables may be changed by whoever made it (and by nobody else)."""
        return msgspec.structs.replace(
            self,
            processes=self.processes.copy(),
            descriptions=self.descriptions.copy(),
            objects=self.objects.copy(),
            connections=self.connections.copy(),
            pending=self.pending.copy(),
        )

    def waiting(self, pending: dict[int, Pending]) -> Self:
        """The same world with these calls under way; it shares all else, as any two worlds may that nobody changes in place."""
        return msgspec.structs.replace(self, pending=pending)

    def fresh(self) -> int:
        """A new id. Only for a world that has just been copied."""
        self.counter += 1
        return self.counter

    # What follows gives another world.

    def with_object(self, number: int, new: Object) -> Self:
        """The object ``number`` is now ``new``."""
        world = self.copy()
        world.objects[number] = new
        return world

    def with_process(self, name: str, new: Process) -> Self:
        """The process is now ``new``."""
        world = self.copy()
        world.processes[name] = new
        return world

    def with_connection(self, number: int, new: Connection) -> Self:
        """The connection is now ``new``."""
        world = self.copy()
        world.connections[number] = new
        return world

    def opened(
        self, process: str, new: Object, *, flags: int = 2, cloexec: bool = False, number: int | None = None
    ) -> tuple[Self, int]:
        """A new object under a new description and the lowest free descriptor (or ``number``); gives that number, too."""
        world = self.copy()
        thing, description = world.fresh(), world.fresh()
        world.objects[thing] = new
        world.descriptions[description] = Description(object=thing, flags=flags)
        owner = world.processes[process]
        fd = owner.lowest_free() if number is None else number
        world.processes[process] = msgspec.structs.replace(owner, table={**owner.table, fd: Descriptor(description, cloexec)})
        return world, fd

    def referred(self, process: str, fd: int, description: int, *, cloexec: bool = False) -> Self:
        """One more descriptor for a description that is there: dup(), a received one. What ``fd`` was must be closed before."""
        world = self.copy()
        owner = world.processes[process]
        world.processes[process] = msgspec.structs.replace(owner, table={**owner.table, fd: Descriptor(description, cloexec)})
        old = world.descriptions[description]
        world.descriptions[description] = msgspec.structs.replace(old, references=old.references + 1)
        return world

    def released(self, process: str, fd: int) -> tuple[Self, int]:
        """Without the descriptor. Gives the object's id if that was the last reference to its description, else 0.

        What the end of an object means for others is for the rules of close() (calls/closing.py), which call this.
        """
        world = self.copy()
        owner = world.processes[process]
        table = dict(owner.table)
        description = table.pop(fd).description
        world.processes[process] = msgspec.structs.replace(owner, table=table)
        return world, world.dropped(description)

    def dropped(self, description: int) -> int:
        """One reference less, in a world that has just been copied; the object's id if it was the last, else 0."""
        old = self.descriptions[description]
        if old.references > 1:
            self.descriptions[description] = msgspec.structs.replace(old, references=old.references - 1)
            return 0
        del self.descriptions[description]
        return old.object

    def port(self, port: int) -> int:
        """A port's number, if it is known by now; else the same negative number."""
        return self.ports.get(port, port) if port < 0 else port

    def learnt(self, port: int, number: int) -> Self:
        """The port that the kernel chose turned out to be ``number``."""
        world = self.copy()
        world.ports = {**self.ports, port: number}
        return world

    def same_port(self, one: int, other: int) -> bool | None:
        """Whether two ports are the same; None where that is not known."""
        one, other = self.port(one), self.port(other)
        if one == other:
            return True
        if one >= 0 and other >= 0:
            return False
        known = other if one < 0 else one
        return None if known < 0 or known in EPHEMERAL else False

    def prompt(self, one: str, other: str) -> bool:
        """Whether what one host sends has arrived at another as soon as the call that sends it is over (see ``certain``)."""
        return self.certain and one == other

    def sockets(self, host: str) -> list[tuple[int, Socket]]:
        """The sockets of a host with their ids."""
        return [(number, one) for number, one in self.objects.items() if isinstance(one, Socket) and one.host == host]

    def owner(self, address: str, seen_from: str) -> str:
        """The host that an address belongs to, seen from another one; "" where nobody has it."""
        if self.hosts[seen_from].owns(address):
            return seen_from
        return next((name for name, host in self.hosts.items() if address in host.addresses), "")
