"""Loads the scenario of a bundle, or of any set of texts, out of a folder of its own: from what the bundle brings and nothing else.

Places then name the bundle's own files, whatever the folder was called. It runs nothing.
"""

import os
import posixpath
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import fields, is_dataclass, replace
from tempfile import TemporaryDirectory
from typing import Any, TypeVar, cast

from netlab.bundle.spec import Bundle, name_problem
from netlab.document import Sources
from netlab.errors import Place, Problem, SpecError
from netlab.notation.calls import RunText
from netlab.scenario.load import load_scenarios
from netlab.scenario.spec import Scenario
from netlab.topology.expanding.variables import Settings
from netlab.topology.spec import Command

T = TypeVar("T")


@contextmanager
def loaded(bundle: Bundle) -> Iterator[Scenario]:
    """The bundle's scenario; its programs, if any, lie in a folder that is gone with the ``with`` statement.

    Raises SpecError, at places in the bundle's files, for what is wrong with them, and if they ask for any file that the bundle
    does not bring.
    """
    for name in [*bundle.files, *bundle.programs]:
        if problem := name_problem(name):
            raise SpecError(Problem(Place(name, 0, 0), f"no file of a bundle may have this name: {problem}"))
    for name, program in bundle.programs.items():
        # else what was shown before it was allowed to run would not be what runs
        if name in bundle.files and bundle.files[name].encode() != program.data:
            raise SpecError(Problem(Place(name, 0, 0), "this is a file of the bundle, and a program that is another one"))
    with ExitStack() as stack:
        folder = os.path.realpath(stack.enter_context(TemporaryDirectory(prefix="netlab-bundle-")))
        try:
            for name, text in bundle.files.items():
                _put(folder, name, text.encode(), 0o600)
            for name, program in bundle.programs.items():
                _put(folder, name, program.data, 0o700 if program.executable else 0o600)
        except OSError as error:
            told = f"its files cannot be laid out in {folder}: {error.strerror}"
            raise SpecError(Problem(Place(bundle.file, 0, 0), told, "no name may be both a file's and a folder's")) from None
        words = {program.word: os.path.join(folder, name) for name, program in bundle.programs.items()}
        scenario = _with_programs(_scenario(bundle, folder), words)
        if not words:
            stack.close()  # no later than needed: what is killed leaves it behind
        yield scenario


def moved(value: T, rename: Callable[[str], str]) -> T:
    """The same value with every Place in it in the file that ``rename`` gives for its own. Dataclasses, tuples, mappings are looked
    through; what holds no place stays the very same object."""
    if isinstance(value, Place):
        file = rename(value.file)
        return value if file == value.file else cast("T", replace(value, file=file))
    return _changed(value, lambda inner: moved(inner, rename))


def parts(value: Any, kind: type[T]) -> Iterator[T]:
    """Every value of a kind inside of a value, in order: all rules of a scenario, its topology's and its steps'."""
    if isinstance(value, kind):
        yield value
    elif isinstance(value, tuple | list | Mapping):  # not whatever is iterable: a network is, address by address
        for part in value.values() if isinstance(value, Mapping) else value:
            yield from parts(part, kind)
    elif is_dataclass(value):
        for field in fields(value):
            yield from parts(getattr(value, field.name), kind)


def _changed(value: T, change: Callable[[Any], Any]) -> T:
    """The value with ``change`` made to each of its parts."""
    whole: Any = value
    if is_dataclass(value) and not isinstance(value, type):
        old = {field.name: getattr(value, field.name) for field in fields(value)}
        new = {name: made for name, part in old.items() if (made := change(part)) is not part}
        whole = replace(value, **new) if new else value
    elif isinstance(value, tuple):
        made = tuple(change(part) for part in value)
        if any(one is not other for one, other in zip(made, value, strict=True)):
            whole = type(value)(*made) if hasattr(value, "_fields") else made
    elif isinstance(value, Mapping):
        changed = {key: change(part) for key, part in value.items()}
        if any(changed[key] is not part for key, part in value.items()):
            whole = changed
    return cast("T", whole)


def _scenario(bundle: Bundle, folder: str) -> Scenario:
    inside = folder + os.sep

    def own(file: str) -> str:
        return posixpath.normpath(file.removeprefix(inside)) if file.startswith(inside) else file

    sources: Sources = {}
    try:
        scenarios = load_scenarios(os.path.join(folder, bundle.file), Settings.of(bundle.settings), sources)
    except SpecError as error:
        _all_inside(sources, inside, bundle)
        problems = (Problem(moved(one.place, own), one.message.replace(inside, ""), one.fix) for one in error.problems)
        raise SpecError(*problems) from None
    _all_inside(sources, inside, bundle)
    for scenario in scenarios:
        if scenario.name == bundle.scenario:
            return moved(scenario, own)
    raise SpecError(Problem(Place(bundle.file, 0, 0), f"there is no scenario {bundle.scenario} in it"))


def _all_inside(sources: Sources, inside: str, bundle: Bundle) -> None:
    for path in sources:
        if not os.path.realpath(path).startswith(inside):
            told, fix = f"this names {path}, which the bundle does not bring", "name it by a path from the folder of this file"
            raise SpecError(Problem(Place(bundle.file, 0, 0), told, fix))


def _with_programs(value: T, words: Mapping[str, str]) -> T:
    """The same value with the bundle's programs in the place of the words that name them, in every command line."""
    if not words:
        return value
    if isinstance(value, RunText | Command):
        return cast("T", replace(value, argv=tuple(words.get(word, word) for word in value.argv)))
    return _changed(value, lambda inner: _with_programs(inner, words))


def _put(folder: str, name: str, data: bytes, mode: int) -> None:
    path = os.path.join(folder, *name.split("/"))
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(data)
        os.fchmod(file.fileno(), mode)
