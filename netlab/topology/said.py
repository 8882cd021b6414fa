"""Reads what is said at run time of one direction of a network, or of an interface: in the words of a file, or as NAME=VALUE.

The same code reads it as reads a file. It does not know how it is carried out.
"""

import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from pydantic import Field

from netlab.document import Document
from netlab.errors import Place, Problem, SpecError
from netlab.topology.reading.changing import changes_of
from netlab.topology.reading.rule_patterns import nodes_of
from netlab.topology.reading.rules import impairment_of
from netlab.topology.reading.ways import NoWayError, ways_of
from netlab.topology.schema.changing import ChangeFile, Changes
from netlab.topology.schema.link import Impair
from netlab.topology.spec import InterfaceChange, Link, Rule, Shape, Topology
from netlab.validate import Piece, validated

HERE = "the command line"
"""What stands for a file in the places of what is said."""

_ABOVE, _BEFORE = 2, 4
_STATES = {"up", "down"}
_FIXES = {
    "impair": "write NAME=VALUE, as in delay=10ms loss=1%, or a mapping as in a file: {match: S., action: drop}",
    "link": "an interface is set up, down or mtu=1280; packets are impaired in a direction, a->b",
}
"""By what stands above it in a file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What is done to the packets of one direction of a link, "a->b": rules, and quantities if there are any."""

    link: Link
    direction: tuple[str, str]
    rules: tuple[Rule, ...] = ()
    shape: Shape | None = None


class _Impairing(Piece):
    impair: Impair = Field(description="what is said, as a file has it")


class _Changing(Piece):
    link: Changes = Field(description="what is said, as a file has it")


def directions(way: str, topology: Topology) -> Sequence[tuple[Link, tuple[str, str]]]:
    """The link and the direction that "a->b" means, or "a:eth0->b:eth1" where several links join the two; both for "both".

    Raises SpecError when there is no such link, or more than one.
    """
    try:
        return ways_of(way, topology)
    except NoWayError as error:
        hint = "put it in quotes: a shell takes the > for a redirection" if way.endswith("-") else error.fix
        raise _wrong(str(error), hint) from None


def read_said(way: str, text: str, topology: Topology) -> list[Said]:
    """What ``text`` says of a direction, or of "both". Raises SpecError with everything that is wrong with it."""
    meant = directions(way, topology)
    link, first = meant[0]
    key = "both" if len(meant) == 2 else "->".join(first)
    with _said(key, text, "impair") as (document, problems, words):
        file, found = validated(_Impairing, document.root)
        problems += found
        if file is not None:
            ends, nodes = [end.node for end in link.endpoints], nodes_of(topology)
            read = impairment_of(file.impair, file.node.at("impair"), ends, nodes, problems)
            if not (problems or read.rules or read.shapes):
                problems.append(document.root.at("impair", key).problem(message="nothing is said here", fix=_FIXES["impair"]))
    return [
        Said(
            link=link,
            direction=direction,
            rules=tuple(replace(rule, place=_place(rule.place, words)) for rule in read.rules.get(direction, ())),
            shape=read.shapes.get(direction),
        )
        for link, direction in meant
    ]


def about_interfaces(way: str, text: str) -> bool:
    """Whether this is said of interfaces, that go up or down or get an MTU, and not of packets."""
    if "->" not in way and way != "both":
        return ":" in way
    if _is_mapping(text):
        try:
            names = set(Document.parse(text, HERE).root.fields or ())
        except SpecError:
            return False
    else:
        names = {word.partition("=")[0] for word in text.split()}
    return bool(names) and (names <= ChangeFile.model_fields.keys() or names <= _STATES)


