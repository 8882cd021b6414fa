"""One TCP connection as a hand-driven peer keeps it: what has come, what is to be sent next, and segments crafted from patterns.

It obeys no TCP rule of its own: a segment has the connection's usual numbers unless the pattern says otherwise. No socket is
touched here.
"""

import re
from typing import Any

from netlab.errors import StepError
from netlab.notation.packets import PacketPattern
from netlab.notation.pattern import pattern as filling
from netlab.timeline.headers import Headers
from netlab.timeline.plain_headers import Details

INITIAL = 1_000_000
"""The peer's initial sequence number, the same in every run."""

WINDOW = 65535
_SPACE = 1 << 32
End = tuple[str, int]
"""An address and a port."""

_SENDABLE = frozenset({"seq", "ack", "len", "win", "ttl", "tos", "id", "urg"})
_TIMESTAMPS = re.compile(r"(?:val\s+)?(\d+)(?:\s+ecr\s+|/)(\d+)")
_BLOCK = re.compile(r"(-?\d+):(-?\d+)")


class Connection:
    """A connection between a host and the peer: its ends, the host's numbers as they arrived, and the peer's own.

    Numbers are relative as in the notation: the SYN is 0 and the first byte 1; absolute for a side that sent no SYN.
    """

    def __init__(self, headers: Headers, interface: str, hardware: str) -> None:
        """Begins with the first segment heard, at an interface with this hardware address."""
        assert headers.sport is not None
        assert headers.dport is not None
        self.interface, self.hardware, self.remote_hardware = interface, hardware, headers.source_mac
        self.local, self.remote = (headers.target, headers.dport), (headers.source, headers.sport)
        self.version = headers.version
        self.opened_by = _number(headers) if "S" in headers.flags else None
        self.initial = self.opened_by or 0
        self.expected = _number(headers)
        self.sent_syn = self.opens = False
        self._unanswered = False
        self.next = 0
        self._early: list[tuple[int, int]] = []
        self.stamped = 0

    @classmethod
    def opening(cls, local: End, remote: End, interface: str, hardware: str, remote_hardware: str) -> "Connection":
        """One that the peer opens, or pretends to have: nothing of it has been heard from the host."""
        (source, sport), (target, dport) = remote, local
        ends = Details(source_mac=remote_hardware, target_mac=hardware)
        unheard = Headers(
            ethertype=0x86DD if ":" in source else 0x0800,
            version=6 if ":" in source else 4,
            protocol="tcp",
            source=source,
            target=target,
            sport=sport,
            dport=dport,
            seq=0,
            details=ends,
        )
        made = cls(unheard, interface, hardware)
        made.opens = True
        return made

    def hear(self, headers: Headers) -> None:
        """Fold in one segment from the host: what came in order moves ``expected``, what came early waits for the gap to close."""
        self.remote_hardware = headers.source_mac
        self.stamped = next((int(value.partition("/")[0]) for name, value in headers.options if name == "TS"), self.stamped)
        if "R" in headers.flags:
            return
        first = _number(headers)
        self._unanswered = self._unanswered and "S" not in headers.flags
        if self.opens and "S" in headers.flags and first != self.opened_by:
            # The answer to a SYN of the peer's, which may send another: each answer has an initial number of its own.
            self.opened_by = self.initial = self.expected = first
            self._early.clear()
        self._early.append((first, first + headers.length + len(headers.flags & {"S", "F"})))
        moved = True
        while moved:
            moved = False
            for one in list(self._early):
                start, end = (_ahead(number, self.expected) for number in one)
                if start <= 0:
                    self._early.remove(one)
                    if end > 0:
                        self.expected, moved = (self.expected + end) % _SPACE, True

    def reopened_by(self, headers: Headers) -> bool:
        """Whether this segment, of the same addresses and ports, is the SYN of a new connection."""
        crossing = self.opens and self.opened_by is None
        return not crossing and "S" in headers.flags and "." not in headers.flags and _number(headers) != self.opened_by

    def must_be_answered_before(self, pattern: PacketPattern) -> bool:
        """Whether this segment acknowledges what has not come yet: the answer to the peer's own SYN."""
        return self._unanswered and "." in (pattern.flags or ()) and "ack" not in dict(pattern.fields)

    def craft(self, pattern: PacketPattern) -> bytes:
        """A frame for the host, as the pattern says; afterwards the peer's next number is past it, unless the pattern gave ``seq``.

        Raises StepError for what a peer cannot send.
        """
        flags, fields, payload = _checked(pattern)
        from scapy.layers.inet import IP, TCP
        from scapy.layers.inet6 import IPv6
        from scapy.layers.l2 import Ether

        syn = "S" in flags
        base = INITIAL if syn or self.sent_syn else 0
        seq = fields.get("seq", 0 if syn else self.next)
        acknowledges = fields["ack"] + self.initial if "ack" in fields else self.expected if "." in flags else 0
        segment: Any = TCP(
            sport=self.local[1],
            dport=self.remote[1],
            seq=(base + seq) % _SPACE,
            ack=acknowledges % _SPACE,
            flags="".join({".": "A", "W": "C"}.get(flag, flag) for flag in sorted(flags)),
            window=fields.get("win", WINDOW),
            urgptr=fields.get("urg", 0),
            options=[_option(name, self._echoing(name, value), self.initial) for name, value in pattern.options],
        )
        ends = {"src": self.local[0], "dst": self.remote[0]}
        packet: Any
        if self.version == 4:
            packet = IP(**ends, ttl=fields.get("ttl", 64), tos=fields.get("tos", 0), id=fields.get("id", 0), flags="DF")
        else:
            packet = IPv6(**ends, hlim=fields.get("ttl", 64), tc=fields.get("tos", 0))
        frame = bytes(Ether(src=self.hardware, dst=self.remote_hardware) / packet / segment / payload)
        self.sent_syn = self.sent_syn or syn
        self._unanswered = self._unanswered or (self.opens and syn and "." not in flags)
        if "seq" not in fields:
            self.next = max(self.next, seq + len(payload) + len(flags & {"S", "F"}))
        return frame

    def _echoing(self, name: str, value: str) -> str:
        """A timestamp alone echoes the latest that the host sent (RFC 7323 §3.2): who writes a scenario cannot know it."""
        return f"{value}/{self.stamped}" if name == "TS" and value.isdigit() else value


