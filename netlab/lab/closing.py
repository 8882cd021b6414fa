"""Lets the kernel clean up soon after a lab: what is left of its TCP connections gives up at once.

A connection that nobody has open any more, and whose peer is gone, would try on for two minutes, and its network namespace would be
there as long. It imports the standard library only, since a keeper's bare interpreter runs it as well.
"""

from __future__ import annotations

import os

from netlab.lab.syscalls import CLONE_NEWNET, setns

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_RETRIES = "/proc/sys/net/ipv4/tcp_orphan_retries"
"""How often a connection that nobody has open tries again, of both families; read whenever one does (ip-sysctl)."""


def hurry(namespaces: Iterable[int]) -> None:
    """Have connections give up in network namespaces that are to go. The calling thread is in the last of them afterwards."""
    for namespace in namespaces:
        try:
            setns(namespace, CLONE_NEWNET)
            fd = os.open(_RETRIES, os.O_WRONLY | os.O_CLOEXEC)
        except OSError:
            continue  # then it takes its time
        try:
            os.write(fd, b"1")
        except OSError:
            continue
        finally:
            os.close(fd)
