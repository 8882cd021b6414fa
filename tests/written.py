"""Topologies as tests write them: read, and shown so that a whole one fits into an assert."""

import pytest

from netlab.document import Document
from netlab.errors import SpecError
from netlab.topology.load import parse_topology
from netlab.topology.spec import Topology


def topology(text: str) -> Topology:
    return parse_topology(Document.parse(text, "f.yaml"))


def ends(text: str) -> dict[str, str]:
    """Every interface's addresses, those of VLANs and overlays too."""
    read = topology(text)
    every = [end for link in read.links for end in link.endpoints] + [end for overlay in read.overlays for end in overlay.endpoints]
    found = {}
    for end in every:
        for name, addresses in ((end.interface, end.addresses), *((each.name, each.addresses) for each in end.subinterfaces)):
            found[f"{end.node}:{name}"] = " ".join(map(str, addresses))
    return found


def errors(text: str) -> list[str]:
    """What is wrong, without the file's name."""
    with pytest.raises(SpecError) as caught:
        topology(text)
    return [str(problem).removeprefix("f.yaml:") for problem in caught.value.problems]