def _number(headers: Headers) -> int:
    assert headers.seq is not None
    return headers.seq


def _ahead(number: int, reference: int) -> int:
    """How far a sequence number is ahead of another, by the shorter way round (RFC 9293 §3.4)."""
    return (number - reference + _SPACE // 2) % _SPACE - _SPACE // 2


def _checked(pattern: PacketPattern) -> tuple[frozenset[str], dict[str, int], bytes]:
    """Flags, fields and payload of a pattern that can be sent."""
    if pattern.protocol not in ("", "tcp") or pattern.flags is None:
        raise _refused(pattern, "a peer sends TCP segments", 'begin with their flags, such as "S." or "P. data \\"hello\\""')
    fields = dict(pattern.fields)
    for name in fields:
        if name not in _SENDABLE:
            raise _refused(pattern, f"{name} is no field that a peer sets", f"it sets {', '.join(sorted(_SENDABLE))}")
    if not 0 <= fields.get("win", 0) < 1 << 16:
        raise _refused(pattern, f"win {fields['win']} does not fit a TCP header", "the field holds 0 to 65535, unscaled")
    payload = filling(fields.get("len", 0)) if pattern.data is None else pattern.data
    if fields.get("len", len(payload)) != len(payload):
        raise _refused(pattern, f"len {fields['len']} and data of {len(payload)} bytes", "leave one of them out")
    return pattern.flags, fields, payload


def _option(name: str, value: str, initial: int) -> tuple[str | int, Any]:
    """A TCP option as scapy takes it; the edges of SACK blocks are relative to the host's initial number."""
    plain: dict[str, tuple[str | int, Any]] = {"nop": ("NOP", None), "eol": ("EOL", None), "sackOK": ("SAckOK", b"")}
    if name in plain:
        return plain[name]
    if name in ("mss", "wscale") and value.isdigit():
        return ("MSS" if name == "mss" else "WScale"), int(value)
    if name == "TS" and (stamps := _TIMESTAMPS.fullmatch(value)):
        return "Timestamp", (int(stamps[1]), int(stamps[2]))
    if name == "sack" and (edges := _BLOCK.findall(value)):
        return "SAck", tuple((int(edge) + initial) % _SPACE for block in edges for edge in block)
    kind = {"tfo": 34, "md5": 19, "mptcp": 30}.get(name)
    if kind is None and name.startswith("unknown-"):
        kind = int(name.removeprefix("unknown-"))
    try:
        if kind is not None:
            return kind, bytes.fromhex(value)
    except ValueError:
        pass
    raise StepError(f"a peer cannot send the TCP option <{f'{name} {value}'.strip()}>: write its whole value, such as <mss 1460>")


def _refused(pattern: PacketPattern, what: str, fix: str) -> StepError:
    return StepError(f"{pattern.text or pattern}: {what}; {fix}")
