"""Decides what the rules of one link do to each frame that passes, and counts. It sends nothing and holds nothing.

A rule of a direction counts every packet that it means, retransmissions too; the first rule that acts decides. With a script no
rule is asked: what it prescribes is repeated. Which packets a rule means is selecting.py's business, what packets are called is
packet_keys.py's.
"""

from collections.abc import Callable, Collection, Iterable, Mapping

from netlab.impair.packet_keys import Names, Passing
from netlab.impair.ruling import Ruling
from netlab.impair.script import Script
from netlab.impair.selecting import Moment, Selector, seen
from netlab.timeline.headers import Headers, decode
from netlab.timeline.streams import describe
from netlab.timeline.timeline import Node
from netlab.topology.spec import Link, Rule

__all__ = ["LinkRules", "Ruling"]


class _Counted:
    """A rule that may still act: its place among those of its direction, and how many packets it has meant."""

    __slots__ = ("added", "count", "index", "seed", "selector")

    def __init__(self, selector: Selector, index: int, seed: int, added: bool) -> None:
        self.selector, self.index, self.seed, self.added = selector, index, seed, added
        self.count = 0


def _unknown(_: str) -> str:
    return ""


class LinkRules:
    """The rules of one link, how often each has matched, and what has passed it."""

    def __init__(self, link: Link, nodes: Mapping[str, Node], *, seed: int = 0, script: Script | None = None) -> None:
        """``seed`` is of the rules that have none. Raises SpecError where a rule's filter is none, HostError without libpcap."""
        self._link, self._nodes, self._seed = link, nodes, seed
        self._name = link.name
        self._names = Names(nodes)
        first, second = (end.node for end in link.endpoints)
        self._directions = (f"{first}->{second}", f"{second}->{first}")
        self._rules: tuple[list[_Counted], list[_Counted]] = ([], [])
        self._numbered = [0, 0]
        self._indices: dict[tuple[int, str], int] = {}
        self._barriers: set[str] = set() if script is None else set(script.barriers)
        self._prescribed = None if script is None else tuple(script.prescribed(link.name, one) for one in self._directions)
        self._began: int | None = None
        for direction, rules in link.impair:
            self._add(0 if direction == (first, second) else 1, rules, added=False)
        self._reckon()

    @property
    def barriers(self) -> frozenset[str]:
        """The barriers at which its rules hold packets, or have held some, and those until whose release they act."""
        return frozenset(self._barriers)

    def begin(self, at: int) -> None:
        """From this time on (ns) windows count; without it, from the first frame."""
        self._began = at

    def add(self, direction: int, rules: Iterable[Rule]) -> None:
        """From now on these rules apply too, after those that are there; their counts begin at 0, as if nothing had passed."""
        self._add(direction, rules, added=True)
        self._reckon()

    def remove(self, direction: int, rules: Collection[Rule]) -> None:
        """These of the rules that were added apply no more."""
        self._rules[direction][:] = [one for one in self._rules[direction] if not one.added or one.selector.rule not in rules]
        self._reckon()

    def clear(self, direction: int) -> None:
        """What was added applies no more; the link's own rules do."""
        self._rules[direction][:] = [one for one in self._rules[direction] if not one.added]
        self._reckon()

    def standing(self, direction: int) -> tuple[tuple[Rule, int], ...]:
        """The rules that may still act in a direction, in their order, and how many packets each has meant so far."""
        return tuple((one.selector.rule, one.count) for one in self._rules[direction])

    def recount(self, direction: int, counts: Iterable[int]) -> None:
        """Of packets that passed elsewhere: how many each of the ``standing`` rules has meant by now."""
        for one, count in zip(self._rules[direction], counts, strict=True):
            one.count = count

    def idle(self, direction: int) -> bool:
        """Whether no rule can act on what passes in this direction or is named by it, so that frames need not be looked at.

        That is so where neither direction has a rule left: of what passes one way, names and numbers are told by what passes the
        other.
        """
        del direction  # both are idle or none is
        return self._idle

    def note(self, frame: bytes) -> None:
        """Fold in a frame that passes while nothing can act: what passes later has the same name as if something could.

        So a rule that a step adds names packets as a replay does, which looks for them from the first frame on.
        """
        self._names.passing(decode(frame))

    def note_opening(self, frame: bytes) -> None:
        """Fold in the headers of a frame that opens a connection, all others go unseen: to be called for few frames, where names
        need not be those of a replay. Any other frame is passed over."""
        headers = decode(frame)
        if headers.protocol == "tcp" and "S" in headers.flags:
            self._names.passing(headers)

    def ruling(
        self,
        frame: bytes,
        direction: int,
        released: Collection[str] = (),
        *,
        at: int = 0,
        state: Callable[[str], str] = _unknown,
    ) -> Ruling | None:
        """Count one frame that passes from the link's first endpoint (``direction`` 0) or from its second (1), in their order.

        ``at`` is when it came (ns, of one clock), ``state`` gives a socket's state by its name. None lets it pass. A rule whose
        barrier is among those ``released`` no longer acts.
        """
        if self._began is None:
            self._began = at
        headers = decode(frame)
        passing = self._names.passing(headers)
        if self._prescribed is not None:
            return self._scripted(frame, headers, passing, direction, released)
        rules = self._rules[direction]
        if not rules:
            return None
        moment = Moment(at - self._began, released, state)
        acting: Ruling | None = None
        spent = False
        for one in rules:
            selector = one.selector
            if selector.means(headers, passing, frame):
                one.count += 1
                key = selector.acts(one.count, passing, moment, one.seed, self._name, self._directions[direction], one.index)
                if key and acting is None:
                    acting = self._ruled(selector.rule, one.count, frame, headers, passing, direction, key, one.index)
            spent = selector.spent(one.count, moment) or spent
        if spent:
            rules[:] = [one for one in rules if not one.selector.spent(one.count, moment)]
            self._reckon()
        return acting

    def _scripted(
        self, frame: bytes, headers: Headers, passing: Passing, direction: int, released: Collection[str]
    ) -> Ruling | None:
        assert self._prescribed is not None
        found = self._prescribed[direction].take(passing)
        if found is None:
            return None
        self._reckon()
        decision, rule = found
        if rule.barrier and rule.barrier in released:
            return None
        index = self._indices.get((direction, str(rule.place)), 0)
        values = dict(decision.values)
        return self._ruled(rule, decision.occurrence, frame, headers, passing, direction, decision.key, index, values)

    def _ruled(
        self,
        rule: Rule,
        occurrence: int,
        frame: bytes,
        headers: Headers,
        passing: Passing,
        direction: int,
        key: str,
        index: int,
        values: dict[str, int] | None = None,
    ) -> Ruling:
        end = self._link.endpoints[direction]
        return Ruling(
            rule=rule,
            occurrence=occurrence,
            packet=describe(seen(end.node, end.interface, frame, headers, passing), self._nodes, ports=True),
            key=key,
            direction=self._directions[direction],
            link=self._name,
            index=index,
            seed=self._seed if rule.seed is None else rule.seed,
            values={} if values is None else values,
        )

    def _add(self, direction: int, rules: Iterable[Rule], *, added: bool) -> None:
        for rule in rules:
            index = self._numbered[direction]
            self._numbered[direction] += 1
            self._indices.setdefault((direction, str(rule.place)), index)
            seed = self._seed if rule.seed is None else rule.seed
            self._rules[direction].append(_Counted(Selector(rule, self._link, direction, self._nodes), index, seed, added))
            self._barriers |= {barrier for barrier in (rule.barrier, rule.before) if barrier}

    def _reckon(self) -> None:
        self._idle = not any(self._rules if self._prescribed is None else self._prescribed)
