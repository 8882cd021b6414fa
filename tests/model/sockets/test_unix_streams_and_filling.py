"""What the model allows of UNIX streams whose writer changes, of full sockets, of names that messages bring; no kernel."""

import pytest
from model.sockets.worlds import after, allowed, call, done, one_host

from netlab.model.sockets.outcomes import Seen

PAIR = "(x, y) = socketpair(AF_UNIX, SOCK_STREAM, 0)"
PACKETS = "(x, y) = socketpair(AF_UNIX, SOCK_SEQPACKET, 0)"
ASKS = "setsockopt(y, SOL_SOCKET, SO_PASSCRED, 1)"
ASKS_NO_MORE = "setsockopt(y, SOL_SOCKET, SO_PASSCRED, 0)"
LARGER = "setsockopt(x, SOL_SOCKET, SO_SNDBUF, 106496)"


@pytest.mark.parametrize(
    ("setup", "step", "outcome"),
    [
        # What nobody signed and what somebody did are not read together, whichever call reads.
        (('write(x, "ab")', ASKS, 'write(x, "cd")'), "read(y, buf(9))", '2 out "ab"'),
        (('write(x, "ab")', ASKS, 'write(x, "cd")'), "recv(y, buf(9), MSG_WAITALL)", '2 out "ab"'),
        (('write(x, "ab")', ASKS, 'write(x, "cd")'), "recv(y, buf(9), MSG_PEEK)", '2 out "ab"'),
        (('write(x, "ab")', ASKS, 'write(x, "cd")', "read(y, buf(1))"), "read(y, buf(9))", '1 out "b"'),
        (('write(x, "ab")', ASKS, 'write(x, "cd")', "read(y, buf(2))"), "read(y, buf(9))", '2 out "cd"'),
        ((ASKS, 'write(x, "ab")', 'write(x, "cd")'), "read(y, buf(9))", '4 out "abcd"'),
        # Who reads does not ask: it makes no difference.
        ((ASKS, 'write(x, "ab")', ASKS_NO_MORE, 'write(x, "cd")'), "read(y, buf(9))", '4 out "abcd"'),
        # It is enough that the sender asks.
        (("setsockopt(x, SOL_SOCKET, SO_PASSCRED, 1)", 'write(x, "ab")', "setsockopt(x, SOL_SOCKET, SO_PASSCRED, 0)",
          'write(x, "cd")', ASKS), "read(y, buf(9))", '2 out "ab"'),
    ],
)  # fmt: skip
def test_a_receive_ends_where_the_writer_changes(setup: tuple[str, ...], step: str, outcome: str) -> None:
    assert allowed(after(one_host(), PAIR, *setup), step) == {outcome}


@pytest.mark.parametrize(
    ("setup", "step", "outcome"),
    [
        ((PAIR, "fill(x)"), "send(x, buf(1), MSG_DONTWAIT)", {"EAGAIN"}),
        ((PAIR, "setsockopt(x, SOL_SOCKET, SO_SNDTIMEO, {timeval:0,10})", "fill(x)"), "send(x, buf(9), 0)", {"blocks", "EAGAIN"}),
        ((PAIR, "setsockopt(x, SOL_SOCKET, SO_SNDBUF, 8192)", "fill(x)", LARGER), "send(x, buf(9), MSG_DONTWAIT)", {"9"}),
        ((PACKETS, "fill(x)"), "send(x, buf(1), MSG_DONTWAIT)", {"EAGAIN"}),
        ((PACKETS, "fill(x)"), "poll(x, POLLOUT, 0)", {"0 out 0"}),
        ((PACKETS, "setsockopt(x, SOL_SOCKET, SO_SNDBUF, 8192)", "fill(x)", LARGER), "send(x, buf(9), MSG_DONTWAIT)", {"9"}),
        ((PACKETS, "fill(x)", "close(y)"), "send(x, buf(1), MSG_DONTWAIT)", {"ECONNRESET"}),
        # More than the kernel lets it have is cut off, to what nobody knows.
        ((PACKETS, "setsockopt(x, SOL_SOCKET, SO_SNDBUF, 9000000)"), "send(x, buf(400000), 0)", {"400000"}),
        ((PACKETS, "setsockopt(x, SOL_SOCKET, SO_SNDBUF, 9000000)"), "send(x, buf(900000), 0)", {"900000", "EMSGSIZE"}),
    ],
)
def test_what_is_full_takes_nothing_until_it_is_read_or_larger(setup: tuple[str, ...], step: str, outcome: set[str]) -> None:
    assert allowed(after(one_host(), *setup), step) == outcome


UDP = (
    "b = socket(AF_INET, SOCK_DGRAM, 0)",
    "bind(b, 127.0.0.1:7)",
    "s = socket(AF_INET, SOCK_DGRAM, 0)",
    "connect(s, 127.0.0.1:7)",
)


def test_a_message_whose_sender_cannot_be_told_is_gone() -> None:
    oracle = after(one_host(), *UDP, 'send(s, "ab", 0)')
    assert allowed(oracle, "recvmsg(b, buf(9), 0, addrlen=-1)") == {"EINVAL"}, "nothing was received yet"
    assert allowed(oracle, "recvmsg(b, buf(9), 0, addr=NULL, addrlen=-1)") != {"EINVAL"}, "no address was asked for"
    assert allowed(after(oracle, "recvmsg(b, buf(9), 0, addr=BADPTR)"), "recv(b, buf(9), MSG_DONTWAIT)") == {"EAGAIN"}


@pytest.mark.parametrize(
    ("setup", "waits", "meanwhile"),
    [
        # Room is made, but a sender that waits is only woken when there is much of it.
        ((PACKETS, "fill(x)"), "send(x, buf(5), 0)", "read(y, buf(1))"),
        # Enough is there, but a receiver that has a part of it is only woken by as much as SO_RCVLOWAT says.
        (
            ("l = socket(AF_INET, SOCK_STREAM, 0)", "bind(l, 127.0.0.1:7)", "listen(l, 1)", "y = socket(AF_INET, SOCK_STREAM, 0)",
             "connect(y, 127.0.0.1:7)", "x = accept(l)", "setsockopt(x, SOL_SOCKET, SO_RCVLOWAT, 4)", 'send(y, "ab", 0)'),
            "recv(x, buf(5), 0)", 'send(y, "cde", 0)',
        ),
    ],
)  # fmt: skip
def test_a_call_that_could_go_on_may_sleep_on(setup: tuple[str, ...], waits: str, meanwhile: str) -> None:
    for wakes in (False, True):
        oracle = after(one_host(), *setup)
        waiting = oracle.start("host", call(waits))
        assert oracle.blocked(waiting).inconsistency is None
        done(oracle, meanwhile)
        seen = Seen(result=5, out='"abcde"' if waits.startswith("recv") else None)
        step = oracle.returned(waiting, seen) if wakes else oracle.blocked(waiting)
        assert step.inconsistency is None
