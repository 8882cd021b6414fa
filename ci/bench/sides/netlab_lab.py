"""netlab as a contender: the whole of what a user of `with Lab(...)` waits for, the file's reading apart.

usage: python -m ci.bench.sides.netlab_lab TOPOLOGY
"""

import fcntl
import os
import sys
import time
from typing import Any

from ci.bench.sides.serve import median_us, serve
from netlab import Lab
from netlab.topology.load import load_topology
from netlab.workload.agents import AgentProcess

SIOCGSKNS = 0x894C  # ioctl(2) of a socket: a descriptor of its network namespace
MOST_AT_ONCE = 200


class Side:
    """One topology, built again and again."""

    def __init__(self, path: str) -> None:
        began = time.perf_counter()
        self.topology = load_topology(path)
        self.load_ms = (time.perf_counter() - began) * 1e3
        self.lab: Lab | None = None
        self.opened: list[int] = []

    @property
    def running(self) -> Lab:
        assert self.lab is not None
        return self.lab

    def loaded(self) -> dict[str, Any]:
        return {"load_ms": self.load_ms}

    def up(self) -> dict[str, Any]:
        processor, began = time.process_time(), time.perf_counter()
        self.lab = Lab(self.topology)
        planned = time.perf_counter()
        self.lab.__enter__()
        done = time.perf_counter()
        return {
            "up_ms": (done - began) * 1e3,
            "processor_ms": (time.process_time() - processor) * 1e3,
            "phases": {"plan": (planned - began) * 1e3, "build": (done - planned) * 1e3},
        }

    def down(self) -> dict[str, Any]:
        for fd in self.opened:
            os.close(fd)
        self.opened = []
        lab, self.lab = self.running, None
        began = time.perf_counter()
        lab.__exit__(None, None, None)
        return {"down_ms": (time.perf_counter() - began) * 1e3}

    def spaces(self) -> dict[str, Any]:
        found = {}
        for name, node in self.running.nodes.items():
            with node.socket() as made:
                found[name] = fcntl.ioctl(made.fileno(), SIOCGSKNS)
                self.opened.append(found[name])
        return {"spaces": found}

    def host(self) -> Any:
        return next(node for node in self.running.nodes.values() if node.kind != "switch")

    def sockets(self, times: int) -> dict[str, Any]:
        host = self.host()
        return median_us(lambda: host.socket().close(), times)

    def spawns(self, times: int) -> dict[str, Any]:
        host = self.host()
        host.run(["true"])  # what a node's first program needs is made once
        return median_us(lambda: host.run(["true"], check=True), times)

    def agent(self, times: int) -> dict[str, Any]:
        agent = AgentProcess.start(self.host())

        def call() -> None:
            if agent.returned(agent.begin("getpid", [], "int", "main"), 5) is None:
                raise TimeoutError("the agent does not answer")

        call()
        try:
            return median_us(call, times)
        finally:
            agent.close()


def main() -> None:
    side = Side(sys.argv[1])
    serve(
        loaded=side.loaded,
        up=side.up,
        down=side.down,
        spaces=side.spaces,
        sockets=side.sockets,
        spawns=side.spawns,
        agent=side.agent,
    )


if __name__ == "__main__":
    main()
