"""Carries out a program: makes network namespaces, joins them by veth pairs, configures them, waits until they can carry packets.

It runs in a thread of the owner as root, and inside the keeper otherwise, so it imports the standard library only and packs what
needs a descriptor by itself. Every message is decided before; nothing is looked up on the way. It knows nothing of topologies.

A program is a mapping of plain values:
``sysctls``: lists of (name, value), each once however many namespaces share it; ``spaces``: (number of its sysctls, first messages,
messages) a namespace: the first before the wires are there, the others afterwards; ``wires``: (space, name, index, MAC address)
twice, and the MTU; ``offloads``: (space, interface, names of features that go off, and of those that go on); ``late``: (space,
sysctls of its interfaces); ``ready``: (space, indexes of interfaces) to wait for; ``last``: (space, messages) once all those are
ready; ``groups``: (space, IPv6 multicast groups) to wait for, each group after its interface's index.
"""

from __future__ import annotations

import array
import ctypes
import errno
import os
import select
import socket
import struct
import sys
import time

from netlab.lab.syscalls import CLONE_NEWNET, setns, unshare

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import Any

UNSHARE = "unshare network namespace"
"""What the error has for a file name when the process may make no network namespaces."""

NETLINK_ROUTE, SOL_NETLINK, NETLINK_EXT_ACK = 0, 270, 11
SO_NETNS_COOKIE = 71
NLM_F_REQUEST, NLM_F_ACK, NLM_F_DUMP, NLM_F_EXCL, NLM_F_CREATE = 1, 4, 0x300, 0x200, 0x400
NLMSG_ERROR, NLMSG_DONE, RTM_NEWLINK, RTM_GETLINK = 2, 3, 16, 18
IFLA_ADDRESS, IFLA_IFNAME, IFLA_MTU, IFLA_QDISC = 1, 3, 4, 6
RTM_GETADDR, RTM_GETMULTICAST, IFA_MULTICAST = 22, 58, 7
IFA_F_DADFAILED, IFA_F_TENTATIVE = 0x08, 0x40
IFLA_OPERSTATE, IFLA_LINKINFO, IFLA_NET_NS_FD, IFLA_EXT_MASK = 16, 18, 28, 29
OPERSTATE_UP = 6
SIOCETHTOOL, ETHTOOL_GSTRINGS, ETHTOOL_GSSET_INFO, ETHTOOL_SFEATURES, ETH_SS_FEATURES = 0x8946, 0x1B, 0x37, 0x3B, 4
ETHTOOL_F_WISH = 2
BATCH = 64
"""Messages a send: more gain nothing, and a namespace's answers must fit its socket's buffer."""

_LAST = 1  # the sequence number of a send's last message; the others have 0
_HEADER = struct.Struct("=IHHII")
_LINK = struct.Struct("=BxHiII")
_ATTRIBUTE = struct.Struct("=HH")
_ASK_LINKS = struct.pack("=IHHIIBxHiIIHHI", 40, RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, 2, 0, 0, 0, 0, 0, 0, 8, IFLA_EXT_MASK, 8)
_libc = ctypes.CDLL(None, use_errno=True)


class RefusedError(Exception):
    """The kernel refused a message: its errno, its words, the message as it was sent (what else was asked of it is told in words),
    and the namespace in which it was asked (-1: not said)."""

    def __init__(self, number: int, words: str, message: bytes | str, space: int = -1) -> None:
        super().__init__(number, words, message, space)
        self.number, self.words, self.message, self.space = number, words, message, space


class NotReadyError(Exception):
    """Interfaces that could not carry packets in time: (space, index) of each."""


