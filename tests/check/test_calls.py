"""What names of sockets stand for in a result: the inode that /proc shows, the cookie that sock_diag shows."""

import pytest

from netlab.check.calls import Calls
from netlab.errors import Place
from netlab.notation.calls import CallText
from netlab.notation.parse import parse_step
from netlab.scenario.spec import CallStep
from netlab.timeline.observations import CallReturned, CallStarted, Named, SocketEntry, SocketTable, StepEnded

PLACE = Place("file", 1, 1)
HERE, THERE = ("10.0.0.1", 4000), ("10.0.0.2", 8080)
LISTED = SocketEntry(protocol="tcp", state="LISTEN", local=HERE, remote=THERE, inode=77, cookie=5)


@pytest.mark.parametrize(
    ("text", "out", "field"),
    [
        ("fstat(s) -> 0 out {ino=@inode:s}", {"type": "socket", "ino": 77}, None),
        ("fstat(s) -> 0 out {ino=@inode:s}", {"type": "socket", "ino": 78}, "out"),
        ("fstat(s) -> 0 out {ino=@inode:t}", {"type": "socket", "ino": 77}, "out"),
        ("getsockopt(s, SOL_SOCKET, SO_COOKIE) -> 0 out @cookie:s", 5, None),
        ("getsockopt(s, SOL_SOCKET, SO_COOKIE) -> 0 out @cookie:s", 6, "out"),
        ("getsockopt(s, SOL_SOCKET, SO_COOKIE) -> 0 out @cookie:t", 5, "out"),
    ],
)
def test_a_socket_is_known_by_its_inode_and_its_cookie(text: str, out: object, field: str | None) -> None:
    what = parse_step(text)
    assert isinstance(what, CallText)
    step = CallStep(text=text, place=PLACE, host="client", process="client", what=what)
    seen = (
        Named(time=1, host="client", process="client", name="s", fd=3, inode=77),
        SocketTable(time=2, began=2, host="client", entries=(LISTED,)),
        CallStarted(time=3, host="client", id=1, process="client", call=what.call.name, text=text, step=0),
        CallReturned(time=4, host="client", id=1, process="client", call=what.call.name, result=0, out=out, began=3),
        StepEnded(time=5, host="", index=0),
    )
    assert [one.field for one in Calls(seen).mismatches(0, [step])] == ([field] if field else [])


@pytest.mark.parametrize(
    ("process", "out", "field"),
    [
        ("client", "{ucred:p,0,0}", None),
        ("client", "{ucred:self,0,0}", "out"),
        ("client/p", "{ucred:self,0,0}", None),
        ("client/p", "{ucred:p,0,0}", "out"),
    ],
)
def test_a_process_is_known_by_the_name_that_fork_bound(process: str, out: str, field: str | None) -> None:
    steps, seen = [], []
    for index, (whose, text, result) in enumerate(
        [("client", "p = fork()", 21), (process, f"getsockopt(3, SOL_SOCKET, SO_PEERCRED) -> 0 out {out}", 0)]
    ):
        what = parse_step(text)
        assert isinstance(what, CallText)
        steps.append(CallStep(text=text, place=PLACE, host="client", process=whose, what=what))
        given = "{ucred:21,0,0}" if index else None
        name, time = what.call.name, 3 * index
        seen += [
            CallStarted(time=time, host="client", id=index, process=whose, call=name, text=text, step=index),
            CallReturned(time=time + 1, host="client", id=index, process=whose, call=name, result=result, out=given, began=time),
            StepEnded(time=time + 2, host="", index=index),
        ]
    assert [one.field for one in Calls(seen).mismatches(1, steps)] == ([field] if field else [])
