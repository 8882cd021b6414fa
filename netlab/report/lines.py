"""One line of text for every kind of observation, as a person reads a timeline.

It shows what was seen and hides nothing behind colour; it refuses to know what any of it should have been.
"""

from bisect import bisect_right
from functools import cached_property
from typing import Any

from netlab.timeline.headers import Headers, decode
from netlab.timeline.observations import (
    AnyObservation,
    CallReturned,
    CallStarted,
    Counters,
    Decision,
    DescriptorTable,
    KernelMemory,
    ListedInodes,
    Named,
    Packet,
    ProgramEnded,
    SocketCounts,
    SocketState,
    SocketTable,
    StepBegan,
    StepEnded,
)
from netlab.timeline.timeline import Timeline

_FLAG_ORDER = "SFRPUEWe."
_SHOWN = 8
_LONGEST_TEXT = 200


class Lines:
    """Writes the observations of one timeline; it needs the whole of it for node names and relative sequence numbers."""

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self._owners = {
            address.split("/")[0]: name
            for name, node in timeline.nodes.items()
            for addresses in node.addresses.values()
            for address in addresses
        }

    def line(self, index: int) -> str:
        """The observation at ``index`` in one line, without its time and node; control characters are escaped."""
        return printable(self._text(index, self._timeline.observations[index]))

    def _text(self, index: int, seen: AnyObservation) -> str:
        match seen:
            case StepBegan():
                return f"step {seen.index + 1}: {seen.text}"
            case StepEnded():
                return f"step {seen.index + 1} ended"
            case CallStarted():
                return _by(seen) + seen.text.removeprefix(f"{seen.process}: ")
            case CallReturned():
                return f"{_by(seen)}{seen.call}() = {_returned(seen)}"
            case Named():
                return f"{_by(seen)}{seen.name} is descriptor {seen.fd}" + (f", inode {seen.inode}" if seen.inode else "")
            case ProgramEnded():
                said = "".join(
                    f", {name} {_cut(repr(text))}" for name, text in (("stdout", seen.stdout), ("stderr", seen.stderr)) if text
                )
                return f"{' '.join(seen.argv)}: {_ended(seen.status)}{said}"
            case Packet():
                return f"{seen.interface} {seen.direction:<3} {self._packet(index, seen)}"
            case SocketState():
                ends = f"{self._address(*seen.local)} to {self._address(*seen.remote)}"
                return f"{seen.old} -> {seen.new}  {ends} ({seen.source})"
            case SocketTable():
                shown = [f"{one.protocol} {one.state} {self._address(*one.local)}" for one in seen.entries]
                return f"sockets: {_some(shown)}"
            case DescriptorTable():
                return f"{seen.process} descriptors: {_some([f'{fd} {what}' for fd, what in sorted(seen.table.items())])}"
            case SocketCounts():
                return f"socket counts: {_some(_pairs(seen.counts))}"
            case Counters():
                return f"counters: {_some(_pairs(seen.counts))}"
            case ListedInodes():
                return (
                    f"/proc/net lists: {_some([f'{name} {len(inodes)}' for name, inodes in sorted(seen.tables.items()) if inodes])}"
                )
            case KernelMemory():
                shown = [f"{cache} ({', '.join(_pairs(counts))})" for cache, counts in sorted(seen.caches.items())]
                return f"{seen.process} kernel memory: {_some(shown)}"
            case Decision():
                what = f" {seen.packet}" if seen.packet else ""
                return f"link {seen.link}: {seen.action}{what} (match {seen.occurrence} of rule {seen.rule!r})"

    @cached_property
    def _first_sequence(self) -> dict[tuple[str, int | None, str, int | None], list[tuple[int, int]]]:
        """For each direction of each connection, where it sent a SYN and with which number."""
        found: dict[tuple[str, int | None, str, int | None], list[tuple[int, int]]] = {}
        for index, seen in enumerate(self._timeline.observations):
            if isinstance(seen, Packet):
                headers = decode(seen.data)
                if "S" in headers.flags and headers.seq is not None:
                    key = (headers.source, headers.sport, headers.target, headers.dport)
                    found.setdefault(key, []).append((index, headers.seq))
        return found

    def _relative(self, index: int, number: int, *direction: Any) -> int:
        """``number`` counted from the direction's initial one; as it is where that direction sent no SYN."""
        begun = self._first_sequence.get(direction, [])
        at = bisect_right(begun, index, key=lambda one: one[0])
        # A SYN-ACK's ack may be stamped before that direction's own entry: the first one counts then.
        return (number - begun[max(at - 1, 0)][1]) % (1 << 32) if begun else number

    def _packet(self, index: int, seen: Packet) -> str:
        headers = decode(seen.data)
        source, target = self._address(headers.source, headers.sport), self._address(headers.target, headers.dport)
        ends = f"{source} > {target}" if source else f"ethertype {headers.ethertype:#06x}"
        words = [ends, self._body(index, headers)]
        if headers.fragment is not None:
            words.append(f"fragment at {headers.fragment}")
        if seen.checksum_valid and False in (headers.ip_checksum, headers.checksum):
            words.append("BAD CHECKSUM")
        if headers.malformed:
            words.append(f"malformed ({headers.malformed})" if seen.length <= len(seen.data) else f"cut at {len(seen.data)} bytes")
        return " ".join(word for word in words if word)

    def _body(self, index: int, headers: Headers) -> str:
        if headers.protocol == "tcp" and headers.seq is not None:
            ends = (headers.source, headers.sport, headers.target, headers.dport)
            flags = "".join(flag for flag in _FLAG_ORDER if flag in headers.flags) or "none"
            words = [flags, f"seq {self._relative(index, headers.seq, *ends)}"]
            if "." in headers.flags and headers.ack is not None:
                words.append(f"ack {self._relative(index, headers.ack, *ends[2:], *ends[:2])}")
            words.append(f"win {headers.window}")
            if headers.length:
                words.append(f"len {headers.length}")
            options = ",".join(f"{name} {value}".strip() for name, value in headers.options if name not in ("nop", "eol"))
            return " ".join([*words, f"<{options}>" if options else ""]).strip()
        if headers.protocol in ("icmp", "icmp6", "arp") and headers.type is not None:
            code = f" code {headers.code}" if headers.code is not None else ""
            return f"{headers.protocol} type {headers.type}{code}"
        return f"{headers.protocol} len {headers.length}"

    def _address(self, address: str, port: int | None) -> str:
        name = self._owners.get(address)
        if name is None:
            name = f"[{address}]" if ":" in address and port is not None else address
        return name if port is None else f"{name}:{port}"


def printable(text: str) -> str:
    """``text`` on one line, with every character that a terminal or an XML reader might act upon escaped as Python writes it."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


def _by(seen: CallStarted | CallReturned | Named) -> str:
    """Which process, unless it is the node's own, which the node's name tells already."""
    return "" if seen.process == seen.host else f"{seen.process}: "


def _returned(seen: CallReturned) -> str:
    if seen.signal:
        return f"ended by {seen.signal}"
    value = f"{seen.result} {seen.errno}".strip()
    return value if seen.out is None else f"{value} out {_cut(str(seen.out))}"


def _ended(status: int) -> str:
    return f"exit status {status}" if status >= 0 else f"ended by signal {-status}"


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}… ({len(text)} characters)"


def _pairs(counts: dict[str, int]) -> list[str]:
    return [f"{name} {count}" for name, count in sorted(counts.items()) if count] or ["all 0"]


def _some(shown: list[str]) -> str:
    if not shown:
        return "none"
    return ", ".join(shown[:_SHOWN]) + (f" and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else "")
