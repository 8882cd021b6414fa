"""The fixtures: ``topology``, the network as a value; ``lab``, that network, running; ``observe``, what is seen of it.

It only says how long each lives. Nothing heavy is imported before a test asks for one.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from netlab.pytest_plugin.keys import NETWORK

if TYPE_CHECKING:
    from netlab.api import Lab
    from netlab.pytest_plugin.observing import Observed
    from netlab.topology.spec import Topology

__all__ = ["lab", "observe", "topology"]


@pytest.fixture
def topology(request: pytest.FixtureRequest) -> "Topology":
    """The network that ``@pytest.mark.topology`` names, as a value: to be looked at, or, in a fixture ``topology`` of a file or a
    class of tests, changed or replaced before ``lab`` is built of it (by a name, a path or a dict too)."""
    from netlab.pytest_plugin.networks import marked

    return marked(request.node)


@pytest.fixture
def lab(request: pytest.FixtureRequest, topology: "Topology") -> "Iterator[Lab]":
    """The network ``topology``, running, with what ``@pytest.mark.impair`` says of its links, and taken down after the test; a skip
    where this machine cannot have it."""
    from netlab.errors import HostError, SpecError
    from netlab.pytest_plugin.networks import impaired, topology_of
    from netlab.pytest_plugin.observing import Network

    with ExitStack() as stack:
        try:
            network = Network(impaired(topology_of(topology, request.node), request.node), request.node)
            stack.enter_context(network.lab)
        except SpecError as error:
            raise pytest.fail.Exception(str(error), pytrace=False) from None
        except HostError as error:
            pytest.skip(str(error))
        stack.enter_context(network.packets(wanted="observe" not in request.fixturenames))
        request.node.stash[NETWORK] = network
        try:
            yield network.lab
        finally:
            del request.node.stash[NETWORK]


@pytest.fixture
def observe(request: pytest.FixtureRequest, lab: "Lab") -> "Iterator[Observed]":
    """What is observed of ``lab``, from before the test until it is asked: ``packets``, ``flags``, ``states``, ``calls``, or all
    of it as ``timeline``; ``until`` waits for something to be there."""
    with request.node.stash[NETWORK].everything() as observed:
        yield observed
