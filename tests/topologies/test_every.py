"""Every shipped topology: it reads, says what it is for, has a test of its own, comes up, and its packets go where they should."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from topologies_help import BOTH, SHIPPED, address, computed, hop_counts_of, hosts, shipped

from netlab.api import Lab
from netlab.errors import HostError
from netlab.topology.load import load_topology
from netlab.topology.plan import plan

FILES = sorted(SHIPPED.glob("*.yaml"))
NAMES = [file.stem for file in FILES]
SCHEMA = "# yaml-language-server: $schema=../netlab/schemas/topology.schema.json"
FEW = 10


def test_those_that_are_promised_are_there() -> None:
    promised = {"two-hosts", "lan", "routed", "dual-stack", "v6-only", "dumbbell", "line", "ring", "home-nat", "symmetric-nat"}
    promised |= {"firewall", "asymmetric-routes", "mtu-black-hole", "path-mtu-discovery", "multihomed", "vxlan-overlay", "anycast"}
    promised |= {"duplicate-address", "fat-tree", "star"}
    assert promised - set(NAMES) == set()


@pytest.mark.parametrize("file", FILES, ids=NAMES)
def test_the_file_reads_and_plans_and_says_what_it_is_for(file: Path) -> None:
    topology = load_topology(file)
    planned = plan(topology)
    assert topology.name == file.stem
    assert [node.name for node in planned.nodes] == [node.name for node in topology.nodes]
    first, second, *_ = file.read_text().splitlines()
    assert first == SCHEMA
    assert second == f"# {topology.intent.splitlines()[0]}"
    assert topology.intent.endswith((".", "?"))


@pytest.mark.parametrize("name", NAMES)
def test_it_has_a_test_of_its_own(name: str) -> None:
    folder = Path(__file__).parent
    tests = [*folder.glob("test_*.py"), *(folder.parent / "uml").glob("test_*.py")]
    own = [test.name for test in tests if test.read_text().startswith((f'"""{name}: ', f'"""{name}, '))]
    assert len(own) == 1, f'one test file begins with """{name}: and what it proves'


@pytest.mark.netns
@pytest.mark.parametrize("name", NAMES)
def test_it_comes_up_and_hosts_reach_each_other_as_was_computed(name: str) -> None:
    with running(name) as lab:
        for family in BOTH if len(hosts(lab)) <= FEW else ():
            paths = {}
            able = [host for host in hosts(lab) if has_address(lab, host, family)]
            for pair in [(one, other) for one in able for other in able if one != other]:
                if (path := computed(lab, *pair, family)) is not None:
                    paths[pair] = len(path) - 1
            assert hop_counts_of(lab, list(paths), family) == paths


@contextmanager
def running(name: str) -> Iterator[Lab]:
    """The lab, or a skip that says what this machine lacks for it."""
    lab = shipped(name)
    lacking = {command.argv[0] for node in lab.plan.nodes for command in node.start if shutil.which(command.argv[0]) is None}
    if lacking:
        pytest.skip(f"{name} needs {', '.join(sorted(lacking))}")
    with ExitStack() as stack:
        try:
            stack.enter_context(lab)
        except HostError as error:
            pytest.skip(f"{name}: {error}")
        yield lab


def has_address(lab: Lab, host: str, family: int) -> bool:
    try:
        return bool(address(lab[host], family))
    except LookupError:
        return False
