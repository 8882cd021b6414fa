"""Tells when the kernel has cleaned up after the network namespaces that were let go: a process beside the contenders.

The kernel cleans up one batch of namespaces after another. So a namespace let go now is cleaned up with, or after, all that were
let go before, and one more is cleaned up once that batch is done. A veth pair into each shows when: its near end vanishes. The last
structures of a batch are freed at the end of the next one, which a third shows.

It also counts namespaces that are still there: it gives each a number (RTM_NEWNSID, rtnetlink(7)), which holds no reference to it
and which the kernel takes back with it. Nobody else's namespaces are among them.
"""

import os
import socket
import struct
import time
from typing import Any

from pyroute2 import IPRoute

from ci.bench.sides.serve import CLONE_NEWNET, check, libc, serve

PAUSE = 0.001
RTM_NEWNSID, RTM_GETNSID, NLMSG_ERROR, NLMSG_DONE = 88, 90, 2, 3
NLM_F_REQUEST, NLM_F_ACK, NLM_F_DUMP = 1, 4, 0x300
NETNSA_NSID, NETNSA_FD = 1, 3


def own_namespace() -> int:
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def answers(route: socket.socket, kind: int, flags: int, attributes: bytes = b"") -> int:
    """Send one request about namespaces' numbers; gives how many the answer has. Raises OSError when the kernel refuses."""
    route.send(struct.pack("=IHHIIB3x", 20 + len(attributes), kind, NLM_F_REQUEST | flags, 1, 0, 0) + attributes)
    found = 0
    while True:
        answer, offset = route.recv(1 << 17), 0
        while offset < len(answer):
            length, said, _, _, _, error = struct.unpack_from("=IHHIIi", answer, offset)
            if said == NLMSG_ERROR and error:
                raise OSError(-error, os.strerror(-error))
            if said in (NLMSG_ERROR, NLMSG_DONE):
                return found
            found += said == RTM_NEWNSID
            offset += (length + 3) & ~3


def main() -> None:
    check(libc.unshare(CLONE_NEWNET), "unshare")
    home = own_namespace()
    with IPRoute() as route, socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as plain:

        def vanish() -> None:
            check(libc.unshare(CLONE_NEWNET), "unshare")
            canary = own_namespace()
            check(libc.setns(home, CLONE_NEWNET), "setns")
            route.link("add", ifname="near", kind="veth", peer={"ifname": "far", "net_ns_fd": canary})
            os.close(canary)
            while route.link_lookup(ifname="near"):
                time.sleep(PAUSE)

        def drained() -> dict[str, Any]:
            began = time.perf_counter()
            vanish()
            vanish()
            done = time.perf_counter()
            vanish()
            return {"ms": (done - began) * 1e3}

        def watch(pid: int, *fds: int) -> dict[str, Any]:
            for fd in fds:
                namespace = os.open(f"/proc/{pid}/fd/{fd}", os.O_RDONLY | os.O_CLOEXEC)
                try:
                    attributes = struct.pack("=HHiHHi", 8, NETNSA_NSID, -1, 8, NETNSA_FD, namespace)
                    answers(plain, RTM_NEWNSID, NLM_F_ACK, attributes)
                finally:
                    os.close(namespace)
            return alive()

        def alive() -> dict[str, Any]:
            return {"alive": answers(plain, RTM_GETNSID, NLM_F_DUMP)}

        serve(drained=drained, watch=watch, alive=alive)


if __name__ == "__main__":
    main()
