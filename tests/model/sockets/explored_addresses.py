"""What generated sequences found about addresses, routes, options: the calls on one host, and what the last one gives on Linux."""

from collections.abc import Mapping

_UDP4, _UDP6 = "s = socket(AF_INET, SOCK_DGRAM, 0)", "s = socket(AF_INET6, SOCK_DGRAM, 0)"
_TCP4, _TCP6 = "s = socket(AF_INET, SOCK_STREAM, 0)", "s = socket(AF_INET6, SOCK_STREAM, 0)"
_RAW4, _RAW6 = "s = socket(AF_INET, SOCK_RAW, 253)", "s = socket(AF_INET6, SOCK_RAW, 253)"

FOUND: Mapping[str, tuple[tuple[str, ...], str]] = {
    "bound to a group, a socket has no address to send from": (
        (_UDP4, "bind(s, 239.1.1.1:0)", "connect(s, 239.1.1.1:9)"), "ENETUNREACH"),
    "nor where it names the group": ((_UDP4, "bind(s, 239.1.1.1:0)", 'sendto(s, "x", 0, 239.1.1.1:9)'), "ENETUNREACH"),
    "nor when it is raw": ((_RAW4, "bind(s, 239.1.1.1:0)", "connect(s, 239.1.1.1:0)"), "ENETUNREACH"),
    "it has one as soon as it is connected": (
        (_UDP4, "bind(s, 239.1.1.1:0)", "connect(s, 127.0.0.1:9)", "connect(s, 239.1.1.1:9)"), "0"),
    "and keeps it without its peer": (
        (_UDP4, "bind(s, 239.1.1.1:0)", "connect(s, 127.0.0.1:9)", "connect(s, unspec)", 'sendto(s, "x", 0, 239.1.1.1:9)'), "1"),
    "its peer at the wildcard is the loopback, not the group": (
        (_UDP4, "bind(s, 239.1.1.1:0)", "connect(s, 0.0.0.0:9)", "getpeername(s)"), "0 out 127.0.0.1:9"),
    "bound to a broadcast of the loopback, it sends from no loopback address": (
        (_UDP4, "bind(s, 127.255.255.255:0)", "connect(s, 0.0.0.0:9)", "getpeername(s)"), "0 out 127.0.0.1:9"),
    "a mapped group is a source that nothing is sent from": (
        (_UDP6, "bind(s, [::ffff:239.1.1.1]:0)", "connect(s, [::ffff:127.0.0.1]:9)"), "EINVAL"),
    "whatever the route": ((_UDP6, "bind(s, [::ffff:239.1.1.1]:0)", 'sendto(s, "x", 0, 192.0.2.1:9)'), "EINVAL"),
    "to IPv6 it is a mapped address first": (
        (_UDP6, "bind(s, [::ffff:239.1.1.1]:0)", 'sendto(s, "x", 0, [::1]:9)'), "EAFNOSUPPORT"),
    "and so is the mapped wildcard": ((_UDP6, "bind(s, [::ffff:0.0.0.0]:0)", 'sendto(s, "x", 0, [::1]:9)'), "EAFNOSUPPORT"),
    "connect() says the same": ((_UDP6, "bind(s, [::ffff:0.0.0.0]:0)", "connect(s, [::1]:9)"), "EAFNOSUPPORT"),
    "TCP looks for the route first": (
        (_TCP6, "bind(s, [::ffff:0.0.0.0]:0)", "connect(s, [2001:db8::1]:9)"), "ENETUNREACH"),
    "TCP sends from no mapped group": (
        (_TCP6, "bind(s, [::ffff:239.1.1.1]:0)", "connect(s, [::ffff:127.0.0.1]:9)"), "EINVAL"),
    "TCP's name is no group once it connected": (
        (_TCP4, "bind(s, 239.1.1.1:20021)", "connect(s, 127.0.0.1:9)", "getsockname(s)"), "0 out 127.0.0.1:20021"),
    "nobody's address is no source": (
        (_UDP4, "setsockopt(s, IPPROTO_IP, IP_FREEBIND, 1)", "bind(s, 10.9.9.9:0)", 'sendto(s, "x", 0, 127.0.0.1:9)'),
        "ENETUNREACH"),
    "nor is it TCP's": (
        (_TCP4, "setsockopt(s, IPPROTO_IP, IP_FREEBIND, 1)", "bind(s, 10.9.9.9:0)", "connect(s, 127.0.0.1:9)"), "ENETUNREACH"),
    "the mapped wildcard gets what comes by IPv4": (
        (_UDP6, "bind(s, [::ffff:0.0.0.0]:20024)", 'sendto(s, "x", 0, [::ffff:127.0.0.1]:20024)', "recv(s, buf(1), MSG_DONTWAIT)"),
        '1 out "x"'),
    "ICMP's type and code are read before the route is looked for": (
        ("s = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP)", "sendto(s, BADPTR[5], 0, 127.255.255.255:0)"), "EFAULT"),
    "a checksum does not fit into nothing": (
        (_RAW6, "setsockopt(s, IPPROTO_IPV6, IPV6_CHECKSUM, 2)", 'sendto(s, "", 0, [::1]:0)'), "EINVAL"),
    "nor ICMPv6's into three bytes": (
        ("s = socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6)", 'sendto(s, "abc", 0, [::1]:0)'), "EINVAL"),
    "a raw socket's address goes with its peer": (
        (_RAW4, "bind(s, 127.0.0.1:0)", "connect(s, unspec)", "getsockname(s)"), "0 out 0.0.0.0:0"),
    "and its protocol does not come back": (
        (_RAW4, "connect(s, unspec)", "bind(s, 127.0.0.1:0)", "getsockname(s)"), "0 out 127.0.0.1:0"),
    "raw IPv6 connects to a mapped address, and finds no way there": (
        (_RAW6, "connect(s, [::ffff:127.0.0.1]:0)", 'send(s, "x")'), "ENETUNREACH"),
    "bound to IPv6, too": ((_RAW6, "bind(s, [::1]:0)", "connect(s, [::ffff:127.0.0.1]:0)"), "0"),
    "bind() of raw IPv6 sets no IPV6_V6ONLY": (
        (_RAW6, "bind(s, [::1]:0)", "getsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY)"), "0 out 0"),
    "what waits for more goes by IPv4, whatever is named": (
        (_UDP6, 'sendto(s, "a", MSG_MORE, 127.0.0.1:9)', 'sendto(s, "b", MSG_OOB, [::1]:9)'), "EOPNOTSUPP"),
    "IPv6 alone comes before what waits": (
        (_UDP6, "setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, 1)", 'sendto(s, "a", MSG_MORE, [::1]:9)',
         'sendto(s, "b", 0, 127.0.0.1:9)'),
        "ENETUNREACH"),
    "a socket that was bound to IPv6 stays one of IPv6 alone": (
        (_TCP6, "bind(s, [::1]:0)", "listen(s, 1)", "shutdown(s, SHUT_RD)", "bind(s, [::ffff:127.0.0.1]:0)"), "EINVAL"),
    "a listener at another address is not in the way of oneself": (
        (_TCP4, "bind(s, 127.0.0.2:20022)", "listen(s, 1)", "t = socket(AF_INET, SOCK_STREAM, 0)", "bind(t, 127.0.0.1:20022)",
         "connect(t, 127.0.0.1:20022)"), "0"),
    "what came before the second direction was shut can be read": (
        (_TCP4, "bind(s, 127.0.0.1:20023)", "listen(s, 1)", "c = socket(AF_INET, SOCK_STREAM, 0)", "connect(c, 127.0.0.1:20023)",
         "a = accept(s)", "shutdown(c, SHUT_RD)", 'write(a, "four")', "shutdown(c, SHUT_WR)", "recv(c, buf(9), MSG_DONTWAIT)"),
        '4 out "four"'),
    "who asked for IPv4's errors is told of none of IPv6's": (
        (_UDP6, "setsockopt(s, IPPROTO_IP, IP_RECVERR, 1)", 'sendto(s, "x", 0, [::1]:9)', "recv(s, buf(1), MSG_DONTWAIT)"),
        "EAGAIN"),
    "IP_FREEBIND and IPV6_FREEBIND are one": (
        (_TCP6, "setsockopt(s, IPPROTO_IP, IP_FREEBIND, 7)", "getsockopt(s, IPPROTO_IPV6, IPV6_FREEBIND)"), "0 out 1"),
    "IPV6_ADDRFORM takes AF_INET alone": ((_RAW6, "setsockopt(s, IPPROTO_IPV6, IPV6_ADDRFORM, 10)"), "EINVAL"),
    "and raw sockets not even that": ((_RAW6, "setsockopt(s, IPPROTO_IPV6, IPV6_ADDRFORM, AF_INET)"), "ENOPROTOOPT"),
    "ICMPv6's checksum is where it is": (
        ("s = socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6)", "getsockopt(s, IPPROTO_IPV6, IPV6_CHECKSUM)"), "0 out 2"),
    "and stays there": (
        ("s = socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6)", "setsockopt(s, IPPROTO_IPV6, IPV6_CHECKSUM, 4)"), "EINVAL"),
    "a peer at port 0 has no name": (
        (_UDP4, "connect(s, 127.0.0.1:0)", "getsockopt(s, SOL_SOCKET, SO_PEERNAME)"), "ENOTCONN"),
    "connect() to AF_UNSPEC ends the binding to an interface": (
        (_UDP4, 'setsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, "lo")', "connect(s, unspec)",
         "getsockopt(s, SOL_SOCKET, SO_BINDTOIFINDEX)"),
        "0 out 0"),
    "an interface that is not there has no addresses of IPv6": (
        (_UDP6, "setsockopt(s, SOL_SOCKET, SO_BINDTOIFINDEX, 32767)", "bind(s, [::1]:0)"), "ENODEV"),
    "its name is asked for after the room": (
        (_UDP6, "setsockopt(s, SOL_SOCKET, SO_BINDTOIFINDEX, 32767)", "getsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, BUF, 4)"),
        "EINVAL"),
}  # fmt: skip
"""Name to the calls and the last one's result."""
