import marshal
import os
import shutil
import subprocess
import sys
import threading
import zlib
from pathlib import Path

import pytest

from netlab.cache import LARGEST_ENTRY, MOST_ENTRIES, keep, recall

NOBODY = 65534
VALUE = {"text": "ä\udcff", "bytes": b"\0", "list": [1, (2, 3)], "none": None}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where entries go."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "netlab-ns" / "labs"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A file, as it was read from the folder that it is in."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    (folder / "net.yaml").write_text("one")
    (folder / "base.yaml").write_text("two")
    return "net.yaml"


def kept(file: str, value: object = VALUE) -> object:
    keep(file, {"hosts": "7"}, {file: Path(file).read_bytes(), "base.yaml": Path("base.yaml").read_bytes()}, value)
    return recall(file, {"hosts": "7"})


def test_what_is_kept_is_recalled_for_the_same_file_and_settings_only(folder: Path, file: str) -> None:
    assert recall(file, {}) is None
    assert kept(file) == VALUE
    assert recall(file, {}) is None
    assert recall(file, {"hosts": "8"}) is None
    assert recall(file, {"hosts": "7", "delay": "1ms"}) is None
    assert recall("base.yaml", {"hosts": "7"}) is None
    assert recall(os.path.join(os.getcwd(), file), {"hosts": "7"}) == VALUE
    assert len(list(folder.iterdir())) == 1
    assert [path.stat().st_mode & 0o777 for path in (folder.parent, folder, *folder.iterdir())] == [0o700, 0o700, 0o600]


def test_settings_in_another_order_are_the_same(folder: Path, file: str) -> None:
    keep(file, {"a": "1", "b": "2"}, {}, VALUE)
    assert recall(file, {"b": "2", "a": "1"}) == VALUE


