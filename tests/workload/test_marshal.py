"""Calls of the notation become what libc takes, and what libc gave becomes the notation again."""

import platform
import signal
import socket
import stat
import struct
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from netlab.notation import sockaddr
from netlab.notation.calls import Call, CallText
from netlab.notation.parse import parse_step
from netlab.notation.pattern import pattern
from netlab.notation.printing import print_data
from netlab.workload.layouts import pack_credentials, pack_epoll_event, pack_rights
from netlab.workload.marshal import Encoded, MarshalError, decode, encode

V4, V6 = sockaddr.pack_ip("127.0.0.1", 7000), sockaddr.pack_ip("::1", 7001)


@dataclass
class Known:
    """An environment that was told all it knows."""

    descriptors: dict[str, int] = field(default_factory=lambda: {"s": 3, "t": 4, "v6": 5, "u": 6})

    def descriptor(self, name: str) -> int:
        return self.descriptors[name]

    def address_of_name(self, name: str) -> bytes | None:
        return {"s": V4, "v6": V6}.get(name)

    def family(self, name: str | int) -> int:
        return socket.AF_INET6 if name in ("v6", 5) else socket.AF_INET

    def node_address(self, node: str, interface: str, family: int) -> str:
        assert node == "server"
        host = "2" if interface else "1"
        return f"fd00::{host}" if family == socket.AF_INET6 else f"10.0.0.{host}"

    def port_of(self, name: str) -> int:
        return sockaddr.port_of(self.address_of_name(name) or b"")

    def interface_index(self, name: str) -> int:
        if name != "eth0":
            raise ValueError(f"there is no interface {name}")
        return 2

    def process_number(self, name: str) -> int:
        return {"self": 20, "p": 21}[name]


def cmsg(level: int, kind: int, body: bytes) -> bytes:
    whole = struct.pack("@Lii", 16 + len(body), level, kind) + body
    return whole + bytes(-len(whole) % 8)


def call_of(text: str) -> Call:
    step = parse_step(text)
    assert isinstance(step, CallText)
    return step.call


def encoded(text: str) -> Encoded:
    return encode(call_of(text), Known())


def ints(*values: int) -> list[list[Any]]:
    return [["int", value] for value in values]


def int_pointer(value: int) -> list[Any]:
    return ["inout", struct.pack("=i", value)]


