"""The table of system calls, held against the kernel's own headers."""

import platform
import re
import struct
from pathlib import Path

import pytest

from netlab.errors import HostError
from netlab.observe.call_layout import FORM, PLACE, Flag, form
from netlab.observe.call_names import CALLS, numbered

HEADERS = {
    "x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    "aarch64": Path("/usr/include/asm-generic/unistd.h"),
}


@pytest.mark.parametrize("machine", sorted(HEADERS))
def test_the_numbers_are_those_of_the_headers(machine: str) -> None:
    header = HEADERS[machine]
    if not header.exists():
        pytest.skip(f"no {header}: install linux-libc-dev (on x86_64)")
    # The generic header has fcntl and sendfile under a name that the machine's word length chooses.
    found = re.findall(r"^#define __NR(?:3264)?_(\w+)\s+(\d+)$", header.read_text(), re.MULTILINE)
    numbers = {name: int(number) for name, number in found}
    ours = {call.name: number for number, call in numbered(machine).items()}
    assert {name: numbers.get(name) for name in ours} == ours
    absent = {call.name for call in CALLS} - ours.keys()
    assert absent == ({"dup2", "poll", "select", "epoll_create", "epoll_wait", "fork", "vfork"} if machine == "aarch64" else set())


def test_no_other_machine_is_guessed() -> None:
    with pytest.raises(HostError, match="not on riscv64"):
        numbered("riscv64")


@pytest.mark.skipif(platform.machine() not in HEADERS, reason="the table is for x86_64 and aarch64")
def test_a_form_has_the_places_of_the_arguments() -> None:
    places = (112, 104, 96, 56, 72, 64)
    calls = {call.name: form(call, places) for call in CALLS}

    def place(call: str, name: str) -> int:
        return int(struct.unpack_from("=H", calls[call], PLACE[name])[0])

    assert {len(each) for each in calls.values()} == {FORM.size}
    assert (place("accept", "fd"), place("accept", "gave"), place("accept", "gave_count")) == (112, 104 - 56, 96 - 56)
    assert Flag(struct.unpack_from("=I", calls["accept"])[0]) == (
        Flag.WANTED | Flag.FD | Flag.MAKES | Flag.GAVE | Flag.GAVE_MEASURED
    )
    assert (place("connect", "given"), place("connect", "given_count"), place("connect", "given_unit")) == (104, 96, 1)
    assert (place("poll", "given_unit"), place("poll", "given_count")) == (8, 104)
