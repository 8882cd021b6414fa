"""What calls give that waited, by what happens meanwhile: the calls, what the one that waits (j) may give, and what it may not."""

from collections.abc import Mapping

WAITED: Mapping[str, tuple[str, str, str]] = {
    "O_NONBLOCK comes too late for a call that waits": (
        "s = socket(AF_UNIX, SOCK_DGRAM); recv(s, buf(10)) & as j; fcntl(s, F_SETFL, O_NONBLOCK); shutdown(s, SHUT_RD)",
        '0 out ""', "EAGAIN"),
    "for accept(), too": (
        "s = socket(AF_UNIX, SOCK_STREAM); bind(s, abstract:n); listen(s, 0); accept(s) & as j; fcntl(s, F_SETFL, O_NONBLOCK);"
        " shutdown(s, SHUT_RD)",
        "EINVAL", "EAGAIN"),
    "SO_RCVLOWAT comes too late, too": (
        "(a, b) = socketpair(AF_UNIX, SOCK_STREAM, 0); recv(a, buf(10)) & as j; setsockopt(a, SOL_SOCKET, SO_RCVLOWAT, 9);"
        " send(b, 'hello')",
        '5 out "hello"', "EAGAIN"),
    "poll() keeps open what it waits for": (
        "(a, b) = socketpair(AF_UNIX, SOCK_STREAM, 0); poll(a, POLLIN, -1) & as j; close(a); poll(b, POLLRDHUP, 0) -> 0 out 0;"
        " send(b, 'hello')",
        "1 out POLLNVAL", "1 out POLLIN"),
    "select() finds a descriptor ready that was closed meanwhile": (
        "(a, b) = socketpair(AF_UNIX, SOCK_STREAM, 0); select(a, NONE, 60000) & as j; close(a); send(b, 'hello')",
        "1 out readable", "EBADF"),
    "a write to a pipe that loses its reader gives what it had written": (
        "(a, b) = pipe(); write(b, buf(70000)) & as j; close(a)", "65536", "EPIPE"),
    "a write that ends as its peer goes takes the peer's reset": (
        "(a, b) = socketpair(AF_UNIX, SOCK_STREAM, 0); write(a, buf(300000)) & as j; close(b)", "219264", "EPIPE"),
}  # fmt: skip
"""Name to the calls, a result, and one that there cannot be."""
