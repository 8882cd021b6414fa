"""A star of many hosts comes up, each of them connects to one over IPv4 and IPv6, and nothing is left of it.

usage, from the root of the source tree: python -m ci.thousand [HOSTS]
"""

import socket
import sys
import time
from pathlib import Path

from ci.kill_loop.traces import network_namespaces
from netlab.lab.lab import Lab
from netlab.topology.load import load_topology

STAR = Path(__file__).parent.parent / "topologies" / "star.yaml"
PORT = 8080
WITHIN = 60.0


def connected(lab: Lab, one: str, family: socket.AddressFamily) -> int:
    """How many hosts connect to one of them."""
    version = 4 if family == socket.AF_INET else 6
    hosts = [node for node in lab.nodes.values() if node.kind == "host" and node.name != one]
    target = next(str(address.ip) for address in lab[one].interfaces["eth0"].addresses if address.version == version)
    count = 0
    with lab[one].socket(family) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((target, PORT))
        listener.listen()
        for host in hosts:
            with host.socket(family) as client:
                client.settimeout(5)
                client.connect((target, PORT))
                accepted, _ = listener.accept()
                accepted.close()
                count += 1
    return count


def main() -> int:
    hosts = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    topology = load_topology(STAR, {"hosts": str(hosts)})
    before = network_namespaces()
    began = time.monotonic()
    with Lab(topology) as lab:
        print(f"a star of {hosts} hosts is up in {time.monotonic() - began:.2f} s")
        one = next(node.name for node in lab.nodes.values() if node.kind == "host")
        for family in (socket.AF_INET, socket.AF_INET6):
            began = time.monotonic()
            count = connected(lab, one, family)
            print(f"{family.name}: {count} of {hosts - 1} hosts have connected to {one}, in {time.monotonic() - began:.2f} s")
            if count != hosts - 1:
                return 1
        began = time.monotonic()
    print(f"down in {(time.monotonic() - began) * 1000:.1f} ms")
    if before is None:
        return 0
    while (left := (network_namespaces() or 0) - before) > 0:
        if time.monotonic() - began > WITHIN:
            print(f"{left} network namespaces are left")
            return 1
    print(f"the kernel has cleaned up after {time.monotonic() - began:.2f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
