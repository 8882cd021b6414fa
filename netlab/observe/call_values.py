"""The values that system calls carry, from numbers and bytes to words: addresses, flags, options, control messages. Pure.

What has no name stays a number; what is too short to be read is None or left out. It knows nothing of calls.
"""

import ipaddress
import socket
import struct
from functools import lru_cache
from typing import Any

from netlab.notation.constants import constant, errno_name, flag_names, names_with

_LEVELS = {constant(name): name for name in ("SOL_SOCKET", "IPPROTO_IP", "IPPROTO_IPV6", "IPPROTO_TCP", "IPPROTO_UDP")}
_OPTIONS: dict[str, tuple[str, tuple[str, ...]]] = {
    "SOL_SOCKET": ("SO_", ("SO_VM_", "SO_J1939_")),
    "IPPROTO_IP": ("IP_", ("IP_PMTUDISC_", "IP_DEFAULT_", "IP_MAX_")),
    "IPPROTO_IPV6": ("IPV6_", ()),
    "IPPROTO_TCP": ("TCP_", ()),
    "IPPROTO_UDP": ("UDP_", ()),
}
_TEXTS = frozenset({"SO_BINDTODEVICE", "TCP_CONGESTION", "TCP_ULP"})
_STRUCTURES = {
    "SO_LINGER": ("=ii", ("onoff", "linger")),
    "SO_RCVTIMEO": ("=qq", ("sec", "usec")),
    "SO_SNDTIMEO": ("=qq", ("sec", "usec")),
}
_SIGNED = {1: "=b", 2: "=h", 4: "=i", 8: "=q"}
_COMMANDS = {
    constant(name): name
    for name in ("F_DUPFD", "F_DUPFD_CLOEXEC", "F_GETFD", "F_SETFD", "F_GETFL", "F_SETFL", "F_GETOWN", "F_SETOWN")
}  # fmt: skip
_REQUESTS = {**names_with("SIOC", without=("SIOCINQ",)), **names_with("FIO")}
INT_REQUESTS = frozenset({"FIONREAD", "FIONBIO", "FIOASYNC", "SIOCOUTQ", "SIOCOUTQNSD", "SIOCATMARK"})
"""Those whose argument is the address of an int."""
_ACCESS = {0: "O_RDONLY", 1: "O_WRONLY", 2: "O_RDWR"}
_LARGE_FILE = 0x8000
_CLOSE_RANGE = {2: "CLOSE_RANGE_UNSHARE", 4: "CLOSE_RANGE_CLOEXEC"}
# include/uapi/linux/sched.h
_CLONE = {
    0x100: "CLONE_VM", 0x200: "CLONE_FS", 0x400: "CLONE_FILES", 0x800: "CLONE_SIGHAND", 0x1000: "CLONE_PIDFD",
    0x2000: "CLONE_PTRACE", 0x4000: "CLONE_VFORK", 0x8000: "CLONE_PARENT", 0x10000: "CLONE_THREAD", 0x20000: "CLONE_NEWNS",
    0x40000: "CLONE_SYSVSEM", 0x80000: "CLONE_SETTLS", 0x100000: "CLONE_PARENT_SETTID", 0x200000: "CLONE_CHILD_CLEARTID",
    0x800000: "CLONE_UNTRACED", 0x1000000: "CLONE_CHILD_SETTID", 0x2000000: "CLONE_NEWCGROUP", 0x4000000: "CLONE_NEWUTS",
    0x8000000: "CLONE_NEWIPC", 0x10000000: "CLONE_NEWUSER", 0x20000000: "CLONE_NEWPID", 0x40000000: "CLONE_NEWNET",
    0x80000000: "CLONE_IO", 0x100000000: "CLONE_CLEAR_SIGHAND", 0x200000000: "CLONE_INTO_CGROUP",
}  # fmt: skip


