"""The rules as a whole: each has its citation and says what would be a false finding; none speaks without its sources."""

import inspect

from check.use.story import SOURCES, Story

from netlab.check.use.findings import RULES, inconclusive, use_findings
from netlab.timeline.observations import SourceReport
from netlab.timeline.process_events import SystemCall
from netlab.timeline.timeline import Timeline


def test_each_rule_has_an_id_of_its_own_a_citation_and_a_word_on_false_findings() -> None:
    assert len({rule.id for rule in RULES}) == len(RULES) == 18
    for rule in RULES:
        assert rule.id.startswith("use.")
        assert "POSIX.1-2024 " in rule.source or "RFC " in rule.source
        assert "False" in (inspect.getdoc(rule.find) or ""), rule.id
        assert rule.needs[0] == ("calls",)


def test_nothing_observed_is_nothing_found_and_nothing_decided() -> None:
    assert use_findings(Timeline()) == ()
    reasons = dict(inconclusive(Timeline()))
    assert set(reasons) == {rule.id for rule in RULES}
    assert reasons["use.double-close"] == "the source calls was not there: the source 'calls' was not part of this run"


def test_a_program_that_used_io_uring_was_not_seen_whole() -> None:
    note = "io_uring was used by server[10]: what goes through it is not seen"
    reports = tuple(SourceReport(name=name, available=True, notes=(note,) if name == "calls" else ()) for name in SOURCES)
    assert dict(inconclusive(Timeline(sources=reports)))["use.partial-write"] == f"the source calls did not see everything: {note}"


def test_what_a_source_lost_is_told() -> None:
    story = Story()
    story.process().listen()
    assert dict(inconclusive(story.timeline(lossy=("states",)))) == {"use.slow-accept": "the source states lost 7 observations"}


def test_an_orderly_life_of_a_server_has_no_findings_and_is_decided() -> None:
    story = Story()
    server = story.process()
    server.listen()
    for number in range(3):
        remote, inode = ("10.0.0.1", 40000 + number), 1100 + number
        server.poll(descriptors=[3], inodes=[1001])
        server.accept(5, inode, remote)
        server.call("accept4", 3, 1001, errno="EAGAIN")
        server.poll(descriptors=[3, 5], inodes=[1001, inode])
        server.recv(fd=5, inode=inode)
        server.recv(fd=5, inode=inode, errno="EAGAIN")
        server.send(fd=5, inode=inode)
        story.state("ESTABLISHED", "CLOSE_WAIT", inode, remote)
        server.recv(0, fd=5, inode=inode)
        server.close(5, inode)
    server.signal("SIGTERM")
    server.close(3, 1001)
    server.exits()
    assert (story.found(), story.undecided()) == ([], set())


def test_findings_come_with_the_worst_first() -> None:
    story = Story()
    client = story.process()
    client.connect(4, 1002)
    client.connect(5, 1003)
    client.close()
    client.send(inode=0, errno="EBADF")
    client.close(inode=0, errno="EBADF")
    client.exits()
    assert story.found() == [("use.after-close", "fault"), ("use.double-close", "warning"), ("use.open-at-exit", "note")]
    first, *_ = use_findings(story.timeline())
    seen = story.timeline().observations[first.evidence[-1]]
    assert isinstance(seen, SystemCall)
    assert (seen.call, seen.errno) == ("sendto", "EBADF")
