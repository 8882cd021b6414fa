"""Says a large routing table in few routes, exactly: no address is led elsewhere than before, and none that nobody has is covered.

It knows subnets and labels; what a label stands for is its caller's affair.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from ipaddress import IPv4Network, IPv6Network
from itertools import groupby

from netlab.topology.networks import Network

UNREACHED, OWN = 0, 1
"""Labels of subnets that get no route: nobody leads there, or the node is there itself. All above are next hops."""


class Destinations:
    """All allocated subnets of one family; the same ones are labelled again and again, once for each routing table."""

    def __init__(self, networks: Sequence[Network]) -> None:
        self._networks = networks
        spans = sorted((int(net.network_address), net.prefixlen, i) for i, net in enumerate(networks))
        self._order = [i for _, _, i in spans]
        self._width = networks[0].max_prefixlen if networks else 0
        # those that lie in no other; one within another (longest prefix match prefers it) always keeps a route of its own
        self._outer: list[int] = []
        self._inner: list[int] = []
        self._begins: list[int] = []
        self._ends: list[int] = []
        for begin, length, i in spans:
            if self._ends and begin < self._ends[-1]:
                self._inner.append(i)
            else:
                self._outer.append(i)
                self._begins.append(begin)
                self._ends.append(begin + (1 << (self._width - length)))
        self._gaps = [i for i in range(1, len(self._outer)) if self._begins[i] != self._ends[i - 1]] + [len(self._outer)]
        self._made: dict[tuple[int, int], Network] = {}
        self._covers: dict[tuple[int, int], list[Network]] = {}

    def one_by_one(self, labels: Sequence[int]) -> list[tuple[Network, int]]:
        """A route for each subnet that has a next hop, in the order of addresses."""
        return [(self._networks[i], labels[i]) for i in self._order if labels[i] > OWN]

    def aggregated(self, labels: Sequence[int], apart: Sequence[Network] = ()) -> list[tuple[Network, int]]:
        """The fewest routes that lead every allocated address as one route a subnet would.

        None stands for several subnets if one of ``apart``, further destinations in the same table, lies in it.
        """
        found = []
        begin = 0
        for label, group in groupby([labels[i] for i in self._outer]):
            end = begin + len(list(group))
            if label > OWN:
                cover = self._covers.get((begin, end))
                if cover is None:
                    cover = self._covers[begin, end] = list(self._cover(begin, end))
                if apart:
                    cover = [part for network in cover for part in self._parted(network, apart)]
                found += [(network, label) for network in cover]
            begin = end
        return found + [(self._networks[i], labels[i]) for i in self._inner if labels[i] > OWN]

    def _cover(self, first: int, last: int) -> Iterator[Network]:
        """The fewest prefixes for outer subnets ``first`` to ``last`` - 1, from each gap between them to the next."""
        while first < last:
            until = min(last, self._gaps[bisect_right(self._gaps, first)])
            begin, end = self._begins[first], self._ends[until - 1]
            while begin < end:
                alignment = (begin & -begin).bit_length() - 1 if begin else self._width
                bits = min(alignment, (end - begin).bit_length() - 1)
                yield self._network(begin, self._width - bits)
                begin += 1 << bits
            first = until

    def _network(self, begin: int, length: int) -> Network:
        made = self._made.get((begin, length))
        if made is None:
            made = IPv4Network((begin, length)) if self._width == 32 else IPv6Network((begin, length))
            self._made[begin, length] = made
        return made

    def _parted(self, network: Network, apart: Sequence[Network]) -> list[Network]:
        begin = int(network.network_address)
        end = begin + network.num_addresses
        if not any(begin <= int(each.network_address) < end and each.prefixlen >= network.prefixlen for each in apart):
            return [network]
        return [self._networks[i] for i in self._outer[bisect_left(self._begins, begin) : bisect_left(self._begins, end)]]
