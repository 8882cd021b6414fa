"""Reads a scenario's steps: each becomes its typed step, with its text and place. Whether names are known is not asked here."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from netlab.errors import Place, Problem
from netlab.notation.calls import CallText, JoinText, Result, RunText
from netlab.notation.lexer import NotationError
from netlab.notation.parse import parse_packet, parse_result, parse_step
from netlab.scenario.disturbing import Disturbing
from netlab.scenario.expect import read_document, read_expectation
from netlab.scenario.schema import ExpectFile, RepeatFile
from netlab.scenario.spec import AnyStep, CallStep, ExpectStep, JoinStep, PeerStep, ReleaseStep, RunStep, WaitStep
from netlab.units import Duration
from netlab.validate import did_you_mean, named, shown, validated
from netlab.yaml_nodes import Node

MAX_STEPS = 20_000
WORDS = ("expect", "release", "wait", "repeat", "impair", "heal", "link")
"""The keys of steps that no host makes."""

_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
_BRACKETS = {")": "(", "]": "[", "}": "{"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What one step was read as. ``step`` is None when it is wrong, or a repeat, which has ``times`` and a ``body``.

    ``said`` is the value in the file: the text of a call, the mapping of an expect; ``head`` is where the step's key stands.
    """

    process: str
    said: Node
    head: Place
    step: AnyStep | None = None
    document: Node | None = None
    times: int = 0
    body: tuple["Read", ...] = field(default=())

    @property
    def size(self) -> int:
        """How many steps it unrolls to."""
        return self.times * sum(each.size for each in self.body) if self.body else 1


def unrolled(reads: tuple[Read, ...]) -> tuple[AnyStep, ...]:
    """All steps in the order in which they are done, repeats as often as they say."""
    steps: list[AnyStep] = []
    for read in reads:
        if read.body:
            steps += unrolled(read.body) * read.times
        elif read.step is not None:
            steps.append(read.step)
    return tuple(steps)


