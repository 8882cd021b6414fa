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
    "a UNIX sender whose peer is gone has its whole buffer": (
        "(a, b) = socketpair(AF_UNIX, SOCK_STREAM, 0); write(a, buf(1000)); close(b); setsockopt(a, SOL_SOCKET, SO_SNDBUF, 1);"
        " poll(a, POLLOUT, 0)",
        "1 out POLLOUT|POLLERR|POLLHUP"),
    "a UNIX listener that was shut down can be read": (
        "s = socket(AF_UNIX, SOCK_STREAM); bind(s, abstract:n); listen(s, 8); shutdown(s, SHUT_RD);"
        " poll(s, POLLIN|POLLOUT|POLLRDHUP, 0)",
        "1 out POLLIN|POLLRDHUP"),
    "the path of a socket that is no more is still a socket's": (
        "s = socket(AF_UNIX, SOCK_DGRAM); bind(s, unix:gone); close(s); open('gone', O_RDONLY)", "ENXIO"),
    "receiving no bytes takes the descriptors that come with the next": (
        "(a, b) = socketpair(AF_UNIX, SOCK_STREAM, 0); sendmsg(a, 'h', 0, control=rights(b));"
        " recvmsg(b, buf(0), 0, control=rights(c)); same_file(b, c)",
        "1"),
    "a new file of an old name is another one": (
        "mkfile('x'); f = open('x', O_RDONLY); unlink('x'); mkfile('x'); g = open('x', O_RDONLY); same_file(f, g)", "0"),
    "two pipes without their writers are two": (
        "(a, b) = pipe(); (c, d) = pipe(); close(b); close(d); same_file(a, c)", "0"),
    "a full pipe without a reader has no room": (
        "(a, b) = pipe(); write(b, buf(65536)); close(a); poll(b, POLLOUT, 0)", "1 out POLLERR"),
    "nor has it lost what is in it": ("(a, b) = pipe(); write(b, buf(65536)); close(a); ioctl(b, FIONREAD)", "0 out 65536"),
    "a receive that wants more than there is takes the error, too": (
        "(a, b) = socketpair(AF_UNIX, SOCK_STREAM, 0); send(a, 'x'); send(b, 'hello'); close(b); recv(a, buf(9), MSG_WAITALL);"
        " recv(a, buf(9))",
        "0 out \"\""),
    "one that has enough leaves it": (
        "(a, b) = socketpair(AF_UNIX, SOCK_STREAM, 0); send(a, 'x'); send(b, 'hello'); close(b); recv(a, buf(5), MSG_WAITALL);"
        " recv(a, buf(9))",
        "ECONNRESET"),
    "the last descriptor of the peer comes from the peer, and is thrown away": (
        "(a, b) = socketpair(AF_UNIX, SOCK_STREAM, 0); sendmsg(b, 'h', 0, control=rights(b)); close(b); read(a, buf(9));"
        " recv(a, buf(9))",
        "0 out \"\""),
    "of one event alone nobody knows whose it was": (
        "e = epoll_create1(0); a = socket(AF_UNIX, SOCK_STREAM); epoll_ctl(e, EPOLL_CTL_ADD, a, EPOLLIN|EPOLLONESHOT);"
        " b = socket(AF_UNIX, SOCK_STREAM); epoll_ctl(e, EPOLL_CTL_ADD, b, 0); epoll_wait(e, 1, 0); epoll_wait(e, 8, 0)",
        ""),
    "SO_SNDBUF wakes those who wait for room": (
        "(a, b) = socketpair(AF_UNIX, SOCK_DGRAM, 0); e = epoll_create1(0); epoll_ctl(e, EPOLL_CTL_ADD, a, EPOLLOUT|EPOLLET);"
        " epoll_wait(e, 8, 0); setsockopt(a, SOL_SOCKET, SO_SNDBUF, 1); epoll_wait(e, 8, 0)",
        ""),
    "fill_fds() leaves out what a waiting accept() has taken": (
        "s = socket(AF_UNIX, SOCK_STREAM); bind(s, abstract:n); listen(s, 0); a = accept(s) & as j;"
        " setrlimit(RLIMIT_NOFILE, 40, 1024); fill_fds()",
        "35"),
    "an automatic name is cut off where room is short": (
        "(a, b) = socketpair(AF_UNIX, SOCK_DGRAM, 0); setsockopt(b, SOL_SOCKET, SO_PASSCRED, 1); send(b, 'h');"
        " recvfrom(a, buf(5), 0, BUF, 4)",
        ""),
    "no file is made by a name with a slash at its end": ("mkfile('x'); mkfile('x/')", "EISDIR"),
    "nor looked for, whatever is there": ("mkfile('x'); f = open('x/', O_RDWR|O_CREAT|O_EXCL)", "EISDIR"),
    "a dot with a slash is a directory that is there": ("f = open('./', O_RDWR|O_CREAT|O_EXCL)", "EEXIST"),
    "a signal that is for nobody inside a call ends nothing": ("interrupt(SIGUSR2)", "0"),
    "a peer's name fits into no room": (
        "(a, b) = socketpair(AF_UNIX, SOCK_STREAM, 0); getsockopt(a, SOL_SOCKET, SO_PEERNAME, buf(0))", ""),
    "pipe2() knows its flags": ("(a, b) = pipe2(O_APPEND)", "EINVAL"),
    "pipe2() looks at its flags first": ("pipe2(BADPTR, O_APPEND)", "EINVAL"),
    "pipe2() makes ends that do not wait": ("(a, b) = pipe2(O_NONBLOCK); read(a, buf(3))", "EAGAIN"),
    "pipe2() makes ends that are closed by exec": ("(a, b) = pipe2(O_CLOEXEC); fcntl(b, F_GETFD)", "1"),
    "loopback has no address in a network namespace that is new": (
        "unshare(CLONE_NEWNET); u = socket(AF_INET, SOCK_DGRAM); ioctl(u, SIOCGIFADDR, if:lo)", "EADDRNOTAVAIL"),
}  # fmt: skip
"""Name to the calls and the result; "" for a result that the kernel's test alone looks at."""


def steps(name: str) -> list[str]:
    """The calls of a sequence, one a step."""
    return [one.strip().replace("'", '"') for one in FOUND[name][0].split(";")]
