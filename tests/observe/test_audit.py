"""Whether the tables belie what the probes told; and that what was never told counts as lost."""

import socket

import pytest

from netlab import Lab
from netlab.observe.audit import disagreeing
from netlab.observe.minisocks import Connections, Event, KernelEvent
from netlab.observe.states import StateObserver
from netlab.observe.tier import Tier
from netlab.timeline.observations import SocketEntry, SocketTable

HERE, THERE = ("10.0.0.1", 5000), ("10.0.0.2", 80)


def told(new: str, *, time: int = 1, cookie: int = 7, inode: int = 107) -> KernelEvent:
    return KernelEvent(
        event=Event.TRANSITION, time=time, host="a", sock=1, old="X", new=new, local=HERE, remote=THERE, cookie=cookie, inode=inode
    )


def table(*entries: SocketEntry) -> dict[str, SocketTable]:
    return {"a": SocketTable(time=6, began=5, host="a", entries=entries)}


def entry(state: str, *, cookie: int = 7, inode: int = 107, mapped: str = "") -> SocketEntry:
    local, remote = ((mapped + address, port) for address, port in (HERE, THERE))
    return SocketEntry(protocol="tcp", state=state, local=local, remote=remote, inode=inode, cookie=cookie)


@pytest.mark.parametrize(
    "found",
    [
        entry("ESTABLISHED"),
        entry("ESTABLISHED", cookie=0),
        entry("ESTABLISHED", cookie=0, inode=0),
        entry("ESTABLISHED", cookie=0, inode=0, mapped="::ffff:"),
    ],
)
def test_a_table_that_says_the_same_agrees(found: SocketEntry) -> None:
    assert disagreeing([told("ESTABLISHED")], table(found)) == []


@pytest.mark.parametrize("found", [(), (entry("CLOSE_WAIT"),), (entry("ESTABLISHED", cookie=8),)])
def test_another_state_or_none_is_a_transition_that_was_not_told(found: tuple[SocketEntry, ...]) -> None:
    event = told("ESTABLISHED")
    assert disagreeing([event], table(*found)) == [event]
    assert disagreeing([told("ESTABLISHED", time=5)], table(*found)) == []  # as new as the table
    assert disagreeing([event], {}) == []


def test_a_socket_that_is_destroyed_without_a_word_of_its_close() -> None:
    destroyed = KernelEvent(event=Event.DESTROYED, time=3, host="a", sock=1)
    silent, orderly = Connections(), Connections()
    silent.feed(told("ESTABLISHED"))
    silent.feed(destroyed)
    orderly.feed(told("ESTABLISHED"))
    orderly.feed(told("CLOSE", time=2))
    orderly.feed(destroyed)
    assert (silent.untold, orderly.untold) == (1, 0)


@pytest.mark.bpf
def test_a_transition_that_was_kept_from_the_source_counts_as_lost(tier: Tier, monkeypatch: pytest.MonkeyPatch) -> None:
    feed = StateObserver._feed

    def without_closes(self: StateObserver, records: list[bytes]) -> None:
        events = [self._event(record) for record in records]
        feed(self, [record for record, event in zip(records, events, strict=True) if event.old != "ESTABLISHED"])

    monkeypatch.setattr(StateObserver, "_feed", without_closes)
    with Lab.load("two-hosts") as lab, lab["server"].socket() as listener, lab["client"].socket() as client:
        listener.bind(("", 80))
        listener.listen()
        with lab.observe() as seen:
            client.connect(("10.0.0.2", 80))
            client.shutdown(socket.SHUT_WR)
        report = seen.timeline.source("states")
    assert report.available, tier
    assert report.lost == 1  # the server's; what the client did next was told
    assert "without telling" in report.notes[-1]
