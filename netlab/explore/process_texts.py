"""The rarer courses in a forked child, as texts (script_texts.py has their notation): what root may and others may not, signals.

Nothing here says what comes of a call.
"""

_NOBODY = "k: seteuid(65534); "

UNPRIVILEGED: tuple[str, ...] = (
    f"{_NOBODY}k: $c = socket(AF_INET6, <SOCK_STREAM|SOCK_DGRAM>, 0); k: bind($c, [::]:80)",
    f"{_NOBODY}k: ($a, $b) = socketpair(<AF_INET|AF_INET6>, SOCK_RAW, 253); k: $c = socket(AF_INET, SOCK_RAW, 253)",
    f"{_NOBODY}k: $s = socket(AF_UNIX, <SOCK_STREAM|SOCK_DGRAM>, 0); k: bind($s, unix:/usr/$D)",
    f'mkfile("$D"); chmod("$D", <384|438>); {_NOBODY}k: <chmod("$D", 511)|unlink("$D")|$f = open("$D", O_RDWR)|mkfile("$D")>',
    f'mkfile("$D"); chmod("$D", <384|438|420>); {_NOBODY}k: $f = open("$D", <O_RDONLY|O_WRONLY|O_RDWR+O_CREAT>); k: mkfile("$D")',
    f'umask(18); mkfile("$D"); {_NOBODY}k: <chmod("$D", 511)|unlink("$D")|$f = open("$D", O_RDWR)|mkfile("$D")>; umask(18)',
    f"umask(18); $l = socket(AF_UNIX, SOCK_DGRAM, 0); bind($l, $V); {_NOBODY}k: $c = socket(AF_UNIX, SOCK_DGRAM, 0);"
    ' k: <TO($c, "x", 0, $V)|connect($c, $V)>',
    f"umask(18); $l = socket(AF_UNIX, <SOCK_STREAM|SOCK_SEQPACKET>, 0); bind($l, $V); listen($l, 1); {_NOBODY}"
    "k: $c = socket(AF_UNIX, SOCK_STREAM, 0); k: connect($c, $V)",
    f'<@STREAMS|@PACKETS|@MESSAGES>; {_NOBODY}k: sendmsg($a, "x", 0, control={{ucred:1,0,0}})',
    "k: seteuid(-1)",
    "k: unshare(CLONE_NEWNET); k: @UDP; k: ioctl($u, SIOCGIFADDR, if:<lo|eth0>)",
    f"{_NOBODY}k: $s = socket(AF_PACKET, SOCK_RAW, 0); k: ($a, $b) = socketpair(AF_PACKET, SOCK_RAW, 0)",
    f"{_NOBODY}k: @UDP; k: ioctl($u, SIOCSIFFLAGS, if:nothing0)",
)

SIGNALS: tuple[str, ...] = (
    "k: default(<SIGPIPE|SIGTERM>); k: <kill|interrupt>(<SIGPIPE|SIGTERM>)",
    "k: ($a, $b) = socketpair(AF_UNIX, SOCK_DGRAM, 0); k: default(SIGPIPE); k: recv($a, buf(3), 0); k: interrupt(SIGPIPE)",
    "k: ($a, $b) = socketpair(AF_UNIX, SOCK_DGRAM, 0); k: handle(SIGUSR1, <0|SA_RESTART>);"
    ' k: <RECV($a, buf(3), 0)|poll($a, POLLIN, -1)>; k: interrupt(SIGUSR1); k: send($b, "x")',
    '<@STREAMS|@PACKETS>; close($b); k: default(SIGPIPE); k: SEND($a, "x", <0|MSG_NOSIGNAL>)',
    'k: handle(SIGPIPE, 0); k: ($c, $d) = socketpair(AF_UNIX, SOCK_STREAM, 0); k: close($d); k: SEND($c, "x", 0)',
    '@TCP; shutdown($c, SHUT_WR); k: default(SIGPIPE); k: SEND($c, "x", <0|MSG_NOSIGNAL>)',
)
