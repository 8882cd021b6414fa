"""The named constants of the sockets API and their numbers on Linux: SOCK_STREAM, EAGAIN, POLLIN, SIOCOUTQ.

Most come from the standard library, which took them from this machine's headers; a short table adds those that Python lacks. It
does not know which constant makes sense in which argument.
"""

import difflib
import errno
import fcntl
import os
import re
import resource
import select
import signal
import socket
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

_UPPER = re.compile(r"[A-Z][A-Z0-9_]*")

_TAKEN = (
    (socket, ("AF_", "SOCK_", "SO_", "SOL_", "IPPROTO_", "IP_", "IPV6_", "TCP_", "MSG_", "SHUT_", "SCM_", "SOMAXCONN", "INADDR_")),
    (errno, ("E",)),
    (select, ("POLL", "EPOLL")),
    (fcntl, ("F_", "FD_")),
    (os, ("O_", "SEEK_", "F_OK", "R_OK", "W_OK", "X_OK")),
    (signal, ("SIG",)),
    (resource, ("RLIMIT_", "RLIM_INFINITY")),
)

# Values from the kernel's own headers (include/uapi), for what Python 3.11 does not have.
_FROM_HEADERS = {
    # include/uapi/asm-generic/socket.h
    "SO_NO_CHECK": 11, "SO_BSDCOMPAT": 14, "SO_PASSCRED": 16, "SO_PEERCRED": 17, "SO_RCVLOWAT": 18, "SO_SNDLOWAT": 19,
    "SO_PEERNAME": 28, "SO_TIMESTAMP": 29, "SO_ACCEPTCONN": 30, "SO_PEERSEC": 31, "SO_SNDBUFFORCE": 32, "SO_RCVBUFFORCE": 33,
    "SO_PASSSEC": 34, "SO_TIMESTAMPNS": 35, "SO_MARK": 36, "SO_TIMESTAMPING": 37, "SO_PROTOCOL": 38, "SO_DOMAIN": 39,
    "SO_RXQ_OVFL": 40, "SO_WIFI_STATUS": 41, "SO_PEEK_OFF": 42, "SO_NOFCS": 43, "SO_LOCK_FILTER": 44,
    "SO_SELECT_ERR_QUEUE": 45, "SO_BUSY_POLL": 46, "SO_MAX_PACING_RATE": 47, "SO_INCOMING_CPU": 49, "SO_MEMINFO": 55,
    "SO_INCOMING_NAPI_ID": 56, "SO_COOKIE": 57, "SO_PEERGROUPS": 59, "SO_ZEROCOPY": 60, "SO_TXTIME": 61,
    "SO_BINDTOIFINDEX": 62, "SO_NETNS_COOKIE": 71, "SO_BUF_LOCK": 72, "SO_RESERVE_MEM": 73, "SO_TXREHASH": 74, "SO_RCVMARK": 75,
    "SO_PASSPIDFD": 76, "SO_PEERPIDFD": 77, "SO_SNDTIMEO": 21, "SO_RCVTIMEO": 20, "SO_PRIORITY": 12, "SO_BINDTODEVICE": 25,
    "SO_ATTACH_FILTER": 26, "SO_DETACH_FILTER": 27,
    # include/uapi/linux/in.h
    "IP_ROUTER_ALERT": 5, "IP_PKTINFO": 8, "IP_PKTOPTIONS": 9, "IP_MTU_DISCOVER": 10, "IP_RECVERR": 11, "IP_RECVTTL": 12,
    "IP_RECVTOS": 13, "IP_MTU": 14, "IP_FREEBIND": 15, "IP_TRANSPARENT": 19, "IP_RECVORIGDSTADDR": 20, "IP_MINTTL": 21,
    "IP_NODEFRAG": 22, "IP_BIND_ADDRESS_NO_PORT": 24, "IP_RECVFRAGSIZE": 25, "IP_RECVERR_RFC4884": 26, "IP_UNBLOCK_SOURCE": 37,
    "IP_BLOCK_SOURCE": 38, "IP_ADD_SOURCE_MEMBERSHIP": 39, "IP_DROP_SOURCE_MEMBERSHIP": 40, "IP_MULTICAST_ALL": 49,
    "IP_UNICAST_IF": 50, "IP_LOCAL_PORT_RANGE": 51, "IP_PMTUDISC_DONT": 0, "IP_PMTUDISC_WANT": 1, "IP_PMTUDISC_DO": 2,
    "IP_PMTUDISC_PROBE": 3, "IP_PMTUDISC_INTERFACE": 4, "IP_PMTUDISC_OMIT": 5, "MCAST_JOIN_GROUP": 42, "MCAST_LEAVE_GROUP": 45,
    # include/uapi/linux/icmp.h, icmpv6.h
    "ICMP_FILTER": 1, "ICMPV6_FILTER": 1,
    # include/uapi/linux/in6.h
    "IPV6_MTU_DISCOVER": 23, "IPV6_MTU": 24, "IPV6_RECVERR": 25, "IPV6_ROUTER_ALERT": 22, "IPV6_MULTICAST_ALL": 29,
    "IPV6_AUTOFLOWLABEL": 70, "IPV6_MINHOPCOUNT": 73, "IPV6_TRANSPARENT": 75, "IPV6_UNICAST_IF": 76, "IPV6_FREEBIND": 78,
    "IPV6_ADDRFORM": 1, "IPV6_2292PKTINFO": 2, "IPV6_HDRINCL": 36, "IPV6_ORIGDSTADDR": 74, "IPV6_RECVORIGDSTADDR": 74,
    # include/uapi/linux/tcp.h
    "TCP_MD5SIG": 14, "TCP_THIN_LINEAR_TIMEOUTS": 16, "TCP_THIN_DUPACK": 17, "TCP_USER_TIMEOUT": 18, "TCP_REPAIR": 19,
    "TCP_REPAIR_QUEUE": 20, "TCP_QUEUE_SEQ": 21, "TCP_REPAIR_OPTIONS": 22, "TCP_FASTOPEN": 23, "TCP_TIMESTAMP": 24,
    "TCP_NOTSENT_LOWAT": 25, "TCP_CC_INFO": 26, "TCP_SAVE_SYN": 27, "TCP_SAVED_SYN": 28, "TCP_REPAIR_WINDOW": 29,
    "TCP_FASTOPEN_CONNECT": 30, "TCP_ULP": 31, "TCP_MD5SIG_EXT": 32, "TCP_FASTOPEN_KEY": 33, "TCP_FASTOPEN_NO_COOKIE": 34,
    "TCP_ZEROCOPY_RECEIVE": 35, "TCP_INQ": 36, "TCP_TX_DELAY": 37, "TCP_IS_MPTCP": 43, "TCP_RTO_MAX_MS": 44, "TCP_RTO_MIN_US": 45,
    "TCP_DELACK_MAX_US": 46,
    # include/uapi/linux/udp.h, include/linux/socket.h
    "UDP_CORK": 1, "UDP_ENCAP": 100, "UDP_SEGMENT": 103, "UDP_GRO": 104, "SOL_UDP": 17, "SOL_RAW": 255, "SOL_PACKET": 263,
    "SOL_NETLINK": 270, "SOL_IPV6": 41, "SOL_ICMPV6": 58, "MSG_PROXY": 0x10, "MSG_PROBE": 0x10, "MSG_FIN": 0x200, "MSG_SYN": 0x400,
    "MSG_RST": 0x1000, "MSG_MORE": 0x8000, "MSG_WAITFORONE": 0x10000, "MSG_BATCH": 0x40000, "MSG_ZEROCOPY": 0x4000000,
    "MSG_FASTOPEN": 0x20000000, "MSG_CMSG_CLOEXEC": 0x40000000, "MSG_CONFIRM": 0x800, "MSG_NOSIGNAL": 0x4000,
    "MSG_ERRQUEUE": 0x2000, "MSG_EOR": 0x80, "MSG_TRUNC": 0x20, "MSG_CTRUNC": 8, "SCM_RIGHTS": 1, "SCM_CREDENTIALS": 2,
    "SCM_SECURITY": 3, "AF_MAX": 46, "AF_LOCAL": 1, "AF_MPLS": 28, "AF_XDP": 44, "IPPROTO_MPTCP": 262, "IPPROTO_UDPLITE": 136,
    # include/uapi/asm-generic/sockios.h, ioctls.h and linux/sockios.h
    "FIOSETOWN": 0x8901, "SIOCSPGRP": 0x8902, "FIOGETOWN": 0x8903, "SIOCGPGRP": 0x8904, "SIOCATMARK": 0x8905, "SIOCINQ": 0x541B,
    "FIONREAD": 0x541B, "SIOCOUTQ": 0x5411, "TIOCOUTQ": 0x5411, "FIONBIO": 0x5421, "FIOASYNC": 0x5452, "FIOCLEX": 0x5451,
    "FIONCLEX": 0x5450, "SIOCOUTQNSD": 0x894B, "SIOCGIFNAME": 0x8910, "SIOCGIFCONF": 0x8912, "SIOCGIFFLAGS": 0x8913,
    "SIOCSIFFLAGS": 0x8914, "SIOCGIFADDR": 0x8915,
    "SIOCGIFMTU": 0x8921, "SIOCGIFHWADDR": 0x8927, "SIOCGIFINDEX": 0x8933,
    # include/uapi/linux/sched.h
    "CLONE_NEWNET": 0x40000000,
    # include/uapi/asm-generic/signal-defs.h
    "SA_RESTART": 0x10000000,
    # include/uapi/linux/eventpoll.h
    "EPOLL_CTL_ADD": 1, "EPOLL_CTL_DEL": 2, "EPOLL_CTL_MOD": 3,
    # include/uapi/asm-generic/poll.h, fcntl.h; include/linux/errno.h (an internal number that reaches programs even so)
    "POLLMSG": 0x400, "POLLRDHUP": 0x2000, "F_DUPFD": 0, "F_DUPFD_CLOEXEC": 1030, "F_SETSIG": 10, "F_GETSIG": 11, "ENOTSUPP": 524,
}  # fmt: skip

