"""The layout's cache: written whole, believed only when it is sound and ours, never missed."""

import json
import os
from pathlib import Path

import pytest

from netlab.errors import HostError
from netlab.observe.kallsyms import addresses_shown, function_addresses
from netlab.observe.layout import BTF_PATH, Enumerator, Member, cache_folder, read_layout

ASKED = (Enumerator(name="TCP_LISTEN"), Member(struct="sock", path="no_such_member"))
ANSWERS = {"TCP_LISTEN": 10, "sock.no_such_member": None}

needs_btf = pytest.mark.skipif(not BTF_PATH.exists(), reason=f"btf: no {BTF_PATH}")


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    notes = tmp_path / "notes"
    notes.write_bytes(b"a kernel's build")
    return notes


@needs_btf
def test_asked_once_then_read_from_the_cache(tmp_path: Path, notes: Path) -> None:
    cache = tmp_path / "cache"
    assert read_layout(ASKED, cache=cache, notes=notes).answers == ANSWERS
    assert [json.loads(file.read_text()) for file in cache.iterdir()] == [ANSWERS]
    assert read_layout(ASKED, cache=cache, notes=notes, btf=Path("/nonexistent")).answers == ANSWERS


@needs_btf
def test_another_kernel_is_asked_anew(tmp_path: Path, notes: Path) -> None:
    read_layout(ASKED, cache=tmp_path / "cache", notes=notes)
    notes.write_bytes(b"another")
    with pytest.raises(HostError, match="no kernel type information"):
        read_layout(ASKED, cache=tmp_path / "cache", notes=notes, btf=Path("/nonexistent"))


@needs_btf
@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"TCP_LISTEN": 10}', b'{"TCP_LISTEN": "x", "sock.no_such_member": null}'])
def test_a_damaged_cache_is_ignored_and_mended(tmp_path: Path, notes: Path, damage: bytes) -> None:
    cache = tmp_path / "cache"
    read_layout(ASKED, cache=cache, notes=notes)
    [file] = cache.iterdir()
    file.write_bytes(damage)
    assert read_layout(ASKED, cache=cache, notes=notes).answers == ANSWERS
    assert [json.loads(file.read_text()) for file in cache.iterdir()] == [ANSWERS]


@needs_btf
def test_a_cache_that_others_can_write_is_not_believed(tmp_path: Path, notes: Path) -> None:
    cache = tmp_path / "cache"
    read_layout(ASKED, cache=cache, notes=notes)
    [file] = cache.iterdir()
    file.write_text(json.dumps({**ANSWERS, "TCP_LISTEN": 11}))
    file.chmod(0o666)
    assert read_layout(ASKED, cache=cache, notes=notes).answers == ANSWERS


@needs_btf
def test_no_place_for_a_cache_is_no_error(tmp_path: Path, notes: Path) -> None:
    (tmp_path / "file").write_text("")
    assert read_layout(ASKED, cache=None, notes=notes).answers == ANSWERS
    assert read_layout(ASKED, cache=tmp_path / "file" / "cache", notes=notes).answers == ANSWERS
    assert read_layout(ASKED, cache=tmp_path / "cache", notes=tmp_path / "missing").answers == ANSWERS
    assert not (tmp_path / "cache").exists()


@needs_btf
def test_what_a_kernel_lacks_is_named(notes: Path) -> None:
    layout = read_layout(ASKED, cache=None, notes=notes)
    assert layout[ASKED[0]] == 10
    with pytest.raises(HostError, match=r"no sock\.no_such_member"):
        _ = layout[ASKED[1]]


def test_the_folder_follows_the_xdg_convention(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    assert cache_folder({"XDG_CACHE_HOME": "/elsewhere"}) == Path("/elsewhere/netlab-ns")
    assert cache_folder({"XDG_CACHE_HOME": "not/absolute"}) == Path("/home/ada/.cache/netlab-ns")
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    assert cache_folder({}) is None


def test_addresses_come_from_kallsyms(tmp_path: Path) -> None:
    symbols = tmp_path / "kallsyms"
    symbols.write_text("ffff01 t __pfx_aim\nffff02 t aim\nffff03 t aim.cold\nffff04 d other\nffff05 T more.llvm.123\n")
    assert function_addresses(("aim", "more", "other"), symbols) == {"aim": 0xFFFF02, "more": 0xFFFF05}
    assert addresses_shown(symbols)


def test_hidden_addresses_are_none(tmp_path: Path) -> None:
    symbols = tmp_path / "kallsyms"
    symbols.write_text("0000000000000000 T aim\n")
    assert function_addresses(("aim",), symbols) == {}
    assert not addresses_shown(symbols)
    assert not addresses_shown(tmp_path / "missing")
