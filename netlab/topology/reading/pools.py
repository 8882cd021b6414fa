"""The private ranges from which subnets are assigned, and how they are counted off around those that are taken.

It does not know whose subnets they are.
"""

import bisect
from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network

from netlab.topology.networks import Network

RANGES: dict[int, tuple[Network, ...]] = {
    4: (IPv4Network("10.0.0.0/8"), IPv4Network("172.16.0.0/12"), IPv4Network("192.168.0.0/16"), IPv4Network("100.64.0.0/10")),
    6: (IPv6Network("fd00::/8"),),
}
"""Where subnets of each family come from, in this order (RFC 1918, RFC 6598, RFC 4193)."""


class Pool:
    """Counts off free subnets of one family: 10.0.N.0/24 or larger, fd00:0:0:N::/64, around those that are taken."""

    def __init__(self, family: int, taken: Iterable[Network]) -> None:
        self._width = 32 if family == 4 else 128
        self._taken: list[tuple[int, int]] = []
        for first, last in sorted((int(net.network_address), int(net.broadcast_address)) for net in taken if net.version == family):
            # a subnet within another one adds nothing, and would hide that other one from the search below
            if not self._taken or last > self._taken[-1][1]:
                self._taken.append((first, last))
        self._ranges = [(int(each.network_address), int(each.broadcast_address)) for each in RANGES[family]]
        self._next = self._ranges[0][0]

    def take(self, count: int) -> Network | None:
        """The next free subnet with room for so many addresses, None when none is left."""
        bits = max(8, (count + 1).bit_length()) if self._width == 32 else 64
        while self._ranges:
            first = -(-self._next // (1 << bits)) << bits
            last = first + (1 << bits) - 1
            if last > self._ranges[0][1]:
                self._ranges.pop(0)
                self._next = self._ranges[0][0] if self._ranges else 0
                continue
            at = bisect.bisect_right(self._taken, (last, 1 << self._width)) - 1
            clash = self._taken[at][1] if at >= 0 and self._taken[at][1] >= first else None
            self._next = last + 1 if clash is None else max(clash + 1, first)
            if clash is None:
                prefix = self._width - bits
                return IPv4Network((first, prefix)) if self._width == 32 else IPv6Network((first, prefix))
        return None
