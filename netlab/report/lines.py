"""One line of text for every kind of observation, as a person reads a timeline.

It shows what was seen and hides nothing behind colour; it refuses to know what any of it should have been.
"""

from functools import cached_property

from netlab.report.event_lines import kernel_line, process_line
from netlab.report.packet_line import PacketLine
from netlab.timeline.headers import decode
from netlab.timeline.identity import Identities
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
    PacketDropped,
    ProgramEnded,
    Reset,
    Retransmission,
    SocketCounts,
    SocketDestroyed,
    SocketError,
    SocketMemory,
    SocketState,
    SocketTable,
    SocketTimer,
    StepBegan,
    StepEnded,
    SystemCall,
    TcpInfo,
)
from netlab.timeline.streams import SeenPacket, flags_text, packets_of
from netlab.timeline.timeline import Timeline

_SHOWN = 8
_LONGEST_TEXT = 200


class Lines:
    """Writes the observations of one timeline; it needs the whole of it for node names and relative sequence numbers."""

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self._line = PacketLine(
            {
                address.split("/")[0]: name
                for name, node in timeline.nodes.items()
                for addresses in node.addresses.values()
                for address in addresses
            }
        )

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
                told = self._line.text(seen, self._packets[index].headers, self._packets[index].numbers)
                return f"{seen.interface} {seen.direction:<3} {told}"
            case SocketState():
                ends = f"{self._line.address(*seen.local)} to {self._line.address(*seen.remote)}"
                cause = f", by {self._cause(seen)}" if seen.cause else ""
                return f"{self._whose(index)}{seen.old} -> {seen.new}  {ends} ({seen.source}{cause})"
            case SocketTable():
                shown = [f"{one.protocol} {one.state} {self._line.address(*one.local)}" for one in seen.entries]
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
            case Reset() | Retransmission() | PacketDropped() | SocketError() | SocketDestroyed():
                return self._whose(index) + kernel_line(seen, self._line.address)
            case SocketMemory() | SocketTimer() | TcpInfo():
                return self._whose(index) + kernel_line(seen, self._line.address)
            case SystemCall():
                return process_line(seen, self._socket(index))
            case _:
                return process_line(seen)

    @cached_property
    def _identities(self) -> Identities:
        return Identities.of(self._timeline)

    def _whose(self, index: int) -> str:
        """Whose socket an event is about, where that says more than the addresses that stand there anyway."""
        socket = self._identities.socket(index)
        if socket is None or not (socket.names or socket.holdings):
            return ""
        return f"{socket.names[0] if socket.names else self._identities.holder(socket)}: "

    def _socket(self, index: int) -> str:
        """The socket that a system call is about, by its name or its addresses."""
        socket = self._identities.socket(index)
        if socket is None:
            return ""
        return socket.names[0] if socket.names else self._identities.ends(socket)

    def _cause(self, seen: SocketState) -> str:
        """What made a transition happen, as precisely as the timeline has it."""
        observations = self._timeline.observations
        by = observations[seen.caused_by] if 0 <= seen.caused_by < len(observations) else None
        match by:
            case CallStarted() | SystemCall():
                return f"{by.call}()"
            case Packet() if seen.cause == "segment":
                return f"the segment {flags_text(decode(by.data).flags)}"
        return {"icmp": "an ICMP error", "exit": "its process's end"}.get(seen.cause, f"a {seen.cause}")

    @cached_property
    def _packets(self) -> dict[int, SeenPacket]:
        """Every packet with the numbers by which it is judged."""
        return {seen.index: seen for seen in packets_of(self._timeline.observations)}


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
