"""Names, descriptors, files and processes on this kernel: calls made for real, each of which the model must explain."""

from itertools import product
from pathlib import Path

import pytest
from model.sockets.on_kernel import disagreements

pytestmark = pytest.mark.netns

_TCP4, _TCP6 = "s = socket(AF_INET, SOCK_STREAM, 0)", "s = socket(AF_INET6, SOCK_STREAM, 0)"
_UDP4, _UDP6 = "s = socket(AF_INET, SOCK_DGRAM, 0)", "s = socket(AF_INET6, SOCK_DGRAM, 0)"
_UNIX = "s = socket(AF_UNIX, SOCK_STREAM, 0)"

MAKING = [
    *(f"{call}({family}, {kind}, {protocol})"
      for call in ("socket", "(a, b) = socketpair")
      for family in ("AF_INET", "AF_INET6", "AF_UNIX", "-1", "0", "46")
      for kind, protocol in product(("SOCK_STREAM", "SOCK_DGRAM", "0", "6", "11", "SOCK_STREAM|0x100"), (0, 1, 6, 17, -1, 263))),
    *(f"socket({family}, SOCK_RAW, {protocol})" for family in ("AF_INET", "AF_INET6", "AF_UNIX") for protocol in (0, 17, 255, 263)),
    "socketpair(AF_UNIX, SOCK_STREAM, 0, NULL)", "socketpair(AF_INET, SOCK_STREAM, 0, BADPTR)",
    "socketpair(99, SOCK_STREAM, 0, NULL)",
    "x = socket(AF_INET, SOCK_STREAM|SOCK_CLOEXEC|SOCK_NONBLOCK, 0)", "fcntl(x, F_GETFD)", "fcntl(x, F_GETFL)", "exec_has_fd(x)",
]  # fmt: skip

LENGTHS = [
    "bind(s, 0.0.0.0:0, 3)", "bind(s, 0.0.0.0:0, 15)", "bind(s, 0.0.0.0:0, 128)", "bind(s, 0.0.0.0:0, 129)",
    "bind(s, 0.0.0.0:0, -1)",
]  # fmt: skip
POINTERS = ["bind(s, NULL)", "bind(s, BADPTR)", "bind(s, BADPTR[0])", "bind(s, BADPTR[200])", "bind(s, NULL[0])"]
FOREIGN = [
    "bind(s, unspec)", "bind(s, family1)", "bind(s, unix:x)", "bind(s, unixfamilyonly)", "bind(s, 9.9.9.9:0)",
    "bind(s, [2001:db8::1]:0)",
    "bind(s, [::ffff:9.9.9.9]:0)", "bind(s, [fe80::1]:0)", "bind(s, [::127.0.0.1]:0)", "bind(s, 0.0.0.1:0)", "bind(s, 240.0.0.1:0)",
    "bind(s, [::1]:0, 23)",
]  # fmt: skip
TELLING = [
    "getsockname(s)", "getsockname(s, BUF, 3)", "getsockname(s, BUF, 0)", "getsockname(s, BUF, -1)", "getsockname(s, BUF, 200)",
    "getsockname(s, NULL)", "getsockname(s, BADPTR)", "getsockname(s, NULL, 0)", "getsockname(s, BUF, BADPTR)",
    "getsockname(s, BUF, 8)",
    "getsockname(s, buf(16), 16)", "getsockname(s, buf(4), 4)", "getsockname(s, buf(128), 128)", "getsockname(s, BUF, 24)",
    "getpeername(s)", "getpeername(s, BADPTR)", "getpeername(s, BUF, -1)",
]  # fmt: skip
AGAIN = ["bind(s, 127.0.0.1:0)", "bind(s, 127.0.0.1:7000)", "bind(s, 127.0.0.1:0, 3)", "bind(s, 9.9.9.9:0)", "bind(s, BADPTR)"]

_ADDRESSES = ("0.0.0.0", "127.0.0.1", "127.0.0.2", "[::]", "[::] only", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:0.0.0.0]")