CALLS: list[tuple[str, list[Any]]] = [
    ("socket(PF_INET,SOCK_STREAM|SOCK_NONBLOCK,0)", ints(2, 1 | 2048, 0)),
    ("socket(AF_INET,SOCK_DGRAM)", ints(2, 2, 0)),
    ("(a,b)=socketpair(AF_UNIX,SOCK_STREAM,PF_UNIX)", [*ints(1, 1, 1), ["out", 8]]),
    ("socketpair(AF_UNIX,SOCK_STREAM,0,BADPTR)", [*ints(1, 1, 0), ["bad"]]),
    ("bind(s,0.0.0.0:0)", [["int", 3], ["in", sockaddr.pack_ip("0.0.0.0", 0)], ["int", 16]]),
    ("bind(s,0.0.0.0:0,3)", [["int", 3], ["in", sockaddr.pack_ip("0.0.0.0", 0)], ["int", 3]]),
    ("connect(s,127.0.0.1:0,28)", [["int", 3], ["in", sockaddr.pack_ip("127.0.0.1", 0) + bytes(12)], ["int", 28]]),
    ("bind(s,127.0.0.1:0,-1)", [["int", 3], ["in", sockaddr.pack_ip("127.0.0.1", 0)], ["int", -1]]),
    ("connect(v6,[fe80::1%2]:80)", [["int", 5], ["in", sockaddr.pack_ip("fe80::1", 80, 2)], ["int", 28]]),
    ("connect(v6,[fe80::1%eth0]:80)", [["int", 5], ["in", sockaddr.pack_ip("fe80::1", 80, 2)], ["int", 28]]),
    ("connect(s,server:8080)", [["int", 3], ["in", sockaddr.pack_ip("10.0.0.1", 8080)], ["int", 16]]),
    ("connect(v6,server.eth1:8080)", [["int", 5], ["in", sockaddr.pack_ip("fd00::2", 8080)], ["int", 28]]),
    ("connect(s,server:@v6)", [["int", 3], ["in", sockaddr.pack_ip("10.0.0.1", 7001)], ["int", 16]]),
    ("connect(s,unspec)", [["int", 3], ["in", bytes(16)], ["int", 16]]),
    ("bind(t,@s)", [["int", 4], ["in", V4], ["int", 16]]),
    ("bind(t,@s:any4)", [["int", 4], ["in", sockaddr.pack_ip("0.0.0.0", 7000)], ["int", 16]]),
    ("bind(t,@v6:v4)", [["int", 4], ["in", sockaddr.pack_ip("127.0.0.1", 7001)], ["int", 16]]),
    ("bind(t,@s:mapped)", [["int", 4], ["in", sockaddr.pack_ip("::ffff:127.0.0.1", 7000)], ["int", 28]]),
    ("bind(u,unix:s1)", [["int", 6], ["in", b"\x01\0s1\0"], ["int", 5]]),
    ("bind(u,abstract:h1)", [["int", 6], ["in", b"\x01\0\0h1"], ["int", 5]]),
    ("bind(u,unixfamilyonly)", [["int", 6], ["in", b"\x01\0"], ["int", 2]]),
    ("bind(s,NULL)", [["int", 3], ["null"], ["int", 16]]),
    ("bind(v6,BADPTR)", [["int", 5], ["bad"], ["int", 28]]),
    ("listen(400,0)", ints(400, 0)),
    ("accept(s)", [["int", 3], ["out", 128], int_pointer(128)]),
    ("accept(s,NULL)", [["int", 3], ["null"], ["null"]]),
    ("accept(s,BADPTR,16)", [["int", 3], ["bad"], int_pointer(16)]),
    ("accept(s,BUF,BADPTR)", [["int", 3], ["out", 128], ["bad"]]),
    ("accept4(s,SOCK_NONBLOCK)", [["int", 3], ["out", 128], int_pointer(128), ["int", 2048]]),
    ("getsockname(s,BUF,-1)", [["int", 3], ["out", 128], int_pointer(-1)]),
    ("getpeername(-1)", [["int", -1], ["out", 128], int_pointer(128)]),
    ("send(s,BADPTR#1024,0)", [["int", 3], ["bad"], *ints(1024, 0)]),
    ("send(s,#6,MSG_NOSIGNAL)", [["int", 3], ["in", b"abcdef"], *ints(6, 0x4000)]),
    ("write(s,#0)", [["int", 3], ["in", b""], ["int", 0]]),
    ("sendto(s,#4,0,family0)", [["int", 3], ["in", b"abcd"], *ints(4, 0), ["in", bytes(16)], ["int", 16]]),
    ("sendto(s,\"hi\")", [["int", 3], ["in", b"hi"], *ints(2, 0), ["null"], ["int", 0]]),
    ("recv(s,buf(10),MSG_DONTWAIT)", [["int", 3], ["out", 10], *ints(10, 0x40)]),
    ("recvfrom(s,buf(3),0)", [["int", 3], ["out", 3], *ints(3, 0), ["out", 128], int_pointer(128)]),
    ("pread(s,buf(3),7)", [["int", 3], ["out", 3], *ints(3, 7)]),
    ("pwrite(s,\"hi\",7)", [["int", 3], ["in", b"hi"], *ints(2, 7)]),
    ("unshare(CLONE_NEWNET)", ints(0x40000000)),
    ("fstat(s)", [["int", 3], ["out", 256]]),
    ("system(\"exit 3\")", [["in", b"exit 3\0"]]),
    ("read(s,NULL[5])", [["int", 3], ["null"], ["int", 5]]),
    ("shutdown(s,SHUT_RDWR)", ints(3, 2)),
    ("fcntl(s,F_SETFL,O_RDWR|O_NONBLOCK)", ints(3, 4, 2050)),
    ("fcntl(s,F_GETFD)", ints(3, 1, 0)),
    ("dup3(s,40,O_CLOEXEC)", ints(3, 40, 0o2000000)),
    ("ioctl(s,FIONREAD)", [*ints(3, 0x541B), int_pointer(0)]),
    ("ioctl(s,FIONBIO,1)", [*ints(3, 0x5421), int_pointer(1)]),
    ("ioctl(s,SIOCGIFFLAGS,if:lo)", [*ints(3, 0x8913), ["inout", b"lo" + bytes(38)]]),
    ("ioctl(s,SIOCGIFNAME,if:eth0)", [*ints(3, 0x8910), ["inout", bytes(16) + struct.pack("=i", 2) + bytes(20)]]),
    ("ioctl(s,SIOCGIFCONF)", [*ints(3, 0x8912), ["inout", bytes(16)]]),
    ("setsockopt(s,SOL_SOCKET,SO_BINDTODEVICE,if:eth0)", [*ints(3, 1, 25), ["in", b"eth0\0"], ["int", 5]]),
    ("setsockopt(v6,IPPROTO_IPV6,IPV6_MULTICAST_IF,if:eth0)", [*ints(5, 41, 17), ["in", struct.pack("=i", 2)], ["int", 4]]),
    ("setsockopt(s,IPPROTO_IP,IP_UNICAST_IF,if:eth0)", [*ints(3, 0, 50), ["in", b"\0\0\0\2"], ["int", 4]]),
    ("getsockopt(s,SOL_SOCKET,SO_KEEPALIVE,BUF,BADPTR)", [*ints(3, 1, 9), ["out", 4], ["bad"]]),
    ("getsockopt(s,SOL_SOCKET,SO_KEEPALIVE,len,1)", [*ints(3, 1, 9), ["out", 4], int_pointer(1)]),
    ("access(unix:f,W_OK)", [["in", b"f\0"], ["int", 2]]),
    ("chmod(\"f\",0644)", [["in", b"f\0"], ["int", 0o644]]),
    ("setsockopt(s,SOL_SOCKET,SO_OOBINLINE,0,0)", [*ints(3, 1, 10), ["in", bytes(4)], ["int", 0]]),
    ("setsockopt(s,SOL_SOCKET,SO_SNDBUFFORCE,-256)", [*ints(3, 1, 32), ["in", struct.pack("=i", -256)], ["int", 4]]),
    ("setsockopt(s,SOL_SOCKET,SO_LINGER,{linger:1,10})", [*ints(3, 1, 13), ["in", struct.pack("=ii", 1, 10)], ["int", 8]]),
    ("setsockopt(s,SOL_IP,IP_ADD_MEMBERSHIP,{ip_mreq:239.1.1.1,0.0.0.0})",
     [*ints(3, 0, 35), ["in", b"\xef\1\1\1\0\0\0\0"], ["int", 8]]),
    ("setsockopt(s,SOL_IP,IP_ADD_MEMBERSHIP,{ip_mreqn:239.1.1.1,0.0.0.0,1})",
     [*ints(3, 0, 35), ["in", b"\xef\1\1\1\0\0\0\0" + struct.pack("=i", 1)], ["int", 12]]),
    ("unlink(\"/a\")", [["in", b"/a\0"]]),
    ("umask(027)", ints(0o27)),
    ("setsockopt(s,SOL_SOCKET,SO_RCVTIMEO,{timeval:0,2})", [*ints(3, 1, 20), ["in", struct.pack("@ll", 0, 2)], ["int", 16]]),
    ("setsockopt(s,IPPROTO_TCP,TCP_CONGESTION,\"reno\")", [*ints(3, 6, 13), ["in", b"reno"], ["int", 4]]),
    ("setsockopt(s,SOL_SOCKET,SO_KEEPALIVE,NULL,4)", [*ints(3, 1, 9), ["null"], ["int", 4]]),
    ("getsockopt(s,SOL_SOCKET,SO_ERROR)", [*ints(3, 1, 4), ["out", 4], int_pointer(4)]),
    ("getsockopt(s,SOL_SOCKET,SO_ERROR,errno)", [*ints(3, 1, 4), ["out", 4], int_pointer(4)]),
    ("getsockopt(s,IPPROTO_TCP,TCP_NODELAY,len,1)", [*ints(3, 6, 1), ["out", 4], int_pointer(1)]),
    ("getsockopt(s,SOL_SOCKET,SO_LINGER)", [*ints(3, 1, 13), ["out", 8], int_pointer(8)]),
    ("poll(s,POLLIN|POLLHUP,1000)", [["inout", struct.pack("=iHH", 3, 17, 0)], *ints(1, 1000)]),
    ("poll(s,POLLIN,t,POLLOUT,-1)", [["inout", struct.pack("=iHHiHH", 3, 1, 0, 4, 4, 0)], *ints(2, -1)]),
    ("poll(NULL,1,0)", [["null"], *ints(1, 0)]),
    ("select(s,NONE,100)", [
        ["int", 4], ["inout", bytes([8]) + bytes(127)], ["null"], ["null"], ["in", struct.pack("@ll", 0, 100_000)],
    ]),
    ("epoll_ctl(-1,EPOLL_CTL_ADD,s,EPOLLIN)", [*ints(-1, 1, 3), ["in", pack_epoll_event(1, 3)]]),
    ("epoll_ctl(t,EPOLL_CTL_ADD,s,NULL)", [*ints(4, 1, 3), ["null"]]),
    ("epoll_wait(t,2,10)", [["int", 4], ["out", 2 * len(pack_epoll_event(0, 0))], *ints(2, 10)]),
    ("(a,b)=pipe()", [["out", 8]]),
    ("open(\"f\",O_CREAT|O_RDWR)", [["in", b"f\0"], *ints(0o102, 0o600)]),
    ("setrlimit(RLIMIT_NOFILE,64)", [["int", 7], ["in", struct.pack("@LL", 64, 64)]]),
    ("fill_fds()", []),
    ("handle(SIGUSR1, SA_RESTART)", [["int", signal.SIGUSR1], ["int", 0x10000000]]),
    ("interrupt(SIGUSR1)", [["int", signal.SIGUSR1]]),
    ("exported(\"socket\")", [["in", b"socket\0"]]),
    ("kill(SIGTERM)", ints(15)),
]  # fmt: skip


