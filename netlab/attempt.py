"""Tries what a lab needs of a kernel, in namespaces of its own that vanish with it, and prints what each attempt said.

Run as a program in a bare interpreter, with one JSON object as its argument: ``user`` to become (0: stay as it is), ``nested``
(whether to make a user namespace first), ``messages`` (name, netlink message in hexadecimal) in order, ``batches``
(name, messages to nf_tables in hexadecimal), ``nft`` (its program's path,
"" none) and ``rulesets`` (name, text). It prints [what failed before all else or "", {name: what failed, "" when nothing did}]. It
does not know what any of this is for.
"""

import ctypes
import errno
import json
import os
import socket
import struct
import sys
from collections.abc import Sequence
from typing import Any

CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWNET = 0x00020000, 0x10000000, 0x40000000
MS_REC, MS_PRIVATE = 16384, 1 << 18
PR_SET_DUMPABLE = 4
SOL_NETLINK, NETLINK_CAP_ACK, NETLINK_EXT_ACK = 270, 10, 11
NLM_F_ACK, NLM_F_ACK_TLVS, NLMSGERR_ATTR_MSG = 4, 0x200, 1
IPPROTO_MPTCP = 262
NETLINK_NETFILTER = 12
STAGES = ("/tmp", "/mnt", "/srv")

_libc = ctypes.CDLL(None, use_errno=True)


def main() -> None:
    """Carry out what the argument asks for."""
    asked = json.loads(sys.argv[1])
    failed = namespaces(asked["user"], asked["nested"])
    found: dict[str, str] = {}
    if not failed:
        found |= kernel(asked["messages"])
        found |= {name: batch(text) for name, text in asked["batches"]}
        found |= rulesets(asked["nft"], asked["rulesets"])
        found["packet sockets"] = packets()
        found["mptcp"] = mptcp()
        found["overlayfs"] = overlay(asked["nested"])
    print(json.dumps([failed, found]))  # noqa: T201 - it is a program, and this is its answer


def namespaces(user: int, nested: bool) -> str:
    """Become that user and make a network namespace, in a user namespace if it is to be nested."""
    if user:
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
        # One who changed its user owns its /proc/self/uid_map again only once it is dumpable.
        _libc.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)
    uid, gid = os.getuid(), os.getgid()
    if nested:
        if _libc.unshare(CLONE_NEWUSER):
            return f"unshare(CLONE_NEWUSER) fails: {_name(ctypes.get_errno())}"
        for path, text in (("uid_map", f"0 {uid} 1"), ("setgroups", "deny"), ("gid_map", f"0 {gid} 1")):
            try:
                with open(f"/proc/self/{path}", "w") as file:
                    file.write(text)
            except OSError as error:
                return f"writing /proc/self/{path} fails: {_name(error.errno)}"
    if _libc.unshare(CLONE_NEWNET):
        return f"unshare(CLONE_NEWNET) fails: {_name(ctypes.get_errno())}"
    return ""


def kernel(messages: Sequence[Sequence[str]]) -> dict[str, str]:
    """Send each message by itself; what the kernel said to those that it refused."""
    if not messages:
        return {}
    found: dict[str, str] = {}
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as route:
        route.settimeout(5)
        route.setsockopt(SOL_NETLINK, NETLINK_EXT_ACK, 1)
        route.setsockopt(SOL_NETLINK, NETLINK_CAP_ACK, 1)
        for name, text in messages:
            message = bytearray.fromhex(text)
            message[6] |= NLM_F_ACK
            route.send(message)
            found[name] = _refusal(route.recv(1 << 16))
    return found


def _refusal(answer: bytes) -> str:
    """A netlink acknowledgement's errno and words; it echoes the refused message's header alone."""
    _, _, flags, _, _, number = struct.unpack_from("=IHHIIi", answer)
    words, offset = "", 36
    while number and flags & NLM_F_ACK_TLVS and offset + 4 <= len(answer):
        size, kind = struct.unpack_from("=HH", answer, offset)
        if kind & 0x3FFF == NLMSGERR_ATTR_MSG:
            words = answer[offset + 4 : offset + size].rstrip(b"\0").decode(errors="replace")
        offset += max(4, (size + 3) & ~3)
    return f"the kernel refuses it: {_name(-number)}{f' ({words})' if words else ''}" if number else ""


