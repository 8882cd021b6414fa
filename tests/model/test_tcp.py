"""The table of TCP's states: whole, cited, and in agreement with RFC 9293's figure and with Linux' spelling."""

from netlab.model.tcp import (
    ARTEFACTS,
    LINUX_ARCS,
    LINUX_NAMES,
    RFC_NAMES,
    STATES,
    TRANSITIONS,
    explain,
    explain_from,
    render_diagram,
    transition,
)

ROWS = [row for state in STATES for row in TRANSITIONS[state]]

# RFC 9293 §3.3.2, figure 5: every arrow drawn there, and those that its notes add.
FIGURE_5 = {
    ("CLOSED", "LISTEN"), ("CLOSED", "SYN-SENT"), ("LISTEN", "CLOSED"), ("LISTEN", "SYN-RECEIVED"), ("LISTEN", "SYN-SENT"),
    ("SYN-SENT", "CLOSED"), ("SYN-SENT", "SYN-RECEIVED"), ("SYN-SENT", "ESTABLISHED"), ("SYN-RECEIVED", "LISTEN"),
    ("SYN-RECEIVED", "ESTABLISHED"), ("SYN-RECEIVED", "FIN-WAIT-1"), ("ESTABLISHED", "FIN-WAIT-1"),
    ("ESTABLISHED", "CLOSE-WAIT"), ("FIN-WAIT-1", "FIN-WAIT-2"), ("FIN-WAIT-1", "CLOSING"), ("FIN-WAIT-1", "TIME-WAIT"),
    ("FIN-WAIT-2", "TIME-WAIT"), ("CLOSING", "TIME-WAIT"), ("CLOSE-WAIT", "LAST-ACK"), ("LAST-ACK", "CLOSED"),
    ("TIME-WAIT", "CLOSED"),
}  # fmt: skip


def test_every_state_has_its_rows_and_every_row_its_reason() -> None:
    assert tuple(TRANSITIONS) == STATES
    assert len({row.id for row in (*ROWS, *ARTEFACTS)}) == len(ROWS) + len(ARTEFACTS)
    assert all(row.citation.startswith("RFC ") for row in ROWS)
    assert all(row.citation for row in ARTEFACTS)
    assert all(arc.citation for arc in LINUX_ARCS)
    assert {row.next for row in (*ROWS, *ARTEFACTS)} <= set(STATES)
    assert all(transition(row.id) is row for row in ROWS)


def test_the_table_has_figure_5_and_beyond_it_only_what_the_text_says() -> None:
    arcs = {(row.state, row.next) for row in ROWS if row.state != row.next}
    resets = {(state, "CLOSED") for state in STATES[3:]}
    assert arcs == FIGURE_5 | resets | {("SYN-RECEIVED", "CLOSE-WAIT"), ("TIME-WAIT", "SYN-RECEIVED")}


def test_every_synchronized_state_challenges_what_rfc_5961_says() -> None:
    for state in STATES[4:-1]:
        names = {row.id.rpartition(".")[2] for row in TRANSITIONS[state]}
        assert {"rcv-rst", "challenge-rst", "challenge-syn", "challenge-ack", "abort", "user-timeout"} <= names
    assert transition("tcp.established.challenge-rst").next == "ESTABLISHED"


def test_linux_spelling_covers_both_ways() -> None:
    assert set(RFC_NAMES.values()) == set(STATES) == set(LINUX_NAMES)
    assert {state for arc in LINUX_ARCS for state in (arc.old, arc.new)} == set(RFC_NAMES) - {"BOUND_INACTIVE"}
    assert len({(arc.old, arc.new) for arc in LINUX_ARCS}) == len(LINUX_ARCS)
    for arc in LINUX_ARCS:
        for identity in arc.stands_for:
            assert transition(identity).state == RFC_NAMES[arc.old]
    used = {identity for arc in LINUX_ARCS for identity in arc.stands_for}
    assert {row.id for row in ARTEFACTS} <= used


def test_what_a_pair_of_states_may_have_been() -> None:
    def names(old: str, new: str) -> list[str]:
        return [row.id for row in explain(old, new)]

    assert names("ESTABLISHED", "CLOSE_WAIT") == ["tcp.established.rcv-fin"] == names("ESTABLISHED", "CLOSE-WAIT")
    assert names("LISTEN", "SYN_RECV") == ["tcp.listen.rcv-syn"] == names("LISTEN", "NEW_SYN_RECV")
    assert "linux.fin-wait-2.minisock" in names("FIN_WAIT2", "CLOSE")
    assert names("FIN_WAIT2", "FIN_WAIT2") == ["linux.fin-wait-2.close"]
    assert names("TIME_WAIT", "CLOSE")[0] == "tcp.time-wait.timeout"


def test_what_is_impossible() -> None:
    impossible = [
        ("CLOSE", "ESTABLISHED"), ("CLOSE", "SYN_RECV"), ("LISTEN", "ESTABLISHED"), ("SYN_SENT", "CLOSE_WAIT"),
        ("SYN_SENT", "FIN_WAIT1"), ("ESTABLISHED", "LAST_ACK"), ("ESTABLISHED", "TIME_WAIT"), ("ESTABLISHED", "ESTABLISHED"),
        ("CLOSE_WAIT", "CLOSING"), ("CLOSE_WAIT", "FIN_WAIT1"), ("CLOSE_WAIT", "TIME_WAIT"), ("LAST_ACK", "TIME_WAIT"),
        ("FIN_WAIT2", "CLOSING"), ("FIN_WAIT2", "FIN_WAIT1"), ("CLOSING", "FIN_WAIT2"), ("TIME_WAIT", "ESTABLISHED"),
        ("NEW_SYN_RECV", "FIN_WAIT1"), ("CLOSE", "NEW_SYN_RECV"), ("NONSENSE", "CLOSE"), ("CLOSE", "NONSENSE"),
    ]  # fmt: skip
    assert [pair for pair in impossible if explain(*pair)] == []


def test_what_may_follow_a_state() -> None:
    assert [new for new, _ in explain_from("LAST_ACK")] == ["CLOSE", "LAST_ACK"]
    assert [new for new, _ in explain_from("LISTEN")] == ["CLOSE", "SYN_SENT", "SYN_RECV", "NEW_SYN_RECV"]
    assert explain_from("NONSENSE") == ()


def test_the_diagram_is_drawn_from_the_table() -> None:
    lines = render_diagram().splitlines()
    assert lines[:3] == ["stateDiagram-v2", "    [*] --> CLOSED", '    state "SYN-SENT" as SYN_SENT']
    assert "    FIN_WAIT_1 --> CLOSING: rcv FIN / ACK" in lines
    drawn = [tuple(line.split(":")[0].split()) for line in lines if "-->" in line and "[*]" not in line]
    arcs = {(row.state.replace("-", "_"), "-->", row.next.replace("-", "_")) for row in ROWS if row.state != row.next}
    assert set(drawn) == arcs
    assert len(drawn) == len(arcs)
    assert "a minisock takes over" in render_diagram(linux=True)