@pytest.mark.parametrize(("text", "args"), CALLS, ids=[text for text, _ in CALLS])
def test_calls_as_libc_takes_them(text: str, args: list[Any]) -> None:
    assert encoded(text).args == args


def test_calls_that_count_bytes_return_ssize_t() -> None:
    wide = {text.split("(")[0] for text, _ in CALLS if encoded(text).width == "ssize"}
    assert wide == {"send", "sendto", "recv", "recvfrom", "read", "write", "pread", "pwrite"}


def test_messages() -> None:
    sent = encoded("sendmsg(u,#4,MSG_OOB,addr=@s,addrlen=1,control=rights(s,t))")
    assert sent.args == [
        ["int", 6],
        ["msg", {"name": V4[:1], "iov": [["in", b"abcd"]], "control": pack_rights([3, 4]), "flags": 0}],
        ["int", 1],
    ]
    own = encoded("sendmsg(u,#1,0,control={ucred:self,1,2})")
    assert own.args[1][1]["control"] == cmsg(1, 2, struct.pack("=iII", 20, 1, 2))
    bad = encoded("sendmsg(u,BADPTR#9,0,addr=unix:d,control=BADPTR)")
    assert bad.args[1] == ["msg", {"name": b"\x01\0d\0", "iov": [["bad", 9]], "control": ["bad"], "flags": 0}]
    nowhere = encoded("sendmsg(s,#1,0,addr=BADPTR,addrlen=9)")
    assert nowhere.args[1][1]["name"] == ["bad", 9]
    received = encoded("recvmsg(u,buf(5),0)")
    assert received.args[1] == ["msg", {"name": 128, "iov": [["out", 5]], "control": 512, "flags": 0}]
    below = encoded("recvmsg(u,buf(5),0,addrlen=-1)")
    assert below.args[1][1]["name"] == ["room", -1]
    astray = encoded("recvmsg(u,buf(5),0,addr=BADPTR)")
    assert astray.args[1][1]["name"] == ["bad", 16]
    several = encoded('sendmsg(u,iov("ab",buf(3),NULL[4]),0)')
    assert several.args[1][1]["iov"] == [["in", b"ab"], ["in", b"abc"], ["null", 4]]
    scattered = encoded("recvmsg(u,iov(buf(2),buf(8)),0)")
    assert scattered.args[1][1]["iov"] == [["out", 2], ["out", 8]]
    bare = encoded("recvmsg(u,buf(5),0,addr=NULL,control=NULL)")
    assert bare.args[1] == ["msg", {"name": None, "iov": [["out", 5]], "control": None, "flags": 0}]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("bind(s,@t)", "bind: t is no socket, so it has no address"),
        ("connect(s,[fe80::1%eth9]:80)", "no interface eth9"),
        ("bind(s,if:lo)", "bind: if:lo cannot be passed as an address"),
        ("select(5000,NONE,0)", "select: 5000 cannot be passed as a member of an fd_set"),
    ],
)
def test_what_has_no_form_in_memory_is_refused(text: str, message: str) -> None:
    with pytest.raises(MarshalError, match=message):
        encoded(text)


