"""Turns what an ``expect:`` says into an Expectation, and what a ``document:`` beside it changes. It does not know who exists."""

import re
from dataclasses import replace
from typing import Any

from netlab.errors import Problem
from netlab.notation.lexer import NotationError
from netlab.notation.packets import PacketPattern
from netlab.notation.parse import parse_packet
from netlab.scenario.schema import ExpectFile
from netlab.scenario.spec import Expectation, PacketsExpected
from netlab.units import Duration
from netlab.validate import validated
from netlab.yaml_nodes import Node

_MAPPINGS = ("states", "fds", "sockets", "listed", "queue", "counters", "memory", "drops", "tcp_info", "initial_numbers")
_ABOUT_PACKETS = ("at", "arrived", "including")


def read_expectation(node: Node, problems: list[Problem]) -> Expectation | None:
    """The expectation that a mapping says; None when it cannot be made out."""
    file, found = validated(ExpectFile, node)
    problems += found
    if file is None:
        return None
    expectation = _changed(Expectation(), file, problems)
    if not found:
        _check(node, file, expectation, problems)
    return expectation


def read_document(node: Node, expected: Expectation, problems: list[Problem]) -> Expectation | None:
    """What the document says, as an expectation: the keys given here replace those of what is expected."""
    file, found = validated(ExpectFile, node)
    problems += found
    if file is None:
        return None
    expectation = _changed(expected, file, problems)
    if not found:
        _check(node, file, expectation, problems)
    return expectation


def _changed(base: Expectation, file: ExpectFile, problems: list[Problem]) -> Expectation:
    given = file.model_fields_set
    changes: dict[str, Any] = {key: getattr(file, key) for key in _MAPPINGS if key in given}
    if "timers" in given:
        changes["timers"] = {name: timer.model_dump(exclude_none=True) for name, timer in file.timers.items()}
    if "path" in given:
        changes["path"] = {name: tuple(states) for name, states in file.path.items()}
    changes |= {key: tuple(getattr(file, key)) for key in ("distinct", "same") if key in given}
    changes |= {key: Duration(getattr(file, key)) for key in ("within", "watch") if key in given}
    packets = _packets(base.packets, file, problems)
    return replace(base, packets=packets, **changes)


def _packets(base: PacketsExpected | None, file: ExpectFile, problems: list[Problem]) -> PacketsExpected | None:
    given = file.model_fields_set
    changes: dict[str, Any] = {"arrived": file.arrived} if "arrived" in given else {}
    if file.at is not None:
        changes["at"] = file.at
    if "including" in given:
        changes["including"] = frozenset(file.including)
    for key, texts in (("packets", file.packets), ("unordered", file.unordered)):
        if texts is not None:
            patterns = tuple(
                pattern for i in range(len(texts)) if (pattern := read_pattern(file.node.at(key), i, problems)) is not None
            )
            base = replace(base or PacketsExpected(patterns=()), patterns=patterns, unordered=key == "unordered")
    return replace(base, **changes) if base is not None else None


def read_pattern(listing: Node, index: int, problems: list[Problem]) -> PacketPattern | None:
    """The packet pattern at an index of a list."""
    text = listing.at(index).text or ""
    try:
        return parse_packet(text)
    except NotationError as error:
        message, fix, offset = error.message, error.fix, error.offset
        if listing.flow and text.count("<") > text.count(">") - len(re.findall(r"\s>\s", text)):
            message = f'the pattern is cut short by a comma inside of [...]: "{text}"'
            fix, offset = 'quote the pattern, in "..."', 0
        problems.append(listing.problem(index, message=message, fix=fix, offset=offset))
    return None


def _check(node: Node, file: ExpectFile, expectation: Expectation, problems: list[Problem]) -> None:
    given = file.model_fields_set
    packets = expectation.packets
    if not given:
        problems.append(node.problem(message="this expects nothing", fix="write for example packets: or states:"))
    if file.packets is not None and file.unordered is not None:
        problems.append(node.problem("unordered", message="packets and unordered exclude each other", fix="keep one", key=True))
    for key in _ABOUT_PACKETS:
        if key in given and packets is None:
            message = f'"{key}" says where or which packets to look for, and none are expected'
            problems.append(node.problem(key, message=message, fix="add packets:", key=True))
    if file.at is not None and file.arrived:
        problems.append(node.problem("arrived", message="at and arrived exclude each other", fix="keep one", key=True))
    none_expected = [key for key in ("packets", "unordered") if getattr(file, key) == []]
    if none_expected and not expectation.watch.ns:
        key = none_expected[0]
        message = "no packets are expected, but for how long is not said"
        problems.append(node.problem(key, message=message, fix="add for: 200ms", key=True))
    for key in ("distinct", "same"):
        if key in given and len(getattr(expectation, key)) < 2:
            problems.append(node.problem(key, message=f"{key} compares sockets, so it needs two at least"))
