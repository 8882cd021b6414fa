"""Writes a bundle as one file: the same bundle and result give the same bytes. It does not know what they mean."""

import errno
import os
import stat
import zipfile
from io import BytesIO

import msgspec

from netlab.bundle import layout
from netlab.bundle.spec import FORMAT, Bundle
from netlab.check.result import RunResult
from netlab.report import json, pcapng

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the first time that a zip archive can have
_UNIX = 3


def dumps(bundle: Bundle, result: RunResult | None = None) -> bytes:
    """The bundle's file. ``result`` is the run in which its scenario failed; None leaves the timeline and the packets out.

    Raises ValueError for what ``reading`` would refuse for its size.
    """
    manifest = layout.Manifest(
        format=FORMAT,
        netlab=bundle.netlab,
        scenario=bundle.scenario,
        file=bundle.file,
        failed=bundle.failed,
        seed=bundle.seed,
        settings=bundle.settings,
        timeout=bundle.timeout,
        capture_buffer=min(bundle.capture_buffer, layout.LARGEST_BUFFER),
        strict=bundle.strict,
        rules=bundle.rules,
        decisions=bundle.decisions,
        programs={
            name: layout.ProgramEntry(word=one.word, executable=one.executable) for name, one in sorted(bundle.programs.items())
        },
        host=bundle.host,
        versions=bundle.versions,
    )
    text = msgspec.json.format(msgspec.json.encode(manifest, order="deterministic"), indent=2) + b"\n"
    members = {layout.MANIFEST: (text, layout.LARGEST_MANIFEST)}
    members |= {layout.FILES + name: (held.encode(), layout.LARGEST_TEXT) for name, held in sorted(bundle.files.items())}
    members |= {layout.PROGRAMS + name: (one.data, layout.LARGEST_PROGRAM) for name, one in sorted(bundle.programs.items())}
    if result is not None:
        members[layout.RESULT] = json.dumps(result), layout.LARGEST_RECORD
        members[layout.PACKETS] = pcapng.dumps(result), layout.LARGEST_RECORD
    stream = BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for name, (data, largest) in members.items():
            if len(data) > largest:
                raise ValueError(f"{name} has {len(data) >> 20} MB, more than the {largest >> 20} MB that a bundle's may have")
            info = zipfile.ZipInfo(name, _EPOCH)
            info.compress_type, info.create_system = zipfile.ZIP_DEFLATED, _UNIX
            info.external_attr = (stat.S_IFREG | 0o644) << 16
            archive.writestr(info, data)
    return stream.getvalue()


def save(bundle: Bundle, path: str, result: RunResult | None = None) -> None:
    """Write the bundle's file, whole or not at all: a file that was there before stays until the new one is complete, and is then
    replaced; anything else (a device, a pipe) is not. Raises OSError, and ValueError as ``dumps`` does."""
    data = dumps(bundle, result)
    path = os.path.realpath(path)
    if os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path):
        raise FileExistsError(errno.EEXIST, "there is something that is no regular file", path)
    partial = f"{path}.{os.getpid()}.partial"
    try:
        with open(partial, "xb") as file:
            file.write(data)
        os.replace(partial, path)
    except OSError:
        if os.path.exists(partial):
            os.unlink(partial)
        raise
