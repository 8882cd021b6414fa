"""Connections written out segment by segment: what is told of each, and that what TCP allows is never taken for a fault."""

import struct
from collections.abc import Iterable

import msgspec
import pytest
from segments_written import A, B, Wire, packets

from netlab.model.wire.judge import Connection, follow

OPENED = (
    "a S 0 win 65535 mss sack ts scale 7",
    "b S. 0 ack 1 win 65535 mss sack ts scale 7",
    "a . 1 ack 1 win 512",
)
CLOSED = ("a F. 1001 ack 1", "b F. 1 ack 1002", "a . 1002 ack 2")
SENT = ("a P. 1 ack 1 len 1000", "b . 1 ack 1001")


def one(lines: Iterable[str], **options: object) -> Connection:
    (connection,) = follow(packets(*lines), **options)  # type: ignore[arg-type]
    return connection


def rules(connection: Connection) -> dict[str, int]:
    """The rules that were broken, each with the first packet that broke it."""
    return {finding.rule.id: finding.index for finding in reversed(connection.findings)}


def test_a_whole_connection_is_told_in_words() -> None:
    told = one((*OPENED, *SENT, *CLOSED))
    assert told.findings == ()
    assert told.undecided == ()
    assert told.story == (
        "10.0.0.1:1000 opened it: SYN, SYN-ACK, ACK; agreed on timestamps, window scale, SACK",
        "10.0.0.1:1000 sent 1000 bytes in 5 segments",
        "10.0.0.2:80 sent 0 bytes in 3 segments",
        "10.0.0.1:1000 closed it first, then 10.0.0.2:80",
    )
    assert told.states == (frozenset({"CLOSING", "TIME-WAIT", "CLOSED"}), frozenset({"LAST-ACK", "CLOSED"}))


STATES = {
    "nothing but a SYN": (OPENED[:1], {"SYN-SENT"}, {"CLOSED", "LISTEN", "SYN-SENT", "SYN-RECEIVED"}),
    "a SYN-ACK": (OPENED[:2], {"SYN-SENT", "SYN-RECEIVED", "ESTABLISHED"}, {"SYN-RECEIVED"}),
    "a handshake": (OPENED, {"ESTABLISHED"}, {"SYN-RECEIVED", "ESTABLISHED"}),
    "data that was acknowledged": ((*OPENED, *SENT), {"ESTABLISHED"}, {"ESTABLISHED"}),
    "a FIN": ((*OPENED, *SENT, *CLOSED[:1]), {"FIN-WAIT-1"}, {"CLOSE-WAIT", "ESTABLISHED"}),
    "a FIN that was acknowledged": (
        (*OPENED, *SENT, *CLOSED[:1], "b . 1 ack 1002"),
        {"FIN-WAIT-1", "FIN-WAIT-2"},
        {"CLOSE-WAIT"},
    ),
    "both FINs": ((*OPENED, *SENT, *CLOSED[:2]), {"FIN-WAIT-1", "FIN-WAIT-2", "CLOSING", "TIME-WAIT"}, {"LAST-ACK"}),
    "FINs that crossed": (
        (*OPENED, *SENT, "a F. 1001 ack 1", "b F. 1 ack 1001", "a . 1002 ack 2"),
        {"CLOSING"},
        {"FIN-WAIT-1", "FIN-WAIT-2", "CLOSING", "TIME-WAIT"},
    ),
    "a reset": ((*OPENED, *SENT, "b R. 1 ack 1001"), {"ESTABLISHED", "CLOSED"}, {"CLOSED"}),
}


@pytest.mark.parametrize("what", STATES)
def test_the_states_are_those_that_an_outsider_cannot_exclude(what: str) -> None:
    lines, of_a, of_b = STATES[what]
    told = one(lines)
    assert told.states == (frozenset(of_a), frozenset(of_b))


