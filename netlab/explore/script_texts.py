"""The rarer courses of generated sequences, as texts: what a program hardly does, and a kernel has an answer to all the same.

``$a`` is a descriptor's name, ``$P`` a place (scripts.py), ``<x|y>`` either (+ is the | between flags); ``f:`` the far process;
SEND, TO and RECV any call that sends, sends to an address, receives. Nothing here says what comes of a call.
"""

from collections.abc import Mapping

PARTS: Mapping[str, str] = {
    "@TCP": "f: $l = socket(AF_INET, SOCK_STREAM, 0); f: bind($l, 0.0.0.0:$P); f: listen($l, 8);"
    " $c = socket(AF_INET, SOCK_STREAM, 0); connect($c, $F:$P); f: $a = accept($l)",
    "@QUICK": "f: $l = socket(AF_INET, SOCK_STREAM, 0); f: bind($l, 0.0.0.0:$P); f: listen($l, 8);"
    " $c = socket(AF_INET, SOCK_STREAM|SOCK_NONBLOCK, 0); connect($c, $F:$P); f: $a = accept($l)",
    "@ABORT": "f: setsockopt($a, SOL_SOCKET, SO_LINGER, {linger:1,0}); f: close($a)",
    "@UDP": "$u = socket(AF_INET, SOCK_DGRAM, 0)",
    "@SIX": "$u = socket(AF_INET6, SOCK_DGRAM, 0)",
    "@RAW": "$r = socket(AF_INET, SOCK_RAW, <253|254>)",
    "@STREAMS": "($a, $b) = socketpair(AF_UNIX, SOCK_STREAM, 0)",
    "@PACKETS": "($a, $b) = socketpair(AF_UNIX, SOCK_SEQPACKET, 0)",
    "@MESSAGES": "($a, $b) = socketpair(AF_UNIX, SOCK_DGRAM, 0)",
    "@SERVED": "$l = socket(AF_UNIX, <SOCK_STREAM|SOCK_SEQPACKET>, 0); bind($l, $U); listen($l, 0)",
    "@NAMED": "$l = socket(AF_UNIX, SOCK_DGRAM, 0); bind($l, $U)",
}

