"""Makes the file out of what a search found, and runs that very file to see that it fails in the same way. It writes nothing."""

import os
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

import netlab
from netlab.bundle.spec import Bundle, Program
from netlab.shrink.impairments import merged
from netlab.shrink.opening import FILE, named
from netlab.shrink.shrinking import Shrinking
from netlab.shrink.telling import intent, sentence, size_words
from netlab.shrink.written import written


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """The file's ``text``; ``same`` of ``runs`` runs of it failed in the same way. ``said`` is what the failure takes, ``size``
    what is left; ``programs`` are the words that name programs of the bundle, and whether each is here as it was."""

    text: str
    said: str
    size: str
    same: int
    runs: int
    programs: tuple[tuple[str, bool], ...]


def finished(search: Shrinking, source: str, *, minimal: bool) -> Finished:
    """The file of the best that a search found; ``source`` is the bundle's name, ``minimal``: the search ended by itself."""
    best = search.settled()
    left = replace(best.candidate, data=merged(best.candidate.data))
    bundle, data = search.bundle, named(left.data, search.original)
    files = {FILE: written(data)}
    if isinstance(data["topology"], str):
        shipped = Path(netlab.__file__).parent / "topologies" / f"{data['topology']}.yaml"
        files[shipped.name] = shipped.read_text(encoding="utf-8")
    closed = msgspec.structs.replace(bundle, files=files, file=FILE, decisions=(), settings={}, rules=())
    proved = search.proved(closed, soon=not minimal)
    said = sentence(search.clauses(), left.data, minimal=minimal, exact=not search.inexact)
    comment = intent(said, search.failed_in(proved.result), source, same=proved.same, runs=proved.runs, minimal=minimal)
    return Finished(
        text=written(data, comment),
        said=said,
        size=size_words(left.size),
        same=proved.same,
        runs=proved.runs,
        programs=tuple((program.word, _here(program)) for program in _used(bundle, files[FILE])),
    )


def _used(bundle: Bundle, text: str) -> list[Program]:
    return [program for program in bundle.programs.values() if program.word in text]


def _here(program: Program) -> bool:
    try:
        return os.path.getsize(program.word) == len(program.data) and Path(program.word).read_bytes() == program.data
    except OSError:
        return False
