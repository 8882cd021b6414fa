"""Carries out a shape on an interface by the kernel's queueing disciplines, as frames leave it: netem, or tbf for a rate alone.

netem (tc-netem(8)) does everything; a kernel that lacks it can still keep a rate by tbf (tc-tbf(8)). What a kernel cannot do is an
error, never left out. It acts on one interface of one namespace, and does not know which link that is a part of.

- ``jitter`` is uniform, and lets packets overtake each other where it is longer than the gaps between them.
- ``reorder`` is the share of packets that are not delayed, and so overtake those that are.
- ``corrupt`` flips one bit of a packet.
- ``rate`` counts frames with their Ethernet header. By tbf, what was saved in an idle millisecond (a frame at least) goes at once.
- ``limit`` counts packets that wait, those delayed included; left out it is 1000, tc-netem(8)'s own.
"""

import errno
import os
import socket
import struct
from collections.abc import Iterator, Sequence
from contextlib import suppress

from netlab.errors import HostError, LabError
from netlab.lab.build import RefusedError, attribute, exchange
from netlab.topology.spec import Shape
from netlab.units import Duration

__all__ = ["NONE", "apply", "attributes", "netem", "tbf"]

RTM_NEWQDISC, RTM_DELQDISC, RTM_GETQDISC, NLMSG_ERROR, NLMSG_DONE = 36, 37, 38, 2, 3
NLM_F_REQUEST, NLM_F_DUMP, NLM_F_REPLACE, NLM_F_CREATE = 0x1, 0x300, 0x100, 0x400
TCA_KIND, TCA_OPTIONS = 1, 2
TC_H_ROOT, TC_LINKLAYER_ETHERNET = 0xFFFFFFFF, 1
TCA_NETEM_REORDER, TCA_NETEM_CORRUPT, TCA_NETEM_RATE, TCA_NETEM_RATE64 = 3, 4, 6, 8
TCA_NETEM_LATENCY64, TCA_NETEM_JITTER64, TCA_NETEM_PRNG_SEED = 10, 11, 14
TCA_TBF_PARMS, TCA_TBF_RATE64, TCA_TBF_BURST = 1, 4, 6

LIMIT = 1000
"""Packets that may wait where a shape does not say."""

_HEADER = struct.Struct("=IHHII")
_TCMSG = struct.Struct("=B3xiIII")
_NETEM_QOPT = struct.Struct("=6I")
_NETEM_HANDLE, _TBF_HANDLE, _TBF_CLASS = 0x10000, 0x20000, 0x20001  # one each: a handle keeps its kind
_LARGEST = 0xFFFFFFFF
NONE = Duration(0)
_TICK_SHIFT = 6  # PSCHED_SHIFT of net/pkt_sched.h: a tick is 64 ns
_LONGEST_JITTER = 1 << 31  # sch_netem.c takes random % (2 * (u32)jitter), in ns
_FRAME_HEADER = 18  # Ethernet's, with a VLAN's tag
_SAVED = 1000  # tbf keeps the tokens of a thousandth of a second
_NETEM_FIX = "sudo modprobe sch_netem, or boot a kernel with CONFIG_NET_SCH_NETEM"
_EITHER_FIX = "sudo modprobe -a sch_netem sch_tbf, or boot a kernel with CONFIG_NET_SCH_NETEM or CONFIG_NET_SCH_TBF"