_TCP = (
    "@QUICK; @ABORT; connect($c, $F:$P); connect($c, $F:$P)",
    "@QUICK; f: shutdown($a, SHUT_WR); @ABORT; connect($c, $F:$P)",
    '@TCP; f: shutdown($a, SHUT_WR); @ABORT; SEND($c, "x", MSG_NOSIGNAL)',
    "@TCP; f: shutdown($a, SHUT_WR); @ABORT; connect($c, unspec); RECV($c, buf(4), MSG_DONTWAIT)",
    '@TCP; @ABORT; SEND($c, "x", MSG_NOSIGNAL)',
    "@TCP; @ABORT; RECV($c, buf(4), MSG_DONTWAIT)",
    "@QUICK; @ABORT; getsockopt($c, SOL_SOCKET, SO_ERROR); connect($c, $F:$P)",
    '$c = socket(AF_INET, SOCK_STREAM|SOCK_NONBLOCK, 0); connect($c, $F:$P); SEND($c, "x", MSG_NOSIGNAL)',
    "$c = socket(AF_INET, SOCK_STREAM|SOCK_NONBLOCK, 0); connect($c, $F:$P); RECV($c, buf(4), MSG_DONTWAIT)",
    "$c = socket(AF_INET, SOCK_STREAM, 0); connect($c, $X:$P); <shutdown($c, SHUT_RDWR)|connect($c, unspec)>",
    '$c = socket(AF_INET, SOCK_STREAM|SOCK_NONBLOCK, 0); connect($c, $X:$P); fcntl($c, F_SETFL, 0); SEND($c, "x", MSG_NOSIGNAL)',
    "$c = socket(AF_INET, SOCK_STREAM|SOCK_NONBLOCK, 0); connect($c, $X:$P); fcntl($c, F_SETFL, 0); connect($c, $X:$P)",
    "$c = socket(AF_INET, SOCK_STREAM|SOCK_NONBLOCK, 0); connect($c, $X:$P); fcntl($c, F_SETFL, 0); RECV($c, buf(4), 0);"
    " connect($c, unspec)",
    "$c = socket(AF_INET, SOCK_STREAM|SOCK_NONBLOCK, 0); connect($c, $X:$P); shutdown($c, SHUT_RDWR); connect($c, $X:$P)",
    "@TCP; shutdown($c, SHUT_RDWR); connect($c, $F:$P)",
    "@TCP; RECV($c, buf(8), 0); connect($c, unspec)",
    '@TCP; recv<|from|msg>($c, buf(0), 0); f: send($a, "more")',
    '@TCP; read($c, buf(0)); write($c, "")',
    "@TCP; SEND($c, BADPTR[10], MSG_NOSIGNAL)",
    "@TCP; setsockopt($c, SOL_SOCKET, SO_SNDBUF, 1); SEND($c, buf(3000000), MSG_NOSIGNAL); f: close($a)",
    "@TCP; setsockopt($c, SOL_SOCKET, SO_SNDBUF, 1); SEND($c, buf(3000000), MSG_NOSIGNAL); f: recv($a, buf(100000)); f: close($a)",
    "@QUICK; setsockopt($c, SOL_SOCKET, SO_SNDBUF, 1); SEND($c, buf(3000000), MSG_NOSIGNAL); SEND($c, buf(3000000), MSG_NOSIGNAL);"
    " SEND($c, buf(9000000), MSG_NOSIGNAL)",
    '@TCP; fill($c); SEND($c, "x", MSG_DONTWAIT|MSG_NOSIGNAL); poll($c, POLLOUT, 0)',
    '@TCP; f: send($a, "u", MSG_OOB); RECV($c, <buf(1)|BADPTR[1]>, MSG_OOB)',
    '@TCP; f: send($a, "abc", MSG_OOB); f: send($a, "de"); RECV($c, buf(2), MSG_OOB); RECV($c, buf(9), MSG_DONTWAIT)',
    '@TCP; f: send($a, "u", MSG_OOB); @ABORT; RECV($c, buf(1), MSG_OOB)',
    "@TCP; setsockopt($c, SOL_SOCKET, SO_SNDBUF, 1); f: setsockopt($a, SOL_SOCKET, SO_RCVBUF, 1);"
    ' send($c, buf(3000000), MSG_DONTWAIT); send($c, "u", MSG_OOB|MSG_DONTWAIT); f: RECV($a, buf(1), MSG_OOB)',
    "@TCP; RECV($c, buf(4), MSG_ERRQUEUE)",
    "@TCP; RECV($c, buf(1), MSG_OOB)",
    "@TCP; setsockopt($c, SOL_SOCKET, SO_LINGER, {linger:1,1}); send($c, buf(100000), MSG_DONTWAIT); close($c)",
    '@TCP; recvfrom($c, BADPTR[8], MSG_DONTWAIT); f: send($a, "xy"); RECV($c, BADPTR[8], 0)',
    "$c = socket(AF_INET6, SOCK_STREAM, 0); connect($c, [ff02::1]:$P)",
    "$c = socket(AF_INET6, SOCK_STREAM, 0); connect($c, [fe80::1]:$P)",
    "$c = socket(AF_INET6, SOCK_STREAM, 0); setsockopt($c, IPPROTO_IPV6, IPV6_V6ONLY, 1); connect($c, [::ffff:127.0.0.1]:$P)",
    "$c = socket(AF_INET6, SOCK_STREAM, 0); bind($c, [::ffff:127.0.0.1]:$P); connect($c, [::1]:$Q)",
    "$c = socket(AF_INET6, SOCK_STREAM, 0); bind($c, [::1]:$P); connect($c, [::ffff:127.0.0.1]:$Q)",
    "$a = socket(AF_INET, SOCK_STREAM, 0); $b = socket(AF_INET, SOCK_STREAM, 0); setsockopt($a, SOL_SOCKET, SO_REUSEADDR, 1);"
    " setsockopt($b, SOL_SOCKET, SO_REUSEADDR, 1); bind($a, 127.0.0.1:$P); bind($b, 127.0.0.1:$P); listen($a, 1); listen($b, 1)",
    "@QUICK; f: $b = accept<4>($l, <BADPTR, 16|BUF, -1|BUF, BADPTR>, <0|SOCK_CLOEXEC>)",
    "f: $l = socket(AF_INET, SOCK_STREAM, 0); f: bind($l, 0.0.0.0:$P); f: listen($l, 8); $c = socket(AF_INET, SOCK_STREAM, 0);"
    " connect($c, $F:$P); f: $b = accept4($l, <BADPTR, 16|BUF, -1|BUF, BADPTR>, 0)",
    "f: $l = socket(AF_INET, SOCK_STREAM, 0); f: bind($l, 0.0.0.0:$P); f: listen($l, 8); $c = socket(AF_INET, SOCK_STREAM, 0);"
    " connect($c, $F:$P); f: $b = accept($l, <BADPTR, 16|BUF, -1|BUF, BADPTR>)",
    "$l = socket(AF_INET, SOCK_STREAM, 0); bind($l, 127.0.0.1:$P); listen($l, 1); $b = accept4($l, NONE, 0, 0);"
    " $c = socket(AF_INET, SOCK_STREAM, 0); connect($c, 127.0.0.1:$P)",
)