ALLOWED = {
    "retransmitted SYNs": (OPENED[0], OPENED[0], OPENED[1], OPENED[1], *OPENED[2:], *SENT, *CLOSED),
    "simultaneous open": (
        "a S 0 win 65535 mss sack ts scale 7",
        "b S 0 win 65535 mss sack ts scale 7",
        "a S. 0 ack 1 win 65535 mss sack ts scale 7",
        "b S. 0 ack 1 win 65535 mss sack ts scale 7",
        *SENT,
    ),
    "simultaneous close": (*OPENED, "a F. 1 ack 1", "b F. 1 ack 1", "a . 2 ack 2", "b . 2 ack 2"),
    "keep-alives, with and without an octet": (*OPENED, *SENT, "a . 1000 ack 1", "a . 1000 ack 1 len 1 of z", "b . 1 ack 1001"),
    "a probe of a window of zero": (
        OPENED[0],
        "b S. 0 ack 1 win 1000 mss sack ts scale 0",
        OPENED[2],
        SENT[0],
        "b . 1 ack 1001 win 0",
        "a . 1001 ack 1 len 1",
        "b . 1 ack 1001 win 0",
    ),
    "an old acknowledgement": (*OPENED, *SENT, "a P. 1001 ack 1 len 500", "b . 1 ack 1501", "b . 1 ack 1001"),
    "the same sent again in other pieces": (
        *OPENED,
        *SENT,
        "a . 1 ack 1 len 400",
        "a . 401 ack 1 len 600",
        "a P. 1 ack 1 len 1000",
    ),
    "segments that overtake each other": (
        *OPENED,
        "a . 1001 ack 1 len 1000 at 20",
        "b . 1 ack 1 at 21",
        "a . 1 ack 1 len 1000 at 19",
        "b . 1 ack 2001 at 22",
        "a P. 2001 ack 1 len 10 at 23",
    ),
    "a retransmission that overtakes new data": (
        *OPENED,
        "a . 1 ack 1 len 1000 at 300",
        "a . 1001 ack 1 len 1000 at 21",
        "b . 1 ack 2001 at 301",
    ),
    "a SYN that is refused": ("a S 0 win 65535", "b R. 0 ack 1"),
    "a half-open connection that a SYN finds": ("a S 500 win 65535", "b . 90001 ack 77", "a R 77", "a S 500 win 65535"),
    "data in the SYN, and an answer at once (Fast Open)": (
        "a S 0 win 65535 mss tfo len 20",
        "b S. 0 ack 21 win 65535 mss",
        "b P. 1 ack 21 win 65535 len 500",
        "a . 21 ack 501 win 65535",
    ),
    "an acknowledgement of the same data twice (D-SACK)": (*OPENED, *SENT, SENT[0], "b . 1 ack 1001 block 1 501"),
    "FIN with data, sent again": (*OPENED, "a FP. 1 ack 1 len 1000", "a FP. 1 ack 1 len 1000", "b . 1 ack 1002"),
    "segments larger than the MSS, made by a device": (*OPENED, "a P. 1 ack 1 len 14480", "b . 1 ack 14481"),
}


@pytest.mark.parametrize(
    ("what", "own"),
    # At its sender, nothing overtakes anything.
    [(what, own) for what in ALLOWED for own in ((), ("10.0.0.1",), ("10.0.0.1", "10.0.0.2")) if not own or "overtake" not in what],
)
def test_what_tcp_allows_is_no_fault(what: str, own: tuple[str, ...]) -> None:
    told = one(ALLOWED[what], own=own, complete=bool(own))
    assert (told.findings, told.undecided) == ((), ())


FAULTS = {
    "an SYN-ACK's options without an offer": (
        ("a S 0 win 65535 mss", "b S. 0 ack 1 win 65535 mss sack scale 7"),
        {"wire.option-not-offered": 1},
    ),
    "timestamps that were not agreed on": (
        ("a S 0 win 65535 mss ts", "b S. 0 ack 1 win 65535 mss", "a . 1 ack 1 ts"),
        {"wire.timestamps-not-agreed": 2},
    ),
    "a segment larger than the MSS": (
        (
            "a S 0 win 65535 mss 1000",
            "b S. 0 ack 1 win 65535 mss 500",
            "a . 1 ack 1",
            "a . 1 ack 1 len 1000",
            "a . 1001 ack 1 len 700",
        ),
        {"wire.mss": 4},
    ),
    "an urgent pointer to nothing": ((*OPENED, "a U. 1 ack 1 len 10"), {"wire.urgent-nothing": 3}),
    "a window that shrinks": (
        (*OPENED, *SENT, SENT[0], "b . 1 ack 1001 win 10", "a . 1001 ack 1 len 10", "b . 1 ack 1011 win 1"),
        {"wire.window-shrunk": 8},
    ),
    "no timestamp": ((*OPENED, "a . 1 ack 1 no ts"), {"wire.timestamps-missing": 3}),
}


@pytest.mark.parametrize("what", FAULTS)
def test_what_tcp_forbids_is_named(what: str) -> None:
    lines, expected = FAULTS[what]
    assert rules(one(lines)) == expected


def test_where_the_sender_was_watched_less_evidence_is_enough() -> None:
    lines = (*OPENED, *SENT, "b . 1 ack 1501")
    anywhere = one(lines)
    assert anywhere.findings == ()
    assert [left.index for left in anywhere.undecided] == [5]
    assert rules(one(lines, own=(B[0],), complete=True)) == {"wire.ack-of-unsent": 5}
    echoes = (*OPENED, "a P. 1 ack 1 len 5 at 7", "b . 1 ack 6 echo 9000")
    assert one(echoes).findings == ()
    assert rules(one(echoes, own=(B[0],), complete=True)) == {"wire.timestamp-echo": 4}


