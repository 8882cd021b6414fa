"""How C lays out what calls pass by pointer: ints, structures, options, control messages, epoll events. Bytes both ways, no names.

Layouts: linux/socket.h, linux/errqueue.h, linux/eventpoll.h, bits/cmsg in cmsg(3).
"""

import platform
import socket
import stat
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from netlab.notation import sockaddr
from netlab.notation.constants import constant, errno_name

Argument = list[Any]
"""A tagged argument: ["int", 3], ["in", bytes], ["out", size], ["inout", bytes], ["null"], ["bad"], ["msg", {...}]."""

ADDRESS_ROOM = 128
"""sizeof(struct sockaddr_storage)."""

STAT_ROOM = 256
"""Enough for struct stat on every machine."""

CONTROL_ROOM = 512
IFREQ_SIZE = 40
IFCONF_SIZE = 16
IFNAMSIZ = 16
FD_SET_SIZE = 128

_STRUCTURES: Mapping[str, str] = {
    "linger": "=ii", "timeval": "@ll", "timespec": "@ll", "int": "=i", "byte": "=B", "ucred": "=iII", "rlimit": "@LL",
    "ip_mreq": "!II", "ip_mreqn": "!II =i",
}  # fmt: skip
MEMORY = ("rmem_alloc", "rcvbuf", "wmem_alloc", "sndbuf", "fwd_alloc", "wmem_queued", "optmem", "backlog", "drops")
"""What SO_MEMINFO gives, numbers of 32 bits in this order: SK_MEMINFO_ in include/uapi/linux/sock_diag.h."""

_FILE_KINDS = {
    stat.S_IFSOCK: "socket", stat.S_IFIFO: "fifo", stat.S_IFCHR: "character device", stat.S_IFREG: "regular file",
    stat.S_IFDIR: "directory", stat.S_IFBLK: "block device", 0: "anonymous",
}  # fmt: skip
_CMSG_HEADER = struct.Struct("@Lii")
_EXTENDED_ERROR = struct.Struct("=IBBBBII")
_ORIGINS = {0: "none", 1: "local", 2: "icmp", 3: "icmp6", 4: "timestamping", 5: "zerocopy"}


class MarshalError(ValueError):
    """What a step writes has no form in memory, or asks for the address of what is no socket."""


@dataclass(frozen=True, slots=True)
class OptionLayout:
    """How an option's value lies in memory: ``form`` is int, errno, string, address, bytes, tcp_info, meminfo, or a structure's
    name."""

    form: str
    size: int


def option_layout(level: int, option: int, form: str = "") -> OptionLayout:
    """The layout of a socket option's value; int for all that are not in the table."""
    if form == "str":
        return OptionLayout("string", 128)
    by_name = {
        ("SOL_SOCKET", "SO_ERROR"): OptionLayout("errno", 4),
        ("SOL_SOCKET", "SO_LINGER"): OptionLayout("linger", 8),
        ("SOL_SOCKET", "SO_RCVTIMEO"): OptionLayout("timeval", struct.calcsize("@ll")),
        ("SOL_SOCKET", "SO_SNDTIMEO"): OptionLayout("timeval", struct.calcsize("@ll")),
        ("SOL_SOCKET", "SO_PEERCRED"): OptionLayout("ucred", 12),
        ("SOL_SOCKET", "SO_PEERNAME"): OptionLayout("address", ADDRESS_ROOM),
        ("SOL_SOCKET", "SO_BINDTODEVICE"): OptionLayout("string", 16),
        ("SOL_SOCKET", "SO_MEMINFO"): OptionLayout("meminfo", 4 * len(MEMORY)),
        ("SOL_SOCKET", "SO_COOKIE"): OptionLayout("int", 8),
        ("SOL_SOCKET", "SO_NETNS_COOKIE"): OptionLayout("int", 8),
        ("IPPROTO_TCP", "TCP_CONGESTION"): OptionLayout("string", 16),
        ("IPPROTO_TCP", "TCP_ULP"): OptionLayout("string", 16),
        ("IPPROTO_TCP", "TCP_INFO"): OptionLayout("tcp_info", 512),
        ("IPPROTO_TCP", "TCP_SAVED_SYN"): OptionLayout("bytes", 512),
        ("IPPROTO_IP", "IP_OPTIONS"): OptionLayout("bytes", 40),
    }
    for (level_name, option_name), layout in by_name.items():
        if (constant(level_name), constant(option_name)) == (level, option):
            return layout
    return OptionLayout("int", 4)