def _beside(kind: str, *options: str) -> list[str]:
    """Whether one address can be had beside another, on one port, for every two of them; each two have a port of their own."""
    steps = []
    for port, pair in enumerate(product(_ADDRESSES, repeat=2), start=7000):
        for name, text in zip("ab", pair, strict=True):
            address, _, only = text.partition(" ")
            steps.append(f"{name} = socket({'AF_INET6' if '[' in address else 'AF_INET'}, {kind}, 0)")
            steps += [f"setsockopt({name}, SOL_SOCKET, {option}, 1)" for option in options]
            if only:
                steps.append(f"setsockopt({name}, IPPROTO_IPV6, IPV6_V6ONLY, 1)")
            steps.append(f"bind({name}, {address}:{port})")
        steps += ["getsockname(b)", "close(a)", "close(b)"]
    return steps


BESIDE = {
    f"{kind} {options}": _beside(kind, *options)
    for kind in ("SOCK_STREAM", "SOCK_DGRAM")
    for options in ((), ("SO_REUSEADDR",), ("SO_REUSEPORT",), ("SO_REUSEADDR", "SO_REUSEPORT"))
}


def _ports(one: str, two: str, three: str) -> dict[str, list[str]]:
    """Who keeps a port when: listeners, connections, accepted ones, TIME-WAIT, sockets that were refused or taken apart.

    The three are options of the listener (or first socket), of the client (or second), and of the one that comes last.
    """

    def made(name: str, option: str, kind: str = "SOCK_STREAM") -> list[str]:
        return [f"{name} = socket(AF_INET, {kind}, 0)", *([f"setsockopt({name}, SOL_SOCKET, {option}, 1)"] if option else [])]

    connected = [*made("l", one), "bind(l, 127.0.0.1:7000)", "listen(l, 5)", *made("c", two), "connect(c, @l)", "a = accept(l)",
                 *made("t", three)]  # fmt: skip
    first, second, udp = made("s", one), made("t", two), "SOCK_DGRAM"
    return {
        "of a client": [*connected, "bind(t, @c)"],
        "of a client, anywhere": [*connected, "bind(t, @c:any4)", "listen(t, 1)"],
        "of an accepted one": [*connected, "close(l)", "bind(t, @a)", "listen(t, 1)"],
        "of TIME-WAIT": [*connected, "close(l)", "close(a)", "recv(c, buf(1))", "close(c)", "bind(t, 127.0.0.1:7000)"],
        "of a client's TIME-WAIT": [*connected, "B = addr(c)", "close(c)", "recv(a, buf(1))", "close(a)", "bind(t, @B)"],
        "of FIN-WAIT-2": [*connected, "close(l)", "close(a)", "bind(t, 127.0.0.1:7000)"],
        "two listeners": [*first, "bind(s, 127.0.0.1:7000)", *second, "bind(t, 127.0.0.1:7000)", "listen(s, 1)", "listen(t, 1)",
                          *made("u", three), "bind(u, 0.0.0.0:7000)", "listen(u, 1)"],
        "an option taken back": [*first, "bind(s, 127.0.0.1:7000)", "setsockopt(s, SOL_SOCKET, SO_REUSEADDR, 0)", *second,
                                 "bind(t, 127.0.0.1:7000)"],
        "refused": [*made("c", two), "connect(c, 127.0.0.1:9)", "getsockname(c)", "bind(c, 127.0.0.1:7000)", "getsockname(c)",
                    *made("t", three), "bind(t, @c)"],
        "refused with a port": [*made("c", two), "bind(c, 127.0.0.1:7000)", "connect(c, 127.0.0.1:9)", "getsockname(c)",
                                "bind(c, 127.0.0.1:7001)", *made("t", three), "bind(t, @c)"],
        "taken apart": [*connected, "connect(c, unspec)", "getsockname(c)", "bind(c, 127.0.0.1:7003)", "connect(a, unspec)",
                        "getsockname(a)", "bind(a, 127.0.0.1:7000)", "getsockname(a)"],
        "of listen()": [*made("l", one), "listen(l, 1)", "getsockname(l)", *made("t", three), "bind(t, @l)", "bind(t, @l:v4)"],
        "of UDP": [*made("s", one, udp), "bind(s, 0.0.0.0:7000)", "connect(s, 127.0.0.1:9)", "getsockname(s)", *made("t", two, udp),
                   "bind(t, 127.0.0.2:7000)", *made("u", three, udp), "bind(u, 127.0.0.1:7000)", "connect(s, unspec)",
                   "getsockname(s)"],
        "of UDP, chosen": [*made("s", one, udp), "connect(s, 127.0.0.1:9)", "getsockname(s)", *made("t", two, udp), "bind(t, @s)",
                           'sendto(s, "x", 0, 127.0.0.1:9)', *made("u", three, udp), 'sendto(u, "x", 0, 127.0.0.1:9)',
                           "getsockname(u)", "bind(u, 127.0.0.1:0)", "getpeername(s)"],
        "of a client that named no address": [
            *[step.replace("AF_INET,", "AF_INET6,") for step in [*made("l", one), *made("c", two)]], "bind(l, [::]:7000)",
            "listen(l, 5)", "bind(c, [::]:7001)", "connect(c, [::1]:7000)", "a = accept(l)", "close(l)", *made("t", three),
            "bind(t, 0.0.0.0:7001)", "bind(t, 0.0.0.0:7000)", "bind(t, 127.0.0.1:7001)", *made("u", three),
            "bind(u, 127.0.0.6:7000)"],
        "of another user": [*made("s", one), "bind(s, 127.0.0.1:7000)", "seteuid(65534)", *made("t", two),
                            "bind(t, 127.0.0.1:7000)", "seteuid(0)", *made("v", three), "bind(v, 127.0.0.1:7000)"],
        "of a device": [*first, 'setsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, "lo")', "bind(s, 127.0.0.1:7000)", *second,
                        "bind(t, 127.0.0.1:7000)"],
    }  # fmt: skip


