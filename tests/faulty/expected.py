"""Which rule finds each program here, and how severe it calls that. ``python NAME.py`` has the fault, ``NAME.py mended`` not.

Of the twin nothing is found, nor of the peers that both start. ``ALSO`` are notes about the same descriptors, which come with the
fault: what is never closed is open at the exit, too. C programs are built by ``cc -o NAME NAME.c`` and take the same word; echo.c
has no fault at all and is for ``cc -static``.
"""

EXPECTED = {
    "after_close": ("use.after-close", "fault"),
    "backlog_overflow": ("use.backlog-overflow", "warning"),
    "busy_epoll": ("use.busy-polling", "warning"),
    "busy_polling": ("use.busy-polling", "warning"),
    "close_unread": ("use.close-unread", "fault"),
    "connect_ignored": ("use.connect-ignored", "fault"),
    "connection_leak": ("use.connection-leak", "fault"),
    "double_close": ("use.double-close", "warning"),
    "eagain": ("use.eagain", "fault"),
    "eintr": ("use.eintr", "fault"),
    "half_closed": ("use.half-closed", "warning"),
    "leaked_over_exec": ("use.leaked-over-exec", "warning"),
    "leaked_over_fork": ("use.leaked-over-fork", "fault"),
    "no_reuseaddr": ("use.no-reuseaddr", "fault"),
    "open_at_exit": ("use.open-at-exit", "note"),
    "partial_write": ("use.partial-write", "fault"),
    "sigpipe": ("use.sigpipe", "fault"),
    "slow_accept": ("use.slow-accept", "warning"),
    "write_after_reset": ("use.write-after-reset", "fault"),
}
ALSO = {"connection_leak": "use.open-at-exit", "half_closed": "use.open-at-exit"}
IN_C = frozenset({"eintr"})
