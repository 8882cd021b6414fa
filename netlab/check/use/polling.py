"""Rule about asking again and again instead of waiting."""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from statistics import median

from netlab.check.use.finding import Found, Rule
from netlab.check.use.syscalls import ACCEPTS, MS, TRANSFERS, WAITS, at_once, number, succeeded, took, would_block
from netlab.check.use.world import Process, Use, World, milliseconds

_MANY = 100
"""So many calls in a row that gave nothing are no accident: nginx and asyncio make one, after which they wait."""
_LONG = 10 * MS
"""iperf3 asks for some 600 times in the last millisecond before its next packet is due: less than this is precision, not waste."""
_LONG_TOLD = 50 * MS
"""The same for sockets that are ready and left alone: redis-benchmark does so for some 10 ms when its last request is sent."""
_INTERVAL = 2 * MS
"""On average; a program that sleeps for a few milliseconds between its tries is slow to answer, but does not spin."""
_PREEMPTED = 20 * MS
"""A call that was longer than it takes, but not by more than this, may have waited for a processor: it says nothing."""
_AT_ONCE = MS // 100
"""What a loop needs at most for itself between two calls, mostly; one in Python that runs a callback needs 20 us."""
_NOTHING = frozenset({"getsockopt", "setsockopt", "getsockname", "getpeername", "fcntl", "ioctl", "epoll_ctl"})


def _busy_polling(world: World) -> Iterator[Found]:
    """A thread made a hundred calls in a row, in quick succession and for 10 ms or longer, each of which gave nothing at once:
    EAGAIN, or poll with no time-out; or it was told for 50 ms that sockets are ready, and did nothing about it. False where
    a wait that found something stands between (one EAGAIN after an event is right: an event may be taken by another worker), and
    where the calls lie far apart. A note where the thread may have worked between its polls: an event loop with callbacks to run
    polls so, and so does a runtime whose threads sleep in futex()."""
    for process in world.processes:
        alone = len(process.threads) == 1
        runs = _long(process, _in_vain, _LONG)
        if runs:
            yield _told(process, runs, "gave nothing, with no wait between them", works=_works(max(runs, key=len), alone))
        sockets_only = _watch_sockets_only(process) if alone else frozenset()
        runs = _long(process, partial(_ignored, sockets_only=sockets_only), _LONG_TOLD) if alone else []
        if runs:
            yield _told(process, runs, "told of sockets that nothing was done about", works=False)


def _works(run: list[Use], alone: bool) -> bool:
    """Whether the thread may have done something between its polls: neither callbacks nor a wait in futex() can be seen."""
    if any(use.call.call not in WAITS for use in run):
        return False
    return not alone or median(later.call.began - use.call.time for use, later in pairwise(run)) > _AT_ONCE


def _told(process: Process, runs: list[list[Use]], text: str, *, works: bool) -> Found:
    longest = max(runs, key=len)
    first, last = longest[0], longest[-1]
    span = last.call.time - first.call.began
    total = sum(map(len, runs))
    names = sorted({f"{use.call.call}({use.call.fd})" if use.call.fd >= 0 else f"{use.call.call}()" for use in longest})
    says = (
        f"{len(longest)} calls in {milliseconds(span)} {text} ({', '.join(names[:4])}):"
        f" {round(len(longest) / max(span, 1) * 1e9):,} a second."
    )
    says += f" In all it was {total:,} such calls." if total > len(longest) else ""
    evidence = first.index, longest[len(longest) // 2].index, last.index
    return Found(process=process, says=says, evidence=evidence, severity="note" if works else None)


def _long(process: Process, in_vain: Callable[[Use], bool], least: int) -> list[list[Use]]:
    """The runs of such calls that are many, quick, and last at least so long."""
    return [
        run
        for thread in process.threads.values()
        for run in _runs(thread, in_vain)
        if len(run) >= _MANY and least <= run[-1].call.time - run[0].call.began <= _INTERVAL * len(run)
    ]


def _runs(thread: list[Use], in_vain: Callable[[Use], bool]) -> Iterator[list[Use]]:
    run: list[Use] = []
    for use in thread:
        if in_vain(use) and took(use.call) < _PREEMPTED:
            if not at_once(use.call):
                continue
            if run and use.call.began - run[-1].call.time > 20 * _INTERVAL:
                yield run
                run = []
            run.append(use)
        elif use.call.call not in _NOTHING:
            yield run
            run = []
    yield run


def _in_vain(use: Use) -> bool:
    call = use.call
    if call.call in WAITS:
        return succeeded(call) and call.result == 0 and number(call, "timeout") in (0, None)
    return call.call in (TRANSFERS | ACCEPTS) and would_block(call)


def _ignored(use: Use, sockets_only: frozenset[int]) -> bool:
    """Whether it told that something is ready, which can only be sockets: what is done about those is always seen."""
    call = use.call
    if call.call not in WAITS or not succeeded(call) or call.result <= 0:
        return False
    inodes = call.arguments.get("inodes")
    return call.fd in sockets_only if call.fd >= 0 else isinstance(inodes, list | tuple) and bool(inodes) and all(inodes)


def _watch_sockets_only(process: Process) -> frozenset[int]:
    """The epoll descriptors to which nothing but sockets was ever added."""
    added: dict[int, bool] = {}
    for use in process.uses:
        call = use.call
        if call.call == "epoll_ctl" and call.arguments.get("operation") != "EPOLL_CTL_DEL":
            added[call.fd] = added.get(call.fd, True) and bool(call.arguments.get("inode"))
    return frozenset(fd for fd, only in added.items() if only)


RULES = (
    Rule(
        id="use.busy-polling",
        title="Busy polling",
        source="POSIX.1-2024 poll(): a timeout of -1 blocks until an event occurs; EAGAIN of recv(): use poll() to wait",
        severity="warning",
        needs=(("calls",),),
        find=_busy_polling,
    ),
)
