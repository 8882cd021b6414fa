"""Tells when the kernel has cleaned up after the network namespaces that were let go: a process beside the contenders.

The kernel cleans up one batch of namespaces after another. So a namespace let go now is cleaned up with, or after, all that were
let go before, and one more is cleaned up once that batch is done. A veth pair into each shows when: its near end vanishes. The last
structures of a batch are freed at the end of the next one, which a third shows.
"""

import os
import time
from typing import Any

from pyroute2 import IPRoute

from ci.bench.sides.serve import CLONE_NEWNET, check, libc, serve

PAUSE = 0.001


def own_namespace() -> int:
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def main() -> None:
    check(libc.unshare(CLONE_NEWNET), "unshare")
    home = own_namespace()
    with IPRoute() as route:

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

        serve(drained=drained)


if __name__ == "__main__":
    main()