_UDP = (
    "@SIX; TO($u, \"x\", 0, <[::1]:9, 20|family7>)",
    "@SIX; setsockopt($u, IPPROTO_IPV6, IPV6_V6ONLY, 1); TO($u, \"x\", 0, [::ffff:127.0.0.1]:9)",
    "@SIX; setsockopt($u, IPPROTO_IPV6, IPV6_V6ONLY, 1); connect($u, <[::ffff:127.0.0.1]:9|127.0.0.1:9>)",
    "@SIX; TO($u, \"a\", MSG_MORE, [::1]:$P); TO($u, \"b\", 0, [::ffff:127.0.0.1]:$P)",
    "@SIX; bind($u, [::ffff:127.0.0.1]:$P); TO($u, \"b\", 0, [::1]:$Q)",
    "@SIX; bind($u, [::ffff:127.0.0.1]:$P); connect($u, [::1]:$Q)",
    "@UDP; bind($u, 127.0.0.1:$P); TO($u, \"b\", 0, $X:$Q)",
    "@UDP; bind($u, 127.0.0.1:$P); connect($u, $X:$Q)",
    "@UDP; TO($u, \"b\", 0, <127.0.0.1:9, 8|[::1]:9|127.0.0.1:0|203.0.113.1:9|10.0.0.255:9>)",
    "@UDP; TO($u, buf(70000), 0, 127.0.0.1:9)",
    "@UDP; TO($u, buf(65510), 0, 127.0.0.1:9)",
    "@UDP; connect($u, 127.0.0.1:9); SEND($u, buf(<65510|65536>), 0)",
    "@UDP; sendto($u, \"x\", 0); SEND($u, \"x\", 0)",
    "@SIX; sendto($u, \"x\", 0); SEND($u, \"x\", 0)",
    "@UDP; connect($u, 127.0.0.1:9); SEND($u, \"x\", MSG_OOB)",
    "@SIX; connect($u, [::ffff:127.0.0.1]:0); SEND($u, \"x\", 0)",
    "@UDP; connect($u, 127.0.0.1:0); SEND($u, \"x\", 0)",
    "@UDP; setsockopt($u, SOL_SOCKET, SO_BROADCAST, 1); connect($u, 10.0.0.255:9); setsockopt($u, SOL_SOCKET, SO_BROADCAST, 0);"
    " SEND($u, \"x\", 0)",
    "@UDP; connect($u, 127.0.0.1:$P); shutdown($u, SHUT_WR); SEND($u, \"x\", 0)",
    "@UDP; connect($u, 127.0.0.1:$P); SEND($u, BADPTR[10], 0)",
    "@UDP; connect($u, 127.0.0.1:$P); shutdown($u, SHUT_RD); RECV($u, buf(5), 0)",
    "@UDP; connect($u, 127.0.0.1:$P); setsockopt($u, IPPROTO_UDP, UDP_CORK, 1); SEND($u, \"ab\", 0); SEND($u, \"cd\", 0);"
    " setsockopt($u, IPPROTO_UDP, UDP_CORK, 0)",
    "@UDP; bind($u, 127.0.0.1:$P); $v = socket(AF_INET, SOCK_DGRAM, 0); sendto($v, \"abcd\", 0, 127.0.0.1:$P);"
    " RECV($u, BADPTR[10], 0)",
    "@UDP; bind($u, 127.0.0.1:$P); RECV($u, buf(9), 0); $v = socket(AF_INET, SOCK_DGRAM, 0); sendto($v, \"abcd\", 0, 127.0.0.1:$P)",
    "@UDP; connect($u, $F:$P); send($u, \"a\"); SEND($u, \"b\", 0)",
    "@UDP; connect($u, $F:$P); send($u, \"a\"); fcntl($u, F_SETFL, O_NONBLOCK); RECV($u, buf(4), MSG_DONTWAIT)",
    "@UDP; RECV($u, buf(4), MSG_ERRQUEUE)",
    "@UDP; setsockopt($u, IPPROTO_IP, IP_ADD_MEMBERSHIP, {ip_mreq:4009820419,167772161});"
    " setsockopt($u, IPPROTO_IP, <IP_ADD_MEMBERSHIP|IP_DROP_MEMBERSHIP>, {ip_mreq:4009820419,167772161})",
    "@UDP; setsockopt($u, IPPROTO_IP, IP_DROP_MEMBERSHIP, {ip_mreq:4009820419,2130706433})",
    "@UDP; " + "; ".join(
        f"setsockopt($u, IPPROTO_IP, IP_ADD_MEMBERSHIP, {{ip_mreq:{4009820416 + number},2130706433}})" for number in range(21)
    ),
)  # fmt: skip

