"""A ladder shows what happened where it happened: arrows from stamp to stamp, decisions at their packet, runs folded."""

from itertools import pairwise

import msgspec
import pytest
from html_pages import SYN_TEXT, Element, bulk, busy, crossing, drop, packet, page_of, scenario, timeline
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from results import CLIENT, MS, PASSED, SERVER, START, SYN, segment

from netlab.check.verdicts import Mismatch, Verdict
from netlab.report.html.folding import Fold, folded
from netlab.report.html.happening import Happening
from netlab.report.html.happenings import happenings_of
from netlab.report.html.hops import Hop, hops_of
from netlab.report.html.lanes import lanes_of
from netlab.report.html.placing import axis_of, columns_of
from netlab.timeline.observations import (
    AnyObservation,
    CallReturned,
    CallStarted,
    Named,
    Packet,
    SocketState,
    SocketTable,
    StepBegan,
    SystemCall,
)
from netlab.timeline.timeline import Node, Timeline

ARP = bytes(12) + bytes.fromhex("0806000108000604000102000000000a0a0000010000000000000a000002")


def hops(*observations: AnyObservation) -> list[tuple[str, str, int | None, list[int], bool]]:
    """Each hop as source, target, when it left, when it arrived, in us, and whether it was dropped."""
    return [
        (
            hop.source,
            hop.target,
            None if hop.sent is None else (hop.sent - START) // 1000,
            [(time - START) // 1000 for time, _ in hop.arrived],
            hop.dropped,
        )
        for hop in hops_of(timeline(*observations)).hops
    ]


def test_a_packet_goes_from_where_it_left_to_where_it_came() -> None:
    assert hops(*crossing(MS, SYN, took=300 * MS)) == [("client", "server", 1000, [301_000], False)]


def test_what_was_not_seen_to_arrive_did_not() -> None:
    assert hops(packet(MS, "client", "out", SYN)) == [("client", "server", 1000, [], False)]


def test_of_two_frames_alike_the_one_that_was_not_dropped_arrives() -> None:
    found = hops(packet(MS, "client", "out", SYN), drop(MS + 1000, SYN_TEXT), *crossing(9 * MS, SYN))
    assert found == [("client", "server", 1000, [], True), ("client", "server", 9000, [9010], False)]


def test_frames_alike_arrive_in_the_order_in_which_they_left() -> None:
    found = hops(*crossing(MS, SYN, took=5 * MS), *crossing(2 * MS, SYN, took=5 * MS))
    assert found == [("client", "server", 1000, [6000], False), ("client", "server", 2000, [7000], False)]


def test_a_second_copy_comes_from_the_wire() -> None:
    found = hops(*crossing(MS, SYN), packet(3 * MS, "server", "in", SYN))
    assert found == [("client", "server", 1000, [1010], False), ("client", "server", None, [3000], False)]


def test_what_the_wire_changed_is_joined_by_its_numbers() -> None:
    changed = bytearray(SYN)
    changed[-1] ^= 1
    found = hops(packet(MS, "client", "out", SYN), packet(2 * MS, "server", "in", bytes(changed)))
    assert found == [("client", "server", 1000, [2000], False)]


def test_a_decision_stamped_before_its_packet_is_still_its_own() -> None:
    found = hops(drop(MS - 500_000, SYN_TEXT), packet(MS, "client", "out", SYN))
    assert found == [("client", "server", 1000, [], True)]


def test_a_release_belongs_to_the_packet_that_was_held() -> None:
    observations = (
        packet(MS, "client", "out", SYN),
        drop(2 * MS, SYN_TEXT, action="hold", barrier="b"),
        packet(3 * MS, "client", "out", segment(CLIENT, SERVER, 40000, 8080, 0x10, 7001, 1)),
        drop(9 * MS, SYN_TEXT, action="release", barrier="b"),
        packet(10 * MS, "server", "in", SYN),
    )
    found = hops_of(timeline(*observations))
    assert [len(hop.decisions) for hop in found.hops] == [2, 0]
    assert set(found.decided) == {1, 3}


def test_housekeeping_is_counted_and_not_drawn_unless_a_verdict_is_about_it() -> None:
    whole = timeline(packet(MS, "client", "out", ARP), packet(MS + 5, "server", "in", ARP), *crossing(2 * MS, SYN))
    assert (hops_of(whole).housekeeping, len(hops_of(whole).hops)) == (2, 1)
    assert (hops_of(whole, wanted=(0,)).housekeeping, len(hops_of(whole, wanted=(0,)).hops)) == (1, 2)


def test_a_switch_is_part_of_the_wire() -> None:
    nodes = {"switch": Node(kind="switch", addresses={}), **timeline().nodes}
    seen = (*crossing(MS, SYN), packet(MS + 3, "switch", "in", SYN), packet(MS + 4, "switch", "out", SYN))
    whole = Timeline(observations=tuple(sorted(seen, key=lambda one: one.time)), nodes=nodes)
    assert [(hop.source, hop.target) for hop in hops_of(whole).hops] == [("client", "server")]


def test_in_a_capture_from_elsewhere_addresses_are_the_columns() -> None:
    whole = Timeline(observations=(packet(MS, "", "in", SYN),))
    (hop,) = hops_of(whole).hops
    assert (hop.source, hop.target, hop.arrived) == (CLIENT, SERVER, [(START + MS, SERVER)])


def call(
    at: int, number: int, name: str, until: int | None, *, result: int = 0, errno: str = "", text: str = ""
) -> list[AnyObservation]:
    started = CallStarted(
        time=START + at, host="client", id=number, process="client", call=name, text=text or f"{name}(c)", step=number
    )
    if until is None:
        return [started]
    back = CallReturned(time=START + until, host="client", id=number, process="client", call=name, result=result, errno=errno)
    return [started, back]


def words(*observations: AnyObservation) -> list[tuple[str, str]]:
    return [(one.kind, one.text) for one in happenings_of(timeline(*observations)).shown]


def test_a_call_that_nothing_came_between_is_one_row() -> None:
    assert words(*call(1, 1, "close", 5)) == [("call", "close(c) = 0")]


def test_a_call_in_which_something_happened_is_two() -> None:
    found = words(*call(1, 1, "close", 5 * MS, result=-1, errno="EIO"), *crossing(MS, SYN))
    assert found == [("call", "close(c)"), ("packet", "S seq 0 <mss 1460>"), ("return", "= -1 EIO")]


def test_what_was_expected_of_a_call_is_not_part_of_it() -> None:
    assert words(*call(1, 1, "recv", None, text='recv(c, buf(10)) -> 5 out "hello" took >=1s')) == [("call", "recv(c, buf(10))")]


def test_only_steps_without_a_call_have_a_row_of_their_own() -> None:
    step = [StepBegan(time=START, index=1, text="client: close(c)"), StepBegan(time=START + 9, index=2, text="expect: packets")]
    assert words(*step, *call(2, 1, "close", 3)) == [("call", "close(c) = 0"), ("step", "expect: packets")]


def test_samples_are_left_to_the_list_unless_a_verdict_failed_there() -> None:
    whole = timeline(SocketTable(time=START, host="client", began=START, entries=()), *call(2, 1, "close", 3))
    assert [one.kind for one in happenings_of(whole).shown] == ["call"]
    assert [one.kind for one in happenings_of(whole, marked=(0,)).shown] == ["event", "call"]


def test_ports_are_named_where_there_is_more_than_one_connection() -> None:
    other = segment(CLIENT, SERVER, 40001, 8080, 0x02, 9)
    assert words(*crossing(1, SYN)) == [("packet", "S seq 0 <mss 1460>")]
    assert [text for _, text in words(*crossing(1, SYN), *crossing(2, other))] == [
        "40000>8080 S seq 0 <mss 1460>",
        "40001>8080 S seq 0",
    ]


def shown(*observations: AnyObservation) -> list[str | None]:
    found = happenings_of(timeline(*observations))
    return [part.text if isinstance(part, Fold) else None for part in folded(found.shown, ())]


def test_a_run_of_what_is_alike_is_one_row_between_its_first_and_its_last() -> None:
    assert shown(*bulk(40)) == [None, None, "25 × ACK client → server · 12 × ACK server → client", None]


def test_a_short_run_is_not_folded() -> None:
    assert shown(*bulk(10)) == [None] * 10


def test_what_stands_out_is_never_folded() -> None:
    found = shown(*bulk(60, every=20))
    assert len([one for one in found if one]) == 3
    kept = [one for one, text in zip(_parts(*bulk(60, every=20)), found, strict=True) if text is None]
    assert len([one for one in kept if isinstance(one, Happening) and one.text.startswith("S ")]) == 2


def _parts(*observations: AnyObservation) -> tuple[Happening | Fold, ...]:
    return folded(happenings_of(timeline(*observations)).shown, ())


def test_a_call_is_not_cut_in_two_by_a_fold() -> None:
    pieces = [one for i in range(30) for one in call(i * MS, i + 1, "send", i * MS + 900_000, result=5)]
    acks = [one for i in range(30) for one in crossing(i * MS + 500_000, segment(CLIENT, SERVER, 40000, 8080, 0x10, 7001, 1))]
    folds = [part for part in _parts(*pieces, *acks) if isinstance(part, Fold)]
    assert folds
    for part in folds:
        halves = [one.started for one in part.inside if one.kind in ("call", "return") and len(one.covers) == 1]
        assert all(halves.count(started) == 2 for started in halves), part.text


def test_what_failed_is_never_folded_and_has_its_surroundings_in_sight() -> None:
    whole = timeline(*bulk(2000, every=7))
    found = happenings_of(whole, marked=(2000,))
    parts = folded(found.shown, (2000,))
    (at,) = [i for i, part in enumerate(parts) if isinstance(part, Happening) and part.index == 2000]
    assert all(isinstance(part, Happening) for part in parts[at - 6 : at + 7])
    assert len(parts) < 240
    assert sum(len(part.inside) if isinstance(part, Fold) else 1 for part in parts) == len(found.shown)


def test_time_only_goes_down_the_page() -> None:
    parts = _parts(*busy().timeline.observations)
    axis = axis_of(parts)
    times = [START + i * 10 * MS for i in range(160)]
    places = [axis.y(time) for time in times]
    assert places == sorted(places)
    heights = [row.y for row in axis.rows]
    assert all(after - before >= 24 for before, after in pairwise(heights))


def test_a_long_time_takes_more_room_and_says_how_long_it_was() -> None:
    axis = axis_of(_parts(*crossing(0, SYN), *crossing(20_000, SYN), *crossing(2000 * MS, SYN)))
    first, second, third = axis.rows
    assert second.y - first.y == 24
    assert 24 < third.y - second.y < 80
    assert [row.pause // MS for row in axis.rows] == [0, 0, 1999]


def test_words_and_lanes_of_columns_do_not_overlap() -> None:
    for names in (["a"], ["a", "b"], ["a", "b", "c", "d"]):
        columns = columns_of(names, {"a": 2, "b": 6}, {"a", "b", "c"})
        ranges = [(one.text, one.text + one.width) for one in columns.by_name.values()]
        lanes = [sorted((one.x, one.lane(one.lanes - 1) if one.lanes else one.x)) for one in columns.by_name.values()]
        assert all(text[1] <= columns.width for text in ranges[-1:])
        for text, lane in zip(ranges, lanes, strict=True):
            assert text[1] <= lane[0] or lane[1] <= text[0]
        assert ranges[0][0] >= 80


def lanes(*observations: AnyObservation) -> list[tuple[str, str, int, list[str], bool]]:
    found, _ = lanes_of(happenings_of(timeline(*observations)))
    return [(one.host, one.name, one.slot, [span.state for span in one.spans], one.closed is not None) for one in found]


def state(at: int, old: str, new: str) -> SocketState:
    ends = {"local": (CLIENT, 40000), "remote": (SERVER, 8080)}
    return SocketState(time=START + at, host="client", source="tracepoint", old=old, new=new, inode=77, **ends)  # type: ignore[arg-type]


NAMED = Named(time=START + 2, host="client", process="client", name="c", fd=3, inode=77)


def test_a_lane_is_a_socket_with_its_states_one_after_the_other() -> None:
    opened = [*call(1, 1, "socket", 2), NAMED, state(10, "CLOSE", "SYN_SENT"), state(20, "SYN_SENT", "ESTABLISHED")]
    assert lanes(*opened) == [("client", "c", 0, ["CLOSED", "SYN-SENT", "ESTABLISHED"], False)]


def test_a_lane_ends_with_its_socket_and_shows_where_it_was_closed() -> None:
    opened = [*call(1, 1, "socket", 2), NAMED, state(10, "CLOSE", "SYN_SENT"), state(20, "SYN_SENT", "CLOSE")]
    closed: list[AnyObservation] = [
        CallStarted(time=START + 30, host="client", id=2, process="client", call="close", text="close(c)", step=1),
        CallReturned(time=START + 31, host="client", id=2, process="client", call="close", result=0),
    ]
    assert lanes(*opened, *closed) == [("client", "c", 0, ["CLOSED", "SYN-SENT", "CLOSED"], True)]


def test_a_thousand_sockets_do_not_make_a_thousand_lanes() -> None:
    many = [Named(time=START + i, host="client", process="client", name=f"c{i}", fd=i, inode=1000 + i) for i in range(1000)]
    found, crowded = lanes_of(happenings_of(timeline(*many)))
    assert (len(found), crowded) == (6, 994)


def drawings(article: Element, style: str) -> list[Element]:
    return article.every(style=style)


def test_a_dropped_packet_ends_in_a_cross_beside_the_rule() -> None:
    (article,) = page_of(busy()).every("article")
    assert len(drawings(article, "cross")) == 1
    assert "dropped · rule 'S', match 1" in article.text
    assert "held at b" in article.text
    assert "released at b" in article.text


def test_a_delayed_packet_is_slanted() -> None:
    (article,) = page_of(scenario(*crossing(MS, SYN, took=300 * MS), *crossing(400 * MS, SYN, took=5000))).every("article")
    slopes = []
    for path in drawings(article, "shaft"):
        x1, y1, x2, y2 = (float(one) for part in path.attributes["d"][1:].split("L") for one in part.split())
        slopes.append((y2 - y1) / abs(x2 - x1))
    assert slopes[0] > 2 * slopes[1] > 0


def test_a_call_that_never_returned_has_a_bar_to_the_end() -> None:
    (article,) = page_of(busy()).every("article")
    assert drawings(article, "never")
    returned = [one for one in drawings(article, "bar") if "never" not in one.attributes["class"]]
    assert returned


@pytest.mark.parametrize("number", [1, 2, 5, 40])
def test_hosts_have_columns_in_the_order_of_the_network(number: int) -> None:
    nodes = {f"h{i}": Node(kind="host", addresses={"eth0": (f"10.0.0.{i + 1}",)}) for i in range(number)}
    said = tuple(
        SystemCall(
            time=START + 10 + i,
            host=f"h{i}",
            pid=1,
            tid=1,
            program="p",
            call="socket",
            source="bpf",
            began=START + i,
            result=3,
            made=9,
        )
        for i in range(number)
    )
    (article,) = page_of(
        scenario(name="many").__class__(
            file="f", name="many", verdicts=scenario().verdicts, timeline=Timeline(observations=said, nodes=nodes)
        )
    ).every("article")
    hosts = [one.text for one in drawings(article, "host")]
    assert hosts == [f"h{i}" for i in range(min(number, 16))]
    assert ("24 more nodes" in article.text) == (number == 40)


def test_a_hop_knows_when_it_was_first_seen() -> None:
    (hop,) = hops_of(timeline(*crossing(MS, SYN))).hops
    assert isinstance(hop, Hop)
    assert isinstance(hop.seen.packet, Packet)
    assert hop.time == START + MS


def test_a_packet_that_is_not_as_expected_is_marked_itself() -> None:
    rst = segment(SERVER, CLIENT, 8080, 40000, 0x14, 0, 7001)
    seen = [*crossing(MS, SYN), *crossing(2 * MS, rst, back=True), StepBegan(time=START + 3 * MS, index=2, text="expect: packets")]
    wrong = Mismatch(
        field="packet 2",
        expected="server > client S.",
        actual="server > client R. seq 0 ack 1 win 65535 len 0 (wrong checksum)",
        step="expect: packets",
    )
    verdict = Verdict(id="one", outcome="FAIL", mismatches=(wrong,), evidence=(0, 2), slice=(0, 1, 2, 3, 4))
    one = msgspec.structs.replace(scenario(*seen), verdicts=(verdict,))
    (article,) = page_of(one).every("article")
    (marked,) = article.every("rect", "marked")
    (label,) = [each for each in article.every("text", "label") if "R. seq 0 ack 1" in each.text]
    top, height = (float(marked.attributes[key]) for key in ("y", "height"))
    assert top < float(label.attributes["y"]) < top + height
    assert len(article.every("div", "here")) == 1


observations = st.lists(st.sampled_from([*busy().timeline.observations, *timeline().observations]), max_size=60)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    observations=observations,
    nodes=st.booleans(),
    shift=st.lists(st.integers(-MS, 900 * MS), min_size=60, max_size=60),
    marks=st.lists(st.integers(0, 59), max_size=3),
)
def test_a_timeline_of_any_parts_in_any_order_has_a_page(
    observations: list[AnyObservation], nodes: bool, shift: list[int], marks: list[int]
) -> None:
    moved = [msgspec.structs.replace(one, time=one.time + by) for one, by in zip(observations, shift, strict=False)]
    ordered = tuple(sorted(moved, key=lambda one: one.time))
    there = tuple(at for at in marks if at < len(ordered))
    verdicts = (Verdict(id="v", outcome="FAIL", evidence=there, slice=there), *PASSED.verdicts[1:0])
    known = timeline().nodes if nodes else {}
    whole = scenario()
    page_of(msgspec.structs.replace(whole, verdicts=verdicts, timeline=Timeline(observations=ordered, nodes=known)))
