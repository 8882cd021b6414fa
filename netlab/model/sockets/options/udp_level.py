"""The options at level IPPROTO_UDP, as udp(7) describes them, one row each. It knows no other level."""

from typing import Any

from netlab.model.sockets.options.shape import Option, Refused, flags, option, within
from netlab.model.sockets.situation import Situation

_LEVEL = "IPPROTO_UDP"
_SOURCE = "udp(7)"
_MOST_SEGMENT = 65535  # USHRT_MAX: udp_lib_setsockopt() in net/ipv4/udp.c


def _encapsulation(_: Situation, number: int) -> Any:
    """0, IPsec's UDP_ENCAP_ESPINUDP, UDP_ENCAP_L2TPINUDP; others are set by the protocols of the kernel themselves."""
    return number if number in (0, 2, 3) else Refused("ENOPROTOOPT", "name")


ROWS: tuple[Option, ...] = (
    *flags(_LEVEL, "UDP_CORK UDP_GRO", _SOURCE, kinds=("udp",)),
    option(_LEVEL, "UDP_SEGMENT", _SOURCE, takes=within(0, _MOST_SEGMENT), kinds=("udp",)),
    option(_LEVEL, "UDP_ENCAP", _SOURCE, takes=_encapsulation, kinds=("udp",)),
)

LEFT_OUT = frozenset([101, 102, 10, 11, *range(105, 256)])
"""Checksums over IPv6, UDP-Lite's coverage, and numbers that later kernels may use."""