_RAW = (
    "@RAW; <connect($r, 127.0.0.1:0)|bind($r, 127.0.0.1:0)>; SEND($r, buf(<65520|70000>), 0)",
    "@RAW; connect($r, 127.0.0.1:0); SEND($r, BADPTR[10], <0|MSG_OOB>)",
    "@RAW; connect($r, 127.0.0.1:0); SEND($r, buf(<65520|65530|70000>), 0)",
    '@RAW; SEND($r, "x", MSG_OOB)',
    '@RAW; sendto($r, "x", 0); SEND($r, "x", 0)',
    '@RAW; TO($r, "x", 0, <127.0.0.1:0, 8|[::1]:0|203.0.113.1:0|10.0.0.255:0>)',
    '$r = socket(AF_INET6, SOCK_RAW, 253); TO($r, "x", 0, <[::1]:77|[::1]:0, 20|127.0.0.1:0>)',
    "$r = socket(AF_INET6, SOCK_RAW, 253); connect($r, <127.0.0.1:0|[::1]:0, 20|[::ffff:127.0.0.1]:0|[fe80::1]:0|[2001:db8::1]:0>)",
    "@RAW; setsockopt($r, SOL_SOCKET, SO_BROADCAST, 1); connect($r, 10.0.0.255:0); setsockopt($r, SOL_SOCKET, SO_BROADCAST, 0);"
    ' SEND($r, "x", 0)',
    "@RAW; connect($r, <10.0.0.255:0|127.0.0.1:0, 8|203.0.113.1:0|family7>)",
    "@RAW; bind($r, 127.0.0.1:0); connect($r, $X:0)",
    "@RAW; connect($r, 127.0.0.1:0); connect($r, <unspec|BUF, 1>)",
    "@RAW; connect($r, 127.0.0.1:0); shutdown($r, SHUT_RDWR); RECV($r, buf(9), 0)",
    "@RAW; RECV($r, buf(9), <0|MSG_OOB|MSG_DONTWAIT|MSG_ERRQUEUE>)",
    "@RAW; read($r, buf(0)); RECV($r, buf(9), MSG_ERRQUEUE)",
    "@RAW; accept4($r, NONE, 0, 77); bind($r, <[::1]:0|127.0.0.1:0, 8>)",
    "$r = socket(AF_INET6, SOCK_RAW, 253); bind($r, <127.0.0.1:0|[::ffff:127.0.0.1]:0|[fe80::1]:0>)",
)