def netem(ifindex: int, shape: Shape) -> bytes:
    """The message that makes netem the root queueing discipline of an interface; it does all of a shape.

    It says too what the shape does not ask for: where netem is there already, it keeps what a message leaves out.
    """
    delay, jitter = (min(time.ns >> _TICK_SHIFT, _LARGEST) for time in (shape.delay, shape.jitter))
    gap = 1 if shape.reorder else 0
    rate = _bytes_a_second(shape.rate) if shape.rate else 0
    options = _NETEM_QOPT.pack(delay, shape.limit or LIMIT, _probability(shape.loss), gap, _probability(shape.duplicate), jitter)
    options += attribute(TCA_NETEM_LATENCY64, struct.pack("=q", shape.delay.ns))
    options += attribute(TCA_NETEM_JITTER64, struct.pack("=q", shape.jitter.ns))
    options += attribute(TCA_NETEM_REORDER, struct.pack("=II", _probability(shape.reorder), 0))
    options += attribute(TCA_NETEM_CORRUPT, struct.pack("=II", _probability(shape.corrupt), 0))
    options += attribute(TCA_NETEM_RATE64, struct.pack("=Q", rate)) if rate > _LARGEST else b""
    options += attribute(TCA_NETEM_RATE, struct.pack("=IiIi", min(rate, _LARGEST), 0, 0, 0))
    options += attribute(TCA_NETEM_PRNG_SEED, struct.pack("=Q", shape.seed & (1 << 64) - 1)) if shape.seed is not None else b""
    return _qdisc(ifindex, "netem", options, handle=_NETEM_HANDLE, parent=TC_H_ROOT)


