"""Asks the kernel for links, addresses and routes: the one home of pyroute2.

pyroute2 packs the messages (IPBatch, 0.45 ms each); they go out many at a time on a netlink socket that the keeper made in the
right namespace, so no thread changes namespaces and no event loop runs. Every refusal is raised with the kernel's own words.
"""

import array
import ctypes
import fcntl
import os
import socket
import struct
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from netlab.errors import LabError

NETLINK_EXT_ACK, NETLINK_CAP_ACK = 11, 10
SOL_NETLINK = 270
SO_NETNS_COOKIE = 71
NODAD = 0x02
_MESSAGES_A_SEND = 32
_SIOCETHTOOL = 0x8946
_OFFLOADS_OFF = {  # ETHTOOL_S... of linux/ethtool.h; without these, segments reach 64 KB and every checksum looks wrong
    "transmit checksum": 0x17,
    "receive checksum": 0x15,
    "scatter-gather": 0x19,
    "TCP segmentation": 0x1F,
    "generic segmentation": 0x24,
    "generic receive": 0x2C,
}


class Requests:
    """Netlink requests to one namespace, gathered and sent together; ``send`` raises LabError with the kernel's reason."""

    def __init__(self, route: socket.socket) -> None:
        from pyroute2 import IPBatch

        self._route, self._batch = route, IPBatch()
        self._said: list[str] = []
        route.setsockopt(SOL_NETLINK, NETLINK_EXT_ACK, 1)
        route.setsockopt(SOL_NETLINK, NETLINK_CAP_ACK, 1)

    def veth(self, name: str, index: int, namespace: int, peer: str, peer_namespace: int, mtu: int) -> None:
        """A veth pair, each end born in its namespace (given by descriptor): no third namespace ever sees it.

        The peer's index is the kernel's choice (pyroute2 cannot ask for one), so ``index`` must lie above what it may choose: where
        both ends have the same index, the kernel takes neither for a virtual device's and lets its carrier wait for up to a second
        (linkwatch_urgent_event of net/core/link_watch.c); a lab of two hosts then took 1.2 s instead of 0.15.
        """
        self._add(
            f"veth pair {name} - {peer}",
            "link",
            ifname=name,
            kind="veth",
            index=index,
            mtu=mtu,
            net_ns_fd=namespace,
            peer={"ifname": peer, "mtu": mtu, "net_ns_fd": peer_namespace},
        )

    def bridge(self, name: str, index: int) -> None:
        """A bridge without spanning tree, which forwards at once."""
        self._add(f"bridge {name}", "link", ifname=name, kind="bridge", index=index, br_stp_state=0, br_mcast_snooping=0)

    def up(self, name: str, index: int, master: int | None = None) -> None:
        """Set an interface up, as a bridge's port when ``master`` is given."""
        self._said.append(f"interface {name} up")
        self._batch.link("set", index=index, state="up", **({} if master is None else {"master": master}))

    def address(self, text: str, prefix: int, index: int) -> None:
        """An address; IPv6 without duplicate address detection, so that it is usable at once."""
        flags = {"flags": NODAD} if ":" in text else {}
        self._said.append(f"address {text}/{prefix}")
        self._batch.addr("add", index=index, address=text, prefixlen=prefix, **flags)

    def route(self, destination: str, via: str, index: int) -> None:
        """A route through a gateway; ``destination`` is a network or "default"."""
        self._said.append(f"route {destination} via {via}")
        family = socket.AF_INET6 if ":" in via else socket.AF_INET
        self._batch.route("add", dst=destination, gateway=via, oif=index, family=family)

    def send(self) -> None:
        """Send all, a few at a time, and wait for each answer."""
        data = bytes(self._batch.batch)
        self._batch.reset()
        messages, offset = [], 0
        while offset < len(data):
            (length,) = struct.unpack_from("=I", data, offset)
            padded = (length + 3) & ~3
            messages.append(data[offset : offset + padded])
            offset += padded
        said, self._said = self._said, []
        for first in range(0, len(messages), _MESSAGES_A_SEND):
            part = messages[first : first + _MESSAGES_A_SEND]
            self._route.send(b"".join(part))
            answered = 0
            while answered < len(part):
                for error, words in _acknowledgements(self._route.recv(1 << 16)):
                    if error:
                        what = said[first + answered]
                        raise LabError(f"the kernel refused: {what}: {os.strerror(error)}{': ' + words if words else ''}")
                    answered += 1

    def close(self) -> None:
        """Give back what pyroute2 holds; the socket is the caller's."""
        self._batch.close()

    def _add(self, words: str, thing: str, **fields: Any) -> None:
        self._said.append(words)
        getattr(self._batch, thing)("add", **fields)