_A, _P = "SO_REUSEADDR", "SO_REUSEPORT"
PORTS = {
    f"{what}: {options}": steps
    for options in (("", "", ""), (_A, "", _A), (_A, _A, _A), (_P, _P, _P), ("", _A, _A))
    for what, steps in _ports(*options).items()
}

UNIX = {
    "a path once": [_UNIX, "bind(s, unix:p)", "bind(s, unix:p)", "bind(s, unix:q)", "bind(s, unixfamilyonly)", "getsockname(s)",
                    "t = socket(AF_UNIX, SOCK_DGRAM, 0)", "bind(t, unix:p)", "unlink(\"p\")", "bind(t, unix:p)", "getsockname(s)",
                    "bind(s, unix:q)", "bind(s, abstract:x)"],
    "a path that is not there": [_UNIX, "bind(s, unix:no/p)", "mkfile(\"f\")", "bind(s, unix:f)", "bind(s, unix:f/p)",
                                 "bind(s, unix:.)",
                                 "bind(s, unix:/)", "bind(s, unix:p/)", "bind(s, unix:./p)", "getsockname(s)"],
    "an abstract name": [_UNIX, "bind(s, abstract:x)", "bind(s, abstract:x)", "bind(s, abstract:y)", "getsockname(s)",
                         "t = socket(AF_UNIX, SOCK_STREAM, 0)", "bind(t, abstract:x)", "u = socket(AF_UNIX, SOCK_DGRAM, 0)",
                         "bind(u, abstract:x)", "getsockname(u, buf(16), 16)", "getsockname(u, BUF, 3)", "getpeername(u)"],
    "a name of the kernel's": [_UNIX, "bind(s, unixfamilyonly)", "getsockname(s)", "bind(s, unixfamilyonly)", "getsockname(s)",
                               "t = socket(AF_UNIX, SOCK_STREAM, 0)", "bind(t, @s)", "bind(t, unixfamilyonly)", "getsockname(t)"],
    "lengths": [_UNIX, *POINTERS, "bind(s, unixfamilyonly, 1)", "bind(s, unixfamilyonly, 0)", "bind(s, unix:p, 111)",
                "bind(s, unix:pq, 3)",
                "getsockname(s)", "bind(s, 127.0.0.1:0)", f"bind(s, unix:{'x' * 108})"],
    "108 bytes": [_UNIX, f"bind(s, unix:{'x' * 109})", f"bind(s, unix:{'x' * 108}, 110)", "getsockname(s, buf(128), 128)",
                  "getsockname(s, BUF, 110)", "getsockname(s, BUF, 10)", "getsockname(s, BUF, 2)"],
    "families": [_UNIX, *FOREIGN, *TELLING],
    "a pair": ["(s, t) = socketpair(AF_UNIX, SOCK_SEQPACKET, 0)", *TELLING, "bind(s, abstract:z)", "getpeername(t)",
               "getsockname(t)",
               "bind(t, unix:/some/path/that/does/not/exist)"],
}  # fmt: skip