_UNIX = (
    "@STREAMS; setsockopt($a, SOL_SOCKET, SO_SNDBUF, 1); SEND($a, buf(500000), MSG_NOSIGNAL); recv($b, buf(900000))",
    "@STREAMS; setsockopt($a, SOL_SOCKET, SO_SNDBUF, 1); SEND($a, buf(500000), MSG_NOSIGNAL); <close($b)|shutdown($b, SHUT_RDWR)>",
    "@STREAMS; fcntl($a, F_SETFL, O_NONBLOCK); SEND($a, buf(900000), MSG_NOSIGNAL); SEND($a, buf(900000), MSG_NOSIGNAL)",
    '@STREAMS; fill($a); SEND($a, "x", MSG_DONTWAIT)',
    '@STREAMS; SEND($a, "", <MSG_OOB|0>)',
    '@STREAMS; TO($a, "x", 0, $U)',
    '$s = socket(AF_UNIX, SOCK_STREAM, 0); TO($s, "x", 0, $U)',
    '$s = socket(AF_UNIX, SOCK_STREAM, 0); SEND($s, "x", 0)',
    "@STREAMS; SEND($a, BADPTR[10], 0)",
    '@STREAMS; shutdown($b, SHUT_RD); SEND($a, <"x"|"">, MSG_NOSIGNAL)',
    '@STREAMS; send($a, "xy"); RECV($b, <BADPTR[10]|buf(1)>, 0)',
    '@STREAMS; send($a, "xy"); close($b); RECV($a, buf(4), 0)',
    '@STREAMS; send($b, "xy"); close($a); RECV($b, buf(4), 0); RECV($b, buf(4), 0)',
    "@STREAMS; RECV($a, buf(1), MSG_OOB|MSG_DONTWAIT)",
    '@STREAMS; RECV($a, buf(4), 0); send($b, "x")',
    '@STREAMS; recv<|from|msg>($a, buf(4), MSG_WAITALL); send($b, "xy"); send($b, "zz")',
    '@PACKETS; send($a, "xy"); close($b); <SEND($a, "q", 0)|RECV($a, buf(4), 0)>',
    '@PACKETS; shutdown($b, SHUT_RD); SEND($a, "q", 0)',
    '@MESSAGES; shutdown($b, SHUT_RD); SEND($a, "q", 0)',
    "<@PACKETS|@MESSAGES>; setsockopt($a, SOL_SOCKET, SO_SNDBUF, 1); SEND($a, buf(<100|5000|300000>), 0)",
    "<@PACKETS|@MESSAGES>; SEND($a, BADPTR[10], 0)",
    '<@PACKETS|@MESSAGES>; SEND($a, "x", MSG_OOB); RECV($b, buf(1), MSG_OOB)',
    '<@PACKETS|@MESSAGES>; send($a, "xyz"); RECV($b, BADPTR[10], 0)',
    '<@PACKETS|@MESSAGES>; RECV($b, buf(4), 0); send($a, "x")',
    "<@PACKETS|@MESSAGES>; setsockopt($a, SOL_SOCKET, SO_SNDBUF, 1); send($a, buf(1500)); send($a, buf(1500));"
    " SEND($a, buf(1500), <0|MSG_DONTWAIT>); SEND($a, buf(1500), <0|MSG_DONTWAIT>); recv($b, buf(10)); recv($b, buf(10))",
    "<@PACKETS|@MESSAGES>; fcntl($a, F_SETFL, O_NONBLOCK); setsockopt($a, SOL_SOCKET, SO_SNDBUF, 1); SEND($a, buf(1500), 0);"
    " SEND($a, buf(1500), 0); SEND($a, buf(1500), 0); SEND($a, buf(1500), 0)",
    '@NAMED; $c = socket(AF_UNIX, SOCK_DGRAM, 0); connect($c, $U); close($l); SEND($c, "x", 0)',
    '@NAMED; $c = socket(AF_UNIX, SOCK_DGRAM, 0); bind($c, $T); connect($c, $U); connect($l, $T); send($c, "w");'
    ' connect($l, unspec); <SEND($c, "x", 0)|RECV($c, buf(3), MSG_DONTWAIT)>',
    "@NAMED; $c = socket(AF_UNIX, <SOCK_DGRAM|SOCK_DGRAM+SOCK_NONBLOCK>, 0); connect($c, $U);"
    + ' send($c, "x");' * 11
    + ' SEND($c, "x", 0); recv($l, buf(3))',
    "@NAMED; $c = socket(AF_UNIX, SOCK_DGRAM, 0); $d = socket(AF_UNIX, SOCK_DGRAM, 0); bind($d, $T); connect($l, $T);"
    ' TO($c, "x", 0, $U)',
    "@NAMED; $c = socket(AF_UNIX, SOCK_STREAM, 0); connect($c, $U); $d = socket(AF_UNIX, SOCK_SEQPACKET, 0); connect($d, $U)",
    '@SERVED; $c = socket(AF_UNIX, SOCK_DGRAM, 0); TO($c, "x", 0, $U); connect($c, $U)',
    '$c = socket(AF_UNIX, SOCK_DGRAM, 0); TO($c, "x", 0, <unix:/dev/null/inside|unix:nothing-here|$U>)',
    "$c = socket(AF_UNIX, <SOCK_DGRAM|SOCK_STREAM>, 0); connect($c, <unix:/dev/null/inside|unix:nothing-here|$U>)",
    '$c = socket(AF_UNIX, SOCK_DGRAM, 0); TO($c, "x", 0, <127.0.0.1:9|family7>)',
    "@SERVED; shutdown($l, SHUT_RDWR); accept<($l)|4($l, NONE, 0, 0)>",
    "@SERVED; connect($l, $U)",
    "$l = socket(AF_UNIX, SOCK_STREAM, 0); bind($l, $U); $c = socket(AF_UNIX, SOCK_STREAM, 0); connect($c, $U)",
    "@SERVED; $a = accept4($l, NONE, 0, 0); $c = socket(AF_UNIX, SOCK_STREAM, 0); connect($c, $U)",
    '<@STREAMS|@PACKETS|@MESSAGES>; sendmsg($a, "x", 0, control=buf(24))',
    '<@STREAMS|@PACKETS|@MESSAGES>; close($b); sendmsg($a, "x", MSG_NOSIGNAL, control=rights($b))',
    '<@STREAMS|@PACKETS|@MESSAGES>; sendmsg($a, "x", 0, control=rights(' + ",".join(["$a"] * 254) + "))",
    '<@STREAMS|@PACKETS|@MESSAGES>; sendmsg($a, "x", 0, control=rights($b)); recvmsg($b, buf(3), 0, control=rights($c))',
)

