"""Reads a bundle's file, strictly: what is damaged, hostile, or too new is refused, with what is wrong with it.

Nothing is unpacked to disk here, and no more is taken into memory than a bundle may hold. It does not load the scenario.
"""

import os
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

import msgspec

from netlab.bundle import layout
from netlab.bundle.spec import FORMAT, Bundle, Program, name_problem
from netlab.errors import Place, Problem, SpecError

_CHUNK = 1 << 20
_END = struct.Struct("<4sHHHHIIH")
_LOCATOR = 20
"""The size of what stands before the end where an archive has more than the classic format can say (4.3.15)."""
_ENCRYPTED = 0x1
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_RECORDS = (layout.RESULT, layout.PACKETS)
_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, LookupError, OverflowError)


class _RefusedError(Exception):
    """Why a file is not taken for a bundle, and the fix."""


def read(path: str) -> Bundle:
    """The bundle in a file. Raises SpecError if it cannot be read, is no bundle, is damaged in any part, or is too new."""
    try:
        with open(path, "rb") as stream, _refusing():
            if stream.read(4) != b"PK\x03\x04":
                raise _RefusedError("this is no bundle", "netlab-ns run FILE --bundle FILE writes one")
            _directory(stream)
            with zipfile.ZipFile(stream) as archive:
                return _bundle(archive, _members(archive))
    except OSError as error:
        raise SpecError(Problem(Place(path, 0, 0), f"cannot be read: {error.strerror or error}")) from None
    except _RefusedError as error:
        raise SpecError(Problem(Place(path, 0, 0), *map(str, error.args))) from None


@contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except _DAMAGED as error:
        raise _RefusedError(f"the bundle is damaged: {error}", "fetch or write it again") from None


def _directory(stream: BinaryIO) -> None:
    """Look at the record that ends the archive (APPNOTE.TXT 4.3.16) before all that it lists is taken into memory."""
    end = stream.seek(0, os.SEEK_END)
    stream.seek(max(0, end - _LOCATOR - _END.size))
    tail = stream.read()
    if len(tail) != _LOCATOR + _END.size or tail[_LOCATOR:][:4] != b"PK\x05\x06":
        raise _RefusedError("the bundle is damaged: its end is missing", "fetch or write it again")
    _, _, _, _, members, size, _, _ = _END.unpack_from(tail, _LOCATOR)
    if tail[:4] == b"PK\x06\x07" or members > layout.MOST_MEMBERS or size > layout.LARGEST_DIRECTORY:
        raise _hostile(f"it lists {members} members in {size:,} bytes, at most {layout.MOST_MEMBERS} are allowed")


def _members(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """The members by name, each of a name and size that a bundle's may have."""
    members: dict[str, zipfile.ZipInfo] = {}
    kept = 0
    for info in archive.infolist():
        name = info.filename
        largest = _largest(name)
        if name in members:
            raise _hostile(f"the member {name!r} is there twice")
        if info.flag_bits & _ENCRYPTED or info.compress_type not in _METHODS:
            raise _hostile(f"the member {name!r} is encrypted, or compressed by another method than bundles are")
        if info.file_size > largest:
            raise _hostile(f"the member {name!r} would have {info.file_size:,} bytes, at most {largest:,} are allowed")
        kept += 0 if name in _RECORDS else info.file_size
        members[name] = info
    if kept > layout.MOST_IN_MEMORY:
        raise _hostile(f"its members would have {kept:,} bytes, at most {layout.MOST_IN_MEMORY:,} are allowed")
    if layout.MANIFEST not in members:
        raise _RefusedError(f"this is no bundle: it has no {layout.MANIFEST}", "netlab-ns run FILE --bundle FILE writes one")
    return members


def _largest(name: str) -> int:
    if name == layout.MANIFEST:
        return layout.LARGEST_MANIFEST
    if name in _RECORDS:
        return layout.LARGEST_RECORD
    for folder, largest in ((layout.FILES, layout.LARGEST_TEXT), (layout.PROGRAMS, layout.LARGEST_PROGRAM)):
        if name.startswith(folder):
            if problem := name_problem(name.removeprefix(folder)):
                raise _hostile(f"the member {name!r} has a name that it should not have: {problem}")
            return largest
    raise _hostile(f"it has a member {name!r}, which no bundle has")


def _bundle(archive: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo]) -> Bundle:
    manifest = _manifest(_held(archive, members[layout.MANIFEST]))
    files: dict[str, str] = {}
    programs: dict[str, Program] = {}
    for name, info in members.items():
        if name.startswith(layout.FILES):
            files[name.removeprefix(layout.FILES)] = _held(archive, info).decode()
        elif name.startswith(layout.PROGRAMS):
            short = name.removeprefix(layout.PROGRAMS)
            if short not in manifest.programs:
                raise _hostile(f"its manifest does not name the program {short!r}")
            entry = manifest.programs[short]
            programs[short] = Program(word=entry.word, data=_held(archive, info), executable=entry.executable)
        elif name in _RECORDS:
            _sound(archive, info)
    if missing := [*(manifest.programs.keys() - programs.keys()), *({manifest.file} - files.keys())]:
        raise _RefusedError(f"the bundle is damaged: {missing[0]!r} is missing", "fetch or write it again")
    return Bundle(
        files=files,
        file=manifest.file,
        scenario=manifest.scenario,
        seed=manifest.seed,
        decisions=manifest.decisions,
        failed=manifest.failed,
        host=manifest.host,
        netlab=manifest.netlab,
        versions=manifest.versions,
        rules=manifest.rules,
        programs=programs,
        settings=manifest.settings,
        timeout=manifest.timeout,
        capture_buffer=manifest.capture_buffer,
        strict=manifest.strict,
    )


def _manifest(data: bytes) -> layout.Manifest:
    head = msgspec.json.decode(data, type=layout.Head)
    if head.format > FORMAT:
        why = f"the bundle was written by netlab {head.netlab}, in format {head.format}; this one reads formats up to {FORMAT}"
        raise _RefusedError(why, "replay it with that version")
    if head.format < 1:
        raise _hostile(f"there is no format {head.format}")
    manifest = msgspec.json.decode(data, type=layout.Manifest)
    for decision in manifest.decisions:
        for name, value in decision.values.items():
            if not 0 <= value < layout.MOST_OF_A_VALUE:
                raise _hostile(f"the {name} of the packet {decision.key!r} is {value}")
    return manifest


def _held(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """A member's bytes, with their checksum verified; never more than it says that it has, which was looked at before."""
    with archive.open(info) as member:
        data = member.read(info.file_size + 1)
        if len(data) != info.file_size or member.read(1):
            raise _RefusedError(f"the bundle is damaged: {info.filename} is not as long as it says", "fetch or write it again")
    return data


def _sound(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> None:
    """Verify a member's checksum without keeping it."""
    with archive.open(info) as member:
        while member.read(_CHUNK):
            pass


def _hostile(why: str) -> _RefusedError:
    return _RefusedError(f"this is no bundle that netlab wrote: {why}", "do not trust where it came from")
