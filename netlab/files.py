"""Which kind of file a YAML file is, by its top-level keys, and which files a command's paths stand for.

It reads no further than the top level: what the keys hold is the loaders' business.
"""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from netlab.errors import Place, Problem, SpecError

if TYPE_CHECKING:
    from netlab.scenario.spec import NotTested, Scenario

_SUFFIXES = (".yaml", ".yml")
SCENARIO_SUFFIX = ".scenario.yaml"
SHIPPED_SCENARIOS = os.path.join(os.path.dirname(__file__), "scenarios")


class Kind(Enum):
    """What a file holds."""

    TOPOLOGY = "topology"
    SCENARIO = "scenario"
    CLAIMS = "claims"
    OTHER = "something else"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A file, what it holds, and whether it was named by itself rather than found in a directory."""

    path: str
    kind: Kind
    named: bool


def kind_of(path: str) -> Kind:
    """What the file holds; SpecError if it cannot be read as YAML."""
    from netlab.document import Document

    data = Document.read(path).data
    keys = set(data) if isinstance(data, dict) else set()
    if "claims" in keys:
        return Kind.CLAIMS
    if "steps" in keys or path.endswith(SCENARIO_SUFFIX):
        return Kind.SCENARIO
    return Kind.TOPOLOGY if keys & {"nodes", "links", "include"} else Kind.OTHER


def found(paths: Iterable[str]) -> tuple[list[Found], list[Problem]]:
    """Every YAML file among the paths and below the directories among them, each once, in order; and what could not be read.

    A name that is no path is that of a scenario that netlab ships.
    """
    files: dict[str, bool] = {}
    for path in paths:
        if os.path.isdir(path):  # not Path.is_dir, which raises where a directory on the way may not be searched
            for inner in _below(Path(path)):
                files.setdefault(str(inner), False)
        else:
            files[path if os.path.exists(path) else shipped_scenario(path) or path] = True
    kinds: list[Found] = []
    problems: list[Problem] = []
    for file, named in files.items():
        try:
            kinds.append(Found(path=file, kind=kind_of(file), named=named))
        except SpecError as error:
            problems += [replace(one, fix=one.fix or _shipped_like(file)) for one in error.problems]
    return kinds, problems


def shipped_scenario(name: str) -> str:
    """The file of a scenario that the package brings ("drop-the-first-syn"), "" when it brings none of this name."""
    file = os.path.join(SHIPPED_SCENARIOS, f"{name}{SCENARIO_SUFFIX}")
    return file if name == os.path.basename(name) and os.path.isfile(file) else ""


def _shipped_like(name: str) -> str:
    """Which shipped scenario may have been meant by a name that is neither one nor a path; "" for a path."""
    if os.path.basename(name) != name or os.path.lexists(name):
        return ""
    from netlab.notation.spelling import did_you_mean

    wanted = name.removesuffix(SCENARIO_SUFFIX)
    return did_you_mean(wanted, (file.removesuffix(SCENARIO_SUFFIX) for file in sorted(os.listdir(SHIPPED_SCENARIOS))))


def shipped_claims() -> "tuple[tuple[Scenario, ...], tuple[NotTested, ...]]":
    """The documented model's claims that the package brings, and what of the model cannot be tested."""
    import netlab.model
    from netlab.scenario.load import load_claims

    scenarios: list[Scenario] = []
    not_tested: list[NotTested] = []
    for folder in netlab.model.__path__:
        for path in sorted(Path(folder, "claims").glob("*.yaml")):
            claims, untested = load_claims(path)
            scenarios += claims
            not_tested += untested
    return tuple(scenarios), tuple(not_tested)


def not_this(file: Found, fix: str) -> Problem:
    """The problem of a file that is not of the kind that a command takes."""
    what = "neither a topology (nodes, links), nor a scenario (steps), nor claims (claims)"
    return Problem(
        Place(file.path, 1, 1), f"this is {what if file.kind is Kind.OTHER else f'a file of kind {file.kind.value}'}", fix
    )


def _below(directory: Path) -> Iterator[Path]:
    for path in sorted(directory.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(directory).parts)
        if path.suffix in _SUFFIXES and path.is_file() and not hidden:
            yield path