_OPTIONS = (
    '@TCP; setsockopt($c, IPPROTO_TCP, TCP_CONGESTION, "nothing")',
    "@UDP; setsockopt($u, IPPROTO_UDP, UDP_ENCAP, 99)",
    "@UDP; setsockopt($u, SOL_SOCKET, SO_DETACH_FILTER, 0)",
    "@UDP; setsockopt($u, IPPROTO_IP, IP_MULTICAST_IF, {ip_mreq:4009820419,167774721})",
    '@UDP; setsockopt($u, SOL_SOCKET, SO_BINDTODEVICE, "nothing0"); getsockopt($u, SOL_SOCKET, SO_BINDTODEVICE)',
    '@UDP; setsockopt($u, SOL_SOCKET, SO_BINDTODEVICE, "lo"); TO($u, "x", 0, 255.255.255.255:9)',
    "$s = socket(AF_UNIX, <SOCK_STREAM|SOCK_DGRAM>, 0); getsockopt($s, SOL_SOCKET, <SO_PEERCRED|SO_PEERPIDFD|SO_PEERGROUPS>)",
    "@UDP; getsockopt($u, SOL_SOCKET, <SO_PEERNAME|SO_PEERPIDFD|SO_PASSCRED|SO_PEERCRED>)",
    "@STREAMS; getsockopt($a, SOL_SOCKET, SO_PEERNAME, <1|0>)",
    "@TCP; getsockopt($c, IPPROTO_TCP, <TCP_MAXSEG|TCP_INFO>, -1)",
    '$f = open("/dev/null", O_RDWR); ioctl($f, <FIOASYNC, 1|FIONREAD|SIOCATMARK>)',
    '($a, $b) = pipe(); write($b, "abc"); ioctl($a, FIONREAD)',
    'mkfile("$D"); $f = open("$D", O_RDWR); ioctl($f, FIONREAD)',
    "@UDP; ioctl($u, <FIOGETOWN|SIOCGPGRP>); ioctl($u, <FIOSETOWN|SIOCSPGRP>, <0|99999999>)",
    "@UDP; ioctl($u, SIOCGIFADDR, if:<lo|eth0>); $s = socket(AF_INET6, SOCK_DGRAM, 0); ioctl($s, SIOCGIFADDR, if:lo)",
    "@UDP; fcntl($u, F_SETOWN, <0|99999999|-99999999|-2147483648>); fcntl($u, F_GETOWN)",
    "@UDP; fcntl($u, F_SETSIG, <10|99>); fcntl($u, F_GETSIG)",
    "@UDP; fcntl($u, <F_GETPIPE_SZ|F_GET_SEALS|F_ADD_SEALS>); fcntl($u, F_SETFL, O_DIRECT)",
    "($a, $b) = pipe(); fcntl($a, F_GETPIPE_SZ); fcntl($a, F_SETPIPE_SZ, 65536)",
)

