"""Reads how a nat node translates: which of its interfaces are outside, and its port forwards. It does not know nftables."""

import re
from collections.abc import Iterator
from ipaddress import ip_address

from netlab.errors import Place, Problem
from netlab.topology.networks import Address
from netlab.topology.reading.surroundings import Surroundings
from netlab.topology.schema.node import NatFile, NodeFile
from netlab.topology.segments import LOOPBACK
from netlab.topology.spec import Forward, Nat
from netlab.validate import did_you_mean, named, shown, written_at

_FORWARD = re.compile(r"\s*(\S+)\s+(\S+)\s*->\s*(.+):([^:\]]*?)\s*")
_EXAMPLE = "write for example tcp 8080 -> server:80"
_LAST_PORT = 65535


def nat_of(node: str, file: NodeFile, place: Place, around: Surroundings, problems: list[Problem]) -> Nat:
    """How a nat node translates; ``place`` is the node's."""
    return _Reader(node, file, place, around, problems).read()


class _Reader:
    def __init__(self, node: str, file: NodeFile, place: Place, around: Surroundings, problems: list[Problem]) -> None:
        self._node, self._around, self._problems = node, around, problems
        self._file = file.nat if file.nat is not None else NatFile()
        self._place = file.place("nat", key=True) if "nat" in file.model_fields_set else place
        outside = self._file.node.child("outside")
        self._is_spoilt = ("nat" in (file.node.fields or ()) and "nat" not in file.model_fields_set) or (
            outside is not None and bool(outside.data)
        )
        self._outside: dict[str, str] = {}
        self._used: dict[tuple[str, int, int], Place] = {}

    def read(self) -> Nat:
        if self._file.outside:
            node = self._file.node.at("outside")
            for number, text in zip(written_at(node, self._file.outside), self._file.outside, strict=True):
                self._named(text, node.place(number))
        else:
            self._found()
        texts = self._file.forwards
        numbers = written_at(self._file.node.at("forwards"), texts)
        forwards = tuple([each for number, text in zip(numbers, texts, strict=True) for each in self._forward(number, text)])
        return Nat(outside=tuple(self._outside), behaviour=self._file.behaviour, forwards=forwards, place=self._place)

    def _named(self, text: str, place: Place) -> None:
        """An interface, or the interfaces towards a neighbour."""
        around, own = self._around, self._around.interfaces(self._node)
        if text in own:
            interfaces = [text]
        elif text in around.names:
            interfaces = around.towards(self._node, text) if around.sure else []
            if not interfaces and (wrong := around.no_neighbour(self._node, text, place)) is not None:
                self._problems.append(wrong)
        else:
            interfaces = []
            if around.sure:
                known = [*own, *around.neighbours(self._node)]
                fix = did_you_mean(text, known) or f"they are {named(known)}"
                self._say(place, f'{self._node} has no interface and no neighbour "{text}"', fix)
        for name in interfaces:
            if name in self._outside:
                self._say(place, f"{name} is outside already, as {self._outside[name]}", "leave one of the two out")
            self._outside[name] = text

    def _found(self) -> None:
        """Where the only router is, if nothing is said; not if something is, and could not be read."""
        if not self._around.sure or self._is_spoilt:
            return
        found = self._around.interfaces_to(self._node, ("router", "nat"))
        if len(found) == 1:
            self._outside[found[0]] = found[0]
            return
        why = f"there are routers on {named(found)}" if found else "no router is next to it"
        own = named(self._around.interfaces(self._node))
        fix = f"add nat: {{outside: ...}} with an interface ({own}) or a neighbour"
        self._say(self._place, f"nothing says which side of {self._node} is outside: {why}", fix)

    def _forward(self, number: int, text: str) -> Iterator[Forward]:
        """The forward, or one in each family that the target and the outside both have."""
        node = self._file.node.at("forwards")
        match = _FORWARD.fullmatch(text)
        if match is None:
            self._say(node.place(number), f"{shown(text)} is no port forward", _EXAMPLE)
            return
        protocol, target, place = match[1], match[3].strip(), node.place(number)
        ports = [self._port(match[part], node.place(number, offset=match.start(part))) for part in (2, 4)]
        if protocol not in ("tcp", "udp"):
            self._say(place, f"{shown(protocol)} is neither tcp nor udp", _EXAMPLE)
            return
        addresses = self._target(target, match[4], node.place(number, offset=match.start(3)))
        if not all(ports):
            return
        for address in addresses:
            first = self._used.setdefault((protocol, ports[0], address.version), place)
            if first is not place:
                message = f"{protocol} {ports[0]} is forwarded already, in {first.seen_from(place)}"
                self._say(node.place(number, offset=match.start(2)), message, "choose another port")
                return
            yield Forward(protocol=protocol, port=ports[0], to=address, to_port=ports[1], place=place)

    def _port(self, text: str, place: Place) -> int:
        if text.isascii() and text.isdecimal() and len(text) <= 5 and 1 <= int(text) <= _LAST_PORT:
            return int(text)
        self._say(place, f"{shown(text)} is no port", f"a number from 1 to {_LAST_PORT}")
        return 0

    def _target(self, text: str, port: str, place: Place) -> list[Address]:
        address = _address(text.removeprefix("[").removesuffix("]"))
        if address is None and not text[:1].isalpha():
            self._say(place, f"{shown(text)} is no address and no node", _EXAMPLE)
        elif address is None:
            return self._addresses(text, place)
        elif (address.version == 6) != text.startswith("[") or text.startswith("[") != text.endswith("]"):
            written = f"[{address}]" if address.version == 6 else str(address)
            self._say(place, f"{text}:{port} may be read in two ways", f"write {written}:{port}")
        elif address.is_unspecified or address.is_multicast or address.is_loopback or address.is_link_local:
            self._say(place, f"nothing can be forwarded to {address}", "give the address of a node")
        else:
            return [address]
        return []

    def _addresses(self, name: str, place: Place) -> list[Address]:
        """A node's first address in each family that the outside has, those inside before all others."""
        around = self._around
        if name not in around.names:
            self._say(
                place, f"no node {shown(name)}", did_you_mean(name, around.names) or f"the nodes are {named(sorted(around.names))}"
            )
        if name not in around.names or around.is_broken(name) or not around.sure:
            return []
        own = around.attachments(self._node)
        inside = {each.segment for each in own if each.interface not in self._outside}
        families = {each.address.version for each in own if each.interface in self._outside} or {4, 6}
        first: dict[int, Address] = {}
        for each in sorted(around.attachments(name), key=lambda each: (each.segment not in inside, each.interface == LOOPBACK)):
            if each.address.version in families:
                first.setdefault(each.address.version, each.address.ip)
        if not first:
            wanted = " or ".join(f"IPv{family}" for family in sorted(families))
            self._say(place, f"{name} has no {wanted} address to forward to", "give the subnets of its link")
        return [first[family] for family in sorted(first)]

    def _say(self, place: Place, message: str, fix: str = "") -> None:
        self._problems.append(Problem(place, message, fix))


def _address(text: str) -> Address | None:
    try:
        return ip_address(text) if "%" not in text else None
    except ValueError:
        return None
