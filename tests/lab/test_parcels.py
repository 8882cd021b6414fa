"""What a keeper and those who ask it send each other: plain values of any size, descriptors, and numbers of processes."""

import errno
import marshal
import os
import resource
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from netlab.lab import parcels

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with one, other:
        yield one, other


def open_now() -> set[str]:
    return set(os.listdir("/proc/self/fd"))


VALUES: list[dict[str, Any]] = [
    {},
    {"do": "spawn", "argv": ["ls", "-l"], "env": {"NAME": "not UTF-8: \udcff"}, "node": 3, "log": False, "within": 0.5},
    {"program": {"spaces": [(0, [b"\x14\0\0\0" * 5], [])]}, "none": None},
    {"large": ["x" * 1000] * 1000, "bytes": bytes(1 << 20)},
]


@pytest.mark.parametrize("value", VALUES, ids=["empty", "request", "program", "large"])
@pytest.mark.parametrize("count", [0, 3])
def test_values_of_any_size_arrive_with_their_descriptors(pair: Pair, value: dict[str, Any], count: int) -> None:
    before = open_now()
    files = [os.memfd_create(str(number)) for number in range(count)]
    parcels.send(pair[0], value, files)
    found, given = parcels.receive(pair[1])
    assert found == value
    assert [os.readlink(f"/proc/self/fd/{fd}") for fd in given] == [f"/memfd:{number} (deleted)" for number in range(count)]
    assert not any(os.get_inheritable(fd) for fd in given)
    for fd in (*files, *given):
        os.close(fd)
    assert open_now() == before


def test_parcels_keep_their_order_and_the_end_is_told(pair: Pair) -> None:
    for number in range(3):
        parcels.send(pair[0], {"number": number, "filling": bytes(number << 16)})
    pair[0].close()
    assert [(parcels.receive(pair[1])[0] or {})["number"] for _ in range(3)] == [0, 1, 2]
    assert parcels.receive(pair[1]) == (None, [])


@pytest.mark.parametrize("message", [b"\x80", b"{}", b"\x81\xa2do\xa4stay", b"i\1\0\0\0"], ids=["short", "JSON", "msgpack", "int"])
def test_what_is_no_parcel_is_not_understood_and_its_descriptors_are_closed(pair: Pair, message: bytes) -> None:
    file = os.memfd_create("file")
    before = open_now()
    socket.send_fds(pair[0], [message], [file])
    with pytest.raises(parcels.NotUnderstoodError):
        parcels.receive(pair[1])
    assert open_now() == before
    os.close(file)


def test_descriptors_that_cannot_be_taken_are_an_error_and_none_is_left(pair: Pair) -> None:
    file = os.memfd_create("file")
    parcels.send(pair[0], {"two": 2}, [file, file])
    before = open_now()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = os.dup(file)  # the lowest number that is free, of which one may be taken
    os.close(limit)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit + 1, hard))
    try:
        with pytest.raises(OSError, match="Too many open files") as refused:
            parcels.receive(pair[1])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert refused.value.errno == errno.EMFILE
    assert open_now() == before
    os.close(file)


def test_the_kernel_vouches_for_a_pid(pair: Pair) -> None:
    """Root of a PID namespace may name any process there that exists; everyone may name himself."""
    parcels.translate_pids(pair[1])
    parcels.send(pair[0], {"pid": os.getpid(), "other": 1})
    assert parcels.receive(pair[1])[0] == {"pid": os.getpid(), "other": 1}
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as child:
        if os.geteuid() == 0:
            parcels.send(pair[0], {"pid": child.pid})
            assert parcels.receive(pair[1])[0] == {"pid": child.pid}
        child.communicate()
    with pytest.raises((ProcessLookupError, PermissionError)):
        parcels.send(pair[0], {"pid": child.pid})


@pytest.mark.parametrize(
    "value", [{}, {"do": "exec", "node": 3}, {"large": ["x" * 1000] * 1000}], ids=["empty", "request", "large"]
)
def test_what_is_said_to_strangers_arrives(pair: Pair, value: dict[str, Any]) -> None:
    before = open_now()
    file = os.memfd_create("file")
    parcels.send(pair[0], value, [file], stranger=True)
    found, given = parcels.receive(pair[1], stranger=True)
    assert (found, [os.readlink(f"/proc/self/fd/{fd}") for fd in given]) == (value, ["/memfd:file (deleted)"])
    for fd in (file, *given):
        os.close(fd)
    assert open_now() == before


def test_a_stranger_is_not_trusted(pair: Pair, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    huge = os.memfd_create("huge", os.MFD_CLOEXEC)
    os.truncate(huge, 1 << 40)
    nothing = os.memfd_create("nothing")
    os.write(nothing, b"null")
    files = [huge, nothing, os.open("/proc/self/stat", os.O_RDONLY), os.open(fifo, os.O_RDWR)]
    before = open_now()
    for body in (marshal.dumps({}), b"[" * 60_000, b"1" * 60_000, b"[]", b"\xff", b"null"):
        socket.send_fds(pair[0], [body], [])
        with pytest.raises(parcels.NotUnderstoodError):
            parcels.receive(pair[1], stranger=True)
    for file in files:
        socket.send_fds(pair[0], [b"null"], [file])
        with pytest.raises((parcels.NotUnderstoodError, OSError)):
            parcels.receive(pair[1], stranger=True)
    assert open_now() == before
    for file in files:
        os.close(file)
