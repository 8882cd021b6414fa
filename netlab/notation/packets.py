"""A packet as people write it, close to tcpdump's: ``client > server S. seq 0 ack 1 win 65535 <mss 1460,sackOK>``, as data.

Fields that are not named are free. Sequence numbers count from each direction's initial one (SYN 0, first byte 1).
"""

from dataclasses import dataclass

from netlab.notation.calls import Bound


@dataclass(frozen=True, slots=True)
class PacketPattern:
    """One packet, or ``...`` (any packets). ``source``, ``target`` are ``node``, ``node.interface`` or ``node:port`` as written,
    "" when free; ``protocol`` is tcp, udp, icmp, icmp6, igmp, arp, or "" when free.

    ``flags`` are tcpdump's (S . P F R U E W), in any order, as a frozenset of letters; None when free. ``options`` are TCP
    options by tcpdump's names to their value as text ("mss": "1460", "sackOK": ""), ``options_only`` forbids others.
    ``fields`` are exact values: seq, ack, len, win, ttl ... and for ICMP: type, code; ``data`` the payload, None when free.
    ``after`` bounds the time since the packet matched before. ``count`` is (least, most): (1, 1) normally, (0, 1) for ``?``,
    (n, n) for ``{n}``, (n, m) for ``{n,m}``, (0, None) for ``...``.
    ``text`` is the pattern as written.
    """

    source: str = ""
    target: str = ""
    protocol: str = ""
    flags: frozenset[str] | None = None
    options: tuple[tuple[str, str], ...] = ()
    options_only: bool = False
    fields: tuple[tuple[str, int], ...] = ()
    data: bytes | None = None
    after: tuple[Bound, ...] = ()
    count: tuple[int, int | None] = (1, 1)
    any: bool = False
    text: str = ""
