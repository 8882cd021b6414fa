"""bpf(2): maps hold what is put in, and the verifier's own words come with a rejected program."""

import os

import pytest

from netlab.errors import HostError, LabError
from netlab.observe.assembler import R0, R1, Assembler
from netlab.observe.bpf import Map, MapKind, Program, load
from netlab.observe.tier import Tier

pytestmark = pytest.mark.bpf


def test_a_map_holds_what_is_put_in(tier: Tier) -> None:
    held = Map(kind=MapKind.HASH, key=4, value=8, entries=4, name="test")
    held[b"key1"] = b"12345678"
    assert (held.get(b"key1"), held.get(b"key2")) == (b"12345678", None)
    held.close()


def test_the_keys_of_a_map_and_what_is_taken_out(tier: Tier) -> None:
    held = Map(kind=MapKind.HASH, key=4, value=8, entries=4, name="test")
    assert list(held.keys()) == []
    for key in (b"key1", b"key2", b"key3"):
        held[key] = b"12345678"
    del held[b"key2"]
    assert sorted(held.keys()) == [b"key1", b"key3"]
    with pytest.raises(OSError, match="bpf MAP_DELETE"):
        del held[b"key2"]
    held.close()


def test_the_verifiers_log_is_in_the_error(tier: Tier) -> None:
    with pytest.raises(LabError, match=r"(?s)rejected netlab's program probe.*R0 invalid mem access"):
        load(Assembler().move_value(R0, 0).load(8, R1, R0, 0).exit().code())


def test_a_tracepoint_that_is_not_there_is_named_and_nothing_is_left(tier: Tier) -> None:
    before = os.listdir("/proc/self/fd")
    with pytest.raises(HostError, match="no tracepoint no_such_tracepoint"):
        Program("no_such_tracepoint", Assembler().exit().code())
    assert os.listdir("/proc/self/fd") == before
