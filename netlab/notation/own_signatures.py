"""The steps of netlab's own that are written as calls though no C library has them: what a test wants to know, or to happen.

Most stand for a few ordinary calls together. They are kept apart so that signatures.py has the sockets API alone.
"""

from netlab.notation.signature import integer, optional, required, signature

_FD = required("fd", "fd")

OWN = (
    signature("fill_fds", libc=False, source="netlab: opens descriptors until the table is full, EMFILE in open(2)"),
    signature(
        "exported",
        required("name", "path"),
        libc=False,
        source="netlab: whether the C library has a function of this name, ENOENT if not; POSIX.1-2024 dlsym",
    ),
    signature("exit", optional("status", "int"), libc=False, source="netlab: ends this process as exit(3) does"),
    signature(
        "sleep", required("time", "milliseconds"), libc=False, source="netlab: lets so many milliseconds pass in this process"
    ),
    signature("default", integer("signal"), libc=False, source="netlab: gives a signal its default action; agents ignore SIGPIPE"),
    signature(
        "handle",
        integer("signal"),
        optional("flags", "int"),
        libc=False,
        source="netlab: gives a signal a handler that does nothing; SA_RESTART among the flags of sigaction(2)",
    ),
    signature(
        "interrupt",
        integer("signal"),
        returns="int",
        libc=False,
        source="netlab: sends a signal to each thread of this process that is inside a call, pthread_kill(3); how many",
    ),
    signature("kill", integer("signal"), libc=False, source="netlab: raises the signal in this process, as raise(3) does"),
    signature(
        "unused_port",
        integer("domain"),
        integer("type"),
        returns="address",
        names=1,
        libc=False,
        source="netlab: a loopback address with a port that nobody has at this moment: bind(2) to port 0, getsockname(2), close(2)",
    ),
    signature(
        "addr", _FD, returns="address", names=1, libc=False, source="netlab: keeps what getsockname(2) gives now, for @NAME later"
    ),
    signature(
        "fill",
        _FD,
        returns="count",
        libc=False,
        source="netlab: send(2) with MSG_DONTWAIT until EAGAIN, and until nothing makes room any more; how many bytes",
    ),
    signature(
        "lowest_free",
        returns="number",
        names=1,
        libc=False,
        source="netlab: the number that the next descriptor gets, POSIX.1-2024 2.6 File Descriptor Allocation",
    ),
    signature(
        "same_file",
        _FD,
        required("other", "fd"),
        returns="int",
        libc=False,
        source="netlab: 1 where two descriptors are of one file, st_dev and st_ino of fstat(2), else 0",
    ),
    signature("tcp_state", _FD, libc=False, source="netlab: the state that TCP_INFO gives (tcp(7)), in Linux' spelling"),
    signature(
        "exec_has_fd",
        _FD,
        returns="int",
        libc=False,
        source="netlab: 1 where a program that is started from here by execve(2) has the descriptor, else 0",
    ),
    signature("mkfile", required("path", "path"), libc=False, source="netlab: an empty file, open(2) with O_CREAT, close(2)"),
    signature(
        "child",
        required("call", "call"),
        returns="inner",
        blocks=True,
        libc=False,
        source="netlab: a call in a process that fork(2) makes for it, and that ends after it; gives what the call gave there",
    ),
    signature(
        "after",
        required("time", "milliseconds"),
        required("call", "call"),
        libc=False,
        source="netlab: a call in another thread of this process, so many milliseconds from now; goes on at once",
    ),
)
"""One row each."""
