"""Timelines to JSON and back, exactly, whatever is in them."""

from pathlib import Path
from typing import Any

import pytest
from hand_written import handshake, timeline
from hypothesis import given, settings
from hypothesis import strategies as st

from netlab.errors import SpecError
from netlab.timeline.observations import (
    CallReturned,
    CallStarted,
    Counters,
    Decision,
    DescriptorTable,
    KernelMemory,
    ListedInodes,
    Named,
    Packet,
    ProgramEnded,
    SocketCounts,
    SocketEntry,
    SocketState,
    SocketTable,
    SourceReport,
    StepBegan,
    StepEnded,
)
from netlab.timeline.store import from_json, load, save, to_json
from netlab.timeline.timeline import Node, Timeline

_NUMBERS = st.integers(-(2**63), 2**63 - 1)
_TEXTS = st.text(max_size=5)
_PLAIN = st.recursive(
    st.none() | st.booleans() | _NUMBERS | _TEXTS,
    lambda some: st.lists(some, max_size=3) | st.dictionaries(_TEXTS, some, max_size=3),
    max_leaves=5,
)
_ADDRESSES = st.tuples(_TEXTS, st.integers(0, 65535))
_BY_FIELD: dict[str, st.SearchStrategy[Any]] = {
    "out": _PLAIN,
    "data": st.binary(max_size=20),
    "local": _ADDRESSES,
    "remote": _ADDRESSES,
    "table": st.dictionaries(st.integers(0, 2**31), _TEXTS, max_size=3),
    "values": st.dictionaries(_TEXTS, _NUMBERS, max_size=3),
    "counts": st.dictionaries(_TEXTS, _NUMBERS, max_size=3),
    "sizes": st.dictionaries(_TEXTS, _NUMBERS, max_size=3),
    "tables": st.dictionaries(_TEXTS, st.lists(_NUMBERS, max_size=3).map(tuple), max_size=3),
    "caches": st.dictionaries(_TEXTS, st.dictionaries(_TEXTS, _NUMBERS, max_size=2), max_size=2),
    "stack": st.lists(_TEXTS, max_size=3).map(tuple),
    "argv": st.lists(_TEXTS, max_size=3).map(tuple),
    "checksum_valid": st.booleans(),
}
_KINDS = (
    StepBegan, StepEnded, CallStarted, CallReturned, Named, ProgramEnded, Packet, SocketState, SocketTable, DescriptorTable,
    SocketCounts, Counters, ListedInodes, KernelMemory, Decision,
)  # fmt: skip


def records(kind: Any) -> st.SearchStrategy[Any]:
    """Any record of a kind; a field is a number or a text by its annotation, unless it is named above."""
    entries = st.lists(records(SocketEntry), max_size=2).map(tuple) if kind is SocketTable else st.nothing()
    by_type: dict[Any, st.SearchStrategy[Any]] = {int: _NUMBERS, str: _TEXTS}
    fields = {
        name: entries if name == "entries" else _BY_FIELD[name] if name in _BY_FIELD else by_type[annotation]
        for base in reversed(kind.__mro__)
        for name, annotation in getattr(base, "__annotations__", {}).items()
        if not name.startswith("__")
    }
    return st.builds(kind, **fields)


@settings(max_examples=80, deadline=None)
@given(observations=st.lists(st.one_of([records(kind) for kind in _KINDS]), max_size=4), slack=_NUMBERS, lost=_NUMBERS)
def test_every_timeline_comes_back_as_it_was(observations: list[Any], slack: int, lost: int) -> None:
    whole = Timeline(
        observations=tuple(observations),
        sources=(SourceReport(name="packets", available=True, seen=3, lost=lost),),
        nodes={"client": Node(kind="host", addresses={"eth0": ("10.0.0.1",)})},
        slack=slack,
    )
    assert from_json(to_json(whole)) == whole
    assert from_json(to_json(whole, indent=2)) == whole


def test_a_file(tmp_path: Path) -> None:
    save(timeline(handshake()), tmp_path / "t.json")
    assert load(tmp_path / "t.json") == timeline(handshake())


def test_what_is_no_timeline_is_refused_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"^t\.json:2:7: this is no timeline: JSON is malformed"):
        from_json(b'{\n  "a":?}', "t.json")
    with pytest.raises(SpecError, match=r"t\.json:1:1: .*Expected `int`, got `str` - at `\$\.slack`"):
        from_json(b'{"slack": "x"}', "t.json")
    with pytest.raises(SpecError, match=r"Invalid value 'nonsense' - at `\$\.observations\[0\]\.kind`"):
        from_json(b'{"observations": [{"kind": "nonsense", "time": 1}]}')
    with pytest.raises(SpecError, match=r"none\.json:1:1: cannot be read: No such file"):
        load(tmp_path / "none.json")
