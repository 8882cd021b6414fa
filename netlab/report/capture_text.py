"""What a capture's connections did, in words, for a person: the story of each, and where a sender broke a rule.

It refuses to know how anything was found.
"""

from collections.abc import Iterator, Sequence

from netlab.check.captures import Seen, said
from netlab.model.wire.story import name
from netlab.report.lines import printable
from netlab.report.text import Line

_WHOLE = 10
_OUTCOMES = {"must": "FAIL", "should": ""}


def told(file: str, packets: int, found: Sequence[Seen]) -> Iterator[Line]:
    """All lines about one file. Of many connections, those without a finding have only their last line told."""
    yield Line(f"{printable(file)}: {_many(packets, 'packet')}, {_many(len(found), 'TCP connection')}", "head")
    for seen in found:
        yield from _connection(seen, brief=len(found) > _WHOLE and seen.sound)
    yield _closing(found)
    yield Line()


def _connection(seen: Seen, *, brief: bool) -> Iterator[Line]:
    one = seen.connection
    at = f" at {printable(seen.interface)}" if seen.interface else ""
    ends = " and ".join(map(name, one.ends))
    head = f"  {ends}{at}: {_many(one.segments, 'segment')}, packets {one.first + 1} to {one.last + 1}"
    if brief:
        yield Line(f"{head}; {one.story[-1]}", indent=6)
        return
    yield Line(head, indent=6)
    for sentence in (*one.story, *one.notes):
        yield Line(f"    {printable(sentence)}", indent=6)
    for end, states in zip(one.ends, one.states, strict=True):
        yield Line(f"    in the end {name(end)}: {' or '.join(sorted(states))}", "dim", indent=6)
    for finding in one.findings:
        word = "FAIL" if finding.rule.level == "must" else "note"
        yield Line(f"    {word} {finding.rule.id}: {printable(said(finding))}", _OUTCOMES[finding.rule.level], 8, indent=9)
        yield Line(f"         rule: {finding.rule.says} ({finding.rule.source})", "dim", indent=15)
    for left in one.undecided:
        where = f"packet {left.index + 1}: " if left.index >= 0 else ""
        yield Line(f"    INCONCLUSIVE {where}{printable(left.says)}", "INCONCLUSIVE", 16, indent=17)


def _closing(found: Sequence[Seen]) -> Line:
    if not found:
        return Line("  INCONCLUSIVE: there is no TCP segment in it that could be followed", "INCONCLUSIVE")
    broken = sum(len(seen.connection.broken) for seen in found)
    unsure = sum(bool(seen.connection.undecided) for seen in found)
    if broken:
        return Line(f"  {_many(broken, 'breach', 'es')} of TCP's rules", "FAIL")
    if unsure:
        return Line(f"  {_many(unsure, 'connection')} could not be judged in full, no rule was seen to be broken", "INCONCLUSIVE")
    return Line("  no rule was broken", "PASS")


def _many(count: int, what: str, plural: str = "s") -> str:
    return f"{count} {what}{'' if count == 1 else plural}"