DESCRIPTORS = {
    "dup": [_TCP4, "d = dup(s)", "fcntl(d, F_SETFD, FD_CLOEXEC)", "fcntl(s, F_GETFD)", "e = dup(d)", "fcntl(e, F_GETFD)",
            "close(s)",
            "close(s)", "getsockname(d)", "same_file(d, e)", "exec_has_fd(d)", "exec_has_fd(e)", "exec_has_fd(99)", "dup(s)",
            "dup(-1)"],
    "dup2": [_TCP4, "t = socket(AF_INET, SOCK_DGRAM, 0)", "dup2(s, -1)", "dup2(s, 100000)", "dup2(s, s)", "dup2(s, t)",
             "same_file(s, t)",
             "dup2(99, t)", "dup2(99, 99)", "dup2(s, 40)", "fcntl(40, F_GETFD)", "lowest_free()"],
    "dup3": [_TCP4, "dup3(s, s, 0)", "dup3(s, s, O_CLOEXEC)", "dup3(s, 40, 1)", "dup3(99, 40, 1)", "dup3(99, 99, 0)",
             "dup3(99, 40, 0)",
             "d = dup3(s, 40, O_CLOEXEC)", "fcntl(d, F_GETFD)", "dup3(s, -1, 0)", "dup3(s, 100000, 0)", "exec_has_fd(40)"],
    "fcntl": [_TCP4, "(p, q) = pipe()", "e = epoll_create1(0)", "n = open(\"/dev/null\", O_RDWR)",
              *(f"fcntl({fd}, {command})" for fd in ("s", "p", "q", "e", "n", "99") for command in (
                  "F_GETFL", "F_GETFD", "F_SETFD, 3", "F_GETFD", "F_SETFD, 0", "F_SETFL, O_RDWR|O_NONBLOCK|O_APPEND|O_ASYNC",
                  "F_GETFL",
                  "F_SETFL, O_RDWR", "F_GETFL", "F_GETOWN", "F_GETSIG", "F_SETSIG, 65", "F_SETSIG, 10", "F_GETSIG", "1032", "1034",
                  "999",
                  "F_DUPFD, -1", "F_DUPFD, 100000", "F_DUPFD, 30", "F_DUPFD_CLOEXEC, 30")),
              "fcntl(s, F_SETFL, O_DIRECT)", "fcntl(p, F_SETFL, O_DIRECT)", "fcntl(e, F_SETFL, O_DIRECT)", "fcntl(30, F_GETFD)",
              "fcntl(31, F_GETFD)"],
    "positions": [_TCP4, "(p, q) = pipe()", "e = epoll_create1(0)", "n = open(\"/dev/null\", O_RDWR)",
                  *(f"{call}" for fd in ("s", "p", "q", "e", "n", "99") for call in (
                      f"lseek({fd}, 0, SEEK_SET)", f"lseek({fd}, 0, 9)", f"pread({fd}, buf(1), 0)", f"pread({fd}, buf(1), -1)",
                      f"pwrite({fd}, \"x\", 0)", f"pwrite({fd}, \"x\", -1)", f"fstat({fd})", f"fstat({fd}, BADPTR)",
                      f"fstat({fd}, NULL)"))],
    "limits": ["setrlimit(RLIMIT_NOFILE, 20, 10)", "setrlimit(99, 1)", "setrlimit(RLIMIT_NOFILE, 1073741824)",
               "s = socket(AF_INET, SOCK_STREAM, 0)", "(a, b) = socketpair(AF_UNIX, SOCK_STREAM, 0)", "setrlimit(RLIMIT_NOFILE, 8)",
               "c = dup(s)", "(x, y) = socketpair(AF_UNIX, SOCK_STREAM, 0)", "pipe()", "pipe(NULL)", "socketpair(99, 1, 0)",
               "d = dup(s)",
               "e = dup(s)", "socket(AF_INET, SOCK_STREAM, 0)", "socket(99, SOCK_STREAM, 0)", "socket(AF_INET, SOCK_STREAM, 17)",
               "open(\"/dev/null\", O_RDWR)", "open(\"no\", O_RDWR)", "open(NULL, 0)", "mkfile(\"x\")", "epoll_create1(0)",
               "fcntl(s, F_DUPFD, 0)", "fcntl(s, F_DUPFD, 8)", "dup2(s, 8)", "dup2(s, 7)", "lowest_free()", "close(4)",
               "lowest_free()", "socketpair(AF_UNIX, SOCK_STREAM, 0, NULL)", "socket(AF_UNIX, SOCK_STREAM, 0)"],
    "filled": ["setrlimit(RLIMIT_NOFILE, 64)", _TCP4, "fill_fds()", "fcntl(s, F_DUPFD, 1)", "dup(s)", "close(10)", "dup(s)"],
}  # fmt: skip

