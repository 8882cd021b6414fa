"""Judges the sysctls that could not be set: shortfalls where netlab pins them, errors where the topology or forwarding needs them.

It sets nothing.
"""

import errno
import os
from collections.abc import Sequence

from netlab.errors import HostError, Problem, SpecError
from netlab.topology.planned import Plan
from netlab.topology.spec import Topology

Unset = Sequence[tuple[str, str, int]]
"""Name, value and errno of each."""

_FORWARDING = ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding")
_NO_VALUE = (errno.EINVAL, errno.ERANGE, errno.EDOM, errno.EOVERFLOW)
_GROUP_RANGES = ("net.ipv4.ping_group_range",)
"""The kernel refuses, by the same errno as nonsense, a value that names groups which the lab's user namespace does not have."""
_FIXES = {
    errno.ENOENT: "leave it out: this kernel has no such sysctl, or none for each namespace",
    errno.EACCES: "leave it out: it can only be read, or only the machine as a whole has it",
    errno.EPERM: "another value: in a namespace only some may be chosen (net.ipv4.tcp_allowed_congestion_control)",
    errno.EROFS: "mount /proc/sys read-write; a container runs with that when it is privileged",
}


def check(topology: Topology, plan: Plan, unset: Unset) -> None:
    """Raises SpecError for a value that the kernel does not take, HostError for what it lacks or forbids."""
    if not unset:
        return
    numbers = {(key, value): number for key, value, number in unset}
    for node, planned in zip(topology.nodes, plan.nodes, strict=True):
        for pair in node.sysctls:
            if pair in numbers:
                what, number = f"{node.name}: sysctl {pair[0]} = {pair[1]}", numbers[pair]
                if number == errno.EINVAL and pair[0] in _GROUP_RANGES and _is_range(pair[1]):
                    raise HostError(f"{what}: the lab's user namespace does not have these groups", "run this as root")
                if number in _NO_VALUE:
                    raise SpecError(Problem(node.place, f"{what}: the kernel does not take this value"))
                raise HostError(f"{what}: {os.strerror(number)}", _FIXES.get(number, ""))
        for pair in planned.sysctls if planned.forwarding else ():
            number = numbers.get(pair, 0)
            without_ipv6 = number == errno.ENOENT and pair[0].startswith("net.ipv6")
            if number and pair[0] in _FORWARDING and not without_ipv6:
                raise HostError(f"{node.name} cannot forward: sysctl {pair[0]}: {os.strerror(number)}", _FIXES.get(number, ""))


def _is_range(value: str) -> bool:
    """Whether a value is two numbers of groups, which the kernel takes wherever there are all groups."""
    words = value.split()
    return len(words) == 2 and all(word.isascii() and word.isdigit() and int(word) < 2**32 - 1 for word in words)


def shortfalls(unset: Unset) -> list[str]:
    """What a lab runs without, in words."""
    return sorted({f"sysctl {key} is not set ({errno.errorcode.get(number, number)})" for key, _, number in unset})