class Space:
    """A network namespace being built: its descriptor, a netlink route socket in it, its cookie (SO_NETNS_COOKIE, socket(7))."""

    __slots__ = ("cookie", "namespace", "route")

    def __init__(self) -> None:
        unshare(CLONE_NEWNET, UNSHARE)
        self.namespace = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            self.route = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_ROUTE)
        except BaseException:
            os.close(self.namespace)
            raise
        try:
            self.route.setsockopt(SOL_NETLINK, NETLINK_EXT_ACK, 1)
            self.cookie: int = struct.unpack("=Q", self.route.getsockopt(socket.SOL_SOCKET, SO_NETNS_COOKIE, 8))[0]
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Give up both descriptors; without another holder the namespace is gone."""
        self.route.close()
        os.close(self.namespace)


class Built:
    """What a program made: each namespace's descriptor and cookie, and the sysctls that could not be set (name, value, errno).

    The descriptors are its own: they are closed when nobody refers to it any more, whatever interrupted whoever did. The sockets
    stay open as long: the kernel counts one that is closed for some milliseconds more (sockstat), and a lab's counts begin now.
    """

    def __init__(self, spaces: Sequence[Space], unset: list[tuple[str, str, int]]) -> None:
        self.namespaces = [space.namespace for space in spaces]
        self.cookies = [space.cookie for space in spaces]
        self.unset = unset
        self._routes = [space.route for space in spaces]

    def close(self) -> None:
        """Give the namespaces up; the kernel takes them down by itself, in one batch."""
        while self._routes:
            self._routes.pop().close()
        while self.namespaces:
            os.close(self.namespaces.pop())

    __del__ = close


def build(program: Mapping[str, Any], within: float) -> Built:
    """Carry out a program in the calling thread, which is in the last namespace afterwards. Raises OSError, RefusedError, or
    NotReadyError when interfaces could not carry packets ``within`` seconds; then nothing is left."""
    spaces: list[Space] = []
    unset: dict[tuple[str, str], int] = {}
    try:
        _namespaces(program, spaces, unset)
        _configure(spaces, (first for _, first, _ in program["spaces"]))
        _wires(program["wires"], spaces)
        _offloads(program["offloads"], spaces)
        _configure(spaces, (messages for _, _, messages in program["spaces"]))
        for number, sysctls in program["late"]:
            _late(spaces[number], sysctls, unset)
        deadline = time.monotonic() + within
        _await(program["ready"], spaces, deadline)
        for number, messages in program["last"]:
            _exchange_in(spaces, number, messages)
        _await_addresses(dict(program["groups"]), spaces, deadline)
    except BaseException:
        for space in spaces:
            space.close()
        raise
    return Built(spaces, [(name, value, number) for (name, value), number in unset.items()])


def _namespaces(program: Mapping[str, Any], spaces: list[Space], unset: dict[tuple[str, str], int]) -> None:
    """The namespaces with their sysctls. Fresh ones are all alike: what the first has as wanted when its turn comes, all have."""
    needed: dict[int, list[tuple[str, str]]] = {}
    for number, _, _ in program["spaces"]:
        spaces.append(Space())
        if number in needed:
            for name, value in needed[number]:
                _set(name, value, unset)
            continue
        needed[number] = []
        for name, value in program["sysctls"][number]:
            if _read(sysctl_path(name)) != value.encode():
                needed[number].append((name, value))
                _set(name, value, unset)


def _configure(spaces: Sequence[Space], lists: Iterable[Sequence[bytes]]) -> None:
    for number, messages in enumerate(lists):
        if messages:
            _exchange_in(spaces, number, messages)


def _exchange_in(spaces: Sequence[Space], number: int, messages: Sequence[bytes]) -> None:
    try:
        exchange(spaces[number].route, messages)
    except RefusedError as error:
        error.space = number
        raise


def _late(space: Space, sysctls: Sequence[tuple[str, str]], unset: dict[tuple[str, str], int]) -> None:
    """Sysctls that name an interface: there only once the interface is."""
    setns(space.namespace, CLONE_NEWNET)
    for name, value in sysctls:
        _set(name, value, unset)


def _set(name: str, value: str, unset: dict[tuple[str, str], int]) -> None:
    try:
        _write(sysctl_path(name), value.encode())
    except OSError as error:
        unset[name, value] = error.errno or errno.EIO


def sysctl_path(name: str) -> str:
    """The file of a sysctl; as in sysctl(8), a name with a slash first has them where others have dots."""
    return "/proc/sys/" + (name if "/" in name.split(".")[0] else name.replace(".", "/"))


def _read(path: str) -> bytes:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b"\0"  # like no value: the attempt to set it then says what is wrong
    try:
        return b" ".join(os.read(fd, 4096).split())
    except OSError:
        return b"\0"
    finally:
        os.close(fd)


def _write(path: str, value: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, value)
    finally:
        os.close(fd)


def attribute(kind: int, data: bytes) -> bytes:
    """A netlink attribute, padded."""
    return _ATTRIBUTE.pack(4 + len(data), kind) + data + b"\0" * (-len(data) & 3)


def _wires(wires: Iterable[Sequence[Any]], spaces: Sequence[Space]) -> None:
    """Veth pairs, each end born in its namespace (given by descriptor): no third namespace ever sees it.

    Each is asked for in the namespace of its first end. Linux 6.1 looks for the wanted index where it is asked, not where the
    device is to be, and takes any there that has it for the same.
    """
    messages: dict[int, list[bytes]] = {}
    kind = attribute(1, b"veth")
    for a, a_name, a_index, a_hardware, b, b_name, b_index, b_hardware, mtu in wires:
        mtu_attribute = struct.pack("=HHI", 8, IFLA_MTU, mtu)
        near, far = (
            attribute(IFLA_IFNAME, name.encode() + b"\0")
            + mtu_attribute
            + (attribute(IFLA_ADDRESS, hardware) if hardware else b"")
            + struct.pack("=HHi", 8, IFLA_NET_NS_FD, spaces[space].namespace)
            for space, name, hardware in ((a, a_name, a_hardware), (b, b_name, b_hardware))
        )
        peer = attribute(1, _LINK.pack(0, 0, b_index, 0, 0) + far)
        body = _LINK.pack(0, 0, a_index, 0, 0) + near + attribute(IFLA_LINKINFO, kind + attribute(2, peer))
        flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL
        messages.setdefault(a, []).append(_HEADER.pack(16 + len(body), RTM_NEWLINK, flags, 0, 0) + body)
    for space, asked in messages.items():
        _exchange_in(spaces, space, asked)


def exchange(route: socket.socket, messages: Sequence[bytes]) -> None:
    """Send messages, many at a time, and wait until the kernel has carried them out; RefusedError for the first that it refused.

    Only the last of a send asks for an acknowledgement: a refusal is always answered, and comes before it.
    """
    for first in range(0, len(messages), BATCH):
        part = list(messages[first : first + BATCH])
        last = bytearray(part[-1])
        (flags,) = struct.unpack_from("=H", last, 6)
        struct.pack_into("=HI", last, 6, flags | NLM_F_ACK, _LAST)
        part[-1] = bytes(last)
        route.send(b"".join(part))
        refused: RefusedError | None = None
        waiting = True
        while waiting:
            answer = route.recv(1 << 16)
            offset = 0
            while offset < len(answer):
                length, kind, flags, sequence, _, number = struct.unpack_from("=IHHIIi", answer, offset)
                if kind == NLMSG_ERROR:
                    if number and refused is None:
                        refused = _refused(answer[offset : offset + length], -number, flags)
                    waiting = waiting and sequence != _LAST
                offset += (length + 3) & ~3
        if refused is not None:
            raise refused


def _refused(answer: bytes, number: int, flags: int) -> RefusedError:
    """The error of an answer: header, number, the message as it was, and the kernel's words as attributes (NLMSGERR_ATTR_MSG 1)."""
    (length,) = struct.unpack_from("=I", answer, 20)
    message, words = answer[20 : 20 + length], ""
    offset = 20 + ((length + 3) & ~3)
    while flags & 0x200 and offset + 4 <= len(answer):  # NLM_F_ACK_TLVS
        size, kind = _ATTRIBUTE.unpack_from(answer, offset)
        if kind & 0x3FFF == 1:
            words = answer[offset + 4 : offset + size].rstrip(b"\0").decode(errors="replace")
        offset += max(4, (size + 3) & ~3)
    return RefusedError(number, words, message)