def message(data: bytes = b"", flags: int = 0, name: bytes = b"", control: bytes = b"") -> dict[str, Any]:
    return {"name": name, "iov": [data], "control": control, "flags": flags, "controllen": len(control), "namelen": len(name)}


EXTENDED = struct.pack("=IBBBBII", 111, 2, 3, 3, 0, 0, 0) + sockaddr.pack_ip("10.0.0.1", 0)
RECVERR = struct.pack("@Lii", 16 + len(EXTENDED), 0, 11) + EXTENDED

X86_64 = platform.machine() == "x86_64"
STATUS = struct.pack("=QQ" + "Q" * X86_64 + "I", 8, 4711, *[1] * X86_64, stat.S_IFSOCK | 0o777).ljust(256, b"\0")

REPLIES: list[tuple[str, int, list[Any], Any]] = [
    ("accept(s)", 5, [None, V4.ljust(128, b"\0"), struct.pack("=i", 16)], "127.0.0.1:7000"),
    ("accept(s,NULL)", 5, [None, None, None], None),
    ("accept(s,BUF,2)", 5, [None, V4[:2].ljust(128, b"\0"), struct.pack("=i", 16)], "family2"),
    (
        "getsockname(s,buf(16),4)",
        0,
        [None, V4[:4].ljust(16, b"\0"), struct.pack("=i", 16)],
        {"addrlen": 16, "data": print_data(V4[:4].ljust(16, b"\0"))},
    ),
    ("getsockname(v6)", 0, [None, V6.ljust(128, b"\0"), struct.pack("=i", 28)], "[::1]:7001"),
    ("recv(s,buf(9))", 5, [None, b"hello\0\0\0\0", None, None], '"hello"'),
    ("recv(s,buf(3),MSG_TRUNC)", 9, [None, b"hel", None, None], '"hel"'),
    ("read(s,buf(100))", 100, [None, pattern(100), None], "buf(100)"),
    ("read(s,buf(100))", 0, [None, bytes(100), None], '""'),
    ("pread(s,buf(9),0)", 5, [None, b"hello\0\0\0\0", None, None], '"hello"'),
    ("fstat(s)", 0, [None, STATUS], {"type": "socket", "ino": 4711}),
    ("recvfrom(s,buf(3))", 3, [None, b"abc", None, None, bytes(128), struct.pack("=i", 0)], ""),
    ("getsockopt(s,SOL_SOCKET,SO_ERROR)", 0, [None, None, None, struct.pack("=i", 111), struct.pack("=i", 4)], "ECONNREFUSED"),
    ("getsockopt(s,SOL_SOCKET,SO_ERROR)", 0, [None, None, None, bytes(4), struct.pack("=i", 4)], 0),
    ("getsockopt(s,IPPROTO_TCP,TCP_LINGER2)", 0, [None, None, None, struct.pack("=i", -1), struct.pack("=i", 4)], -1),
    ("getsockopt(s,IPPROTO_TCP,TCP_CONGESTION,str)", 0, [None, None, None, b"reno" + bytes(124), struct.pack("=i", 16)], "reno"),
    ("getsockopt(s,IPPROTO_TCP,TCP_NODELAY,len,1)", 0, [None, None, None, bytes(4), struct.pack("=i", 1)], {"len": 1, "value": 0}),
    (
        "getsockopt(s,SOL_SOCKET,SO_LINGER,buf(8),4)",
        0,
        [None, None, None, struct.pack("=ii", 1, 0), struct.pack("=i", 4)],
        {"len": 4, "data": print_data(struct.pack("=ii", 1, 0))},
    ),
    ("getsockopt(s,SOL_SOCKET,SO_LINGER)", 0, [None, None, None, struct.pack("=ii", 1, 5), struct.pack("=i", 8)], "{linger:1,5}"),
    ("ioctl(s,FIONREAD)", 0, [None, None, struct.pack("=i", 10)], 10),
    ("ioctl(s,SIOCGIFFLAGS,if:lo)", 0, [None, None, b"lo".ljust(16, b"\0") + struct.pack("=H", 73) + bytes(22)], 73),
    ("poll(s,POLLIN,0)", 1, [struct.pack("=iHH", 3, 1, 17), None, None], "POLLIN|POLLHUP"),
    ("poll(s,POLLIN,0)", 0, [struct.pack("=iHH", 3, 1, 0), None, None], "0"),
    ("poll(s,POLLIN,7,POLLOUT,0)", 1, [struct.pack("=iHHiHH", 3, 1, 1, 7, 4, 0), None, None], {"s": "POLLIN", "7": "0"}),
    ("epoll_wait(t,2,0)", 1, [None, pack_epoll_event(17, 3) + bytes(12), None, None], "EPOLLIN|EPOLLHUP"),
    ("recvmsg(u,buf(4),0)", 4, [None, message(b"abcd", 0x20, V4), None],
     {"data": '"abcd"', "flags": "MSG_TRUNC", "from": "127.0.0.1:7000", "control": {}}),
    ("recvmsg(u,buf(4),0)", 1, [None, message(b"a\0\0\0", control=pack_rights([8, 9])), None],
     {"data": '"a"', "flags": "0", "from": "", "control": {"SCM_RIGHTS": [8, 9]}}),
    ("recvmsg(u,iov(buf(2),buf(8)),0)", 5, [None, message(b"ab") | {"iov": [b"ab", b"cde\0\0\0\0\0"]}, None],
     {"iov": ['"ab"', '"cde"'], "data": '"abcde"', "flags": "0", "from": "", "control": {}}),
    ("recvmsg(u,iov(buf(2),buf(8)),0)", 1, [None, message() | {"iov": [b"a\0", bytes(8)]}, None],
     {"iov": ['"a"', '""'], "data": '"a"', "flags": "0", "from": "", "control": {}}),
    ("getsockopt(s,SOL_SOCKET,SO_MEMINFO)", 0, [None, None, None, struct.pack("=3I", 1, 2, 3) + bytes(24), struct.pack("=i", 12)],
     {"rmem_alloc": 1, "rcvbuf": 2, "wmem_alloc": 3}),
    ("getsockopt(s,IPPROTO_TCP,TCP_INFO,BUF,0)", 0, [None, None, None, bytes(256), struct.pack("=i", 0)], {"len": 0}),
    ("getsockopt(s,IPPROTO_TCP,TCP_INFO,BUF,1)", 0, [None, None, None, b"\x0a" + bytes(255), struct.pack("=i", 1)],
     {"state": "LISTEN", "len": 1}),
    ("getsockopt(s,IPPROTO_TCP,TCP_NODELAY,BUF,0)", 0, [None, None, None, bytes(4), struct.pack("=i", 0)], 0),
    ("getsockopt(s,SOL_SOCKET,SO_LINGER,BUF,0)", 0, [None, None, None, bytes(8), struct.pack("=i", 0)], ""),
    ("getsockopt(s,SOL_SOCKET,SO_MEMINFO,BUF,0)", 0, [None, None, None, bytes(36), struct.pack("=i", 0)], {}),
    ("recvmsg(u,buf(4),0)", 0, [None, message(control=cmsg(0, 8, b"\2\0\0\0\x0a\0\0\2\x0a\0\0\3")), None],
     {"data": '""', "flags": "0", "from": "",
      "control": {"IP_PKTINFO": {"ifindex": 2, "spec_dst": "10.0.0.2", "addr": "10.0.0.3"}}}),
    ("recvmsg(u,buf(4),0)", 0, [None, message(control=cmsg(41, 50, bytes(15) + b"\1\2\0\0\0")), None],
     {"data": '""', "flags": "0", "from": "", "control": {"IPV6_PKTINFO": {"ifindex": 2, "addr": "::1"}}}),
    ("recvmsg(u,buf(4),0)", 0, [None, message(control=pack_credentials([20, 0, 7])), None],
     {"data": '""', "flags": "0", "from": "", "control": {"SCM_CREDENTIALS": "{ucred:20,0,7}"}}),
    ("recvmsg(u,buf(4),MSG_ERRQUEUE)", 0, [None, message(flags=0x2000, control=RECVERR), None],
     {"data": '""', "flags": "MSG_ERRQUEUE", "from": "",
      "control": {"IP_RECVERR": {"errno": "ECONNREFUSED", "origin": "icmp", "type": 3, "code": 3, "offender": "10.0.0.1"}}}),
]  # fmt: skip


