"""Makes a bundle of a scenario that failed: gathers its texts and programs under names of their own, and proves that they suffice.

It writes nothing and runs nothing. A scenario that cannot be loaded from its bundle alone, exactly as it was, is refused.
"""

import os
import platform
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from importlib.metadata import PackageNotFoundError, version

import msgspec

import netlab
from netlab.bundle.layout import LARGEST_PROGRAM
from netlab.bundle.loading import loaded, moved, parts
from netlab.bundle.spec import Bundle, Program, failed_of, name_problem
from netlab.check.result import HostFacts, ScenarioResult
from netlab.document import Sources
from netlab.errors import Place, Problem, SpecError
from netlab.notation.calls import RunText
from netlab.scenario.load import load_scenarios
from netlab.scenario.spec import Scenario
from netlab.timeline.observations import Decision
from netlab.topology.expanding.variables import Settings
from netlab.topology.printed import print_rule, print_shape
from netlab.topology.spec import Command, Rule, Shape

_LIBRARIES = ("msgspec", "pydantic", "pyroute2", "PyYAML")


def bundle_of(
    scenario: Scenario,
    result: ScenarioResult,
    *,
    seed: int,
    host: HostFacts,
    settings: Mapping[str, str] | None = None,
    timeout: int = 0,
    capture_buffer: int = 0,
    strict: bool = False,
) -> Bundle:
    """The bundle of a scenario and of the result in which it failed. ``settings`` are what ``--set`` gave, ``timeout`` what
    ``--timeout`` did (ns, 0: nothing), ``capture_buffer`` what ``--capture-buffer`` did (bytes, 0: nothing). The folder is to be
    the one that it was loaded and run in.

    Raises SpecError if its files have changed, do not suffice, or name a program in its folder that cannot be read; ValueError for
    a result without a failure.
    """
    failed = failed_of(result)
    if failed is None:
        raise ValueError(f"{scenario.name} has not failed")
    sources: Sources = {}
    load_scenarios(scenario.place.file, Settings.of(settings), sources)
    refused: SpecError | None = None
    for named in (_beside, _as_they_lie):
        try:
            names = named(scenario.place.file, sources)
            made = Bundle(
                files=_texts(names, sources),
                file=names[scenario.place.file],
                scenario=scenario.name,
                seed=seed,
                decisions=_placed(result, names),
                failed=failed,
                host=host,
                netlab=netlab.__version__,
                versions=versions(),
                rules=tuple(dict.fromkeys(_rules(scenario, names))),
                settings=dict(settings or {}),
                timeout=timeout,
                capture_buffer=capture_buffer,
                strict=strict,
            )
            _suffices(made, moved(scenario, partial(_renamed, names)))
        except SpecError as error:
            refused = refused or error
        else:
            return msgspec.structs.replace(made, programs=dict(_programs(scenario, made.file)))
    assert refused is not None
    raise refused


def _renamed(names: Mapping[str, str], file: str) -> str:
    return names.get(file, file)


def _suffices(bundle: Bundle, scenario: Scenario) -> None:
    """Raises SpecError unless the scenario is what comes out of the bundle."""
    with loaded(bundle) as there:
        if there != scenario:
            why = "what its files hold now is another scenario than the one that failed"
            raise _refusal(scenario.place, why, "do not change them while it runs")


def versions() -> dict[str, str]:
    """What runs netlab here: the interpreter, the C library, the machine, the libraries."""
    found = {"python": platform.python_version(), "libc": " ".join(platform.libc_ver()), "machine": platform.machine()}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # it runs from a source tree on the path
            continue
    return found


def _beside(scenario: str, sources: Sources) -> dict[str, str]:
    """Names that put topologies which were found by their names alone beside the scenario, where they are looked for first."""
    here = os.path.dirname(os.path.abspath(scenario))
    folders = [os.path.abspath("topologies"), os.path.join(os.path.dirname(netlab.__file__), "topologies")]
    paths = {}
    for path in sources:
        paths[path] = os.path.abspath(path)
        for folder in folders:
            if here != folder and paths[path].startswith(folder + os.sep):
                paths[path] = os.path.join(here, os.path.relpath(paths[path], folder))
                break
    return _named(paths)