def read_changes(way: str, text: str, topology: Topology) -> tuple[InterfaceChange, ...]:
    """What ``text`` says of an interface ("client:eth0"), or of both ends of a link, by a direction of it. Raises SpecError with
    everything that is wrong with it."""
    keys, peers = [way], [node.name for node in topology.nodes if node.kind == "peer"]
    if "->" in way or way == "both":
        link, _ = directions(way, topology)[0]
        keys = [f"{end.node}:{end.interface}" for end in link.endpoints if end.node not in peers]
    changes: list[InterfaceChange] = []
    wrong: list[Problem] = []
    for key in keys:
        try:
            with _said(key, text, "link") as (document, problems, _):
                file, found = validated(_Changing, document.root)
                problems += found
                if file is not None:
                    changes += changes_of(file.link, file.node.at("link"), topology, problems)
        except SpecError as error:
            wrong += error.problems
    if wrong:
        raise SpecError(*dict.fromkeys(wrong))
    return tuple(changes)


def numbered(said: Said, number: int) -> Said:
    """The same, with places that name the command by its ``number``: so those of two commands differ, and those of two rules."""
    command = f"netlab-ns impair {number}"
    rules = [replace(rule, place=Place(f"{command}, rule {index}", 0, 0)) for index, rule in enumerate(said.rules, 1)]
    shape = None if said.shape is None else replace(said.shape, place=Place(command, 0, 0))
    return replace(said, rules=tuple(rules), shape=shape)


_Words = list[tuple[str, str]] | None


@contextmanager
def _said(key: str, text: str, top: str) -> Iterator[tuple[Document, list[Problem], _Words]]:
    """What is said of a key, as a document in which it stands below ``top``; problems found in that are raised at their places in
    what was said. With the words, if it was said in words."""
    words = None if _is_mapping(text) or text.strip() in _STATES else _words(text, _FIXES[top])
    problems: list[Problem] = []
    try:
        yield Document.parse(_file(top, key, text, words), HERE), problems, words
        if problems:
            raise SpecError(*problems)
    except SpecError as error:
        raise SpecError(*dict.fromkeys(_moved(problem, words) for problem in error.problems)) from None


def _is_mapping(text: str) -> bool:
    """Whether it is written as in a file: a mapping, or a list of them."""
    return text.lstrip()[:1] in ("{", "[")


def _words(text: str, fix: str) -> list[tuple[str, str]]:
    """The names and values of ``loss=1% delay=10ms``; a value with spaces is in quotes."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise _wrong(f"{text}: {error}", "end what is in quotes") from None
    pairs = [(name, value) for name, equals, value in (word.partition("=") for word in words) if name and equals and value]
    if not words or len(pairs) < len(words):
        wrong = next((word for word in words if "=" not in word.strip("=")), "")
        raise _wrong(f'"{wrong}" is no impairment' if wrong else "nothing is said", fix)
    if len({name for name, _ in pairs}) < len(pairs):
        raise _wrong(f"{text}: a name is there twice", "say each once")
    return pairs


def _file(top: str, key: str, text: str, words: _Words) -> str:
    """A document whose first lines are not the user's: each further one is a word, or a line of what is said."""
    margin = " " * _BEFORE
    lines = text.splitlines() if words is None else [f"{name}: {_value(value)}" for name, value in words]
    return "".join([f"{top}:\n  {_quoted(key)}:\n", *(f"{margin}{line}\n" for line in lines)])


def _value(text: str) -> str:
    """A value as YAML has it: a pattern's "..." and its colons are no YAML."""
    plain = all(letter.isalnum() or letter in "%.+-_" for letter in text) and text != "..."
    return text if plain or text[:1] in ("[", "{") else _quoted(text)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _moved(problem: Problem, words: _Words) -> Problem:
    """A problem at its place in what was said: in its word, where it was said in words."""
    line = problem.place.line - _ABOVE
    if words is not None and 1 <= line <= len(words):
        return replace(problem, place=Place("=".join(words[line - 1]), 0, 0))
    return replace(problem, place=_place(problem.place, words))


def _place(place: Place, words: _Words) -> Place:
    """A place in the document, as one in what was said; words as a whole have none."""
    if words is not None or place.line <= _ABOVE:
        return Place(HERE, 0, 0)
    return Place(HERE, place.line - _ABOVE, max(1, place.column - _BEFORE))


def _wrong(message: str, fix: str) -> SpecError:
    return SpecError(Problem(Place(HERE, 0, 0), message, fix))