def batch(text: str) -> str:
    """What the kernel says to messages to nf_tables that stand or fall together."""
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER) as netfilter:
            netfilter.settimeout(5)
            netfilter.send(bytes.fromhex(text))
            return _refusal(netfilter.recv(1 << 16))  # the first that was refused, or the last, which was not
    except OSError as error:
        return f"socket(AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER) fails: {_name(error.errno)}"


def rulesets(nft: str, texts: Sequence[Sequence[str]]) -> dict[str, str]:
    """Load all rulesets at once, and only if that fails each by itself: a start of nft takes longer than the rest here."""
    if not nft or not texts or not _load(nft, "".join(text for _, text in texts)):
        return {name: "" if nft else "no program nft on the PATH" for name, _ in texts}
    return {name: _load(nft, f"flush ruleset\n{text}") for name, text in texts}


def _load(nft: str, text: str) -> str:
    """What nft complains of first, "" when it loads the text."""
    source, told = os.memfd_create("ruleset"), os.memfd_create("told")
    os.write(source, text.encode())
    os.lseek(source, 0, os.SEEK_SET)
    actions = [(os.POSIX_SPAWN_DUP2, source, 0), (os.POSIX_SPAWN_DUP2, told, 1), (os.POSIX_SPAWN_DUP2, told, 2)]
    _, status = os.waitpid(os.posix_spawn(nft, [nft, "-f", "-"], dict(os.environ), file_actions=actions), 0)
    lines = os.pread(told, 4096, 0).decode(errors="replace").splitlines()
    os.close(source)
    os.close(told)
    if not status:
        return ""
    return f"nft: {lines[0].rpartition('Error: ')[2]}" if lines else f"nft fails: status {status}"


def packets() -> str:
    """Whether there are sockets that see every frame (packet(7)): they take CAP_NET_RAW."""
    try:
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0).close()
    except OSError as error:
        return f"socket(AF_PACKET) fails: {_name(error.errno)}"
    return ""


def mptcp() -> str:
    """Whether there are MPTCP sockets."""
    try:
        socket.socket(socket.AF_INET, socket.SOCK_STREAM, IPPROTO_MPTCP).close()
    except OSError as error:
        return f"socket(AF_INET, SOCK_STREAM, IPPROTO_MPTCP) fails: {_name(error.errno)}"
    return ""


def overlay(nested: bool) -> str:
    """Whether a directory can be overlaid, in a mount namespace of its own."""
    where = " in a user namespace" if nested else ""
    stage = next(filter(os.path.isdir, STAGES), "/")
    if _libc.unshare(CLONE_NEWNS):
        return f"unshare(CLONE_NEWNS) fails{where}: {_name(ctypes.get_errno())}"
    steps: list[tuple[Any, ...]] = [("none", "/", "none", MS_REC | MS_PRIVATE, ""), ("tmpfs", stage, "tmpfs", 0, "")]
    layers = f"lowerdir={stage}/lower,upperdir={stage}/upper,workdir={stage}/work"
    steps.append(("overlay", f"{stage}/lower", "overlay", 0, layers + (",userxattr" if nested else "")))
    for source, target, kind, flags, options in steps:
        if _libc.mount(source.encode(), target.encode(), kind.encode(), flags, options.encode() or None):
            return f"mount({kind}) fails{where}: {_name(ctypes.get_errno())}"
        if kind == "tmpfs":
            for name in ("lower", "upper", "work"):
                os.mkdir(f"{stage}/{name}")
    return ""


def _name(number: int | None) -> str:
    return errno.errorcode.get(number or 0, str(number))


if __name__ == "__main__":
    main()
