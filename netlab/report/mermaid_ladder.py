"""What happened around a failure as a mermaid sequence diagram: a lifeline a node, packets as arrows, calls and states as notes.

Mermaid is what GitHub and GitLab draw inside Markdown. A drawing has room for less than a timeline: options of segments and ends of
connections are left to that. It refuses to know whether anything was right; what to mark is told to it.
"""

from collections.abc import Iterator, Sequence

from netlab.report.html.hops import Hop, hops_of
from netlab.report.lines import Lines, printable
from netlab.timeline.observations import CallReturned, CallStarted, Decision, Packet, PacketDropped, ProgramEnded, SocketState
from netlab.timeline.timeline import Timeline

MOST = 60
"""So many arrows and notes at most: beyond it nobody reads a drawing (and mermaid ends at 50,000 characters)."""
_LONGEST = 120
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 .,_-+=()[]/>")
_ANYBODY = "elsewhere"
_SHOWN = (CallStarted, CallReturned, ProgramEnded, SocketState, Packet, PacketDropped, Decision)


def ladder(timeline: Timeline, indices: Sequence[int], *, failing: int | None = None) -> str:
    """The diagram of these observations, "" where none of them can be drawn. ``failing`` is marked.

    Of more than MOST, those that come last are drawn, or those around ``failing``, with a note that tells how many are not.
    """
    drawing = _Drawing(timeline, indices)
    shown = [index for index in indices if drawing.draws(index)]
    if not shown:
        return ""
    # what failed may be the arrival of a packet that is drawn where it left
    at = max((position for position, index in enumerate(shown) if failing is not None and index <= failing), default=None)
    marked = None if at is None else shown[at]
    first = 0
    if len(shown) > MOST:
        at = len(shown) - 1 if at is None else at
        first = max(0, min(at - MOST * 2 // 3, len(shown) - MOST))
    chosen = shown[first : first + MOST]
    rows = [row for index in chosen for row in drawing.rows(index, index == marked)]
    lives = [f"    participant {name} as {_text(shown_as)}" for shown_as, name in drawing.names.items()]
    before, after = first, len(shown) - first - len(chosen)
    over = _over(tuple(drawing.names.values()))
    return "\n".join(
        [
            "sequenceDiagram",
            *lives,
            *([f"    Note over {over}: {before} more before"] if before else []),
            *rows,
            *([f"    Note over {over}: {after} more after"] if after else []),
        ]
    )


class _Drawing:
    """Draws single observations; gives every node a short name, in the order in which it was needed."""

    def __init__(self, timeline: Timeline, indices: Sequence[int]) -> None:
        self._timeline = timeline
        self._lines = Lines(timeline)
        hops = hops_of(timeline)  # without housekeeping: ARP, neighbour discovery
        self._hops: dict[int, Hop] = {hop.index: hop for hop in hops.hops}
        self._decided = hops.decided
        self._watched = {one.host for one in timeline.observations if isinstance(one, Packet) and one.direction == "in"}
        self.names: dict[str, str] = {}
        for name, node in timeline.nodes.items():
            if node.kind != "switch" and any(timeline.observations[index].host == name for index in indices):
                self._name(name)

    def draws(self, index: int) -> bool:
        """Whether there is anything to draw of it: a packet is drawn once, where it was first seen."""
        seen = self._timeline.observations[index]
        if isinstance(seen, Packet):
            return index in self._hops
        if isinstance(seen, Decision):
            return True
        return isinstance(seen, _SHOWN) and bool(seen.host)

    def rows(self, index: int, marked: bool) -> Iterator[str]:
        """The lines of mermaid for one observation."""
        seen = self._timeline.observations[index]
        line = self._lines.line(index)
        if isinstance(seen, Packet):
            yield self._arrow(self._hops[index], line.split(maxsplit=2)[2])
        elif isinstance(seen, Decision):
            yield f"    Note over {self._where(index)}: {_text(f'{seen.action}: match {seen.occurrence} of {seen.rule}')}"
        elif isinstance(seen, SocketState):
            yield f"    Note over {self._name(seen.host)}: {_text(line.split('  ')[0])}"
        else:
            yield f"    Note over {self._name(seen.host)}: {_text(line)}"
        if marked:
            yield f"    Note over {_over(tuple(self.names.values()))}: it failed here"

    def _arrow(self, hop: Hop, line: str) -> str:
        """``-x`` ends in a cross: it was dropped, or did not arrive where arrivals were watched."""
        source, target = self._name(hop.source or _ANYBODY), self._name(hop.target or _ANYBODY)
        lost = hop.dropped or (hop.target in self._watched and not hop.arrived)
        arrow = "-x" if lost else "->>"
        # who sent it to whom is what the arrow shows
        _, _, rest = line.partition(" > ")
        told = (rest.partition(" ")[2] or line).partition(" <")[0]
        ports = f"{hop.seen.headers.sport} > {hop.seen.headers.dport} " if hop.seen.headers.sport is not None else ""
        return f"    {source}{arrow}{target}: {_text(ports + told)}"

    def _where(self, index: int) -> str:
        hop = self._decided.get(index)
        if hop is None:
            return _over(tuple(self.names.values()))
        ends = dict.fromkeys((self._name(hop.source or _ANYBODY), self._name(hop.target or _ANYBODY)))
        return ",".join(ends)

    def _name(self, node: str) -> str:
        return self.names.setdefault(node, f"n{len(self.names)}")


def _over(names: Sequence[str]) -> str:
    """All lifelines, from the first to the last."""
    return names[0] if len(names) == 1 else f"{names[0]},{names[-1]}"


def _text(text: str) -> str:
    """Text in which nothing is mermaid's, HTML's or Markdown's: what may be is written as mermaid's entity codes (``#35;``)."""
    shown = printable(text)
    if len(shown) > _LONGEST:
        shown = f"{shown[:_LONGEST]} ..."
    return "".join(letter if letter in _PLAIN else f"#{ord(letter)};" for letter in shown)
