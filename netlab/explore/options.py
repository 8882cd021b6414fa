"""Which socket options generated sequences try, and with which values, right and wrong: those of the man pages of section 7.

What an option does, which values it takes and which it refuses is not known here.
"""

from netlab.notation.values import BadPointer, Buffer, Constant, Name, Number, Structure, Text, Value

SOCKET = (
    "SO_ACCEPTCONN", "SO_BINDTODEVICE", "SO_BROADCAST", "SO_BSDCOMPAT", "SO_DEBUG", "SO_DOMAIN", "SO_DONTROUTE", "SO_ERROR",
    "SO_INCOMING_CPU", "SO_KEEPALIVE", "SO_LINGER", "SO_LOCK_FILTER", "SO_MARK", "SO_OOBINLINE", "SO_PASSCRED", "SO_PASSSEC",
    "SO_PEEK_OFF", "SO_PEERCRED", "SO_PRIORITY", "SO_PROTOCOL", "SO_RCVBUF", "SO_RCVBUFFORCE", "SO_RCVLOWAT", "SO_RCVTIMEO",
    "SO_REUSEADDR", "SO_REUSEPORT", "SO_RXQ_OVFL", "SO_SELECT_ERR_QUEUE", "SO_SNDBUF", "SO_SNDBUFFORCE", "SO_SNDLOWAT",
    "SO_SNDTIMEO", "SO_TIMESTAMP", "SO_TIMESTAMPNS", "SO_TYPE", "SO_BUSY_POLL", "SO_PEERNAME", "SO_COOKIE", "SO_MEMINFO",
    "SO_NO_CHECK", "SO_ZEROCOPY",
)  # fmt: skip
"""socket(7), and unix(7) for those about credentials."""

IP = (
    "IP_ADD_MEMBERSHIP", "IP_BIND_ADDRESS_NO_PORT", "IP_DROP_MEMBERSHIP", "IP_FREEBIND", "IP_HDRINCL", "IP_MINTTL", "IP_MTU",
    "IP_MTU_DISCOVER", "IP_MULTICAST_ALL", "IP_MULTICAST_IF", "IP_MULTICAST_LOOP", "IP_MULTICAST_TTL", "IP_NODEFRAG", "IP_OPTIONS",
    "IP_PKTINFO", "IP_RECVERR", "IP_RECVOPTS", "IP_RECVORIGDSTADDR", "IP_RECVTOS", "IP_RECVTTL", "IP_RETOPTS",
    "IP_ROUTER_ALERT", "IP_TOS", "IP_TRANSPARENT", "IP_TTL",
)  # fmt: skip
"""ip(7)."""

IPV6 = (
    "IPV6_ADDRFORM", "IPV6_JOIN_GROUP", "IPV6_LEAVE_GROUP", "IPV6_MTU", "IPV6_MTU_DISCOVER", "IPV6_MULTICAST_HOPS",
    "IPV6_MULTICAST_IF", "IPV6_MULTICAST_LOOP", "IPV6_RECVPKTINFO", "IPV6_RTHDR", "IPV6_RECVHOPLIMIT", "IPV6_ROUTER_ALERT",
    "IPV6_UNICAST_HOPS", "IPV6_V6ONLY", "IPV6_RECVERR", "IPV6_TCLASS", "IPV6_RECVTCLASS",
)  # fmt: skip
"""ipv6(7)."""

TCP = (
    "TCP_CONGESTION", "TCP_CORK", "TCP_DEFER_ACCEPT", "TCP_INFO", "TCP_KEEPCNT", "TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_LINGER2",
    "TCP_MAXSEG", "TCP_NODELAY", "TCP_QUICKACK", "TCP_SYNCNT", "TCP_USER_TIMEOUT", "TCP_WINDOW_CLAMP", "TCP_FASTOPEN",
    "TCP_FASTOPEN_CONNECT", "TCP_NOTSENT_LOWAT", "TCP_SAVE_SYN", "TCP_SAVED_SYN", "TCP_TIMESTAMP", "TCP_INQ",
)  # fmt: skip
"""tcp(7), and what include/uapi/linux/tcp.h has besides."""

UDP = ("UDP_CORK", "UDP_SEGMENT", "UDP_GRO")
"""udp(7)."""

