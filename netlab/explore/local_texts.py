"""The rarer courses of what stays on one host, as texts (script_texts.py has their notation): UNIX sockets, files, pipes, epoll.

Nothing here says what comes of a call.
"""

_FULL = "setrlimit(RLIMIT_NOFILE, 40, 1024); fill_fds(); "
_ROOM = "setrlimit(RLIMIT_NOFILE, 1024, 1024)"

UNIX: tuple[str, ...] = (
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
    '$l = socket(AF_UNIX, SOCK_STREAM, 0); bind($l, $V); $c = socket(AF_UNIX, SOCK_DGRAM, 0); TO($c, "x", 0, $V); connect($c, $V)',
    "$l = socket(AF_UNIX, SOCK_DGRAM, 0); bind($l, $V); $c = socket(AF_UNIX, SOCK_STREAM, 0); connect($c, $V)",
    'mkfile("$D"); $c = socket(AF_UNIX, SOCK_DGRAM, 0); TO($c, "x", 0, unix:$D/x); connect($c, unix:$D/x)',
    'mkfile("$D"); $c = socket(AF_UNIX, SOCK_STREAM, 0); connect($c, unix:$D/x)',
    "@STREAMS; setsockopt($a, SOL_SOCKET, SO_SNDBUF, 1); send($a, buf(500000)); RECV($b, buf(300000), MSG_DONTWAIT);"
    " RECV($b, buf(300000), MSG_DONTWAIT)",
    '@MESSAGES; sendmsg($a, buf(300000), 0); sendmsg($a, "x", 0, addr=127.0.0.1:9)',
    '@MESSAGES; <select($a, NONE, 60000)|poll($a, POLLIN, 60000)>; send($b, "x")',
    '@STREAMS; $e = epoll_create1(0); epoll_ctl($e, EPOLL_CTL_ADD, $a, EPOLLIN); epoll_wait($e, 4, 60000); send($b, "x")',
    '@MESSAGES; send($a, "xyz"); RECV($b, BADPTR[10], 0)',
    "@MESSAGES; SEND($a, BADPTR[10], 0)",
    '@PACKETS; setsockopt($a, SOL_SOCKET, SO_SNDBUF, 1); fill($a); SEND($a, "x", MSG_DONTWAIT)',
)

FILES: tuple[str, ...] = (
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
    '$s = socket(AF_INET, SOCK_DGRAM, 0); sendmsg($s, "x", 0, addr=BADPTR, addrlen=-1); sendmsg($s, "x", 0, addr=BADPTR)',
    "$e = epoll_create1(0); dup2($e, 1024); dup3($e, -1, 0); dup2($e, 100000); fcntl($e, F_DUPFD, 100000)",
    "$s = socket(AF_INET6, <SOCK_STREAM|SOCK_DGRAM>, 0); bind($s, [fe80::1%77]:$P)",
    '<unlink(".")|mkfile(".")|mkfile("./")|unlink("./")|mkfile("$D/.")>',
    'mkfile("$D"); $f = open("$D/", <O_RDWR+O_CREAT|O_RDWR+O_CREAT+O_EXCL|O_RDONLY>); <mkfile|unlink>("$D/")',
    '$f = open("./", <O_RDWR+O_CREAT|O_RDWR+O_CREAT+O_EXCL|O_RDONLY>)',
    '($a, $b) = pipe2(<O_CLOEXEC|O_NONBLOCK|O_CLOEXEC+O_NONBLOCK|0|1|-1>); write($b, "ab"); read($a, buf(5));'
    " fcntl($a, F_GETFL); fcntl($b, F_GETFD)",
    "<pipe2(BADPTR, 0)|pipe2(NULL, O_CLOEXEC)|pipe2(BADPTR, 1)>",
    "setrlimit(RLIMIT_NOFILE, <3|4|5>, 1024); ($x, $y) = pipe2(<0|O_CLOEXEC|1>); setrlimit(RLIMIT_NOFILE, 1024, 1024)",
    "@UDP; $e = epoll_create1(0); epoll_ctl($e, EPOLL_CTL_ADD, $u, EPOLLOUT); epoll_wait($e, BADPTR, 1, 0)",
    "$e = epoll_create1(0); <lseek($e, 0, SEEK_SET)|lseek($e, 5, SEEK_CUR)>",
    f"@UDP; {_FULL}<$x = accept($u)|$x = accept4($u, NONE, 0, 0)|$x = dup($u)|$x = fcntl($u, F_DUPFD, 0)>; {_ROOM}",
    f"$u = socket(<AF_UNIX|AF_INET>, SOCK_STREAM, 0); {_FULL}<$x = accept($u)|$x = accept4($u, NONE, 0, 0)>; {_ROOM}",
    f"@RAW; {_FULL}<$x = accept($r)|$x = accept4($r, NONE, 0, 0)>; {_ROOM}",
    f"$e = epoll_create1(0); {_FULL}<$x = accept($e)|$x = accept4($e, NONE, 0, 0)>; {_ROOM}",
    f"{_FULL}<$x = epoll_create1(0)|$x = epoll_create(1)|$x = socket(AF_INET, SOCK_STREAM, 0)>; {_ROOM}",
    f'{_FULL}<($x, $y) = pipe()|($x, $y) = pipe2(0)|($x, $y) = socketpair(AF_UNIX, SOCK_STREAM, 0)|$x = open("/dev/null", O_RDWR)>;'
    f" {_ROOM}",
)
