"""TCP's state machine, read from its tables: which transitions a pair of states may stand for, and the diagram drawn from them.

It folds nothing over time and knows no timeline: whether a history is possible is the oracle's question.
"""

from collections.abc import Iterable

from netlab.model.tcp_linux import ARTEFACTS, LINUX_ARCS, LINUX_NAMES, RFC_NAMES, UNREACHED, LinuxArc
from netlab.model.tcp_table import STATES, TRANSITIONS, Transition

__all__ = [
    "ARTEFACTS",
    "LINUX_ARCS",
    "LINUX_NAMES",
    "RFC_NAMES",
    "STATES",
    "TRANSITIONS",
    "UNREACHED",
    "LinuxArc",
    "Transition",
    "explain",
    "explain_from",
    "render_diagram",
    "transition",
]


def transition(identity: str) -> Transition:
    """The transition of this id, the RFC's or Linux' own; KeyError if there is none."""
    for row in (*_all_rows(), *ARTEFACTS):
        if row.id == identity:
            return row
    raise KeyError(identity)


def explain(old: str, new: str) -> tuple[Transition, ...]:
    """What a change from ``old`` to ``new`` may have been, in Linux' spelling or the RFC's; empty when nothing allows it.

    >>> [row.id for row in explain("SYN_SENT", "ESTABLISHED")]
    ['tcp.syn-sent.rcv-syn-ack']
    >>> explain("LISTEN", "ESTABLISHED")
    ()
    """
    before, after = LINUX_NAMES.get(old, old), LINUX_NAMES.get(new, new)
    wanted = [identity for arc in LINUX_ARCS if (arc.old, arc.new) == (before, after) for identity in arc.stands_for]
    if before != after and "NEW_SYN_RECV" not in (before, after):
        # What the RFC allows is no error where Linux is not known to do it; a request's minisock has only its own rows.
        states = RFC_NAMES.get(before), RFC_NAMES.get(after)
        wanted += [row.id for row in _all_rows() if (row.state, row.next) == states]
    return tuple(transition(identity) for identity in dict.fromkeys(wanted))


def explain_from(old: str) -> tuple[tuple[str, tuple[Transition, ...]], ...]:
    """Every state, in Linux' spelling, that may follow ``old``, each with the transitions that lead there."""
    following = ((new, explain(old, new)) for new in RFC_NAMES if new != "BOUND_INACTIVE")
    return tuple((new, rows) for new, rows in following if rows)


def render_diagram(*, linux: bool = False) -> str:
    """The machine as a mermaid ``stateDiagram-v2``, drawn from the table; arcs that stay in their state are left out.

    With ``linux`` the kernel's artefacts are drawn too.
    """
    labels: dict[tuple[str, str], list[str]] = {}
    for row in (*_all_rows(), *(ARTEFACTS if linux else ())):
        if row.state != row.next:
            label = row.event + (f" / {row.sends}" if row.sends else "")
            known = labels.setdefault((row.state, row.next), [])
            if label not in known:
                known.append(label)
    lines = ["stateDiagram-v2", "    [*] --> CLOSED"]
    lines += [f'    state "{state}" as {_identifier(state)}' for state in STATES if "-" in state]
    lines += [
        f"    {_identifier(state)} --> {_identifier(following)}: {'<br/>'.join(events)}"
        for (state, following), events in labels.items()
    ]
    return "\n".join(lines) + "\n"


def _all_rows() -> Iterable[Transition]:
    return (row for state in STATES for row in TRANSITIONS[state])


def _identifier(state: str) -> str:
    return state.replace("-", "_")