def _offloads(wanted: Iterable[tuple[int, str, Sequence[str], Sequence[str]]], spaces: Sequence[Space]) -> None:
    """Switch features of devices off and on, all of a device's at once (ethtool(8) -K). What a device does not know is off."""
    known: list[str] = []
    requests: dict[tuple[Sequence[str], Sequence[str]], array.array[int]] = {}
    for space, interface, off, on in wanted:
        route = spaces[space].route
        if not known:
            known = _features(route)
        if (off, on) not in requests:
            words = (len(known) + 31) // 32
            valid, set_ = (sum(1 << number for number, name in enumerate(known) if name in names) for names in ((*off, *on), on))
            blocks = [bits >> 32 * word & 0xFFFFFFFF for word in range(words) for bits in (valid, set_)]
            requests[off, on] = array.array("I", [ETHTOOL_SFEATURES, words, *blocks])
        what = f"offloads of {interface}"
        try:
            otherwise = _ethtool(route, interface, requests[off, on]) & ETHTOOL_F_WISH
        except OSError as error:
            raise RefusedError(error.errno or errno.EIO, "", what, space) from None
        if otherwise:
            raise RefusedError(errno.EOPNOTSUPP, "some are not as they were asked to be", what, space)


def _features(route: socket.socket) -> list[str]:
    """The kernel's names of device features, in the order of their bits."""
    info = array.array("I", struct.pack("=IIQI", ETHTOOL_GSSET_INFO, 0, 1 << ETH_SS_FEATURES, 0))
    _ethtool(route, "lo", info)
    count = info[4]
    strings = array.array("B", struct.pack("=III", ETHTOOL_GSTRINGS, ETH_SS_FEATURES, count) + bytes(32 * count))
    _ethtool(route, "lo", strings)
    names = strings.tobytes()[12:]
    return [names[32 * number : 32 * number + 32].partition(b"\0")[0].decode() for number in range(count)]