_PREFERRED = ("EAGAIN", "EOPNOTSUPP", "EDEADLK", "AF_UNIX", "PF_UNIX", "O_NONBLOCK", "MSG_DONTROUTE", "MSG_EOR")


@cache
def _numbers() -> Mapping[str, int]:
    found = dict(_FROM_HEADERS)
    for module, prefixes in _TAKEN:
        for name, value in vars(module).items():
            if _UPPER.fullmatch(name) and name.startswith(prefixes) and isinstance(value, int):
                found[name] = int(value)
    found |= {"PF_" + name.removeprefix("AF_"): value for name, value in found.items() if name.startswith("AF_")}
    return MappingProxyType(found)


@cache
def _errno_names() -> Mapping[int, str]:
    names: dict[int, str] = {}
    for name, number in _numbers().items():
        if is_errno(name) and (number not in names or name in _PREFERRED):
            names[number] = name
    return MappingProxyType(names)


def known(name: str) -> bool:
    """Whether this is the name of a constant."""
    return name in _numbers()


def constant(name: str) -> int:
    """The constant's number on Linux; raises ValueError for a name that is none."""
    try:
        return _numbers()[name]
    except KeyError:
        raise ValueError(f"{name} is no constant that netlab knows") from None


def combined(names: tuple[str | int, ...]) -> int:
    """The number that ``A|B|4`` stands for."""
    total = 0
    for name in names:
        total |= name if isinstance(name, int) else constant(name)
    return total


