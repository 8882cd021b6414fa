"""What generated sequences found that the model had wrong: the calls, and what the last one gives on Linux."""

from collections.abc import Mapping

FOUND: Mapping[str, tuple[str, str]] = {
    "raw IPv6 looks at the length last": ("s = socket(AF_INET6, SOCK_RAW, 253); send(s, buf(70000), MSG_OOB)", "EOPNOTSUPP"),
    "raw IPv6 looks for a peer before the length": ("s = socket(AF_INET6, SOCK_RAW, 253); send(s, buf(70000))", "EDESTADDRREQ"),
    "raw, to an address of no length": ("s = socket(AF_INET, SOCK_RAW, 253); sendto(s, 'x', 0, 127.0.0.1:0, 0)", "EDESTADDRREQ"),
    "raw, to all, without a route": ("s = socket(AF_INET, SOCK_RAW, 253); sendto(s, 'x', 0, 255.255.255.255:0)", "ENETUNREACH"),
    "connect() reads the address before it looks for a socket": ("f = open('/dev/null', O_RDWR); connect(f, NULL, 16)", "EFAULT"),
    "connect() looks at the length before, too": ("f = open('/dev/null', O_RDWR); connect(f, 127.0.0.1:9, 200)", "EINVAL"),
    "a UNIX listener has no SIOCOUTQNSD": (
        "s = socket(AF_UNIX, SOCK_STREAM); bind(s, abstract:n); listen(s, 0); ioctl(s, SIOCOUTQNSD)", "ENOTTY"),
    "a route that is kept is not asked again whether it is a broadcast": (
        "s = socket(AF_INET, SOCK_DGRAM); setsockopt(s, SOL_SOCKET, SO_BROADCAST, 1); connect(s, 127.255.255.255:9);"
        " setsockopt(s, SOL_SOCKET, SO_BROADCAST, 0); send(s, 'x')", "1"),
    "what MSG_WAITALL has taken nobody else gets": (
        "(a, b) = socketpair(AF_UNIX, SOCK_STREAM, 0); write(b, 'h'); recv(a, buf(4), MSG_WAITALL) & as j;"
        " recv(a, buf(4), MSG_DONTWAIT)",
        "EAGAIN"),
    "a number that a waiting accept() has taken is no other's": (
        "s = socket(AF_UNIX, SOCK_STREAM); bind(s, abstract:n); listen(s, 0); a = accept(s) & as j;"
        " t = socket(AF_INET, SOCK_DGRAM)",
        "fd"),
    "nor that of a descriptor that is received": (
        "s = socket(AF_INET, SOCK_STREAM); listen(s, 1); (a, b) = socketpair(AF_UNIX, SOCK_DGRAM, 0); c = accept(s) & as j;"
        " sendmsg(a, 'r', 0, control=rights(s)); recvmsg(b, buf(4), 0, control=rights(d))", ""),
}  # fmt: skip
"""Name to the calls and the result; "" for a result that the kernel's test alone looks at."""


def steps(name: str) -> list[str]:
    """The calls of a sequence, one a step."""
    return [one.strip().replace("'", '"') for one in FOUND[name][0].split(";")]
