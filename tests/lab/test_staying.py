"""Labs that stay: their names, who may reach them, how they end; and that nothing is left of them."""

import os
import socket

import pytest
from labs import name

from netlab.lab import staying
from netlab.lab.staying import Connection, GoneError, ImpostorError, Staying, TakenError, UnreachableError


@pytest.mark.parametrize(
    ("text", "usable"),
    [
        ("two-hosts", "two-hosts"),
        ("two hosts!", "two-hosts"),
        ("../etc/passwd", "etc-passwd"),
        (".hidden", "hidden"),
        ("Überlandleitung", "berlandleitung"),
        ("!!!", "lab"),
        ("x" * 99, "x" * 56),
    ],
)
def test_any_topologys_name_becomes_one_that_a_lab_may_have(text: str, usable: str) -> None:
    assert staying.usable_name(text) == usable
    assert staying.is_name(usable)


@pytest.mark.parametrize("text", ["", "a/b", "-x", ".x", "a b", "a\n", "x" * 65, "ä"])
def test_what_no_lab_may_be_called(text: str) -> None:
    assert not staying.is_name(text)


def test_a_name_is_held_as_long_as_its_socket_is_open() -> None:
    wanted = name()
    first, one = staying.claim(wanted)
    with first:
        second, other = staying.claim(wanted)
        with second, pytest.raises(TakenError):
            staying.claim(wanted, exactly=True)
        assert [one.name, other.name] == [wanted, f"{wanted}-2"]
        again, third = staying.claim(wanted)
        again.close()
        assert third.name == f"{wanted}-2"
    free, last = staying.claim(wanted, exactly=True)
    free.close()
    assert last == Staying(os.geteuid(), wanted)


def test_only_what_listens_stays() -> None:
    made, lab = staying.claim(name())
    with made:
        assert lab not in staying.staying()
        made.listen()
        assert lab in staying.staying()
        with Connection(lab) as connection:
            assert connection.pid == os.getpid()
            assert lab in staying.staying()
    assert lab not in staying.staying()


def test_names_that_are_not_ours_are_no_labs() -> None:
    before = set(staying.staying())
    addresses = [f"\0netlab/x/{name()}", f"\0netlab/-1/{name()}", f"\0netlab/0/a b{name()}", f"\0other/0/{name()}", "\0netlab/"]
    made = [socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in addresses]
    stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    strange = name()
    try:
        for one, address in zip(made, addresses, strict=True):
            one.bind(address)
            one.listen()
        stream.bind(f"\0netlab/0/{strange}")
        stream.listen()
        found = set(staying.staying()) - before
        assert not [lab for lab in found if lab.name == strange or any(lab.name in address for address in addresses)]
    finally:
        for one in (*made, stream):
            one.close()


def test_a_lab_that_is_not_there() -> None:
    with pytest.raises(GoneError):
        Connection(Staying(os.geteuid(), name()))


def test_a_name_that_another_user_has_taken_is_not_believed() -> None:
    theirs = Staying(os.geteuid() + 1, name())
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as made:
        made.bind(theirs.address)
        made.listen()
        with pytest.raises(ImpostorError, match=f"process {os.getpid()} of uid {os.geteuid()}"):
            Connection(theirs)


def test_one_that_ends_instead_of_answering() -> None:
    made, lab = staying.claim(name())
    made.listen()
    connection = Connection(lab)
    accepted, _ = made.accept()
    with connection:
        assert not connection.gone
        accepted.close()
        assert connection.gone
        with pytest.raises(GoneError):
            connection.ask("describe")
    made.close()


def test_one_that_too_many_others_wait_for() -> None:
    made, lab = staying.claim(name())
    made.listen(0)
    with made, Connection(lab) as first:
        with pytest.raises(UnreachableError, match="does not answer"):
            Connection(lab, within=0.05)
        made.accept()[0].close()
        assert first.gone
        Connection(lab, within=0.05).close()


def test_one_that_does_not_answer() -> None:
    made, lab = staying.claim(name())
    made.listen()
    with made, Connection(lab, within=0.05) as connection, pytest.raises(UnreachableError, match="does not answer"):
        connection.ask("describe")
