"""Functions by their addresses, in a table written by hand: the kernel's own in order, those of modules in none."""

from pathlib import Path

import pytest

from netlab.observe.kallsyms import FunctionNames, function_addresses

TABLE = """\
0000000000000000 A per_cpu_start
ffffffff81000000 T _stext
ffffffff81000100 t tcp_timer.llvm.123
ffffffff81000200 d some_data
ffffffff81000300 T not_tcp_timer
ffffffff81000400 D end_of_all
ffffffffc0002000 t late\t[module]
ffffffffc0001000 t early\t[module]
"""


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "kallsyms"
    path.write_text(TABLE)
    return path


@pytest.mark.parametrize(
    ("address", "name"),
    [
        (0xFFFFFFFF81000000, "_stext"),
        (0xFFFFFFFF810000FF, "_stext"),
        (0xFFFFFFFF81000101, "tcp_timer"),
        (0xFFFFFFFF81000210, "tcp_timer"),
        (0xFFFFFFFF81000300, "not_tcp_timer"),
        (0xFFFFFFFFC0001FFF, "early"),
        (0xFFFFFFFFC0002000, "late"),
        (0x10, ""),
    ],
)
def test_an_address_lies_in_the_last_function_before_it(table: Path, address: int, name: str) -> None:
    assert FunctionNames(table)[address] == name


def test_a_function_is_found_by_its_whole_name(table: Path) -> None:
    assert function_addresses(("tcp_timer", "timer", "end_of_all"), table) == {"tcp_timer": 0xFFFFFFFF81000100}


def test_hidden_addresses_name_nothing(tmp_path: Path) -> None:
    path = tmp_path / "kallsyms"
    path.write_text("".join(f"{0:016x} {line.split(maxsplit=1)[1]}\n" for line in TABLE.splitlines()))
    assert FunctionNames(path)[0xFFFFFFFF81000100] == ""
    assert function_addresses(("_stext",), path) == {}
    assert FunctionNames(tmp_path / "missing")[0xFFFFFFFF81000100] == ""
