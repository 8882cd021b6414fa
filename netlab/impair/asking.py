"""Asks the wire of a lab that stays what it does, and tells it what to do. It does not know how that is done, nor for whom.

The lab's keeper gives a connection; an answer is plain values, which another user's lab may make up: they are checked here.
"""

import socket
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from netlab.lab import parcels
from netlab.lab.staying import Connection, RefusedError, UnreachableError, printable

_ANSWER_WITHIN = 20.0
"""Seconds. The first thing that is said of a link has the wire's process import what reads it."""


class NoWireError(UnreachableError):
    """No link's frames pass through a wire, in this lab."""


class WrongError(Exception):
    """What was said is wrong; the message says what and where."""


class LacksError(Exception):
    """The lab's machine lacks something."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Impaired:
    """One thing that is done to the packets of a direction: ``what`` in the words of a file, ``by`` whom ("topology" or "command"),
    its ``place``, and how often which action was carried out."""

    what: str
    by: str
    place: str
    did: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImpairedLink:
    """A link, and what is done in each direction ("client->server"); ``impairable`` says whether anything can be.

    ``interfaces`` are its ends ("client:eth0"), each with what is not as in the topology: "down", "mtu 1280", mostly "".
    ``engine`` says what carries out what is done in the middle of the link, and why it is that.
    """

    link: str
    impairable: bool
    directions: dict[str, tuple[Impaired, ...]]
    interfaces: dict[str, str]
    engine: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What was done to one packet, at a time in nanoseconds of the epoch."""

    time: int
    direction: str
    rule: str
    action: str
    packet: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a lab's wire does, how many frames it forwarded, and lost against its will (``reason`` says where, or what failed)."""

    seed: int | None
    links: tuple[ImpairedLink, ...]
    forwarded: int
    lost: int
    reason: str
    latest: tuple[Decided, ...]


class Asked:
    """A connection to the wire of a lab that stays."""

    def __init__(self, connection: Connection) -> None:
        """Raises NoWireError where the lab has none, UnreachableError where it cannot be had."""
        self._name = connection.lab.name
        _, fds = connection.ask("wire")
        if not fds:
            raise NoWireError(
                f"the lab {self._name} has no link that can be impaired: netlab-ns up --impairable builds one in which all can"
            )
        self._socket = socket.socket(fileno=fds[0])
        for other in fds[1:]:
            socket.close(other)
        self._socket.settimeout(_ANSWER_WITHIN)

    def ask(self, do: str, **request: Any) -> Report:
        """One request, and what the wire does from then on. Raises WrongError, LacksError, UnreachableError."""
        try:
            parcels.send(self._socket, {"do": do, **request}, stranger=True)
            reply, _ = parcels.receive(self._socket, stranger=True)
        except TimeoutError:
            raise UnreachableError(f"the wire of the lab {self._name} does not answer: it is busy, stopped or stuck") from None
        except parcels.NotUnderstoodError:
            reply = {"refused": "it was built by another version of netlab"}
        except OSError:
            reply = None
        if reply is None:
            raise UnreachableError(
                f"the wire of the lab {self._name} is gone: its links carry nothing; netlab-ns down ends the lab"
            )
        said = {key: _printable(reply[key]) for key in ("wrong", "lacks", "fix", "refused") if key in reply}
        if "wrong" in said:
            raise WrongError(said["wrong"])
        if "lacks" in said:
            raise LacksError(said["lacks"] + (f"\n  fix: {said['fix']}" if said.get("fix") else ""))
        if "refused" in said:
            raise RefusedError(f"the lab {self._name} cannot: {said['refused']}")
        try:
            return _report(reply)
        except (ValueError, LookupError, TypeError, AttributeError):
            raise RefusedError(f"the lab {self._name} was built by another version of netlab") from None

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def _report(said: dict[str, Any]) -> Report:
    return Report(
        seed=None if said["seed"] is None else int(said["seed"]),
        links=tuple(_link(link) for link in said["links"]),
        forwarded=int(said["forwarded"]),
        lost=int(said["lost"]),
        reason=_printable(said["reason"]),
        latest=tuple(_decided(one) for one in said["latest"]),
    )


def _link(said: dict[str, Any]) -> ImpairedLink:
    directions = {_printable(direction): tuple(_impaired(each)) for direction, each in said["directions"].items()}
    interfaces = {_printable(name): _printable(changed) for name, changed in said["interfaces"].items()}
    name, impairable = _printable(said["link"]), bool(said["impairable"])
    engine = _printable(said["engine"])
    return ImpairedLink(link=name, impairable=impairable, directions=directions, interfaces=interfaces, engine=engine)


def _impaired(said: list[dict[str, Any]]) -> Iterator[Impaired]:
    for one in said:
        did = {_printable(action): int(count) for action, count in one["did"].items()}
        yield Impaired(what=_printable(one["what"]), by=_printable(one["by"]), place=_printable(one["place"]), did=did)


def _decided(said: dict[str, Any]) -> Decided:
    words = {name: _printable(said[name]) for name in ("direction", "rule", "action", "packet")}
    return Decided(time=int(said["time"]), **words)


def _printable(text: object) -> str:
    """A text that another user's lab may have made up, harmless for a terminal; its lines stay lines."""
    return "\n".join(printable(line) for line in str(text).split("\n"))
