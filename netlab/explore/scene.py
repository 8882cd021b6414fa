"""What a generated sequence has said so far, and what its descriptors probably are by now: enough to choose calls with a meaning.

A guess is only ever used to choose. It knows no rule and no errno, is often wrong on purpose, and judges nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from netlab.notation.calls import Call
from netlab.notation.values import Name, Number, SocketAddress, Value

_T = TypeVar("_T")

RECORD = 6
"""Bytes of one record: two that choose its kind, one that chooses whom it is about, three for whatever the kind asks."""

FIRST_PORT, LAST_PORT, PORTS = 2048, 32000, 8
"""Ports that sequences take for their own, below those that the kernel chooses (ip_local_port_range), and how many each has."""

SERIALS = (LAST_PORT - FIRST_PORT) // PORTS
"""How many sequences have ports, and names, of their own before they come again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """Where sequences are played: each host's IPv4 and IPv6 address, by its name. The first host is where most begins."""

    addresses: Mapping[str, tuple[str, str]]

    @property
    def hosts(self) -> tuple[str, ...]:
        """Their names, in order."""
        return tuple(self.addresses)


@dataclass(frozen=True, slots=True)
class Line:
    """One call of a process of a sequence. ``record`` is the number of the record that it came from."""

    process: str
    call: Call
    record: int

    @property
    def host(self) -> str:
        """The host of the process: "client" for "client/p"."""
        return self.process.partition("/")[0]


@dataclass(slots=True, eq=False)
class Guess:
    """One descriptor as it probably is. ``kind`` is tcp, udp, unix-stream, unix-dgram, unix-seqpacket, pipe, epoll or raw.

    ``family`` is "4", "6" or "u"; ``state`` fresh, bound, listening, connected or closed; ``port`` and ``reached`` where others
    reach it; ``inbox`` how much was probably sent to it; ``waits`` whether its calls wait (no O_NONBLOCK).
    """

    process: str
    name: str
    kind: str
    family: str = "u"
    state: str = "fresh"
    port: int = 0
    reached: SocketAddress | None = None
    loopback: bool = False
    peer: "Guess | None" = None
    inbox: int = 0
    accepting: list["Guess"] = field(default_factory=list)
    waits: bool = True

    def copy(self, process: str = "", name: str = "") -> "Guess":
        """The same thing by another descriptor."""
        return replace(self, process=process or self.process, name=name or self.name, accepting=list(self.accepting))


class Draw:
    """One record while it is spent: bytes that choose. Smaller bytes choose what is simpler: what is shrunk gets simpler, too."""

    __slots__ = ("_at", "_bytes", "subject")

    def __init__(self, record: bytes) -> None:
        self.subject = record[2]
        self._bytes = record[3:]
        self._at = 0

    def byte(self) -> int:
        """The next byte; after the last one each is made of all of them, so that no two choices go together."""
        at = self._at
        self._at += 1
        if at < len(self._bytes):
            return self._bytes[at]
        mixed = (int.from_bytes(self._bytes) * 0x9E3779B1 + at * 0x85EBCA6B) & 0xFFFFFFFF
        return ((mixed ^ mixed >> 15) * 0x2C1B3C6D & 0xFFFFFFFF) >> 19 & 0xFF

    def of(self, choices: Sequence[_T]) -> _T:
        """One of several, each as likely."""
        return choices[self.byte() * len(choices) >> 8]

    def value(self, *choices: Value) -> Value:
        """One of several values, each as likely."""
        return self.of(choices)

    def odds(self, percent: int) -> bool:
        """True so often; never for the smallest bytes."""
        return self.byte() >= 256 - (percent * 256) // 100


class Scene:
    """A sequence while it is made."""

    def __init__(self, ground: Ground, serial: int) -> None:
        self.ground = ground
        self._port = FIRST_PORT + (serial % SERIALS) * PORTS
        self._last = self._port + PORTS
        self._serial = serial
        self._names = self._children = 0
        self.lines: list[Line] = []
        self.guesses: list[Guess] = []
        self.processes: list[str] = list(ground.hosts)
        self.record = 0

    def say(
        self, process: str, name: str, *arguments: Value, binds: tuple[str, ...] = (), named: tuple[tuple[str, Value], ...] = ()
    ) -> None:
        """One more call; ``named`` are arguments by their keywords."""
        self.lines.append(Line(process, Call(name, arguments, named, binds), self.record))

    def name(self) -> str:
        """A name that nothing has yet."""
        self._names += 1
        return f"s{self._names}"

    def child(self) -> str:
        """The name of a process that is forked: never one of a process that was."""
        self._children += 1
        return "p" if self._children == 1 else f"p{self._children}"

    def port(self) -> int:
        """A port that no other sequence of late had; the last one again when the sequence's own are spent."""
        port = self._port
        self._port = min(self._port + 1, self._last - 1)
        return port

    def path(self) -> str:
        """A file's path that no other sequence has, in the process's own directory: sequences leave files alone that others see."""
        self._names += 1
        return f"e{self._serial}-{self._names}"

    def unix(self, *, path: bool) -> SocketAddress:
        """A UNIX name that no other sequence has."""
        return SocketAddress("unix", host=self.path(), variant="path" if path else "abstract")

    def add(self, guess: Guess) -> Guess:
        """One more descriptor."""
        self.guesses.append(guess)
        return guess

    def process(self, draw: Draw) -> str:
        """The process that something new is made in: mostly the first host's."""
        subject = draw.subject
        if len(self.processes) == 1 or subject < 120:
            return self.processes[0]
        return self.processes[subject % len(self.processes)]

    def host(self, process: str) -> str:
        """The host of a process."""
        return process.partition("/")[0]

    def at(self, guess: Guess, process: str, family: str) -> SocketAddress:
        """The address at which a process reaches a bound socket, written in the family "4", "6", or "m" (IPv4-mapped)."""
        if guess.reached is not None:
            return guess.reached
        return self.place(self.host(guess.process), process, family, guess.port, loopback=guess.loopback)

    def place(self, host: str, process: str, family: str, port: int, *, loopback: bool = False) -> SocketAddress:
        """A port of a host, as a process reaches it: on its own host by the loopback address."""
        near = loopback or host == self.host(process)
        v4, v6 = ("127.0.0.1", "::1") if near else self.ground.addresses[host]
        return SocketAddress("ip", host={"4": v4, "6": v6}.get(family, f"::ffff:{v4}"), port=port)

    def absent(self, process: str) -> str:
        """An IPv4 address in the network of a process's host that nobody has."""
        return self.ground.addresses[self.host(process)][0].rpartition(".")[0] + ".99"

    def other(self, process: str) -> str:
        """Another host, if there is one."""
        own = self.host(process)
        return next((host for host in self.ground.hosts if host != own), own)


def target(guess: Guess | int) -> Value:
    """A descriptor as a call's argument."""
    return Number(guess) if isinstance(guess, int) else Name(guess.name)
