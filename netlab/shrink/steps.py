"""Takes steps out of a scenario's data, and with them every step that needs what they gave: names, processes, jobs, barriers.

It walks the steps in their order, as ``netlab.scenario.references`` does, but tells no errors: what cannot stand without the rest
goes. A step that it does not understand needs nothing.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from netlab.notation.calls import Call, CallText, JoinText, Result, RunText
from netlab.notation.lexer import NotationError
from netlab.notation.parse import parse_step
from netlab.notation.values import Name, Rights, SocketAddress

Path = tuple[int, ...]
"""Where a step stands: its index, after those of the repeats around it."""
Step = dict[str, Any]

_ABOUT_SOCKETS = ("states", "path", "queue", "listed", "tcp_info", "timers", "distinct", "same")
_ABOUT_PROCESSES = ("fds", "memory")
_WORDS = frozenset({"expect", "release", "wait", "repeat", "impair", "heal", "link", "document"})


def paths(steps: Sequence[Step], above: Path = ()) -> tuple[Path, ...]:
    """Every step that is no repeat, in order."""
    found: list[Path] = []
    for index, step in enumerate(steps):
        body = _body(step)
        found += [(*above, index)] if body is None else paths(body, (*above, index))
    return tuple(found)


def kept(steps: Sequence[Step], wanted: Collection[Path], barriers: Collection[str] = ()) -> tuple[list[Step], tuple[Path, ...]]:
    """The steps at these places and no others, without those that cannot stand alone, and the places of what is left.

    ``barriers`` are those at which the topology and the scenario hold packets.
    """
    walk = _Walk(steps, set(wanted), barriers)
    left = walk.some(steps, ())
    return left, tuple(walk.left)


def at(steps: Sequence[Step], path: Path) -> Step:
    """The step at a place."""
    step = steps[path[0]]
    return step if len(path) == 1 else at(_body(step) or (), path[1:])


def text_of(step: Step) -> str:
    """A step's text, as a verdict names it."""
    for head, said in step.items():
        if head == "expect" and isinstance(said, Mapping):
            return f"expect: {', '.join(map(str, said))}"
        if head != "document":
            return f"{head}: {said}"
    return ""


def texts(steps: Sequence[Step]) -> Iterator[str]:
    """The texts of all steps, those of repeats once."""
    for step in steps:
        body = _body(step)
        yield from [text_of(step)] if body is None else texts(body)


