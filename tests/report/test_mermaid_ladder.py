import re
from typing import Any

import msgspec
import results
from results import CLIENT, MS, RST, SERVER, START, SYN, segment

from netlab.report.mermaid_ladder import MOST, ladder
from netlab.timeline.observations import CallStarted, Decision, Packet
from netlab.timeline.timeline import Node, Timeline

NODES = {
    "client": Node(kind="host", addresses={"eth0": (CLIENT,)}),
    "server": Node(kind="host", addresses={"eth0": (SERVER,)}),
}


def frame(at: int, host: str, direction: str, data: bytes) -> Packet:
    time = START + at * MS
    return Packet(time=time, host=host, interface="eth0", direction=direction, data=data, length=len(data), checksum_valid=False)


def test_calls_packets_and_states_on_lifelines() -> None:
    scenario = results.FAILED
    assert ladder(scenario.timeline, scenario.verdicts[0].slice, failing=10).splitlines() == [
        "sequenceDiagram",
        "    participant n0 as client",
        "    participant n1 as server",
        "    Note over n0: socket(AF_INET, SOCK_STREAM, 0)",
        "    Note over n0: socket() = 3",
        "    Note over n0: connect(c, server#58;8080)",
        "    n0->>n1: 40000 > 8080 S seq 0 win 65535",
        "    n1->>n0: 8080 > 40000 R. seq 0 ack 1 win 65535",
        "    Note over n0: SYN_SENT -> CLOSE",
        "    Note over n0: connect() = -1 ECONNREFUSED",
        "    Note over n0,n1: it failed here",
    ]


def test_a_packet_is_drawn_once_and_one_that_does_not_arrive_ends_in_a_cross() -> None:
    again = segment(SERVER, CLIENT, 8080, 40000, 0x14, 1, 7001)
    seen = (
        frame(0, "client", "out", SYN),
        frame(1, "server", "in", SYN),
        frame(2, "server", "out", RST),
        frame(3, "server", "out", again),
        frame(4, "client", "in", again),
    )
    drawn = ladder(Timeline(observations=seen, nodes=NODES), range(len(seen)))
    assert [line.split(":")[0].strip() for line in drawn.splitlines() if "n1:" in line or "n0:" in line] == [
        "n0->>n1", "n1-xn0", "n1->>n0",
    ]  # fmt: skip


def test_what_a_link_decided_stands_between_its_ends_and_marks_the_failure() -> None:
    dropped = Decision(time=START + MS // 10, link="l", rule="S drop", action="drop", occurrence=1, packet="client > server S")
    seen = (frame(0, "client", "out", SYN), dropped)
    drawn = ladder(Timeline(observations=seen, nodes=NODES), (0, 1), failing=1).splitlines()
    assert drawn[-2:] == [
        "    Note over n0,n1: drop#58; match 1 of S drop",
        "    Note over n0,n1: it failed here",
    ]


def test_of_many_those_around_the_failure_are_drawn() -> None:
    call: dict[str, Any] = {"host": "client", "process": "client", "call": "close", "text": "close(c)", "step": 0}
    seen = tuple(CallStarted(time=START + number, id=number, **call) for number in range(1000))
    drawn = ladder(Timeline(observations=seen, nodes=NODES), range(1000), failing=500).splitlines()
    assert len(drawn) == 1 + 1 + MOST + 3
    assert drawn[2] == "    Note over n0: 460 more before"
    assert drawn[-1] == f"    Note over n0: {1000 - 460 - MOST} more after"
    assert drawn.index("    Note over n0: it failed here") == 3 + 40 + 1


def test_nothing_to_draw_is_no_diagram() -> None:
    assert ladder(Timeline(observations=(), nodes=NODES), ()) == ""


def test_names_and_texts_are_never_mermaid() -> None:
    evil = "x; Note over n0: y\n#35;%%{init}%% end <b>`"
    timeline = results.FAILED.timeline
    observations = tuple(
        msgspec.structs.replace(one, host=evil, text=evil) if isinstance(one, CallStarted) else one for one in timeline.observations
    )
    nodes = {evil: NODES["client"], "server": NODES["server"]}
    drawn = ladder(msgspec.structs.replace(timeline, observations=observations, nodes=nodes), range(len(observations)))
    for line in drawn.splitlines():
        assert not re.search(r"[<`%{}]|#(?!\d+;)|;(?<!\d;)", line), line
    assert drawn.count("participant") == 2 + drawn.count("participant n2")