def test_bytes_that_were_acknowledged_and_never_passed_were_missed_and_nobody_is_blamed() -> None:
    told = one((*OPENED, "a . 1 ack 1 len 1000", "a . 2001 ack 1 len 1000", "b . 1 ack 3001", "a P. 3001 ack 1 len 10"))
    assert told.findings == ()
    assert [left.says for left in told.undecided] == [
        "the capture missed 1000 bytes that 10.0.0.1:1000 sent, which the other end acknowledged"
    ]


def test_a_window_may_have_been_missed_but_not_where_an_end_was_watched_nor_beyond_the_fin() -> None:
    lines = (*OPENED, "a . 70000000 ack 1 len 1000")
    assert rules(one(lines, own=(A[0],), complete=True)) == {"wire.beyond-window": 3}
    assert rules(one(lines, own=(B[0],), complete=True)) == {"wire.beyond-window": 3}
    assert rules(one((*lines, *SENT, *CLOSED))) == {"wire.beyond-window": 3}
    for told in (one(lines), one(lines, own=(A[0],), complete=True, dropped=3)):
        assert told.findings == ()
        assert [left.index for left in told.undecided][-1:] == [3]


def test_another_connection_of_the_same_ends_whose_syn_was_missed_is_one_of_its_own() -> None:
    first, second = follow(
        packets(*OPENED, *SENT, "a P. 900000000 ack 800000000 len 10 no ts", "b . 800000000 ack 900000010 no ts")
    )
    assert (first.findings, second.findings) == ((), ())
    assert (first.segments, second.segments) == (5, 2)
    assert second.story[0] == "it was open before the capture began"


def test_a_new_syn_after_the_end_begins_another_connection() -> None:
    again = ("a S 90000 win 65535 mss ts", "b . 2 ack 1002", "b S. 70000 ack 90001 win 65535 mss ts", "a . 90001 ack 70001")
    first, second = follow(packets(*OPENED, *SENT, *CLOSED, *again))
    assert (first.findings, second.findings) == ((), ())
    assert (first.segments, second.segments) == (9, 3)
    assert second.story[0] == "10.0.0.1:1000 opened it: SYN, SYN-ACK, ACK; agreed on timestamps"


def test_a_syn_inside_a_connection_is_another_one_only_if_the_other_end_goes_along() -> None:
    within = ("a S 90000 win 65535 mss ts", "b . 1 ack 1001", "a R 1001")
    (told,) = follow(packets(*OPENED, *SENT, *within))
    assert told.findings == ()
    first, second = follow(packets(*OPENED, *SENT, within[0], "b S. 70000 ack 90001 win 65535 mss ts", "a . 90001 ack 70001"))
    assert (first.findings, second.findings) == ((), ())
    assert second.segments == 3


def test_numbers_wrap() -> None:
    wire = Wire(initial={"a": 2**32 - 500, "b": 2**32 - 1})
    (told,) = follow(wire.packets(*OPENED, *SENT, *CLOSED))
    assert told.findings == ()
    assert told.story[1] == "10.0.0.1:1000 sent 1000 bytes in 5 segments"


def test_a_capture_that_begins_in_the_middle_judges_what_it_can() -> None:
    told = one((*SENT, "a P. 1001 ack 1 len 100", "b . 1 ack 1101", "a P. 1001 ack 1 len 100 of z"))
    assert told.story[0] == "it was open before the capture began"
    assert rules(told) == {"wire.retransmission-differs": 4}


def test_checksums_are_not_judged_where_a_device_makes_them() -> None:
    made = packets(*OPENED, *SENT)
    zeroed = [
        msgspec.structs.replace(one, data=one.data[:50] + b"\0\0" + one.data[52:])
        if one.data[26:30] == bytes((10, 0, 0, 1))
        else one
        for one in made
    ]
    (told,) = follow(zeroed)
    assert told.findings == ()
    assert told.notes == ("the checksums of 10.0.0.1 are left to a device, and were not judged",)
    only_one = [*made[:3], zeroed[3], *made[4:]]
    (told,) = follow(only_one)
    assert rules(told) == {"wire.checksum": 3}


def test_a_sum_of_the_pseudo_header_alone_is_left_to_a_device() -> None:
    made = packets(*OPENED, *SENT)
    data = made[3].data
    length = len(data) - 34
    total = sum(struct.unpack("!4H", data[26:34])) + 6 + length
    partial = (total & 0xFFFF) + (total >> 16)
    made[3] = msgspec.structs.replace(made[3], data=data[:50] + partial.to_bytes(2, "big") + data[52:])
    (told,) = follow(made)
    assert (told.findings, told.undecided, told.segments) == ((), (), 5)


def test_ends_are_named_as_they_are_written() -> None:
    assert one(OPENED).ends == (A, B)
