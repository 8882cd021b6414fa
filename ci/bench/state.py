"""What the kernel holds in a network namespace, as one comparable value: links, addresses, routes, neighbours, offloads, sysctls.

Left out is what moves by itself (counters, timers, caches, neighbours that were learnt) and the numbers that namespaces have for
one another.
"""

import array
import ctypes
import fcntl
import os
import socket
import struct
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

CLONE_NEWNET = 0x40000000
RTM_GETLINK, RTM_GETADDR, RTM_GETROUTE, RTM_GETNEIGH = 18, 22, 26, 30
NLM_F_REQUEST, NLM_F_DUMP, NLMSG_DONE = 1, 0x300, 3
NUD_PERMANENT = 0x80
SIOCETHTOOL, ETHTOOL_GFEATURES = 0x8946, 0x3A
FEATURE_WORDS = 8
SHOWN_INTERFACES = 4
SYSCTLS = Path("/proc/sys/net")
MOVING = {
    "IFLA_AF_SPEC",  # counters and the sysctls again
    "IFLA_CARRIER_CHANGES",
    "IFLA_CARRIER_DOWN_COUNT",
    "IFLA_CARRIER_UP_COUNT",
    "IFLA_LINK_NETNSID",
    "IFLA_MAP",
    "IFLA_STATS",
    "IFLA_STATS64",
    "IFLA_PORT_SELF",
    "IFLA_BR_FDB_N_LEARNED",
    "IFLA_BR_GC_TIMER",
    "IFLA_BR_HELLO_TIMER",
    "IFLA_BR_TCN_TIMER",
    "IFLA_BR_TOPOLOGY_CHANGE_TIMER",
    "IFLA_BRPORT_FORWARD_DELAY_TIMER",
    "IFLA_BRPORT_HOLD_TIMER",
    "IFLA_BRPORT_MESSAGE_AGE_TIMER",
    "IFA_CACHEINFO",
    "RTA_CACHEINFO",
    "NDA_CACHEINFO",
    "NDA_PROBES",
}
_libc = ctypes.CDLL(None, use_errno=True)

State = dict[str, Any]


def states(pid: int, spaces: Mapping[str, int]) -> dict[str, State]:
    """The state of each namespace that a process holds by descriptor, by the node's name."""

    def read() -> dict[str, State]:
        # in a thread that ends with it, since it stays in the last namespace
        return {name: _entered(f"/proc/{pid}/fd/{fd}") for name, fd in spaces.items()}

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(read).result()


def differences(one: State, other: State, at: str = "") -> Iterator[str]:
    """What differs between two states, each with its place."""
    for key in sorted(one.keys() | other.keys()):
        here, there = one.get(key), other.get(key)
        if isinstance(here, dict) and isinstance(there, dict):
            yield from differences(here, there, f"{at} {key}")
        elif here != there:
            yield f"{at} {key}: {here!r} against {there!r}"


def _entered(namespace: str) -> State:
    fd = os.open(namespace, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if _libc.setns(fd, CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), namespace)
    finally:
        os.close(fd)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as route:
        links = {message["attrs"]["IFLA_IFNAME"]: message for message in _dump(route, RTM_GETLINK)}
        return {
            "links": links,
            "addresses": _named(_dump(route, RTM_GETADDR), "IFA_ADDRESS"),
            "routes": _named((each for each in _dump(route, RTM_GETROUTE) if not _cached(each)), "RTA_DST"),
            "neighbours": _named((each for each in _dump(route, RTM_GETNEIGH) if each["state"] & NUD_PERMANENT), "NDA_DST"),
            "offloads": {name: _offloads(route, name) for name in links},
            "sysctls": dict(_sysctls(frozenset([*links][SHOWN_INTERFACES:]))),
        }


def _named(messages: Iterator[State], attribute: str) -> dict[str, State]:
    named: dict[str, State] = {}
    for message in messages:
        where = message.get("dst_len", message.get("prefixlen", ""))
        index = message.get("index", message.get("ifindex", message["attrs"].get("RTA_OIF", "")))
        key = (
            f"{message.get('family')} {message['attrs'].get(attribute, 'all')}/{where} on {index} table {message.get('table', '')}"
        )
        while key in named:
            key += "+"
        named[key] = message
    return named


def _cached(message: State) -> bool:
    return bool(message["flags"] & 0x200)  # RTM_F_CLONED


def _dump(route: socket.socket, kind: int) -> Iterator[State]:
    from pyroute2.netlink.rtnl.marshal import MarshalRtnl

    marshal = MarshalRtnl()
    route.send(struct.pack("=IHHIIB19x", 36, kind, NLM_F_REQUEST | NLM_F_DUMP, 1, 0, 0))
    while True:
        for message in marshal.parse(route.recv(1 << 18)):
            if message["header"]["type"] == NLMSG_DONE:
                return
            yield _plain(message)


def _plain(message: Any) -> State:
    """A decoded message as mappings, without what moves."""
    plain: State = {name: value for name, value in message.items() if name not in ("attrs", "header", "event", "ifi_flags_text")}
    plain["attrs"] = {
        name: _plain(value) if hasattr(value, "items") and "attrs" in value else value
        for name, value in message.get("attrs", ())
        if name not in MOVING
    }
    return plain


def _offloads(route: socket.socket, interface: str) -> list[int]:
    """The words of features that are active on a device."""
    data = array.array("I", [ETHTOOL_GFEATURES, FEATURE_WORDS, *[0] * 4 * FEATURE_WORDS])
    fcntl.ioctl(route, SIOCETHTOOL, struct.pack("16sQ16x", interface.encode(), data.buffer_info()[0]))
    return data[4::4].tolist()  # available, requested, active, never changed


def _sysctls(left_out: frozenset[str]) -> Iterator[tuple[str, str]]:
    """All values, but for some interfaces' own: a switch of many ports has thousands, and every port was made alike."""
    for folder, folders, names in os.walk(SYSCTLS):
        folders[:] = sorted(set(folders) - left_out)
        for name in names:
            path = Path(folder, name)
            try:
                yield str(path.relative_to(SYSCTLS)), path.read_text()
            except OSError:
                continue  # write-only, or not set
