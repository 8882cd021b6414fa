"""The rarer courses of sockets of IP, as texts (script_texts.py has their notation): TCP, UDP and raw sockets.

Nothing here says what comes of a call.
"""

TCP: tuple[str, ...] = (
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
    "$c = socket(AF_INET, SOCK_STREAM|SOCK_NONBLOCK, 0); connect($c, $F:$P); shutdown($c, SHUT_RDWR); connect($c, $F:$P)",
    '$c = socket(AF_INET, SOCK_STREAM|SOCK_NONBLOCK, 0); connect($c, $X:$P); SEND($c, "x", MSG_NOSIGNAL)',
    "f: $l = socket(AF_INET, SOCK_STREAM, 0); f: setsockopt($l, SOL_SOCKET, SO_RCVBUF, 1); f: bind($l, 0.0.0.0:$P);"
    " f: listen($l, 8); $c = socket(AF_INET, SOCK_STREAM, 0); connect($c, $F:$P); f: $a = accept($l);"
    ' send($c, buf(30000), MSG_DONTWAIT); send($c, "u", MSG_OOB|MSG_DONTWAIT); f: recv($a, buf(1500), MSG_DONTWAIT);'
    " f: RECV($a, buf(1), MSG_OOB)",
    "$l = socket(AF_INET, SOCK_STREAM, 0); listen($l, 1); $a = accept($l); $x = <dup2($l, 4)|dup2($l, 5)|dup3($l, 4, 0)>",
    "$c = socket(AF_INET6, SOCK_STREAM, 0); bind($c, [::ffff:239.1.1.1]:$P); connect($c, [::ffff:127.0.0.1]:$Q)",
    "$c = socket(AF_INET, <SOCK_STREAM|SOCK_DGRAM>, 0); setsockopt($c, IPPROTO_IP, IP_FREEBIND, 1); bind($c, 203.0.113.5:$P);"
    " connect($c, <127.0.0.1|$F>:$Q)",
)

UDP: tuple[str, ...] = (
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
    "@UDP; setsockopt($u, IPPROTO_IP, IP_FREEBIND, 1); bind($u, 203.0.113.5:$P); TO($u, \"x\", 0, <127.0.0.1|$F>:9)",
    "@SIX; bind($u, [::ffff:239.1.1.1]:$P); TO($u, \"x\", 0, [::ffff:127.0.0.1]:9); connect($u, [::ffff:127.0.0.1]:9)",
    "@UDP; recvmsg($u, buf(3), MSG_DONTWAIT, <addrlen=-1|addr=BADPTR, addrlen=-1>)",
)  # fmt: skip

RAW: tuple[str, ...] = (
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
    '@RAW; bind($r, 127.0.0.1:0); TO($r, "x", 0, $X:0)',
    '$r = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP); connect($r, 127.0.0.1:0); SEND($r, <""|"x"|buf(8)>, 0)',
    '$r = socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6); connect($r, [::1]:0); SEND($r, <""|"x">, 0)',
    "$r = socket(AF_INET6, SOCK_RAW, 253); bind($r, [fe80::1%77]:0)",
    "$r = socket(AF_INET6, SOCK_RAW, 253); setsockopt($r, IPPROTO_IPV6, IPV6_V6ONLY, 1); connect($r, [::ffff:127.0.0.1]:0)",
    "$r = socket(AF_INET6, SOCK_RAW, 253); bind($r, abstract:$D" + "a" * 30 + ")",
    '@RAW; setsockopt($r, IPPROTO_IP, IP_FREEBIND, 1); bind($r, 203.0.113.5:0); TO($r, "x", 0, 127.0.0.1:0);'
    " connect($r, 127.0.0.1:0)",
    '$r = socket(AF_INET6, SOCK_RAW, 253); connect($r, [::ffff:127.0.0.1]:0); SEND($r, "x", 0); TO($r, "x", 0, [::1]:0);'
    " connect($r, [::1]:0)",
    "$s = socket(AF_PACKET, <SOCK_RAW|SOCK_DGRAM|SOCK_STREAM|10>, 0);"
    " ($a, $b) = socketpair(AF_PACKET, <SOCK_RAW|SOCK_DGRAM|SOCK_STREAM|10>, 0)",
    '$r = socket(<AF_INET|AF_INET6>, SOCK_RAW, IPPROTO_RAW); TO($r, "x", 0, <127.0.0.1:0|[::1]:0>)',
    '$r = socket(AF_INET, SOCK_RAW, IPPROTO_RAW); connect($r, 127.0.0.1:0); SEND($r, "x", 0)',
    '@RAW; setsockopt($r, IPPROTO_IP, IP_HDRINCL, 1); connect($r, 127.0.0.1:0); SEND($r, "x", 0)',
    "$r = socket(AF_INET6, SOCK_RAW, 253); setsockopt($r, IPPROTO_IPV6, IPV6_CHECKSUM, <4|2>); connect($r, [::1]:0);"
    ' SEND($r, "ab", 0)',
    '@RAW; connect($r, 127.0.0.1:0); send($r, "ab"); RECV($r, <buf(40)|BADPTR[40]>, MSG_DONTWAIT)',
    '@RAW; RECV($r, buf(40), 0); send($r, "ab")',
)
