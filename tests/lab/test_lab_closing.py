"""Many sockets are closed together, and all of them are: also those of a lab that is killed."""

import os
import socket
from pathlib import Path

import pytest
from labs import until

from netlab.lab.closing import close_together
from netlab.lab.keeper import Keeper


@pytest.mark.parametrize("count", [0, 1, 2, 200])
def test_all_are_closed(count: int) -> None:
    ours, theirs = socket.socketpair()
    with ours:
        theirs.setblocking(False)
        close_together([os.dup(theirs.fileno()) for _ in range(count)])
        theirs.close()
        assert ours.recv(1) == b""  # what a peer reads when nobody has the other end any more


@pytest.mark.netns
def test_what_is_slow_to_close_the_keeper_s_heir_keeps_until_the_lab_is_gone() -> None:
    reading, writing = os.pipe()
    with open(reading, "rb") as pipe:
        with Keeper.start() as keeper:
            name = os.readlink(f"/proc/self/fd/{writing}")
            keeper.ask("slow", writing)
            os.close(writing)
            heir = Path(f"/proc/{keeper.pid}/fd")
            assert until(lambda: name in [os.readlink(each) for each in heir.iterdir()])
        assert pipe.read() == b""