@pytest.mark.parametrize(("text", "result", "out", "said"), REPLIES, ids=[f"{text} {said}" for text, _, _, said in REPLIES])
def test_replies_as_the_notation_says_them(text: str, result: int, out: list[Any], said: Any) -> None:
    decoded = decode(call_of(text), result, 0, out)
    assert (decoded.result, decoded.errno, decoded.out) == (result, "", said)


def test_new_descriptors_come_in_the_order_of_their_names() -> None:
    assert decode(
        call_of("(a,b)=socketpair(AF_UNIX,SOCK_STREAM,0)"), 0, 0, [None, None, None, struct.pack("=ii", 7, 8)]
    ).descriptors == (7, 8)
    assert decode(call_of("d=fcntl(s,F_DUPFD,0)"), 9, 0, [None] * 3).descriptors == (9,)
    assert decode(call_of("fcntl(s,F_GETFL)"), 9, 0, [None] * 3).descriptors == ()
    assert decode(call_of("a=socket(2,1,0)"), 3, 0, [None] * 3).descriptors == (3,)


def test_a_failed_call_has_only_its_errno() -> None:
    decoded = decode(call_of("accept(s)"), -1, 11, [None, bytes(128), struct.pack("=i", 128)])
    assert (decoded.result, decoded.errno, decoded.out, decoded.descriptors) == (-1, "EAGAIN", None, ())