def _as_they_lie(_: str, sources: Sources) -> dict[str, str]:
    """Names that keep files where they lie to each other."""
    return _named({path: os.path.abspath(path) for path in sources})


def _named(paths: Mapping[str, str]) -> dict[str, str]:
    root = os.path.commonpath([os.path.dirname(path) for path in paths.values()])
    names = {path: os.path.relpath(moved_to, root) for path, moved_to in paths.items()}
    for path, name in names.items():
        if problem := name_problem(name):
            raise _refusal(Place(path, 0, 0), f"the file's name cannot stand in a bundle: {problem}", "rename it")
    return names


def _texts(names: Mapping[str, str], sources: Sources) -> dict[str, str]:
    held = {os.path.realpath(path): data for path, data in sources.items() if data is not None}
    texts: dict[str, str] = {}
    for path, name in sorted(names.items()):
        data = sources[path]
        data = held.get(os.path.realpath(path), b"") if data is None else data
        if texts.setdefault(name, data.decode()) != data.decode():
            raise _refusal(Place(path, 0, 0), f"another file of the bundle is called {name} too", "rename one of the two")
    return texts


def _placed(result: ScenarioResult, names: Mapping[str, str]) -> tuple[Decision, ...]:
    """The decisions, with places in the bundle's files."""
    decided = [one for one in result.timeline.observations if isinstance(one, Decision)]
    return tuple(msgspec.structs.replace(one, place=_place(one.place, names)) for one in decided)


def _place(place: str, names: Mapping[str, str]) -> str:
    file, *position = place.rsplit(":", 2)
    return ":".join([names.get(file, file), *position])


def _rules(scenario: Scenario, names: Mapping[str, str]) -> Iterator[str]:
    """Its rules and quantities, as a file says them."""
    for rule in parts(scenario, Rule):
        yield f"{_place(str(rule.place), names)}: {print_rule(rule)}"
    for shape in parts(scenario, Shape):
        yield f"{_place(str(shape.place), names)}: {print_shape(shape)}"


def _programs(scenario: Scenario, file: str) -> Iterator[tuple[str, Program]]:
    """The programs, and whatever other files command lines name, that lie in the scenario's folder or below it."""
    folder = os.path.dirname(os.path.abspath(scenario.place.file))
    for word in dict.fromkeys(_words(scenario)):
        path = os.path.abspath(word)
        name = os.path.normpath(os.path.join(os.path.dirname(file), os.path.relpath(path, folder)))
        inside = os.path.realpath(path).startswith(os.path.realpath(folder) + os.sep)
        if inside and not name_problem(name) and os.path.isfile(path):
            yield name, _program(word, path, scenario.place)


def _words(scenario: Scenario) -> Iterable[str]:
    for what in parts(scenario, RunText):
        first, *others = what.argv
        yield from [first] * ("/" in first) + others  # a program without a / is sought on the PATH
    for command in parts(scenario, Command):
        yield from (word for word in command.argv if os.path.isabs(word))  # they are started in /


def _program(word: str, path: str, place: Place) -> Program:
    try:
        with open(path, "rb") as file:
            data = file.read(LARGEST_PROGRAM + 1)
    except OSError as error:
        raise _refusal(place, f"{word} cannot be read: {error.strerror}") from None
    if len(data) > LARGEST_PROGRAM:
        raise _refusal(
            place, f"{word} is larger than {LARGEST_PROGRAM >> 20} MB", "keep large files outside of the scenario's folder"
        )
    return Program(word=word, data=data, executable=os.access(path, os.X_OK))


def _refusal(place: Place, why: str, fix: str = "") -> SpecError:
    return SpecError(Problem(place, f"this cannot be bundled: {why}", fix))