PIPES = {
    "read and write": ["(p, q) = pipe()", "write(q, \"hello\")", "read(p, buf(2))", "read(p, buf(10))", "write(p, \"x\")",
                       "read(q, buf(1))",
                       "fcntl(p, F_SETFL, O_NONBLOCK)", "read(p, buf(1))", "read(p, buf(0))", "read(p, BADPTR[1])",
                       "write(q, BADPTR[1])",
                       "write(q, buf(0))", "write(q, \"ab\")", "read(p, BADPTR[5])", "close(q)", "read(p, buf(5))",
                       "read(p, buf(5))",
                       "read(p, BADPTR[5])"],
    "full": ["(p, q) = pipe()", "fcntl(q, F_SETFL, O_NONBLOCK|O_WRONLY)", "write(q, buf(3))", "write(q, buf(65536))",
             "write(q, buf(65536))", "write(q, buf(1))", "read(p, buf(4096))", "write(q, buf(5000))", "write(q, buf(4093))",
             "write(q, buf(1))", "read(p, buf(5))", "write(q, buf(1))", "close(p)", "write(q, buf(1))", "write(q, buf(0))"],
    "odd sizes": ["(p, q) = pipe()", "fcntl(q, F_SETFL, O_NONBLOCK|O_WRONLY)", *["write(q, buf(2049))"] * 17, "read(p, buf(3000))",
                  "write(q, buf(2047))", "write(q, buf(2047))", "write(q, buf(8192))", "read(p, buf(60000))"],
    "waiting": ["(p, q) = pipe()", "read(p, buf(5)) & as j", "write(q, \"hello\")", "join j", "write(q, buf(70000)) & as k",
                "read(p, buf(10000))", "join k", "read(p, buf(70000))", "read(p, buf(5)) & as m", "close(q)", "join m"],
    "closed meanwhile": ["(p, q) = pipe()", "read(p, buf(5)) & as j", "close(p)", "lowest_free()", 'write(q, "hello")', "join j",
                         'write(q, "x")', "(x, y) = socketpair(AF_UNIX, SOCK_STREAM, 0)", "(m, n) = pipe()",
                         "read(m, buf(1)) & as k", "dup2(x, m)", "fcntl(n, F_GETFL)", "close(n)", "join k"],
    "taken while it waits": [_TCP4, "listen(s, 1)", "accept(s) & as j", "lowest_free()", "dup2(s, 4)", "child(lowest_free())",
                             "handle(SIGUSR1)", "interrupt(SIGUSR1)", "join j", "lowest_free()", "dup2(s, 4)"],
    "signals": ["(p, q) = pipe()", "close(p)", "write(q, \"x\")", "c = fork()", "handle(SIGPIPE)", "write(q, \"x\")"],
    "devices": ["n = open(\"/dev/null\", O_RDWR)", "z = open(\"/dev/zero\", O_RDONLY)", "f = open(\"/dev/full\", O_RDWR)",
                "read(n, buf(5))", "write(n, buf(5))", "read(n, BADPTR)", "write(n, BADPTR)", "read(z, buf(3))", "read(z, BADPTR)",
                "write(z, \"x\")", "write(f, \"x\")", "write(f, buf(0))", "read(f, buf(2))", "d = open(\".\", O_RDONLY)",
                "read(d, buf(1))",
                "write(d, \"x\")", "fstat(d)", "same_file(n, d)", "bind(n, 127.0.0.1:0)", "getsockname(n)"],
}  # fmt: skip

