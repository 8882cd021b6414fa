"""Finds the file of a topology that is named: by a path, or as one of those beside it, in ./topologies or in the package.

It reads none of them.
"""

import os

from netlab.errors import Place, Problem, SpecError

_SUFFIXES = (".yaml", ".yml")
_SHIPPED = os.path.join(os.path.dirname(os.path.dirname(__file__)), "topologies")
"""In a source tree, a link to the folder beside the package."""


def topology_file(name: str, beside: str | None = None, place: Place | None = None) -> str:
    """The file of a topology: a path (from the folder of the file ``beside``, then from here), or a name, sought there, in
    ./topologies and in the package. Raises SpecError, at ``place`` if given, when there is none."""
    own = [] if beside is None else [os.path.dirname(beside)]
    folders = [*own, "topologies", _SHIPPED]
    if is_path(name):
        candidates = [os.path.join(folder, name) for folder in [*own, ""]]
    else:
        candidates = [os.path.join(folder, name + suffix) for folder in folders for suffix in _SUFFIXES]
    for candidate in candidates:
        if os.path.isfile(candidate):
            return candidate
    where = place or Place(name, 1, 1)
    if is_path(name):
        raise SpecError(Problem(where, f"there is no topology file {name}"))
    raise SpecError(Problem(where, f'there is no topology "{name}"', _meant(name, folders)))


def is_path(name: str) -> bool:
    """Whether a topology is named by its path."""
    return "/" in name or name.endswith(_SUFFIXES)


def _meant(name: str, folders: list[str]) -> str:
    from netlab.validate import did_you_mean, named  # takes ten times as long to import as finding a file

    folders = [folder or "." for folder in folders]
    files = [os.path.splitext(file) for folder in folders if os.path.isdir(folder) for file in os.listdir(folder)]
    known = sorted({stem for stem, suffix in files if suffix in _SUFFIXES})
    return did_you_mean(name, known) or f"a name of a file in {named(dict.fromkeys(folders))}, or a path"
