"""Any records are a sequence of calls that says what it means, whatever is left out of it."""

import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from netlab.explore.options import LEVELS
from netlab.explore.scene import FIRST_PORT, LAST_PORT, PORTS, RECORD, Ground
from netlab.explore.sequences import KINDS, Made, Weights, decode, more_of
from netlab.notation.calls import CallText
from netlab.notation.constants import known
from netlab.notation.parse import parse_step
from netlab.notation.printing import print_call
from netlab.notation.signatures import SIGNATURES
from netlab.notation.values import Name, Rights, SocketAddress

TWO = Ground(addresses={"client": ("10.0.0.1", "fd00::1"), "server": ("10.0.0.2", "fd00::2")})
ONE = Ground(addresses={"client": ("10.0.0.1", "fd00::1")})
WEIGHTS = Weights()
RECORDS = st.lists(st.binary(min_size=RECORD, max_size=RECORD), min_size=1, max_size=20)
WORDS = {"BUF", "NONE"}
UNCHANGED = ('mkfile("."', 'mkfile("./"', 'unlink("."', 'unlink("./"')
"""Calls that change nothing: no directory is unlinked, or made a file."""
SHARED = ("nothing/here", ".", "/dev/null/inside")


def drawn(count: int, ground: Ground = TWO, seed: int = 1) -> list[Made]:
    chosen = random.Random(seed)
    return [
        decode([chosen.randbytes(RECORD) for _ in range(chosen.randint(1, 14))], ground, serial, WEIGHTS) for serial in range(count)
    ]


def check(made: Made, ground: Ground) -> None:
    """Each call is one of the notation's, in a process that there is, about names that something before it binds."""
    names: dict[str, set[str]] = {host: set() for host in ground.hosts}
    for line in made.lines:
        said = parse_step(print_call(line.call))
        assert isinstance(said, CallText)
        assert said.call == line.call
        there = names[line.process]
        used = {one.name for one in line.call.arguments if isinstance(one, Name)} - WORDS
        sent = {
            name for _, one in line.call.keywords if isinstance(one, Rights) and line.call.name == "sendmsg" for name in one.names
        }
        assert used | sent <= there, print_call(line.call)
        if line.call.name == "fork":
            names[f"{line.process}/{line.call.binds[0]}"] = set(there)
            continue
        there.update(line.call.binds)
        there.update(
            name for _, one in line.call.keywords if isinstance(one, Rights) and line.call.name == "recvmsg" for name in one.names
        )


@given(RECORDS, st.integers(0, 1 << 20))
def test_any_records_are_a_sequence_that_can_be_written_down(records: list[bytes], serial: int) -> None:
    for ground in (TWO, ONE):
        check(decode(records, ground, serial, WEIGHTS), ground)


@given(RECORDS, st.data())
def test_what_is_left_when_records_are_left_out_is_a_sequence_too(records: list[bytes], data: st.DataObject) -> None:
    kept = data.draw(st.lists(st.booleans(), min_size=len(records), max_size=len(records)))
    fewer = [record for record, keep in zip(records, kept, strict=True) if keep]
    made = decode(fewer, TWO, 7, WEIGHTS)
    check(made, TWO)
    whole = decode(records, TWO, 7, WEIGHTS)
    assert made.kinds == tuple(kind for kind, keep in zip(whole.kinds, kept, strict=True) if keep)


@given(RECORDS)
def test_the_same_records_are_the_same_sequence_wherever_they_are_played(records: list[bytes]) -> None:
    one, same, other = (decode(records, TWO, serial, WEIGHTS) for serial in (3, 3, 4))
    assert one == same
    assert [(line.process, line.call.name, line.call.binds) for line in one.lines] == [
        (line.process, line.call.name, line.call.binds) for line in other.lines
    ]


def test_no_two_sequences_share_a_port_or_a_name() -> None:
    taken: dict[object, int] = {}
    for serial, made in enumerate(drawn(1000)):
        for line in made.lines:
            for one in line.call.arguments:
                if not isinstance(one, SocketAddress) or line.call.name != "bind" or one.host in SHARED or one.port == 80:
                    continue
                if one.form == "unix" and one.host:
                    assert taken.setdefault(one.host, serial) == serial
                if one.form == "ip" and one.port:
                    assert FIRST_PORT <= one.port < LAST_PORT
                    assert (one.port - FIRST_PORT) // PORTS == serial


def test_files_that_others_see_are_left_alone() -> None:
    changing, made = {"mkfile", "chmod", "unlink"}, drawn(1500)
    said = [print_call(line.call) for one in made for line in one.lines if line.call.name in changing]
    paths = [text.partition("(")[2] for text in said]
    assert len(paths) > 50
    ours = ('"e', '"nothing-there', '"/dev/null/inside', '"xxx', "NULL", "BADPTR")
    assert all(path.startswith(ours) or text.startswith(UNCHANGED) for path, text in zip(paths, said, strict=True))
    opened = [print_call(line.call) for one in made for line in one.lines if line.call.name == "open"]
    assert all(text.partition('("')[2].startswith("/dev/") for text in opened if '("/' in text)
    bound = [one for each in made for line in each.lines for one in line.call.arguments if isinstance(one, SocketAddress)]
    there = ("/dev/null/inside", "/usr/e")  # the latter only by a child that may not write there
    assert not [one.host for one in bound if one.variant == "path" and one.host.startswith("/") and not one.host.startswith(there)]


def test_every_kind_of_record_can_be_chosen_and_every_call_that_sockets_have_is_made() -> None:
    made = drawn(3000)
    assert {kind for one in made for kind in one.kinds} == {kind.name for kind in KINDS}
    calls = Counter(line.call.name for one in made for line in one.lines)
    wanted = {
        "socket", "socketpair", "bind", "listen", "accept", "accept4", "connect", "send", "sendto", "sendmsg", "recv", "recvfrom",
        "recvmsg", "read", "write", "shutdown", "close", "dup", "dup2", "dup3", "fork", "fcntl", "ioctl", "getsockname",
        "getpeername", "getsockopt", "setsockopt", "poll", "select", "epoll_create1", "epoll_ctl", "epoll_wait", "pipe",
        "setrlimit",
    }  # fmt: skip
    assert set(calls) >= wanted
    assert {call for kind in KINDS for call in kind.calls} <= set(SIGNATURES)


def test_half_of_the_sequences_are_on_two_hosts_where_there_are_two() -> None:
    both = [len({line.host for line in one.lines}) == 2 for one in drawn(1000)]
    assert sum(both) >= len(both) / 2
    assert not any("server" in line.process for one in drawn(200, ONE) for line in one.lines)


def test_what_coverage_asks_for_gets_likelier() -> None:
    more = more_of(["shutdown", "shutdown", "dup3"])
    assert more["shutdown"] > more["duplicate"] > more["pair"] == 1.0
    plain, changed = Weights(), Weights(more)
    share = plain.of["shutdown"] / sum(plain.of.values())
    assert changed.of["shutdown"] / sum(changed.of.values()) > share


def test_the_options_that_are_tried_are_the_sockets_apis() -> None:
    assert not [option for options in LEVELS.values() for option in options if not known(option)]
