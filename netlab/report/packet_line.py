"""One packet as one line of text, in the words of tcpdump: ends, flags, numbers, options.

It shows what the headers say; whose an address is and where sequence numbers are counted from is told to it.
"""

from collections.abc import Mapping

from netlab.timeline.headers import Headers, decode
from netlab.timeline.observations import Packet
from netlab.timeline.streams import Numberer, Numbers

_FLAG_ORDER = "SFRPUEWe."
_MANY = 1 << 16


class PacketLine:
    """Writes packets; ``owners`` has the name to show for an address."""

    def __init__(self, owners: Mapping[str, str]) -> None:
        self._owners = owners

    def text(self, seen: Packet, headers: Headers, numbers: Numbers) -> str:
        """The packet in one line, without its time and interface."""
        source, target = self.address(headers.source, headers.sport), self.address(headers.target, headers.dport)
        ends = f"{source} > {target}" if source else f"ethertype {headers.ethertype:#06x}"
        words = [ends, _body(headers, numbers)]
        if headers.fragment is not None:
            words.append(f"fragment at {headers.fragment}")
        if seen.checksum_valid and False in (headers.ip_checksum, headers.checksum):
            words.append("BAD CHECKSUM")
        if headers.malformed:
            words.append(f"malformed ({headers.malformed})" if seen.length <= len(seen.data) else f"cut at {len(seen.data)} bytes")
        return " ".join(word for word in words if word)

    def address(self, address: str, port: int | None) -> str:
        """An address and port, by name where it has one."""
        name = self._owners.get(address)
        if name is None:
            name = f"[{address}]" if ":" in address and port is not None else address
        return name if port is None else f"{name}:{port}"


class LiveLines:
    """Writes packets as they come, without knowing what will follow: sequence numbers count from a direction's SYN, else from the
    first packet of it that was seen."""

    def __init__(self, owners: Mapping[str, str]) -> None:
        self._line = PacketLine(owners)
        self._numberer = Numberer(from_first=True)

    def text(self, seen: Packet) -> str:
        """The packet in one line, with its direction and interface."""
        if len(self._numberer) >= _MANY:
            self._numberer = Numberer(from_first=True)  # a capture may run for weeks
        headers = decode(seen.data)
        return f"{seen.interface} {seen.direction:<3} {self._line.text(seen, headers, self._numberer.numbers(headers))}"


def _body(headers: Headers, numbers: Numbers) -> str:
    if headers.protocol == "tcp" and headers.seq is not None:
        flags = "".join(flag for flag in _FLAG_ORDER if flag in headers.flags) or "none"
        words = [flags, f"seq {numbers.seq}"]
        if numbers.ack is not None:
            words.append(f"ack {numbers.ack}")
        words.append(f"win {headers.window}")
        if headers.length:
            words.append(f"len {headers.length}")
        options = ",".join(f"{name} {value}".strip() for name, value in headers.options if name not in ("nop", "eol"))
        return " ".join([*words, f"<{options}>" if options else ""]).strip()
    if headers.protocol in ("icmp", "icmp6", "igmp", "arp") and headers.type is not None:
        code = f" code {headers.code}" if headers.code is not None else ""
        return f"{headers.protocol} type {headers.type}{code}"
    return f"{headers.protocol} len {headers.length}"
