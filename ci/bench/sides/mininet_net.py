"""Mininet as a contender: a star as its API builds it, on a Linux bridge, with both families.

Run it only when asked to: it raises limits of the whole machine (rmem_max, tcp_rmem and others), which are put back when it ends.
usage: python -m ci.bench.sides.mininet_net star N
"""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ci.bench.sides.serve import isolate, milliseconds, serve

RAISED = (  # mininet.util.fixLimits
    "fs/file-max",
    "kernel/pty/max",
    "net/core/netdev_max_backlog",
    "net/core/rmem_max",
    "net/core/wmem_max",
    "net/ipv4/neigh/default/gc_thresh1",
    "net/ipv4/neigh/default/gc_thresh2",
    "net/ipv4/neigh/default/gc_thresh3",
    "net/ipv4/route/max_size",
    "net/ipv4/tcp_rmem",
    "net/ipv4/tcp_wmem",
)


@contextmanager
def limits_kept() -> Iterator[None]:
    """Put back the limits that Mininet raises. What cannot be read in this namespace cannot be raised from it either."""
    files = [path for name in RAISED if (path := Path("/proc/sys", name)).exists()]
    values = {path: path.read_text() for path in files}
    try:
        yield
    finally:
        for path, value in values.items():
            if path.read_text() != value:
                path.write_text(value)


class Side:
    """One star, built again and again."""

    def __init__(self, size: int) -> None:
        self.size, self.net = size, None
        self.api = importlib.import_module("mininet.net")
        self.node = importlib.import_module("mininet.node")
        importlib.import_module("mininet.log").setLogLevel("critical")

    def build(self) -> None:
        class Bridge(self.node.Switch):  # type: ignore[misc, name-defined]
            """A Linux bridge without brctl(8), which Mininet's own needs."""

            def start(self, controllers: object) -> None:
                self.cmd(f"ip link add {self.name} type bridge stp_state 0 mcast_snooping 0")
                for interface in self.intfList():
                    if self.name in interface.name:
                        self.cmd(f"ip link set {interface} up master {self.name}")
                self.cmd(f"ip link set {self.name} up")

            def stop(self, deleteIntfs: bool = True) -> None:  # noqa: N803 - Mininet's name
                self.cmd(f"ip link del {self.name}")
                super().stop(deleteIntfs)

        net = self.api.Mininet(switch=Bridge, controller=None, ipBase="10.0.0.0/16")
        switch = net.addSwitch("s1")
        for number in range(1, self.size + 1):
            host = net.addHost(f"h{number}", ip=f"10.0.{number >> 8}.{number & 255}/16")
            net.addLink(host, switch)
        net.start()
        for number, host in enumerate(net.hosts, 1):
            host.cmd(f"ip -6 addr add fd00::{number:x}/64 dev {host.defaultIntf()} nodad")
        self.net = net

    def up(self) -> dict[str, Any]:
        return {"up_ms": milliseconds(self.build)}

    def down(self) -> dict[str, Any]:
        net: Any = self.net
        return {"down_ms": milliseconds(net.stop)}


def main() -> None:
    isolate()
    with limits_kept():
        side = Side(int(sys.argv[2]))
        serve(up=side.up, down=side.down)


if __name__ == "__main__":
    main()