def address(raw: bytes) -> dict[str, Any]:
    """{"address": [IP address, port]} or the path of a Unix socket ("@name" an abstract one); {"family": ...} for others.

    IPv4 in IPv6 clothes is written as IPv4, as packets and states have it.
    """
    if len(raw) < 2:
        return {}
    [family] = struct.unpack_from("=H", raw)
    if family == socket.AF_INET and len(raw) >= 8:
        return {"address": [socket.inet_ntop(socket.AF_INET, raw[4:8]), int.from_bytes(raw[2:4], "big")]}
    if family == socket.AF_INET6 and len(raw) >= 24:
        host = ipaddress.IPv6Address(raw[8:24])
        return {"address": [str(host.ipv4_mapped or host), int.from_bytes(raw[2:4], "big")]}
    if family == socket.AF_UNIX:
        name = raw[2:]
        if name[:1] == b"\0":
            return {"address": "@" + name[1:].decode(errors="replace")}
        path = name.split(b"\0")[0].decode(errors="replace")
        return {"address": path} if path else {"family": "AF_UNIX"}
    return {"family": named("AF_", family)}


@lru_cache(1024)
def flags(prefix: str, bits: int) -> tuple[str, ...]:
    """The bits by name: flags("POLL", 17) is ("POLLIN", "POLLHUP")."""
    return tuple(flag_names(prefix, bits).split("|")) if bits else ()


def flag_list(prefix: str, bits: int) -> list[str] | None:
    """The bits by name; None for none."""
    return list(flags(prefix, bits)) or None


def _bits(names: dict[int, str], bits: int) -> list[str] | None:
    rest = bits & ~sum(names)
    return [name for bit, name in names.items() if bits & bit] + ([hex(rest)] if rest else []) or None


def clone_flags(bits: int) -> list[str] | None:
    """The flags of clone(2) without the signal in the lowest byte; None for none."""
    return _bits(_CLONE, bits & ~0xFF)


def close_range_flags(bits: int) -> list[str] | None:
    """The flags of close_range(2); None for none."""
    return _bits(_CLOSE_RANGE, bits)


def named(prefix: str, number: int) -> str | int:
    """The constant's name, or the number of one that netlab does not know."""
    return names_with(prefix, without=("AF_MAX",)).get(number, number)


def option_names(level_number: int, option_number: int) -> tuple[str | int, str | int]:
    """A socket option's level and name; numbers where they have no name."""
    level = _LEVELS.get(level_number, level_number)
    prefix, without = _OPTIONS.get(str(level), ("", ()))
    return level, names_with(prefix, without=without).get(option_number, option_number) if prefix else option_number


def option_value(option: str, raw: bytes) -> Any:
    """An option's value: a number, a text, an errno's name for SO_ERROR, a structure's members; None for what is neither."""
    if option in _TEXTS:
        return raw.split(b"\0")[0].decode(errors="replace") if raw else None
    layout, names = _STRUCTURES.get(option, ("", ()))
    if layout:
        return dict(zip(names, struct.unpack_from(layout, raw), strict=True)) if len(raw) >= struct.calcsize(layout) else None
    if len(raw) not in _SIGNED:
        return None
    [value] = struct.unpack(_SIGNED[len(raw)], raw)
    return errno_name(value) if option == "SO_ERROR" and value else value


def passed(raw: bytes) -> dict[str, Any]:
    """The descriptors that a message's SCM_RIGHTS carries (cmsg(3)), as many as were copied."""
    fds: list[int] = []
    while len(raw) >= 16:
        length, level, kind = struct.unpack_from("=Qii", raw)
        if length < 16:
            break
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            body = raw[16:length]
            fds += struct.unpack_from(f"={len(body) // 4}i", body)
        raw = raw[(length + 7) & ~7 :]
    return {"descriptors": fds} if fds else {}


def command_name(number: int) -> str | int:
    """A command of fcntl(2)."""
    return _COMMANDS.get(number, number)


def request_name(number: int) -> str | int:
    """A request of ioctl(2) to a socket."""
    return _REQUESTS.get(number, number)


def status_flags(command: str, value: int) -> list[str]:
    """What F_SETFD and F_GETFD, F_SETFL and F_GETFL have as their value; the access mode first."""
    if command.endswith("FD"):
        return list(flags("FD_", value))
    return [_ACCESS.get(value & 3, str(value & 3)), *flags("O_", value & ~3 & ~_LARGE_FILE)]