_FILES = (
    '($a, $b) = pipe(); read($b, buf(3)); write($a, "x")',
    '($a, $b) = pipe(); read($a, buf(0)); write($b, "")',
    '($a, $b) = pipe(); write($b, "abc"); read($a, <BADPTR[3]|buf(2)>); write($b, BADPTR[9])',
    "($a, $b) = pipe(); close($b); read($a, buf(3))",
    "($a, $b) = pipe(); fcntl($a, F_SETFL, O_NONBLOCK); fcntl($b, F_SETFL, O_NONBLOCK); read($a, buf(3));"
    " write($b, buf(70000)); write($b, buf(70000))",
    '($a, $b) = pipe(); read($a, buf(3)); write($b, "xyz")',
    '($a, $b) = pipe(); close($a); write($b, "x")',
    '$e = epoll_create1(0); <lseek($e, 0, SEEK_SET)|read($e, buf(8))|write($e, "x")|pread($e, buf(8), 0)|pwrite($e, "x", 0)>',
    '$f = open("/dev/zero", O_WRONLY); pread($f, buf(3), 0)',
    '$f = open("/dev/zero", O_RDONLY); pread($f, <buf(3)|BADPTR[3]>, 0); read($f, <buf(3)|BADPTR[3]>); pwrite($f, "x", 0)',
    '$f = open("/dev/full", O_RDWR); write($f, "x"); pwrite($f, "x", 0)',
    '$f = open(".", O_RDONLY); read($f, buf(3)); pread($f, buf(3), 0)',
    '<pread(400, buf(3), 0)|pwrite(400, "x", 0)|fstat(400)|lseek(400, 0, SEEK_SET)|dup3(400, 40, 0)|same_file(400, 0)|addr(400)>',
    "<same_file(0, 400)|$g = addr(0)|select(400, NONE, 0)|accept4(400, NONE, 0, 0)|exec_has_fd(400)|poll(BADPTR, 1, 0)>",
    '<poll(BADPTR, 100000, 0)|exported("accept4")|exported("closesocket")|access(BADPTR, 0)|mkfile("$D/here")>',
    "$e = epoll_create1(0); epoll_wait($e, BADPTR, 1, 0); epoll_wait($e, 4, -1)",
    "$e = epoll_create1(0); $u = socket(AF_INET, SOCK_DGRAM, 0); epoll_ctl($e, EPOLL_CTL_ADD, $u, EPOLLIN);"
    " epoll_ctl($e, <EPOLL_CTL_ADD|EPOLL_CTL_DEL|77>, $u, EPOLLIN)",
    "$e = epoll_create1(0); $u = socket(AF_INET, SOCK_DGRAM, 0); epoll_ctl($e, <EPOLL_CTL_MOD|EPOLL_CTL_DEL>, $u, EPOLLIN)",
    "$e = epoll_create1(0); $u = socket(AF_INET, SOCK_DGRAM, 0); epoll_ctl($e, EPOLL_CTL_ADD, $u, EPOLLIN|EPOLLEXCLUSIVE);"
    " epoll_ctl($e, EPOLL_CTL_MOD, $u, EPOLLIN); epoll_ctl($e, EPOLL_CTL_ADD, 400, EPOLLIN)",
    "$e = epoll_create1(0); $f = epoll_create1(0); epoll_ctl($e, EPOLL_CTL_ADD, $f, EPOLLIN|EPOLLEXCLUSIVE)",
    "$e = epoll_create1(0); $u = socket(AF_INET, SOCK_DGRAM, 0); epoll_ctl($e, EPOLL_CTL_MOD, $u, EPOLLIN|EPOLLEXCLUSIVE)",
    'mkfile("$D"); <chmod("$D/x", 384)|unlink("$D/x")|access("$D/x", 0)|mkfile("$D/x")|mkfile("$D")>',
    'mkfile("$D"); <chmod("$D/", 384)|unlink("$D/")|access("$D/", 0)|$f = open("$D/", O_RDWR)|open("$D/x", O_RDWR)>',
    '<mkfile("$D/")|open("$D/", O_RDWR+O_CREAT)|mkfile("$D/x")|unlink("$D/x")>',
    '$s = socket(AF_UNIX, SOCK_STREAM, 0); bind($s, unix:$D); <$f = open("$D", O_RDWR)|mkfile("$D")|access("$D", 4)>',
    "$s = socket(AF_UNIX, SOCK_STREAM, 0); bind($s, <unix:$D/|unix:/dev/null/inside|unix:$D/y|unix:$D/x>)",
    '<unlink|mkfile>("' + "x" * 300 + '")',
    '<chmod("' + "x" * 300 + '", 384)|access("' + "x" * 300 + '", 0)|chmod(BADPTR, 384)|access(NULL, 0)>',
    "setrlimit(RLIMIT_NOFILE, 5, 1024); $u = socket(AF_INET, SOCK_DGRAM, 0); $v = socket(AF_INET, <SOCK_DGRAM|SOCK_STREAM>, 0);"
    " <$x = accept(0)|$x = accept4(0, NONE, 0, 0)|$x = accept($v)|$x = accept4($v, NONE, 0, 0)|$x = epoll_create1(0)"
    "|$x = epoll_create(1)|($x, $y) = pipe()|($x, $y) = pipe2(0)|$x = fcntl($u, F_DUPFD, 0)|$x = dup($u)>;"
    " setrlimit(RLIMIT_NOFILE, 1024, 1024)",
    "setrlimit(RLIMIT_NOFILE, 5, 1024); $u = socket(AF_UNIX, SOCK_STREAM, 0); $v = socket(AF_INET, SOCK_RAW, 253);"
    " <$x = accept($u)|$x = accept4($u, NONE, 0, 0)|$x = accept($v)|$x = accept4($v, NONE, 0, 0)>;"
    " setrlimit(RLIMIT_NOFILE, 1024, 1024)",
    "@SERVED; $x = accept4($l, NONE, 0, 77)",
    "$s = socket(<AF_INET|AF_UNIX>, <12|9|SOCK_RDM>, 0); ($a, $b) = socketpair(<AF_INET|AF_UNIX>, <12|9|SOCK_RDM>, 0)",
    "$s = socket(AF_INET, SOCK_STREAM, 0); bind($s, <127.0.0.1:0, 2|127.0.0.1:0, 8|239.1.1.1:$P|10.0.0.255:$P|255.255.255.255:$P>)",
    "$s = socket(AF_INET6, SOCK_STREAM, 0); bind($s, <[::1]:0, 20|[ff02::1]:$P|[fe80::1]:$P|127.0.0.1:$P>)",
    "$s = socket(AF_INET6, SOCK_DGRAM, 0); setsockopt($s, IPPROTO_IPV6, IPV6_V6ONLY, 1); bind($s, [::ffff:127.0.0.1]:$P)",
    "$s = socket(AF_UNIX, SOCK_DGRAM, 0); bind($s, $U); $b = socket(AF_UNIX, SOCK_DGRAM, 0); bind($b, $U)",
    '$s = socket(AF_INET, SOCK_DGRAM, 0); sendmsg($s, "x", 0, addr=127.0.0.1:9, addrlen=-1); sendmsg($s, "x", 0, addr=BADPTR)',
    "$e = epoll_create1(0); dup2($e, 1024); dup3($e, -1, 0); dup2($e, 100000); fcntl($e, F_DUPFD, 100000)",
)

