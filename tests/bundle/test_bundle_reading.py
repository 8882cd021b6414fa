"""What is read from a bundle's file is what was written; whatever is damaged, hostile or too new is refused, with the reason."""

import json
import os
import struct
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from bundles import PROGRAM, bundle, files, result, run_of

from netlab.bundle import layout
from netlab.bundle.reading import read
from netlab.bundle.writing import dumps, save
from netlab.errors import SpecError
from netlab.report.json import loads

Members = dict[str, bytes]


@pytest.fixture
def whole(tmp_path: Path) -> bytes:
    path = files(tmp_path / "there")
    return dumps(bundle(path, mtu="1400"), run_of(result(path)))


def members(data: bytes) -> Members:
    with zipfile.ZipFile(BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(parts: Members, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return stream.getvalue()


def refused(tmp_path: Path, data: bytes) -> str:
    path = tmp_path / "x.netlab"
    path.write_bytes(data)
    with pytest.raises(SpecError) as told:
        read(str(path))
    text = str(told.value)
    assert text.startswith(f"{path}: ")
    return text.removeprefix(f"{path}: ")


def test_what_is_read_is_what_was_written(tmp_path: Path) -> None:
    path = files(tmp_path / "there")
    made, ran = bundle(path, mtu="1400"), run_of(result(path))
    save(made, str(tmp_path / "x.netlab"), ran)
    assert read(str(tmp_path / "x.netlab")) == made
    held = members((tmp_path / "x.netlab").read_bytes())
    assert loads(held[layout.RESULT]) == ran
    assert held[layout.PACKETS].startswith(b"\x0a\x0d\x0d\x0a")


def test_the_same_failure_gives_the_same_bytes(tmp_path: Path) -> None:
    path = files(tmp_path)
    first, second = (dumps(bundle(path, mtu="1400"), run_of(result(path))) for _ in range(2))
    assert first == second


def test_other_tools_can_open_it(whole: bytes) -> None:
    there = members(whole)
    assert list(there) == [
        "bundle.json",
        "files/base/motd.txt",
        "files/base/nodes.yaml",
        "files/lossy.scenario.yaml",
        "files/pair.yaml",
        "programs/client.py",
        "result.json",
        "packets.pcapng",
    ]
    manifest = json.loads(there["bundle.json"])
    assert (manifest["format"], manifest["seed"], manifest["failed"]["claim"]) == (1, 7, "lossy")
    assert there["programs/client.py"] == PROGRAM


def test_a_file_that_could_not_be_written_leaves_the_one_before(tmp_path: Path) -> None:
    path = files(tmp_path / "there")
    made = bundle(path)
    with pytest.raises(FileNotFoundError):
        save(made, str(tmp_path / "nowhere" / "x.netlab"))
    (tmp_path / "x.netlab").mkdir()
    with pytest.raises(IsADirectoryError):
        save(made, str(tmp_path / "x.netlab"))
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["there", "x.netlab"]


def test_a_file_is_replaced_where_a_link_leads_and_nothing_else_is(tmp_path: Path) -> None:
    made = bundle(files(tmp_path / "there"))
    (tmp_path / "old").write_text("old")
    (tmp_path / "link").symlink_to("old")
    save(made, str(tmp_path / "link"))
    assert (tmp_path / "link").is_symlink()
    assert read(str(tmp_path / "old")) == made
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FileExistsError, match="no regular file"):
        save(made, str(tmp_path / "pipe"))
    assert (tmp_path / "pipe").is_fifo()


def test_a_byte_changed_anywhere_in_a_member_is_noticed(tmp_path: Path, whole: bytes) -> None:
    with zipfile.ZipFile(BytesIO(whole)) as archive:
        infos = archive.infolist()
    for info in infos:
        at = info.header_offset + 30 + len(info.filename) + info.compress_size // 2
        damaged = whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :]
        assert refused(tmp_path, damaged).startswith("the bundle is damaged"), info.filename


