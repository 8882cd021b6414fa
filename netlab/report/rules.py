"""The rules of the sockets API and TCP's states as text and as pages of Markdown: what each says, where that stands, its doubts."""

import textwrap
from collections.abc import Iterable, Iterator

from netlab.model.sockets.rules import EVERY, NOTHING, SOCKETS, Rule
from netlab.model.tcp import ARTEFACTS, STATES, TRANSITIONS, UNREACHED, Transition, render_diagram
from netlab.model.wire.rules import RULES as WIRE_RULES
from netlab.model.wire.rules import Rule as WireRule

_WIDTH = 120
_CATEGORIES = {"fails": "fails", "succeeds": "succeeds", "blocks": "blocks", "signals": "signals", "unmodelled": "not modelled"}


def listed(rules: Iterable[Rule]) -> Iterator[str]:
    """One rule a line or two, under its call, in the order in which they are asked."""
    call = ""
    for rule in sorted(rules, key=lambda one: one.call):
        if rule.call != call:
            call = rule.call
            yield f"{call}()"
        head = f"  {rule.id:<34} {came(rule)}"
        yield from textwrap.wrap(f"{head:<52} {rule.says}", _WIDTH, subsequent_indent=" " * 53)


def one(rule: Rule) -> Iterator[str]:
    """One rule in full."""
    yield f"{rule.id}"
    for name, said in (
        ("call", f"{rule.call}()"),
        ("about", about(rule)),
        ("outcome", came(rule)),
        ("says", rule.says),
        ("source", rule.source or "netlab: this is where the model ends"),
        ("note", rule.note),
        ("profiles", ", ".join(rule.profiles)),
        ("may", "allowed beside what later rules allow" if rule.may else ""),
        ("unreached", rule.unreached),
    ):
        if said:
            yield from textwrap.wrap(f"  {name:<10} {said}", _WIDTH, subsequent_indent=" " * 13)


def came(rule: Rule) -> str:
    """What comes of it in a word: the errno, succeeds, blocks, signals, not modelled."""
    return rule.errno or _CATEGORIES[rule.category]


def about(rule: Rule) -> str:
    """What kinds of objects it is about, in words."""
    if rule.kinds == (NOTHING,):
        return "no open descriptor"
    if set(EVERY) <= set(rule.kinds):
        return "any descriptor"
    if set(rule.kinds) == set(SOCKETS):
        return "any socket"
    return ", ".join(rule.kinds)


def of_the_wire(rules: Iterable[WireRule]) -> Iterator[str]:
    """Rules about TCP's segments: what each says, where that stands, what an outsider must leave open."""
    for rule in rules:
        yield f"{rule.id} ({rule.level})"
        for name, said in (("says", rule.says), ("source", rule.source), ("note", rule.note)):
            if said:
                yield from textwrap.wrap(f"  {name:<10} {said}", _WIDTH, subsequent_indent=" " * 13)


def page(rules: Iterable[Rule]) -> str:
    """All rules as one page of Markdown, call by call."""
    ordered = sorted(rules, key=lambda one: one.call)
    calls = list(dict.fromkeys(rule.call for rule in ordered))
    lines = [
        "# The rules of the sockets API",
        "",
        f"{len(ordered)} rules about {len(calls)} calls. Of each call they stand in the order in which Linux asks: the first",
        "that holds decides. POSIX leaves the order of errors open. `netlab-ns model bind` prints the rules of one call,",
        "`netlab-ns model bind.not-open` one rule.",
    ]
    for call in calls:
        lines += ["", f"## {call}()", "", "| rule | about | gives | says | source |", "| --- | --- | --- | --- | --- |"]
        for rule in (one for one in ordered if one.call == call):
            says = rule.says + (f" ({rule.note})" if rule.note else "")
            cells = (f"`{rule.id}`", about(rule), came(rule), says, rule.source)
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def tcp_page() -> str:
    """TCP's states as one page of Markdown: the diagram, then every transition with its source; Linux' own after the RFC's."""
    lines = ["# TCP's states", "", "Drawn from the table that timelines are judged by (`netlab-ns model tcp`).", "", "```mermaid"]
    lines += [*render_diagram().splitlines(), "```"]
    for state in STATES:
        lines += ["", f"## {state}", "", *_transitions(TRANSITIONS[state])]
    lines += ["", "## What Linux reports besides", "", *_transitions(ARTEFACTS)]
    lines += ["", "## What an outsider can hold a sender to", "", "| rule | says | source |", "| --- | --- | --- |"]
    for rule in WIRE_RULES.values():
        says = rule.says + (f" ({rule.note})" if rule.note else "")
        lines.append(f"| `{rule.id}` | {says} | {rule.source} |")
    lines += ["", "## What no Linux socket does", "", *(f"- `{identity}`: {why}" for identity, why in UNREACHED.items())]
    return "\n".join(lines) + "\n"


def _transitions(rows: Iterable[Transition]) -> Iterator[str]:
    yield from ("| event | next | sends | source |", "| --- | --- | --- | --- |")
    for row in rows:
        event = row.event + (f", if {row.guard}" if row.guard else "") + (f" ({row.note})" if row.note else "")
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in (event, row.next, row.sends, row.citation)) + " |"
