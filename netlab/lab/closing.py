"""Lets the kernel clean up soon after a lab: what is left of its TCP connections gives up at once, and of many sockets that must be
waited for each does so at the same time.

A connection that nobody has open any more, and whose peer is gone, would try on for two minutes, and its network namespace would be
there as long. It imports the standard library only, since a keeper's bare interpreter runs it as well.
"""

from __future__ import annotations

import os

from netlab.lab.syscalls import CLONE_NEWNET, setns

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_TOGETHER = 64
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


def close_together(descriptors: Iterable[int]) -> None:
    """Close AF_PACKET sockets: each waits until no processor can be in it any more (synchronize_net in packet_release), 13 ms here,
    but waits at the same time are one. 200 sockets took 2,600 ms in turn, and 84 ms so."""
    left = list(descriptors)
    if len(left) <= 1:
        _close(left)
        return
    import threading  # not for every keeper: it takes a millisecond

    threads = [threading.Thread(target=_close, args=(left[start::_TOGETHER],)) for start in range(min(_TOGETHER, len(left)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _close(descriptors: Iterable[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