def test_a_file_that_was_cut_short_is_refused_wherever(tmp_path: Path, whole: bytes) -> None:
    assert refused(tmp_path, b"") == "this is no bundle; netlab-ns run FILE --bundle FILE writes one"
    for length in (4, 20, len(whole) // 2, len(whole) - 23, len(whole) - 1):
        assert refused(tmp_path, whole[:length]) == "the bundle is damaged: its end is missing; fetch or write it again"


def test_what_is_no_bundle_at_all(tmp_path: Path) -> None:
    assert refused(tmp_path, b"# YAML\nnodes: {}\n").startswith("this is no bundle")
    assert refused(tmp_path, packed({"result.json": b"{}"})).startswith("this is no bundle: it has no bundle.json")
    with pytest.raises(SpecError, match="nowhere: cannot be read: No such file or directory"):
        read(str(tmp_path / "nowhere"))
    with pytest.raises(SpecError, match="cannot be read: Is a directory"):
        read(str(tmp_path))


def test_one_of_a_later_format_is_refused_whatever_else_it_holds(tmp_path: Path) -> None:
    manifest = {"format": 2, "netlab": "9.1", "news": {"anything": [1, 2]}}
    told = refused(tmp_path, packed({"bundle.json": json.dumps(manifest).encode()}))
    assert told == (
        "the bundle was written by netlab 9.1, in format 2; this one reads formats up to 1; replay it with that version"
    )


@pytest.mark.parametrize(
    "name",
    [
        "files/../../etc/cron.d/x",
        "files//etc/passwd",
        "programs/../x",
        "files/a\\..\\b",
        "../x",
        "/etc/passwd",
        "other",
        "files/",
        "FILES/x",
    ],
)
def test_a_member_that_would_lie_elsewhere_is_refused(name: str, tmp_path: Path, whole: bytes) -> None:
    told = refused(tmp_path, packed({**members(whole), name: b""}))
    assert told.startswith("this is no bundle that netlab wrote: ")
    assert told.endswith("do not trust where it came from")


def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path: Path, whole: bytes) -> None:
    told = refused(tmp_path, packed({**members(whole), "files/zeros": bytes(layout.LARGEST_TEXT + 1)}))
    assert "the member 'files/zeros' would have 4,194,305 bytes, at most 4,194,304 are allowed" in told
    many = {f"files/{number}": bytes(layout.LARGEST_TEXT) for number in range(65)}
    assert "its members would have 27" in refused(tmp_path, packed({**members(whole), **many}))


def test_a_bomb_that_lies_about_its_size_is_refused(tmp_path: Path, whole: bytes) -> None:
    bomb = packed({**members(whole), "files/zeros": bytes(3 << 20)})
    true, false = struct.pack("<I", 3 << 20), struct.pack("<I", 100)
    assert bomb.count(true) == 2
    assert refused(tmp_path, bomb.replace(true, false)).startswith("the bundle is damaged")


def test_more_members_than_a_bundle_has_are_refused(tmp_path: Path, whole: bytes) -> None:
    many = {f"files/{number}": b"" for number in range(1000)}
    assert "it lists 1008 members" in refused(tmp_path, packed({**members(whole), **many}))


def test_a_member_that_is_there_twice_is_refused(tmp_path: Path, whole: bytes) -> None:
    stream = BytesIO(whole)
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(stream, "a") as archive:
        archive.writestr("files/pair.yaml", "nodes: {}")
    assert "the member 'files/pair.yaml' is there twice" in refused(tmp_path, stream.getvalue())


def test_another_method_of_compression_is_refused(tmp_path: Path, whole: bytes) -> None:
    assert "compressed by another method" in refused(tmp_path, packed(members(whole), zipfile.ZIP_LZMA))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda manifest: manifest.update(format=0), "there is no format 0"),
        (lambda manifest: manifest.update(capture_buffer=1 << 40), "Expected `int` <= 1073741824 - at `$.capture_buffer`"),
        (lambda manifest: manifest.update(timeout=-1), "Expected `int` >= 0 - at `$.timeout`"),
        (lambda manifest: manifest["decisions"][0].update(values={"delay": 1 << 60}), "the delay of the packet 'client>server:80"),
        (
            lambda manifest: manifest["decisions"][0].update(values={"bit": -1}),
            "the bit of the packet 'client>server:80 #1 S 1' is -1",
        ),
        (lambda manifest: manifest.pop("seed"), "missing required field `seed`"),
        (lambda manifest: manifest.update(seed="7"), r"Expected `int`, got `str` - at `$.seed`"),
        (lambda manifest: manifest.update(also=1), "unknown field `also`"),
        (lambda manifest: manifest["decisions"][0].pop("link"), "missing required field `link` - at `$.decisions[0]`"),
        (lambda manifest: manifest.update(file="gone.yaml"), "'gone.yaml' is missing"),
        (lambda manifest: manifest["programs"].update(gone={"word": "x", "executable": True}), "'gone' is missing"),
        (lambda manifest: manifest["programs"].clear(), "does not name the program 'client.py'"),
    ],
)
def test_a_manifest_that_is_wrong_is_refused(
    change: Callable[[dict[str, object]], object], said: str, tmp_path: Path, whole: bytes
) -> None:
    there = members(whole)
    manifest = json.loads(there["bundle.json"])
    change(manifest)
    there["bundle.json"] = json.dumps(manifest).encode()
    assert said in refused(tmp_path, packed(there))


def test_a_seed_is_as_large_as_anyone_gives(tmp_path: Path, whole: bytes) -> None:
    there = members(whole)
    there["bundle.json"] = there["bundle.json"].replace(b'"seed": 7', b'"seed": 1%s' % (b"0" * 40))
    (tmp_path / "x.netlab").write_bytes(packed(there))
    made = read(str(tmp_path / "x.netlab"))
    assert made.seed == 10**40
    save(made, str(tmp_path / "y.netlab"))
    assert read(str(tmp_path / "y.netlab")) == made


def test_a_text_that_is_no_text_is_refused(tmp_path: Path, whole: bytes) -> None:
    assert "can't decode byte 0xff" in refused(tmp_path, packed({**members(whole), "files/pair.yaml": b"\xff\xfe"}))