class StepReader:
    """Reads steps. ``kinds`` has each node's kind, None when the topology is not known: then a host's step may be anything.
    ``disturbing`` reads those that are about links; without it they are left out."""

    def __init__(self, kinds: Mapping[str, str] | None, problems: list[Problem], disturbing: Disturbing | None = None) -> None:
        self._kinds, self._problems, self._disturbing = kinds, problems, disturbing

    def read(self, listing: Node) -> tuple[Read, ...]:
        """The steps of a list; those that are no steps at all are left out."""
        reads = tuple(read for item in listing.items or () if (read := self._step(item)) is not None)
        size = sum(read.size for read in reads)
        if size > MAX_STEPS:
            message = f"these are {size:,} steps, with all that is repeated; at most {MAX_STEPS:,} are allowed"
            self._problems.append(listing.problem(message=message, fix="repeat less"))
            return ()
        return reads

    def _step(self, item: Node) -> Read | None:
        if item.fields is None:
            fix = "write HOST: CALL, such as client: s = socket(AF_INET, SOCK_STREAM, 0)"
            if item.text is not None and re.match(r"[a-z][a-z0-9/-]*:\S", item.text):
                fix = "put a space after the colon"
            self._say(item.place(), f"{shown(item.data)} is no step", fix)
            return None
        heads = [key for key in item.fields if key != "document"]
        if len(heads) != 1:
            self._several(item, heads)
            return None
        head = heads[0]
        key, said = item.fields[head]
        document = item.fields["document"][1] if "document" in item.fields else None
        if head in WORDS:
            return self._word(head, said, document, item, key.place())
        return self._host(head, said, document, item, key.place())

    def _several(self, item: Node, heads: list[str]) -> None:
        if not heads:
            self._say(item.place(), "this step says nothing", "write HOST: CALL")
            return
        second, fix = heads[1], "each step begins with its own -"
        if second in {info.alias or name for name, info in ExpectFile.model_fields.items()}:
            fix = "indent it deeper, if it belongs to the expect above"
        elif close := did_you_mean(second, ("document",)):
            fix = close
        self._say(item.place(second, key=True), f'a step says one thing, and here are "{heads[0]}" and "{second}"', fix)

    def _word(self, head: str, said: Node, document: Node | None, item: Node, place: Place) -> Read | None:
        if document is not None and head != "expect":
            self._say(item.place("document", key=True), f"a {head} step gives nothing that a document could say otherwise")
        step: AnyStep | None = None
        match head:
            case "expect":
                return self._expect(said, document, place)
            case "repeat":
                file, problems = validated(RepeatFile, said)
                self._problems += problems
                body = self.read(said.at("steps")) if said.child("steps") is not None else ()
                times = file.times if file is not None else 1
                return Read(process="", said=said, head=place, times=times, body=body) if body else None
            case "impair" | "heal" | "link":
                step = self._link_step(head, item, place)
            case "release" if not said.text:
                self._say(said.place(), f"release needs a barrier's name, not {shown(said.data)}")
            case "release":
                step = ReleaseStep(text=f"release: {said.text}", place=place, barrier=said.text or "")
            case "wait":
                try:
                    step = WaitStep(text=f"wait: {said.text}", place=place, time=Duration.parse(said.text or ""))
                except ValueError:
                    fix = "write a number with its unit (ns, us, ms, s, min), such as 200ms"
                    self._say(said.place(), f"{shown(said.data)} is no duration", fix)
        return Read(process="", said=said, head=place, step=step)

    def _link_step(self, head: str, item: Node, place: Place) -> AnyStep | None:
        disturbing = self._disturbing
        if disturbing is None:
            return None
        alone = item.as_mapping({key: pair for key, pair in (item.fields or {}).items() if key == head})
        read = {"impair": disturbing.impair_step, "heal": disturbing.heal_step, "link": disturbing.link_step}
        return read[head](alone, place)

    def _expect(self, said: Node, document: Node | None, place: Place) -> Read:
        expect = read_expectation(said, self._problems)
        otherwise = read_document(document, expect, self._problems) if document is not None and expect is not None else None
        step = None
        if expect is not None:
            text = f"expect: {', '.join(said.fields or ())}"
            step = ExpectStep(text=text, place=place, expect=expect, document=otherwise)
        return Read(process="", said=said, head=place, step=step, document=document)

    def _host(self, process: str, said: Node, document: Node | None, item: Node, place: Place) -> Read:
        host = process.split("/")[0]
        kind = self._kinds.get(host) if self._kinds is not None else "any"
        broken = Read(process=process, said=said, head=place)
        if kind is None:
            fix = did_you_mean(host, [*(self._kinds or ()), *WORDS]) or f"the nodes are {named(self._kinds or ())}"
            self._say(place, f'no node "{host}"', fix)
            return broken
        if kind == "switch":
            self._say(place, f"{host} is a switch, which makes no calls", "only hosts and routers do")
            return broken
        if said.text is None or not said.text.strip():
            fix = "quote the step, in '...'" if said.fields or said.items else f"write for example {process}: close(s)"
            self._say(said.place(), f"the step of {process} must be text, not {shown(said.data)}", fix)
            return broken
        if self._cut_short(said, said.text, kind):
            return broken
        text = f"{process}: {said.text}"
        try:
            if kind == "peer" or (kind == "any" and _is_packet(said.text)):
                packet = parse_packet(said.text)
                if document is not None:
                    self._say(item.place("document", key=True), "what a peer sends has no result for a document to differ in")
                return Read(process=process, said=said, head=place, step=PeerStep(text=text, place=place, host=host, packet=packet))
            what = parse_step(said.text)
        except NotationError as error:
            self._problems.append(said.problem(message=error.message, fix=error.fix, offset=error.offset))
            return broken
        otherwise = self._document(what, document, item)
        return Read(
            process=process, said=said, head=place, document=document, step=self._typed(what, process, text, place, otherwise)
        )

    def _typed(
        self, what: CallText | JoinText | RunText, process: str, text: str, place: Place, document: Result | None
    ) -> AnyStep | None:
        host = process.split("/")[0]
        match what:
            case CallText():
                if what.call.name == "fork" and not what.call.binds:
                    self._say(place, "a fork needs a name, by which the child's steps are called", "write p = fork()")
                    return None
                return CallStep(text=text, place=place, host=host, process=process, what=what, document=document)
            case JoinText():
                return JoinStep(text=text, place=place, host=host, process=process, what=what, document=document)
        if process != host:
            self._say(place, "a program is run in a node, not in a forked process", f"write {host}: run ...")
            return None
        return RunStep(text=text, place=place, host=host, what=what)

    def _document(self, what: CallText | JoinText | RunText, document: Node | None, item: Node) -> Result | None:
        if document is None:
            return None
        if isinstance(what, RunText):
            self._say(item.place("document", key=True), "a program's status is not the document's business", "leave it out")
            return None
        if document.text is None:
            self._say(document.place(), f"the document's result must be text, such as ENOTCONN or 0, not {shown(document.data)}")
            return None
        try:
            return parse_result(document.text)
        except NotationError as error:
            self._problems.append(document.problem(message=error.message, fix=error.fix, offset=error.offset))
        return None

    def _cut_short(self, said: Node, text: str, kind: str) -> bool:
        """Whether a comment begins inside of the step: YAML ends a plain text before " #"."""
        if not said.comment or kind == "peer" or not _unbalanced(text):
            return False
        message = 'the step is cut short here: " #" begins a YAML comment'
        self._problems.append(said.problem(message=message, fix="quote the whole step, in '...'", offset=len(text)))
        return True

    def _say(self, place: Place, message: str, fix: str = "") -> None:
        self._problems.append(Problem(place, message, fix))


def _unbalanced(text: str) -> bool:
    rest = _QUOTED.sub("", text)
    if '"' in rest:
        return True
    opened: list[str] = []
    for char in rest:
        if char in _BRACKETS.values():
            opened.append(char)
        elif char in _BRACKETS and opened and opened[-1] == _BRACKETS[char]:
            opened.pop()
    return bool(opened)


def _is_packet(text: str) -> bool:
    try:
        parse_packet(text)
    except NotationError:
        return False
    return True