LEVELS = {"SOL_SOCKET": SOCKET, "IPPROTO_IP": IP, "IPPROTO_IPV6": IPV6, "IPPROTO_TCP": TCP, "IPPROTO_UDP": UDP}
FITTING = {
    "tcp": ("SOL_SOCKET", "IPPROTO_TCP", "IPPROTO_IP", "IPPROTO_IPV6"),
    "udp": ("SOL_SOCKET", "IPPROTO_IP", "IPPROTO_UDP", "IPPROTO_IPV6"),
    "raw": ("SOL_SOCKET", "IPPROTO_IP"),
}
"""The levels that a kind of socket knows; every other kind knows SOL_SOCKET."""

_NUMBERS = (1, 0, 2, 5, -1, 64, 255, 256, 1000, 4096, 65_536, 1_000_000, 0x7FFFFFFF, -0x80000000)
_STRUCTURES: dict[str, tuple[Value, ...]] = {
    "SO_LINGER": tuple(Structure("linger", members) for members in ((0, 0), (1, 0), (0, 5), (1, 0), (1, -1))),
    "SO_RCVTIMEO": tuple(
        Structure("timeval", members) for members in ((0, 0), (0, 1000), (0, 3000), (1, 0), (-1, 0), (0, 1_000_000))
    ),
    "SO_SNDTIMEO": tuple(
        Structure("timeval", members) for members in ((0, 0), (0, 1000), (0, 3000), (1, 0), (-1, 0), (0, 1_000_000))
    ),
    "SO_BINDTODEVICE": (Text(b""), Text(b"lo"), Text(b"nothing0"), Text(b"a-name-much-too-long")),
    "TCP_CONGESTION": (Text(b"reno"), Text(b"reno"), Text(b"")),
    "IP_ADD_MEMBERSHIP": (Structure("ip_mreq", (0xEF010101, 0x7F000001)), Structure("ip_mreq", (0x0A000001, 0))),
    "IP_DROP_MEMBERSHIP": (Structure("ip_mreq", (0xEF010101, 0x7F000001)), Structure("ip_mreq", (0xEF020202, 0))),
}
"""Values in the option's own form, where that is no int; 239.1.1.1, 127.0.0.1 and the like are in ip_mreq."""


def level_and_option(kind: str, shape: int, which: int) -> tuple[str, str]:
    """A level that mostly fits a kind of descriptor, and one of its options."""
    fitting = FITTING.get(kind, ("SOL_SOCKET",))
    levels = fitting if shape < 216 else tuple(LEVELS)
    level = levels[shape % len(levels)]
    names = LEVELS[level]
    return level, names[which * len(names) >> 8]


def level_value(level: str, option: str, shape: int, which: int) -> tuple[Value, ...]:
    """Level and option, or numbers that nothing has, and the value that setsockopt() gets, with its length where that is wrong."""
    names: tuple[Value, ...] = (Constant((level,)), Constant((option,)))
    if shape >= 250:
        names = (Number(which), Constant((option,))) if shape & 1 else (Constant((level,)), Number(which * 7))
    own = _STRUCTURES.get(option)
    value: Value = own[which % len(own)] if own and shape < 200 else Number(_NUMBERS[which * len(_NUMBERS) >> 8])
    wrong = shape % 8 if 120 <= shape < 250 else 0
    if wrong == 1:
        return *names, value, Number((0, 1, 3, -1, 2)[which % 5])
    if wrong == 2:
        return *names, BadPointer(null=which < 100, size=4)
    if wrong == 3:
        return *names, value, Number((64, 8, 17, 4)[which % 4])
    return *names, value


def level_room(level: str, option: str, shape: int, which: int) -> tuple[Value, ...]:
    """Level and option, and the room that getsockopt() gets: enough, too little, or none that there is."""
    names: tuple[Value, ...] = (Constant((level,)), Constant((option,)))
    if shape >= 250:
        names = (Number(which), Constant((option,))) if shape & 1 else (Constant((level,)), Number(which * 7))
    wrong = shape % 8 if 120 <= shape < 250 else 0
    if wrong == 1:
        return *names, BadPointer(null=which < 100, size=4)
    if wrong == 2:
        return *names, Name("BUF"), Number((-1, 0, 1, 2, 3)[which % 5])
    if wrong == 3:
        return *names, Name("BUF"), BadPointer(null=which < 100)
    if wrong == 4:
        return *names, Buffer(64), Number(64)
    return names
