"""Gives the links of a running lab the quantities that their topology asks for: a queueing discipline in the middle, each way.

It does not know how a queueing discipline is made, and leaves packets that rules look at one by one to the wire.
"""

import socket

from netlab.impair import qdisc
from netlab.lab.build import NETLINK_EXT_ACK, NETLINK_ROUTE, SOL_NETLINK
from netlab.lab.lab import Lab
from netlab.lab.program import FAR_INDEX, NEAR_INDEX


def shape(lab: Lab) -> tuple[str, ...]:
    """Shape every link of the lab that has shapes; gives what the kernel did without, in words.

    Raises HostError when the kernel lacks what a shape needs.
    """
    without: list[str] = []
    for middle in lab.middles.values():
        onward, back = middle.wire.shapes
        if onward is None and back is None:
            continue
        with middle.space.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_ROUTE) as route:
            route.setsockopt(SOL_NETLINK, NETLINK_EXT_ACK, 1)
            # what goes from the first end to the second leaves the middle by the interface that faces the second
            for wanted, index in ((onward, FAR_INDEX), (back, NEAR_INDEX)):
                if wanted is not None:
                    without += qdisc.apply(route, index, wanted, mtu=middle.wire.mtu)
    return tuple(without)