def test_a_call_that_another_process_or_a_later_moment_makes_is_encoded_as_itself() -> None:
    plain = encoded("write(s,#2)")
    assert encoded("child(write(s,#2))") == replace(plain, in_child=True)
    assert encoded("after(200,write(s,#2))") == replace(plain, delay=200)
    assert decode(call_of("child(recv(s,buf(3)))"), 2, 0, [None, b"ab\0", None, None]).out == '"ab"'
    assert decode(call_of("child(close(s))"), -1, 9, [None]).errno == "EBADF"
    # What a child has opened has no number here.
    assert decode(call_of("child(dup(s))"), 7, 0, [None]).descriptors == ()
    with pytest.raises(MarshalError, match="after: -1 milliseconds"):
        encoded("after(-1,write(s,#2))")


def test_an_address_and_a_state_are_asked_for_and_told_as_such() -> None:
    assert encoded("A=addr(s)") == Encoded("getsockname", [["int", 3], ["out", 128], int_pointer(128)], "int")
    told = decode(call_of("A=addr(s)"), 0, 0, [None, V4 + bytes(112), struct.pack("=I", 16)])
    assert (told.out, told.address, told.descriptors) == ("127.0.0.1:7000", V4, ())
    assert encoded("tcp_state(s)") == Encoded("getsockopt", [*ints(3, 6, 11), ["out", 8], int_pointer(1)], "int")
    assert decode(call_of("tcp_state(s)"), 0, 0, [None, None, None, b"\x0a" + bytes(7), None]).out == "LISTEN"
    assert decode(call_of("z=lowest_free()"), 5, 0, []).descriptors == (5,)