def _ethtool(route: socket.socket, interface: str, value: array.array[int]) -> int:
    request = struct.pack("16sP16x", interface.encode(), value.buffer_info()[0])
    # fcntl.ioctl with bytes hides the call's result, which here says whether every wish was met
    buffer = ctypes.create_string_buffer(request, len(request))
    result: int = _libc.ioctl(route.fileno(), SIOCETHTOOL, buffer)
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def _await(wanted: Iterable[tuple[int, Sequence[int]]], spaces: Sequence[Space], deadline: float) -> None:
    """Wait until interfaces can carry packets: operational, *and* with a queueing discipline, which the kernel attaches a moment
    after the carrier is there, and without which it drops what is sent. As long as it has not looked at a new interface's carrier,
    that is neither up nor down but unknown, and routes may count as dead."""
    for number, indices in wanted:
        pause = 0.0001
        while missing := set(indices) - ready(spaces[number].route):
            if time.monotonic() > deadline:
                raise NotReadyError([(number, index) for index in sorted(missing)])
            select.select([], [], [], pause)
            pause = min(pause * 2, 0.005)


def _await_addresses(groups: Mapping[int, Sequence[bytes]], spaces: Sequence[Space], deadline: float) -> None:
    """Wait until IPv6 addresses can be used and asked for. The kernel settles each a moment after it has taken it: until then a
    link-local one sends nothing, and a neighbour that asks for any gets no answer, and asks again only after a second."""
    for number, space in reversed(list(enumerate(spaces))):
        wanted, pause = groups.get(number, ()), 0.0001
        while missing := unsettled(space.route, wanted):
            if time.monotonic() > deadline:
                raise NotReadyError([(number, index) for index in sorted(missing)])
            select.select([], [], [], pause)
            pause = min(pause * 2, 0.005)


def unsettled(route: socket.socket, groups: Sequence[bytes]) -> set[int]:
    """The indexes of the interfaces whose IPv6 addresses cannot be used yet, or not be asked for: those that have not joined their
    groups, each of which stands after its interface's index."""
    found = _tentative(route) or (_silent(route, groups) if groups else set())
    return {int.from_bytes(each[:4], sys.byteorder) for each in found}


def _tentative(route: socket.socket) -> set[bytes]:
    """The indexes of the interfaces with an IPv6 address that is neither settled nor refused."""
    return {
        answer[start + 4 : start + 8]
        for answer, start in _dump(route, RTM_GETADDR)
        if answer[start + 2] & (IFA_F_TENTATIVE | IFA_F_DADFAILED) == IFA_F_TENTATIVE
    }


def _silent(route: socket.socket, groups: Sequence[bytes]) -> set[bytes]:
    """Those of the groups, each after its interface's index, that the namespace has not joined."""
    return set(groups) - {
        answer[start + 4 : start + 8] + answer[start + 12 : start + 28]
        for answer, start in _dump(route, RTM_GETMULTICAST)
        if _ATTRIBUTE.unpack_from(answer, start + 8) == (20, IFA_MULTICAST)
    }


def _dump(route: socket.socket, kind: int) -> Iterator[tuple[bytes, int]]:
    """Where each ifaddrmsg begins of what a namespace has of this kind for IPv6 (rtnetlink(7))."""
    route.send(_HEADER.pack(24, kind, NLM_F_REQUEST | NLM_F_DUMP, 2, 0) + bytes((socket.AF_INET6, 0, 0, 0, 0, 0, 0, 0)))
    while True:
        answer = route.recv(1 << 17)
        offset = 0
        while offset < len(answer):
            length, told = struct.unpack_from("=IH", answer, offset)
            if told == NLMSG_DONE:
                return
            if told == NLMSG_ERROR:
                number = -struct.unpack_from("=i", answer, offset + 16)[0]
                raise OSError(number, os.strerror(number), "the namespace's IPv6 addresses")
            yield answer, offset + 16
            offset += (length + 3) & ~3


def ready(route: socket.socket) -> set[int]:
    """The indexes of a namespace's interfaces that can carry packets."""
    route.send(_ASK_LINKS)
    found: set[int] = set()
    while True:
        answer = route.recv(1 << 17)
        offset, end = 0, len(answer)
        while offset < end:
            length, kind = struct.unpack_from("=IH", answer, offset)
            if kind in (NLMSG_DONE, NLMSG_ERROR):
                (number,) = struct.unpack_from("=i", answer, offset + 16)
                if number:
                    raise OSError(-number, os.strerror(-number), "list interfaces")
                return found
            if kind == RTM_NEWLINK and _carries(answer, offset + 32, offset + length):
                found.add(struct.unpack_from("=i", answer, offset + 20)[0])
            offset += (length + 3) & ~3


def _carries(answer: bytes, offset: int, end: int) -> bool:
    operational = queueing = False
    while offset + 4 <= end:
        size, kind = _ATTRIBUTE.unpack_from(answer, offset)
        if kind == IFLA_OPERSTATE:
            operational = answer[offset + 4] == OPERSTATE_UP
        elif kind == IFLA_QDISC:
            queueing = answer[offset + 4 : offset + 8] != b"noop"
        if operational and queueing:
            return True
        offset += max(4, (size + 3) & ~3)
    return False