def tbf(ifindex: int, shape: Shape, *, mtu: int = 1500) -> bytes:
    """The messages that make tbf the root queueing discipline of an interface of this MTU: of a shape, the rate and the limit.

    The packets wait in a queue of tbf's own class, since tbf itself would count them in bytes.
    """
    rate = _bytes_a_second(shape.rate)
    burst = max(mtu + _FRAME_HEADER, rate // _SAVED)
    limit = shape.limit or LIMIT
    ticks = min((burst * 1_000_000_000 // rate) >> _TICK_SHIFT, _LARGEST)
    specification = struct.pack("=BBHhHI", 0, TC_LINKLAYER_ETHERNET, 0, 0, 0, min(rate, _LARGEST))
    backlog = min(limit * (mtu + _FRAME_HEADER), _LARGEST)
    options = attribute(TCA_TBF_PARMS, specification + bytes(12) + struct.pack("=III", backlog, ticks, 0))
    options += attribute(TCA_TBF_BURST, struct.pack("=I", min(burst, _LARGEST)))
    if rate > _LARGEST:
        options += attribute(TCA_TBF_RATE64, struct.pack("=Q", rate))
    made = _qdisc(ifindex, "tbf", options, handle=_TBF_HANDLE, parent=TC_H_ROOT)
    return made + _qdisc(ifindex, "pfifo", struct.pack("=I", limit), handle=0, parent=_TBF_CLASS)


def apply(route: socket.socket, ifindex: int, shape: Shape, *, mtu: int = 1500, by: str = "") -> tuple[str, ...]:
    """Shape what leaves an interface, by a netlink route socket of its namespace, instead of what shaped it before. A shape of
    nothing lets all go at once. Gives what the kernel did without, in words. ``by`` is "netem" or "tbf" where it is to be that one.

    That can only be the seed: the packets fall to the same odds, but not to the same dice each time. Raises HostError when the
    kernel lacks what the shape needs otherwise, LabError when it refuses for another reason.
    """
    asked = _quantities(shape)
    if not asked:
        _remove(route, ifindex, shape)
        return ()
    if by != "tbf":
        try:
            return _by_netem(route, ifindex, shape, asked)
        except _UnknownError:
            if by == "netem" or asked not in (["rate"], ["rate", "limit"]):
                what = f"{', '.join(asked[:-1])} and {asked[-1]} need" if len(asked) > 1 else f"{asked[0]} needs"
                raise HostError(f"{shape.place}: this kernel has no netem, which {what}", _NETEM_FIX) from None
    try:
        _send(route, tbf(ifindex, shape, mtu=mtu), "tbf", shape)
    except _UnknownError:
        raise HostError(f"{shape.place}: this kernel has neither netem nor tbf, one of which rate needs", _EITHER_FIX) from None
    return ()


def _by_netem(route: socket.socket, ifindex: int, shape: Shape, asked: Sequence[str]) -> tuple[str, ...]:
    if shape.jitter.ns >= _LONGEST_JITTER:
        raise HostError(f"{shape.place}: netem varies a delay by less than 2.147 s, not by {shape.jitter}", "a shorter jitter")
    _send(route, netem(ifindex, shape), "netem", shape)
    if shape.seed is None or not {"jitter", "loss", "duplicate", "corrupt", "reorder"} & set(asked) or _has_seed(route, ifindex):
        return ()
    return (f"{shape.place}: this kernel's netem takes no seed (Linux 6.7): its losses and delays differ from run to run",)


class _UnknownError(Exception):
    """The kernel does not know a queueing discipline."""


def _quantities(shape: Shape) -> list[str]:
    """The names of the quantities that a shape gives, as in a topology file."""
    names = ("delay", "jitter", "loss", "duplicate", "corrupt", "reorder", "rate", "limit")
    return [name for name in names if getattr(shape, name) not in (0, NONE)]


def _probability(share: float) -> int:
    return round(share * _LARGEST)


def _bytes_a_second(rate: int) -> int:
    return max(1, round(rate / 8))


def _qdisc(ifindex: int, kind: str, options: bytes, *, handle: int, parent: int) -> bytes:
    body = _TCMSG.pack(0, ifindex, handle, parent, 0)
    body += attribute(TCA_KIND, kind.encode() + b"\0") + attribute(TCA_OPTIONS, options)
    flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_REPLACE
    return _HEADER.pack(_HEADER.size + len(body), RTM_NEWQDISC, flags, 0, 0) + body


def _send(route: socket.socket, messages: bytes, kind: str, shape: Shape) -> None:
    try:
        exchange(route, _split(messages))
    except RefusedError as error:
        if error.number == errno.ENOENT:
            raise _UnknownError from None
        words = os.strerror(error.number) + (f" ({error.words})" if error.words else "")
        raise LabError(f"{shape.place}: the kernel did not accept {kind}: {words}") from error


def _remove(route: socket.socket, ifindex: int, shape: Shape) -> None:
    """Take an interface's queueing discipline away, if it has one; there is then the kernel's own."""
    body = _TCMSG.pack(0, ifindex, 0, TC_H_ROOT, 0)
    with suppress(_UnknownError):
        _send(route, _HEADER.pack(_HEADER.size + len(body), RTM_DELQDISC, NLM_F_REQUEST, 0, 0) + body, "no discipline", shape)


def _split(messages: bytes) -> list[bytes]:
    """Each message by itself."""
    found = []
    while messages:
        (length,) = struct.unpack_from("=I", messages)
        found.append(messages[:length])
        messages = messages[length:]
    return found


def _has_seed(route: socket.socket, ifindex: int) -> bool:
    """Whether the interface's netem says that it has a seed: a kernel that knows none takes the message all the same."""
    route.send(_HEADER.pack(_HEADER.size + _TCMSG.size, RTM_GETQDISC, NLM_F_REQUEST | NLM_F_DUMP, 2, 0) + bytes(_TCMSG.size))
    seeded = False
    while True:
        answer = route.recv(1 << 16)
        offset = 0
        while offset < len(answer):
            length, kind = struct.unpack_from("=IH", answer, offset)
            if kind == NLMSG_ERROR:
                raise LabError("the kernel did not list its queueing disciplines")
            if kind == NLMSG_DONE:
                return seeded
            start = offset + _HEADER.size
            _, index, _, parent, _ = _TCMSG.unpack_from(answer, start)
            if (index, parent) == (ifindex, TC_H_ROOT):
                options = dict(attributes(answer[start + _TCMSG.size : offset + length])).get(TCA_OPTIONS, b"")
                seeded = TCA_NETEM_PRNG_SEED in dict(attributes(options[_NETEM_QOPT.size :]))
            offset += (length + 3) & ~3


def attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Each attribute of a netlink message: its type, without the flags, and what it holds (netlink(7))."""
    while len(data) >= 4:
        size, kind = struct.unpack_from("=HH", data)
        yield kind & 0x3FFF, data[4:size]
        data = data[max(4, (size + 3) & ~3) :]
