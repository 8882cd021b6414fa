"""Compiles the C reference, and tells it netlab's choices: which sysctls, offloads and neighbours, whether routes are joined.

Everything else the reference counts for itself.
"""

import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from ci.bench.networks import Network
from netlab.lab.program import program_of
from netlab.topology.load import load_topology
from netlab.topology.plan import plan
from netlab.topology.planned import NodePlan, Plan

SOURCE = Path(__file__).with_name("reference.c")


def compiled(folder: Path, source: Path = SOURCE) -> Path | None:
    """The reference's program, or another one's, built in ``folder``; None where there is no C compiler."""
    compiler = next(
        (found for name in (os.environ.get("CC", ""), "cc", "gcc", "clang") if name and (found := shutil.which(name))), None
    )
    if compiler is None:
        return None
    program = folder / source.stem
    subprocess.run([compiler, "-O2", "-Wall", "-o", str(program), str(source)], check=True)
    return program


def options(network: Network, topology: Path) -> list[str]:
    """The arguments that make the reference build what netlab builds from this topology file."""
    planned = plan(load_topology(topology))
    words = [network.shape, str(network.size)]
    for kind, node in {node.kind: node for node in planned.nodes}.items():
        for name, value in node.sysctls:
            words += ["-s", f"{kind}:{name}={value}"]
    for feature in _features(planned):
        words += ["-o", feature]
    for number in _known(planned.nodes):
        words += ["-n", str(number)]
    return words + (["-a"] if _joined(network, planned) else [])


def _features(planned: Plan) -> Iterable[str]:
    (off,) = {off for _, _, off, _ in program_of(planned).offloads}
    return off


def _known(nodes: Iterable[NodePlan]) -> list[int]:
    """The hosts, counted from 1, who know every other host (in a star that has any neighbours)."""
    hosts = [node for node in nodes if node.kind == "host"]
    most = max((len(node.neighbours) for node in hosts), default=0)
    return [number for number, node in enumerate(hosts, 1) if most and len(node.neighbours) == most]


def _joined(network: Network, planned: Plan) -> bool:
    """Whether the first router of a line has fewer routes than there are subnets that it is not on."""
    return network.shape == "line" and len(planned.nodes[0].routes) < 2 * (network.size - 2)
