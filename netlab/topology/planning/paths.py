"""Finds shortest paths: for every node that forwards, the first step towards each subnet that it is not on.

A nat node is passed from its inside only: nobody outside knows what lies behind it. A host is never passed, but may be the last
step, to an address of its loopback interface. It does not know how a route is set.
"""

from collections.abc import Container, Sequence
from dataclasses import dataclass

from netlab.topology.networks import Network
from netlab.topology.planning.aggregate import OWN, UNREACHED
from netlab.topology.segments import LOOPBACK, Attachment

__all__ = ["Graph", "Instance"]


@dataclass(slots=True, kw_only=True)
class Instance:
    """One routing table of a node, and the attachments that it serves; a node has one more for each VRF.

    ``outside`` has the interfaces on which a nat node does not take packets for others.
    """

    node: str
    kind: str
    table: int = 0
    attachments: list[Attachment]
    outside: Container[str] = ()

    @property
    def forwards(self) -> bool:
        """Whether others may send through it."""
        return self.kind != "host"

    @property
    def leads(self) -> bool:
        """Whether it is a step on any way: it forwards, or has loopback addresses."""
        return self.forwards or any(one.interface == LOOPBACK for one in self.attachments)


class Graph:
    """Who forwards between which segments, in one family. All is numbered as it comes, so that the graphs of two families are
    equal where these run side by side, and their shortest paths need to be found but once.

    ``ports`` has each instance's attachments by segment; ``destinations`` are the subnets, each once.
    """

    def __init__(self, instances: Sequence[Instance], family: int) -> None:
        self.ports: list[dict[int, Attachment]] = []
        self.destinations: list[Network] = []
        self._outsides: list[set[int]] = []
        self._segments_of: list[list[int]] = []
        self._gateways_on: list[list[int]] = []
        self._destination_of: list[int] = []
        segments: dict[int, int] = {}
        networks: dict[Network, int] = {}
        for number, instance in enumerate(instances):
            ports: dict[int, Attachment] = {}
            outside = set()
            for one in instance.attachments:
                if one.address.version != family:
                    continue
                segment = segments.setdefault(one.segment, len(segments))
                if segment == len(self._gateways_on):
                    self._gateways_on.append([])
                    self._destination_of.append(networks.setdefault(one.address.network, len(networks)))
                if segment in ports:
                    continue
                ports[segment] = one
                if one.interface in instance.outside:
                    outside.add(segment)
                else:
                    self._gateways_on[segment].append(number)
            self.ports.append(ports)
            self._outsides.append(outside)
            self._segments_of.append([at for at, one in ports.items() if instance.forwards or one.interface == LOOPBACK])
        self.destinations = list(networks)

    def equals(self, other: "Graph") -> bool:
        """Whether both have the same shortest paths, step by step."""
        return (
            self._segments_of == other._segments_of
            and self._gateways_on == other._gateways_on
            and self._destination_of == other._destination_of
        )

    def first_steps(self, source: int) -> tuple[list[int], list[tuple[int, int]]]:
        """A label for each destination: UNREACHED, OWN, or 2 and more: the place, less 2, of its first step in the list of
        steps, each a segment and the instance there. What lies outside a nat node is its OWN: it has a default route there.

        Breadth first: the first to reach a subnet is on a shortest way to it.
        """
        gateways_on, segments_of, destination_of = self._gateways_on, self._segments_of, self._destination_of
        labels = [UNREACHED] * len(self.destinations)
        reached = [UNREACHED] * len(segments_of)
        seen = bytearray(len(gateways_on))
        reached[source] = OWN
        steps: list[tuple[int, int]] = []
        queue: list[int] = []
        for segment in segments_of[source]:
            labels[destination_of[segment]] = OWN
            seen[segment] = True
        for segment in segments_of[source]:
            for other in gateways_on[segment]:
                if not reached[other]:
                    queue.append(other)
                    if segment in self._outsides[source]:
                        reached[other] = OWN
                    else:
                        steps.append((segment, other))
                        reached[other] = OWN + len(steps)
        for here in queue:
            label = reached[here]
            for segment in segments_of[here]:
                if not seen[segment]:
                    seen[segment] = True
                    if not labels[destination_of[segment]]:
                        labels[destination_of[segment]] = label
                    for other in gateways_on[segment]:
                        if not reached[other]:
                            reached[other] = label
                            queue.append(other)
        return labels, steps