def test_a_relative_name_means_the_file_of_this_folder(
    folder: Path, file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert kept(file) == VALUE
    shutil.copytree(tmp_path / "here", tmp_path / "there")
    monkeypatch.chdir(tmp_path / "there")
    assert recall(file, {"hosts": "7"}) is None


@pytest.mark.parametrize("changed", ["net.yaml", "base.yaml"])
@pytest.mark.parametrize("how", ["longer", "of the same size", "shorter", "gone", "a folder", "a pipe"])
def test_a_file_that_is_another_by_now(folder: Path, file: str, changed: str, how: str) -> None:
    assert kept(file) == VALUE
    path = Path(changed)
    before = path.stat()
    if how in ("gone", "a folder", "a pipe"):
        path.unlink()
    if how == "a folder":
        path.mkdir()
    elif how == "a pipe":
        os.mkfifo(path)
    elif how != "gone":
        path.write_text({"longer": "three", "of the same size": "six", "shorter": "a"}[how])
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert recall(file, {"hosts": "7"}) is None


def test_a_file_that_was_written_again_with_the_same_text(folder: Path, file: str) -> None:
    assert kept(file) == VALUE
    Path("new").write_text("two")
    Path("new").replace("base.yaml")
    assert recall(file, {"hosts": "7"}) == VALUE


def test_a_name_that_leads_to_another_file_by_now(folder: Path, file: str) -> None:
    Path("link.yaml").symlink_to("base.yaml")
    Path("same.yaml").write_text("two")
    for held in (b"two", None):  # None: it was not read, since it leads to a file that was
        keep(file, {}, {"link.yaml": held}, VALUE)
        assert recall(file, {}) == VALUE
        Path("link.yaml").unlink()
        Path("link.yaml").symlink_to("same.yaml")
        assert recall(file, {}) is None
        Path("link.yaml").unlink()
        Path("link.yaml").symlink_to("base.yaml")


@pytest.mark.parametrize("damage", ["empty", "cut short", "a bit", "more", "another format", "no entry", "folder", "pipe", "link"])
def test_an_entry_that_is_damaged_is_none_and_the_next_one_takes_its_place(folder: Path, file: str, damage: str) -> None:
    assert kept(file) == VALUE
    (entry,) = folder.iterdir()
    raw = entry.read_bytes()
    entry.unlink()
    if damage == "folder":
        entry.mkdir()
    elif damage == "pipe":
        os.mkfifo(entry)
    elif damage == "link":
        entry.symlink_to(folder / "nowhere")
    else:
        entry.write_bytes(
            {
                "empty": b"",
                "cut short": raw[:-7],
                "a bit": raw[:-9] + bytes([raw[-9] ^ 4]) + raw[-8:],
                "more": raw + b"\0",
                "another format": b"netlab cache 0\n" + raw[15:],
                "no entry": b"netlab cache 1\n" + crc(marshal.dumps((1, 2))) + marshal.dumps((1, 2)),
            }[damage]
        )
    assert recall(file, {"hosts": "7"}) is None
    if damage != "folder":
        assert kept(file) == VALUE


def crc(body: bytes) -> bytes:
    return zlib.crc32(body).to_bytes(4, "big")


def test_what_is_of_other_code_is_not_recalled(tmp_path: Path, file: str) -> None:
    # the package as it lies there, so that its files can be changed
    code = tmp_path / "code" / "netlab"
    (code / "topology").mkdir(parents=True)
    for name in ("__init__.py", "cache.py"):
        shutil.copy(Path(sys.modules["netlab"].__file__ or "").with_name(name), code / name)
    (code / "topology" / "plan.py").write_text("A = 1\n")

    def run(call: str) -> str:
        environment = {**os.environ, "PYTHONPATH": str(code.parent), "XDG_CACHE_HOME": str(tmp_path / "cache")}
        script = f"from netlab.cache import *; print({call})"
        command = [sys.executable, "-P", "-c", script]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.strip()

    (tmp_path / "cache").mkdir()
    for change in (
        lambda: (code / "topology" / "plan.py").write_text("A = 2\n"),
        lambda: (code / "topology" / "more.py").write_text(""),
        lambda: (code / "topology" / "more.py").unlink(),
        lambda: os.utime(code / "cache.py", ns=(1, 1)),
    ):
        run(f"keep({file!r}, {{}}, {{}}, 'kept')")
        assert run(f"recall({file!r}, {{}})") == "kept"
        change()
        assert run(f"recall({file!r}, {{}})") == "None"


class TestFolder:
    def test_without_xdg_cache_home_it_is_in_the_home(self, tmp_path: Path, file: str, monkeypatch: pytest.MonkeyPatch) -> None:
        home = tmp_path / "home"
        home.mkdir()
        monkeypatch.setenv("HOME", str(home))
        for said in (None, "", "cache"):
            if said is None:
                monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
            else:
                monkeypatch.setenv("XDG_CACHE_HOME", said)  # a relative one is to be ignored
            assert kept(file) == VALUE
            assert len(list((home / ".cache" / "netlab-ns" / "labs").iterdir())) == 1
            shutil.rmtree(home / ".cache")
        assert sorted(path.name for path in Path().iterdir()) == ["base.yaml", "net.yaml"]

    @pytest.mark.parametrize("home", [None, "", "home", "/nonexistent/home"])
    def test_without_a_home_nothing_is_kept(self, home: str | None, file: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
        if home is None:
            monkeypatch.delenv("HOME", raising=False)
        else:
            monkeypatch.setenv("HOME", home)
        assert kept(file) is None
        assert sorted(path.name for path in Path().iterdir()) == ["base.yaml", "net.yaml"]

    def test_where_nothing_can_be_written_nothing_is_kept(self, tmp_path: Path, file: str, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "a file").write_text("")
        for base in ("/proc/self/nowhere", str(tmp_path / "a file"), "/dev/null"):
            monkeypatch.setenv("XDG_CACHE_HOME", base)
            assert kept(file) is None

    @pytest.mark.parametrize("mode", [0o755, 0o710, 0o701, 0o777])
    def test_one_that_others_may_look_into_is_not_used(self, folder: Path, file: str, mode: int) -> None:
        assert kept(file) == VALUE
        folder.chmod(mode)
        assert recall(file, {"hosts": "7"}) is None
        keep(file, {"hosts": "8"}, {}, VALUE)
        assert len(list(folder.iterdir())) == 1

    def test_one_that_is_a_link_is_not_used(self, folder: Path, file: str) -> None:
        assert kept(file) == VALUE
        folder.rename(folder.parent / "elsewhere")
        folder.symlink_to("elsewhere")
        assert recall(file, {"hosts": "7"}) is None

    @pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give a folder to another user")
    def test_that_of_another_user_is_not_used(self, folder: Path, file: str) -> None:
        assert kept(file) == VALUE
        os.chown(folder, NOBODY, NOBODY)
        assert recall(file, {"hosts": "7"}) is None
        keep(file, {"hosts": "8"}, {}, VALUE)
        assert len(list(folder.iterdir())) == 1

    @pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give a folder to another user")
    def test_none_is_made_in_the_home_of_another_user(self, tmp_path: Path, file: str, monkeypatch: pytest.MonkeyPatch) -> None:
        home = tmp_path / "home"
        (home / ".cache").mkdir(parents=True)
        monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
        monkeypatch.setenv("HOME", str(home))
        os.chown(home / ".cache", NOBODY, NOBODY)
        assert kept(file) is None
        assert list(home.rglob("*")) == [home / ".cache"]
        (home / ".cache").rmdir()
        os.chown(home, NOBODY, NOBODY)
        assert kept(file) is None
        assert list(home.rglob("*")) == []

    def test_what_others_keep_beside_it_stays(self, folder: Path, file: str) -> None:
        folder.parent.mkdir(parents=True)
        other = folder.parent / "layout.json"
        other.write_text("{}")
        for number in range(MOST_ENTRIES + 3):
            keep(file, {"n": str(number)}, {}, number)
        assert other.read_text() == "{}"
        assert len(list(folder.iterdir())) == MOST_ENTRIES


def test_the_oldest_go_when_there_are_too_many(folder: Path, file: str) -> None:
    for number in range(MOST_ENTRIES):
        keep(file, {"n": str(number)}, {}, number)
        os.utime(max(folder.iterdir(), key=lambda path: path.stat().st_mtime_ns), (number + 1, number + 1))
    for number in range(MOST_ENTRIES, MOST_ENTRIES + 5):
        keep(file, {"n": str(number)}, {}, number)
    found = [recall(file, {"n": str(number)}) for number in range(MOST_ENTRIES + 5)]
    assert found == [None] * 5 + list(range(5, MOST_ENTRIES + 5))


def test_what_is_too_large_is_not_kept(folder: Path, file: str) -> None:
    keep(file, {}, {}, bytes(LARGEST_ENTRY))
    assert recall(file, {}) is None
    assert not folder.exists()


def test_what_is_no_plain_value_is_not_kept(folder: Path, file: str) -> None:
    keep(file, {}, {}, Path())
    assert recall(file, {}) is None


def test_while_many_write_a_reader_sees_a_whole_one_or_none(folder: Path, file: str) -> None:
    values = [{"writer": number, "text": str(number) * 100_000} for number in range(4)]
    over = threading.Event()

    def write(value: object) -> None:
        while not over.is_set():
            keep(file, {}, {}, value)

    writers = [threading.Thread(target=write, args=(value,)) for value in values]
    for writer in writers:
        writer.start()
    try:
        found = [recall(file, {}) for _ in range(300)]
    finally:
        over.set()
        for writer in writers:
            writer.join()
    assert all(one is None or one in values for one in found)
    assert recall(file, {}) in values
    assert len(list(folder.iterdir())) == 1