def pack_int(value: int) -> bytes:
    """A C int; bits above the 32nd are cut, as a cast does."""
    return struct.pack("=I", value & 0xFFFFFFFF)


def unpack_int(raw: bytes) -> int:
    """A signed int of as many bytes as there are."""
    return int.from_bytes(raw, _byte_order(), signed=len(raw) == 4)


def _byte_order() -> Any:
    return "little" if struct.pack("=H", 1)[0] else "big"


def pack_structure(name: str, members: Sequence[int]) -> bytes:
    """A structure by its name in the notation."""
    limits = {"I": 1 << 32, "L": 1 << (8 * struct.calcsize("@L")), "B": 1 << 8}
    codes = [code for code in _STRUCTURES[name] if code.isalpha()]
    wrapped = [member % limits[code] if code in limits else member for code, member in zip(codes, members, strict=True)]
    try:
        return b"".join(struct.pack(part, *wrapped[first:end]) for part, first, end in _parts(name))
    except struct.error as error:
        raise MarshalError(f"{{{name}:{','.join(map(str, members))}}} does not fit into memory: {error}") from None


def print_structure(name: str, raw: bytes) -> str:
    """A structure as the notation writes it."""
    members: list[int] = []
    at = 0
    for part, _, _ in _parts(name):
        members += struct.unpack_from(part, raw, at)
        at += struct.calcsize(part)
    return f"{{{name}:{','.join(map(str, members))}}}"


def structure_size(name: str) -> int:
    """sizeof the structure; 0 for a name that is none."""
    return sum(struct.calcsize(part) for part, _, _ in _parts(name)) if name in _STRUCTURES else 0


def _parts(name: str) -> list[tuple[str, int, int]]:
    """A structure's parts by byte order, each with the numbers of its first member and of the one after its last."""
    parts = _STRUCTURES[name].split()
    ends = [sum(len(part) - 1 for part in parts[: number + 1]) for number in range(len(parts))]
    return [(part, end - len(part) + 1, end) for part, end in zip(parts, ends, strict=True)]


def pack_epoll_event(events: int, fd: int) -> bytes:
    """struct epoll_event; packed on x86-64 only (__EPOLL_PACKED)."""
    head = struct.pack("=I", events & 0xFFFFFFFF)
    gap = b"" if platform.machine() == "x86_64" else bytes(4)
    return head + gap + struct.pack("=q", fd)


def unpack_stat(raw: bytes) -> dict[str, Any]:
    """What fstat() tells of a file: its kind, as ``stat -c %F`` names it, and its inode (asm/stat.h; x86-64 has st_nlink first)."""
    inode, mode = struct.unpack_from("=8xQ8xI" if platform.machine() == "x86_64" else "=8xQI", raw)
    return {"type": _FILE_KINDS.get(stat.S_IFMT(mode), oct(mode)), "ino": inode}


def unpack_epoll_events(raw: bytes, count: int) -> list[tuple[int, int]]:
    """(events, fd) of the first ``count`` events."""
    size = len(pack_epoll_event(0, 0))
    return [
        (struct.unpack_from("=I", raw, at)[0], struct.unpack_from("=q", raw, at + size - 8)[0])
        for at in range(0, min(count * size, len(raw)), size)
    ]


def _aligned(size: int) -> int:
    word = struct.calcsize("@L")
    return (size + word - 1) // word * word


