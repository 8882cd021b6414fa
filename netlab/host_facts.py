"""What a report says of the machine: its kernel, what it can do, and the values that runs depend on and never change."""

import platform

from netlab.check.result import HostFacts
from netlab.observe.tier import probe

__all__ = ["host_facts"]


def host_facts() -> HostFacts:
    """This machine: kernel, tier, capabilities, and the kernel-wide values that a run depends on but never changes."""
    tier = probe()
    return HostFacts(
        kernel=platform.release(),
        tier=tier.letter,
        capabilities={capability.name: "yes" if capability.available else capability.reason for capability in tier.capabilities},
        pinned=_kernel_wide(),
    )


def _kernel_wide() -> dict[str, str]:
    names = (
        "net/core/rmem_max",
        "net/core/wmem_max",
        "net/core/default_qdisc",
        "net/core/devconf_inherit_init_net",
        "net/ipv4/tcp_allowed_congestion_control",
        "net/ipv4/tcp_rmem",  # a new namespace has the machine's own, as of tcp_wmem
        "net/ipv4/tcp_wmem",
        "net/ipv4/neigh/default/gc_thresh3",
        "net/ipv6/neigh/default/gc_thresh3",
    )
    values = {}
    for name in names:
        try:
            with open(f"/proc/sys/{name}") as file:
                values[name.replace("/", ".")] = " ".join(file.read().split())
        except OSError:
            continue  # this kernel has no such value
    return values