PATHS = {
    "open": [_UNIX, "bind(s, unix:s1)", "mkfile(\"f\")", *(f"open({what})" for what in (
        "\"s1\", O_RDWR", "\"s1\", O_CREAT|O_EXCL", "\"s1\", O_CREAT", "\"s1\", O_DIRECTORY", "\"s1/\", O_RDONLY",
        "\"no\", O_RDONLY",
        "\"no/\", O_CREAT", "\".\", O_RDWR", "\".\", O_CREAT", "\"no\", O_CREAT|O_DIRECTORY", "\"\", O_RDONLY", "NULL, O_RDONLY",
        "BADPTR, O_RDONLY", "\"s1/x\", O_RDONLY", "\"no/x\", O_RDONLY", "\"f\", O_RDONLY", "\"f\", O_DIRECTORY", "\"f/\", O_RDONLY",
        "\"g\", O_CREAT|O_RDWR", f"\"{'x' * 256}\", O_CREAT", "\"/dev/null/x\", O_RDONLY", "\"/dev/null\", O_RDONLY|O_DIRECTORY",
        "\"/tmp\", O_WRONLY")), "mkfile(\"s1\")", "mkfile(\".\")", "mkfile(\"no/x\")", "mkfile(\"f\")"],
    "names": [_UNIX, "bind(s, unix:s1)", "unlink(\"no\")", "unlink(\".\")", "unlink(NULL)", "chmod(\"no\", 0)", "chmod(\"s1\", 0)",
              "access(\"s1\", 0)", "access(\"s1\", 8)", "access(\"no\", 8)", "access(\"no\", 0)", "access(\"s1\", 6)",
              "access(\"s1\", 1)",
              "chmod(\"s1\", 0700)", "access(\"s1\", 1)", "unlink(\"s1\")", "access(\"s1\", 0)", "open(\"s1\", O_RDWR)",
              "umask(027)",
              "umask(077)", "mkfile(\"f\")", "access(\"f\", 1)", "access(\"f\", 4)"],
}  # fmt: skip

PROCESSES = {
    "fork": [_TCP4, "p = fork()", "getpid()", "child(close(s))", "getsockname(s)", "child(socket(AF_INET, SOCK_STREAM, 0))",
             "child(bind(s, 127.0.0.1:7000))", "getsockname(s)", "child(getsockname(99))", "child(exit(3))", "child(kill(SIGKILL))",
             "getsockname(s)"],
    "users": ["seteuid(65534)", "seteuid(5)", "seteuid(65534)", "socket(AF_INET, SOCK_RAW, 17)",
              "socket(AF_INET, SOCK_RAW, 0)", "socket(AF_INET6, SOCK_RAW, 58)", _TCP4, "bind(s, 0.0.0.0:80)", "bind(s, 9.9.9.9:80)",
              "t = socket(AF_INET6, SOCK_STREAM, 0)", "bind(t, [::]:80)", "bind(t, [2001:db8::1]:80)", "bind(s, 0.0.0.0:1024)",
              "seteuid(0)", "bind(t, [::1]:80)"],
    "waiting": ["sleep(5)", "A = unused_port(AF_INET, SOCK_STREAM)", _TCP4, "bind(s, @A)", "getsockname(s)",
                "B = addr(s)", "t = socket(AF_INET, SOCK_STREAM, 0)", "bind(t, @B)", "bind(t, @B:any4)", "addr(99)",
                "exported(\"socket\")", "exported(\"closesocket\")", "kill(SIGCHLD)", "handle(SIGUSR1)", "kill(SIGUSR1)",
                "handle(SIGKILL)", "kill(SIGPIPE)"],
    "interrupted": ["(p, q) = pipe()", "handle(SIGUSR1)", "read(p, buf(1)) & as j", "interrupt(SIGUSR1)", "join j",
                    "handle(SIGUSR1, SA_RESTART)", "read(p, buf(1)) & as k", "interrupt(SIGUSR1)", "write(q, \"x\")", "join k",
                    "interrupt(SIGUSR1)"],
    "kinds of one file": [_TCP4, "t = dup(s)", "u = socket(AF_INET, SOCK_STREAM, 0)", "(p, q) = pipe()", "(x, y) = pipe()",
                          "e = epoll_create1(0)", "f = epoll_create1(0)", "same_file(s, t)", "same_file(s, u)", "same_file(p, q)",
                          "same_file(p, x)", "same_file(e, f)", "same_file(s, 99)", "same_file(99, s)", "same_file(p, s)"],
}  # fmt: skip