def _acknowledgements(data: bytes) -> Iterable[tuple[int, str]]:
    offset = 0
    while offset < len(data):
        length, kind, flags, _, _, error = struct.unpack_from("=IHHIIi", data, offset)
        words = ""
        if kind == 2:
            if flags & 0x200:  # NLM_F_ACK_TLVS; NLMSGERR_ATTR_MSG is 1
                attribute = offset + (36 if flags & 0x100 else 20 + struct.unpack_from("=I", data, offset + 20)[0])
                while attribute + 4 <= offset + length:
                    size, name = struct.unpack_from("=HH", data, attribute)
                    if name & 0x3FFF == 1:
                        words = data[attribute + 4 : attribute + size].rstrip(b"\0").decode(errors="replace")
                    attribute += max(4, (size + 3) & ~3)
            yield -error, words
        offset += (length + 3) & ~3


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """An interface as the kernel lists it. ``ready``: up, operational, and with a queueing discipline."""

    index: int
    hardware: str
    ready: bool


def links(route: socket.socket) -> dict[str, Link]:
    """The interfaces of a namespace by name."""
    from pyroute2.netlink.rtnl.marshal import MarshalRtnl

    route.send(struct.pack("=IHHIIBxHiII", 32, 18, 0x301, 1, 0, 0, 0, 0, 0, 0))  # RTM_GETLINK, dump
    found = {}
    for message in _dump(route, MarshalRtnl()):
        ready = message.get_attr("IFLA_OPERSTATE") in ("UP", "UNKNOWN") and message.get_attr("IFLA_QDISC") != "noop"
        found[message.get_attr("IFLA_IFNAME")] = Link(
            index=message["index"], hardware=message.get_attr("IFLA_ADDRESS") or "", ready=bool(ready and message["flags"] & 1)
        )
    return found


def wait_until_up(route: socket.socket, deadline: float, wanted: Iterable[str]) -> dict[str, Link]:
    """Wait until the ``wanted`` interfaces can carry packets; LabError when the monotonic clock passes ``deadline``.

    "Can carry" is the operational state *and* a queueing discipline: the kernel attaches that a moment after the carrier is
    there, and drops what is sent before.
    """
    pause = 0.0001
    while True:
        found = links(route)
        late = sorted(name for name in wanted if name not in found or not found[name].ready)
        if not late:
            return found
        if time.monotonic() > deadline:
            raise LabError(f"interfaces did not come up: {', '.join(late)}")
        time.sleep(pause)
        pause = min(pause * 2, 0.01)


def _dump(route: socket.socket, marshal: Any) -> list[Any]:
    messages: list[Any] = []
    while True:
        for message in marshal.parse(route.recv(1 << 18)):
            if message["header"]["type"] == 3:
                return messages
            messages.append(message)


def offloads_off(control: socket.socket, interface: str) -> None:
    """Switch off what lets a device finish packets (ethtool): what is captured is then what travels."""
    for what, command in _OFFLOADS_OFF.items():
        value = array.array("I", [command, 0])
        request = struct.pack("16sQ", interface.encode(), value.buffer_info()[0]) + bytes(16)
        try:
            fcntl.ioctl(control, _SIOCETHTOOL, request)
        except OSError as error:
            raise LabError(f"{interface}: could not switch off {what} offload: {error.strerror}") from error


def cookie(made: socket.socket) -> int:
    """The identity of the network namespace that a socket was made in (SO_NETNS_COOKIE, socket(7)): never used twice."""
    return int(struct.unpack("=Q", made.getsockopt(socket.SOL_SOCKET, SO_NETNS_COOKIE, ctypes.sizeof(ctypes.c_uint64)))[0])
