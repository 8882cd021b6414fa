"""The rarer courses of generated sequences, as texts: what a program hardly does, and a kernel has an answer to all the same.

``$a`` is a descriptor's name, ``$P`` a place (scripts.py), ``<x|y>`` either (+ is the | between flags); ``f:`` the far process,
``k:`` a child of the near one, forked where it first speaks; SEND, TO and RECV any call that sends, sends to an address, receives.
Nothing here says what comes of a call.
"""

from collections.abc import Mapping

from netlab.explore.internet_texts import RAW, TCP, UDP
from netlab.explore.local_texts import FILES, UNIX
from netlab.explore.process_texts import SIGNALS, UNPRIVILEGED

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

OPTIONS: tuple[str, ...] = (
    '@TCP; setsockopt($c, IPPROTO_TCP, TCP_CONGESTION, "nothing")',
    "@UDP; setsockopt($u, IPPROTO_UDP, UDP_ENCAP, 99)",
    "@UDP; setsockopt($u, SOL_SOCKET, SO_DETACH_FILTER, 0)",
    "@UDP; setsockopt($u, IPPROTO_IP, IP_MULTICAST_IF, {ip_mreq:4009820419,167774721})",
    '@UDP; setsockopt($u, SOL_SOCKET, SO_BINDTODEVICE, "nothing0"); getsockopt($u, SOL_SOCKET, SO_BINDTODEVICE)',
    '@UDP; setsockopt($u, SOL_SOCKET, SO_BINDTODEVICE, "lo"); TO($u, "x", 0, 255.255.255.255:9)',
    "$s = socket(AF_UNIX, <SOCK_STREAM|SOCK_DGRAM>, 0); getsockopt($s, SOL_SOCKET, <SO_PEERCRED|SO_PEERPIDFD|SO_PEERGROUPS>)",
    "@UDP; getsockopt($u, SOL_SOCKET, <SO_PEERNAME|SO_PEERPIDFD|SO_PASSCRED|SO_PEERCRED>)",
    "@STREAMS; getsockopt($a, SOL_SOCKET, SO_PEERNAME, buf(<0|1|2|16>)); getsockopt($a, SOL_SOCKET, SO_PEERNAME, buf(8), <1|-1>)",
    "@TCP; getsockopt($c, IPPROTO_TCP, <TCP_MAXSEG|TCP_INFO>, buf(8), <-1|0|4>)",
    "@TCP; getsockopt($c, SOL_SOCKET, <SO_TYPE|SO_PEERCRED>, <BADPTR, 4|buf(4), BADPTR|NULL, 4>)",
    "<@UDP|$u = socket(AF_UNIX, SOCK_STREAM, 0)>; getsockopt($u, SOL_SOCKET, SO_TXREHASH)",
    "@UDP; setsockopt($u, SOL_SOCKET, SO_BINDTOIFINDEX, 77); getsockopt($u, SOL_SOCKET, SO_BINDTODEVICE)",
    '$f = open("/dev/null", O_RDWR); ioctl($f, <FIOASYNC, 1|FIONREAD|SIOCATMARK>)',
    '($a, $b) = pipe(); write($b, "abc"); ioctl($a, FIONREAD)',
    'mkfile("$D"); $f = open("$D", O_RDWR); ioctl($f, FIONREAD)',
    "@UDP; ioctl($u, <FIOGETOWN|SIOCGPGRP>); ioctl($u, <FIOSETOWN|SIOCSPGRP>, <0|99999999>)",
    "@UDP; ioctl($u, SIOCGIFADDR, if:<lo|eth0>); $s = socket(AF_INET6, SOCK_DGRAM, 0); ioctl($s, SIOCGIFADDR, if:lo)",
    "@UDP; fcntl($u, F_SETOWN, <0|99999999|-99999999|-2147483648>); fcntl($u, F_GETOWN)",
    "@UDP; fcntl($u, F_SETSIG, <10|99>); fcntl($u, F_GETSIG)",
    "@UDP; fcntl($u, <F_GETPIPE_SZ|F_GET_SEALS|F_ADD_SEALS>); fcntl($u, F_SETFL, O_DIRECT)",
    "($a, $b) = pipe(); fcntl($a, F_GETPIPE_SZ); fcntl($a, F_SETPIPE_SZ, 65536)",
    "@UDP; ioctl($u, SIOCGIFCONF)",
)

SCRIPTS: tuple[str, ...] = (*TCP, *UDP, *RAW, *UNIX, *OPTIONS, *FILES, *UNPRIVILEGED, *SIGNALS)
