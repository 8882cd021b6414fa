"""The keeper, asked by hand: forks into a file, errors that end nothing, and answers that find the request they belong to."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from networks import one_host

from netlab.errors import LabError
from netlab.lab.keeper import Keeper
from netlab.lab.lab import Lab
from netlab.lab.program import program_of
from netlab.topology.plan import plan

pytestmark = pytest.mark.netns

CHILD = """
import colorsys, os, threading
NAME = colorsys.__name__

def main(descriptors, arguments):
    os.write(descriptors[0], f"{NAME} {arguments['word']} {threading.active_count()} {os.listdir('/proc/self/fd')}".encode())
"""


@pytest.fixture
def keeper() -> Iterator[Keeper]:
    with Keeper.start() as started:
        started.ask("build", program=program_of(plan(one_host())).plain(), within=5.0)
        started.ask("nodes", nodes=[(0, "here", [])])
        yield started


def forked(keeper: Keeper, file: Path, path: list[str], **arguments: Any) -> str:
    """What the child writes to its first descriptor."""
    ours, theirs = socket.socketpair()
    status, told = os.pipe()
    with ours:
        with theirs:
            _, (pidfd,) = keeper.ask("fork", theirs.fileno(), told, node=0, file=str(file), path=path, arguments=arguments)
        os.close(told)
        words = ours.recv(1000).decode()
        assert os.read(status, 4) == bytes(4)
    for fd in (status, pidfd):
        os.close(fd)
    return words


@pytest.mark.parametrize("prepared", [False, True])
def test_a_fork_has_all_imports_done_and_no_descriptor_but_its_own(tmp_path: Path, keeper: Keeper, prepared: bool) -> None:
    (tmp_path / "child.py").write_text(CHILD)
    if prepared:
        keeper.prepare(tmp_path / "child.py")
    for word in ("one", "two"):
        words = forked(keeper, tmp_path / "child.py", [], word=word)
        name, said, threads, fds = words.split(maxsplit=3)
        assert (name, said, threads) == ("colorsys", word, "1")
        assert sorted(fds.strip("[]").replace("'", "").split(", "), key=int)[:3] == ["0", "1", "2"]
        assert len(fds.split(", ")) == 5  # its socket, and the folder that it reads


def test_a_fork_imports_from_where_it_is_told(tmp_path: Path, keeper: Keeper) -> None:
    (tmp_path / "beside.py").write_text("WORD = 'beside'\n")
    (tmp_path / "child.py").write_text("import os, beside\ndef main(fds, arguments): os.write(fds[0], beside.WORD.encode())\n")
    assert forked(keeper, tmp_path / "child.py", [str(tmp_path)]) == "beside"


@pytest.mark.parametrize("text", ["import nothing_like_it", "def main(:", "raise SystemError"], ids=["import", "syntax", "error"])
def test_a_file_that_cannot_be_run_is_an_error_and_ends_nothing(tmp_path: Path, keeper: Keeper, text: str) -> None:
    (tmp_path / "child.py").write_text(text)
    keeper.prepare(tmp_path / "child.py")
    for _ in range(2):
        with pytest.raises(OSError, match="it cannot be run: ") as refused:
            forked(keeper, tmp_path / "child.py", [])
        assert refused.value.filename == str(tmp_path / "child.py")
    assert keeper.ask("notes")[0].keys() == {"notes"}


def test_answers_that_nobody_waits_for_are_passed_over_with_their_descriptors(keeper: Keeper) -> None:
    before = set(os.listdir("/proc/self/fd"))
    for _ in range(5):
        keeper._sent("socket", (), {"node": 0, "family": 2, "kind": 1, "protocol": 0})
    reply, (fd,) = keeper.ask("network", node=0)
    assert reply == {}
    assert os.readlink(f"/proc/self/fd/{fd}").startswith("net:")
    os.close(fd)
    assert set(os.listdir("/proc/self/fd")) == before


def test_a_keeper_that_is_closed_is_gone_for_who_asks() -> None:
    keeper = Keeper.start()
    keeper.close()
    keeper.close()
    with pytest.raises(LabError, match="keeper is gone"):
        keeper.ask("notes")
    keeper.prepare(Path("nothing.py"))


def test_a_lab_can_be_entered_once_at_a_time_and_used_only_then() -> None:
    lab = Lab(one_host())
    for _ in range(2):
        with lab:
            node = lab["host"]
            with pytest.raises(LabError, match="is running already"):
                lab.__enter__()
            node.socket().close()
            assert node.popen(["true"]).wait(5) == 0
        before = set(os.listdir("/proc/self/fd"))
        for use in (node.socket, node.space.packet_socket, lambda of=node: of.popen(["true"]), lambda of=node: of.run(["true"])):
            with pytest.raises(LabError):
                use()
        assert set(os.listdir("/proc/self/fd")) == before
