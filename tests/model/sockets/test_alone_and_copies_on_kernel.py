"""Sockets connected to themselves, copies for raw sockets, groups on the loopback, errors kept: the model knows each step."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from model.sockets.on_kernel import disagreements

pytestmark = pytest.mark.netns

_ALONE = ("s = socket(AF_INET, SOCK_STREAM)", "bind(s, 127.0.0.1:0)", "connect(s, @s)")
_RAW = "socket(AF_INET, SOCK_RAW, IPPROTO_UDP)"
_JOIN = "IPPROTO_IP, IP_ADD_MEMBERSHIP, {ip_mreq:224.0.2.1,127.0.0.1}"
_LEAVE = "IPPROTO_IP, IP_DROP_MEMBERSHIP, {ip_mreqn:224.0.2.1,127.0.0.1,0}"
_BY = "IPPROTO_IP, IP_MULTICAST_IF, {ip_mreqn:0.0.0.0,127.0.0.1,0}"

SEQUENCES: Mapping[str, tuple[str, ...]] = {
    "what it sends it gets": (
        *_ALONE, "tcp_state(s)", "getsockname(s)", "getpeername(s)", "poll(s, POLLIN|POLLOUT, 0)",
        "recv(s, buf(3), MSG_DONTWAIT)", 'send(s, "abcdef", 0)', "ioctl(s, FIONREAD)", "poll(s, POLLIN|POLLOUT, 0)",
        "recv(s, buf(3), MSG_PEEK)", "read(s, buf(4))", "recv(s, buf(9), MSG_WAITALL|MSG_DONTWAIT)",
        "recv(s, buf(3), MSG_DONTWAIT)", "connect(s, @s)", "listen(s, 1)", "bind(s, 127.0.0.1:0)",
        "getsockopt(s, SOL_SOCKET, SO_ERROR)", "recv(s, buf(0), MSG_DONTWAIT)",
    ),
    "its own end": (
        *_ALONE, 'write(s, "abc")', "shutdown(s, SHUT_WR)", "poll(s, POLLIN|POLLOUT|POLLRDHUP, 0)", "tcp_state(s)",
        "read(s, buf(2))", "read(s, buf(2))", "read(s, buf(2))", 'send(s, "x", MSG_NOSIGNAL)', "getpeername(s)",
        "shutdown(s, SHUT_WR)", "close(s)",
    ),
    "it reads no more": (
        *_ALONE, 'write(s, "abc")', "shutdown(s, SHUT_RD)", "tcp_state(s)", "read(s, buf(9))", "read(s, buf(9))",
        'write(s, "de")', "read(s, buf(9))", "poll(s, POLLIN|POLLOUT|POLLRDHUP, 0)", "close(s)",
    ),
    "it waits for itself": (
        *_ALONE, "recv(s, buf(9), 0) & as j", 'send(s, "hello", 0)', "join j", "recv(s, buf(9), 0) & as k",
        "shutdown(s, SHUT_RD)", "join k",
    ),
    "over IPv6, from the wildcard": (
        "s = socket(AF_INET6, SOCK_STREAM)", "bind(s, [::]:0)", "connect(s, @s:v6)", "getsockname(s)", "getpeername(s)",
        'write(s, "abc")', "read(s, buf(9))", "t = socket(AF_INET6, SOCK_STREAM)", "connect(t, @s)", "close(s)",
    ),
    "mapped": (
        "s = socket(AF_INET6, SOCK_STREAM)", "bind(s, [::ffff:127.0.0.1]:0)", "connect(s, @s)", "getpeername(s)",
        'write(s, "abc")', "read(s, buf(9))", "connect(s, unspec)", "tcp_state(s)", "read(s, buf(1))",
    ),
    "closed with data unread": (
        *_ALONE, "A = addr(s)", 'write(s, "abc")', "close(s)", "t = socket(AF_INET, SOCK_STREAM)", "connect(t, @A)",
    ),
    "copies of raw packets": (
        f"s = {_RAW}", f"t = {_RAW}", "u = socket(AF_INET6, SOCK_RAW, IPPROTO_UDP)", "v = socket(AF_INET, SOCK_RAW, 253)",
        'sendto(s, "abc", 0, 127.0.0.1:0)', "ioctl(s, FIONREAD)", "poll(t, POLLIN, 0)", "poll(u, POLLIN, 0)",
        "recv(s, buf(99), 0)", "recvfrom(t, buf(20), MSG_TRUNC)", "recv(t, buf(99), MSG_DONTWAIT)",
        "recv(u, buf(99), MSG_DONTWAIT)", "recv(v, buf(99), MSG_DONTWAIT)", "bind(t, 127.0.0.2:0)",
        'sendto(s, "abc", 0, 127.0.0.1:0)', "recv(t, buf(9), MSG_DONTWAIT)", 'sendto(s, "abcdefghijkl", 0, 127.0.0.2:0)',
        "recvfrom(t, buf(99), MSG_PEEK)", "recv(t, BADPTR[9], 0)", "recv(t, buf(9), MSG_DONTWAIT)",
        'sendto(u, "abc", 0, [::1]:0)', "recvfrom(u, buf(9), 0)", "setsockopt(u, IPPROTO_IPV6, IPV6_CHECKSUM, 2)",
        'sendto(u, "abc", 0, [::1]:0)', "shutdown(s, SHUT_RD)", "connect(s, 127.0.0.1:0)", "shutdown(s, SHUT_RDWR)",
        'write(s, "ab")', "recv(s, buf(99), 0)", "recv(s, buf(99), 0)", "recv(s, buf(99), 0)",
    ),
    "headers of one's own": (
        "s = socket(AF_INET, SOCK_RAW, IPPROTO_RAW)", "sendto(s, buf(19), 0, 127.0.0.1:0)",
        "sendto(s, BADPTR[19], 0, 127.0.0.1:0)", "t = socket(AF_INET6, SOCK_RAW, IPPROTO_RAW)", "sendto(t, buf(39), 0, [::1]:0)",
        f"u = {_RAW}", "setsockopt(u, IPPROTO_IP, IP_HDRINCL, 1)", "sendto(u, buf(5), 0, 127.0.0.1:0)",
        "recv(s, buf(9), MSG_DONTWAIT)",
    ),
    "ICMP": (
        "s = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP)", "recv(s, buf(9), MSG_DONTWAIT)",
        'sendto(s, "\\x08\\x00\\x00\\x00\\x07\\xde\\x07\\xdc", 0, 127.0.0.1:0)', "recvfrom(s, buf(99), 0)",
        "recv(s, buf(9), MSG_DONTWAIT)",
    ),
    "a group": (
        "s = socket(AF_INET, SOCK_DGRAM)", "r = socket(AF_INET, SOCK_DGRAM)", "bind(r, 0.0.0.0:7777)",
        'sendto(s, "a", 0, 224.0.2.1:7777)', f"setsockopt(s, {_BY})", "getsockopt(s, IPPROTO_IP, IP_MULTICAST_IF)",
        'sendto(s, "b", 0, 224.0.2.1:7777)', "recv(r, buf(9), MSG_DONTWAIT)", f"setsockopt(r, {_JOIN})",
        'sendto(s, "c", 0, 224.0.2.1:7777)', "recvfrom(r, buf(9), 0)", "t = socket(AF_INET, SOCK_DGRAM)", "bind(t, 0.0.0.0:7778)",
        'sendto(s, "d", 0, 224.0.2.1:7778)', "recv(t, buf(9), 0)", "setsockopt(t, IPPROTO_IP, IP_MULTICAST_ALL, 0)",
        'sendto(s, "e", 0, 224.0.2.1:7778)', "recv(t, buf(9), MSG_DONTWAIT)", "u = socket(AF_INET6, SOCK_DGRAM)",
        "bind(u, [::]:7779)", 'sendto(s, "f", 0, 224.0.2.1:7779)', "recv(u, buf(9), MSG_DONTWAIT)", f"setsockopt(r, {_LEAVE})",
        'sendto(s, "g", 0, 224.0.2.1:7777)', "recv(r, buf(9), MSG_DONTWAIT)", 'sendto(s, "h", 0, 224.0.0.1:7777)',
        "recv(r, buf(9), 0)", "connect(s, 224.0.2.1:7777)", "getsockname(s)", 'send(s, "i", 0)', f"setsockopt(r, {_JOIN})",
        'send(s, "j", 0)', "recvfrom(r, buf(9), 0)", "w = socket(AF_INET, SOCK_DGRAM)", "bind(w, 224.0.2.1:7780)",
        'sendto(s, "k", 0, 224.0.2.1:7780)', "recv(w, buf(9), 0)", "close(r)", 'sendto(s, "l", 0, 224.0.2.1:7780)',
        "recv(w, buf(9), MSG_DONTWAIT)",
    ),
    "an interface by its index": (
        "s = socket(AF_INET, SOCK_DGRAM)", "setsockopt(s, IPPROTO_IP, IP_MULTICAST_IF, {ip_mreqn:0.0.0.0,0.0.0.0,1})",
        "getsockopt(s, IPPROTO_IP, IP_MULTICAST_IF)", 'sendto(s, "b", 0, 224.0.2.1:7777)', "connect(s, 224.0.2.1:7777)",
        "getsockname(s)", "r = socket(AF_INET, SOCK_DGRAM)", "bind(r, 224.0.2.1:7777)",
        "setsockopt(r, IPPROTO_IP, IP_ADD_MEMBERSHIP, {ip_mreqn:224.0.2.1,0.0.0.0,1})", 'send(s, "x", 0)',
        "recvfrom(r, buf(9), 0)", "setsockopt(s, IPPROTO_IP, IP_MULTICAST_IF, {ip_mreqn:0.0.0.0,0.0.0.0,0})",
        'sendto(s, "b", 0, 224.0.2.1:7777)',
    ),
    "errors kept": (
        "A = unused_port(AF_INET, SOCK_DGRAM)", "s = socket(AF_INET, SOCK_DGRAM)", "setsockopt(s, IPPROTO_IP, IP_RECVERR, 1)",
        "recvmsg(s, buf(9), MSG_ERRQUEUE)", 'sendto(s, "abc", 0, @A)', "poll(s, POLLIN, 0)", "recvmsg(s, buf(9), MSG_ERRQUEUE)",
        "recvmsg(s, buf(9), MSG_ERRQUEUE)", "getsockopt(s, SOL_SOCKET, SO_ERROR)", "connect(s, @A)", "send(s, buf(600), 0)",
        "getsockopt(s, SOL_SOCKET, SO_ERROR)", "send(s, buf(7), 0)", "recv(s, buf(9), MSG_DONTWAIT)",
        "recvfrom(s, buf(999), MSG_ERRQUEUE)", "getsockopt(s, SOL_SOCKET, SO_ERROR)", "recv(s, buf(3), MSG_ERRQUEUE)",
        "recv(s, buf(3), MSG_ERRQUEUE)", "send(s, buf(7), 0)", "setsockopt(s, IPPROTO_IP, IP_RECVERR, 0)",
        "setsockopt(s, IPPROTO_IP, IP_RECVERR, 1)", "recv(s, buf(3), MSG_ERRQUEUE)", "recv(s, buf(3), MSG_DONTWAIT)",
    ),
    "errors kept, over IPv6": (
        "A = unused_port(AF_INET6, SOCK_DGRAM)", "s = socket(AF_INET6, SOCK_DGRAM)",
        "setsockopt(s, IPPROTO_IPV6, IPV6_RECVERR, 1)", "send(s, buf(1), 0)", "sendto(s, buf(1190), 0, @A)",
        "recvmsg(s, buf(2000), MSG_ERRQUEUE)", "getsockopt(s, SOL_SOCKET, SO_ERROR)", "sendto(s, buf(5), 0, @A)",
        "sendto(s, buf(6), 0, @A)", "sendto(s, buf(7), 0, @A)", "recvmsg(s, buf(20), MSG_ERRQUEUE)",
        "recvmsg(s, buf(20), MSG_ERRQUEUE)",
    ),
    "errors kept, of the peer alone": (
        "b = socket(AF_INET, SOCK_DGRAM)", "bind(b, 127.0.0.1:0)", "A = unused_port(AF_INET, SOCK_DGRAM)",
        "s = socket(AF_INET, SOCK_DGRAM)", "setsockopt(s, IPPROTO_IP, IP_RECVERR, 1)", "connect(s, @b)", "sendto(s, buf(5), 0, @A)",
        "getsockopt(s, SOL_SOCKET, SO_ERROR)", "sendto(s, buf(4), 0, @s)", "send(s, buf(3), 0)", "close(b)", "send(s, buf(2), 0)",
        "recv(s, buf(9), MSG_ERRQUEUE)", "connect(s, unspec)", "sendto(s, buf(1), 0, @A)", "recv(s, buf(9), MSG_ERRQUEUE)",
    ),
    "packet sockets": (
        "s = socket(AF_PACKET, SOCK_STREAM, 0)", "s = socket(AF_PACKET, SOCK_RAW|SOCK_CLOEXEC, 0)",
        "(a, b) = socketpair(AF_PACKET, SOCK_DGRAM, 0)", "seteuid(65534)", "socket(AF_PACKET, SOCK_RAW, 0)",
        "(a, b) = socketpair(AF_PACKET, SOCK_DGRAM, 0)",
    ),
    "nobody who speaks UDP has said anything": (
        f"s = {_RAW}", "n = socket(AF_INET, SOCK_DGRAM)", "bind(n, 127.0.0.1:0)", "connect(n, @n)", "recv(s, buf(3), MSG_DONTWAIT)",
        "i = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP)", "poll(i, POLLIN, s, POLLIN, 0)", "ioctl(s, FIONREAD)",
    ),
    "whom a UDP socket shares a port with": (
        "s = socket(AF_INET, SOCK_DGRAM)", "setsockopt(s, SOL_SOCKET, SO_REUSEADDR, 1)", "bind(s, 127.0.0.1:0)",
        "t = socket(AF_INET, SOCK_DGRAM)", "setsockopt(t, SOL_SOCKET, SO_REUSEADDR, 1)",
        "setsockopt(t, SOL_SOCKET, SO_REUSEPORT, 1)", "bind(t, @s)", "u = socket(AF_INET, SOCK_DGRAM)",
        "setsockopt(u, SOL_SOCKET, SO_REUSEPORT, 1)", "bind(u, @s)", "v = socket(AF_INET, SOCK_DGRAM)", "bind(v, @s)",
        "setsockopt(v, SOL_SOCKET, SO_REUSEADDR, 1)", "bind(v, @s)",
    ),
    "when data came and how much is left": (
        "l = socket(AF_INET, SOCK_STREAM)", "bind(l, 127.0.0.1:0)", "listen(l, 1)", "c = socket(AF_INET, SOCK_STREAM)",
        "connect(c, @l)", "a = accept(l)", "setsockopt(a, IPPROTO_TCP, TCP_INQ, 1)", 'send(c, "abcdef", 0)',
        "recvmsg(a, buf(1), 0)", "setsockopt(a, SOL_SOCKET, SO_TIMESTAMP, 1)", 'send(c, "gh", 0)', "recvmsg(a, buf(2), MSG_PEEK)",
        "recvmsg(a, buf(2), 0, control=NONE)", "recvmsg(a, buf(0), 0)", 'send(c, "i", MSG_OOB)', "recvmsg(a, buf(9), 0)",
        "recvmsg(a, buf(9), MSG_OOB)", "close(c)", "recvmsg(a, buf(9), 0)",
    ),
    "what a cork held": (
        "l = socket(AF_INET, SOCK_STREAM)", "bind(l, 127.0.0.1:0)", "listen(l, 1)", "c = socket(AF_INET, SOCK_STREAM)",
        "connect(c, @l)", "a = accept(l)", "setsockopt(c, IPPROTO_TCP, TCP_CORK, 1)", 'write(c, "ab")', 'write(c, "cd")',
        "setsockopt(c, IPPROTO_TCP, TCP_CORK, 0)", "ioctl(a, FIONREAD)", "recv(a, buf(9), MSG_DONTWAIT)",
        "setsockopt(c, IPPROTO_TCP, TCP_CORK, 1)", 'write(c, "ef")', "setsockopt(c, IPPROTO_TCP, TCP_NODELAY, 1)",
        "recv(a, buf(9), MSG_DONTWAIT)", "fill(c)", "setsockopt(a, SOL_SOCKET, SO_RCVBUF, 4000000)", "poll(c, POLLOUT, 0)",
    ),
}  # fmt: skip


def test_the_model_allows_what_the_kernel_does(tmp_path: Path) -> None:
    assert disagreements(SEQUENCES, tmp_path) == {}
