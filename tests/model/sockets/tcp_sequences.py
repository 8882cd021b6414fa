"""Sequences of calls about TCP sockets that are known to matter: a name, then a call a line.

Steps are written as in scenarios, without the host; "... & as j" starts a call that blocks, "join j" waits for its end.
"""

from collections.abc import Mapping

_LISTENER = """\
l = socket(AF_INET, SOCK_STREAM)
bind(l, 127.0.0.1:0)
listen(l, 5)
"""
_PAIR = f"""\
{_LISTENER}\
c = socket(AF_INET, SOCK_STREAM)
connect(c, @l)
a = accept4(l, SOCK_NONBLOCK)
"""
_PAIR6 = _PAIR.replace("AF_INET,", "AF_INET6,").replace("127.0.0.1", "[::1]")

_TEXT = f"""\
# fresh
s = socket(AF_INET, SOCK_STREAM)
recv(s, buf(1), 0)
recv(s, buf(1), MSG_OOB)
recv(s, buf(1), MSG_ERRQUEUE)
read(s, buf(0))
send(s, buf(1), 0)
send(s, buf(0), 0)
write(s, BADPTR[4])
accept(s)
accept4(s, 5)
getpeername(s)
tcp_state(s)
shutdown(s, 3)
shutdown(s, SHUT_WR)
connect(s, unspec)

# shut before connecting
{_LISTENER}\
c = socket(AF_INET, SOCK_STREAM)
shutdown(c, SHUT_WR)
connect(c, @l)
send(c, "x", 0)
a = accept(l)
recv(a, buf(1), MSG_DONTWAIT)
send(a, "abc", 0)
recv(c, buf(9), 0)

# connect by address
s = socket(AF_INET, SOCK_STREAM)
connect(s, 127.0.0.1:9, 15)
connect(s, 127.0.0.1:9, 1)
connect(s, 127.0.0.1:9, -1)
connect(s, 127.0.0.1:9, 129)
connect(s, BADPTR)
connect(s, NULL)
connect(s, [::1]:9)
connect(s, 10.1.1.1:9)
connect(s, 224.0.0.1:9)
connect(s, 255.255.255.255:9)
connect(s, 0.0.0.0:9)
connect(s, 127.0.0.1:0)
getsockname(s)

# connect by address 6
s = socket(AF_INET6, SOCK_STREAM)
connect(s, [::1]:9, 23)
connect(s, 127.0.0.1:9)
connect(s, 127.0.0.1:9, 28)
connect(s, [ff02::1]:9)
connect(s, [fe80::1]:9)
connect(s, [2001:db8::1]:9)
connect(s, [::ffff:10.1.1.1]:9)
connect(s, [::1]:9)
connect(s, [::ffff:127.0.0.1]:9)
setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, 1)
t = socket(AF_INET6, SOCK_STREAM)
setsockopt(t, IPPROTO_IPV6, IPV6_V6ONLY, 1)
connect(t, [::ffff:127.0.0.1]:9)

# bound families
s = socket(AF_INET6, SOCK_STREAM)
bind(s, [::1]:0)
connect(s, [::ffff:127.0.0.1]:9)
t = socket(AF_INET6, SOCK_STREAM)
bind(t, [::ffff:127.0.0.1]:0)
connect(t, [::1]:9)

# refused
p = socket(AF_INET, SOCK_STREAM)
bind(p, 127.0.0.1:0)
s = socket(AF_INET, SOCK_STREAM)
connect(s, @p)
tcp_state(s)
getsockopt(s, SOL_SOCKET, SO_ERROR)
recv(s, buf(1), 0)
send(s, buf(1), 0)
listen(s, 1)
tcp_state(s)

# refused in the background
p = socket(AF_INET, SOCK_STREAM)
bind(p, 127.0.0.1:0)
s = socket(AF_INET, SOCK_STREAM|SOCK_NONBLOCK)
connect(s, @p)
tcp_state(s)
getpeername(s)
recv(s, buf(1), 0)
recv(s, buf(1), 0)
send(s, buf(1), 0)
connect(s, @p)
connect(s, @p)
connect(s, @p)
shutdown(s, SHUT_WR)
connect(s, @p)
connect(s, @p)

# established in the background
{_LISTENER}\
s = socket(AF_INET, SOCK_STREAM|SOCK_NONBLOCK)
connect(s, @l)
tcp_state(s)
connect(s, @l)
connect(s, @l)
listen(s, 1)
bind(s, 127.0.0.1:0)
a = accept(l)
getpeername(a)
getsockname(a)

# dual stack
l = socket(AF_INET6, SOCK_STREAM)
bind(l, [::]:0)
listen(l, 1)
c = socket(AF_INET, SOCK_STREAM)
connect(c, @l:v4)
a = accept(l)
getpeername(a)
getsockname(a)
getpeername(c)
send(a, "hello", 0)
recv(c, buf(9), 0)

# listener
l = socket(AF_INET, SOCK_STREAM)
listen(l, 3)
getsockname(l)
listen(l, -1)
recv(l, buf(1), 0)
recv(l, buf(1), MSG_OOB)
send(l, "x", 0)
connect(l, 127.0.0.1:9)
shutdown(l, SHUT_WR)
tcp_state(l)
shutdown(l, SHUT_RD)
tcp_state(l)
accept(l)
listen(l, 3)
connect(l, unspec)
tcp_state(l)

# listen in use
l = socket(AF_INET, SOCK_STREAM)
setsockopt(l, SOL_SOCKET, SO_REUSEADDR, 1)
bind(l, 127.0.0.1:0)
m = socket(AF_INET, SOCK_STREAM)
setsockopt(m, SOL_SOCKET, SO_REUSEADDR, 1)
bind(m, @l)
listen(l, 1)
listen(m, 1)
tcp_state(m)

# backlog of none
l = socket(AF_INET, SOCK_STREAM)
bind(l, 127.0.0.1:0)
listen(l, 0)
c = socket(AF_INET, SOCK_STREAM)
connect(c, @l)
d = socket(AF_INET, SOCK_STREAM|SOCK_NONBLOCK)
connect(d, @l)
tcp_state(d)
connect(d, @l)
send(d, "x", 0)
recv(d, buf(1), 0)
shutdown(d, SHUT_WR)
tcp_state(d)
getsockopt(d, SOL_SOCKET, SO_ERROR)

# accept's address
{_LISTENER}\
c = socket(AF_INET, SOCK_STREAM)
connect(c, @l)
fcntl(l, F_SETFL, O_RDWR|O_NONBLOCK)
accept(l, BADPTR)
accept(l)
tcp_state(c)
recv(c, buf(1), 0)

# nothing to accept
l = socket(AF_INET, SOCK_STREAM|SOCK_NONBLOCK)
bind(l, 127.0.0.1:0)
listen(l, 1)
accept(l)
accept4(l, SOCK_NONBLOCK)
accept4(l, 1)
accept(l, BADPTR)

# deferred
{_LISTENER}\
setsockopt(l, IPPROTO_TCP, TCP_DEFER_ACCEPT, 5)
fcntl(l, F_SETFL, O_RDWR|O_NONBLOCK)
c = socket(AF_INET, SOCK_STREAM)
connect(c, @l)
tcp_state(c)
accept(l)
send(c, "x", 0)
a = accept(l)
recv(a, buf(9), 0)

# reset in the queue
{_LISTENER}\
c = socket(AF_INET, SOCK_STREAM)
connect(c, @l)
setsockopt(c, SOL_SOCKET, SO_LINGER, {{linger:1,0}})
close(c)
a = accept(l)
tcp_state(a)
recv(a, buf(1), 0)
recv(a, buf(1), 0)
send(a, "x", 0)

# listener gone
{_LISTENER}\
c = socket(AF_INET, SOCK_STREAM)
connect(c, @l)
close(l)
tcp_state(c)
send(c, "x", 0)
send(c, "x", 0)

# dissolved
{_PAIR}\
connect(c, unspec)
tcp_state(c)
tcp_state(a)
recv(c, buf(1), 0)
recv(c, buf(1), 0)
recv(a, buf(1), 0)
recv(a, buf(1), 0)
connect(c, @l)
b = accept(l)
connect(b, unspec)
listen(b, 1)
tcp_state(b)

# data
{_PAIR}\
connect(c, @l)
send(c, buf(0), 0)
recv(a, buf(5), 0)
send(c, "hello world", 0)
recv(a, buf(5), MSG_PEEK)
recvmsg(a, buf(5), 0)
recvfrom(a, buf(1), 0)
recv(a, buf(3), MSG_TRUNC)
recv(a, BADPTR[4], 0)
recv(a, buf(0), 0)
recv(a, buf(9), MSG_WAITALL)
recv(a, buf(9), 0)
recv(a, BADPTR[9], 0)
send(c, BADPTR[9], 0)
send(c, BADPTR[0], 0)
sendto(c, "abc", 0, unspec)
sendto(c, "abc", 0, BADPTR)
sendmsg(a, iov("ab", "cd"), 0)
recvmsg(c, iov(buf(1), buf(9)), 0)
send(a, "x", MSG_NOSIGNAL)
read(c, buf(4))
write(c, buf(7))

# data 6
{_PAIR6}\
send(c, buf(300), 0)
recv(a, buf(200), 0)
recv(a, buf(200), 0)
close(c)
recv(a, buf(200), 0)

# urgent
{_PAIR}\
recv(a, buf(1), MSG_OOB)
send(c, "abc", MSG_OOB)
recv(a, buf(5), MSG_OOB|MSG_PEEK)
ioctl(a, SIOCATMARK)
recv(a, buf(9), 0)
ioctl(a, SIOCATMARK)
recv(a, buf(5), MSG_OOB)
recv(a, buf(5), MSG_OOB)
recv(a, buf(9), 0)
ioctl(a, SIOCATMARK)

# urgent passed over
{_PAIR}\
send(c, "ab", MSG_OOB)
send(c, "cd", 0)
recv(a, buf(9), 0)
recv(a, buf(9), 0)
recv(a, buf(9), MSG_OOB)

# urgent twice
{_PAIR}\
send(c, "a", MSG_OOB)
send(c, "b", MSG_OOB)
recv(a, buf(9), 0)
recv(a, buf(9), MSG_OOB)

# urgent in line
{_PAIR}\
setsockopt(a, SOL_SOCKET, SO_OOBINLINE, 1)
send(c, "ab", MSG_OOB)
send(c, "cd", 0)
recv(a, buf(9), MSG_OOB)
recv(a, buf(9), 0)
recv(a, buf(9), 0)

# urgent before the end
{_PAIR}\
send(c, "ab", MSG_OOB)
close(c)
recv(a, buf(9), 0)
recv(a, BADPTR[1], MSG_OOB)
recv(a, buf(1), MSG_OOB)
recv(a, buf(9), 0)

# half closed
{_PAIR}\
send(c, "hello", 0)
shutdown(c, SHUT_WR)
tcp_state(a)
send(c, "x", 0)
recv(a, buf(9), 0)
recv(a, buf(9), 0)
send(a, "back", 0)
recv(c, buf(9), 0)
close(a)
tcp_state(c)
recv(c, buf(9), 0)
connect(c, @l)
shutdown(c, SHUT_RD)
bind(c, 127.0.0.1:0)

# both ways at once
{_PAIR}\
shutdown(c, SHUT_RDWR)
send(a, "x", 0)
tcp_state(c)
tcp_state(a)
send(a, "x", 0)
recv(a, buf(9), 0)
recv(c, buf(9), 0)
recv(c, buf(9), 0)

# closed with unread data
{_PAIR}\
send(a, "hello", 0)
close(c)
recv(a, buf(1), 0)
recv(a, buf(1), 0)
send(a, "x", 0)
tcp_state(a)

# aborted with data on its way
{_PAIR}\
send(a, "hello", 0)
setsockopt(a, SOL_SOCKET, SO_LINGER, {{linger:1,0}})
close(a)
recv(c, buf(2), 0)
recv(c, buf(9), 0)
recv(c, buf(9), 0)
recv(c, buf(9), 0)

# data to whom is gone
{_PAIR}\
close(c)
send(a, "x", 0)
send(a, "x", 0)
recv(a, buf(1), 0)

# shut for reading
{_PAIR}\
send(c, "hello", 0)
shutdown(a, SHUT_RD)
recv(a, buf(9), 0)
recv(a, buf(9), 0)
send(c, "more", 0)
recv(a, buf(9), 0)
close(a)
tcp_state(c)

# TIME-WAIT keeps the port
l = socket(AF_INET, SOCK_STREAM)
bind(l, 127.0.0.1:4000)
listen(l, 5)
c = socket(AF_INET, SOCK_STREAM)
connect(c, @l)
a = accept(l)
close(a)
close(c)
close(l)
s = socket(AF_INET, SOCK_STREAM)
bind(s, 127.0.0.1:4000)
setsockopt(s, SOL_SOCKET, SO_REUSEADDR, 1)
bind(s, 127.0.0.1:4000)

# full
{_PAIR}\
fill(a)
send(a, "x", 0)
send(a, BADPTR[1], 0)

# blocked for all
{_PAIR}\
send(a, "hello", 0)
recv(c, buf(8), MSG_WAITALL) & as j
send(a, "abc", 0)
join j

# blocked until the end
{_PAIR}\
recv(c, buf(8), 0) & as j
close(a)
join j

# blocked in accept
{_LISTENER}\
x = accept(l) & as j
c = socket(AF_INET, SOCK_STREAM)
connect(c, @l)
join j

# timed out
{_PAIR}\
setsockopt(c, SOL_SOCKET, SO_RCVTIMEO, {{timeval:0,50000}})
recv(c, buf(8), 0)
setsockopt(l, SOL_SOCKET, SO_RCVTIMEO, {{timeval:0,50000}})
accept(l)
"""


def sequences() -> Mapping[str, tuple[str, ...]]:
    """The calls by the sequence's name."""
    found = {}
    for block in _TEXT.split("\n\n"):
        name, *steps = block.strip().splitlines()
        found[name.removeprefix("# ")] = tuple(steps)
    return found