def plainer_repeats(steps: Sequence[Step]) -> Iterator[list[Step]]:
    """The steps with one of their repeats done once, or half as often; of a repeat that is done once, its body in its place."""
    for index, step in enumerate(steps):
        body = _body(step)
        if body is None:
            continue
        before, after = list(steps[:index]), list(steps[index + 1 :])
        times = step["repeat"].get("times", 1)
        yield [*before, *body, *after]
        if isinstance(times, int) and times > 3:
            yield [*before, {"repeat": {**step["repeat"], "times": times // 2}}, *after]
        for inner in plainer_repeats(body):
            yield [*before, {"repeat": {**step["repeat"], "steps": inner}}, *after]


def _body(step: Step) -> list[Step] | None:
    repeat = step.get("repeat")
    body = repeat.get("steps") if isinstance(repeat, Mapping) else None
    return list(body) if isinstance(body, list) else None


@dataclass(slots=True)
class _Known:
    """What a step may refer to: each process's names, the jobs that run, the barriers."""

    names: dict[str, set[str]] = field(default_factory=dict)
    jobs: dict[str, str] = field(default_factory=dict)
    barriers: set[str] = field(default_factory=set)


class _Walk:
    def __init__(self, whole: Sequence[Step], wanted: set[Path], barriers: Collection[str]) -> None:
        self._wanted = wanted
        self._bound = {name for step in _leaves(whole) for name in _binds(step)}
        self._known = _Known(barriers=set(barriers))
        self.left: list[Path] = []

    def some(self, steps: Sequence[Step], above: Path) -> list[Step]:
        found: list[Step] = []
        for index, step in enumerate(steps):
            path, body = (*above, index), _body(step)
            if body is not None:
                inner = self.some(body, path)
                if inner:
                    found.append({**step, "repeat": {**step["repeat"], "steps": inner}})
            elif path in self._wanted and self._stands(step):
                found.append(step)
                self.left.append(path)
        return found

    def _stands(self, step: Step) -> bool:
        """Whether all that a step refers to is there; what it gives is there from now on."""
        head = next((key for key in step if key != "document"), "")
        said = step.get(head)
        if head == "expect":
            return all(self._expectation(one) for one in (said, step.get("document")) if isinstance(one, Mapping))
        if head == "release":
            return said in self._known.barriers
        if head == "impair":
            self._known.barriers |= set(barriers_of(said))
        if head in _WORDS or not isinstance(said, str):
            return True
        try:
            return self._acts(head, parse_step(said))
        except NotationError:
            return True  # a peer's packet, say

    def _acts(self, process: str, what: CallText | JoinText | RunText) -> bool:
        names = self._names(process)
        if names is None:
            return False
        match what:
            case CallText():
                if not all(self._has(process, name) for name in _needs(what.call, what.result)):
                    return False
                names |= _given(what.call)
                if what.call.name == "fork":
                    for child in what.call.binds:
                        self._known.names[f"{process}/{child}"] = set(names)
                if what.job:
                    self._known.jobs[what.job] = process
            case RunText():
                if what.job:
                    self._known.jobs[what.job] = process
            case JoinText():
                if self._known.jobs.get(what.job) != process:
                    return False
                if what.result.form != "blocks":
                    del self._known.jobs[what.job]
        return True

    def _names(self, process: str) -> set[str] | None:
        if "/" not in process:
            return self._known.names.setdefault(process, set())
        return self._known.names.get(process)

    def _has(self, process: str, name: str) -> bool:
        anywhere = name.startswith("@")
        name = name.removeprefix("@")
        if name not in self._bound:
            return True  # not a name that a step gives, so no step that went has taken it along
        if anywhere:
            return any(name in names for names in self._known.names.values())
        return name in self._known.names.get(process, ())

    def _expectation(self, said: Mapping[str, Any]) -> bool:
        for key in _ABOUT_SOCKETS:
            for text in said.get(key) or ():
                process, dot, name = str(text).rpartition(".")
                if dot and ":" not in str(text) and (self._names(process) is None or not self._has(process, name)):
                    return False
        return all(self._names(str(process)) is not None for key in _ABOUT_PROCESSES for process in said.get(key) or ())


def barriers_of(impair: object) -> Iterator[str]:
    """The barriers at which the rules of an ``impair`` hold packets, or until whose release they act."""
    if isinstance(impair, Mapping):
        yield from (impair[key] for key in ("barrier", "before") if isinstance(impair.get(key), str))
        for value in impair.values():
            yield from barriers_of(value)
    elif isinstance(impair, list):
        for value in impair:
            yield from barriers_of(value)


def _leaves(steps: Sequence[Step]) -> Iterator[Step]:
    for step in steps:
        body = _body(step)
        yield from [step] if body is None else _leaves(body)


def _binds(step: Step) -> set[str]:
    for head, said in step.items():
        if head not in _WORDS and isinstance(said, str):
            try:
                what = parse_step(said)
            except NotationError:
                continue
            if isinstance(what, CallText):
                return _given(what.call)
    return set()


def _given(call: Call) -> set[str]:
    received = {name for value in _values(call) if isinstance(value, Rights) for name in value.names}
    later = call.inner.binds if call.name == "after" and call.inner is not None else ()
    return {*call.binds, *later, *(received if call.name.startswith("recv") else ())}


def _needs(call: Call, result: Result) -> Iterator[str]:
    """The names that a call refers to; after an @ those that any process may have."""
    for value in _values(call):
        match value:
            case Name(name):
                yield name
            case Rights(names) if not call.name.startswith("recv"):
                yield from names
            case SocketAddress(form="name", host=name):
                yield name
            case Call():
                yield from _needs(value, Result())
        if isinstance(value, SocketAddress) and value.port_of:
            yield f"@{value.port_of}"
    if result.form == "same" and result.name:
        yield result.name


def _values(call: Call) -> tuple[object, ...]:
    return (*call.arguments, *(value for _, value in call.keywords))