_MORE = (
    "$c = socket(AF_INET, SOCK_STREAM|SOCK_NONBLOCK, 0); connect($c, $F:$P); shutdown($c, SHUT_RDWR); connect($c, $F:$P)",
    '$l = socket(AF_UNIX, SOCK_STREAM, 0); bind($l, $V); $c = socket(AF_UNIX, SOCK_DGRAM, 0); TO($c, "x", 0, $V); connect($c, $V)',
    "$l = socket(AF_UNIX, SOCK_DGRAM, 0); bind($l, $V); $c = socket(AF_UNIX, SOCK_STREAM, 0); connect($c, $V)",
    'mkfile("$D"); $c = socket(AF_UNIX, SOCK_DGRAM, 0); TO($c, "x", 0, unix:$D/x); connect($c, unix:$D/x)',
    'mkfile("$D"); $c = socket(AF_UNIX, SOCK_STREAM, 0); connect($c, unix:$D/x)',
    "$r = socket(AF_INET6, SOCK_RAW, 253); setsockopt($r, IPPROTO_IPV6, IPV6_V6ONLY, 1); connect($r, [::ffff:127.0.0.1]:0)",
    "$r = socket(AF_INET6, SOCK_RAW, 253); bind($r, abstract:$D" + "a" * 30 + ")",
    "@UDP; $e = epoll_create1(0); epoll_ctl($e, EPOLL_CTL_ADD, $u, EPOLLOUT); epoll_wait($e, BADPTR, 1, 0)",
    "$l = socket(AF_INET, SOCK_STREAM, 0); listen($l, 1); $a = accept($l); $x = <dup2($l, 4)|dup2($l, 5)|dup3($l, 4, 0)>",
    "@STREAMS; setsockopt($a, SOL_SOCKET, SO_SNDBUF, 1); send($a, buf(500000)); RECV($b, buf(300000), MSG_DONTWAIT);"
    " RECV($b, buf(300000), MSG_DONTWAIT)",
    "seteuid(-1)",
    '@MESSAGES; sendmsg($a, buf(300000), 0); sendmsg($a, "x", 0, addr=127.0.0.1:9, addrlen=-1)',
)

SCRIPTS: tuple[str, ...] = (*_TCP, *_UDP, *_RAW, *_UNIX, *_OPTIONS, *_FILES, *_MORE)