def pack_rights(descriptors: Sequence[int]) -> bytes:
    """One control message with SCM_RIGHTS."""
    body = struct.pack(f"={len(descriptors)}i", *descriptors)
    head = _CMSG_HEADER.pack(_CMSG_HEADER.size + len(body), socket.SOL_SOCKET, socket.SCM_RIGHTS)
    return (head + body).ljust(_aligned(len(head) + len(body)), b"\0")


def pack_credentials(members: Sequence[int]) -> bytes:
    """One control message with SCM_CREDENTIALS: process, user, group (unix(7))."""
    body = pack_structure("ucred", members)
    head = _CMSG_HEADER.pack(_CMSG_HEADER.size + len(body), socket.SOL_SOCKET, constant("SCM_CREDENTIALS"))
    return (head + body).ljust(_aligned(len(head) + len(body)), b"\0")


def unpack_control(raw: bytes) -> dict[str, Any]:
    """Control messages by name: SCM_RIGHTS, SCM_CREDENTIALS, IP_RECVERR, IP_TTL ...; "level/type", in hex, for others."""
    found: dict[str, Any] = {}
    at = 0
    while at + _CMSG_HEADER.size <= len(raw):
        length, level, kind = _CMSG_HEADER.unpack_from(raw, at)
        if length < _CMSG_HEADER.size:
            break
        body = raw[at + _CMSG_HEADER.size : at + length]
        name, value = _control_message(level, kind, body)
        found[name] = found[name] + value if name == "SCM_RIGHTS" and name in found else value
        at += _aligned(length)
    return found


def _control_message(level: int, kind: int, body: bytes) -> tuple[str, Any]:
    if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
        many = len(body) // 4
        return "SCM_RIGHTS", list(struct.unpack(f"={many}i", body[: many * 4]))
    if (level, kind) == (socket.SOL_SOCKET, constant("SCM_CREDENTIALS")) and len(body) >= 12:
        return "SCM_CREDENTIALS", print_structure("ucred", body)
    for level_name, kind_name in (("IPPROTO_IP", "IP_RECVERR"), ("IPPROTO_IPV6", "IPV6_RECVERR")):
        if (level, kind) == (constant(level_name), constant(kind_name)) and len(body) >= _EXTENDED_ERROR.size:
            return kind_name, _extended_error(body)
    if (level, kind) == (constant("IPPROTO_IP"), constant("IP_PKTINFO")) and len(body) >= 12:  # struct in_pktinfo, ip(7)
        index, source, target = struct.unpack_from("=I4s4s", body)
        return "IP_PKTINFO", {"ifindex": index, "spec_dst": socket.inet_ntoa(source), "addr": socket.inet_ntoa(target)}
    if (level, kind) == (constant("IPPROTO_IPV6"), constant("IPV6_PKTINFO")) and len(body) >= 20:  # RFC 3542 §6.1
        return "IPV6_PKTINFO", {"ifindex": unpack_int(body[16:20]), "addr": socket.inet_ntop(socket.AF_INET6, body[:16])}
    for level_name, kind_name in (("IPPROTO_IP", "IP_TTL"), ("IPPROTO_IP", "IP_TOS"), ("IPPROTO_IPV6", "IPV6_HOPLIMIT"),
                                  ("IPPROTO_IPV6", "IPV6_TCLASS"), ("IPPROTO_TCP", "TCP_INQ")):  # fmt: skip
        if (level, kind) == (constant(level_name), constant(kind_name)):
            return kind_name, unpack_int(body)
    return f"{level}/{kind}", body.hex()


def _extended_error(body: bytes) -> dict[str, Any]:
    """struct sock_extended_err, and the offender's address after it (ip(7), SO_EE_OFFENDER)."""
    number, origin, kind, code, _, info, _ = _EXTENDED_ERROR.unpack_from(body)
    error: dict[str, Any] = {"errno": errno_name(number), "origin": _ORIGINS.get(origin, str(origin)), "type": kind, "code": code}
    if info:
        error["info"] = info
    offender = body[_EXTENDED_ERROR.size :]
    if sockaddr.family_of(offender):
        error["offender"] = sockaddr.unpack(offender).rpartition(":")[0].strip("[]")
    return error
