"""Gives the links of a running lab the quantities that their topology asks for, by what engines.py chooses.

Where that is the kernel, it is a queueing discipline in the middle of the link, each way. Where it is the wire (wire.py), such a
link's frames are left to it from then on. It does not know how a queueing discipline is made, nor how the wire does what it does.
"""

import socket
import struct
from contextlib import ExitStack

from netlab.errors import HostError
from netlab.impair import qdisc
from netlab.impair.engines import NETEM, TBF, Way, engine_for
from netlab.lab.build import NETLINK_EXT_ACK, NETLINK_ROUTE, SOL_NETLINK, attribute, exchange
from netlab.lab.lab import Lab, Middle
from netlab.lab.program import FAR_INDEX, NEAR_INDEX
from netlab.topology.spec import Shape

__all__ = ["shape"]

_RTM_NEWLINK, _NLM_F_REQUEST, _IFLA_MASTER = 16, 1, 10


def shape(lab: Lab, *, recorded: bool = True, seeded: bool = True) -> tuple[str, ...]:
    """Shape every link of the lab that has shapes; gives what the kernel did without, in words. For ``recorded`` and ``seeded`` see
    engines.engine_for.

    It is to be called before ``Wire.of``: links whose shapes the kernel cannot carry out are the wire's afterwards.
    """
    without: list[str] = []
    for middle in lab.middles.values():
        if middle.sockets is None and any(middle.wire.shapes):
            with middle.space.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_ROUTE) as route:
                route.setsockopt(SOL_NETLINK, NETLINK_EXT_ACK, 1)
                without += _shaped(route, lab, middle, recorded, seeded)
    return tuple(without)


def _shaped(route: socket.socket, lab: Lab, middle: Middle, recorded: bool, seeded: bool) -> list[str]:
    """Try the engines one after the other: what the kernel lacks is known only then."""
    lacking: dict[str, str] = {}
    while True:
        ways = [Way(shape=wanted) for wanted in middle.wire.shapes]
        engine = engine_for(ways, lacking=lacking, recorded=recorded, seeded=seeded)
        if engine.name not in (NETEM, TBF):
            _divert(route, lab, middle)
            return []
        try:
            without = _by_kernel(route, middle, engine.name)
        except HostError as error:
            lacking[engine.name] = error.lacks
            continue
        middle.engine = str(engine)
        return without


def _by_kernel(route: socket.socket, middle: Middle, name: str) -> list[str]:
    """Both directions by the kernel; where it can do only one of them, neither is."""
    without: list[str] = []
    with ExitStack() as undo:
        # what goes from the first end to the second leaves the middle by the interface that faces the second
        for wanted, index in zip(middle.wire.shapes, (FAR_INDEX, NEAR_INDEX), strict=True):
            if wanted is not None:
                without += qdisc.apply(route, index, wanted, mtu=middle.wire.mtu, by=name)
                undo.callback(qdisc.apply, route, index, _nothing(wanted))
        undo.pop_all()
    return without


def _nothing(wanted: Shape) -> Shape:
    return Shape(delay=qdisc.NONE, jitter=qdisc.NONE, place=wanted.place)


def _divert(route: socket.socket, lab: Lab, middle: Middle) -> None:
    """Take the middle's two interfaces out of its bridge, and leave what comes to whoever reads its sockets."""
    messages = []
    for index in (NEAR_INDEX, FAR_INDEX):
        body = struct.pack("=BxHiII", 0, 0, index, 0, 0) + attribute(_IFLA_MASTER, struct.pack("=I", 0))
        messages.append(struct.pack("=IHHII", 16 + len(body), _RTM_NEWLINK, _NLM_F_REQUEST, 0, 0) + body)
    exchange(route, messages)
    lab.face(middle)
