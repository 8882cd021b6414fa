"""The first figures, each as a ratio to a reference measured in the same run: medians of interleaved rounds.

usage: python ci/bench.py [ROUNDS]
"""

import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from netlab.lab.keeper import Keeper
from netlab.lab.lab import Lab
from netlab.topology.load import load_topology
from netlab.workload.agents import AgentProcess

TOPOLOGIES = Path(__file__).parent.parent / "topologies"


def timed(work: Callable[[], object]) -> float:
    """Seconds that one call of ``work`` takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def interleaved(rounds: int, **works: Callable[[], object]) -> dict[str, float]:
    """The median time of each work, measured in turns so that a noisy moment hits all alike."""
    times: dict[str, list[float]] = {name: [] for name in works}
    for work in works.values():
        work()
    for _ in range(rounds):
        for name, work in works.items():
            times[name].append(timed(work))
    return {name: statistics.median(values) for name, values in times.items()}


def show(title: str, times: dict[str, float], reference: str) -> None:
    """One table: absolute, and as a ratio to the reference."""
    print(f"\n{title} (reference: {reference})")
    for name, seconds in times.items():
        print(f"  {name:<34}{seconds * 1e6:>12.1f} us {seconds / times[reference]:>9.2f} x")


def namespaces(rounds: int) -> None:
    with Keeper.start() as keeper:

        def make() -> None:
            _, fds = keeper.ask("namespace", hostname="h", hosts="", sysctls={})
            for fd in fds:
                os.close(fd)

        def ip_netns() -> None:
            name = f"bench{os.getpid()}"
            # Named, but in a mount namespace of its own: the machine's /run/netns is not touched.
            subprocess.run(["unshare", "-m", "sh", "-c", f"mount -t tmpfs t /run && ip netns add {name}"], check=True)

        works: dict[str, Callable[[], object]] = {"a node's namespaces by the keeper": make}
        reference = "unshare --net true"
        works[reference] = lambda: subprocess.run(["unshare", "--net", "true"], check=True)
        if os.geteuid() == 0:
            works["ip netns add"] = ip_netns
            show("making a namespace", interleaved(rounds, **works), reference)


def labs(rounds: int) -> None:
    topology = load_topology(TOPOLOGIES / "two-hosts.yaml")

    def build() -> None:
        with Lab(topology):
            pass

    script = (
        "mount -t tmpfs t /run && ip netns add a && ip netns add b && ip -n a link add eth0 type veth peer name eth0 netns b && "
        "for n in a b; do ip -n $n link set lo up; ip -n $n link set eth0 up; done && "
        "ip -n a addr add 10.0.0.1/24 dev eth0 && ip -n b addr add 10.0.0.2/24 dev eth0"
    )
    works: dict[str, Callable[[], object]] = {"netlab: two hosts, up and down": build}
    works["ip(8): the same by script"] = lambda: subprocess.run(["unshare", "-mn", "sh", "-c", script], check=True)
    works["a keeper alone, up and down"] = lambda: Keeper.start().close()
    if os.geteuid() == 0:
        show("a lab of two hosts", interleaved(rounds, **works), "ip(8): the same by script")


def round_trips(rounds: int) -> None:
    with Lab(load_topology(TOPOLOGIES / "one-host.yaml")) as lab:
        agent = AgentProcess.start(lab.nodes["host"])
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)

        def call() -> None:
            agent.returned(agent.begin("getpid", [], "int", "main"), 5)

        def echo() -> None:
            ours.send(b"x")
            theirs.recv(1)
            theirs.send(b"x")
            ours.recv(1)

        def repeated(work: Callable[[], None]) -> None:
            for _ in range(200):
                work()

        many: dict[str, Callable[[], object]] = {
            "a call through the agent": lambda: repeated(call),
            "two messages over a socket pair": lambda: repeated(echo),
            "a socket handed back by the keeper": lambda: repeated(lambda: lab["host"].socket().close()),
        }
        times = interleaved(rounds, **many)
        show("round trips", {name: seconds / 200 for name, seconds in times.items()}, "two messages over a socket pair")
        agent.close()
        ours.close()
        theirs.close()


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    print(f"medians of {rounds} interleaved rounds")
    namespaces(rounds)
    labs(rounds)
    round_trips(rounds)


if __name__ == "__main__":
    main()