def is_errno(name: str) -> bool:
    """Whether this is an errno's name: EINVAL, but neither EPOLLIN nor E2SMALL."""
    return name in _numbers() and (hasattr(errno, name) or name == "ENOTSUPP")


def is_signal(name: str) -> bool:
    """Whether this is a signal's name: SIGPIPE, but not SIG_IGN."""
    return known(name) and name.startswith("SIG") and not name.startswith("SIG_")


def suggest(name: str, prefix: str = "") -> str:
    """The constant (with this prefix) whose name is closest, or "" when none is close."""
    candidates = [known_name for known_name in _numbers() if known_name.startswith(prefix)]
    close = difflib.get_close_matches(name.upper(), candidates, n=1, cutoff=0.75)
    return close[0] if close else ""


def suggest_errno(name: str) -> str:
    """The errno whose name is closest, or ""."""
    close = difflib.get_close_matches(name.upper(), sorted(_errno_names().values()), n=1, cutoff=0.6)
    return close[0] if close else ""


def errno_name(number: int) -> str:
    """The one name of an errno: EAGAIN for 11 (never EWOULDBLOCK), EOPNOTSUPP for 95 (never ENOTSUP); "" for 0."""
    return "" if number == 0 else _errno_names().get(number, f"errno {number}")


def canonical_errno(name: str) -> str:
    """The same errno by its one name: EAGAIN for EWOULDBLOCK."""
    return errno_name(constant(name))


@cache
def names_with(prefix: str, *, without: tuple[str, ...] = ()) -> Mapping[int, str]:
    """Number to name of all constants with ``prefix``, but for those that begin with one of ``without``; one name a number."""
    names: dict[int, str] = {}
    for name, number in _numbers().items():
        if name.startswith(prefix) and not name.startswith(without) and (number not in names or name in _PREFERRED):
            names[number] = name
    return MappingProxyType(names)


@cache
def _bits(prefix: str) -> tuple[tuple[int, str], ...]:
    """The bits whose constants begin with ``prefix``, the lowest first, one name each."""
    by_bit: dict[int, str] = {}
    for name, value in _numbers().items():
        # EPOLL_CTL_ADD and EPOLL_CLOEXEC are no events.
        if name.startswith("EPOLL_") and not prefix.startswith("EPOLL_"):
            continue
        if name.startswith(prefix) and value > 0 and value & (value - 1) == 0 and (value not in by_bit or name in _PREFERRED):
            by_bit[value] = name
    return tuple(sorted(by_bit.items()))


def flag_names(prefix: str, bits: int) -> str:
    """The bits by name, lowest first: flag_names("POLL", 17) is "POLLIN|POLLHUP"; bits without a name in hex; "0" for none."""
    by_bit = _bits(prefix)
    named = [name for value, name in by_bit if bits & value]
    rest = bits & ~sum(value for value, _ in by_bit)
    return "|".join([*named, *([hex(rest)] if rest else [])]) or "0"
