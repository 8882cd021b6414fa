"""How much generated sequences have seen: sequences, calls with each errno, rules reached; and what they have not.

It counts what others found out.
"""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field

from netlab.explore.trials import Trial
from netlab.notation.calls import Call
from netlab.notation.constants import combined, constant
from netlab.notation.values import Constant, Name, SocketAddress

SUCCEEDS, BLOCKS = "", "blocks"
_INTERNET = ("AF_INET", "AF_INET6")


@dataclass(slots=True, kw_only=True)
class Coverage:
    """Counts of one search, or of several. ``outcomes`` is by (call, errno): "" for success, "blocks", what ended it."""

    sequences: int = 0
    two_hosts: int = 0
    established: int = 0
    shrinking: int = 0
    calls: int = 0
    left_inside: int = 0
    judged: int = 0
    unjudged: int = 0
    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    rules: set[str] = field(default_factory=set)

    def take(self, trial: Trial) -> None:
        """One more sequence that was played."""
        self.sequences += 1
        self.calls += len(trial.played)
        self.left_inside += trial.left_inside
        self.two_hosts += len({one.line.host for one in trial.played}) > 1
        self.established += reached_established(trial)
        for one in trial.played:
            if one.seen_inside:
                self.outcomes[one.line.call.name, BLOCKS] += 1
            if one.outcome is not None:
                ended = one.signal if one.line.call.name != "exit" else SUCCEEDS
                self.outcomes[one.line.call.name, ended or one.outcome.errno] += 1

    def add(self, other: "Coverage") -> None:
        """What another search saw, too."""
        for name in ("sequences", "two_hosts", "established", "shrinking", "calls", "left_inside", "judged", "unjudged"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.outcomes.update(other.outcomes)
        self.rules |= other.rules

    def unseen(self, wanted: Collection[tuple[str, str]]) -> list[tuple[str, str]]:
        """Those (call, errno) of these that no sequence had, in order."""
        return sorted(set(wanted) - set(self.outcomes))


def reached_established(trial: Trial) -> bool:
    """Whether some TCP connection was established in it: connect() succeeded, or accept() gave one."""
    internet: set[tuple[str, str]] = set()
    for one in trial.played:
        call, process = one.line.call, one.line.process
        if one.outcome is None or one.outcome.errno or not call.arguments:
            continue
        if call.name == "socket" and _is_tcp(call):
            internet.update((process, name) for name in call.binds)
        first = call.arguments[0]
        about = isinstance(first, Name) and (process, first.name) in internet
        if about and (call.name.startswith("accept") or (call.name == "connect" and _to_address(call))):
            return True
    return False


def _is_tcp(call: Call) -> bool:
    domain, kind = call.arguments[:2]
    return (
        isinstance(domain, Constant)
        and domain.names[0] in _INTERNET
        and isinstance(kind, Constant)
        and combined(kind.names) & 0xF == constant("SOCK_STREAM")
    )


def _to_address(call: Call) -> bool:
    return len(call.arguments) > 1 and isinstance(call.arguments[1], SocketAddress) and call.arguments[1].form == "ip"