def test_making_sockets(tmp_path: Path) -> None:
    assert disagreements({"making": MAKING}, tmp_path) == {}


def test_names_of_internet_sockets(tmp_path: Path) -> None:
    tables = {}
    for first in (_TCP4, _TCP6, _UDP4, _UDP6):
        fitting = "127.0.0.1:0" if "AF_INET," in first else "[::1]:0"
        tables[f"{first}, lengths"] = [first, *LENGTHS[:2], *LENGTHS[3:], *POINTERS, *TELLING]
        tables[f"{first}, foreign"] = [first, *FOREIGN[1:], *TELLING]
        tables[f"{first}, again"] = [first, f"bind(s, {fitting})", *AGAIN, *TELLING]
        tables[f"{first}, unspecified"] = [first, FOREIGN[0], *AGAIN, "getsockname(s)"]
        tables[f"{first}, long"] = [first, LENGTHS[2], "getsockname(s)"]
        tables[f"{first}, mapped"] = [first, "bind(s, [::ffff:127.0.0.1]:7000)", *TELLING]
        tables[f"{first}, only"] = [first, "setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, 1)", "bind(s, [::ffff:127.0.0.1]:7000)"]
        for group in ("224.1.1.1", "255.255.255.255", "127.255.255.255", "[ff05::1]", "[ff02::1%lo]", "[ff02::1]", "[fe80::1%9]"):
            tables[f"{first}, {group}"] = [first, f"bind(s, {group}:7000)", "getsockname(s)"]
        for option in (
            "SOL_IP, IP_FREEBIND",
            "SOL_IP, IP_TRANSPARENT",
            "SOL_IP, IP_BIND_ADDRESS_NO_PORT",
            "IPPROTO_IPV6, IPV6_FREEBIND",
        ):
            tables[f"{first}, {option}"] = [
                first, f"setsockopt(s, {option}, 1)", "bind(s, 9.9.9.9:0)", "bind(s, [2001:db8::1]:0)", f"bind(s, {fitting})",
                "getsockname(s)",
            ]  # fmt: skip
    for family, protocol in product(("AF_INET", "AF_INET6"), ("17", "IPPROTO_RAW")):
        steps = [
            f"s = socket({family}, SOCK_RAW, {protocol})",
            *TELLING,
            *LENGTHS,
            *POINTERS,
            *FOREIGN,
            *AGAIN,
            "bind(s, [::1]:0)",
            *TELLING,
        ]
        tables[f"raw {family} {protocol}"] = steps
    assert disagreements(tables, tmp_path) == {}


def test_which_names_can_be_had_beside_which(tmp_path: Path) -> None:
    assert disagreements(BESIDE, tmp_path) == {}


@pytest.mark.parametrize(
    "tables",
    [PORTS, UNIX, DESCRIPTORS, PIPES, PATHS, PROCESSES],
    ids=("ports", "unix", "descriptors", "pipes", "paths", "processes"),
)
def test_sequences(tables: dict[str, list[str]], tmp_path: Path) -> None:
    assert disagreements(tables, tmp_path) == {}
